//! SSM: whether its agent on a machine answers, and commands to run there.

use std::collections::{BTreeMap, BTreeSet};

use engine::ports::{
    Observation,
    observation::{Fact, Source, SsmFact},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{accounts::Place, pace::Bucket, pages::Pages, refusal::Refusal};

pub(crate) const DESCRIBE_INFORMATION: &str = "ssm:DescribeInstanceInformation";

pub(crate) const SEND_COMMAND: &str = "ssm:SendCommand";
pub(crate) const COMMAND_INVOCATION: &str = "ssm:GetCommandInvocation";
pub(crate) const LIST_COMMANDS: &str = "ssm:ListCommands";
pub(crate) const CANCEL_COMMAND: &str = "ssm:CancelCommand";

/// Pages of 50 commands that are searched for one of muster's own: a machine has few.
const MOST_PAGES: usize = 10;

/// A machine as SSM knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pinged {
    /// `Online`, `ConnectionLost`, …
    pub ping: String,
    /// `Linux`, `Windows`, `MacOS`.
    pub platform_type: String,
    /// `Amazon Linux`, `Bottlerocket`, …
    pub platform: String,
}

/// A command on one machine, as far as it has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Invocation {
    /// `Pending`, `InProgress`, `Success`, …
    pub status: String,
    /// Finer: `Delivery Timed Out`, `Undeliverable`, …
    pub details: String,
    /// Exit code; `None` before there is one.
    pub exit: Option<i64>,
    /// At most the first 24,000 characters.
    pub output: String,
    /// Standard error, cut likewise.
    pub errors: String,
}

impl Invocation {
    /// Nothing more will come.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.status.as_str(), "Success" | "Cancelled" | "TimedOut" | "Failed")
    }
}

/// Ids that one call asks for, and entries that one page holds.
pub(crate) const PER_CALL: usize = 50;

impl Place {
    /// SSM's view of these machines. One that SSM does not list is unknown to it.
    pub(crate) async fn ping_facts(
        &self,
        ids: &BTreeSet<String>,
        source: Source,
    ) -> Result<Vec<Observation<'static>>, Refusal> {
        let all: Vec<&String> = ids.iter().collect();
        let mut found: BTreeMap<String, SsmFact<'static>> = BTreeMap::new();
        for chunk in all.chunks(PER_CALL) {
            let mut pages = Pages::default();
            loop {
                let mut body =
                    json!({ "MaxResults": PER_CALL, "Filters": [{ "Key": "InstanceIds", "Values": chunk }] });
                if let Some(token) = &pages.token() {
                    body["NextToken"] = json!(token);
                }
                let target = wire::json::target("AmazonSSM", "DescribeInstanceInformation");
                let answer =
                    self.caller.call(Bucket::SsmRead, DESCRIBE_INFORMATION, || self.ssm.json(&target, &body)).await?;
                if !answer.get("InstanceInformationList").is_some_and(Value::is_array) {
                    let looks_like = "no list of machines".to_owned();
                    return Err(Refusal::Nonsense { status: 200, looks_like });
                }
                found.extend(read(&answer).filter(|(id, _)| ids.contains(id)));
                let next = answer.get("NextToken").and_then(Value::as_str).filter(|next| !next.is_empty());
                if !pages.go_on(next.map(str::to_owned))? {
                    break;
                }
            }
        }
        let at = Timestamp::now();
        let facts = ids.iter().map(|id| {
            found.remove(id).unwrap_or_else(|| SsmFact {
                instance_id: id.clone().into(),
                online: None,
                last_ping_at: None,
                platform: None,
            })
        });
        Ok(facts.map(|fact| Observation { at, source, fact: Fact::Ssm(fact) }).collect())
    }

    /// One machine as SSM knows it now; `None` when it does not know it.
    pub(crate) async fn pinged(&self, id: &str) -> Result<Option<Pinged>, Refusal> {
        let body = json!({ "Filters": [{ "Key": "InstanceIds", "Values": [id] }], "MaxResults": PER_CALL });
        let answer = self.ssm.json(&wire::json::target("AmazonSSM", "DescribeInstanceInformation"), &body).await?;
        let Some(list) = answer.get("InstanceInformationList").and_then(Value::as_array) else {
            return Err(Refusal::Nonsense { status: 200, looks_like: "no list of machines".to_owned() });
        };
        let text = |entry: &Value, name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(list.iter().find(|entry| text(entry, "InstanceId") == id).map(|entry| Pinged {
            ping: text(entry, "PingStatus"),
            platform_type: text(entry, "PlatformType"),
            platform: text(entry, "PlatformName"),
        }))
    }

    /// Sends a command; returns its id.
    pub(crate) async fn send_command(&self, body: &Value) -> Result<String, Refusal> {
        let answer = self.ssm.json(&wire::json::target("AmazonSSM", "SendCommand"), body).await?;
        let id = answer.pointer("/Command/CommandId").and_then(Value::as_str).filter(|id| !id.is_empty());
        id.map(str::to_owned).ok_or_else(|| Refusal::Nonsense { status: 200, looks_like: "no command id".to_owned() })
    }

    /// The newest command with exactly this comment that was sent to the machine.
    pub(crate) async fn command_with(&self, machine: &str, comment: &str) -> Result<Option<String>, Refusal> {
        let mut pages = Pages::default();
        for _ in 0..MOST_PAGES {
            let mut body = json!({ "InstanceId": machine, "MaxResults": 50 });
            if let Some(token) = &pages.token() {
                body["NextToken"] = json!(token);
            }
            let target = wire::json::target("AmazonSSM", "ListCommands");
            let answer = self.caller.call(Bucket::SsmFollow, LIST_COMMANDS, || self.ssm.json(&target, &body)).await?;
            let Some(list) = answer.get("Commands").and_then(Value::as_array) else {
                return Err(Refusal::Nonsense { status: 200, looks_like: "no list of commands".to_owned() });
            };
            let found = list
                .iter()
                .filter(|command| command.get("Comment").and_then(Value::as_str) == Some(comment))
                .filter_map(|command| command.get("CommandId").and_then(Value::as_str))
                .next();
            if let Some(id) = found {
                return Ok(Some(id.to_owned()));
            }
            let next = answer.get("NextToken").and_then(Value::as_str).filter(|next| !next.is_empty());
            if !pages.go_on(next.map(str::to_owned))? {
                break;
            }
        }
        Ok(None)
    }

    /// How far a command has come; `None` while SSM does not know it yet on that machine.
    pub(crate) async fn invocation(&self, command: &str, machine: &str) -> Result<Option<Invocation>, Refusal> {
        let body = json!({ "CommandId": command, "InstanceId": machine });
        let target = wire::json::target("AmazonSSM", "GetCommandInvocation");
        let answer =
            match self.caller.call(Bucket::SsmFollow, COMMAND_INVOCATION, || self.ssm.json(&target, &body)).await {
                Err(refusal) if refusal.code() == Some("InvocationDoesNotExist") => return Ok(None),
                other => other?,
            };
        let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        if text("Status").is_empty() {
            return Err(Refusal::Nonsense { status: 200, looks_like: "no status of a command".to_owned() });
        }
        Ok(Some(Invocation {
            status: text("Status"),
            details: text("StatusDetails"),
            exit: answer.get("ResponseCode").and_then(Value::as_i64).filter(|code| *code >= 0),
            output: text("StandardOutputContent"),
            errors: text("StandardErrorContent"),
        }))
    }

    /// Asks SSM to give a command up; it may run to its end all the same.
    pub(crate) async fn cancel_command(&self, command: &str, machine: &str) -> Result<(), Refusal> {
        let body = json!({ "CommandId": command, "InstanceIds": [machine] });
        let target = wire::json::target("AmazonSSM", "CancelCommand");
        self.caller.change(Bucket::SsmSend, CANCEL_COMMAND, || self.ssm.json(&target, &body)).await.map(|_| ())
    }
}

fn read(answer: &Value) -> impl Iterator<Item = (String, SsmFact<'static>)> + use<'_> {
    let list = answer.get("InstanceInformationList").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|entry| {
        let text = |name: &str| entry.get(name).and_then(Value::as_str);
        let id = text("InstanceId")?.to_owned();
        let fact = SsmFact {
            instance_id: id.clone().into(),
            online: text("PingStatus").map(|status| status == "Online"),
            last_ping_at: entry.get("LastPingDateTime").and_then(wire::json::time),
            platform: text("PlatformName").map(|name| name.to_owned().into()),
        };
        Some((id, fact))
    })
}
