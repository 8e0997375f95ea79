//! Clusters, capacity providers and tags (spec C.1, C.3).

use serde_json::{Value, json};
use wire::error::ServiceError;

use super::{at_most, failure, refused, settings, tags};
use crate::{
    face::{
        json::Json,
        paging::{self, Page},
        scope::{Scope, includes, invalid, no_cluster, required, text, texts},
    },
    world::{Cluster, ClusterId, World},
};

pub(super) fn list(world: &World, scope: &Scope, request: &Value, out: &mut Json) -> Result<(), ServiceError> {
    let page = Page::of(request, 100, 100)?;
    let mut next = None;
    out.object(|out| {
        out.key("clusterArns").array(|out| {
            let mut written = 0;
            let clusters = world.clusters.iter().zip(0u64..).skip_while(|(_, number)| *number < page.from);
            for (cluster, number) in clusters {
                if Some(cluster.place) != scope.place || !cluster.active {
                    continue;
                }
                if written == page.most {
                    next = Some(number);
                    break;
                }
                out.text(&cluster.arn);
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
    let mut names = texts(request, "clusters");
    if names.is_empty() {
        names.push("default");
    }
    at_most(&names, 100, "clusters")?;
    let mut missing = Vec::new();
    out.object(|out| {
        out.key("clusters").array(|out| {
            for name in names {
                match scope.place.and_then(|place| world.find_cluster(place, name)) {
                    Some(id) => write(world, id, request, out),
                    None => missing.push(if name.starts_with("arn:") {
                        name.to_owned()
                    } else {
                        scope.arn("ecs", &format!("cluster/{name}"))
                    }),
                }
            }
        });
        out.key("failures").array(|out| missing.iter().for_each(|arn| failure(out, arn, "MISSING")));
    });
    Ok(())
}

pub(super) fn write(world: &World, id: ClusterId, request: &Value, out: &mut Json) {
    let Some(cluster) = world.cluster(id) else { return };
    let services = world.cluster_services(id).count() as i64;
    out.object(|out| {
        out.member("clusterArn", &cluster.arn);
        out.member("clusterName", &cluster.name);
        out.member("status", if cluster.active { "ACTIVE" } else { "INACTIVE" });
        out.member_int("registeredContainerInstancesCount", registered(world, cluster));
        out.member_int("runningTasksCount", i64::from(cluster.running_tasks));
        out.member_int("pendingTasksCount", i64::from(cluster.pending_tasks));
        out.member_int("activeServicesCount", services);
        out.key("statistics").array(|out| {
            if includes(request, "STATISTICS") {
                let counts = [
                    ("runningEC2TasksCount", i64::from(cluster.running_tasks)),
                    ("RunningFargateTasksCount", 0),
                    ("pendingEC2TasksCount", i64::from(cluster.pending_tasks)),
                    ("PendingFargateTasksCount", 0),
                    ("activeEC2ServiceCount", services),
                    ("activeFargateServiceCount", 0),
                    ("drainingEC2ServiceCount", 0),
                    ("drainingFargateServiceCount", 0),
                ];
                for (name, count) in counts {
                    out.object(|out| {
                        out.member("name", name);
                        out.member("value", &count.to_string());
                    });
                }
            }
        });
        if includes(request, "TAGS") {
            tags(out, &cluster.tags);
        } else {
            out.key("tags").array(|_| {});
        }
        out.key("settings").array(|out| {
            if includes(request, "SETTINGS") {
                out.object(|out| {
                    out.member("name", "containerInsights");
                    out.member("value", cluster.insights.word());
                });
            }
        });
        out.key("capacityProviders")
            .array(|out| cluster.capacity_providers.iter().for_each(|provider| out.text(&provider.name)));
        out.key("defaultCapacityProviderStrategy").array(|_| {});
    });
}

/// ACTIVE and DRAINING ones (spec C.1).
fn registered(world: &World, cluster: &Cluster) -> i64 {
    use crate::world::HostStatus::{Active, Draining};
    let counted =
        |id: &&crate::world::HostId| world.host(**id).is_some_and(|host| matches!(host.said.status, Active | Draining));
    cluster.hosts.iter().filter(counted).count() as i64
}

pub(super) fn create(world: &mut World, scope: &Scope, request: &Value, out: &mut Json) -> Result<(), ServiceError> {
    let name = text(request, "clusterName").unwrap_or("default");
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.is_empty() || name.len() > 255 || !name.chars().all(allowed) {
        return Err(invalid("Cluster names may contain up to 255 letters, numbers, hyphens and underscores."));
    }
    let Some(place) = scope.place else { return Err(settings::no_place(scope)) };
    let insights = settings::given(request)?;
    let id = world.find_cluster(place, name).filter(|id| world.cluster(*id).is_some_and(|cluster| cluster.active));
    let id = id.unwrap_or_else(|| world.add_cluster(place, name));
    let given = request.get("tags").and_then(Value::as_array).into_iter().flatten();
    let given: Vec<_> =
        given.filter_map(|tag| Some((text(tag, "key")?.to_owned(), text(tag, "value")?.to_owned()))).collect();
    if let Some(cluster) = world.clusters.get_mut(id.index())
        && !given.is_empty()
    {
        cluster.tags = given;
    }
    if let (Some(cluster), Some(insights)) = (world.clusters.get_mut(id.index()), insights) {
        cluster.insights = insights;
    }
    out.object(|out| {
        out.key("cluster");
        write(world, id, &json!({ "include": ["SETTINGS", "TAGS"] }), out);
    });
    Ok(())
}

pub(super) fn delete(world: &mut World, scope: &Scope, request: &Value, out: &mut Json) -> Result<(), ServiceError> {
    let id = scope.cluster(world, request)?;
    let occupied = world.cluster(id).map_or(0, |cluster| registered(world, cluster));
    if occupied > 0 {
        let what = "The Cluster cannot be deleted while Container Instances are active or draining.";
        return Err(ServiceError::new("ClusterContainsContainerInstancesException", what));
    }
    world.delete_cluster(id).map_err(refused)?;
    out.object(|out| {
        out.key("cluster");
        write(world, id, request, out);
    });
    Ok(())
}

pub(super) fn describe_capacity_providers(
    world: &World,
    scope: &Scope,
    request: &Value,
    out: &mut Json,
) -> Result<(), ServiceError> {
    let wanted = texts(request, "capacityProviders");
    let here = world.clusters.iter().filter(|cluster| Some(cluster.place) == scope.place);
    let all: Vec<_> = here.flat_map(|cluster| &cluster.capacity_providers).collect();
    let arn = |name: &str| scope.arn("ecs", &format!("capacity-provider/{name}"));
    out.object(|out| {
        out.key("capacityProviders").array(|out| {
            for provider in &all {
                let arn = arn(&provider.name);
                if !wanted.is_empty() && !wanted.contains(&provider.name.as_str()) && !wanted.contains(&arn.as_str()) {
                    continue;
                }
                out.object(|out| {
                    out.member("capacityProviderArn", &arn);
                    out.member("name", &provider.name);
                    out.member("status", "ACTIVE");
                    out.member("type", "EC2_AUTOSCALING");
                    out.key("autoScalingGroupProvider").object(|out| {
                        out.member("autoScalingGroupArn", &world.group_arn(provider.group));
                        let managed = world.group(provider.group).is_some_and(|group| group.ecs_managed);
                        let scaling = provider.scaling.unwrap_or_default();
                        out.key("managedScaling").object(|out| {
                            out.member("status", if managed { "ENABLED" } else { "DISABLED" });
                            out.member_int("targetCapacity", i64::from(scaling.target_percent));
                            out.member_int("minimumScalingStepSize", i64::from(scaling.least));
                            out.member_int("maximumScalingStepSize", i64::from(scaling.most));
                            out.member_int("instanceWarmupPeriod", scaling.warmup_secs);
                        });
                        out.member("managedTerminationProtection", "DISABLED");
                        let drains = world.group(provider.group).is_some_and(|group| group.managed_draining);
                        out.member("managedDraining", if drains { "ENABLED" } else { "DISABLED" });
                    });
                    out.key("tags").array(|_| {});
                });
            }
        });
        out.key("failures").array(|out| {
            for name in wanted {
                if !all.iter().any(|provider| provider.name == name || arn(&provider.name) == name) {
                    failure(out, &if name.starts_with("arn:") { name.to_owned() } else { arn(name) }, "MISSING");
                }
            }
        });
    });
    Ok(())
}

pub(super) fn list_tags(world: &World, scope: &Scope, request: &Value, out: &mut Json) -> Result<(), ServiceError> {
    let arn = required(request, "resourceArn")?;
    let found = if arn.contains(":cluster/") {
        let id = scope.place.and_then(|place| world.find_cluster(place, arn)).ok_or_else(no_cluster)?;
        world.cluster(id).map_or(&[][..], |cluster| &cluster.tags)
    } else if arn.contains(":container-instance/") && world.find_host(arn).is_none() {
        return Err(invalid("The specified container instance was not found."));
    } else {
        // Only clusters have tags in this account.
        &[]
    };
    out.object(|out| tags(out, found));
    Ok(())
}
