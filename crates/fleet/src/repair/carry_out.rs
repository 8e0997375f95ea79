//! Carrying a remedy out: one step after the other, each looked at anew before it begins.

use super::{
    Open, Replacement, Tried,
    plan::{Repair, Step, deadline_secs, steps},
};
use crate::{
    case::{Signal, Subject},
    effect::Effect,
    host::{Agent, Host, Millis},
    id::CaseId,
    journal::{Record, Trouble},
    machine::Machine,
    observation::{Ec2State, InstanceStatus},
    policy::Rung,
    remedy::{
        Remedy,
        act::{Act, Expects, Intent, IntentId, Target},
    },
    review::{LOOK_AGAIN_MS, SLOT_MS},
    slab::{NONE, Slot},
    state::Fleet,
};

/// How long one call of AWS may take, its retries included.
const CALL_SECS: u32 = 60;
/// How long a command on a host may take: it is delivered, runs, and waits a minute for the agent.
const COMMAND_SECS: u32 = 150;
/// How long evidence is gathered.
const EVIDENCE_SECS: u32 = 90;
/// How often a wait looks again.
const POLL_MS: Millis = 30_000;
/// How long the services get to start the tasks of a lost host elsewhere before it is ended.
const LOST_DRAIN_SECS: u32 = 120;
/// How long a termination may take: hooks of the group may hold it for an hour (aws-semantics E.1).
const GONE_SECS: u32 = 3_900;

/// How long nobody may be able to say whether a remedy has helped before it is taken for one that has not.
const BLIND_MS: Millis = 10 * 60_000;

/// What a step came to when it was entered.
enum Entered {
    /// It waits for an outcome or a deadline.
    Waits,
    /// There is nothing to do in it.
    Passes,
    /// It cannot go on.
    Fails(String),
}

impl Fleet {
    /// Begins the remedy of a case that was decided upon in this very step.
    pub(crate) fn begin_repair(&mut self, slot: Slot, remedy: Remedy, terms: Option<Rung>, effects: &mut Vec<Effect>) {
        let now = self.now;
        if steps(remedy).is_empty() || !self.moved(slot, Signal::Begun, effects) {
            return;
        }
        let Some(case) = self.cases.get_mut(slot) else { return };
        let (id, subject) = (case.id, case.subject);
        let deadline = terms.as_ref().and_then(|rung| rung.deadline_secs).unwrap_or(deadline_secs(remedy));
        let work = case.work_mut();
        work.waits = false;
        work.repair = Some(Repair {
            remedy,
            custom: terms.and_then(|rung| rung.custom),
            deadline_secs: deadline,
            began_at: now,
            step: 0,
            step_since: now,
            intent: None,
            attempts: 0,
            drained: false,
            raised: None,
            ended: false,
            performed: false,
        });
        self.repairs.active.insert(slot);
        if remedy.disturbs() {
            let place = self.locality(subject);
            self.spend(id, place);
        }
        if remedy == Remedy::ScaleIn
            && let Subject::Host(host) = subject
        {
            self.spare_begins(host);
        }
        if matches!(remedy, Remedy::RestartAgent | Remedy::RestartRuntime)
            && let Subject::Host(host) = subject
            && let Some(key) = self.hosts.get(host).map(|host| host.key)
        {
            self.repairs.restarts.retain(|(at, _)| now - at < 86_400_000);
            self.repairs.restarts.push_back((now, key));
        }
        self.go_on(slot, effects);
    }

    /// Moves a case by a signal and counts its host anew.
    pub(crate) fn moved(&mut self, slot: Slot, signal: Signal, effects: &mut Vec<Effect>) -> bool {
        let Some(case) = self.cases.get(slot) else { return false };
        let host = match case.subject {
            Subject::Host(host) => Some((host, self.standing(host))),
            _ => None,
        };
        let moved = self.signal(slot, signal, effects);
        if let Some((host, before)) = host {
            self.recount(host, &before);
        }
        moved
    }

    /// Enters the step a remedy has come to, and those after it that have nothing to do.
    pub(crate) fn go_on(&mut self, slot: Slot, effects: &mut Vec<Effect>) {
        // A remedy has fewer steps than this.
        for _ in 0..16 {
            let Some(repair) = self.cases.get(slot).and_then(|case| case.repair()) else { return };
            let Some(step) = repair.step() else {
                self.all_steps_done(slot, effects);
                return;
            };
            match self.enter(slot, step, effects) {
                Entered::Waits => return,
                Entered::Passes => self.next_step(slot),
                Entered::Fails(why) => {
                    self.climb(slot, &why, false, effects);
                    return;
                }
            }
        }
    }

    /// Takes the step as done.
    pub(crate) fn next_step(&mut self, slot: Slot) {
        let now = self.now;
        if let Some(repair) = self.cases.get_mut(slot).and_then(|case| case.repair_mut()) {
            repair.step = repair.step.saturating_add(1);
            repair.step_since = now;
            repair.attempts = 0;
            repair.intent = None;
        }
    }

    fn all_steps_done(&mut self, slot: Slot, effects: &mut Vec<Effect>) {
        let now = self.now;
        let Some(case) = self.cases.get_mut(slot) else { return };
        let Some(repair) = case.repair_mut() else { return };
        repair.performed = true;
        let (remedy, deadline) = (repair.remedy, repair.deadline_secs);
        if remedy == Remedy::Drain {
            // Drained is not mended: the next rung goes on with an empty host, and takes it over as it is.
            repair.drained = false;
            if let Some(case) = self.cases.get_mut(slot) {
                case.work_mut().drained = true;
            }
            self.climb(slot, "the host is drained", true, effects);
            return;
        }
        let until = match remedy {
            // A replacement has its deadline from its beginning; what is left is the host's departure from ECS.
            Remedy::Replace | Remedy::ScaleIn => now + 300_000,
            _ => now + i64::from(deadline) * 1000,
        };
        if self.moved(slot, Signal::Performed, effects) {
            self.set_deadline(slot, until);
        }
    }

    /// Does what a step begins with. Before each step that disturbs, everything that may forbid it is asked again.
    fn enter(&mut self, slot: Slot, step: Step, effects: &mut Vec<Effect>) -> Entered {
        let Some(case) = self.cases.get(slot) else { return Entered::Waits };
        let Some(repair) = case.repair().cloned() else { return Entered::Waits };
        let (subject, trouble) = (case.subject, case.trouble);
        if !matches!(step, Step::Evidence | Step::AwaitDrained | Step::AwaitGone | Step::AwaitRoom | Step::Bury)
            && let Some(why) = self
                .forbidden(slot, repair.remedy)
                .or_else(|| self.stopped(self.locality(subject)))
                .or_else(|| self.doubted(subject))
        {
            self.halt(slot, why, effects);
            return Entered::Waits;
        }
        let spare = repair.remedy == Remedy::ScaleIn;
        if spare
            && matches!(step, Step::Drain | Step::End)
            && let Subject::Host(host) = subject
            && let Err(why) = self.may_still_go(host)
        {
            return Entered::Fails(why);
        }
        let external = matches!(subject, Subject::Host(host) if self.hosts.get(host).is_some_and(|host| host.external));
        let host = match subject {
            Subject::Host(host) => self.hosts.get(host),
            _ => None,
        };
        let machine = self.machine_below(subject);
        let away = host.is_some_and(|host| host.agent == Agent::Disconnected) && trouble == Trouble::AgentAway;
        let expects = Expects {
            agent_away: away,
            runtime_impaired: trouble == Trouble::Runtime,
            unregistered: trouble == Trouble::NeverRegistered,
            ..Expects::default()
        };
        match step {
            Step::Evidence => {
                if machine.is_none() {
                    return Entered::Passes;
                }
                self.hand_out_step(slot, Act::SaveEvidence, Expects::default(), EVIDENCE_SECS, effects);
            }
            Step::MakeRoom => {
                let group = machine.and_then(Machine::group);
                let (true, Some(group)) = (self.policy.replacement.scale_up_first, group) else {
                    return Entered::Passes;
                };
                let from = self.members_of(group);
                let act = Act::SetDesired { from, to: from + 1 };
                self.hand_out_step(slot, act, Expects::default(), CALL_SECS, effects);
            }
            Step::AwaitRoom => {
                if repair.raised.is_none() {
                    return Entered::Passes;
                }
                let arrived = !self.repairs.arrivals.iter().any(|arrival| arrival.since == repair.step_since);
                let late = self.now - repair.step_since >= i64::from(self.policy.replacement.arrival_secs) * 1000;
                if arrived && !late {
                    return Entered::Passes;
                }
                if late {
                    return Entered::Fails("the machine that was to come first has not registered in time".to_owned());
                }
                self.set_deadline(slot, self.now + POLL_MS);
            }
            Step::Drain => match host.map(|host| host.status) {
                Some(InstanceStatus::Active) => {
                    let expects = match (spare, subject) {
                        (true, Subject::Host(host)) => self.expects_spare(host),
                        _ => expects,
                    };
                    self.hand_out_step(slot, Act::Drain, expects, CALL_SECS, effects);
                }
                _ => return Entered::Passes,
            },
            Step::AwaitDrained => return self.await_drained(slot, &repair, subject),
            Step::Perform if repair.remedy == Remedy::ScaleOut => return self.perform_growth(slot, subject, effects),
            Step::Perform => return self.perform(slot, &repair, expects, external, effects),
            Step::End => {
                let machine_counts = machine.and_then(|machine| machine.state.value);
                let in_group = machine.and_then(Machine::group).is_some();
                if matches!(machine_counts, Some(Ec2State::Terminated | Ec2State::Gone | Ec2State::ShuttingDown)) {
                    return Entered::Passes;
                }
                let act = match (in_group, self.policy.replacement.by_health) {
                    (true, _) if spare => Act::TerminateInGroup { shrink: true },
                    (false, _) if spare => return Entered::Fails("its Auto Scaling group has let it go".to_owned()),
                    (true, true) => Act::MarkUnhealthy,
                    (true, false) => Act::TerminateInGroup { shrink: repair.raised.is_some() },
                    (false, _) if self.policy.replacement.outside_groups => Act::Terminate,
                    (false, _) => return Entered::Fails("no Auto Scaling group owns the machine any more".to_owned()),
                };
                // What the host itself said after a restart cannot be asked again; pings and status checks can.
                let unhealed = self.cases.get(slot).is_some_and(|case| case.work().unhealed_at != 0);
                let expects = Expects {
                    machine_running: true,
                    second_witness: expects.agent_away && !unhealed,
                    draining: host.is_some() && repair.drained,
                    connected: spare,
                    most_tasks: spare.then_some(0),
                    group: spare,
                    ..expects
                };
                self.hand_out_step(slot, act, expects, CALL_SECS, effects);
            }
            Step::AwaitGone => return self.await_gone(slot, &repair, subject),
            Step::Bury => {
                if host.is_none() {
                    return Entered::Passes;
                }
                let expects = Expects { machine_gone: true, ..Expects::default() };
                self.hand_out_step(slot, Act::Deregister, expects, CALL_SECS, effects);
            }
        }
        Entered::Waits
    }

    fn perform(
        &mut self,
        slot: Slot,
        repair: &Repair,
        expects: Expects,
        external: bool,
        effects: &mut Vec<Effect>,
    ) -> Entered {
        let (act, expects, limit_secs) = match repair.remedy {
            Remedy::RestartAgent => (Act::RestartAgent, expects, COMMAND_SECS),
            Remedy::RestartRuntime => (Act::RestartRuntime, expects, COMMAND_SECS),
            Remedy::Reboot => {
                let unhealed = self.cases.get(slot).is_some_and(|case| case.work().unhealed_at != 0);
                let second_witness = expects.agent_away && !unhealed;
                (Act::Reboot, Expects { machine_running: !external, second_witness, ..expects }, COMMAND_SECS)
            }
            Remedy::Deregister => {
                (Act::Deregister, Expects { agent_away: true, machine_gone: true, ..expects }, CALL_SECS)
            }
            Remedy::ReleaseTasks => {
                let unhealed = self.cases.get(slot).is_some_and(|case| case.work().unhealed_at != 0);
                (Act::Deregister, Expects { agent_away: true, second_witness: !unhealed, ..expects }, CALL_SECS)
            }
            Remedy::Custom => {
                let Some(name) = repair.custom.clone() else {
                    return Entered::Fails("the rung does not name its action".to_owned());
                };
                (Act::Custom { name }, expects, repair.deadline_secs.clamp(30, 3_600))
            }
            Remedy::Drain | Remedy::Replace | Remedy::TellSomeone | Remedy::ScaleOut | Remedy::ScaleIn => {
                return Entered::Passes;
            }
        };
        self.hand_out_step(slot, act, expects, limit_secs, effects);
        Entered::Waits
    }

    /// Makes the group of a pool larger, by what is believed right now.
    fn perform_growth(&mut self, slot: Slot, subject: Subject, effects: &mut Vec<Effect>) -> Entered {
        let Subject::Pool(key) = subject else { return Entered::Passes };
        match self.grow(key) {
            Ok(act) => {
                let expects = Expects { group: true, ..Expects::default() };
                self.hand_out_step(slot, act, expects, CALL_SECS, effects);
                Entered::Waits
            }
            Err(why) => Entered::Fails(why),
        }
    }

    /// What must still be so when an empty host is drained to go.
    fn expects_spare(&self, slot: Slot) -> Expects {
        let daemons = match (self.pool_that_ends(slot), self.hosts.get(slot)) {
            (Some(key), Some(host)) => self.daemons_on(key, host),
            _ => 0,
        };
        Expects { connected: true, most_tasks: Some(daemons), group: true, ..Expects::default() }
    }

    /// Waits until nothing runs there any more. Tasks that are being stopped count: they still hold the host
    /// (containers-roadmap #2171). Standalone and protected tasks are nobody's to stop: the deadline decides.
    fn await_drained(&mut self, slot: Slot, repair: &Repair, subject: Subject) -> Entered {
        let Subject::Host(host_slot) = subject else { return Entered::Passes };
        let Some(host) = self.hosts.get(host_slot) else { return Entered::Passes };
        let tasks = self.tasks_of(host).filter(|(_, task)| !task.status.is_over()).count() as u32;
        let held = tasks.max(host.running_tasks + host.pending_tasks);
        if held == 0 {
            return Entered::Passes;
        }
        if repair.remedy == Remedy::ScaleIn
            && let Err(why) = self.may_still_go(host_slot)
        {
            // What has come in the very last moment is not disturbed.
            return Entered::Fails(why);
        }
        let lost = host.agent == Agent::Disconnected;
        let unhealed = self.cases.get(slot).is_some_and(|case| case.work().unhealed_at != 0);
        let allowed_secs = match repair.remedy {
            Remedy::Drain => repair.deadline_secs,
            _ if lost && !unhealed => LOST_DRAIN_SECS.min(self.policy.replacement.drain_secs),
            _ => self.policy.replacement.drain_secs.min(repair.deadline_secs),
        };
        let until = repair.step_since + i64::from(allowed_secs) * 1000;
        if self.now >= until {
            if lost && repair.remedy == Remedy::Replace {
                // Their agent is gone, and two witnesses say so: these tasks are lost already.
                return Entered::Passes;
            }
            let many = if held == 1 { "1 task is".to_owned() } else { format!("{held} tasks are") };
            return Entered::Fails(format!(
                "{many} still there after {allowed_secs} s of draining: the drain is undone"
            ));
        }
        self.want_host(host_slot);
        self.set_deadline(slot, until.min(self.now + POLL_MS));
        Entered::Waits
    }

    fn await_gone(&mut self, slot: Slot, repair: &Repair, subject: Subject) -> Entered {
        let gone = match self.machine_below(subject) {
            Some(machine) => machine.is_gone(),
            None => true,
        };
        if gone {
            return Entered::Passes;
        }
        if self.now - repair.step_since >= i64::from(GONE_SECS) * 1000 {
            return Entered::Fails(
                "the machine is still there more than an hour after its end was asked for".to_owned(),
            );
        }
        self.want_machine(subject);
        self.set_deadline(slot, self.now + POLL_MS);
        Entered::Waits
    }

    /// The deadline of a case with a remedy under way.
    pub(crate) fn meet_acting(&mut self, slot: Slot, effects: &mut Vec<Effect>) {
        let Some(repair) = self.cases.get(slot).and_then(|case| case.repair()) else { return };
        if repair.intent.is_some() {
            // Its outcome is on its way; the engine brings one for every intent.
            self.set_deadline(slot, self.now + 10 * POLL_MS);
            return;
        }
        self.go_on(slot, effects);
    }

    /// A remedy was performed and its deadline has come: the trouble is still there.
    pub(crate) fn meet_verifying(&mut self, slot: Slot, effects: &mut Vec<Effect>) {
        let Some(case) = self.cases.get(slot) else { return };
        let Some(repair) = case.repair() else { return };
        // That it is over may have been said by an event that was lost: the trouble is still there when a look says so.
        let fresh_ms = i64::from(self.policy.fresh_secs.max(1)) * 1000;
        let seen = case.agreed_at > repair.step_since && self.now - case.agreed_at <= fresh_ms + SLOT_MS;
        let last_call = repair.step_since + 2 * i64::from(repair.deadline_secs) * 1000 + BLIND_MS;
        if !seen && self.now < last_call {
            self.ask_look(slot, true);
            self.set_deadline(slot, self.now + fresh_ms.min(LOOK_AGAIN_MS));
            return;
        }
        let waited = crate::case::duration_words((self.now - repair.step_since) / 1000);
        self.climb(slot, &format!("the trouble was still there {waited} after it"), false, effects);
    }

    /// Goes on to the next rung: what was tried is written down, what it had prepared is undone.
    pub(crate) fn climb(&mut self, slot: Slot, how: &str, worked: bool, effects: &mut Vec<Effect>) {
        let now = self.now;
        self.undo(slot, effects);
        let Some(case) = self.cases.get_mut(slot) else { return };
        let (id, subject) = (case.id, case.subject);
        let work = case.work_mut();
        let Some(repair) = work.repair.take() else { return };
        work.rung = work.rung.saturating_add(1);
        work.tried.push(Tried { at: repair.began_at, remedy: repair.remedy, ended: how.to_owned() });
        work.approved = None;
        self.repairs.active.remove(&slot);
        effects.push(Effect::Record(Record::Abandoned { case: id, remedy: repair.remedy, because: how.to_owned() }));
        let learns = repair.remedy != Remedy::Replace && !repair.remedy.keeps_room();
        if !worked && (repair.performed || repair.ended) && learns {
            let values = self.values_of(subject);
            self.note_trial(repair.remedy, values, false);
        }
        if self.moved(slot, Signal::Climbed, effects) {
            self.set_deadline(slot, now + 1000);
        }
    }

    /// Stops where it is, for a reason that may pass: the case is decided anew from the same rung later.
    pub(crate) fn halt(&mut self, slot: Slot, why: String, effects: &mut Vec<Effect>) {
        self.undo(slot, effects);
        let Some(case) = self.cases.get_mut(slot) else { return };
        let (id, subject) = (case.id, case.subject);
        let work = case.work_mut();
        let Some(repair) = work.repair.take() else { return };
        work.waits = true;
        self.repairs.active.remove(&slot);
        effects.push(Effect::Record(Record::Abandoned { case: id, remedy: repair.remedy, because: why.clone() }));
        if self.moved(slot, Signal::Halted, effects) {
            let judgement = self.judge_subject(subject, Some(slot), self.now);
            self.put_on_record(slot, judgement, crate::remedy::Decision::Hold { because: vec![why] }, effects);
            self.await_reconsideration(slot);
        }
    }

    /// The trouble of a case is over while or after a remedy was at work.
    pub(crate) fn repair_is_over(&mut self, slot: Slot, effects: &mut Vec<Effect>) {
        let Some(case) = self.cases.get(slot) else { return };
        let subject = case.subject;
        let (id, drained) = (case.id, case.work().drained);
        if let Some(repair) = case.repair().cloned() {
            if let Some(intent) = repair.intent {
                self.expect_arrival_of(intent);
            }
            self.undo(slot, effects);
            if repair.performed && repair.remedy != Remedy::Replace && !repair.remedy.keeps_room() {
                let values = self.values_of(subject);
                self.note_trial(repair.remedy, values, true);
            }
        }
        self.repairs.active.remove(&slot);
        let still_draining = matches!(subject, Subject::Host(host)
            if self.hosts.get(host).is_some_and(|host| host.status == InstanceStatus::Draining));
        if drained && still_draining {
            let target = self.target(subject);
            self.undo_act(id, Act::Undrain, Remedy::Drain, target, effects);
        }
    }

    fn hand_out_step(&mut self, slot: Slot, act: Act, expects: Expects, limit_secs: u32, effects: &mut Vec<Effect>) {
        let Some(case) = self.cases.get(slot) else { return };
        let Some(remedy) = case.repair().map(|repair| repair.remedy) else { return };
        let (id, subject) = (case.id, case.subject);
        let target = self.target(subject);
        let intent = self.new_intent(id, remedy, act, target, expects, limit_secs);
        if let Some(repair) = self.cases.get_mut(slot).and_then(|case| case.repair_mut()) {
            repair.intent = Some(intent.id);
            repair.attempts = repair.attempts.saturating_add(1);
        }
        let outcome_by = self.now + (i64::from(limit_secs) + 300) * 1000;
        self.set_deadline(slot, outcome_by);
        self.hand_out(intent, slot, effects);
    }

    /// Writes an intent down and hands it out.
    pub(crate) fn hand_out(&mut self, intent: Intent, slot: Slot, effects: &mut Vec<Effect>) {
        if !intent.act.is_harmless() {
            self.lay_hands_on(intent.case);
        }
        effects.push(Effect::Record(Record::Intended { intent: Box::new(intent.clone()) }));
        let replacement = self.replacement_after(&intent, slot);
        self.repairs.open.insert(intent.id, Open { intent: intent.clone(), slot, replacement });
        effects.push(Effect::Act(intent));
    }

    /// The machine that a group launches by itself when this intent ends one. A group that was raised first has it already.
    fn replacement_after(&self, intent: &Intent, slot: Slot) -> Option<Replacement> {
        if intent.remedy != Remedy::Replace || !intent.act.ends_machine() {
            return None;
        }
        let case = self.cases.get(slot).filter(|case| case.repair().is_some_and(|repair| repair.raised.is_none()))?;
        Some(Replacement { arrival: self.arrival_in_place_of(case.subject)?, awaited: false })
    }

    /// A new intent with the next number.
    pub(crate) fn new_intent(
        &mut self,
        case: CaseId,
        remedy: Remedy,
        act: Act,
        target: Target,
        expects: Expects,
        limit_secs: u32,
    ) -> Intent {
        self.repairs.last_intent += 1;
        let id = IntentId(self.repairs.last_intent);
        // Unlike the number, the token must not be met again in another journal: its time and its target go into it.
        let whom = target.host.as_deref().or(target.machine.as_deref()).or(target.group.as_deref()).unwrap_or_default();
        let token = format!("muster-{id}-{:016x}", print_of(&[whom, act.word(), &self.now.to_string()]));
        Intent { id, token, case, remedy, act, target, expects, limit_secs }
    }

    /// Intents whose outcome is not known: after a restart they are performed again, as second tries.
    pub fn open_intents(&self) -> Vec<Intent> {
        self.repairs.open.values().map(|open| open.intent.clone()).collect()
    }

    /// Whom the acts about a subject are about.
    pub(crate) fn target(&self, subject: Subject) -> Target {
        let (text, cluster, machine_id) = self.subject_texts(subject);
        let machine = self.machine_below(subject);
        let place = match subject {
            Subject::Host(slot) => {
                self.hosts.get(slot).and_then(|host| self.clusters.get(&host.cluster)).map(|cluster| cluster.place)
            }
            Subject::Pool(key) => self.clusters.get(&key.cluster).map(|cluster| cluster.place),
            _ => machine.and_then(|machine| machine.place),
        };
        let host = match subject {
            Subject::Host(slot) => self.hosts.get(slot),
            _ => None,
        };
        let group = match subject {
            Subject::Pool(key) => key.group,
            _ => machine.and_then(Machine::group),
        };
        let group = group.map(|group| self.group_name(group).to_owned());
        Target {
            cluster,
            place: self.names.owned(place).unwrap_or_default(),
            host: host.map(|_| text),
            machine: machine_id,
            group,
            os_type: host.and_then(|host: &Host| self.names.owned(host.os_type)),
            platform: machine.and_then(|machine| machine.ping.value).and_then(|ping| self.names.owned(ping.platform)),
            external: host.is_some_and(|host| host.external),
        }
    }

    /// The machine below the subject of a case.
    pub(crate) fn machine_below(&self, subject: Subject) -> Option<&Machine> {
        match subject {
            Subject::Host(slot) => self.hosts.get(slot).and_then(|host| self.machine_of(host)),
            Subject::Machine(slot) => self.machines.get(slot),
            Subject::Cohort(_) | Subject::Pool(_) => None,
        }
    }

    /// Members of a group that are not on their way out.
    fn members_of(&self, group: crate::names::Name) -> u32 {
        let stays = |machine: &Machine| {
            machine.membership.value.is_some_and(|membership| {
                membership.group == Some(group)
                    && membership.lifecycle.is_none_or(|lifecycle| !self.names.text(lifecycle).starts_with("Terminat"))
            })
        };
        self.machines.iter().filter(|(_, machine)| stays(machine)).count() as u32
    }

    fn want_host(&mut self, slot: Slot) {
        let Some(host) = self.hosts.get(slot) else { return };
        self.wanted.hosts.entry(host.cluster).or_default().insert(host.key);
    }

    fn want_machine(&mut self, subject: Subject) {
        let slot = match subject {
            Subject::Host(slot) => self.hosts.get(slot).map_or(NONE, |host| host.machine),
            Subject::Machine(slot) => slot,
            Subject::Cohort(_) | Subject::Pool(_) => NONE,
        };
        let Some(machine) = self.machines.get(slot) else { return };
        let place = match (machine.place, subject) {
            (Some(place), _) => Some(place),
            (None, Subject::Host(host)) => {
                self.hosts.get(host).and_then(|host| self.clusters.get(&host.cluster)).map(|cluster| cluster.place)
            }
            (None, _) => None,
        };
        if let Some(place) = place
            && crate::id::is_ec2_instance_id(&machine.key.text(&self.names))
        {
            self.wanted.machines.entry(place).or_default().insert(machine.key);
        }
    }
}

/// A print of some texts that is the same in every version of muster and on every machine (FNV-1a).
fn print_of(texts: &[&str]) -> u64 {
    let mut print: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in texts.iter().flat_map(|text| text.bytes().chain([0])) {
        print ^= u64::from(byte);
        print = print.wrapping_mul(0x0100_0000_01b3);
    }
    print
}
