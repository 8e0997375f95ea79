//! The real cloud against scripted answers: what AWS, a proxy or an imitation may say, and what becomes of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop at its line")]

#[allow(unreachable_pub, reason = "shared by the tests of this folder")]
mod scripted;

use std::time::Duration;

use aws::{
    AwsCloud, Settings, connect,
    settings::{Clusters, Keys, Queue, Timeouts},
};
use engine::ports::{
    Answer, Cloud as _, FailureKind, LookFailure, Scope, Sweep,
    observation::{Ec2State, Fact},
};
use scripted::{Answers, Asked, Script};
use serde_json::{Value, json};
use tokio::sync::mpsc;

const CLUSTER: &str = "arn:aws:ecs:eu-central-1:210987654321:cluster/prod";
/// In no message and no debug text may this ever turn up.
const CANARY: &str = "canary-secret-0123456789";

fn host_arn(number: usize) -> String {
    format!("arn:aws:ecs:eu-central-1:210987654321:container-instance/prod/{number:032x}")
}

fn machine_id(number: usize) -> String {
    format!("i-{number:017x}")
}

fn host(number: usize) -> Value {
    json!({
        "containerInstanceArn": host_arn(number),
        "ec2InstanceId": machine_id(number),
        "version": 7,
        "status": "ACTIVE",
        "agentConnected": true,
        "runningTasksCount": 2,
        "attributes": [{"name": "ecs.availability-zone", "value": "eu-central-1a"}, {"name": "ecs.capability.task-eni"}],
        "healthStatus": {"overallStatus": "OK", "details": [
            {"type": "AGENT_CONNECTIVITY", "status": "OK", "lastStatusChange": 1790000000.5, "lastUpdated": 1790000100.0}
        ]},
    })
}

/// A cluster of so many healthy hosts, in pages of a hundred.
fn fleet(hosts: usize) -> Answers {
    Answers::new()
        .on("ListClusters", |_| Script::json(json!({"clusterArns": [CLUSTER]})))
        .on("DescribeClusters", |_| {
            Script::json(json!({"clusters": [
                {"clusterArn": CLUSTER, "clusterName": "prod", "status": "ACTIVE",
                 "tags": [{"key": "ecs-agent-monitoring", "value": "group-1"}]}
            ], "failures": []}))
        })
        .on("ListContainerInstances", move |asked| {
            let from: usize = asked.text("nextToken").parse().unwrap_or(0);
            let to = (from + 100).min(hosts);
            let arns: Vec<String> = (from..to).map(host_arn).collect();
            let next = (to < hosts).then(|| to.to_string());
            Script::json(json!({"containerInstanceArns": arns, "nextToken": next}))
        })
        .on("DescribeContainerInstances", |asked| {
            let hosts: Vec<Value> = asked.list("containerInstances").iter().map(|arn| host(number_of(arn))).collect();
            Script::json(json!({"containerInstances": hosts, "failures": []}))
        })
        .on("ListTasks", |_| Script::json(json!({"taskArns": []})))
        .on("DescribeAutoScalingGroups", |_| Script::xml(GROUPS))
        .on("DescribeInstanceStatus", |asked| Script::xml(&statuses(&asked.form("InstanceId."))))
        .on("DescribeInstanceInformation", |_| Script::json(json!({"InstanceInformationList": []})))
}

fn number_of(arn: &str) -> usize {
    usize::from_str_radix(arn.rsplit('/').next().unwrap(), 16).unwrap()
}

const GROUPS: &str = "<DescribeAutoScalingGroupsResponse><DescribeAutoScalingGroupsResult><AutoScalingGroups/>\
                      </DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>";

fn statuses(ids: &[String]) -> String {
    let items: String = ids
        .iter()
        .map(|id| {
            format!(
                "<item><instanceId>{id}</instanceId><instanceState><name>running</name></instanceState>\
                 <systemStatus><status>ok</status></systemStatus><instanceStatus><status>ok</status></instanceStatus></item>"
            )
        })
        .collect();
    format!(
        "<DescribeInstanceStatusResponse><instanceStatusSet>{items}</instanceStatusSet></DescribeInstanceStatusResponse>"
    )
}

fn settings(url: String) -> Settings {
    Settings {
        regions: vec!["eu-central-1".to_owned()],
        endpoint_url: Some(url),
        keys: Some(Keys {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: CANARY.to_owned(),
            session_token: None,
        }),
        clusters: Clusters::Named(vec!["prod".to_owned()]),
        api_share: 1.0,
        timeouts: Timeouts {
            connect: Duration::from_millis(500),
            read: Duration::from_millis(700),
            backoff: Duration::from_millis(1),
        },
        ..Settings::default()
    }
}

async fn cloud(answers: Answers) -> (AwsCloud, scripted::Serving) {
    let serving = answers.serve().await;
    (connect(settings(serving.url())).await.unwrap(), serving)
}

async fn sweep(cloud: &AwsCloud) -> (Vec<Sweep<'static>>, Vec<LookFailure<'static>>) {
    let (sender, mut receiver) = mpsc::channel(4096);
    cloud.sweep(sender).await;
    let (mut swept, mut failed) = (Vec::new(), Vec::new());
    while let Some(answer) = receiver.recv().await {
        match answer {
            Answer::Swept(sweep) => swept.push(sweep),
            Answer::Failed(failure) => failed.push(failure),
            Answer::Progress { .. } => {}
        }
    }
    for failure in &failed {
        assert!(!failure.message.contains(CANARY), "{}", failure.message);
    }
    assert!(!format!("{cloud:?}").contains(CANARY));
    (swept, failed)
}

fn hosts_of<'s>(swept: &'s [Sweep<'static>]) -> &'s Sweep<'static> {
    swept.iter().find(|sweep| matches!(sweep.scope, Scope::ClusterHosts(_))).unwrap()
}

fn instances(sweep: &Sweep<'static>) -> usize {
    sweep.found.iter().filter(|observation| matches!(observation.fact, Fact::Instance(_))).count()
}

async fn only_failure(answers: Answers) -> LookFailure<'static> {
    let (cloud, _serving) = cloud(answers).await;
    let (_, mut failed) = sweep(&cloud).await;
    assert_eq!(failed.len(), 1, "{failed:?}");
    failed.remove(0)
}

#[tokio::test]
async fn five_thousand_hosts_cost_at_most_a_hundred_and_one_calls_of_ecs() {
    let (cloud, _serving) = cloud(fleet(5_000)).await;
    let (swept, failed) = sweep(&cloud).await;
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(instances(hosts_of(&swept)), 5_000);
    assert!(hosts_of(&swept).complete);
    let calls: u64 =
        cloud.calls().iter().filter(|(action, _)| action.starts_with("ecs:")).map(|(_, count)| count.sent).sum();
    assert!(calls <= 101, "{calls} calls: {:?}", cloud.calls());
}

#[tokio::test]
async fn two_hundred_and_fifty_hosts_come_in_three_pages() {
    let (cloud, _serving) = cloud(fleet(250)).await;
    let (swept, failed) = sweep(&cloud).await;
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(instances(hosts_of(&swept)), 250);
    assert_eq!(cloud.calls()["ecs:ListContainerInstances"].sent, 3);
    assert_eq!(cloud.calls()["ecs:DescribeContainerInstances"].sent, 3);
}

#[tokio::test]
async fn a_host_that_was_listed_and_not_described_makes_the_answer_incomplete() {
    let answers = fleet(3).on("DescribeContainerInstances", |_| {
        Script::json(json!({"containerInstances": [host(0)], "failures": [{"arn": host_arn(1), "reason": "MISSING"}]}))
    });
    let (cloud, _serving) = cloud(answers).await;
    let (swept, _) = sweep(&cloud).await;
    let hosts = hosts_of(&swept);
    assert!(!hosts.complete);
    assert!(hosts.found.iter().any(|it| matches!(&it.fact, Fact::InstanceMissing { arn } if *arn == host_arn(1))));
}

#[tokio::test]
async fn custom_attributes_and_tags_are_a_hosts_marks_and_those_of_aws_are_not() {
    let answers = fleet(1).on("DescribeContainerInstances", |asked| {
        assert!(asked.list("include").contains(&"TAGS".to_owned()), "{:?}", asked.body);
        let mut host = host(0);
        host["attributes"].as_array_mut().unwrap().push(json!({"name": "team", "value": "payments"}));
        host["tags"] = json!([{"key": "muster:protect", "value": "yes"}, {"key": "aws:autoscaling:groupName", "value": "g"},
                              {"key": "bare"}]);
        Script::json(json!({"containerInstances": [host], "failures": []}))
    });
    let (cloud, _serving) = cloud(answers).await;
    let (swept, _) = sweep(&cloud).await;
    let marks = hosts_of(&swept).found.iter().find_map(|it| match &it.fact {
        Fact::Instance(host) => Some(host.attributes.read().marks),
        _ => None,
    });
    let marks: Vec<(String, String)> =
        marks.unwrap().into_iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let expected = [("team", "payments"), ("muster:protect", "yes"), ("bare", "")];
    assert_eq!(marks, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn hosts_with_next_to_nothing_known_and_unknown_words_are_facts_too() {
    let answers = fleet(2).on("DescribeContainerInstances", |_| {
        Script::json(json!({"containerInstances": [
            {"containerInstanceArn": host_arn(0), "status": "LEVITATING"},
            {"ec2InstanceId": "i-nameless"},
            {"containerInstanceArn": host_arn(1), "status": "ACTIVE", "agentConnected": false, "healthStatus": {
                "details": [{"type": "NOVELTY", "status": "SHINY", "statusReason": "new"}]}},
        ]}))
    });
    let (cloud, _serving) = cloud(answers).await;
    let (swept, failed) = sweep(&cloud).await;
    assert!(failed.is_empty(), "{failed:?}");
    let hosts = hosts_of(&swept);
    assert_eq!(instances(hosts), 2);
    let Fact::Instance(first) = &hosts.found[0].fact else { panic!("{:?}", hosts.found[0]) };
    assert_eq!((first.version, first.ec2_instance_id.as_deref()), (None, None));
    let reason = hosts.found.iter().find_map(|it| match &it.fact {
        Fact::Health(health) => health.checks[0].reason.clone(),
        _ => None,
    });
    assert_eq!(reason.as_deref(), Some("new"));
}

#[tokio::test]
async fn a_throttle_is_waited_out_and_one_without_end_is_called_one() {
    let mut left = 2;
    let answers = fleet(1).on_mut("ListContainerInstances", move |_| {
        left -= 1;
        if left >= 0 {
            Script::error(400, "ThrottlingException", "Rate exceeded")
        } else {
            Script::json(json!({"containerInstanceArns": [host_arn(0)]}))
        }
    });
    let (cloud, _serving) = cloud(answers).await;
    let (swept, failed) = sweep(&cloud).await;
    assert!(failed.is_empty() && instances(hosts_of(&swept)) == 1, "{failed:?}");
    assert_eq!(cloud.calls()["ecs:ListContainerInstances"].throttled, 2);
    let failure = only_failure(
        fleet(1).on("ListContainerInstances", |_| Script::error(400, "ThrottlingException", "Rate exceeded")),
    )
    .await;
    assert_eq!(failure.kind, FailureKind::Throttled);
}

#[tokio::test]
async fn refusals_name_the_action_and_what_to_do() {
    for (code, kind, words) in [
        ("AccessDeniedException", FailureKind::Denied, "allow the action ecs:DescribeContainerInstances"),
        ("ExpiredTokenException", FailureKind::Denied, "aws sso login"),
        ("UnrecognizedClientException", FailureKind::Denied, "credentials are not accepted"),
        ("SomethingNewException", FailureKind::Failed, "SomethingNewException"),
    ] {
        let answers = fleet(1).on("DescribeContainerInstances", move |_| Script::error(400, code, "words of AWS"));
        let failure = only_failure(answers).await;
        assert_eq!(failure.kind, kind, "{code}");
        assert!(failure.message.contains(words), "{}", failure.message);
    }
}

#[tokio::test]
async fn nonsense_instead_of_an_answer_is_a_failure_and_never_an_empty_fleet() {
    for nonsense in [
        Script::raw(500, "text/html", "<html><body>Internal error</body></html>"),
        Script::raw(200, "text/html", "<html><body>Please log in</body></html>"),
        Script::raw(200, "application/x-amz-json-1.1", "{\"containerInstanceArns\": [\"arn:"),
        Script::raw(502, "text/plain", ""),
    ] {
        let answer = nonsense.clone();
        let failure = only_failure(fleet(1).on("ListContainerInstances", move |_| answer.clone())).await;
        assert_eq!(failure.kind, FailureKind::Failed, "{nonsense:?}: {}", failure.message);
        assert!(failure.message.contains("ecs:ListContainerInstances"), "{}", failure.message);
    }
}

#[tokio::test]
async fn an_endpoint_that_hangs_is_given_up_within_seconds() {
    let failure = only_failure(fleet(1).on("ListContainerInstances", |_| Script::Hang)).await;
    assert_eq!(failure.kind, FailureKind::Failed);
    assert!(failure.message.contains("no answer in time"), "{}", failure.message);
}

#[tokio::test]
async fn a_page_that_is_promised_again_and_again_is_no_complete_answer() {
    let answers = fleet(1).on("ListContainerInstances", |_| {
        Script::json(json!({"containerInstanceArns": [host_arn(0)], "nextToken": "again"}))
    });
    let failure = only_failure(answers).await;
    assert!(failure.message.contains("same page token again"), "{}", failure.message);
}

#[tokio::test]
async fn a_login_page_in_place_of_ec2_makes_no_machine_disappear() {
    let answers = fleet(3).on("DescribeInstanceStatus", |_| {
        Script::raw(200, "text/html", "<html><head><title>Log in</title></head><body/></html>")
    });
    let (cloud, _serving) = cloud(answers).await;
    let (swept, failed) = sweep(&cloud).await;
    assert_eq!(instances(hosts_of(&swept)), 3);
    assert!(failed.iter().any(|failure| matches!(failure.scope, Scope::Machines(_))), "{failed:?}");
    let gone = swept
        .iter()
        .flat_map(|sweep| &sweep.found)
        .filter(|it| matches!(it.fact, Fact::Ec2State { state: Ec2State::Gone, .. }));
    assert_eq!(gone.count(), 0);
}

#[tokio::test]
async fn a_machine_is_gone_only_by_ec2s_own_word_and_the_others_are_read_all_the_same() {
    let answers = fleet(3).on("DescribeInstanceStatus", |asked| {
        let ids = asked.form("InstanceId.");
        if ids.contains(&machine_id(1)) {
            let message = format!("The instance ID '{}' does not exist", machine_id(1));
            Script::ec2_error("InvalidInstanceID.NotFound", &message)
        } else {
            // The last one is left out without a word.
            Script::xml(&statuses(&ids[..1]))
        }
    });
    let (cloud, _serving) = cloud(answers).await;
    let (swept, failed) = sweep(&cloud).await;
    assert!(failed.is_empty(), "{failed:?}");
    let machines = swept.iter().find(|sweep| matches!(sweep.scope, Scope::Machines(_))).unwrap();
    let gone: Vec<&str> = machines
        .found
        .iter()
        .filter_map(|it| match &it.fact {
            Fact::Ec2State { instance_id, state: Ec2State::Gone } => Some(instance_id.as_ref()),
            _ => None,
        })
        .collect();
    assert_eq!(gone, [machine_id(1)]);
    assert_eq!(machines.found.len(), 2);
}

#[tokio::test]
async fn a_cluster_that_vanishes_between_two_calls_is_missing_and_no_failure() {
    let answers =
        fleet(1).on("ListContainerInstances", |_| Script::error(400, "ClusterNotFoundException", "Cluster not found."));
    let (cloud, _serving) = cloud(answers).await;
    let (swept, failed) = sweep(&cloud).await;
    assert!(failed.is_empty(), "{failed:?}");
    assert!(matches!(&hosts_of(&swept).found[0].fact, Fact::ClusterMissing { arn } if arn == CLUSTER));
}

#[tokio::test]
async fn a_name_that_exists_nowhere_is_named_and_an_empty_cluster_is_complete() {
    let answers = fleet(0).on("DescribeClusters", |_| {
        Script::json(json!({"clusters": [], "failures": [{"arn": "prod", "reason": "MISSING"}]}))
    });
    let failure = only_failure(answers).await;
    assert_eq!(failure.kind, FailureKind::Gone);
    assert!(failure.message.contains("named prod"), "{}", failure.message);
    let (cloud, _serving) = cloud(fleet(0)).await;
    let (swept, failed) = sweep(&cloud).await;
    assert!(failed.is_empty() && hosts_of(&swept).complete && hosts_of(&swept).found.is_empty(), "{failed:?}");
}

#[tokio::test]
async fn clusters_are_chosen_by_tag_and_by_glob() {
    let tag = |value: Option<&str>| Clusters::Tagged {
        key: "ecs-agent-monitoring".to_owned(),
        value: value.map(str::to_owned),
    };
    let glob = |text: &str| Clusters::Named(vec![text.to_owned()]);
    for (clusters, chosen) in [
        (tag(None), true),
        (tag(Some("group-1")), true),
        (tag(Some("group-2")), false),
        (glob("pr*"), true),
        (glob("test-*"), false),
        (Clusters::All, true),
    ] {
        let serving = fleet(1).serve().await;
        let cloud = connect(Settings { clusters: clusters.clone(), ..settings(serving.url()) }).await.unwrap();
        let (swept, _) = sweep(&cloud).await;
        let found = swept.iter().any(|sweep| matches!(sweep.scope, Scope::ClusterHosts(_)));
        assert_eq!(found, chosen, "{clusters:?}");
    }
}

#[tokio::test]
async fn what_ssm_refuses_spoils_nothing_else() {
    let answers = fleet(2)
        .on("DescribeContainerInstances", |asked| {
            let away = |arn: &String| {
                let mut host = host(number_of(arn));
                host["agentConnected"] = json!(false);
                host
            };
            let hosts: Vec<Value> = asked.list("containerInstances").iter().map(away).collect();
            Script::json(json!({"containerInstances": hosts}))
        })
        .on("DescribeInstanceInformation", |_| Script::raw(500, "text/html", "<html>not implemented</html>"));
    let (cloud, _serving) = cloud(answers).await;
    let (swept, failed) = sweep(&cloud).await;
    assert_eq!(instances(hosts_of(&swept)), 2);
    assert!(swept.iter().any(|sweep| matches!(sweep.scope, Scope::Machines(_))));
    assert_eq!(failed.len(), 1);
    assert!(matches!(failed[0].scope, Scope::Pings(_)));
}

#[tokio::test]
async fn messages_are_unwrapped_received_whole_and_deleted_until_none_is_refused() {
    let mut received = false;
    let mut refusals = 1;
    let answers = Answers::new()
        .on_mut("ReceiveMessage", move |_| {
            if std::mem::replace(&mut received, true) {
                return Script::Hang;
            }
            let envelope = json!({"Type": "Notification", "TopicArn": "t", "Message": "{\"a\":1}"}).to_string();
            Script::json(json!({"Messages": [
                {"MessageId": "1", "ReceiptHandle": "r1", "Body": envelope},
                {"MessageId": "2", "ReceiptHandle": "r2", "Body": "poison \u{1} }{"},
            ]}))
        })
        .on_mut("DeleteMessageBatch", move |asked: &Asked| {
            let ids: Vec<String> =
                asked.body["Entries"].as_array().unwrap().iter().map(|it| it["Id"].as_str().unwrap().into()).collect();
            refusals -= 1;
            if refusals >= 0 {
                let failed = json!([{"Id": "1", "SenderFault": false, "Code": "InternalError"}]);
                return Script::json(json!({"Successful": [{"Id": "0"}], "Failed": failed}));
            }
            let done: Vec<Value> = ids.iter().map(|id| json!({"Id": id})).collect();
            Script::json(json!({"Successful": done, "Failed": []}))
        });
    let serving = answers.serve().await;
    let queue = Queue::new(format!("{}/210987654321/events", serving.url()));
    let cloud = connect(Settings { queues: vec![queue], ..settings(serving.url()) }).await.unwrap();
    let deliveries = cloud.receive().await.unwrap();
    assert_eq!(deliveries[0].body, b"{\"a\":1}");
    assert_eq!(deliveries[1].body, "poison \u{1} }{".as_bytes());
    cloud.acknowledge(deliveries.into_iter().map(|delivery| delivery.receipt).collect()).await.unwrap();
    assert_eq!(serving.count("DeleteMessageBatch"), 2);
}

const ASSUMED: &str = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
    <Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>role-secret</SecretAccessKey>\
    <SessionToken>role-token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>\
    <AssumedRoleUser><AssumedRoleId>AROA:muster</AssumedRoleId><Arn>arn:aws:sts::111122223333:assumed-role/r/muster</Arn>\
    </AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>";

#[tokio::test]
async fn another_account_is_swept_under_its_role_in_every_region_and_assumed_once_for_each() {
    let serving = fleet(3).on("AssumeRole", |_| Script::xml(ASSUMED)).serve().await;
    let role = aws::settings::AssumedAccount {
        role_arn: "arn:aws:iam::111122223333:role/muster-reader".to_owned(),
        external_id: Some("42".to_owned()),
        session_name: None,
    };
    let settings = Settings {
        accounts: vec![role],
        watch_base_account: false,
        regions: vec!["eu-central-1".to_owned(), "eu-west-1".to_owned()],
        ..settings(serving.url())
    };
    let cloud = connect(settings).await.unwrap();
    let (swept, failed) = sweep(&cloud).await;
    assert!(failed.is_empty(), "{failed:?}");
    let mut places: Vec<String> = swept
        .iter()
        .filter_map(|sweep| match &sweep.scope {
            Scope::Clusters(place) => Some(place.to_string()),
            _ => None,
        })
        .collect();
    places.sort();
    assert_eq!(places, ["111122223333/eu-central-1", "111122223333/eu-west-1"]);
    // Checked at the start, then once for the SDK's own clients and once for EC2: never once a request.
    assert!(serving.count("AssumeRole") <= 8, "{} times", serving.count("AssumeRole"));
}

#[tokio::test]
async fn a_role_that_may_not_be_assumed_is_named() {
    let refused = wire::error::ServiceError::new("AccessDenied", "not authorized to perform sts:AssumeRole")
        .to_query_xml("https://sts.amazonaws.com/doc/2011-06-15/", true);
    let serving = fleet(1).on("AssumeRole", move |_| Script::raw(403, "text/xml", &refused)).serve().await;
    let role = aws::settings::AssumedAccount {
        role_arn: "arn:aws:iam::111122223333:role/muster-reader".to_owned(),
        external_id: None,
        session_name: None,
    };
    let error = connect(Settings { accounts: vec![role], ..settings(serving.url()) }).await.unwrap_err().to_string();
    assert!(error.contains("role/muster-reader") && error.contains("sts:AssumeRole"), "{error}");
    assert!(!error.contains(CANARY));
}

#[tokio::test]
async fn messages_that_are_still_worked_on_stay_hidden() {
    let mut received = false;
    let answers = Answers::new()
        .on_mut("ReceiveMessage", move |_| {
            if std::mem::replace(&mut received, true) {
                return Script::Hang;
            }
            Script::json(json!({"Messages": [{"MessageId": "1", "ReceiptHandle": "r1", "Body": "{}"}]}))
        })
        .on("ChangeMessageVisibilityBatch", |_| Script::json(json!({"Successful": [{"Id": "0"}], "Failed": []})));
    let serving = answers.serve().await;
    let mut queue = Queue::new(format!("{}/210987654321/events", serving.url()));
    queue.visibility = Duration::from_secs(1);
    let cloud = connect(Settings { queues: vec![queue], ..settings(serving.url()) }).await.unwrap();
    assert_eq!(cloud.receive().await.unwrap().len(), 1);
    for _ in 0..100 {
        if serving.count("ChangeMessageVisibilityBatch") > 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the message was not hidden for longer within five seconds");
}
