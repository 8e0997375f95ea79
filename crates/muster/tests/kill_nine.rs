//! `muster serve` under load, killed with SIGKILL again and again at moments that chance picks: no event is lost, no case
//! is doubled, the chain holds.
//!
//! `MUSTER_KILLS` says how often it is killed (20 unless told; the proof runs 200), `MUSTER_KILL_SEED` which moments.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]
#![allow(clippy::print_stderr, reason = "the counts are the evidence")]

mod program;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use engine::{journal::JournalReader, ports::Body};
use fleet::{
    input::Input,
    journal::{Record, Trouble},
    observation::{Fact, Observation},
};
use program::{Running, get, muster, muster_at, post, request, run};

/// Forty hosts whose agents come and go, and tasks that come and go with them.
const LOAD: &str = r#"# Much coming and going.
[habits]
recycle = ["2m", "4m"]
gap = ["1s", "20s"]

[[cluster]]
name = "load"
hosts = 40
types = ["m6i.large"]

  [[cluster.service]]
  name = "api"
  tasks = 80
  churn-per-hour = 6.0
"#;

/// After the last restart everything must be believed within this time.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn killed_at_any_moment_it_loses_no_event_doubles_no_case_and_keeps_its_chain() {
    let kills: u32 = number("MUSTER_KILLS", 20);
    let mut chance = Chance(u64::from(number::<u32>("MUSTER_KILL_SEED", 42)) | 1 << 40);
    let dir = tempfile::tempdir().unwrap();
    let scenario = dir.path().join("load.toml");
    std::fs::write(&scenario, LOAD).unwrap();
    let scenario = scenario.display().to_string();
    let account = Running::start(muster(&[
        "simulate",
        "--listen",
        "127.0.0.1:0",
        "--scenario",
        &scenario,
        "--seed",
        "9",
        "--speed",
        "0",
    ]));
    // What never changes after this was never an event.
    let before = Truth::of(&account);
    let data = dir.path().join("data");
    let config = write_config(dir.path(), &account);
    let serve = || {
        let mut command = muster_at(
            &account.url,
            &["serve", "--listen", "127.0.0.1:0", "--config", &config, "--data-dir", data.to_str().unwrap()],
        );
        command.stderr(Stdio::null());
        command
    };

    // The load: five seconds of the story in a twentieth of a second, for as long as muster is killed.
    let over = Arc::new(AtomicBool::new(false));
    let advance = format!("{}/_muster/advance?secs=5", account.url);
    let ended = over.clone();
    let load = thread::spawn(move || {
        while !ended.load(Ordering::Relaxed) {
            post(&advance, "");
            thread::sleep(Duration::from_millis(50));
        }
    });
    let mut listening = 0;
    for _ in 0..kills {
        let mut child = serve().stdout(Stdio::piped()).spawn().unwrap();
        thread::sleep(Duration::from_millis(chance.below(1_400)));
        // SIGKILL: nothing in the process gets to know.
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        listening += u32::from(!output.stdout.is_empty());
    }
    over.store(true, Ordering::Relaxed);
    load.join().unwrap();

    let last = Running::start(serve());
    let truth = Truth::of(&account).since(&before);
    let began = Instant::now();
    let believed = loop {
        let believed = Believed::of(&data);
        let missing = truth.missing_in(&believed);
        if missing.is_empty() {
            break believed;
        }
        assert!(
            began.elapsed() < PATIENCE,
            "after {PATIENCE:?} {} of {} versions are not believed, such as {:?}",
            missing.len(),
            truth.versions.len(),
            missing.iter().take(5).collect::<Vec<_>>()
        );
        thread::sleep(Duration::from_millis(250));
    };
    last.signal("TERM");
    assert_eq!(last.wait(), Some(0));

    assert!(truth.versions.len() > 100, "the load was no load: {} hosts and tasks", truth.versions.len());
    assert_eq!(believed.set_aside, 0, "every message was an event");
    let cases = no_case_is_doubled(&data);
    let verified = run(&["journal", "verify", "--replay", "--data-dir", data.to_str().unwrap()]).exits(0);
    assert!(verified.out.contains("chain intact") && verified.out.contains("replay agrees"), "{}", verified.out);
    eprintln!(
        "killed {kills} times, {listening} of them while listening; {} entries, {} observations, {} hosts and tasks as in \
         truth, {cases} cases, {} starts",
        believed.entries,
        believed.observations,
        truth.versions.len(),
        believed.starts
    );
}

/// Task versions come by events alone: tasks are neither swept nor looked up.
fn write_config(dir: &Path, account: &Running) -> String {
    let machine =
        get(&format!("{}/_muster/truth", account.url)).json()["machines"][0]["arn"].as_str().unwrap().to_owned();
    let id = machine.split(':').nth(4).unwrap();
    let text = format!(
        "[clusters]\nall = true\n[events]\nqueue_urls = [\"{}/{id}/muster-events\"]\nvisibility_secs = 3\n\
         [sweep]\nevery_secs = 3600\naudit_tasks = false\n\
         [policy]\ngrace_secs = 1\nact_after_secs = 3\nfail_after = 1\ngap_look_secs = 86400\n\
         [journal]\nsnapshot_every = 500\n",
        account.url
    );
    let file = dir.join("muster.toml");
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

/// What is really so: the version of every host and task.
struct Truth {
    versions: BTreeMap<String, i64>,
}

impl Truth {
    fn of(account: &Running) -> Self {
        let mut versions = BTreeMap::new();
        let truth = get(&format!("{}/_muster/truth", account.url)).json();
        for machine in truth["machines"].as_array().unwrap() {
            if let (Some(arn), Some(version)) = (machine["arn"].as_str(), machine["version"].as_i64()) {
                versions.insert(arn.to_owned(), version);
            }
        }
        for wanted in ["RUNNING", "STOPPED"] {
            let mut token = serde_json::Value::Null;
            loop {
                let mut body = serde_json::json!({"cluster": "load", "desiredStatus": wanted});
                if token.is_string() {
                    body["nextToken"] = token;
                }
                let page = ecs(account, "ListTasks", &body);
                let arns = page["taskArns"].clone();
                if arns.as_array().is_some_and(|arns| !arns.is_empty()) {
                    let described =
                        ecs(account, "DescribeTasks", &serde_json::json!({"cluster": "load", "tasks": arns}));
                    for task in described["tasks"].as_array().unwrap() {
                        let version = task["version"].as_i64().unwrap();
                        versions.insert(task["taskArn"].as_str().unwrap().to_owned(), version);
                    }
                }
                token = page["nextToken"].clone();
                if !token.is_string() {
                    break;
                }
            }
        }
        Self { versions }
    }

    /// What has changed since then.
    fn since(mut self, before: &Self) -> Self {
        self.versions.retain(|arn, version| before.versions.get(arn) != Some(version));
        self
    }

    /// What is not believed as it is: ARN, true version, version believed.
    fn missing_in(&self, believed: &Believed) -> Vec<(String, i64, Option<i64>)> {
        self.versions
            .iter()
            .map(|(arn, version)| (arn.clone(), *version, believed.versions.get(arn).copied()))
            .filter(|(_, version, held)| *held != Some(*version))
            .collect()
    }
}

fn ecs(account: &Running, operation: &str, body: &serde_json::Value) -> serde_json::Value {
    let target = format!("AmazonEC2ContainerServiceV20141113.{operation}");
    let signed = "AWS4-HMAC-SHA256 Credential=AKIAPRETEND/20261002/eu-central-1/ecs/aws4_request, SignedHeaders=host, Signature=00";
    let headers =
        [("x-amz-target", target.as_str()), ("content-type", "application/x-amz-json-1.1"), ("authorization", signed)];
    request("POST", &account.url, &headers, &body.to_string()).json()
}

/// What the journal says was believed: the newest version of every host and task.
#[derive(Default)]
struct Believed {
    versions: BTreeMap<String, i64>,
    entries: u64,
    observations: u64,
    starts: u32,
    set_aside: u64,
}

impl Believed {
    fn of(data: &Path) -> Self {
        let reader = JournalReader::open(data).unwrap();
        let mut believed = Self { set_aside: reader.count_set_aside().unwrap(), ..Self::default() };
        reader
            .read(0, &mut |entry| {
                believed.entries += 1;
                match &entry.body {
                    Body::Input(Input::Observed(observation)) => believed.observe(observation),
                    Body::Input(Input::Swept(sweep)) => sweep.found.iter().for_each(|found| believed.observe(found)),
                    Body::Started { .. } => believed.starts += 1,
                    _ => {}
                }
                true
            })
            .unwrap();
        believed
    }

    fn observe(&mut self, observation: &Observation<'_>) {
        self.observations += 1;
        let (arn, version) = match &observation.fact {
            Fact::Instance(fact) => (&fact.arn, fact.version),
            Fact::Task(fact) => (&fact.arn, fact.version),
            _ => return,
        };
        let Some(version) = version else { return };
        let held = self.versions.entry(arn.to_string()).or_insert(version);
        *held = version.max(*held);
    }
}

/// No number is given twice, and no subject has two open cases of the same kind. Gives how many cases there were.
fn no_case_is_doubled(data: &Path) -> usize {
    let mut numbers = BTreeSet::new();
    let mut open: BTreeMap<u32, (Trouble, String)> = BTreeMap::new();
    let mut doubled = Vec::new();
    JournalReader::open(data)
        .unwrap()
        .read(0, &mut |entry| {
            match entry.body {
                Body::Record(Record::CaseOpened { case, trouble, subject, .. }) => {
                    let kind = (trouble, subject);
                    if !numbers.insert(case.0) || open.values().any(|other| *other == kind) {
                        doubled.push((entry.seq, case, kind.clone()));
                    }
                    open.insert(case.0, kind);
                }
                Body::Record(Record::CaseClosed { case, .. }) if open.remove(&case.0).is_none() => {
                    doubled.push((entry.seq, case, (Trouble::Doubt, "closed twice".into())));
                }
                _ => {}
            }
            true
        })
        .unwrap();
    assert!(doubled.is_empty(), "doubled: {doubled:?}");
    assert!(!numbers.is_empty(), "agents came and went, so there were cases");
    numbers.len()
}

fn number<T: std::str::FromStr>(name: &str, usual: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Chance that can be repeated: xorshift.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
