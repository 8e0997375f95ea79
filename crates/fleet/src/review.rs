//! After every change: does a trouble begin, go on or end here? And at every deadline: what now?

use crate::{
    case::{NO_CASE, Opening, Signal, Subject},
    effect::Effect,
    host::{Agent, Host, Millis},
    id::{is_ec2_instance_id, is_external_id},
    journal::{Record, Stage, Trouble},
    judge::Judgement,
    observation::{Ec2State, InstanceStatus},
    policy::{Mode, Rung, rule::Terms},
    remedy::{Decision, Remedy},
    repair::choice::Choice,
    slab::{NONE, Slot},
    state::Fleet,
    timer::{Timer, slotted},
};

/// How long an answer to a look is waited for before it is asked for again.
pub(crate) const LOOK_AGAIN_MS: Millis = 60_000;

/// How often a decision that waits for a budget, a window or the kill switch is weighed anew.
const WAITS_AGAIN_MS: Millis = 60_000;

/// When a ladder that was climbed to its end is climbed again.
const CLIMB_AGAIN_MS: Millis = 1_800_000;

/// Each further time takes twice as long, up to sixteen hours: what fails for ever must not disturb for ever.
const MOST_DOUBLINGS: u8 = 5;

/// Deadlines fall together in slots of so much at most.
pub(crate) const SLOT_MS: Millis = 5_000;

/// A deadline that is met so much too late was not waited for (I19).
const LEAP_MS: Millis = 60_000;

impl Fleet {
    /// Opens and closes the cases of a host as its facts demand.
    pub(crate) fn review_host(&mut self, slot: Slot, effects: &mut Vec<Effect>) {
        let Some(host) = self.hosts.get(slot) else { return };
        let status = host.status;
        let away = host.is_away();
        let since = host.agent_since.min(self.now);
        let connected = host.agent == Agent::Connected;
        let runtime = match connected {
            true => self.runtime_check(host).map(|check| check.since),
            // A routine reconnect says nothing about the runtime: its case goes on until the agent is known to be lost.
            false if away && !self.away_is_confirmed(host) => self
                .case_of_kind(host.first_case, Trouble::Runtime)
                .and_then(|slot| self.cases.get(slot))
                .map(|it| it.since),
            false => None,
        };
        let impaired = match self.machine_of(host) {
            Some(machine) if connected && !machine.is_down() => {
                machine.status.value.filter(|checks| checks.impaired()).map(|_| machine.status.since)
            }
            _ => None,
        };
        let failed = (status == InstanceStatus::RegistrationFailed).then_some(host.status_since);
        let draining = status == InstanceStatus::Draining;
        self.review(slot, Trouble::AgentAway, away.then_some(since), effects);
        self.review(slot, Trouble::Runtime, runtime, effects);
        self.review(slot, Trouble::HostImpaired, impaired, effects);
        self.review(slot, Trouble::RegistrationFailed, failed, effects);
        if !draining {
            self.review(slot, Trouble::DrainStuck, None, effects);
        }
        self.review_flapping(slot, effects);
        self.greet(slot);
    }

    /// Fresh looks agree that the agent is lost.
    fn away_is_confirmed(&self, host: &Host) -> bool {
        self.case_of_kind(host.first_case, Trouble::AgentAway)
            .and_then(|slot| self.cases.get(slot))
            .is_some_and(|case| case.stage == Stage::Confirmed || case.stage.is_decided())
    }

    /// One trouble of one host: `since` when it holds.
    fn review(&mut self, slot: Slot, trouble: Trouble, since: Option<Millis>, effects: &mut Vec<Effect>) {
        let first = self.hosts.get(slot).map_or(NO_CASE, |host| host.first_case);
        if first == NO_CASE && since.is_none() {
            return;
        }
        match (self.case_of_kind(first, trouble), since) {
            (None, Some(since)) => {
                let judgement = self.judge_subject(Subject::Host(slot), None, self.now);
                // Waited from now and not from `since`, which is told by somebody else's clock.
                let until = self.now + self.grace_ms(Subject::Host(slot), trouble);
                let case = self.open_case(
                    Opening {
                        trouble,
                        subject: Subject::Host(slot),
                        since,
                        stage: Stage::Suspected,
                        until,
                        reasons: judgement.reasons,
                    },
                    effects,
                );
                if trouble == Trouble::AgentAway
                    && let Some(doubt) = self.doubt_over(slot)
                {
                    if let Some(case) = self.cases.get_mut(case) {
                        case.held_by = Some(doubt);
                    }
                    self.signal(case, Signal::Doubted, effects);
                }
            }
            (Some(case), None) => {
                let reason = self.over_sentence(slot, trouble, case);
                self.close_case(case, &reason, effects);
            }
            (Some(case), Some(_)) => self.redecide(slot, case, effects),
            (None, None) => {}
        }
    }

    /// A decided case whose verdict has become another one is decided upon again.
    fn redecide(&mut self, slot: Slot, case_slot: Slot, effects: &mut Vec<Effect>) {
        let Some(case) = self.cases.get(case_slot) else { return };
        if case.stage != Stage::Decided {
            return;
        }
        let judgement = self.judge_subject(Subject::Host(slot), Some(case_slot), self.now);
        if case.decided_verdict != Some(judgement.verdict) {
            self.signal(case_slot, Signal::Changed, effects);
            self.set_deadline(case_slot, self.now + 1000);
        }
    }

    fn over_sentence(&self, slot: Slot, trouble: Trouble, case: Slot) -> String {
        let Some(host) = self.hosts.get(slot) else { return "the host is gone".to_owned() };
        match trouble {
            Trouble::AgentAway if host.agent == Agent::Connected => {
                let away_ms = self.cases.get(case).map_or(0, |case| (host.agent_since - case.since).max(0));
                if away_ms < 1000 {
                    "the agent is connected again, in less than a second".to_owned()
                } else {
                    format!("the agent is connected again after {}", crate::case::duration_words(away_ms / 1000))
                }
            }
            Trouble::AgentAway => "the host need not answer any more: it is being deregistered".to_owned(),
            Trouble::Runtime if host.agent != Agent::Connected => {
                "the agent is away, so the check of the runtime says nothing any more".to_owned()
            }
            Trouble::Runtime => "the container runtime is well again".to_owned(),
            Trouble::HostImpaired if host.agent != Agent::Connected => {
                "the agent is away too: another case has taken over".to_owned()
            }
            Trouble::HostImpaired => "EC2's status checks pass again".to_owned(),
            Trouble::DrainStuck => "the host does not drain any more".to_owned(),
            Trouble::Flapping => "the agent has come to rest".to_owned(),
            Trouble::RegistrationFailed | Trouble::NeverRegistered => "the host has registered".to_owned(),
            Trouble::Doubt => "the hosts answer again".to_owned(),
            Trouble::NoRoom => "there is room again".to_owned(),
            Trouble::MuchRoom => "there is not too much room any more".to_owned(),
        }
    }

    fn review_flapping(&mut self, slot: Slot, effects: &mut Vec<Effect>) {
        let Some(host) = self.hosts.get(slot) else { return };
        let limit = self.policy.flapping_per_hour;
        let flapping = host.departures.within_hour(self.now) >= limit;
        let case = self.case_of_kind(host.first_case, Trouble::Flapping);
        match (case, flapping) {
            (None, true) => {
                let since = host.agent_since;
                let calm_at = host.departures.calm_at(self.now, limit);
                let count = host.departures.within_hour(self.now);
                let reason = format!("the agent has gone away {count} times within the hour; about two are routine");
                self.open_case(
                    Opening {
                        trouble: Trouble::Flapping,
                        subject: Subject::Host(slot),
                        since,
                        stage: Stage::Confirmed,
                        until: calm_at.max(self.now + 1000),
                        reasons: vec![reason],
                    },
                    effects,
                );
            }
            (Some(case), false) => {
                let reason = self.over_sentence(slot, Trouble::Flapping, case);
                self.close_case(case, &reason, effects);
            }
            _ => {}
        }
    }

    /// A look has seen the host again, in the state its facts now say.
    pub(crate) fn looked_at_host(&mut self, slot: Slot, at: Millis, effects: &mut Vec<Effect>) {
        let first = self.hosts.get(slot).map_or(NO_CASE, |host| host.first_case);
        for case in self.cases_from(first) {
            // Whether EC2's checks still fail, only EC2 can say.
            if self.cases.get(case).is_some_and(|case| case.trouble != Trouble::HostImpaired) {
                self.look_agrees(case, at, effects);
            }
        }
    }

    fn look_agrees(&mut self, slot: Slot, at: Millis, effects: &mut Vec<Effect>) {
        let Some(case) = self.cases.get_mut(slot) else { return };
        // One look counts once, and one that began before the last does not count at all.
        if at <= case.agreed_at {
            return;
        }
        let (opened_at, subject) = (case.opened_at, case.subject);
        if case.trouble == Trouble::NeverRegistered && !self.listed_since(subject, opened_at) {
            return;
        }
        let Some(case) = self.cases.get_mut(slot) else { return };
        case.agreed_at = at;
        case.looks = case.looks.saturating_add(1);
        let (stage, waits_from, asked_at) = (case.stage, case.waits_from, case.asked_at);
        let (subject, trouble, until) = (case.subject, case.trouble, case.until);
        if stage == Stage::Confirming && at >= asked_at {
            self.signal(slot, Signal::LookAgrees, effects);
            if let (Trouble::AgentAway, Subject::Host(host)) = (trouble, subject) {
                // Now the loss of the agent stands above what its last report said of the runtime.
                self.review(host, Trouble::Runtime, None, effects);
            }
            let act_at = waits_from + self.act_after_ms(subject, trouble);
            self.set_deadline(slot, act_at.max(self.now + 1000));
        } else if stage == Stage::Confirmed && asked_at != 0 {
            let due = waits_from + self.act_after_ms(subject, trouble);
            if self.now >= due {
                self.set_deadline(slot, self.now);
            }
        } else if stage == Stage::Decided && until != 0 && at >= asked_at && self.now - asked_at <= SLOT_MS * 4 {
            // It was asked to decide anew; the other witnesses have a moment to answer too.
            self.set_deadline(slot, self.now + 1000);
        }
    }

    /// A case has reached its deadline.
    pub(crate) fn meet_deadline(&mut self, slot: Slot, due: Millis, effects: &mut Vec<Effect>) {
        let Some(case) = self.cases.get(slot) else { return };
        let (trouble, subject, stage, asked_at, agreed_at) =
            (case.trouble, case.subject, case.stage, case.asked_at, case.agreed_at);
        if trouble == Trouble::Flapping {
            if let Subject::Host(host) = subject {
                self.review_flapping(host, effects);
                let limit = self.policy.flapping_per_hour;
                if let Some(calm_at) = self.hosts.get(host).map(|host| host.departures.calm_at(self.now, limit))
                    && self.cases.get(slot).is_some_and(|case| case.trouble == Trouble::Flapping)
                {
                    self.set_deadline(slot, calm_at.max(self.now + 1000));
                }
            }
            return;
        }
        if let Subject::Pool(_) = subject
            && stage != Stage::Acting
        {
            if stage == Stage::Suspected && self.now - due > LEAP_MS {
                self.set_deadline(slot, self.now + self.grace_ms(subject, trouble));
                return;
            }
            self.keep_all(effects);
            return;
        }
        match stage {
            // Nobody watched this wait: the clock leapt, or muster slept, and nobody has looked since. It starts anew.
            Stage::Suspected
                if self.now - due > LEAP_MS && self.cases.get(slot).is_some_and(|case| case.looks == 0) =>
            {
                self.set_deadline(slot, self.now + self.grace_ms(subject, trouble));
            }
            Stage::Suspected => {
                self.signal(slot, Signal::GraceOver, effects);
                self.ask_look(slot, true);
            }
            Stage::Confirming => self.ask_look(slot, true),
            Stage::Confirmed => {
                let fresh_ms = i64::from(self.policy.fresh_secs) * 1000;
                let looks = self.cases.get(slot).map_or(0, |case| case.looks);
                let fresh = agreed_at != 0 && agreed_at >= asked_at && self.now - agreed_at <= fresh_ms;
                if fresh && looks >= self.fail_after(subject, trouble) {
                    match self.weighed_at(slot) {
                        Some(at) if at > self.now => self.set_deadline(slot, at),
                        _ => self.decide(slot, effects),
                    }
                } else {
                    self.ask_look(slot, true);
                }
            }
            // One look at the end of the grace shows whether the doubt was about our eyes; no other witness is bothered.
            Stage::Held if asked_at == 0 => {
                self.ask_look(slot, false);
                self.set_deadline(slot, 0);
            }
            Stage::Decided => self.reconsider(slot, effects),
            Stage::Acting => self.meet_acting(slot, effects),
            Stage::Verifying => self.meet_verifying(slot, effects),
            Stage::Held | Stage::Closed => {}
        }
    }

    /// A decision that waits is weighed anew, on a fresh look; one that waits for something that will pass, as soon as it
    /// has passed.
    fn reconsider(&mut self, slot: Slot, effects: &mut Vec<Effect>) {
        let Some(case) = self.cases.get(slot) else { return };
        let fresh_ms = i64::from(self.policy.fresh_secs.max(1)) * 1000;
        let asked_lately = self.now - case.asked_at <= fresh_ms + SLOT_MS;
        let agreed_lately = case.agreed_at >= case.asked_at && self.now - case.agreed_at <= fresh_ms + SLOT_MS;
        if !asked_lately && !agreed_lately {
            if self.still_waits(slot) {
                self.await_reconsideration(slot);
                return;
            }
            self.ask_look(slot, true);
            self.set_deadline(slot, self.now + fresh_ms);
            return;
        }
        if agreed_lately {
            if let Some(case) = self.cases.get_mut(slot)
                && case.work().repair.is_none()
                && case.decision.as_ref().and_then(Decision::remedy) == Some(Remedy::TellSomeone)
                && case.work.is_some()
            {
                // The ladder was climbed to its end; what failed then may work now.
                let work = case.work_mut();
                work.rung = 0;
                work.climbs = work.climbs.saturating_add(1);
            }
            self.weigh_and_record(slot, false, effects);
        }
        self.await_reconsideration(slot);
    }

    /// What held the last decision back still does: then nobody need be asked again.
    fn still_waits(&self, slot: Slot) -> bool {
        let Some(case) = self.cases.get(slot) else { return false };
        if !case.work().waits {
            return false;
        }
        // First of all: thousands may wait for this one, and what they wait for says nothing about any single host.
        if self.doubted(case.subject).is_some() {
            return true;
        }
        let place = self.locality(case.subject);
        if self.stopped(place).or_else(|| self.window_sentence(place)).is_some() {
            return true;
        }
        let judgement = self.judge_subject(case.subject, Some(slot), self.now);
        match self.choose(slot, &judgement) {
            Choice::Take { remedy, .. } => {
                self.forbidden(slot, remedy).is_some() || self.restrained(slot, remedy).is_some()
            }
            // What was heard is too old to say: ask.
            Choice::Leave { .. } => false,
        }
    }

    pub(crate) fn await_reconsideration(&mut self, slot: Slot) {
        let Some(case) = self.cases.get(slot) else { return };
        if case.stage != Stage::Decided {
            return;
        }
        let act_after_ms = self.act_after_ms(case.subject, case.trouble).max(60_000);
        let again_ms = match &case.decision {
            Some(Decision::Hold { .. }) if case.work().waits => Some(WAITS_AGAIN_MS),
            Some(Decision::Hold { .. }) => Some(act_after_ms),
            // The ladder is at its end; it is climbed again after a while.
            Some(Decision::Will { remedy: Remedy::TellSomeone, .. }) => {
                Some(CLIMB_AGAIN_MS << case.work().climbs.min(MOST_DOUBLINGS))
            }
            _ => None,
        };
        self.set_deadline(slot, again_ms.map_or(0, |again_ms| self.now + again_ms));
    }

    /// How long a trouble may last before anybody looks, by the rules that fit.
    pub(crate) fn grace_ms(&self, subject: Subject, trouble: Trouble) -> Millis {
        i64::from(self.terms_of(subject, trouble).grace_secs).max(1) * 1000
    }

    /// How long it must have lasted before anything is decided.
    fn act_after_ms(&self, subject: Subject, trouble: Trouble) -> Millis {
        i64::from(self.terms_of(subject, trouble).act_after_secs) * 1000
    }

    fn fail_after(&self, subject: Subject, trouble: Trouble) -> u32 {
        self.terms_of(subject, trouble).fail_after
    }

    fn terms_of(&self, subject: Subject, trouble: Trouble) -> Terms<'_> {
        let cluster = self.locality(subject).cluster.map(|cluster| self.short(cluster)).unwrap_or_default();
        let terms = self.policy.terms(cluster, trouble);
        Terms { mode: self.mode_of(subject, trouble).unwrap_or(terms.mode), ..terms }
    }

    /// Asks for a fresh look on behalf of a case, of all witnesses or of ECS alone, and comes back to it.
    pub(crate) fn ask_look(&mut self, slot: Slot, all_witnesses: bool) {
        let now = self.now;
        let Some(case) = self.cases.get_mut(slot) else { return };
        case.asked_at = now;
        let subject = case.subject;
        let again = if case.stage == Stage::Confirmed {
            i64::from(self.policy.fresh_secs).max(1) * 1000
        } else {
            LOOK_AGAIN_MS.min(i64::from(self.policy.grace_secs.max(1)) * 1000)
        };
        self.set_deadline(slot, now + again);
        let machine_slot = match subject {
            Subject::Host(host_slot) => {
                let Some(host) = self.hosts.get(host_slot) else { return };
                self.wanted.hosts.entry(host.cluster).or_default().insert(host.key);
                host.machine
            }
            Subject::Machine(machine_slot) => machine_slot,
            Subject::Cohort(_) | Subject::Pool(_) => return,
        };
        if machine_slot == NONE || !all_witnesses {
            return;
        }
        let place = match subject {
            Subject::Host(host) => {
                self.hosts.get(host).and_then(|host| self.clusters.get(&host.cluster)).map(|cluster| cluster.place)
            }
            _ => self.machines.get(machine_slot).and_then(|machine| machine.place),
        };
        let (Some(place), Some(machine)) = (place, self.machines.get(machine_slot)) else { return };
        let id = machine.key.text(&self.names);
        let key = machine.key;
        if is_ec2_instance_id(&id) {
            self.wanted.machines.entry(place).or_default().insert(key);
        }
        if is_ec2_instance_id(&id) || is_external_id(&id) {
            self.wanted.pings.entry(place).or_default().insert(key);
        }
    }

    /// Decides: what is done, what would be done, or why nothing.
    fn decide(&mut self, slot: Slot, effects: &mut Vec<Effect>) {
        self.weigh_and_record(slot, true, effects);
        self.await_reconsideration(slot);
    }

    /// Weighs a case, writes the decision down if it is a new one, and begins what it says.
    pub(crate) fn weigh_and_record(&mut self, slot: Slot, first: bool, effects: &mut Vec<Effect>) {
        let Some(case) = self.cases.get(slot) else { return };
        let judgement = self.judge_subject(case.subject, Some(slot), self.now);
        let (decision, terms, waits) = self.weigh_decision(slot, &judgement);
        if first && !self.moved(slot, Signal::DecisionMade, effects) {
            return;
        }
        let Some(case) = self.cases.get_mut(slot) else { return };
        if waits || case.work.is_some() {
            case.work_mut().waits = waits;
        }
        let begins = Self::acts(&decision);
        if first || begins.is_some() || !case.decision.as_ref().is_some_and(|before| says_the_same(before, &decision)) {
            self.put_on_record(slot, judgement, decision, effects);
        } else {
            case.decision = Some(decision);
        }
        if let Some(remedy) = begins {
            self.begin_repair(slot, remedy, terms, effects);
        }
    }

    /// What the case calls for, what forbids it, and how far muster may go. The last says that the decision waits for
    /// something that will pass.
    fn weigh_decision(&self, slot: Slot, judgement: &Judgement) -> (Decision, Option<Rung>, bool) {
        let hold = |why: String, waits| (Decision::Hold { because: vec![why] }, None, waits);
        let Some(case) = self.cases.get(slot) else { return hold("the case is over".to_owned(), false) };
        let (remedy, terms, because) = match self.choose(slot, judgement) {
            Choice::Take { remedy, terms, because, .. } => (remedy, terms, because),
            Choice::Leave { because } => return (Decision::Hold { because }, None, false),
        };
        // I2 knows no exception, not even for a loss that a narrower doubt explains.
        if let Some(why) = self.doubted(case.subject) {
            return hold(why, true);
        }
        if let Some(why) = self.forbidden(slot, remedy) {
            return hold(why, false);
        }
        let approved = case.work().approved.is_some_and(|(what, until)| what == remedy && self.now <= until);
        let decision = match self.terms_of(case.subject, case.trouble).mode {
            Mode::Observe => return hold("muster only watches here (mode observe)".to_owned(), false),
            Mode::DryRun => return (Decision::Would { remedy, because }, None, false),
            Mode::Approve if !approved && remedy != Remedy::TellSomeone => {
                return (Decision::Ask { remedy, because }, None, false);
            }
            Mode::Approve | Mode::Act => Decision::Will { remedy, because },
        };
        if remedy != Remedy::TellSomeone
            && let Some(why) = self.restrained(slot, remedy)
        {
            return hold(why, true);
        }
        (decision, terms, false)
    }

    pub(crate) fn put_on_record(
        &mut self,
        slot: Slot,
        judgement: Judgement,
        decision: Decision,
        effects: &mut Vec<Effect>,
    ) {
        let Some(case) = self.cases.get(slot) else { return };
        let (subject, trouble) = (case.subject, case.trouble);
        let zombies = match subject {
            Subject::Host(host) if trouble == Trouble::AgentAway => self.zombies(host),
            _ => Vec::new(),
        };
        let (text, ..) = self.subject_texts(subject);
        let Some(case) = self.cases.get_mut(slot) else { return };
        case.decision = Some(decision.clone());
        case.decided_verdict = Some(judgement.verdict);
        let id = case.id;
        let what = match &decision {
            Decision::Would { remedy, .. } => format!("would {}", remedy.words()),
            Decision::Ask { remedy, .. } => format!("approve it and muster will {}", remedy.words()),
            Decision::Will { remedy, .. } => format!("muster will now {}", remedy.words()),
            Decision::Hold { because } => format!("nothing is done: {}", because.join("; ")),
        };
        let severity = self.loudness(slot, &decision);
        effects.push(Effect::Record(Record::Decided {
            case: id,
            verdict: judgement.verdict,
            confidence: judgement.confidence,
            decision,
            zombies,
        }));
        let text = format!("{text} is {}: {}; {what}", judgement.verdict, judgement.reasons.join("; "));
        if let Some(severity) = severity {
            self.tell(slot, severity, text, effects);
        }
    }

    /// A host should have drained by now.
    pub(crate) fn meet_drain(&mut self, slot: Slot, effects: &mut Vec<Effect>) {
        let Some(host) = self.hosts.get(slot) else { return };
        if host.status != InstanceStatus::Draining || host.agent != Agent::Connected {
            return;
        }
        let due = slotted(host.status_since + i64::from(self.policy.drain_stuck_secs) * 1000, self.policy.grace_secs);
        if self.now < due {
            self.timers.set(due, Timer::Drain(slot));
            return;
        }
        if host.running_tasks + host.pending_tasks > 0
            && self.case_of_kind(host.first_case, Trouble::DrainStuck).is_none()
        {
            let since = host.status_since;
            let judgement = self.judge_subject(Subject::Host(slot), None, self.now);
            self.open_case(
                Opening {
                    trouble: Trouble::DrainStuck,
                    subject: Subject::Host(slot),
                    since,
                    stage: Stage::Suspected,
                    until: self.now,
                    reasons: judgement.reasons,
                },
                effects,
            );
        }
    }

    /// A machine should have registered by now.
    pub(crate) fn meet_launch(&mut self, slot: Slot, effects: &mut Vec<Effect>) {
        let Some(machine) = self.machines.get(slot) else { return };
        let since = machine.first_seen;
        if machine.first_host == NONE && machine.group().is_some() && !self.cluster_was_searched(machine) {
            // What nobody has looked for may well be there: the next complete look decides.
            self.timers.set(slotted(self.now + 60_000, self.policy.grace_secs), Timer::Launch(slot));
            return;
        }
        if !self.ought_to_register(slot) || self.case_of_kind(machine.first_case, Trouble::NeverRegistered).is_some() {
            return;
        }
        let judgement = self.judge_subject(Subject::Machine(slot), None, self.now);
        self.launch_has_failed(slot);
        self.open_case(
            Opening {
                trouble: Trouble::NeverRegistered,
                subject: Subject::Machine(slot),
                since,
                stage: Stage::Suspected,
                until: self.now,
                reasons: judgement.reasons,
            },
            effects,
        );
    }

    /// In service in a group that feeds a cluster, running, past the launch grace, and no container instance.
    pub(crate) fn ought_to_register(&self, slot: Slot) -> bool {
        let Some(machine) = self.machines.get(slot) else { return false };
        let in_service = machine.membership.value.is_some_and(|membership| {
            membership.group.is_some()
                && membership.lifecycle.is_some_and(|lifecycle| self.names.text(lifecycle) == "InService")
        });
        let running = matches!(machine.state.value, None | Some(Ec2State::Running));
        in_service
            && running
            && machine.first_host == NONE
            && !machine.registered_once
            && self.now - machine.first_seen >= i64::from(self.policy.launch_grace_secs) * 1000
            && self.cluster_was_searched(machine)
    }

    /// The cluster that the machine's group feeds was looked through completely since the launch grace was over (I4).
    fn cluster_was_searched(&self, machine: &crate::machine::Machine) -> bool {
        let due = machine.first_seen + i64::from(self.policy.launch_grace_secs) * 1000;
        self.cluster_of_machine(machine)
            .and_then(|arn| self.clusters.get(&arn))
            .is_some_and(|cluster| cluster.looked_at >= due)
    }

    /// The cluster that a machine ought to be in was listed completely since then. EC2 and Auto Scaling cannot say that a
    /// machine has not registered; nor can a clock, which may have been set (I4).
    fn listed_since(&self, subject: Subject, since: Millis) -> bool {
        let Subject::Machine(slot) = subject else { return true };
        let cluster = self.machines.get(slot).and_then(|machine| self.cluster_of_machine(machine));
        cluster.and_then(|arn| self.clusters.get(&arn)).is_some_and(|cluster| cluster.looked_at >= since)
    }

    /// Opens or closes the case of a machine that is no host.
    pub(crate) fn review_machine(&mut self, slot: Slot, effects: &mut Vec<Effect>) {
        let Some(machine) = self.machines.get(slot) else { return };
        match self.case_of_kind(machine.first_case, Trouble::NeverRegistered) {
            Some(case) if !self.ought_to_register(slot) => {
                let reason = if machine.first_host == NONE {
                    "the machine is not in service any more"
                } else {
                    "the host has registered"
                };
                self.close_case(case, reason, effects);
            }
            Some(_) => {}
            None if machine.first_host == NONE && machine.group().is_some() && machine.first_seen != 0 => {
                let due = machine.first_seen + i64::from(self.policy.launch_grace_secs) * 1000;
                if due <= self.now {
                    self.meet_launch(slot, effects);
                } else {
                    self.timers.set(slotted(due, self.policy.grace_secs), Timer::Launch(slot));
                }
            }
            None => {}
        }
    }

    /// A look has seen the machine again.
    pub(crate) fn looked_at_machine(&mut self, slot: Slot, at: Millis, effects: &mut Vec<Effect>) {
        let Some(machine) = self.machines.get(slot) else { return };
        let (first, hosts) = (machine.first_case, self.hosts_of(machine));
        let checks_were_read = machine.status.confirmed_at >= at;
        for case in self.cases_from(first) {
            self.look_agrees(case, at, effects);
        }
        // Whether the status checks still fail, a ping or a group cannot say.
        for host in hosts.into_iter().filter(|_| checks_were_read) {
            let first = self.hosts.get(host).map_or(NO_CASE, |host| host.first_case);
            if let Some(case) = self.case_of_kind(first, Trouble::HostImpaired) {
                self.look_agrees(case, at, effects);
            }
        }
    }
}

/// Whether two decisions are the same but for the numbers in the reasons for doing nothing. While a loss grows host by
/// host, each of those that wait would else be put on record with each step.
fn says_the_same(before: &Decision, now: &Decision) -> bool {
    match (before, now) {
        (Decision::Hold { because: before }, Decision::Hold { because: now }) => {
            let words = |text: &String| text.chars().filter(|char| !char.is_ascii_digit()).collect::<String>();
            before.len() == now.len() && before.iter().zip(now).all(|(before, now)| words(before) == words(now))
        }
        // Room is counted anew each minute.
        (Decision::Would { remedy: before, .. }, Decision::Would { remedy: now, .. })
        | (Decision::Ask { remedy: before, .. }, Decision::Ask { remedy: now, .. })
            if before.keeps_room() =>
        {
            before == now
        }
        _ => before == now,
    }
}
