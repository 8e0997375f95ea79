//! What a roll call says of one host.

use serde::{Deserialize, Serialize};

use crate::observation::Witness;

/// The verdict on one host. Kebab-case wherever a person or a script sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Answers.
    Present,
    /// Answers now, but has come and gone too often in the last hour.
    Flapping,
    /// Takes no new tasks, on somebody's wish, and is on its way.
    Draining,
    /// Registering or deregistering: on its way in or out.
    Changing,
    /// Does not answer, but not for long enough to say more.
    Suspected,
    /// Agent away past the grace, looked at again, machine seemingly alive.
    AgentLost,
    /// Docker or containerd on the host is sick, by ECS's own check.
    RuntimeImpaired,
    /// The machine is stopped, stopping, or being terminated.
    HostDown,
    /// EC2's status checks fail.
    HostImpaired,
    /// In the Auto Scaling group, not in the cluster, past the launch grace.
    NeverRegistered,
    /// Registered, but the machine does not exist any more.
    Ghost,
    /// REGISTRATION_FAILED.
    RegistrationFailed,
    /// Draining for too long.
    DrainStuck,
    /// ECS Anywhere: the agent is away and SSM has lost the machine too.
    ExternalOffline,
    /// Too many are missing at once: muster doubts its own eyes. The reasons name the cohort.
    Doubt,
    /// Nobody has been able to look for too long.
    Unknown,
    /// Of a declared headroom, and of no host: there is less room than declared.
    ShortOfRoom,
}

impl Verdict {
    /// All verdicts on hosts, in the order of their severity for people.
    pub const ALL: [Self; 16] = [
        Self::Present,
        Self::Flapping,
        Self::Draining,
        Self::Changing,
        Self::Suspected,
        Self::AgentLost,
        Self::RuntimeImpaired,
        Self::HostDown,
        Self::HostImpaired,
        Self::NeverRegistered,
        Self::Ghost,
        Self::RegistrationFailed,
        Self::DrainStuck,
        Self::ExternalOffline,
        Self::Doubt,
        Self::Unknown,
    ];

    /// The kebab-case word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Flapping => "flapping",
            Self::Draining => "draining",
            Self::Changing => "changing",
            Self::Suspected => "suspected",
            Self::AgentLost => "agent-lost",
            Self::RuntimeImpaired => "runtime-impaired",
            Self::HostDown => "host-down",
            Self::HostImpaired => "host-impaired",
            Self::NeverRegistered => "never-registered",
            Self::Ghost => "ghost",
            Self::RegistrationFailed => "registration-failed",
            Self::DrainStuck => "drain-stuck",
            Self::ExternalOffline => "external-offline",
            Self::Doubt => "doubt",
            Self::Unknown => "unknown",
            Self::ShortOfRoom => "short-of-room",
        }
    }

    /// The host answers the roll: it is where it should be, whatever else may be said of it.
    pub fn answers(self) -> bool {
        matches!(self, Self::Present | Self::Flapping | Self::Draining | Self::Changing)
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

/// How sure a verdict is: how many independent, fresh witnesses agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Confidence {
    /// One witness, one look; or witnesses that contradict each other.
    Low,
    /// One witness, looked at again.
    Medium,
    /// Two independent witnesses or more.
    High,
}

/// What one witness says of a host, with the fact's age and road.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Testimony {
    /// Who.
    pub witness: Witness,
    /// What, in a few words: `agent disconnected`, `running`, `ping lost`.
    pub says: String,
    /// Since when the fact holds, as far as is known.
    pub since: jiff::Timestamp,
    /// When it was last confirmed, by any road.
    pub confirmed_at: jiff::Timestamp,
    /// The road it came by.
    pub source: crate::observation::Source,
    /// Whether it speaks for trouble.
    pub against: bool,
}
