//! What `muster serve` keeps and queries: the store of logs, the engine, the API's keys, and the records that are made.

use std::{path::Path, sync::Arc, time::Duration};

use ::telemetry::{Store, StoreConfig};
use aws::AwsCloud;
use engine::{Handle, ports::Cloud};
use jiff::Timestamp;
use query::{Engine, EngineConfig};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{Config, telemetry::TelemetrySection},
    logs::{
        Api,
        access::{ApiKey, Keys},
        engine::StoreQueries,
        error::ApiError,
        kept::Kept,
        queries::Registry,
        store::StoreLogs,
    },
    records::{Producer, Settings, journal, lifecycle::Heard},
    senders::vault::Vault,
};

/// The store is put in order so often.
const MAINTENANCE: Duration = Duration::from_secs(5);

/// Opens what is kept. A store that cannot be had must not keep muster from watching: the API says why instead.
pub(super) async fn open(config: &Config, vault: &Vault, stop: &CancellationToken) -> Result<Api, ApiError> {
    if !config.telemetry.enabled {
        return Err(ApiError::switched_off());
    }
    match opened(config, vault, stop).await {
        Ok(api) => Ok(api),
        Err(why) => {
            tracing::error!(why, "no logs and no records are kept; muster watches all the same");
            Err(ApiError::not_to_be_had(&why))
        }
    }
}

async fn opened(config: &Config, vault: &Vault, stop: &CancellationToken) -> Result<Api, String> {
    let section = &config.telemetry;
    let dir = section.directory.clone().unwrap_or_else(|| config.journal.data_dir.join("telemetry"));
    let keys = keys(section, vault).await?;
    std::fs::create_dir_all(&dir).map_err(|error| format!("the folder {} cannot be made: {error}", dir.display()))?;
    let kept = Kept::open(&dir).map_err(|error| error.to_string())?;
    let store = store(section, &dir).await?;
    let engine = Engine::new(EngineConfig {
        memory_bytes: (section.query_memory_mib as usize) << 20,
        temp_dir: Some(spill(&dir)?),
        ..EngineConfig::default()
    });
    let engine = engine.map_err(|error| error.to_string())?;
    tokio::spawn(keep_in_order(store.clone(), stop.clone()));
    let region = config.aws.regions.first().cloned().or_else(|| std::env::var("AWS_REGION").ok());
    Ok(Api {
        logs: Arc::new(StoreLogs::new(store.clone())),
        queries: Arc::new(Registry::new(Arc::new(StoreQueries::new(engine, store)))),
        kept: Arc::new(kept),
        keys: Arc::new(Keys::new(keys, !config.operators.tokens.is_empty())),
        account: section.account.as_str().into(),
        region: region.as_deref().unwrap_or("us-east-1").into(),
    })
}

/// Where queries put what does not fit into memory: whatever a muster before this one has left there goes.
fn spill(dir: &Path) -> Result<std::path::PathBuf, String> {
    let spill = dir.join("spill");
    let failed = |error: std::io::Error| format!("the folder {} cannot be made: {error}", spill.display());
    match std::fs::remove_dir_all(&spill) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    std::fs::create_dir_all(&spill).map_err(failed)?;
    Ok(spill)
}

async fn store(section: &TelemetrySection, dir: &Path) -> Result<Store, String> {
    let url = section.url.as_deref().map(url::Url::parse).transpose();
    let url = url.map_err(|error| format!("url of [telemetry] is no URL: {error}"))?;
    let config = StoreConfig { url, account: section.account.clone(), ..StoreConfig::new(dir) };
    let store = Store::open(config, Timestamp::now().as_millisecond()).await.map_err(|error| error.to_string())?;
    let found = store.opened();
    tracing::info!(dir = %dir.display(), events = found.events, ignored = found.ignored, "the store of logs is open");
    Ok(store)
}

async fn keys(section: &TelemetrySection, vault: &Vault) -> Result<Vec<ApiKey>, String> {
    let mut keys = Vec::new();
    for entry in &section.api_keys {
        let secret = vault.read(&entry.secret).await;
        let secret =
            secret.map_err(|error| format!("the secret of {} in [telemetry]: {error}", entry.access_key_id))?;
        keys.push(ApiKey { access_key_id: entry.access_key_id.clone(), secret, read_only: entry.read_only });
    }
    Ok(keys)
}

async fn keep_in_order(store: Store, stop: CancellationToken) {
    let mut every = tokio::time::interval(MAINTENANCE);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        // What went wrong has been told to the log; the next round tries again.
        let _ = store.maintain(Timestamp::now().as_millisecond()).await;
    }
}

/// The cloud, listened to: what its queue tells is kept as a log of each cluster too, if that is wanted and can be.
pub(super) fn listened_to(config: &Config, api: Option<&Api>, cloud: Arc<dyn Cloud>) -> Arc<dyn Cloud> {
    match api {
        Some(api) if config.telemetry.lifecycle => {
            Arc::new(Heard::new(cloud, api.logs.clone(), config.telemetry.retention_days))
        }
        _ => cloud,
    }
}

/// Begins to make records and to follow the journal, as far as that is wanted and there is somewhere to put them.
pub(super) fn make_records(
    config: &Config,
    api: Option<&Api>,
    cloud: &Arc<AwsCloud>,
    handle: Handle,
    stop: &CancellationToken,
) {
    let Some(api) = api else { return };
    let section = &config.telemetry;
    if section.journal {
        let dir = config.journal.data_dir.clone();
        tokio::spawn(journal::follow(dir, api.logs.clone(), section.retention_days, stop.clone()));
    }
    if !section.records {
        return;
    }
    let settings = Settings {
        interval_secs: section.interval_secs,
        detail: section.detail.into(),
        aws_exact: section.aws_exact,
        retention_days: section.retention_days,
    };
    let producer = Producer::new(settings, cloud.clone(), api.logs.clone());
    tokio::spawn(producer.run(handle, stop.clone()));
}
