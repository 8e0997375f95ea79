//! From the lines of a timeline to what is planned.

use std::ops::Range;

use toml::Spanned;

use super::{
    Mistake,
    file::{At, File},
    words,
};
use crate::{
    clock::Moment,
    timeline::{Act, Cohort, Deed, Planned, ToMachine},
    world::{Boots, ClusterId, GroupId, PlaceId, ServiceId, World},
};

/// Everything a line can do, for messages.
const DEEDS: &[&str] = &[
    "agent-crash",
    "agent-stop",
    "agent-hang",
    "agent-restart",
    "agent-flap",
    "network-cut",
    "docker-sick",
    "machine-stop",
    "machine-start",
    "machine-terminate",
    "machine-break",
    "machine-reboot",
    "ssm-stop",
    "maintenance",
    "rebalance",
    "spot-notice",
    "mass-reconnect",
    "drain",
    "undrain",
    "deregister",
    "zone-loss",
    "control-plane-down",
    "bad-image",
    "scale",
    "launches-fail",
    "limits",
    "suspend",
    "deploy",
    "desired-count",
    "run-tasks",
    "protect-tasks",
    "attach-interfaces",
    "free-addresses",
    "tag",
    "delete-cluster",
    "faults",
];

/// Plans the whole timeline. The world must hold everything the file describes.
pub(super) fn timeline(file: &File, world: &World, start: Moment) -> Result<Vec<Planned>, Mistake> {
    let mut plans = Vec::new();
    for line in &file.at {
        Line { line: line.get_ref(), span: line.span(), world, start, plans: &mut plans, file }.plan()?;
    }
    Ok(plans)
}

struct Line<'a> {
    line: &'a At,
    span: Range<usize>,
    world: &'a World,
    start: Moment,
    plans: &'a mut Vec<Planned>,
    file: &'a File,
}

impl Line<'_> {
    fn mistake(&self, what: impl Into<String>) -> Mistake {
        Mistake { span: self.span.clone(), what: what.into() }
    }

    fn need<'b, T>(&self, field: &'b Option<T>, name: &str, example: &str) -> Result<&'b T, Mistake> {
        field.as_ref().ok_or_else(|| self.mistake(format!("this line needs `{name} = {example}`")))
    }

    fn add(&mut self, at: Moment, deed: Deed) {
        self.plans.push(Planned { at, act: Act::World(deed) });
    }

    fn plan(mut self) -> Result<(), Mistake> {
        let line = self.line;
        let at = self.start.plus(words::duration(self.need(&line.time, "time", "\"10m\"")?)?);
        let what = self.need(&line.what, "do", "\"agent-stop\"")?;
        let until = match &line.lasting {
            Some(lasting) => Some(at.plus(words::duration(lasting)?)),
            None => None,
        };
        let every = match &line.every {
            Some(every) => Some(words::duration(every)?),
            None => None,
        };
        let (deed, undo) = match what.get_ref().as_str() {
            "agent-crash" => (ToMachine::AgentCrash, None),
            "agent-stop" => (ToMachine::AgentStop, Some(ToMachine::AgentRestart)),
            "agent-hang" => (ToMachine::AgentHang, Some(ToMachine::AgentRestart)),
            "agent-restart" => (ToMachine::AgentRestart, None),
            "agent-flap" => {
                let every_ms = every.unwrap_or(240_000).clamp(1_000, i64::from(u32::MAX)) as u32;
                (ToMachine::AgentFlap { every_ms }, Some(ToMachine::AgentSteady))
            }
            "network-cut" => (ToMachine::NetworkCut, Some(ToMachine::NetworkRestore)),
            "docker-sick" => (ToMachine::DockerSick, Some(ToMachine::DockerRecover)),
            "machine-stop" => (ToMachine::MachineStop, Some(ToMachine::MachineStart)),
            "machine-start" => (ToMachine::MachineStart, None),
            "machine-terminate" => (ToMachine::MachineTerminate, None),
            "machine-break" => (ToMachine::MachineBreak, Some(ToMachine::MachineRepair)),
            "machine-reboot" => (ToMachine::MachineReboot, None),
            "ssm-stop" => (ToMachine::SsmStop, Some(ToMachine::SsmStart)),
            "maintenance" => (ToMachine::Maintenance, Some(ToMachine::MaintenanceOver)),
            "rebalance" => (ToMachine::Rebalance, None),
            "spot-notice" => (ToMachine::SpotNotice, None),
            "mass-reconnect" => {
                let within_ms = every.unwrap_or(5_000).clamp(1, i64::from(u32::MAX)) as u32;
                (ToMachine::MassReconnect { within_ms }, None)
            }
            "drain" => (ToMachine::Drain, Some(ToMachine::Undrain)),
            "undrain" => (ToMachine::Undrain, None),
            "deregister" => (ToMachine::Deregister, None),
            _ => return self.plan_other(at, what, until),
        };
        let whom = self.cohort()?;
        self.add(at, Deed::Machines { what: deed, whom: whom.clone() });
        match (until, undo) {
            (Some(until), Some(undo)) => self.add(until, Deed::Machines { what: undo, whom }),
            (Some(_), None) => {
                return Err(self.mistake(format!("`{}` cannot be undone: leave `for` out", what.get_ref())));
            }
            _ => {}
        }
        Ok(())
    }

    fn plan_other(mut self, at: Moment, what: &Spanned<String>, until: Option<Moment>) -> Result<(), Mistake> {
        let line = self.line;
        match what.get_ref().as_str() {
            "zone-loss" => {
                let (place, zone) = words::zone(self.world, self.need(&line.zone, "zone", "\"eu-central-1b\"")?)?;
                self.add(at, Deed::Zone { place, zone, lost: true });
                if let Some(until) = until {
                    self.add(until, Deed::Zone { place, zone, lost: false });
                }
            }
            "control-plane-down" => {
                let Some(until) = until else { return Err(self.mistake("this line needs `for = \"5m\"`")) };
                let place = self.place()?.unwrap_or(PlaceId(0));
                self.add(at, Deed::ControlPlane { place, for_ms: until.since(at) });
            }
            "bad-image" => {
                let group = self.group(self.need(&line.group, "group", "\"prod-a\"")?)?;
                let boots = match &line.boots {
                    None => Boots::AgentDies,
                    Some(boots) => match boots.get_ref().as_str() {
                        "well" => Boots::Well,
                        "never-registers" => Boots::NeverRegisters,
                        "agent-dies" => Boots::AgentDies,
                        "registration-fails" => Boots::RegistrationFails,
                        other => {
                            let choices = ["well", "never-registers", "agent-dies", "registration-fails"];
                            return Err(words::unknown(boots.span(), "what a machine does", other, &choices));
                        }
                    },
                };
                let agent_version = line.agent.clone().unwrap_or_else(|| "1.106.0".into());
                self.add(at, Deed::Image { group, boots, agent_version, share: line.share.unwrap_or(0.0) });
            }
            "scale" => {
                let group = self.group(self.need(&line.group, "group", "\"prod-a\"")?)?;
                let to = *self.need(&line.to, "to", "12")?;
                self.add(at, Deed::Scale { group, to });
            }
            "launches-fail" => {
                let group = self.group(self.need(&line.group, "group", "\"prod-a\"")?)?;
                let message = line.message.clone().unwrap_or_else(|| {
                    "We currently do not have sufficient capacity in the Availability Zone you requested.".into()
                });
                self.add(at, Deed::LaunchesFail { group, message: Some(message) });
                if let Some(until) = until {
                    self.add(until, Deed::LaunchesFail { group, message: None });
                }
            }
            "limits" => {
                let group = self.group(self.need(&line.group, "group", "\"prod-a\"")?)?;
                self.add(at, Deed::Limits { group, min: line.min, max: line.max });
                if let Some(until) = until {
                    let held = self.world.group(group).map(|held| (held.min, held.max));
                    let (min, max) = held.unzip();
                    self.add(until, Deed::Limits { group, min, max });
                }
            }
            "suspend" => {
                let group = self.group(self.need(&line.group, "group", "\"prod-a\"")?)?;
                let process = words::process(self.need(&line.process, "process", "\"Launch\"")?)?;
                self.add(at, Deed::Suspend { group, process: process.clone(), suspended: true });
                if let Some(until) = until {
                    self.add(until, Deed::Suspend { group, process, suspended: false });
                }
            }
            "run-tasks" => {
                let service = self.service(self.need(&line.service, "service", "\"prod-a/api\"")?)?;
                self.add(at, Deed::RunTasks { service, count: line.count.unwrap_or(1) });
            }
            "protect-tasks" => {
                let service = self.service(self.need(&line.service, "service", "\"prod-a/api\"")?)?;
                self.add(at, Deed::ProtectTasks { service, protected: true });
                if let Some(until) = until {
                    self.add(until, Deed::ProtectTasks { service, protected: false });
                }
            }
            "attach-interfaces" => {
                let to = u8::try_from(*self.need(&line.to, "to", "1")?).unwrap_or(u8::MAX);
                let whom = self.cohort()?;
                self.add(at, Deed::AttachInterfaces { whom: whom.clone(), to });
                if let Some(until) = until {
                    self.add(until, Deed::AttachInterfaces { whom, to: 0 });
                }
            }
            "free-addresses" => {
                let (place, zone) = words::zone(self.world, self.need(&line.zone, "zone", "\"eu-central-1b\"")?)?;
                let to = *self.need(&line.to, "to", "3")?;
                self.add(at, Deed::FreeAddresses { place, zone, to: Some(to) });
                if let Some(until) = until {
                    self.add(until, Deed::FreeAddresses { place, zone, to: None });
                }
            }
            "tag" => {
                if line.tags.is_empty() {
                    return Err(self.mistake("this line needs `tags = { name = \"value\" }`"));
                }
                let tags = line.tags.clone().into_iter().collect();
                let whom = self.cohort()?;
                self.add(at, Deed::Tag { whom, tags });
            }
            "deploy" => {
                let service = self.service(self.need(&line.service, "service", "\"prod-a/api\"")?)?;
                self.add(at, Deed::Deploy { service });
            }
            "desired-count" => {
                let service = self.service(self.need(&line.service, "service", "\"prod-a/api\"")?)?;
                let to = *self.need(&line.to, "to", "12")?;
                self.add(at, Deed::DesiredCount { service, to });
            }
            "delete-cluster" => {
                let cluster = self.cluster(self.need(&line.cluster, "cluster", "\"prod-a\"")?)?;
                self.add(at, Deed::DeleteCluster { cluster });
            }
            "faults" => {
                let faults = self.need(&line.faults, "faults", "{ api = { throttle = 0.5 } }")?.clone();
                self.plans.push(Planned { at, act: Act::Faults(Box::new(faults)) });
                if let Some(until) = until {
                    self.plans.push(Planned { at: until, act: Act::Faults(Box::new(self.file.faults.clone())) });
                }
            }
            other => return Err(words::unknown(what.span(), "thing to do", other, DEEDS)),
        }
        Ok(())
    }

    fn cohort(&self) -> Result<Cohort, Mistake> {
        let line = self.line;
        let mut cohort = Cohort {
            place: self.place()?,
            agent_version: line.agent.clone(),
            external: line.external,
            share: line.share.unwrap_or(1.0),
            count: line.count,
            ..Cohort::default()
        };
        if let Some(host) = &line.host {
            let split =
                host.get_ref().rsplit_once('/').and_then(|(name, number)| Some((name, number.parse::<u32>().ok()?)));
            let Some((name, number @ 1..)) = split else {
                let what = format!("`{}` is no host: write CLUSTER/NUMBER, the number from 1", host.get_ref());
                return Err(Mistake { span: host.span(), what });
            };
            let cluster = self.cluster(&Spanned::new(host.span(), name.to_owned()))?;
            let hosts = self.world.machines.iter().filter(|it| it.cluster == cluster).count();
            if number as usize > hosts {
                let what = format!("cluster `{name}` begins with {hosts} hosts; there is no number {number}");
                return Err(Mistake { span: host.span(), what });
            }
            (cohort.cluster, cohort.position) = (Some(cluster), Some(number - 1));
        }
        if let Some(cluster) = &line.cluster {
            cohort.cluster = Some(self.cluster(cluster)?);
        }
        if let Some(zone) = &line.zone {
            words::zone(self.world, zone)?;
            cohort.zone = Some(zone.get_ref().clone());
        }
        if let Some(group) = &line.group {
            cohort.group = Some(self.group(group)?);
        }
        let whole = cohort == Cohort { share: cohort.share, count: cohort.count, ..Cohort::default() };
        if whole && line.share.is_none() && line.count.is_none() {
            return Err(self.mistake(
                "to whom? Name a `host`, or a `cluster`, `zone`, `group`, `agent`, or a `share` or `count` of all hosts",
            ));
        }
        Ok(cohort)
    }

    fn place(&self) -> Result<Option<PlaceId>, Mistake> {
        let Some(region) = &self.line.region else { return Ok(None) };
        let places = &self.world.places;
        match places.iter().position(|place| place.region == *region.get_ref()) {
            Some(at) => Ok(Some(PlaceId(at as u32))),
            None => {
                let names: Vec<&str> = places.iter().map(|place| place.region.as_str()).collect();
                Err(words::unknown(region.span(), "region", region.get_ref(), &names))
            }
        }
    }

    fn cluster(&self, cluster: &Spanned<String>) -> Result<ClusterId, Mistake> {
        let clusters = &self.world.clusters;
        match clusters.iter().position(|found| found.name == *cluster.get_ref()) {
            Some(at) => Ok(ClusterId(at as u32)),
            None => {
                let names: Vec<&str> = clusters.iter().map(|cluster| cluster.name.as_str()).collect();
                Err(words::unknown(cluster.span(), "cluster", cluster.get_ref(), &names))
            }
        }
    }

    fn group(&self, group: &Spanned<String>) -> Result<GroupId, Mistake> {
        let groups = &self.world.groups;
        match groups.iter().position(|found| found.name == *group.get_ref()) {
            Some(at) => Ok(GroupId(at as u32)),
            None => {
                let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
                Err(words::unknown(group.span(), "group", group.get_ref(), &names))
            }
        }
    }

    fn service(&self, service: &Spanned<String>) -> Result<ServiceId, Mistake> {
        let full = |id: usize| {
            let found = &self.world.services[id];
            let cluster = self.world.cluster(found.cluster).map_or("", |cluster| &cluster.name);
            format!("{cluster}/{}", found.name)
        };
        let names: Vec<String> = (0..self.world.services.len()).map(full).collect();
        match names.iter().position(|name| name == service.get_ref()) {
            Some(at) => Ok(ServiceId(at as u32)),
            None => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                Err(words::unknown(service.span(), "service", service.get_ref(), &names))
            }
        }
    }
}
