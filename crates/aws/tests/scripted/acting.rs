//! Intents to carry out against scripted answers, and what a host behind SSM says.

use std::time::Duration;

use aws::{
    AwsCloud, Settings, connect,
    settings::{Clusters, Keys, Timeouts},
};
use engine::ports::{Act, ActResult, Cloud as _, Intent, Target, id::CaseId};
use fleet::remedy::{
    Remedy,
    act::{Expects, IntentId},
};
use serde_json::json;

use super::{Answers, Asked, Script, Serving};

pub const CLUSTER: &str = "arn:aws:ecs:eu-central-1:210987654321:cluster/prod";
pub const HOST: &str = "arn:aws:ecs:eu-central-1:210987654321:container-instance/prod/0f3a9c1d2b4e4f6a8b7c6d5e4f3a2b1c";
pub const MACHINE: &str = "i-0a1b2c3d4e5f60718";
pub const EXTERNAL: &str = "mi-0a1b2c3d4e5f60718";
pub const GROUP: &str = "prod-workers";
pub const TOKEN: &str = "j0123456789abcdef-42";
/// In no result may this ever turn up.
pub const CANARY: &str = "canary-secret-0123456789";

pub fn settings(url: String) -> Settings {
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

pub fn intent(act: Act) -> Intent {
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

pub async fn cloud(answers: Answers) -> (AwsCloud, Serving) {
    let serving = answers.serve().await;
    (connect(settings(serving.url())).await.unwrap(), serving)
}

pub async fn act(answers: Answers, act: Act) -> (ActResult<'static>, Serving) {
    perform(answers, intent(act), false).await
}

pub async fn perform(answers: Answers, intent: Intent, again: bool) -> (ActResult<'static>, Serving) {
    let (cloud, serving) = cloud(answers).await;
    let result = cloud.act(&intent, again).await;
    assert!(!format!("{result:?}{cloud:?}").contains(CANARY), "{result:?}");
    (result, serving)
}

/// The kind of a result, and that it says something to a person.
#[track_caller]
pub fn assert_is(result: &ActResult<'_>, word: &str, says: &str) {
    assert_eq!(result.word(), word, "{result:?}");
    assert!(result.says().contains(says), "{says:?} is not in {result:?}");
}

#[track_caller]
pub fn assert_failed(result: &ActResult<'_>, may: bool, says: &str) {
    assert_is(result, "failed", says);
    assert!(matches!(result, ActResult::Failed { may_have_happened, .. } if *may_have_happened == may), "{result:?}");
}

pub fn denied() -> Script {
    Script::error(400, "AccessDeniedException", "User: role/muster is not authorized")
}

/// Answers that throttle twice and then do as `then` does.
pub fn throttling(
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

pub const COMMAND: &str = "11112222-3333-4444-5555-666677778888";

pub fn pinged(
    ping: &'static str,
    platform_type: &'static str,
    platform: &'static str,
) -> impl Fn(&Asked) -> Script + Send {
    move |asked| {
        let id = asked.body["Filters"][0]["Values"][0].clone();
        Script::json(json!({"InstanceInformationList": [
            {"InstanceId": id, "PingStatus": ping, "PlatformType": platform_type, "PlatformName": platform}
        ]}))
    }
}

pub fn sent() -> Script {
    Script::json(json!({"Command": {"CommandId": COMMAND, "Status": "Pending"}}))
}

pub fn ended(status: &str, details: &str, code: i64, output: &str) -> Script {
    Script::json(json!({"CommandId": COMMAND, "Status": status, "StatusDetails": details, "ResponseCode": code,
                        "StandardOutputContent": output, "StandardErrorContent": ""}))
}

/// A Linux host that SSM reaches, where the script ends well.
pub fn ssm() -> Answers {
    Answers::new()
        .on("DescribeInstanceInformation", pinged("Online", "Linux", "Amazon Linux"))
        .on("SendCommand", |_| sent())
        .on("ListCommands", |_| Script::json(json!({"Commands": []})))
        .on("CancelCommand", |_| Script::json(json!({})))
        .on("GetCommandInvocation", |_| ended("Success", "Success", 0, "the agent answers on the host\n"))
}
