//! Instances, their status checks, their types.

use wire::{error::ServiceError, query::Params, xml::Writer};

use super::{filters, named, page, selected, state, unknown_filter};
use crate::{
    face::scope::Scope,
    world::{Lifecycle, Machine, MachineId, MachineState, World, kind::KINDS},
};

pub(super) fn instances(world: &World, scope: &Scope, params: &Params, w: &mut Writer) -> Result<(), ServiceError> {
    let mut all = selected(world, scope, params)?;
    for (name, values) in filters(params) {
        let value_of: fn(&World, MachineId, &Machine) -> Option<String> = match name.as_str() {
            "instance-state-name" => |_, _, machine| Some(machine.state.word().to_owned()),
            "instance-id" => |world, id, _| Some(world.machine_id(id)),
            "instance-type" => |_, _, machine| Some(machine.kind.get().name.to_owned()),
            "availability-zone" => |world, _, machine| zone(world, machine).map(|zone| zone.name.clone()),
            "subnet-id" => |world, _, machine| zone(world, machine).map(|zone| zone.subnet.clone()),
            "vpc-id" => |world, _, machine| world.place(machine.place).map(|place| place.vpc.clone()),
            "image-id" => |world, _, machine| Some(world.text(machine.ami).to_owned()),
            "tag:aws:autoscaling:groupName" => |world, _, machine| group(world, machine),
            _ => return Err(unknown_filter(&name)),
        };
        all.retain(|id| {
            let value = world.machine(*id).and_then(|machine| value_of(world, *id, machine));
            value.is_some_and(|value| values.contains(&value))
        });
    }
    let (shown, next) = page(params, all)?;
    w.list("reservationSet", "item", shown, |w, id| {
        w.text("reservationId", &format!("r-{:017x}", world.namer.other(u64::from(id.0) | 1 << 40)));
        w.text("ownerId", scope.account());
        w.list("groupSet", "item", std::iter::empty::<()>(), |_, ()| {});
        w.list("instancesSet", "item", [id], |w, id| instance(world, scope, id, w));
    });
    if let Some(next) = next {
        w.text("nextToken", &next);
    }
    Ok(())
}

/// GetConsoleOutput: what the machine printed when it started, in base64.
pub(super) fn console_output(
    world: &World,
    scope: &Scope,
    params: &Params,
    w: &mut Writer,
) -> Result<(), ServiceError> {
    let Some(id) = params.get("InstanceId") else {
        return Err(ServiceError::new("MissingParameter", "The request must contain the parameter InstanceId"));
    };
    let Some(id) = named(world, scope, &[id])?.first().copied() else { return Ok(()) };
    let Some(machine) = world.machine(id) else { return Ok(()) };
    let text = format!(
        "[    0.000000] Linux version 6.1.0-ecs\n[   11.204100] cloud-init[1402]: started ecs.service at {}\n",
        machine.launched_at.iso_secs()
    );
    w.text("instanceId", &world.machine_id(id));
    w.text("timestamp", &world.now.iso_millis());
    w.text("output", &base64(text.as_bytes()));
    Ok(())
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place > three.len() { '=' } else { char::from(letter) });
        }
    }
    out
}

fn zone<'a>(world: &'a World, machine: &Machine) -> Option<&'a crate::world::Zone> {
    world.place(machine.place)?.zones.get(usize::from(machine.zone))
}

fn group(world: &World, machine: &Machine) -> Option<String> {
    world.group(machine.group?).map(|group| group.name.clone())
}

fn instance(world: &World, scope: &Scope, id: MachineId, w: &mut Writer) {
    let Some(machine) = world.machine(id) else { return };
    let address = world.machine_address(id);
    w.text("instanceId", &world.machine_id(id));
    w.text("imageId", world.text(machine.ami));
    state(w, "instanceState", machine.state);
    w.text("privateDnsName", &format!("ip-{}.{}.compute.internal", address.replace('.', "-"), scope.region_name()));
    w.text("privateIpAddress", &address);
    w.text("instanceType", machine.kind.get().name);
    w.text("launchTime", &machine.launched_at.iso_millis());
    w.text("architecture", machine.kind.get().architecture);
    w.text("rootDeviceType", "ebs");
    w.text("virtualizationType", "hvm");
    if machine.spot {
        w.text("instanceLifecycle", "spot");
    }
    w.element("placement", |w| {
        w.text("availabilityZone", zone(world, machine).map_or("", |zone| &zone.name));
        w.text("tenancy", "default");
    });
    w.element("monitoring", |w| w.text("state", "disabled"));
    if let (Some(zone), Some(place)) = (zone(world, machine), world.place(machine.place)) {
        w.text("subnetId", &zone.subnet);
        w.text("vpcId", &place.vpc);
        let attached = super::network::attached(world, id);
        w.list("networkInterfaceSet", "item", attached, |w, interface| {
            super::network::write(world, scope, &interface, w);
        });
    }
    let mut tags = Vec::new();
    if let Some(group) = group(world, machine) {
        tags.push(("aws:autoscaling:groupName", group));
    }
    if let Some(template) = machine.template.and_then(|template| world.templates.get(template.index())) {
        tags.push(("aws:ec2launchtemplate:id", template.id.clone()));
        tags.push(("aws:ec2launchtemplate:version", template.version.to_string()));
    }
    w.list("tagSet", "item", tags, |w, (key, value)| {
        w.text("key", key);
        w.text("value", &value);
    });
}

pub(super) fn statuses(world: &World, scope: &Scope, params: &Params, w: &mut Writer) -> Result<(), ServiceError> {
    let all_states = params.get("IncludeAllInstances") == Some("true");
    let mut all = selected(world, scope, params)?;
    all.retain(|id| world.machine(*id).is_some_and(|machine| all_states || machine.state == MachineState::Running));
    for (name, values) in filters(params) {
        if name != "instance-state-name" {
            return Err(unknown_filter(&name));
        }
        all.retain(|id| {
            world.machine(*id).is_some_and(|machine| values.iter().any(|value| value == machine.state.word()))
        });
    }
    let (shown, next) = page(params, all)?;
    w.list("instanceStatusSet", "item", shown, |w, id| {
        let Some(machine) = world.machine(id) else { return };
        let (system, instance) = world.status_checks(machine);
        w.text("instanceId", &world.machine_id(id));
        w.text("availabilityZone", zone(world, machine).map_or("", |zone| &zone.name));
        state(w, "instanceState", machine.state);
        w.list("eventsSet", "item", machine.scheduled, |w, code| {
            w.text("code", code);
            w.text("description", "The machine is scheduled for maintenance.");
        });
        for (name, status) in [("systemStatus", system), ("instanceStatus", instance), ("attachedEbsStatus", system)] {
            // EBS volumes are reachable as long as there is a machine to reach them from.
            let status = if name == "attachedEbsStatus" && status == "impaired" { "ok" } else { status };
            w.element(name, |w| {
                w.text("status", status);
                let detail = match status {
                    "ok" => "passed",
                    "impaired" => "failed",
                    "initializing" => "initializing",
                    _ => return,
                };
                w.list("details", "item", [detail], |w, detail| {
                    w.text("name", "reachability");
                    w.text("status", detail);
                    if detail == "failed" {
                        w.text("impairedSince", &machine.checks_since.iso_millis());
                    }
                });
            });
        }
    });
    if let Some(next) = next {
        w.text("nextToken", &next);
    }
    Ok(())
}

pub(super) fn types(world: &World, scope: &Scope, params: &Params, w: &mut Writer) -> Result<(), ServiceError> {
    let wanted = params.list("InstanceType");
    for name in &wanted {
        if crate::world::kind::find(name).is_none() {
            let what = format!("The following supplied instance types do not exist: [{name}]");
            return Err(ServiceError::new("InvalidInstanceType", what));
        }
    }
    let in_use = |name: &str| {
        let machines = world.machines.iter().filter(|machine| Some(machine.place) == scope.place);
        machines.filter(|machine| machine.lifecycle != Lifecycle::Terminated).any(|m| m.kind.get().name == name)
    };
    let shown = KINDS.iter().filter(|kind| {
        kind.name != "external" && if wanted.is_empty() { in_use(kind.name) } else { wanted.contains(&kind.name) }
    });
    w.list("instanceTypeSet", "item", shown, |w, kind| {
        w.text("instanceType", kind.name);
        w.text("currentGeneration", "true");
        w.element("processorInfo", |w| {
            w.list("supportedArchitectures", "item", [kind.architecture], |w, name| w.value(name));
        });
        w.element("vCpuInfo", |w| w.text("defaultVCpus", &(kind.cpu / 1024).to_string()));
        w.element("memoryInfo", |w| w.text("sizeInMiB", &kind.nominal_mib().to_string()));
        if kind.gpus > 0 {
            w.element("gpuInfo", |w| {
                w.list("gpus", "item", [()], |w, ()| {
                    w.text("name", "T4");
                    w.text("manufacturer", "NVIDIA");
                    w.text("count", &kind.gpus.to_string());
                });
            });
        }
        w.element("networkInfo", |w| {
            w.text("maximumNetworkInterfaces", &kind.max_enis.to_string());
            w.text("ipv4AddressesPerInterface", "10");
            w.text("maximumNetworkCards", &kind.cards.to_string());
            w.text("defaultNetworkCardIndex", "0");
            w.list("networkCards", "item", 0..kind.cards.max(1), |w, card| {
                w.text("networkCardIndex", &card.to_string());
                w.text("maximumNetworkInterfaces", &(kind.max_enis / kind.cards.max(1)).to_string());
            });
        });
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_filled_up_to_four_letters() {
        let packed: Vec<String> = ["", "f", "fo", "foo", "foob"].iter().map(|text| base64(text.as_bytes())).collect();
        assert_eq!(packed, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg=="]);
    }
}
