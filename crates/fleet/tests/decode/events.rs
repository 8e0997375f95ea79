//! One event of every kind, as AWS writes them (spec A.4 to A.11).

use fleet::observation::{
    Amounts, Attributes, CheckStatus, Ec2State, Fact, Gpus, InstanceStatus, LifecycleStage, Observation, Source,
    TaskStatus, decode::decode_event,
};
use std::borrow::Cow;

fn event(source: &str, detail_type: &str, resource: &str, detail: &str) -> String {
    format!(
        r#"{{"version":"0","id":"0b1c9c52-6c1f-4b1a-8d3e-2f5a7c9e1b3d","detail-type":"{detail_type}","source":"{source}","account":"345678901234","time":"2026-03-04T05:06:07Z","region":"ap-south-1","resources":["{resource}"],"detail":{detail}}}"#
    )
}

fn fact(event: &str) -> Fact<'_> {
    let Observation { at, source, fact } = decode_event(event.as_bytes()).unwrap();
    assert_eq!((at.to_string().as_str(), source), ("2026-03-04T05:06:07Z", Source::Event));
    fact
}

const HOST: &str = "arn:aws-cn:ecs:ap-south-1:345678901234:container-instance/blue/9a8b7c6d5e4f30211203f4e5d6c7b8a9";
const TASK: &str = "arn:aws:ecs:ap-south-1:345678901234:task/blue/11112222333344445555666677778888";
const SERVICE: &str = "arn:aws:ecs:ap-south-1:345678901234:service/blue/web";

#[test]
fn a_container_instance_event_tells_everything_about_the_host_and_copies_nothing() {
    let text = event(
        "aws.ecs",
        "ECS Container Instance State Change",
        HOST,
        r#"{"agentConnected":false,"attributes":[{"name":"ecs.availability-zone","value":"ap-south-1a"},{"name":"ecs.capability.task-eni"},{"name":"ecs.instance-type","value":"c7g.large"},{"name":"ecs.awsvpc-trunk-id","value":"e0"}],
        "clusterArn":"arn:aws-cn:ecs:ap-south-1:345678901234:cluster/blue","containerInstanceArn":"arn:aws-cn:ecs:ap-south-1:345678901234:container-instance/blue/9a8b7c6d5e4f30211203f4e5d6c7b8a9","ec2InstanceId":"i-00112233445566778","pendingTasksCount":1,"runningTasksCount":12,"registeredAt":"2026-01-01T00:00:00.5Z",
        "registeredResources":[{"name":"PORTS","type":"STRINGSET","stringSetValue":["22"]}],"status":"DRAINING","version":812,"versionInfo":{"agentHash":"*77","agentVersion":"1.104.0"}}"#,
    );
    let Fact::Instance(host) = fact(&text) else { panic!("not a host") };
    assert!(matches!(host.arn, Cow::Borrowed(arn) if arn == HOST));
    assert_eq!(host.cluster, "arn:aws-cn:ecs:ap-south-1:345678901234:cluster/blue");
    assert_eq!(host.ec2_instance_id.as_deref(), Some("i-00112233445566778"));
    assert_eq!((host.version, host.status, host.agent_connected), (Some(812), InstanceStatus::Draining, Some(false)));
    assert_eq!((host.running_tasks, host.pending_tasks), (Some(12), Some(1)));
    assert_eq!(host.agent_version.as_deref(), Some("1.104.0"));
    assert_eq!(host.registered_at, Some("2026-01-01T00:00:00.5+00:00".parse().unwrap()));
    assert!(matches!(host.attributes, Attributes::Raw(_)));
    let attributes = host.attributes.read();
    assert_eq!(
        (attributes.zone.as_deref(), attributes.instance_type.as_deref()),
        (Some("ap-south-1a"), Some("c7g.large"))
    );
    assert!(attributes.trunk && !attributes.external);
}

#[test]
fn a_host_without_ec2_id_attributes_version_and_connection_is_still_a_host() {
    let detail = format!(
        r#"{{"clusterArn":"arn:aws:ecs:r:1:cluster/blue","containerInstanceArn":"{HOST}","status":"HIBERNATING","ec2InstanceId":null}}"#
    );
    let text = event("aws.ecs", "ECS Container Instance State Change", HOST, &detail);
    let Fact::Instance(host) = fact(&text) else { panic!("not a host") };
    assert_eq!((host.ec2_instance_id, host.version, host.agent_connected), (None, None, None));
    assert_eq!((host.status, &host.attributes), (InstanceStatus::Other, &Attributes::Absent));
    assert_eq!(host.attributes.read(), Default::default());
}

#[test]
fn an_external_host_is_known_by_its_capability() {
    let detail = format!(
        r#"{{"clusterArn":"arn:aws:ecs:r:1:cluster/blue","containerInstanceArn":"{HOST}","ec2InstanceId":"mi-0123456789abcdef0","attributes":[{{"name":"ecs.capability.external"}},{{"name":"ecs.awsvpc-trunk-id","value":null}}]}}"#
    );
    let text = event("aws.ecs", "ECS Container Instance State Change", HOST, &detail);
    let Fact::Instance(host) = fact(&text) else { panic!("not a host") };
    assert!(host.attributes.read().external && !host.attributes.read().trunk);
}

#[test]
fn attributes_that_are_broken_inside_give_what_stands_before_the_fault() {
    let raw = Attributes::Raw(r#"[{"name":"ecs.ami-id","value":"ami-1"},{"name" "ecs.os-type"}]"#);
    assert_eq!(raw.read().ami.as_deref(), Some("ami-1"));
    assert_eq!(raw.read().os_type, None);
}

/// An event of a host with these members in its detail.
fn host_event(members: &str) -> String {
    let detail = format!(
        r#"{{"clusterArn":"arn:aws:ecs:r:1:cluster/blue","containerInstanceArn":"{HOST}"{members},"version":5}}"#
    );
    event("aws.ecs", "ECS Container Instance State Change", HOST, &detail)
}

#[test]
fn a_host_tells_what_it_has_for_tasks_and_what_is_left() {
    let text = host_event(
        r#","registeredResources":[{"integerValue":2048,"longValue":0,"doubleValue":0,"name":"CPU","type":"INTEGER"},{"name":"PORTS","type":"STRINGSET","stringSetValue":["22"]},{"name":"MEMORY","type":"LONG","integerValue":0,"longValue":7680}],
        "remainingResources":[{"name":"CPU","type":"INTEGER","integerValue":256},{"name":"MEMORY","type":"INTEGER","integerValue":-64}]"#,
    );
    let Fact::Instance(host) = fact(&text) else { panic!("not a host") };
    let resources = host.resources.unwrap();
    assert_eq!(resources.registered, Amounts { cpu_units: 2_048, memory_mib: 7_680 });
    assert_eq!(resources.remaining, Amounts { cpu_units: 256, memory_mib: 0 });
    assert_eq!(resources.held(), Amounts { cpu_units: 1_792, memory_mib: 7_680 });
}

#[test]
fn resources_that_are_partly_missing_or_broken_cost_the_event_nothing_else() {
    let whole =
        r#"[{"name":"CPU","type":"INTEGER","integerValue":1},{"name":"MEMORY","type":"INTEGER","integerValue":1}]"#;
    for registered in [
        r#"[{"name":"CPU","type":"INTEGER","integerValue":1}]"#,
        r#"[{"name":"CPU","type":"INTEGER","integerValue":"1"},{"name":"MEMORY","type":"INTEGER","integerValue":1}]"#,
        r#"["CPU","MEMORY"]"#,
        "[]",
        "null",
    ] {
        let text = host_event(&format!(r#","registeredResources":{registered},"remainingResources":{whole}"#));
        let Fact::Instance(host) = fact(&text) else { panic!("not a host") };
        assert_eq!((host.resources, host.version), (None, Some(5)), "{registered}");
    }
}

#[test]
fn attributes_of_ones_own_are_kept_and_those_of_the_agent_are_not() {
    let text = host_event(
        r#","attributes":[{"name":"stack","value":"blue"},{"name":"ecs.capability.task-eni"},{"name":"com.amazonaws.ecs.capability.ecr-auth"},{"name":"muster:protect"}]"#,
    );
    let Fact::Instance(host) = fact(&text) else { panic!("not a host") };
    let marks = host.attributes.read().marks;
    assert_eq!(marks, [("stack".into(), "blue".into()), ("muster:protect".into(), "".into())]);
}

#[test]
fn a_task_with_an_interface_of_its_own_is_known_by_either_name_of_the_attachment() {
    for (attachments, awsvpc) in [
        (r#"[{"id":"1","type":"eni","status":"ATTACHED","details":[{"name":"type","value":"x"}]}]"#, true),
        (r#"[{"type":"ServiceConnect"},{"details":[],"type":"ElasticNetworkInterface"}]"#, true),
        (r#"[{"id":"eni","type":"ServiceConnect","details":[{"name":"type","value":"eni"}]}]"#, false),
        (r#"[{"type":7}]"#, false),
        ("[]", false),
        ("null", false),
    ] {
        let detail = format!(
            r#"{{"attachments":{attachments},"clusterArn":"arn:aws:ecs:r:1:cluster/blue","taskArn":"{TASK}","lastStatus":"RUNNING"}}"#
        );
        let text = event("aws.ecs", "ECS Task State Change", TASK, &detail);
        let Fact::Task(task) = fact(&text) else { panic!("not a task") };
        assert_eq!((task.awsvpc, task.last_status), (awsvpc, TaskStatus::Running), "{attachments}");
    }
}

#[test]
fn a_task_event_tells_where_the_task_ran_and_why_it_stopped() {
    let text = event(
        "aws.ecs",
        "ECS Task State Change",
        TASK,
        &format!(
            r#"{{"clusterArn":"arn:aws:ecs:ap-south-1:345678901234:cluster/blue","connectivity":"DISCONNECTED","containerInstanceArn":"{HOST}","containers":[{{"name":"web","networkBindings":[{{"bindIp":"0.0.0.0","hostPort":32768}}]}}],"desiredStatus":"STOPPED","group":"service:web","lastStatus":"DEACTIVATING","startedAt":"2026-03-04T05:00:00.123Z","stopCode":"TaskFailedToStart","stoppedReason":"CannotPullContainerError: \"web\" \u00fc","taskArn":"{TASK}","taskDefinitionArn":"arn:aws:ecs:ap-south-1:345678901234:task-definition/web:3","version":9}}"#
        ),
    );
    let Fact::Task(task) = fact(&text) else { panic!("not a task") };
    assert_eq!((task.arn.as_ref(), task.instance.as_deref()), (TASK, Some(HOST)));
    assert_eq!((task.last_status, task.desired_running, task.version), (TaskStatus::Deactivating, false, Some(9)));
    assert_eq!((task.connected, task.group.as_deref()), (Some(false), Some("service:web")));
    assert_eq!(task.stopped_reason.as_deref(), Some("CannotPullContainerError: \"web\" ü"));
    assert_eq!(task.definition.as_deref(), Some("arn:aws:ecs:ap-south-1:345678901234:task-definition/web:3"));
    assert_eq!(task.started_at, Some("2026-03-04T05:00:00.123Z".parse().unwrap()));
}

#[test]
fn a_task_on_fargate_has_no_host() {
    let detail = format!(
        r#"{{"clusterArn":"arn:aws:ecs:r:1:cluster/blue","taskArn":"{TASK}","lastStatus":"NAPPING","desiredStatus":"RUNNING"}}"#
    );
    let text = event("aws.ecs", "ECS Task State Change", TASK, &detail);
    let Fact::Task(task) = fact(&text) else { panic!("not a task") };
    assert_eq!((task.instance, task.last_status, task.desired_running), (None, TaskStatus::Other, true));
}

#[test]
fn a_service_action_takes_its_service_from_the_resources() {
    let text = event(
        "aws.ecs",
        "ECS Service Action",
        SERVICE,
        r#"{"eventType":"ERROR","eventName":"SERVICE_TASK_PLACEMENT_FAILURE","clusterArn":"arn:aws:ecs:ap-south-1:345678901234:cluster/blue","reason":"AGENT","createdAt":"2026-03-04T05:06:06.9Z","containerInstanceArns":["arn:x"]}"#,
    );
    let Fact::ServiceAction(action) = fact(&text) else { panic!("not a service action") };
    assert_eq!((action.service.as_ref(), action.level.as_ref()), (SERVICE, "ERROR"));
    assert_eq!((action.name.as_ref(), action.reason.as_deref()), ("SERVICE_TASK_PLACEMENT_FAILURE", Some("AGENT")));
    assert_eq!(action.created_at.as_deref(), Some("2026-03-04T05:06:06.9Z"));
    assert_eq!(action.hosts, ["arn:x"]);
    let nameless = text.replace(&format!("\"{SERVICE}\""), "");
    assert_eq!(decode_event(nameless.as_bytes()).unwrap_err().to_string(), "resources[0]: missing");
}

#[test]
fn a_deployment_event_takes_its_service_from_the_resources() {
    let text = event(
        "aws.ecs",
        "ECS Deployment State Change",
        SERVICE,
        r#"{"eventType":"INFO","eventName":"SERVICE_DEPLOYMENT_COMPLETED","deploymentId":"ecs-svc/42","updatedAt":"2026-03-04T05:06:05Z","reason":"done"}"#,
    );
    let Fact::Deployment(deployment) = fact(&text) else { panic!("not a deployment") };
    assert_eq!((deployment.service.as_ref(), deployment.deployment.as_ref()), (SERVICE, "ecs-svc/42"));
    assert_eq!(
        (deployment.name.as_ref(), deployment.reason.as_deref()),
        ("SERVICE_DEPLOYMENT_COMPLETED", Some("done"))
    );
    assert_eq!(deployment.updated_at.as_deref(), Some("2026-03-04T05:06:05Z"));
}

#[test]
fn a_health_event_tells_each_check() {
    let text = event(
        "aws.ecs",
        "ECS Container Instance Health Change",
        HOST,
        &format!(
            r#"{{"clusterArn":"arn:aws:ecs:ap-south-1:345678901234:cluster/blue","containerInstanceArn":"{HOST}","capacityProviderName":null,"ec2InstanceId":"i-00112233445566778","overallStatus":"IMPAIRED","healthChecks":[
            {{"type":"AGENT_CONNECTIVITY","status":"IMPAIRED","lastStatusChange":"2026-03-04T05:06:00Z","lastUpdated":"2026-03-04T05:05:59Z","statusReason":"away"}},{{"type":"MOON_PHASE","status":"WAXING","statusReason":null}}]}}"#
        ),
    );
    let Fact::Health(health) = fact(&text) else { panic!("not a health change") };
    let [agent, moon] = &health.checks[..] else { panic!("two checks") };
    assert_eq!((agent.kind.as_ref(), agent.status), ("AGENT_CONNECTIVITY", CheckStatus::Impaired));
    assert_eq!(agent.last_status_change, Some("2026-03-04T05:06:00Z".parse().unwrap()));
    assert_eq!((moon.status, moon.last_updated, &moon.reason), (CheckStatus::Other, None, &None));
}

#[test]
fn ec2_tells_the_state_of_machines() {
    let resource = "arn:aws:ec2:ap-south-1:345678901234:instance/i-00112233445566778";
    let kind = "EC2 Instance State-change Notification";
    let text = event("aws.ec2", kind, resource, r#"{"instance-id":"i-00112233445566778","state":"shutting-down"}"#);
    assert_eq!(
        fact(&text),
        Fact::Ec2State { instance_id: "i-00112233445566778".into(), state: Ec2State::ShuttingDown }
    );
    let text = event("aws.ec2", kind, resource, r#"{"instance-id":"i-1","state":"dreaming"}"#);
    assert!(matches!(fact(&text), Fact::Ec2State { state: Ec2State::Other, .. }));
}

#[test]
fn a_spot_warning_names_its_machine_in_the_detail_or_in_the_odd_arn_of_its_resource() {
    let kind = "EC2 Spot Instance Interruption Warning";
    let resource = "arn:aws:ec2:ap-south-1b:instance/i-00112233445566778";
    let expected = Fact::SpotInterruption { instance_id: "i-00112233445566778".into(), action: "stop".into() };
    let text = event("aws.ec2", kind, resource, r#"{"instance-id":"i-00112233445566778","instance-action":"stop"}"#);
    assert_eq!(fact(&text), expected);
    assert_eq!(fact(&event("aws.ec2", kind, resource, r#"{"instance-action":"stop"}"#)), expected);
    let text = event("aws.ec2", kind, "arn:aws:ec2:ap-south-1b:instance/none", r#"{"instance-action":"stop"}"#);
    assert_eq!(decode_event(text.as_bytes()).unwrap_err().to_string(), "detail.instance-id: missing");
}

#[test]
fn a_rebalance_recommendation_names_its_machine() {
    let text = event("aws.ec2", "EC2 Instance Rebalance Recommendation", "arn:x", r#"{"instance-id":"i-0a1b2c3d"}"#);
    assert_eq!(fact(&text), Fact::RebalanceRecommendation { instance_id: "i-0a1b2c3d".into() });
}

#[test]
fn auto_scaling_tells_what_becomes_of_a_machine() {
    for (kind, stage) in [
        ("EC2 Instance-launch Lifecycle Action", LifecycleStage::Launching),
        ("EC2 Instance Launch Successful", LifecycleStage::Launched),
        ("EC2 Instance-terminate Lifecycle Action", LifecycleStage::Terminating),
        ("EC2 Instance Terminate Successful", LifecycleStage::Terminated),
    ] {
        let text = event(
            "aws.autoscaling",
            kind,
            "arn:aws:autoscaling:ap-south-1:345678901234:autoScalingGroup:u:autoScalingGroupName/blue-hosts",
            r#"{"LifecycleActionToken":"t","AutoScalingGroupName":"blue-hosts","LifecycleHookName":"h","EC2InstanceId":"i-0a1b2c3d","Details":{"Availability Zone":"ap-south-1a"}}"#,
        );
        let Fact::Lifecycle(lifecycle) = fact(&text) else { panic!("{kind}") };
        assert_eq!((lifecycle.stage, lifecycle.group.as_ref()), (stage, "blue-hosts"));
        assert_eq!(
            (lifecycle.place.as_ref(), lifecycle.instance_id.as_ref()),
            ("345678901234/ap-south-1", "i-0a1b2c3d")
        );
    }
}

#[test]
fn a_failed_launch_tells_its_group_and_its_message() {
    let kind = "EC2 Instance Launch Unsuccessful";
    let detail = r#"{"StatusCode":"Failed","StatusMessage":"no capacity","Cause":"a reason","AutoScalingGroupName":"g","EC2InstanceId":""}"#;
    let text = event("aws.autoscaling", kind, "arn:x", detail);
    let Fact::LaunchFailed(failure) = fact(&text) else { panic!("not a failure") };
    assert_eq!((failure.group.as_ref(), failure.message.as_deref()), ("g", Some("no capacity")));
    let text = text.replace("no capacity", "");
    let Fact::LaunchFailed(failure) = fact(&text) else { panic!("not a failure") };
    assert_eq!((failure.place.as_ref(), failure.message.as_deref()), ("345678901234/ap-south-1", Some("a reason")));
}

#[test]
fn events_of_kinds_nobody_taught_muster_are_unknown_and_no_error() {
    for (source, kind) in [
        ("aws.ecs", "AWS API Call via CloudTrail"),
        ("aws.autoscaling", "EC2 Instance Terminate Unsuccessful"),
        ("aws.health", "ECS Task State Change"),
        ("aws.ec2", "EC2 Instance Launch Successful"),
    ] {
        let text = event(source, kind, "arn:x", r#"{"anything":[{"goes":null}]}"#);
        assert_eq!(fact(&text), Fact::Unknown { source: source.into(), detail_type: kind.into() });
    }
    let bare = r#"{"source":"my.app","detail-type":"Hello","time":"2026-03-04T05:06:07+00:00"}"#;
    assert!(matches!(fact(bare), Fact::Unknown { .. }));
}

#[test]
fn a_host_tells_its_ports_and_gpus_wherever_they_stand() {
    let text = host_event(
        r#","registeredResources":[{"name":"CPU","type":"INTEGER","integerValue":8},{"name":"MEMORY","type":"INTEGER","integerValue":8},{"name":"PORTS","type":"STRINGSET","stringSetValue":["22"]},{"stringSetValue":["GPU-1","GPU-2"],"name":"GPU","type":"STRINGSET"}],
        "remainingResources":[{"name":"PORTS_UDP","type":"STRINGSET","stringSetValue":["53"]},{"name":"CPU","type":"INTEGER","integerValue":8},{"name":"MEMORY","type":"INTEGER","integerValue":8},{"name":"PORTS","type":"STRINGSET","stringSetValue":["32768","22","none","0"]},{"name":"GPU","type":"STRINGSET","stringSetValue":["GPU-2"]}]"#,
    );
    let Fact::Instance(host) = fact(&text) else { panic!("not a host") };
    assert_eq!(host.gpus, Some(Gpus { registered: 2, remaining: 1 }));
    let ports: Vec<String> = host.ports.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(ports, ["22/tcp", "53/udp", "32768/tcp"]);
}

#[test]
fn ports_that_are_broken_inside_are_not_told_and_amounts_before_them_are() {
    let whole =
        r#"[{"name":"CPU","type":"INTEGER","integerValue":1},{"name":"MEMORY","type":"INTEGER","integerValue":1}"#;
    let text = host_event(&format!(
        r#","registeredResources":{whole}],"remainingResources":{whole},{{"name":"PORTS","stringSetValue":["22",80]}}]"#
    ));
    let Fact::Instance(host) = fact(&text) else { panic!("not a host") };
    assert_eq!((host.resources.is_some(), host.ports, host.gpus), (true, None, None));
}
