//! A machine: an EC2 instance or an external box, with the truth about it and about the agent on it.

use super::id::{ClusterId, GroupId, HostId, KindId, PlaceId, Symbol, TemplateId};
use crate::clock::Moment;

/// A machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Where.
    pub place: PlaceId,
    /// Position in the zones of the place.
    pub zone: u8,
    /// Instance type.
    pub kind: KindId,
    /// Image and launch template; `None` for machines started by hand and external ones.
    pub template: Option<TemplateId>,
    /// Image.
    pub ami: Symbol,
    /// ECS Anywhere: `mi-…`.
    pub external: bool,
    /// Operating system.
    pub platform: Platform,
    /// Network interfaces that somebody attached by hand, beside the primary one: the scheduler does not see them.
    pub extra_enis: u8,
    /// Protected from scale-in.
    pub protected: bool,
    /// Spot capacity.
    pub spot: bool,
    /// Its Auto Scaling group.
    pub group: Option<GroupId>,
    /// Its state in the group.
    pub lifecycle: Lifecycle,
    /// The group's opinion of its health.
    pub group_healthy: bool,
    /// Instance state.
    pub state: MachineState,
    /// System status check: AWS's hardware.
    pub system_ok: bool,
    /// Instance status check: the operating system and its network.
    pub instance_ok: bool,
    /// Since when the status checks are as they are.
    pub checks_since: Moment,
    /// When it was launched.
    pub launched_at: Moment,
    /// When it began to shut down for good: from then on it serves nobody, and EC2 says so.
    pub ending_since: Option<Moment>,
    /// Since when it is stopped, or about to be: EC2 says so, and it comes back when it is started.
    pub stopped_since: Option<Moment>,
    /// When it reached `terminated`; an hour later EC2 has forgotten it.
    pub terminated_at: Option<Moment>,
    /// Its SSM agent's last answer; `None` while it answers.
    pub ping_lost_at: Option<Moment>,
    /// SSM knows the machine at all.
    pub in_ssm: bool,
    /// Its SSM agent was stopped: a network that comes back does not bring its answers back.
    pub ssm_stopped: bool,
    /// The cluster in its `ecs.config`.
    pub cluster: ClusterId,
    /// Its present or last registration.
    pub host: Option<HostId>,
    /// The agent on it.
    pub agent: Agent,
    /// A scheduled event of EC2: `instance-retirement`, `system-reboot`, ….
    pub scheduled: Option<&'static str>,
    /// The truth as last written down for judges: healthy, reachable.
    pub(crate) noted: Option<(bool, bool)>,
}

/// Operating system of a machine (spec A.5, C.5, C.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Platform {
    /// Amazon Linux.
    #[default]
    Linux,
    /// Windows Server 2019, full.
    Windows2019,
    /// Windows Server 2022, core.
    Windows2022,
}

impl Platform {
    /// `ecs.os-type`.
    pub fn os_type(self) -> &'static str {
        if self == Self::Linux { "linux" } else { "windows" }
    }

    /// `ecs.os-family`.
    pub fn os_family(self) -> &'static str {
        match self {
            Self::Linux => "LINUX",
            Self::Windows2019 => "WINDOWS_SERVER_2019_FULL",
            Self::Windows2022 => "WINDOWS_SERVER_2022_CORE",
        }
    }

    /// TCP ports that the agent reserves.
    pub fn reserved_ports(self) -> &'static [u16] {
        match self {
            Self::Linux => &[22, 2375, 2376, 51678, 51679],
            _ => &[53, 135, 139, 445, 2375, 2376, 3389, 5985, 5986, 51678, 51679],
        }
    }
}

/// The ECS agent on a machine: the truth.
#[derive(Clone, Debug)]
pub struct Agent {
    /// `1.105.1`.
    pub version: Symbol,
    /// The process.
    pub process: Process,
    /// Docker does not answer.
    pub docker_sick: bool,
    /// The machine has no network: its own fault, or its zone's.
    pub cut: bool,
    /// A connection the agent itself believes in.
    pub session: bool,
    /// Comes and goes on its own every so many milliseconds; 0: does not.
    pub flaps_every: u32,
    /// It has died of its image: whoever starts it again sees it die again.
    pub doomed: bool,
    /// Counts the agent's fortunes: an appointment of an older epoch is void.
    pub(crate) epoch: u32,
}

/// The agent's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Process {
    /// Never started, or not yet.
    Absent,
    /// Works.
    Alive,
    /// Runs, does nothing: its introspection port answers, its connections do not.
    Hung,
    /// Exited; systemd brings it back.
    Restarting,
    /// Exited for good: stopped by hand, or exit code 5.
    Crashed,
}

/// EC2 instance state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "AWS's own names")]
pub enum MachineState {
    Pending,
    Running,
    Stopping,
    Stopped,
    ShuttingDown,
    Terminated,
}

impl MachineState {
    /// EC2's spelling.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
        }
    }

    /// EC2's numeric code for the state.
    pub fn code(self) -> u32 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopping => 64,
            Self::Stopped => 80,
        }
    }
}

/// State of a machine in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "AWS's own names")]
pub enum Lifecycle {
    /// In no group.
    None,
    Pending,
    PendingWait,
    InService,
    Terminating,
    TerminatingWait,
    Terminated,
}

impl Lifecycle {
    /// The spelling of Auto Scaling.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "Detached",
            Self::Pending => "Pending",
            Self::PendingWait => "Pending:Wait",
            Self::InService => "InService",
            Self::Terminating => "Terminating",
            Self::TerminatingWait => "Terminating:Wait",
            Self::Terminated => "Terminated",
        }
    }
}

/// How SSM sees a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ping {
    /// `PingStatus`: Online or ConnectionLost.
    pub online: bool,
    /// `LastPingDateTime`.
    pub last_at: Moment,
}

impl Machine {
    /// SSM's view at `now`; `None` when SSM does not know the machine. SSM calls a machine lost some five minutes after
    /// its last ping.
    pub fn ping(&self, now: Moment) -> Option<Ping> {
        if !self.in_ssm {
            return None;
        }
        Some(match self.ping_lost_at {
            None => Ping { online: true, last_at: Moment(now.0 - now.0.rem_euclid(60_000)).max(self.launched_at) },
            Some(lost) => Ping { online: now.since(lost) < 5 * crate::clock::MINUTE, last_at: lost },
        })
    }

    /// The machine runs and nothing is wrong with it, its network, its Docker or its agent. The one definition of health
    /// that judges use; a routine reconnect does not touch it.
    pub fn healthy(&self) -> bool {
        self.state == MachineState::Running
            && self.system_ok
            && self.instance_ok
            && self.agent.process == Process::Alive
            && !self.agent.cut
            && !self.agent.docker_sick
            && self.agent.flaps_every == 0
    }

    /// Its agent runs and has a network.
    pub fn can_talk(&self) -> bool {
        self.state == MachineState::Running && self.agent.process == Process::Alive && !self.agent.cut
    }

    /// Whether EC2 still lists it: terminated machines are forgotten after about an hour.
    pub fn known_to_ec2(&self, now: Moment) -> bool {
        !self.external && self.terminated_at.is_none_or(|at| now.since(at) < crate::clock::HOUR)
    }
}
