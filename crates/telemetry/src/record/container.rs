//! `"Type":"Container"`: one container of a task. It carries metrics in enhanced records only.

use serde_json::Value;

use super::{
    Detail, Line,
    directive::{self, Author, Directive, Metric},
    object::Object,
    performance_group,
    task::{ENHANCED, TaskIdentity},
    usage::Usage,
};
use crate::event::Event;

/// Whether a container's own health check passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It passes.
    Healthy,
    /// It does not.
    Unhealthy,
}

/// One container at a minute.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainerRecord {
    /// Its name in the task definition.
    pub container: String,
    /// Its task.
    pub identity: TaskIdentity,
    /// Its image, with registry and tag.
    pub image: String,
    /// Its status, such as `RUNNING`.
    pub status: String,
    /// The minute, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// What it uses and has reserved.
    pub usage: Usage,
    /// How often it was restarted, where it has a restart policy.
    pub restarts: Option<u64>,
    /// What its health check says, where it has one.
    pub health: Option<Health>,
}

const C: &str = "ClusterName";
const S: &str = "ServiceName";
const F: &str = "TaskDefinitionFamily";
const T: &str = "TaskId";
const N: &str = "ContainerName";

/// The sets of most metrics of a container.
const SETS: [&[&str]; 5] = [&[C], &[N, T, S, C], &[N, F, C, T], &[F, C, N], &[S, C, N]];
/// Those by which restarts are told of containers; the task's record tells them by the others.
const RESTART_SETS: [&[&str]; 4] = [&[C, S, N], &[C, S, T, N], &[F, C, N], &[F, C, T, N]];

impl ContainerRecord {
    /// Its text.
    pub fn text(&self, detail: Detail) -> String {
        let mut object = Object::new();
        object.member("Version", "0").member("Type", "Container").member("ContainerName", &self.container);
        self.identity.write(&mut object);
        object
            .member("Image", &self.image)
            .member("ContainerKnownStatus", &self.status)
            .member("Timestamp", &self.timestamp_ms);
        self.usage.write(&mut object);
        if detail == Detail::Enhanced {
            let directives = directive::of(self.write_enhanced(&mut object));
            if !directives.is_empty() {
                object.member("CloudWatchMetrics", &directives);
            }
        }
        object.finish()
    }

    fn write_enhanced(&self, object: &mut Object) -> Vec<Directive<'static>> {
        let usage = &self.usage;
        let mut own: Vec<Metric> = Vec::new();
        let mut of_tasks: Vec<Metric> = Vec::new();
        let mut put = |name: &'static str, unit: &'static str, value: Option<Value>, to: &mut Vec<Metric>| {
            if let Some(value) = value.filter(Value::is_number) {
                object.member(name, &value);
                to.push((name, Some(unit)));
            }
        };
        put("ContainerCpuUtilized", "None", usage.cpu_used_units.map(Value::from), &mut own);
        put("ContainerCpuReserved", "None", usage.cpu_reserved_units.map(Value::from), &mut own);
        put("ContainerCpuUtilization", "Percent", usage.cpu_percent().map(Value::from), &mut own);
        put("ContainerMemoryUtilized", "Megabytes", usage.memory_used_mib.map(Value::from), &mut own);
        put("ContainerMemoryReserved", "Megabytes", usage.memory_reserved_mib.map(Value::from), &mut own);
        put("ContainerMemoryUtilization", "Percent", usage.memory_percent().map(Value::from), &mut own);
        put("ContainerStorageReadBytes", "Bytes", usage.storage.map(|it| it.read_bytes.into()), &mut own);
        put("ContainerStorageWriteBytes", "Bytes", usage.storage.map(|it| it.write_bytes.into()), &mut own);
        let (rx, tx) = (usage.network.map(|it| it.rx), usage.network.map(|it| it.tx));
        put("ContainerNetworkRxBytes", "Bytes/Second", rx.map(|it| it.bytes_per_sec.into()), &mut of_tasks);
        put("ContainerNetworkTxBytes", "Bytes/Second", tx.map(|it| it.bytes_per_sec.into()), &mut of_tasks);
        let health = self.health.map(|health| u8::from(health == Health::Unhealthy).into());
        put("UnHealthyContainerHealthStatus", "Count", health, &mut own);
        // AWS documents this one percentage by the sets of tasks; those of its siblings are likelier. Both, and {C} once.
        let also = usage.cpu_percent().map(|_| ("ContainerCpuUtilization", Some("Percent")));
        let mut restarts: Vec<Metric> = Vec::new();
        if let Some(count) = self.restarts {
            object.member("RestartCount", &count);
            restarts.push(("RestartCount", Some("Count")));
        }
        let directive = |metrics: Vec<Metric>, sets: &[&[&'static str]]| Directive {
            author: Author::Ecs,
            metrics,
            sets: self.identity.sets(sets),
        };
        vec![
            directive(own, &SETS),
            directive(of_tasks, &ENHANCED),
            directive(also.into_iter().collect(), &ENHANCED[1..]),
            directive(restarts, &RESTART_SETS),
        ]
    }

    /// Its line in the cluster's performance log.
    pub fn line(&self, detail: Detail) -> Line {
        let event = Event { timestamp_ms: self.timestamp_ms, message: self.text(detail) };
        Line { group: performance_group(&self.identity.cluster), stream: self.identity.stream(), event }
    }
}
