//! Furnishing a world: what was there when the story begins. Nothing built here is news.

use super::{
    Ask, Boots, CapacityProvider, Cluster, ClusterId, DefinitionId, Deployment, Group, GroupId, HostId, Insights,
    KindId, Lifecycle, MachineId, MachineState, Place, PlaceId, Placement, Process, Rollout, Service, ServiceId,
    Strategy, Symbol, TaskDefinition, Template, TemplateId, Who, World, Zone, kind, placement::NetworkMode,
};
use crate::seed::{Purpose, mix};

impl World {
    /// An account in a region, with so many zones (1 to 6), named after the region with a letter.
    pub fn add_place(&mut self, account: &str, region: &str, zones: u8) -> PlaceId {
        let id = PlaceId(self.places.len() as u32);
        let zones = (0..zones.clamp(1, 6)).map(|zone| Zone {
            name: format!("{region}{}", char::from(b'a' + zone)),
            subnet: self.namer.subnet(u64::from(id.0) << 8 | u64::from(zone)),
            net: (id.0 as u8).wrapping_mul(8).wrapping_add(zone),
            others: 0,
            lost_since: None,
        });
        let partition = match region.split('-').next() {
            Some("cn") => "aws-cn",
            _ if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        let place = Place {
            partition: partition.into(),
            account: account.into(),
            region: region.into(),
            vpc: format!("vpc-0{:016x}", self.namer.other(u64::MAX - u64::from(id.0))),
            zones: zones.collect(),
            default_insights: Insights::default(),
            own_insights: None,
            control_plane_up: true,
        };
        self.places.push(place);
        id
    }

    /// A cluster without hosts.
    pub fn add_cluster(&mut self, place: PlaceId, name: &str) -> ClusterId {
        let id = ClusterId(self.clusters.len() as u32);
        let arn = |kind: &str| match self.place(place) {
            Some(Place { partition, region, account, .. }) => {
                format!("arn:{partition}:ecs:{region}:{account}:{kind}/{name}")
            }
            None => String::new(),
        };
        let cluster = Cluster {
            place,
            name: name.into(),
            active: true,
            hosts: Vec::new(),
            tags: Vec::new(),
            capacity_providers: Vec::new(),
            host_attributes: Vec::new(),
            host_tags: Vec::new(),
            without_ssm: false,
            trunking: false,
            insights: self
                .place(place)
                .map_or_else(Insights::default, |place| place.own_insights.unwrap_or(place.default_insights)),
            running_tasks: 0,
            pending_tasks: 0,
            arn: arn("cluster"),
            host_arn_prefix: arn("container-instance") + "/",
            task_arn_prefix: arn("task") + "/",
            services: Vec::new(),
            draining: 0,
            cursor: 0,
        };
        self.clusters.push(cluster);
        id
    }

    /// A launch template version; the next of its name.
    pub fn add_template(&mut self, place: PlaceId, name: &str, agent_version: &str, boots: Boots) -> TemplateId {
        let id = TemplateId(self.templates.len() as u32);
        let of_name = self.templates.iter().filter(|other| other.place == place && other.name == name);
        let version = of_name.map(|other| other.version).max().unwrap_or(0) + 1;
        let ami = self.namer.image(u64::from(id.0));
        let (ami, agent_version): (Symbol, Symbol) = (self.intern(&ami), self.intern(agent_version));
        let name_bits = name.bytes().fold(0, |sum, byte| mix(sum ^ u64::from(byte)));
        let lt = format!("lt-0{:016x}", mix(name_bits ^ u64::from(place.0)));
        self.templates.push(Template { place, id: lt, name: name.into(), version, ami, agent_version, boots });
        id
    }

    /// A group for a cluster, with a capacity provider of the same name; its members are there, registered and connected.
    pub fn add_group(
        &mut self,
        cluster: ClusterId,
        name: &str,
        kinds: &[KindId],
        template: TemplateId,
        count: u32,
        spot: bool,
    ) -> GroupId {
        let id = GroupId(self.groups.len() as u32);
        let place = self.clusters.get(cluster.index()).map_or(PlaceId(0), |cluster| cluster.place);
        let zones = self.place(place).map_or(1, |place| place.zones.len() as u8);
        let kinds = if kinds.is_empty() { vec![KindId(0)] } else { kinds.to_vec() };
        self.groups.push(Group {
            place,
            name: name.into(),
            cluster,
            min: 0,
            max: count.saturating_mul(2).max(10),
            desired: count,
            zones: (0..zones).collect(),
            kinds: kinds.clone(),
            template,
            members: Vec::with_capacity(count as usize),
            spot,
            launches_fail: None,
            suspended: Vec::new(),
            terminate_hook_ms: 0,
            managed_draining: false,
            ecs_managed: true,
            outfit: super::Outfit::default(),
            protects_new: false,
            policies: Vec::new(),
            activities: std::collections::VecDeque::new(),
            scaled_at: None,
            launches: count,
            check_due: false,
        });
        if let Some(found) = self.clusters.get_mut(cluster.index()) {
            found.capacity_providers.push(CapacityProvider { name: name.into(), group: id, cluster, scaling: None });
        }
        for number in 0..count {
            let zone = (number % u32::from(zones)) as u8;
            let kind = kinds[(number / u32::from(zones)) as usize % kinds.len()];
            let machine = self.new_machine(place, zone, kind, Some(template), cluster);
            let found = &mut self.machines[machine.index()];
            (found.group, found.lifecycle, found.spot) = (Some(id), Lifecycle::InService, spot);
            self.groups[id.index()].members.push(machine);
            self.has_always_been_there(machine);
        }
        id
    }

    /// A machine started by hand (no group), registered and connected.
    pub fn add_lone_host(&mut self, cluster: ClusterId, zone: u8, kind: KindId, template: TemplateId) -> HostId {
        let place = self.clusters.get(cluster.index()).map_or(PlaceId(0), |cluster| cluster.place);
        let machine = self.new_machine(place, zone, kind, Some(template), cluster);
        self.has_always_been_there(machine)
    }

    /// An ECS Anywhere host, registered and connected.
    pub fn add_external_host(&mut self, cluster: ClusterId) -> HostId {
        let place = self.clusters.get(cluster.index()).map_or(PlaceId(0), |cluster| cluster.place);
        let machine = self.new_machine(place, 0, kind::EXTERNAL, None, cluster);
        self.machines[machine.index()].external = true;
        self.has_always_been_there(machine)
    }

    fn has_always_been_there(&mut self, machine: MachineId) -> HostId {
        let weeks = self.streams.of(Purpose::Shape).between(86_400_000, 40 * 86_400_000);
        let since = self.now.plus(-weeks);
        let found = &mut self.machines[machine.index()];
        found.state = MachineState::Running;
        (found.launched_at, found.checks_since) = (since.plus(-120_000), since);
        found.agent.process = Process::Alive;
        found.agent.session = true;
        let host = self.new_host(machine);
        let version = self.streams.of(Purpose::Shape).between(40, 9_000) as u32;
        let found = &mut self.hosts[host.index()];
        found.registered_at = since;
        (found.connectivity.changed_at, found.runtime.changed_at) = (since, since);
        (found.said.version, found.said.updated_at) = (version, since);
        // Every connection is of some age when the story begins.
        let (_, longest) = self.habits.recycle_ms;
        let rest = self.draw(Purpose::Recycle, (0, longest));
        self.later(rest, super::agenda::Deed::Recycle(machine, 0));
        host
    }

    /// A task definition that asks for CPU and memory, and for an ENI with `awsvpc`; the next revision of its family.
    pub fn add_definition(
        &mut self,
        place: PlaceId,
        family: &str,
        cpu: i32,
        memory_mib: i32,
        awsvpc: bool,
    ) -> DefinitionId {
        let network = if awsvpc { NetworkMode::Awsvpc } else { NetworkMode::Bridge };
        let (family, containers) = (family.to_owned(), vec![family.to_owned()]);
        self.register_definition(TaskDefinition {
            place,
            family,
            cpu,
            memory_mib,
            network,
            containers,
            ..TaskDefinition::default()
        })
    }

    /// RegisterTaskDefinition: it gets the next revision of its family.
    pub fn register_definition(&mut self, mut definition: TaskDefinition) -> DefinitionId {
        let same = |other: &&TaskDefinition| other.place == definition.place && other.family == definition.family;
        definition.revision = self.definitions.iter().filter(same).map(|other| other.revision).max().unwrap_or(0) + 1;
        self.definitions.push(definition);
        DefinitionId(self.definitions.len() as u32 - 1)
    }

    /// A service with its tasks running, as far as there is room for them.
    pub fn add_service(
        &mut self,
        cluster: ClusterId,
        name: &str,
        strategy: Strategy,
        desired: u32,
        definition: DefinitionId,
    ) -> ServiceId {
        self.add_placed_service(cluster, name, strategy, desired, definition, Placement::default())
    }

    /// The same with constraints and strategies.
    pub fn add_placed_service(
        &mut self,
        cluster: ClusterId,
        name: &str,
        strategy: Strategy,
        desired: u32,
        definition: DefinitionId,
        placement: Placement,
    ) -> ServiceId {
        let id = ServiceId(self.services.len() as u32);
        let deployment = self.streams.of(Purpose::Placement).bits() % 10_u64.pow(19);
        let hosts = self.clusters.get(cluster.index()).map_or(0, |cluster| cluster.hosts.len());
        let desired = if strategy == Strategy::Daemon { hosts as u32 } else { desired };
        self.services.push(Service {
            cluster,
            name: name.into(),
            strategy,
            desired,
            definition,
            minimum_healthy_percent: if strategy == Strategy::Daemon { 0 } else { 100 },
            maximum_percent: if strategy == Strategy::Daemon { 100 } else { 200 },
            tasks: Vec::with_capacity(desired as usize),
            running: 0,
            pending: 0,
            deployment: Deployment {
                id: deployment,
                rollout: Rollout::Completed,
                created_at: self.now.plus(-86_400_000),
                updated_at: self.now.plus(-86_300_000),
            },
            created_at: self.now.plus(-30 * 86_400_000),
            events: std::collections::VecDeque::new(),
            protected: false,
            deactivating_ms: 0,
            churn_per_hour: 0.0,
            placement,
            failed_starts: 0,
            placement_failed_at: None,
            check_due: false,
        });
        if let Some(found) = self.clusters.get_mut(cluster.index()) {
            found.services.push(id);
        }
        let ask = Ask { definition, who: Who::Service(id) };
        match strategy {
            Strategy::Replica => {
                for _ in 0..desired {
                    let Ok(host) = self.find_room(cluster, &ask) else { break };
                    self.place_task(Some(id), None, definition, host, true);
                }
            }
            Strategy::Daemon => {
                let hosts = self.clusters.get(cluster.index()).map(|it| it.hosts.clone()).unwrap_or_default();
                for host in hosts {
                    if self.lacks(host, &ask).is_none() {
                        self.place_task(Some(id), None, definition, host, true);
                    }
                }
            }
        }
        if (self.services[id.index()].tasks.len() as u32) < desired {
            self.look_at_service(id, 1_000);
        }
        id
    }

    /// So many addresses of a zone's subnet are taken by others.
    pub fn set_other_addresses(&mut self, place: PlaceId, zone: u8, others: u32) {
        let zones = self.places.get_mut(place.index()).map(|place| &mut place.zones);
        if let Some(zone) = zones.and_then(|zones| zones.get_mut(usize::from(zone))) {
            zone.others = others;
        }
    }

    /// Others take addresses of a zone's subnet until so many are left.
    pub fn leave_addresses(&mut self, place: PlaceId, zone: u8, free: u32) {
        self.set_other_addresses(place, zone, 0);
        let all = self.free_addresses(place, zone);
        // One at least: that is what makes placement count.
        self.set_other_addresses(place, zone, all.saturating_sub(free).max(1));
    }

    /// A task that no service has: it runs, and nobody moves it. Where there is room; false where there is none.
    pub fn add_standalone_task(&mut self, cluster: ClusterId, definition: DefinitionId) -> bool {
        let placement = Placement::default();
        let who = Who::Caller { group: None, placement: &placement };
        let Ok(host) = self.find_room(cluster, &Ask { definition, who }) else { return false };
        self.place_task(None, None, definition, host, true).is_some()
    }

    /// Gives a service a rate at which its tasks end by themselves.
    pub fn set_churn(&mut self, service: ServiceId, per_hour: f64) {
        if let Some(found) = self.services.get_mut(service.index()) {
            found.churn_per_hour = per_hour;
            self.schedule_churn(service);
        }
    }
}
