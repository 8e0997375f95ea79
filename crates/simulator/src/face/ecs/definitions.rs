//! Task definitions (spec C.3).

use serde_json::Value;
use wire::error::ServiceError;

use super::tasks::no_definition;
use crate::{
    face::{
        json::Json,
        paging::{self, Page},
        scope::{Scope, invalid, required, text},
    },
    world::{DefinitionId, TaskDefinition, World, placement::NetworkMode},
};

pub(super) fn describe(world: &World, scope: &Scope, request: &Value, out: &mut Json) -> Result<(), ServiceError> {
    let name = required(request, "taskDefinition")?;
    let id = scope.place.and_then(|place| world.find_definition(place, name)).ok_or_else(no_definition)?;
    let Some(definition) = world.definition(id) else { return Err(no_definition()) };
    out.object(|out| {
        out.key("taskDefinition").object(|out| write(world, id, definition, out));
        out.key("tags").array(|_| {});
    });
    Ok(())
}

fn write(world: &World, id: DefinitionId, definition: &TaskDefinition, out: &mut Json) {
    out.member("taskDefinitionArn", &world.definition_arn(id));
    out.member("family", &definition.family);
    out.member_int("revision", i64::from(definition.revision));
    out.member("status", "ACTIVE");
    out.member("networkMode", definition.network.word());
    out.member("cpu", &definition.cpu.to_string());
    out.member("memory", &definition.memory_mib.to_string());
    let external = !definition.awsvpc();
    out.key("compatibilities").array(|out| {
        if external {
            out.text("EXTERNAL");
        }
        out.text("EC2");
    });
    out.key("requiresCompatibilities").array(|out| out.text("EC2"));
    out.key("requiresAttributes").array(|out| {
        let task_eni = definition.awsvpc().then_some(("ecs.capability.task-eni", None));
        let own = definition.requires.iter().map(|required| (required.name.as_str(), required.value.as_deref()));
        for (name, value) in task_eni.into_iter().chain(own) {
            out.object(|out| {
                out.member("name", name);
                if let Some(value) = value {
                    out.member("value", value);
                }
            });
        }
    });
    if definition.os_family.is_some() || definition.architecture.is_some() {
        out.key("runtimePlatform").object(|out| {
            if let Some(family) = &definition.os_family {
                out.member("operatingSystemFamily", family);
            }
            if let Some(architecture) = &definition.architecture {
                out.member("cpuArchitecture", architecture);
            }
        });
    }
    out.key("containerDefinitions").array(|out| {
        for (name, number) in definition.containers.iter().zip(0..) {
            out.object(|out| container(name, number == 0, definition, out));
        }
    });
    out.key("volumes").array(|_| {});
    out.key("placementConstraints").array(|out| {
        for expression in &definition.constraints {
            out.object(|out| {
                out.member("type", "memberOf");
                out.member("expression", &expression.text);
            });
        }
    });
}

/// The first container is the essential one, and has the task's ports and GPUs.
fn container(name: &str, first: bool, definition: &TaskDefinition, out: &mut Json) {
    out.member("name", name);
    out.member("image", &format!("{name}:{}", definition.revision));
    out.key("essential").flag(first);
    out.key("portMappings").array(|out| {
        for port in definition.ports.iter().filter(|_| first) {
            out.object(|out| {
                out.member_int("containerPort", i64::from(port.port));
                // In host mode the container's port is the host's, whether it is named or not.
                if definition.network != NetworkMode::Host {
                    out.member_int("hostPort", i64::from(port.port));
                }
                out.member("protocol", port.protocol.word());
            });
        }
    });
    out.key("environment").array(|_| {});
    if first && definition.gpus > 0 {
        out.key("resourceRequirements").array(|out| {
            out.object(|out| {
                out.member("type", "GPU");
                out.member("value", &definition.gpus.to_string());
            });
        });
    }
}

/// ListTaskDefinitions, or with `families` ListTaskDefinitionFamilies.
pub(super) fn list(
    world: &World,
    scope: &Scope,
    request: &Value,
    families: bool,
    out: &mut Json,
) -> Result<(), ServiceError> {
    let page = Page::of(request, 100, 100)?;
    let (family, prefix) = (text(request, "familyPrefix"), text(request, "sort").unwrap_or("ASC"));
    if !matches!(prefix, "ASC" | "DESC") {
        return Err(invalid("sort should be ASC or DESC."));
    }
    if matches!(text(request, "status"), Some("INACTIVE" | "DELETE_IN_PROGRESS")) {
        out.object(|out| out.key(if families { "families" } else { "taskDefinitionArns" }).array(|_| {}));
        return Ok(());
    }
    let here = world.definitions.iter().zip(0u32..).filter(|(definition, _)| Some(definition.place) == scope.place);
    // A family is named by its prefix with families, and in full with revisions.
    let fits = |found: &str| match family {
        Some(wanted) if families => found.starts_with(wanted),
        Some(wanted) => found == wanted,
        None => true,
    };
    let mut found: Vec<(&str, u32, DefinitionId)> = here
        .filter(|(definition, _)| fits(&definition.family))
        .map(|(definition, number)| (definition.family.as_str(), definition.revision, DefinitionId(number)))
        .collect();
    found.sort_unstable();
    if families {
        found.dedup_by_key(|(family, ..)| *family);
    }
    if prefix == "DESC" {
        found.reverse();
    }
    let from = usize::try_from(page.from).unwrap_or(usize::MAX).min(found.len());
    let shown = &found[from..found.len().min(from + page.most)];
    out.object(|out| {
        out.key(if families { "families" } else { "taskDefinitionArns" }).array(|out| {
            for (family, _, id) in shown {
                if families {
                    out.text(family);
                } else {
                    out.text(&world.definition_arn(*id));
                }
            }
        });
        if from + shown.len() < found.len() {
            out.member("nextToken", &paging::token((from + shown.len()) as u64));
        }
    });
    Ok(())
}
