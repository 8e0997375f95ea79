//! Who is there and what runs where, for records that are made once a minute.

use jiff::Timestamp;

use crate::{Fleet, names::Name, observation::TaskStatus, state::stamp};

/// One cluster with its hosts and the tasks that run in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterCensus {
    /// ARN.
    pub arn: String,
    /// When its hosts were last looked at completely.
    pub looked_at: Option<Timestamp>,
    /// Its registered hosts, in the order of their ARNs.
    pub hosts: Vec<HostCensus>,
    /// Its tasks in RUNNING, in the order of their ARNs. Whole only where tasks are audited.
    pub tasks: Vec<TaskCensus>,
}

/// One host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCensus {
    /// ARN of the container instance.
    pub arn: String,
    /// `i-…` or `mi-…`.
    pub ec2_instance_id: Option<String>,
    /// Availability zone.
    pub zone: Option<String>,
    /// Tasks that ECS counts as running here.
    pub running_tasks: u32,
    /// CPU units registered, where told.
    pub cpu_units: Option<u32>,
    /// MiB registered, where told.
    pub memory_mib: Option<u32>,
}

/// One task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskCensus {
    /// ARN.
    pub arn: String,
    /// ARN of its container instance; `None`: on Fargate, or not told.
    pub host: Option<String>,
}

impl Fleet {
    /// Every cluster that was looked at, with its hosts and its running tasks, in the order of the ARNs.
    pub fn census(&self) -> Vec<ClusterCensus> {
        let mut tasks: std::collections::BTreeMap<Name, Vec<TaskCensus>> = std::collections::BTreeMap::new();
        for (_, task) in self.tasks.iter().filter(|(_, task)| task.status == TaskStatus::Running) {
            let host = self.hosts.get(task.host).map(|host| host.key.text(&self.names));
            tasks.entry(task.cluster).or_default().push(TaskCensus { arn: task.key.text(&self.names), host });
        }
        let mut census: Vec<ClusterCensus> = self
            .clusters
            .values()
            .filter(|cluster| cluster.looked_at != 0)
            .map(|cluster| {
                let slots = self.hosts_in(cluster.arn).into_iter();
                let mut hosts: Vec<HostCensus> = slots.filter_map(|slot| self.host_census(slot)).collect();
                hosts.sort_by(|a, b| a.arn.cmp(&b.arn));
                let mut tasks = tasks.remove(&cluster.arn).unwrap_or_default();
                tasks.sort_by(|a, b| a.arn.cmp(&b.arn));
                ClusterCensus {
                    arn: self.names.text(cluster.arn).to_owned(),
                    looked_at: Some(stamp(cluster.looked_at)),
                    hosts,
                    tasks,
                }
            })
            .collect();
        census.sort_by(|a, b| a.arn.cmp(&b.arn));
        census
    }

    fn host_census(&self, slot: crate::slab::Slot) -> Option<HostCensus> {
        let host = self.hosts.get(slot).filter(|host| !host.hearsay)?;
        let registered = host.resources.map(|resources| resources.registered);
        Some(HostCensus {
            arn: host.key.text(&self.names),
            ec2_instance_id: self.machine_of(host).map(|machine| machine.key.text(&self.names)),
            zone: self.names.owned(host.zone),
            running_tasks: host.running_tasks,
            cpu_units: registered.map(|amounts| amounts.cpu_units),
            memory_mib: registered.map(|amounts| amounts.memory_mib),
        })
    }
}
