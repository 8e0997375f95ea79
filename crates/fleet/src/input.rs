//! What goes into the core.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    charge::Charge,
    notice::page::Delivery,
    observation::{Observation, Text},
    operator::Asked,
    remedy::act::Outcome,
};

/// One input of [`step`](crate::step::step). Journaled before its effects are performed; replaying a journal's inputs
/// gives the same fleet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Input<'a> {
    /// One fact, from an event, a look or a host report.
    Observed(#[serde(borrow)] Observation<'a>),
    /// The answer of a sweep or a look over a scope.
    Swept(#[serde(borrow)] Sweep<'a>),
    /// A look that brought nothing.
    LookFailed(#[serde(borrow)] LookFailure<'a>),
    /// Time has passed; due deadlines are met.
    Ticked,
    /// What came of an intent.
    Acted(#[serde(borrow)] Outcome<'a>),
    /// An operator asks for something.
    Asked(#[serde(borrow)] Asked<'a>),
    /// What became of a page.
    Told(#[serde(borrow)] Delivery<'a>),
    /// This muster is in charge of acting, or another one is. One that never hears of it is alone, and in charge.
    Leading(#[serde(deserialize_with = "Charge::read")] Charge),
}

/// Everything one look over a scope found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sweep<'a> {
    /// What was looked at.
    #[serde(borrow)]
    pub scope: Scope<'a>,
    /// When the first request was sent: nothing in the answer is older than ECS's own view at this moment.
    pub started_at: Timestamp,
    /// The facts. After [`digest`](crate::admission::digest): only those that change a belief.
    #[serde(borrow)]
    pub found: Vec<Observation<'a>>,
    /// How many facts the answer held that changed nothing; filled by the digest.
    #[serde(default)]
    pub unchanged: u32,
    /// The answer covers the whole scope: what it does not name does not exist there (any more).
    pub complete: bool,
    /// ARNs or ids that were believed to be in the scope and that a complete answer did not name; filled by the digest.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<Text<'a>>,
}

/// What a look covers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope<'a> {
    /// Which clusters there are, in one account and region, `ACCOUNT/REGION`.
    Clusters(#[serde(borrow)] Text<'a>),
    /// All container instances of a cluster (ARN).
    ClusterHosts(#[serde(borrow)] Text<'a>),
    /// All tasks of a cluster (ARN).
    ClusterTasks(#[serde(borrow)] Text<'a>),
    /// Some container instances of a cluster, by ARN; never `complete`.
    Hosts {
        /// Cluster ARN.
        #[serde(borrow)]
        cluster: Text<'a>,
    },
    /// Some tasks of a cluster, by ARN; never `complete`.
    Tasks {
        /// Cluster ARN.
        #[serde(borrow)]
        cluster: Text<'a>,
    },
    /// EC2 instance states and status checks of a place, `ACCOUNT/REGION`.
    Machines(#[serde(borrow)] Text<'a>),
    /// Auto Scaling groups of a place, `ACCOUNT/REGION`.
    Groups(#[serde(borrow)] Text<'a>),
    /// SSM instance information of a place, `ACCOUNT/REGION`.
    Pings(#[serde(borrow)] Text<'a>),
    /// What copies of something need that is to run in a cluster; never `complete`.
    Demand {
        /// Cluster ARN.
        #[serde(borrow)]
        cluster: Text<'a>,
    },
}

/// A look that failed, sorted as the cloud's errors are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LookFailure<'a> {
    /// What was looked at.
    #[serde(borrow)]
    pub scope: Scope<'a>,
    /// The kind of failure.
    pub kind: FailureKind,
    /// One sentence for a person: what was tried, on what, and what to do next. Never holds a secret.
    #[serde(borrow)]
    pub message: Text<'a>,
}

/// How AWS said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The thing does not exist (any more).
    Gone,
    /// Not allowed: an IAM action is missing, credentials are expired or wrong.
    Denied,
    /// Too many requests.
    Throttled,
    /// Everything else: time-out, 5xx, nonsense instead of an answer.
    Failed,
}
