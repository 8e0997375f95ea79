//! What the model believes: each observation taken at its word, the plainest way.

use std::collections::HashSet;

use engine::ports::{
    Scope, Sweep,
    observation::{Attributes, Ec2State, Fact, InstanceStatus, LifecycleStage, Observation, ReachabilityStatus},
};

use super::Reference;

/// What a fact is about.
fn name<'f>(fact: &'f Fact<'_>) -> Option<&'f str> {
    match fact {
        Fact::Instance(fact) => Some(&fact.arn),
        Fact::AutoScaling(fact) => Some(&fact.instance_id),
        Fact::Ec2Status(fact) => Some(&fact.instance_id),
        _ => None,
    }
}

impl Reference {
    pub(super) fn sweep(&mut self, sweep: &Sweep<'_>, now: i64) {
        for observation in &sweep.found {
            self.observe(observation, now);
        }
        let named: HashSet<&str> = sweep.found.iter().filter_map(|it| name(&it.fact)).collect();
        match &sweep.scope {
            Scope::ClusterHosts(cluster) if sweep.complete => {
                self.hosts.retain(|arn, host| host.cluster != *cluster || named.contains(arn.as_str()));
            }
            Scope::Groups(_) if sweep.complete => {
                for (_, machine) in self.machines.iter_mut().filter(|(id, _)| !named.contains(id.as_str())) {
                    machine.group.clear();
                }
            }
            _ => {}
        }
        self.named = named.iter().map(|name| (*name).to_owned()).collect();
        let of_hosts = matches!(sweep.scope, Scope::ClusterHosts(_) | Scope::Hosts { .. });
        for case in self.cases.values_mut().filter(|case| of_hosts || case.trouble != "agent-away") {
            case.looks += i64::from(case.trouble == "host-impaired" || named.contains(case.subject.as_str()));
        }
    }

    pub(super) fn observe(&mut self, observation: &Observation<'_>, now: i64) {
        let at = observation.at.as_millisecond();
        match &observation.fact {
            Fact::Instance(fact) => {
                if fact.status == InstanceStatus::Inactive {
                    self.hosts.remove(fact.arn.as_ref());
                    return;
                }
                let fresh = !self.hosts.contains_key(fact.arn.as_ref());
                let host = self.hosts.entry(fact.arn.to_string()).or_default();
                if fact.version.is_some_and(|version| version < host.version) {
                    return;
                }
                host.version = fact.version.unwrap_or(host.version);
                host.cluster = fact.cluster.to_string();
                if let Some(id) = &fact.ec2_instance_id {
                    host.machine = id.to_string();
                }
                host.serves = matches!(fact.status, InstanceStatus::Active | InstanceStatus::Draining);
                if let Some(connected) = fact.agent_connected {
                    host.away = !connected;
                }
                host.registered_at = fact.registered_at.map_or(host.registered_at, |at| at.as_millisecond());
                if !matches!(fact.attributes, Attributes::Absent) {
                    let read = fact.attributes.read();
                    let own = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().unwrap_or("").to_owned();
                    let version = fact.agent_version.as_deref().unwrap_or("").to_owned();
                    host.traits =
                        [own(&read.zone), version, own(&read.ami), own(&read.subnet), own(&read.instance_type)];
                    let (marks, ..) = self.plain.protection();
                    let found = |mark: &String| match mark.split_once('=') {
                        Some((name, value)) => read.marks.iter().any(|(n, v)| n == name && v == value),
                        None => read.marks.iter().any(|(name, value)| name == mark && value != "false"),
                    };
                    host.protected_by = marks.into_iter().find(found);
                }
                let (machine, connected) = (host.machine.clone(), !host.away);
                if fresh && connected {
                    let group = self.machines.get(&machine).map(|it| it.group.clone()).unwrap_or_default();
                    let arn = fact.arn.to_string();
                    let expected = self.arrivals.iter_mut().find(|it| it.1 == group && it.3.is_none());
                    if let Some(expected) = expected {
                        expected.3 = Some(arn);
                    }
                }
            }
            Fact::InstanceMissing { arn } => drop(self.hosts.remove(arn.as_ref())),
            Fact::Task(fact) => {
                let over = fact.last_status.is_over();
                match (&fact.instance, &fact.group) {
                    (Some(host), Some(group)) if !over => {
                        self.tasks.insert(fact.arn.to_string(), (host.to_string(), group.to_string()));
                    }
                    _ => drop(self.tasks.remove(fact.arn.as_ref())),
                }
            }
            Fact::Ec2State { instance_id, state } => self.machine_state(instance_id, *state, at, now),
            Fact::Ec2Status(fact) => {
                self.machine_state(&fact.instance_id, fact.state, at, now);
                let machine = self.machines.entry(fact.instance_id.to_string()).or_default();
                machine.impaired = [fact.system, fact.instance].contains(&ReachabilityStatus::Impaired);
            }
            Fact::AutoScaling(fact) => {
                let machine = self.machines.entry(fact.instance_id.to_string()).or_default();
                machine.zone = fact.zone.as_deref().unwrap_or("").to_owned();
                machine.group = fact.group.to_string();
                machine.template = fact.launch_template.as_deref().unwrap_or("").to_owned();
            }
            Fact::Lifecycle(fact) => {
                let group = if fact.stage == LifecycleStage::Terminated { "" } else { &*fact.group };
                let machine = self.machines.entry(fact.instance_id.to_string()).or_default();
                machine.group = group.to_owned();
            }
            Fact::Ssm(fact) => {
                let machine = self.machines.entry(fact.instance_id.to_string()).or_default();
                (machine.online, machine.ping_at) = (fact.online, now);
            }
            _ => {}
        }
    }

    pub(super) fn machine_state(&mut self, id: &str, state: Ec2State, at: i64, now: i64) {
        let machine = self.machines.entry(id.to_owned()).or_default();
        if at >= machine.at {
            (machine.at, machine.state, machine.status_at) = (at, Some(state), now);
        }
    }
}
