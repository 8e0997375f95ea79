//! `muster scan` against a pretend account on the wire.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod program;

use program::{Ran, Running, muster_at, post, pretend_account};

fn scan(account: &Running, args: &[&str]) -> Ran {
    muster_at(&account.url, &[&["scan"], args].concat()).output().unwrap().into()
}

fn advance(account: &Running, secs: u32) {
    assert_eq!(post(&format!("{}/_muster/advance?secs={secs}", account.url), "").status, 200);
}

#[test]
fn a_fleet_that_answers_exits_0_and_prints_one_object() {
    let account = pretend_account("agent-stays-away");
    let ran = scan(&account, &["--cluster", "prod-a", "--output", "json"]).exits(0);
    assert_eq!(ran.out.lines().count(), 1, "one object and nothing else");
    let roll = ran.json();
    assert!(roll["at"].is_string());
    let cluster = &roll["clusters"][0];
    assert!(cluster["arn"].as_str().unwrap().ends_with(":cluster/prod-a"));
    let hosts = cluster["hosts"].as_array().unwrap();
    assert_eq!(hosts.len(), 12);
    for host in hosts {
        assert_eq!(host["verdict"], "present", "{host}");
        assert!(host["ec2_instance_id"].as_str().unwrap().starts_with("i-"));
        assert!(host["witnesses"].as_array().is_some_and(|witnesses| !witnesses.is_empty()), "{host}");
        assert!(host["reasons"].is_array() && host["since"].is_string(), "{host}");
    }
}

#[test]
fn an_agent_that_is_away_exits_1_and_is_named_first() {
    let account = pretend_account("agent-stays-away");
    // Its agent stops at minute 10 of the story.
    advance(&account, 15 * 60);
    let ran = scan(&account, &["--cluster", "prod-*"]).exits(1);
    assert!(ran.out.contains("12 hosts: 11 present, 1 "), "{}", ran.out);
    let first = ran.out.lines().nth(2).unwrap();
    assert!(!first.trim_start().starts_with("present"), "{}", ran.out);
    assert!(ran.out.contains("because "), "{}", ran.out);
    assert!(!ran.out.contains('\u{1b}'), "no colours into a pipe");
    let ran = scan(&account, &["--all", "--output", "ndjson"]).exits(1);
    let away: Vec<&str> = ran.out.lines().filter(|line| !line.contains("\"verdict\":\"present\"")).collect();
    assert_eq!(away.len(), 1, "{}", ran.out);
}

#[test]
fn looks_add_up_from_scan_to_scan_in_a_data_directory() {
    let account = pretend_account("agent-stays-away");
    advance(&account, 15 * 60);
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("muster.toml");
    std::fs::write(&config, "[policy]\ngrace_secs = 1\nact_after_secs = 2\nfail_after = 2\n").unwrap();
    let data = dir.path().join("data").display().to_string();
    let args =
        ["--cluster", "prod-a", "--output", "json", "--config", config.to_str().unwrap(), "--data-dir", data.as_str()];
    let away = |ran: &Ran| {
        let roll = ran.json();
        let hosts = roll["clusters"][0]["hosts"].as_array().unwrap().clone();
        hosts.into_iter().find(|host| host["verdict"] != "present").unwrap()["verdict"].as_str().unwrap().to_owned()
    };
    let first = scan(&account, &args).exits(1);
    assert_eq!(away(&first), "suspected", "one look proves nothing");
    let verdict = program::until("the looks to add up", || {
        // The account stands still but for this, and so would the buckets of its API.
        advance(&account, 2);
        let verdict = away(&scan(&account, &args).exits(1));
        (verdict != "suspected").then_some(verdict)
    });
    assert_eq!(verdict, "agent-lost");
    let verified: Ran =
        program::muster(&["journal", "verify", "--replay", "--data-dir", &data]).output().unwrap().into();
    assert!(verified.exits(0).out.contains("chain intact"));
}

#[test]
fn a_cluster_that_is_not_there_exits_2_and_is_named() {
    let account = pretend_account("agent-stays-away");
    let ran = scan(&account, &["--cluster", "nope"]).exits(2);
    assert!(ran.err.contains("nope"), "{}", ran.err);
    let ran = scan(&account, &["--cluster", "nope-*"]).exits(2);
    assert!(ran.err.contains("nope-*"), "{}", ran.err);
    let ran = scan(&account, &["--tag", "team=nobody", "--output", "json"]).exits(2);
    assert!(ran.err.contains("team=nobody"), "{}", ran.err);
    assert_eq!(ran.json()["clusters"].as_array().unwrap().len(), 0);
}

#[test]
fn an_endpoint_where_nobody_answers_exits_2_and_never_reports_a_healthy_fleet() {
    let ran: Ran = muster_at("http://127.0.0.1:1", &["scan", "--all"]).output().unwrap().into();
    let ran = ran.exits(2);
    assert!(!ran.err.is_empty() && !ran.out.contains("present"), "{} {}", ran.out, ran.err);
}

#[test]
fn without_credentials_the_scan_says_what_to_set() {
    let account = pretend_account("agent-stays-away");
    let ran: Ran = program::muster(&["scan", "--all", "--endpoint-url", &account.url, "--region", "eu-central-1"])
        .output()
        .unwrap()
        .into();
    let ran = ran.exits(2);
    assert!(ran.err.to_lowercase().contains("credential"), "{}", ran.err);
}

/// An account with three hosts in which these calls go wrong.
fn troubled_account(dir: &std::path::Path, faults: &str) -> Running {
    let file = dir.join("troubled.toml");
    let text = format!(
        "# Three hosts behind an API in trouble.\n[faults.api]\n{faults}\n[[cluster]]\nname = \"prod-a\"\nhosts = 3\n"
    );
    std::fs::write(&file, text).unwrap();
    pretend_account(file.to_str().unwrap())
}

#[test]
fn a_call_that_is_not_allowed_exits_2_and_names_the_action_to_add() {
    let dir = tempfile::tempdir().unwrap();
    for action in ["ecs:ListClusters", "ecs:ListContainerInstances", "ecs:DescribeContainerInstances"] {
        let account = troubled_account(dir.path(), &format!("denied = [\"{action}\"]"));
        let ran = scan(&account, &["--all"]).exits(2);
        assert!(ran.err.contains(action), "{action}: {}", ran.err);
        assert!(!ran.out.contains("present"), "{action}: nobody was seen: {}", ran.out);
    }
}

#[test]
fn a_witness_that_may_not_be_heard_is_named_and_the_roll_is_called_without_it() {
    let dir = tempfile::tempdir().unwrap();
    let account = troubled_account(dir.path(), "denied = [\"autoscaling:DescribeAutoScalingGroups\"]");
    let ran = scan(&account, &["--all", "--output", "json"]).exits(0);
    assert!(
        ran.err.contains("autoscaling:DescribeAutoScalingGroups") && ran.err.contains("one witness less"),
        "{}",
        ran.err
    );
    assert_eq!(ran.json()["clusters"][0]["hosts"].as_array().unwrap().len(), 3);
}

#[test]
fn expired_credentials_and_pages_of_html_exit_2() {
    let dir = tempfile::tempdir().unwrap();
    let account = troubled_account(dir.path(), "expired-credentials = true");
    let ran = scan(&account, &["--all"]).exits(2);
    assert!(ran.err.contains("expired"), "{}", ran.err);
    let account = troubled_account(dir.path(), "html = 1.0");
    let ran = scan(&account, &["--all"]).exits(2);
    assert!(!ran.err.is_empty() && !ran.out.contains("present"), "{} {}", ran.out, ran.err);
}
