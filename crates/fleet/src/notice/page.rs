//! A message to one receiver. It stays owed until it was delivered, over restarts too.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{effect::Severity, id::CaseId, observation::Text};

/// The number of a page: unique in one journal, in order, starting at 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PageId(pub u64);

impl std::fmt::Display for PageId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What a page is to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PageKind {
    /// Something is wrong.
    Firing,
    /// The same incident, with more or fewer subjects, or still there after the repeat interval.
    Update,
    /// It is over.
    Resolved,
    /// muster is alive: the dead-man's heartbeat.
    Heartbeat,
}

/// One message to one receiver: one group of alerts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// Its number; with `key` and `kind`, the same at every try.
    pub id: PageId,
    /// The receiver's name in the configuration.
    pub receiver: String,
    /// What it is to those before it.
    pub kind: PageKind,
    /// One key for all pages of one incident, at most 255 characters: `muster/…`. Receivers that know deduplication get
    /// it.
    pub key: String,
    /// How loud.
    pub severity: Severity,
    /// The whole thing in one sentence, clean of control characters.
    pub title: String,
    /// More sentences, one a line: verdict, reasons, decision.
    pub lines: Vec<String>,
    /// Clusters it is about, by ARN.
    pub clusters: Vec<String>,
    /// How many hosts it is about.
    pub hosts: u32,
    /// At most 20 of them.
    pub samples: Vec<PageHost>,
    /// `agent-away`, `doubt`, …: of the first alert.
    pub trouble: String,
    /// The cases, at most 20.
    pub cases: Vec<CaseId>,
    /// When the first trouble began.
    pub since: Timestamp,
    /// When this page was made.
    pub at: Timestamp,
    /// For a resolved incident: how long it lasted, from the beginning of the trouble.
    #[serde(default)]
    pub repaired_after_secs: Option<i64>,
    /// What is done about it, where it is about one case alone.
    #[serde(default)]
    pub decision: Option<String>,
}

/// One host of a page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PageHost {
    /// Container instance ARN or EC2 id.
    pub subject: String,
    /// `i-…` or `mi-…`.
    #[serde(default)]
    pub machine: Option<String>,
    /// Cluster ARN.
    pub cluster: String,
    /// Availability zone.
    #[serde(default)]
    pub zone: Option<String>,
    /// One sentence.
    pub says: String,
}

/// What became of a page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery<'a> {
    /// Which.
    pub page: PageId,
    /// What.
    #[serde(borrow)]
    pub result: DeliveryResult<'a>,
}

/// Whether a page arrived.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryResult<'a> {
    /// The receiver has taken it.
    Delivered,
    /// It was given up, after all retries or at once when retrying cannot help.
    GivenUp {
        /// Why, without any secret.
        #[serde(borrow)]
        why: Text<'a>,
    },
}
