//! Eight patterns of the kinds people write: exact, prefix, anything-but. Each stands here twice, as EventBridge takes
//! it and as a predicate on the decoded observation; a measurement counts only when both find the same number.

use fleet::observation::{Ec2State, Fact, InstanceStatus, Observation, TaskStatus};

/// Names and EventBridge patterns.
pub const PATTERNS: [(&str, &str); 8] = [
    (
        "agent-away",
        r#"{"source":["aws.ecs"],"detail-type":["ECS Container Instance State Change"],"detail":{"agentConnected":[false],"status":["ACTIVE","DRAINING"]}}"#,
    ),
    (
        "task-stopped",
        r#"{"source":["aws.ecs"],"detail-type":["ECS Task State Change"],"detail":{"lastStatus":["STOPPED"]}}"#,
    ),
    (
        "task-stopped-by-itself",
        r#"{"source":["aws.ecs"],"detail":{"lastStatus":["STOPPED"],"stopCode":[{"anything-but":["UserInitiated","ServiceSchedulerInitiated"]}]}}"#,
    ),
    (
        "production-clusters",
        r#"{"source":["aws.ecs"],"detail":{"clusterArn":[{"prefix":"arn:aws:ecs:eu-central-1:210987654321:cluster/prod-"}]}}"#,
    ),
    (
        "no-room-for-a-task",
        r#"{"source":["aws.ecs"],"detail-type":["ECS Service Action"],"detail":{"eventName":["SERVICE_TASK_PLACEMENT_FAILURE"],"reason":[{"prefix":"RESOURCE:"},"AGENT"]}}"#,
    ),
    ("machine-not-running", r#"{"source":["aws.ec2"],"detail":{"state":[{"anything-but":["running","pending"]}]}}"#),
    (
        "task-of-a-service",
        r#"{"source":["aws.ecs"],"detail-type":["ECS Task State Change"],"detail":{"group":[{"prefix":"service:"}],"desiredStatus":["RUNNING"]}}"#,
    ),
    (
        "agent-not-current",
        r#"{"source":["aws.ecs"],"detail-type":["ECS Container Instance State Change"],"detail":{"versionInfo":{"agentVersion":[{"anything-but":["1.105.1"]}]}}}"#,
    ),
];

/// How many of [`PATTERNS`] an observation matches.
pub fn count_matches(observation: &Observation<'_>) -> u32 {
    let production = |cluster: &str| cluster.starts_with("arn:aws:ecs:eu-central-1:210987654321:cluster/prod-");
    match &observation.fact {
        Fact::Task(task) => {
            let stopped = task.last_status == TaskStatus::Stopped;
            let by_itself = task
                .stop_code
                .as_deref()
                .is_some_and(|code| code != "UserInitiated" && code != "ServiceSchedulerInitiated");
            u32::from(stopped)
                + u32::from(stopped && by_itself)
                + u32::from(production(&task.cluster))
                + u32::from(
                    task.desired_running && task.group.as_deref().is_some_and(|group| group.starts_with("service:")),
                )
        }
        Fact::Instance(host) => {
            let away = host.agent_connected == Some(false)
                && matches!(host.status, InstanceStatus::Active | InstanceStatus::Draining);
            u32::from(away)
                + u32::from(production(&host.cluster))
                + u32::from(host.agent_version.as_deref().is_some_and(|version| version != "1.105.1"))
        }
        Fact::ServiceAction(action) => {
            let no_room = action.name == "SERVICE_TASK_PLACEMENT_FAILURE"
                && action.reason.as_deref().is_some_and(|reason| reason.starts_with("RESOURCE:") || reason == "AGENT");
            u32::from(no_room) + u32::from(production(&action.cluster))
        }
        Fact::Ec2State { state, .. } => u32::from(!matches!(state, Ec2State::Running | Ec2State::Pending)),
        _ => 0,
    }
}
