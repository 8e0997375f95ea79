//! Undoing what a remedy had prepared when it goes no further: a drained host takes tasks again, a raised group gets its
//! capacity back. What cannot be undone at once is tried again, and then a person is told.

use serde::{Deserialize, Serialize};

use crate::{
    case::duration_words,
    effect::Effect,
    host::Millis,
    id::CaseId,
    journal::Record,
    remedy::{
        Remedy,
        act::{Act, Expects, Intent, Target},
    },
    slab::Slot,
    state::Fleet,
    timer::Timer,
};

/// Tries before a person is told.
const MOST_TRIES: u8 = 6;
/// The pause after the first failed try; it doubles.
const FIRST_PAUSE_MS: Millis = 15_000;
/// How long one call may take.
const LIMIT_SECS: u32 = 60;

/// Something that is still to be undone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Undoing {
    pub(crate) case: CaseId,
    pub(crate) act: Act,
    pub(crate) remedy: Remedy,
    pub(crate) target: Target,
    pub(crate) tries: u8,
    /// When it is tried again; 0 while a try is under way.
    pub(crate) again_at: Millis,
}

impl Fleet {
    /// Undoes what the remedy of a case has prepared, unless the machine's end was asked for already.
    pub(crate) fn undo(&mut self, slot: Slot, effects: &mut Vec<Effect>) {
        let Some(case) = self.cases.get_mut(slot) else { return };
        let (id, subject) = (case.id, case.subject);
        let Some(repair) = case.repair_mut().filter(|repair| !repair.ended) else { return };
        let (drained, raised, remedy) = (std::mem::take(&mut repair.drained), repair.raised.take(), repair.remedy);
        let target = self.target(subject);
        if drained {
            self.undo_act(id, Act::Undrain, remedy, target.clone(), effects);
        }
        if let Some((from, to)) = raised {
            self.undo_act(id, Act::SetDesired { from: to, to: from }, remedy, target, effects);
        }
    }

    /// Undoes one act.
    pub(crate) fn undo_act(
        &mut self,
        case: CaseId,
        act: Act,
        remedy: Remedy,
        target: Target,
        effects: &mut Vec<Effect>,
    ) {
        let undoing = Undoing { case, act, remedy, target, tries: 0, again_at: 0 };
        self.try_undoing(undoing, effects);
    }

    fn try_undoing(&mut self, mut undoing: Undoing, effects: &mut Vec<Effect>) {
        undoing.tries = undoing.tries.saturating_add(1);
        undoing.again_at = 0;
        let intent = self.new_intent(
            undoing.case,
            undoing.remedy,
            undoing.act.clone(),
            undoing.target.clone(),
            Expects::default(),
            LIMIT_SECS,
        );
        self.repairs.undoing.push(undoing);
        self.hand_out(intent, Slot::MAX, effects);
    }

    /// The outcome of an undoing. Returns what follows from it, in words; `None` when the intent is no undoing.
    pub(crate) fn undone(
        &mut self,
        intent: &Intent,
        worked: bool,
        says: &str,
        effects: &mut Vec<Effect>,
    ) -> Option<String> {
        let at = self.repairs.undoing.iter().position(|it| {
            it.again_at == 0 && it.case == intent.case && it.act == intent.act && it.target == intent.target
        })?;
        let mut undoing = self.repairs.undoing.remove(at);
        if worked {
            return Some("it is as it was".to_owned());
        }
        if undoing.tries < MOST_TRIES {
            let pause_ms = FIRST_PAUSE_MS << (undoing.tries - 1);
            undoing.again_at = self.now + pause_ms;
            self.timers.set(undoing.again_at, Timer::Undoing);
            self.repairs.undoing.push(undoing);
            return Some(format!("tried again in {}", duration_words(pause_ms / 1000)));
        }
        let whom = intent.target.host.as_deref().or(intent.target.group.as_deref()).unwrap_or_default();
        let text = format!(
            "{whom} could not be put back ({}) after {MOST_TRIES} tries: {says}; please do it by hand",
            intent.act.word()
        );
        effects.push(Effect::Record(Record::Abandoned {
            case: intent.case,
            remedy: intent.remedy,
            because: text.clone(),
        }));
        let cluster = intent.target.cluster.clone();
        self.shout(intent.case, whom, &cluster, text, effects);
        Some("given up; a person is told".to_owned())
    }

    /// Tries again what is due.
    pub(crate) fn meet_undoing(&mut self, effects: &mut Vec<Effect>) {
        let now = self.now;
        let (due, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut self.repairs.undoing)
            .into_iter()
            .partition(|it| it.again_at != 0 && it.again_at <= now);
        self.repairs.undoing = waiting;
        for undoing in due {
            self.try_undoing(undoing, effects);
        }
    }
}
