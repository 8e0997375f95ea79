//! Headroom as people and scripts are shown it. Field names are an interface: add, never rename.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::headroom::{Availability, Gauge, Part, Slots, Sums, Supply};
use crate::{
    observation::{HostPort, Protocol},
    slab::Slot,
    state::{Fleet, stamp},
};

/// What is free in one cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadroomView {
    /// Cluster ARN.
    pub cluster: String,
    /// As of when.
    pub at: Timestamp,
    /// All hosts.
    pub whole: PartView,
    /// By zone; a name is empty for hosts without one.
    pub zones: Vec<PartView>,
    /// By capacity provider. Hosts of none are in none.
    pub providers: Vec<PartView>,
    /// Each host, in the order of the ARNs; left out unless asked for.
    #[serde(default)]
    pub hosts: Vec<HostRoom>,
    /// Subnets in the zones of the cluster that EC2 has told of.
    #[serde(default)]
    pub subnets: Vec<SubnetView>,
}

/// A part of a cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartView {
    /// Zone or capacity provider; empty for the whole.
    pub name: String,
    /// On hosts whose room can be relied on.
    pub open: Sums,
    /// Free CPU in percent; `None` where there is none at all.
    pub cpu_percent_free: Option<f64>,
    /// Free memory in percent.
    pub memory_percent_free: Option<f64>,
    /// Free interfaces for tasks in percent, as the scheduler counts.
    pub slots_percent_free: Option<f64>,
    /// On all others, by the reason.
    pub apart: Vec<Apart>,
}

/// Hosts whose room is no room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Apart {
    /// Why.
    pub because: Availability,
    /// What they have.
    pub holds: Sums,
}

/// What is free on one host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostRoom {
    /// Container instance ARN.
    pub arn: String,
    /// `i-…` or `mi-…`.
    pub ec2_instance_id: Option<String>,
    /// Availability zone.
    pub zone: Option<String>,
    /// Instance type.
    pub instance_type: Option<String>,
    /// Capacity provider.
    pub capacity_provider: Option<String>,
    /// Whether its room can be relied on.
    pub availability: Availability,
    /// CPU units; `None`: it has not told.
    pub cpu_units: Option<Gauge>,
    /// Memory in MiB.
    pub memory_mib: Option<Gauge>,
    /// GPUs.
    pub gpus: Gauge,
    /// TCP ports that are taken; `None`: it has not told.
    pub tcp_ports_taken: Option<Vec<u16>>,
    /// UDP ports that are taken.
    pub udp_ports_taken: Option<Vec<u16>>,
    /// Interfaces for tasks; `None`: the limit of its type is not known.
    pub slots: Option<Slots>,
    /// It has a trunk interface.
    pub trunk: bool,
    /// What does not add up, in a sentence: interfaces that others have attached.
    #[serde(default)]
    pub warning: Option<String>,
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubnetView {
    /// `subnet-…`.
    pub id: String,
    /// Availability zone.
    pub zone: String,
    /// Addresses that nobody holds.
    pub free_addresses: u32,
    /// When EC2 told.
    pub told_at: Timestamp,
}

impl Fleet {
    /// What is free in a cluster, by its ARN. A cluster never heard of has nothing. Without `hosts` the cost does not
    /// depend on how many there are.
    pub fn headroom_view(&self, cluster: &str, hosts: bool, now: Timestamp) -> HeadroomView {
        let name = self.names.find(cluster);
        let mut view = HeadroomView {
            cluster: cluster.to_owned(),
            at: now,
            whole: part_view(String::new(), &Supply::default()),
            zones: Vec::new(),
            providers: Vec::new(),
            hosts: Vec::new(),
            subnets: Vec::new(),
        };
        let Some(name) = name else { return view };
        for (part, supply) in self.headroom.parts(name) {
            match part {
                Part::Whole => view.whole = part_view(String::new(), supply),
                Part::Zone(zone) => {
                    view.zones.push(part_view(self.names.owned(zone).unwrap_or_default(), supply));
                    let subnets = self.subnets.iter().filter(|(_, subnet)| Some(subnet.zone) == zone);
                    view.subnets.extend(subnets.map(|(id, subnet)| SubnetView {
                        id: self.names.text(*id).to_owned(),
                        zone: self.names.text(subnet.zone).to_owned(),
                        free_addresses: subnet.free_addresses,
                        told_at: stamp(subnet.told_at),
                    }));
                }
                Part::Provider(provider) => {
                    view.providers.push(part_view(self.names.text(provider).to_owned(), supply));
                }
            }
        }
        view.zones.sort_by(|a, b| a.name.cmp(&b.name));
        view.providers.sort_by(|a, b| a.name.cmp(&b.name));
        view.subnets.sort_by(|a, b| a.id.cmp(&b.id));
        if hosts {
            view.hosts = self.hosts_in(name).into_iter().filter_map(|slot| self.host_room(slot)).collect();
            view.hosts.sort_by(|a, b| a.arn.cmp(&b.arn));
        }
        view
    }

    /// What is free in every cluster that was looked at within so many seconds, without hosts and in the order of the
    /// ARNs. What was seen longer ago is not worth telling as of now.
    pub fn headroom_views(&self, now: Timestamp, fresh_secs: i64) -> Vec<HeadroomView> {
        let since = crate::state::millis(now).saturating_sub(fresh_secs.saturating_mul(1_000));
        let fresh = self.clusters.values().filter(|cluster| cluster.looked_at != 0 && cluster.looked_at >= since);
        let mut arns: Vec<&str> = fresh.map(|cluster| self.names.text(cluster.arn)).collect();
        arns.sort_unstable();
        arns.into_iter().map(|arn| self.headroom_view(arn, false, now)).collect()
    }

    fn host_room(&self, slot: Slot) -> Option<HostRoom> {
        let host = self.hosts.get(slot).filter(|host| !host.hearsay)?;
        let sums = self.share(slot).sums();
        let known = sums.slots.unknown_hosts == 0;
        let ports = |protocol: Protocol| {
            let taken: &[HostPort] = self.port_sets.list(host.ports?);
            Some(taken.iter().filter(|port| port.protocol == protocol).map(|port| port.port).collect())
        };
        let (physical, scheduler) = (sums.slots.physical_free, sums.slots.scheduler.free);
        Some(HostRoom {
            arn: host.key.text(&self.names),
            ec2_instance_id: self.machine_of(host).map(|machine| machine.key.text(&self.names)),
            zone: self.names.owned(host.zone),
            instance_type: self.names.owned(host.instance_type),
            capacity_provider: self.names.owned(self.provider_of(host)),
            availability: self.availability(host),
            cpu_units: host.resources.is_some().then_some(sums.cpu_units),
            memory_mib: host.resources.is_some().then_some(sums.memory_mib),
            gpus: sums.gpus,
            tcp_ports_taken: ports(Protocol::Tcp),
            udp_ports_taken: ports(Protocol::Udp),
            slots: known.then_some(sums.slots),
            trunk: host.trunk,
            warning: (known && physical < scheduler).then(|| {
                format!(
                    "ECS counts {scheduler} free ENI slots, EC2 only {physical}: others have attached interfaces here"
                )
            }),
        })
    }
}

fn part_view(name: String, supply: &Supply) -> PartView {
    let open = *supply.of(Availability::Open);
    let apart = Availability::ALL.into_iter().filter(|because| *because != Availability::Open);
    PartView {
        name,
        open,
        cpu_percent_free: open.cpu_units.percent_free(),
        memory_percent_free: open.memory_mib.percent_free(),
        slots_percent_free: open.slots.scheduler.percent_free(),
        apart: apart
            .map(|because| Apart { because, holds: *supply.of(because) })
            .filter(|apart| apart.holds.hosts > 0)
            .collect(),
    }
}
