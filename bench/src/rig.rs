//! muster's own loop over a pretend cloud: the real journal on the real disk, the real senders.

use std::{
    path::Path,
    str::FromStr as _,
    sync::Arc,
    time::{Duration, Instant},
};

use engine::{
    Engine, Handle, Options, Ports,
    clock::SystemClock,
    journal::SqliteJournal,
    ports::{Body, Clock as _, Cloud, Entry, Journal, JournalError, SetAside},
    run::RunError,
};
use fleet::policy::Policy;
use jiff::Timestamp;
use muster::{
    config::{receivers::ReceiverEntry, secret::SecretRef},
    metrics::Metrics,
    senders::{Receiver, Senders, http::HttpClient, vault::Vault, webhook::Webhook},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::sink::Sink;

/// As `muster serve` has it (spec I.7).
const POST_LIMIT: Duration = Duration::from_secs(10);
/// As the configuration has it unless told otherwise.
const RETRY_LIMIT: Duration = Duration::from_secs(540);

/// Everything that went wrong.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Is told of every append as soon as it is on the disk.
pub type Watcher = Arc<dyn Fn(&[Body<'_>], Instant) + Send + Sync>;

/// A running muster.
pub struct Rig {
    /// A way to ask it.
    pub handle: Handle,
    stop: CancellationToken,
    running: JoinHandle<Result<(), RunError>>,
}

impl std::fmt::Debug for Rig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rig").field("handle", &self.handle).finish_non_exhaustive()
    }
}

impl Rig {
    /// Starts muster with its journal in `dir`; `receivers` are webhooks of the sink, signed.
    pub fn start(
        dir: &Path,
        policy: Policy,
        cloud: Arc<dyn Cloud>,
        sink: &Sink,
        receivers: &[String],
        watcher: Watcher,
    ) -> Outcome<Self> {
        let vault = Arc::new(Vault::new(None));
        let http = HttpClient::new(POST_LIMIT)?;
        let key = dir.join("signing-key");
        std::fs::write(&key, "only for measurements")?;
        let reference = |path: &Path| SecretRef::from_str(&format!("file:{}", path.display()));
        let mut hooks: Vec<(String, Box<dyn Receiver>)> = Vec::new();
        for name in receivers {
            let address = dir.join(format!("address-of-{name}"));
            std::fs::write(&address, sink.url(name))?;
            let entry = ReceiverEntry {
                name: name.clone(),
                url: Some(reference(&address)?),
                secrets: vec![reference(&key)?],
                allow_http: true,
                allow_private: true,
                ..ReceiverEntry::default()
            };
            hooks.push((name.clone(), Box::new(Webhook::new(&entry, http.clone(), vault.clone()))));
        }
        let notifier = Arc::new(Senders::of(hooks, RETRY_LIMIT, vault));
        let journal = Watched { inner: SqliteJournal::open(&dir.join("data"))?, watcher };
        let recovered = engine::recover(Box::new(journal), policy, muster::VERSION, SystemClock.now())?;
        let ports =
            Ports { cloud, notifier, samples: Arc::new(Metrics::new()), clock: Arc::new(SystemClock), lease: None };
        let stop = CancellationToken::new();
        let engine = Engine::new(recovered, ports, Options::default(), stop.clone());
        let handle = engine.handle();
        // On a thread of its own, as `muster serve` runs it.
        let runtime = tokio::runtime::Handle::current();
        let running = tokio::task::spawn_blocking(move || runtime.block_on(engine.run()).map(drop));
        Ok(Self { handle, stop, running })
    }

    /// Waits until `done` says so; fails after `limit`, or when muster has stopped.
    pub async fn until(&self, what: &str, limit: Duration, mut done: impl FnMut() -> bool) -> Outcome<()> {
        let give_up_at = Instant::now() + limit;
        while !done() {
            if self.running.is_finished() {
                return Err(format!("muster stopped before {what}").into());
            }
            if Instant::now() > give_up_at {
                return Err(format!("{what}: not within {} s", limit.as_secs()).into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Stops in good order.
    pub async fn stop(self) -> Outcome<()> {
        self.stop.cancel();
        Ok(self.running.await??)
    }
}

/// The journal, and somebody who wants to know when an append is on the disk.
struct Watched {
    inner: SqliteJournal,
    watcher: Watcher,
}

impl Journal for Watched {
    fn append(&mut self, at: Timestamp, bodies: &[Body<'_>], set_aside: &[SetAside]) -> Result<i64, JournalError> {
        let seq = self.inner.append(at, bodies, set_aside)?;
        (self.watcher)(bodies, Instant::now());
        Ok(seq)
    }

    fn keep_snapshot(&mut self, seq: i64, at: Timestamp, bytes: &[u8]) -> Result<(), JournalError> {
        self.inner.keep_snapshot(seq, at, bytes)
    }

    fn snapshot_before(&self, seq: i64) -> Result<Option<(i64, Vec<u8>)>, JournalError> {
        self.inner.snapshot_before(seq)
    }

    fn prune(&mut self, at: Timestamp, keep: u64) -> Result<u64, JournalError> {
        self.inner.prune(at, keep)
    }

    fn read(&self, after: i64, each: &mut dyn FnMut(Entry<'_>) -> bool) -> Result<(), JournalError> {
        self.inner.read(after, each)
    }
}
