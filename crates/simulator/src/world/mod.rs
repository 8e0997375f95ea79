//! The pretend account's own truth.
//!
//! [`World`] owns everything. Its lists are public to read; what changes them goes through [`World::advance_to`] (time
//! passes) and the calls in [`control`] (somebody does something).

pub(crate) mod agenda;
mod autoscaling;
pub mod build;
pub mod change;
pub mod cluster;
pub mod control;
pub mod group;
pub mod happened;
pub mod host;
pub mod id;
pub mod kind;
mod live;
pub mod machine;
pub mod place;
pub mod placement;
pub mod query;
pub mod read;
pub mod scaling;
mod scheduler;
pub mod service;
mod tasks;

use std::collections::VecDeque;

pub use change::{Change, Truth, What};
pub use cluster::{CapacityProvider, Cluster, Insights, ManagedScaling};
pub use group::{Activity, Adjustment, Group, Outfit, Policy, PolicyKind};
pub use happened::Happened;
pub use host::{Check, CheckKind, CheckStatus, Host, HostState, HostStatus};
pub use id::{
    ClusterId, DefinitionId, GroupId, HostId, KindId, MachineId, Namer, PlaceId, ServiceId, Symbol, TaskId, TemplateId,
};
pub use kind::Kind;
pub use machine::{Agent, Lifecycle, Machine, MachineState, Ping, Platform, Process};
pub use place::{Boots, Place, Template, Zone};
pub use placement::Placement;
pub use scaling::{Scaled, Scaler};
pub use scheduler::{Ask, Lack, Refused, Who};
pub use service::{
    Deployment, Eni, EniStatus, Rollout, Service, ServiceMessage, StopCode, Strategy, Task, TaskDefinition, TaskState,
    TaskStatus,
};

use crate::{clock::Moment, map::HashMap, seed::Streams};

/// No task: the end of a chain.
pub(crate) const NO_TASK: u32 = u32::MAX;

/// Everything there is.
#[derive(Clone, Debug)]
pub struct World {
    /// Now.
    pub now: Moment,
    /// Accounts and regions.
    pub places: Vec<Place>,
    /// Clusters.
    pub clusters: Vec<Cluster>,
    /// Container instances, INACTIVE ones included.
    pub hosts: Vec<Host>,
    /// Machines, terminated ones included.
    pub machines: Vec<Machine>,
    /// Auto Scaling groups.
    pub groups: Vec<Group>,
    /// Services.
    pub services: Vec<Service>,
    /// Task definitions.
    pub definitions: Vec<TaskDefinition>,
    /// Launch template versions.
    pub templates: Vec<Template>,
    /// Task slots; read them through [`World::task`].
    pub(crate) tasks: Vec<Task>,
    pub(crate) free_tasks: Vec<u32>,
    /// Stopped tasks in the order in which they stopped: forgotten after an hour.
    pub(crate) stopped_tasks: VecDeque<(Moment, TaskId)>,
    /// Changes since the last [`World::take_changes`].
    pub(crate) outbox: Vec<Change>,
    /// Changes of the truth, for judges; kept when `keep_truth`.
    pub truth: Vec<Truth>,
    /// What truly happened because somebody called, for judges.
    pub happened: Vec<Happened>,
    /// Whether `truth` is kept.
    pub keep_truth: bool,
    /// Earlier states of hosts, for stale reads; kept for so many milliseconds, 0: not at all.
    pub(crate) memory_ms: i64,
    pub(crate) earlier: HashMap<HostId, VecDeque<(Moment, HostState)>>,
    pub(crate) agenda: agenda::Agenda,
    /// Hosts that left, by the moment their absence becomes an impairment; and the version they left at.
    pub(crate) away: VecDeque<(Moment, HostId, u32)>,
    /// While the world is being furnished, nothing is news.
    pub(crate) silent: bool,
    pub(crate) serial: u64,
    pub(crate) symbols: Symbols,
    pub(crate) port_sets: placement::PortSets,
    /// Every change of a group's desired capacity that somebody called for.
    pub scaled: Vec<Scaled>,
    pub(crate) activities: u64,
    pub(crate) streams: Streams,
    /// Names and ids.
    pub namer: Namer,
    /// The numbers behind the behaviour.
    pub habits: Habits,
}

/// The numbers behind the behaviour; a scenario may change them. Times in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Habits {
    /// How long an agent keeps its connection, from and to (spec G.4: 30 minutes and 0 to 5 minutes of jitter).
    pub recycle_ms: (i64, i64),
    /// How long it is away then, normally.
    pub gap_ms: (i64, i64),
    /// Share of reconnects that take longer…
    pub slow_gap_share: f64,
    /// …namely so long.
    pub slow_gap_ms: (i64, i64),
    /// When the control plane notices an agent that went silent (heartbeat timer of 1 minute and 0 to 1 minute).
    pub notice_ms: (i64, i64),
    /// How long an agent that lost its control plane waits before the next attempt, at most (backoff up to 2 minutes).
    pub backoff_ms: (i64, i64),
    /// How long systemd needs to bring a crashed agent back and the agent to connect.
    pub restart_ms: (i64, i64),
    /// From the call for a reboot to an agent that starts.
    pub reboot_ms: (i64, i64),
    /// From launch to `running`.
    pub launch_ms: (i64, i64),
    /// From `running` to registered.
    pub boot_ms: (i64, i64),
    /// From registered with a trunk to ACTIVE.
    pub trunk_ms: (i64, i64),
    /// How long until a group notices a member that is gone or unhealthy.
    pub group_notice_ms: (i64, i64),
    /// After how long away AGENT_CONNECTIVITY becomes IMPAIRED (not published).
    pub connectivity_threshold_ms: i64,
    /// Until EC2's status checks notice.
    pub status_check_ms: (i64, i64),
    /// Steps of a task's life, each.
    pub task_step_ms: (i64, i64),
    /// How often a service in trouble is looked at again.
    pub scheduler_retry_ms: i64,
    /// How long status checks must fail before a group replaces the machine.
    pub group_patience_ms: i64,
    /// How long a deregistering or dead registration stays describable; 0: for ever.
    pub forget_inactive_ms: i64,
    /// Services without a placement strategy spread over zones by their tasks, as ECS does it. Without it the hosts take
    /// turns: quicker, and what older stories were written with.
    pub zone_spread: bool,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            recycle_ms: (30 * 60_000, 35 * 60_000),
            gap_ms: (300, 4_000),
            slow_gap_share: 0.03,
            slow_gap_ms: (5_000, 45_000),
            notice_ms: (60_000, 120_000),
            backoff_ms: (1_000, 120_000),
            restart_ms: (11_000, 25_000),
            reboot_ms: (40_000, 110_000),
            launch_ms: (8_000, 25_000),
            boot_ms: (60_000, 150_000),
            trunk_ms: (4_000, 15_000),
            group_notice_ms: (20_000, 60_000),
            connectivity_threshold_ms: 10 * 60_000,
            status_check_ms: (120_000, 300_000),
            task_step_ms: (700, 6_000),
            scheduler_retry_ms: 60_000,
            group_patience_ms: 8 * 60_000,
            forget_inactive_ms: 3_600_000,
            zone_spread: false,
        }
    }
}

/// Interned strings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Symbols {
    texts: Vec<Box<str>>,
    numbers: HashMap<Box<str>, u32>,
}

impl Symbols {
    pub(crate) fn intern(&mut self, text: &str) -> Symbol {
        if let Some(&number) = self.numbers.get(text) {
            return Symbol(number);
        }
        let number = self.texts.len() as u32;
        self.texts.push(text.into());
        self.numbers.insert(text.into(), number);
        Symbol(number)
    }

    pub(crate) fn text(&self, symbol: Symbol) -> &str {
        self.texts.get(symbol.index()).map_or("", |text| text)
    }
}

impl World {
    /// An empty world.
    pub fn new(seed: u64, start: Moment) -> Self {
        Self {
            now: start,
            places: Vec::new(),
            clusters: Vec::new(),
            hosts: Vec::new(),
            machines: Vec::new(),
            groups: Vec::new(),
            services: Vec::new(),
            definitions: Vec::new(),
            templates: Vec::new(),
            tasks: Vec::new(),
            free_tasks: Vec::new(),
            stopped_tasks: VecDeque::new(),
            outbox: Vec::new(),
            truth: Vec::new(),
            happened: Vec::new(),
            keep_truth: false,
            memory_ms: 0,
            earlier: HashMap::default(),
            agenda: agenda::Agenda::default(),
            away: VecDeque::new(),
            silent: false,
            serial: 0,
            symbols: Symbols::default(),
            port_sets: placement::PortSets::default(),
            scaled: Vec::new(),
            activities: 0,
            streams: Streams::new(seed),
            namer: Namer::new(seed),
            habits: Habits::default(),
        }
    }

    /// The text of an interned string.
    pub fn text(&self, symbol: Symbol) -> &str {
        self.symbols.text(symbol)
    }

    /// Interns a string.
    pub fn intern(&mut self, text: &str) -> Symbol {
        self.symbols.intern(text)
    }

    /// Takes the changes since the last call, oldest first. `into` is emptied first and lends its room.
    pub fn take_changes(&mut self, into: &mut Vec<Change>) {
        into.clear();
        std::mem::swap(&mut self.outbox, into);
    }

    /// Keeps earlier states of hosts for so long, so that reads can be stale.
    pub fn remember_for(&mut self, millis: i64) {
        self.memory_ms = millis;
    }
}
