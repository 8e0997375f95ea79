//! Acts against scripted answers: what AWS may say to each, and that nothing is done twice, nothing is done blindly, and
//! no refusal is taken for a success.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop at its line")]

#[allow(unreachable_pub, reason = "shared by the tests of this folder")]
mod scripted;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws::{
    AwsCloud, CustomWebhook, Settings, WebhookFailure, connect,
    settings::{Clusters, Custom, CustomRun, Keys, Timeouts},
};
use engine::ports::{Act, ActResult, Cloud as _, Intent, Target, id::CaseId};
use fleet::remedy::{
    Remedy,
    act::{Expects, IntentId},
};
use scripted::{Answers, Asked, Script, Serving};
use serde_json::{Value, json};

const CLUSTER: &str = "arn:aws:ecs:eu-central-1:210987654321:cluster/prod";
const HOST: &str = "arn:aws:ecs:eu-central-1:210987654321:container-instance/prod/0f3a9c1d2b4e4f6a8b7c6d5e4f3a2b1c";
const MACHINE: &str = "i-0a1b2c3d4e5f60718";
const EXTERNAL: &str = "mi-0a1b2c3d4e5f60718";
const GROUP: &str = "prod-workers";
const TOKEN: &str = "j0123456789abcdef-42";
/// In no result may this ever turn up.
const CANARY: &str = "canary-secret-0123456789";

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
            backoff: Duration::from_millis(2),
        },
        ..Settings::default()
    }
}

fn intent(act: Act) -> Intent {
    Intent {
        id: IntentId(42),
        token: TOKEN.to_owned(),
        case: CaseId(7),
        remedy: Remedy::Replace,
        act,
        target: Target {
            cluster: CLUSTER.to_owned(),
            place: "210987654321/eu-central-1".to_owned(),
            host: Some(HOST.to_owned()),
            machine: Some(MACHINE.to_owned()),
            group: Some(GROUP.to_owned()),
            ..Target::default()
        },
        expects: Expects::default(),
        limit_secs: 20,
    }
}

async fn cloud(answers: Answers) -> (AwsCloud, Serving) {
    let serving = answers.serve().await;
    (connect(settings(serving.url())).await.unwrap(), serving)
}

async fn act(answers: Answers, act: Act) -> (ActResult<'static>, Serving) {
    perform(answers, intent(act), false).await
}

async fn perform(answers: Answers, intent: Intent, again: bool) -> (ActResult<'static>, Serving) {
    let (cloud, serving) = cloud(answers).await;
    let result = cloud.act(&intent, again).await;
    assert!(!format!("{result:?}{cloud:?}").contains(CANARY), "{result:?}");
    (result, serving)
}

/// The kind of a result, and that it says something to a person.
#[track_caller]
fn assert_is(result: &ActResult<'_>, word: &str, says: &str) {
    assert_eq!(result.word(), word, "{result:?}");
    assert!(result.says().contains(says), "{says:?} is not in {result:?}");
}

#[track_caller]
fn assert_failed(result: &ActResult<'_>, may: bool, says: &str) {
    assert_is(result, "failed", says);
    assert!(matches!(result, ActResult::Failed { may_have_happened, .. } if *may_have_happened == may), "{result:?}");
}

fn denied() -> Script {
    Script::error(400, "AccessDeniedException", "User: role/muster is not authorized")
}

/// Answers that throttle twice and then do as `then` does.
fn throttling(
    mut then: impl FnMut(&Asked) -> Script + Send + 'static,
) -> impl FnMut(&Asked) -> Script + Send + 'static {
    let mut throttles = 2;
    move |asked| {
        if throttles > 0 {
            throttles -= 1;
            return Script::error(400, "ThrottlingException", "Rate exceeded");
        }
        then(asked)
    }
}

// --- drain and deregister -------------------------------------------------------------------------------------------

fn registered(status: &str) -> Script {
    Script::json(json!({"containerInstances": [{"containerInstanceArn": HOST, "status": status}], "failures": []}))
}

fn missing() -> Script {
    Script::json(json!({"containerInstances": [], "failures": [{"arn": HOST, "reason": "MISSING"}]}))
}

/// A host whose state is what it was last set to.
fn ecs(status: &'static str) -> Answers {
    let (state, read) = shared(status.to_owned());
    Answers::new().on("DescribeContainerInstances", move |_| registered(&read.lock().unwrap())).on_mut(
        "UpdateContainerInstancesState",
        move |asked| {
            assert_eq!(asked.list("containerInstances"), [HOST]);
            *state.lock().unwrap() = asked.text("status");
            registered(&asked.text("status"))
        },
    )
}

fn shared<T>(value: T) -> (Arc<Mutex<T>>, Arc<Mutex<T>>) {
    let one = Arc::new(Mutex::new(value));
    (one.clone(), one)
}

#[tokio::test]
async fn a_host_is_drained_and_undrained() {
    let (result, serving) = act(ecs("ACTIVE"), Act::Drain).await;
    assert_is(&result, "done", "is DRAINING");
    assert_eq!(serving.count("UpdateContainerInstancesState"), 1);
    let (result, _serving) = act(ecs("DRAINING"), Act::Undrain).await;
    assert_is(&result, "done", "is ACTIVE");
}

#[tokio::test]
async fn a_host_that_is_in_the_wished_state_is_not_asked_for_again() {
    for (status, wish) in [("DRAINING", Act::Drain), ("ACTIVE", Act::Undrain)] {
        let (result, serving) = act(ecs(status), wish).await;
        assert_is(&result, "done", "already");
        assert_eq!(serving.count("UpdateContainerInstancesState"), 0);
    }
}

#[tokio::test]
async fn only_active_and_draining_hosts_are_changed() {
    for status in ["REGISTERING", "DEREGISTERING", "REGISTRATION_FAILED"] {
        let (result, serving) = act(ecs(status), Act::Drain).await;
        assert_is(&result, "unfit", status);
        assert_eq!(serving.count("UpdateContainerInstancesState"), 0);
    }
    let refuses = ecs("ACTIVE").on("UpdateContainerInstancesState", |_| {
        Script::error(400, "InvalidParameterException", "The container instance cannot be updated in its current state")
    });
    let (result, _serving) = act(refuses, Act::Drain).await;
    assert_is(&result, "unfit", "cannot be updated");
}

#[tokio::test]
async fn a_host_that_ecs_does_not_know_is_gone() {
    for answers in [
        Answers::new().on("DescribeContainerInstances", |_| missing()),
        ecs("INACTIVE"),
        ecs("ACTIVE").on("UpdateContainerInstancesState", |_| missing()),
        Answers::new()
            .on("DescribeContainerInstances", |_| Script::error(400, "ClusterNotFoundException", "Cluster not found.")),
    ] {
        let (result, _serving) = act(answers, Act::Drain).await;
        assert_eq!(result.word(), "gone", "{result:?}");
    }
    let mut never_registered = intent(Act::Drain);
    never_registered.target.host = None;
    let (result, _serving) = perform(Answers::new(), never_registered, false).await;
    assert_is(&result, "gone", "never registered");
}

#[tokio::test]
async fn a_drain_whose_answer_was_lost_is_found_to_have_happened_and_is_not_sent_twice() {
    let (state, read) = shared("ACTIVE".to_owned());
    let answers = Answers::new().on("DescribeContainerInstances", move |_| registered(&read.lock().unwrap())).on_mut(
        "UpdateContainerInstancesState",
        move |asked| {
            *state.lock().unwrap() = asked.text("status");
            Script::Hang
        },
    );
    let (result, serving) = act(answers, Act::Drain).await;
    assert_is(&result, "done", "DRAINING already");
    assert_eq!(serving.count("UpdateContainerInstancesState"), 1);
}

#[tokio::test]
async fn a_drain_that_gets_no_answer_at_all_may_have_happened() {
    let (result, serving) = act(ecs("ACTIVE").on("UpdateContainerInstancesState", |_| Script::Hang), Act::Drain).await;
    assert_failed(&result, true, "no answer in time");
    assert_eq!(
        serving.count("UpdateContainerInstancesState"),
        2,
        "it looked, saw that nothing had happened, and asked again"
    );
}

#[tokio::test]
async fn a_throttle_is_waited_out_and_a_denial_names_what_to_allow() {
    let changes = throttling(|asked| registered(&asked.text("status")));
    let (result, serving) = act(ecs("ACTIVE").on_mut("UpdateContainerInstancesState", changes), Act::Drain).await;
    assert_is(&result, "done", "is DRAINING");
    assert_eq!(serving.count("UpdateContainerInstancesState"), 3);
    let (result, serving) = act(ecs("ACTIVE").on("UpdateContainerInstancesState", |_| denied()), Act::Drain).await;
    assert_is(&result, "denied", "allow the action ecs:UpdateContainerInstancesState");
    assert!(result.says().contains("deploy/iam/act.json"));
    assert_eq!(serving.count("UpdateContainerInstancesState"), 1);
}

#[tokio::test]
async fn throttles_without_end_are_a_failure_that_did_nothing() {
    let always = |_: &Asked| Script::error(400, "ThrottlingException", "Rate exceeded");
    let (result, serving) = act(ecs("ACTIVE").on("UpdateContainerInstancesState", always), Act::Drain).await;
    assert_failed(&result, false, "throttled");
    assert!(serving.count("UpdateContainerInstancesState") <= 6);
}

#[tokio::test]
async fn an_answer_that_says_nothing_of_the_host_is_not_taken_for_a_success() {
    let html = |_: &Asked| Script::raw(200, "text/html", "<!doctype html><title>Sign in</title>");
    let (result, _serving) = act(ecs("ACTIVE").on("UpdateContainerInstancesState", html), Act::Drain).await;
    assert_eq!(result.word(), "failed", "{result:?}");
    let empty = |_: &Asked| Script::json(json!({}));
    let (result, serving) = act(Answers::new().on("DescribeContainerInstances", empty), Act::Drain).await;
    assert_failed(&result, false, "no container instance");
    assert_eq!(serving.count("UpdateContainerInstancesState"), 0);
    let (result, _serving) = act(ecs("ACTIVE").on("UpdateContainerInstancesState", empty), Act::Drain).await;
    assert_failed(&result, true, "did not say");
}

#[tokio::test]
async fn a_host_is_deregistered_by_force() {
    let answers = ecs("ACTIVE").on("DeregisterContainerInstance", |asked| {
        assert_eq!((asked.text("containerInstance").as_str(), asked.body["force"].as_bool()), (HOST, Some(true)));
        Script::json(json!({"containerInstance": {"containerInstanceArn": HOST, "status": "INACTIVE"}}))
    });
    let (result, _serving) = act(answers, Act::Deregister).await;
    assert_is(&result, "done", "is INACTIVE");
}

#[tokio::test]
async fn a_host_that_is_deregistered_already_is_a_success_and_an_unknown_one_is_gone() {
    let (result, serving) = act(ecs("INACTIVE"), Act::Deregister).await;
    assert_is(&result, "done", "already");
    assert_eq!(serving.count("DeregisterContainerInstance"), 0);
    let (result, _serving) = act(Answers::new().on("DescribeContainerInstances", |_| missing()), Act::Deregister).await;
    assert_eq!(result.word(), "gone");
    let unknown =
        |_: &Asked| Script::error(400, "InvalidParameterException", "Referenced container instance not found.");
    let (result, _serving) = act(ecs("ACTIVE").on("DeregisterContainerInstance", unknown), Act::Deregister).await;
    assert_is(&result, "gone", "not found");
    let (result, _serving) = act(ecs("ACTIVE").on("DeregisterContainerInstance", |_| denied()), Act::Deregister).await;
    assert_is(&result, "denied", "ecs:DeregisterContainerInstance");
}

// --- replace --------------------------------------------------------------------------------------------------------

fn xml(operation: &str, inner: &str) -> Script {
    Script::xml(&format!("<{operation}Response><{operation}Result>{inner}</{operation}Result></{operation}Response>"))
}

fn member(group: &str, lifecycle: &str, health: &str) -> Script {
    let member = format!(
        "<AutoScalingInstances><member><InstanceId>{MACHINE}</InstanceId><AutoScalingGroupName>{group}</AutoScalingGroupName>\
         <AvailabilityZone>eu-central-1a</AvailabilityZone><LifecycleState>{lifecycle}</LifecycleState>\
         <HealthStatus>{health}</HealthStatus><ProtectedFromScaleIn>false</ProtectedFromScaleIn></member>\
         </AutoScalingInstances>"
    );
    xml("DescribeAutoScalingInstances", &member)
}

fn no_member() -> Script {
    xml("DescribeAutoScalingInstances", "<AutoScalingInstances/>")
}

fn group(min: u32, desired: u32, max: u32, suspended: &str) -> Script {
    let suspended = match suspended {
        "" => String::new(),
        name => format!("<member><ProcessName>{name}</ProcessName></member>"),
    };
    let group = format!(
        "<AutoScalingGroups><member><AutoScalingGroupName>{GROUP}</AutoScalingGroupName><MinSize>{min}</MinSize>\
         <MaxSize>{max}</MaxSize><DesiredCapacity>{desired}</DesiredCapacity><DefaultCooldown>300</DefaultCooldown>\
         <HealthCheckType>EC2</HealthCheckType><AvailabilityZones><member>eu-central-1a</member></AvailabilityZones>\
         <CreatedTime>2026-10-02T08:15:31Z</CreatedTime><SuspendedProcesses>{suspended}</SuspendedProcesses></member>\
         </AutoScalingGroups>"
    );
    xml("DescribeAutoScalingGroups", &group)
}

fn machine(state: &str) -> Script {
    Script::xml(&format!(
        "<DescribeInstanceStatusResponse><instanceStatusSet><item><instanceId>{MACHINE}</instanceId><instanceState>\
         <name>{state}</name></instanceState></item></instanceStatusSet></DescribeInstanceStatusResponse>"
    ))
}

const END: Act = Act::TerminateInGroup { shrink: false };
const TERMINATE: &str = "TerminateInstanceInAutoScalingGroup";

/// A machine in service in a group of 1 to 5 that has 3.
fn in_service() -> Answers {
    Answers::new()
        .on("DescribeAutoScalingInstances", |_| member(GROUP, "InService", "HEALTHY"))
        .on("DescribeAutoScalingGroups", |_| group(1, 3, 5, ""))
        .on("DescribeInstanceStatus", |_| machine("running"))
        .on(TERMINATE, |asked| {
            assert_eq!(asked.form("InstanceId"), [MACHINE]);
            xml(TERMINATE, "<Activity><ActivityId>1</ActivityId><Description>Terminating</Description></Activity>")
        })
        .on("SetInstanceHealth", |_| xml("SetInstanceHealth", ""))
        .on("SetDesiredCapacity", |_| xml("SetDesiredCapacity", ""))
}

#[tokio::test]
async fn the_group_ends_the_machine_and_launches_another_unless_it_is_to_shrink() {
    for (shrink, text) in [(false, "launches another"), (true, "shrinks by one")] {
        let answers = in_service().on(TERMINATE, move |asked| {
            assert_eq!(asked.form("ShouldDecrementDesiredCapacity"), [shrink.to_string()]);
            xml(TERMINATE, "")
        });
        let (result, serving) = act(answers, Act::TerminateInGroup { shrink }).await;
        assert_is(&result, "done", text);
        assert_eq!(serving.count(TERMINATE), 1);
    }
}

#[tokio::test]
async fn a_machine_on_its_way_out_is_not_ended_again() {
    for lifecycle in ["Terminating", "Terminating:Wait", "Terminating:Proceed", "Terminated"] {
        let answers = in_service().on("DescribeAutoScalingInstances", move |_| member(GROUP, lifecycle, "UNHEALTHY"));
        let (result, serving) = act(answers, END).await;
        assert_is(&result, "done", "on its way");
        assert_eq!(serving.count(TERMINATE), 0);
    }
}

#[tokio::test]
async fn a_machine_that_somebody_took_aside_or_that_belongs_elsewhere_is_left_alone() {
    for lifecycle in ["Standby", "EnteringStandby", "Pending:Wait", "Detaching", "Warmed:Stopped"] {
        let answers = in_service().on("DescribeAutoScalingInstances", move |_| member(GROUP, lifecycle, "HEALTHY"));
        for what in [END, Act::MarkUnhealthy] {
            let (result, serving) = act(answers.clone(), what).await;
            assert_is(&result, "unfit", lifecycle);
            assert_eq!(serving.count(TERMINATE) + serving.count("SetInstanceHealth"), 0);
        }
    }
    let elsewhere = in_service().on("DescribeAutoScalingInstances", |_| member("other", "InService", "HEALTHY"));
    let (result, serving) = act(elsewhere, END).await;
    assert_is(&result, "unfit", "other");
    assert_eq!(serving.count(TERMINATE), 0);
}

#[tokio::test]
async fn a_machine_in_no_group_is_judged_by_what_ec2_says() {
    for (state, word) in [("running", "unfit"), ("stopped", "unfit"), ("terminated", "done"), ("shutting-down", "done")]
    {
        let answers = in_service()
            .on("DescribeAutoScalingInstances", |_| no_member())
            .on("DescribeInstanceStatus", move |_| machine(state));
        let (result, serving) = act(answers, END).await;
        assert_eq!(result.word(), word, "{state}: {result:?}");
        assert_eq!(serving.count(TERMINATE), 0);
    }
    let unknown = in_service().on("DescribeAutoScalingInstances", |_| no_member()).on("DescribeInstanceStatus", |_| {
        Script::ec2_error("InvalidInstanceID.NotFound", "The instance ID 'i-0a1b2c3d4e5f60718' does not exist")
    });
    assert_eq!(act(unknown, END).await.0.word(), "gone");
}

#[tokio::test]
async fn a_group_that_cannot_do_its_part_is_not_asked_to() {
    for (what, process) in [
        (END, "Launch"),
        (END, "Terminate"),
        (Act::TerminateInGroup { shrink: true }, "Terminate"),
        (Act::MarkUnhealthy, "ReplaceUnhealthy"),
        (Act::SetDesired { from: 3, to: 4 }, "Launch"),
    ] {
        let answers = in_service().on("DescribeAutoScalingGroups", move |_| group(1, 3, 5, process));
        let (result, serving) = act(answers, what).await;
        assert_is(&result, "impossible", process);
        let asked = serving.count(TERMINATE) + serving.count("SetInstanceHealth") + serving.count("SetDesiredCapacity");
        assert_eq!(asked, 0);
    }
    let at_its_minimum = in_service().on("DescribeAutoScalingGroups", |_| group(3, 3, 5, ""));
    let (result, serving) = act(at_its_minimum.clone(), Act::TerminateInGroup { shrink: true }).await;
    assert_is(&result, "impossible", "minimum of 3");
    assert_eq!(serving.count(TERMINATE), 0);
    assert_eq!(act(at_its_minimum, END).await.0.word(), "done", "replacing keeps the size");
}

#[tokio::test]
async fn what_auto_scaling_says_in_words_is_understood() {
    for (message, word) in [
        ("Instance Id not found - No managed instance found for instance ID i-0a1b2c3d4e5f60718", "gone"),
        (
            "Currently, desiredSize equals minSize (3). Terminating instance without replacement will violate it.",
            "impossible",
        ),
        ("Something else about the request", "unfit"),
    ] {
        let answers = in_service().on(TERMINATE, move |_| Script::query_error(400, "ValidationError", message));
        let (result, _serving) = act(answers, END).await;
        assert_eq!(result.word(), word, "{result:?}");
    }
    let busy = in_service().on(TERMINATE, |_| Script::query_error(400, "ScalingActivityInProgress", "Busy"));
    assert_failed(&act(busy, END).await.0, false, "Busy");
    let denies = in_service().on(TERMINATE, |_| Script::query_error(403, "AccessDenied", "not authorized"));
    assert_is(&act(denies, END).await.0, "denied", "autoscaling:TerminateInstanceInAutoScalingGroup");
}

#[tokio::test]
async fn an_end_whose_answer_was_lost_is_seen_and_not_asked_for_twice() {
    let ending = Arc::new(AtomicBool::new(false));
    let seen = ending.clone();
    let answers = in_service()
        .on("DescribeAutoScalingInstances", move |_| {
            member(GROUP, if seen.load(Ordering::SeqCst) { "Terminating" } else { "InService" }, "HEALTHY")
        })
        .on(TERMINATE, move |_| {
            ending.store(true, Ordering::SeqCst);
            Script::Hang
        });
    let (result, serving) = act(answers, END).await;
    assert_is(&result, "done", "on its way");
    assert_eq!(serving.count(TERMINATE), 1);
}

#[tokio::test]
async fn a_server_error_after_which_nothing_can_be_seen_may_have_happened() {
    let blind = Arc::new(AtomicBool::new(false));
    let sees = blind.clone();
    let answers = in_service()
        .on("DescribeAutoScalingInstances", move |_| match sees.load(Ordering::SeqCst) {
            true => Script::query_error(403, "AccessDenied", "not authorized"),
            false => member(GROUP, "InService", "HEALTHY"),
        })
        .on(TERMINATE, move |_| {
            blind.store(true, Ordering::SeqCst);
            Script::query_error(500, "InternalFailure", "oops")
        });
    let (result, serving) = act(answers, END).await;
    assert_failed(&result, true, "autoscaling:DescribeAutoScalingInstances");
    assert_eq!(serving.count(TERMINATE), 1);
}

#[tokio::test]
async fn a_machine_is_marked_unhealthy_within_its_grace_period_too_and_once() {
    let answers = in_service().on("SetInstanceHealth", |asked| {
        assert_eq!(
            (asked.form("HealthStatus"), asked.form("ShouldRespectGracePeriod")),
            (vec!["Unhealthy".to_owned()], vec!["false".to_owned()])
        );
        xml("SetInstanceHealth", "")
    });
    assert_is(&act(answers, Act::MarkUnhealthy).await.0, "done", "will replace it");
    let already = in_service().on("DescribeAutoScalingInstances", |_| member(GROUP, "InService", "UNHEALTHY"));
    let (result, serving) = act(already, Act::MarkUnhealthy).await;
    assert_is(&result, "done", "already");
    assert_eq!(serving.count("SetInstanceHealth"), 0);
}

#[tokio::test]
async fn a_group_is_sized_only_from_what_it_was() {
    let answers = in_service().on("SetDesiredCapacity", |asked| {
        assert_eq!(
            (asked.form("DesiredCapacity"), asked.form("AutoScalingGroupName")),
            (vec!["4".to_owned()], vec![GROUP.to_owned()])
        );
        xml("SetDesiredCapacity", "")
    });
    assert_is(&act(answers, Act::SetDesired { from: 3, to: 4 }).await.0, "done", "wants 4 machines");
    for (from, to, word) in [(2, 3, "done"), (2, 4, "unfit"), (3, 6, "impossible"), (3, 0, "impossible")] {
        let (result, serving) = act(in_service(), Act::SetDesired { from, to }).await;
        assert_eq!(result.word(), word, "{from} to {to}: {result:?}");
        assert_eq!(serving.count("SetDesiredCapacity"), 0);
    }
    let nobody =
        in_service().on("DescribeAutoScalingGroups", |_| xml("DescribeAutoScalingGroups", "<AutoScalingGroups/>"));
    assert_eq!(act(nobody, Act::SetDesired { from: 3, to: 4 }).await.0.word(), "gone");
}

#[tokio::test]
async fn a_machine_outside_of_any_group_is_ended_by_ec2() {
    let alone = in_service().on("DescribeAutoScalingInstances", |_| no_member()).on("TerminateInstances", |asked| {
        assert_eq!(asked.form("InstanceId."), [MACHINE]);
        Script::xml(&format!(
            "<TerminateInstancesResponse><instancesSet><item><instanceId>{MACHINE}</instanceId><currentState>\
             <name>shutting-down</name></currentState></item></instancesSet></TerminateInstancesResponse>"
        ))
    });
    assert_is(&act(alone.clone(), Act::Terminate).await.0, "done", "shutting-down");
    let (result, serving) = act(in_service(), Act::Terminate).await;
    assert_is(&result, "unfit", GROUP);
    assert_eq!(serving.count("TerminateInstances"), 0);
    for (code, word) in [
        ("OperationNotPermitted", "impossible"),
        ("InvalidInstanceID.NotFound", "gone"),
        ("UnauthorizedOperation", "denied"),
        ("IncorrectInstanceState", "unfit"),
    ] {
        let refuses = alone.clone().on("TerminateInstances", move |_| Script::ec2_error(code, "words"));
        let (result, _serving) = act(refuses, Act::Terminate).await;
        assert_eq!(result.word(), word, "{result:?}");
    }
}

// --- reboot ---------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_reboot_is_asked_for_once_whatever_comes_back() {
    let fine = Answers::new().on("RebootInstances", |_| {
        Script::xml("<RebootInstancesResponse><return>true</return></RebootInstancesResponse>")
    });
    assert_is(&act(fine, Act::Reboot).await.0, "done", MACHINE);
    for lost in
        [Script::Hang, Script::ec2_error("InternalError", "oops"), Script::raw(502, "text/html", "<html></html>")]
    {
        let (result, serving) = act(Answers::new().on("RebootInstances", move |_| lost.clone()), Act::Reboot).await;
        let code = matches!(&result, ActResult::Failed { may_have_happened: true, .. });
        assert!(code, "{result:?}");
        assert_eq!(serving.count("RebootInstances"), 1);
    }
    let (result, serving) = perform(Answers::new(), intent(Act::Reboot), true).await;
    assert_failed(&result, true, "not done a second time");
    assert_eq!(serving.count("RebootInstances"), 0);
}

// --- commands -------------------------------------------------------------------------------------------------------

const COMMAND: &str = "11112222-3333-4444-5555-666677778888";

fn pinged(ping: &'static str, platform_type: &'static str, platform: &'static str) -> impl Fn(&Asked) -> Script + Send {
    move |asked| {
        let id = asked.body["Filters"][0]["Values"][0].clone();
        Script::json(json!({"InstanceInformationList": [
            {"InstanceId": id, "PingStatus": ping, "PlatformType": platform_type, "PlatformName": platform}
        ]}))
    }
}

fn sent() -> Script {
    Script::json(json!({"Command": {"CommandId": COMMAND, "Status": "Pending"}}))
}

fn ended(status: &str, details: &str, code: i64, output: &str) -> Script {
    Script::json(json!({"CommandId": COMMAND, "Status": status, "StatusDetails": details, "ResponseCode": code,
                        "StandardOutputContent": output, "StandardErrorContent": ""}))
}

/// A Linux host that SSM reaches, where the script ends well.
fn ssm() -> Answers {
    Answers::new()
        .on("DescribeInstanceInformation", pinged("Online", "Linux", "Amazon Linux"))
        .on("SendCommand", |_| sent())
        .on("ListCommands", |_| Script::json(json!({"Commands": []})))
        .on("CancelCommand", |_| Script::json(json!({})))
        .on("GetCommandInvocation", |_| ended("Success", "Success", 0, "the agent answers on the host\n"))
}

#[tokio::test]
async fn the_agent_is_restarted_by_a_fixed_script_on_this_one_machine() {
    let answers = ssm().on("SendCommand", |asked| {
        assert_eq!(
            (asked.text("DocumentName").as_str(), asked.list("InstanceIds")),
            ("AWS-RunShellScript", vec![MACHINE.to_owned()])
        );
        assert_eq!(asked.text("Comment"), format!("muster {TOKEN}"));
        assert_eq!(asked.body["TimeoutSeconds"], 30, "SSM takes no less");
        let commands = asked.body["Parameters"]["commands"].as_array().unwrap();
        assert_eq!((commands.len(), commands[0].as_str()), (2, Some("action=restart-agent")));
        assert!(!asked.body["Parameters"].to_string().contains(TOKEN), "nothing from outside is in the script");
        sent()
    });
    let (result, serving) = act(answers, Act::RestartAgent).await;
    assert_is(&result, "done", "the agent answers");
    assert_eq!((serving.count("SendCommand"), serving.count("CancelCommand")), (1, 0));
}

#[tokio::test]
async fn windows_is_spoken_to_in_powershell() {
    let answers = ssm()
        .on("DescribeInstanceInformation", pinged("Online", "Windows", "Microsoft Windows Server 2022 Datacenter"))
        .on("SendCommand", |asked| {
            assert_eq!(asked.text("DocumentName"), "AWS-RunPowerShellScript");
            assert_eq!(asked.body["Parameters"]["commands"][0], "$action = 'restart-runtime'");
            sent()
        });
    assert_eq!(act(answers, Act::RestartRuntime).await.0.word(), "done");
}

#[tokio::test]
async fn a_command_that_ssm_does_not_know_yet_is_waited_for() {
    let looks = AtomicUsize::new(0);
    let answers = ssm().on("GetCommandInvocation", move |_| match looks.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => Script::error(400, "InvocationDoesNotExist", ""),
        2 => ended("Pending", "Pending", -1, ""),
        3 => Script::error(400, "ThrottlingException", "Rate exceeded"),
        4 => ended("InProgress", "InProgress", -1, ""),
        _ => ended("Success", "Success", 0, "the agent answers on the host"),
    });
    let (result, serving) = act(answers, Act::RestartAgent).await;
    assert_is(&result, "done", "answers");
    assert_eq!((serving.count("SendCommand"), serving.count("GetCommandInvocation")), (1, 6));
}

#[tokio::test]
async fn how_a_command_ends_is_told_apart() {
    for (status, details, code, output, word, may) in [
        ("Failed", "Failed", 1, "the agent does not answer on the host after its restart", "unhealed", false),
        ("Failed", "Failed", 1, "failed to run commands: fork: out of memory", "failed", true),
        ("Failed", "Failed", 2, "systemctl restart ecs failed", "failed", true),
        ("Failed", "Failed", 3, "no ECS agent is installed", "impossible", false),
        ("TimedOut", "Execution Timed Out", -1, "", "failed", true),
        ("TimedOut", "Delivery Timed Out", -1, "", "failed", false),
        ("Failed", "Undeliverable", -1, "", "failed", false),
        ("Cancelled", "Cancelled", -1, "", "failed", true),
    ] {
        let answers = ssm().on("GetCommandInvocation", move |_| ended(status, details, code, output));
        let (result, _serving) = act(answers, Act::RestartAgent).await;
        assert_eq!(result.word(), word, "{details}: {result:?}");
        if word == "failed" {
            assert_failed(&result, may, "");
        }
        assert!(!result.says().is_empty() && result.says().contains(output), "{result:?}");
    }
}

#[tokio::test]
async fn what_a_host_says_comes_without_secrets_and_line_breaks() {
    let output = format!(
        "line one\n\u{1b}[31mpassword={CANARY}\nhttps://hooks.slack.com/services/{CANARY}\nthe agent does not answer"
    );
    let answers = ssm().on("GetCommandInvocation", move |_| ended("Failed", "Failed", 1, &output));
    let (result, _serving) = act(answers, Act::RestartAgent).await;
    assert_is(&result, "unhealed", "does not answer");
    assert!(!result.says().chars().any(char::is_control), "{result:?}");
}

#[tokio::test]
async fn nothing_is_sent_where_nothing_can_arrive() {
    let nobody = |_: &Asked| Script::json(json!({"InstanceInformationList": []}));
    let (result, serving) = act(ssm().on("DescribeInstanceInformation", nobody), Act::RestartAgent).await;
    assert_is(&result, "impossible", "SSM does not know");
    assert_eq!(serving.count("SendCommand"), 0);
    let lost = ssm().on("DescribeInstanceInformation", pinged("ConnectionLost", "Linux", "Amazon Linux"));
    let (result, serving) = act(lost, Act::RestartAgent).await;
    assert_failed(&result, false, "ConnectionLost");
    assert_eq!(serving.count("SendCommand"), 0);
    let mac = ssm().on("DescribeInstanceInformation", pinged("Online", "MacOS", "macOS"));
    assert_eq!(act(mac, Act::RestartAgent).await.0.word(), "impossible");
}

#[tokio::test]
async fn bottlerocket_has_no_agent_to_restart_and_can_still_be_rebooted() {
    let bottlerocket = || ssm().on("DescribeInstanceInformation", pinged("Online", "Linux", "Bottlerocket"));
    for what in [Act::RestartAgent, Act::RestartRuntime] {
        let (result, serving) = act(bottlerocket(), what).await;
        assert_is(&result, "impossible", "reboot or a replacement");
        assert_eq!(serving.count("SendCommand"), 0);
    }
    let answers = bottlerocket().on("SendCommand", |asked| {
        assert!(asked.body["Parameters"]["commands"][1].as_str().unwrap().contains("apiclient reboot"));
        sent()
    });
    let mut external = intent(Act::Reboot);
    external.target.machine = Some(EXTERNAL.to_owned());
    assert_eq!(perform(answers, external, false).await.0.word(), "done");
}

#[tokio::test]
async fn a_host_of_ecs_anywhere_is_rebooted_by_a_command_and_its_machine_is_never_ended() {
    let answers = ssm().on("SendCommand", |asked| {
        assert_eq!(asked.list("InstanceIds"), [EXTERNAL]);
        assert_eq!(asked.body["Parameters"]["commands"][0], "action=reboot");
        sent()
    });
    let external = |act| {
        let mut intent = intent(act);
        (intent.target.machine, intent.target.external) = (Some(EXTERNAL.to_owned()), true);
        intent
    };
    let (result, serving) = perform(answers, external(Act::Reboot), false).await;
    assert_eq!(result.word(), "done", "{result:?}");
    assert_eq!(serving.count("RebootInstances"), 0);
    for what in [Act::Terminate, END, Act::MarkUnhealthy] {
        let (result, _serving) = perform(Answers::new(), external(what), false).await;
        assert_is(&result, "impossible", "no EC2 instance");
    }
}

#[tokio::test]
async fn a_command_whose_sending_was_not_confirmed_is_found_by_its_comment_and_sent_once() {
    let (taken, listed) = shared(Vec::<String>::new());
    let answers = ssm()
        .on("SendCommand", move |asked| {
            taken.lock().unwrap().push(asked.text("Comment"));
            Script::Hang
        })
        .on("ListCommands", move |asked| {
            assert_eq!(asked.text("InstanceId"), MACHINE);
            let other = json!({"CommandId": "0", "Comment": format!("muster {TOKEN}7")});
            let mut all = vec![other];
            all.extend(listed.lock().unwrap().iter().map(|comment| json!({"CommandId": COMMAND, "Comment": comment})));
            Script::json(json!({"Commands": all}))
        })
        .on("GetCommandInvocation", |asked| {
            assert_eq!(asked.text("CommandId"), COMMAND);
            ended("Success", "Success", 0, "the agent answers on the host")
        });
    let (result, serving) = act(answers, Act::RestartAgent).await;
    assert_is(&result, "done", "answers");
    assert_eq!(serving.count("SendCommand"), 1);
}

#[tokio::test]
async fn after_a_crash_the_earlier_command_is_followed_and_only_a_missing_one_is_sent() {
    let known = ssm().on("ListCommands", |_| {
        Script::json(json!({"Commands": [{"CommandId": COMMAND, "Comment": format!("muster {TOKEN}")}]}))
    });
    let (result, serving) = perform(known, intent(Act::RestartAgent), true).await;
    assert_eq!((result.word(), serving.count("SendCommand")), ("done", 0));
    let (result, serving) = perform(ssm(), intent(Act::RestartAgent), true).await;
    assert_eq!((result.word(), serving.count("SendCommand")), ("done", 1));
    let blind = ssm().on("ListCommands", |_| denied());
    let (result, serving) = perform(blind, intent(Act::RestartAgent), true).await;
    assert_failed(&result, true, "ssm:ListCommands");
    assert_eq!(serving.count("SendCommand"), 0);
}

#[tokio::test]
async fn a_command_that_hangs_is_cancelled_within_the_limit() {
    let hangs = ssm().on("GetCommandInvocation", |_| ended("InProgress", "InProgress", -1, ""));
    let mut short = intent(Act::RestartAgent);
    short.limit_secs = 1;
    let started = std::time::Instant::now();
    let (result, serving) = perform(hangs, short, false).await;
    assert_failed(&result, true, "limit of 1 s");
    assert!(started.elapsed() < Duration::from_secs(3));
    assert_eq!((serving.count("SendCommand"), serving.count("CancelCommand")), (1, 1));
}

#[tokio::test]
async fn refusals_of_a_command_are_told_apart() {
    for (code, word) in [
        ("AccessDeniedException", "denied"),
        ("InvalidInstanceId", "failed"),
        ("InvalidDocument", "impossible"),
        ("UnsupportedPlatformType", "impossible"),
    ] {
        let answers = ssm().on("SendCommand", move |_| Script::error(400, code, "words"));
        let (result, serving) = act(answers, Act::RestartAgent).await;
        assert_eq!(result.word(), word, "{result:?}");
        assert!(result.says().contains("ssm:SendCommand"), "{result:?}");
        assert_eq!(serving.count("SendCommand"), 1);
    }
    let unseen = ssm().on("GetCommandInvocation", |_| denied());
    assert_failed(&act(unseen, Act::RestartAgent).await.0, true, "ssm:GetCommandInvocation");
}

#[tokio::test]
async fn ids_that_are_none_never_reach_aws() {
    for hostile in ["i-0; reboot", "$(reboot)", "i-0a1b2c3d4e5f60718\nreboot", "", "i-*"] {
        for what in [Act::RestartAgent, Act::Reboot, Act::Terminate, END, Act::MarkUnhealthy] {
            let mut intent = intent(what);
            intent.target.machine = Some(hostile.to_owned());
            let (result, serving) = perform(Answers::new(), intent, false).await;
            assert_eq!(result.word(), "impossible", "{result:?}");
            assert_eq!(serving.requests(), 0);
        }
    }
    let mut intent = intent(Act::Drain);
    intent.target.host = Some("arn:aws:ecs:x\r\nHost: evil".to_owned());
    assert_eq!(perform(Answers::new(), intent, false).await.0.word(), "impossible");
}

#[tokio::test]
async fn a_cluster_that_is_not_watched_is_not_touched() {
    let mut intent = intent(Act::Drain);
    intent.target.cluster = CLUSTER.replace("eu-central-1", "us-east-1");
    intent.target.place = "210987654321/us-east-1".to_owned();
    let (result, serving) = perform(Answers::new(), intent, false).await;
    assert_is(&result, "impossible", "add it to the configuration");
    assert_eq!(serving.requests(), 0);
}

// --- evidence -------------------------------------------------------------------------------------------------------

fn console(text: &str) -> Script {
    let packed = aws_smithy_types::base64::encode(text);
    Script::xml(&format!(
        "<GetConsoleOutputResponse><instanceId>{MACHINE}</instanceId><output>{packed}</output></GetConsoleOutputResponse>"
    ))
}

fn item<'r>(result: &'r ActResult<'_>, name: &str) -> &'r str {
    let ActResult::Saved { items } = result else { panic!("{result:?}") };
    let found = items.iter().find(|(found, _)| found == name);
    &found.unwrap_or_else(|| panic!("no {name} in {items:?}")).1
}

#[tokio::test]
async fn evidence_is_gathered_cut_and_free_of_secrets() {
    let log = "x".repeat(40_000);
    let output =
        format!("\n=== muster: agent log ===\n{log}\nlast line\n=== muster: init log ===\nsecret_key={CANARY}\ninit\n");
    let answers = ssm().on("GetCommandInvocation", move |_| ended("Success", "Success", 0, &output)).on(
        "GetConsoleOutput",
        |asked| {
            assert_eq!(asked.form("Latest"), ["true"]);
            console(&format!("Kernel panic\nAuthorization: Bearer {CANARY}\n"))
        },
    );
    let (result, _serving) = act(answers, Act::SaveEvidence).await;
    assert!(item(&result, "agent log").ends_with("last line\n") && item(&result, "agent log").len() <= 16 << 10);
    assert!(item(&result, "init log").contains("init"));
    assert!(item(&result, "console output").contains("Kernel panic"));
}

#[tokio::test]
async fn evidence_that_cannot_be_had_is_said_and_is_never_a_failure() {
    let denies = ssm()
        .on("SendCommand", |_| denied())
        .on("GetConsoleOutput", |_| Script::ec2_error("UnauthorizedOperation", "no"));
    let (result, _serving) = act(denies, Act::SaveEvidence).await;
    assert!(item(&result, "logs of the host").contains("ssm:SendCommand"));
    assert!(item(&result, "console output").contains("ec2:GetConsoleOutput"));
    let bottlerocket = ssm()
        .on("DescribeInstanceInformation", pinged("Online", "Linux", "Bottlerocket"))
        .on("GetConsoleOutput", |_| Script::xml("<GetConsoleOutputResponse/>"));
    let (result, _serving) = act(bottlerocket, Act::SaveEvidence).await;
    assert!(item(&result, "logs of the host").contains("Bottlerocket"));
    assert!(item(&result, "console output").contains("none"));
    let mut short = intent(Act::SaveEvidence);
    short.limit_secs = 1;
    short.target.machine = Some(EXTERNAL.to_owned());
    let hangs = ssm().on("DescribeInstanceInformation", |_| Script::Hang);
    let (result, _serving) = perform(hangs, short, false).await;
    assert!(item(&result, "logs of the host").contains("could not be had"));
    assert!(item(&result, "console output").contains("no EC2 instance"));
}

#[tokio::test]
async fn machines_that_cannot_give_the_latest_console_give_the_one_they_have() {
    let answers = ssm().on("GetConsoleOutput", |asked| match asked.form("Latest").is_empty() {
        true => console("boot"),
        false => Script::ec2_error("UnsupportedOperation", "not on this hypervisor"),
    });
    assert_eq!(item(&act(answers, Act::SaveEvidence).await.0, "console output"), "boot");
}

// --- actions of the operator ----------------------------------------------------------------------------------------

async fn custom(answers: Answers, run: CustomRun, again: bool) -> (ActResult<'static>, Serving) {
    let serving = answers.serve().await;
    let customs = vec![Custom { name: "fence".to_owned(), timeout_secs: 2, run }];
    let cloud = connect(Settings { customs, ..settings(serving.url()) }).await.unwrap();
    let result = cloud.act(&intent(Act::Custom { name: "fence".to_owned() }), again).await;
    assert!(!format!("{result:?}").contains(CANARY), "{result:?}");
    (result, serving)
}

fn argv(words: &[&str]) -> CustomRun {
    CustomRun::Command { argv: words.iter().map(ToString::to_string).collect() }
}

#[tokio::test]
async fn a_program_reads_who_it_is_about_and_nothing_of_musters_environment() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("told.json");
    let (result, _serving) = custom(Answers::new(), argv(&["tee", file.to_str().unwrap()]), false).await;
    assert_eq!(result.word(), "done", "{result:?}");
    let told: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(told["token"], TOKEN);
    assert_eq!(told["version"], 1);
    for (field, value) in [
        ("act", json!("custom")),
        ("name", json!("fence")),
        ("intent", json!(42)),
        ("case", json!(7)),
        ("cluster", json!(CLUSTER)),
        ("host", json!(HOST)),
        ("machine", json!(MACHINE)),
        ("place", json!("210987654321/eu-central-1")),
        ("group", json!(GROUP)),
    ] {
        assert_eq!(told[field], value, "{field}");
    }
    assert!(told["at"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    let (result, _serving) = custom(Answers::new(), argv(&["env"]), false).await;
    let ActResult::Done { note } = &result else { panic!("{result:?}") };
    assert!(note.starts_with("PATH=") && note.matches('=').count() == 1, "{note}");
}

#[tokio::test]
async fn no_shell_reads_the_words_of_a_program() {
    let (result, _serving) = custom(Answers::new(), argv(&["echo", "$(id)", "; id"]), false).await;
    assert_eq!(result.says(), "$(id) ; id");
}

#[tokio::test]
async fn programs_that_fail_hang_or_do_not_exist_are_told_apart() {
    let script = format!("echo token={CANARY} bad; exit 3");
    let (result, _serving) = custom(Answers::new(), argv(&["sh", "-c", &script]), false).await;
    assert_failed(&result, true, "bad");
    let (result, _serving) = custom(Answers::new(), argv(&["sleep", "600"]), false).await;
    assert_failed(&result, true, "more than 2 s");
    let (result, _serving) = custom(Answers::new(), argv(&["/nowhere/fence"]), false).await;
    assert_is(&result, "impossible", "/nowhere/fence");
    let (result, _serving) = custom(Answers::new(), argv(&[]), false).await;
    assert_is(&result, "impossible", "argv");
}

#[tokio::test]
async fn a_program_that_floods_its_output_is_not_held_up_and_fills_no_memory() {
    let flood = argv(&["sh", "-c", "head -c 5000000 /dev/zero | tr '\\0' x"]);
    let (result, _serving) = custom(Answers::new(), flood, false).await;
    assert_eq!(result.word(), "done", "{result:?}");
    assert!(result.says().len() < 1_000);
}

#[tokio::test]
async fn an_action_whose_end_was_not_seen_is_not_done_a_second_time() {
    for run in [argv(&["echo"]), CustomRun::Lambda { function: "fence".to_owned() }, CustomRun::Webhook] {
        let (result, serving) = custom(Answers::new(), run, true).await;
        assert_failed(&result, true, "not done a second time");
        assert_eq!(serving.requests(), 0);
    }
    let run = CustomRun::SsmDocument { document: "fence".to_owned(), parameters: Default::default() };
    let known = ssm().on("ListCommands", |_| {
        Script::json(json!({"Commands": [{"CommandId": COMMAND, "Comment": format!("muster {TOKEN}")}]}))
    });
    let (result, serving) = custom(known, run, true).await;
    assert_eq!((result.word(), serving.count("SendCommand")), ("done", 0));
}

#[tokio::test]
async fn a_function_is_invoked_and_waited_for() {
    let run = || CustomRun::Lambda { function: "arn:aws:lambda:eu-central-1:210987654321:function:fence".to_owned() };
    let fine = Answers::new().on("Invoke", |asked| {
        assert!(asked.path.starts_with("/2015-03-31/functions/arn%3Aaws%3Alambda%3A"), "{}", asked.path);
        assert!(asked.signed.contains("/eu-central-1/lambda/aws4_request"), "{}", asked.signed);
        assert_eq!((asked.text("token").as_str(), asked.text("machine").as_str()), (TOKEN, MACHINE));
        Script::raw(200, "application/json", r#"{"fenced":true}"#)
    });
    assert_is(&custom(fine, run(), false).await.0, "done", "fenced");
    let fails = Answers::new()
        .on("Invoke", |_| Script::FunctionError("Unhandled".to_owned(), r#"{"errorMessage":"boom"}"#.to_owned()));
    assert_failed(&custom(fails, run(), false).await.0, true, "boom");
    let (result, serving) = custom(Answers::new().on("Invoke", |_| Script::Hang), run(), false).await;
    assert_failed(&result, true, "answer");
    assert_eq!(serving.count("Invoke"), 1);
    let (result, _serving) = custom(Answers::new().on("Invoke", |_| denied()), run(), false).await;
    assert_is(&result, "denied", "lambda:InvokeFunction");
    let nowhere =
        Answers::new().on("Invoke", |_| Script::error(404, "ResourceNotFoundException", "Function not found"));
    assert_eq!(custom(nowhere, run(), false).await.0.word(), "gone");
}

#[tokio::test]
async fn a_document_of_the_operator_runs_with_fixed_parameters() {
    let answers = ssm().on("SendCommand", |asked| {
        assert_eq!(asked.text("DocumentName"), "fence");
        assert_eq!(asked.body["Parameters"], json!({"Mode": ["soft"]}));
        sent()
    });
    let parameters = [("Mode".to_owned(), vec!["soft".to_owned()])].into();
    let run = CustomRun::SsmDocument { document: "fence".to_owned(), parameters };
    assert_eq!(custom(answers, run.clone(), false).await.0.word(), "done");
    let fails = ssm().on("GetCommandInvocation", |_| ended("Failed", "Failed", 1, "it does not answer"));
    assert_failed(&custom(fails, run, false).await.0, true, "it does not answer");
}

#[derive(Debug, Default)]
struct Receiver {
    got: Mutex<Vec<(String, String, Value)>>,
}

#[async_trait::async_trait]
impl CustomWebhook for Receiver {
    async fn post(&self, name: &str, token: &str, payload: &[u8], limit: Duration) -> Result<String, WebhookFailure> {
        assert!(limit <= Duration::from_secs(2));
        let mut got = self.got.lock().unwrap();
        got.push((name.to_owned(), token.to_owned(), serde_json::from_slice(payload).unwrap()));
        match got.len() {
            1 => Ok("thanks".to_owned()),
            _ => Err(WebhookFailure { why: format!("status 503, token={CANARY}"), may_have_happened: true }),
        }
    }
}

#[tokio::test]
async fn a_webhook_is_left_to_the_program_that_may_send_it() {
    let serving = Answers::new().serve().await;
    let customs = vec![Custom { name: "fence".to_owned(), timeout_secs: 2, run: CustomRun::Webhook }];
    let receiver = Arc::new(Receiver::default());
    let cloud = connect(Settings { customs, ..settings(serving.url()) }).await.unwrap().with_webhook(receiver.clone());
    let intent = intent(Act::Custom { name: "fence".to_owned() });
    assert_is(&cloud.act(&intent, false).await, "done", "thanks");
    let result = cloud.act(&intent, false).await;
    assert_failed(&result, true, "503");
    assert!(!result.says().contains(CANARY));
    let got = receiver.got.lock().unwrap().clone();
    assert_eq!((got[0].0.as_str(), got[0].1.as_str(), &got[0].2["machine"]), ("fence", TOKEN, &json!(MACHINE)));
    assert_is(&custom(Answers::new(), CustomRun::Webhook, false).await.0, "impossible", "webhook");
}

#[tokio::test]
async fn an_action_that_is_not_configured_is_named() {
    let (result, _serving) = act(Answers::new(), Act::Custom { name: "unheard-of".to_owned() }).await;
    assert_is(&result, "impossible", "unheard-of");
}

#[tokio::test]
async fn actions_are_plain_data() {
    let text = json!([
        {"name": "a", "kind": "command", "argv": ["/usr/local/bin/fence", "--now"]},
        {"name": "b", "kind": "lambda", "function": "fence", "timeout_secs": 9},
        {"name": "c", "kind": "ssm-document", "document": "fence", "parameters": {"Mode": ["soft"]}},
        {"name": "d", "kind": "webhook"}
    ]);
    let customs: Vec<Custom> = serde_json::from_value(text).unwrap();
    assert_eq!((customs[0].timeout_secs, customs[1].timeout_secs), (60, 9));
    assert_eq!(customs[3].run, CustomRun::Webhook);
    assert!(serde_json::from_value::<Custom>(json!({"name": "e", "kind": "shell"})).is_err());
}
