//! Names, tags, attributes and reasons that would steer a terminal, forge a line of a log, or turn the direction of writing:
//! every command, every page and the log show them and obey none of them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod program;

use std::path::Path;

use program::{Running, get, muster_at, post, pretend_account, recording, request, run, until};
use serde_json::Value;

/// ANSI and OSC, C1, line breaks, marks of direction, separators, markup of receivers, quotes of Prometheus, a formula.
const HOSTILE: &str =
    "\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\r\nFORGED ERROR\u{202e}gnp\u{2028}\u{feff}\u{7f}<!channel>\"} 1\n=1+1";

#[track_caller]
fn assert_steers_nothing(what: &str, text: &str) {
    let steers = |letter: char| letter != '\n' && muster::render::escape::steers(letter);
    assert!(
        !text.contains(steers),
        "{what}: {:?}",
        &text[text.find(steers).unwrap()..].chars().take(80).collect::<String>()
    );
    assert!(!text.lines().any(|line| line.trim_start().starts_with("FORGED")), "{what} has a forged line:\n{text}");
}

/// Every text that an event says of a host, with something hostile behind it.
fn poison(value: &mut Value) {
    match value {
        Value::String(text) if text.parse::<jiff::Timestamp>().is_err() => text.push_str(HOSTILE),
        Value::Array(items) => items.iter_mut().for_each(poison),
        Value::Object(fields) => fields.values_mut().for_each(poison),
        _ => {}
    }
}

/// A recorded day in which clusters, hosts, versions and attributes have hostile names.
fn hostile_day(dir: &Path) -> String {
    let day = std::fs::read_to_string(recording(dir, "agent-stays-away", "2h")).unwrap();
    let mut lines = Vec::new();
    for line in day.lines() {
        let mut event: Value = serde_json::from_str(line).unwrap();
        for field in ["clusterArn", "containerInstanceArn", "versionInfo", "statusReason", "group", "startedBy"] {
            if let Some(value) = event["detail"].get_mut(field) {
                poison(value);
            }
        }
        for attribute in event["detail"]["attributes"].as_array_mut().into_iter().flatten() {
            if let Some(value) = attribute.get_mut("value") {
                poison(value);
            }
        }
        lines.push(event.to_string());
    }
    let file = dir.join("hostile.ndjson");
    std::fs::write(&file, lines.join("\n")).unwrap();
    file.display().to_string()
}

#[test]
fn a_replay_of_hostile_events_shows_them_and_obeys_none() {
    let dir = tempfile::tempdir().unwrap();
    let day = hostile_day(dir.path());
    for format in ["table", "json", "ndjson"] {
        for log in ["text", "json"] {
            let ran = run(&["-vv", "--log-format", log, "replay", &day, "--output", format]);
            assert!(ran.out.contains("FORGED"), "the names are shown: {}", ran.out);
            assert_steers_nothing(&format!("replay --output {format}"), &ran.out);
            assert_steers_nothing(&format!("its log as {log}"), &ran.err);
        }
    }
    let ran = run(&["replay", &day, "--color", "always"]);
    assert!(
        ran.out.contains("\u{1b}[") && !ran.out.contains("\u{1b}[2J") && !ran.out.contains("\u{1b}]"),
        "{}",
        ran.out
    );
}

#[test]
fn a_message_that_is_none_is_set_aside_and_shown_without_obeying_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("poison.ndjson");
    std::fs::write(
        &file,
        format!("{{\"source\":\"aws.ecs{}\n{}\n", HOSTILE.replace(['\r', '\n'], ""), "nonsense\u{1b}[2J"),
    )
    .unwrap();
    let ran = run(&["replay", file.to_str().unwrap()]);
    assert!(ran.err.contains("set aside"), "{}", ran.err);
    assert_steers_nothing("replay", &format!("{}{}", ran.out, ran.err));
}

fn serve(account: &Running, dir: &Path) -> (Running, std::path::PathBuf) {
    let config = dir.join("muster.toml");
    let text = "[clusters]\nall = true\n[sweep]\nevery_secs = 10\n[policy]\nmode = \"approve\"\ngrace_secs = 1\n\
                act_after_secs = 2\nfail_after = 1\n[protect]\nlaunch_secs = 0\n[log]\nformat = \"json\"\n";
    std::fs::write(&config, text).unwrap();
    let (config, data) = (config.display().to_string(), dir.join("data").display().to_string());
    let queue = format!("{}/210987654321/muster-events", account.url);
    let args =
        ["-vv", "serve", "--listen", "127.0.0.1:0", "--config", &config, "--data-dir", &data, "--queue-url", &queue];
    let log = dir.join("log");
    let mut command = muster_at(&account.url, &args);
    command.stderr(std::fs::File::create(&log).unwrap());
    (Running::start(command), log)
}

#[test]
fn whoever_asks_a_running_muster_is_told_hostile_names_and_reasons_as_they_are_and_steered_by_none() {
    let account = pretend_account("agent-stays-away");
    let dir = tempfile::tempdir().unwrap();
    let (server, log) = serve(&account, dir.path());
    let url = server.url.clone();
    until("the first sweep", || {
        let roll = get(&format!("{url}/v1/hosts")).json();
        roll["clusters"][0]["hosts"].as_array().filter(|hosts| hosts.len() == 12).map(|_| ())
    });
    assert_eq!(post(&format!("{}/_muster/do", account.url), "do = \"agent-stop\"\nhost = \"prod-a/2\"\n").status, 200);
    assert_eq!(post(&format!("{}/_muster/advance?secs=150", account.url), "").status, 200);
    let case = until("the question", || {
        post(&format!("{}/_muster/advance?secs=1", account.url), "");
        let case = get(&format!("{url}/v1/cases")).json()["cases"][0].clone();
        (case["decision"]["ask"].is_object()).then(|| case["case"].to_string())
    });
    // What operators say is hostile too: it goes into the journal, the log, and before the eyes of others.
    let json = ("content-type", "application/json");
    let says = |path: &str, body: Value| request("POST", &format!("{url}{path}"), &[json], &body.to_string()).status;
    let why = serde_json::json!({ "why": HOSTILE, "who": HOSTILE });
    assert_eq!(says(&format!("/v1/cases/{case}/hold"), serde_json::json!({ "why": HOSTILE, "secs": 600 })), 200);
    assert_eq!(says("/v1/pause", why.clone()), 200);
    let silence = serde_json::json!({ "clusters": ["prod-*"], "secs": 600, "why": HOSTILE, "who": HOSTILE });
    assert_eq!(says("/v1/silences", silence), 200);
    assert_eq!(says("/v1/protections", serde_json::json!({ "subject": format!("i-{HOSTILE}"), "why": "x" })), 400);

    let data = dir.path().join("data").display().to_string();
    let (asked, kept) = (["--server", url.as_str()], ["--data-dir", data.as_str()]);
    let mut shown = String::new();
    for args in [
        vec!["hosts"],
        vec!["case", "list"],
        vec!["case", "show", &case],
        vec!["alerts"],
        vec!["silence", "list"],
        vec!["silence", "list", "--output", "json"],
        vec!["case", "show", &case, "--output", "json"],
    ] {
        let ran = run(&[&args[..], &asked].concat());
        assert_steers_nothing(&format!("{args:?}"), &format!("{}{}", ran.out, ran.err));
        shown += &ran.out;
    }
    for args in [
        vec!["journal"],
        vec!["journal", "--conclusions"],
        vec!["journal", "--output", "json"],
        vec!["journal", "export"],
        vec!["case", "show", &case],
    ] {
        let ran = run(&[&args[..], &kept].concat()).exits(0);
        assert_steers_nothing(&format!("{args:?}"), &format!("{}{}", ran.out, ran.err));
        shown += &ran.out;
    }
    assert!(shown.contains("FORGED ERROR"), "{shown}");
    for path in ["/healthz", "/metrics", "/v1/pause", "/v1/silences", "/v1/journal"] {
        assert_steers_nothing(path, &get(&format!("{url}{path}")).body);
    }
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
    let log = std::fs::read_to_string(log).unwrap();
    assert_steers_nothing("the log", &log);
    for line in log.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "every line of the log is JSON: {line}");
    }
}
