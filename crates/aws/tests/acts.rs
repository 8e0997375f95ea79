//! Acts against scripted answers: what AWS may say to each, and that nothing is done twice, nothing is done blindly, and
//! no refusal is taken for a success.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop at its line")]

#[allow(unreachable_pub, reason = "shared by the tests of this folder")]
mod scripted;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use engine::ports::{Act, ActResult};
use scripted::{Answers, Asked, Script, acting::*};
use serde_json::json;

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
