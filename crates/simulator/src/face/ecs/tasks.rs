//! Tasks and task definitions (spec C.3, A.6).

use serde_json::Value;
use wire::error::ServiceError;

use super::{at_most, failure, refused};
use crate::{
    events::gpu_id,
    face::{
        json::Json,
        paging::{self, Page},
        scope::{Scope, invalid, required, text, texts},
    },
    world::{ClusterId, Task, TaskDefinition, TaskId, TaskStatus, World, placement::NetworkMode},
};

pub(super) fn list(world: &World, scope: &Scope, request: &Value, out: &mut Json) -> Result<(), ServiceError> {
    let cluster = scope.cluster(world, request)?;
    let page = Page::of(request, 100, 100)?;
    let running = match text(request, "desiredStatus").unwrap_or("RUNNING") {
        "RUNNING" => true,
        "STOPPED" => false,
        "PENDING" => {
            out.object(|out| out.key("taskArns").array(|_| {}));
            return Ok(());
        }
        other => return Err(invalid(format!("desiredStatus should be RUNNING, PENDING or STOPPED, not {other}."))),
    };
    let host = match text(request, "containerInstance") {
        None => None,
        Some(name) => Some(world.find_host(name).ok_or_else(|| invalid("Referenced container instance not found."))?),
    };
    let service = match text(request, "serviceName") {
        None => None,
        Some(name) => Some(
            world
                .find_service(cluster, name)
                .ok_or_else(|| ServiceError::new("ServiceNotFoundException", "Service not found."))?,
        ),
    };
    let (family, started_by) = (text(request, "family"), text(request, "startedBy"));
    let launch_type = text(request, "launchType");
    let nowhere = launch_type.is_some_and(|kind| !matches!(kind, "EC2" | "EXTERNAL"));
    let fits = |task: &Task| {
        task.present
            && task.cluster == cluster
            && task.said.desired_running == running
            && host.is_none_or(|host| task.host == host)
            && service.is_none_or(|service| task.service == Some(service))
            && family.is_none_or(|family| world.definition(task.definition).is_some_and(|d| d.family == family))
            && started_by.is_none_or(|wanted| task.service.is_some() && deployment(task) == wanted)
            && launch_type.is_none_or(|wanted| launch_type_of(world, task) == wanted)
    };
    // Numbers are slots: a token stays right whatever comes and goes.
    let mut slots: Box<dyn Iterator<Item = TaskId>> = match (host, service, nowhere) {
        (_, _, true) => Box::new(std::iter::empty()),
        (Some(host), ..) => {
            let mut ids: Vec<_> = world.host_tasks(host).map(|(id, _)| id).collect();
            ids.sort();
            Box::new(ids.into_iter())
        }
        (None, Some(service), _) if running => {
            let mut ids = world.service(service).map_or_else(Vec::new, |service| service.tasks.clone());
            ids.sort();
            Box::new(ids.into_iter())
        }
        _ => {
            let from = usize::try_from(page.from).unwrap_or(usize::MAX).min(world.tasks.len());
            Box::new(
                world.tasks[from..]
                    .iter()
                    .zip(page.from as u32..)
                    .map(|(task, slot)| TaskId { slot, generation: task.generation }),
            )
        }
    };
    let mut next = None;
    out.object(|out| {
        out.key("taskArns").array(|out| {
            let mut written = 0;
            for id in slots.by_ref().filter(|id| u64::from(id.slot) >= page.from) {
                if !world.task(id).is_some_and(fits) {
                    continue;
                }
                if written == page.most {
                    next = Some(u64::from(id.slot));
                    break;
                }
                out.plain(|out| world.write_task_arn(cluster, id, out));
                written += 1;
            }
        });
        if let Some(next) = next {
            out.member("nextToken", &paging::token(next));
        }
    });
    Ok(())
}

fn deployment(task: &Task) -> String {
    format!("ecs-svc/{}", task.deployment)
}

fn launch_type_of(world: &World, task: &Task) -> &'static str {
    let machine = world.host(task.host).and_then(|host| world.machine(host.machine));
    if machine.is_some_and(|machine| machine.external) { "EXTERNAL" } else { "EC2" }
}

fn find(world: &World, cluster: ClusterId, name: &str) -> Option<TaskId> {
    world.find_task(name).filter(|id| world.task(*id).is_some_and(|task| task.cluster == cluster))
}

pub(super) fn describe(world: &World, scope: &Scope, request: &Value, out: &mut Json) -> Result<(), ServiceError> {
    let cluster = scope.cluster(world, request)?;
    let names = texts(request, "tasks");
    if names.is_empty() {
        return Err(invalid("Tasks cannot be empty."));
    }
    at_most(&names, 100, "tasks")?;
    let mut missing = Vec::new();
    out.object(|out| {
        out.key("tasks").array(|out| {
            for name in names {
                match find(world, cluster, name) {
                    Some(id) => write(world, id, out),
                    None => missing.push(name),
                }
            }
        });
        out.key("failures").array(|out| {
            let prefix = world.cluster(cluster).map_or("", |cluster| &cluster.task_arn_prefix);
            for name in missing {
                let arn = if name.starts_with("arn:") { name.to_owned() } else { format!("{prefix}{name}") };
                failure(out, &arn, "MISSING");
            }
        });
    });
    Ok(())
}

fn write(world: &World, id: TaskId, out: &mut Json) {
    let Some(task) = world.task(id) else { return };
    let Some(definition) = world.definition(task.definition) else { return };
    let machine = world.host(task.host).and_then(|host| world.machine(host.machine));
    let eni = world.eni(id, task);
    let said = &task.said;
    out.object(|out| {
        out.key("taskArn").plain(|out| world.write_task_arn(task.cluster, id, out));
        if let Some(cluster) = world.cluster(task.cluster) {
            out.member("clusterArn", &cluster.arn);
        }
        out.member("taskDefinitionArn", &world.definition_arn(task.definition));
        out.key("containerInstanceArn").plain(|out| world.write_host_arn(task.host, out));
        out.member("launchType", launch_type_of(world, task));
        out.member("lastStatus", said.last.word());
        out.member("desiredStatus", if said.desired_running { "RUNNING" } else { "STOPPED" });
        out.member_int("version", i64::from(said.version));
        out.member("cpu", &definition.cpu.to_string());
        out.member("memory", &definition.memory_mib.to_string());
        out.member("connectivity", "CONNECTED");
        out.member("healthStatus", "UNKNOWN");
        out.member("group", &world.task_group(task));
        if task.service.is_some() {
            out.member("startedBy", &deployment(task));
        }
        let zone = machine.and_then(|machine| world.place(machine.place)?.zones.get(usize::from(machine.zone)));
        if let Some(zone) = zone {
            out.member("availabilityZone", &zone.name);
        }
        out.key("createdAt").epoch(task.created_at);
        let moments =
            [("startedAt", task.started_at), ("stoppingAt", task.stopping_at), ("stoppedAt", task.stopped_at)];
        for (name, at) in moments {
            if let Some(at) = at {
                out.key(name).epoch(at);
            }
        }
        if let Some(code) = said.stop_code {
            out.member("stopCode", code.word());
        }
        if let Some(reason) = task.stopped_reason {
            out.member("stoppedReason", world.text(reason));
        }
        out.key("attachments").array(|out| {
            if let Some(eni) = &eni {
                out.object(|out| {
                    out.member("id", &eni.attachment);
                    out.member("type", "ElasticNetworkInterface");
                    out.member("status", eni.status.word());
                    out.key("details").array(|out| {
                        for (name, value) in [
                            ("subnetId", &eni.subnet),
                            ("networkInterfaceId", &eni.id),
                            ("macAddress", &eni.mac),
                            ("privateDnsName", &eni.dns_name),
                            ("privateIPv4Address", &eni.address),
                        ] {
                            out.object(|out| {
                                out.member("name", name);
                                out.member("value", value);
                            });
                        }
                    });
                });
            }
        });
        out.key("containers").array(|out| {
            for (name, number) in definition.containers.iter().zip(0u32..) {
                out.object(|out| {
                    let arn_prefix = world.cluster(task.cluster).map_or("", |cluster| &cluster.task_arn_prefix);
                    out.key("containerArn").plain(|out| {
                        out.extend_from_slice(arn_prefix.replace(":task/", ":container/").as_bytes());
                        world.namer.write_task(id, out);
                        out.push(b'/');
                        world.namer.write_container(id, number, out);
                    });
                    out.key("taskArn").plain(|out| world.write_task_arn(task.cluster, id, out));
                    out.member("name", name);
                    out.member("image", &format!("{name}:{}", definition.revision));
                    out.member("lastStatus", container_status(said.last));
                    if let (Some(code), 0) = (said.exit_code, number) {
                        out.member_int("exitCode", i64::from(code));
                    }
                    out.key("networkInterfaces").array(|out| {
                        if let Some(eni) = &eni {
                            out.object(|out| {
                                out.member("attachmentId", &eni.attachment);
                                out.member("privateIpv4Address", &eni.address);
                            });
                        }
                    });
                    out.member("healthStatus", "UNKNOWN");
                    if number == 0 {
                        first_container(task, definition, out);
                    }
                });
            }
        });
        out.key("overrides").object(|out| out.key("containerOverrides").array(|_| {}));
        out.key("tags").array(|_| {});
    });
}

/// What the first container alone has: the task's ports and GPUs.
fn first_container(task: &Task, definition: &TaskDefinition, out: &mut Json) {
    out.key("networkBindings").array(|out| {
        for port in definition.ports.iter().filter(|_| definition.network == NetworkMode::Bridge) {
            out.object(|out| {
                out.member("bindIP", "0.0.0.0");
                out.member_int("containerPort", i64::from(port.port));
                out.member_int("hostPort", i64::from(port.port));
                out.member("protocol", port.protocol.word());
            });
        }
    });
    if task.gpus != 0 {
        let held = (0..16).filter(|gpu| task.gpus & 1 << gpu != 0);
        out.key("gpuIds").array(|out| held.for_each(|gpu| out.text(&gpu_id(gpu))));
    }
}

fn container_status(last: TaskStatus) -> &'static str {
    match last {
        TaskStatus::Running | TaskStatus::Deactivating | TaskStatus::Stopping => "RUNNING",
        TaskStatus::Deprovisioning | TaskStatus::Stopped => "STOPPED",
        _ => "PENDING",
    }
}

pub(super) fn stop(world: &mut World, scope: &Scope, request: &Value, out: &mut Json) -> Result<(), ServiceError> {
    let cluster = scope.cluster(world, request)?;
    let task = find(world, cluster, required(request, "task")?);
    let task = task.ok_or_else(|| invalid("The referenced task was not found."))?;
    let reason = text(request, "reason").unwrap_or("Task stopped by user");
    world.stop_task(task, reason).map_err(refused)?;
    out.object(|out| {
        out.key("task");
        write(world, task, out);
    });
    Ok(())
}

pub(super) fn run(world: &mut World, scope: &Scope, request: &Value, out: &mut Json) -> Result<(), ServiceError> {
    let cluster = scope.cluster(world, request)?;
    let name = required(request, "taskDefinition")?;
    let definition = scope.place.and_then(|place| world.find_definition(place, name)).ok_or_else(no_definition)?;
    let count = request.get("count").and_then(Value::as_u64).unwrap_or(1);
    if !(1..=10).contains(&count) {
        return Err(invalid("count must be between 1 and 10."));
    }
    let group = text(request, "group").map(|group| world.intern(group));
    let placement = super::placed::read(world, cluster, request)?;
    let outcomes: Vec<_> = (0..count).map(|_| world.run_task(cluster, definition, group, &placement)).collect();
    let nowhere = world.cluster(cluster).map_or_else(String::new, |cluster| cluster.arn.clone());
    out.object(|out| {
        out.key("tasks").array(|out| outcomes.iter().flatten().for_each(|task| write(world, *task, out)));
        out.key("failures").array(|out| {
            for refused in outcomes.iter().filter_map(|outcome| outcome.err()) {
                let arn = refused.closest[0].map_or_else(|| nowhere.clone(), |host| world.host_arn(host));
                failure(out, &arn, refused.why.word());
            }
        });
    });
    Ok(())
}

pub(super) fn no_definition() -> ServiceError {
    ServiceError::new("ClientException", "Unable to describe task definition.")
}
