//! What is believed of one task: as little as the roll call needs, since there are fifty a host.

use serde::{Deserialize, Serialize};

use crate::{
    host::Millis,
    key::Key,
    names::Name,
    observation::TaskStatus,
    slab::{Keyed, Slot},
};

/// One task that is not over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    /// Task ARN.
    pub key: Key,
    /// Last version believed, or [`UNVERSIONED`](crate::host::UNVERSIONED).
    pub version: i64,
    /// `at` of the fact last believed.
    pub fact_at: Millis,
    /// Its host, or [`NONE`](crate::slab::NONE): not placed, or Fargate.
    pub host: Slot,
    /// Next task on the same host.
    pub next: Slot,
    /// Previous task on the same host.
    pub previous: Slot,
    /// `service:NAME` or `family:NAME`.
    pub group: Option<Name>,
    /// Cluster ARN.
    pub cluster: Name,
    /// `lastStatus`.
    pub status: TaskStatus,
    /// `desiredStatus` is RUNNING.
    pub desired_running: bool,
    /// Versions were skipped; a look is due.
    pub gap: bool,
    /// It holds a network interface of its own.
    pub awsvpc: bool,
}

impl Keyed for Task {
    fn key(&self) -> Key {
        self.key
    }
}
