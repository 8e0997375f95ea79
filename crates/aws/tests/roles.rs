//! Looking and acting under roles of their own, with AWS denying whatever the shipped policies do not allow: everything
//! muster does goes through, nothing in the policies is left over, and where there is no leave to act nothing is done.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop at its line")]

#[allow(unreachable_pub, reason = "shared by the tests of this folder")]
mod scripted;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aws::{
    AwsCloud, Datum, LeaseSettings, Mail, Settings, connect,
    settings::{Clusters, Custom, CustomRun, Queue, Timeouts},
    supply::Wanted,
};
use engine::ports::{Act, ActResult, Answer, Cloud as _, Lease as _, Look};
use jiff::Timestamp;
use scripted::{
    Answers, Asked, Script, Serving,
    acting::*,
    iam::{self, Policy},
};
use serde_json::json;
use tokio::sync::mpsc;

const ACCOUNT: &str = "210987654321";
const ACT_ROLE: &str = "arn:aws:iam::210987654321:role/muster-act";
/// A second machine of the group, which never registered.
const STRANGER: &str = "i-0ffffffffffffffff";

/// Every action that was called, by the role that called it.
type Called = Arc<Mutex<BTreeMap<&'static str, BTreeSet<String>>>>;

/// Whose key signed a request.
fn role(asked: &Asked) -> &'static str {
    if asked.signed.starts_with("ASIAACT/") { "act" } else { "own" }
}

/// AWS with the shipped policies: muster's own credentials have those for observing, notifying and publishing, the role that it
/// assumes has the one for acting. muster's own may assume that role besides (docs/guide/permissions.md), and whose its
/// credentials are anybody may ask.
fn guarded(answers: Answers, managed: bool) -> (Answers, Called) {
    let called = Called::default();
    let noting = called.clone();
    let own = ["observe", "notify", "publish"].map(Policy::shipped);
    let act = [Policy::shipped("act")];
    let guard = move |asked: &Asked| {
        let request = iam::request(asked, ACCOUNT, managed);
        let role = role(asked);
        noting.lock().unwrap().entry(role).or_default().insert(request.action.clone());
        let policies: &[Policy] = if role == "act" { &act } else { &own };
        let for_roles = role == "own"
            && (request.action == "sts:GetCallerIdentity"
                || (request.action == "sts:AssumeRole" && request.resources == [ACT_ROLE]));
        if for_roles || policies.iter().any(|policy| policy.allows(&request)) {
            return None;
        }
        let said = format!("{role} is not authorized to perform {} on {:?}", request.action, request.resources);
        Some(match asked.signed.split('/').nth(3).unwrap() {
            "ec2" => Script::ec2_error("UnauthorizedOperation", &said),
            "autoscaling" | "sns" | "sts" | "monitoring" => Script::query_error(403, "AccessDenied", &said),
            _ => Script::error(400, "AccessDeniedException", &said),
        })
    };
    (answers.guarded(guard), called)
}

fn xml(operation: &str, inner: &str) -> Script {
    Script::xml(&format!("<{operation}Response><{operation}Result>{inner}</{operation}Result></{operation}Response>"))
}

fn assumed() -> Script {
    xml(
        "AssumeRole",
        &format!(
            "<Credentials><AccessKeyId>ASIAACT</AccessKeyId><SecretAccessKey>{CANARY}</SecretAccessKey>\
             <SessionToken>{CANARY}</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials>"
        ),
    )
}

/// An account in which everything can be looked at and done: one cluster, one host whose agent is away, one group.
fn account() -> Answers {
    let item = |id: &String| {
        format!("<item><instanceId>{id}</instanceId><instanceState><name>running</name></instanceState></item>")
    };
    let member = |id: &str| {
        format!(
            "<member><InstanceId>{id}</InstanceId><AutoScalingGroupName>{GROUP}</AutoScalingGroupName>\
             <AvailabilityZone>eu-central-1a</AvailabilityZone><LifecycleState>InService</LifecycleState>\
             <HealthStatus>Healthy</HealthStatus><ProtectedFromScaleIn>false</ProtectedFromScaleIn></member>"
        )
    };
    let instances = format!("<Instances>{}{}</Instances>", member(MACHINE), member(STRANGER));
    let group = format!(
        "<AutoScalingGroups><member><AutoScalingGroupName>{GROUP}</AutoScalingGroupName><MinSize>1</MinSize>\
         <MaxSize>5</MaxSize><DesiredCapacity>3</DesiredCapacity><DefaultCooldown>300</DefaultCooldown>\
         <HealthCheckType>EC2</HealthCheckType><AvailabilityZones><member>eu-central-1a</member></AvailabilityZones>\
         <CreatedTime>2026-10-02T08:15:31Z</CreatedTime>{instances}</member></AutoScalingGroups>"
    );
    let status = Arc::new(Mutex::new("ACTIVE".to_owned()));
    let read = status.clone();
    let host = move |status: &str| {
        Script::json(
            json!({"containerInstances": [{"containerInstanceArn": HOST, "ec2InstanceId": MACHINE, "version": 1,
                            "status": status, "agentConnected": false,
                            "attributes": [{"name": "ecs.instance-type", "value": "q9z.large"}]}], "failures": []}),
        )
    };
    let mut messages = 1;
    ssm()
        .on("AssumeRole", |_| assumed())
        .on("GetCallerIdentity", |_| xml("GetCallerIdentity", &format!("<Account>{ACCOUNT}</Account>")))
        .on("ListClusters", |_| Script::json(json!({"clusterArns": [CLUSTER]})))
        .on("DescribeClusters", |_| {
            Script::json(json!({"clusters": [{"clusterArn": CLUSTER, "clusterName": "prod", "status": "ACTIVE",
                                "capacityProviders": ["workers"]}], "failures": []}))
        })
        .on("DescribeCapacityProviders", |_| Script::json(json!({"capacityProviders": [{"name": "workers"}]})))
        .on("ListContainerInstances", |_| Script::json(json!({"containerInstanceArns": [HOST]})))
        .on("DescribeContainerInstances", move |_| host(&read.lock().unwrap()))
        .on("ListTasks", |_| Script::json(json!({"taskArns": [format!("{CLUSTER}/t").replace(":cluster", ":task")]})))
        .on("DescribeTasks", |_| Script::json(json!({"tasks": [], "failures": []})))
        .on("DescribeServices", |_| Script::json(json!({"services": [{"serviceName": "api"}], "failures": []})))
        .on("DescribeTaskDefinition", |_| {
            Script::json(json!({"taskDefinition": {"family": "api", "containerDefinitions": []}}))
        })
        .on("ListServices", |_| Script::json(json!({"serviceArns": []})))
        .on("DescribeScalingActivities", |_| xml("DescribeScalingActivities", "<Activities/>"))
        .on("ExecutePolicy", |_| xml("ExecutePolicy", ""))
        .on("DescribeInstanceTypes", |_| {
            Script::xml("<DescribeInstanceTypesResponse><instanceTypeSet/></DescribeInstanceTypesResponse>")
        })
        .on("DescribeSubnets", |_| Script::xml("<DescribeSubnetsResponse><subnetSet/></DescribeSubnetsResponse>"))
        .on("PutMetricData", |_| Script::xml("<PutMetricDataResponse><ResponseMetadata/></PutMetricDataResponse>"))
        .on("DescribeAutoScalingGroups", move |_| xml("DescribeAutoScalingGroups", &group))
        .on("DescribeInstanceStatus", move |asked| {
            let items: String = asked.form("InstanceId.").iter().map(item).collect();
            Script::xml(&format!(
                "<DescribeInstanceStatusResponse><instanceStatusSet>{items}</instanceStatusSet>\
                 </DescribeInstanceStatusResponse>"
            ))
        })
        .on("DescribeInstances", |_| {
            Script::xml("<DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>")
        })
        .on_mut("ReceiveMessage", move |_| {
            if messages == 0 {
                return Script::Hang;
            }
            messages -= 1;
            Script::json(json!({"Messages": [{"MessageId": "1", "ReceiptHandle": "r1", "Body": "{}"}]}))
        })
        .on("ChangeMessageVisibilityBatch", |_| Script::json(json!({"Successful": [{"Id": "0"}], "Failed": []})))
        .on("DeleteMessageBatch", |_| Script::json(json!({"Successful": [{"Id": "0"}], "Failed": []})))
        .on_mut("UpdateContainerInstancesState", move |asked| {
            *status.lock().unwrap() = asked.text("status");
            Script::json(json!({"containerInstances": [{"containerInstanceArn": HOST, "status": asked.text("status")}],
                                "failures": []}))
        })
        .on("DeregisterContainerInstance", |_| Script::json(json!({"containerInstance": {"status": "INACTIVE"}})))
        .on("DescribeAutoScalingInstances", move |asked| {
            // The stranger stands for a machine in no group.
            let found = if asked.form("InstanceIds") == [STRANGER] { String::new() } else { member(MACHINE) };
            xml("DescribeAutoScalingInstances", &format!("<AutoScalingInstances>{found}</AutoScalingInstances>"))
        })
        .on("TerminateInstanceInAutoScalingGroup", |_| xml("TerminateInstanceInAutoScalingGroup", ""))
        .on("SetInstanceHealth", |_| xml("SetInstanceHealth", ""))
        .on("SetDesiredCapacity", |_| xml("SetDesiredCapacity", ""))
        .on("TerminateInstances", |_| {
            Script::xml("<TerminateInstancesResponse><instancesSet/></TerminateInstancesResponse>")
        })
        .on("RebootInstances", |_| {
            Script::xml("<RebootInstancesResponse><return>true</return></RebootInstancesResponse>")
        })
        .on("GetConsoleOutput", |_| {
            Script::xml("<GetConsoleOutputResponse><output>Ym9vdGVk</output></GetConsoleOutputResponse>")
        })
        .on("Invoke", |_| Script::raw(200, "application/json", "{}"))
        .on("GetItem", |_| Script::json(json!({})))
        .on("UpdateItem", |_| Script::json(json!({})))
        .on("Publish", |_| xml("Publish", "<MessageId>1</MessageId>"))
        .on("SendEmail", |_| Script::raw(200, "application/json", "{\"MessageId\": \"1\"}"))
        .on("GetParameter", |_| Script::json(json!({"Parameter": {"Value": "value"}})))
        .on("GetSecretValue", |_| Script::json(json!({"SecretString": "value"})))
}

fn custom(name: &str, run: CustomRun) -> Custom {
    Custom { name: name.to_owned(), timeout_secs: 5, run }
}

fn with_a_role(serving: &Serving) -> Settings {
    let function = |name: &str| CustomRun::Lambda { function: name.to_owned() };
    let document = |name: &str| CustomRun::SsmDocument { document: name.to_owned(), parameters: BTreeMap::new() };
    let queue = Queue {
        visibility: Duration::from_secs(1),
        ..Queue::new(format!("{}/{ACCOUNT}/muster-events", serving.url()))
    };
    Settings {
        act_roles: vec![ACT_ROLE.to_owned()],
        clusters: Clusters::All,
        audit_tasks: true,
        queues: vec![queue],
        customs: vec![
            custom("function", function("muster-fence")),
            custom("document", document("muster-fence")),
            custom("program", CustomRun::Command { argv: vec!["touch".to_owned(), "/nonexistent/x".to_owned()] }),
            custom("strange-function", function("payroll")),
            custom("strange-document", document("payroll")),
        ],
        timeouts: Timeouts { read: Duration::from_secs(3), ..settings(String::new()).timeouts },
        ..settings(serving.url())
    }
}

async fn sweep(cloud: &AwsCloud) {
    let (sender, mut receiver) = mpsc::channel(4096);
    cloud.sweep(sender).await;
    while let Some(answer) = receiver.recv().await {
        assert!(!matches!(answer, Answer::Failed(_)), "{answer:?}");
    }
}

async fn done(cloud: &AwsCloud, act: Act, machine: &str, again: bool) {
    let mut intent = intent(act);
    intent.limit_secs = 10;
    intent.target.machine = Some(machine.to_owned());
    intent.target.external = machine == EXTERNAL;
    let result = cloud.act(&intent, again).await;
    assert!(matches!(result.word(), "done" | "saved"), "{:?}: {result:?}", intent.act);
    if let ActResult::Saved { items } = &result {
        assert!(items.iter().all(|(_, text)| !text.contains("could not be had: ec2")), "{items:?}");
    }
}

const ACTS: [Act; 12] = [
    Act::SaveEvidence,
    Act::RestartAgent,
    Act::RestartRuntime,
    Act::Reboot,
    Act::Drain,
    Act::Undrain,
    Act::SetDesired { from: 3, to: 4 },
    Act::TerminateInGroup { shrink: false },
    Act::TerminateInGroup { shrink: true },
    Act::MarkUnhealthy,
    Act::Deregister,
    Act::Terminate,
];

/// Everything that muster ever asks of AWS.
async fn everything(cloud: &AwsCloud) {
    sweep(cloud).await;
    let tasks = Look::Tasks { cluster: CLUSTER.to_owned(), arns: vec![CLUSTER.replace(":cluster", ":task")] };
    assert!(matches!(cloud.look(tasks).await, Answer::Swept(_)));
    let groups = Look::Groups { place: format!("{ACCOUNT}/eu-central-1"), names: vec![GROUP.to_owned()] };
    let room = Look::Demand { cluster: CLUSTER.to_owned(), of: "service:api".to_owned() };
    for look in [groups, room] {
        let answer = cloud.look(look).await;
        assert!(matches!(answer, Answer::Swept(_)), "{answer:?}");
    }
    assert_eq!(cloud.services(CLUSTER, &["api".to_owned()]).await.unwrap().len(), 1);
    assert_eq!(cloud.task_definition(CLUSTER, "api").await.unwrap().unwrap()["family"], "api");
    let wanted = Wanted { subnets: BTreeSet::from(["subnet-1".to_owned()]), ..Wanted::default() };
    assert_eq!(cloud.supply(CLUSTER, &wanted).await.1, []);
    let datum = Datum { name: "OpenHosts".into(), dimensions: vec![], value: 1.0, unit: "Count", at: Timestamp::now() };
    assert_eq!(cloud.put_metrics(CLUSTER, "Muster/Capacity", std::slice::from_ref(&datum)).await, Ok(1));
    let denied = cloud.put_metrics(CLUSTER, "AWS/ECS", &[datum]).await.unwrap_err();
    assert!(denied.why.contains("cloudwatch:PutMetricData"), "{denied:?}");
    let deliveries = cloud.receive().await.unwrap();
    for act in ACTS {
        let machine = if act == Act::Terminate { STRANGER } else { MACHINE };
        done(cloud, act, machine, false).await;
    }
    done(cloud, Act::ExecutePolicy { policy: "add-two".to_owned(), from: 3 }, MACHINE, false).await;
    done(cloud, Act::Reboot, EXTERNAL, false).await;
    // After a crash: the command is looked for by its comment.
    done(cloud, Act::RestartAgent, MACHINE, true).await;
    for name in ["function", "document"] {
        done(cloud, Act::Custom { name: name.to_owned() }, MACHINE, false).await;
    }
    let lease = LeaseSettings {
        table: "muster-lease".to_owned(),
        region: None,
        name: "prod".to_owned(),
        length: Duration::from_secs(60),
    };
    let lease = cloud.lease(lease).await.unwrap();
    assert!(lease.hold().await.unwrap().is_some());
    lease.release().await;
    let topic = format!("arn:aws:sns:eu-central-1:{ACCOUNT}:muster-pages");
    cloud.publish(&topic, "subject", "text", &[], "group", "dedup").await.unwrap();
    let mail = Mail { from: "muster@example.com".to_owned(), to: vec!["a@example.com".to_owned()], ..Mail::default() };
    cloud.send_email(None, &mail).await.unwrap();
    assert_eq!(cloud.parameter("/muster/token").await.unwrap(), "value");
    assert_eq!(cloud.secret("muster/receivers").await.unwrap(), "value");
    // The messages were not deleted at once, so their visibility has been extended meanwhile.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    cloud.acknowledge(deliveries.into_iter().map(|delivery| delivery.receipt).collect()).await.unwrap();
}

#[tokio::test]
async fn under_the_shipped_policies_everything_can_be_done_and_none_of_their_actions_is_left_over() {
    let (answers, called) = guarded(account(), true);
    let cancelled = Arc::new(AtomicBool::new(false));
    let seen = cancelled.clone();
    let answers = answers.on("CancelCommand", move |_| {
        seen.store(true, Ordering::SeqCst);
        Script::json(json!({}))
    });
    let running = answers.clone().on("GetCommandInvocation", |_| ended("InProgress", "InProgress", -1, ""));
    let serving = answers.serve().await;
    everything(&connect(with_a_role(&serving)).await.unwrap()).await;
    // A command without an end is asked to end.
    let serving = running.serve().await;
    let mut intent = intent(Act::RestartAgent);
    intent.limit_secs = 1;
    let result = connect(with_a_role(&serving)).await.unwrap().act(&intent, false).await;
    assert_failed(&result, true, "did not end within its limit");
    assert!(cancelled.load(Ordering::SeqCst));

    let called = called.lock().unwrap();
    let of = |names: &[&str]| -> BTreeSet<String> {
        names.iter().flat_map(|name| Policy::shipped(name).actions()).collect()
    };
    let for_roles = ["sts:AssumeRole", "sts:GetCallerIdentity"].map(str::to_owned);
    let own: BTreeSet<String> = of(&["observe", "notify", "publish"]).into_iter().chain(for_roles).collect();
    assert_eq!(called["own"], own, "what looks, listens and tells");
    assert_eq!(called["act"], of(&["act"]), "what acts");
}

#[tokio::test]
async fn a_machine_without_the_tag_a_strange_document_and_a_strange_function_are_out_of_reach() {
    let (answers, _) = guarded(account(), false);
    let serving = answers.serve().await;
    let cloud = connect(with_a_role(&serving)).await.unwrap();
    for act in [Act::RestartAgent, Act::Reboot, Act::MarkUnhealthy, Act::TerminateInGroup { shrink: false }] {
        let result = cloud.act(&intent(act), false).await;
        assert_is(&result, "denied", "deploy/iam/act.json");
    }
    let (answers, _) = guarded(account(), true);
    let serving = answers.serve().await;
    let cloud = connect(with_a_role(&serving)).await.unwrap();
    for name in ["strange-document", "strange-function"] {
        let result = cloud.act(&intent(Act::Custom { name: name.to_owned() }), false).await;
        assert_is(&result, "denied", "payroll");
    }
    // Whoever has been denied something is told of as long as it lasts.
    let told = cloud.observed_only();
    assert_eq!((told.len(), told[0].account.as_str()), (1, ACCOUNT), "{told:?}");
    assert!(told[0].why.contains("only observed as far as custom goes"), "{told:?}");
}

#[tokio::test]
async fn without_a_role_that_can_be_assumed_an_account_is_observed_and_nothing_is_done_there() {
    let refused = Arc::new(AtomicBool::new(true));
    let refuse = refused.clone();
    let answers = account().on("AssumeRole", move |asked| {
        assert_eq!(asked.form("RoleSessionName"), ["muster-act"]);
        if refuse.load(Ordering::SeqCst) {
            return Script::query_error(403, "AccessDenied", "not authorized to perform sts:AssumeRole");
        }
        assumed()
    });
    let (answers, called) = guarded(answers, true);
    let serving = answers.serve().await;
    let cloud = connect(with_a_role(&serving)).await.unwrap();
    assert_eq!(cloud.observed_only(), [], "nobody has looked yet");
    let told = cloud.look_at_act_roles().await;
    assert_eq!((told.len(), told[0].account.as_str()), (1, ACCOUNT), "{told:?}");
    for says in ["only observed", ACT_ROLE, "sts:AssumeRole"] {
        assert!(told[0].why.contains(says), "{says}: {told:?}");
    }
    assert!(!told[0].why.contains(CANARY));
    sweep(&cloud).await;
    for act in ACTS.into_iter().chain(["function", "document", "program"].map(|name| Act::Custom { name: name.into() }))
    {
        let result = cloud.act(&intent(act.clone()), false).await;
        match &result {
            ActResult::Saved { items } => assert!(items.iter().all(|(_, text)| text.contains("only observed"))),
            _ => assert_is(&result, "denied", "only observed"),
        }
        // Whether an earlier call took effect is not known for that.
        if act != Act::SaveEvidence {
            assert_failed(&cloud.act(&intent(act), true).await, true, "only observed");
        }
    }
    let changing = Policy::shipped("act").actions();
    let before = called.lock().unwrap().clone();
    assert!(!before.contains_key("act"), "{before:?}");
    assert!(before["own"].iter().all(|action| !changing.contains(action)), "{before:?}");
    assert!(serving.count("AssumeRole") <= 3, "a refused role is not asked for at every act");
    // Somebody mends the trust policy: no restart is needed.
    refused.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(cloud.look_at_act_roles().await, []);
    done(&cloud, Act::Drain, MACHINE, false).await;
    assert!(called.lock().unwrap().contains_key("act"));
}

/// Names the child of the test below, and what it is to find.
const CHILD: &str = "MUSTER_TEST_CHILD";

/// The environment belongs to the whole process, so the look is made by a child of this test.
#[tokio::test]
async fn what_a_pretend_account_says_never_leads_to_an_act_in_a_real_one() {
    if let Ok(expected) = std::env::var(CHILD) {
        let cloud = connect(Settings { endpoint_url: None, ..settings(String::new()) }).await.unwrap();
        let result = cloud.act(&intent(Act::Terminate), false).await;
        if expected == "refused" {
            assert_is(&result, "denied", "asked on this machine, as a pretend account is");
        } else {
            assert!(!result.says().contains("pretend"), "{result:?}");
        }
        return;
    }
    let pretend = account().serve().await;
    // Nobody is there, on an address that is for examples only.
    let elsewhere = "http://192.0.2.1:9";
    for (all, name, one, expected) in [
        (pretend.url().as_str(), "AWS_ENDPOINT_URL_EC2", elsewhere, "refused"),
        (elsewhere, "AWS_ENDPOINT_URL_ECS", pretend.url().as_str(), "refused"),
        (elsewhere, "AWS_ENDPOINT_URL_AUTO_SCALING", pretend.url().as_str(), "refused"),
        (pretend.url().as_str(), "AWS_ENDPOINT_URL_EC2", "http://localhost:9", "not refused"),
    ] {
        let child = tokio::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "what_a_pretend_account_says_never_leads_to_an_act_in_a_real_one"])
            .env(CHILD, expected)
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_ENDPOINT_URL", all)
            .env(name, one)
            .output()
            .await
            .unwrap();
        assert!(child.status.success(), "{all} {name}={one}: {}", String::from_utf8_lossy(&child.stdout));
    }
    assert_eq!(pretend.count("TerminateInstances"), 0);
}

#[tokio::test]
async fn an_account_of_which_no_role_is_named_is_only_observed() {
    let (answers, called) = guarded(account(), true);
    let serving = answers.serve().await;
    let elsewhere = "arn:aws:iam::109876543210:role/muster-act".to_owned();
    let settings = Settings { act_roles: vec![elsewhere], ..with_a_role(&serving) };
    let cloud = connect(settings).await.unwrap();
    let result = cloud.act(&intent(Act::Drain), false).await;
    assert_is(&result, "denied", "none is of this account; add one to act_roles");
    assert!(called.lock().unwrap().is_empty());
    // Whose account it is, is known by its first ARN.
    sweep(&cloud).await;
    let told = cloud.observed_only();
    assert_eq!((told.len(), told[0].account.as_str()), (1, ACCOUNT), "{told:?}");
}

#[tokio::test]
async fn without_roles_to_act_under_the_credentials_that_look_act_as_well() {
    let serving = account().serve().await;
    let settings = Settings { act_roles: Vec::new(), ..with_a_role(&serving) };
    let cloud = connect(settings).await.unwrap();
    done(&cloud, Act::Drain, MACHINE, false).await;
    assert_eq!((serving.count("AssumeRole"), serving.count("GetCallerIdentity")), (0, 0));
    assert_eq!(cloud.look_at_act_roles().await, []);
}

#[tokio::test]
async fn what_is_no_role_is_refused_at_once() {
    let serving = account().serve().await;
    let settings = Settings { act_roles: vec!["muster-act".to_owned()], ..with_a_role(&serving) };
    let error = connect(settings).await.unwrap_err().to_string();
    assert!(error.contains("muster-act is no role ARN"), "{error}");
}
