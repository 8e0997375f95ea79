//! EC2 (spec E.2).

mod describe;
mod network;

use wire::{error::ServiceError, query::Params, xml::Writer};

use super::{paging, scope::Scope};
use crate::world::{Machine, MachineId, MachineState, World};

/// The operations answered here.
pub(crate) const OPERATIONS: &[&str] = &[
    "DescribeInstanceStatus",
    "DescribeInstanceTypes",
    "DescribeInstances",
    "DescribeNetworkInterfaces",
    "DescribeSubnets",
    "GetConsoleOutput",
    "RebootInstances",
    "StartInstances",
    "StopInstances",
    "TerminateInstances",
];

const NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";

/// Answers a call.
///
/// # Errors
/// The service's own.
pub(crate) fn answer(
    world: &mut World,
    scope: &Scope,
    operation: &str,
    params: &Params,
    request_id: &str,
) -> Result<Vec<u8>, ServiceError> {
    let mut writer = Writer::new();
    let mut result = Ok(());
    writer.root(&format!("{operation}Response"), NAMESPACE, |w| {
        w.text("requestId", request_id);
        result = match operation {
            "DescribeInstances" => describe::instances(world, scope, params, w),
            "DescribeInstanceStatus" => describe::statuses(world, scope, params, w),
            "DescribeInstanceTypes" => describe::types(world, scope, params, w),
            "DescribeSubnets" => network::subnets(world, scope, params, w),
            "DescribeNetworkInterfaces" => network::interfaces(world, scope, params, w),
            "GetConsoleOutput" => describe::console_output(world, scope, params, w),
            "StopInstances" => change(world, scope, params, w, World::stop),
            "StartInstances" => change(world, scope, params, w, World::start),
            "TerminateInstances" => change(world, scope, params, w, |world, id| {
                let before = world.machine(id).map(|found| found.state);
                world.terminate(id);
                if before != world.machine(id).map(|found| found.state) {
                    world.note_happened("", "terminate", Some(id), None);
                }
            }),
            "RebootInstances" => reboot(world, scope, params, w),
            _ => Err(super::unknown("ec2", operation, OPERATIONS)),
        };
    });
    result.map(|()| writer.finish().into_bytes())
}

/// The instances a request names, all of them or an error.
fn named(world: &World, scope: &Scope, ids: &[&str]) -> Result<Vec<MachineId>, ServiceError> {
    ids.iter()
        .map(|id| {
            let digits = id.strip_prefix("i-").unwrap_or_default();
            if !matches!(digits.len(), 8 | 17) || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(ServiceError::new("InvalidInstanceID.Malformed", format!("Invalid id: \"{id}\"")));
            }
            let here = |machine: &Machine| Some(machine.place) == scope.place && machine.known_to_ec2(world.now);
            world.find_machine(id).filter(|found| world.machine(*found).is_some_and(here)).ok_or_else(|| {
                ServiceError::new("InvalidInstanceID.NotFound", format!("The instance ID '{id}' does not exist"))
            })
        })
        .collect()
}

/// The instances a Describe speaks of: those named, or all of the place.
fn selected(world: &World, scope: &Scope, params: &Params) -> Result<Vec<MachineId>, ServiceError> {
    let ids = params.list("InstanceId");
    if !ids.is_empty() {
        return named(world, scope, &ids);
    }
    let Some(place) = scope.place else { return Ok(Vec::new()) };
    Ok(world.place_machines(place).map(|(id, _)| id).collect())
}

/// A page of these, in the order of their numbers, and the token for the next one.
fn page(params: &Params, all: Vec<MachineId>) -> Result<(Vec<MachineId>, Option<String>), ServiceError> {
    let token = params.get("NextToken").filter(|token| !token.is_empty());
    let from = token
        .map_or(Some(0), paging::read)
        .ok_or_else(|| ServiceError::new("InvalidNextToken", "The specified pagination token is not valid."))?;
    let most = match params.get("MaxResults").map(str::parse::<usize>) {
        None => 1000,
        Some(Ok(most)) if (5..=1000).contains(&most) => most,
        Some(_) => return Err(ServiceError::new("InvalidParameterValue", "MaxResults must be between 5 and 1000.")),
    };
    let mut rest = all.into_iter().filter(|id| u64::from(id.0) >= from);
    let taken = rest.by_ref().take(most).collect();
    Ok((taken, rest.next().map(|next| paging::token(u64::from(next.0)))))
}

/// A page of these, in their order. Without `MaxResults` all of them.
fn page_of<T: Clone>(params: &Params, all: Vec<T>) -> Result<(Vec<T>, Option<String>), ServiceError> {
    let token = params.get("NextToken").filter(|token| !token.is_empty());
    let from = token
        .map_or(Some(0), paging::read)
        .ok_or_else(|| ServiceError::new("InvalidNextToken", "The specified pagination token is not valid."))?;
    let most = match params.get("MaxResults").map(str::parse::<usize>) {
        None => usize::MAX,
        Some(Ok(most)) if (5..=1000).contains(&most) => most,
        Some(_) => return Err(ServiceError::new("InvalidParameterValue", "MaxResults must be between 5 and 1000.")),
    };
    let from = usize::try_from(from).unwrap_or(usize::MAX).min(all.len());
    let until = from.saturating_add(most).min(all.len());
    let next = (until < all.len()).then(|| paging::token(until as u64));
    Ok((all[from..until].to_vec(), next))
}

/// What `Filter`s ask: names with their values.
fn filters(params: &Params) -> Vec<(String, Vec<String>)> {
    let groups = params.groups("Filter");
    let named = groups.iter().filter_map(|group| {
        let values = group.list("Value").into_iter().map(str::to_owned).collect();
        Some((group.get("Name")?.to_owned(), values))
    });
    named.collect()
}

fn unknown_filter(name: &str) -> ServiceError {
    ServiceError::new("InvalidParameterValue", format!("The filter '{name}' is invalid"))
}

fn state(w: &mut Writer, name: &str, state: MachineState) {
    w.element(name, |w| {
        w.text("code", &state.code().to_string());
        w.text("name", state.word());
    });
}

fn change(
    world: &mut World,
    scope: &Scope,
    params: &Params,
    w: &mut Writer,
    deed: fn(&mut World, MachineId),
) -> Result<(), ServiceError> {
    let machines = named(world, scope, &params.list("InstanceId"))?;
    let now = |world: &World, id| world.machine(id).map_or(MachineState::Terminated, |machine| machine.state);
    let changes: Vec<_> = machines
        .into_iter()
        .map(|id| {
            let before = now(world, id);
            deed(world, id);
            (id, before)
        })
        .collect();
    w.list("instancesSet", "item", changes, |w, (id, before)| {
        w.text("instanceId", &world.machine_id(id));
        state(w, "currentState", now(world, id));
        state(w, "previousState", before);
    });
    Ok(())
}

fn reboot(world: &mut World, scope: &Scope, params: &Params, w: &mut Writer) -> Result<(), ServiceError> {
    for id in named(world, scope, &params.list("InstanceId"))? {
        world.reboot(id).map_err(|refusal| ServiceError::new("IncorrectInstanceState", refusal.to_string()))?;
        world.note_happened("", "reboot", Some(id), None);
    }
    w.text("return", "true");
    Ok(())
}
