//! What operators ask for, and what muster answers. Who, why and until when are on the record.

use super::restraint::Stop;
use crate::{
    case::{Signal, duration_words},
    effect::Effect,
    host::Millis,
    id::CaseId,
    journal::{Record, Stage},
    operator::{Answered, Asked, Request},
    remedy::Decision,
    slab::Slot,
    state::{Fleet, stamp},
};

/// How long an approval counts: facts grow old.
const APPROVED_MS: Millis = 15 * 60_000;
/// Nothing an operator says holds longer: a year.
const LONGEST_SECS: u32 = 366 * 86_400;

type Answer = Result<String, String>;

impl Fleet {
    /// Takes a request in.
    pub(crate) fn asked(&mut self, asked: &Asked<'_>, effects: &mut Vec<Effect>) {
        let at = effects.len();
        let (what, until, answer) = self.answer(asked, effects);
        let answer = match answer {
            Ok(note) => Answered::Granted { note },
            Err(why) => Answered::Refused { why },
        };
        let record = Record::OperatorAsked {
            who: asked.who.to_string(),
            why: asked.why.to_string(),
            what,
            until: until.map(stamp),
            answer,
        };
        effects.insert(at, Effect::Record(record));
    }

    fn answer(&mut self, asked: &Asked<'_>, effects: &mut Vec<Effect>) -> (String, Option<Millis>, Answer) {
        let until =
            |fleet: &Self, secs: Option<u32>| secs.map(|secs| fleet.now + i64::from(secs.min(LONGEST_SECS)) * 1000);
        match &asked.request {
            Request::Approve { case } => (format!("approve case {case}"), None, self.approve(*case, effects)),
            Request::Veto { case } => (format!("veto case {case}"), None, self.veto(*case, asked, effects)),
            Request::Hold { case, secs } => {
                let until = until(self, *secs);
                (format!("hold case {case}"), until, self.hold_case(*case, until, effects))
            }
            Request::Retry { case } => (format!("retry case {case}"), None, self.retry(*case, effects)),
            Request::Protect { subject, secs } => {
                let until = until(self, *secs);
                (format!("protect {subject}"), until, self.protect(subject, until, asked))
            }
            Request::Unprotect { subject } => {
                let answer = match self.repairs.protections.remove(subject.as_ref()) {
                    Some(_) => Ok(format!("{subject} is protected by nobody any more")),
                    None => Err(format!("{subject} was not protected by that name")),
                };
                (format!("unprotect {subject}"), None, answer)
            }
            Request::Pause { cluster, secs } => {
                let until = until(self, *secs);
                let key = cluster.as_deref().unwrap_or_default().to_owned();
                let what = if key.is_empty() { "pause everything".to_owned() } else { format!("pause {key}") };
                (what, until, self.pause(key, until, asked))
            }
            Request::Resume { cluster } => {
                let key = cluster.as_deref().unwrap_or_default();
                let what = if key.is_empty() { "resume".to_owned() } else { format!("resume {key}") };
                let answer = match self.repairs.pauses.remove(key) {
                    Some(_) => Ok("remedies may begin again; what waited is decided anew within a minute".to_owned()),
                    None => Err("it was not paused by that name".to_owned()),
                };
                (what, None, answer)
            }
            Request::Silence { clusters, troubles, hosts, secs } => {
                let (what, answer) = self.silence(clusters, troubles, hosts, *secs, asked);
                (what, until(self, Some(*secs)), answer)
            }
            Request::Unsilence { silence } => (format!("end silence {silence}"), None, self.unsilence(*silence)),
        }
    }

    fn open_case_numbered(&self, case: CaseId) -> Result<Slot, String> {
        self.cases
            .iter()
            .find(|(_, open)| open.id == case)
            .map(|(slot, _)| slot)
            .ok_or_else(|| format!("there is no open case {case}; `muster case list` shows those that are"))
    }

    fn approve(&mut self, case: CaseId, effects: &mut Vec<Effect>) -> Answer {
        let slot = self.open_case_numbered(case)?;
        let until = self.now + APPROVED_MS;
        let Some(open) = self.cases.get_mut(slot) else { return Err("the case is over".to_owned()) };
        let remedy = match (&open.decision, open.stage) {
            (Some(Decision::Ask { remedy, .. }), Stage::Decided) => *remedy,
            (Some(Decision::Would { .. }), _) => {
                return Err(format!(
                    "case {case} is in dry run: set mode = \"approve\" or \"act\" for its cluster first"
                ));
            }
            (_, stage) => {
                return Err(format!("case {case} asks for no approval now; it is {}", stage_word(stage)));
            }
        };
        open.work_mut().approved = Some((remedy, until));
        self.decide_anew(slot, effects);
        Ok(format!("muster looks once more, and then will {}, if nothing has changed", remedy.words()))
    }

    fn veto(&mut self, case: CaseId, asked: &Asked<'_>, effects: &mut Vec<Effect>) -> Answer {
        let slot = self.open_case_numbered(case)?;
        let why =
            if asked.why.is_empty() { format!("by {}", asked.who) } else { format!("by {}: {}", asked.who, asked.why) };
        let Some(open) = self.cases.get_mut(slot) else { return Err("the case is over".to_owned()) };
        let ended = open.repair().is_some_and(|repair| repair.ended);
        open.work_mut().vetoed = Some(why.clone());
        self.stop_case(slot, format!("vetoed {why}"), effects);
        if ended {
            return Err(format!(
                "the machine of case {case} is being terminated already; nothing more is done after that"
            ));
        }
        Ok(format!("muster does nothing about case {case}; `muster case retry {case}` lifts that"))
    }

    fn hold_case(&mut self, case: CaseId, until: Option<Millis>, effects: &mut Vec<Effect>) -> Answer {
        let slot = self.open_case_numbered(case)?;
        if let Some(open) = self.cases.get_mut(slot) {
            open.work_mut().held_until = until.unwrap_or(Millis::MAX);
        }
        self.stop_case(slot, "an operator holds this case".to_owned(), effects);
        let how_long = until.map_or("until it is retried".to_owned(), |until| {
            format!("for {}", duration_words((until - self.now) / 1000))
        });
        Ok(format!("muster leaves case {case} alone {how_long}"))
    }

    /// Stops what is under way, or writes down that nothing will be done.
    fn stop_case(&mut self, slot: Slot, why: String, effects: &mut Vec<Effect>) {
        let Some(case) = self.cases.get(slot) else { return };
        match case.stage {
            Stage::Acting if !case.repair().is_some_and(|repair| repair.ended) => self.halt(slot, why, effects),
            Stage::Decided => {
                let subject = case.subject;
                let judgement = self.judge_subject(subject, Some(slot), self.now);
                self.put_on_record(slot, judgement, Decision::Hold { because: vec![why] }, effects);
                self.await_reconsideration(slot);
            }
            _ => {}
        }
    }

    fn retry(&mut self, case: CaseId, effects: &mut Vec<Effect>) -> Answer {
        let slot = self.open_case_numbered(case)?;
        let Some(open) = self.cases.get_mut(slot) else { return Err("the case is over".to_owned()) };
        if matches!(open.stage, Stage::Acting | Stage::Verifying) {
            return Err(format!("case {case} is being worked on; hold or veto it first"));
        }
        let work = open.work_mut();
        work.rung = 0;
        work.vetoed = None;
        work.held_until = 0;
        work.unfit = 0;
        work.ruled_out.clear();
        self.decide_anew(slot, effects);
        Ok(format!("case {case} is decided anew from the first rung, on a fresh look"))
    }

    /// A decided case goes back to where a fresh look leads to a new decision.
    fn decide_anew(&mut self, slot: Slot, effects: &mut Vec<Effect>) {
        if self.moved(slot, Signal::Changed, effects) {
            self.set_deadline(slot, self.now + 1000);
        }
    }

    fn protect(&mut self, subject: &str, until: Option<Millis>, asked: &Asked<'_>) -> Answer {
        if subject.is_empty() {
            return Err("nothing was named; give a host, a machine or a cluster".to_owned());
        }
        let note = match self.is_known(subject) {
            true => format!("{subject} is not touched"),
            false => format!("{subject} is not touched; muster knows no host, machine or cluster of that name yet"),
        };
        let stop = Stop { until, who: asked.who.to_string(), why: asked.why.to_string() };
        self.repairs.protections.insert(subject.to_owned(), stop);
        Ok(note)
    }

    /// Whether a host, a machine or a cluster goes by this ARN, id or name.
    fn is_known(&self, subject: &str) -> bool {
        let last = |text: &str| text.rsplit('/').next() == Some(subject) || text == subject;
        self.clusters.keys().any(|name| last(self.names.text(*name)))
            || self.machines.iter().any(|(_, machine)| machine.key.text(&self.names) == subject)
            || self.hosts.iter().any(|(_, host)| last(&host.key.text(&self.names)))
    }

    fn pause(&mut self, cluster: String, until: Option<Millis>, asked: &Asked<'_>) -> Answer {
        let known = cluster.is_empty()
            || self.clusters.keys().any(|name| {
                let text = self.names.text(*name);
                text == cluster || text.rsplit('/').next() == Some(&cluster)
            });
        if !known {
            return Err(format!("muster watches no cluster called {cluster}"));
        }
        let under_way = self.repairs.active.len();
        let stop = Stop { until, who: asked.who.to_string(), why: asked.why.to_string() };
        self.repairs.pauses.insert(cluster, stop);
        Ok(match under_way {
            0 => "no remedy begins".to_owned(),
            1 => "no remedy begins; the one under way stops before its next call".to_owned(),
            many => format!("no remedy begins; the {many} under way stop before their next call"),
        })
    }
}

fn stage_word(stage: Stage) -> &'static str {
    match stage {
        Stage::Suspected => "suspected",
        Stage::Confirming => "being confirmed",
        Stage::Confirmed => "confirmed",
        Stage::Decided => "decided",
        Stage::Acting => "being worked on",
        Stage::Verifying => "being verified",
        Stage::Held => "held by a doubt",
        Stage::Closed => "closed",
    }
}
