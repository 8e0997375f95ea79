//! Services (spec C.3).

use serde_json::Value;
use wire::error::ServiceError;

use super::{at_most, failure, refused};
use crate::{
    face::{
        json::Json,
        paging::{self, Page},
        scope::{Scope, invalid, required, text, texts},
    },
    world::{ClusterId, ServiceId, World, placement::LaunchType},
};

pub(super) fn list(world: &World, scope: &Scope, request: &Value, out: &mut Json) -> Result<(), ServiceError> {
    let cluster = scope.cluster(world, request)?;
    let page = Page::of(request, 10, 100)?;
    let strategy = text(request, "schedulingStrategy");
    let elsewhere = text(request, "launchType").is_some_and(|kind| kind != "EC2");
    let mut next = None;
    out.object(|out| {
        out.key("serviceArns").array(|out| {
            let mut written = 0;
            for (id, service) in world.cluster_services(cluster) {
                if u64::from(id.0) < page.from
                    || elsewhere
                    || strategy.is_some_and(|wanted| wanted != service.strategy.word())
                {
                    continue;
                }
                if written == page.most {
                    next = Some(u64::from(id.0));
                    break;
                }
                out.text(&world.service_arn(id));
                written += 1;
            }
        });
        if let Some(next) = next {
            out.member("nextToken", &paging::token(next));
        }
    });
    Ok(())
}

pub(super) fn describe(world: &World, scope: &Scope, request: &Value, out: &mut Json) -> Result<(), ServiceError> {
    let cluster = scope.cluster(world, request)?;
    let names = texts(request, "services");
    if names.is_empty() {
        return Err(invalid("Services cannot be empty."));
    }
    at_most(&names, 10, "services")?;
    let mut missing = Vec::new();
    out.object(|out| {
        out.key("services").array(|out| {
            for name in names {
                match world.find_service(cluster, name) {
                    Some(id) => write(world, cluster, id, out),
                    None => missing.push(name),
                }
            }
        });
        out.key("failures").array(|out| {
            let cluster = world.cluster(cluster).map_or("", |cluster| &cluster.arn).replace(":cluster/", ":service/");
            for name in missing {
                let arn = if name.starts_with("arn:") { name.to_owned() } else { format!("{cluster}/{name}") };
                failure(out, &arn, "MISSING");
            }
        });
    });
    Ok(())
}

fn write(world: &World, cluster: ClusterId, id: ServiceId, out: &mut Json) {
    let Some(service) = world.service(id) else { return };
    let definition = world.definition_arn(service.definition);
    let deployment = &service.deployment;
    let counts = |out: &mut Json| {
        out.member_int("desiredCount", i64::from(service.desired));
        out.member_int("runningCount", i64::from(service.running));
        out.member_int("pendingCount", i64::from(service.pending));
    };
    out.object(|out| {
        out.member("serviceArn", &world.service_arn(id));
        out.member("serviceName", &service.name);
        if let Some(cluster) = world.cluster(cluster) {
            out.member("clusterArn", &cluster.arn);
        }
        out.member("status", "ACTIVE");
        counts(out);
        match &service.placement.provider {
            None => out.member("launchType", service.placement.launch.unwrap_or(LaunchType::Ec2).word()),
            Some(provider) => out.key("capacityProviderStrategy").array(|out| {
                out.object(|out| {
                    out.member("capacityProvider", provider);
                    out.member_int("weight", 1);
                    out.member_int("base", 0);
                });
            }),
        }
        out.member("schedulingStrategy", service.strategy.word());
        out.member("taskDefinition", &definition);
        out.key("deploymentConfiguration").object(|out| {
            out.member_int("minimumHealthyPercent", i64::from(service.minimum_healthy_percent));
            out.member_int("maximumPercent", i64::from(service.maximum_percent));
            out.member("strategy", "ROLLING");
        });
        out.key("deployments").array(|out| {
            out.object(|out| {
                out.member("id", &format!("ecs-svc/{}", deployment.id));
                out.member("status", "PRIMARY");
                out.member("taskDefinition", &definition);
                counts(out);
                out.member_int("failedTasks", 0);
                out.member("rolloutState", deployment.rollout.word());
                out.key("createdAt").epoch(deployment.created_at);
                out.key("updatedAt").epoch(deployment.updated_at);
            });
        });
        out.key("events").array(|out| {
            for event in &service.events {
                out.object(|out| {
                    out.member("id", &event.id);
                    out.key("createdAt").epoch(event.at);
                    out.member("message", &event.message);
                });
            }
        });
        for empty in ["loadBalancers", "serviceRegistries"] {
            out.key(empty).array(|_| {});
        }
        super::placed::write(world, &service.placement, out);
        let awsvpc = world.definition(service.definition).is_some_and(|definition| definition.awsvpc());
        let zones = world.cluster(cluster).and_then(|cluster| world.place(cluster.place)).map(|place| &place.zones);
        if let (true, Some(zones)) = (awsvpc, zones) {
            out.key("networkConfiguration").object(|out| {
                out.key("awsvpcConfiguration").object(|out| {
                    out.key("subnets").array(|out| match &service.placement.subnets {
                        Some(subnets) => subnets.iter().for_each(|subnet| out.text(subnet)),
                        None => zones.iter().for_each(|zone| out.text(&zone.subnet)),
                    });
                    out.key("securityGroups").array(|_| {});
                    out.member("assignPublicIp", "DISABLED");
                });
            });
        }
        out.key("createdAt").epoch(service.created_at);
    });
}

pub(super) fn update(world: &mut World, scope: &Scope, request: &Value, out: &mut Json) -> Result<(), ServiceError> {
    let cluster = scope.cluster(world, request)?;
    let id = world
        .find_service(cluster, required(request, "service")?)
        .ok_or_else(|| ServiceError::new("ServiceNotFoundException", "Service not found."))?;
    if let Some(desired) = request.get("desiredCount").filter(|value| !value.is_null()) {
        let desired = desired.as_u64().and_then(|desired| u32::try_from(desired).ok());
        let desired = desired.ok_or_else(|| invalid("desiredCount must be a number of tasks."))?;
        world.set_desired_count(id, desired).map_err(refused)?;
    }
    out.object(|out| {
        out.key("service");
        write(world, cluster, id, out);
    });
    Ok(())
}
