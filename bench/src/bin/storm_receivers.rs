//! A storm seen from the receivers: so many agents disconnect within ten seconds, and come back once every receiver has
//! been told. The real loop, journal and senders; receivers that take pages at once, refuse them with 429 and 500, hang,
//! or take a page and cut the connection before they say so, as the seed has it. Each must be told once that it began and
//! once that it is over, of as many hosts as were lost; a try after a lost answer bears the same event id.
//!
//! What telling costs in memory is the growth of a process with receivers over that of one without, the first storm with
//! the second beside it. Grace, doubt and waits are those of the default policy.
//!
//! `storm_receivers [--dir DIR]` measures 5,000 and 100,000 hosts, `storm_receivers HOSTS SEED RECEIVERS DIR` one storm. The
//! journal is written below DIR. One JSON object a line.
#![expect(clippy::print_stdout, reason = "the figures")]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    sync::Arc,
    time::{Duration, Instant},
};

use fleet::{
    notice::route::{Route, Routing},
    policy::Policy,
};
use peers::{
    account::{Account, Happening},
    corpus::Random,
    rig::{Outcome, Rig},
    sink::{Manner, Post, Sink},
    usage,
};
use serde_json::{Value, json};

const RECEIVERS: u32 = 8;
const CLUSTERS: u32 = 20;
const SEED: u64 = 20_261_121;
/// How long the agents take to leave, and to return.
const SPREAD: Duration = Duration::from_secs(10);
/// No page may come this long after the last one.
const CALM: Duration = Duration::from_secs(20);
const LIMIT: Duration = Duration::from_secs(300);
/// The bar of the specification.
const BAR_MIB: f64 = 64.0;

fn main() -> Outcome<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [] => all(&std::env::temp_dir()),
        ["--dir", dir] => all(Path::new(dir)),
        [hosts, seed, receivers, dir] => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            let figures = runtime.block_on(live(hosts.parse()?, seed.parse()?, receivers.parse()?, Path::new(dir)))?;
            println!("{figures}");
            Ok(ExitCode::SUCCESS)
        }
        _ => Err("storm_receivers [--dir DIR] | storm_receivers HOSTS SEED RECEIVERS DIR".into()),
    }
}

fn all(dir: &Path) -> Outcome<ExitCode> {
    let mut good = true;
    for hosts in [5_000, 100_000] {
        let with = alone(hosts, RECEIVERS, dir)?;
        let without = alone(hosts, 0, dir)?;
        let growth = |figures: &Value| figures["growth_mib"].as_f64().unwrap_or(f64::NAN);
        let telling = growth(&with) - growth(&without);
        println!("{with}");
        println!("{without}");
        println!("{}", json!({ "hosts": hosts, "telling_mib": telling, "bar_mib": BAR_MIB }));
        good &= with["exactly_once"] == json!(true) && telling <= BAR_MIB;
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One storm in a process of its own.
fn alone(hosts: u32, receivers: u32, dir: &Path) -> Outcome<Value> {
    let output = Command::new(std::env::current_exe()?)
        .args([hosts.to_string(), SEED.to_string(), receivers.to_string()])
        .arg(dir)
        .stderr(std::process::Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("the storm of {hosts} hosts ended with {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// How receivers behave, by the seed: the first one well, the others each in a way of its own and as long as they like.
fn manners(number: u32, random: &mut Random) -> Vec<Manner> {
    let times = 1 + random.below(3) as usize;
    match number % 5 {
        0 => Vec::new(),
        1 => vec![Manner::Refuses(429, 1 + random.below(3)); times],
        2 => vec![Manner::Refuses(500, 0); times],
        // Once is ten seconds to a sender.
        3 => vec![Manner::Hangs(Duration::from_secs(30))],
        _ => vec![Manner::TakesAndCuts; times],
    }
}

async fn live(hosts: u32, seed: u64, receivers: u32, dir: &Path) -> Outcome<Value> {
    let dir = tempfile::Builder::new().prefix("muster-storm-").tempdir_in(PathBuf::from(dir))?;
    let account = Arc::new(Account::new("storm", CLUSTERS, hosts, None));
    let sink = Sink::open()?;
    let receivers: Vec<String> = (0..receivers).map(|number| format!("team-{number}")).collect();
    let mut random = Random::new(seed);
    let rudeness: Vec<Vec<Manner>> = (0..receivers.len() as u32).map(|number| manners(number, &mut random)).collect();
    let behave = || {
        for (receiver, manners) in receivers.iter().zip(&rudeness) {
            sink.behave(receiver, manners.clone());
        }
    };
    behave();
    let route = Route { receivers: receivers.clone(), ..Route::default() };
    let routes = if receivers.is_empty() { Vec::new() } else { vec![route] };
    let policy = Policy { routing: Routing { routes, ..Routing::default() }, ..Policy::default() };
    let rig = Rig::start(dir.path(), policy, account.clone(), &sink, &receivers, Arc::new(|_, _| {}))?;
    rig.until("the first sweep is over", LIMIT, || rig.handle.status().sweeps > 0).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let calm = usage::resident_bytes()?;
    usage::forget_peak()?;

    let told = |kind: &str| {
        let posts = sink.posts(0);
        let arrived = heard(&posts);
        receivers.iter().all(|name| arrived.get(&(name.clone(), kind.to_owned())).is_some_and(|ids| !ids.is_empty()))
    };
    let start = Instant::now() + Duration::from_millis(100);
    let spread = |begin: Instant, host: u32| begin + SPREAD.mul_f64(f64::from(host) / f64::from(hosts));
    account.schedule((0..hosts).map(|host| (spread(start, host), Happening::Leaves(host))));
    rig.until("all agents have left", LIMIT, || account.waiting() == 0).await?;
    let fetched_after = start.elapsed();
    if receivers.is_empty() {
        // As long as the others need to hear of it.
        tokio::time::sleep(Duration::from_secs(90)).await;
    } else {
        rig.until("every receiver is told that it began", LIMIT, || told("firing")).await?;
        // The answers that the rude ones owe.
        rig.until("no page is under way", LIMIT, || rig.handle.status().pages_open == 0).await?;
    }
    behave();
    let back = Instant::now() + Duration::from_millis(100);
    account.schedule((0..hosts).map(|host| (spread(back, host), Happening::Returns(host))));
    rig.until("all agents are back", LIMIT, || account.waiting() == 0).await?;
    if !receivers.is_empty() {
        rig.until("every receiver is told that it is over", LIMIT, || told("resolved")).await?;
        rig.until("no page is under way", LIMIT, || rig.handle.status().pages_open == 0).await?;
    }
    tokio::time::sleep(CALM).await;
    let growth = usage::peak_bytes()?.saturating_sub(calm);
    rig.stop().await?;
    let posts = sink.posts(0);
    Ok(figures(hosts, &receivers, &posts, start, fetched_after, growth))
}

/// The distinct pages that arrived, by receiver and kind.
fn heard(posts: &[Post]) -> BTreeMap<(String, String), BTreeSet<&str>> {
    let mut heard: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    for post in posts.iter().filter(|post| post.arrived()) {
        let whose = (post.receiver.clone(), post.text("kind").to_owned());
        heard.entry(whose).or_default().insert(&post.event_id);
    }
    heard
}

fn figures(
    hosts: u32,
    receivers: &[String],
    posts: &[Post],
    start: Instant,
    fetched_after: Duration,
    growth: u64,
) -> Value {
    let heard = heard(posts);
    let count =
        |kind: &str| heard.iter().filter(|((_, other), _)| other == kind).map(|(_, ids)| ids.len()).sum::<usize>();
    let once = |kind: &str| {
        receivers.iter().all(|name| heard.get(&(name.clone(), kind.to_owned())).is_some_and(|ids| ids.len() == 1))
    };
    // A receiver that has said that it took a page is not sent it again.
    let mut taken = BTreeSet::new();
    let mut again = 0;
    for post in posts {
        again += u32::from(taken.contains(&(&post.receiver, &post.event_id)));
        if post.manner == Manner::Takes {
            taken.insert((&post.receiver, &post.event_id));
        }
    }
    let others = heard.keys().filter(|(_, kind)| !["firing", "resolved"].contains(&kind.as_str())).count();
    let firing: Vec<&Post> = posts.iter().filter(|post| post.text("kind") == "firing").collect();
    let named = firing.iter().filter_map(|post| post.page["hosts"].as_u64()).max();
    let first = firing.iter().map(|post| post.at).min();
    json!({
        "hosts": hosts,
        "receivers": receivers.len(),
        "posts": posts.len(),
        "began": count("firing"),
        "over": count("resolved"),
        "other_pages": others,
        "sent_again_after_taken": again,
        "exactly_once": once("firing") && once("resolved") && others == 0 && again == 0,
        "hosts_named": named,
        "title": firing.first().map(|post| post.text("title")),
        "last_event_fetched_after_secs": fetched_after.as_secs_f64(),
        "first_post_after_secs": first.map(|at| at.saturating_duration_since(start).as_secs_f64()),
        "growth_mib": growth as f64 / 1024.0 / 1024.0,
    })
}
