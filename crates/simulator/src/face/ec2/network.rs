//! Subnets and network interfaces: as much of them as counting needs (spec D).

use wire::{error::ServiceError, query::Params, xml::Writer};

use super::{filters, named, unknown_filter};
use crate::{
    face::scope::Scope,
    world::{EniStatus, MachineId, TaskId, World},
};

/// Addresses of a /18 without the five that are reserved.
const ADDRESSES: usize = (1 << 14) - 5;

pub(super) fn subnets(world: &World, scope: &Scope, params: &Params, w: &mut Writer) -> Result<(), ServiceError> {
    let wanted = params.list("SubnetId");
    let place = scope.place.and_then(|place| world.place(place));
    let zones = place.map_or(&[][..], |place| &place.zones);
    if let Some(missing) = wanted.iter().find(|id| !zones.iter().any(|zone| zone.subnet == **id)) {
        let what = format!("The subnet ID '{missing}' does not exist");
        return Err(ServiceError::new("InvalidSubnetID.NotFound", what));
    }
    let shown =
        zones.iter().enumerate().filter(|(_, zone)| wanted.is_empty() || wanted.contains(&zone.subnet.as_str()));
    w.list("subnetSet", "item", shown, |w, (number, zone)| {
        let machines = world.machines.iter().filter(|machine| {
            Some(machine.place) == scope.place && usize::from(machine.zone) == number && machine.terminated_at.is_none()
        });
        let task_enis: usize = world
            .hosts
            .iter()
            .filter(|host| {
                world
                    .machine(host.machine)
                    .is_some_and(|machine| Some(machine.place) == scope.place && usize::from(machine.zone) == number)
            })
            .map(|host| usize::from(host.said.enis))
            .sum();
        w.text("subnetId", &zone.subnet);
        w.text("state", "available");
        w.text("vpcId", place.map_or("", |place| &place.vpc));
        w.text("cidrBlock", &format!("10.{}.0.0/18", zone.net));
        w.text("availableIpAddressCount", &ADDRESSES.saturating_sub(machines.count() + task_enis).to_string());
        w.text("availabilityZone", &zone.name);
        w.text("ownerId", scope.account());
    });
    Ok(())
}

/// One interface to be shown.
enum Interface {
    Primary(MachineId),
    Task(TaskId),
}

pub(super) fn interfaces(world: &World, scope: &Scope, params: &Params, w: &mut Writer) -> Result<(), ServiceError> {
    let mut shown = Vec::new();
    for id in params.list("NetworkInterfaceId") {
        let task = world.namer.read_eni(id).filter(|task| world.task(*task).is_some());
        shown.push(Interface::Task(task.ok_or_else(|| {
            let what = format!("The networkInterface ID '{id}' does not exist");
            ServiceError::new("InvalidNetworkInterfaceID.NotFound", what)
        })?));
    }
    let mut machines = None;
    for (name, values) in filters(params) {
        if name != "attachment.instance-id" {
            return Err(unknown_filter(&name));
        }
        let ids: Vec<_> = values.iter().map(String::as_str).collect();
        machines = Some(named(world, scope, &ids)?);
    }
    if shown.is_empty() {
        let all = || {
            let place = scope.place.into_iter();
            place.flat_map(|place| world.place_machines(place)).map(|(id, _)| id).collect()
        };
        for machine in machines.unwrap_or_else(all) {
            shown.push(Interface::Primary(machine));
            // Under a trunk, branch interfaces are not attached to the instance.
            let host = world.machine(machine).and_then(|machine| machine.host);
            let host = host.filter(|host| world.host(*host).is_some_and(|host| !host.trunk));
            let tasks = host.into_iter().flat_map(|host| world.host_tasks(host));
            let attached = tasks.filter(|(_, task)| task.said.eni.is_some_and(|status| status != EniStatus::Deleted));
            shown.extend(attached.map(|(id, _)| Interface::Task(id)));
        }
    }
    w.list("networkInterfaceSet", "item", shown, |w, interface| match interface {
        Interface::Primary(machine) => primary(world, scope, machine, w),
        Interface::Task(task) => of_task(world, scope, task, w),
    });
    Ok(())
}

/// The primary interface of a machine.
pub(super) fn primary(world: &World, scope: &Scope, id: MachineId, w: &mut Writer) {
    let Some(machine) = world.machine(id) else { return };
    let Some(place) = world.place(machine.place) else { return };
    let zone = place.zones.get(usize::from(machine.zone));
    w.text("networkInterfaceId", &format!("eni-0{:016x}", world.namer.other(u64::from(id.0) | 1 << 41)));
    w.text("subnetId", zone.map_or("", |zone| &zone.subnet));
    w.text("vpcId", &place.vpc);
    w.text("ownerId", scope.account());
    w.text("status", "in-use");
    w.text("interfaceType", "interface");
    w.text("privateIpAddress", &world.machine_address(id));
    w.element("attachment", |w| {
        w.text("attachmentId", &format!("eni-attach-0{:016x}", world.namer.other(u64::from(id.0) | 1 << 42)));
        w.text("instanceId", &world.machine_id(id));
        w.text("deviceIndex", "0");
        w.text("networkCardIndex", "0");
        w.text("status", "attached");
        w.text("deleteOnTermination", "true");
    });
}

fn of_task(world: &World, scope: &Scope, id: TaskId, w: &mut Writer) {
    let Some(task) = world.task(id) else { return };
    let Some(eni) = world.eni(id, task) else { return };
    w.text("networkInterfaceId", &eni.id);
    w.text("subnetId", &eni.subnet);
    w.text("ownerId", scope.account());
    w.text("status", if eni.status == EniStatus::Attached { "in-use" } else { "available" });
    let trunk = world.host(task.host).is_some_and(|host| host.trunk);
    w.text("interfaceType", if trunk { "branch" } else { "interface" });
    w.text("privateIpAddress", &eni.address);
    w.text("macAddress", &eni.mac);
    w.text("description", &scope.arn("ecs", &format!("attachment/{}", eni.attachment)));
    w.text("requesterManaged", "true");
}
