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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        input::{Input, Scope, Sweep},
        observation::{
            Amounts, Attributes, Fact, InstanceFact, InstanceStatus, Observation, Resources, Source, TaskFact,
        },
        policy::Policy,
        step,
    };

    const CLUSTER: &str = "arn:aws:ecs:eu-central-1:210987654321:cluster/market";
    const HOST: &str =
        "arn:aws:ecs:eu-central-1:210987654321:container-instance/market/00000000000000000000000000000001";

    fn task(number: u32, last_status: TaskStatus, instance: Option<&'static str>) -> Fact<'static> {
        Fact::Task(TaskFact {
            arn: format!("arn:aws:ecs:eu-central-1:210987654321:task/market/{number:032x}").into(),
            cluster: CLUSTER.into(),
            instance: instance.map(Into::into),
            version: Some(1),
            last_status,
            desired_running: true,
            group: Some("service:till".into()),
            definition: None,
            awsvpc: false,
            connected: None,
            started_at: None,
            stop_code: None,
            stopped_reason: None,
        })
    }

    #[test]
    fn a_census_tells_the_hosts_and_the_running_tasks_of_clusters_that_were_looked_at() {
        let now: Timestamp = "2026-09-21T14:14:00Z".parse().unwrap();
        let mut fleet = Fleet::new(Policy::default());
        let amounts = Amounts { cpu_units: 2_048, memory_mib: 3_800 };
        let host = Fact::Instance(InstanceFact {
            ec2_instance_id: Some("i-00112233445566778".into()),
            version: Some(1),
            agent_connected: Some(true),
            running_tasks: Some(1),
            pending_tasks: Some(0),
            resources: Some(Resources { registered: amounts, remaining: amounts }),
            attributes: Attributes::Absent,
            ..InstanceFact::bare(HOST, CLUSTER, InstanceStatus::Active)
        });
        let facts = [
            host,
            task(2, TaskStatus::Running, Some(HOST)),
            task(1, TaskStatus::Running, None),
            task(3, TaskStatus::Pending, None),
        ];
        let found = facts.map(|fact| Observation { at: now, source: Source::Sweep, fact }).to_vec();
        assert!(fleet.census().is_empty());
        let scope = Scope::ClusterHosts(CLUSTER.into());
        let sweep = Sweep { scope, started_at: now, found, unchanged: 0, complete: true, absent: Vec::new() };
        step(&mut fleet, now, &Input::Swept(sweep));
        let census = fleet.census();
        assert_eq!(census.len(), 1);
        assert_eq!((census[0].arn.as_str(), census[0].hosts.len()), (CLUSTER, 1));
        assert_eq!((census[0].hosts[0].running_tasks, census[0].hosts[0].cpu_units), (1, Some(2_048)));
        let tasks: Vec<(bool, Option<&str>)> =
            census[0].tasks.iter().map(|task| (task.arn.ends_with('1'), task.host.as_deref())).collect();
        assert_eq!(tasks, [(true, None), (false, Some(HOST))], "in the order of their ARNs, pending ones not counted");
    }
}
