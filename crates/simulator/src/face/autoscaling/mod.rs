//! Auto Scaling (spec E.1).

pub(crate) mod policies;

use wire::{error::ServiceError, query::Params, xml::Writer};

use super::{paging, scope::Scope};
use crate::world::{GroupId, Machine, MachineId, Scaler, World, control::Refusal, scaling::DEFAULT_COOLDOWN_SECS};

/// The operations answered here.
pub(crate) const OPERATIONS: &[&str] = &[
    "DescribeAutoScalingGroups",
    "DescribeAutoScalingInstances",
    "DescribePolicies",
    "DescribeScalingActivities",
    "DeletePolicy",
    "ExecutePolicy",
    "PutScalingPolicy",
    "SetDesiredCapacity",
    "SetInstanceHealth",
    "SetInstanceProtection",
    "TerminateInstanceInAutoScalingGroup",
    "UpdateAutoScalingGroup",
];

/// Its XML namespace.
pub(crate) const NAMESPACE: &str = "http://autoscaling.amazonaws.com/doc/2011-01-01/";

/// Answers a call: the inside of `…Result`.
///
/// # Errors
/// The service's own.
pub(crate) fn answer(
    world: &mut World,
    scope: &Scope,
    operation: &str,
    params: &Params,
    w: &mut Writer,
) -> Result<(), ServiceError> {
    match operation {
        "DescribeAutoScalingGroups" => groups(world, scope, params, w),
        "DescribeAutoScalingInstances" => instances(world, scope, params, w),
        "DescribePolicies" => policies::describe(world, scope, params, w),
        "DescribeScalingActivities" => policies::activities(world, scope, params, w),
        "DeletePolicy" => policies::delete(world, scope, params),
        "ExecutePolicy" => policies::execute(world, scope, params),
        "PutScalingPolicy" => policies::put(world, scope, params, w),
        "SetInstanceProtection" => set_instance_protection(world, scope, params),
        "UpdateAutoScalingGroup" => update_group(world, scope, params),
        "SetDesiredCapacity" => set_desired_capacity(world, scope, params),
        "SetInstanceHealth" => set_instance_health(world, scope, params),
        "TerminateInstanceInAutoScalingGroup" => terminate(world, scope, params, w),
        _ => Err(super::unknown("autoscaling", operation, OPERATIONS)),
    }
}

fn invalid(what: impl Into<String>) -> ServiceError {
    ServiceError::new("ValidationError", what)
}

fn refused(refusal: Refusal) -> ServiceError {
    match refusal {
        Refusal::Busy(what) => ServiceError::new("ScalingActivityInProgress", what),
        refusal => invalid(refusal.to_string()),
    }
}

fn page<T: Copy>(
    params: &Params,
    most: usize,
    all: impl Iterator<Item = (u64, T)>,
) -> Result<(Vec<T>, Option<String>), ServiceError> {
    let token = params.get("NextToken").filter(|token| !token.is_empty());
    let from = token
        .map_or(Some(0), paging::read)
        .ok_or_else(|| ServiceError::new("InvalidNextToken", "The NextToken value is not valid."))?;
    let wanted = match params.get("MaxRecords").map(str::parse::<usize>) {
        None => most.min(50),
        Some(Ok(wanted)) if (1..=most).contains(&wanted) => wanted,
        Some(_) => return Err(invalid(format!("MaxRecords must be between 1 and {most}."))),
    };
    let mut rest = all.skip_while(|(number, _)| *number < from);
    let taken = rest.by_ref().take(wanted).map(|(_, item)| item).collect();
    Ok((taken, rest.next().map(|(number, _)| paging::token(number))))
}

fn groups(world: &World, scope: &Scope, params: &Params, w: &mut Writer) -> Result<(), ServiceError> {
    let names = params.list("AutoScalingGroupNames");
    let here = world.groups.iter().zip(0u32..).filter(|(group, _)| {
        Some(group.place) == scope.place && (names.is_empty() || names.contains(&group.name.as_str()))
    });
    let (shown, next) = page(params, 100, here.map(|(_, number)| (u64::from(number), GroupId(number))))?;
    w.list("AutoScalingGroups", "member", shown, |w, id| group(world, scope, id, w));
    if let Some(next) = next {
        w.text("NextToken", &next);
    }
    Ok(())
}

fn group(world: &World, scope: &Scope, id: GroupId, w: &mut Writer) {
    let Some(group) = world.group(id) else { return };
    let Some(place) = world.place(group.place) else { return };
    w.text("AutoScalingGroupName", &group.name);
    w.text("AutoScalingGroupARN", &world.group_arn(id));
    w.text("MinSize", &group.min.to_string());
    w.text("MaxSize", &group.max.to_string());
    w.text("DesiredCapacity", &group.desired.to_string());
    w.text("DefaultCooldown", &DEFAULT_COOLDOWN_SECS.to_string());
    let zones = group.zones.iter().filter_map(|zone| place.zones.get(usize::from(*zone)));
    w.list("AvailabilityZones", "member", zones.clone(), |w, zone| w.value(&zone.name));
    w.list("LoadBalancerNames", "member", std::iter::empty::<()>(), |_, ()| {});
    w.text("HealthCheckType", "EC2");
    w.text("HealthCheckGracePeriod", "0");
    w.list("Instances", "member", group.members.iter().copied(), |w, member| {
        let Some(machine) = world.machine(member) else { return };
        self::machine(world, member, machine, false, w);
    });
    w.text("CreatedTime", &crate::clock::Moment::DEFAULT_START.iso_millis());
    w.list("SuspendedProcesses", "member", &group.suspended, |w, process| {
        w.text("ProcessName", process);
        w.text("SuspensionReason", "User suspended");
    });
    let subnets: Vec<_> = zones.map(|zone| zone.subnet.as_str()).collect();
    w.text("VPCZoneIdentifier", &subnets.join(","));
    w.text("NewInstancesProtectedFromScaleIn", if group.protects_new { "true" } else { "false" });
    let tag = group.ecs_managed.then_some(("AmazonECSManaged", "true"));
    w.list("Tags", "member", tag, |w, (key, value)| {
        w.text("ResourceId", &group.name);
        w.text("ResourceType", "auto-scaling-group");
        w.text("Key", key);
        w.text("Value", value);
        w.text("PropagateAtLaunch", "true");
    });
    w.list("TerminationPolicies", "member", ["Default"], |w, policy| w.value(policy));
    w.text("ServiceLinkedRoleARN", &format!("arn:{}:iam::{}:role/AutoScaling", scope.partition, scope.account()));
}

/// A member; the two calls spell its health in two ways.
fn machine(world: &World, id: MachineId, machine: &Machine, shouting: bool, w: &mut Writer) {
    w.text("InstanceId", &world.machine_id(id));
    w.text("InstanceType", machine.kind.get().name);
    let zone = world.place(machine.place).and_then(|place| place.zones.get(usize::from(machine.zone)));
    w.text("AvailabilityZone", zone.map_or("", |zone| &zone.name));
    w.text("LifecycleState", machine.lifecycle.word());
    w.text(
        "HealthStatus",
        match (machine.group_healthy, shouting) {
            (true, true) => "HEALTHY",
            (false, true) => "UNHEALTHY",
            (true, false) => "Healthy",
            (false, false) => "Unhealthy",
        },
    );
    if let Some(template) = machine.template.and_then(|template| world.templates.get(template.index())) {
        w.element("LaunchTemplate", |w| {
            w.text("LaunchTemplateId", &template.id);
            w.text("LaunchTemplateName", &template.name);
            w.text("Version", &template.version.to_string());
        });
    }
    w.text("ProtectedFromScaleIn", if machine.protected { "true" } else { "false" });
}

fn instances(world: &World, scope: &Scope, params: &Params, w: &mut Writer) -> Result<(), ServiceError> {
    let ids = params.list("InstanceIds");
    if ids.len() > 50 {
        return Err(invalid("InstanceIds can have at most 50 items."));
    }
    let in_group = |id: &MachineId| {
        world.machine(*id).is_some_and(|machine| {
            Some(machine.place) == scope.place && machine.group.is_some() && machine.terminated_at.is_none()
        })
    };
    // Unknown ids are silently omitted (spec E.1).
    let mut all: Vec<MachineId> = match ids.is_empty() {
        true => world.groups.iter().flat_map(|group| group.members.iter().copied()).filter(in_group).collect(),
        false => ids.iter().filter_map(|id| world.find_machine(id)).filter(in_group).collect(),
    };
    all.sort();
    let (shown, next) = page(params, 50, all.into_iter().map(|id| (u64::from(id.0), id)))?;
    w.list("AutoScalingInstances", "member", shown, |w, id| {
        let Some(machine) = world.machine(id) else { return };
        let group = machine.group.and_then(|group| world.group(group));
        w.text("AutoScalingGroupName", group.map_or("", |group| &group.name));
        self::machine(world, id, machine, true, w);
    });
    if let Some(next) = next {
        w.text("NextToken", &next);
    }
    Ok(())
}

fn required<'a>(params: &'a Params, name: &str) -> Result<&'a str, ServiceError> {
    params.get(name).ok_or_else(|| invalid(format!("The parameter {name} is required.")))
}

fn flag(params: &Params, name: &str) -> Option<bool> {
    params.get(name)?.parse().ok()
}

fn member(world: &World, scope: &Scope, params: &Params) -> Result<MachineId, ServiceError> {
    let id = required(params, "InstanceId")?;
    let in_group = |machine: &Machine| Some(machine.place) == scope.place && machine.group.is_some();
    world
        .find_machine(id)
        .filter(|found| world.machine(*found).is_some_and(in_group))
        .ok_or_else(|| invalid(format!("Instance Id not found - No managed instance found for instance ID: {id}")))
}

fn set_desired_capacity(world: &mut World, scope: &Scope, params: &Params) -> Result<(), ServiceError> {
    let group = group_named(world, scope, params)?;
    let desired = number(params, "DesiredCapacity")?.ok_or_else(|| invalid("DesiredCapacity is required."))?;
    let honour = flag(params, "HonorCooldown").unwrap_or(false);
    world.scale_by(group, Scaler::Caller, desired, honour).map_err(refused)?;
    world.note_happened("", "set-desired", None, None);
    Ok(())
}

fn group_named(world: &World, scope: &Scope, params: &Params) -> Result<GroupId, ServiceError> {
    let name = required(params, "AutoScalingGroupName")?;
    let group = scope.place.and_then(|place| world.find_group(place, name));
    group.ok_or_else(|| invalid("AutoScalingGroup name not found - no such group"))
}

fn number(params: &Params, name: &str) -> Result<Option<u32>, ServiceError> {
    let parsed = params.get(name).map(str::parse).transpose();
    parsed.map_err(|_| invalid(format!("{name} must be a number.")))
}

fn update_group(world: &mut World, scope: &Scope, params: &Params) -> Result<(), ServiceError> {
    let group = group_named(world, scope, params)?;
    let (min, max) = (number(params, "MinSize")?, number(params, "MaxSize")?);
    let held = world.group(group).map(|held| (held.min, held.max)).unwrap_or_default();
    if min.is_some() || max.is_some() {
        world.set_group_limits(group, min.unwrap_or(held.0), max.unwrap_or(held.1)).map_err(refused)?;
    }
    if let Some(desired) = number(params, "DesiredCapacity")? {
        world.scale_by(group, Scaler::Caller, desired, false).map_err(refused)?;
        world.note_happened("", "set-desired", None, None);
    }
    if let Some(protects) = flag(params, "NewInstancesProtectedFromScaleIn")
        && let Some(held) = world.groups.get_mut(group.index())
    {
        held.protects_new = protects;
    }
    Ok(())
}

fn set_instance_protection(world: &mut World, scope: &Scope, params: &Params) -> Result<(), ServiceError> {
    let group = group_named(world, scope, params)?;
    let protected = flag(params, "ProtectedFromScaleIn").ok_or_else(|| invalid("ProtectedFromScaleIn is required."))?;
    let members = params.list("InstanceIds").into_iter().map(|id| {
        let found = world.find_machine(id).filter(|it| world.machine(*it).is_some_and(|it| it.group == Some(group)));
        found.ok_or_else(|| invalid(format!("Instance Id not found - No managed instance found for instance ID: {id}")))
    });
    for member in members.collect::<Result<Vec<_>, _>>()? {
        world.protect_machine(member, protected).map_err(refused)?;
    }
    Ok(())
}

fn set_instance_health(world: &mut World, scope: &Scope, params: &Params) -> Result<(), ServiceError> {
    let healthy = match required(params, "HealthStatus")? {
        "Healthy" => true,
        "Unhealthy" => false,
        other => return Err(invalid(format!("HealthStatus must be Healthy or Unhealthy, not {other}."))),
    };
    let member = member(world, scope, params)?;
    world.set_group_health(member, healthy).map_err(refused)?;
    if !healthy {
        world.note_happened("", "mark-unhealthy", Some(member), None);
    }
    Ok(())
}

fn terminate(world: &mut World, scope: &Scope, params: &Params, w: &mut Writer) -> Result<(), ServiceError> {
    let decrement = flag(params, "ShouldDecrementDesiredCapacity")
        .ok_or_else(|| invalid("ShouldDecrementDesiredCapacity is required."))?;
    let member = member(world, scope, params)?;
    let group = world.machine(member).and_then(|machine| world.group(machine.group?)).map(|group| group.name.clone());
    world.terminate_in_group(member, decrement).map_err(refused)?;
    world.note_happened("", "terminate-in-group", Some(member), None);
    let id = world.machine_id(member);
    w.element("Activity", |w| {
        w.text("ActivityId", &crate::queue::uuid(world.now.0 as u64, u64::from(member.0)));
        w.text("AutoScalingGroupName", group.as_deref().unwrap_or_default());
        w.text("Description", &format!("Terminating EC2 instance: {id}"));
        w.text("Cause", &format!("At {} instance {id} was taken out of service.", world.now.iso_secs()));
        w.text("StartTime", &world.now.iso_millis());
        w.text("StatusCode", "InProgress");
        w.text("Progress", "0");
    });
    Ok(())
}
