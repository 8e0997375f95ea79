//! A scenario file as it is written. Every field has a default; unknown ones are mistakes.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::faults::Faults;

/// A whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct File {
    /// Seed unless told otherwise.
    pub seed: u64,
    /// When the story begins, `2026-10-02T08:00:00Z`.
    pub start: Option<Spanned<String>>,
    /// How long the story lasts, `40m`.
    pub lasts: Spanned<String>,
    /// Default account.
    pub account: String,
    /// Default region.
    pub region: String,
    /// Zones of each region, 1 to 6.
    pub zones: u8,
    /// Faults from the beginning.
    pub faults: Faults,
    /// Numbers behind the behaviour.
    pub habits: Habits,
    /// Subnets with few free addresses.
    pub subnet: Vec<Subnet>,
    /// Clusters.
    pub cluster: Vec<Cluster>,
    /// The timeline.
    pub at: Vec<Spanned<At>>,
}

impl Default for File {
    fn default() -> Self {
        Self {
            seed: 1,
            start: None,
            lasts: Spanned::new(0..0, "1h".into()),
            account: "210987654321".into(),
            region: "eu-central-1".into(),
            zones: 3,
            faults: Faults::default(),
            habits: Habits::default(),
            subnet: Vec::new(),
            cluster: Vec::new(),
            at: Vec::new(),
        }
    }
}

/// Numbers behind the behaviour, where a story needs others than the usual ones. Durations as text: `30m`, `1h30m`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Habits {
    /// How long an agent keeps its connection, from and to.
    pub recycle: Option<Spanned<[String; 2]>>,
    /// How long it is away then.
    pub gap: Option<Spanned<[String; 2]>>,
    /// From `running` to registered.
    pub boot: Option<Spanned<[String; 2]>>,
    /// When ECS calls AGENT_CONNECTIVITY impaired.
    pub connectivity_threshold: Option<Spanned<String>>,
    /// Services without a placement strategy spread over zones as ECS does it, instead of taking hosts in turns.
    pub zone_spread: bool,
}

/// A zone's subnet that is almost full.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Subnet {
    /// Its zone.
    pub zone: Option<Spanned<String>>,
    /// Addresses that are left when the story begins.
    pub free: u32,
}

/// A cluster.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Cluster {
    /// Name.
    pub name: Option<Spanned<String>>,
    /// Account, if not the default.
    pub account: Option<String>,
    /// Region, if not the default.
    pub region: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Tags of its container instances.
    pub host_tags: BTreeMap<String, String>,
    /// SSM knows none of its machines: no agent, or no permission.
    pub without_ssm: bool,
    /// Hosts with a trunk interface.
    pub trunking: bool,
    /// Attributes of its container instances; without a value (`""`) a flag.
    pub attributes: BTreeMap<String, String>,
    /// Hosts in a group of the cluster's name; more groups below.
    pub hosts: u32,
    /// Their instance types, in turns.
    pub types: Vec<Spanned<String>>,
    /// Their agent version.
    pub agent: Option<String>,
    /// Hosts in no group.
    pub lone_hosts: u32,
    /// ECS Anywhere hosts.
    pub external: u32,
    /// More groups.
    pub group: Vec<Group>,
    /// Services.
    pub service: Vec<Service>,
    /// Tasks that no service has, 128 CPU units and 256 MiB each: no drain moves them.
    pub standalone: u32,
}

/// A group.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Group {
    /// Name.
    pub name: String,
    /// Members.
    pub hosts: u32,
    /// Instance types, in turns.
    pub types: Vec<Spanned<String>>,
    /// Agent version.
    pub agent: Option<String>,
    /// Spot capacity.
    pub spot: bool,
    /// Least machines; 0 unless told.
    pub min: u32,
    /// Most machines; twice its members, and at least 10, unless told.
    pub max: Option<Spanned<u32>>,
    /// Processes that are suspended: `Launch`, `Terminate`, `ReplaceUnhealthy`.
    pub suspended: Vec<Spanned<String>>,
    /// A terminate hook holds members for so long.
    pub terminate_hook: Option<Spanned<String>>,
    /// Managed draining: ECS drains a member before the group ends it, and holds it until it is empty, two days at most.
    pub managed_draining: bool,
    /// Attributes of its hosts, beside those of the cluster; without a value (`""`) a flag.
    pub attributes: BTreeMap<String, String>,
    /// `linux`, `windows-2019` or `windows-2022`.
    pub platform: Option<Spanned<String>>,
    /// Its hosts have a trunk interface or none, whatever the cluster says.
    pub trunking: Option<bool>,
    /// Network interfaces that somebody attached to each host by hand.
    pub extra_interfaces: u8,
    /// Its members are protected from scale-in.
    pub protected: bool,
    /// `false`: ECS does not manage its size. A table: managed scaling that makes room for the tasks of services that name
    /// the group as their `provider`. Unless told, managed scaling is on by name and never moves.
    pub managed_scaling: Option<Managed>,
    /// Scaling policies.
    pub policy: Vec<Policy>,
}

/// Managed scaling of a group's capacity provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Managed {
    /// On by name, or off.
    Named(bool),
    /// On.
    Scales(ManagedScaling),
}

/// The numbers of managed scaling.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct ManagedScaling {
    /// Target capacity in percent.
    pub target: u32,
    /// Fewest machines at once.
    pub least: u32,
    /// Most machines at once.
    pub most: u32,
    /// Seconds before it looks again.
    pub warmup_secs: i64,
}

impl Default for ManagedScaling {
    fn default() -> Self {
        Self { target: 100, least: 1, most: 10_000, warmup_secs: 300 }
    }
}

/// A scaling policy that changes the desired capacity by a number of machines.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Policy {
    /// Name.
    pub name: String,
    /// By how many machines.
    pub change: i64,
    /// Cool-down in seconds.
    pub cooldown_secs: i64,
}

/// A service.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Service {
    /// Name; also the family of its task definition.
    pub name: String,
    /// Desired count.
    pub tasks: u32,
    /// One task a host instead.
    pub daemon: bool,
    /// CPU units a task.
    pub cpu: i32,
    /// MiB a task.
    pub memory: i32,
    /// `awsvpc`, `bridge`, `host` or `none`.
    pub network: Network,
    /// `minimumHealthyPercent`. With 100 here and in `maximum-percent` no task can be moved: a drain never ends.
    pub minimum_percent: Option<u32>,
    /// `maximumPercent`.
    pub maximum_percent: Option<Spanned<u32>>,
    /// Its tasks are protected from scale-in: no drain stops them.
    pub protected: bool,
    /// How long its tasks stay DEACTIVATING when they stop, holding their host.
    pub deactivating: Option<Spanned<String>>,
    /// Share of its tasks that end by themselves within an hour.
    pub churn_per_hour: f64,
    /// GPUs a task.
    pub gpus: u8,
    /// Ports that a task takes on its host: `8080`, `53/udp`.
    pub ports: Vec<Spanned<String>>,
    /// Attributes that a host must have: `name`, or `name=value`.
    pub requires: Vec<String>,
    /// `memberOf` constraints of the service.
    pub member_of: Vec<Spanned<String>>,
    /// `memberOf` constraints of its task definition.
    pub definition_member_of: Vec<Spanned<String>>,
    /// Each task on another host.
    pub distinct_instance: bool,
    /// Placement strategies: `spread(instanceId)`, `spread(attribute:NAME)`, `binpack(cpu)`, `binpack(memory)`, `random`.
    pub strategies: Vec<Spanned<String>>,
    /// Zones whose subnets its awsvpc tasks may use; all of them unless told.
    pub zones: Option<Vec<Spanned<String>>>,
    /// `EC2` or `EXTERNAL`; unless told, hosts of either kind.
    pub launch_type: Option<Spanned<String>>,
    /// Only hosts of the group of this name: its capacity provider.
    pub provider: Option<Spanned<String>>,
    /// `operatingSystemFamily` of its task definition.
    pub os_family: Option<String>,
    /// `cpuArchitecture` of its task definition.
    pub architecture: Option<String>,
}

impl Default for Service {
    fn default() -> Self {
        Self {
            name: "app".into(),
            tasks: 0,
            daemon: false,
            cpu: 128,
            memory: 256,
            network: Network::Bridge,
            minimum_percent: None,
            maximum_percent: None,
            protected: false,
            deactivating: None,
            churn_per_hour: 0.0,
            gpus: 0,
            ports: Vec::new(),
            requires: Vec::new(),
            member_of: Vec::new(),
            definition_member_of: Vec::new(),
            distinct_instance: false,
            strategies: Vec::new(),
            zones: None,
            launch_type: None,
            provider: None,
            os_family: None,
            architecture: None,
        }
    }
}

/// Network mode.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// A network interface a task.
    Awsvpc,
    /// Docker's bridge.
    Bridge,
    /// The host's own.
    Host,
    /// None.
    None,
}

/// One thing on the timeline.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct At {
    /// When, from the beginning: `10m`.
    pub time: Option<Spanned<String>>,
    /// What.
    #[serde(rename = "do")]
    pub what: Option<Spanned<String>>,
    /// For how long, where it can be undone: the undoing is planned too.
    #[serde(rename = "for")]
    pub lasting: Option<Spanned<String>>,
    /// `CLUSTER/NUMBER`, the number from 1 in the order of launch.
    pub host: Option<Spanned<String>>,
    /// Cluster.
    pub cluster: Option<Spanned<String>>,
    /// Zone.
    pub zone: Option<Spanned<String>>,
    /// Group.
    pub group: Option<Spanned<String>>,
    /// `CLUSTER/NAME`.
    pub service: Option<Spanned<String>>,
    /// Region; with several, which.
    pub region: Option<Spanned<String>>,
    /// Agent version, of hosts to choose or of a new image.
    pub agent: Option<String>,
    /// ECS Anywhere hosts, or only those that are not.
    pub external: Option<bool>,
    /// Share, 0 to 1.
    pub share: Option<f64>,
    /// At most so many.
    pub count: Option<u32>,
    /// A number to go to (`scale`, `desired-count`, `attach-interfaces`, `free-addresses`).
    pub to: Option<u32>,
    /// Least machines (`limits`).
    pub min: Option<u32>,
    /// Most machines (`limits`); with neither, the group is full: what it wants now is its maximum.
    pub max: Option<u32>,
    /// What is suspended (`suspend`): `Launch`, `Terminate`, `ReplaceUnhealthy`.
    pub process: Option<Spanned<String>>,
    /// Names and values (`tag`).
    pub tags: BTreeMap<String, String>,
    /// How often (`agent-flap`), or within what time (`mass-reconnect`).
    pub every: Option<Spanned<String>>,
    /// What machines of a new image do: `well`, `never-registers`, `agent-dies`, `registration-fails`.
    pub boots: Option<Spanned<String>>,
    /// Why launches fail.
    pub message: Option<String>,
    /// With `faults`: the faults from then on.
    pub faults: Option<Faults>,
}
