//! Commands on hosts against scripted answers of SSM, and the evidence that is gathered by them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop at its line")]

#[allow(unreachable_pub, reason = "shared by the tests of this folder")]
mod scripted;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use engine::ports::{Act, ActResult};
use scripted::{Answers, Asked, Script, acting::*};
use serde_json::json;

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
    for what in [Act::Terminate, Act::TerminateInGroup { shrink: false }, Act::MarkUnhealthy] {
        let (result, _serving) = perform(Answers::new(), external(what), false).await;
        assert_is(&result, "impossible", "no EC2 instance");
    }
}

#[tokio::test]
async fn a_command_whose_sending_was_not_confirmed_is_found_by_its_comment_and_sent_once() {
    let taken = Arc::new(Mutex::new(Vec::<String>::new()));
    let listed = taken.clone();
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
        for what in [
            Act::RestartAgent,
            Act::Reboot,
            Act::Terminate,
            Act::TerminateInGroup { shrink: false },
            Act::MarkUnhealthy,
        ] {
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
async fn no_name_becomes_part_of_what_runs_on_a_host() {
    const HOSTILE: &str = "x'; reboot; $(reboot) `reboot` {{ Action }} \"\r\nreboot\u{1b}[2J";
    let commands = Arc::new(Mutex::new(Vec::new()));
    for hostile in [false, true] {
        let noting = commands.clone();
        let answers = ssm().on("SendCommand", move |asked| {
            noting.lock().unwrap().push(asked.body.clone());
            sent()
        });
        let mut intent = intent(Act::RestartAgent);
        if hostile {
            let target = &mut intent.target;
            (target.host, target.group) = (Some(HOSTILE.to_owned()), Some(HOSTILE.to_owned()));
            (target.os_type, target.platform) = (Some(HOSTILE.to_owned()), Some(HOSTILE.to_owned()));
            target.cluster = format!("{CLUSTER}{HOSTILE}");
            intent.token = HOSTILE.to_owned();
        }
        assert_eq!(perform(answers, intent, false).await.0.word(), "done");
    }
    let mut commands = commands.lock().unwrap().clone();
    let comments: Vec<String> =
        commands.iter_mut().map(|body| body["Comment"].take().as_str().unwrap().to_owned()).collect();
    assert_eq!(commands[0], commands[1], "script, document, machine and limits are the same whatever the names");
    let plain = |c: char| c.is_ascii_alphanumeric() || " -_.:/".contains(c);
    assert!(comments.iter().all(|comment| comment.len() <= 100 && comment.chars().all(plain)), "{comments:?}");
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
