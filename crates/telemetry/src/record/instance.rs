//! `"Type":"Instance"`: a host as its own CloudWatch agent tells of it. Names are the agent's, units too: CPU in thousandths of
//! a core, memory in bytes.

use serde::Serialize;

use super::{
    Line,
    directive::{Author, Directive, Metric},
    node_stream,
    object::Object,
    performance_group,
    usage::percent,
};
use crate::event::Event;

/// What all records of a host have at their beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostIdentity {
    /// Name of its Auto Scaling group, where it is of one.
    pub group: Option<String>,
    /// Name of its cluster.
    pub cluster: String,
    /// Id of the container instance.
    pub container_instance: String,
    /// `i-…`.
    pub instance: String,
    /// Its type, such as `t3.large`.
    pub instance_type: String,
}

/// How the agent writes `Timestamp`: its versions differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimestampForm {
    /// `"1791208801522"`.
    #[default]
    Text,
    /// `1791208801522`.
    Number,
}

/// When a host told something, and how that is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Milliseconds since 1970.
    pub timestamp_ms: i64,
    /// As text or as number.
    pub form: TimestampForm,
}

impl HostIdentity {
    /// Begins a record of this host.
    pub(super) fn begin(&self, kind: &str, sources: &[&str], told: Told) -> Object {
        let mut object = Object::new();
        object
            .maybe("AutoScalingGroupName", self.group.as_ref())
            .member("ClusterName", &self.cluster)
            .member("ContainerInstanceId", &self.container_instance)
            .member("InstanceId", &self.instance)
            .member("InstanceType", &self.instance_type)
            .member("Sources", sources);
        match told.form {
            TimestampForm::Text => object.member("Timestamp", &told.timestamp_ms.to_string()),
            TimestampForm::Number => object.member("Timestamp", &told.timestamp_ms),
        };
        object.member("Type", kind).member("Version", "0");
        object
    }

    pub(super) fn line(&self, told: Told, text: String) -> Line {
        let event = Event { timestamp_ms: told.timestamp_ms, message: text };
        Line { group: performance_group(&self.cluster), stream: node_stream(&self.container_instance), event }
    }
}

/// A host's CPU, in thousandths of a core.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HostCpu {
    /// All of it: cores × 1000.
    pub limit: u64,
    /// Used.
    pub used_total: Option<f64>,
    /// Of that, by the kernel.
    pub used_system: Option<f64>,
    /// Of that, by programs.
    pub used_user: Option<f64>,
    /// CPU units that running tasks have reserved; 1024 are one core.
    pub reserved_units: u64,
}

impl HostCpu {
    /// Used, in percent of all.
    pub fn percent(&self) -> Option<f64> {
        percent(self.used_total, Some(self.limit as f64))
    }

    /// Reserved by tasks, in percent of all: units of 1024 a core against thousandths of a core.
    pub fn reserved_percent(&self) -> Option<f64> {
        percent(Some(self.reserved_units as f64), Some(self.limit as f64 / 1000.0 * 1024.0))
    }
}

/// A host's memory, in bytes, and what its kernel counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the kernel's own names")]
pub struct HostMemory {
    pub instance_memory_cache: u64,
    pub instance_memory_failcnt: u64,
    pub instance_memory_hierarchical_pgfault: u64,
    pub instance_memory_hierarchical_pgmajfault: u64,
    /// Physical memory.
    pub instance_memory_limit: u64,
    pub instance_memory_mapped_file: u64,
    pub instance_memory_max_usage: u64,
    pub instance_memory_pgfault: u64,
    pub instance_memory_pgmajfault: u64,
    pub instance_memory_rss: u64,
    pub instance_memory_swap: u64,
    pub instance_memory_usage: u64,
    /// What cannot be given up.
    pub instance_memory_working_set: u64,
}

/// A host's network, each figure a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[expect(missing_docs, reason = "counts whose names say it")]
pub struct HostNetwork {
    pub instance_network_rx_bytes: f64,
    pub instance_network_rx_dropped: f64,
    pub instance_network_rx_errors: f64,
    pub instance_network_rx_packets: f64,
    pub instance_network_tx_bytes: f64,
    pub instance_network_tx_dropped: f64,
    pub instance_network_tx_errors: f64,
    pub instance_network_tx_packets: f64,
}

/// A host at a minute. What it has not told is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InstanceRecord {
    /// Who it is.
    pub identity: HostIdentity,
    /// When.
    pub told: Told,
    /// CPU.
    pub cpu: HostCpu,
    /// Memory.
    pub memory: Option<HostMemory>,
    /// Bytes that running tasks have reserved.
    pub memory_reserved_bytes: u64,
    /// Network.
    pub network: Option<HostNetwork>,
    /// Tasks that run there, as its ECS agent says.
    pub running_tasks: u64,
}

impl InstanceRecord {
    /// Its text.
    pub fn text(&self) -> String {
        let mut object = self.identity.begin("Instance", &["cadvisor", "/proc", "ecsagent", "calculated"], self.told);
        let cpu = &self.cpu;
        let (cpu_percent, reserved_percent) = (cpu.percent(), cpu.reserved_percent());
        object
            .member("instance_cpu_limit", &cpu.limit)
            .maybe("instance_cpu_reserved_capacity", reserved_percent)
            .maybe("instance_cpu_usage_system", cpu.used_system)
            .maybe("instance_cpu_usage_total", cpu.used_total)
            .maybe("instance_cpu_usage_user", cpu.used_user)
            .maybe("instance_cpu_utilization", cpu_percent);
        let limit = self.memory.map(|memory| memory.instance_memory_limit as f64);
        let memory_reserved = percent(Some(self.memory_reserved_bytes as f64), limit);
        let memory_percent = percent(self.memory.map(|memory| memory.instance_memory_working_set as f64), limit);
        if let Some(memory) = self.memory {
            members(&mut object, &memory);
        }
        object
            .maybe("instance_memory_reserved_capacity", memory_reserved)
            .maybe("instance_memory_utilization", memory_percent);
        if let Some(network) = self.network {
            members(&mut object, &network);
            let total = network.instance_network_rx_bytes + network.instance_network_tx_bytes;
            object.member("instance_network_total_bytes", &total);
        }
        object.member("instance_number_of_running_tasks", &self.running_tasks);

        let share = Some("Percent");
        let known = |metrics: Vec<(bool, Metric)>| -> Vec<Metric> {
            metrics.into_iter().filter(|(known, _)| *known).map(|(_, metric)| metric).collect()
        };
        let shared = vec![
            (cpu_percent.is_some(), ("instance_cpu_utilization", share)),
            (reserved_percent.is_some(), ("instance_cpu_reserved_capacity", share)),
            (memory_percent.is_some(), ("instance_memory_utilization", share)),
            (memory_reserved.is_some(), ("instance_memory_reserved_capacity", share)),
            (self.network.is_some(), ("instance_network_total_bytes", Some("Bytes/Second"))),
            (true, ("instance_number_of_running_tasks", Some("Count"))),
        ];
        let mut of_cluster = shared.clone();
        of_cluster.extend([
            (cpu.used_total.is_some(), ("instance_cpu_usage_total", None)),
            (true, ("instance_cpu_limit", None)),
            (self.memory.is_some(), ("instance_memory_working_set", Some("Bytes"))),
            (self.memory.is_some(), ("instance_memory_limit", Some("Bytes"))),
        ]);
        let author = Author::Agent;
        object.member(
            "CloudWatchMetrics",
            &[
                Directive { author, metrics: known(shared), sets: vec![HOST_SET.to_vec()] },
                Directive { author, metrics: known(of_cluster), sets: vec![vec!["ClusterName"]] },
            ],
        );
        object.finish()
    }

    /// Its line in the cluster's performance log.
    pub fn line(&self) -> Line {
        self.identity.line(self.told, self.text())
    }
}

/// The dimensions by which a single host is told.
pub(super) const HOST_SET: [&str; 3] = ["ContainerInstanceId", "InstanceId", "ClusterName"];

/// The fields of a struct as members, in the order of their declaration.
pub(super) fn members<T: Serialize>(object: &mut Object, fields: &T) {
    let Ok(text) = serde_json::to_string(fields) else { return };
    let Ok(fields) = serde_json::from_str::<Fields>(&text) else { return };
    for (name, value) in fields.0 {
        object.member(&name, &value);
    }
}

/// The members of an object in their order, which a map would not keep.
struct Fields(Vec<(String, serde_json::Number)>);

impl<'de> serde::Deserialize<'de> for Fields {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Fields;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of numbers")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut found = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    found.push(entry);
                }
                Ok(Fields(found))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}
