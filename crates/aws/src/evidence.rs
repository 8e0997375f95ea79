//! What will soon be lost, read before anything destructive: the agent's and the init process's log, the state of Docker
//! and of the machine through SSM, and the console output through EC2. Never a failure: what cannot be had is said.

use std::time::Duration;

use fleet::id::is_ec2_instance_id;
use tokio::time::Instant;

use crate::{
    act::{
        Acting, Ended,
        redact::{keep_end, redact},
        script::{self, Action},
    },
    ec2::CONSOLE_OUTPUT,
    refusal::Refusal,
    ssm::Invocation,
};

/// Bytes of one item.
const MOST_BYTES: usize = 16 << 10;
/// A part of the script's output begins with such a line.
const PART: (&str, &str) = ("=== muster: ", " ===");
const LOGS: &str = "logs of the host";
const CONSOLE: &str = "console output";

/// Everything that can be had within the intent's limit, as names and texts.
pub(crate) async fn save(acting: &Acting<'_>) -> Vec<(String, String)> {
    let (logs, console) = tokio::join!(logs(acting), console(acting));
    logs.into_iter().chain([console]).map(|(name, text)| (name, keep_end(&redact(&text), MOST_BYTES))).collect()
}

/// The same where nothing may be asked for.
pub(crate) fn none(why: &str) -> Vec<(String, String)> {
    [LOGS, CONSOLE].map(|name| (name.to_owned(), format!("could not be had: {why}"))).into()
}

async fn logs(acting: &Acting<'_>) -> Vec<(String, String)> {
    let limit_secs = acting.intent.limit_secs;
    let documents = &acting.settings.documents;
    let choose = |shell| script::document(shell, Action::SaveEvidence, documents, limit_secs);
    let without = |why: String| vec![(LOGS.to_owned(), format!("could not be had: {why}"))];
    match tokio::time::timeout_at(almost(acting.deadline), acting.run(choose)).await {
        Ok(Ok(Ended::With(invocation))) => parts(&invocation),
        Ok(Ok(Ended::NotInTime)) | Err(_) => without(format!("the command did not end within {limit_secs} s")),
        Ok(Ok(Ended::NotSent(not_sent))) => without(not_sent.why),
        Ok(Err(stopped)) => without(stopped.sentence()),
    }
}

async fn console(acting: &Acting<'_>) -> (String, String) {
    let Some(id) = acting.intent.target.machine.as_deref().filter(|id| is_ec2_instance_id(id)) else {
        return (CONSOLE.to_owned(), "could not be had: it is no EC2 instance".to_owned());
    };
    let read = acting.actor.console_output(id);
    let text = match tokio::time::timeout_at(almost(acting.deadline), read).await {
        Ok(Ok(Some(text))) => text,
        Ok(Ok(None)) => "EC2 has none".to_owned(),
        Ok(Err(refusal)) => format!("could not be had: {}", refusal.sentence(CONSOLE_OUTPUT, id)),
        Err(_) => format!("could not be had: {}", Refusal::TimedOut.sentence(CONSOLE_OUTPUT, id)),
    };
    (CONSOLE.to_owned(), text)
}

/// Whatever was found has to be handed over before the deadline.
fn almost(deadline: Instant) -> Instant {
    deadline.checked_sub(Duration::from_millis(100)).unwrap_or(deadline)
}

/// The script's output, part by part.
fn parts(invocation: &Invocation) -> Vec<(String, String)> {
    let mut parts: Vec<(String, String)> = Vec::new();
    for line in invocation.output.lines() {
        if let Some(name) = line.trim_end().strip_prefix(PART.0).and_then(|rest| rest.strip_suffix(PART.1)) {
            parts.push((name.chars().take(60).collect(), String::new()));
        } else if let Some((_, text)) = parts.last_mut() {
            text.push_str(line);
            text.push('\n');
        }
    }
    if parts.is_empty() {
        let Invocation { status, details, output, errors, .. } = invocation;
        let text = format!("could not be had: the command ended as {status} ({details}): {output} {errors}");
        parts.push((LOGS.to_owned(), text));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_of_the_script_is_taken_apart() {
        let output = "\n=== muster: agent log ===\none\ntwo\n\n=== muster: docker state ===\nthree\n".to_owned();
        let invocation = Invocation { output, ..Invocation::default() };
        let parts = parts(&invocation);
        let names: Vec<&str> = parts.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["agent log", "docker state"]);
        assert_eq!(parts[0].1, "one\ntwo\n\n");
    }

    #[test]
    fn a_command_that_said_nothing_is_said_to() {
        let invocation = Invocation { status: "Failed".into(), details: "Undeliverable".into(), ..Default::default() };
        let parts = parts(&invocation);
        assert!(parts[0].1.contains("could not be had") && parts[0].1.contains("Undeliverable"), "{parts:?}");
    }
}
