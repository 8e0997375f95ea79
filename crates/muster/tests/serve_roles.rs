//! A role of its own for acting: without it `muster serve` watches, says so wherever it is asked, and touches nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod program;

use program::{Running, get, muster, muster_at, post, run, until};

const ROLE: &str = "arn:aws:iam::210987654321:role/muster-act";

/// The story of an agent that stays away, in an account where no role may be assumed.
fn account(dir: &std::path::Path, denied: &str) -> Running {
    let scenario = dir.join("story.toml");
    let text =
        format!("lasts = \"2h\"\n[faults.api]\ndenied = [{denied}]\n[[cluster]]\nname = \"prod-a\"\nhosts = 12\n");
    std::fs::write(&scenario, text).unwrap();
    let scenario = scenario.display().to_string();
    Running::start(muster(&[
        "simulate",
        "--listen",
        "127.0.0.1:0",
        "--scenario",
        &scenario,
        "--seed",
        "3",
        "--speed",
        "0",
    ]))
}

/// Loses an agent and waits until something was asked to be done about it; gives what `muster serve` logged.
fn story(denied: &str, roles: &str, result: &str) -> (Running, Running, std::path::PathBuf, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let account = account(dir.path(), denied);
    let config = dir.path().join("muster.toml");
    let text = format!(
        "[aws]\nact_roles = [{roles}]\n[clusters]\nall = true\n[sweep]\nevery_secs = 10\n\
         [policy]\nmode = \"act\"\ngrace_secs = 1\nact_after_secs = 2\nfail_after = 1\n[protect]\nlaunch_secs = 0\n"
    );
    std::fs::write(&config, text).unwrap();
    let (config, data) = (config.display().to_string(), dir.path().join("data").display().to_string());
    let queue = format!("{}/210987654321/muster-events", account.url);
    let args = ["serve", "--listen", "127.0.0.1:0", "--config", &config, "--data-dir", &data, "--queue-url", &queue];
    let log = dir.path().join("log");
    let mut command = muster_at(&account.url, &args);
    command.stderr(std::fs::File::create(&log).unwrap());
    let server = Running::start(command);
    until("the first sweep", || {
        let roll = get(&format!("{}/v1/hosts", server.url)).json();
        roll["clusters"][0]["hosts"].as_array().filter(|hosts| hosts.len() == 12).map(|_| ())
    });
    assert_eq!(post(&format!("{}/_muster/do", account.url), "do = \"agent-stop\"\nhost = \"prod-a/2\"\n").status, 200);
    assert_eq!(post(&format!("{}/_muster/advance?secs=150", account.url), "").status, 200);
    until("something to be done", || {
        assert_eq!(post(&format!("{}/_muster/advance?secs=1", account.url), "").status, 200);
        let figures = get(&format!("{}/metrics", server.url)).body;
        figures.contains(&format!("muster_acts_total{{act=\"restart-agent\",result=\"{result}\"}}")).then_some(())
    });
    (account, server, log, dir)
}

#[test]
fn where_the_role_cannot_be_assumed_muster_observes_says_so_everywhere_and_touches_nothing() {
    let (account, server, log, dir) = story("\"sts:AssumeRole\"", &format!("\"{ROLE}\""), "denied");
    let truth = get(&format!("{}/_muster/truth", account.url)).json();
    assert_eq!(truth["happened"].as_array().map(Vec::len), Some(0), "{truth}");
    let health = get(&format!("{}/healthz", server.url)).json();
    let warnings = health["warnings"].to_string();
    assert_eq!(health["status"], "ok", "it goes on observing: {health}");
    assert!(warnings.contains("account 210987654321 is only observed") && warnings.contains(ROLE), "{health}");
    let figures = get(&format!("{}/metrics", server.url)).body;
    assert!(figures.contains("muster_observed_only_accounts 1"), "{figures}");
    let case = get(&format!("{}/v1/cases", server.url)).json()["cases"][0]["case"].to_string();
    let shown = run(&["case", "show", &case, "--server", &server.url]).exits(0).out;
    assert!(shown.contains("only observed") && shown.contains("sts:AssumeRole"), "{shown}");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("observe only: no remedy is done in this account") && log.contains(ROLE), "{log}");
    drop(dir);
}

#[test]
fn where_the_role_can_be_assumed_it_is_what_acts() {
    let (account, server, log, dir) = story("", &format!("\"{ROLE}\""), "done");
    let health = get(&format!("{}/healthz", server.url)).json();
    assert!(!health["warnings"].to_string().contains("observed"), "{health}");
    assert!(get(&format!("{}/metrics", server.url)).body.contains("muster_observed_only_accounts 0"));
    let truth = get(&format!("{}/_muster/truth", account.url)).json();
    assert!(!truth["happened"].as_array().unwrap().is_empty(), "{truth}");
    assert!(!std::fs::read_to_string(log).unwrap().contains("observe only"));
    drop(dir);
}

#[test]
fn what_aws_denies_is_told_as_long_as_it_is_denied() {
    let (_account, server, _log, dir) = story("\"ssm:SendCommand\"", "", "denied");
    let warnings = get(&format!("{}/healthz", server.url)).json()["warnings"].to_string();
    assert!(warnings.contains("only observed as far as restart-agent goes"), "{warnings}");
    assert!(warnings.contains("ssm:SendCommand") && warnings.contains("deploy/iam/act.json"), "{warnings}");
    drop(dir);
}
