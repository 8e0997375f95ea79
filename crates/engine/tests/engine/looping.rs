//! The loop, on paused time and with a scripted cloud.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use engine::{
    Engine, Handle, Options, Ports, Turn, TurnError,
    ports::{Answer, Cloud, DeliveryResult, JournalError, Look, Notice, Notifier, Page, Scope},
    run::{RunError, Stopped},
};
use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{
    CLUSTER, QueueScript, ScriptedCloud, SharedJournal, SweepScript, TestClock, Told, count, failure, host_arn,
    host_sweep, instance, instance_event, later, recovered, start,
};

struct Running {
    handle: Handle,
    cloud: Arc<ScriptedCloud>,
    told: Arc<Told>,
    journal: SharedJournal,
    task: JoinHandle<Result<Turn, RunError>>,
}

fn run_with(cloud: ScriptedCloud, journal: SharedJournal, options: Options) -> Running {
    let (cloud, told) = (Arc::new(cloud), Arc::new(Told::default()));
    let ports = Ports {
        cloud: cloud.clone(),
        notifier: told.clone(),
        samples: told.clone(),
        clock: Arc::new(TestClock::new()),
        lease: None,
    };
    let engine = Engine::new(recovered(journal.clone(), start()), ports, options, CancellationToken::new());
    let handle = engine.handle();
    Running { handle, cloud, told, journal, task: tokio::spawn(engine.run()) }
}

fn run(cloud: ScriptedCloud) -> Running {
    run_with(cloud, SharedJournal::default(), Options::default())
}

impl Running {
    /// Lets the loop work until `reached`; an hour of its time is the limit.
    async fn until(&self, what: &str, reached: impl Fn(&Self) -> bool) {
        for _ in 0..36_000 {
            if reached(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("never happened: {what}; {:?}", self.handle.status());
    }

    async fn stop(self) -> Turn {
        self.handle.stop();
        self.task.await.unwrap().unwrap()
    }
}

fn sweeping(scripts: impl IntoIterator<Item = SweepScript>) -> ScriptedCloud {
    ScriptedCloud { sweeps: Mutex::new(scripts.into_iter().collect()), ..ScriptedCloud::default() }
}

fn hosts(connected: impl Fn(u32) -> bool) -> Vec<Answer> {
    let facts = (0..4).map(|host| instance(host, 1, connected(host))).collect();
    vec![Answer::Swept(host_sweep(start(), facts))]
}

#[tokio::test(start_paused = true)]
async fn a_sweep_is_made_at_the_start_and_then_on_schedule() {
    let running = run(sweeping([SweepScript::Answers(hosts(|_| true))]));
    running.until("the first sweep", |r| r.handle.status().sweeps == 1).await;
    let seen = running.handle.ask(|fleet, now| fleet.counts(now).hosts).await.unwrap();
    assert_eq!(seen, 4);
    tokio::time::sleep(Duration::from_secs(900)).await;
    running.until("the second sweep", |r| r.handle.status().sweeps == 2).await;
    running.handle.sweep().await.unwrap();
    running.until("the sweep asked for", |r| r.handle.status().sweeps == 3).await;
    assert_eq!(*running.cloud.swept.lock().unwrap(), 3);
    let turn = running.stop().await;
    assert_eq!(turn.fleet().counts(turn.last_at()).hosts, 4);
}

#[tokio::test(start_paused = true)]
async fn the_second_sweep_and_those_after_it_are_shifted_by_the_offset() {
    let options = Options { sweep_every_secs: 100, sweep_offset_secs: 40, ..Options::default() };
    let running = run_with(sweeping([SweepScript::Answers(Vec::new())]), SharedJournal::default(), options);
    running.until("the first sweep", |r| r.handle.status().sweeps == 1).await;
    tokio::time::sleep(Duration::from_secs(130)).await;
    assert_eq!(running.handle.status().sweeps, 1);
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert_eq!(running.handle.status().sweeps, 2);
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(running.handle.status().sweeps, 3);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn messages_are_journaled_and_then_acknowledged_poison_and_all() {
    let running = run(ScriptedCloud::default());
    let event = instance_event(1, 1, true, start());
    running.cloud.deliver(QueueScript::Messages(vec![event.clone(), b"poison".to_vec(), event]));
    running.until("three acknowledgements", |r| r.cloud.acknowledged.lock().unwrap().len() == 3).await;
    assert_eq!((count(&running.journal, "input"), count(&running.journal, "set-aside")), (1, 1));
    let counters = running.handle.counters().await.unwrap();
    assert_eq!((counters.received, counters.duplicates, counters.set_aside), (3, 1, 1));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_hundred_messages_that_wait_share_few_turns() {
    let cloud = ScriptedCloud::default();
    for batch in 0..25 {
        let bodies = (0..4).map(|message| instance_event(batch, message + 1, true, start())).collect();
        cloud.queue.lock().unwrap().push_back(QueueScript::Messages(bodies));
    }
    let running = run(cloud);
    running.until("all acknowledged", |r| r.cloud.acknowledged.lock().unwrap().len() == 100).await;
    let counters = running.handle.counters().await.unwrap();
    assert_eq!(counters.received, 100);
    assert!(counters.turns <= 25, "{counters:?}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_acknowledged_when_the_journal_refuses_and_the_loop_ends_with_the_reason() {
    let journal = SharedJournal::default();
    *journal.refuse_after.lock().unwrap() = Some(1);
    let running = run_with(ScriptedCloud::default(), journal, Options::default());
    running.cloud.deliver(QueueScript::Messages(vec![instance_event(1, 1, true, start())]));
    let Running { handle, cloud, task, journal, .. } = running;
    let error = task.await.unwrap().unwrap_err();
    assert!(matches!(error, RunError::Turn(TurnError::Journal(JournalError::Full { .. }))), "{error}");
    assert_eq!((cloud.acknowledged.lock().unwrap().len(), count(&journal, "input")), (0, 0));
    assert_eq!(handle.ask(|_, now| now).await, Err(Stopped));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_be_deleted_is_tried_again_and_then_given_up_on_the_record() {
    let cloud = ScriptedCloud { acknowledge_fails: Mutex::new(5), ..ScriptedCloud::default() };
    let running = run(cloud);
    running.cloud.deliver(QueueScript::Messages(vec![instance_event(1, 1, true, start())]));
    running.until("the failure", |r| r.handle.status().acknowledge_failures == 1).await;
    assert!(running.cloud.acknowledged.lock().unwrap().is_empty());
    running.cloud.deliver(QueueScript::Messages(vec![instance_event(1, 1, true, start())]));
    running.until("the deletion of what came again", |r| r.cloud.acknowledged.lock().unwrap().len() == 1).await;
    assert_eq!(running.handle.counters().await.unwrap().duplicates, 1);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_fails_or_panics_is_tried_again_and_shows() {
    let cloud = ScriptedCloud::default();
    cloud.queue.lock().unwrap().extend([QueueScript::Fails, QueueScript::Fails, QueueScript::Panics]);
    let running = run_with(cloud, SharedJournal::default(), Options { receivers: 1, ..Options::default() });
    running.until("the trouble", |r| r.handle.status().queue_trouble.is_some()).await;
    running.until("the figure", |r| r.told.latest("muster_queue_up") == Some(0.0)).await;
    running.until("the panic", |r| r.handle.status().panics == 1).await;
    assert_eq!(running.handle.status().queue_failures, 3);
    running.cloud.deliver(QueueScript::Messages(vec![instance_event(1, 1, true, start())]));
    running.until("the message after the trouble", |r| r.cloud.acknowledged.lock().unwrap().len() == 1).await;
    assert_eq!(running.handle.status().queue_trouble, None);
    running.until("the figure", |r| r.told.latest("muster_queue_up") == Some(1.0)).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_hangs_or_panics_is_given_up_and_the_next_one_is_made() {
    let options = Options { sweep_every_secs: 60, sweep_limit_secs: 30, ..Options::default() };
    let cloud = sweeping([SweepScript::Hangs, SweepScript::Panics, SweepScript::Answers(hosts(|_| true))]);
    let running = run_with(cloud, SharedJournal::default(), options);
    running.until("two given up", |r| r.handle.status().sweeps_given_up == 2).await;
    assert_eq!((running.handle.status().panics, running.handle.status().sweeps), (1, 0));
    running.until("a whole one", |r| r.handle.status().sweeps == 1).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn scopes_that_failed_are_on_the_status_until_the_next_sweep() {
    let failed = Answer::Failed(failure(Scope::ClusterHosts(CLUSTER.into()), "denied"));
    let cloud = sweeping([SweepScript::Answers(vec![failed]), SweepScript::Answers(hosts(|_| true))]);
    let running = run(cloud);
    running.until("the first sweep", |r| r.handle.status().sweeps == 1).await;
    assert_eq!(running.handle.status().sweep_failures.len(), 1);
    running.until("the second sweep", |r| r.handle.status().sweeps == 2).await;
    assert!(running.handle.status().sweep_failures.is_empty());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_stays_away_is_looked_at_again_without_any_message() {
    let running = run(sweeping([SweepScript::Answers(hosts(|_| true))]));
    running.until("the first sweep", |r| r.handle.status().sweeps == 1).await;
    running.cloud.deliver(QueueScript::Messages(vec![instance_event(2, 2, false, later(5))]));
    running
        .until("a look at the host", |r| {
            r.cloud.looks.lock().unwrap().iter().any(|look| match look {
                Look::Hosts { arns, .. } => arns.contains(&host_arn(2)),
                _ => false,
            })
        })
        .await;
    running.until("the answer in the journal", |r| r.handle.status().looks_open == 0).await;
    assert!(running.journal_has("look-failed"));
    assert_eq!(running.handle.ask(|fleet, now| fleet.counts(now).open_cases).await.unwrap(), 1);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_look_that_panics_is_a_failed_look() {
    let cloud = sweeping([SweepScript::Answers(hosts(|_| true))]);
    let running = run(ScriptedCloud { looks_panic: true, ..cloud });
    running.until("the first sweep", |r| r.handle.status().sweeps == 1).await;
    running.cloud.deliver(QueueScript::Messages(vec![instance_event(2, 2, false, later(5))]));
    running.until("the panic", |r| r.handle.status().panics > 0).await;
    running.until("the failure in the journal", |r| r.journal_has("look-failed")).await;
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn records_are_told_as_they_are_journaled() {
    let running = run(sweeping([SweepScript::Answers(hosts(|_| true))]));
    let mut records = running.handle.records();
    running.until("the first sweep", |r| r.handle.status().sweeps == 1).await;
    running.cloud.deliver(QueueScript::Messages(vec![instance_event(2, 2, false, later(5))]));
    let (_, record) = records.recv().await.unwrap();
    assert!(matches!(record, fleet::journal::Record::CaseOpened { .. }), "{record:?}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn figures_are_published_at_most_once_a_second_and_the_last_ones_always() {
    let running = run(ScriptedCloud::default());
    for version in 1..=20 {
        running.cloud.deliver(QueueScript::Messages(vec![instance_event(1, version, true, start())]));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    running.until("the last figure", |r| r.told.latest("muster_events_received_total") == Some(20.0)).await;
    let published: Vec<Timestamp> = running.told.published.lock().unwrap().iter().map(|(at, _)| *at).collect();
    assert!(published.windows(2).all(|pair| pair[1].duration_since(pair[0]).as_millis() >= 1_000), "{published:?}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_graceful_stop_is_on_the_record_with_a_snapshot() {
    let running = run(sweeping([SweepScript::Hangs]));
    running.cloud.deliver(QueueScript::Messages(vec![instance_event(1, 1, true, start())]));
    running.until("the acknowledgement", |r| r.cloud.acknowledged.lock().unwrap().len() == 1).await;
    let (handle, journal) = (running.handle.clone(), running.journal.clone());
    let turn = running.stop().await;
    assert_eq!((count(&journal, "stopped"), turn.counters().snapshots), (1, 1));
    assert_eq!(handle.status().last_seq, turn.last_seq());
    assert_eq!(handle.sweep().await, Err(Stopped));
    let back = recovered(journal, later(60));
    assert_eq!((back.stopped_in_order, back.replayed), (true, 0));
}

struct Hangs;

#[async_trait]
impl Notifier for Hangs {
    async fn notify(&self, _: Timestamp, _: &Notice) {
        std::future::pending().await
    }

    async fn send(&self, _: &Page) -> DeliveryResult<'static> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_notifier_that_hangs_does_not_hold_up_the_loop() {
    let cloud = Arc::new(sweeping([SweepScript::Answers(hosts(|_| true))]));
    let told = Arc::new(Told::default());
    let ports = Ports {
        cloud: cloud.clone() as Arc<dyn Cloud>,
        notifier: Arc::new(Hangs),
        samples: told,
        clock: Arc::new(TestClock::new()),
        lease: None,
    };
    let mut owed = recovered(SharedJournal::default(), start());
    owed.owed.notices.push(Notice {
        case: engine::ports::id::CaseId(1),
        severity: engine::ports::Severity::Critical,
        text: "said before the crash, or not".into(),
    });
    let engine = Engine::new(owed, ports, Options::default(), CancellationToken::new());
    let handle = engine.handle();
    let task = tokio::spawn(engine.run());
    let began = tokio::time::Instant::now();
    assert_eq!(handle.ask(|fleet, now| fleet.counts(now).open_cases).await, Ok(0));
    assert_eq!((began.elapsed(), handle.status().notice_failures), (Duration::ZERO, 0));
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(handle.status().notice_failures, 1);
    handle.stop();
    task.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_owed_from_before_a_crash_is_performed_first() {
    let (cloud, told) = (Arc::new(ScriptedCloud::default()), Arc::new(Told::default()));
    let ports = Ports {
        cloud: cloud.clone(),
        notifier: told.clone(),
        samples: told.clone(),
        clock: Arc::new(TestClock::new()),
        lease: None,
    };
    let mut owed = recovered(SharedJournal::default(), start());
    let look = Look::Hosts { cluster: CLUSTER.into(), arns: vec![host_arn(1)] };
    let notice = Notice {
        case: engine::ports::id::CaseId(1),
        severity: engine::ports::Severity::Warning,
        text: "said before the crash, or not".into(),
    };
    owed.owed.looks.push(look.clone());
    owed.owed.notices.push(notice.clone());
    let engine = Engine::new(owed, ports, Options::default(), CancellationToken::new());
    let handle = engine.handle();
    let task = tokio::spawn(engine.run());
    assert_eq!(handle.counters().await.map(|counters| counters.set_aside), Ok(0));
    while told.notices.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(*told.notices.lock().unwrap(), [notice]);
    while cloud.looks.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(*cloud.looks.lock().unwrap(), [look]);
    handle.stop();
    task.await.unwrap().unwrap();
}

impl Running {
    fn journal_has(&self, input: &str) -> bool {
        crate::support::entries(&self.journal).iter().any(|(_, body)| body["input"].get(input).is_some())
    }
}

/// On disk, in real time, on several threads: what the program does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_loop_runs_on_several_threads_with_the_journal_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (cloud, told) = (Arc::new(ScriptedCloud::default()), Arc::new(Told::default()));
    let ports = Ports {
        cloud: cloud.clone(),
        notifier: told.clone(),
        samples: told,
        clock: Arc::new(engine::clock::SystemClock),
        lease: None,
    };
    let now = Timestamp::now();
    for batch in 0..50 {
        let bodies = (0..10).map(|message| instance_event(batch, message + 1, true, now)).collect();
        cloud.deliver(QueueScript::Messages(bodies));
    }
    let journal = engine::journal::SqliteJournal::open(dir.path()).unwrap();
    let engine = Engine::new(recovered(journal, now), ports, Options::default(), CancellationToken::new());
    let handle = engine.handle();
    let task = tokio::spawn(engine.run());
    while cloud.acknowledged.lock().unwrap().len() < 500 {
        assert!(!task.is_finished());
        tokio::task::yield_now().await;
    }
    let hosts = handle.ask(|fleet, now| fleet.counts(now).hosts).await.unwrap();
    assert_eq!(hosts, 50);
    handle.stop();
    task.await.unwrap().unwrap();
    let reader = engine::journal::JournalReader::open(dir.path()).unwrap();
    assert_eq!(reader.verify().unwrap().last, reader.last_seq().unwrap());
    assert_eq!(engine::check::check(&reader).unwrap().difference, None);
}
