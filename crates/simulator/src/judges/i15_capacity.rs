//! I15, capacity: once nothing goes wrong any more, what is counted as free is what is free; and whoever scales a group
//! out does so within its limits, once for a shortage, and not while its launches fail. For a declared headroom a group never
//! grows past what is declared, nothing is done where ECS sizes it, and no host goes but an empty one that nobody protects.

use serde_json::Value;

use super::{Conditions, History, Violation, history::text};
use crate::{
    clock::{MINUTE, Moment},
    direct::answers::listed_hosts,
    map::HashMap,
    world::{ClusterId, HostId, Scaled, Scaler, World, placement::Protocol},
};

/// How long somebody may take to hear that a launch has failed.
const HEARD_MS: i64 = MINUTE;

/// Whoever has not heard of a failure for so long may try again.
const PATIENCE_MS: i64 = 5 * MINUTE;

/// Judges every call that changed a group's desired capacity, or tried to.
pub fn judge(world: &World) -> Vec<Violation> {
    let calls = world.scaled.iter().filter(|scaled| scaled.by != Scaler::Provider);
    calls
        .filter_map(|scaled| Some(Violation { invariant: "I15", at: scaled.at, what: wrong(world, scaled)? }))
        .collect()
}

fn wrong(world: &World, scaled: &Scaled) -> Option<String> {
    let Scaled { from, to, max, .. } = scaled;
    // What never could be launched is not on its way.
    let coming = scaled.coming + if scaled.failed_at.is_none() { scaled.unlaunched } else { 0 };
    let group = world.group(scaled.group).map_or("", |group| &group.name);
    if to > max {
        return Some(format!("group {group} was to have {to} members; it may have {max}"));
    }
    if to <= from {
        return None;
    }
    if coming > 0 {
        return Some(format!("group {group} was raised from {from} to {to} while {coming} members were on their way"));
    }
    // Auto Scaling itself tries again and again: the newest failure may be a moment old, the first one counts.
    scaled.failing_since.filter(|at| scaled.at.since(*at) >= HEARD_MS)?;
    let failed_at = scaled.failed_at.filter(|at| scaled.at.since(*at) < PATIENCE_MS)?;
    Some(format!(
        "group {group} was raised from {from} to {to} although its last launch failed at {}",
        failed_at.iso_secs()
    ))
}

/// Judges every call that was made for a declared headroom, by the declaration and the truth at that moment.
pub fn judge_keeping(history: &History, conditions: &Conditions) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut gone: Vec<(&str, &str, Moment)> = Vec::new();
    for call in history.calls.iter().filter(|call| call.keeps_room() && call.was_made()) {
        let mut wrong = |what: String| {
            let what = format!("case {}: {} of {}: {what}", call.case().1, call.act(), call.target("group"));
            found.push(Violation { invariant: "I15", at: call.at, what });
        };
        let Some(keep) = conditions.policy.headroom(call.target("cluster")) else {
            wrong("no headroom is declared there".to_owned());
            continue;
        };
        let number = |name: &str, default: i64| keep["declared"][name].as_i64().unwrap_or(default);
        let then = &call.then;
        // What undoes a drain, or saves what is known, moves nothing.
        if matches!(call.act(), "undrain" | "save-evidence" | "deregister") {
            continue;
        }
        if then.managed {
            wrong("ECS's managed scaling sizes the group".to_owned());
        }
        let (_, least, most) = then.group_size;
        let to = call.intent["act"]["set-desired"]["to"].as_i64();
        match call.act() {
            "set-desired" if to > Some(number("max_hosts", 0)) => {
                wrong(format!("{to:?} hosts, {} are declared at most", number("max_hosts", 0)));
            }
            "execute-policy" if i64::from(most) > number("max_hosts", 0) => {
                wrong(format!("the policy may go up to {most} hosts, {} are declared at most", number("max_hosts", 0)));
            }
            "set-desired" | "execute-policy" => {}
            act => {
                if keep["declared"]["scale_in"].as_bool() != Some(true) {
                    wrong("no host is to go".to_owned());
                }
                // What an observer is told may be as old as the account lets it be.
                if conditions.stale_ms > 0 {
                    continue;
                }
                if then.scale_in_protected {
                    wrong(format!("{} is protected from scale-in", call.target("machine")));
                }
                if then.busy > 0 {
                    wrong(format!("{} tasks are on {}", then.busy, call.target("machine")));
                }
                if !then.connected {
                    wrong(format!("the agent of {} is away", call.target("machine")));
                }
                let floor = i64::from(least).max(number("min_hosts", 0));
                if act != "drain" && i64::from(then.group_size.0) <= floor {
                    wrong(format!("the group has {} hosts and at least {floor} are to stay", then.group_size.0));
                }
                if act == "drain" && then.status != "ACTIVE" && then.status != "DRAINING" {
                    wrong(format!("{} is {}", call.target("machine"), then.status));
                }
                if act != "drain" {
                    let slow_ms = number("scale_in_after_secs", 3_600) * 1000;
                    let lately = gone.iter().any(|(group, machine, at)| {
                        *group == call.target("group")
                            && *machine != call.target("machine")
                            && call.at.since(*at) < slow_ms / 2
                    });
                    if lately && !conditions.clock_stepped && history.crashes.is_empty() {
                        wrong("another host went a short while ago".to_owned());
                    }
                    gone.push((call.target("group"), call.target("machine"), call.at));
                }
            }
        }
    }
    found
}

/// Compares what is said to be free in the clusters (as JSON, the form that `muster capacity` prints, with hosts) with the
/// world as it is now.
pub fn judge_accounting(world: &World, headroom: &[Value]) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut wrong = |what: String| found.push(Violation { invariant: "I15", at: world.now, what });
    for (number, cluster) in world.clusters.iter().enumerate().filter(|(_, cluster)| cluster.active) {
        let Some(view) = headroom.iter().find(|view| text(view, "cluster") == cluster.arn) else {
            wrong(format!("nothing is said of the room in {}", cluster.arn));
            continue;
        };
        let shown = view.get("hosts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let shown: HashMap<&str, &Value> = shown.iter().map(|view| (text(view, "arn"), view)).collect();
        for host in listed_hosts(world, ClusterId(number as u32)) {
            let arn = world.host_arn(host);
            match shown.get(arn.as_str()) {
                None => wrong(format!("nothing is said of the room on {arn}")),
                Some(view) => {
                    judge_host(world, host, view).into_iter().for_each(|what| wrong(format!("{arn}: {what}")))
                }
            }
        }
    }
    found
}

/// What is wrong with what is said of one host.
fn judge_host(world: &World, id: HostId, view: &Value) -> Vec<String> {
    let Some(host) = world.host(id) else { return vec!["it does not exist".to_owned()] };
    let (Some(has), Some(machine)) = (world.resources(id, &host.said), world.machine(host.machine)) else {
        return vec!["it has no machine".to_owned()];
    };
    let mut wrong = Vec::new();
    let mut same = |what: &str, said: &Value, truth: Value| {
        if *said != truth {
            wrong.push(format!("{what} is {said}, in truth {truth}"));
        }
    };
    let free = |left: i32| Value::from(u64::try_from(left).unwrap_or(0));
    same("free CPU", &view["cpu_units"]["free"], free(has.cpu_left));
    same("CPU", &view["cpu_units"]["total"], free(has.cpu));
    same("free memory", &view["memory_mib"]["free"], free(has.memory_left_mib));
    same("memory", &view["memory_mib"]["total"], free(has.memory_mib));
    let gpus_left = u32::from(has.gpus).saturating_sub(has.gpus_taken.count_ones());
    same("free GPUs", &view["gpus"]["free"], Value::from(gpus_left));
    for (name, protocol) in [("tcp_ports_taken", Protocol::Tcp), ("udp_ports_taken", Protocol::Udp)] {
        let mut taken = world.ports_taken(id, &host.said, protocol, true);
        taken.sort_unstable();
        same(name, &view[name], Value::from(taken));
    }
    same("trunk", &view["trunk"], Value::from(host.trunk));
    // A type that no table lists may be without a number; a wrong number is worse than none.
    if !view["slots"].is_null() {
        let total = machine.kind.get().task_enis(host.trunk);
        let slots = &view["slots"]["scheduler"];
        same("free interfaces", &slots["free"], Value::from(total.saturating_sub(u32::from(host.said.enis))));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        judges::{Call, Plain, Then},
        scenario::Scenario,
        simulation::Simulation,
        world::GroupId,
    };

    fn simulation() -> Simulation {
        let text = "# Room.\n[[cluster]]\nname = \"a\"\n[[cluster.group]]\nname = \"g\"\nhosts = 2\nmax = 4\n\
                    [[cluster.service]]\nname = \"api\"\ntasks = 3\nnetwork = \"awsvpc\"\n";
        Scenario::parse("room", text).unwrap_or_else(|error| panic!("{error}")).begin(None)
    }

    fn told(simulation: &Simulation) -> Vec<String> {
        judge(&simulation.world).into_iter().map(|violation| violation.what).collect()
    }

    fn pass(simulation: &mut Simulation, minutes: i64) {
        let until = simulation.now().plus(minutes * MINUTE);
        simulation.advance_to(until, &mut Vec::new());
    }

    #[test]
    fn scaling_out_step_by_step_is_right_and_twice_for_one_shortage_is_wrong() {
        let mut simulation = simulation();
        let scale = |simulation: &mut Simulation, to| simulation.world.scale_by(GroupId(0), Scaler::Caller, to, false);
        scale(&mut simulation, 3).unwrap();
        pass(&mut simulation, 10);
        scale(&mut simulation, 4).unwrap();
        assert_eq!(told(&simulation), Vec::<String>::new());
        pass(&mut simulation, 10);
        scale(&mut simulation, 2).unwrap();
        pass(&mut simulation, 10);
        scale(&mut simulation, 3).unwrap();
        pass(&mut simulation, 1);
        scale(&mut simulation, 4).unwrap();
        assert_eq!(told(&simulation), ["group g was raised from 3 to 4 while 1 members were on their way"]);
    }

    #[test]
    fn asking_for_more_than_the_maximum_is_wrong_even_though_it_is_refused() {
        let mut simulation = simulation();
        assert!(simulation.world.scale_by(GroupId(0), Scaler::Caller, 9, false).is_err());
        assert_eq!(told(&simulation), ["group g was to have 9 members; it may have 4"]);
    }

    #[test]
    fn raising_a_group_whose_launches_fail_is_wrong_once_that_can_be_known() {
        let mut simulation = simulation();
        simulation.world.groups[0].launches_fail = Some("no capacity".to_owned());
        simulation.world.scale_by(GroupId(0), Scaler::Caller, 3, false).unwrap();
        pass(&mut simulation, 5);
        // What never was launched is not on its way.
        simulation.world.scale_by(GroupId(0), Scaler::Caller, 4, false).unwrap();
        let told = told(&simulation);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("group g was raised from 3 to 4 although its last launch failed at "), "{told:?}");
    }

    #[test]
    fn what_is_done_for_a_declared_headroom_keeps_to_it() {
        let declared = |scale_in: bool| {
            let keep =
                json!({"clusters": ["prod"], "declared": {"max_hosts": 5, "min_hosts": 2, "scale_in": scale_in}});
            Conditions { policy: Plain(json!({ "headroom": [keep] })), ..Conditions::default() }
        };
        let told = |remedy: &str, act: Value, change: &dyn Fn(&mut Then), scale_in: bool| {
            let mut then = Then { connected: true, status: "ACTIVE".into(), group_size: (4, 1, 9), ..Then::default() };
            change(&mut then);
            let target = json!({"cluster": "arn:c/prod", "group": "g", "machine": "i-1"});
            let intent = json!({"case": 1, "remedy": remedy, "act": act, "target": target, "token": "t"});
            let call = Call { at: Moment(0), by: 0, intent, again: false, then, ended: None };
            let history = History { calls: vec![call], ..History::default() };
            let found = judge_keeping(&history, &declared(scale_in));
            found.into_iter().map(|violation| violation.what).collect::<Vec<_>>().join("; ")
        };
        let raise = |to: u32| json!({"set-desired": {"from": 4, "to": to}});
        let (drain, ends) = (json!("drain"), json!({"terminate-in-group": {"shrink": true}}));
        let as_it_is: &dyn Fn(&mut Then) = &|_| {};
        assert_eq!(told("scale-out", raise(5), as_it_is, false), "");
        assert!(told("scale-out", raise(6), as_it_is, false).contains("5 are declared at most"));
        assert!(told("scale-out", raise(5), &|then| then.managed = true, false).contains("managed scaling"));
        assert!(
            told("scale-out", json!({"execute-policy": {"policy": "p", "from": 4}}), as_it_is, false)
                .contains("up to 9")
        );
        assert_eq!(told("scale-in", drain.clone(), as_it_is, true), "");
        assert_eq!(told("scale-in", ends.clone(), as_it_is, true), "");
        assert!(told("scale-in", drain.clone(), as_it_is, false).contains("no host is to go"));
        assert!(told("scale-in", drain.clone(), &|then| then.busy = 2, true).contains("2 tasks are on i-1"));
        assert!(
            told("scale-in", drain.clone(), &|then| then.scale_in_protected = true, true).contains("protected from")
        );
        assert!(told("scale-in", drain, &|then| then.connected = false, true).contains("agent of i-1 is away"));
        assert!(told("scale-in", ends, &|then| then.group_size = (2, 1, 9), true).contains("at least 2 are to stay"));
    }

    #[test]
    fn the_books_are_compared_host_by_host() {
        let simulation = simulation();
        let world = &simulation.world;
        let room = |host: u32, slots: u32| {
            let said = world.hosts[host as usize].said;
            json!({
                "arn": world.host_arn(HostId(host)),
                "cpu_units": {"free": said.cpu_left, "total": 2048},
                "memory_mib": {"free": said.memory_left, "total": 7680},
                "gpus": {"free": 0, "total": 0},
                "tcp_ports_taken": [22, 2375, 2376, 51678, 51679],
                "udp_ports_taken": [],
                "trunk": false,
                "slots": {"scheduler": {"free": slots, "total": 2}},
            })
        };
        let view = |hosts: Vec<Value>| json!({"cluster": world.clusters[0].arn, "hosts": hosts});
        assert_eq!(judge_accounting(world, &[view(vec![room(0, 0), room(1, 1)])]), []);
        let wrong = judge_accounting(world, &[view(vec![room(0, 1)])]);
        let told: Vec<&str> = wrong.iter().map(|violation| violation.what.as_str()).collect();
        assert!(told[0].ends_with("free interfaces is 1, in truth 0"), "{told:?}");
        assert!(told[1].starts_with("nothing is said of the room on "), "{told:?}");
        assert!(judge_accounting(world, &[])[0].what.starts_with("nothing is said of the room in "));
    }
}
