//! `muster query --server`: the same answers as from the store itself, the same words for what is wrong, and an end when
//! whoever asked has gone.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod program;

use std::{path::Path, process::Stdio};

use jiff::Timestamp;
use program::{Ran, Running, muster, muster_at, pretend_account, request, run, signal, until};
use serde_json::{Value, json};

const GROUP: &str = "/lab/performance";

struct Lab {
    _account: Running,
    server: Running,
    dir: tempfile::TempDir,
}

impl Lab {
    fn new(more: &str) -> Self {
        let (account, dir) = (pretend_account("quiet-day"), tempfile::tempdir().unwrap());
        let config = dir.path().join("muster.toml");
        std::fs::write(&config, format!("[clusters]\nall = true\n[telemetry]\njournal = false\n{more}")).unwrap();
        let (config, data) = (config.display().to_string(), dir.path().join("data").display().to_string());
        let args = ["serve", "--listen", "127.0.0.1:0", "--config", &config, "--data-dir", &data];
        let mut command = muster_at(&account.url, &args);
        command.stderr(std::fs::File::create(dir.path().join("log")).unwrap());
        Self { server: Running::start(command), _account: account, dir }
    }

    fn logs(&self, operation: &str, body: &Value) {
        let target = format!("Logs_20140328.{operation}");
        let headers = [("x-amz-target", target.as_str()), ("content-type", "application/x-amz-json-1.1")];
        let answer = request("POST", &self.server.url, &headers, &body.to_string());
        assert_eq!(answer.status, 200, "{operation}: {}", answer.body);
    }

    /// Events of the last minutes, one a second.
    fn fill(&self, messages: impl Iterator<Item = String>) {
        self.logs("CreateLogGroup", &json!({ "logGroupName": GROUP }));
        let names = json!({ "logGroupName": GROUP, "logStreamName": "one" });
        self.logs("CreateLogStream", &names);
        let now_ms = Timestamp::now().as_millisecond();
        let events: Vec<Value> = (0_i64..)
            .zip(messages)
            .map(|(at, message)| json!({ "timestamp": now_ms + at, "message": message }))
            .collect();
        for events in events.chunks(5_000) {
            let mut body = names.clone();
            body["logEvents"] = events.into();
            self.logs("PutLogEvents", &body);
        }
    }

    fn ask(&self, args: &[&str]) -> Ran {
        run(&[&["query"], args, &["--server", &self.server.url]].concat())
    }

    fn store(&self) -> String {
        self.dir.path().join("data").display().to_string()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap()
    }
}

fn records() -> impl Iterator<Item = String> {
    // A third has no short decimal: what comes back has to be the same number to its last bit.
    (1..=30)
        .map(|at| format!(r#"{{"Type":"Task","Family":"f{}","Cpu":{:?},"Id":"t{at}"}}"#, at % 3, f64::from(at) / 3.0))
}

#[test]
fn a_running_muster_answers_what_its_store_answers_in_every_form() {
    let lab = Lab::new("");
    lab.fill(records());
    let store = lab.store();
    let queries = [
        "stats avg(Cpu) as cpu, count(*) as n by Family | sort cpu desc",
        "fields @timestamp, Cpu, Id | filter Cpu > 3 | sort @timestamp asc | limit 7",
        "filter Type = \"nothing\"",
    ];
    for query in queries {
        for form in ["table", "json", "ndjson", "csv", "parquet"] {
            let both = [["--store", store.as_str()], ["--server", lab.server.url.as_str()]].map(|place| {
                let output = muster(&[&["query", query, "--output", form], &place[..]].concat()).output().unwrap();
                assert!(output.status.success(), "{query} {form}: {}", String::from_utf8_lossy(&output.stderr));
                (output.stdout, output.stderr)
            });
            assert_eq!(both[0], both[1], "{query} as {form}");
            assert!(form != "parquet" || both[0].0.ends_with(b"PAR1"));
        }
    }
    let rows = lab.ask(&[queries[0], "--output", "json"]).exits(0).json();
    assert_eq!((rows.as_array().unwrap().len(), &rows[0]["n"]), (3, &json!(10)));
    let told = lab.ask(&["fields Id", "--output", "json", "--until", "1h"]).exits(0);
    assert_eq!(told.out, "[]\n", "an hour ago there was nothing");
    let limited = lab.ask(&["fields Id", "--limit", "2", "--output", "csv"]).exits(0);
    assert_eq!(limited.out.lines().count(), 3);
    let explained = lab.ask(&["filter Cpu > 3 | stats count(*)", "--explain"]).exits(0);
    assert!(explained.out.starts_with("Reads\n") && explained.out.contains(GROUP), "{}", explained.out);
    let saved = ["query", "--saved", "cpu-by-family", "--output", "json"];
    let here = run(&[&saved[..], &["--store", &store]].concat()).exits(0);
    assert_eq!(run(&[&saved[..], &["--server", &lab.server.url]].concat()).exits(0).out, here.out);
}

#[test]
fn what_is_wrong_is_told_as_it_is_without_a_server() {
    let lab = Lab::new("");
    lab.fill(records());
    let wrong = lab.ask(&["fields @message | filtr a = 1"]).exits(2);
    assert!(wrong.err.contains("did you mean `filter`?") && wrong.err.contains("^^^^^"), "{}", wrong.err);
    let typo = lab.ask(&["fields @message", "--group", "/lab/performence"]).exits(2);
    assert!(typo.err.contains(&format!("did you mean {GROUP}?")), "{}", typo.err);
    assert!(lab.ask(&["stats count(*)", "--group", "/lab/*"]).exits(0).out.contains("30"));
    let both = lab.ask(&["fields @message", "perf.ndjson"]).exits(2);
    assert!(both.err.contains("leave the file or --server out"), "{}", both.err);
    let inner = lab.ask(&["filter Id in (SOURCE '/nowhere' | fields Id)"]).exits(2);
    assert!(inner.err.contains("/nowhere"), "{}", inner.err);
    let gone = run(&["query", "fields @message", "--server", "http://127.0.0.1:1"]).exits(2);
    assert!(gone.err.contains("could not reach a muster at http://127.0.0.1:1"), "{}", gone.err);
}

#[test]
fn where_tokens_are_asked_for_one_that_may_look_is_enough() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("view");
    std::fs::write(&file, "view-token-view-token-view\n").unwrap();
    let token = format!(
        "[operators]\n[[operators.tokens]]\nname = \"v\"\nrole = \"view\"\nsecret = \"file:{}\"\n",
        file.display()
    );
    let lab = Lab::new(&token);
    let refused = lab.ask(&["fields @message"]).exits(2);
    assert!(refused.err.contains("MUSTER_TOKEN or --token-file"), "{}", refused.err);
    let token = file.display().to_string();
    assert_eq!(lab.ask(&["fields @message", "--output", "json", "--token-file", &token]).exits(0).out, "[]\n");
    let by_environment = muster(&["query", "fields @message", "--output", "json"])
        .env("MUSTER_SERVER", &lab.server.url)
        .env("MUSTER_TOKEN_FILE", &token)
        .output()
        .unwrap();
    assert_eq!(Ran::from(by_environment).exits(0).out, "[]\n");
}

#[test]
fn whoever_presses_ctrl_c_has_stopped_the_query_on_the_server_too() {
    let lab = Lab::new("");
    lab.fill((0..10_000).map(|at| format!(r#"{{"k":1,"at":{at}}}"#)));
    // A hundred million pairs, and then as many again for each: it does not end within any test.
    let pairs = format!("join type=inner left=l right=r where l.k = r.k (SOURCE '{GROUP}' | fields k, at)");
    let endless = format!("fields k, at | {pairs} | stats count_distinct(concat(l.at, r.at))");
    let mut child = muster(&["query", &endless, "--server", &lab.server.url])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(700));
    assert!(child.try_wait().unwrap().is_none(), "it has ended already: {}", lab.log());
    assert!(!lab.log().contains("it is stopped"));
    signal(child.id(), "INT");
    assert!(!child.wait().unwrap().success());
    until("the server has stopped it", || lab.log().contains("whoever asked a query has gone").then_some(()));
    // The place and the memory are free again.
    assert_eq!(lab.ask(&["stats count(*) as n", "--output", "json"]).exits(0).out, "[{\"n\":10000}]\n");
}

#[test]
fn a_store_that_is_named_goes_before_what_the_environment_says() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("perf.ndjson");
    std::fs::write(&file, records().collect::<Vec<_>>().join("\n")).unwrap();
    let asked = |args: &[&str], environment: &[(&str, &str)]| -> Ran {
        let mut command = muster(&[&["query", "stats count(*) as n", "--output", "json"], args].concat());
        command.envs(environment.iter().copied()).output().unwrap().into()
    };
    let gone = ("MUSTER_SERVER", "http://127.0.0.1:1");
    assert_eq!(asked(&[file.to_str().unwrap()], &[gone]).exits(0).out, "[{\"n\":30}]\n");
    let store = dir.path().to_str().unwrap();
    assert!(!asked(&["--store", store], &[gone]).exits(0).out.contains("30"));
    let torn = asked(&[], &[gone, ("MUSTER_STORE", store)]).exits(2);
    assert!(torn.err.contains("both set"), "{}", torn.err);
    assert!(Path::new(store).is_dir());
}
