//! `muster capacity`, `fit` and `why` against a pretend account on the wire, and against its truth.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod program;

use std::io::{BufRead as _, BufReader};

use program::{Ran, Running, muster, muster_at, post, pretend_account};
use serde_json::Value;
use simulator::{
    clock::Moment,
    face::{FaceOptions, Serving, serve},
    judges::i15_capacity::judge_accounting,
    scenario::Scenario,
    world::World,
};

/// Hosts of several kinds, tasks that hold much, and some that are being stopped.
const MOTLEY: &str = r#"# Hosts of several kinds.
lasts = "10h"

[habits]
zone-spread = true

[faults.api]
unlimited = true

[[cluster]]
name = "prod-a"

[[cluster.group]]
name = "web"
hosts = 3
max = 6

[[cluster.group]]
name = "gpu"
hosts = 1
types = ["g4dn.xlarge"]

[[cluster.group]]
name = "trunk"
hosts = 1
types = ["c5.large"]
trunking = true
extra-interfaces = 1

[[cluster.service]]
name = "api"
tasks = 6
network = "awsvpc"
provider = "web"

[[cluster.service]]
name = "train"
tasks = 1
gpus = 1
ports = ["8080", "53/udp"]

[[cluster.service]]
name = "branch"
tasks = 3
network = "awsvpc"
provider = "trunk"
cpu = 64
memory = 64

[[at]]
time = "10m"
do = "desired-count"
service = "prod-a/api"
to = 2

[[at]]
time = "15m"
do = "agent-stop"
host = "prod-a/1"

[[cluster]]
name = "empty"
"#;

/// Serves a story as it is after so many seconds, and gives its truth, which stands still.
async fn frozen(secs: i64) -> (Serving, World) {
    let scenario = Scenario::parse("motley", MOTLEY).unwrap_or_else(|error| panic!("{error}"));
    let start = Moment(jiff::Timestamp::now().as_millisecond() - secs * 1_000);
    let mut simulation = scenario.begin_at(Some(3), Some(start));
    let until = simulation.now().plus(secs * 1_000);
    simulation.advance_to(until, &mut Vec::new());
    let world = simulation.world.clone();
    (serve(simulation, Some(scenario), FaceOptions { speed: 0.0, ..FaceOptions::default() }).await.unwrap(), world)
}

async fn at(serving: &Serving, args: &[&str]) -> Ran {
    let (url, args): (String, Vec<String>) =
        (format!("http://{}", serving.address()), args.iter().map(|arg| (*arg).to_owned()).collect());
    let run = move || {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        muster_at(&url, &args).output().unwrap().into()
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_to_be_free_is_free_in_truth_while_tasks_stop_and_an_agent_is_away() {
    // Before anything happens; while four tasks are being stopped, whose interfaces are still held; with an agent away.
    for secs in [300, 602, 605, 960] {
        let (serving, world) = frozen(secs).await;
        let told = at(&serving, &["capacity", "--all", "--hosts", "--output", "json"]).await.exits(0).json();
        let clusters = told["clusters"].as_array().unwrap().clone();
        assert_eq!(clusters.len(), 2);
        assert_eq!(judge_accounting(&world, &clusters), [], "after {secs} s");
        let of = |name: &str| {
            clusters.iter().find(|it| it["cluster"].as_str().unwrap().ends_with(&format!("/{name}"))).unwrap()
        };
        assert_eq!(of("empty")["whole"]["open"]["hosts"], 0);
        let away = of("prod-a")["whole"]["apart"].as_array().unwrap();
        assert_eq!(away.iter().any(|it| it["because"] == "agent-lost"), secs == 960, "{away:?}");
        let trunk = of("prod-a")["hosts"].as_array().unwrap().iter().find(|it| it["trunk"] == true).unwrap().clone();
        // Three interfaces with nine branches: the primary, the trunk, and one that somebody attached.
        let slots = &trunk["slots"];
        assert_eq!((&slots["scheduler"]["total"], &slots["scheduler"]["free"]), (&10.into(), &7.into()), "{trunk}");
        assert_eq!(slots["physical_free"], 6, "{trunk}");
        assert!(trunk["warning"].as_str().unwrap().contains("others have attached"), "{trunk}");
        assert!(!of("prod-a")["subnets"].as_array().unwrap().is_empty());
        serving.stop().await;
    }
}

fn advance(account: &Running, secs: u32) {
    assert_eq!(post(&format!("{}/_muster/advance?secs={secs}", account.url), "").status, 200);
}

fn run(account: &Running, args: &[&str]) -> Ran {
    muster_at(&account.url, args).output().unwrap().into()
}

#[test]
fn a_service_stuck_on_network_interfaces_is_explained_scaled_out_and_placed() {
    let account = pretend_account("stuck-on-eni");
    let well = run(&account, &["why", "api", "--cluster", "prod-a"]).exits(0);
    assert!(well.out.contains("6 of 6 tasks of api are placed: nothing is missing"), "{}", well.out);
    // Nine are wanted from minute 10 on.
    advance(&account, 12 * 60);
    let stuck = run(&account, &["why", "api", "--cluster", "prod-a"]).exits(1);
    for says in [
        "api: 9 wanted, 6 running",
        "3 tasks of api cannot be placed: ENI slots are full on 3 of 3 hosts",
        "AWS says RESOURCE:ENI, and so do the facts for 3 of 3 hosts",
        "takes none: all 2 ENI slots are held (without a trunk)",
        "to make them fit: add 2 hosts of type m6i.large",
    ] {
        assert!(stuck.out.contains(says), "{says}:\n{}", stuck.out);
    }
    let told = run(&account, &["why", "api", "--cluster", "prod-a", "--output", "json"]).exits(1).json();
    let why = &told[0];
    for field in [
        "cluster", "at", "asked", "service", "task", "summary", "missing", "fit", "sure", "aws", "events", "hosts",
        "smallest", "changes", "caveats",
    ] {
        assert!(why.get(field).is_some(), "{field} is missing");
    }
    assert_eq!((&why["missing"], &why["aws"]["reason"]), (&3.into(), &"RESOURCE:ENI".into()));
    assert_eq!(why["smallest"]["step"]["add-hosts"]["hosts"], 2);
    assert_eq!(why["hosts"][0]["reason"], "RESOURCE:ENI");
    // The group is scaled out at minute 25, to what was advised.
    advance(&account, 20 * 60);
    let placed = run(&account, &["why", "api", "--cluster", "prod-a", "--output", "json"]).exits(0).json();
    assert_eq!((&placed[0]["service"]["running"], &placed[0]["missing"]), (&9.into(), &0.into()), "{placed}");
    // A task is explained by its service.
    let shown = run(&account, &["fit", "api", "--cluster", "prod-a", "--output", "json"]).exits(0).json();
    assert_eq!(shown[0]["copies"], 1, "five hosts with two slots each, nine of them held");
}

#[test]
fn as_many_fit_as_ecs_then_places() {
    let account = pretend_account("stuck-on-eni");
    let fit = |args: &[&str]| run(&account, &[&["fit"], args, &["--cluster", "prod-a", "--output", "json"]].concat());
    let worker = fit(&["worker"]).exits(0).json()[0].clone();
    let copies = worker["copies"].as_u64().unwrap();
    assert!(copies > 3 && worker["unlimited"] == false, "{worker}");
    assert_eq!(worker["next"].as_array().unwrap().len(), 5, "{worker}");
    assert_eq!(worker["asked"]["kind"], "service");
    assert_eq!(fit(&["worker", "--count", &copies.to_string()]).exits(0).json()[0]["fits"], true);
    let one_more = fit(&["worker", "--count", &(copies + 1).to_string()]).exits(1).json()[0].clone();
    assert_eq!((&one_more["fits"], one_more["next"].as_array().unwrap().len() as u64), (&false.into(), copies));
    assert!(!one_more["changes"].as_array().unwrap().is_empty(), "{one_more}");
    // ECS agrees: that many more run, and no more.
    let desired = serde_json::json!({"do": "desired-count", "service": "prod-a/worker", "to": 3 + copies + 1});
    assert_eq!(post(&format!("{}/_muster/do", account.url), &desired.to_string()).status, 200);
    advance(&account, 120);
    let why = run(&account, &["why", "worker", "--cluster", "prod-a", "--output", "json"]).exits(1).json()[0].clone();
    assert_eq!((&why["missing"], &why["fit"]), (&1.into(), &0.into()), "{why}");
}

#[test]
fn a_task_definition_is_taken_from_ecs_or_from_a_file_and_placed_as_a_service_file_says() {
    let account = pretend_account("stuck-on-eni");
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let copies = |args: &[&str]| {
        let ran = run(&account, &[&["fit"], args, &["--cluster", "prod-a", "--output", "json"]].concat()).exits(0);
        let told = ran.json();
        (told[0]["asked"]["kind"].as_str().unwrap().to_owned(), told[0]["copies"].as_u64().unwrap())
    };
    assert_eq!(copies(&["api:1"]), ("task-definition".to_owned(), 0));
    let definition = r#"{"family": "web", "networkMode": "host", "containerDefinitions":
        [{"name": "web", "cpu": 128, "memory": 256, "portMappings": [{"containerPort": 8443}]}]}"#;
    let file = write("web.json", definition);
    assert_eq!(copies(&[&file]), ("file".to_owned(), 3), "a port of the host is there once");
    let service = write(
        "service.json",
        r#"{"serviceName": "web", "placementConstraints": [{"type": "memberOf",
            "expression": "attribute:ecs.availability-zone == eu-central-1a"}]}"#,
    );
    assert_eq!(copies(&[&file, "--service", &service]), ("file".to_owned(), 1));
    // Another definition under the service's own rules.
    assert_eq!(copies(&["worker", "--task-definition", &file]), ("service".to_owned(), 3));
    let broken = write("broken.json", "{\"family\": \"web\"}");
    let ran = run(&account, &["fit", &broken, "--cluster", "prod-a"]).exits(2);
    assert!(ran.err.contains("broken.json") && ran.err.contains("containerDefinitions"), "{}", ran.err);
    let ran = run(&account, &["fit", "nope", "--cluster", "prod-a"]).exits(2);
    assert!(ran.err.contains("nope") && ran.err.contains("prod-a"), "{}", ran.err);
}

#[test]
fn a_task_is_explained_by_itself_and_by_its_service() {
    let account = pretend_account("stuck-on-eni");
    let scan = run(&account, &["fit", "api", "--cluster", "prod-a", "--output", "json"]).exits(0).json();
    assert_eq!(scan[0]["copies"], 0);
    let unknown = run(&account, &["why", "0f3a9c1d2b4e4f6a8b7c6d5e4f3a2b1c", "--cluster", "prod-a"]).exits(2);
    assert!(unknown.err.contains("does not know the task"), "{}", unknown.err);
    let body = r#"{"cluster": "prod-a", "serviceName": "api"}"#;
    let headers = [
        ("x-amz-target", "AmazonEC2ContainerServiceV20141113.ListTasks"),
        ("content-type", "application/x-amz-json-1.1"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIAPRETEND/20261002/eu-central-1/ecs/aws4_request, SignedHeaders=host, Signature=0",
        ),
    ];
    let listed = program::request("POST", &format!("{}/", account.url), &headers, body).json();
    let arn = listed["taskArns"][0].as_str().unwrap().to_owned();
    // Its ARN names its cluster.
    let told = run(&account, &["why", &arn, "--output", "json"]).exits(0).json();
    assert_eq!((&told[0]["task"]["arn"], &told[0]["task"]["last_status"]), (&arn.into(), &"RUNNING".into()));
    assert_eq!(told[0]["service"]["desired"], 6);
}

#[test]
fn what_may_not_be_asked_exits_2_and_is_named_and_room_is_never_promised_blindly() {
    let dir = tempfile::tempdir().unwrap();
    let account = |denied: &str| {
        let file = dir.path().join("denied.toml");
        let text = format!(
            "# Denied.\n[faults.api]\ndenied = [\"{denied}\"]\n[[cluster]]\nname = \"prod-a\"\n[[cluster.group]]\n\
             name = \"web\"\nhosts = 2\n[[cluster.service]]\nname = \"api\"\ntasks = 2\nnetwork = \"awsvpc\"\n"
        );
        std::fs::write(&file, text).unwrap();
        pretend_account(file.to_str().unwrap())
    };
    let ran = run(&account("ecs:DescribeServices"), &["fit", "api", "--all"]).exits(2);
    assert!(ran.err.contains("ecs:DescribeServices"), "{}", ran.err);
    let ran = run(&account("ecs:ListTasks"), &["capacity", "--all"]).exits(2);
    assert!(ran.err.contains("ecs:ListTasks") && ran.err.contains("room would be promised"), "{}", ran.err);
    // Without EC2's word ECS's own count is left.
    let ran = run(&account("ec2:DescribeSubnets"), &["capacity", "--all", "--output", "json"]).exits(0);
    assert!(ran.err.contains("ec2:DescribeSubnets"), "{}", ran.err);
    let ran = run(&account("ec2:DescribeSubnets"), &["fit", "api", "--all", "--output", "json"]).exits(0);
    let caveats = ran.json()[0]["caveats"].to_string();
    assert!(caveats.contains("ec2:DescribeSubnets") && caveats.contains("taken for granted"), "{caveats}");
}

#[test]
fn watching_writes_one_object_for_each_look() {
    let account = pretend_account("stuck-on-eni");
    let mut command =
        muster_at(&account.url, &["capacity", "--all", "--watch", "--every-secs", "1", "--output", "ndjson"]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(line["whole"]["open"]["hosts"], 3);
    }
    program::signal(child.id(), "INT");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn an_alarm_is_printed_without_an_account() {
    let printed: Ran = muster(&["capacity", "alarm-template", "--cluster", "prod-a"]).output().unwrap().into();
    let printed = printed.exits(0);
    assert!(printed.out.contains("ComparisonOperator: LessThanOrEqualToThreshold"), "{}", printed.out);
    let ran: Ran = muster(&["capacity", "alarm-template"]).output().unwrap().into();
    assert!(ran.exits(2).err.contains("--cluster"));
}
