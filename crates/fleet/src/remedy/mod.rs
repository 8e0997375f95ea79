//! What muster may do about a trouble, and what was decided.
//!
//! | to learn | read |
//! |---|---|
//! | the single calls a remedy is made of, and what comes of them | [`act`] |
//! | whether the target is still as expected just before a call | [`reread`] |

pub mod act;
pub mod reread;

use serde::{Deserialize, Serialize};

/// A remedy, as the ladder names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remedy {
    /// Restart the ECS agent through SSM.
    RestartAgent,
    /// Restart Docker or containerd through SSM.
    RestartRuntime,
    /// Reboot the machine through EC2, or through SSM on ECS Anywhere.
    Reboot,
    /// Drain: no new tasks, and the services move theirs away. Un-drained when it does not finish in time.
    Drain,
    /// Drain, then have the Auto Scaling group replace the machine.
    Replace,
    /// Deregister a container instance whose machine is gone.
    Deregister,
    /// Forced deregistration of a host whose agent is away, so that its services start their tasks elsewhere. The
    /// machine is left alone.
    ReleaseTasks,
    /// An action that the operator has written.
    Custom,
    /// Tell a person: muster has no remedy that it may use here.
    TellSomeone,
    /// Make an Auto Scaling group larger, for a declared headroom.
    ScaleOut,
    /// Drain an empty host and have its Auto Scaling group end it and shrink by it.
    ScaleIn,
}

impl Remedy {
    /// All of them, mildest first.
    pub const ALL: [Self; 11] = [
        Self::RestartAgent,
        Self::RestartRuntime,
        Self::Reboot,
        Self::Drain,
        Self::Replace,
        Self::Deregister,
        Self::ReleaseTasks,
        Self::Custom,
        Self::TellSomeone,
        Self::ScaleOut,
        Self::ScaleIn,
    ];

    /// In plain words, for `would …`.
    pub fn words(self) -> &'static str {
        match self {
            Self::RestartAgent => "restart the ECS agent through SSM",
            Self::RestartRuntime => "restart the container runtime through SSM",
            Self::Reboot => "reboot the machine",
            Self::Drain => "drain the host",
            Self::Replace => "drain what can be drained and have the Auto Scaling group replace the machine",
            Self::Deregister => "deregister the container instance: its machine is gone",
            Self::ReleaseTasks => "deregister the host by force, so that its tasks are started elsewhere",
            Self::Custom => "run the operator's own action",
            Self::TellSomeone => "tell a person: there is no safe remedy here",
            Self::ScaleOut => "make the Auto Scaling group larger",
            Self::ScaleIn => "drain the empty host and have its Auto Scaling group end it and shrink by it",
        }
    }

    /// The kebab-case word.
    pub fn word(self) -> &'static str {
        match self {
            Self::RestartAgent => "restart-agent",
            Self::RestartRuntime => "restart-runtime",
            Self::Reboot => "reboot",
            Self::Drain => "drain",
            Self::Replace => "replace",
            Self::Deregister => "deregister",
            Self::ReleaseTasks => "release-tasks",
            Self::Custom => "custom",
            Self::TellSomeone => "tell-someone",
            Self::ScaleOut => "scale-out",
            Self::ScaleIn => "scale-in",
        }
    }

    /// Disturbs a machine or the tasks on it, and so costs budget (I1). A ghost has nothing left to disturb.
    pub fn disturbs(self) -> bool {
        !matches!(self, Self::Deregister | Self::TellSomeone | Self::ScaleOut)
    }

    /// Follows from a declared headroom, and is no rung of a ladder.
    pub fn keeps_room(self) -> bool {
        matches!(self, Self::ScaleOut | Self::ScaleIn)
    }

    /// Ends a machine, or what runs on it, for good: two witnesses are needed (I3).
    pub fn is_destructive(self) -> bool {
        matches!(self, Self::Reboot | Self::Replace | Self::ReleaseTasks)
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
    /// This is to be done when a person approves it.
    Ask {
        /// What.
        remedy: Remedy,
        /// Why this one.
        because: Vec<String>,
    },
    /// This is being done.
    Will {
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

impl Decision {
    /// The remedy chosen, whether it is performed or not.
    pub fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Would { remedy, .. } | Self::Ask { remedy, .. } | Self::Will { remedy, .. } => Some(*remedy),
            Self::Hold { .. } => None,
        }
    }

    /// Why.
    pub fn because(&self) -> &[String] {
        match self {
            Self::Would { because, .. }
            | Self::Ask { because, .. }
            | Self::Will { because, .. }
            | Self::Hold { because } => because,
        }
    }
}
