//! Systems Manager: who answers its ping, and Run Command (spec F.1, F.2).

use serde_json::Value;
use wire::error::ServiceError;

use super::{
    json::Json,
    paging,
    scope::{Scope, text, texts},
};
use crate::{
    clock::{Moment, SECOND},
    command::{Commands, Errand, NotSent, Order, Sent},
    simulation::Simulation,
    world::{MachineId, MachineState, World},
};

/// The operations answered here.
pub(crate) const OPERATIONS: &[&str] = &[
    "CancelCommand",
    "DescribeInstanceInformation",
    "GetCommandInvocation",
    "ListCommandInvocations",
    "ListCommands",
    "SendCommand",
];

/// What AWS-RunShellScript allows a script unless told.
const DEFAULT_EXECUTION_SECS: i64 = 3_600;
/// How long SSM tries to deliver a command unless told.
const DEFAULT_DELIVERY_SECS: i64 = 3_600;
/// SSM keeps so much of what a command printed.
const MOST_OUTPUT: usize = 24_000;

/// Answers a call into `out`.
///
/// # Errors
/// The service's own.
pub(crate) fn answer(
    simulation: &mut Simulation,
    scope: &Scope,
    operation: &str,
    request: &Value,
    out: &mut Json,
) -> Result<(), ServiceError> {
    match operation {
        "DescribeInstanceInformation" => describe(&simulation.world, scope, request, out),
        "SendCommand" => send(simulation, scope, request, out),
        "GetCommandInvocation" => invocation(simulation, request, out),
        "ListCommands" => list_commands(simulation, scope, request, out),
        "ListCommandInvocations" => list_invocations(simulation, scope, request, out),
        "CancelCommand" => cancel(simulation, request, out),
        _ => Err(super::unknown("ssm", operation, OPERATIONS)),
    }
}

fn describe(world: &World, scope: &Scope, request: &Value, out: &mut Json) -> Result<(), ServiceError> {
    let most = match request.get("MaxResults").filter(|value| !value.is_null()) {
        None => 10,
        Some(most) => match most.as_u64() {
            Some(most @ 5..=50) => most as usize,
            _ => return Err(ServiceError::new("ValidationException", "MaxResults must be between 5 and 50.")),
        },
    };
    let token = text(request, "NextToken").filter(|token| !token.is_empty());
    let from = token
        .map_or(Some(0), paging::read)
        .ok_or_else(|| ServiceError::new("InvalidNextToken", "The specified token is not valid."))?;
    let mut wanted: Option<Vec<MachineId>> = None;
    let filters =
        ["Filters", "InstanceInformationFilterList"].into_iter().filter_map(|name| request.get(name)?.as_array());
    for filter in filters.flatten() {
        let key = text(filter, "Key").or_else(|| text(filter, "key")).unwrap_or_default();
        if key != "InstanceIds" {
            let what = format!("The filter {key} is not known to this simulator; it knows InstanceIds.");
            return Err(ServiceError::new("InvalidInstanceInformationFilterValue", what));
        }
        let mut values = texts(filter, "Values");
        values.extend(texts(filter, "valueSet"));
        wanted = Some(values.iter().filter_map(|id| world.find_machine(id)).collect());
    }
    let mut ids = match wanted {
        Some(ids) => ids,
        None => (0..world.machines.len() as u32).map(MachineId).collect(),
    };
    ids.sort();
    ids.dedup();
    let mut next = None;
    out.object(|out| {
        out.key("InstanceInformationList").array(|out| {
            let mut written = 0;
            for id in ids.into_iter().filter(|id| u64::from(id.0) >= from) {
                let Some(machine) = world.machine(id).filter(|machine| Some(machine.place) == scope.place) else {
                    continue;
                };
                // SSM forgets machines that are gone.
                if machine.state == MachineState::Terminated {
                    continue;
                }
                let Some(ping) = machine.ping(world.now) else { continue };
                if written == most {
                    next = Some(u64::from(id.0));
                    break;
                }
                written += 1;
                out.object(|out| {
                    out.key("InstanceId").plain(|out| world.write_machine_id(id, out));
                    out.member("PingStatus", if ping.online { "Online" } else { "ConnectionLost" });
                    out.key("LastPingDateTime").epoch(ping.last_at);
                    out.member("AgentVersion", "3.3.987.0");
                    out.key("IsLatestVersion").flag(true);
                    out.member("PlatformType", "Linux");
                    out.member("PlatformName", "Amazon Linux");
                    out.member("PlatformVersion", "2023");
                    out.member("ResourceType", if machine.external { "ManagedInstance" } else { "EC2Instance" });
                    out.member("IPAddress", &world.machine_address(id));
                });
            }
        });
        if let Some(next) = next {
            out.member("NextToken", &paging::token(next));
        }
    });
    Ok(())
}

/// What a document does with these parameters, and how long it may.
fn errand(document: &str, request: &Value) -> Result<(Errand, i64), ServiceError> {
    let list = |name: &str| {
        let values = request.pointer(&format!("/Parameters/{name}")).and_then(Value::as_array);
        values.into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>()
    };
    let lines = list("commands");
    let execution =
        list("executionTimeout").first().and_then(|secs| secs.parse().ok()).unwrap_or(DEFAULT_EXECUTION_SECS);
    match document {
        "AWS-RunShellScript" if lines.is_empty() => {
            Err(ServiceError::new("InvalidParameters", "The parameter commands is required."))
        }
        "AWS-RunShellScript" => Ok((Errand::of_script(&lines), execution)),
        "AWS-RunPowerShellScript" => {
            let what = "The document's platform is Windows; all machines here run Linux.";
            Err(ServiceError::new("UnsupportedPlatformType", what))
        }
        // A document of the account's own, which is given a word.
        _ if document.starts_with("muster") => match list("Action").first().and_then(|word| Errand::parse(word)) {
            Some(errand) => Ok((errand, execution)),
            None => Err(ServiceError::new("InvalidParameters", "The parameter Action has none of its values.")),
        },
        _ => {
            let what = format!(
                "Document {document} is not known to this simulator; it knows AWS-RunShellScript, and documents whose name \
                 begins with muster."
            );
            Err(ServiceError::new("InvalidDocument", what))
        }
    }
}

fn send(simulation: &mut Simulation, scope: &Scope, request: &Value, out: &mut Json) -> Result<(), ServiceError> {
    let document = text(request, "DocumentName").unwrap_or_default();
    let (errand, execution_secs) = errand(document, request)?;
    let delivery_secs = match request.get("TimeoutSeconds").filter(|value| !value.is_null()) {
        None => DEFAULT_DELIVERY_SECS,
        Some(secs) => secs.as_i64().filter(|secs| (30..=2_592_000).contains(secs)).ok_or_else(|| {
            ServiceError::new("ValidationException", "TimeoutSeconds must be between 30 and 2592000.")
        })?,
    };
    let comment = text(request, "Comment").unwrap_or_default();
    if comment.chars().count() > 100 {
        return Err(ServiceError::new("ValidationException", "Comment can have at most 100 characters."));
    }
    let ids = texts(request, "InstanceIds");
    let not_valid = || ServiceError::new("InvalidInstanceId", "Instances not in a valid state for account");
    let mut machines = Vec::new();
    for id in &ids {
        let machine = simulation.world.find_machine(id).ok_or_else(not_valid)?;
        let here = simulation.world.machine(machine).is_some_and(|found| Some(found.place) == scope.place);
        // A machine that SSM has lost takes commands all the same: they wait for it.
        if !here || simulation.can_be_sent(machine) == Err(NotSent::Unknown) {
            return Err(not_valid());
        }
        machines.push(machine);
    }
    if machines.is_empty() {
        return Err(ServiceError::new("InvalidInstanceId", "InstanceIds names no instance."));
    }
    let command = simulation.commands.fresh_id();
    for machine in machines {
        let (delivery_ms, execution_ms) = (delivery_secs * SECOND, execution_secs * SECOND);
        let order = Order { machine, errand, document, comment, delivery_ms, execution_ms };
        if simulation.send(command.clone(), &order).took_effect {
            let token = comment.strip_prefix("muster ").unwrap_or(comment);
            let host = simulation.world.machine(machine).and_then(|found| found.host);
            simulation.world.note_happened(token, errand.word(), Some(machine), host);
        }
    }
    let now = simulation.now();
    out.object(|out| {
        out.key("Command");
        write_command(&simulation.world, &simulation.commands, &command, now, out);
    });
    Ok(())
}

/// A command over all machines it was sent to.
fn write_command(world: &World, commands: &Commands, id: &str, now: Moment, out: &mut Json) {
    let parts: Vec<&Sent> = commands.newest_first().filter(|sent| sent.id == id).collect();
    let Some(first) = parts.last() else { return out.object(|_| {}) };
    let each: Vec<_> = parts.iter().map(|sent| sent.progress(now)).collect();
    let of = |status: &str| each.iter().filter(|progress| progress.status == status).count() as i64;
    let ended = each.iter().filter(|progress| progress.has_ended()).count();
    // While any machine is at it, the command is; then the worst of them speaks for all.
    let order = ["InProgress", "Pending", "Failed", "TimedOut", "Cancelled", "Success"];
    let (status, details) = order
        .iter()
        .find_map(|word| each.iter().find(|progress| progress.status == *word))
        .map_or(("Pending", "Pending"), |progress| (progress.status, progress.details));
    out.object(|out| {
        out.member("CommandId", id);
        out.member("DocumentName", &first.document);
        out.member("DocumentVersion", "$DEFAULT");
        out.member("Comment", &first.comment);
        out.member("Status", status);
        out.member("StatusDetails", details);
        out.key("RequestedDateTime").epoch(first.at);
        out.key("InstanceIds").array(|out| {
            parts.iter().rev().for_each(|sent| out.text(&world.machine_id(sent.machine)));
        });
        out.member_int("TargetCount", parts.len() as i64);
        out.member_int("CompletedCount", ended as i64);
        out.member_int("ErrorCount", of("Failed"));
        out.member_int(
            "DeliveryTimedOutCount",
            each.iter().filter(|it| it.details == "Delivery Timed Out").count() as i64,
        );
    });
}

fn invocation(simulation: &Simulation, request: &Value, out: &mut Json) -> Result<(), ServiceError> {
    let command = text(request, "CommandId").unwrap_or_default();
    let id = text(request, "InstanceId").unwrap_or_default();
    let machine = simulation.world.find_machine(id);
    let sent = machine.and_then(|machine| simulation.commands.find(command, machine));
    let sent = sent.ok_or_else(|| ServiceError::new("InvocationDoesNotExist", ""))?;
    let progress = sent.progress(simulation.now());
    let says: String = progress.says.chars().take(MOST_OUTPUT).collect();
    out.object(|out| {
        out.member("CommandId", command);
        out.member("InstanceId", id);
        out.member("Comment", &sent.comment);
        out.member("DocumentName", &sent.document);
        out.member("PluginName", "aws:runShellScript");
        out.member("Status", progress.status);
        out.member("StatusDetails", progress.details);
        out.member_int("ResponseCode", i64::from(progress.exit));
        out.member("ExecutionStartDateTime", &sent.at.iso_secs());
        out.member("StandardOutputContent", &says);
        out.member(
            "StandardErrorContent",
            if progress.exit > 0 { "failed to run commands: exit status 1" } else { "" },
        );
    });
    Ok(())
}

/// How many a list shows, and from where on.
fn page(request: &Value) -> Result<(usize, u64), ServiceError> {
    let most = match request.get("MaxResults").filter(|value| !value.is_null()) {
        None => 50,
        Some(most) => match most.as_u64() {
            Some(most @ 1..=50) => most as usize,
            _ => return Err(ServiceError::new("ValidationException", "MaxResults must be between 1 and 50.")),
        },
    };
    let token = text(request, "NextToken").filter(|token| !token.is_empty());
    let from = token
        .map_or(Some(0), paging::read)
        .ok_or_else(|| ServiceError::new("InvalidNextToken", "The specified token is not valid."))?;
    Ok((most, from))
}

/// The commands of this place that a list asks for, newest first.
fn asked_for<'a>(simulation: &'a Simulation, scope: &Scope, request: &Value) -> Result<Vec<&'a Sent>, ServiceError> {
    let command = text(request, "CommandId");
    let wanted =
        match text(request, "InstanceId") {
            None => None,
            Some(id) => Some(simulation.world.find_machine(id).ok_or_else(|| {
                ServiceError::new("InvalidInstanceId", format!("The instance ID {id} is not valid."))
            })?),
        };
    let here = |sent: &&Sent| {
        simulation.world.machine(sent.machine).is_some_and(|found| Some(found.place) == scope.place)
            && command.is_none_or(|id| sent.id == id)
            && wanted.is_none_or(|machine| sent.machine == machine)
    };
    Ok(simulation.commands.newest_first().filter(here).collect())
}

fn list_commands(simulation: &Simulation, scope: &Scope, request: &Value, out: &mut Json) -> Result<(), ServiceError> {
    let (most, from) = page(request)?;
    let mut ids: Vec<&str> = Vec::new();
    for sent in asked_for(simulation, scope, request)? {
        if !ids.contains(&sent.id.as_str()) {
            ids.push(&sent.id);
        }
    }
    let rest = ids.len().saturating_sub(from as usize);
    out.object(|out| {
        out.key("Commands").array(|out| {
            for id in ids.iter().skip(from as usize).take(most) {
                write_command(&simulation.world, &simulation.commands, id, simulation.now(), out);
            }
        });
        if rest > most {
            out.member("NextToken", &paging::token(from + most as u64));
        }
    });
    Ok(())
}

fn list_invocations(
    simulation: &Simulation,
    scope: &Scope,
    request: &Value,
    out: &mut Json,
) -> Result<(), ServiceError> {
    let (most, from) = page(request)?;
    let all = asked_for(simulation, scope, request)?;
    let details = request.get("Details").and_then(Value::as_bool).unwrap_or(false);
    out.object(|out| {
        out.key("CommandInvocations").array(|out| {
            for sent in all.iter().skip(from as usize).take(most) {
                let progress = sent.progress(simulation.now());
                out.object(|out| {
                    out.member("CommandId", &sent.id);
                    out.key("InstanceId").plain(|out| simulation.world.write_machine_id(sent.machine, out));
                    out.member("Comment", &sent.comment);
                    out.member("DocumentName", &sent.document);
                    out.key("RequestedDateTime").epoch(sent.at);
                    out.member("Status", progress.status);
                    out.member("StatusDetails", progress.details);
                    out.key("CommandPlugins").array(|out| {
                        if details && progress.has_ended() {
                            out.object(|out| {
                                out.member("Name", "aws:runShellScript");
                                out.member("Status", progress.status);
                                out.member("StatusDetails", progress.details);
                                out.member_int("ResponseCode", i64::from(progress.exit));
                                out.member("Output", &progress.says.chars().take(2_500).collect::<String>());
                            });
                        }
                    });
                });
            }
        });
        if all.len().saturating_sub(from as usize) > most {
            out.member("NextToken", &paging::token(from + most as u64));
        }
    });
    Ok(())
}

fn cancel(simulation: &mut Simulation, request: &Value, out: &mut Json) -> Result<(), ServiceError> {
    let command = text(request, "CommandId").unwrap_or_default();
    let machines: Vec<MachineId> =
        texts(request, "InstanceIds").iter().filter_map(|id| simulation.world.find_machine(id)).collect();
    let now = simulation.now();
    if !simulation.commands.cancel(command, &machines, now) {
        return Err(ServiceError::new("InvalidCommandId", "The specified command ID is not valid."));
    }
    out.object(|_| {});
    Ok(())
}
