//! Actions that operators have written: programs, functions, documents and webhooks, and how each of them fails.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop at its line")]

#[allow(unreachable_pub, reason = "shared by the tests of this folder")]
mod scripted;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aws::{
    CustomWebhook, Settings, WebhookFailure, connect,
    settings::{Custom, CustomRun},
};
use engine::ports::{Act, ActResult, Cloud as _};
use scripted::{Answers, Script, Serving, acting::*};
use serde_json::{Value, json};

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
