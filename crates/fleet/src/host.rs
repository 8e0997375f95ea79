//! What is believed of one container instance, and where each fact came from.

use serde::{Deserialize, Serialize};

use crate::{
    key::Key,
    names::Name,
    observation::{CheckStatus, Gpus, InstanceStatus, Resources, Source},
    pool::Shared,
    slab::{Keyed, NONE, Slot},
};

/// Milliseconds since 1970, UTC.
pub type Millis = i64;

/// Stands for "this source gives no version".
pub const UNVERSIONED: i64 = i64::MIN;

/// One container instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Host {
    /// Container instance ARN.
    pub key: Key,
    /// Cluster ARN.
    pub cluster: Name,
    /// Slot of the machine under it, or [`NONE`].
    pub machine: Slot,
    /// Another registration of the same machine, or [`NONE`].
    pub next_on_machine: Slot,
    /// First of its tasks, or [`NONE`].
    pub first_task: Slot,
    /// First of its open cases, or [`NONE`].
    pub first_case: Slot,
    /// Last version believed, or [`UNVERSIONED`].
    pub version: i64,
    /// `at` of the fact last believed.
    pub fact_at: Millis,
    /// When that fact was last confirmed by a look that found nothing newer.
    pub confirmed_at: Millis,
    /// The road of the fact last believed.
    pub source: Source,
    /// ECS status.
    pub status: InstanceStatus,
    /// Since when.
    pub status_since: Millis,
    /// Whether the agent is connected.
    pub agent: Agent,
    /// Since when, as far as is known.
    pub agent_since: Millis,
    /// Only a task has spoken of this host so far: not called in a roll call.
    pub hearsay: bool,
    /// Versions were skipped; a look is due.
    pub gap: bool,
    /// ECS Anywhere.
    pub external: bool,
    /// Has a trunk ENI.
    pub trunk: bool,
    /// Fingerprint of the attributes as they came, to skip reading them again. No belief: a replay, which sees them
    /// already read, must give the same snapshot.
    #[serde(skip)]
    pub attributes_print: u64,
    /// Availability zone.
    pub zone: Option<Name>,
    /// Instance type.
    pub instance_type: Option<Name>,
    /// AMI.
    pub ami: Option<Name>,
    /// Subnet.
    pub subnet: Option<Name>,
    /// `linux` or `windows`.
    pub os_type: Option<Name>,
    /// ECS agent version.
    pub agent_version: Option<Name>,
    /// Capacity provider.
    pub capacity_provider: Option<Name>,
    /// Tasks that ECS counts as running.
    pub running_tasks: u32,
    /// Tasks that ECS counts as pending.
    pub pending_tasks: u32,
    /// CPU and memory, as last told.
    pub resources: Option<Resources>,
    /// GPUs, as last told.
    pub gpus: Gpus,
    /// Ports that are taken; `None` until told.
    pub ports: Option<Shared>,
    /// All attributes but the trunk's id, in the order of their names' numbers; `None` until told.
    pub attributes: Option<Shared>,
    /// Tasks here with a network interface of their own that are not over: counted as tasks come and go.
    pub interfaces: u16,
    /// `registeredAt`, or 0.
    pub registered_at: Millis,
    /// `statusReason`.
    pub status_reason: Option<Box<str>>,
    /// The tag or attribute by which the policy protects it.
    pub protected: Option<Box<str>>,
    /// ECS's own health checks.
    pub checks: Vec<Check>,
    /// When the agent went away lately.
    pub departures: Departures,
}

/// Whether the agent is connected, as the control plane says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Agent {
    /// Nobody has said.
    Unknown,
    /// `agentConnected` is true.
    Connected,
    /// `agentConnected` is false.
    Disconnected,
}

/// One of ECS's health checks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// `AGENT_CONNECTIVITY`, `CONTAINER_RUNTIME`, ….
    pub kind: Name,
    /// Status.
    pub status: CheckStatus,
    /// Since when, or 0.
    pub since: Millis,
    /// When the check last ran, or 0.
    pub updated: Millis,
    /// The road it came by.
    pub source: Source,
    /// Free text.
    pub reason: Option<Box<str>>,
}

/// When the agent went away: the last eight times exactly, the last day by the hour.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Departures {
    recent_secs: [u32; 8],
    hours: [u8; 24],
    newest_hour: u32,
    cursor: u8,
}

impl Departures {
    /// Notes a departure.
    pub fn note(&mut self, at: Millis) {
        let secs = u32::try_from(at / 1000).unwrap_or(0);
        self.recent_secs[usize::from(self.cursor % 8)] = secs;
        self.cursor = (self.cursor + 1) % 8;
        let hour = secs / 3600;
        if hour > self.newest_hour {
            for gone in self.newest_hour + 1..=hour.min(self.newest_hour.saturating_add(24)) {
                self.hours[gone as usize % 24] = 0;
            }
            self.newest_hour = hour;
        }
        if hour + 24 > self.newest_hour {
            let count = &mut self.hours[hour as usize % 24];
            *count = count.saturating_add(1);
        }
    }

    /// How many within the hour before `now`. Past eight the count by hours takes over.
    pub fn within_hour(&self, now: Millis) -> u32 {
        let now_secs = u32::try_from(now / 1000).unwrap_or(0);
        let exact =
            self.recent_secs.iter().filter(|&&at| at != 0 && at <= now_secs && now_secs - at < 3600).count() as u32;
        if exact < 8 { exact } else { exact.max(u32::from(self.hours[(now_secs / 3600) as usize % 24])) }
    }

    /// How many within the last 24 hours, by whole hours.
    pub fn within_day(&self, now: Millis) -> u32 {
        let hour = u32::try_from(now / 3_600_000).unwrap_or(0);
        (0..24)
            .filter_map(|back| hour.checked_sub(back))
            .filter(|&h| h <= self.newest_hour && h + 24 > self.newest_hour)
            .map(|h| u32::from(self.hours[h as usize % 24]))
            .sum()
    }

    /// When fewer than `limit` will have happened within an hour, if nothing more does: the end of flapping.
    pub fn calm_at(&self, now: Millis, limit: u32) -> Millis {
        let now_secs = u32::try_from(now / 1000).unwrap_or(0);
        let mut recent: Vec<u32> =
            self.recent_secs.iter().copied().filter(|&at| at != 0 && now_secs.saturating_sub(at) < 3600).collect();
        recent.sort_unstable();
        let excess = (recent.len() as u32 + 1).saturating_sub(limit) as usize;
        match excess.checked_sub(1).and_then(|last| recent.get(last)) {
            Some(&at) => i64::from(at) * 1000 + 3_600_000,
            None => now,
        }
    }
}

impl Host {
    /// A host of which nothing is known but its name.
    pub fn new(key: Key, cluster: Name) -> Self {
        Self {
            key,
            cluster,
            machine: NONE,
            next_on_machine: NONE,
            first_task: NONE,
            first_case: NONE,
            version: UNVERSIONED,
            fact_at: 0,
            confirmed_at: 0,
            source: Source::Event,
            status: InstanceStatus::Other,
            status_since: 0,
            agent: Agent::Unknown,
            agent_since: 0,
            hearsay: true,
            gap: false,
            external: false,
            trunk: false,
            attributes_print: 0,
            zone: None,
            instance_type: None,
            ami: None,
            subnet: None,
            os_type: None,
            agent_version: None,
            capacity_provider: None,
            running_tasks: 0,
            pending_tasks: 0,
            resources: None,
            gpus: Gpus::default(),
            ports: None,
            attributes: None,
            interfaces: 0,
            registered_at: 0,
            status_reason: None,
            protected: None,
            checks: Vec::new(),
            departures: Departures::default(),
        }
    }

    /// In a state in which an agent ought to answer.
    pub fn ought_to_answer(&self) -> bool {
        !self.hearsay && matches!(self.status, InstanceStatus::Active | InstanceStatus::Draining)
    }

    /// Ought to answer and does not.
    pub fn is_away(&self) -> bool {
        self.agent == Agent::Disconnected && self.ought_to_answer()
    }

    /// A health check by its kind.
    pub fn check(&self, kind: Option<Name>) -> Option<&Check> {
        let kind = kind?;
        self.checks.iter().find(|check| check.kind == kind)
    }
}

impl Keyed for Host {
    fn key(&self) -> Key {
        self.key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Millis = 3_600_000;

    #[test]
    fn departures_are_counted_within_the_hour_and_the_day() {
        let mut departures = Departures::default();
        let start = 500_000 * HOUR;
        for minute in 0..6 {
            departures.note(start + minute * 60_000);
        }
        assert_eq!(departures.within_hour(start + 10 * 60_000), 6);
        assert_eq!(departures.within_hour(start + 61 * 60_000), 4);
        departures.note(start + 20 * HOUR);
        assert_eq!((departures.within_hour(start + 20 * HOUR), departures.within_day(start + 20 * HOUR)), (1, 7));
        assert_eq!(departures.within_day(start + 30 * HOUR), 1);
    }

    #[test]
    fn calm_comes_when_the_oldest_excess_departure_is_an_hour_old() {
        let mut departures = Departures::default();
        let start = 500_000 * HOUR;
        for minute in 0..6 {
            departures.note(start + minute * 60_000);
        }
        let now = start + 10 * 60_000;
        assert_eq!(departures.calm_at(now, 6), start + HOUR);
        assert_eq!(departures.calm_at(now, 7), now);
    }
}
