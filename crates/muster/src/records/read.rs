//! What ECS says of services and tasks, in its own JSON, as records have it.

use fleet::{census::HostCensus, id::Arn};
use jiff::Timestamp;
use serde_json::Value;
use telemetry::record::{
    reserved::{self, Asked, Reserved},
    service::ServiceRecord,
    task::{TaskIdentity, TaskRecord},
    usage::Usage,
};

/// A service as DescribeServices describes it. `None` without a name.
pub fn service(described: &Value, cluster: &str, timestamp_ms: i64) -> Option<ServiceRecord> {
    let count = |name: &str| described[name].as_u64().unwrap_or(0);
    let length = |name: &str| described[name].as_array().map_or(0, |list| list.len() as u64);
    Some(ServiceRecord {
        service: described["serviceName"].as_str()?.to_owned(),
        cluster: cluster.to_owned(),
        timestamp_ms,
        desired_tasks: count("desiredCount"),
        running_tasks: count("runningCount"),
        pending_tasks: count("pendingCount"),
        deployments: length("deployments"),
        task_sets: length("taskSets"),
    })
}

/// What ECS says of a task that does not change while it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskFacts {
    /// ARN.
    pub arn: String,
    record: TaskRecord,
    size: Reserved,
    containers: Vec<Asked>,
}

impl TaskFacts {
    /// A task as DescribeTasks describes it. `None` without an ARN.
    pub fn read(described: &Value) -> Option<Self> {
        let text = |name: &str| described[name].as_str().filter(|text| !text.is_empty());
        let arn = text("taskArn")?;
        let parsed = Arn::parse(arn)?;
        let cluster = Arn::parse(text("clusterArn")?)?.last().to_owned();
        let definition = text("taskDefinitionArn").unwrap_or_default();
        let (family, revision) = definition.rsplit('/').next()?.rsplit_once(':').unwrap_or_default();
        let host = text("containerInstanceArn").map(|arn| arn.rsplit('/').next().unwrap_or(arn).to_owned());
        let ms = |name: &str| wire::json::time(&described[name]).map(Timestamp::as_millisecond);
        let identity = TaskIdentity {
            task: parsed.last().to_owned(),
            family: family.to_owned(),
            revision: revision.to_owned(),
            service: text("group").and_then(|group| group.strip_prefix("service:")).map(str::to_owned),
            container_instance: host,
            ec2_instance: None,
            cluster,
        };
        let record = TaskRecord {
            identity,
            account: parsed.account.to_owned(),
            region: parsed.region.to_owned(),
            zone: text("availabilityZone").map(str::to_owned),
            status: "RUNNING".to_owned(),
            launch_type: text("launchType").unwrap_or("EC2").to_owned(),
            pull_started_ms: ms("pullStartedAt"),
            pull_stopped_ms: ms("pullStoppedAt"),
            created_ms: ms("createdAt"),
            started_ms: ms("startedAt"),
            ..TaskRecord::default()
        };
        Some(Self {
            arn: arn.to_owned(),
            record,
            size: Reserved { cpu_units: number(&described["cpu"]), memory_mib: number(&described["memory"]) },
            containers: described["containers"].as_array().into_iter().flatten().map(asked).collect(),
        })
    }

    /// Its record at a minute, as far as it is known without its host: what is reserved, not what is used.
    pub fn record(&self, host: Option<&HostCensus>, timestamp_ms: i64) -> TaskRecord {
        let whole = Reserved {
            cpu_units: host.and_then(|host| host.cpu_units).map(u64::from),
            memory_mib: host.and_then(|host| host.memory_mib).map(u64::from),
        };
        let reserved = reserved::of_task(self.size, &self.containers, whole);
        let mut record = self.record.clone();
        record.timestamp_ms = timestamp_ms;
        record.identity.ec2_instance = host.and_then(|host| host.ec2_instance_id.clone());
        if record.zone.is_none() {
            record.zone = host.and_then(|host| host.zone.clone());
        }
        record.usage = Usage {
            cpu_reserved_units: reserved.cpu_units.map(|units| units as f64),
            memory_reserved_mib: reserved.memory_mib,
            ..Usage::default()
        };
        record
    }
}

/// ECS writes sizes as texts; nothing is no size.
fn number(value: &Value) -> Option<u64> {
    value.as_str().and_then(|text| text.parse().ok()).or_else(|| value.as_u64()).filter(|number| *number > 0)
}

fn asked(container: &Value) -> Asked {
    Asked {
        cpu_units: number(&container["cpu"]),
        memory_hard_mib: number(&container["memory"]),
        memory_soft_mib: number(&container["memoryReservation"]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn task() -> Value {
        json!({
            "taskArn": "arn:aws:ecs:eu-central-1:210987654321:task/market/0f1e2d3c4b5a69788796a5b4c3d2e1f0",
            "clusterArn": "arn:aws:ecs:eu-central-1:210987654321:cluster/market",
            "taskDefinitionArn": "arn:aws:ecs:eu-central-1:210987654321:task-definition/till:41",
            "containerInstanceArn": "arn:aws:ecs:eu-central-1:210987654321:container-instance/market/aa11",
            "group": "service:till", "launchType": "EC2", "availabilityZone": "eu-central-1b",
            "cpu": "256", "memory": "512", "createdAt": 1_790_000_030.5, "startedAt": "2026-09-21T14:13:53Z",
            "containers": [{ "name": "app", "cpu": "100", "memoryReservation": "64" }],
        })
    }

    fn host() -> HostCensus {
        HostCensus {
            arn: "arn:aws:ecs:eu-central-1:210987654321:container-instance/market/aa11".to_owned(),
            ec2_instance_id: Some("i-00112233445566778".to_owned()),
            zone: Some("eu-central-1a".to_owned()),
            running_tasks: 1,
            cpu_units: Some(2_048),
            memory_mib: Some(3_800),
        }
    }

    #[test]
    fn a_task_is_read_with_who_it_is_and_what_it_has_reserved() {
        let record = TaskFacts::read(&task()).unwrap().record(Some(&host()), 1_790_000_040_000);
        assert_eq!(record.identity.task, "0f1e2d3c4b5a69788796a5b4c3d2e1f0");
        assert_eq!((record.identity.family.as_str(), record.identity.revision.as_str()), ("till", "41"));
        assert_eq!(record.identity.service.as_deref(), Some("till"));
        assert_eq!(record.identity.ec2_instance.as_deref(), Some("i-00112233445566778"));
        assert_eq!((record.created_ms, record.started_ms), (Some(1_790_000_030_500), Some(1_790_000_033_000)));
        assert_eq!(record.zone.as_deref(), Some("eu-central-1b"));
        assert_eq!(record.usage.cpu_reserved_units, Some(256.0));
        assert_eq!((record.usage.cpu_used_units, record.usage.network), (None, None), "nothing is invented");
    }

    #[test]
    fn without_a_size_the_containers_count_and_without_theirs_the_host() {
        let mut described = task();
        described["cpu"] = Value::Null;
        described["memory"] = json!("0");
        let of = |described: &Value| TaskFacts::read(described).unwrap().record(Some(&host()), 0).usage;
        assert_eq!((of(&described).cpu_reserved_units, of(&described).memory_reserved_mib), (Some(100.0), Some(64)));
        described["containers"] = json!([{}]);
        assert_eq!(
            (of(&described).cpu_reserved_units, of(&described).memory_reserved_mib),
            (Some(2_048.0), Some(3_800))
        );
        described["group"] = json!("family:till");
        assert_eq!(TaskFacts::read(&described).unwrap().record(None, 0).identity.service, None);
    }

    #[test]
    fn a_task_or_service_without_a_name_is_none() {
        assert_eq!(TaskFacts::read(&json!({})), None);
        assert_eq!(service(&json!({ "desiredCount": 1 }), "market", 0), None);
    }

    #[test]
    fn a_service_is_read_with_all_its_counts() {
        let described = json!({ "serviceName": "till", "desiredCount": 4, "runningCount": 0, "pendingCount": 3,
            "deployments": [{}, {}], "taskSets": [] });
        let record = service(&described, "market", 7).unwrap();
        assert_eq!((record.desired_tasks, record.running_tasks, record.pending_tasks), (4, 0, 3));
        assert_eq!((record.deployments, record.task_sets, record.timestamp_ms), (2, 0, 7));
    }
}
