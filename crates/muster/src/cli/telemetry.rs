//! What `muster serve` keeps and queries: the store of logs, the engine, the API's keys, and the records that are made.

use std::{path::Path, sync::Arc, time::Duration};

use ::telemetry::{S3, Store, StoreConfig};
use aws::{AwsCloud, Settings as Reached};
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
        standing::{Ready, Standing},
        store::StoreLogs,
    },
    objects,
    records::{
        Producer, Settings, journal,
        lifecycle::{Bodies, Heard},
    },
    senders::vault::Vault,
};

/// The store is put in order so often.
const MAINTENANCE: Duration = Duration::from_secs(5);

/// A store that could not be opened is tried again so often.
const AGAIN: Duration = Duration::from_secs(15);

/// Opens what is kept. A store that cannot be had must not keep muster from watching: the API says why instead.
pub(crate) async fn open(
    config: &Config,
    reached: &Reached,
    vault: &Vault,
    stop: &CancellationToken,
) -> Result<Ready, ApiError> {
    if !config.telemetry.enabled {
        return Err(ApiError::switched_off());
    }
    match opened(config, reached, vault, stop).await {
        Ok(ready) => Ok(ready),
        Err(why) => {
            tracing::error!(why, "no logs and no records are kept; muster watches all the same, and tries again");
            Err(ApiError::not_to_be_had(&why))
        }
    }
}

async fn opened(config: &Config, reached: &Reached, vault: &Vault, stop: &CancellationToken) -> Result<Ready, String> {
    let section = &config.telemetry;
    let dir = section.directory.clone().unwrap_or_else(|| config.journal.data_dir.join("telemetry"));
    let keys = keys(section, vault).await?;
    std::fs::create_dir_all(&dir).map_err(|error| format!("the folder {} cannot be made: {error}", dir.display()))?;
    let kept = Kept::open(&dir).map_err(|error| error.to_string())?;
    let store = store(section, &dir, reached).await?;
    let engine = Engine::new(EngineConfig {
        memory_bytes: (section.query_memory_mib as usize) << 20,
        temp_dir: Some(spill(&dir)?),
        ..EngineConfig::default()
    });
    let engine = engine.map_err(|error| error.to_string())?;
    tokio::spawn(keep_in_order(store.clone(), stop.clone()));
    let region = config.aws.regions.first().cloned().or_else(|| std::env::var("AWS_REGION").ok());
    let api = Api {
        logs: Arc::new(StoreLogs::new(store.clone())),
        queries: Arc::new(Registry::new(Arc::new(StoreQueries::new(engine.clone(), store.clone())))),
        kept: Arc::new(kept),
        keys: Arc::new(Keys::new(keys, !config.operators.tokens.is_empty())),
        account: section.account.as_str().into(),
        region: region.as_deref().unwrap_or("us-east-1").into(),
    };
    Ok(Ready { api, store, engine })
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

async fn store(section: &TelemetrySection, dir: &Path, reached: &Reached) -> Result<Store, String> {
    let url = section.url.as_deref().map(url::Url::parse).transpose();
    let url = url.map_err(|error| format!("url of [telemetry] is no URL: {error}"))?;
    let s3 = if url.is_some() { objects::reached(reached).await } else { S3::default() };
    let config = StoreConfig {
        url,
        s3,
        account: section.account.clone(),
        seal_after_ms: i64::from(section.seal_after_secs) * 1_000,
        removal_after_ms: i64::from(section.removal_after_secs) * 1_000,
        ..StoreConfig::new(dir)
    };
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

/// The cloud, listened to where lifecycle events are to be kept, and what is heard.
pub(super) fn listened_to(config: &Config, cloud: Arc<dyn Cloud>) -> (Arc<dyn Cloud>, Option<Bodies>) {
    if !(config.telemetry.enabled && config.telemetry.lifecycle) {
        return (cloud, None);
    }
    let (heard, bodies) = Heard::new(cloud);
    (Arc::new(heard), Some(bodies))
}

/// What keeping logs and making records needs for as long as muster runs.
pub(super) struct Keeping {
    pub(super) config: Config,
    pub(super) reached: Reached,
    pub(super) vault: Arc<Vault>,
    pub(super) cloud: Arc<AwsCloud>,
    pub(super) heard: Option<Bodies>,
    pub(super) handle: Handle,
    pub(super) stop: CancellationToken,
}

impl Keeping {
    /// Makes records and follows the journal, as far as that is wanted, as soon as there is somewhere to put them.
    pub(super) async fn run(self, logs: Standing) {
        let ready = loop {
            match logs.now() {
                Ok(ready) => break ready,
                Err(why) if why.is_switched_off() => return,
                Err(_) => {}
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(AGAIN) => {}
            }
            if let Ok(ready) = open(&self.config, &self.reached, &self.vault, &self.stop).await {
                tracing::info!("logs and records are kept from now on");
                logs.come_back(ready);
            }
        };
        self.make_records(&ready.api);
    }

    fn make_records(self, api: &Api) {
        let section = &self.config.telemetry;
        if section.journal {
            let dir = self.config.journal.data_dir.clone();
            tokio::spawn(journal::follow(dir, api.logs.clone(), section.retention_days, self.stop.clone()));
        }
        if let Some(heard) = self.heard {
            tokio::spawn(heard.keep(api.logs.clone(), section.retention_days));
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
        let producer = Producer::new(settings, self.cloud.clone(), api.logs.clone());
        tokio::spawn(producer.run(self.handle, self.stop));
    }
}
