//! `muster serve` keeps a declared headroom of a pretend account: it says what it would do, and where it may, does it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod program;

use std::path::Path;

use program::{Running, get, muster_at, post, pretend_account, run, until};

/// Three hosts of a group that nobody else sizes.
const STORY: &str = "lasts = \"2h\"\n[[cluster]]\nname = \"prod\"\ntypes = [\"m6i.large\"]\n[[cluster.group]]\n\
    name = \"prod\"\nhosts = 3\nmax = 8\nmanaged-scaling = false\ntypes = [\"m6i.large\"]\n\
    [[cluster.service]]\nname = \"api\"\ntasks = 3\ncpu = 1024\nmemory = 512\n";

fn account(dir: &Path) -> Running {
    let story = dir.join("story.toml");
    std::fs::write(&story, STORY).unwrap();
    pretend_account(&story.display().to_string())
}

fn serve(account: &Running, dir: &Path, mode: &str) -> Running {
    let config = dir.join("muster.toml");
    // More than these hosts can ever have room for, so that the maximum alone says where to stop.
    let text = format!(
        "[clusters]\nall = true\n[sweep]\nevery_secs = 10\n[policy]\nmode = \"observe\"\ngrace_secs = 1\n\
         act_after_secs = 2\nfail_after = 1\n[protect]\nlaunch_secs = 0\n\
         [[headroom]]\nservice = \"api\"\ncopies = 5000\nmax_hosts = 5\nstep_hosts = 2\nmode = \"{mode}\"\n"
    );
    std::fs::write(&config, text).unwrap();
    let (config, data) = (config.display().to_string(), dir.join("data").display().to_string());
    let args = ["serve", "--listen", "127.0.0.1:0", "--config", &config, "--data-dir", &data];
    Running::start(muster_at(&account.url, &args))
}

fn case_of_room(account: &Running, muster: &Running, wanted: &str) -> serde_json::Value {
    until("the case of too little room", || {
        assert_eq!(post(&format!("{}/_muster/advance?secs=2", account.url), "").status, 200);
        let cases = get(&format!("{}/v1/cases", muster.url)).json();
        let found = cases["cases"].as_array()?.iter().find(|case| case["trouble"] == "no-room")?.clone();
        found.to_string().contains(wanted).then_some(found)
    })
}

#[test]
fn in_dry_run_it_is_said_by_how_much_the_group_would_grow() {
    let dir = tempfile::tempdir().unwrap();
    let account = account(dir.path());
    let muster = serve(&account, dir.path(), "dry-run");
    let case = case_of_room(&account, &muster, "\"would\"");
    assert!(case.to_string().contains("the group grows from 3 to 5 hosts"), "{case}");
    let shown = run(&["case", "show", &case["case"].to_string(), "--server", &muster.url]).exits(0).out;
    assert!(shown.contains("service:api") && shown.contains("grows from 3 to 5"), "{shown}");
    let figures = get(&format!("{}/metrics", muster.url)).body;
    assert!(!figures.contains("muster_acts_total{"), "{figures}");
}

#[test]
fn where_it_may_the_group_grows_to_the_declared_maximum_and_no_further() {
    let dir = tempfile::tempdir().unwrap();
    let account = account(dir.path());
    let muster = serve(&account, dir.path(), "act");
    case_of_room(&account, &muster, "scale-out");
    until("three hosts to become five", || {
        assert_eq!(post(&format!("{}/_muster/advance?secs=20", account.url), "").status, 200);
        let roll = get(&format!("{}/v1/hosts", muster.url)).json();
        (roll["clusters"][0]["hosts"].as_array()?.len() == 5).then_some(())
    });
    muster.signal("TERM");
    assert_eq!(muster.wait(), Some(0));
    let data = dir.path().join("data");
    let record = run(&["journal", "--conclusions", "--data-dir", data.to_str().unwrap()]).exits(0).out;
    assert_eq!(record.matches("set the desired capacity of prod from 3 to 5").count(), 1, "{record}");
}
