//! Open troubles. One transition table says every move a case can make; everything else here keeps the books.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::{
    cohort::CohortKey,
    effect::{Effect, Notice, Severity},
    host::Millis,
    id::CaseId,
    journal::{Record, Stage, Trouble},
    keeping::PoolKey,
    remedy::{Decision, Remedy},
    repair::{Work, plan::Repair},
    slab::Slot,
    state::{Fleet, stamp},
    timer::{Timer, slotted},
    verdict::{Confidence, Verdict},
    view::{CaseView, TriedView, UnderWayView},
};

/// No case.
pub const NO_CASE: Slot = Slot::MAX;

/// Closed cases kept for people, besides the journal, which keeps all.
const CLOSED_KEPT: usize = 1000;

/// Something that happens to a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The grace is over.
    GraceOver,
    /// A fresh look agrees that the trouble holds.
    LookAgrees,
    /// The deadline of action was met and a decision is on the record.
    DecisionMade,
    /// A doubt covers the host.
    Doubted,
    /// The doubt is over and the trouble is not.
    DoubtLifted,
    /// The trouble has become another one than was decided upon.
    Changed,
    /// A remedy begins.
    Begun,
    /// All steps of a remedy are done; the trouble should be over by the deadline.
    Performed,
    /// A remedy did not help, or only prepares the next one.
    Climbed,
    /// A remedy was stopped on its way for a reason that may pass.
    Halted,
    /// The trouble is over.
    Over,
}

/// The transition table: every move a case can make. `None`: the signal means nothing at this stage.
pub fn next(stage: Stage, signal: Signal) -> Option<Stage> {
    use {Signal as S, Stage as G};
    match (stage, signal) {
        (G::Closed, _) => None,
        (_, S::Over) => Some(G::Closed),
        (G::Suspected, S::GraceOver) => Some(G::Confirming),
        (G::Confirming, S::LookAgrees) => Some(G::Confirmed),
        (G::Confirmed, S::DecisionMade) => Some(G::Decided),
        (G::Suspected | G::Confirming | G::Confirmed, S::Doubted) => Some(G::Held),
        (G::Held, S::DoubtLifted) => Some(G::Suspected),
        (G::Decided, S::Changed) => Some(G::Confirmed),
        (G::Decided, S::Begun) => Some(G::Acting),
        (G::Acting, S::Performed) => Some(G::Verifying),
        (G::Acting | G::Verifying, S::Climbed) => Some(G::Confirmed),
        (G::Acting, S::Halted) => Some(G::Decided),
        _ => None,
    }
}

/// Whom a case is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subject {
    /// A host.
    Host(Slot),
    /// A machine that is no host.
    Machine(Slot),
    /// Hosts that share something.
    Cohort(CohortKey),
    /// A declared headroom, with the group that keeps it.
    Pool(PoolKey),
}

/// One open case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Case {
    /// Its number.
    pub id: CaseId,
    /// What kind.
    pub trouble: Trouble,
    /// About whom.
    pub subject: Subject,
    /// Next open case of the same subject, or [`NO_CASE`].
    pub next_of_subject: Slot,
    /// Where it stands.
    pub stage: Stage,
    /// When the trouble began, as far as is known.
    pub since: Millis,
    /// When the case was opened.
    pub opened_at: Millis,
    /// From when the waits count, by our own clock: the opening, or the end of a doubt.
    pub waits_from: Millis,
    /// The deadline under way, or 0.
    pub until: Millis,
    /// When a look was last asked for on its behalf, or 0.
    pub asked_at: Millis,
    /// When a look last agreed, or 0.
    pub agreed_at: Millis,
    /// How many looks in a row have agreed.
    pub looks: u32,
    /// What was last decided.
    pub decision: Option<Decision>,
    /// The verdict of the last decision.
    pub decided_verdict: Option<Verdict>,
    /// The doubt that holds it.
    pub held_by: Option<CaseId>,
    /// Has been told to people.
    pub told: bool,
    /// What has been done about it, if anything.
    pub work: Option<Box<Work>>,
}

/// What stands for the work on a case about which nothing was done.
static NOTHING: Work = Work::NOTHING;

impl Case {
    /// What has been done about it.
    pub fn work(&self) -> &Work {
        self.work.as_deref().unwrap_or(&NOTHING)
    }

    /// What has been done about it, to add to it.
    pub(crate) fn work_mut(&mut self) -> &mut Work {
        self.work.get_or_insert_default()
    }

    /// The remedy under way.
    pub fn repair(&self) -> Option<&Repair> {
        self.work.as_deref()?.repair.as_ref()
    }

    /// The remedy under way, to move it on.
    pub(crate) fn repair_mut(&mut self) -> Option<&mut Repair> {
        self.work.as_deref_mut()?.repair.as_mut()
    }
}

/// How a case begins.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    /// What kind.
    pub trouble: Trouble,
    /// About whom.
    pub subject: Subject,
    /// When the trouble began.
    pub since: Millis,
    /// Where it stands from the beginning.
    pub stage: Stage,
    /// Its first deadline, or 0.
    pub until: Millis,
    /// Sentences.
    pub reasons: Vec<String>,
}

/// All cases: the open ones in slots, and the latest closed ones.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Cases {
    open: Vec<Option<Case>>,
    free: Vec<Slot>,
    doubts: Vec<Slot>,
    next_id: u32,
    closed: VecDeque<CaseView>,
    /// Cases of absence that ended within the grace: the routine reconnects.
    pub(crate) routine: u64,
}

impl Cases {
    /// An open case.
    pub fn get(&self, slot: Slot) -> Option<&Case> {
        self.open.get(slot as usize)?.as_ref()
    }

    /// An open case, to change it.
    pub(crate) fn get_mut(&mut self, slot: Slot) -> Option<&mut Case> {
        self.open.get_mut(slot as usize)?.as_mut()
    }

    /// The open cases in the order of their slots.
    pub fn iter(&self) -> impl Iterator<Item = (Slot, &Case)> {
        self.open.iter().enumerate().filter_map(|(slot, case)| case.as_ref().map(|case| (slot as Slot, case)))
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.open.len() - self.free.len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The latest closed ones, oldest first; routine reconnects are not among them.
    pub fn closed(&self) -> impl Iterator<Item = &CaseView> {
        self.closed.iter()
    }

    /// How many cases were ever opened.
    pub fn opened(&self) -> u32 {
        self.next_id
    }

    /// The open doubts, in the order of their opening.
    pub fn doubts(&self) -> impl Iterator<Item = (Slot, CaseId, CohortKey)> {
        self.doubts.iter().filter_map(|&slot| match self.get(slot)?.subject {
            Subject::Cohort(key) => Some((slot, self.get(slot)?.id, key)),
            _ => None,
        })
    }

    fn insert(&mut self, case: Case) -> Slot {
        let doubt = case.trouble == Trouble::Doubt;
        let slot = match self.free.pop() {
            Some(slot) => {
                self.open[slot as usize] = Some(case);
                slot
            }
            None => {
                self.open.push(Some(case));
                (self.open.len() - 1) as Slot
            }
        };
        if doubt {
            self.doubts.push(slot);
        }
        slot
    }

    fn remove(&mut self, slot: Slot) -> Option<Case> {
        let case = self.open.get_mut(slot as usize)?.take()?;
        self.free.push(slot);
        if case.trouble == Trouble::Doubt {
            self.doubts.retain(|&doubt| doubt != slot);
        }
        Some(case)
    }
}

impl Fleet {
    /// The open cases about a subject, newest first.
    pub(crate) fn cases_from(&self, first: Slot) -> Vec<Slot> {
        let mut slots = Vec::new();
        let mut at = first;
        while let Some(case) = self.cases.get(at) {
            slots.push(at);
            at = case.next_of_subject;
        }
        slots
    }

    /// The open case of a kind in a subject's list.
    pub(crate) fn case_of_kind(&self, first: Slot, trouble: Trouble) -> Option<Slot> {
        let mut at = first;
        while let Some(case) = self.cases.get(at) {
            if case.trouble == trouble {
                return Some(at);
            }
            at = case.next_of_subject;
        }
        None
    }

    fn first_case_mut(&mut self, subject: Subject) -> Option<&mut Slot> {
        match subject {
            Subject::Host(slot) => self.hosts.get_mut(slot).map(|host| &mut host.first_case),
            Subject::Machine(slot) => self.machines.get_mut(slot).map(|machine| &mut machine.first_case),
            Subject::Pool(key) => self.keeping.pools.get_mut(&key).map(|kept| &mut kept.first_case),
            Subject::Cohort(_) => None,
        }
    }

    /// A host in trouble is no room to rely on: what it has is counted apart.
    fn touch_subject(&mut self, subject: Subject) {
        match subject {
            Subject::Host(slot) => self.touch(slot),
            Subject::Machine(slot) => self.touch_machine(slot),
            Subject::Cohort(_) | Subject::Pool(_) => {}
        }
    }

    /// Opens a case.
    pub(crate) fn open_case(
        &mut self,
        Opening { trouble, subject, since, stage, until, reasons }: Opening,
        effects: &mut Vec<Effect>,
    ) -> Slot {
        self.cases.next_id += 1;
        let id = CaseId(self.cases.next_id);
        self.touch_subject(subject);
        let next_of_subject = match self.first_case_mut(subject) {
            Some(first) => *first,
            None => NO_CASE,
        };
        let slot = self.cases.insert(Case {
            id,
            trouble,
            subject,
            next_of_subject,
            stage,
            since,
            opened_at: self.now,
            waits_from: self.now,
            until: 0,
            asked_at: 0,
            agreed_at: 0,
            looks: 0,
            decision: None,
            decided_verdict: None,
            held_by: None,
            told: false,
            work: None,
        });
        if let Some(first) = self.first_case_mut(subject) {
            *first = slot;
        }
        self.set_deadline(slot, until);
        let (text, cluster, machine) = self.subject_texts(subject);
        effects.push(Effect::Record(Record::CaseOpened {
            case: id,
            trouble,
            subject: text,
            cluster,
            machine,
            reasons,
        }));
        slot
    }

    /// Moves the deadline of a case; 0 takes it away.
    pub(crate) fn set_deadline(&mut self, slot: Slot, until: Millis) {
        let until = if until == 0 { 0 } else { slotted(until, self.policy.grace_secs) };
        let Some(case) = self.cases.get_mut(slot) else { return };
        let before = std::mem::replace(&mut case.until, until);
        if before != 0 {
            self.timers.clear(before, Timer::Case(slot));
        }
        if until != 0 {
            self.timers.set(until, Timer::Case(slot));
        }
    }

    /// Gives a case a signal; moves it, and records the move, if the table knows one.
    pub(crate) fn signal(&mut self, slot: Slot, signal: Signal, effects: &mut Vec<Effect>) -> bool {
        let Some(case) = self.cases.get_mut(slot) else { return false };
        let Some(to) = next(case.stage, signal) else { return false };
        let from = std::mem::replace(&mut case.stage, to);
        let (id, subject) = (case.id, case.subject);
        let judgement = self.judge_subject(subject, Some(slot), self.now);
        effects.push(Effect::Record(Record::CaseMoved {
            case: id,
            from,
            to,
            verdict: judgement.verdict,
            confidence: judgement.confidence,
            reasons: judgement.reasons,
        }));
        true
    }

    /// Closes a case.
    pub(crate) fn close_case(&mut self, slot: Slot, reason: &str, effects: &mut Vec<Effect>) {
        if self.cases.get(slot).is_some_and(|case| case.work.is_some()) {
            self.repair_is_over(slot, effects);
        }
        let Some(case) = self.cases.get(slot) else { return };
        let ended = case.repair().filter(|repair| repair.ended).map(|repair| repair.remedy);
        let reason = &match ended {
            Some(Remedy::ScaleIn) => format!("the machine was ended, and its group is smaller by it: {reason}"),
            Some(_) => format!("the machine was replaced: {reason}"),
            None => reason.to_owned(),
        };
        // Most cases are routine reconnects: of those, people are shown the number alone.
        let routine = case.trouble == Trouble::AgentAway && case.stage == Stage::Suspected;
        let view = if routine { None } else { self.case_view(slot, self.now) };
        self.set_deadline(slot, 0);
        let Some(case) = self.cases.get(slot) else { return };
        let (id, subject, next, since) = (case.id, case.subject, case.next_of_subject, case.since);
        let (told, doubt) = (case.told, case.trouble == Trouble::Doubt);
        self.touch_subject(subject);
        if let Some(first) = self.first_case_mut(subject) {
            if *first == slot {
                *first = next;
            } else {
                let mut at = *first;
                while let Some(other) = self.cases.get_mut(at) {
                    if other.next_of_subject == slot {
                        other.next_of_subject = next;
                        break;
                    }
                    at = other.next_of_subject;
                }
            }
        }
        self.cases.remove(slot);
        let lasted_secs = (self.now - since).max(0) / 1000;
        effects.push(Effect::Record(Record::CaseClosed { case: id, reason: reason.to_owned(), lasted_secs }));
        self.cases.routine += u64::from(routine);
        if let Some(mut view) = view {
            view.stage = Stage::Closed;
            view.until = None;
            view.reasons.push(reason.to_owned());
            if self.cases.closed.len() == CLOSED_KEPT {
                self.cases.closed.pop_front();
            }
            self.cases.closed.push_back(view);
        }
        if doubt {
            // What it covered and still lasts is told now.
            self.wake_groups();
        }
        if told {
            self.alert_over(id, reason);
            let (subject, ..) = self.subject_texts(subject);
            let text = format!("{subject}: over after {}: {reason}", duration_words(lasted_secs));
            effects.push(Effect::Notify(Notice { case: id, severity: Severity::Info, text }));
        }
    }

    /// Closes all cases of a host that is about to be forgotten.
    pub(crate) fn close_cases_of_host(&mut self, slot: Slot, why: &str, effects: &mut Vec<Effect>) {
        let first = self.hosts.get(slot).map_or(NO_CASE, |host| host.first_case);
        for case in self.cases_from(first) {
            self.close_case(case, why, effects);
        }
    }

    /// Closes all cases of a machine that is about to be forgotten.
    pub(crate) fn close_cases_of_machine(&mut self, slot: Slot, why: &str, effects: &mut Vec<Effect>) {
        let first = self.machines.get(slot).map_or(NO_CASE, |machine| machine.first_case);
        for case in self.cases_from(first) {
            self.close_case(case, why, effects);
        }
    }

    /// Subject, cluster ARN and machine id of a case, as text.
    pub(crate) fn subject_texts(&self, subject: Subject) -> (String, String, Option<String>) {
        match subject {
            Subject::Host(slot) => match self.hosts.get(slot) {
                Some(host) => (
                    host.key.text(&self.names),
                    self.names.text(host.cluster).to_owned(),
                    self.machine_of(host).map(|machine| machine.key.text(&self.names)),
                ),
                None => Default::default(),
            },
            Subject::Machine(slot) => match self.machines.get(slot) {
                Some(machine) => {
                    let id = machine.key.text(&self.names);
                    let cluster = self.cluster_of_machine(machine);
                    (id.clone(), self.names.owned(cluster).unwrap_or_default(), Some(id))
                }
                None => Default::default(),
            },
            Subject::Cohort((shared, value)) => {
                let cluster = match shared {
                    crate::cohort::Trait::Cluster => self.names.text(value).to_owned(),
                    _ => String::new(),
                };
                (format!("{} {}", shared.word(), self.short(value)), cluster, None)
            }
            Subject::Pool(key) => (self.pool_text(key), self.names.text(key.cluster).to_owned(), None),
        }
    }

    /// The last segment of an ARN, or the text itself.
    pub(crate) fn short(&self, name: crate::names::Name) -> &str {
        let text = self.names.text(name);
        if text.starts_with("arn:") { text.rsplit('/').next().unwrap_or(text) } else { text }
    }

    /// One open case as people see it.
    pub(crate) fn case_view(&self, slot: Slot, now: Millis) -> Option<CaseView> {
        let case = self.cases.get(slot)?;
        let (subject, cluster, ec2_instance_id) = self.subject_texts(case.subject);
        let judgement = self.judge_subject(case.subject, Some(slot), now);
        let zombie_tasks = match case.subject {
            Subject::Host(host) if case.trouble == Trouble::AgentAway => self.zombies(host),
            _ => Vec::new(),
        };
        let hosts = match case.subject {
            Subject::Cohort(key) => self.cohorts.tally(key).missing,
            _ => 1,
        };
        Some(CaseView {
            case: case.id,
            trouble: case.trouble,
            subject,
            cluster,
            ec2_instance_id,
            stage: case.stage,
            since: stamp(case.since),
            opened_at: stamp(case.opened_at),
            until: (case.until != 0).then(|| stamp(case.until)),
            verdict: judgement.verdict,
            confidence: judgement.confidence,
            reasons: judgement.reasons,
            decision: case.decision.clone(),
            zombie_tasks,
            held_by: case.held_by,
            hosts,
            under_way: case.repair().map(|repair| {
                let step = repair.step().map_or("verifying".to_owned(), |step| format!("{step:?}").to_lowercase());
                UnderWayView { remedy: repair.remedy, since: stamp(repair.began_at), step }
            }),
            tried: case
                .work()
                .tried
                .iter()
                .map(|tried| TriedView { at: stamp(tried.at), remedy: tried.remedy, ended: tried.ended.clone() })
                .collect(),
        })
    }
}

/// How sure a doubt is: as sure as counting can be.
pub(crate) const DOUBT_CONFIDENCE: Confidence = Confidence::Medium;

/// `45 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`.
pub fn duration_words(secs: i64) -> String {
    let secs = secs.max(0);
    match secs {
        0..60 => format!("{secs} s"),
        60..3600 if secs % 60 == 0 => format!("{} min", secs / 60),
        60..3600 => format!("{} min {} s", secs / 60, secs % 60),
        3600..86_400 => format!("{} h {} min", secs / 3600, secs % 3600 / 60),
        _ => format!("{} d {} h", secs / 86_400, secs % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGES: [Stage; 8] = [
        Stage::Suspected,
        Stage::Confirming,
        Stage::Confirmed,
        Stage::Decided,
        Stage::Held,
        Stage::Acting,
        Stage::Verifying,
        Stage::Closed,
    ];
    const SIGNALS: [Signal; 11] = [
        Signal::GraceOver,
        Signal::LookAgrees,
        Signal::DecisionMade,
        Signal::Doubted,
        Signal::DoubtLifted,
        Signal::Changed,
        Signal::Begun,
        Signal::Performed,
        Signal::Climbed,
        Signal::Halted,
        Signal::Over,
    ];

    #[test]
    fn a_decision_is_only_reached_through_a_fresh_look_that_agreed() {
        for stage in STAGES {
            for signal in SIGNALS {
                if next(stage, signal) == Some(Stage::Decided) && signal != Signal::Halted {
                    assert_eq!((stage, signal), (Stage::Confirmed, Signal::DecisionMade));
                }
                if next(stage, signal) == Some(Stage::Confirmed) {
                    assert!(matches!(signal, Signal::LookAgrees | Signal::Changed | Signal::Climbed));
                }
            }
        }
    }

    #[test]
    fn a_remedy_begins_only_from_a_decision_and_the_next_one_only_after_a_new_decision() {
        for stage in STAGES {
            for signal in SIGNALS {
                if next(stage, signal) == Some(Stage::Acting) {
                    assert_eq!((stage, signal), (Stage::Decided, Signal::Begun));
                }
                if next(stage, signal) == Some(Stage::Verifying) {
                    assert_eq!((stage, signal), (Stage::Acting, Signal::Performed));
                }
            }
        }
        assert_eq!(next(Stage::Acting, Signal::Begun), None);
        assert_eq!(next(Stage::Verifying, Signal::DecisionMade), None);
    }

    #[test]
    fn nothing_leaves_the_grave_and_everything_can_be_over() {
        for signal in SIGNALS {
            assert_eq!(next(Stage::Closed, signal), None);
        }
        for stage in &STAGES[..7] {
            assert_eq!(next(*stage, Signal::Over), Some(Stage::Closed));
        }
    }

    #[test]
    fn a_held_case_starts_over_when_the_doubt_is_lifted() {
        assert_eq!(next(Stage::Held, Signal::GraceOver), None);
        assert_eq!(next(Stage::Held, Signal::DecisionMade), None);
        assert_eq!(next(Stage::Held, Signal::DoubtLifted), Some(Stage::Suspected));
    }

    #[test]
    fn durations_read_as_people_say_them() {
        assert_eq!(duration_words(45), "45 s");
        assert_eq!(duration_words(185), "3 min 5 s");
        assert_eq!(duration_words(7800), "2 h 10 min");
        assert_eq!(duration_words(-5), "0 s");
    }
}
