//! Subnets and network interfaces: as much of them as counting needs (spec D).

use wire::{error::ServiceError, query::Params, xml::Writer};

use super::{filters, named, unknown_filter};
use crate::{
    face::scope::Scope,
    world::{EniStatus, HostId, MachineId, TaskId, World, Zone},
};

pub(super) fn subnets(world: &World, scope: &Scope, params: &Params, w: &mut Writer) -> Result<(), ServiceError> {
    let wanted = params.list("SubnetId");
    let place = scope.place.and_then(|place| world.place(place));
    let zones = place.map_or(&[][..], |place| &place.zones);
    if let Some(missing) = wanted.iter().find(|id| !zones.iter().any(|zone| zone.subnet == **id)) {
        let what = format!("The subnet ID '{missing}' does not exist");
        return Err(ServiceError::new("InvalidSubnetID.NotFound", what));
    }
    let mut shown: Vec<(usize, &Zone)> = zones.iter().enumerate().collect();
    shown.retain(|(_, zone)| wanted.is_empty() || wanted.contains(&zone.subnet.as_str()));
    for (name, values) in filters(params) {
        let value_of = |number: usize, zone: &Zone| match name.as_str() {
            "subnet-id" => Some(zone.subnet.clone()),
            "vpc-id" => place.map(|place| place.vpc.clone()),
            "availability-zone" | "availabilityZone" => Some(zone.name.clone()),
            "state" => Some("available".to_owned()),
            "owner-id" => Some(scope.account().to_owned()),
            "cidr-block" | "cidr" | "cidrBlock" => Some(cidr(zone)),
            "available-ip-address-count" => scope.place.map(|it| world.free_addresses(it, number as u8).to_string()),
            // Subnets have no tags here: what asks for some finds none.
            _ => None,
        };
        let known = ["subnet-id", "vpc-id", "availability-zone", "availabilityZone", "state", "owner-id", "cidr-block"];
        let known = known.contains(&name.as_str()) || ["cidr", "cidrBlock", "tag-key"].contains(&name.as_str());
        if !known && name != "available-ip-address-count" && !name.starts_with("tag:") {
            return Err(unknown_filter(&name));
        }
        shown.retain(|(number, zone)| {
            value_of(*number, zone).is_some_and(|value| values.iter().any(|pattern| alike(pattern, &value)))
        });
    }
    let (shown, next) = super::page_of(params, shown)?;
    w.list("subnetSet", "item", shown, |w, (number, zone)| {
        let free = scope.place.map_or(0, |place| world.free_addresses(place, number as u8));
        w.text("subnetId", &zone.subnet);
        w.text("state", "available");
        w.text("vpcId", place.map_or("", |place| &place.vpc));
        w.text("cidrBlock", &cidr(zone));
        w.text("availableIpAddressCount", &free.to_string());
        w.text("availabilityZone", &zone.name);
        w.text("ownerId", scope.account());
    });
    if let Some(next) = next {
        w.text("nextToken", &next);
    }
    Ok(())
}

fn cidr(zone: &Zone) -> String {
    format!("10.{}.0.0/18", zone.net)
}

/// Whether a value is like a filter's: `*` stands for any text, `?` for any character.
fn alike(pattern: &str, value: &str) -> bool {
    let (pattern, value): (Vec<char>, Vec<char>) = (pattern.chars().collect(), value.chars().collect());
    let (mut at, mut from, mut back) = (0, 0, None);
    while from < value.len() {
        match pattern.get(at) {
            Some('*') => {
                back = Some((at, from));
                at += 1;
            }
            Some(letter) if *letter == '?' || *letter == value[from] => (at, from) = (at + 1, from + 1),
            _ => match back {
                // The last `*` takes one character more.
                Some((star, taken)) => {
                    back = Some((star, taken + 1));
                    (at, from) = (star + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|letter| *letter == '*')
}

/// One interface to be shown.
#[derive(Clone, Copy)]
pub(super) enum Interface {
    Primary(MachineId),
    /// The trunk that branch interfaces hang on.
    Trunk(MachineId),
    /// One that somebody attached by hand.
    Extra(MachineId, u8),
    /// One of a task; the position that it is attached at, if it is attached to the machine itself.
    Task(TaskId, Option<u32>),
}

/// The interfaces that are attached to a machine. Branch interfaces are attached to its trunk (spec D.2).
pub(super) fn attached(world: &World, id: MachineId) -> Vec<Interface> {
    let Some(machine) = world.machine(id) else { return Vec::new() };
    let mut found = vec![Interface::Primary(id)];
    let host = machine.host.and_then(|host| Some((host, world.host(host)?)));
    let trunk = host.is_some_and(|(_, host)| host.trunk);
    if trunk {
        found.push(Interface::Trunk(id));
    }
    found.extend((0..machine.extra_enis).map(|number| Interface::Extra(id, number)));
    if let Some((host, _)) = host.filter(|_| !trunk) {
        let first = found.len() as u32;
        found.extend(of_tasks(world, host).zip(first..).map(|(task, index)| Interface::Task(task, Some(index))));
    }
    found
}

fn of_tasks(world: &World, host: HostId) -> impl Iterator<Item = TaskId> {
    let there = world.host_tasks(host).filter(|(_, task)| task.present);
    there.filter(|(_, task)| task.said.eni.is_some_and(|status| status != EniStatus::Deleted)).map(|(id, _)| id)
}

/// The branch interfaces under a machine's trunk.
fn branches(world: &World, id: MachineId) -> impl Iterator<Item = Interface> {
    let host = world.machine(id).and_then(|machine| machine.host);
    let host = host.filter(|host| world.host(*host).is_some_and(|host| host.trunk));
    host.into_iter().flat_map(|host| of_tasks(world, host)).map(|task| Interface::Task(task, None))
}

pub(super) fn interfaces(world: &World, scope: &Scope, params: &Params, w: &mut Writer) -> Result<(), ServiceError> {
    let every = || {
        let place = scope.place.into_iter();
        let machines = place.flat_map(|place| world.place_machines(place)).map(|(id, _)| id);
        machines.flat_map(|id| attached(world, id).into_iter().chain(branches(world, id))).collect::<Vec<_>>()
    };
    let wanted = params.list("NetworkInterfaceId");
    let mut shown = Vec::new();
    for id in &wanted {
        let task = world.namer.read_eni(id).filter(|task| world.task(*task).is_some());
        let task = task.map(|task| Interface::Task(task, None));
        let found = task.or_else(|| every().into_iter().find(|interface| self::id(world, interface) == *id));
        shown.push(found.ok_or_else(|| {
            let what = format!("The networkInterface ID '{id}' does not exist");
            ServiceError::new("InvalidNetworkInterfaceID.NotFound", what)
        })?);
    }
    let filters = filters(params);
    if wanted.is_empty() {
        let of = filters.iter().find(|(name, _)| name == "attachment.instance-id");
        shown = match of {
            None => every(),
            Some((_, values)) => {
                let ids: Vec<_> = values.iter().map(String::as_str).collect();
                named(world, scope, &ids)?.into_iter().flat_map(|id| attached(world, id)).collect()
            }
        };
    }
    for (name, values) in &filters {
        match name.as_str() {
            "attachment.instance-id" => {}
            "interface-type" => shown.retain(|it| values.iter().any(|value| value == kind(world, it))),
            "subnet-id" => shown.retain(|it| zone_of(world, it).is_some_and(|zone| values.contains(&zone.subnet))),
            "status" => shown.retain(|it| values.iter().any(|value| value == status(world, it))),
            _ => return Err(unknown_filter(name)),
        }
    }
    let (shown, next) = super::page_of(params, shown)?;
    w.list("networkInterfaceSet", "item", shown, |w, interface| write(world, scope, &interface, w));
    if let Some(next) = next {
        w.text("nextToken", &next);
    }
    Ok(())
}

fn zone_of<'a>(world: &'a World, interface: &Interface) -> Option<&'a Zone> {
    let machine = match interface {
        Interface::Primary(id) | Interface::Trunk(id) | Interface::Extra(id, _) => world.machine(*id),
        Interface::Task(task, _) => world.machine(world.host(world.task(*task)?.host)?.machine),
    }?;
    world.place(machine.place)?.zones.get(usize::from(machine.zone))
}

fn kind(world: &World, interface: &Interface) -> &'static str {
    match interface {
        Interface::Primary(_) | Interface::Extra(..) => "interface",
        Interface::Trunk(_) => "trunk",
        Interface::Task(task, _) => {
            let host = world.task(*task).and_then(|task| world.host(task.host));
            if host.is_some_and(|host| host.trunk) { "branch" } else { "interface" }
        }
    }
}

fn status(world: &World, interface: &Interface) -> &'static str {
    let Interface::Task(task, _) = interface else { return "in-use" };
    let attached = world.task(*task).is_some_and(|task| task.said.eni == Some(EniStatus::Attached));
    if attached { "in-use" } else { "available" }
}

fn id(world: &World, interface: &Interface) -> String {
    let numbered = |machine: &MachineId, which: u64| {
        format!("eni-0{:016x}", world.namer.other(u64::from(machine.0) | 1 << 41 | which << 48))
    };
    match interface {
        Interface::Primary(machine) => numbered(machine, 0),
        Interface::Trunk(machine) => numbered(machine, 1),
        Interface::Extra(machine, number) => numbered(machine, 2 + u64::from(*number)),
        Interface::Task(task, _) => {
            let eni = world.task(*task).and_then(|found| world.eni(*task, found));
            eni.map(|eni| eni.id).unwrap_or_default()
        }
    }
}

/// One interface, as both calls that show it do.
pub(super) fn write(world: &World, scope: &Scope, interface: &Interface, w: &mut Writer) {
    let zone = zone_of(world, interface);
    w.text("networkInterfaceId", &id(world, interface));
    w.text("subnetId", zone.map_or("", |zone| &zone.subnet));
    w.text("vpcId", scope.place.and_then(|place| world.place(place)).map_or("", |place| &place.vpc));
    w.text("ownerId", scope.account());
    w.text("availabilityZone", zone.map_or("", |zone| &zone.name));
    w.text("status", status(world, interface));
    w.text("interfaceType", kind(world, interface));
    let (machine, index) = match interface {
        Interface::Primary(machine) => {
            w.text("privateIpAddress", &world.machine_address(*machine));
            (Some(*machine), 0)
        }
        Interface::Trunk(machine) => {
            w.text("description", "trunk of the container instance");
            w.text("requesterManaged", "true");
            (Some(*machine), 1)
        }
        Interface::Extra(machine, number) => {
            let trunk = world.machine(*machine).and_then(|it| world.host(it.host?)).is_some_and(|host| host.trunk);
            w.text("description", "attached by hand");
            (Some(*machine), 1 + u32::from(trunk) + u32::from(*number))
        }
        Interface::Task(id, index) => {
            let Some(task) = world.task(*id) else { return };
            let Some(eni) = world.eni(*id, task) else { return };
            w.text("privateIpAddress", &eni.address);
            w.text("macAddress", &eni.mac);
            w.text("description", &scope.arn("ecs", &format!("attachment/{}", eni.attachment)));
            w.text("requesterManaged", "true");
            let machine = world.host(task.host).map(|host| host.machine);
            (machine.filter(|_| index.is_some()), index.unwrap_or(0))
        }
    };
    let Some(machine) = machine else { return };
    w.element("attachment", |w| {
        let number = u64::from(machine.0) | 1 << 42 | u64::from(index) << 48;
        w.text("attachmentId", &format!("eni-attach-0{:016x}", world.namer.other(number)));
        w.text("instanceId", &world.machine_id(machine));
        w.text("deviceIndex", &index.to_string());
        w.text("networkCardIndex", "0");
        w.text("status", "attached");
        w.text("deleteOnTermination", "true");
    });
}
