//! Commands that need no AWS, as a shell would run them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod program;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use program::{muster, recording, run, run_with_input, signal};

const COMMANDS: [&[&str]; 31] = [
    &[],
    &["scan"],
    &["serve"],
    &["hosts"],
    &["case"],
    &["case", "list"],
    &["case", "show"],
    &["case", "approve"],
    &["case", "veto"],
    &["case", "hold"],
    &["case", "retry"],
    &["protect"],
    &["unprotect"],
    &["pause"],
    &["resume"],
    &["silence"],
    &["silence", "add"],
    &["silence", "list"],
    &["silence", "end"],
    &["alerts"],
    &["journal"],
    &["journal", "verify"],
    &["journal", "export"],
    &["replay"],
    &["simulate"],
    &["demo"],
    &["config"],
    &["config", "check"],
    &["config", "schema"],
    &["config", "example"],
    &["completions"],
];

#[test]
fn every_command_has_help_with_examples_and_the_common_options() {
    for command in COMMANDS {
        let ran = run(&[command, &["--help"]].concat()).exits(0);
        for expected in ["Example", "--endpoint-url", "--region", "--profile", "--color", "--log-format"] {
            assert!(ran.out.contains(expected), "muster {command:?} --help lacks {expected}:\n{}", ran.out);
        }
    }
}

#[test]
fn an_unknown_flag_is_refused_with_exit_code_2_and_a_suggestion() {
    let ran = run(&["scan", "--clutser", "prod"]).exits(2);
    assert!(ran.err.contains("--clutser") && ran.err.contains("--cluster"), "{}", ran.err);
    assert_eq!(ran.out, "");
}

#[test]
fn completions_are_written_for_each_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = run(&["completions", shell]).exits(0);
        assert!(ran.out.contains("muster") && ran.out.contains("scan"), "{shell}: {}", ran.out);
    }
}

#[test]
fn the_example_configuration_passes_its_own_check() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("muster.toml");
    fs::write(&file, run(&["config", "example"]).exits(0).out).unwrap();
    let ran = run(&["config", "check", "--config", file.to_str().unwrap()]).exits(0);
    assert!(ran.out.ends_with("no mistakes\n"), "{}", ran.out);
}

#[test]
fn a_mistake_in_the_configuration_is_shown_in_its_line_with_what_was_meant() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("muster.toml"), "[policy]\n  grace_secs = 60\n  flaping_per_hour = 9\n").unwrap();
    let output = muster(&["config", "check", "--config", "muster.toml"]).current_dir(dir.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "muster: muster.toml:3:3: [policy] has no option `flaping_per_hour`\n  |\n3 |   flaping_per_hour = 9\n  |   \
         ^^^^^^^^^^^^^^^^\n  = did you mean `flapping_per_hour`?\n"
    );
}

#[test]
fn what_is_allowed_and_still_surprising_is_told_by_the_check() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("muster.toml");
    fs::write(&file, "[policy]\nmode = \"act\"\n").unwrap();
    let ran = run(&["config", "check", "--config", file.to_str().unwrap()]).exits(0);
    assert!(ran.out.ends_with("no mistakes\n"), "{}", ran.out);
    assert!(ran.err.contains("nobody is told"), "{}", ran.err);
}

#[test]
fn a_silence_of_everything_must_be_said_so() {
    let ran = run(&["silence", "add", "--for", "2h"]).exits(2);
    assert!(ran.err.contains("--everything"), "{}", ran.err);
    let ran = run(&["silence", "add", "--for", "soon", "--everything"]).exits(2);
    assert!(ran.err.contains("90s, 15m, 2h, 3d"), "{}", ran.err);
    let ran = run(&["silence", "add", "--for", "2h", "--trouble", "agent-awya"]).exits(2);
    assert!(ran.err.contains("did you mean `agent-away`?"), "{}", ran.err);
}

#[test]
fn a_token_is_never_sent_in_the_clear_to_another_machine() {
    let output =
        muster(&["pause", "--server", "http://192.0.2.1:8464"]).env("MUSTER_TOKEN", "canary-canary-canary").output();
    let ran: program::Ran = output.unwrap().into();
    let ran = ran.exits(2);
    assert!(ran.err.contains("https://") && !ran.err.contains("canary"), "{}", ran.err);
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let ran = run(&["serve", "--config", "/nowhere/muster.toml"]).exits(2);
    assert!(ran.err.contains("/nowhere/muster.toml") && ran.err.contains("No such file"), "{}", ran.err);
}

#[test]
fn the_schema_describes_every_section() {
    let schema = run(&["config", "schema"]).exits(0).json();
    for section in [
        "aws",
        "clusters",
        "events",
        "sweep",
        "policy",
        "protect",
        "replace",
        "notices",
        "operators",
        "lease",
        "journal",
        "http",
        "log",
    ] {
        assert!(schema["properties"][section]["properties"].is_object(), "{section} is missing");
    }
    for section in ["ladder", "budget", "window", "custom"] {
        assert!(schema["properties"][section]["items"]["properties"].is_object(), "{section} is missing");
    }
}

#[test]
fn addresses_that_others_could_reach_are_refused_with_the_reason() {
    for command in ["serve", "simulate"] {
        let ran = run(&[command, "--listen", "0.0.0.0:0"]).exits(2);
        assert!(ran.err.contains("loopback") && ran.err.contains("TLS"), "{command}: {}", ran.err);
        assert_eq!(ran.out, "", "{command} must not say that it listens");
    }
}

#[test]
fn an_address_that_others_could_reach_is_refused_with_what_is_lacking_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("muster.toml");
    let tls = "[http]\ncert_file = \"/c\"\nkey_file = \"/k\"\n";
    let token = "[operators]\ntokens = [{ name = \"a\", role = \"view\", secret = \"env:A\" }]\n";
    for (text, lacks) in [
        ("", "needs TLS (cert_file and key_file of [http]) and a token ([operators])"),
        (tls, "needs a token ([operators])"),
        (token, "needs TLS (cert_file and key_file of [http])"),
    ] {
        fs::write(&file, text).unwrap();
        for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8464"] {
            let ran = run(&["serve", "--listen", listen, "--config", file.to_str().unwrap()]).exits(2);
            assert!(ran.err.contains(lacks), "{}", ran.err);
            assert!(ran.err.contains("listen on 127.0.0.1") && ran.err.contains("SSH tunnel"), "{}", ran.err);
        }
    }
}

#[test]
fn a_replay_tells_what_was_decided_and_counts() {
    let dir = tempfile::tempdir().unwrap();
    let file = recording(dir.path(), "agent-stays-away", "1h");
    let ran = run(&["replay", &file]).exits(0);
    assert!(ran.out.contains("opened: agent-away"), "{}", ran.out);
    assert!(ran.out.contains(" 0 set aside"), "{}", ran.out);
    assert!(!ran.out.contains('\u{1b}'), "no colours into a pipe: {}", ran.out);
    let coloured = run(&["replay", &file, "--color", "always"]).exits(0);
    assert!(coloured.out.contains('\u{1b}'), "colours were asked for");
}

#[test]
fn a_replay_is_the_same_every_time_and_from_a_file_from_lines_or_from_an_array() {
    let dir = tempfile::tempdir().unwrap();
    let file = recording(dir.path(), "agent-stays-away", "40m");
    let lines = fs::read_to_string(&file).unwrap();
    let array = format!("[{}]", lines.lines().collect::<Vec<_>>().join(",\n"));
    let once = run(&["replay", &file, "--output", "ndjson"]).exits(0);
    assert!(once.out.lines().count() > 3, "{}", once.out);
    for line in once.out.lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(record["at"].is_string() && record["kind"].is_string(), "{line}");
    }
    for input in [lines, array] {
        let again = run_with_input(&["replay", "-", "--output", "ndjson"], input.as_bytes()).exits(0);
        assert_eq!(again.out, once.out);
    }
}

#[test]
fn lines_that_are_no_events_are_reported_with_their_number_and_the_rest_is_replayed() {
    let dir = tempfile::tempdir().unwrap();
    let file = recording(dir.path(), "agent-stays-away", "40m");
    let good = fs::read_to_string(&file).unwrap();
    let count = good.lines().count();
    let mut lines: Vec<&str> = good.lines().collect();
    lines.insert(1, "{\"source\":\"aws.ecs\"");
    lines.insert(4, "nonsense");
    let ran = run_with_input(&["replay", "-", "--output", "json"], lines.join("\n").as_bytes()).exits(2);
    assert!(ran.err.contains("-:2: set aside: ") && ran.err.contains("-:5: set aside: "), "{}", ran.err);
    let report = ran.json();
    assert_eq!(report["events"], count);
    assert_eq!(report["set_aside"].as_array().unwrap().len(), 2);
    let undisturbed = run(&["replay", &file, "--output", "json"]).exits(0).json();
    assert_eq!(report["records"], undisturbed["records"]);
}

#[test]
fn a_recording_that_is_not_there_or_empty_is_no_panic() {
    let ran = run(&["replay", "/nowhere/x.ndjson"]).exits(2);
    assert!(ran.err.contains("/nowhere/x.ndjson"), "{}", ran.err);
    let ran = run_with_input(&["replay", "-"], b"").exits(0);
    assert!(ran.out.contains("0 events"), "{}", ran.out);
}

#[test]
fn whoever_stops_reading_ends_the_answer_without_a_complaint() {
    let dir = tempfile::tempdir().unwrap();
    let file = recording(dir.path(), "demo", "40m");
    let mut child =
        muster(&["replay", &file, "--output", "ndjson"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
}

#[test]
fn the_same_seed_records_the_same_day() {
    let record = |seed: &str| {
        run(&["simulate", "--scenario", "demo", "--seed", seed, "--record", "-", "--for", "20m"]).exits(0).out
    };
    let day = record("5");
    assert!(day.lines().count() > 20);
    assert_eq!(day, record("5"));
    assert_ne!(day, record("6"));
}

#[test]
fn the_shipped_scenarios_are_listed_and_an_unknown_one_is_refused_with_their_names() {
    let ran = run(&["simulate", "--list"]).exits(0);
    assert!(ran.out.contains("agent-stays-away") && ran.out.lines().count() > 10, "{}", ran.out);
    let ran = run(&["simulate", "--scenario", "nope", "--record", "-"]).exits(2);
    assert!(ran.err.contains("nope") && ran.err.contains("agent-stays-away"), "{}", ran.err);
}

#[test]
fn the_demo_tells_its_story_and_opens_the_door_to_the_real_thing() {
    let ran = run(&["demo", "--plain", "--speed", "20000"]).exits(0);
    for expected in [
        "Routine: nothing is raised",
        "the grace of 3 min is over",
        "agent-lost",
        "will restart the ECS agent through SSM",
        "nobody to vouch for",
        "First it is written down, then it is done: restart the agent of i-",
        "is closed after 10 min. The agent is connected again",
        "starts in dry run",
        "hosts in 2 clusters",
        "muster scan --cluster NAME",
    ] {
        assert!(ran.out.contains(expected), "the story lacks {expected:?}:\n{}", ran.out);
    }
    assert!(!ran.out.contains('\u{1b}'), "no colours and no cursor movements into a pipe");
    assert_eq!(ran.err, "");
}

#[test]
fn ctrl_c_ends_the_demo_cleanly() {
    let mut child = muster(&["demo", "--speed", "1"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert!(line.starts_with("listening on http://127.0.0.1:"), "{line}");
    while !line.contains("Every host") {
        assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "{line}");
    }
    signal(child.id(), "INT");
    let rest: Vec<String> = stdout.lines().map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(rest.iter().any(|line| line == "stopped."), "{rest:?}");
}

#[test]
fn whom_to_ask_must_be_named_and_reachable() {
    let ran = run(&["hosts"]).exits(2);
    assert!(ran.err.contains("--server") && ran.err.contains("--data-dir"), "{}", ran.err);
    // Port 1 of loopback: nobody listens there.
    let ran = run(&["case", "list", "--server", "http://127.0.0.1:1"]).exits(2);
    assert!(ran.err.contains("could not reach a muster at http://127.0.0.1:1"), "{}", ran.err);
    let ran = run(&["journal", "verify", "--data-dir", "/nowhere"]).exits(2);
    assert!(ran.err.contains("/nowhere") && ran.err.contains("there is no journal here"), "{}", ran.err);
}
