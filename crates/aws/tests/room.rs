//! What room there is, asked of AWS when somebody wants to know: what it may answer, and what becomes of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop at its line")]

#[allow(unreachable_pub, reason = "shared by the tests of this folder")]
mod scripted;

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
};

use aws::{AwsCloud, Settings, connect, supply::Wanted};
use engine::ports::{
    Answer, Cloud as _, FailureKind, Scope, Sweep,
    observation::{Fact, TaskStatus},
};
use scripted::{Answers, Asked, Script, Serving, acting};
use serde_json::json;
use tokio::sync::mpsc;

use acting::{CLUSTER, HOST, MACHINE};

async fn cloud(answers: Answers) -> (AwsCloud, Serving) {
    let serving = answers.serve().await;
    let settings = Settings { audit_tasks: true, ..acting::settings(serving.url()) };
    (connect(settings).await.unwrap(), serving)
}

fn names(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn types(asked: &Asked) -> Script {
    let asked = asked.form("InstanceType.");
    let strange: Vec<&str> = asked.iter().map(String::as_str).filter(|name| name.starts_with("x0x")).collect();
    if !strange.is_empty() {
        let said = format!("The following supplied instance types do not exist: [{}]", strange.join(", "));
        return Script::ec2_error("InvalidInstanceType", &said);
    }
    let items: String = asked
        .iter()
        .map(|name| {
            format!(
                "<item><instanceType>{name}</instanceType><networkInfo><maximumNetworkInterfaces>5\
                 </maximumNetworkInterfaces></networkInfo></item>"
            )
        })
        .collect();
    Script::xml(&format!(
        "<DescribeInstanceTypesResponse><instanceTypeSet>{items}</instanceTypeSet></DescribeInstanceTypesResponse>"
    ))
}

fn instances() -> Script {
    Script::xml(&format!(
        "<DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceId>{MACHINE}</instanceId>\
         <vpcId>vpc-1</vpcId><networkInterfaceSet><item><attachment><status>attached</status></attachment></item>\
         </networkInterfaceSet></item></instancesSet></item></reservationSet></DescribeInstancesResponse>"
    ))
}

#[tokio::test]
async fn types_that_ec2_does_not_know_are_left_out_and_the_others_are_told() {
    let (cloud, serving) = cloud(Answers::new().on("DescribeInstanceTypes", types)).await;
    let wanted = Wanted { types: names(&["q9z.large", "x0x.large", "x0x.nano"]), ..Wanted::default() };
    let (sweep, failed) = cloud.supply(CLUSTER, &wanted).await;
    assert_eq!(failed, []);
    let found = sweep.unwrap().found;
    assert!(
        matches!(&found[..], [it] if matches!(&it.fact, Fact::InstanceType(fact) if fact.name == "q9z.large" && fact.max_interfaces == 5)),
        "{found:?}"
    );
    assert_eq!(serving.count("DescribeInstanceTypes"), 2);
}

#[tokio::test]
async fn machines_tell_their_interfaces_and_networks_and_these_their_subnets() {
    let answers = Answers::new().on("DescribeInstances", |_| instances()).on("DescribeSubnets", |asked| {
        assert_eq!(asked.form("Filter.1."), ["vpc-id", "vpc-1"]);
        Script::xml(
            "<DescribeSubnetsResponse><subnetSet><item><subnetId>subnet-1</subnetId>\
                 <availabilityZone>eu-central-1a</availabilityZone><availableIpAddressCount>7</availableIpAddressCount>\
                 </item></subnetSet></DescribeSubnetsResponse>",
        )
    });
    let (cloud, _serving) = cloud(answers).await;
    let wanted = Wanted { machines: names(&[MACHINE]), subnets_of_machines: true, ..Wanted::default() };
    let (sweep, failed) = cloud.supply(CLUSTER, &wanted).await;
    assert_eq!(failed, []);
    let facts: Vec<Fact<'static>> = sweep.unwrap().found.into_iter().map(|it| it.fact).collect();
    assert!(matches!(&facts[0], Fact::Interfaces(fact) if fact.attached == 1), "{facts:?}");
    assert!(matches!(&facts[1], Fact::Subnet(fact) if fact.free_addresses == 7), "{facts:?}");
}

#[tokio::test]
async fn what_is_denied_is_named_and_the_rest_is_told() {
    let answers = Answers::new()
        .on("DescribeInstanceTypes", types)
        .on("DescribeSubnets", |_| Script::ec2_error("UnauthorizedOperation", "You are not authorized"));
    let (cloud, _serving) = cloud(answers).await;
    let wanted = Wanted { types: names(&["q9z.large"]), subnets: names(&["subnet-1"]), ..Wanted::default() };
    let (sweep, failed) = cloud.supply(CLUSTER, &wanted).await;
    assert_eq!((sweep.unwrap().found.len(), failed.len()), (1, 1));
    assert_eq!(failed[0].kind, FailureKind::Denied);
    assert!(failed[0].why.contains("ec2:DescribeSubnets"), "{failed:?}");
}

#[tokio::test]
async fn a_login_page_is_no_service_and_no_definition() {
    let answers = Answers::new()
        .on("DescribeServices", |_| Script::raw(200, "text/html", "<html>Sign in</html>"))
        .on("DescribeTaskDefinition", |_| Script::json(json!({})))
        .on("DescribeTasks", |_| Script::json(json!({"failures": []})));
    let (cloud, _serving) = cloud(answers).await;
    assert!(cloud.services(CLUSTER, &["api".to_owned()]).await.is_err());
    assert!(cloud.task_definition(CLUSTER, "api").await.is_err());
    assert!(cloud.task(CLUSTER, "0f3a").await.is_err());
}

#[tokio::test]
async fn what_does_not_exist_is_none_and_no_failure() {
    let answers = Answers::new()
        .on("DescribeServices", |_| {
            Script::json(json!({"services": [{"serviceName": "old", "status": "INACTIVE"}],
                                "failures": [{"arn": "api", "reason": "MISSING"}]}))
        })
        .on("DescribeTaskDefinition", |_| Script::error(400, "ClientException", "Unable to describe task definition."))
        .on("DescribeTasks", |_| Script::json(json!({"tasks": [], "failures": [{"reason": "MISSING"}]})));
    let (cloud, _serving) = cloud(answers).await;
    assert_eq!(cloud.services(CLUSTER, &["api".to_owned(), "old".to_owned()]).await, Ok(Vec::new()));
    assert_eq!(cloud.task_definition(CLUSTER, "api").await, Ok(None));
    assert_eq!(cloud.task(CLUSTER, "0f3a").await, Ok(None));
}

async fn swept(cloud: &AwsCloud) -> Vec<Sweep<'static>> {
    let (sender, mut receiver) = mpsc::channel(4096);
    cloud.sweep(sender).await;
    let mut swept = Vec::new();
    while let Some(answer) = receiver.recv().await {
        match answer {
            Answer::Swept(sweep) => swept.push(sweep),
            Answer::Failed(failure) => panic!("{failure:?}"),
            Answer::Progress { .. } => {}
        }
    }
    swept
}

fn no_groups() -> Script {
    Script::xml(
        "<DescribeAutoScalingGroupsResponse><DescribeAutoScalingGroupsResult><AutoScalingGroups/>\
         </DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>",
    )
}

/// Who sizes a group is not known until its capacity provider has been described: nobody may guess that ECS does not.
#[tokio::test]
async fn capacity_providers_that_were_not_described_are_said_to_be_untold() {
    let asked = AtomicUsize::new(0);
    let answers = Answers::new()
        .on("DescribeClusters", |_| {
            Script::json(json!({"clusters": [{"clusterArn": CLUSTER, "clusterName": "prod", "status": "ACTIVE",
                "capacityProviders": ["FARGATE", "own", "instances"]}]}))
        })
        .on("DescribeCapacityProviders", move |_| match asked.fetch_add(1, Ordering::Relaxed) {
            0 => Script::error(400, "AccessDeniedException", "not for you"),
            1 => Script::json(json!({"capacityProviders": [{"name": "own"}]})),
            _ => Script::json(json!({"capacityProviders": [{"name": "own"}, {"name": "instances"}]})),
        })
        .on("ListContainerInstances", |_| Script::json(json!({"containerInstanceArns": []})))
        .on("ListTasks", |_| Script::json(json!({"taskArns": []})))
        .on("DescribeAutoScalingGroups", |_| no_groups());
    let (cloud, _serving) = cloud(answers).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        told.extend(swept(&cloud).await.iter().flat_map(|sweep| &sweep.found).filter_map(|it| match &it.fact {
            Fact::Cluster(fact) => Some(fact.providers_told),
            _ => None,
        }));
    }
    assert_eq!(told, [false, false, true]);
}

#[tokio::test]
async fn an_audit_finds_stopping_tasks_and_interfaces_and_asks_for_types_of_no_table_once() {
    let task = |id: &str| format!("{}/{id}", CLUSTER.replace(":cluster", ":task"));
    let answers = Answers::new()
        .on("DescribeClusters", |_| {
            Script::json(json!({"clusters": [{"clusterArn": CLUSTER, "clusterName": "prod", "status": "ACTIVE"}]}))
        })
        .on("ListContainerInstances", |_| Script::json(json!({"containerInstanceArns": [HOST]})))
        .on("DescribeContainerInstances", |_| {
            Script::json(json!({"containerInstances": [{"containerInstanceArn": HOST, "ec2InstanceId": MACHINE,
                "status": "ACTIVE", "agentConnected": true,
                "attributes": [{"name": "ecs.instance-type", "value": "q9z.large"}]}], "failures": []}))
        })
        .on("ListTasks", move |asked| {
            let ids = if asked.text("desiredStatus") == "STOPPED" { vec!["b", "c"] } else { vec!["a", "b"] };
            Script::json(json!({"taskArns": ids.into_iter().map(task).collect::<Vec<_>>()}))
        })
        .on("DescribeTasks", |asked| {
            let tasks = asked.list("tasks");
            assert_eq!(tasks.len(), 3, "one that was told to stop between the lists is asked for once: {tasks:?}");
            let tasks: Vec<_> = tasks
                .iter()
                .map(|arn| {
                    json!({"taskArn": arn, "clusterArn": CLUSTER, "containerInstanceArn": HOST,
                           "lastStatus": "DEPROVISIONING", "desiredStatus": "STOPPED"})
                })
                .collect();
            Script::json(json!({"tasks": tasks, "failures": []}))
        })
        .on("DescribeInstanceTypes", types)
        .on("DescribeAutoScalingGroups", |_| no_groups())
        .on("DescribeInstanceStatus", |_| {
            Script::xml("<DescribeInstanceStatusResponse><instanceStatusSet/></DescribeInstanceStatusResponse>")
        })
        .on("DescribeInstances", |_| instances());
    let (cloud, serving) = cloud(answers).await;
    let first = swept(&cloud).await;
    let attached = first.iter().flat_map(|sweep| &sweep.found).filter_map(|it| match &it.fact {
        Fact::Interfaces(fact) => Some((fact.instance_id.as_ref(), fact.attached)),
        _ => None,
    });
    assert_eq!(attached.collect::<Vec<_>>(), [(MACHINE, 1)]);
    let tasks = first.iter().find(|sweep| matches!(sweep.scope, Scope::ClusterTasks(_))).unwrap();
    let held = tasks.found.iter().filter(
        |it| matches!(&it.fact, Fact::Task(task) if task.last_status == TaskStatus::Deprovisioning && !task.desired_running),
    );
    assert_eq!((held.count(), tasks.complete), (3, true));
    let told = |sweeps: &[Sweep<'static>]| {
        sweeps.iter().flat_map(|sweep| &sweep.found).filter(|it| matches!(it.fact, Fact::InstanceType(_))).count()
    };
    assert_eq!(told(&first), 1);
    assert_eq!((told(&swept(&cloud).await), serving.count("DescribeInstanceTypes")), (0, 1));
}
