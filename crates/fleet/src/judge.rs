//! From witnesses to a verdict, with its reasons and how sure it is.

use crate::{
    case::{Case, DOUBT_CONFIDENCE, NO_CASE, Subject, duration_words},
    host::{Agent, Host, Millis},
    journal::{Stage, Trouble},
    machine::Machine,
    observation::{CheckStatus, Ec2State, InstanceStatus, ReachabilityStatus, Source, Witness},
    slab::Slot,
    state::{Fleet, stamp},
    verdict::{Confidence, Testimony, Verdict},
};

/// A verdict with its grounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// How sure.
    pub confidence: Confidence,
    /// Sentences.
    pub reasons: Vec<String>,
    /// Since when it holds.
    pub since: Millis,
}

impl Judgement {
    fn new(verdict: Verdict, confidence: Confidence, since: Millis, reason: impl Into<String>) -> Self {
        Self { verdict, confidence, reasons: vec![reason.into()], since }
    }

    fn and(mut self, reason: impl Into<String>) -> Self {
        self.reasons.push(reason.into());
        self
    }
}

impl Fleet {
    /// Judges whomever a case is about.
    pub(crate) fn judge_subject(&self, subject: Subject, case: Option<Slot>, now: Millis) -> Judgement {
        match subject {
            Subject::Pool(key) => {
                let since = case.and_then(|slot| self.cases.get(slot)).map_or(now, |case| case.since);
                let short = self.keeping.pools.get(&key).and_then(|kept| kept.short.clone());
                let reason = short.unwrap_or_else(|| "there is room enough".to_owned());
                Judgement::new(Verdict::ShortOfRoom, Confidence::Medium, since, reason)
            }
            Subject::Host(slot) => match self.hosts.get(slot) {
                Some(host) => self.judge(host, now),
                None => Judgement::new(Verdict::Unknown, Confidence::Low, now, "the host is forgotten"),
            },
            Subject::Machine(slot) => match self.machines.get(slot) {
                Some(machine) => self.judge_machine(machine, now),
                None => Judgement::new(Verdict::Unknown, Confidence::Low, now, "the machine is forgotten"),
            },
            Subject::Cohort(key) => {
                let since = case.and_then(|slot| self.cases.get(slot)).map_or(now, |case| case.since);
                Judgement::new(Verdict::Doubt, DOUBT_CONFIDENCE, since, self.doubt_sentence(key, now))
            }
        }
    }

    /// Judges one host.
    pub(crate) fn judge(&self, host: &Host, now: Millis) -> Judgement {
        let machine = self.machine_of(host);
        if host.status == InstanceStatus::RegistrationFailed {
            let why = host.status_reason.as_deref().unwrap_or("ECS gives no reason");
            return Judgement::new(
                Verdict::RegistrationFailed,
                Confidence::High,
                host.status_since,
                format!("ECS could not register it: {why}"),
            );
        }
        if let Some(judgement) = machine.and_then(|machine| self.judge_down(host, machine)) {
            return judgement;
        }
        match host.agent {
            Agent::Disconnected if host.ought_to_answer() => self.judge_away(host, machine, now),
            Agent::Unknown if host.ought_to_answer() => Judgement::new(
                Verdict::Unknown,
                Confidence::Low,
                host.status_since,
                "ECS has not said whether the agent is connected",
            ),
            _ => self.judge_answering(host, machine, now),
        }
    }

    /// The machine is not running: whatever else is said, the host cannot be well.
    fn judge_down(&self, host: &Host, machine: &Machine) -> Option<Judgement> {
        let state = machine.state.value?;
        let agent_away = host.agent != Agent::Connected;
        let confidence = if agent_away { Confidence::High } else { Confidence::Medium };
        let since = machine.state.since;
        Some(match state {
            Ec2State::Terminated | Ec2State::Gone if agent_away => Judgement::new(
                Verdict::Ghost,
                confidence,
                since,
                "the machine does not exist any more, and ECS still lists its container instance",
            )
            .and("ECS does not deregister a host whose agent was away when its machine was terminated"),
            Ec2State::Terminated | Ec2State::Gone | Ec2State::ShuttingDown => {
                Judgement::new(Verdict::HostDown, confidence, since, "EC2 says that the machine is being terminated")
            }
            Ec2State::Stopped | Ec2State::Stopping => {
                let word = if state == Ec2State::Stopped { "stopped" } else { "stopping" };
                Judgement::new(Verdict::HostDown, confidence, since, format!("EC2 says that the machine is {word}"))
            }
            Ec2State::Pending | Ec2State::Running | Ec2State::Other => return None,
        })
    }

    fn judge_away(&self, host: &Host, machine: Option<&Machine>, now: Millis) -> Judgement {
        let away_secs = (now - host.agent_since) / 1000;
        let away = format!("the agent has been disconnected for {}", duration_words(away_secs));
        let case = self.case_of_kind(host.first_case, Trouble::AgentAway).and_then(|slot| self.cases.get(slot));
        if let Some(case) = case.filter(|case| case.stage == Stage::Held) {
            let why = match case.held_by {
                Some(id) => format!("too many hosts are away at once (case {id}): the host itself is not accused"),
                None => "too many hosts are away at once: the host itself is not accused".to_owned(),
            };
            return Judgement::new(Verdict::Doubt, DOUBT_CONFIDENCE, host.agent_since, away).and(why);
        }
        let ping = machine.and_then(|machine| machine.ping.value).and_then(|ping| ping.online);
        let (ping_lost, ping_online) = (ping == Some(false), ping == Some(true));
        let impaired = machine.and_then(impairment);
        let ecs_says_lost = self.ecs_says_lost(host);
        let confirmed = case.is_some_and(|case| case.stage == Stage::Confirmed || case.stage.is_decided());
        if host.external && ping_lost && (confirmed || ecs_says_lost) {
            return Judgement::new(Verdict::ExternalOffline, Confidence::High, host.agent_since, away)
                .and("SSM has lost the machine too: it is off, or cut from the network");
        }
        if let Some(what) = &impaired
            && (confirmed || ecs_says_lost)
        {
            return Judgement::new(Verdict::HostImpaired, Confidence::High, host.agent_since, away)
                .and(format!("EC2 status checks fail: {what}"));
        }
        if confirmed || ecs_says_lost {
            let mut confidence = if confirmed { Confidence::Medium } else { Confidence::Low };
            let mut judgement = Judgement::new(Verdict::AgentLost, confidence, host.agent_since, away);
            if let Some(case) = case.filter(|case| case.looks > 0) {
                judgement = judgement.and(looks_sentence(case));
            }
            if ecs_says_lost {
                confidence = Confidence::Medium;
                judgement = judgement.and("ECS's own check AGENT_CONNECTIVITY is IMPAIRED");
            }
            if ping_lost {
                confidence = Confidence::High;
                judgement =
                    judgement.and("SSM does not reach the machine either: network or host, not the agent alone");
            } else if ping_online {
                confidence = confidence.max(Confidence::Medium);
                judgement = judgement.and("SSM reaches the machine: the agent alone, its runtime or its credentials");
            }
            if confirmed && ecs_says_lost {
                confidence = Confidence::High;
            }
            judgement.confidence = confidence;
            return judgement;
        }
        let terms = self.policy.terms(self.short(host.cluster), Trouble::AgentAway);
        let grace = duration_words(i64::from(terms.grace_secs));
        let waits_for = match case.map(|case| case.stage) {
            Some(Stage::Confirming) => format!("the grace of {grace} is over, and a fresh look is under way"),
            _ => format!("agents reconnect about twice an hour by design; it is looked at again after {grace}"),
        };
        let mut judgement = Judgement::new(Verdict::Suspected, Confidence::Low, host.agent_since, away).and(waits_for);
        if let Some(what) = impaired {
            judgement = judgement.and(format!("EC2 status checks fail: {what}"));
        }
        if let Some(why) = self.clusters.get(&host.cluster).and_then(|cluster| cluster.trouble.as_deref()) {
            judgement = judgement.and(format!("the last look failed: {why}"));
        }
        judgement
    }

    fn judge_answering(&self, host: &Host, machine: Option<&Machine>, now: Millis) -> Judgement {
        if let Some(check) = self.runtime_check(host) {
            let why = check.reason.as_deref().unwrap_or("ECS gives no reason");
            return Judgement::new(
                Verdict::RuntimeImpaired,
                Confidence::Medium,
                check.since,
                format!("ECS's check CONTAINER_RUNTIME is IMPAIRED: {why}"),
            );
        }
        if let Some((what, since)) = machine.and_then(|machine| Some((impairment(machine)?, machine.status.since))) {
            return Judgement::new(
                Verdict::HostImpaired,
                Confidence::Low,
                since,
                format!("EC2 status checks fail: {what}"),
            )
            .and("the agent still answers, so only one witness speaks against the host");
        }
        match host.status {
            InstanceStatus::Registering | InstanceStatus::Deregistering => {
                let word = if host.status == InstanceStatus::Registering { "registering" } else { "deregistering" };
                return Judgement::new(
                    Verdict::Changing,
                    Confidence::Medium,
                    host.status_since,
                    format!("it is {word}"),
                );
            }
            InstanceStatus::Draining => return self.judge_draining(host, now),
            InstanceStatus::Other | InstanceStatus::Inactive => {
                return Judgement::new(
                    Verdict::Unknown,
                    Confidence::Low,
                    host.status_since,
                    "ECS gives a status that this muster does not know",
                );
            }
            InstanceStatus::Active | InstanceStatus::RegistrationFailed => {}
        }
        let departures = host.departures.within_hour(now);
        if departures >= self.policy.flapping_per_hour {
            return Judgement::new(
                Verdict::Flapping,
                Confidence::Medium,
                host.agent_since,
                format!(
                    "the agent answers, but has gone away {departures} times within the hour; about two are routine"
                ),
            );
        }
        let heard_at = self.heard_at(host);
        let stale_ms = i64::from(self.policy.stale_after_secs) * 1000;
        if now - heard_at > stale_ms {
            let age = duration_words((now - heard_at) / 1000);
            let why = self.clusters.get(&host.cluster).and_then(|cluster| cluster.trouble.as_deref());
            let mut judgement = Judgement::new(
                Verdict::Unknown,
                Confidence::Low,
                heard_at,
                format!("nobody has heard of it for {age}; it was present then"),
            );
            if let Some(why) = why {
                judgement = judgement.and(format!("the last look failed: {why}"));
            }
            return judgement;
        }
        Judgement::new(Verdict::Present, Confidence::Medium, host.agent_since, "the agent is connected")
    }

    fn judge_draining(&self, host: &Host, now: Millis) -> Judgement {
        let secs = (now - host.status_since) / 1000;
        let tasks = host.running_tasks + host.pending_tasks;
        let for_long = format!("draining for {}, {tasks} tasks left", duration_words(secs));
        if tasks > 0 && secs >= i64::from(self.policy.drain_stuck_secs) {
            return Judgement::new(Verdict::DrainStuck, Confidence::Medium, host.status_since, for_long)
                .and("standalone tasks, protected tasks, or a service that cannot place its tasks elsewhere");
        }
        Judgement::new(Verdict::Draining, Confidence::Medium, host.status_since, for_long)
    }

    /// Judges a machine that ought to be a host.
    pub(crate) fn judge_machine(&self, machine: &Machine, now: Millis) -> Judgement {
        let age = duration_words((now - machine.first_seen) / 1000);
        let confirmed = self
            .case_of_kind(machine.first_case, Trouble::NeverRegistered)
            .and_then(|slot| self.cases.get(slot))
            .is_some_and(|case| case.stage == Stage::Confirmed || case.stage.is_decided());
        let confidence = if confirmed { Confidence::High } else { Confidence::Medium };
        let group = machine.group().map_or("its group", |group| self.names.text(group)).rsplit('/').next();
        Judgement::new(
            Verdict::NeverRegistered,
            confidence,
            machine.first_seen,
            format!(
                "in Auto Scaling group {} for {age}, and never registered in the cluster",
                group.unwrap_or_default()
            ),
        )
    }

    /// When a host was last heard of by any road.
    pub(crate) fn heard_at(&self, host: &Host) -> Millis {
        let looked_at = self.clusters.get(&host.cluster).map_or(0, |cluster| cluster.looked_at);
        host.fact_at.max(host.confirmed_at).max(looked_at)
    }

    /// ECS's own check says that the agent is not connected, in the same absence that we see.
    fn ecs_says_lost(&self, host: &Host) -> bool {
        host.check(self.names.find("AGENT_CONNECTIVITY")).is_some_and(|check| {
            check.status == CheckStatus::Impaired
                && (check.since == 0 || check.since.max(check.updated) >= host.agent_since - 60_000)
        })
    }

    /// The runtime check, if it is impaired. One that was stale when it was read is not kept as impaired.
    pub(crate) fn runtime_check<'h>(&self, host: &'h Host) -> Option<&'h crate::host::Check> {
        host.check(self.names.find("CONTAINER_RUNTIME")).filter(|check| check.status == CheckStatus::Impaired)
    }

    /// Tasks that ECS believes to be running on a host nobody can vouch for.
    pub(crate) fn zombies(&self, slot: Slot) -> Vec<String> {
        let Some(host) = self.hosts.get(slot).filter(|host| host.agent == Agent::Disconnected) else {
            return Vec::new();
        };
        let mut zombies: Vec<String> = self
            .tasks_of(host)
            .filter(|(_, task)| task.desired_running && !task.status.is_over())
            .map(|(_, task)| task.key.text(&self.names))
            .collect();
        zombies.sort_unstable();
        zombies
    }

    /// Everything that has been said of a host, witness by witness.
    pub(crate) fn testimonies(&self, host: &Host) -> Vec<Testimony> {
        let mut heard = Vec::new();
        let ecs_confirmed = self.heard_at(host);
        let agent = match host.agent {
            Agent::Connected => "agent connected",
            Agent::Disconnected => "agent disconnected",
            Agent::Unknown => "agent not spoken of",
        };
        heard.push(Testimony {
            witness: Witness::EcsControlPlane,
            says: format!("{agent}, {}", status_word(host.status)),
            since: stamp(host.agent_since.max(0)),
            confirmed_at: stamp(ecs_confirmed),
            source: host.source,
            against: host.agent == Agent::Disconnected || host.status == InstanceStatus::RegistrationFailed,
        });
        for check in &host.checks {
            let mut says = format!("{} {}", self.names.text(check.kind), check_word(check.status));
            if let Some(reason) = &check.reason {
                says.push_str(": ");
                says.push_str(reason);
            }
            heard.push(Testimony {
                witness: Witness::EcsHealth,
                says,
                since: stamp(check.since),
                confirmed_at: stamp(check.updated.max(check.since)),
                source: check.source,
                against: check.status == CheckStatus::Impaired,
            });
        }
        if let Some(machine) = self.machine_of(host) {
            self.machine_testimonies(machine, &mut heard);
        }
        heard
    }

    /// What has been said of a machine.
    pub(crate) fn machine_testimonies(&self, machine: &Machine, heard: &mut Vec<Testimony>) {
        let mut say = |witness, says: String, since, confirmed_at, source: Source, against| {
            heard.push(Testimony {
                witness,
                says,
                since: stamp(since),
                confirmed_at: stamp(confirmed_at),
                source,
                against,
            });
        };
        let state = &machine.state;
        if let Some(value) = state.value {
            say(
                Witness::Ec2State,
                format!("machine {}", state_word(value)),
                state.since,
                state.confirmed_at,
                state.source,
                machine.is_down(),
            );
        }
        if machine.interruption_at != 0 {
            let at = machine.interruption_at;
            say(Witness::Ec2State, "Spot interruption announced".to_owned(), at, at, Source::Event, true);
        }
        if machine.rebalance_at != 0 {
            let at = machine.rebalance_at;
            say(Witness::Ec2State, "Spot rebalance recommended".to_owned(), at, at, Source::Event, false);
        }
        let status = &machine.status;
        if status.value.is_some() {
            let failing = impairment(machine);
            let mut says = failing.as_ref().map_or("status checks pass".to_owned(), |what| format!("impaired: {what}"));
            if let Some(event) = &machine.scheduled {
                says.push_str(", scheduled: ");
                says.push_str(event);
            }
            say(Witness::Ec2Status, says, status.since, status.confirmed_at, status.source, failing.is_some());
        }
        let membership = &machine.membership;
        if let Some(value) = membership.value {
            let group = value.group.map_or("no group", |group| self.names.text(group));
            let group = group.rsplit('/').next().unwrap_or(group);
            let lifecycle = value.lifecycle.map_or("", |lifecycle| self.names.text(lifecycle));
            let health = if value.healthy { "healthy" } else { "unhealthy" };
            say(
                Witness::AutoScaling,
                format!("{group} {lifecycle}, {health}"),
                membership.since,
                membership.confirmed_at,
                membership.source,
                !value.healthy,
            );
        }
        let ping = &machine.ping;
        if let Some(value) = ping.value {
            let says = match value.online {
                Some(true) => "ping online",
                Some(false) => "ping lost",
                None => "not known to SSM",
            };
            say(Witness::Ssm, says.to_owned(), ping.since, ping.confirmed_at, ping.source, value.online == Some(false));
        }
    }

    /// The cluster a machine was meant for, by its group.
    pub(crate) fn cluster_of_machine(&self, machine: &Machine) -> Option<crate::names::Name> {
        let group = machine.group()?;
        self.clusters.values().find(|cluster| cluster.groups.contains(&group)).map(|cluster| cluster.arn)
    }

    /// The number of the gravest open case about a host or machine.
    pub(crate) fn case_number(&self, first: Slot) -> Option<crate::id::CaseId> {
        if first == NO_CASE {
            return None;
        }
        self.cases_from(first)
            .into_iter()
            .filter_map(|slot| self.cases.get(slot))
            .min_by_key(|case| (case.trouble, case.id))
            .map(|case| case.id)
    }
}

fn looks_sentence(case: &Case) -> String {
    match case.looks {
        1 => "looked at again: still away".to_owned(),
        looks => format!("looked at again {looks} times in a row: still away"),
    }
}

/// What EC2's status checks complain of, if they do.
fn impairment(machine: &Machine) -> Option<String> {
    let checks = machine.status.value.filter(|checks| checks.impaired())?;
    let mut what = Vec::new();
    if checks.system == ReachabilityStatus::Impaired {
        what.push("system (AWS's side)");
    }
    if checks.instance == ReachabilityStatus::Impaired {
        what.push("instance (operating system or network)");
    }
    if checks.ebs == ReachabilityStatus::Impaired {
        what.push("attached EBS volumes");
    }
    Some(what.join(", "))
}

fn status_word(status: InstanceStatus) -> &'static str {
    match status {
        InstanceStatus::Registering => "REGISTERING",
        InstanceStatus::RegistrationFailed => "REGISTRATION_FAILED",
        InstanceStatus::Active => "ACTIVE",
        InstanceStatus::Draining => "DRAINING",
        InstanceStatus::Deregistering => "DEREGISTERING",
        InstanceStatus::Inactive => "INACTIVE",
        InstanceStatus::Other => "status unknown",
    }
}

fn check_word(status: CheckStatus) -> &'static str {
    match status {
        CheckStatus::Ok => "OK",
        CheckStatus::Impaired => "IMPAIRED",
        CheckStatus::InsufficientData => "INSUFFICIENT_DATA",
        CheckStatus::Initializing => "INITIALIZING",
        CheckStatus::Other => "of unknown status",
    }
}

fn state_word(state: Ec2State) -> &'static str {
    match state {
        Ec2State::Pending => "pending",
        Ec2State::Running => "running",
        Ec2State::Stopping => "stopping",
        Ec2State::Stopped => "stopped",
        Ec2State::ShuttingDown => "shutting down",
        Ec2State::Terminated => "terminated",
        Ec2State::Gone => "unknown to EC2",
        Ec2State::Other => "in an unknown state",
    }
}
