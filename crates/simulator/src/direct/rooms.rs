//! What groups as wholes and demands are like, as looks at them would tell.

use engine::ports::{
    FailureKind, Placement, Scope, TaskShape,
    observation::{DemandFact, Fact, GroupFact, Source, SubnetFact, Text, group::Wanted},
};
use serde_json::{Value, json};

use super::answers::{Answered, Asking, membership, place_of};
use crate::{
    face::told,
    simulation::Simulation,
    world::{ClusterId, Group, Lifecycle, MachineId, PlaceId, Strategy, World},
};

/// DescribeAutoScalingGroups for some groups, and DescribeScalingActivities for each.
pub(super) fn groups(simulation: &mut Simulation, place: &str, names: &[String]) -> Answered {
    let scope = Scope::Groups(Text::Owned(place.to_owned()));
    let place_id = place_of(&simulation.world, place);
    let mut asking = Asking { simulation, place: place_id, scope };
    asking.call("autoscaling:DescribeAutoScalingGroups", 1)?;
    asking.call("autoscaling:DescribeScalingActivities", names.len())?;
    let world = &asking.simulation.world;
    let mut found = Vec::new();
    for group in names.iter().filter_map(|name| world.group(world.find_group(place_id, name)?)) {
        found.extend(group.members.iter().filter_map(|member| membership(world, group, *member)));
        found.push(Fact::Group(fact(world, group, place)));
    }
    asking.answer(found, Source::Look, false)
}

fn fact(world: &World, group: &Group, place: &str) -> GroupFact<'static> {
    let zones = world.place(group.place).map_or(&[][..], |place| &place.zones);
    let stays = |member: &&MachineId| {
        let lifecycle = world.machine(**member).map(|machine| machine.lifecycle);
        matches!(lifecycle, Some(Lifecycle::Pending | Lifecycle::PendingWait | Lifecycle::InService))
    };
    let members: Vec<MachineId> = group.members.iter().filter(stays).copied().collect();
    let protected = members.iter().filter(|member| world.machine(**member).is_some_and(|machine| machine.protected));
    // What is in progress says nothing yet.
    let launches = group
        .activities
        .iter()
        .filter(|activity| activity.description.starts_with("Launching") && activity.status != "InProgress");
    let failed: Vec<_> = launches.take_while(|activity| activity.status == "Failed").collect();
    GroupFact {
        name: Text::Owned(group.name.clone()),
        place: Text::Owned(place.to_owned()),
        min: group.min,
        max: group.max,
        desired: group.desired,
        zones: group.zones.iter().filter_map(|zone| Some(zones.get(usize::from(*zone))?.name.clone().into())).collect(),
        suspended: group.suspended.iter().map(|process| process.clone().into()).collect(),
        protected: protected.map(|member| world.machine_id(*member).into()).collect(),
        members: members.iter().map(|member| world.machine_id(*member).into()).collect(),
        failed_at: failed.first().map(|activity| activity.at.timestamp()),
        failures: failed.len() as u32,
    }
}

/// DescribeServices, DescribeTaskDefinition, ListServices and DescribeSubnets for what is to find room.
pub(super) fn demand(simulation: &mut Simulation, cluster: &str, of: &str) -> Answered {
    let scope = Scope::Demand { cluster: Text::Owned(cluster.to_owned()) };
    let (mut asking, known) = Asking::of_cluster(simulation, cluster, scope);
    let place = asking.place;
    let service = of.strip_prefix("service:");
    if service.is_some() {
        asking.call("ecs:DescribeServices", 1)?;
    }
    asking.call("ecs:DescribeTaskDefinition", 1)?;
    asking.call("ecs:ListServices", 1)?;
    asking.call("ec2:DescribeSubnets", 1)?;
    let world = &mut asking.simulation.world;
    let described = match service {
        Some(name) => {
            let answer = ask(world, place, "DescribeServices", &json!({"cluster": cluster, "services": [name]}));
            answer["services"][0].clone()
        }
        None => json!({"taskDefinition": of.strip_prefix("family:").unwrap_or(of)}),
    };
    let definition =
        ask(world, place, "DescribeTaskDefinition", &json!({"taskDefinition": described["taskDefinition"]}));
    let mut wanted = None;
    if definition["taskDefinition"].is_object() {
        let read = TaskShape::read(definition.to_string().as_bytes()).map_err(|error| error.to_string());
        let placement = match service {
            Some(_) => Placement::of_service(&described).map_err(|error| error.to_string()),
            None => Ok((Placement::default(), Vec::new())),
        };
        match (read, placement) {
            (Ok(mut shape), Ok((placement, subnets))) => {
                // What agents are able to do is told on the wire alone.
                shape.requires.retain(|required| !required.name.starts_with("ecs.capability."));
                wanted = Some(Box::new(Wanted { shape, placement, subnets }));
            }
            (Err(why), _) | (_, Err(why)) => return Err(asking.failure(FailureKind::Failed, why)),
        }
    }
    let world = &asking.simulation.world;
    let daemons = known.into_iter().flat_map(|id| daemons(world, id)).map(Text::Owned).collect();
    let mut found = Vec::new();
    let subnets = wanted.as_ref().map(|wanted| wanted.subnets.clone()).unwrap_or_default();
    let zones = world.place(place).map_or(&[][..], |place| &place.zones);
    for (zone, number) in zones.iter().zip(0_u8..).filter(|(zone, _)| subnets.contains(&zone.subnet)) {
        found.push(Fact::Subnet(SubnetFact {
            id: Text::Owned(zone.subnet.clone()),
            zone: Text::Owned(zone.name.clone()),
            free_addresses: world.free_addresses(place, number),
        }));
    }
    let fact = DemandFact { cluster: Text::Owned(cluster.to_owned()), of: Text::Owned(of.to_owned()), wanted, daemons };
    found.push(Fact::Demand(fact));
    asking.answer(found, Source::Look, false)
}

fn daemons(world: &World, cluster: ClusterId) -> Vec<String> {
    let services = world.cluster_services(cluster).filter(|(_, service)| service.strategy == Strategy::Daemon);
    services.map(|(_, service)| service.name.clone()).collect()
}

fn ask(world: &mut World, place: PlaceId, operation: &str, request: &Value) -> Value {
    serde_json::from_slice(&told(world, place, operation, request)).unwrap_or_default()
}
