//! `muster serve` against a pretend account on the wire.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod program;

use std::path::Path;

use program::{Running, get, muster_at, post, pretend_account, request, run, until};

fn serve(account: &Running, data: &Path, more: &[&str]) -> Running {
    let data = data.display().to_string();
    let dir = Path::new(&data).parent().unwrap().join("muster.toml");
    std::fs::write(&dir, "[clusters]\nall = true\n").unwrap();
    let config = dir.display().to_string();
    let args = ["serve", "--listen", "127.0.0.1:0", "--config", &config, "--data-dir", &data];
    Running::start(muster_at(&account.url, &[&args[..], more].concat()))
}

fn queue(account: &Running) -> String {
    let told = get(&format!("{}/_muster/truth", account.url)).json();
    let arn =
        told["machines"].as_array().unwrap().iter().find_map(|machine| machine["arn"].as_str()).unwrap().to_owned();
    let id = arn.split(':').nth(4).unwrap();
    format!("{}/{id}/muster-events", account.url)
}

#[test]
fn everything_it_knows_is_answered_over_http_and_read_back_from_its_folder() {
    let account = pretend_account("agent-stays-away");
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let muster = serve(&account, &data, &[]);
    let url = muster.url.clone();
    let roll = until("the first sweep", || {
        let roll = get(&format!("{url}/v1/hosts")).json();
        (roll["clusters"][0]["hosts"].as_array().is_some_and(|hosts| hosts.len() == 12)).then_some(roll)
    });
    let id = roll["clusters"][0]["hosts"][0]["ec2_instance_id"].as_str().unwrap();
    let arn = roll["clusters"][0]["hosts"][0]["arn"].as_str().unwrap();
    for name in [id, arn, arn.rsplit('/').next().unwrap()] {
        assert_eq!(get(&format!("{url}/v1/hosts/{name}")).json()["arn"], arn);
    }
    assert_eq!(get(&format!("{url}/v1/hosts/i-nobody")).status, 404);
    assert_eq!(
        get(&format!("{url}/v1/hosts?verdict=ghost")).json()["clusters"][0]["hosts"].as_array().unwrap().len(),
        0
    );
    assert_eq!(get(&format!("{url}/v1/hosts?verdict=gost")).status, 400);
    assert!(get(&format!("{url}/v1/cases")).json()["cases"].as_array().unwrap().is_empty());
    assert_eq!(get(&format!("{url}/v1/cases/99")).status, 404);
    assert_eq!(get(&format!("{url}/v1/cases/x")).status, 400);
    let journal = get(&format!("{url}/v1/journal?limit=2")).json();
    assert_eq!(journal["entries"].as_array().unwrap().len(), 2);
    assert_eq!(journal["entries"][0]["seq"], 1);
    assert_eq!(get(&format!("{url}/v1/journal?after=1&limit=1")).json()["entries"][0]["seq"], 2);
    assert_eq!(get(&format!("{url}/v1/set-aside")).json()["count"], 0);
    assert_eq!(get(&format!("{url}/healthz")).json()["status"], "ok");
    assert_eq!(get(&format!("{url}/nothing")).status, 404);

    let listed = run(&["hosts", "--server", &url, "--output", "json"]).exits(0).json();
    assert_eq!(listed["clusters"][0]["hosts"].as_array().unwrap().len(), 12);
    let listed = run(&["hosts", "--data-dir", data.to_str().unwrap(), "--output", "json"]).exits(0).json();
    assert_eq!(listed["clusters"][0]["hosts"].as_array().unwrap().len(), 12, "beside the running muster");
    assert!(run(&["case", "list", "--server", &url]).exits(0).out.contains("no cases"));

    muster.signal("TERM");
    assert_eq!(muster.wait(), Some(0), "SIGTERM is a stop in good order");
    let journal = run(&["journal", "--data-dir", data.to_str().unwrap()]).exits(0);
    assert!(journal.out.lines().last().unwrap().contains("stopped in good order"), "{}", journal.out);
    let verified = run(&["journal", "verify", "--replay", "--data-dir", data.to_str().unwrap()]).exits(0);
    assert!(verified.out.contains("chain intact") && verified.out.contains("replay agrees"), "{}", verified.out);
    let exported = run(&["journal", "export", "--data-dir", data.to_str().unwrap()]).exits(0);
    assert_eq!(exported.out.lines().count(), journal.out.lines().count());
}

#[test]
fn the_figures_are_prometheus_text() {
    let account = pretend_account("agent-stays-away");
    let dir = tempfile::tempdir().unwrap();
    let muster = serve(&account, &dir.path().join("data"), &[]);
    let text = until("hosts among the figures", || {
        let text = get(&format!("{}/metrics", muster.url)).body;
        text.contains("muster_hosts{verdict=\"present\"} 12").then_some(text)
    });
    let mut described = std::collections::BTreeSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.splitn(3, ' ');
            let (what, name, said) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            assert!(!said.is_empty() && described.insert(format!("{what} {name}")), "{line}");
            assert!(what != "TYPE" || (said == "counter") == name.ends_with("_total"), "{line}");
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
            assert!(
                described.contains(&format!("HELP {name}")) && described.contains(&format!("TYPE {name}")),
                "{line}"
            );
        }
    }
}

#[test]
fn an_event_of_the_queue_opens_a_case_that_is_told_everywhere() {
    let account = pretend_account("agent-stays-away");
    let dir = tempfile::tempdir().unwrap();
    let muster = serve(&account, &dir.path().join("data"), &["--queue-url", &queue(&account)]);
    let url = muster.url.clone();
    until("the first sweep", || {
        get(&format!("{url}/v1/hosts")).json()["clusters"][0]["hosts"]
            .as_array()
            .filter(|hosts| hosts.len() == 12)
            .map(|_| ())
    });
    assert_eq!(post(&format!("{}/_muster/do", account.url), "do = \"agent-stop\"\nhost = \"prod-a/2\"\n").status, 200);
    // The control plane notices a silent agent within two minutes.
    assert_eq!(post(&format!("{}/_muster/advance?secs=150", account.url), "").status, 200);
    let case = until("the case", || get(&format!("{url}/v1/cases")).json()["cases"].as_array()?.first().cloned());
    assert_eq!(case["trouble"], "agent-away");
    let number = case["case"].to_string();
    assert_eq!(get(&format!("{url}/v1/cases/{number}")).json()["case"]["subject"], case["subject"]);
    let shown = run(&["case", "show", &number, "--server", &url]).exits(0);
    assert!(shown.out.contains("agent-away") && shown.out.contains("because"), "{}", shown.out);
    let missing = run(&["hosts", "--missing", "--server", &url, "--output", "json"]).exits(0).json();
    let hosts = missing["clusters"][0]["hosts"].as_array().unwrap();
    assert!(hosts.iter().any(|host| host["arn"] == case["subject"]), "{missing}");
}

#[test]
fn only_names_of_this_machine_are_answered() {
    let account = pretend_account("agent-stays-away");
    let dir = tempfile::tempdir().unwrap();
    let muster = serve(&account, &dir.path().join("data"), &[]);
    let answered = request("GET", &format!("{}/v1/hosts", muster.url), &[("host", "evil.example")], "");
    assert_eq!(answered.status, 421, "{}", answered.body);
}

#[test]
fn two_musters_never_share_a_folder() {
    let account = pretend_account("agent-stays-away");
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let _first = serve(&account, &data, &[]);
    let second: program::Ran =
        muster_at(&account.url, &["serve", "--listen", "127.0.0.1:0", "--data-dir", data.to_str().unwrap()])
            .output()
            .unwrap()
            .into();
    let second = second.exits(2);
    assert!(second.err.contains("another muster") && second.out.is_empty(), "{}", second.err);
}

#[test]
fn an_account_that_cannot_be_reached_makes_the_health_check_fail() {
    let dir = tempfile::tempdir().unwrap();
    let account = pretend_account("agent-stays-away");
    // Port 1 of loopback: nobody listens there.
    let muster = serve(&account, &dir.path().join("data"), &["--endpoint-url", "http://127.0.0.1:1"]);
    let health = until("the health check to fail", || {
        let answered = get(&format!("{}/healthz", muster.url));
        (answered.status == 503).then_some(answered.body)
    });
    assert!(health.contains("no cluster could be looked at"), "{health}");
}

#[test]
fn a_followed_journal_shows_what_comes_and_ends_cleanly() {
    use std::io::BufRead as _;
    let account = pretend_account("agent-stays-away");
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let muster = serve(&account, &data, &[]);
    let mut follower = program::muster(&["journal", "--follow", "--data-dir", data.to_str().unwrap()])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufReader::new(follower.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("started"));
    muster.signal("TERM");
    assert_eq!(muster.wait(), Some(0));
    // Written after the follower had begun: it comes because it is waited for.
    assert!(lines.any(|line| line.unwrap().contains("stopped in good order")));
    program::signal(follower.id(), "INT");
    assert_eq!(follower.wait().unwrap().code(), Some(0));
}
