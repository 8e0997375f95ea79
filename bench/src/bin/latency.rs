//! From an event's bytes to the journal and to people: 1,000 events a second, and 5,000 at once.
//!
//! What is measured needs no waiting by design: a host that muster has drained answers again, and its event gives, in one
//! turn, the intent to un-drain it and the page that it is over. One event in twenty is such a one; the others are the
//! corpus', against 5,000 hosts and 250,000 tasks. Arrivals are open loop: an event is dated by when it was due, however
//! late it is fetched. Latencies end when the append is on the disk, and when the last byte of the POST has come.
//!
//! `latency [--secs N] [--dir DIR]`; the journal is written below DIR, which should be on a real disk.
#![expect(clippy::print_stdout, reason = "the figures")]

use std::{
    collections::HashMap,
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use engine::ports::{Body, Record};
use fleet::{
    notice::route::{GroupBy, Route, Routing},
    policy::{Mode, Policy, Protection, Rule, Rung},
    remedy::{Remedy, act::Act},
};
use peers::{
    account::{Account, Happening},
    histogram::Histogram,
    rig::{Outcome, Rig, Watcher},
    sink::Sink,
};

/// Teams, each with clusters and a webhook of its own.
const TEAMS: u32 = 50;
const RATE: u32 = 1_000;
const BURST: u32 = 5_000;
/// Hosts beside those that leave: a cluster of which nobody answers any more is doubted, whatever the policy says.
const STAYING: u32 = TEAMS;
/// One event in so many is measured.
const ONE_IN: u32 = 20;
const SEED: u64 = 20_261_121;
/// The bars of the specification: p99 in times of the same disk's fdatasync p99, and in a burst.
const BAR: f64 = 5.0;
const AIM: f64 = 2.5;
const BURST_BAR: Duration = Duration::from_millis(250);

struct Arguments {
    secs: u32,
    dir: PathBuf,
}

fn arguments() -> Outcome<Arguments> {
    let mut arguments = Arguments { secs: 30, dir: std::env::temp_dir() };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--secs" => arguments.secs = value.parse()?,
            "--dir" => arguments.dir = value.into(),
            _ => return Err("latency [--secs N] [--dir DIR]".into()),
        }
    }
    Ok(arguments)
}

fn main() -> Outcome<ExitCode> {
    let arguments = arguments()?;
    let dir = tempfile::Builder::new().prefix("muster-latency-").tempdir_in(&arguments.dir)?;
    let before = fdatasync(dir.path())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (steady, burst) = runtime.block_on(measure(dir.path(), arguments.secs))?;
    let mut disk = fdatasync(dir.path())?;
    disk.add(&before);
    Ok(report(&disk, &steady, &burst))
}

/// Appends of 4 KiB, each flushed: what the disk itself takes.
fn fdatasync(dir: &Path) -> Outcome<Histogram> {
    let mut file = File::create(dir.join("flushed"))?;
    let mut histogram = Histogram::default();
    for _ in 0..1_000 {
        let began = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        histogram.record(began.elapsed());
    }
    Ok(histogram)
}

/// Latencies of one phase.
#[derive(Default)]
struct Phase {
    flushed: Histogram,
    posted: Histogram,
    after_flush: Histogram,
}

/// When the intent of which host was on the disk.
type Flushed = Arc<Mutex<HashMap<String, Instant>>>;

async fn measure(dir: &Path, secs: u32) -> Outcome<(Phase, Phase)> {
    let steady = secs * RATE / ONE_IN;
    let measured = steady + BURST / ONE_IN;
    let account = Arc::new(Account::new("team", TEAMS, measured + STAYING, Some(SEED)));
    let sink = Sink::open()?;
    let flushed = Flushed::default();
    let marks = flushed.clone();
    let watcher: Watcher = Arc::new(move |bodies, at| {
        let mut marks = marks.lock().unwrap_or_else(PoisonError::into_inner);
        for body in bodies {
            if let Body::Record(Record::Intended { intent }) = body
                && intent.act == Act::Undrain
                && let Some(host) = &intent.target.host
            {
                marks.entry(host.clone()).or_insert(at);
            }
        }
    });
    let receivers: Vec<String> = (0..TEAMS).map(|team| format!("team-{team:02}")).collect();
    let rig = Rig::start(dir, policy(&receivers), account.clone(), &sink, &receivers, watcher)?;
    let limit = Duration::from_secs(180);
    rig.until("the first sweep is over", limit, || rig.handle.status().sweeps > 0).await?;

    let began = Instant::now();
    account
        .schedule((0..measured).map(|host| (began + Duration::from_millis(u64::from(host)), Happening::Leaves(host))));
    rig.until("every host is drained and its team told", limit, || {
        account.acts() >= u64::from(measured) && fires(&sink) >= measured as usize
    })
    .await?;
    quiet(&sink).await;
    let hosts_by_key: HashMap<String, String> = sink
        .posts(0)
        .iter()
        .map(|post| {
            (post.text("key").to_owned(), post.page["samples"][0]["subject"].as_str().unwrap_or_default().to_owned())
        })
        .collect();
    if hosts_by_key.len() != measured as usize {
        return Err(format!("{} incidents for {measured} hosts", hosts_by_key.len()).into());
    }
    let told = sink.count();

    let start = Instant::now() + Duration::from_millis(500);
    let mut due = HashMap::new();
    let mut returning = 0..measured;
    let mut next = |number: u32, at: Instant| {
        if number % ONE_IN == ONE_IN / 2
            && let Some(host) = returning.next()
        {
            due.insert(account.host_arn(host), at);
            return (at, Happening::Returns(host));
        }
        (at, Happening::Background)
    };
    account.schedule((0..secs * RATE).map(|number| {
        let at = start + Duration::from_secs(u64::from(number)) / RATE;
        next(number, at)
    }));
    rig.until("the steady events have come", limit, || {
        account.waiting() == 0 && sink.count() >= told + steady as usize
    })
    .await?;
    tokio::time::sleep(Duration::from_secs(3)).await;

    let burst = Instant::now() + Duration::from_millis(100);
    account.schedule((0..BURST).map(|number| next(number, burst)));
    rig.until("the burst is over", limit, || account.waiting() == 0 && sink.count() >= told + measured as usize)
        .await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    rig.stop().await?;

    let flushed = flushed.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut calm, mut wild) = (Phase::default(), Phase::default());
    let mut seen = 0;
    for post in sink.posts(told) {
        if post.text("kind") != "resolved" {
            return Err(format!("a page that is {} where each host is told over once", post.text("kind")).into());
        }
        let host = hosts_by_key.get(post.text("key")).ok_or("a page of an incident that nobody knows")?;
        let (due, flushed) = due.get(host).zip(flushed.get(host)).ok_or("a page without an event or an intent")?;
        if post.at < *flushed {
            return Err("a page came before its turn was on the disk".into());
        }
        let phase = if *due == burst { &mut wild } else { &mut calm };
        phase.flushed.record(flushed.saturating_duration_since(*due));
        phase.posted.record(post.at.saturating_duration_since(*due));
        phase.after_flush.record(post.at.saturating_duration_since(*flushed));
        seen += 1;
    }
    if seen != measured {
        return Err(format!("{seen} pages for {measured} events").into());
    }
    Ok((calm, wild))
}

/// Incidents that somebody was told of.
fn fires(sink: &Sink) -> usize {
    sink.posts(0).iter().filter(|post| post.text("kind") == "firing").count()
}

/// Waits until nobody has been told anything for some seconds: what became of the drains is told too.
async fn quiet(sink: &Sink) {
    let mut count = 0;
    while count != sink.count() {
        count = sink.count();
        tokio::time::sleep(Duration::from_secs(4)).await;
    }
}

/// Acts at once where the teams are, tells each of every host of its own, and doubts nothing: here that is on purpose.
fn policy(receivers: &[String]) -> Policy {
    let rule = Rule {
        clusters: vec!["team-*".into()],
        mode: Some(Mode::Act),
        grace_secs: Some(1),
        act_after_secs: Some(1),
        fail_after: Some(1),
        ladder: Some(vec![Rung { remedy: Remedy::Drain, deadline_secs: Some(3_600), custom: None }]),
        ..Rule::default()
    };
    let route = |team: &String| Route {
        clusters: vec![team.clone()],
        receivers: vec![team.clone()],
        group_by: vec![GroupBy::Host],
        ..Route::default()
    };
    Policy {
        rules: vec![rule],
        budgets: Vec::new(),
        protection: Protection { launch_secs: 0, ..Protection::default() },
        doubt_share: 1.0,
        doubt_min_hosts: u32::MAX,
        routing: Routing {
            routes: receivers.iter().map(route).collect(),
            wait_secs: 0,
            interval_secs: 0,
            repeat_secs: 0,
            ..Routing::default()
        },
        ..Policy::default()
    }
}

fn report(disk: &Histogram, steady: &Phase, burst: &Phase) -> ExitCode {
    let millis = |duration: Duration| duration.as_secs_f64() * 1e3;
    println!("{:<46} {:>7} {:>9} {:>9} {:>9} {:>9}", "", "count", "p50 ms", "p99 ms", "p99.9 ms", "max ms");
    let row = |what: &str, histogram: &Histogram| {
        println!(
            "{what:<46} {:>7} {:>9.2} {:>9.2} {:>9.2} {:>9.2}",
            histogram.len(),
            millis(histogram.quantile(0.5)),
            millis(histogram.quantile(0.99)),
            millis(histogram.quantile(0.999)),
            millis(histogram.largest())
        );
    };
    row("fdatasync of the same disk, 4 KiB", disk);
    row("1,000 events/s: event to intent on the disk", &steady.flushed);
    row("1,000 events/s: event to POST", &steady.posted);
    row("1,000 events/s: intent on the disk to POST", &steady.after_flush);
    row("5,000 at once: event to intent on the disk", &burst.flushed);
    row("5,000 at once: event to POST", &burst.posted);
    let flush = millis(disk.quantile(0.99));
    let ratio = millis(steady.posted.quantile(0.99)) / flush.max(1e-6);
    let worst = burst.posted.quantile(0.99);
    println!("event to POST, p99 in times of fdatasync p99: {ratio:.2} (bar {BAR}, aim {AIM})");
    println!("burst, event to POST, p99: {:.1} ms (bar {} ms)", millis(worst), BURST_BAR.as_millis());
    if ratio <= BAR && worst <= BURST_BAR { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
