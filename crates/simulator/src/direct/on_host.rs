//! Acts that are commands on the host: sent through SSM, found again by the token in their comment, and given up when
//! they take too long, as whoever acts on AWS does it.

use engine::ports::{Act, ActResult, Intent};

use super::acts::{CALL_MS, Caller, Whom, done, failed, impossible, note};
use crate::{
    clock::{Moment, SECOND},
    command::{Errand, NotSent, Order, Sent},
    simulation::Simulation,
    world::MachineId,
};

/// What is left of the limit for giving a command up.
const FOR_CANCELLING_MS: i64 = 5 * SECOND;
/// SSM takes no shorter time for delivering a command.
const SHORTEST_DELIVERY_MS: i64 = 30 * SECOND;
/// A part of the evidence begins with such a line.
const PART: (&str, &str) = ("=== muster: ", " ===");

/// Whether the act is a command on the host.
pub(super) fn is_command(intent: &Intent) -> bool {
    errand(intent).is_some()
}

fn errand(intent: &Intent) -> Option<Errand> {
    Some(match intent.act {
        Act::SaveEvidence => Errand::SaveEvidence,
        Act::RestartAgent => Errand::RestartAgent,
        Act::RestartRuntime => Errand::RestartRuntime,
        Act::Reboot if intent.target.external => Errand::Reboot,
        _ => return None,
    })
}

/// Evidence of which nothing could be had.
pub(super) fn nothing_saved(why: &str) -> ActResult<'static> {
    ActResult::Saved { items: vec![("logs of the host".to_owned(), format!("could not be had: {why}"))] }
}

/// Sends the command, or finds the one that was sent: after how long its end is seen, and what that is.
pub(super) fn perform(
    simulation: &mut Simulation,
    intent: &Intent,
    whom: &Whom,
    again: bool,
    caller: Caller,
) -> (i64, ActResult<'static>) {
    let Some(errand) = errand(intent) else { return (CALL_MS, impossible("it is no command".to_owned())) };
    let comment = format!("muster {}", intent.token);
    let found = whom.machine.filter(|_| again).and_then(|machine| {
        let sent = simulation.commands.with_comment(&comment, machine)?;
        Some((machine, sent.clone()))
    });
    if let Some((machine, sent)) = found {
        return follow(simulation, intent, machine, &sent);
    }
    let can =
        whom.machine.ok_or(NotSent::Unknown).and_then(|machine| simulation.can_be_sent(machine).map(|()| machine));
    let machine = match can {
        Ok(machine) => machine,
        Err(why) => return (CALL_MS, not_sent(intent, why, again)),
    };
    let limit_ms = i64::from(intent.limit_secs) * SECOND;
    let id = simulation.commands.fresh_id();
    let order = Order {
        machine,
        errand,
        document: "AWS-RunShellScript",
        comment: &comment,
        delivery_ms: limit_ms.max(SHORTEST_DELIVERY_MS),
        execution_ms: limit_ms,
    };
    let sent = simulation.send(id, &order).clone();
    note(&mut simulation.world, intent, whom, caller, sent.took_effect);
    follow(simulation, intent, machine, &sent)
}

fn not_sent(intent: &Intent, why: NotSent, again: bool) -> ActResult<'static> {
    let text = match why {
        NotSent::Unknown => "SSM does not know the machine",
        NotSent::Lost => "SSM cannot reach the machine either",
    };
    match (&intent.act, why) {
        (Act::SaveEvidence, _) => nothing_saved(text),
        (_, NotSent::Unknown) if !again => impossible(text.to_owned()),
        _ => failed(text.to_owned(), again),
    }
}

/// Follows a command to its end, or until the limit is near.
fn follow(simulation: &mut Simulation, intent: &Intent, machine: MachineId, sent: &Sent) -> (i64, ActResult<'static>) {
    let now = simulation.now();
    let limit_ms = i64::from(intent.limit_secs) * SECOND;
    let until = now.plus(limit_ms - FOR_CANCELLING_MS.min(limit_ms / 5));
    let ends = sent.ends_at().max(now.plus(CALL_MS));
    if ends > until {
        simulation.commands.cancel(&sent.id, &[machine], until);
        let why = format!("the command did not end within its limit of {} s and was cancelled", intent.limit_secs);
        let result = if intent.act == Act::SaveEvidence { nothing_saved(&why) } else { failed(why, true) };
        return (until.since(now), result);
    }
    (ends.since(now), result(intent, sent, ends))
}

fn result(intent: &Intent, sent: &Sent, at: Moment) -> ActResult<'static> {
    let progress = sent.progress(at);
    let evidence = intent.act == Act::SaveEvidence;
    match (progress.status, progress.exit) {
        ("Success", _) if evidence => ActResult::Saved { items: parts(progress.says) },
        _ if evidence => nothing_saved(progress.details),
        ("Success", _) => done(progress.says),
        ("Failed", 1) => ActResult::Unhealed { says: progress.says.to_owned().into() },
        ("TimedOut", _) if progress.details == "Delivery Timed Out" => {
            failed("SSM could not deliver the command".to_owned(), false)
        }
        _ => failed(format!("the command ended as {}", progress.details), true),
    }
}

/// Evidence, part by part.
fn parts(text: &str) -> Vec<(String, String)> {
    let mut parts: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix(PART.0).and_then(|rest| rest.strip_suffix(PART.1)) {
            parts.push((name.to_owned(), String::new()));
        } else if let Some((_, text)) = parts.last_mut() {
            text.push_str(line);
            text.push('\n');
        }
    }
    if parts.is_empty() {
        parts.push(("logs of the host".to_owned(), format!("could not be had: the command said {text:?}")));
    }
    parts
}
