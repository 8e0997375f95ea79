//! `placementConstraints`, `placementStrategy` and `networkConfiguration`, read and written.

use serde_json::Value;
use wire::error::ServiceError;

use crate::{
    face::{
        json::Json,
        scope::{invalid, text, texts},
    },
    world::{
        ClusterId, Placement, World,
        placement::{Constraint, Expression, LaunchType, PlacementStrategy},
    },
};

fn list<'a>(request: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    request.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// Reads the placement of RunTask. Without a launch type and without a capacity provider tasks go to hosts of either kind,
/// as everywhere in this account.
pub(super) fn read(world: &World, cluster: ClusterId, request: &Value) -> Result<Placement, ServiceError> {
    let mut placement = Placement::default();
    for constraint in list(request, "placementConstraints") {
        placement.constraints.push(match text(constraint, "type") {
            Some("distinctInstance") => Constraint::DistinctInstance,
            Some("memberOf") => {
                let expression = Expression::parse(text(constraint, "expression").unwrap_or_default());
                Constraint::MemberOf(
                    expression.map_err(|what| invalid(format!("Invalid constraint expression: {what}")))?,
                )
            }
            _ => return Err(invalid("Placement constraint type should be distinctInstance or memberOf.")),
        });
    }
    for strategy in list(request, "placementStrategy") {
        let (kind, field) = (text(strategy, "type").unwrap_or_default(), text(strategy, "field").unwrap_or_default());
        let read = PlacementStrategy::read(kind, field);
        placement.strategies.push(read.ok_or_else(|| invalid("Placement strategy is invalid."))?);
    }
    placement.launch = match text(request, "launchType") {
        None => None,
        Some("EC2") => Some(LaunchType::Ec2),
        Some("EXTERNAL") => Some(LaunchType::External),
        Some(other) => return Err(invalid(format!("launchType {other} is not served here: EC2 or EXTERNAL."))),
    };
    let network = request.get("networkConfiguration").and_then(|network| network.get("awsvpcConfiguration"));
    if let Some(network) = network {
        let subnets = texts(network, "subnets");
        if subnets.len() > 16 {
            return Err(invalid("subnets can have at most 16 items."));
        }
        placement.subnets = Some(subnets.into_iter().map(str::to_owned).collect());
    }
    if let Some(provider) =
        list(request, "capacityProviderStrategy").filter_map(|it| text(it, "capacityProvider")).next()
    {
        let held = world.cluster(cluster).map_or(&[][..], |cluster| &cluster.capacity_providers);
        if !held.iter().any(|held| held.name == provider) {
            return Err(invalid("The specified capacity provider was not found."));
        }
        placement.provider = Some(provider.to_owned());
    }
    Ok(placement)
}

/// Writes the constraints and strategies of a service.
pub(super) fn write(world: &World, placement: &Placement, out: &mut Json) {
    out.key("placementConstraints").array(|out| {
        for constraint in &placement.constraints {
            out.object(|out| match constraint {
                Constraint::DistinctInstance => out.member("type", "distinctInstance"),
                Constraint::MemberOf(expression) => {
                    out.member("type", "memberOf");
                    out.member("expression", &expression.text);
                }
            });
        }
    });
    let zones = [PlacementStrategy::zones()];
    let default = placement.strategies.is_empty() && world.habits.zone_spread;
    let strategies = if default { &zones[..] } else { &placement.strategies };
    out.key("placementStrategy").array(|out| {
        for strategy in strategies {
            out.object(|out| {
                out.member("type", strategy.word());
                let field = strategy.field();
                if !field.is_empty() {
                    out.member("field", &field);
                }
            });
        }
    });
}
