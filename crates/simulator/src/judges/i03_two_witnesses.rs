//! I3, two witnesses: a decision that would end a machine is preceded, at most a minute and a half before, by a look at
//! the host in ECS and by a look at its machine by somebody else. A sweep looks at everything.

use super::{Conditions, History, TruthLog, Violation, history};
use crate::world::World;

/// Three times the freshness that a decision asks for, and the time an answer takes.
const FRESH_MS: i64 = 95_000;

/// Judges all decisions that would replace the machine of a host whose agent is away.
pub fn judge(world: &World, history: &History, conditions: &Conditions) -> Vec<Violation> {
    let cases = history.cases();
    let mut found = Vec::new();
    for noted in &history.records {
        if history::would(&noted.record) != Some("replace") {
            continue;
        }
        let Some(life) = history::case(&noted.record).and_then(|number| cases.get(&number)) else { continue };
        if life.trouble != "agent-away" {
            continue;
        }
        let machine = TruthLog::host_of(world, &life.subject).and_then(|id| world.host(id)).map(|it| it.machine);
        let Some(machine) = machine.map(|machine| world.machine_id(machine)) else { continue };
        let since_sweep_ms = noted.at.since(conditions.started).rem_euclid(conditions.sweep_every_ms.max(1));
        if conditions.sweep_every_ms > 0 && since_sweep_ms <= FRESH_MS {
            continue;
        }
        let lately = |kinds: &[&str], id: &str| {
            history.looks.iter().any(|asked| {
                kinds.contains(&asked.kind)
                    && asked.at <= noted.at
                    && noted.at.since(asked.at) <= FRESH_MS
                    && asked.ids.iter().any(|other| other == id)
            })
        };
        for (witness, heard) in
            [("ECS", lately(&["hosts"], &life.subject)), ("EC2 or SSM", lately(&["machines", "pings"], &machine))]
        {
            if !heard {
                let what = format!("case {} would replace {machine} and {witness} was not asked lately", life.case);
                found.push(Violation { invariant: "I3", at: noted.at, what });
            }
        }
    }
    found
}
