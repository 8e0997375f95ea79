//! Changes as EventBridge tells them: exact JSON with its envelope (spec A.1, A.4 to A.11), written by hand because it is
//! written a million times a minute.

use crate::{
    clock::Moment,
    world::{
        Change, CheckKind, CheckStatus, EniStatus, HostId, HostState, MachineId, MachineState, Namer, Place, Rollout,
        ServiceId, Task, TaskId, What, World,
        change::{Closest, ServiceAction, Stage},
        placement::Protocol,
    },
};

/// Appends the event of a change.
pub fn write_event(world: &World, change: &Change, out: &mut Vec<u8>) {
    let Some(place) = world.place(change.place) else { return };
    let mut json = Json { world, place, out };
    match change.what {
        What::Host { host, state } => json.host(change, host, &state),
        What::Health { host, check, status, since } => json.health(change, host, check, status, since),
        What::Task { task, now } => json.task(change, task, &now),
        What::Service { service, action, closest } => json.service(change, service, action, closest),
        What::Deployment { service, deployment, rollout } => json.deployment(change, service, deployment, rollout),
        What::Machine { machine, state } => json.machine(change, machine, state),
        What::SpotWarning { machine } => json.spot(change, machine, true),
        What::Rebalance { machine } => json.spot(change, machine, false),
        What::Lifecycle { machine, group, stage } => json.lifecycle(change, machine, group, stage),
        What::LaunchFailed { group } => json.launch_failed(change, group),
        What::Novelty { host } => json.novelty(change, host),
    }
}

/// The event of a change, in a buffer of its own.
pub fn event(world: &World, change: &Change) -> Vec<u8> {
    let mut out = Vec::with_capacity(3_072);
    write_event(world, change, &mut out);
    out
}

/// The id of a host's GPU: the position is all that is known of it.
pub(crate) fn gpu_id(gpu: u8) -> String {
    format!("GPU-{gpu:08x}")
}

struct Json<'a> {
    world: &'a World,
    place: &'a Place,
    out: &'a mut Vec<u8>,
}

impl Json<'_> {
    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// A string that may hold anything.
    fn string(&mut self, text: &str) {
        self.out.push(b'"');
        for byte in text.bytes() {
            match byte {
                b'"' => self.out.extend_from_slice(b"\\\""),
                b'\\' => self.out.extend_from_slice(b"\\\\"),
                0..0x20 => self.out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
                _ => self.out.push(byte),
            }
        }
        self.out.push(b'"');
    }

    fn number(&mut self, value: i64) {
        let mut digits = [0_u8; 20];
        let mut at = digits.len();
        let mut rest = value.unsigned_abs();
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if value < 0 {
            self.out.push(b'-');
        }
        self.out.extend_from_slice(&digits[at..]);
    }

    fn millis(&mut self, at: Moment) {
        self.out.push(b'"');
        at.write_millis(self.out);
        self.out.push(b'"');
    }

    fn secs(&mut self, at: Moment) {
        self.out.push(b'"');
        at.write_secs(self.out);
        self.out.push(b'"');
    }

    fn quoted(&mut self, write: impl FnOnce(&World, &mut Vec<u8>)) {
        self.out.push(b'"');
        write(self.world, self.out);
        self.out.push(b'"');
    }

    fn host_arn(&mut self, host: HostId) {
        self.quoted(|world, out| world.write_host_arn(host, out));
    }

    fn machine_id(&mut self, machine: MachineId) {
        self.quoted(|world, out| world.write_machine_id(machine, out));
    }

    fn named(&mut self, write: impl FnOnce(Namer, &mut Vec<u8>)) {
        self.out.push(b'"');
        write(self.world.namer, self.out);
        self.out.push(b'"');
    }

    /// Up to `"detail":`; `resources` writes the elements of the array.
    fn envelope(&mut self, change: &Change, source: &str, detail_type: &str, resources: impl FnOnce(&mut Self)) {
        self.raw(r#"{"version":"0","id":"#);
        self.named(|namer, out| namer.write_event(change.serial, out));
        self.raw(r#","detail-type":""#);
        self.raw(detail_type);
        self.raw(r#"","source":""#);
        self.raw(source);
        self.raw(r#"","account":""#);
        let (account, region) = (self.place.account.as_str(), self.place.region.as_str());
        self.out.extend_from_slice(account.as_bytes());
        self.raw(r#"","time":"#);
        self.secs(change.at);
        self.raw(r#","region":""#);
        self.out.extend_from_slice(region.as_bytes());
        self.raw(r#"","resources":["#);
        resources(self);
        self.raw(r#"],"detail":"#);
    }

    fn host(&mut self, change: &Change, host: HostId, state: &HostState) {
        let world = self.world;
        let Some(found) = world.host(host) else { return };
        self.envelope(change, "aws.ecs", "ECS Container Instance State Change", |json| json.host_arn(host));
        self.raw(r#"{"agentConnected":"#);
        self.raw(if state.connected { "true" } else { "false" });
        self.raw(r#","attributes":["#);
        let start = self.out.len();
        let out = &mut *self.out;
        world.attributes(host, |name, value| {
            if out.len() > start {
                out.push(b',');
            }
            out.extend_from_slice(br#"{"name":""#);
            out.extend_from_slice(name.as_bytes());
            if let Some(value) = value {
                out.extend_from_slice(br#"","value":""#);
                out.extend_from_slice(value.as_bytes());
            }
            out.extend_from_slice(br#""}"#);
        });
        self.raw(r#"],"attachments":[],"clusterArn":""#);
        self.raw(world.cluster(found.cluster).map_or("", |cluster| &cluster.arn));
        self.raw(r#"","containerInstanceArn":"#);
        self.host_arn(host);
        self.raw(r#","ec2InstanceId":"#);
        self.machine_id(found.machine);
        self.raw(r#","pendingTasksCount":"#);
        self.number(i64::from(state.pending));
        self.raw(r#","runningTasksCount":"#);
        self.number(i64::from(state.running));
        self.raw(r#","registeredAt":"#);
        self.millis(found.registered_at);
        if let Some(resources) = world.resources(host, state) {
            self.raw(r#","registeredResources":["#);
            self.resources(host, state, (resources.cpu, resources.memory_mib), (resources.gpus, 0), false);
            self.raw(r#"],"remainingResources":["#);
            let left = (resources.cpu_left, resources.memory_left_mib);
            self.resources(host, state, left, (resources.gpus, resources.gpus_taken), true);
            self.raw("]");
        }
        self.raw(r#","status":""#);
        self.raw(state.status.word());
        if let Some(reason) = found.status_reason {
            self.raw(r#"","statusReason":"#);
            self.string(world.text(reason));
            self.raw(r#","version":"#);
        } else {
            self.raw(r#"","version":"#);
        }
        self.number(i64::from(state.version));
        let version = world.machine(found.machine).map_or("", |machine| world.text(machine.agent.version));
        self.raw(r#","versionInfo":{"agentHash":"0d1e2f3a","agentVersion":""#);
        self.raw(version);
        self.raw(r#"","dockerVersion":"DockerVersion: 25.0.6"}"#);
        let group = world.machine(found.machine).and_then(|machine| machine.group).and_then(|id| world.group(id));
        if let Some(group) = group {
            self.raw(r#","capacityProviderName":"#);
            self.string(&group.name);
        }
        self.raw(r#","updatedAt":"#);
        self.millis(state.updated_at);
        self.raw("}}");
    }

    fn resources(
        &mut self,
        host: HostId,
        state: &HostState,
        (cpu, memory): (i32, i32),
        (gpus, gpus_taken): (u8, u16),
        remaining: bool,
    ) {
        self.raw(r#"{"name":"CPU","type":"INTEGER","integerValue":"#);
        self.number(i64::from(cpu));
        self.raw(r#"},{"name":"MEMORY","type":"INTEGER","integerValue":"#);
        self.number(i64::from(memory));
        self.raw("}");
        for (name, protocol) in [("PORTS", Protocol::Tcp), ("PORTS_UDP", Protocol::Udp)] {
            self.raw(r#",{"name":""#);
            self.raw(name);
            self.raw(r#"","type":"STRINGSET","stringSetValue":["#);
            for (at, port) in self.world.ports_taken(host, state, protocol, remaining).into_iter().enumerate() {
                self.raw(if at == 0 { "\"" } else { ",\"" });
                self.number(i64::from(port));
                self.raw("\"");
            }
            self.raw("]}");
        }
        if gpus > 0 {
            self.raw(r#",{"name":"GPU","type":"STRINGSET","stringSetValue":["#);
            let free = (0..gpus).filter(|gpu| gpus_taken & 1 << gpu == 0);
            for (at, gpu) in free.enumerate() {
                self.raw(if at == 0 { "\"" } else { ",\"" });
                self.raw(&gpu_id(gpu));
                self.raw("\"");
            }
            self.raw("]}");
        }
    }

    fn health(&mut self, change: &Change, host: HostId, check: CheckKind, status: CheckStatus, since: Moment) {
        let world = self.world;
        let Some(found) = world.host(host) else { return };
        self.envelope(change, "aws.ecs", "ECS Container Instance Health Change", |json| json.host_arn(host));
        self.raw(r#"{"clusterArn":""#);
        self.raw(world.cluster(found.cluster).map_or("", |cluster| &cluster.arn));
        self.raw(r#"","containerInstanceArn":"#);
        self.host_arn(host);
        self.raw(r#","capacityProviderName":null,"ec2InstanceId":"#);
        self.machine_id(found.machine);
        self.raw(r#","overallStatus":""#);
        self.raw(status.word());
        self.raw(r#"","healthChecks":[{"type":""#);
        self.raw(check.word());
        self.raw(r#"","status":""#);
        self.raw(status.word());
        self.raw(r#"","lastStatusChange":"#);
        self.secs(change.at);
        self.raw(r#","lastUpdated":"#);
        self.secs(change.at);
        self.raw(r#","statusReason":"#);
        match (check, status) {
            (CheckKind::AgentConnectivity, CheckStatus::Impaired) => {
                self.raw(r#""Agent disconnected since "#);
                since.write_secs(self.out);
                self.raw("\"");
            }
            (CheckKind::ContainerRuntime, CheckStatus::Impaired) => self.raw(r#""Container runtime ping timed out""#),
            _ => self.raw("null"),
        }
        self.raw("}]}}");
    }

    fn task(&mut self, change: &Change, id: TaskId, task: &Task) {
        let world = self.world;
        let cluster = task.cluster;
        self.envelope(change, "aws.ecs", "ECS Task State Change", |json| {
            json.quoted(|world, out| world.write_task_arn(cluster, id, out));
        });
        self.raw(r#"{"attachments":["#);
        let eni = world.eni(id, task);
        if let Some(eni) = &eni {
            self.raw(r#"{"id":""#);
            self.raw(&eni.attachment);
            // Events say `eni` where the API says `ElasticNetworkInterface` (spec A.6).
            self.raw(r#"","type":"eni","status":""#);
            self.raw(eni.status.word());
            self.raw(r#"","details":[{"name":"subnetId","value":""#);
            self.raw(&eni.subnet);
            if eni.status != EniStatus::Precreated {
                self.raw(r#""},{"name":"networkInterfaceId","value":""#);
                self.raw(&eni.id);
                self.raw(r#""},{"name":"macAddress","value":""#);
                self.raw(&eni.mac);
                self.raw(r#""},{"name":"privateDnsName","value":""#);
                self.raw(&eni.dns_name);
                self.raw(r#""},{"name":"privateIPv4Address","value":""#);
                self.raw(&eni.address);
            }
            self.raw(r#""}]}"#);
        }
        self.raw(r#"],"availabilityZone":""#);
        let machine = world.host(task.host).and_then(|host| world.machine(host.machine));
        let zone = machine.and_then(|machine| world.place(machine.place)?.zones.get(usize::from(machine.zone)));
        self.raw(zone.map_or("", |zone| &zone.name));
        self.raw(r#"","clusterArn":""#);
        self.raw(world.cluster(cluster).map_or("", |cluster| &cluster.arn));
        self.raw(r#"","connectivity":"CONNECTED","connectivityAt":"#);
        self.millis(task.created_at);
        self.raw(r#","containerInstanceArn":"#);
        self.host_arn(task.host);
        self.raw(r#","containers":["#);
        self.containers(id, task);
        let definition = world.definition(task.definition);
        let (cpu, memory) = definition.map_or((0, 0), |definition| (definition.cpu, definition.memory_mib));
        self.raw(r#"],"cpu":""#);
        self.number(i64::from(cpu));
        self.raw(r#"","memory":""#);
        self.number(i64::from(memory));
        self.raw(r#"","createdAt":"#);
        self.millis(task.created_at);
        let times = [
            (r#","startedAt":"#, task.started_at),
            (r#","stoppingAt":"#, task.stopping_at),
            (r#","stoppedAt":"#, task.stopped_at),
            (r#","executionStoppedAt":"#, task.stopped_at.map(|at| at.plus(-300))),
        ];
        for (key, at) in times {
            if let Some(at) = at {
                self.raw(key);
                self.millis(at);
            }
        }
        self.raw(r#","desiredStatus":""#);
        self.raw(if task.said.desired_running { "RUNNING" } else { "STOPPED" });
        self.raw(r#"","lastStatus":""#);
        self.raw(task.said.last.word());
        self.raw(r#"","group":""#);
        self.raw(&world.task_group(task));
        self.raw(if machine.is_some_and(|machine| machine.external) {
            r#"","launchType":"EXTERNAL"#
        } else {
            r#"","launchType":"EC2"#
        });
        if task.service.is_some() {
            self.raw(r#"","startedBy":"ecs-svc/"#);
            self.raw(&format!("{:019}", task.deployment));
        }
        self.raw("\"");
        if let Some(code) = task.said.stop_code {
            self.raw(r#","stopCode":""#);
            self.raw(code.word());
            self.raw("\"");
        }
        if let Some(reason) = task.stopped_reason {
            self.raw(r#","stoppedReason":"#);
            self.string(world.text(reason));
        }
        self.raw(r#","taskArn":"#);
        self.quoted(|world, out| world.write_task_arn(cluster, id, out));
        self.raw(r#","taskDefinitionArn":""#);
        self.raw(&world.definition_arn(task.definition));
        self.raw(r#"","updatedAt":"#);
        self.millis(task.said.updated_at);
        self.raw(r#","version":"#);
        self.number(i64::from(task.said.version));
        self.raw(r#","overrides":{"containerOverrides":[]}}}"#);
    }

    fn containers(&mut self, id: TaskId, task: &Task) {
        let world = self.world;
        let Some(definition) = world.definition(task.definition) else { return };
        for (at, name) in definition.containers.iter().enumerate() {
            if at > 0 {
                self.raw(",");
            }
            let place = self.place;
            self.raw(r#"{"containerArn":""#);
            self.raw(&format!("arn:{}:ecs:{}:{}:container/", place.partition, place.region, place.account));
            self.raw(world.cluster(task.cluster).map_or("", |cluster| &cluster.name));
            self.raw("/");
            world.namer.write_task(id, self.out);
            self.raw("/");
            world.namer.write_container(id, at as u32, self.out);
            self.raw(r#"","taskArn":"#);
            let cluster = task.cluster;
            self.quoted(|world, out| world.write_task_arn(cluster, id, out));
            self.raw(r#","name":""#);
            self.raw(name);
            self.raw(r#"","image":""#);
            self.raw(&format!(
                "{}.dkr.ecr.{}.amazonaws.com/{}:{}",
                place.account, place.region, definition.family, definition.revision
            ));
            self.raw(r#"","lastStatus":""#);
            self.raw(task.said.last.word());
            self.raw("\"");
            if at == 0
                && let Some(code) = task.said.exit_code
            {
                self.raw(r#","exitCode":"#);
                self.number(i64::from(code));
            }
            self.raw(r#","networkInterfaces":[],"cpu":""#);
            self.number(i64::from(definition.cpu));
            self.raw(r#"","memory":""#);
            self.number(i64::from(definition.memory_mib));
            self.raw(r#""}"#);
        }
    }

    fn service(&mut self, change: &Change, service: ServiceId, action: ServiceAction, closest: Closest) {
        let world = self.world;
        let arn = world.service_arn(service);
        self.envelope(change, "aws.ecs", "ECS Service Action", |json| json.string(&arn));
        let (level, name) = match action {
            ServiceAction::SteadyState => ("INFO", "SERVICE_STEADY_STATE"),
            ServiceAction::PlacementFailure(_) => ("ERROR", "SERVICE_TASK_PLACEMENT_FAILURE"),
        };
        self.raw(&format!(r#"{{"eventType":"{level}","eventName":"{name}","clusterArn":""#));
        let cluster = world.service(service).and_then(|service| world.cluster(service.cluster));
        self.raw(cluster.map_or("", |cluster| &cluster.arn));
        self.raw("\"");
        if closest[0].is_some() {
            self.raw(r#","containerInstanceArns":["#);
            for (at, host) in closest.into_iter().flatten().enumerate() {
                self.raw(if at == 0 { "" } else { "," });
                self.host_arn(host);
            }
            self.raw("]");
        }
        if let ServiceAction::PlacementFailure(why) = action {
            self.raw(r#","reason":""#);
            self.raw(why.word());
            self.raw("\"");
        }
        self.raw(r#","createdAt":"#);
        self.millis(change.at);
        self.raw("}}");
    }

    fn deployment(&mut self, change: &Change, service: ServiceId, deployment: u64, rollout: Rollout) {
        let arn = self.world.service_arn(service);
        self.envelope(change, "aws.ecs", "ECS Deployment State Change", |json| json.string(&arn));
        let (level, reason) = match rollout {
            Rollout::InProgress => ("INFO", format!("ECS deployment ecs-svc/{deployment:019} in progress.")),
            Rollout::Completed => ("INFO", format!("ECS deployment ecs-svc/{deployment:019} completed.")),
            Rollout::Failed => ("ERROR", "ECS deployment circuit breaker: tasks failed to start.".to_owned()),
        };
        let name = rollout.word();
        self.raw(&format!(
            r#"{{"eventType":"{level}","eventName":"SERVICE_DEPLOYMENT_{name}","deploymentId":"ecs-svc/{deployment:019}","updatedAt":"#
        ));
        self.secs(change.at);
        self.raw(r#","reason":"#);
        self.string(&reason);
        self.raw("}}");
    }

    fn instance_arn(&mut self, machine: MachineId) {
        let place = self.place;
        self.raw(&format!("\"arn:{}:ec2:{}:{}:instance/", place.partition, place.region, place.account));
        self.world.write_machine_id(machine, self.out);
        self.raw("\"");
    }

    fn machine(&mut self, change: &Change, machine: MachineId, state: MachineState) {
        self.envelope(change, "aws.ec2", "EC2 Instance State-change Notification", |json| json.instance_arn(machine));
        self.raw(r#"{"instance-id":"#);
        self.machine_id(machine);
        self.raw(r#","state":""#);
        self.raw(state.word());
        self.raw(r#""}}"#);
    }

    fn spot(&mut self, change: &Change, machine: MachineId, interruption: bool) {
        let kind = if interruption {
            "EC2 Spot Instance Interruption Warning"
        } else {
            "EC2 Instance Rebalance Recommendation"
        };
        self.envelope(change, "aws.ec2", kind, |json| {
            // The zone stands where a region would, and no account (spec A.11).
            let zone = json.world.machine(machine).and_then(|it| json.place.zones.get(usize::from(it.zone)));
            let zone = zone.map_or("", |zone| &zone.name);
            json.raw(&format!("\"arn:{}:ec2:{zone}:instance/", json.place.partition));
            json.world.write_machine_id(machine, json.out);
            json.raw("\"");
        });
        self.raw(r#"{"instance-id":"#);
        self.machine_id(machine);
        if interruption {
            self.raw(r#","instance-action":"terminate""#);
        }
        self.raw("}}");
    }

    fn lifecycle(&mut self, change: &Change, machine: MachineId, group: crate::world::GroupId, stage: Stage) {
        let arn = self.world.group_arn(group);
        let kind = match stage {
            Stage::Launching => "EC2 Instance-launch Lifecycle Action",
            Stage::Terminating => "EC2 Instance-terminate Lifecycle Action",
            Stage::Launched => "EC2 Instance Launch Successful",
            Stage::Terminated => "EC2 Instance Terminate Successful",
        };
        self.envelope(change, "aws.autoscaling", kind, |json| {
            json.string(&arn);
            if matches!(stage, Stage::Launched | Stage::Terminated) {
                json.raw(",");
                json.instance_arn(machine);
            }
        });
        let name = self.world.group(group).map_or(String::new(), |group| group.name.clone());
        self.raw(r#"{"AutoScalingGroupName":"#);
        self.string(&name);
        self.raw(r#","EC2InstanceId":"#);
        self.machine_id(machine);
        match stage {
            Stage::Launching | Stage::Terminating => {
                self.raw(r#","LifecycleActionToken":"#);
                self.named(|namer, out| namer.write_event(change.serial ^ (1 << 62), out));
                let managed = self.world.group(group).is_some_and(|group| group.managed_draining);
                let (hook, transition) = match (stage, managed) {
                    (Stage::Launching, _) => ("launch-hook", "LAUNCHING"),
                    (_, true) => ("ecs-managed-draining-termination-hook", "TERMINATING"),
                    (_, false) => ("terminate-hook", "TERMINATING"),
                };
                self.raw(&format!(
                    r#","LifecycleHookName":"{hook}","LifecycleTransition":"autoscaling:EC2_INSTANCE_{transition}","Origin":"AutoScalingGroup","Destination":"EC2"}}}}"#
                ));
            }
            Stage::Launched | Stage::Terminated => {
                self.raw(r#","StatusCode":"InProgress","StatusMessage":"","ActivityId":"#);
                self.named(|namer, out| namer.write_event(change.serial ^ (1 << 61), out));
                self.raw(r#","RequestId":"#);
                self.named(|namer, out| namer.write_event(change.serial ^ (1 << 61), out));
                self.raw(r#","StartTime":"#);
                self.secs(change.at.plus(-15_000));
                self.raw(r#","EndTime":"#);
                self.secs(change.at);
                let zone = self.world.machine(machine).and_then(|it| self.place.zones.get(usize::from(it.zone)));
                if let Some((zone, subnet)) = zone.map(|zone| (zone.name.clone(), zone.subnet.clone())) {
                    self.raw(&format!(r#","Details":{{"Availability Zone":"{zone}","Subnet ID":"{subnet}"}}"#));
                }
                self.raw("}}");
            }
        }
    }

    fn launch_failed(&mut self, change: &Change, group: crate::world::GroupId) {
        let arn = self.world.group_arn(group);
        self.envelope(change, "aws.autoscaling", "EC2 Instance Launch Unsuccessful", |json| json.string(&arn));
        let (name, message) = self.world.group(group).map_or_else(Default::default, |group| {
            (group.name.clone(), group.launches_fail.clone().unwrap_or_default())
        });
        self.raw(r#"{"AutoScalingGroupName":"#);
        self.string(&name);
        self.raw(r#","StatusCode":"Failed","StatusMessage":"#);
        self.string(&message);
        self.raw(r#","EC2InstanceId":"","ActivityId":"#);
        self.named(|namer, out| namer.write_event(change.serial ^ (1 << 61), out));
        self.raw(r#","StartTime":"#);
        self.secs(change.at);
        self.raw("}}");
    }

    fn novelty(&mut self, change: &Change, host: HostId) {
        self.envelope(change, "aws.ecs", "ECS Container Instance Mood Change", |json| json.host_arn(host));
        self.raw(r#"{"containerInstanceArn":"#);
        self.host_arn(host);
        self.raw(r#","mood":{"from":"SERENE","to":["PENSIVE",{"depth":2}]}}}"#);
    }
}
