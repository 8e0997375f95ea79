//! What forbids a remedy: for good (protections, owners) or for now (kill switch, window, budget, breaker).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Locality;
use crate::{
    capacity::room::Room,
    case::Subject,
    glob,
    host::{Agent, Millis},
    machine::Machine,
    remedy::{Remedy, act::Intent},
    slab::Slot,
    state::{Fleet, stamp},
    view::StopView,
};

/// Something an operator has stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stop {
    /// Until when; `None`: until somebody lifts it.
    pub(crate) until: Option<Millis>,
    pub(crate) who: String,
    pub(crate) why: String,
}

impl Stop {
    fn holds(&self, now: Millis) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    fn sentence(&self, what: &str) -> String {
        let why = if self.why.is_empty() { String::new() } else { format!(": {}", self.why) };
        format!("{what} by {}{why}", self.who)
    }
}

impl Fleet {
    /// What operators have protected and not yet released, in the order of its names.
    pub fn protections(&self) -> Vec<StopView> {
        self.stops(&self.repairs.protections)
    }

    /// Where the kill switch is thrown; everything first.
    pub fn pauses(&self) -> Vec<StopView> {
        self.stops(&self.repairs.pauses)
    }

    fn stops(&self, stops: &BTreeMap<String, Stop>) -> Vec<StopView> {
        let holding = stops.iter().filter(|(_, stop)| stop.holds(self.now));
        holding
            .map(|(subject, stop)| StopView {
                subject: Some(subject.clone()).filter(|subject| !subject.is_empty()),
                until: stop.until.map(stamp),
                who: stop.who.clone(),
                why: stop.why.clone(),
            })
            .collect()
    }

    /// What forbids a remedy whatever the hour, in dry run too.
    pub(crate) fn forbidden(&self, slot: Slot, remedy: Remedy) -> Option<String> {
        let case = self.cases.get(slot)?;
        let work = case.work();
        if let Some(why) = &work.vetoed {
            return Some(format!("vetoed: {why}"));
        }
        if self.now < work.held_until {
            return Some("an operator holds this case".to_owned());
        }
        if remedy == Remedy::TellSomeone {
            return None;
        }
        self.subject_forbidden(case.subject, remedy)
    }

    pub(crate) fn subject_forbidden(&self, subject: Subject, remedy: Remedy) -> Option<String> {
        if let Some(sentence) = self.operator_protection(subject) {
            return Some(sentence);
        }
        let machine = match subject {
            Subject::Host(slot) => self.hosts.get(slot).and_then(|host| self.machine_of(host)),
            Subject::Machine(slot) => self.machines.get(slot),
            Subject::Cohort(_) | Subject::Pool(_) => None,
        };
        if remedy != Remedy::Deregister
            && let Some(sentence) = machine.and_then(|machine| self.owner_sentence(machine))
        {
            return Some(sentence);
        }
        let Subject::Host(slot) = subject else { return None };
        let host = self.hosts.get(slot)?;
        if let Some(mark) = &host.protected {
            return Some(format!("the host is protected by its mark {mark}"));
        }
        let managed =
            host.capacity_provider.filter(|_| !host.external && machine.is_some_and(|it| it.group().is_none()));
        if remedy != Remedy::Deregister
            && let Some(provider) = managed
        {
            return Some(format!(
                "capacity provider {} makes and mends it and no Auto Scaling group that muster can see owns it, as with \
                 Managed Instances: it is left to its owner",
                self.names.text(provider)
            ));
        }
        let young_ms = i64::from(self.policy.protection.launch_secs) * 1000;
        if remedy.disturbs() && host.registered_at != 0 && self.now - host.registered_at < young_ms {
            return Some("the host registered only a short while ago".to_owned());
        }
        let spares_tasks = matches!(remedy, Remedy::RestartAgent | Remedy::Deregister);
        if !spares_tasks {
            let protected = self.tasks_of(host).find_map(|(_, task)| {
                let group = self.names.text(task.group?);
                let globs = &self.policy.protection.tasks;
                (!globs.is_empty() && glob::fits_any(globs, group)).then(|| group.to_owned())
            });
            if let Some(group) = protected {
                return Some(format!("a task of {group} runs there, which the policy protects"));
            }
        }
        None
    }

    /// The machine is on its way out or set aside already, by its group or by whoever told the group.
    fn owner_sentence(&self, machine: &Machine) -> Option<String> {
        let membership = machine.membership.value?;
        membership.group?;
        let lifecycle = self.names.text(membership.lifecycle?);
        (lifecycle != "InService" && !lifecycle.is_empty())
            .then(|| format!("its Auto Scaling group has it as {lifecycle}: it is left to its owner"))
    }

    fn operator_protection(&self, subject: Subject) -> Option<String> {
        if self.repairs.protections.is_empty() {
            return None;
        }
        let (text, cluster, machine) = self.subject_texts(subject);
        let last = |arn: &str| arn.rsplit('/').next().unwrap_or(arn).to_owned();
        let names = [last(&text), last(&cluster), text, cluster, machine.unwrap_or_default()];
        names.iter().filter(|name| !name.is_empty()).find_map(|name| {
            let stop = self.repairs.protections.get(name).filter(|stop| stop.holds(self.now))?;
            Some(stop.sentence("protected"))
        })
    }

    /// What forbids a remedy now and will pass.
    pub(crate) fn restrained(&self, slot: Slot, remedy: Remedy) -> Option<String> {
        let case = self.cases.get(slot)?;
        let place = self.locality(case.subject);
        if let Some(sentence) = self.stopped(place) {
            return Some(sentence);
        }
        if let Some(sentence) = self.window_sentence(place) {
            return Some(sentence);
        }
        if remedy == Remedy::TellSomeone {
            return None;
        }
        if let Some(sentence) = self.guilty_cohort_sentence(case.subject, remedy) {
            return Some(sentence);
        }
        if remedy.disturbs()
            && let Some(sentence) = self.budget_sentence(place)
        {
            return Some(sentence);
        }
        self.no_room(case.subject, remedy)
    }

    /// The tasks of a host that answers must find room elsewhere before it is drained. Those of a lost host are lost.
    fn no_room(&self, subject: Subject, remedy: Remedy) -> Option<String> {
        let Subject::Host(slot) = subject else { return None };
        let host = self.hosts.get(slot)?;
        if !matches!(remedy, Remedy::Drain | Remedy::Replace | Remedy::Reboot) || host.agent != Agent::Connected {
            return None;
        }
        match self.room_elsewhere(slot) {
            Room::TooLittle { why } => Some(why),
            Room::Enough | Room::Unknown => None,
        }
    }

    /// The kill switch, or another muster in charge.
    pub(crate) fn stopped(&self, place: Locality) -> Option<String> {
        if !self.leads() {
            return Some("another muster is in charge of acting".to_owned());
        }
        if self.repairs.pauses.is_empty() {
            return None;
        }
        let arn = place.cluster.map(|cluster| self.names.text(cluster)).unwrap_or_default();
        let name = arn.rsplit('/').next().unwrap_or_default();
        ["", name, arn].iter().find_map(|key| {
            let stop = self.repairs.pauses.get(*key).filter(|stop| stop.holds(self.now))?;
            Some(stop.sentence("paused"))
        })
    }

    pub(crate) fn window_sentence(&self, place: Locality) -> Option<String> {
        let name = place.cluster.map(|cluster| self.short(cluster)).unwrap_or_default();
        let mut fitting = self.policy.windows.iter().filter(|window| glob::fits_any(&window.clusters, name)).peekable();
        fitting.peek()?;
        (!fitting.any(|window| window.is_open(self.now)))
            .then(|| "no window is open in which remedies may begin".to_owned())
    }

    /// Whether so much around a host is away that nothing is done to it (I2).
    pub(crate) fn doubted(&self, subject: Subject) -> Option<String> {
        if let Subject::Pool(key) = subject {
            return self.pool_doubted(key);
        }
        let Subject::Host(slot) = subject else { return None };
        let crowded = self.standing(slot).keys().find(|key| self.loses_too_many(*key));
        if let Some(key) = crowded {
            return Some(self.loss_sentence(key, ""));
        }
        self.doubt_over(slot).map(|doubt| format!("case {doubt} doubts what this host shares with others"))
    }

    /// Whether the call of an intent may still be made: asked by the engine after the target was read again and right
    /// before the call. The kill switch, a veto, a protection, a doubt and the end of the case all come in time here.
    ///
    /// # Errors
    /// One sentence: why not.
    pub fn may_begin(&self, intent: &Intent) -> Result<(), String> {
        let Some(open) = self.repairs.open.get(&intent.id) else {
            return Err("its outcome is known already".to_owned());
        };
        if intent.act.is_harmless() {
            return Ok(());
        }
        let undoing = matches!(intent.act, crate::remedy::act::Act::SetDesired { from, to } if to < from);
        if undoing {
            return Ok(());
        }
        let case = self.cases.get(open.slot).filter(|case| case.id == intent.case);
        let Some(case) = case.filter(|case| case.repair().is_some_and(|repair| repair.intent == Some(intent.id)))
        else {
            return Err("the trouble is over".to_owned());
        };
        let place = self.locality(case.subject);
        let stopped = self.stopped(place).or_else(|| self.forbidden_still(open.slot, intent));
        // What buries a machine that is gone disturbs nobody.
        let doubted = if intent.expects.machine_gone { None } else { self.doubted(case.subject) };
        if let Some(why) = stopped.or(doubted) {
            return Err(why);
        }
        match (intent.remedy, case.subject) {
            (Remedy::ScaleOut, Subject::Pool(key)) => self.still_grows(key, &intent.act),
            (Remedy::ScaleIn, Subject::Host(host)) if !intent.expects.machine_gone => self.may_still_go(host),
            _ => Ok(()),
        }
    }

    /// As [`forbidden`](Self::forbidden), but muster's own termination of a machine is no owner to step aside for.
    fn forbidden_still(&self, slot: Slot, intent: &Intent) -> Option<String> {
        let case = self.cases.get(slot)?;
        let work = case.work();
        if let Some(why) = &work.vetoed {
            return Some(format!("vetoed: {why}"));
        }
        if self.now < work.held_until {
            return Some("an operator holds this case".to_owned());
        }
        if case.repair().is_some_and(|repair| repair.ended) {
            return self.operator_protection(case.subject);
        }
        self.subject_forbidden(case.subject, intent.remedy)
    }
}
