//! Several accounts and regions, endpoints that differ, and answers that look whole and are not.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop at its line")]

#[allow(unreachable_pub, reason = "shared by the tests of this folder")]
mod scripted;

use std::{collections::BTreeSet, time::Duration};

use aws::{
    AwsCloud, Settings, connect,
    settings::{AssumedAccount, Clusters, Keys, Timeouts},
};
use engine::ports::{
    Answer, Cloud as _, FailureKind, Look, LookFailure, Scope, Sweep,
    observation::{Ec2State, Fact},
};
use scripted::{Answers, Asked, Script};
use serde_json::json;
use tokio::sync::mpsc;

const BASE: &str = "210987654321";
const OTHER: &str = "109876543210";
const SECRET: &str = "canary-secret-0123456789";
const TOKEN: &str = "canary-token-0123456789";
const ROLE_SECRET: &str = "canary-role-secret-0123456789";
/// Names the child of the endpoint test, and tells it which server is which.
const CHILD: &str = "MUSTER_TEST_CHILD";

const GROUPS: &str = "<DescribeAutoScalingGroupsResponse><DescribeAutoScalingGroupsResult><AutoScalingGroups/>\
                      </DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>";

fn settings(url: String) -> Settings {
    Settings {
        regions: vec!["eu-central-1".to_owned()],
        endpoint_url: Some(url),
        keys: Some(Keys {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: SECRET.to_owned(),
            session_token: Some(TOKEN.to_owned()),
        }),
        clusters: Clusters::All,
        api_share: 1.0,
        timeouts: Timeouts {
            connect: Duration::from_millis(500),
            read: Duration::from_millis(700),
            backoff: Duration::from_millis(1),
        },
        ..Settings::default()
    }
}

fn region(asked: &Asked) -> String {
    asked.signed.split('/').nth(2).unwrap_or_default().to_owned()
}

fn account(asked: &Asked) -> &'static str {
    if asked.signed.starts_with("ASIAROLE/") { OTHER } else { BASE }
}

fn cluster_arn(asked: &Asked, name: &str) -> String {
    format!("arn:aws:ecs:{}:{}:cluster/{name}", region(asked), account(asked))
}

fn host_arn(cluster: &str, number: usize) -> String {
    format!("{}/{number:032x}", cluster.replace(":cluster/", ":container-instance/"))
}

fn machine_id(number: usize) -> String {
    format!("i-{number:017x}")
}

/// One or more clusters in every account and region, each with as many healthy hosts.
fn clusters(names: &'static [&'static str], hosts: usize) -> Answers {
    Answers::new()
        .on("AssumeRole", |_| Script::xml(&assumed()))
        .on("ListClusters", move |asked| {
            let arns: Vec<String> = names.iter().map(|name| cluster_arn(asked, name)).collect();
            Script::json(json!({ "clusterArns": arns }))
        })
        .on("DescribeClusters", |asked| {
            let found: Vec<_> = asked
                .list("clusters")
                .iter()
                .map(|arn| json!({"clusterArn": arn, "clusterName": arn.rsplit('/').next(), "status": "ACTIVE"}))
                .collect();
            Script::json(json!({ "clusters": found }))
        })
        .on("ListContainerInstances", move |asked| {
            let from: usize = asked.text("nextToken").parse().unwrap_or(0);
            let to = (from + 100).min(hosts);
            let arns: Vec<String> = (from..to).map(|number| host_arn(&asked.text("cluster"), number)).collect();
            Script::json(json!({"containerInstanceArns": arns, "nextToken": (to < hosts).then(|| to.to_string())}))
        })
        .on("DescribeContainerInstances", |asked| {
            let hosts: Vec<_> = asked
                .list("containerInstances")
                .iter()
                .map(|arn| {
                    let number = usize::from_str_radix(arn.rsplit('/').next().unwrap(), 16).unwrap();
                    json!({"containerInstanceArn": arn, "ec2InstanceId": machine_id(number), "version": 1,
                           "status": "ACTIVE", "agentConnected": true})
                })
                .collect();
            Script::json(json!({ "containerInstances": hosts }))
        })
        .on("DescribeAutoScalingGroups", |_| Script::xml(GROUPS))
        .on("DescribeInstanceStatus", |asked| Script::xml(&statuses(&asked.form("InstanceId."))))
}

fn statuses(ids: &[String]) -> String {
    let items: String = ids
        .iter()
        .map(|id| {
            format!("<item><instanceId>{id}</instanceId><instanceState><name>running</name></instanceState></item>")
        })
        .collect();
    format!(
        "<DescribeInstanceStatusResponse><instanceStatusSet>{items}</instanceStatusSet></DescribeInstanceStatusResponse>"
    )
}

fn assumed() -> String {
    format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
         <AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>{ROLE_SECRET}</SecretAccessKey>\
         <SessionToken>{TOKEN}</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials>\
         <AssumedRoleUser><AssumedRoleId>AROA:muster</AssumedRoleId>\
         <Arn>arn:aws:sts::{OTHER}:assumed-role/muster/muster</Arn></AssumedRoleUser>\
         </AssumeRoleResult></AssumeRoleResponse>"
    )
}

fn assert_no_secret(text: &str) {
    for secret in [SECRET, TOKEN, ROLE_SECRET] {
        assert!(!text.contains(secret), "a secret in: {text}");
    }
}

async fn sweep(cloud: &AwsCloud) -> (Vec<Sweep<'static>>, Vec<LookFailure<'static>>) {
    let (sender, mut receiver) = mpsc::channel(4096);
    let swept = tokio::time::timeout(Duration::from_secs(30), cloud.sweep(sender));
    swept.await.expect("a sweep ends");
    let (mut swept, mut failed) = (Vec::new(), Vec::new());
    while let Some(answer) = receiver.recv().await {
        match answer {
            Answer::Swept(sweep) => swept.push(sweep),
            Answer::Failed(failure) => failed.push(failure),
            Answer::Progress { .. } => {}
        }
    }
    failed.iter().for_each(|failure| assert_no_secret(&failure.message));
    assert_no_secret(&format!("{cloud:?} {cloud:#?}"));
    (swept, failed)
}

async fn sweep_of(answers: Answers) -> (Vec<Sweep<'static>>, Vec<LookFailure<'static>>) {
    let serving = answers.serve().await;
    sweep(&connect(settings(serving.url())).await.unwrap()).await
}

fn hosts_of<'s>(swept: &'s [Sweep<'static>], cluster: &str) -> &'s Sweep<'static> {
    swept.iter().find(|it| matches!(&it.scope, Scope::ClusterHosts(arn) if arn.ends_with(cluster))).unwrap()
}

fn gone(swept: &[Sweep<'static>]) -> usize {
    let facts = swept.iter().flat_map(|sweep| &sweep.found);
    facts.filter(|it| matches!(it.fact, Fact::Ec2State { state: Ec2State::Gone, .. })).count()
}

#[tokio::test]
async fn two_regions_and_an_assumed_role_are_four_places_each_asked_with_its_own_keys() {
    let serving = clusters(&["prod"], 1).serve().await;
    let role = AssumedAccount {
        role_arn: format!("arn:aws:iam::{OTHER}:role/muster"),
        external_id: Some("for-muster".to_owned()),
        session_name: None,
    };
    let settings = Settings {
        regions: vec!["eu-central-1".to_owned(), "us-east-1".to_owned()],
        accounts: vec![role],
        ..settings(serving.url())
    };
    let cloud = connect(settings).await.unwrap();
    let (swept, failed) = sweep(&cloud).await;
    assert!(failed.is_empty(), "{failed:?}");
    let places: BTreeSet<String> = swept
        .iter()
        .filter_map(|sweep| match &sweep.scope {
            Scope::Clusters(place) => Some(place.to_string()),
            _ => None,
        })
        .collect();
    let wanted = [
        format!("{OTHER}/eu-central-1"),
        format!("{OTHER}/us-east-1"),
        format!("{BASE}/eu-central-1"),
        format!("{BASE}/us-east-1"),
    ];
    assert_eq!(places, wanted.into_iter().collect());
    let look = Look::Machines { place: format!("{OTHER}/us-east-1"), ids: vec![machine_id(0)] };
    assert!(matches!(cloud.look(look).await, Answer::Swept(sweep) if sweep.found.len() == 1));
    let nowhere = Look::Machines { place: "1/ap-south-1".to_owned(), ids: vec![machine_id(0)] };
    assert!(matches!(cloud.look(nowhere).await, Answer::Failed(failure) if failure.message.contains("ap-south-1")));
}

#[tokio::test]
async fn a_role_that_may_not_be_assumed_and_one_that_is_none_are_named_without_secrets() {
    let answers = clusters(&["prod"], 1)
        .on("AssumeRole", |_| Script::query_error(403, "AccessDenied", "not authorized to perform sts:AssumeRole"));
    let serving = answers.serve().await;
    for role_arn in [format!("arn:aws:iam::{OTHER}:role/muster"), "muster".to_owned()] {
        let account = AssumedAccount { role_arn: role_arn.clone(), external_id: None, session_name: None };
        let error = connect(Settings { accounts: vec![account], ..settings(serving.url()) }).await.unwrap_err();
        assert!(error.to_string().contains(&role_arn), "{error}");
        assert_no_secret(&format!("{error} {error:?}"));
    }
}

#[tokio::test]
async fn settings_and_keys_print_no_secret() {
    let settings = settings("http://127.0.0.1:1".to_owned());
    assert_no_secret(&format!("{settings:?} {settings:#?} {:?}", settings.keys));
    let cloud = connect(settings).await.unwrap();
    assert_no_secret(&format!("{cloud:?} {cloud:#?}"));
}

#[tokio::test]
async fn an_endpoint_where_nobody_listens_fails_by_name() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let (swept, failed) = sweep(&connect(settings(url)).await.unwrap()).await;
    assert!(swept.is_empty());
    assert_eq!((failed.len(), failed[0].kind), (1, FailureKind::Failed), "{failed:?}");
    assert!(failed[0].message.contains("ecs:ListClusters on eu-central-1 could not connect"), "{}", failed[0].message);
}

#[tokio::test]
async fn hosts_that_ecs_calls_missing_leave_the_answer_complete() {
    let answers = clusters(&["prod"], 2).on("DescribeContainerInstances", |asked| {
        let failures: Vec<_> =
            asked.list("containerInstances").iter().map(|arn| json!({"arn": arn, "reason": "MISSING"})).collect();
        Script::json(json!({"containerInstances": [], "failures": failures}))
    });
    let (swept, failed) = sweep_of(answers).await;
    assert!(failed.is_empty(), "{failed:?}");
    let hosts = hosts_of(&swept, "/prod");
    assert!(hosts.complete);
    assert_eq!(hosts.found.iter().filter(|it| matches!(it.fact, Fact::InstanceMissing { .. })).count(), 2);
}

#[tokio::test]
async fn a_host_described_twice_does_not_stand_for_one_that_was_left_out() {
    let answers = clusters(&["prod"], 2).on("DescribeContainerInstances", |asked| {
        let arn = asked.list("containerInstances").swap_remove(0);
        let host = json!({"containerInstanceArn": arn, "status": "ACTIVE", "agentConnected": true, "version": 1});
        Script::json(json!({"containerInstances": [host, host]}))
    });
    let (swept, _) = sweep_of(answers).await;
    assert!(!hosts_of(&swept, "/prod").complete);
}

#[tokio::test]
async fn a_list_that_is_not_in_the_answer_is_no_empty_list() {
    let (swept, failed) =
        sweep_of(clusters(&["prod"], 2).on("ListContainerInstances", |_| Script::json(json!({})))).await;
    assert!(!swept.iter().any(|it| matches!(it.scope, Scope::ClusterHosts(_))), "{swept:?}");
    assert!(failed.iter().any(|it| matches!(it.scope, Scope::ClusterHosts(_))), "{failed:?}");
    let (swept, failed) = sweep_of(clusters(&["prod"], 2).on("ListClusters", |_| Script::json(json!({})))).await;
    assert!(swept.is_empty(), "{swept:?}");
    assert!(failed.iter().any(|it| matches!(it.scope, Scope::Clusters(_))), "{failed:?}");
}

#[tokio::test]
async fn one_cluster_that_vanishes_or_is_denied_leaves_the_others_read() {
    for code in ["ClusterNotFoundException", "AccessDeniedException"] {
        let answers = clusters(&["blue", "green", "red"], 1).on("ListContainerInstances", move |asked| {
            let cluster = asked.text("cluster");
            if cluster.ends_with("/green") {
                Script::error(400, code, "words of AWS")
            } else {
                Script::json(json!({"containerInstanceArns": [host_arn(&cluster, 0)]}))
            }
        });
        let (swept, failed) = sweep_of(answers).await;
        assert!(hosts_of(&swept, "/blue").complete && hosts_of(&swept, "/red").complete);
        assert!(swept.iter().any(|it| matches!(it.scope, Scope::Machines(_))));
        if code == "ClusterNotFoundException" {
            assert!(failed.is_empty(), "{failed:?}");
            let green = &hosts_of(&swept, "/green").found;
            assert!(matches!(&green[0].fact, Fact::ClusterMissing { arn } if arn.ends_with("/green")));
        } else {
            assert_eq!(failed.len(), 1, "{failed:?}");
            assert!(failed[0].message.contains("cluster green"), "{}", failed[0].message);
        }
    }
}

#[tokio::test]
async fn tokens_that_go_round_in_a_circle_do_not_loop_for_ever() {
    let circle = |name: &'static str| {
        move |asked: &Asked| {
            let next = if asked.text("nextToken") == "a" { "b" } else { "a" };
            Script::json(json!({ name: [], "nextToken": next }))
        }
    };
    for (action, name) in [("ListClusters", "clusterArns"), ("ListContainerInstances", "containerInstanceArns")] {
        let (_, failed) = sweep_of(clusters(&["prod"], 1).on(action, circle(name))).await;
        assert!(failed.iter().any(|it| it.message.contains("same page token again")), "{action}: {failed:?}");
    }
}

#[tokio::test]
async fn a_thousand_and_one_machines_are_read_in_pages_and_a_missing_set_makes_none_of_them_gone() {
    let answers = clusters(&["prod"], 1_001).on("DescribeInstanceStatus", |asked| {
        assert!(asked.form("InstanceId.").is_empty());
        let known: Vec<String> = (0..1_000).map(machine_id).collect();
        Script::xml(&statuses(&known))
    });
    let (swept, failed) = sweep_of(answers).await;
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(gone(&swept), 1);
    let nothing = "<DescribeInstanceStatusResponse><requestId>r</requestId></DescribeInstanceStatusResponse>";
    let (swept, failed) =
        sweep_of(clusters(&["prod"], 1_001).on("DescribeInstanceStatus", move |_| Script::xml(nothing))).await;
    assert_eq!(gone(&swept), 0);
    assert!(failed.iter().any(|it| matches!(it.scope, Scope::Machines(_))), "{failed:?}");
}

/// The environment belongs to the whole process, so the look is made by a child of this test.
#[tokio::test]
async fn an_endpoint_of_one_service_goes_before_the_one_of_all() {
    if std::env::var_os(CHILD).is_some() {
        let mut settings = settings(String::new());
        settings.endpoint_url = None;
        let (_, failed) = sweep(&connect(settings).await.unwrap()).await;
        assert!(failed.is_empty(), "{failed:?}");
        return;
    }
    let (all, ec2) = (clusters(&["prod"], 1).serve().await, clusters(&["prod"], 1).serve().await);
    let child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "an_endpoint_of_one_service_goes_before_the_one_of_all"])
        .env(CHILD, "1")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_ENDPOINT_URL", all.url())
        .env("AWS_ENDPOINT_URL_EC2", ec2.url())
        .output()
        .await
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert_eq!((all.count("DescribeInstanceStatus"), ec2.count("DescribeInstanceStatus")), (0, 1));
    assert_eq!((all.count("ListClusters"), ec2.count("ListClusters")), (1, 0));
}

#[tokio::test]
async fn a_machine_is_told_as_its_host_or_as_unregistered_even_where_filters_are_not_known() {
    let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let filters = std::sync::Arc::clone(&asked);
    let answers = clusters(&["one"], 150).on("ListContainerInstances", move |asked| {
        filters.lock().unwrap().push(asked.text("filter"));
        let from: usize = asked.text("nextToken").parse().unwrap_or(0);
        let to = (from + 100).min(150);
        let arns: Vec<String> = (from..to).map(|number| host_arn(&asked.text("cluster"), number)).collect();
        Script::json(json!({"containerInstanceArns": arns, "nextToken": (to < 150).then(|| to.to_string())}))
    });
    let serving = answers.serve().await;
    let cloud = connect(settings(serving.url())).await.unwrap();
    let cluster = format!("arn:aws:ecs:eu-central-1:{BASE}:cluster/one");
    let machines = vec![machine_id(140), machine_id(999), "i-0'] or [".to_owned()];
    let look = Look::Registrations { cluster: cluster.clone(), machines };
    let Answer::Swept(told) = cloud.look(look).await else { panic!("no answer") };
    let unregistered: Vec<_> = told
        .found
        .iter()
        .filter_map(|it| match &it.fact {
            Fact::Unregistered { cluster: of, instance_id } => Some((of.to_string(), instance_id.to_string())),
            _ => None,
        })
        .collect();
    assert_eq!(
        unregistered,
        [(cluster, machine_id(999))],
        "what is no id is not asked about, and nothing is said of it"
    );
    let is_host = |fact: &Fact<'_>| matches!(fact, Fact::Instance(host) if host.ec2_instance_id.as_deref() == Some(machine_id(140).as_str()));
    assert!(told.found.iter().any(|it| is_host(&it.fact)));
    let filter = format!("ec2InstanceId in ['{}', '{}']", machine_id(140), machine_id(999));
    assert_eq!(*asked.lock().unwrap(), [filter.clone(), filter]);
}
