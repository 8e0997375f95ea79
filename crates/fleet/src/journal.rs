//! What is written down for ever: inputs as they came in, and records of what was concluded from them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    id::CaseId,
    input::Input,
    remedy::Decision,
    verdict::{Confidence, Verdict},
};

/// Version of the entry format. A reader refuses a newer one and says so.
pub const JOURNAL_VERSION: u32 = 1;

/// The body of one journal entry. `at` is the `now` that the core was given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body<'a> {
    /// An input of the core. Replaying all of them, in order, gives the same fleet.
    Input(#[serde(borrow)] Input<'a>),
    /// A conclusion of the core.
    Record(Record),
    /// muster started, with this version and policy. A replay restores the policy from here.
    Started {
        /// Program version.
        muster: String,
        /// The policy in force from here on.
        policy: crate::policy::Policy,
    },
    /// muster stopped in good order.
    Stopped,
    /// A message that could not be understood was kept aside.
    SetAside {
        /// Number in the side table.
        id: i64,
        /// Why.
        reason: String,
    },
    /// Older entries were removed by retention; the chain goes on from their last hash.
    Pruned {
        /// How many entries were removed.
        entries: u64,
        /// Number of the last one removed.
        through: i64,
    },
}

/// A conclusion, for people and for the audit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Record {
    /// A case was opened.
    CaseOpened {
        /// Its number.
        case: CaseId,
        /// What kind of trouble.
        trouble: Trouble,
        /// Container instance ARN, EC2 id, or cohort, as the trouble demands.
        subject: String,
        /// Cluster ARN; empty for a doubt wider than a cluster.
        cluster: String,
        /// EC2 or SSM id where known.
        machine: Option<String>,
        /// Why it was opened.
        reasons: Vec<String>,
    },
    /// A case moved to another stage.
    CaseMoved {
        /// Its number.
        case: CaseId,
        /// From where.
        from: Stage,
        /// To where.
        to: Stage,
        /// Verdict at this moment.
        verdict: Verdict,
        /// How sure.
        confidence: Confidence,
        /// Why.
        reasons: Vec<String>,
    },
    /// A case's deadline was met: what would be done, or why nothing.
    Decided {
        /// Its number.
        case: CaseId,
        /// Verdict at this moment.
        verdict: Verdict,
        /// How sure.
        confidence: Confidence,
        /// The decision.
        decision: Decision,
        /// Tasks that ECS believes to be running on the lost host.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        zombies: Vec<String>,
    },
    /// A case was closed.
    CaseClosed {
        /// Its number.
        case: CaseId,
        /// Why.
        reason: String,
        /// How long it was open.
        lasted_secs: i64,
    },
    /// An intent: written and flushed before the call is made.
    Intended {
        /// What is about to be done, to whom, on whose behalf.
        intent: Box<crate::remedy::act::Intent>,
    },
    /// What came of an intent, in a few words; the input before it has all.
    Ended {
        /// Of which case.
        case: CaseId,
        /// Of which intent.
        intent: crate::remedy::act::IntentId,
        /// `done`, `unfit`, `failed`, ….
        result: String,
        /// What was said.
        says: String,
        /// What follows from it.
        so: String,
    },
    /// A remedy was given up, and why.
    Abandoned {
        /// Of which case.
        case: CaseId,
        /// What.
        remedy: crate::remedy::Remedy,
        /// Why.
        because: String,
    },
    /// An operator asked for something.
    OperatorAsked {
        /// Who.
        who: String,
        /// Why.
        why: String,
        /// What, in words.
        what: String,
        /// Until when it holds, where it ends by itself.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        until: Option<Timestamp>,
        /// What muster answered.
        answer: crate::operator::Answered,
    },
    /// A page was made for a receiver.
    Paged {
        /// Its number.
        page: crate::notice::page::PageId,
        /// For whom.
        receiver: String,
        /// What it is to those before it.
        page_kind: crate::notice::page::PageKind,
        /// The incident.
        key: String,
        /// Its title.
        title: String,
        /// How many hosts it is about.
        hosts: u32,
    },
    /// A page was given up.
    PageLost {
        /// Its number.
        page: crate::notice::page::PageId,
        /// For whom.
        receiver: String,
        /// Why.
        because: String,
    },
    /// An alert that nobody was told of, and why: silenced, inhibited, nobody's route.
    NotTold {
        /// Of which case.
        case: CaseId,
        /// Why.
        because: String,
    },
    /// This muster has come to be in charge of acting, or has ceased to be.
    Led {
        /// In charge.
        leading: bool,
    },
    /// Versions skipped on an ARN; it will be looked up.
    GapNoted {
        /// Container instance or task ARN.
        arn: String,
        /// Version held before.
        held: i64,
        /// Version that came.
        came: i64,
    },
}

/// A kind of trouble. A host has at most one open case of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// The agent does not answer: ends as agent lost, host down, ghost or external offline.
    AgentAway,
    /// The agent answers, too often anew.
    Flapping,
    /// The container runtime is impaired.
    Runtime,
    /// EC2 status checks fail while the agent answers.
    HostImpaired,
    /// In the group, not in the cluster.
    NeverRegistered,
    /// REGISTRATION_FAILED.
    RegistrationFailed,
    /// Draining for too long.
    DrainStuck,
    /// Too many at once.
    Doubt,
    /// Less room than declared.
    NoRoom,
    /// More room than declared, for long: an empty host may go.
    MuchRoom,
}

impl Trouble {
    /// The kebab-case word.
    pub fn word(self) -> &'static str {
        match self {
            Self::AgentAway => "agent-away",
            Self::Flapping => "flapping",
            Self::Runtime => "runtime",
            Self::HostImpaired => "host-impaired",
            Self::NeverRegistered => "never-registered",
            Self::RegistrationFailed => "registration-failed",
            Self::DrainStuck => "drain-stuck",
            Self::Doubt => "doubt",
            Self::NoRoom => "no-room",
            Self::MuchRoom => "much-room",
        }
    }
}

/// Where a case stands. One transition table rules the moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Waiting out the grace.
    Suspected,
    /// The grace is over; a fresh look was asked for.
    Confirming,
    /// A fresh look agreed; waiting for the deadline of action.
    Confirmed,
    /// The deadline was met and a decision is on the record.
    Decided,
    /// A remedy is being performed.
    Acting,
    /// A remedy was performed; the trouble should be over by the deadline.
    Verifying,
    /// A wider doubt covers this host: nothing is decided while it lasts.
    Held,
    /// Over.
    Closed,
}

impl Stage {
    /// A decision was made, and acted upon or not: the host is no unexplained loss any more.
    pub fn is_decided(self) -> bool {
        matches!(self, Self::Decided | Self::Acting | Self::Verifying)
    }
}

/// One entry as a reader gets it back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry<'a> {
    /// Number, from 1, without gaps except where `Pruned` says so.
    pub seq: i64,
    /// The core's `now`.
    pub at: Timestamp,
    /// Format version.
    pub version: u32,
    /// What it says.
    #[serde(borrow)]
    pub body: Body<'a>,
}
