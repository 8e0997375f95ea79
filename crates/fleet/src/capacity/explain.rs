//! Why copies of a task are not placed: each host in a line, all in a sentence, and what would change it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    change::{Change, Wanted},
    fit::{Answer, HostFit},
    headroom::Availability,
    limit::{Limit, counted},
    placement::Placement,
    shape::TaskShape,
    twin::Twin,
};
use crate::state::Fleet;

/// Why so many copies fit, or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// One sentence.
    pub summary: String,
    /// Copies asked for.
    pub wanted: u64,
    /// Copies that fit now.
    pub fit: u64,
    /// Of those, copies on hosts in no trouble, with interfaces that are certainly there.
    pub sure: u64,
    /// Each host, in the order of the ARNs.
    pub hosts: Vec<HostVerdict>,
    /// What AWS said, and whether the facts agree.
    pub aws: Option<AwsReason>,
    /// Changes after which all copies fit, each tried, those that disturb the least first.
    pub changes: Vec<Change>,
}

/// One host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostVerdict {
    /// Container instance ARN.
    pub arn: String,
    /// Copies that fit on it.
    pub copies: u32,
    /// What stops the next.
    pub limit: Option<Limit>,
    /// Whether its room can be relied on.
    pub availability: Availability,
    /// All of that in a line, with the figures.
    pub line: String,
}

/// What AWS said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwsReason {
    /// `RESOURCE:ENI`, `AGENT`, …: as written.
    pub reason: String,
    /// A sentence that joins it with what is believed.
    pub sentence: String,
}

impl Fleet {
    /// Why so many more copies of a task fit on the hosts of a cluster, or do not. `reason`: what the last
    /// SERVICE_TASK_PLACEMENT_FAILURE said.
    pub fn explain(
        &self,
        cluster: &str,
        shape: &TaskShape,
        placement: &Placement,
        copies: u64,
        reason: Option<&str>,
        _now: Timestamp,
    ) -> Explanation {
        let twin = Twin::of(self, cluster);
        let answer = twin.fit(shape, placement);
        let mut hosts: Vec<HostVerdict> =
            answer.hosts.iter().enumerate().map(|(seat, host)| twin.verdict(seat, host, shape)).collect();
        hosts.sort_by(|a, b| a.arn.cmp(&b.arn));
        Explanation {
            summary: summary(&answer, shape, placement, copies),
            wanted: copies,
            fit: answer.copies,
            sure: answer.sure,
            hosts,
            aws: reason.map(|reason| joined(reason, &answer)),
            changes: twin.changes(Wanted { shape, placement, copies }, &answer),
        }
    }
}

/// What people call the task.
fn called<'n>(shape: &'n TaskShape, placement: &'n Placement) -> &'n str {
    let group = placement.group.as_deref().map(|group| group.strip_prefix("service:").unwrap_or(group));
    match group.unwrap_or(&shape.family) {
        "" => "the task",
        name => name,
    }
}

fn summary(answer: &Answer, shape: &TaskShape, placement: &Placement, wanted: u64) -> String {
    let name = called(shape, placement);
    let tasks = |count: u64| if count == 1 { "1 task".to_owned() } else { format!("{count} tasks") };
    if answer.copies >= wanted {
        let unsure = match answer.copies - answer.sure.min(answer.copies) {
            0 => String::new(),
            some => format!(", {some} of them on hosts in trouble or interfaces that may not be there"),
        };
        return match answer.copies {
            copies if copies >= u64::from(u32::MAX) => format!("nothing that {name} needs runs out"),
            copies => format!("{} more of {name} fit{}{unsure}", tasks(copies), if copies == 1 { "s" } else { "" }),
        };
    }
    let missing = tasks(wanted - answer.copies);
    let all = answer.hosts.len();
    if all == 0 {
        return format!("{missing} of {name} cannot be placed: the cluster has no hosts");
    }
    let mut kinds: BTreeMap<&Limit, usize> = BTreeMap::new();
    for limit in answer.hosts.iter().filter_map(|host| host.limit.as_ref()) {
        *kinds.entry(limit).or_default() += 1;
    }
    let mut kinds: Vec<(&Limit, usize)> = kinds.into_iter().collect();
    kinds.sort_by_key(|(limit, count)| (std::cmp::Reverse(*count), std::cmp::Reverse(limit.closeness())));
    let more = kinds.len().saturating_sub(4);
    let mut why: Vec<String> = kinds.iter().take(4).map(|(limit, count)| limit.of_hosts(*count, all)).collect();
    if more > 0 {
        why.push(format!("and {} more", counted(more, "reason")));
    }
    format!("{missing} of {name} cannot be placed: {}", why.join(", "))
}

/// What AWS said beside what is believed. It names the closest host alone, and repeats itself for hours.
fn joined(reason: &str, answer: &Answer) -> AwsReason {
    let told: Vec<&str> = reason.split(',').map(str::trim).filter(|told| !told.is_empty()).collect();
    let alike = |limit: &Limit| told.iter().any(|told| told.eq_ignore_ascii_case(limit.reason()));
    let hosts = answer.hosts.iter().filter(|host| host.limit.as_ref().is_some_and(alike)).count();
    let all = answer.hosts.len();
    let sentence = match (hosts, answer.copies) {
        (0, 0) => format!("AWS says {reason}; no host is stopped by that any more, as far as is known"),
        (0, _) => format!("AWS said {reason}; that is over, as far as is known"),
        _ => format!("AWS says {reason}, and so do the facts for {hosts} of {}", counted(all, "host")),
    };
    AwsReason { reason: reason.to_owned(), sentence }
}

impl Twin<'_> {
    fn verdict(&self, number: usize, host: &HostFit, shape: &TaskShape) -> HostVerdict {
        let arn = host.slot.map(|slot| self.fleet.host_arn(slot)).unwrap_or_default();
        let copies = match host.copies {
            0 => "takes none".to_owned(),
            u32::MAX => "takes any number".to_owned(),
            1 => "takes 1 more".to_owned(),
            many => format!("takes {many} more"),
        };
        let why = host.limit.as_ref().map(|limit| format!(": {}", self.figures(number, limit, host, shape)));
        let doubt = match host.availability {
            Availability::Suspected | Availability::MachineDown if host.copies > 0 => {
                format!("; do not rely on it ({})", host.availability.word())
            }
            _ => String::new(),
        };
        HostVerdict {
            arn,
            copies: host.copies,
            limit: host.limit.clone(),
            availability: host.availability,
            line: format!("{copies}{}{doubt}", why.unwrap_or_default()),
        }
    }

    /// What stops the next copy on one host, with the figures.
    fn figures(&self, number: usize, limit: &Limit, host: &HostFit, shape: &TaskShape) -> String {
        let seat = self.seats.get(number);
        let left = seat.and_then(|seat| seat.left).unwrap_or_default();
        let used = |each: u32| u64::from(each) * u64::from(host.copies);
        let after = |left: u32, each: u32| u64::from(left).saturating_sub(used(each));
        let then = if host.copies > 0 { " then" } else { "" };
        match limit {
            Limit::Status => format!("the host is {}", host.availability.word()),
            Limit::Agent => "its agent is not connected".to_owned(),
            Limit::Provider => "it is of another capacity provider".to_owned(),
            Limit::LaunchType => "it is of another launch type".to_owned(),
            Limit::Attribute(name) => format!("it lacks the attribute {name} that the task requires"),
            Limit::Os => "it has another operating system or processor architecture".to_owned(),
            Limit::Location(zone) => format!("the task has no subnet in {zone}"),
            Limit::MemberOf(text) => format!("`{text}` does not hold{then}"),
            Limit::DistinctInstance if host.copies > 0 => "each host takes one of its group alone".to_owned(),
            Limit::DistinctInstance => "a task of its group is on it already".to_owned(),
            Limit::Cpu => {
                let (free, needs) = (after(left.cpu_units, shape.cpu_units), shape.cpu_units);
                format!("{free} CPU units are{then} free, a copy needs {needs}")
            }
            Limit::Memory => {
                let (free, needs) = (after(left.memory_mib, shape.memory_mib), shape.memory_mib);
                format!("{free} MiB of memory are{then} free, a copy needs {needs}")
            }
            Limit::Port(port) => format!("port {port} is{then} taken"),
            Limit::Gpu => {
                let free = seat.map_or(0, |seat| after(seat.gpus.into(), shape.gpus));
                format!("{free} GPUs are{then} free, a copy needs {}", shape.gpus)
            }
            Limit::Interfaces => {
                let held = seat.map_or(0, |seat| u32::from(seat.slots.held));
                let all = seat.and_then(|seat| seat.slots.free).unwrap_or(0).saturating_add(held);
                let trunk = seat.is_some_and(|seat| seat.slots.trunk);
                let trunk = if trunk { "with a trunk" } else { "without a trunk" };
                format!("all {all} ENI slots are{then} held ({trunk})")
            }
            Limit::SubnetAddresses(subnets) => format!("{subnets} has{then} no free addresses"),
            Limit::Unknown(why) => format!("it is not known: {why}"),
        }
    }
}
