//! Naive judges. They know the world's truth and the history (what was recorded, asked, called, sent and shown, as
//! data), the policy as plain data, and nothing of how a belief or a decision came about: each rule is worked out anew,
//! without cleverness.
//!
//! | id | judge |
//! |---|---|
//! | I1 budget | [`i01_budget`] |
//! | I2 blindness | [`i02_blindness`] |
//! | I3 two witnesses | [`i03_two_witnesses`] |
//! | I4 healthy hosts | [`i04_healthy_hosts`] |
//! | I5 journal first | [`i05_journal_first`] |
//! | I6 one effect an intent | [`i06_one_effect`] |
//! | I7 one actor | [`i07_one_actor`] |
//! | I8 drain before terminate | [`i08_drain_first`] |
//! | I9 order and waits | [`i09_order`] |
//! | I10 never-act list | [`i10_never`] |
//! | I11 every outage has a case and a page | [`i11_no_lost_outage`] |
//! | I12 no page twice | [`i12_no_page_twice`] |
//! | I13 one page a storm | [`i13_one_doubt`] |
//! | I14 convergence | [`i14_convergence`] |
//! | I15 capacity | [`i15_capacity`] |
//! | I17 what is stored survives | [`i17_store`] |
//! | I18 own rate | [`i18_own_rate`] |
//! | I19 clock | [`i19_clock`] |
//! | I20 liveness | [`i20_liveness`] |
//! | I21 determinism | [`i21_determinism`] |
//!
//! | to learn | read |
//! |---|---|
//! | what is written down during a run | [`history`], [`recorder`] |
//! | the truth over time | [`truth`] |
//! | the policy as data | [`plain`] |
//! | a second opinion on every decision | [`reference`] |

pub mod history;
pub mod i01_budget;
pub mod i02_blindness;
pub mod i03_two_witnesses;
pub mod i04_healthy_hosts;
pub mod i05_journal_first;
pub mod i06_one_effect;
pub mod i07_one_actor;
pub mod i08_drain_first;
pub mod i09_order;
pub mod i10_never;
pub mod i11_no_lost_outage;
pub mod i12_no_page_twice;
pub mod i13_one_doubt;
pub mod i14_convergence;
pub mod i15_capacity;
pub mod i17_store;
pub mod i18_own_rate;
pub mod i19_clock;
pub mod i20_liveness;
pub mod i21_determinism;
pub mod plain;
pub mod recorder;
pub mod reference;
pub mod truth;

pub use history::{Arrived, Asked, Call, CaseLife, Happened, History, Noted, Seen, Then};
pub use plain::Plain;
pub use recorder::Recorder;
pub use reference::Reference;
pub use truth::TruthLog;

use crate::{clock::Moment, world::World};

/// The invariants that have a judge here.
pub const JUDGED: &[&str] = &[
    "I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10", "I11", "I12", "I13", "I14", "I15", "I17", "I18",
    "I19", "I20", "I21",
];

/// An invariant did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub invariant: &'static str,
    /// When, in the world's time.
    pub at: Moment,
    /// What was seen and what should have been.
    pub what: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}: {}", self.invariant, self.at.iso_secs(), self.what)
    }
}

/// What a judge must know of the conditions of a run.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// When the run, and with it the first sweep, began.
    pub started: Moment,
    /// When the run ended.
    pub ended: Moment,
    /// Time between sweeps.
    pub sweep_every_ms: i64,
    /// Events were lost, late or torn.
    pub events_unreliable: bool,
    /// Calls failed or showed old states.
    pub calls_unreliable: bool,
    /// The observer's clock was set forward or back.
    pub clock_stepped: bool,
    /// By how much it was set forward, all steps together.
    pub clock_ahead_ms: i64,
    /// Reads showed the world as it was up to so long ago.
    pub stale_ms: i64,
    /// How long no muster was there, or could write its journal, at most.
    pub down_ms: i64,
    /// Receivers took pages late or not at all, until the faults ceased.
    pub receivers_unreliable: bool,
    /// Since when nothing new goes wrong; `None`: until the end.
    pub healed: Option<Moment>,
    /// The policy of the run.
    pub policy: Plain,
}

impl Conditions {
    /// How long a wait of so many milliseconds lasts at least. A clock that was set forward is caught up with by a tenth of the
    /// time that passes, and by an observer who has begun anew at once: how long it was away, only the clock can tell it.
    pub fn shortened(&self, history: &History, wait_ms: i64) -> i64 {
        let all_at_once = wait_ms - self.clock_ahead_ms.max(0);
        if history.crashes.is_empty() { all_at_once.max(wait_ms * 10 / 11) } else { all_at_once.max(0) }
    }

    /// Whether the times of pages can be held against muster.
    pub fn pages_judged(&self) -> bool {
        !self.clock_stepped && (!self.receivers_unreliable || self.healed.is_some())
    }
}

/// Everything that can be judged from a finished run, apart from convergence (which wants a view) and determinism (which
/// wants a second run).
pub fn judge(world: &World, history: &History, conditions: &Conditions) -> Vec<Violation> {
    let truth = TruthLog::of(world);
    let mut found = i01_budget::judge(world, history, conditions);
    found.extend(i02_blindness::judge(world, &truth, history, conditions));
    found.extend(i03_two_witnesses::judge(world, history, conditions));
    found.extend(i04_healthy_hosts::judge(world, &truth, history, conditions));
    found.extend(i05_journal_first::judge(history));
    found.extend(i06_one_effect::judge(history));
    found.extend(i07_one_actor::judge(history));
    found.extend(i08_drain_first::judge(history, conditions));
    found.extend(i09_order::judge(&truth, history, conditions));
    found.extend(i10_never::judge(history, conditions));
    found.extend(i11_no_lost_outage::judge(world, &truth, history, conditions));
    found.extend(i12_no_page_twice::judge(history, conditions));
    found.extend(i13_one_doubt::judge(history, conditions));
    found.extend(i15_capacity::judge(world));
    found.extend(i15_capacity::judge_keeping(history, conditions));
    found.extend(i17_store::judge(history));
    found.extend(i18_own_rate::judge(history, conditions));
    found.extend(i19_clock::judge(history));
    found.extend(i20_liveness::judge(world, &truth, history, conditions));
    found.sort_by_key(|violation| violation.at);
    found
}
