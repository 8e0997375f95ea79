//! What came of an intent, and what follows from it.

use super::{Open, Replacement, plan::Step};
use crate::{
    case::duration_words,
    effect::Effect,
    host::Millis,
    journal::Record,
    remedy::{
        Decision, Remedy,
        act::{Act, ActResult, Intent, Outcome},
    },
    slab::Slot,
    state::Fleet,
};

/// Tries of one step.
const MOST_TRIES: u8 = 3;
/// The pause after the first failed try; it doubles.
const FIRST_PAUSE_MS: Millis = 15_000;
/// How often the target may differ from what was expected before the rung is given up.
const MOST_UNFIT: u8 = 3;
/// How long a permission that is missing is waited for before it is tried again.
const DENIED_MS: Millis = 15 * 60_000;

impl Fleet {
    /// Takes an outcome in.
    pub(crate) fn acted(&mut self, outcome: &Outcome<'_>, effects: &mut Vec<Effect>) {
        // An outcome told twice, as after a crash, finds nothing open the second time.
        let Some(open) = self.repairs.open.remove(&outcome.intent) else { return };
        let Open { intent, slot, replacement } = open;
        let result = &outcome.result;
        let at = effects.len();
        let so = self.follow(&intent, slot, replacement, result, effects);
        let ended = Record::Ended {
            case: intent.case,
            intent: intent.id,
            result: result.word().to_owned(),
            says: result.says().to_owned(),
            so,
        };
        // What follows reads better after what it follows from.
        effects.insert(at, Effect::Record(ended));
    }

    fn follow(
        &mut self,
        intent: &Intent,
        slot: Slot,
        replacement: Option<Replacement>,
        result: &ActResult<'_>,
        effects: &mut Vec<Effect>,
    ) -> String {
        let worked = matches!(result, ActResult::Done { .. } | ActResult::Saved { .. } | ActResult::Gone { .. });
        if let Some(so) = self.undone(intent, worked, result.says(), effects) {
            return so;
        }
        if let (Remedy::ScaleOut, Some(key)) = (intent.remedy, self.pool_of_intent(intent)) {
            self.grown(key, result);
        }
        let awaited = self.cases.get(slot).is_some_and(|case| {
            case.id == intent.case && case.repair().is_some_and(|repair| repair.intent == Some(intent.id))
        });
        if !awaited {
            return self.outlived(intent, replacement, result, effects);
        }
        match result {
            ActResult::Done { .. } | ActResult::Saved { .. } => self.step_is_done(slot, intent, effects),
            ActResult::Gone { .. } if intent.act.ends_machine() || intent.act == Act::Deregister => {
                self.step_is_done(slot, intent, effects)
            }
            // Evidence that cannot be had must not keep a host from being mended.
            _ if intent.act == Act::SaveEvidence => self.step_is_done(slot, intent, effects),
            ActResult::Unhealed { says } => {
                let now = self.now;
                if let Some(case) = self.cases.get_mut(slot) {
                    let work = case.work_mut();
                    work.unhealed_at = now;
                    if let Some(repair) = &mut work.repair {
                        repair.performed = true;
                    }
                }
                self.climb(slot, &format!("it ran, and the host says: {says}"), false, effects);
                "the next rung".to_owned()
            }
            ActResult::Unfit { why } => self.unfit(slot, why, effects),
            ActResult::Gone { note } => {
                self.climb(slot, &format!("its target is gone: {note}"), false, effects);
                "decided anew on fresh facts".to_owned()
            }
            ActResult::Impossible { why } => self.impossible(slot, intent, why, effects),
            ActResult::Denied { why } => {
                self.halt(slot, why.to_string(), effects);
                self.set_deadline(slot, self.now + DENIED_MS);
                "nothing is done until that is allowed".to_owned()
            }
            ActResult::Withheld { why } => {
                self.halt(slot, why.to_string(), effects);
                "decided anew later".to_owned()
            }
            ActResult::Failed { why, may_have_happened } => self.failed(slot, intent, why, *may_have_happened, effects),
        }
    }

    fn step_is_done(&mut self, slot: Slot, intent: &Intent, effects: &mut Vec<Effect>) -> String {
        let mut ended = false;
        if let Some(repair) = self.cases.get_mut(slot).and_then(|case| case.repair_mut()) {
            match &intent.act {
                Act::Drain => repair.drained = true,
                // A group that grew for its room is not made smaller again.
                Act::SetDesired { .. } if intent.remedy == Remedy::ScaleOut => {}
                Act::SetDesired { from, to } => repair.raised = Some((*from, *to)),
                act if act.ends_machine() => {
                    ended = true;
                    repair.ended = true;
                }
                _ => {}
            }
        }
        self.next_step(slot);
        let subject = self.cases.get(slot).map(|case| case.subject);
        let raised = self.cases.get(slot).and_then(|case| case.repair()).is_some_and(|repair| repair.raised.is_some());
        if let Some(subject) = subject {
            let makes_room = matches!(intent.act, Act::SetDesired { .. });
            // A group that was raised first has its new machine already, and one that shrinks gets none.
            if !intent.remedy.keeps_room() && (makes_room || (ended && !raised)) {
                self.expect_arrival(subject);
            }
        }
        self.go_on(slot, effects);
        let next = self.cases.get(slot).and_then(|case| case.repair()).and_then(|repair| repair.step());
        match next {
            Some(Step::AwaitDrained) => "its tasks are waited for".to_owned(),
            Some(Step::AwaitGone) => "its end is waited for".to_owned(),
            Some(Step::AwaitRoom) => "the new machine is waited for".to_owned(),
            Some(_) => "the next step".to_owned(),
            None => "now the trouble should be over soon".to_owned(),
        }
    }

    fn unfit(&mut self, slot: Slot, why: &str, effects: &mut Vec<Effect>) -> String {
        let Some(case) = self.cases.get_mut(slot) else { return String::new() };
        let makes_room = case.repair().and_then(|repair| repair.step()) == Some(Step::MakeRoom);
        if makes_room {
            self.next_step(slot);
            self.go_on(slot, effects);
            return "without making room first".to_owned();
        }
        let work = case.work_mut();
        work.unfit = work.unfit.saturating_add(1);
        if work.unfit >= MOST_UNFIT {
            self.climb(slot, &format!("just before the call it was not as expected: {why}"), false, effects);
            return "the next rung".to_owned();
        }
        self.halt(slot, format!("just before the call it was not as expected: {why}"), effects);
        "decided anew on fresh facts".to_owned()
    }

    fn impossible(&mut self, slot: Slot, intent: &Intent, why: &str, effects: &mut Vec<Effect>) -> String {
        if matches!(intent.act, Act::SetDesired { .. }) && intent.remedy != Remedy::ScaleOut {
            self.next_step(slot);
            self.go_on(slot, effects);
            return "without making room first".to_owned();
        }
        // What a group refuses today it may take tomorrow: its pool waits and tries again.
        if intent.remedy != Remedy::ScaleOut
            && let Some(case) = self.cases.get_mut(slot)
        {
            case.work_mut().ruled_out.push((intent.remedy, why.to_owned()));
        }
        self.climb(slot, why, false, effects);
        "the next rung".to_owned()
    }

    fn failed(
        &mut self,
        slot: Slot,
        intent: &Intent,
        why: &str,
        may_have_happened: bool,
        effects: &mut Vec<Effect>,
    ) -> String {
        if may_have_happened {
            match &intent.act {
                // Seen by its effect, and by nothing else: as if it were done.
                Act::RestartAgent | Act::RestartRuntime | Act::Reboot | Act::Custom { .. } => {
                    self.step_is_done(slot, intent, effects);
                    return "it may have happened: the host will show".to_owned();
                }
                act if act.ends_machine() => {
                    self.step_is_done(slot, intent, effects);
                    return "it may have happened: EC2 will show".to_owned();
                }
                Act::SetDesired { .. } | Act::ExecutePolicy { .. } if intent.remedy == Remedy::ScaleOut => {
                    self.step_is_done(slot, intent, effects);
                    return "it may have happened: the group will show".to_owned();
                }
                Act::Drain => {
                    // Undone as well if it goes no further.
                    if let Some(repair) = self.cases.get_mut(slot).and_then(|case| case.repair_mut()) {
                        repair.drained = true;
                    }
                }
                _ => {}
            }
        }
        let attempts = self.cases.get(slot).and_then(|case| case.repair()).map_or(MOST_TRIES, |repair| repair.attempts);
        if attempts >= MOST_TRIES {
            self.climb(slot, why, false, effects);
            return "the next rung".to_owned();
        }
        if let Some(repair) = self.cases.get_mut(slot).and_then(|case| case.repair_mut()) {
            repair.intent = None;
        }
        let pause_ms = FIRST_PAUSE_MS << attempts.saturating_sub(1);
        self.set_deadline(slot, self.now + pause_ms);
        format!("tried again in {}", duration_words(pause_ms / 1000))
    }

    /// The case was closed, or went another way, while the call was under way: what it may have prepared is undone.
    fn outlived(
        &mut self,
        intent: &Intent,
        replacement: Option<Replacement>,
        result: &ActResult<'_>,
        effects: &mut Vec<Effect>,
    ) -> String {
        let may_have_happened = match result {
            ActResult::Done { .. } => true,
            ActResult::Failed { may_have_happened, .. } => *may_have_happened,
            _ => false,
        };
        if let Some(replacement) = replacement {
            // A machine that is gone is replaced whoever ended it.
            let gone = matches!(result, ActResult::Gone { .. });
            self.settle_arrival(replacement, may_have_happened || gone);
        }
        if !may_have_happened {
            return "nothing: the case went another way meanwhile".to_owned();
        }
        let undo = match &intent.act {
            _ if intent.remedy == Remedy::ScaleOut => {
                return "the group has grown, although the case went another way meanwhile".to_owned();
            }
            Act::Drain => Act::Undrain,
            Act::SetDesired { from, to } => Act::SetDesired { from: *to, to: *from },
            _ => return "nothing: the case went another way meanwhile".to_owned(),
        };
        self.undo_act(intent.case, undo, intent.remedy, intent.target.clone(), effects);
        "undone, because the case went another way meanwhile".to_owned()
    }

    /// Whether a decision is to act and nothing else.
    pub(crate) fn acts(decision: &Decision) -> Option<Remedy> {
        match decision {
            Decision::Will { remedy, .. } if *remedy != Remedy::TellSomeone => Some(*remedy),
            _ => None,
        }
    }
}
