//! `muster serve`: watch for good.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use clap::Args;
use engine::{
    Engine, Handle, Options, Ports,
    clock::SystemClock,
    journal::SqliteJournal,
    ports::{Clock, Lease, Sample, Samples as _, Scope},
};
use fleet::{
    notice::{delivery::AlertView, silence::SilenceView},
    operator::{Answered, Asked},
    view::{CaseView, RollCall, StopView},
};
use jiff::Timestamp;
use tokio::net::TcpListener;

use super::{
    leave,
    options::{self, Global},
    output::{Exit, Failure, Output},
    stop, telemetry,
};
use crate::{
    case_file::Terms,
    config::{Config, http::is_loopback},
    http::{
        self, Beliefs, Served, Stopped, Troubles,
        access::Access,
        listener::{self, Doorway, Peer},
    },
    logging::{self, Logging},
    logs::standing::Standing,
    metrics::Metrics,
    publish::{Publisher, foreseen},
    render::{capacity::Capacity, moment},
    senders::{Senders, action::ActionHooks, http::HttpClient, vault::Vault},
};

/// Requests under way may take so long when muster stops.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// One POST to a receiver may take so long (spec I.7).
const POST_LIMIT: Duration = Duration::from_secs(10);

/// `muster serve`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    muster serve --config muster.toml\n  \
    muster serve --listen 127.0.0.1:0 --data-dir /var/lib/muster --queue-url https://sqs.eu-central-1.amazonaws.com/210987654321/muster\n\n\
    The first line on standard output is `listening on http://ADDRESS:PORT`. SIGINT and SIGTERM stop in good order; after\n\
    a crash the journal brings everything back. GET /v1/hosts, /v1/hosts/{id}, /v1/capacity, /v1/placement-failures,\n\
    /v1/cases, /v1/cases/{n}, /v1/journal, /v1/set-aside, /healthz, /metrics; POST /v1/query.\n\
    It touches nothing unless the configuration says mode = \"approve\" or \"act\".")]
pub struct ServeArgs {
    /// Configuration file; `muster config example` prints one.
    #[arg(long, short, value_name = "FILE", env = "MUSTER_CONFIG")]
    config: Option<PathBuf>,
    /// Where to answer; port 0 takes a free one. Other addresses than loopback need TLS and a token, see `muster config
    /// example` [default: 127.0.0.1:8464].
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Folder of the journal [default: muster-data].
    #[arg(long, value_name = "DIR", env = "MUSTER_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// SQS queue that events arrive by; may be repeated.
    #[arg(long, value_name = "URL")]
    queue_url: Vec<String>,
}

impl ServeArgs {
    pub(super) fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let config = self.choose(options::configuration(self.config.as_ref())?);
        logging::start(&Logging {
            format: global.log_format.unwrap_or(config.log.format),
            level: logging::level(global.verbose, &config.log.level),
            colour: out.errors_take_colour(),
        });
        config.http.exposure(&config.operators)?;
        let runtime = super::runtime()?;
        let exit = runtime.block_on(serve(config, global, out));
        // A call to AWS that hangs must not hold up the end.
        runtime.shutdown_timeout(Duration::from_secs(1));
        exit
    }

    /// What the command line chooses goes before what the file does.
    fn choose(&self, mut config: Config) -> Config {
        if let Some(listen) = self.listen {
            config.http.listen = listen;
        }
        if let Some(dir) = &self.data_dir {
            config.journal.data_dir.clone_from(dir);
        }
        if !self.queue_url.is_empty() {
            config.events.queue_urls.clone_from(&self.queue_url);
        }
        config
    }
}

/// The receivers of pages.
fn senders(config: &Config, cloud: &Arc<::aws::AwsCloud>, vault: Arc<Vault>) -> Result<Senders, Failure> {
    let http = HttpClient::new(POST_LIMIT).map_err(Failure::because)?;
    Ok(Senders::new(&config.receiver, &http, vault, cloud))
}

async fn serve(config: Config, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
    let stop = stop::on_signal()?;
    let dir = config.journal.data_dir.clone();
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let tls = config.http.tls_files().map(|(cert, key)| listener::tls(cert, key)).transpose()?;
    // A token that is wrong here need not wait for AWS to be told so.
    let here = config.operators.tokens.iter().all(|token| token.secret.lies_here());
    let known_here = if here { Some(access(&config, &Vault::new(None)).await?) } else { None };
    let journal = SqliteJournal::open(&dir)?;
    let mut recovered = engine::recover(Box::new(journal), config.policy(), crate::VERSION, SystemClock.now())?;
    SystemClock.go_on_from(recovered.turn.last_at());
    recovered.turn.snapshot_every(config.journal.snapshot_every);
    recovered.turn.keep_entries(Some(config.journal.keep_entries).filter(|entries| *entries > 0));
    tracing::info!(
        version = crate::VERSION,
        replayed = recovered.replayed,
        in_order = recovered.stopped_in_order,
        data_dir = %dir.display(),
        may_act = config.may_act(),
        "the journal is open"
    );
    let hooks = Arc::new(ActionHooks::new(&config.custom).map_err(Failure::because)?);
    let audited = config.audits_tasks();
    let settings = ::aws::Settings { audit_tasks: audited, ..global.aws.settings(&config) };
    let cloud = Arc::new(options::connect(settings).await?.with_webhook(hooks.clone()));
    let vault = Arc::new(Vault::new(Some(cloud.clone())));
    hooks.read_secrets_in(vault.clone());
    let (looking, receivers) = (vault.clone(), config.receiver.clone());
    // Beside the start: a secret that is missing must not keep muster from watching.
    tokio::spawn(async move {
        for why in looking.unreadable(&receivers).await {
            tracing::error!("{why}; pages to it fail until it can be");
        }
    });
    let access = match known_here {
        Some(access) => access,
        None => access(&config, &vault).await?,
    };
    let lease = lease(&config, &cloud).await?;
    let metrics = Arc::new(Metrics::new());
    metrics.publish(SystemClock.now(), &[build_info(), may_act(&config)]);
    leave::watch(&config, &cloud, &metrics).await;
    let observed_only = cloud.clone();
    let records_from = cloud.clone();
    let samples = foreseen::Samples::open(&dir);
    let publisher = Publisher {
        section: config.publish.clone(),
        audited,
        fresh_secs: stale_secs(&config),
        cloud: cloud.clone(),
        metrics: metrics.clone(),
        samples: samples.clone(),
    };
    let reached = global.aws.settings(&config);
    let logs = Standing::new(telemetry::open(&config, &reached, &vault, &stop).await);
    let secrets = vault.clone();
    let senders = senders(&config, &cloud, vault)?;
    let (cloud, heard) = telemetry::listened_to(&config, cloud);
    let ports =
        Ports { cloud, notifier: Arc::new(senders), samples: metrics.clone(), clock: Arc::new(SystemClock), lease };
    let options = Options {
        sweep_every_secs: config.sweep.every_secs,
        sweep_limit_secs: config.sweep.every_secs.max(60),
        read_only: !config.may_act(),
        ..Options::default()
    };
    let engine = Engine::new(recovered, ports, options, stop.clone());

    let listen = config.http.listen;
    let failed = |error| Failure::new(format!("could not listen on {listen}; is another muster there?"), error);
    let bound = TcpListener::bind(listen).await.map_err(failed)?;
    let (doorway, scheme) = match tls {
        Some(tls) => (Doorway::tls(bound, tls), "https"),
        None => (Doorway::plain(bound), "http"),
    };
    let doorway = doorway.map_err(|error| Failure::new("could not tell the port taken", error))?;
    writeln!(out.answer(), "listening on {scheme}://{}", doorway.address())?;
    out.answer().flush()?;

    let served = Served {
        beliefs: Arc::new(Loop {
            handle: engine.handle(),
            stale_secs: stale_secs(&config),
            audited,
            samples,
            cloud: observed_only,
            logs: logs.clone(),
        }),
        metrics,
        data_dir: dir,
        access: Arc::new(access),
        logs: logs.clone(),
        loopback: is_loopback(listen),
    };
    let keeping = telemetry::Keeping {
        config,
        reached,
        vault: secrets,
        cloud: records_from,
        heard,
        handle: engine.handle(),
        stop: stop.clone(),
    };
    tokio::spawn(keeping.run(logs));
    let publishing = tokio::spawn(publisher.run(engine.handle(), stop.clone()));
    let closing = stop.clone();
    let service = http::router(served).into_make_service_with_connect_info::<Peer>();
    let server = tokio::spawn(
        axum::serve(doorway, service).with_graceful_shutdown(async move { closing.cancelled().await }).into_future(),
    );
    let ended = engine.run().await;
    stop.cancel();
    // What is being put is not waited for: the next muster puts it again.
    publishing.abort();
    if tokio::time::timeout(LAST_ANSWERS, server).await.is_err() {
        tracing::warn!("some requests were still open and are cut off");
    }
    match ended {
        Ok(_) => {
            tracing::info!("stopped in good order");
            Ok(Exit::DONE)
        }
        Err(error) => {
            tracing::error!(%error, "muster stopped because it had to");
            Err(Failure::new(error.to_string(), error))
        }
    }
}

/// Who may ask for what, by the tokens of the configuration.
async fn access(config: &Config, vault: &Vault) -> Result<Access, Failure> {
    let mut tokens = Vec::new();
    for token in &config.operators.tokens {
        let secret = vault.read(&token.secret).await.map_err(|error| {
            Failure::new(format!("the token of `{}` in [operators] could not be read", token.name), error)
        })?;
        tokens.push((token.name.as_str(), token.role, secret));
    }
    let tokens = tokens.iter().map(|(name, role, secret)| (*name, *role, secret.expose()));
    Access::by_tokens(tokens).map_err(|error| Failure::new(error.to_string(), error))
}

/// The lease, where the configuration names a table and anything may be done at all.
async fn lease(config: &Config, cloud: &aws::AwsCloud) -> Result<Option<Arc<dyn Lease>>, Failure> {
    let Some(settings) = config.lease.settings().filter(|_| config.may_act()) else { return Ok(None) };
    let lease = cloud.lease(settings).await;
    let lease = lease.map_err(|error| Failure::new(error.to_string(), error))?;
    tracing::info!(holder = lease.holder(), "acts only while it holds the lease");
    Ok(Some(Arc::new(lease)))
}

fn build_info() -> Sample {
    Sample { name: "muster_build_info", labels: vec![("version", crate::VERSION.to_owned())], value: 1.0 }
}

fn may_act(config: &Config) -> Sample {
    Sample { name: "muster_may_act", labels: Vec::new(), value: f64::from(u8::from(config.may_act())) }
}

/// Without a finished sweep for so long nobody should rely on what is shown.
fn stale_secs(config: &Config) -> i64 {
    i64::from(config.policy.stale_after_secs).max(2 * i64::from(config.sweep.every_secs))
}

/// The running loop, as the HTTP resources ask it.
struct Loop {
    handle: Handle,
    stale_secs: i64,
    audited: bool,
    samples: foreseen::Samples,
    cloud: Arc<::aws::AwsCloud>,
    logs: Standing,
}

#[async_trait]
impl Beliefs for Loop {
    async fn roll_call(&self) -> Result<RollCall, Stopped> {
        self.handle.ask(|fleet, now| fleet.roll_call(now, None)).await.map_err(|_| Stopped)
    }

    async fn capacity(&self, hosts: bool) -> Result<Capacity, Stopped> {
        let (fresh_secs, tasks_known) = (self.stale_secs, self.audited);
        let asked = self.handle.ask(move |fleet, at| {
            let mut clusters = fleet.headroom_views(at, fresh_secs);
            if hosts {
                clusters = clusters.iter().map(|view| fleet.headroom_view(&view.cluster, true, at)).collect();
            }
            Capacity { at, tasks_known, clusters, runs_out: Vec::new() }
        });
        let mut capacity = asked.await.map_err(|_| Stopped)?;
        capacity.runs_out = self.samples.runs_out(capacity.at);
        Ok(capacity)
    }

    async fn cases(&self, closed: bool) -> Result<(Timestamp, Vec<CaseView>), Stopped> {
        self.handle.ask(move |fleet, now| (now, fleet.cases(now, closed))).await.map_err(|_| Stopped)
    }

    async fn terms(&self, case: CaseView) -> Result<Terms, Stopped> {
        self.handle.ask(move |fleet, _| Terms::of(fleet.policy(), &case)).await.map_err(|_| Stopped)
    }

    async fn protections(&self) -> Result<(Timestamp, Vec<StopView>), Stopped> {
        self.handle.ask(|fleet, now| (now, fleet.protections())).await.map_err(|_| Stopped)
    }

    async fn pauses(&self) -> Result<(Timestamp, Vec<StopView>), Stopped> {
        self.handle.ask(|fleet, now| (now, fleet.pauses())).await.map_err(|_| Stopped)
    }

    async fn alerts(&self) -> Result<(Timestamp, Vec<AlertView>), Stopped> {
        self.handle.ask(|fleet, now| (now, fleet.alerts())).await.map_err(|_| Stopped)
    }

    async fn silences(&self) -> Result<(Timestamp, Vec<SilenceView>), Stopped> {
        self.handle.ask(|fleet, now| (now, fleet.silences())).await.map_err(|_| Stopped)
    }

    async fn operator(&self, asked: Asked<'static>) -> Result<Answered, Stopped> {
        self.handle.operator(asked).await.map_err(|_| Stopped)
    }

    async fn troubles(&self) -> Troubles {
        let mut troubles = Troubles::default();
        let status = self.handle.status();
        let looked = self.handle.ask(|fleet, now| {
            let roll = fleet.roll_call(now, None);
            let clusters = roll.clusters.len();
            (now, fleet.pauses(), clusters, roll.clusters.iter().filter(|cluster| cluster.trouble.is_none()).count())
        });
        let Ok((now, pauses, clusters, seen)) = looked.await else {
            troubles.failing.push("the loop has stopped: its journal refused, or muster is stopping".into());
            return troubles;
        };
        let roll = |scope: &Scope<'_>| matches!(scope, Scope::Clusters(_) | Scope::ClusterHosts(_));
        let failed = status.sweep_failures.iter().filter(|failure| roll(&failure.scope)).count();
        if failed > 0 && seen == 0 {
            troubles.failing.push(format!("no cluster could be looked at ({clusters} are known)"));
        }
        if let Some(since) = status.last_sweep_at.or(status.started_at) {
            let age_secs = now.as_second() - since.as_second();
            if age_secs > self.stale_secs {
                troubles.failing.push(format!("no sweep has ended for {}", moment::lasting(age_secs)));
            }
        }
        for pause in pauses {
            let what = pause.subject.map_or("everything".to_owned(), |cluster| format!("cluster {cluster}"));
            let why = if pause.why.is_empty() { String::new() } else { format!(" ({})", pause.why) };
            let until = pause.until.map_or("resumed".to_owned(), |until| until.to_string());
            troubles.warnings.push(format!("{what} is paused by {}{why} until {until}: no remedy begins", pause.who));
        }
        if let Err(why) = self.logs.now()
            && !why.is_switched_off()
        {
            troubles.warnings.push(why.message().to_owned());
        }
        troubles.warnings.extend(self.cloud.observed_only().into_iter().map(|account| account.why));
        troubles
            .warnings
            .extend(status.queue_trouble.map(|trouble| format!("the event queue cannot be read: {trouble}")));
        troubles.warnings.extend(status.sweep_failures.iter().map(|failure| failure.message.to_string()));
        troubles
    }
}
