//! A cluster made of facts, as an account would tell them.

use fleet::{
    Fleet,
    capacity::{placement::Placement, shape::TaskShape},
    input::Input,
    invariant,
    observation::{
        Amounts, Attributes, Fact, Gpus, HostAttributes, HostPort, InstanceFact, InstanceStatus, Observation, Protocol,
        Resources, Source, TaskFact, TaskStatus, in_order,
    },
    policy::Policy,
    step,
};
use jiff::{SignedDuration, Timestamp};

pub(crate) const CLUSTER: &str = "arn:aws:ecs:eu-west-1:1:cluster/prod";

/// One host, as it will be told.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub(crate) number: u32,
    pub(crate) kind: Option<&'static str>,
    pub(crate) zone: Option<&'static str>,
    pub(crate) trunk: bool,
    pub(crate) external: bool,
    pub(crate) windows: bool,
    pub(crate) status: InstanceStatus,
    pub(crate) connected: Option<bool>,
    /// CPU units and MiB, registered and remaining; `None`: not told.
    pub(crate) resources: Option<((u32, u32), (u32, u32))>,
    pub(crate) gpus: Option<Gpus>,
    pub(crate) ports: Option<Vec<u16>>,
    pub(crate) attributes: Vec<(&'static str, &'static str)>,
    pub(crate) provider: Option<&'static str>,
    pub(crate) running: u32,
}

/// A host of an everyday kind with nothing on it.
pub(crate) fn host(number: u32) -> Host {
    Host {
        number,
        kind: Some("m6i.large"),
        zone: Some("eu-west-1a"),
        trunk: false,
        external: false,
        windows: false,
        status: InstanceStatus::Active,
        connected: Some(true),
        resources: Some(((2_048, 7_680), (2_048, 7_680))),
        gpus: None,
        ports: Some(vec![22, 2375, 2376, 51678, 51679]),
        attributes: vec![("ecs.capability.task-eni", "")],
        provider: None,
        running: 0,
    }
}

/// The ARN of a host.
pub(crate) fn host_arn(number: u32) -> String {
    format!("arn:aws:ecs:eu-west-1:1:container-instance/prod/{number:032x}")
}

pub(crate) struct Account {
    pub(crate) fleet: Fleet,
    pub(crate) now: Timestamp,
    version: i64,
    checked: bool,
}

impl Account {
    pub(crate) fn new() -> Self {
        let now = Timestamp::constant(1_790_928_000, 0);
        Self { fleet: Fleet::new(Policy::default()), now, version: 0, checked: true }
    }

    /// One whose books are not checked after every fact: there are many.
    pub(crate) fn unchecked() -> Self {
        Self { checked: false, ..Self::new() }
    }

    pub(crate) fn of(hosts: &[Host]) -> Self {
        let mut account = Self::new();
        for host in hosts {
            account.tell(host);
        }
        account
    }

    pub(crate) fn observe(&mut self, fact: Fact<'_>) {
        self.now += SignedDuration::from_millis(50);
        let input = Input::Observed(Observation { at: self.now, source: Source::Event, fact });
        step(&mut self.fleet, self.now, &input);
        if self.checked {
            assert_eq!(invariant::check(&self.fleet), Vec::new());
        }
    }

    pub(crate) fn tell(&mut self, host: &Host) {
        let fact = self.instance(host);
        self.observe(Fact::Instance(fact));
    }

    /// A host as an event tells it, newer than all before.
    pub(crate) fn instance(&mut self, host: &Host) -> InstanceFact<'static> {
        self.version += 1;
        let amounts = |(cpu_units, memory_mib)| Amounts { cpu_units, memory_mib };
        let ports = |list: &Vec<u16>| {
            in_order(list.iter().map(|port| HostPort { port: *port, protocol: Protocol::Tcp }).collect())
        };
        InstanceFact {
            arn: host_arn(host.number).into(),
            cluster: CLUSTER.into(),
            ec2_instance_id: Some(format!("i-{:017x}", host.number).into()),
            version: Some(self.version),
            status: host.status,
            status_reason: None,
            agent_connected: host.connected,
            agent_version: Some("1.105.1".into()),
            running_tasks: Some(host.running),
            pending_tasks: Some(0),
            registered_at: Some(Timestamp::constant(1_790_000_000, 0)),
            resources: host.resources.map(|(registered, remaining)| Resources {
                registered: amounts(registered),
                remaining: amounts(remaining),
            }),
            gpus: host.gpus,
            ports: host.ports.as_ref().map(ports),
            capacity_provider: host.provider.map(Into::into),
            attributes: Attributes::Known(Box::new(HostAttributes {
                zone: host.zone.map(Into::into),
                instance_type: host.kind.map(Into::into),
                os_type: Some(if host.windows { "windows" } else { "linux" }.into()),
                external: host.external,
                trunk: host.trunk,
                others: host.attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
                ..HostAttributes::default()
            })),
        }
    }

    /// A task on a host.
    pub(crate) fn task(&mut self, host: u32, number: u32, group: &str, awsvpc: bool, status: TaskStatus) {
        self.version += 1;
        self.observe(Fact::Task(TaskFact {
            arn: format!("arn:aws:ecs:eu-west-1:1:task/prod/{:032x}", u64::from(host) << 32 | u64::from(number)).into(),
            cluster: CLUSTER.into(),
            instance: Some(host_arn(host).into()),
            version: Some(self.version),
            last_status: status,
            desired_running: matches!(status, TaskStatus::Running | TaskStatus::Pending | TaskStatus::Provisioning),
            group: Some(group.to_owned().into()),
            definition: None,
            awsvpc,
            connected: None,
            started_at: None,
            stop_code: None,
            stopped_reason: None,
        }));
    }

    pub(crate) fn fit(&self, shape: &TaskShape, placement: &Placement) -> fleet::capacity::fit::Answer {
        self.fleet.fit(CLUSTER, shape, placement, self.now)
    }
}

/// A task that reserves so much.
pub(crate) fn shape(cpu_units: u32, memory_mib: u32) -> TaskShape {
    TaskShape { family: "api".into(), cpu_units, memory_mib, ..TaskShape::default() }
}

/// The same with an interface of its own.
pub(crate) fn awsvpc(cpu_units: u32, memory_mib: u32) -> TaskShape {
    TaskShape { awsvpc: true, ..shape(cpu_units, memory_mib) }
}

pub(crate) fn tcp(port: u16) -> HostPort {
    HostPort { port, protocol: Protocol::Tcp }
}
