//! What the loop needs from the world: five ports, on one page.

use async_trait::async_trait;
pub use fleet::{
    capacity::{placement::Placement, shape::TaskShape},
    charge::Charge,
    effect::{Look, Notice, Severity},
    id,
    input::{FailureKind, Input, LookFailure, Scope, Sweep},
    journal::{Body, Entry, Record},
    notice::page::{Delivery as PageDelivery, DeliveryResult, Page, PageHost, PageId, PageKind},
    observation::{self, Observation},
    operator,
    remedy::act::{Act, ActResult, Intent, Outcome, Target},
};
use jiff::Timestamp;
use tokio::sync::mpsc;

/// The cloud: what can be seen there, and the queue its events arrive by.
#[async_trait]
pub trait Cloud: Send + Sync {
    /// Looks at everything once: clusters, hosts, machines, groups, pings. Answers go to `answers` as they come, the
    /// scopes in that order, each scope ending in one `Swept` or `Failed`; returns when all are done.
    async fn sweep(&self, answers: mpsc::Sender<Answer>);

    /// Looks at these few things, now.
    async fn look(&self, look: Look) -> Answer;

    /// Waits for messages of the event queue: at most a long poll (20 s). An empty list is no failure. A cloud without
    /// a queue never returns.
    async fn receive(&self) -> Result<Vec<Delivery>, LookFailure<'static>>;

    /// Deletes messages from the queue. Called only after the journal holds what they said.
    async fn acknowledge(&self, receipts: Vec<Receipt>) -> Result<(), LookFailure<'static>>;

    /// Makes one call of a remedy, and waits for its end. Called only by `run/performing.rs`, after the intent is in the
    /// journal and its target was read again. `again`: an earlier call of the same intent may have been made, and its
    /// end was not seen; what it has done counts as done.
    ///
    /// Never fails: whatever happens is an [`ActResult`], with what was tried, on what, and what to do next in its text.
    async fn act(&self, intent: &Intent, again: bool) -> ActResult<'static>;
}

/// Who is in charge, where several musters watch the same clusters. AWS does not fence for us, so a remedy begins only
/// when what is left of the lease is longer than twice the longest call.
#[async_trait]
pub trait Lease: Send + Sync {
    /// Takes or renews the lease. `None`: another muster holds it.
    async fn hold(&self) -> Result<Option<Grant>, LeaseError>;

    /// Gives it back at the end, so that another need not wait.
    async fn release(&self);
}

/// The lease is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Grows with every change of holder.
    pub epoch: u64,
    /// Ours until then, by the clock of this machine at the moment before it was asked for.
    pub until: Timestamp,
}

/// It could not be said who holds the lease: then nobody here does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LeaseError(pub String);

/// One answer of a look, or how far a sweep has come.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Facts of a scope.
    Swept(Sweep<'static>),
    /// No facts of a scope.
    Failed(LookFailure<'static>),
    /// How far a sweep has come, for progress bars.
    Progress {
        /// What is being read, `hosts of prod-a`.
        what: String,
        /// So many are read.
        done: u64,
        /// Of so many, where known.
        total: Option<u64>,
    },
}

/// A message as it came: its text is decoded by the engine, so that nothing is lost on the way.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The event's JSON, already taken out of an SNS envelope if it came in one; otherwise the body as received.
    pub body: Vec<u8>,
    /// Hand this back to have it deleted.
    pub receipt: Receipt,
}

/// What a queue wants back to delete a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// Which queue.
    pub queue: String,
    /// The handle.
    pub handle: String,
}

/// The append-only record. Synchronous: an append returns when the bytes are on the disk.
pub trait Journal: Send {
    /// Appends entries and messages set aside, all or none, flushed. Returns the number of the last entry. The journal
    /// adds a `SetAside` entry for each message.
    fn append(&mut self, at: Timestamp, bodies: &[Body<'_>], set_aside: &[SetAside]) -> Result<i64, JournalError>;

    /// Keeps a snapshot of the fleet as of entry `seq`.
    fn keep_snapshot(&mut self, seq: i64, at: Timestamp, bytes: &[u8]) -> Result<(), JournalError>;

    /// The newest snapshot that is whole, with the number of the entry it stands for.
    fn newest_snapshot(&self) -> Result<Option<(i64, Vec<u8>)>, JournalError> {
        self.snapshot_before(i64::MAX)
    }

    /// The newest whole snapshot that stands for an entry before `seq`: the one to try when a newer one is unreadable.
    fn snapshot_before(&self, seq: i64) -> Result<Option<(i64, Vec<u8>)>, JournalError>;

    /// Removes old entries so that about `keep` remain, but never one that the oldest kept snapshot needs, and says so
    /// in a `Pruned` entry. Returns how many were removed.
    fn prune(&mut self, at: Timestamp, keep: u64) -> Result<u64, JournalError>;

    /// Reads the entries after `after` in order, until the end or until `each` returns false.
    fn read(&self, after: i64, each: &mut dyn FnMut(Entry<'_>) -> bool) -> Result<(), JournalError>;
}

/// A message that could not be understood.
#[derive(Clone, Debug)]
pub struct SetAside {
    /// Why.
    pub reason: String,
    /// The message, whole.
    pub body: Vec<u8>,
}

/// The journal could not do what was asked. muster stops acting and says so: nothing happens unjournaled.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another muster holds it.
    #[error("{path} is locked by another process: is another muster running on this data directory?")]
    Locked {
        /// The file.
        path: String,
    },
    /// No room.
    #[error("{path}: the disk is full; free some space, nothing was lost")]
    Full {
        /// The file.
        path: String,
    },
    /// Written by a newer muster.
    #[error("{path} was written by a newer muster (format {found}, this one reads up to {known}); upgrade muster")]
    Newer {
        /// The file.
        path: String,
        /// Its version.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// The hash chain does not hold.
    #[error("{path}: entry {seq} does not follow from the one before it: {what}")]
    Broken {
        /// The file.
        path: String,
        /// First bad entry.
        seq: i64,
        /// What does not fit.
        what: String,
    },
    /// Everything else.
    #[error("{path}: could not {doing}")]
    Failed {
        /// The file.
        path: String,
        /// What was being done.
        doing: &'static str,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Messages to people. Must not block the loop for long; a failed message is the notifier's to retry.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Says it in the log.
    async fn notify(&self, at: Timestamp, notice: &Notice);

    /// Sends a page, retries included, and says what became of it. May take minutes; the loop does not wait for it. The
    /// same page may be given again after a crash: a receiver that knows deduplication must see one.
    async fn send(&self, page: &Page) -> DeliveryResult<'static>;
}

/// Figures about the fleet and about muster itself.
pub trait Samples: Send + Sync {
    /// Takes the current values; a name and its labels replace the value they had.
    fn publish(&self, at: Timestamp, samples: &[Sample]);
}

/// One figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Prometheus-style name, unit last: `muster_hosts`, `muster_event_lag_seconds`.
    pub name: &'static str,
    /// Labels.
    pub labels: Vec<(&'static str, String)>,
    /// Value.
    pub value: f64,
}

/// The only clock.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
    /// Returns at `at` or soon after.
    async fn sleep_until(&self, at: Timestamp);
}
