//! What containers use: CPU, memory, disks and network of every running task at any moment, as its host would measure them.
//!
//! No state and no draws: a figure follows from the world's seed, the task and the moment alone. Counters grow with time and never
//! go back, a day has its busy hours, each task has its own habits, and a few of them leak memory.

use crate::{
    clock::Moment,
    seed::mix,
    world::{ClusterId, TaskDefinition, TaskId, TaskStatus, World, placement::NetworkMode},
};

/// One day in the unit of [`Moment`].
const DAY_MS: i64 = 24 * 3_600_000;
/// One minute: figures change from one to the next.
const MINUTE_MS: i64 = 60_000;

/// What one container uses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ContainerFigures {
    /// CPU units; 1024 are one vCPU.
    pub cpu_units: f64,
    /// CPU units that it has reserved.
    pub cpu_reserved_units: f64,
    /// MiB.
    pub memory_mib: u64,
    /// MiB that it has reserved.
    pub memory_reserved_mib: u64,
    /// Bytes read from disks since it started.
    pub storage_read_bytes: u64,
    /// Bytes written to disks since it started.
    pub storage_write_bytes: u64,
    /// Its network; `None` in mode `host`.
    pub network: Option<NetworkFigures>,
}

/// What went over a container's network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkFigures {
    /// Bytes a second in.
    pub rx_bytes_per_sec: u64,
    /// Bytes a second out.
    pub tx_bytes_per_sec: u64,
    /// Packets in since the container started.
    pub rx_packets: u64,
    /// Packets out since the container started.
    pub tx_packets: u64,
}

/// A running task with what its containers use.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskFigures {
    /// Its id.
    pub task: String,
    /// Name of its cluster.
    pub cluster: String,
    /// Account of 12 digits.
    pub account: String,
    /// Region.
    pub region: String,
    /// Availability zone.
    pub zone: Option<String>,
    /// Family and revision of its definition.
    pub definition: (String, u32),
    /// Its service, if it has one.
    pub service: Option<String>,
    /// Id of its container instance.
    pub container_instance: String,
    /// `i-…` or `mi-…`.
    pub machine: String,
    /// The machine is one of ECS Anywhere.
    pub external: bool,
    /// Its containers share one network.
    pub awsvpc: bool,
    /// When it was asked for, and when it started.
    pub began: (Moment, Moment),
    /// Its containers: name, image, what it uses.
    pub containers: Vec<(String, String, ContainerFigures)>,
}

/// A number from 0 up to 1 for these words.
fn share(words: &[u64]) -> f64 {
    let bits = words.iter().fold(0x51ed_270b, |bits, word| mix(bits ^ mix(*word)));
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

/// How busy a day is at a moment, from 0.55 to 1.
fn daylight(now: Moment) -> f64 {
    let turn = now.0.rem_euclid(DAY_MS) as f64 / DAY_MS as f64;
    // Least at four in the night.
    let wave = (std::f64::consts::TAU * (turn - 4.0 / 24.0)).cos();
    0.775 - 0.225 * wave
}

/// What a container uses at a moment. `key` tells it from all others; `lived_ms`: since its task started.
fn of_container(key: u64, now: Moment, lived_ms: i64, reserved: (f64, u64), network: NetworkMode) -> ContainerFigures {
    let minute = now.0.div_euclid(MINUTE_MS) as u64;
    let lived_ms = lived_ms.max(0) as f64;
    let habit = 0.12 + 0.55 * share(&[key, 1]);
    let noise = 0.85 + 0.3 * share(&[key, 2, minute]);
    // One container in fifty uses more than it has reserved, as containers without a hard limit can.
    let greed = if share(&[key, 3]) < 0.02 { 1.8 } else { 1.0 };
    let (cpu_reserved_units, memory_reserved_mib) = reserved;
    let cpu_units = cpu_reserved_units * habit * daylight(now) * noise * greed;
    let level = 0.35 + 0.4 * share(&[key, 4]) + 0.05 * share(&[key, 5, minute / 5]);
    // One in forty leaks: within a day it fills what it has.
    let leak = if share(&[key, 6]) < 0.025 { 0.6 * lived_ms / DAY_MS as f64 } else { 0.0 };
    let memory_mib = (memory_reserved_mib as f64 * (level + leak).min(0.99)) as u64;
    let total = |word: u64, per_sec: f64| (lived_ms / 1_000.0 * per_sec * (0.5 + share(&[key, word]))) as u64;
    let rate = |word: u64, per_sec: f64| {
        (per_sec * (0.5 + share(&[key, word])) * daylight(now) * (0.8 + 0.4 * share(&[key, word, minute]))) as u64
    };
    ContainerFigures {
        cpu_units,
        cpu_reserved_units,
        memory_mib,
        memory_reserved_mib,
        storage_read_bytes: total(7, 900.0),
        storage_write_bytes: total(8, 2_600.0),
        network: (network != NetworkMode::Host).then(|| NetworkFigures {
            rx_bytes_per_sec: rate(9, 18_000.0),
            tx_bytes_per_sec: rate(10, 41_000.0),
            rx_packets: total(11, 34.0),
            tx_packets: total(12, 46.0),
        }),
    }
}

/// What a task's containers have reserved: the first one what the others leave.
fn parts(definition: &TaskDefinition) -> Vec<(f64, u64)> {
    let count = definition.containers.len().max(1) as u64;
    let (cpu, memory) = (definition.cpu.max(0) as u64, definition.memory_mib.max(0) as u64);
    let (cpu_side, memory_side) = (cpu / (2 * count), memory / (2 * count));
    let first = ((cpu - cpu_side * (count - 1)) as f64, memory - memory_side * (count - 1));
    std::iter::once(first).chain((1..count).map(|_| (cpu_side as f64, memory_side))).collect()
}

impl World {
    /// Every task that runs in a cluster, with what its containers use now, in the order of the tasks' slots.
    pub fn figures_of(&self, cluster: ClusterId) -> impl Iterator<Item = TaskFigures> + '_ {
        self.tasks_of_cluster(cluster).filter_map(|id| self.figures_of_task(id))
    }

    fn figures_of_task(&self, id: TaskId) -> Option<TaskFigures> {
        let task = self.task(id).filter(|task| task.said.last == TaskStatus::Running)?;
        let definition = self.definition(task.definition)?;
        let cluster = self.cluster(task.cluster)?;
        let place = self.place(cluster.place)?;
        let host = self.host(task.host)?;
        let machine = self.machine(host.machine)?;
        let arn = self.task_arn(task.cluster, id);
        let name = arn.rsplit('/').next().unwrap_or_default().to_owned();
        let seed = name.bytes().fold(0, |sum, byte| mix(sum ^ u64::from(byte)));
        let started = task.started_at.unwrap_or(task.created_at);
        let lived_ms = self.now.since(started);
        let containers = definition.containers.iter().zip(parts(definition)).zip(0u64..);
        let containers = containers.map(|((container, reserved), number)| {
            let key = mix(seed ^ mix(number + 1));
            let figures = of_container(key, self.now, lived_ms, reserved, definition.network);
            (container.clone(), format!("{container}:{}", definition.revision), figures)
        });
        Some(TaskFigures {
            task: name,
            cluster: cluster.name.clone(),
            account: place.account.clone(),
            region: place.region.clone(),
            zone: place.zones.get(usize::from(machine.zone)).map(|zone| zone.name.clone()),
            definition: (definition.family.clone(), definition.revision),
            service: task.service.and_then(|service| self.service(service)).map(|service| service.name.clone()),
            container_instance: self.host_arn(task.host).rsplit('/').next().unwrap_or_default().to_owned(),
            machine: self.machine_id(host.machine),
            external: machine.external,
            awsvpc: definition.awsvpc(),
            began: (task.created_at, started),
            containers: containers.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    fn figures(minutes: i64) -> Vec<TaskFigures> {
        let scenario = Scenario::load("demo").unwrap();
        let mut simulation = scenario.begin(Some(7));
        let until = simulation.now().plus(minutes * MINUTE_MS);
        simulation.world.advance_to(until);
        let clusters = 0..simulation.world.clusters.len() as u32;
        clusters.flat_map(|id| simulation.world.figures_of(ClusterId(id)).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn the_same_seed_and_moment_give_the_same_figures() {
        let found = figures(3);
        assert!(found.len() > 10);
        assert_eq!(found, figures(3));
        assert_ne!(found, figures(4));
    }

    #[test]
    fn figures_are_such_as_a_host_could_measure() {
        for task in figures(5) {
            assert!(!task.containers.is_empty() && !task.container_instance.is_empty(), "{task:?}");
            for (name, _, figures) in &task.containers {
                let ContainerFigures { cpu_units, cpu_reserved_units, memory_mib, memory_reserved_mib, .. } = *figures;
                assert!(cpu_units > 0.0 && cpu_units < 2.0 * cpu_reserved_units, "{name}: {figures:?}");
                assert!(memory_mib <= memory_reserved_mib && memory_reserved_mib > 0, "{name}: {figures:?}");
            }
        }
    }

    #[test]
    fn counters_grow_and_never_go_back() {
        let of = |minutes: i64| {
            let now = Moment::DEFAULT_START.plus(minutes * MINUTE_MS);
            of_container(42, now, minutes * MINUTE_MS, (256.0, 512), NetworkMode::Awsvpc)
        };
        let mut before = of(0);
        for minutes in 1..3_000 {
            let now = of(minutes);
            let (one, other) = (before.network.unwrap(), now.network.unwrap());
            assert!(now.storage_write_bytes >= before.storage_write_bytes && other.tx_packets >= one.tx_packets);
            before = now;
        }
        assert_eq!(of_container(42, Moment(0), -5, (256.0, 512), NetworkMode::Host).network, None);
    }

    #[test]
    fn what_containers_have_reserved_is_what_their_task_has() {
        for containers in 1..6 {
            let containers = (0..containers).map(|number| format!("c{number}")).collect();
            let definition = TaskDefinition { cpu: 257, memory_mib: 511, containers, ..TaskDefinition::default() };
            let parts = parts(&definition);
            assert_eq!(parts.iter().map(|part| part.0).sum::<f64>(), 257.0);
            assert_eq!(parts.iter().map(|part| part.1).sum::<u64>(), 511);
        }
    }
}
