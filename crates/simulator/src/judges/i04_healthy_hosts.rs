//! I4, healthy hosts: no host that was well for the whole time of its case is ever confirmed lost, or decided upon.

use super::{History, TruthLog, Violation, history};
use crate::world::World;

/// Troubles that say something about a host that the truth can contradict. Draining for too long, a failed registration
/// and a doubt are judged elsewhere or not at all.
const JUDGED: &[&str] = &["agent-away", "runtime", "host-impaired", "flapping"];

/// Judges every case that came further than a suspicion.
pub fn judge(world: &World, truth: &TruthLog, history: &History) -> Vec<Violation> {
    let cases = history.cases();
    let mut found = Vec::new();
    for noted in &history.records {
        let Some(life) = history::case(&noted.record).and_then(|number| cases.get(&number)) else { continue };
        let wrong = |what: String| Violation { invariant: "I4", at: noted.at, what };
        let decided = history::would(&noted.record).is_some();
        let confirmed = history::text(&noted.record, "kind") == "case-moved"
            && matches!(history::text(&noted.record, "to"), "confirmed" | "decided");
        if !decided && !confirmed {
            continue;
        }
        if life.trouble == "never-registered" {
            let machine = world.namer.read_machine(&life.subject).map(|(machine, _)| machine);
            let host = machine.and_then(|id| world.machine(id)).and_then(|it| it.host).and_then(|id| world.host(id));
            if host.is_some_and(|host| host.registered_at < life.opened) {
                found.push(wrong(format!("case {} says {} never registered; it had", life.case, life.subject)));
            }
            continue;
        }
        if !JUDGED.contains(&life.trouble.as_str()) {
            continue;
        }
        let Some(machine) = TruthLog::host_of(world, &life.subject).and_then(|id| world.host(id)).map(|it| it.machine)
        else {
            found.push(wrong(format!("case {} is about {}, which never existed", life.case, life.subject)));
            continue;
        };
        let healthy = truth.healthy_throughout(machine, life.opened, noted.at);
        let reachable = truth.reachable_throughout(machine, life.opened, noted.at);
        // While the control plane is away a healthy host may be confirmed to be away, but never decided upon.
        if healthy && (decided || reachable) {
            let did = if decided { "decided upon" } else { "confirmed" };
            found.push(wrong(format!(
                "case {} ({}) {did} {}, which was well since the case was opened at {}",
                life.case,
                life.trouble,
                life.subject,
                life.opened.iso_secs()
            )));
        }
    }
    found
}
