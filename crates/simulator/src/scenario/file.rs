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
    /// Hosts with a trunk interface.
    pub trunking: bool,
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
    /// A terminate hook holds members for so long.
    pub terminate_hook: Option<Spanned<String>>,
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
    /// `awsvpc` or `bridge`.
    pub network: Network,
    /// Share of its tasks that end by themselves within an hour.
    pub churn_per_hour: f64,
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
            churn_per_hour: 0.0,
        }
    }
}

/// Network mode.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// A network interface a task.
    Awsvpc,
    /// None.
    Bridge,
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
    /// A number to go to (`scale`, `desired-count`).
    pub to: Option<u32>,
    /// How often (`agent-flap`), or within what time (`mass-reconnect`).
    pub every: Option<Spanned<String>>,
    /// What machines of a new image do: `well`, `never-registers`, `agent-dies`, `registration-fails`.
    pub boots: Option<Spanned<String>>,
    /// Why launches fail.
    pub message: Option<String>,
    /// With `faults`: the faults from then on.
    pub faults: Option<Faults>,
}
