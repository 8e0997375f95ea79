//! The ladder at work: what is chosen, what forbids it, how it is carried out step by step, and what is learned from it.
//!
//! | to learn | read |
//! |---|---|
//! | which rung of the ladder fits, and why not the others | [`choice`] |
//! | what forbids it now: protection, kill switch, window, budget | [`restraint`], [`budgets`] |
//! | cohorts in which a remedy does not help | [`trial`] |
//! | the steps of each remedy | [`plan`] |
//! | how a step begins, ends, is undone | [`carry_out`], [`outcome`], [`undo`] |
//! | replacements that have not arrived yet | [`arrival`] |
//! | what operators may ask for | [`operator`] |
//! | what is kept of all that | here |

pub mod arrival;
pub mod budgets;
pub mod carry_out;
pub mod choice;
pub mod operator;
pub mod outcome;
pub mod plan;
pub mod restraint;
pub mod trial;
pub mod undo;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::{
    charge::Leadership,
    host::Millis,
    id::CaseId,
    key::Key,
    names::Name,
    remedy::{
        Remedy,
        act::{Intent, IntentId},
    },
    slab::Slot,
};
use arrival::Arrival;
use plan::Repair;
use restraint::Stop;
use trial::Trials;

/// Everything that is kept about remedies besides the cases themselves.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Repairs {
    /// The number of the latest intent.
    pub(crate) last_intent: u64,
    /// Intents whose outcome is not known yet.
    pub(crate) open: BTreeMap<IntentId, Open>,
    /// Open cases with a remedy under way.
    pub(crate) active: BTreeSet<Slot>,
    /// Disturbances that began within the last hour, oldest first.
    pub(crate) begun: VecDeque<Begun>,
    /// Machines that were ended and whose replacements have not registered yet.
    pub(crate) arrivals: Vec<Arrival>,
    /// Machines that were taken for one of those, latest last.
    pub(crate) arrived: VecDeque<Slot>,
    /// How remedies ended lately, oldest first.
    pub(crate) trials: Trials,
    /// Restarts of the last day by machine or host: nobody is restarted for ever.
    pub(crate) restarts: VecDeque<(Millis, Key)>,
    /// Undoing that failed and is tried again.
    pub(crate) undoing: Vec<undo::Undoing>,
    /// The kill switch, by cluster name; the empty name stands for everything.
    pub(crate) pauses: BTreeMap<String, Stop>,
    /// What operators have protected, by what they called it.
    pub(crate) protections: BTreeMap<String, Stop>,
    /// Who is in charge of acting, and since when.
    pub(crate) leadership: Leadership,
}

/// An intent whose outcome is not known yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Open {
    pub(crate) intent: Intent,
    /// The case's slot, to be believed only if the case there still has the intent's number.
    pub(crate) slot: Slot,
    /// The machine that its group will launch when this ends one.
    pub(crate) replacement: Option<Replacement>,
}

/// A machine that a group will launch if a call under way ends another.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Replacement {
    pub(crate) arrival: Arrival,
    /// It is waited for already: the case was over before the call had an outcome.
    pub(crate) awaited: bool,
}

/// A disturbance that began.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Begun {
    /// When the host was last laid hands on; until then, when its remedy began.
    pub(crate) at: Millis,
    pub(crate) case: CaseId,
    pub(crate) place: Locality,
}

/// Where a host or machine stands, as far as budgets care.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Locality {
    pub(crate) cluster: Option<Name>,
    pub(crate) zone: Option<Name>,
    pub(crate) group: Option<Name>,
}

/// What has been done about one case. Most cases end before anything is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Work {
    /// The rung of the ladder to be tried next.
    pub rung: u8,
    /// The remedy under way.
    pub repair: Option<Repair>,
    /// What was tried, oldest first.
    pub tried: Vec<Tried>,
    /// When the host itself last said, after a remedy, that the trouble is still there; or 0.
    pub unhealed_at: Millis,
    /// A person has approved this remedy, until then.
    pub approved: Option<(Remedy, Millis)>,
    /// A person has said never.
    pub vetoed: Option<String>,
    /// A person wants it left alone until then, or 0.
    pub held_until: Millis,
    /// The last decision waits for something that will pass: a budget, a window, the kill switch.
    pub waits: bool,
    /// How often the target was not as expected just before the call.
    pub unfit: u8,
    /// How often the ladder was climbed to its end.
    pub climbs: u8,
    /// A drain of an earlier rung is done, and its host is still to be given back.
    pub drained: bool,
    /// Remedies that can never work here, and why.
    pub ruled_out: Vec<(Remedy, String)>,
}

impl Work {
    /// Nothing was done yet.
    pub const NOTHING: Self = Self {
        rung: 0,
        repair: None,
        tried: Vec::new(),
        unhealed_at: 0,
        approved: None,
        vetoed: None,
        held_until: 0,
        waits: false,
        unfit: 0,
        climbs: 0,
        drained: false,
        ruled_out: Vec::new(),
    };
}

/// One remedy that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// When it began.
    pub at: Millis,
    /// What.
    pub remedy: Remedy,
    /// How it ended.
    pub ended: String,
}
