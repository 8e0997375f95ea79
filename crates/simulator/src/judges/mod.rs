//! Naive judges. They know the world's truth and the history (what was recorded, asked and shown, as data), and nothing
//! of how a belief or a decision came about: each rule is worked out from the truth anew, without cleverness.
//!
//! | id | judge |
//! |---|---|
//! | I2 blindness | [`i02_blindness`] |
//! | I3 two witnesses | [`i03_two_witnesses`] |
//! | I9 order and waits | [`i09_order`] |
//! | I13 one doubt a storm | [`i13_one_doubt`] |
//! | I4 healthy hosts | [`i04_healthy_hosts`] |
//! | I5 journal first | [`i05_journal_first`] |
//! | I11 every outage has a case | [`i11_no_lost_outage`] |
//! | I14 convergence | [`i14_convergence`] |
//! | I18 own rate | [`i18_own_rate`] |
//! | I19 clock | [`i19_clock`] |
//! | I21 determinism | [`i21_determinism`] |

pub mod history;
pub mod i02_blindness;
pub mod i03_two_witnesses;
pub mod i04_healthy_hosts;
pub mod i05_journal_first;
pub mod i09_order;
pub mod i11_no_lost_outage;
pub mod i13_one_doubt;
pub mod i14_convergence;
pub mod i18_own_rate;
pub mod i19_clock;
pub mod i21_determinism;
pub mod truth;

pub use history::{Asked, CaseLife, History, Noted, Recorder};
pub use truth::TruthLog;

use crate::{clock::Moment, world::World};

/// The invariants that have a judge here.
pub const JUDGED: &[&str] = &["I2", "I3", "I4", "I5", "I9", "I11", "I13", "I14", "I18", "I19", "I21"];

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
#[derive(Clone, Copy, Debug)]
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
}

/// Everything that can be judged from a finished run, apart from convergence (which wants a view) and determinism (which
/// wants a second run).
pub fn judge(world: &World, history: &History, conditions: &Conditions) -> Vec<Violation> {
    let truth = TruthLog::of(world);
    let mut found = i02_blindness::judge(world, &truth, history, conditions);
    found.extend(i03_two_witnesses::judge(world, history, conditions));
    found.extend(i09_order::judge(history, conditions));
    found.extend(i13_one_doubt::judge(history));
    found.extend(i04_healthy_hosts::judge(world, &truth, history));
    found.extend(i05_journal_first::judge(history));
    found.extend(i11_no_lost_outage::judge(world, &truth, history, conditions));
    found.extend(i18_own_rate::judge(history));
    found.extend(i19_clock::judge(history));
    found.sort_by_key(|violation| violation.at);
    found
}
