//! Reading the world: finding things by name, spelling their names, and the details that are derived instead of kept.

use super::{
    Check, CheckKind, Cluster, ClusterId, DefinitionId, Eni, Group, GroupId, Host, HostId, HostState, HostStatus,
    Machine, MachineId, NO_TASK, Place, PlaceId, Service, ServiceId, Task, TaskDefinition, TaskId, World,
    placement::Protocol,
};
use crate::clock::MINUTE;

/// Registered and remaining resources of a host (spec A.5), without its ports: see [`World::ports_taken`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resources {
    /// CPU units registered.
    pub cpu: i32,
    /// CPU units remaining.
    pub cpu_left: i32,
    /// MiB registered.
    pub memory_mib: i32,
    /// MiB remaining.
    pub memory_left_mib: i32,
    /// GPUs registered.
    pub gpus: u8,
    /// GPUs in use, one bit each.
    pub gpus_taken: u16,
}

/// Capability flags of a current agent on Amazon Linux 2023: attributes without a value.
pub const CAPABILITIES: [&str; 22] = [
    "com.amazonaws.ecs.capability.docker-remote-api.1.17",
    "com.amazonaws.ecs.capability.docker-remote-api.1.18",
    "com.amazonaws.ecs.capability.docker-remote-api.1.19",
    "com.amazonaws.ecs.capability.docker-remote-api.1.44",
    "com.amazonaws.ecs.capability.ecr-auth",
    "com.amazonaws.ecs.capability.logging-driver.awslogs",
    "com.amazonaws.ecs.capability.logging-driver.json-file",
    "com.amazonaws.ecs.capability.logging-driver.syslog",
    "com.amazonaws.ecs.capability.privileged-container",
    "com.amazonaws.ecs.capability.task-iam-role",
    "ecs.capability.aws-appmesh",
    "ecs.capability.container-health-check",
    "ecs.capability.container-ordering",
    "ecs.capability.docker-plugin.local",
    "ecs.capability.efs",
    "ecs.capability.env-files.s3",
    "ecs.capability.execute-command",
    "ecs.capability.execution-role-awslogs",
    "ecs.capability.execution-role-ecr-pull",
    "ecs.capability.full-sync",
    "ecs.capability.secrets.ssm.environment-variables",
    "ecs.capability.task-cpu-mem-limit",
];

/// Of those, the ones that an agent on Windows does not have.
const LINUX_ONLY: [&str; 6] = [
    "com.amazonaws.ecs.capability.logging-driver.syslog",
    "com.amazonaws.ecs.capability.privileged-container",
    "ecs.capability.aws-appmesh",
    "ecs.capability.docker-plugin.local",
    "ecs.capability.efs",
    "ecs.capability.task-cpu-mem-limit",
];

/// Addresses of a /18 without the five that are reserved.
pub const ADDRESSES: u32 = (1 << 14) - 5;

fn string(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::with_capacity(128);
    write(&mut out);
    String::from_utf8(out).unwrap_or_default()
}

impl World {
    /// A place, by id.
    pub fn place(&self, id: PlaceId) -> Option<&Place> {
        self.places.get(id.index())
    }

    /// A cluster, by id.
    pub fn cluster(&self, id: ClusterId) -> Option<&Cluster> {
        self.clusters.get(id.index())
    }

    /// A container instance, by id.
    pub fn host(&self, id: HostId) -> Option<&Host> {
        self.hosts.get(id.index())
    }

    /// A machine, by id.
    pub fn machine(&self, id: MachineId) -> Option<&Machine> {
        self.machines.get(id.index())
    }

    /// A group, by id.
    pub fn group(&self, id: GroupId) -> Option<&Group> {
        self.groups.get(id.index())
    }

    /// A service, by id.
    pub fn service(&self, id: ServiceId) -> Option<&Service> {
        self.services.get(id.index())
    }

    /// A task definition, by id.
    pub fn definition(&self, id: DefinitionId) -> Option<&TaskDefinition> {
        self.definitions.get(id.index())
    }

    /// A task that can be described: running, on its way, or stopped less than an hour ago.
    pub fn task(&self, id: TaskId) -> Option<&Task> {
        self.tasks.get(id.slot as usize).filter(|task| task.present && task.generation == id.generation)
    }

    /// How many tasks can be described.
    pub fn task_count(&self) -> usize {
        self.tasks.len() - self.free_tasks.len()
    }

    /// The place called `ACCOUNT/REGION`.
    pub fn find_place(&self, account: &str, region: &str) -> Option<PlaceId> {
        let position = self.places.iter().position(|place| place.account == account && place.region == region)?;
        Some(PlaceId(position as u32))
    }

    /// A cluster by ARN or, within a place, by name; deleted ones included.
    pub fn find_cluster(&self, place: PlaceId, name_or_arn: &str) -> Option<ClusterId> {
        let found =
            |cluster: &&Cluster| cluster.place == place && (cluster.name == name_or_arn || cluster.arn == name_or_arn);
        let position = self.clusters.iter().position(|cluster| found(&cluster))?;
        Some(ClusterId(position as u32))
    }

    /// A cluster by its ARN, wherever it is.
    pub fn find_cluster_arn(&self, arn: &str) -> Option<ClusterId> {
        self.clusters.iter().position(|cluster| cluster.arn == arn).map(|at| ClusterId(at as u32))
    }

    /// A container instance by ARN or bare id. INACTIVE ones are found for an hour.
    pub fn find_host(&self, arn_or_id: &str) -> Option<HostId> {
        let id = self.namer.read_host(last(arn_or_id))?;
        let host = self.host(id)?;
        let forgotten = self.habits.forget_inactive_ms > 0
            && host.said.status == HostStatus::Inactive
            && self.now.since(host.said.updated_at) > self.habits.forget_inactive_ms;
        (!forgotten).then_some(id)
    }

    /// A machine by `i-…` or `mi-…`.
    pub fn find_machine(&self, id: &str) -> Option<MachineId> {
        let (machine, external) = self.namer.read_machine(id)?;
        self.machine(machine).filter(|found| found.external == external).map(|_| machine)
    }

    /// A task by ARN or bare id.
    pub fn find_task(&self, arn_or_id: &str) -> Option<TaskId> {
        let id = self.namer.read_task(last(arn_or_id))?;
        self.task(id).map(|_| id)
    }

    /// A service of a cluster by ARN or name.
    pub fn find_service(&self, cluster: ClusterId, arn_or_name: &str) -> Option<ServiceId> {
        let name = last(arn_or_name);
        let position = self.services.iter().position(|service| service.cluster == cluster && service.name == name)?;
        Some(ServiceId(position as u32))
    }

    /// A group of a place by name.
    pub fn find_group(&self, place: PlaceId, name: &str) -> Option<GroupId> {
        let position = self.groups.iter().position(|group| group.place == place && group.name == name)?;
        Some(GroupId(position as u32))
    }

    /// A task definition of a place by ARN, `FAMILY:REVISION` or `FAMILY` (its newest revision).
    pub fn find_definition(&self, place: PlaceId, name: &str) -> Option<DefinitionId> {
        let (family, revision) = match last(name).split_once(':') {
            Some((family, revision)) => (family, Some(revision.parse::<u32>().ok()?)),
            None => (last(name), None),
        };
        let of_family = self.definitions.iter().enumerate().filter(|(_, definition)| {
            definition.place == place
                && definition.family == family
                && revision.is_none_or(|revision| definition.revision == revision)
        });
        of_family.max_by_key(|(_, definition)| definition.revision).map(|(at, _)| DefinitionId(at as u32))
    }

    /// All services of a cluster.
    pub fn cluster_services(&self, cluster: ClusterId) -> impl Iterator<Item = (ServiceId, &Service)> {
        let numbered = self.services.iter().enumerate();
        numbered
            .filter(move |(_, service)| service.cluster == cluster)
            .map(|(at, service)| (ServiceId(at as u32), service))
    }

    /// All machines of a place that EC2 still lists.
    pub fn place_machines(&self, place: PlaceId) -> impl Iterator<Item = (MachineId, &Machine)> {
        let now = self.now;
        let numbered = self.machines.iter().enumerate();
        numbered
            .filter(move |(_, machine)| machine.place == place && machine.known_to_ec2(now))
            .map(|(at, machine)| (MachineId(at as u32), machine))
    }

    /// Tasks on a host, stopped ones included, newest first.
    pub fn host_tasks(&self, host: HostId) -> impl Iterator<Item = (TaskId, &Task)> {
        let mut slot = self.host(host).map_or(NO_TASK, |host| host.first_task);
        std::iter::from_fn(move || {
            let task = self.tasks.get(slot as usize)?;
            let id = TaskId { slot, generation: task.generation };
            slot = task.next_on_host;
            Some((id, task))
        })
    }

    /// Tasks of a cluster, stopped ones that are remembered included.
    pub fn tasks_of_cluster(&self, cluster: ClusterId) -> impl Iterator<Item = TaskId> + '_ {
        let numbered = self.tasks.iter().zip(0u32..);
        let here = numbered.filter(move |(task, _)| task.present && task.cluster == cluster);
        here.map(|(task, slot)| TaskId { slot, generation: task.generation })
    }

    /// Appends a container instance ARN.
    pub fn write_host_arn(&self, host: HostId, out: &mut Vec<u8>) {
        if let Some(cluster) = self.host(host).and_then(|host| self.cluster(host.cluster)) {
            out.extend_from_slice(cluster.host_arn_prefix.as_bytes());
        }
        self.namer.write_host(host, out);
    }

    /// A container instance ARN.
    pub fn host_arn(&self, host: HostId) -> String {
        string(|out| self.write_host_arn(host, out))
    }

    /// Appends a task ARN.
    pub fn write_task_arn(&self, cluster: ClusterId, task: TaskId, out: &mut Vec<u8>) {
        if let Some(cluster) = self.cluster(cluster) {
            out.extend_from_slice(cluster.task_arn_prefix.as_bytes());
        }
        self.namer.write_task(task, out);
    }

    /// A task ARN.
    pub fn task_arn(&self, cluster: ClusterId, task: TaskId) -> String {
        string(|out| self.write_task_arn(cluster, task, out))
    }

    /// Appends `i-…` or `mi-…`.
    pub fn write_machine_id(&self, machine: MachineId, out: &mut Vec<u8>) {
        let external = self.machine(machine).is_some_and(|machine| machine.external);
        self.namer.write_machine(machine, external, out);
    }

    /// `i-…` or `mi-…`.
    pub fn machine_id(&self, machine: MachineId) -> String {
        string(|out| self.write_machine_id(machine, out))
    }

    /// A service ARN.
    pub fn service_arn(&self, service: ServiceId) -> String {
        let Some(service) = self.service(service) else { return String::new() };
        let Some(cluster) = self.cluster(service.cluster) else { return String::new() };
        format!("{}/{}", cluster.arn.replace(":cluster/", ":service/"), service.name)
    }

    /// A task definition ARN.
    pub fn definition_arn(&self, definition: DefinitionId) -> String {
        let Some(definition) = self.definition(definition) else { return String::new() };
        let Some(place) = self.place(definition.place) else { return String::new() };
        let Place { partition, region, account, .. } = place;
        format!("arn:{partition}:ecs:{region}:{account}:task-definition/{}:{}", definition.family, definition.revision)
    }

    /// A group's ARN.
    pub fn group_arn(&self, group: GroupId) -> String {
        let Some(found) = self.group(group) else { return String::new() };
        let Some(Place { partition, region, account, .. }) = self.place(found.place) else { return String::new() };
        let uuid = string(|out| self.namer.write_event(u64::MAX - u64::from(group.0), out));
        format!(
            "arn:{partition}:autoscaling:{region}:{account}:autoScalingGroup:{uuid}:autoScalingGroupName/{}",
            found.name
        )
    }

    /// What ECS said of a host `staleness` milliseconds ago, as far as is remembered; `None` when the host did not exist.
    pub fn host_as_of(&self, host: HostId, staleness: i64) -> Option<HostState> {
        let found = self.host(host)?;
        let then = self.now.plus(-staleness);
        if staleness > 0 && found.registered_at > then {
            return None;
        }
        let earlier = self.earlier.get(&host).and_then(|past| past.iter().find(|(until, _)| *until > then));
        Some(earlier.map_or(found.said, |(_, state)| *state))
    }

    /// Resources of a host in a given state.
    pub fn resources(&self, host: HostId, state: &HostState) -> Option<Resources> {
        let kind = self.machine(self.host(host)?.machine)?.kind.get();
        Some(Resources {
            cpu: kind.cpu,
            cpu_left: state.cpu_left,
            memory_mib: kind.memory_mib,
            memory_left_mib: state.memory_left,
            gpus: kind.gpus,
            gpus_taken: state.gpus_taken,
        })
    }

    /// Calls `each` with the attributes of a host (spec C.5): name, and value where it has one.
    pub fn attributes(&self, host: HostId, mut each: impl FnMut(&str, Option<&str>)) {
        let Some(found) = self.host(host) else { return };
        let Some(machine) = self.machine(found.machine) else { return };
        let kind = machine.kind.get();
        let linux = machine.platform == super::Platform::Linux;
        for name in CAPABILITIES.iter().filter(|name| linux || !LINUX_ONLY.contains(name)) {
            each(name, None);
        }
        each("ecs.cpu-architecture", Some(kind.architecture));
        each("ecs.os-type", Some(machine.platform.os_type()));
        each("ecs.os-family", Some(machine.platform.os_family()));
        for (name, value) in &found.attributes {
            each(name, value.as_deref());
        }
        if machine.external {
            each("ecs.capability.external", None);
            return;
        }
        each("ecs.ami-id", Some(self.text(machine.ami)));
        each("ecs.instance-type", Some(kind.name));
        if let Some(place) = self.place(machine.place) {
            each("ecs.vpc-id", Some(&place.vpc));
            if let Some(zone) = place.zones.get(usize::from(machine.zone)) {
                each("ecs.availability-zone", Some(&zone.name));
                each("ecs.subnet-id", Some(&zone.subnet));
            }
        }
        each("ecs.capability.task-eni", None);
        if linux {
            each("ecs.capability.task-eni-trunking", None);
        }
        if found.trunk {
            let mut trunk = Vec::with_capacity(36);
            self.namer.write_event(u64::MAX / 2 - u64::from(host.0), &mut trunk);
            each("ecs.awsvpc-trunk-id", std::str::from_utf8(&trunk).ok());
        }
    }

    /// The value of an attribute of a host, if it has the attribute: `Some(None)` for a flag.
    pub fn attribute(&self, host: HostId, wanted: &str) -> Option<Option<String>> {
        let mut found = None;
        self.attributes(host, |name, value| {
            if name == wanted {
                found = Some(value.map(str::to_owned));
            }
        });
        found
    }

    /// Ports of a protocol that are taken on a host in a given state: those that its agent reserves, in their order, then
    /// those of tasks. Registered resources have only the agent's.
    pub fn ports_taken(&self, host: HostId, state: &HostState, protocol: Protocol, by_tasks: bool) -> Vec<u16> {
        let machine = self.host(host).and_then(|host| self.machine(host.machine));
        let reserved = match (machine, protocol) {
            (Some(machine), Protocol::Tcp) => machine.platform.reserved_ports(),
            _ => &[],
        };
        let mut ports = reserved.to_vec();
        if by_tasks {
            let taken = self.port_sets.get(state.ports).iter().filter(|port| port.protocol == protocol);
            ports.extend(taken.map(|port| port.port));
        }
        ports
    }

    /// Free addresses of the subnet of a zone: hosts, their hand-made interfaces, task ENIs and others take one each.
    pub fn free_addresses(&self, place: PlaceId, zone: u8) -> u32 {
        let here = |machine: &Machine| machine.place == place && machine.zone == zone && !machine.external;
        let machines = self.machines.iter().filter(|machine| here(machine) && machine.terminated_at.is_none());
        let of_machines: u32 = machines.map(|machine| 1 + u32::from(machine.extra_enis)).sum();
        let hosts = self.hosts.iter().filter(|host| self.machine(host.machine).is_some_and(here));
        let of_tasks: u32 = hosts.map(|host| u32::from(host.said.enis)).sum();
        let others =
            self.place(place).and_then(|place| place.zones.get(usize::from(zone))).map_or(0, |zone| zone.others);
        ADDRESSES.saturating_sub(of_machines + of_tasks + others)
    }

    /// `group` of a task: that of its service, one it was started in, or its family's.
    pub fn task_group(&self, task: &Task) -> String {
        if let Some(service) = task.service.and_then(|service| self.service(service)) {
            return format!("service:{}", service.name);
        }
        match task.group {
            Some(group) => self.text(group).to_owned(),
            None => format!("family:{}", self.definition(task.definition).map_or("", |definition| &definition.family)),
        }
    }

    /// A check of a host as a Describe shows it now.
    pub fn check(&self, host: HostId, check: CheckKind) -> Option<Check> {
        let host = self.host(host)?;
        Some(match check {
            CheckKind::AgentConnectivity => host.connectivity,
            CheckKind::ContainerRuntime => host.runtime,
        })
    }

    /// The network interface of a task; `None` without awsvpc.
    pub fn eni(&self, id: TaskId, task: &Task) -> Option<Eni> {
        let status = task.said.eni?;
        let machine = self.host(task.host).and_then(|host| self.machine(host.machine))?;
        let place = self.place(machine.place)?;
        let zone = place.zones.get(usize::from(machine.zone))?;
        let bits = self.namer.task_bits(id);
        // The lower half of the zone's /16 belongs to machines.
        let (third, fourth) = (128 | (bits >> 8) as u8, bits as u8);
        Some(Eni {
            attachment: string(|out| self.namer.write_attachment(id, out)),
            id: string(|out| self.namer.write_eni(id, out)),
            subnet: zone.subnet.clone(),
            mac: format!(
                "02:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}",
                bits >> 32 & 255,
                bits >> 24 & 255,
                bits >> 16 & 255,
                third,
                fourth
            ),
            address: format!("10.{}.{third}.{fourth}", zone.net),
            dns_name: format!("ip-10-{}-{third}-{fourth}.{}.compute.internal", zone.net, place.region),
            status,
        })
    }

    /// The address of a machine, `10.N.x.y`.
    pub fn machine_address(&self, machine: MachineId) -> String {
        let net = self
            .machine(machine)
            .and_then(|found| self.place(found.place)?.zones.get(usize::from(found.zone)))
            .map_or(0, |zone| zone.net);
        let bits = self.namer.other(u64::from(machine.0));
        format!("10.{net}.{}.{}", (bits >> 8) as u8 & 127, bits as u8)
    }

    /// What EC2's two status checks say: system, instance. A machine in its first minutes is still being checked.
    pub fn status_checks(&self, machine: &Machine) -> (&'static str, &'static str) {
        if machine.state != super::MachineState::Running {
            return ("not-applicable", "not-applicable");
        }
        if self.now.since(machine.launched_at) < 2 * MINUTE && machine.system_ok && machine.instance_ok {
            return ("initializing", "initializing");
        }
        let word = |ok: bool| if ok { "ok" } else { "impaired" };
        (word(machine.system_ok), word(machine.instance_ok))
    }
}

/// The last segment of an ARN or path.
fn last(text: &str) -> &str {
    text.rsplit('/').next().unwrap_or(text)
}
