//! The steps of each remedy, its cost, its deadline, its success check and its undo, as data.
//!
//! | remedy | steps | success | undo |
//! |---|---|---|---|
//! | restart agent, restart runtime | the command, and its end | the trouble is over by the rung's deadline | none needed |
//! | reboot | evidence, reboot | the same | none |
//! | drain | drain, wait until it is empty | empty by the deadline | back to ACTIVE |
//! | replace | evidence, room, drain, wait, end the machine, wait, deregister | host gone, another one registered | back to ACTIVE, capacity back, until the machine is ended |
//! | deregister, release tasks | (evidence,) deregister | the host is gone from ECS | none |
//! | scale out | set the group's size, or execute its policy | the room is there | none |
//! | scale in | evidence, drain, wait, end the machine and shrink, wait, deregister | host gone | back to ACTIVE, until the machine is ended |
//! | custom | the operator's action | the trouble is over by the deadline | the operator's |

use serde::{Deserialize, Serialize};

use crate::{
    host::Millis,
    remedy::{Remedy, act::IntentId},
};

/// One step of a remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Save what will be lost.
    Evidence,
    /// Ask the group for one machine more, if the policy wants it so.
    MakeRoom,
    /// Wait until that machine has registered.
    AwaitRoom,
    /// Take no new tasks.
    Drain,
    /// Wait until the tasks are gone.
    AwaitDrained,
    /// The one call that the remedy is about.
    Perform,
    /// End the machine.
    End,
    /// Wait until EC2 says that it is gone.
    AwaitGone,
    /// Deregister what is left of it in ECS.
    Bury,
}

/// The steps of a remedy, in order.
pub fn steps(remedy: Remedy) -> &'static [Step] {
    use Step as S;
    match remedy {
        Remedy::RestartAgent | Remedy::RestartRuntime | Remedy::Deregister | Remedy::Custom | Remedy::ScaleOut => {
            &[S::Perform]
        }
        Remedy::Reboot | Remedy::ReleaseTasks => &[S::Evidence, S::Perform],
        Remedy::Drain => &[S::Drain, S::AwaitDrained],
        Remedy::Replace => {
            &[S::Evidence, S::MakeRoom, S::AwaitRoom, S::Drain, S::AwaitDrained, S::End, S::AwaitGone, S::Bury]
        }
        Remedy::ScaleIn => &[S::Evidence, S::Drain, S::AwaitDrained, S::End, S::AwaitGone, S::Bury],
        Remedy::TellSomeone => &[],
    }
}

/// How long a remedy may take, when its rung does not say, until the trouble must be over, in seconds. ACS backs off for
/// up to two minutes (aws-semantics G.4), so a restarted agent needs three.
pub fn deadline_secs(remedy: Remedy) -> u32 {
    match remedy {
        Remedy::RestartAgent => 180,
        Remedy::RestartRuntime | Remedy::Deregister | Remedy::ReleaseTasks | Remedy::Custom => 300,
        Remedy::Reboot => 600,
        Remedy::Drain | Remedy::Replace | Remedy::ScaleOut | Remedy::ScaleIn => 900,
        Remedy::TellSomeone => 0,
    }
}

/// A remedy under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Repair {
    /// What.
    pub remedy: Remedy,
    /// The operator's action, for a custom remedy.
    pub custom: Option<String>,
    /// How long after its last step the trouble must be over; for a drain, how long it may take.
    pub deadline_secs: u32,
    /// When it began.
    pub began_at: Millis,
    /// Which of its steps is under way.
    pub step: u8,
    /// Since when.
    pub step_since: Millis,
    /// The intent whose outcome is awaited.
    pub intent: Option<IntentId>,
    /// How often the step was tried.
    pub attempts: u8,
    /// muster has set the host DRAINING.
    pub drained: bool,
    /// muster has raised the group's capacity, from and to.
    pub raised: Option<(u32, u32)>,
    /// The machine's end was asked for: there is no way back.
    pub ended: bool,
    /// All steps are done.
    pub performed: bool,
}

impl Repair {
    /// The step under way; `None` when all are done.
    pub fn step(&self) -> Option<Step> {
        steps(self.remedy).get(usize::from(self.step)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_machine_is_ended_before_it_was_drained_and_evidence_was_saved() {
        for remedy in Remedy::ALL {
            let steps = steps(remedy);
            let at = |step| steps.iter().position(|it| *it == step);
            if let Some(end) = at(Step::End) {
                assert!(at(Step::Drain).is_some_and(|drain| drain < end));
                assert!(at(Step::AwaitDrained).is_some_and(|wait| wait < end));
                assert!(at(Step::Evidence) == Some(0));
            }
            if remedy.is_destructive() {
                assert_eq!(at(Step::Evidence), Some(0), "{}", remedy.word());
            }
        }
    }

    #[test]
    fn every_remedy_that_does_something_has_a_deadline() {
        for remedy in Remedy::ALL {
            assert_eq!(deadline_secs(remedy) > 0, !steps(remedy).is_empty(), "{}", remedy.word());
        }
    }
}
