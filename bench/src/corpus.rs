//! A made-up world of 5,000 hosts with 50 tasks each, and what EventBridge would tell of it: 55 % task events, 35 %
//! container instance events with 24 attributes, 5 % service actions, 5 % EC2 state changes, about 2,490 bytes each.
//! The same seed gives the same bytes. Versions of a host and of a task only grow.

use std::fmt::Write;

use fleet::observation::{
    Attributes, Fact, HostAttributes, InstanceFact, InstanceStatus, Observation, Source, TaskFact, TaskStatus, Text,
};
use jiff::{SignedDuration, Timestamp};

/// Hosts of the world.
pub const HOSTS: u32 = 5_000;
/// Task slots of a host.
pub const TASKS_PER_HOST: u32 = 50;
/// When the world begins.
const BEGINNING: Timestamp = Timestamp::constant(1_790_928_000, 0);
/// Versions before the first event of a host and of a task.
const FIRST_HOST_VERSION: u32 = 1_000;
const FIRST_TASK_VERSION: u32 = 3;
/// Clusters of the world.
pub const CLUSTERS: u32 = 20;
const SERVICES: u32 = 200;
const ACCOUNT: &str = "210987654321";
const REGION: &str = "eu-central-1";

/// Steele, Lea and Flood's SplitMix64: enough randomness for a corpus, and the same on every machine.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A sequence by its seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u32) -> u32 {
        (((self.bits() >> 32) * u64::from(limit)) >> 32) as u32
    }
}

fn mix(seed: u64) -> u64 {
    let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// 32 hexadecimal digits that belong to one thing for ever.
pub fn hex_id(kind: u64, number: u64) -> String {
    let seed = mix(kind.wrapping_mul(0xD1B5_4A32_D192_ED03) ^ number);
    format!("{:016x}{:016x}", seed, mix(seed))
}

fn uuid(random: &mut Random) -> String {
    let (high, low) = (random.bits(), random.bits());
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xFFFF,
        high & 0xFFF,
        (low >> 48) & 0xFFF,
        low & 0xFFFF_FFFF_FFFF
    )
}

/// Name of the cluster a host is in; every second one is a production cluster.
pub fn cluster_name(host: u32) -> String {
    let number = host % CLUSTERS;
    format!("{}-{number:02}", if number.is_multiple_of(2) { "prod" } else { "test" })
}

/// ARN of the cluster a host is in.
pub fn cluster_arn(host: u32) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{}", cluster_name(host))
}

/// ARN of a host.
pub fn host_arn(host: u32) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:container-instance/{}/{}", cluster_name(host), hex_id(1, u64::from(host)))
}

/// EC2 id of a host's machine.
pub fn machine_id(host: u32) -> String {
    format!("i-0{}", &hex_id(2, u64::from(host))[..16])
}

/// ARN of the task that is the `generation`th in a slot of a host.
pub fn task_arn(host: u32, slot: u32, generation: u32) -> String {
    let number = ((u64::from(host) << 32) | u64::from(slot)) ^ (u64::from(generation) << 52);
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:task/{}/{}", cluster_name(host), hex_id(3, number))
}

fn service_name(number: u32) -> String {
    const WORDS: [&str; 10] =
        ["checkout", "search", "basket", "login", "invoice", "catalogue", "shipping", "review", "stock", "price"];
    format!("{}-{}", WORDS[(number % 10) as usize], number / 10)
}

#[derive(Clone, Copy)]
struct Task {
    generation: u32,
    version: u32,
    stage: u8,
}

#[derive(Clone, Copy)]
struct Host {
    version: u32,
    away: bool,
}

/// The world, from which events are drawn one after the other.
pub struct World {
    random: Random,
    now: Timestamp,
    hosts: Vec<Host>,
    tasks: Vec<Task>,
}

impl World {
    /// A world by its seed.
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            now: BEGINNING,
            hosts: vec![Host { version: FIRST_HOST_VERSION, away: false }; HOSTS as usize],
            tasks: vec![Task { generation: 0, version: 0, stage: 0 }; (HOSTS * TASKS_PER_HOST) as usize],
        }
    }

    /// What a sweep would have found before the first event: every host and every task.
    pub fn believe_beginning(mut believe: impl FnMut(Observation<'static>)) {
        let text = |text: String| Some(Text::Owned(text));
        for number in 0..HOSTS {
            let (arn, cluster) = (host_arn(number), cluster_arn(number));
            believe(swept(Fact::Instance(InstanceFact {
                ec2_instance_id: text(machine_id(number)),
                version: Some(i64::from(FIRST_HOST_VERSION)),
                agent_connected: Some(true),
                agent_version: text("1.105.1".to_owned()),
                running_tasks: Some(TASKS_PER_HOST),
                pending_tasks: Some(0),
                attributes: Attributes::Known(Box::new(HostAttributes {
                    zone: text(format!("{REGION}{}", ["a", "b", "c"][(number % 3) as usize])),
                    instance_type: text("m6i.2xlarge".to_owned()),
                    os_type: text("linux".to_owned()),
                    ..HostAttributes::default()
                })),
                ..InstanceFact::bare(Text::Owned(arn.clone()), Text::Owned(cluster.clone()), InstanceStatus::Active)
            })));
            for slot in 0..TASKS_PER_HOST {
                believe(swept(Fact::Task(TaskFact {
                    arn: Text::Owned(task_arn(number, slot, 0)),
                    cluster: Text::Owned(cluster.clone()),
                    instance: Some(Text::Owned(arn.clone())),
                    version: Some(i64::from(FIRST_TASK_VERSION)),
                    last_status: TaskStatus::Activating,
                    desired_running: true,
                    group: text(format!("service:{}", service_name((number * TASKS_PER_HOST + slot) % SERVICES))),
                    definition: None,
                    awsvpc: true,
                    connected: Some(true),
                    started_at: None,
                    stop_code: None,
                    stopped_reason: None,
                })));
            }
        }
    }

    /// The next event, as one JSON document, and the time it arrives.
    pub fn next_event(&mut self, event: &mut String) -> Timestamp {
        self.now += SignedDuration::from_millis(10 + i64::from(self.random.below(10)));
        event.clear();
        match self.random.below(100) {
            0..55 => self.task(event),
            55..90 => self.host(event),
            90..95 => self.service(event),
            _ => self.machine(event),
        }
        self.now
    }

    fn envelope(&mut self, event: &mut String, kind: &str, source: &str, resource: &str) {
        let time = self.now;
        let id = uuid(&mut self.random);
        say(
            event,
            format_args!(
                r#"{{"version":"0","id":"{id}","detail-type":"{kind}","source":"{source}","account":"{ACCOUNT}","time":"{time:.0}","region":"{REGION}","resources":["{resource}"],"detail":"#
            ),
        );
    }

    fn ago(&mut self, secs: u32) -> String {
        let millis = i64::from(self.random.below(1000)) + i64::from(secs) * 1000;
        format!("{:.3}", self.now - SignedDuration::from_millis(millis))
    }

    fn task(&mut self, event: &mut String) {
        const STAGES: [(&str, &str); 7] = [
            ("PROVISIONING", "RUNNING"),
            ("PENDING", "RUNNING"),
            ("ACTIVATING", "RUNNING"),
            ("RUNNING", "RUNNING"),
            ("DEACTIVATING", "STOPPED"),
            ("DEPROVISIONING", "STOPPED"),
            ("STOPPED", "STOPPED"),
        ];
        const STOPS: [(&str, &str); 4] = [
            ("EssentialContainerExited", "Essential container in task exited"),
            ("ServiceSchedulerInitiated", "Scaling activity initiated by (deployment ecs-svc/7341958820114563207)"),
            ("UserInitiated", "Stopped for the nightly rebuild"),
            ("TaskFailedToStart", "CannotPullContainerError: the image was not found in its registry"),
        ];
        let host = self.random.below(HOSTS);
        let slot = self.random.below(TASKS_PER_HOST);
        let task = &mut self.tasks[(host * TASKS_PER_HOST + slot) as usize];
        if task.version == 0 && task.generation == 0 {
            // The world is older than the corpus: most tasks have been running for long.
            task.stage = 3;
            task.version = FIRST_TASK_VERSION + 1;
        } else if usize::from(task.stage) + 1 == STAGES.len() {
            *task = Task { generation: task.generation + 1, version: 1, stage: 0 };
        } else {
            task.stage += 1;
            task.version += 1;
        }
        let task = *task;
        let (last, desired) = STAGES[usize::from(task.stage)];
        let arn = task_arn(host, slot, task.generation);
        let (cluster, host_arn) = (cluster_arn(host), host_arn(host));
        let service = (host * TASKS_PER_HOST + slot) % SERVICES;
        let name = service_name(service);
        let zone = ["a", "b", "c"][(host % 3) as usize];
        let attachment = uuid(&mut self.random);
        let eni = &hex_id(4, (u64::from(service) << 20) | u64::from(host))[..17];
        let (a, b) = (host / 250, host % 250);
        self.envelope(event, "ECS Task State Change", "aws.ecs", &arn);
        let (created, updated) = (self.ago(300), self.ago(0));
        say(
            event,
            format_args!(
                r#"{{"attachments":[{{"id":"{attachment}","type":"eni","status":"ATTACHED","details":[{{"name":"subnetId","value":"subnet-0{a:04x}bb22cc33dd44"}},{{"name":"networkInterfaceId","value":"eni-{eni}"}},{{"name":"macAddress","value":"02:ab:cd:{a:02x}:{b:02x}:{slot:02x}"}},{{"name":"privateIPv4Address","value":"10.{a}.{b}.{slot}"}}]}}],"attributes":[{{"name":"ecs.cpu-architecture","value":"x86_64"}}],"availabilityZone":"{REGION}{zone}","clusterArn":"{cluster}","connectivity":"CONNECTED","connectivityAt":"{created}","containerInstanceArn":"{host_arn}","containers":["#
            ),
        );
        for (index, container) in [name.as_str(), "log-router"].into_iter().enumerate() {
            let (container_id, runtime) = (uuid(&mut self.random), hex_id(5, self.random.bits()));
            let comma = if index == 0 { "" } else { "," };
            let exit = if last == "STOPPED" {
                r#","exitCode":137,"reason":"OutOfMemoryError: Container killed due to memory usage""#
            } else {
                ""
            };
            say(
                event,
                format_args!(
                    r#"{comma}{{"containerArn":"arn:aws:ecs:{REGION}:{ACCOUNT}:container/{}/{}/{container_id}","taskArn":"{arn}","name":"{container}","image":"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{container}:{}","runtimeId":"{runtime}-{service}","lastStatus":"{last}"{exit},"networkBindings":[],"networkInterfaces":[{{"attachmentId":"{attachment}","privateIpv4Address":"10.{a}.{b}.{slot}"}}],"cpu":"128","memory":"256"}}"#,
                    cluster_name(host),
                    hex_id(3, u64::from(host)),
                    service % 90
                ),
            );
        }
        let started = if task.stage >= 3 { format!(r#","startedAt":"{created}""#) } else { String::new() };
        let stopped = if desired == "STOPPED" {
            let (code, reason) = STOPS[(task.generation + host + slot) as usize % STOPS.len()];
            format!(r#","stopCode":"{code}","stoppedReason":"{reason}","stoppingAt":"{updated}""#)
        } else {
            String::new()
        };
        let group = if service % 10 == 9 { format!("family:{name}") } else { format!("service:{name}") };
        say(
            event,
            format_args!(
                r#"],"cpu":"256","createdAt":"{created}","desiredStatus":"{desired}","enableExecuteCommand":false,"group":"{group}","launchType":"EC2","lastStatus":"{last}","memory":"512","overrides":{{"containerOverrides":[{{"name":"{name}"}},{{"name":"log-router"}}]}},"pullStartedAt":"{created}","pullStoppedAt":"{created}"{started}{stopped},"startedBy":"ecs-svc/73419588201145632{service:02}","taskArn":"{arn}","taskDefinitionArn":"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{name}:{}","updatedAt":"{updated}","version":{}}}}}"#,
                service % 90,
                task.version
            ),
        );
    }

    fn host(&mut self, event: &mut String) {
        let number = self.random.below(HOSTS);
        let toggles = self.random.below(4) == 0;
        let host = &mut self.hosts[number as usize];
        host.version += 1;
        host.away ^= toggles;
        let host = *host;
        let (arn, cluster) = (host_arn(number), cluster_arn(number));
        let (running, pending) = (40 + self.random.below(11), self.random.below(3));
        let (cpu, memory) = (self.random.below(8192), self.random.below(31_000));
        let agent = if number.is_multiple_of(5) { "1.98.0" } else { "1.105.1" };
        let draining = if number % 50 == 7 { "DRAINING" } else { "ACTIVE" };
        self.envelope(event, "ECS Container Instance State Change", "aws.ecs", &arn);
        let updated = self.ago(0);
        say(
            event,
            format_args!(
                r#"{{"agentConnected":{},"attributes":[{{"name":"ecs.ami-id","value":"ami-0c1d2e3f4a5b6c7d{}"}},{{"name":"ecs.availability-zone","value":"{REGION}{}"}},{{"name":"ecs.instance-type","value":"m6i.2xlarge"}},{{"name":"ecs.os-type","value":"linux"}},{{"name":"ecs.cpu-architecture","value":"x86_64"}},{{"name":"ecs.subnet-id","value":"subnet-0aa11bb22cc33dd4{}"}},{{"name":"ecs.vpc-id","value":"vpc-0f1e2d3c4b5a69788"}}"#,
                !host.away,
                number % 3,
                ["a", "b", "c"][(number % 3) as usize],
                number % 3
            ),
        );
        for capability in [
            "ecs.capability.task-eni",
            "ecs.capability.execution-role-ecr-pull",
            "ecs.capability.execution-role-awslogs",
            "ecs.capability.container-health-check",
            "ecs.capability.container-ordering",
            "ecs.capability.secrets.ssm.environment-variables",
            "ecs.capability.firelens.fluentbit",
            "ecs.capability.full-sync",
            "ecs.capability.efsAuth",
            "ecs.capability.pid-ipc-namespace-sharing",
            "com.amazonaws.ecs.capability.ecr-auth",
            "com.amazonaws.ecs.capability.task-iam-role",
            "com.amazonaws.ecs.capability.privileged-container",
            "com.amazonaws.ecs.capability.docker-remote-api.1.44",
            "com.amazonaws.ecs.capability.logging-driver.awslogs",
            "com.amazonaws.ecs.capability.logging-driver.json-file",
            "ecs.capability.docker-plugin.local",
        ] {
            say(event, format_args!(r#",{{"name":"{capability}"}}"#));
        }
        say(
            event,
            format_args!(
                r#"],"attachments":[],"clusterArn":"{cluster}","containerInstanceArn":"{arn}","ec2InstanceId":"{}","pendingTasksCount":{pending},"registeredAt":"2026-09-20T05:00:12.311Z","#,
                machine_id(number)
            ),
        );
        for (name, cpu, memory) in [("registeredResources", 8192, 31_384), ("remainingResources", cpu, memory)] {
            say(
                event,
                format_args!(
                    r#""{name}":[{{"name":"CPU","type":"INTEGER","integerValue":{cpu}}},{{"name":"MEMORY","type":"INTEGER","integerValue":{memory}}},{{"name":"PORTS","type":"STRINGSET","stringSetValue":["22","2375","2376","51678","51679"]}},{{"name":"PORTS_UDP","type":"STRINGSET","stringSetValue":[]}}],"#
                ),
            );
        }
        say(
            event,
            format_args!(
                r#""runningTasksCount":{running},"status":"{draining}","updatedAt":"{updated}","version":{},"versionInfo":{{"agentHash":"0d1e2f3a","agentVersion":"{agent}","dockerVersion":"DockerVersion: 25.0.6"}}}}}}"#,
                host.version
            ),
        );
    }

    fn service(&mut self, event: &mut String) {
        const ACTIONS: [(&str, &str, &str); 4] = [
            ("INFO", "SERVICE_STEADY_STATE", ""),
            ("ERROR", "SERVICE_TASK_PLACEMENT_FAILURE", "RESOURCE:ENI"),
            ("ERROR", "SERVICE_TASK_PLACEMENT_FAILURE", "ATTRIBUTE"),
            ("WARN", "SERVICE_TASK_START_IMPAIRED", ""),
        ];
        let host = self.random.below(HOSTS);
        let service = service_name(self.random.below(SERVICES));
        let (level, name, reason) = ACTIONS[self.random.below(4) as usize];
        let arn = format!("arn:aws:ecs:{REGION}:{ACCOUNT}:service/{}/{service}", cluster_name(host));
        self.envelope(event, "ECS Service Action", "aws.ecs", &arn);
        let created = self.ago(0);
        say(
            event,
            format_args!(
                r#"{{"eventType":"{level}","eventName":"{name}","clusterArn":"{}","createdAt":"{created}""#,
                cluster_arn(host)
            ),
        );
        if !reason.is_empty() {
            say(event, format_args!(r#","reason":"{reason}","containerInstanceArns":["{}"]"#, host_arn(host)));
        }
        event.push_str("}}");
    }

    fn machine(&mut self, event: &mut String) {
        const STATES: [&str; 6] = ["pending", "running", "running", "stopping", "shutting-down", "terminated"];
        // Machines beyond the hosts', which come and go without ever having been hosts.
        let id = machine_id(HOSTS + self.random.below(2_000));
        let state = STATES[self.random.below(6) as usize];
        let arn = format!("arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{id}");
        self.envelope(event, "EC2 Instance State-change Notification", "aws.ec2", &arn);
        say(event, format_args!(r#"{{"instance-id":"{id}","state":"{state}"}}}}"#));
    }
}

fn swept(fact: Fact<'_>) -> Observation<'_> {
    Observation { at: BEGINNING, source: Source::Sweep, fact }
}

/// Writing to a `String` cannot fail.
fn say(event: &mut String, text: std::fmt::Arguments<'_>) {
    if event.write_fmt(text).is_err() {
        event.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_has_the_size_and_mix_it_promises_and_is_the_same_twice() {
        let (mut first, mut again) = (World::new(7), World::new(7));
        let (mut event, mut same) = (String::new(), String::new());
        let (mut bytes, mut tasks, mut hosts) = (0, 0, 0);
        for _ in 0..20_000 {
            let at = first.next_event(&mut event);
            assert_eq!((at, &event), (again.next_event(&mut same), &same));
            bytes += event.len();
            tasks += usize::from(event.contains("ECS Task State Change"));
            hosts += usize::from(event.contains("ECS Container Instance State Change"));
            if event.contains("ECS Container Instance State Change") {
                let value: serde_json::Value = serde_json::from_str(&event).unwrap();
                assert_eq!(value["detail"]["attributes"].as_array().unwrap().len(), 24);
            }
        }
        assert!((2_400..2_600).contains(&(bytes / 20_000)), "mean size {}", bytes / 20_000);
        assert!((10_500..11_500).contains(&tasks) && (6_600..7_400).contains(&hosts), "{tasks} {hosts}");
    }
}
