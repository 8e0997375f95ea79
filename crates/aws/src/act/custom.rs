//! What operators have written themselves: a program, a Lambda function, an SSM document, a webhook. All but the
//! document are given the same JSON.

use std::{fmt, process::Stdio, time::Duration};

use async_trait::async_trait;
use engine::ports::ActResult;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    time::Instant,
};

use super::{Acted, Acting, done, failed, impossible, redact};
use crate::{
    pace::Bucket,
    settings::{Custom, CustomRun},
};

pub(crate) const INVOKE: &str = "lambda:InvokeFunction";

/// The version of the payload; it grows when a field changes its meaning, not when one is added.
const PAYLOAD_VERSION: u32 = 1;
/// What is read of a program's or a function's words.
const MOST_WORDS_BYTES: u64 = 16 << 10;
/// What of them goes into a result.
const NOTE_BYTES: usize = 600;

/// Sends an operator's action as an HTTP request. The program that embeds this crate knows addresses and secrets, and
/// refuses addresses that it must not call.
#[async_trait]
pub trait CustomWebhook: Send + Sync + fmt::Debug {
    /// Posts `payload` (JSON) for the action `name` and waits at most `limit` for a success. `token` is the same at
    /// every try; receivers know by it what they have done already. Returns the receiver's words, which may be empty.
    async fn post(&self, name: &str, token: &str, payload: &[u8], limit: Duration) -> Result<String, WebhookFailure>;
}

/// A webhook that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct WebhookFailure {
    /// What was tried and what to do next, without the address where that is a secret.
    pub why: String,
    /// The receiver may have acted all the same: no answer, or a 5xx.
    pub may_have_happened: bool,
}

impl Acting<'_> {
    /// Runs the operator's action of that name.
    pub(super) async fn custom(&self, name: &str) -> Acted {
        let Some(custom) = self.settings.customs.iter().find(|custom| custom.name == name) else {
            return Ok(impossible(format!(
                "there is no action {name:?} in the configuration; add it, or mend the rule"
            )));
        };
        let left = self.deadline.saturating_duration_since(Instant::now());
        let limit = left.min(Duration::from_secs(u64::from(custom.timeout_secs.max(1))));
        match &custom.run {
            CustomRun::Command { argv } => Ok(self.program(custom, argv, limit).await),
            CustomRun::Lambda { function } => self.function(custom, function, limit).await,
            CustomRun::SsmDocument { document, parameters } => self.document(document, &json!(parameters)).await,
            CustomRun::Webhook => Ok(self.webhook(custom, limit).await),
        }
    }

    /// What the action is told. Its fields are documented in the guide and only ever added to.
    fn payload(&self, name: &str) -> Value {
        let (intent, target) = (self.intent, &self.intent.target);
        json!({
            "version": PAYLOAD_VERSION,
            "token": intent.token,
            "intent": intent.id,
            "case": intent.case,
            "act": "custom",
            "name": name,
            "cluster": target.cluster,
            "host": target.host,
            "machine": target.machine,
            "place": target.place,
            "group": target.group,
            "at": Timestamp::now().to_string(),
        })
    }

    async fn function(&self, custom: &Custom, function: &str, limit: Duration) -> Acted {
        let payload = self.payload(&custom.name).to_string().into_bytes();
        let call =
            self.change(Bucket::LambdaInvoke, INVOKE, function, || self.actor.lambda.invoke(function, payload.clone()));
        let Ok(reply) = tokio::time::timeout(limit, call).await else {
            let secs = limit.as_secs();
            return Ok(failed(format!("the function {function} did not answer within {secs} s"), true));
        };
        let reply = reply?;
        let says = words(&reply.body);
        Ok(match reply.function_error {
            None => done(says),
            Some(kind) => failed(format!("the function {function} failed ({kind}): {says}"), true),
        })
    }

    async fn webhook(&self, custom: &Custom, limit: Duration) -> ActResult<'static> {
        let Some(webhook) = self.webhook else {
            return impossible(format!("the action {:?} is a webhook, and this program sends none", custom.name));
        };
        let payload = self.payload(&custom.name).to_string();
        let post = webhook.post(&custom.name, &self.intent.token, payload.as_bytes(), limit);
        match tokio::time::timeout(limit, post).await {
            Ok(Ok(says)) => done(words(says.as_bytes())),
            Ok(Err(WebhookFailure { why, may_have_happened })) => failed(redact::redact(&why), may_have_happened),
            Err(_) => {
                let (name, secs) = (&custom.name, limit.as_secs());
                failed(format!("the webhook of the action {name:?} did not answer within {secs} s"), true)
            }
        }
    }

    async fn program(&self, custom: &Custom, argv: &[String], limit: Duration) -> ActResult<'static> {
        let name = &custom.name;
        let Some((program, arguments)) = argv.split_first() else {
            return impossible(format!("the action {name:?} has no program; give it an argv"));
        };
        let mut command = tokio::process::Command::new(program);
        command.args(arguments).env_clear().kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                let why = format!("{program} of the action {name:?} could not be started: {error}; check its argv");
                return impossible(why);
            }
        };
        let payload = self.payload(name).to_string();
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let feed = async move {
            if let Some(mut stdin) = stdin {
                // A program that does not care for its input may have ended before it was written.
                let _ = stdin.write_all(payload.as_bytes()).await;
            }
        };
        let run = async { tokio::join!(child.wait(), feed, read_start(stdout), read_start(stderr)) };
        let Ok((ended, (), out, err)) = tokio::time::timeout(limit, run).await else {
            let secs = limit.as_secs();
            return failed(format!("{program} of the action {name:?} ran for more than {secs} s and was ended"), true);
        };
        let says = words(if out.is_empty() { &err } else { &out });
        match ended {
            Ok(status) if status.success() => done(says),
            Ok(status) => failed(format!("{program} of the action {name:?} ended with {status}: {says}"), true),
            Err(error) => failed(format!("{program} of the action {name:?} was lost sight of: {error}"), true),
        }
    }
}

/// The first part of what comes; the rest is read and dropped, so that the writer is not held up.
async fn read_start(from: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    if let Some(mut from) = from {
        // What was read before a broken pipe counts all the same.
        let _ = (&mut from).take(MOST_WORDS_BYTES).read_to_end(&mut kept).await;
        let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
    }
    kept
}

/// A short note of what was said, without secrets and line breaks.
fn words(bytes: &[u8]) -> String {
    let clean = redact::redact(&String::from_utf8_lossy(bytes));
    let line = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    redact::keep_end(&line, NOTE_BYTES).replace('\n', " ")
}
