//! `/_muster/`: moving time, making things happen and seeing the truth. For tests and for people at play; nothing of it
//! exists in AWS.

use http::request::Parts;
use serde_json::json;

use super::{Shared, http::Reply, json::Json, lock};
use crate::{
    clock::Moment,
    world::{Process, World},
};

/// What `GET /` answers.
pub(super) const HELP: &str = "\
This is muster's pretend AWS account. Set AWS_ENDPOINT_URL to this address and use any AWS tool.
Events of hosts go to the queue muster-events.

POST /_muster/advance?secs=N   lets N virtual seconds pass at once
POST /_muster/do               makes something happen now: lines of a scenario's [[at]] as TOML, or the same as JSON,
                               do = \"agent-stop\"
                               host = \"prod-a/1\"
GET  /_muster/truth            what is really so, as JSON
";

/// The longest leap of time, in seconds: a year.
const LONGEST_SECS: f64 = 366.0 * 86_400.0;

/// Answers a request below `/_muster`.
pub(super) fn answer(shared: &Shared, head: &Parts, body: &[u8]) -> Reply {
    match (head.method.as_str(), head.uri.path()) {
        ("POST", "/_muster/advance") => advance(shared, head.uri.query().unwrap_or_default()),
        ("POST", "/_muster/do") => act(shared, body),
        ("GET", "/_muster/truth") => Reply::new(200, "application/json", truth(shared)),
        ("GET", "/_muster" | "/_muster/") => Reply::new(200, "text/plain; charset=utf-8", HELP),
        _ => Reply::new(404, "text/plain; charset=utf-8", format!("there is no such thing.\n\n{HELP}")),
    }
}

fn wrong(what: impl std::fmt::Display) -> Reply {
    Reply::new(400, "text/plain; charset=utf-8", format!("{what}\n"))
}

fn now(at: Moment) -> Reply {
    Reply::new(200, "application/json", json!({"now": at.iso_millis()}).to_string())
}

fn advance(shared: &Shared, query: &str) -> Reply {
    let secs = query.split('&').find_map(|pair| pair.strip_prefix("secs="));
    match secs.map(str::parse::<f64>) {
        Some(Ok(secs)) if (0.0..=LONGEST_SECS).contains(&secs) => now(shared.advance((secs * 1000.0) as i64)),
        _ => wrong(format!("say how many seconds, 0 to {LONGEST_SECS}: POST /_muster/advance?secs=60")),
    }
}

fn act(shared: &Shared, body: &[u8]) -> Reply {
    let Ok(text) = std::str::from_utf8(body) else { return wrong("the body is not UTF-8") };
    let text = if text.trim_start().starts_with('{') {
        match serde_json::from_str::<toml::Table>(text).map(|table| toml::to_string(&table)) {
            Ok(Ok(text)) => text,
            Ok(Err(error)) => return wrong(format!("the JSON has no equal in TOML: {error}")),
            Err(error) => return wrong(format!("the body is not JSON: {error}")),
        }
    } else {
        text.to_owned()
    };
    let Some(scenario) = &shared.scenario else {
        return wrong("this simulation was not begun from a scenario, whose names a deed could use");
    };
    let mut running = shared.running();
    match scenario.plan_now(&running.simulation, &text) {
        Err(error) => wrong(error),
        Ok(planned) => {
            running.simulation.plan(planned);
            drop(running);
            // What is due now happens now, even when time stands still.
            now(shared.advance(0))
        }
    }
}

fn truth(shared: &Shared) -> Vec<u8> {
    let running = shared.running();
    let simulation = &running.simulation;
    let world = &simulation.world;
    let mut out = Json::with_capacity(256 * world.machines.len() + 1024);
    let tally = simulation.courier.tally;
    out.object(|out| {
        out.member("now", &world.now.iso_millis());
        out.member_int("seed", simulation.seed() as i64);
        let used = simulation.throttle.used_of_ecs();
        out.key("ecs_calls").object(|out| {
            out.member_int("asked", used.asked as i64);
            out.member_int("refused", used.refused as i64);
        });
        out.key("events").object(|out| {
            let counts = [
                ("changes", tally.changes),
                ("lost", tally.lost),
                ("doubled", tally.doubled),
                ("late", tally.late),
                ("poison", tally.poison),
                ("undeliverable", lock(&shared.messaging).undeliverable),
            ];
            for (name, count) in counts {
                out.member_int(name, count as i64);
            }
        });
        out.member_int("tasks", world.task_count() as i64);
        out.key("machines").array(|out| machines(world, out));
        out.key("happened").array(|out| happened(world, out));
    });
    out.finish()
}

/// What calls have truly done, in order.
fn happened(world: &World, out: &mut Json) {
    for it in &world.happened {
        out.object(|out| {
            out.member("at", &it.at.iso_millis());
            out.member("act", &it.act);
            out.member("token", &it.token);
            if let Some(machine) = it.machine {
                out.key("instance_id").plain(|out| world.write_machine_id(machine, out));
            }
            if let Some(host) = it.host {
                out.key("arn").plain(|out| world.write_host_arn(host, out));
            }
        });
    }
}

fn machines(world: &World, out: &mut Json) {
    for (machine, id) in world.machines.iter().zip(0u32..) {
        let process = match machine.agent.process {
            Process::Absent => "absent",
            Process::Alive => "alive",
            Process::Hung => "hung",
            Process::Restarting => "restarting",
            Process::Crashed => "crashed",
        };
        out.object(|out| {
            out.key("instance_id").plain(|out| world.write_machine_id(crate::world::MachineId(id), out));
            out.member("cluster", world.cluster(machine.cluster).map_or("", |cluster| &cluster.name));
            let zone = world.place(machine.place).and_then(|place| place.zones.get(usize::from(machine.zone)));
            out.member("zone", zone.map_or("", |zone| &zone.name));
            out.member("state", machine.state.word());
            out.member("agent", process);
            out.key("network_cut").flag(machine.agent.cut);
            out.key("docker_sick").flag(machine.agent.docker_sick);
            out.key("healthy").flag(machine.healthy());
            if let Some((id, host)) = machine.host.and_then(|id| Some((id, world.host(id)?))) {
                out.key("arn").plain(|out| world.write_host_arn(id, out));
                out.member("status", host.said.status.word());
                out.key("agent_connected").flag(host.said.connected);
                out.member_int("version", i64::from(host.said.version));
            }
        });
    }
}
