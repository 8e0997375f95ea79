//! `muster serve` mends a pretend account: approved by a person, then by itself.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod program;

use std::path::Path;

use program::{Running, get, muster_at, post, pretend_account, run, until};

/// Impatient, so that a test need not wait: real time passes for muster, and the account's by `advance`.
const WAITS: &str = "grace_secs = 1\nact_after_secs = 2\nfail_after = 1\n";

fn serve(account: &Running, dir: &Path, mode: &str) -> Running {
    let config = dir.join("muster.toml");
    let text = format!(
        "[clusters]\nall = true\n[sweep]\nevery_secs = 10\n[policy]\nmode = \"{mode}\"\n{WAITS}[protect]\nlaunch_secs = 0\n"
    );
    std::fs::write(&config, text).unwrap();
    let (config, data) = (config.display().to_string(), dir.join("data").display().to_string());
    let queue = format!("{}/210987654321/muster-events", account.url);
    let args = ["serve", "--listen", "127.0.0.1:0", "--config", &config, "--data-dir", &data, "--queue-url", &queue];
    Running::start(muster_at(&account.url, &args))
}

fn advance(account: &Running, secs: u32) {
    assert_eq!(post(&format!("{}/_muster/advance?secs={secs}", account.url), "").status, 200);
}

/// Stops the agent of a host and gives the case that is opened for it.
fn lose_an_agent(account: &Running, muster: &Running) -> u64 {
    let url = &muster.url;
    until("the first sweep", || {
        let roll = get(&format!("{url}/v1/hosts")).json();
        roll["clusters"][0]["hosts"].as_array().filter(|hosts| hosts.len() == 12).map(|_| ())
    });
    assert_eq!(post(&format!("{}/_muster/do", account.url), "do = \"agent-stop\"\nhost = \"prod-a/2\"\n").status, 200);
    // The control plane notices a silent agent within two minutes.
    advance(account, 150);
    until("the case", || get(&format!("{url}/v1/cases")).json()["cases"][0]["case"].as_u64())
}

/// Lets the account's time go on until the case is closed.
fn until_closed(account: &Running, muster: &Running, case: u64) {
    until("the case to close", || {
        advance(account, 2);
        let case = get(&format!("{}/v1/cases/{case}", muster.url)).json();
        (case["case"]["stage"] == "closed").then_some(())
    });
}

#[test]
fn what_a_person_approves_is_done_once_and_all_of_it_is_on_record() {
    let account = pretend_account("agent-stays-away");
    let dir = tempfile::tempdir().unwrap();
    let muster = serve(&account, dir.path(), "approve");
    let case = lose_an_agent(&account, &muster).to_string();
    until("the question", || {
        advance(&account, 1);
        let asked = get(&format!("{}/v1/cases/{case}", muster.url)).json();
        (asked["case"]["decision"]["ask"]["remedy"] == "restart-agent").then_some(())
    });
    let shown = run(&["case", "show", &case, "--server", &muster.url]).exits(0).out;
    assert!(shown.contains(&format!("muster case approve {case}")), "{shown}");
    assert!(shown.contains("ladder (mode approve)") && shown.contains("1. restart-agent"), "{shown}");
    let approved = run(&["case", "approve", &case, "--why", "seen in the console", "--server", &muster.url]).exits(0);
    assert!(approved.out.contains("restart the ECS agent"), "{}", approved.out);
    until_closed(&account, &muster, case.parse().unwrap());
    // The agent may be back before the command that restarted it has said so.
    let shown = until("the outcome", || {
        advance(&account, 2);
        let shown = run(&["case", "show", &case, "--server", &muster.url]).exits(0).out;
        shown.contains("intent 1: done").then_some(shown)
    });
    for expected in ["on record", "asked to approve case", "restart the agent of i-", "closed after"] {
        assert!(shown.contains(expected), "{expected:?} is not shown:\n{shown}");
    }
    assert_eq!(shown.matches("restart the agent of i-").count(), 1, "{shown}");
    let from_folder =
        run(&["case", "show", &case, "--data-dir", dir.path().join("data").to_str().unwrap()]).exits(0).out;
    assert!(from_folder.contains("on record"), "{from_folder}");
    let figures = get(&format!("{}/metrics", muster.url)).body;
    assert!(figures.contains("muster_may_act 1"), "{figures}");
    let data = dir.path().join("data");
    let record = run(&["journal", "--conclusions", "--data-dir", data.to_str().unwrap()]).exits(0).out;
    assert!(record.contains("(seen in the console)"), "{record}");
    muster.signal("TERM");
    assert_eq!(muster.wait(), Some(0));
    run(&["journal", "verify", "--replay", "--data-dir", data.to_str().unwrap()]).exits(0);
}

#[test]
fn nothing_begins_while_the_kill_switch_is_thrown() {
    let account = pretend_account("agent-stays-away");
    let dir = tempfile::tempdir().unwrap();
    let muster = serve(&account, dir.path(), "act");
    run(&["pause", "--why", "migration", "--server", &muster.url]).exits(0);
    let case = lose_an_agent(&account, &muster);
    let held = until("the decision to hold", || {
        advance(&account, 1);
        let case = get(&format!("{}/v1/cases/{case}", muster.url)).json();
        case["case"]["decision"]["hold"]["because"].as_array().cloned()
    });
    assert!(held.iter().any(|why| why.as_str().unwrap().contains("migration")), "{held:?}");
    let health = get(&format!("{}/healthz", muster.url)).json();
    assert!(health["warnings"].to_string().contains("everything is paused by"), "{health}");
    let stops = get(&format!("{}/v1/pause", muster.url)).json();
    assert_eq!(stops["stops"][0]["why"], "migration");
    let figures = get(&format!("{}/metrics", muster.url)).body;
    assert!(!figures.contains("muster_acts_total{"), "{figures}");
    run(&["resume", "--server", &muster.url]).exits(0);
    until_closed(&account, &muster, case);
}

#[test]
fn in_dry_run_nothing_can_be_approved() {
    let account = pretend_account("agent-stays-away");
    let dir = tempfile::tempdir().unwrap();
    let muster = serve(&account, dir.path(), "dry-run");
    let case = lose_an_agent(&account, &muster).to_string();
    until("the decision", || {
        advance(&account, 1);
        let case = get(&format!("{}/v1/cases/{case}", muster.url)).json();
        case["case"]["decision"]["would"].as_object().map(|_| ())
    });
    let refused = run(&["case", "approve", &case, "--server", &muster.url]).exits(2);
    assert!(refused.err.contains("refused") && refused.err.contains("dry run"), "{}", refused.err);
}
