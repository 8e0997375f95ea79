//! I14, convergence: once nothing goes wrong any more, what is believed is what is true after one sweep; and the order
//! in which the same events came makes no difference.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Violation, history::text};
use crate::{
    direct::answers::listed_hosts,
    world::{CheckStatus, ClusterId, HostId, HostStatus, World},
};

/// How late an event may be when nothing goes wrong.
const LATE_MS: i64 = 30_000;

/// Compares a roll call (as JSON, the form that `muster scan` prints) with the world as it is now.
pub fn judge(world: &World, roll_call: &Value) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut wrong = |what: String| found.push(Violation { invariant: "I14", at: world.now, what });
    let clusters = roll_call.get("clusters").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for (number, cluster) in world.clusters.iter().enumerate() {
        let view = clusters.iter().find(|view| text(view, "arn") == cluster.arn);
        let Some(view) = view else {
            if cluster.active {
                wrong(format!("{} is missing from the roll call", cluster.arn));
            }
            continue;
        };
        let hosts = view.get("hosts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let mut shown: BTreeMap<&str, &Value> = BTreeMap::new();
        for host in hosts {
            match host.get("arn").and_then(Value::as_str) {
                Some(arn) => {
                    if shown.insert(arn, host).is_some() {
                        wrong(format!("{arn} is in the roll call twice"));
                    }
                }
                None => {
                    if let Some(what) = judge_unregistered(world, host) {
                        wrong(what);
                    }
                }
            }
        }
        for host in listed_hosts(world, ClusterId(number as u32)) {
            let arn = world.host_arn(host);
            match shown.remove(arn.as_str()) {
                None => wrong(format!("{arn} is missing from the roll call")),
                Some(view) => {
                    for what in judge_host(world, host, view) {
                        wrong(format!("{arn}: {what}"));
                    }
                }
            }
        }
        for (arn, _) in shown.into_iter().filter(|(arn, _)| !left_just_now(world, arn)) {
            wrong(format!("{arn} is in the roll call and not in the cluster"));
        }
    }
    found
}

/// The event that tells of it may be under way still: what muster deregisters itself may be the last that happens.
fn left_just_now(world: &World, arn: &str) -> bool {
    let hosts = (0..world.hosts.len()).rev().map(|number| HostId(number as u32));
    let mut left = hosts.filter(|host| world.host_arn(*host) == arn).filter_map(|host| world.host(host));
    left.next()
        .is_some_and(|host| host.said.status == HostStatus::Inactive && world.now.since(host.said.updated_at) < LATE_MS)
}

fn judge_host(world: &World, id: HostId, view: &Value) -> Vec<String> {
    let Some((host, machine)) = world.host(id).and_then(|host| Some((host, world.machine(host.machine)?))) else {
        return vec!["it does not exist".to_owned()];
    };
    let mut wrong = Vec::new();
    let mut same = |field: &str, expected: &str| {
        if text(view, field) != expected {
            wrong.push(format!("{field} is `{}`, in truth `{expected}`", text(view, field)));
        }
    };
    same("ec2_instance_id", &world.machine_id(host.machine));
    same("agent_version", world.text(machine.agent.version));
    if !machine.external {
        let zone = world.place(machine.place).and_then(|place| place.zones.get(usize::from(machine.zone)));
        same("zone", zone.map_or("", |zone| &zone.name));
        same("instance_type", machine.kind.get().name);
        same("ami", world.text(machine.ami));
    }
    let running = view.get("running_tasks").and_then(Value::as_u64);
    if running != Some(u64::from(host.said.running)) {
        wrong.push(format!("running_tasks is {running:?}, in truth {}", host.said.running));
    }
    let verdict = text(view, "verdict");
    let may_be: &[&str] = match (host.said.status, host.said.connected) {
        (HostStatus::RegistrationFailed, _) => &["registration-failed"],
        (HostStatus::Registering | HostStatus::Deregistering, _) => &["changing"],
        (HostStatus::Inactive, _) => &[],
        (_, false) => {
            &["suspected", "agent-lost", "host-down", "host-impaired", "ghost", "external-offline", "doubt", "flapping"]
        }
        (_, true) if host.runtime.status == CheckStatus::Impaired => &["runtime-impaired", "host-impaired"],
        (_, true) if !machine.instance_ok || !machine.system_ok => &["host-impaired"],
        (HostStatus::Draining, true) => &["draining", "drain-stuck", "flapping"],
        (HostStatus::Active, true) => &["present", "flapping"],
    };
    if !may_be.contains(&verdict) {
        let (status, connected) = (host.said.status.word(), host.said.connected);
        wrong.push(format!(
            "the verdict is `{verdict}`; ECS says {status}, agentConnected {connected}: one of {may_be:?}"
        ));
    }
    wrong
}

fn judge_unregistered(world: &World, view: &Value) -> Option<String> {
    let id = text(view, "ec2_instance_id");
    let Some(machine) = world.find_machine(id).and_then(|machine| world.machine(machine)) else {
        return Some(format!("`{id}` is in the roll call as never registered and is no machine"));
    };
    let registered =
        machine.host.and_then(|host| world.host(host)).is_some_and(|it| it.said.status != HostStatus::Inactive);
    registered.then(|| format!("{id} is in the roll call as never registered, but it is"))
}

/// What two roll calls over the same facts must have in common: every host with its verdict and what is believed of it,
/// without when it was heard.
pub fn essence(roll_call: &Value) -> BTreeMap<String, Value> {
    const FIELDS: [&str; 9] = [
        "ec2_instance_id",
        "verdict",
        "zone",
        "instance_type",
        "ami",
        "agent_version",
        "group",
        "running_tasks",
        "cluster",
    ];
    let clusters = roll_call.get("clusters").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let hosts =
        clusters.iter().flat_map(|it| it.get("hosts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default());
    let named = hosts.map(|host| {
        let name = if text(host, "arn").is_empty() { text(host, "ec2_instance_id") } else { text(host, "arn") };
        let fields = FIELDS.iter().map(|field| ((*field).to_owned(), host.get(*field).cloned().unwrap_or(Value::Null)));
        (name.to_owned(), Value::Object(fields.collect()))
    });
    named.collect()
}
