//! Systems Manager: who answers its ping, and restarting an agent by Run Command (spec F.1).

use std::collections::BTreeMap;

use serde_json::Value;
use wire::error::ServiceError;

use super::{
    json::Json,
    paging,
    scope::{Scope, text, texts},
};
use crate::{
    clock::Moment,
    world::{MachineId, MachineState, World, control::CommandOutcome},
};

/// The operations answered here.
pub(crate) const OPERATIONS: &[&str] = &["DescribeInstanceInformation", "GetCommandInvocation", "SendCommand"];

/// Commands that were sent, by command and machine.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    sent: BTreeMap<(String, MachineId), Sent>,
}

#[derive(Debug)]
struct Sent {
    at: Moment,
    document: String,
    outcome: CommandOutcome,
}

/// Answers a call into `out`. A command that is sent gets `fresh_id`.
///
/// # Errors
/// The service's own.
pub(crate) fn answer(
    world: &mut World,
    commands: &mut Commands,
    fresh_id: String,
    scope: &Scope,
    operation: &str,
    request: &Value,
    out: &mut Json,
) -> Result<(), ServiceError> {
    match operation {
        "DescribeInstanceInformation" => describe(world, scope, request, out),
        "SendCommand" => send(world, commands, fresh_id, scope, request, out),
        "GetCommandInvocation" => invocation(world, commands, request, out),
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

fn send(
    world: &mut World,
    commands: &mut Commands,
    fresh_id: String,
    scope: &Scope,
    request: &Value,
    out: &mut Json,
) -> Result<(), ServiceError> {
    let document = text(request, "DocumentName").unwrap_or_default();
    if document != "AWS-RunShellScript" {
        let what = format!("Document {document} is not known to this simulator; it knows AWS-RunShellScript.");
        return Err(ServiceError::new("InvalidDocument", what));
    }
    let lines = request.pointer("/Parameters/commands").and_then(Value::as_array);
    let script: Vec<_> = lines.into_iter().flatten().filter_map(Value::as_str).collect();
    if script.is_empty() {
        return Err(ServiceError::new("InvalidParameters", "The parameter commands is required."));
    }
    let ids = texts(request, "InstanceIds");
    let not_valid = || ServiceError::new("InvalidInstanceId", "Instances not in a valid state for account");
    let mut machines = Vec::new();
    for id in &ids {
        let machine = world.find_machine(id).ok_or_else(not_valid)?;
        let found = world.machine(machine).ok_or_else(not_valid)?;
        if Some(found.place) != scope.place || found.ping(world.now).is_none() {
            return Err(not_valid());
        }
        machines.push(machine);
    }
    if machines.is_empty() {
        return Err(ServiceError::new("InvalidInstanceId", "InstanceIds names no instance."));
    }
    let restarts = script.join("\n");
    let restarts = restarts.contains("restart ecs") || restarts.contains("restart amazon-ecs");
    let command = fresh_id;
    for machine in &machines {
        let lost = world.machine(*machine).is_some_and(|machine| machine.ping_lost_at.is_some());
        let outcome = match (restarts, lost) {
            (_, true) => CommandOutcome::Undeliverable,
            // Of all scripts only a restart of the agent does anything here.
            (false, false) => CommandOutcome::Success,
            (true, false) => world.send_restart(*machine).map_err(|_| not_valid())?,
        };
        let sent = Sent { at: world.now, document: document.to_owned(), outcome };
        commands.sent.insert((command.clone(), *machine), sent);
    }
    out.object(|out| {
        out.key("Command").object(|out| {
            out.member("CommandId", &command);
            out.member("DocumentName", document);
            out.member("Status", "Pending");
            out.member("StatusDetails", "Pending");
            out.key("RequestedDateTime").epoch(world.now);
            out.key("InstanceIds").array(|out| ids.iter().for_each(|id| out.text(id)));
            out.member_int("TargetCount", ids.len() as i64);
            out.key("Parameters").object(|out| {
                out.key("commands").array(|out| script.iter().for_each(|line| out.text(line)));
            });
        });
    });
    Ok(())
}

fn invocation(world: &World, commands: &Commands, request: &Value, out: &mut Json) -> Result<(), ServiceError> {
    let command = text(request, "CommandId").unwrap_or_default();
    let id = text(request, "InstanceId").unwrap_or_default();
    let sent = world.find_machine(id).and_then(|machine| commands.sent.get(&(command.to_owned(), machine)));
    let sent = sent.ok_or_else(|| ServiceError::new("InvocationDoesNotExist", ""))?;
    let elapsed = world.now.since(sent.at);
    // It is delivered in a second and takes two; what cannot be delivered stays pending until it times out.
    let (status, details, code) = match sent.outcome {
        CommandOutcome::Undeliverable if elapsed < crate::clock::HOUR => ("Pending", "Pending", -1),
        CommandOutcome::Undeliverable => ("TimedOut", "Delivery Timed Out", -1),
        CommandOutcome::Success if elapsed < 1_000 => ("Pending", "Pending", -1),
        CommandOutcome::Success if elapsed < 3_000 => ("InProgress", "InProgress", -1),
        CommandOutcome::Success => ("Success", "Success", 0),
    };
    out.object(|out| {
        out.member("CommandId", command);
        out.member("InstanceId", id);
        out.member("DocumentName", &sent.document);
        out.member("Status", status);
        out.member("StatusDetails", details);
        out.member_int("ResponseCode", code);
        out.member("ExecutionStartDateTime", &sent.at.iso_secs());
        out.member("StandardOutputContent", "");
        out.member("StandardErrorContent", "");
    });
    Ok(())
}
