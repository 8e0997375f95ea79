//! A case as an observer gets to know it: the bodies of AWS's answers, and the events.

use serde_json::{Value, json};

use super::Case;
use crate::{
    clock::Moment,
    events,
    face::told,
    world::{Change, HostId, HostStatus, TaskId, TaskStatus, What},
};

impl Case {
    fn answer_of(&self, operation: &str, request: &Value) -> Vec<u8> {
        told(&mut self.world.clone(), self.place, operation, request)
    }

    fn cluster_arn(&self) -> &str {
        self.world.cluster(self.cluster).map_or("", |cluster| &cluster.arn)
    }

    /// The hosts that ListContainerInstances would list.
    pub fn listed_hosts(&self) -> Vec<HostId> {
        let hosts = self.world.cluster(self.cluster).map_or(&[][..], |cluster| &cluster.hosts);
        let listed =
            |host: &&HostId| self.world.host(**host).is_some_and(|found| found.said.status != HostStatus::Inactive);
        hosts.iter().filter(listed).copied().collect()
    }

    /// The tasks that are not over, and those that are remembered.
    pub fn tasks(&self) -> Vec<TaskId> {
        self.world.tasks_of_cluster(self.cluster).collect()
    }

    /// The body of DescribeContainerInstances for all hosts; none for an empty cluster.
    pub fn described_hosts(&self) -> Option<Vec<u8>> {
        let arns: Vec<String> = self.listed_hosts().into_iter().map(|host| self.world.host_arn(host)).collect();
        let request = json!({"cluster": self.cluster_arn(), "containerInstances": arns});
        (!arns.is_empty()).then(|| self.answer_of("DescribeContainerInstances", &request))
    }

    /// The bodies of DescribeTasks for all tasks, a hundred each.
    pub fn described_tasks(&self) -> Vec<Vec<u8>> {
        let arns: Vec<String> = self.tasks().into_iter().map(|task| self.world.task_arn(self.cluster, task)).collect();
        let describe =
            |arns: &[String]| self.answer_of("DescribeTasks", &json!({"cluster": self.cluster_arn(), "tasks": arns}));
        arns.chunks(100).map(describe).collect()
    }

    /// The body of DescribeTaskDefinition.
    pub fn described_definition(&self) -> Vec<u8> {
        let arn = self.world.definition_arn(self.definition);
        self.answer_of("DescribeTaskDefinition", &json!({"taskDefinition": arn}))
    }

    /// The body of DescribeServices for the service.
    pub fn described_service(&self) -> Vec<u8> {
        let arn = self.world.service_arn(self.service);
        self.answer_of("DescribeServices", &json!({"cluster": self.cluster_arn(), "services": [arn]}))
    }

    /// The subnets that have a limit to their addresses or not: id, zone and free addresses.
    pub fn subnets(&self) -> Vec<(String, String, u32)> {
        let zones = self.world.place(self.place).map_or(&[][..], |place| &place.zones);
        let numbered = zones.iter().zip(0u8..);
        let free = |number| self.world.free_addresses(self.place, number);
        numbered.map(|(zone, number)| (zone.subnet.clone(), zone.name.clone(), free(number))).collect()
    }

    /// One event for each host and each task, with its state as it is now.
    pub fn events(&self) -> Vec<Vec<u8>> {
        let at: Moment = self.world.now;
        let change = |serial: u64, what: What| Change { at, serial, place: self.place, what };
        let hosts = self.listed_hosts().into_iter().filter_map(|host| {
            let state = self.world.host(host)?.said;
            Some(What::Host { host, state })
        });
        let tasks = self.tasks().into_iter().filter_map(|task| {
            let now = *self.world.task(task)?;
            (now.said.last != TaskStatus::Stopped).then_some(What::Task { task, now })
        });
        let whats: Vec<What> = hosts.chain(tasks).collect();
        whats
            .into_iter()
            .zip(1 << 40..)
            .map(|(what, serial)| events::event(&self.world, &change(serial, what)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twin::draw;

    #[test]
    fn every_case_can_be_told_in_full() {
        for seed in 0..120 {
            let case = draw(seed);
            let hosts = case.listed_hosts().len();
            if let Some(body) = case.described_hosts() {
                let told: Value = serde_json::from_slice(&body).unwrap();
                assert_eq!(told["containerInstances"].as_array().map(Vec::len), Some(hosts), "seed {seed}");
            }
            let told: Value = serde_json::from_slice(&case.described_definition()).unwrap();
            assert_eq!(told["taskDefinition"]["family"], "wanted", "seed {seed}");
            let told: Value = serde_json::from_slice(&case.described_service()).unwrap();
            assert_eq!(told["services"].as_array().map(Vec::len), Some(1), "seed {seed}");
            for body in case.described_tasks().iter().chain(&case.events()) {
                assert!(serde_json::from_slice::<Value>(body).is_ok(), "seed {seed}");
            }
        }
    }
}
