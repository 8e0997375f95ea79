//! Container instances (spec C.2, A.5).

use serde_json::Value;
use wire::error::ServiceError;

use super::{at_most, failure, refused, tags};
use crate::{
    events::gpu_id,
    face::{
        json::Json,
        paging::{self, Page},
        scope::{Scope, View, includes, invalid, required, text, texts},
    },
    world::{
        CheckKind, ClusterId, HostId, HostState, HostStatus, World, placement::Protocol, query::Query, read::Resources,
    },
};

pub(super) fn list(
    world: &World,
    scope: &Scope,
    view: &View,
    request: &Value,
    out: &mut Json,
) -> Result<(), ServiceError> {
    let id = scope.cluster(world, request)?;
    let page = Page::of(request, 100, 100)?;
    let status = match text(request, "status") {
        None => None,
        Some(word) => Some(
            [
                HostStatus::Active,
                HostStatus::Draining,
                HostStatus::Registering,
                HostStatus::Deregistering,
                HostStatus::RegistrationFailed,
            ]
            .into_iter()
            .find(|status| status.word() == word)
            .ok_or_else(|| {
                invalid(format!("Container instance status should be one of the known ones, not {word}."))
            })?,
        ),
    };
    let filter = text(request, "filter").filter(|text| !text.trim().is_empty());
    let filter = filter.map(Query::parse).transpose().map_err(|what| invalid(format!("Invalid filter: {what}")))?;
    let Some(cluster) = world.cluster(id) else { return Ok(()) };
    // Hosts are in the order of their registration, which is that of their numbers.
    let first = cluster.hosts.partition_point(|host| u64::from(host.0) < page.from);
    let mut next = None;
    out.object(|out| {
        out.key("containerInstanceArns").array(|out| {
            let mut written = 0;
            for &host in &cluster.hosts[first..] {
                let Some(state) = world.host_as_of(host, view.staleness_ms) else { continue };
                let fits = state.status != HostStatus::Inactive
                    && status.is_none_or(|status| state.status == status)
                    && filter.as_ref().is_none_or(|filter| filter.accepts(world, host, &state));
                if !fits {
                    continue;
                }
                if written == page.most {
                    next = Some(u64::from(host.0));
                    break;
                }
                out.plain(|out| world.write_host_arn(host, out));
                written += 1;
            }
        });
        if let Some(next) = next {
            out.member("nextToken", &paging::token(next));
        }
    });
    Ok(())
}

/// A host of this cluster by ARN or id.
fn find(world: &World, cluster: ClusterId, name: &str) -> Option<HostId> {
    world.find_host(name).filter(|host| world.host(*host).is_some_and(|found| found.cluster == cluster))
}

pub(super) fn describe(
    world: &World,
    scope: &Scope,
    view: &View,
    request: &Value,
    out: &mut Json,
) -> Result<(), ServiceError> {
    let cluster = scope.cluster(world, request)?;
    let names = texts(request, "containerInstances");
    if names.is_empty() {
        return Err(invalid("Container instances cannot be empty."));
    }
    at_most(&names, 100, "Container instances")?;
    let (health, with_tags) = (includes(request, "CONTAINER_INSTANCE_HEALTH"), includes(request, "TAGS"));
    let mut missing = Vec::new();
    out.object(|out| {
        out.key("containerInstances").array(|out| {
            for name in names {
                let found = find(world, cluster, name)
                    .and_then(|host| Some((host, world.host_as_of(host, view.staleness_ms)?)));
                match found {
                    Some((host, state)) => write(world, host, &state, health, with_tags, out),
                    None => missing.push(name),
                }
            }
        });
        out.key("failures").array(|out| missing.iter().for_each(|name| missing_host(world, cluster, name, out)));
    });
    Ok(())
}

fn missing_host(world: &World, cluster: ClusterId, name: &str, out: &mut Json) {
    if name.starts_with("arn:") {
        return failure(out, name, "MISSING");
    }
    let prefix = world.cluster(cluster).map_or("", |cluster| &cluster.host_arn_prefix);
    failure(out, &format!("{prefix}{name}"), "MISSING");
}

fn write(world: &World, host: HostId, state: &HostState, health: bool, with_tags: bool, out: &mut Json) {
    let Some(found) = world.host(host) else { return };
    let Some(machine) = world.machine(found.machine) else { return };
    out.object(|out| {
        out.key("containerInstanceArn").plain(|out| world.write_host_arn(host, out));
        out.key("ec2InstanceId").plain(|out| world.write_machine_id(found.machine, out));
        let provider = machine.group.and_then(|group| {
            let cluster = world.cluster(found.cluster)?;
            cluster.capacity_providers.iter().find(|provider| provider.group == group)
        });
        if let Some(provider) = provider {
            out.member("capacityProviderName", &provider.name);
        }
        out.member_int("version", i64::from(state.version));
        out.key("versionInfo").object(|out| {
            out.member("agentVersion", world.text(machine.agent.version));
            out.member("agentHash", "0d1e2f3a");
            out.member("dockerVersion", "DockerVersion: 25.0.6");
        });
        if let Some(resources) = world.resources(host, state) {
            for (name, remaining) in [("remainingResources", true), ("registeredResources", false)] {
                out.key(name).array(|out| write_resources(world, host, state, &resources, remaining, out));
            }
        }
        out.member("status", state.status.word());
        if let Some(reason) = found.status_reason {
            out.member("statusReason", world.text(reason));
        }
        out.key("agentConnected").flag(state.connected);
        out.member_int("runningTasksCount", i64::from(state.running));
        out.member_int("pendingTasksCount", i64::from(state.pending));
        out.key("attributes").array(|out| {
            world.attributes(host, |name, value| {
                out.object(|out| {
                    out.member("name", name);
                    if let Some(value) = value {
                        out.member("value", value);
                    }
                });
            });
        });
        out.key("registeredAt").epoch(found.registered_at);
        out.key("attachments").array(|_| {});
        if with_tags {
            tags(out, &found.tags);
        } else {
            out.key("tags").array(|_| {});
        }
        if health {
            write_health(world, host, out);
        }
    });
}

fn write_resources(
    world: &World,
    host: HostId,
    state: &HostState,
    resources: &Resources,
    remaining: bool,
    out: &mut Json,
) {
    let integer = |name: &str, value: i32, out: &mut Json| {
        out.object(|out| {
            out.member("name", name);
            out.member("type", "INTEGER");
            out.raw(b"\"doubleValue\":0.0,\"longValue\":0");
            out.member_int("integerValue", i64::from(value));
        });
    };
    integer("CPU", if remaining { resources.cpu_left } else { resources.cpu }, out);
    integer("MEMORY", if remaining { resources.memory_left_mib } else { resources.memory_mib }, out);
    let set = |name: &str, values: &mut dyn FnMut(&mut Json), out: &mut Json| {
        out.object(|out| {
            out.member("name", name);
            out.member("type", "STRINGSET");
            out.raw(b"\"doubleValue\":0.0,\"longValue\":0,\"integerValue\":0");
            out.key("stringSetValue").array(values);
        });
    };
    for (name, protocol) in [("PORTS", Protocol::Tcp), ("PORTS_UDP", Protocol::Udp)] {
        let ports = world.ports_taken(host, state, protocol, remaining);
        set(name, &mut |out| ports.iter().for_each(|port| out.text(&port.to_string())), out);
    }
    if resources.gpus > 0 {
        let taken = if remaining { resources.gpus_taken } else { 0 };
        let free = (0..resources.gpus).filter(|gpu| taken & 1 << gpu == 0);
        set("GPU", &mut |out| free.clone().for_each(|gpu| out.text(&gpu_id(gpu))), out);
    }
}

fn write_health(world: &World, host: HostId, out: &mut Json) {
    use crate::world::CheckStatus::{Impaired, Initializing, InsufficientData, Ok};
    let checks = [CheckKind::AgentConnectivity, CheckKind::ContainerRuntime];
    let checks: Vec<_> = checks.into_iter().filter_map(|kind| Some((kind, world.check(host, kind)?))).collect();
    // Worst first (spec A.10).
    let overall = [Impaired, InsufficientData, Initializing, Ok]
        .into_iter()
        .find(|status| checks.iter().any(|(_, check)| check.status == *status))
        .unwrap_or(InsufficientData);
    out.key("healthStatus").object(|out| {
        out.member("overallStatus", overall.word());
        out.key("details").array(|out| {
            for (kind, check) in &checks {
                out.object(|out| {
                    out.member("type", kind.word());
                    out.member("status", check.status.word());
                    let since = world
                        .host(host)
                        .and_then(|host| host.away_since)
                        .filter(|_| *kind == CheckKind::AgentConnectivity);
                    if let (Impaired, Some(since)) = (check.status, since) {
                        out.member("statusReason", &format!("Agent disconnected since {}", since.iso_secs()));
                    }
                    out.key("lastUpdated").epoch(check.updated_at(world.now));
                    out.key("lastStatusChange").epoch(check.changed_at);
                });
            }
        });
    });
}

pub(super) fn list_attributes(
    world: &World,
    scope: &Scope,
    request: &Value,
    out: &mut Json,
) -> Result<(), ServiceError> {
    let cluster = scope.cluster(world, request)?;
    if required(request, "targetType")? != "container-instance" {
        return Err(invalid("The specified target type is not container-instance."));
    }
    let page = Page::of(request, 100, 100)?;
    let (wanted, wanted_value) = (text(request, "attributeName"), text(request, "attributeValue"));
    let Some(cluster) = world.cluster(cluster) else { return Ok(()) };
    // A token counts attributes, so a page may end in the middle of a host.
    let (mut number, mut written, mut more) = (0u64, 0usize, false);
    out.object(|out| {
        out.key("attributes").array(|out| {
            for &host in &cluster.hosts {
                if more {
                    break;
                }
                let arn = world.host_arn(host);
                world.attributes(host, |name, value| {
                    if wanted.is_some_and(|wanted| wanted != name)
                        || wanted_value.is_some_and(|wanted| Some(wanted) != value)
                    {
                        return;
                    }
                    number += 1;
                    if number <= page.from || more {
                        return;
                    }
                    if written == page.most {
                        more = true;
                        return;
                    }
                    written += 1;
                    out.object(|out| {
                        out.member("name", name);
                        if let Some(value) = value {
                            out.member("value", value);
                        }
                        out.member("targetType", "container-instance");
                        out.member("targetId", &arn);
                    });
                });
            }
        });
        if more {
            out.member("nextToken", &paging::token(page.from + written as u64));
        }
    });
    Ok(())
}

/// PutAttributes: at most ten of one's own a host (spec C.2).
pub(super) fn put_attributes(
    world: &mut World,
    scope: &Scope,
    request: &Value,
    out: &mut Json,
) -> Result<(), ServiceError> {
    const MOST: usize = 10;
    let cluster = scope.cluster(world, request)?;
    let given = request.get("attributes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if given.is_empty() || given.len() > MOST {
        return Err(invalid("attributes must have 1 to 10 items."));
    }
    for attribute in given {
        let target = required(attribute, "targetId")?;
        let no_target = || ServiceError::new("TargetNotFoundException", "The specified target wasn't found.");
        let host = find(world, cluster, target).ok_or_else(no_target)?;
        let name = required(attribute, "name")?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | '\\' | '.');
        if name.is_empty() || name.len() > 128 || !name.chars().all(allowed) || name.starts_with("ecs.") {
            return Err(invalid("The name of the attribute is invalid."));
        }
        let held = world.host(host).map_or(&[][..], |host| &host.attributes);
        if held.len() >= MOST && !held.iter().any(|(other, _)| other == name) {
            return Err(ServiceError::new("AttributeLimitExceededException", "You can have 10 attributes a resource."));
        }
        world.put_attribute(host, name, text(attribute, "value")).map_err(refused)?;
    }
    out.object(|out| out.key("attributes").raw(Value::Array(given.to_vec()).to_string().as_bytes()));
    Ok(())
}

pub(super) fn update_state(
    world: &mut World,
    scope: &Scope,
    request: &Value,
    out: &mut Json,
) -> Result<(), ServiceError> {
    let cluster = scope.cluster(world, request)?;
    let names = texts(request, "containerInstances");
    at_most(&names, 10, "Container instances")?;
    let draining = match required(request, "status")? {
        "DRAINING" => true,
        "ACTIVE" => false,
        other => return Err(invalid(format!("Container instance status should be ACTIVE or DRAINING, not {other}."))),
    };
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for name in names {
        match find(world, cluster, name) {
            None => failed.push((name, "MISSING")),
            Some(host) => match world.set_draining(host, draining) {
                Ok(()) => {
                    let machine = world.host(host).map(|found| found.machine);
                    world.note_happened("", if draining { "drain" } else { "undrain" }, machine, Some(host));
                    done.push(host);
                }
                Err(_) => failed.push((name, "INACTIVE")),
            },
        }
    }
    out.object(|out| {
        out.key("containerInstances").array(|out| done.iter().for_each(|host| write_now(world, *host, out)));
        out.key("failures").array(|out| failed.iter().for_each(|(name, reason)| failure(out, name, reason)));
    });
    Ok(())
}

/// A host that was just written to: never stale.
fn write_now(world: &World, host: HostId, out: &mut Json) {
    if let Some(found) = world.host(host) {
        write(world, host, &found.said, false, false, out);
    }
}

pub(super) fn deregister(
    world: &mut World,
    scope: &Scope,
    request: &Value,
    out: &mut Json,
) -> Result<(), ServiceError> {
    let cluster = scope.cluster(world, request)?;
    let name = required(request, "containerInstance")?;
    let host = find(world, cluster, name).ok_or_else(|| invalid("Referenced container instance not found."))?;
    let force = request.get("force").and_then(Value::as_bool).unwrap_or(false);
    world.deregister(host, force).map_err(refused)?;
    let machine = world.host(host).map(|found| found.machine);
    world.note_happened("", "deregister", machine, Some(host));
    out.object(|out| {
        out.key("containerInstance");
        write_now(world, host, out);
    });
    Ok(())
}
