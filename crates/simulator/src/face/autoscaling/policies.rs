//! Scaling policies and activities.

use wire::{error::ServiceError, query::Params, xml::Writer};

use super::{flag, group_named, invalid, page, refused, required};
use crate::{
    face::scope::Scope,
    queue::uuid,
    world::{Activity, Adjustment, GroupId, PlaceId, Policy, PolicyKind, World, scaling::DEFAULT_COOLDOWN_SECS},
};

/// The ARN of a policy; an alarm's action names it.
fn arn(world: &World, group: GroupId, policy: &str) -> String {
    let Some(found) = world.group(group) else { return String::new() };
    let Some(place) = world.place(found.place) else { return String::new() };
    let number = policy.bytes().fold(u64::from(group.0), |sum, byte| crate::seed::mix(sum ^ u64::from(byte)));
    format!(
        "arn:{}:autoscaling:{}:{}:scalingPolicy:{}:autoScalingGroupName/{}:policyName/{policy}",
        place.partition,
        place.region,
        place.account,
        uuid(0x706f_6c69, number),
        found.name
    )
}

/// The policy a name or an ARN means, in the group that is named or that the ARN names.
pub(crate) fn find(
    world: &World,
    place: Option<PlaceId>,
    group: Option<&str>,
    policy: &str,
) -> Option<(GroupId, String)> {
    let (of_arn, name) = match policy.split_once(":autoScalingGroupName/") {
        Some((_, rest)) => {
            let (group, name) = rest.split_once(":policyName/")?;
            (Some(group), name)
        }
        None => (None, policy),
    };
    let id = world.find_group(place?, group.or(of_arn)?)?;
    world.group(id)?.policies.iter().any(|held| held.name == name).then(|| (id, name.to_owned()))
}

pub(super) fn execute(world: &mut World, scope: &Scope, params: &Params) -> Result<(), ServiceError> {
    let policy = required(params, "PolicyName")?;
    let no_policy = || invalid(format!("Policy of name {policy} was not found."));
    let (group, name) = find(world, scope.place, params.get("AutoScalingGroupName"), policy).ok_or_else(no_policy)?;
    let number = |name: &str| params.get(name).and_then(|value| value.parse::<f64>().ok());
    let breach = number("MetricValue").zip(number("BreachThreshold"));
    let honour = flag(params, "HonorCooldown").unwrap_or(false);
    world.execute_policy(group, &name, breach, honour).map_err(refused)?;
    world.note_happened("", "execute-policy", None, None);
    Ok(())
}

pub(super) fn put(world: &mut World, scope: &Scope, params: &Params, w: &mut Writer) -> Result<(), ServiceError> {
    let group = group_named(world, scope, params)?;
    let name = required(params, "PolicyName")?.to_owned();
    let change = |params: &Params| -> Result<Adjustment, ServiceError> {
        let number = required(params, "ScalingAdjustment")?;
        let number = number.parse().map_err(|_| invalid("ScalingAdjustment must be a number."))?;
        Ok(match adjustment_type(params)? {
            "ExactCapacity" => Adjustment::To(number),
            "PercentChangeInCapacity" => Adjustment::Percent(number),
            _ => Adjustment::By(number),
        })
    };
    let kind = match params.get("PolicyType").unwrap_or("SimpleScaling") {
        "SimpleScaling" => {
            adjustment_type(params)?;
            let cooldown = params.get("Cooldown").map(str::parse).transpose();
            let cooldown = cooldown.map_err(|_| invalid("Cooldown must be a number of seconds."))?;
            PolicyKind::Simple { change: change(params)?, cooldown_secs: cooldown.unwrap_or(DEFAULT_COOLDOWN_SECS) }
        }
        "StepScaling" => {
            let adjustment = adjustment_type(params)?;
            let step = |step: &Params| {
                let bound = |name: &str| step.get(name).and_then(|value| value.parse().ok());
                let mut with_type = step.clone();
                with_type.push("AdjustmentType", adjustment);
                let bounds = (bound("MetricIntervalLowerBound"), bound("MetricIntervalUpperBound"));
                Ok((bounds.0, bounds.1, change(&with_type)?))
            };
            let steps = params.groups("StepAdjustments").iter().map(step).collect::<Result<Vec<_>, ServiceError>>()?;
            if steps.is_empty() {
                return Err(invalid("At least one StepAdjustment must be specified."));
            }
            PolicyKind::Step { steps }
        }
        other => return Err(invalid(format!("PolicyType {other} is not answered here: SimpleScaling, StepScaling."))),
    };
    if let Some(held) = world.groups.get_mut(group.index()) {
        held.policies.retain(|policy| policy.name != name);
        held.policies.push(Policy { name: name.clone(), kind });
    }
    w.text("PolicyARN", &arn(world, group, &name));
    w.list("Alarms", "member", std::iter::empty::<()>(), |_, ()| {});
    Ok(())
}

fn adjustment_type(params: &Params) -> Result<&str, ServiceError> {
    let word = required(params, "AdjustmentType")?;
    match word {
        "ChangeInCapacity" | "ExactCapacity" | "PercentChangeInCapacity" => Ok(word),
        other => Err(invalid(format!("AdjustmentType {other} is not valid."))),
    }
}

pub(super) fn describe(world: &World, scope: &Scope, params: &Params, w: &mut Writer) -> Result<(), ServiceError> {
    let (group, names) = (params.get("AutoScalingGroupName"), params.list("PolicyNames"));
    let here = world
        .groups
        .iter()
        .zip(0u32..)
        .filter(|(held, _)| Some(held.place) == scope.place && group.is_none_or(|group| held.name == group));
    let all: Vec<(GroupId, Policy)> = here
        .flat_map(|(held, number)| held.policies.iter().map(move |policy| (GroupId(number), policy.clone())))
        .filter(|(group, policy)| {
            names.is_empty()
                || names.iter().any(|name| *name == policy.name || *name == arn(world, *group, &policy.name))
        })
        .collect();
    let (shown, next) = page(params, 100, (0u64..all.len() as u64).map(|number| (number, number as usize)))?;
    w.list("ScalingPolicies", "member", shown, |w, number| {
        let Some((group, policy)) = all.get(number) else { return };
        w.text("AutoScalingGroupName", world.group(*group).map_or("", |held| &held.name));
        w.text("PolicyName", &policy.name);
        w.text("PolicyARN", &arn(world, *group, &policy.name));
        w.text("Enabled", "true");
        match &policy.kind {
            PolicyKind::Simple { change, cooldown_secs } => {
                w.text("PolicyType", "SimpleScaling");
                w.text("AdjustmentType", change.word());
                w.text("ScalingAdjustment", &change.number().to_string());
                w.text("Cooldown", &cooldown_secs.to_string());
            }
            PolicyKind::Step { steps } => {
                w.text("PolicyType", "StepScaling");
                w.text("AdjustmentType", steps.first().map_or("", |(.., change)| change.word()));
                w.text("MetricAggregationType", "Average");
                w.list("StepAdjustments", "member", steps, |w, (low, high, change)| {
                    if let Some(low) = low {
                        w.text("MetricIntervalLowerBound", &low.to_string());
                    }
                    if let Some(high) = high {
                        w.text("MetricIntervalUpperBound", &high.to_string());
                    }
                    w.text("ScalingAdjustment", &change.number().to_string());
                });
            }
        }
    });
    if let Some(next) = next {
        w.text("NextToken", &next);
    }
    Ok(())
}

pub(super) fn delete(world: &mut World, scope: &Scope, params: &Params) -> Result<(), ServiceError> {
    let policy = required(params, "PolicyName")?;
    // A policy that is not there is gone already.
    if let Some((group, name)) = find(world, scope.place, params.get("AutoScalingGroupName"), policy)
        && let Some(held) = world.groups.get_mut(group.index())
    {
        held.policies.retain(|policy| policy.name != name);
    }
    Ok(())
}

pub(super) fn activities(world: &World, scope: &Scope, params: &Params, w: &mut Writer) -> Result<(), ServiceError> {
    let group = match params.get("AutoScalingGroupName") {
        Some(_) => Some(group_named(world, scope, params)?),
        None => None,
    };
    let here = world
        .groups
        .iter()
        .zip(0u32..)
        .filter(|(held, number)| Some(held.place) == scope.place && group.is_none_or(|group| group.0 == *number));
    let mut all: Vec<(GroupId, &Activity)> = here
        .flat_map(|(held, number)| held.activities.iter().map(move |activity| (GroupId(number), activity)))
        .collect();
    // Newest first.
    all.sort_by_key(|(_, activity)| std::cmp::Reverse(activity.serial));
    let (shown, next) = page(params, 100, (0u64..all.len() as u64).map(|number| (number, number as usize)))?;
    w.list("Activities", "member", shown, |w, number| {
        if let Some((group, activity)) = all.get(number) {
            self::activity(world, *group, activity, w);
        }
    });
    if let Some(next) = next {
        w.text("NextToken", &next);
    }
    Ok(())
}

fn activity(world: &World, group: GroupId, activity: &Activity, w: &mut Writer) {
    w.text("ActivityId", &uuid(0x6163_7469, activity.serial));
    w.text("AutoScalingGroupName", world.group(group).map_or("", |held| &held.name));
    w.text("AutoScalingGroupARN", &world.group_arn(group));
    w.text("Description", &activity.description);
    w.text("Cause", &activity.cause);
    w.text("StartTime", &activity.at.iso_millis());
    if let Some(ended) = activity.ended_at {
        w.text("EndTime", &ended.iso_millis());
    }
    w.text("StatusCode", activity.status);
    if let Some(message) = &activity.message {
        w.text("StatusMessage", message);
    }
    w.text("Progress", if activity.ended_at.is_some() { "100" } else { "50" });
    let machine = activity.machine.and_then(|machine| world.machine(machine));
    let zone = machine.and_then(|it| world.place(it.place)?.zones.get(usize::from(it.zone)));
    if let Some(zone) = zone {
        w.text("Details", &serde_json::json!({"Subnet ID": zone.subnet, "Availability Zone": zone.name}).to_string());
    }
}
