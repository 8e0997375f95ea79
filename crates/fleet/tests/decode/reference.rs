//! The decoder one would write first: over `serde_json::Value`, slow and plain.

use std::borrow::Cow;

use fleet::observation::{
    Amounts, Attributes, CheckStatus, DeploymentFact, Ec2State, Fact, Gpus, HealthCheck, HealthFact, HostAttributes,
    HostPort, InstanceFact, InstanceStatus, LaunchFailure, LifecycleFact, LifecycleStage, Observation, Protocol,
    Resources, ServiceActionFact, Source, TaskFact, TaskStatus, Text,
};
use jiff::Timestamp;
use serde_json::Value;

fn text(value: &Value) -> Option<Text<'static>> {
    value.as_str().map(|text| Cow::Owned(text.to_owned()))
}

fn must(value: &Value) -> Text<'static> {
    text(value).unwrap()
}

fn time(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => Some(text.parse().unwrap()),
        Value::Number(secs) => Some(Timestamp::from_second(secs.as_i64().unwrap()).unwrap()),
        _ => None,
    }
}

/// What the event says.
pub(crate) fn decode(event: &str) -> Observation<'static> {
    let event: Value = serde_json::from_str(event).unwrap();
    Observation { at: time(&event["time"]).unwrap(), source: Source::Event, fact: fact(&event) }
}

fn fact(event: &Value) -> Fact<'static> {
    let detail = &event["detail"];
    let place = || Cow::Owned(format!("{}/{}", must(&event["account"]), must(&event["region"])));
    let group = || must(&detail["AutoScalingGroupName"]);
    let lifecycle = |stage| {
        Fact::Lifecycle(LifecycleFact {
            instance_id: must(&detail["EC2InstanceId"]),
            group: group(),
            place: place(),
            stage,
        })
    };
    match event["detail-type"].as_str().unwrap() {
        "ECS Container Instance State Change" => instance(detail),
        "ECS Task State Change" => task(detail),
        "ECS Service Action" => Fact::ServiceAction(ServiceActionFact {
            service: must(&event["resources"][0]),
            cluster: must(&detail["clusterArn"]),
            level: must(&detail["eventType"]),
            name: must(&detail["eventName"]),
            reason: text(&detail["reason"]),
            created_at: text(&detail["createdAt"]),
            hosts: detail["containerInstanceArns"].as_array().into_iter().flatten().filter_map(text).collect(),
        }),
        "ECS Deployment State Change" => Fact::Deployment(DeploymentFact {
            service: must(&event["resources"][0]),
            deployment: must(&detail["deploymentId"]),
            name: must(&detail["eventName"]),
            reason: text(&detail["reason"]),
            updated_at: text(&detail["updatedAt"]),
        }),
        "ECS Container Instance Health Change" => Fact::Health(HealthFact {
            arn: must(&detail["containerInstanceArn"]),
            cluster: must(&detail["clusterArn"]),
            ec2_instance_id: text(&detail["ec2InstanceId"]),
            checks: detail["healthChecks"].as_array().unwrap().iter().map(check).collect(),
        }),
        "EC2 Instance State-change Notification" => Fact::Ec2State {
            instance_id: must(&detail["instance-id"]),
            state: Ec2State::parse(detail["state"].as_str().unwrap()),
        },
        "EC2 Spot Instance Interruption Warning" => Fact::SpotInterruption {
            instance_id: must(&detail["instance-id"]),
            action: must(&detail["instance-action"]),
        },
        "EC2 Instance Rebalance Recommendation" => {
            Fact::RebalanceRecommendation { instance_id: must(&detail["instance-id"]) }
        }
        "EC2 Instance-launch Lifecycle Action" => lifecycle(LifecycleStage::Launching),
        "EC2 Instance Launch Successful" => lifecycle(LifecycleStage::Launched),
        "EC2 Instance-terminate Lifecycle Action" => lifecycle(LifecycleStage::Terminating),
        "EC2 Instance Terminate Successful" => lifecycle(LifecycleStage::Terminated),
        "EC2 Instance Launch Unsuccessful" => {
            let told = |value| text(value).filter(|text| !text.is_empty());
            let message = told(&detail["StatusMessage"]).or_else(|| told(&detail["Cause"]));
            Fact::LaunchFailed(LaunchFailure { group: group(), place: place(), message })
        }
        other => Fact::Unknown { source: must(&event["source"]), detail_type: Cow::Owned(other.to_owned()) },
    }
}

fn instance(detail: &Value) -> Fact<'static> {
    let count = |value: &Value| value.as_u64().map(|count| u32::try_from(count).unwrap());
    Fact::Instance(InstanceFact {
        arn: must(&detail["containerInstanceArn"]),
        cluster: must(&detail["clusterArn"]),
        ec2_instance_id: text(&detail["ec2InstanceId"]),
        version: detail["version"].as_i64(),
        status: InstanceStatus::parse(detail["status"].as_str().unwrap_or("absent")),
        status_reason: text(&detail["statusReason"]),
        agent_connected: detail["agentConnected"].as_bool(),
        agent_version: text(&detail["versionInfo"]["agentVersion"]),
        running_tasks: count(&detail["runningTasksCount"]),
        pending_tasks: count(&detail["pendingTasksCount"]),
        registered_at: time(&detail["registeredAt"]),
        resources: amounts(&detail["registeredResources"])
            .zip(amounts(&detail["remainingResources"]))
            .map(|(registered, remaining)| Resources { registered, remaining }),
        gpus: strings(&detail["registeredResources"], "GPU").map(|gpus| Gpus {
            registered: gpus.len() as u16,
            remaining: strings(&detail["remainingResources"], "GPU").map_or(0, |gpus| gpus.len() as u16),
        }),
        ports: ports(&detail["remainingResources"]),
        capacity_provider: text(&detail["capacityProviderName"]),
        attributes: match detail["attributes"].as_array() {
            Some(list) => Attributes::Known(Box::new(attributes(list))),
            None => Attributes::Absent,
        },
    })
}

fn amounts(list: &Value) -> Option<Amounts> {
    let list = list.as_array()?;
    let value = |name: &str| {
        list.iter().filter(|it| it["name"] == name).find_map(|it| {
            let field = if it["type"] == "LONG" { "longValue" } else { "integerValue" };
            it[field].as_i64().map(|value| value.clamp(0, i64::from(u32::MAX)) as u32)
        })
    };
    Some(Amounts { cpu_units: value("CPU")?, memory_mib: value("MEMORY")? })
}

/// The strings of the first resource of this name that has any.
fn strings(list: &Value, name: &str) -> Option<Vec<String>> {
    let mut named = list.as_array()?.iter().filter(|it| it["name"] == name);
    named
        .find_map(|it| it["stringSetValue"].as_array())
        .map(|texts| texts.iter().filter_map(|text| Some(text.as_str()?.to_owned())).collect())
}

fn ports(list: &Value) -> Option<Vec<HostPort>> {
    let of = |name, protocol| {
        let named = list.as_array().into_iter().flatten().filter(move |it| it["name"] == name);
        named.map(move |it| {
            let texts = it["stringSetValue"].as_array().into_iter().flatten();
            let digits =
                texts.filter_map(Value::as_str).filter(|text| text.chars().all(|digit| digit.is_ascii_digit()));
            digits
                .filter_map(|text| text.parse().ok())
                .filter(|port| *port != 0)
                .map(|port| HostPort { port, protocol })
                .collect::<Vec<HostPort>>()
        })
    };
    let lists: Vec<Vec<HostPort>> = of("PORTS", Protocol::Tcp).chain(of("PORTS_UDP", Protocol::Udp)).collect();
    let set: std::collections::BTreeSet<HostPort> = lists.iter().flatten().copied().collect();
    (!lists.is_empty()).then(|| set.into_iter().collect())
}

fn attributes(list: &[Value]) -> HostAttributes<'static> {
    let last = |name: &str| list.iter().rfind(|attribute| attribute["name"] == name);
    let value = |name: &str| last(name).and_then(|found| text(&found["value"])).filter(|value| !value.is_empty());
    HostAttributes {
        zone: value("ecs.availability-zone"),
        instance_type: value("ecs.instance-type"),
        ami: value("ecs.ami-id"),
        subnet: value("ecs.subnet-id"),
        os_type: value("ecs.os-type"),
        external: last("ecs.capability.external").is_some(),
        trunk: value("ecs.awsvpc-trunk-id").is_some(),
        marks: list.iter().filter_map(mark).collect(),
        others: list.iter().filter_map(other).collect(),
    }
}

fn mark(attribute: &Value) -> Option<(Text<'static>, Text<'static>)> {
    let name = text(&attribute["name"]).filter(|name| !name.is_empty())?;
    let own = !["ecs.", "com.amazonaws."].iter().any(|begin| name.starts_with(begin));
    own.then(|| (name, text(&attribute["value"]).unwrap_or_default()))
}

fn other(attribute: &Value) -> Option<(Text<'static>, Text<'static>)> {
    let known = [
        "",
        "ecs.availability-zone",
        "ecs.instance-type",
        "ecs.ami-id",
        "ecs.subnet-id",
        "ecs.os-type",
        "ecs.capability.external",
        "ecs.awsvpc-trunk-id",
    ];
    let name = text(&attribute["name"]).filter(|name| !known.contains(&name.as_ref()))?;
    Some((name, text(&attribute["value"]).unwrap_or_default()))
}

fn task(detail: &Value) -> Fact<'static> {
    Fact::Task(TaskFact {
        arn: must(&detail["taskArn"]),
        cluster: must(&detail["clusterArn"]),
        instance: text(&detail["containerInstanceArn"]),
        version: detail["version"].as_i64(),
        last_status: TaskStatus::parse(detail["lastStatus"].as_str().unwrap_or("absent")),
        desired_running: detail["desiredStatus"] == "RUNNING",
        group: text(&detail["group"]),
        definition: text(&detail["taskDefinitionArn"]),
        awsvpc: detail["attachments"].as_array().is_some_and(|list| {
            list.iter().any(|it| {
                let kind = it["type"].as_str().unwrap_or_default().to_lowercase();
                kind == "eni" || kind == "elasticnetworkinterface"
            })
        }),
        connected: match detail["connectivity"].as_str() {
            Some("CONNECTED") => Some(true),
            Some("DISCONNECTED") => Some(false),
            _ => None,
        },
        started_at: time(&detail["startedAt"]),
        stop_code: text(&detail["stopCode"]),
        stopped_reason: text(&detail["stoppedReason"]),
    })
}

fn check(check: &Value) -> HealthCheck<'static> {
    HealthCheck {
        kind: must(&check["type"]),
        status: CheckStatus::parse(check["status"].as_str().unwrap_or("absent")),
        last_status_change: time(&check["lastStatusChange"]),
        last_updated: time(&check["lastUpdated"]),
        reason: text(&check["statusReason"]),
    }
}
