//! What muster would do. Nothing here is performed yet: a decision ends on the record.

use serde::{Deserialize, Serialize};

/// A remedy, as the ladder names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remedy {
    /// Restart the ECS agent through SSM.
    RestartAgent,
    /// Restart Docker or containerd through SSM.
    RestartRuntime,
    /// Drain, then have the Auto Scaling group replace the machine.
    Replace,
    /// Deregister a container instance whose machine is gone.
    Deregister,
    /// Tell a person: muster has no remedy that it may use here.
    TellSomeone,
}

impl Remedy {
    /// In plain words, for `would …`.
    pub fn words(self) -> &'static str {
        match self {
            Self::RestartAgent => "restart the ECS agent through SSM",
            Self::RestartRuntime => "restart the container runtime through SSM",
            Self::Replace => "drain what can be drained and have the Auto Scaling group replace the machine",
            Self::Deregister => "deregister the container instance: its machine is gone",
            Self::TellSomeone => "tell a person: there is no safe remedy here",
        }
    }
}

/// The outcome of a decision: what would be done, or why nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Dry run: this would be done now.
    Would {
        /// What.
        remedy: Remedy,
        /// Why this one.
        because: Vec<String>,
    },
    /// Nothing is done, and why.
    Hold {
        /// Each reason is a sentence.
        because: Vec<String>,
    },
}
