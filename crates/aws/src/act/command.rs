//! Commands on the host through SSM: one machine, one of muster's scripts, followed to its end.
//!
//! The command's comment carries the intent's token. A second call of the same intent finds the first one's command by
//! it and follows that, so that an agent is not restarted twice.

use std::time::Duration;

use engine::ports::ActResult;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    Acted, Acting, Stopped, done, failed, impossible, redact,
    script::{self, Action, Shell, exit},
};
use crate::{
    pace::Bucket,
    refusal::Refusal,
    ssm::{COMMAND_INVOCATION, DESCRIBE_INFORMATION, Invocation, LIST_COMMANDS, SEND_COMMAND},
};

/// SSM takes no shorter time for delivering a command.
const SHORTEST_DELIVERY_SECS: u32 = 30;
/// Comments may be so long.
const LONGEST_COMMENT: usize = 100;
/// The longest pause between two looks at a command.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// For so long SSM may not know a command that it has just taken.
const KNOWN_WITHIN: Duration = Duration::from_secs(20);
/// What is left of the limit for cancelling.
const FOR_CANCELLING: Duration = Duration::from_secs(5);
/// What the scripts say of an agent or a runtime that is still not there.
const DOES_NOT_ANSWER: &str = "does not answer";
/// Characters of a script's last words that a result carries.
const LAST_WORDS: usize = 600;

/// How following a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// By itself, or SSM gave it up.
    With(Invocation),
    /// The limit passed; it was asked to be cancelled.
    NotInTime,
    /// Nothing was sent: no machine, no ping, no shell.
    NotSent(NotSent),
}

/// Why nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotSent {
    /// In a sentence.
    pub why: String,
    /// Nothing can ever be sent there as it is set up.
    pub for_good: bool,
}

fn not_sent(why: String, for_good: bool) -> Ended {
    Ended::NotSent(NotSent { why, for_good })
}

impl Acting<'_> {
    /// Runs one of muster's scripts and turns its end into a result.
    pub(super) async fn command(&self, action: Action) -> Acted {
        let limit_secs = self.intent.limit_secs;
        let ended = self.run(|shell| script::document(shell, action, &self.settings.documents, limit_secs)).await?;
        Ok(self.result_of(ended))
    }

    /// The same for a document of the operator's.
    pub(super) async fn document(&self, document: &str, parameters: &Value) -> Acted {
        let ended = self.run(|_| Ok((document.to_owned(), parameters.clone()))).await?;
        Ok(match self.result_of(ended) {
            // The exit codes of a stranger's script mean nothing but success or not.
            ActResult::Unhealed { says } => failed(says, true),
            ActResult::Impossible { why } if why.contains("exit code") => failed(why, true),
            other => other,
        })
    }

    /// Looks whether the machine can be reached, sends the command or finds it, and follows it.
    pub(crate) async fn run(
        &self,
        choose: impl FnOnce(Shell) -> Result<(String, Value), String>,
    ) -> Result<Ended, Stopped> {
        let machine = match self.machine() {
            Ok(machine) => machine,
            Err(result) => return Ok(not_sent(result.says().to_owned(), true)),
        };
        let comment = comment(&self.intent.token);
        if self.again
            && let Some(command) = self.find(machine, &comment).await?
        {
            return self.follow(&command, machine).await;
        }
        let pinged = self.read(Bucket::SsmRead, DESCRIBE_INFORMATION, machine, || self.place.pinged(machine)).await?;
        let Some(pinged) = pinged else {
            let why = format!(
                "SSM does not know {machine}: its agent never registered; give the machine the policy \
                 AmazonSSMManagedInstanceCore and a way to the SSM endpoints"
            );
            return Ok(not_sent(why, true));
        };
        if pinged.ping != "Online" {
            let why = format!("SSM cannot reach {machine} either: its ping is {}", pinged.ping);
            return Ok(not_sent(why, false));
        }
        let (document, parameters) = match Shell::of(&pinged).and_then(choose) {
            Ok(chosen) => chosen,
            Err(why) => return Ok(not_sent(format!("{}: {why}", self.words()), true)),
        };
        let body = json!({
            "DocumentName": document,
            "InstanceIds": [machine],
            "Parameters": parameters,
            "TimeoutSeconds": self.intent.limit_secs.max(SHORTEST_DELIVERY_SECS),
            "Comment": comment,
        });
        let sent = self.change(Bucket::SsmSend, SEND_COMMAND, machine, || self.actor.send_command(&body)).await;
        match sent {
            Ok(command) => self.follow(&command, machine).await,
            Err(stopped) => match stopped.refusal.code() {
                Some("InvalidInstanceId") => Ok(not_sent(stopped.sentence(), false)),
                Some(
                    "InvalidDocument" | "InvalidDocumentVersion" | "InvalidParameters" | "UnsupportedPlatformType",
                ) => {
                    let why = format!("{}; check the document {document} in the configuration", stopped.sentence());
                    Ok(not_sent(why, true))
                }
                _ => Err(stopped),
            },
        }
    }

    async fn find(&self, machine: &str, comment: &str) -> Result<Option<String>, Stopped> {
        let found = self.actor.command_with(machine, comment).await;
        found.map_err(|refusal| Stopped { action: LIST_COMMANDS, thing: machine.to_owned(), refusal, changing: false })
    }

    /// Looks at the command again and again until it has ended or the limit is near, and then asks for its end.
    async fn follow(&self, command: &str, machine: &str) -> Result<Ended, Stopped> {
        let started = Instant::now();
        let left = self.deadline.saturating_duration_since(started);
        let until = self.deadline - FOR_CANCELLING.min(left / 5);
        let mut pause = self.settings.timeouts.backoff * 2;
        let mut refused = None;
        loop {
            if Instant::now() + pause >= until {
                break;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
            let Ok(seen) = tokio::time::timeout_at(until, self.actor.invocation(command, machine)).await else { break };
            match seen {
                Ok(Some(invocation)) if invocation.has_ended() => return Ok(Ended::With(invocation)),
                Ok(Some(_)) => refused = None,
                Ok(None) if started.elapsed() < KNOWN_WITHIN => {}
                Ok(None) => {
                    let looks_like = format!("no trace of the command {command} that it had taken");
                    refused = Some(Refusal::Nonsense { status: 200, looks_like });
                }
                Err(refusal) if refusal.is_transient() || refusal.is_throttle() => refused = Some(refusal),
                Err(refusal) => {
                    let thing = format!("the command {command} on {machine}");
                    return Err(Stopped { action: COMMAND_INVOCATION, thing, refusal, changing: false });
                }
            }
        }
        if let Err(refusal) = self.actor.cancel_command(command, machine).await {
            tracing::warn!(command, machine, %refusal, "a command that takes too long could not be cancelled");
        }
        match refused {
            Some(refusal) => {
                let thing = format!("the command {command} on {machine}");
                Err(Stopped { action: COMMAND_INVOCATION, thing, refusal, changing: false })
            }
            None => Ok(Ended::NotInTime),
        }
    }

    fn result_of(&self, ended: Ended) -> ActResult<'static> {
        let whom = self.words();
        let invocation = match ended {
            Ended::With(invocation) => invocation,
            Ended::NotInTime => {
                let secs = self.intent.limit_secs;
                let why = format!("{whom}: the command did not end within its limit of {secs} s and was cancelled");
                return failed(why, true);
            }
            Ended::NotSent(NotSent { why, for_good: true }) if !self.again => return impossible(why),
            Ended::NotSent(NotSent { why, .. }) => return failed(why, self.again),
        };
        let says = last_words(&invocation);
        let details = if invocation.details.is_empty() { &invocation.status } else { &invocation.details };
        if is_undelivered(details) {
            return failed(format!("{whom}: SSM could not deliver the command ({details})"), false);
        }
        match (invocation.status.as_str(), invocation.exit) {
            ("Success", _) => done(says),
            // SSM's own failures to start a script end with exit code 1 too, in other words.
            ("Failed", Some(exit::UNHEALED)) if says.contains(DOES_NOT_ANSWER) => {
                ActResult::Unhealed { says: says.into() }
            }
            ("Failed", Some(code @ exit::NOTHING_HERE)) => {
                impossible(format!("{whom}: the host says: {says} (exit code {code})"))
            }
            (_, code) => {
                let code = code.map(|code| format!(", exit code {code}")).unwrap_or_default();
                failed(format!("{whom}: the command ended as {details}{code}: {says}"), true)
            }
        }
    }
}

/// The comment by which a command is found again: the token, cut from the front where it is too long, since tokens
/// differ at their ends.
fn comment(token: &str) -> String {
    let plain: Vec<char> =
        token.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.:/".contains(c) { c } else { '_' }).collect();
    let room = LONGEST_COMMENT - "muster ".len();
    let kept: String = plain[plain.len().saturating_sub(room)..].iter().collect();
    format!("muster {kept}")
}

/// Neither reached the machine nor ran there.
fn is_undelivered(details: &str) -> bool {
    let plain: String = details.chars().filter(char::is_ascii_alphabetic).collect();
    matches!(plain.to_ascii_lowercase().as_str(), "undeliverable" | "deliverytimedout")
}

/// The end of what the script printed, without secrets, on one line.
fn last_words(invocation: &Invocation) -> String {
    let text = if invocation.output.trim().is_empty() { &invocation.errors } else { &invocation.output };
    let clean = redact::redact(text);
    let lines: Vec<&str> = clean.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let line: String = lines.join(" | ").chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let skip = line.chars().count().saturating_sub(LAST_WORDS);
    line.chars().skip(skip).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_keeps_the_end_of_a_token_and_nothing_strange() {
        assert_eq!(comment("j1-42"), "muster j1-42");
        let long = comment(&format!("{}-7", "x".repeat(300)));
        assert_eq!(long.len(), LONGEST_COMMENT);
        assert!(long.ends_with("x-7"));
        assert_eq!(comment("a\n$(b)"), "muster a___b_");
    }

    #[test]
    fn what_was_not_delivered_was_not_done() {
        for details in ["Undeliverable", "Delivery Timed Out", "DeliveryTimedOut"] {
            assert!(is_undelivered(details), "{details}");
        }
        for details in ["Execution Timed Out", "Failed", "Cancelled"] {
            assert!(!is_undelivered(details), "{details}");
        }
    }
}
