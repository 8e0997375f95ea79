//! What a service asks of hosts: from the words of a file to a task definition and a placement.

use std::collections::BTreeMap;

use toml::Spanned;

use super::{Mistake, file, words};
use crate::world::{
    ClusterId, PlaceId, Placement, TaskDefinition, World,
    placement::{Constraint, Expression, HostPort, LaunchType, NetworkMode, PlacementStrategy, Required},
};

/// Attributes with their values; an empty value makes a flag.
pub(super) fn attributes(given: &BTreeMap<String, String>) -> Vec<(String, Option<String>)> {
    let value = |value: &String| (!value.is_empty()).then(|| value.clone());
    given.iter().map(|(name, held)| (name.clone(), value(held))).collect()
}

/// The task definition of a service.
pub(super) fn definition(place: PlaceId, service: &file::Service) -> Result<TaskDefinition, Mistake> {
    let port = |text: &Spanned<String>| {
        HostPort::parse(text.get_ref()).ok_or_else(|| Mistake {
            span: text.span(),
            what: format!("`{}` is no port: write \"8080\" or \"53/udp\"", text.get_ref()),
        })
    };
    let required = |text: &String| match text.split_once('=') {
        Some((name, value)) => Required { name: name.to_owned(), value: Some(value.to_owned()) },
        None => Required { name: text.clone(), value: None },
    };
    Ok(TaskDefinition {
        place,
        family: service.name.clone(),
        revision: 0,
        cpu: service.cpu,
        memory_mib: service.memory,
        network: match service.network {
            file::Network::Awsvpc => NetworkMode::Awsvpc,
            file::Network::Bridge => NetworkMode::Bridge,
            file::Network::Host => NetworkMode::Host,
            file::Network::None => NetworkMode::None,
        },
        containers: vec![service.name.clone()],
        gpus: service.gpus,
        ports: service.ports.iter().map(port).collect::<Result<_, _>>()?,
        requires: service.requires.iter().map(required).collect(),
        constraints: service.definition_member_of.iter().map(expression).collect::<Result<_, _>>()?,
        os_family: service.os_family.clone(),
        architecture: service.architecture.clone(),
    })
}

fn expression(text: &Spanned<String>) -> Result<Expression, Mistake> {
    let wrong = |what: String| Mistake { span: text.span(), what: format!("`{}`: {what}", text.get_ref()) };
    Expression::parse(text.get_ref()).map_err(wrong)
}

/// The placement of a service of a cluster.
pub(super) fn placement(world: &World, cluster: ClusterId, service: &file::Service) -> Result<Placement, Mistake> {
    let mut constraints = Vec::new();
    if service.distinct_instance {
        constraints.push(Constraint::DistinctInstance);
    }
    for text in &service.member_of {
        constraints.push(Constraint::MemberOf(expression(text)?));
    }
    let strategy = |text: &Spanned<String>| {
        PlacementStrategy::parse(text.get_ref()).ok_or_else(|| {
            let choices = [
                "random",
                "binpack(cpu)",
                "binpack(memory)",
                "spread(instanceId)",
                "spread(attribute:ecs.availability-zone)",
            ];
            words::unknown(text.span(), "placement strategy", text.get_ref(), &choices)
        })
    };
    let subnets = match &service.zones {
        None => None,
        Some(zones) => {
            let subnet = |zone: &Spanned<String>| {
                let (place, number) = words::zone(world, zone)?;
                let found = world.place(place).and_then(|place| place.zones.get(usize::from(number)));
                Ok(found.map(|zone| zone.subnet.clone()).unwrap_or_default())
            };
            Some(zones.iter().map(subnet).collect::<Result<_, Mistake>>()?)
        }
    };
    let launch = match &service.launch_type {
        None => None,
        Some(word) => match word.get_ref().as_str() {
            "EC2" => Some(LaunchType::Ec2),
            "EXTERNAL" => Some(LaunchType::External),
            other => return Err(words::unknown(word.span(), "launch type", other, &["EC2", "EXTERNAL"])),
        },
    };
    if let Some(provider) = &service.provider {
        let held = world.cluster(cluster).map_or(&[][..], |cluster| &cluster.capacity_providers);
        if !held.iter().any(|held| held.name == *provider.get_ref()) {
            let names: Vec<&str> = held.iter().map(|held| held.name.as_str()).collect();
            return Err(words::unknown(provider.span(), "capacity provider", provider.get_ref(), &names));
        }
    }
    Ok(Placement {
        constraints,
        strategies: service.strategies.iter().map(strategy).collect::<Result<_, _>>()?,
        subnets,
        launch,
        provider: service.provider.as_ref().map(|provider| provider.get_ref().clone()),
    })
}
