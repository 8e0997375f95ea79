//! Pages: in order for each receiver, none waiting for another receiver, none lost.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use engine::{
    Engine, Options, Ports,
    ports::{DeliveryResult, Notice, Notifier, Page, PageId, PageKind, Severity},
    run::telling::{Limits, Telling},
};
use fleet::{
    notice::{
        page::Delivery,
        route::{Heartbeat, Route, Routing},
    },
    policy::{Mode, Policy},
};
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    account::{Begin, acting},
    support::{ScriptedCloud, SharedJournal, TestClock, Told, entries, recovered, start},
};

fn page(id: u64, receiver: &str) -> Page {
    Page {
        id: PageId(id),
        receiver: receiver.into(),
        kind: PageKind::Firing,
        key: "muster/agent-away/prod".into(),
        severity: Severity::Critical,
        title: "1 host of prod does not answer".into(),
        lines: Vec::new(),
        clusters: Vec::new(),
        hosts: 1,
        samples: Vec::new(),
        trouble: "agent-away".into(),
        cases: Vec::new(),
        since: start(),
        at: start(),
        repaired_after_secs: None,
        decision: None,
    }
}

/// What a receiver does with its next page; takes it when nothing is said.
#[derive(Clone, Debug)]
enum Script {
    Takes { after_secs: u64 },
    Hangs,
    Panics,
}

/// Keeps what was sent, with the times of beginning and end.
#[derive(Default)]
struct Receivers {
    scripts: Mutex<VecDeque<Script>>,
    begun: Mutex<Vec<u64>>,
    taken: Mutex<Vec<u64>>,
    keys: Mutex<Vec<String>>,
}

#[async_trait]
impl Notifier for Receivers {
    async fn notify(&self, _: Timestamp, _: &Notice) {}

    async fn send(&self, page: &Page) -> DeliveryResult<'static> {
        self.begun.lock().unwrap().push(page.id.0);
        self.keys.lock().unwrap().push(page.key.clone());
        let script = self.scripts.lock().unwrap().pop_front();
        match script {
            Some(Script::Takes { after_secs }) => tokio::time::sleep(Duration::from_secs(after_secs)).await,
            Some(Script::Hangs) => std::future::pending().await,
            Some(Script::Panics) => panic!("the script says so"),
            None => {}
        }
        self.taken.lock().unwrap().push(page.id.0);
        DeliveryResult::Delivered
    }
}

fn telling(limits: Limits) -> (Telling, mpsc::Receiver<Delivery<'static>>, Arc<Receivers>) {
    let receivers = Arc::new(Receivers::default());
    let (sender, back) = mpsc::channel(16);
    (Telling::new(receivers.clone(), Arc::new(TestClock::new()), limits, sender), back, receivers)
}

fn limits() -> Limits {
    Limits { sends_at_once: 8, page_limit_secs: 600, pages_waiting: 100 }
}

async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_is_handed_to_its_receiver_at_once() {
    let (mut telling, mut back, receivers) = telling(limits());
    let began = tokio::time::Instant::now();
    telling.give(page(1, "slack"));
    assert_eq!(telling.receiver(PageId(1)), Some("slack"));
    let delivery = back.recv().await.unwrap();
    assert_eq!((delivery.page, delivery.result), (PageId(1), DeliveryResult::Delivered));
    assert_eq!(began.elapsed(), Duration::ZERO, "nobody waits for a clock");
    assert!(!telling.told(PageId(1)));
    assert_eq!((telling.open(), telling.sending()), (0, 0));
    assert_eq!(*receivers.taken.lock().unwrap(), [1]);
}

#[tokio::test(start_paused = true)]
async fn one_receiver_gets_its_pages_in_order_and_others_do_not_wait_for_it() {
    let (mut telling, mut back, receivers) = telling(limits());
    receivers.scripts.lock().unwrap().push_back(Script::Takes { after_secs: 60 });
    for (id, receiver) in [(1, "slow"), (2, "slow"), (3, "quick"), (4, "quick")] {
        telling.give(page(id, receiver));
    }
    let mut order = Vec::new();
    while order.len() < 4 {
        let delivery = back.recv().await.unwrap();
        order.push(delivery.page.0);
        telling.told(delivery.page);
    }
    assert_eq!(order, [3, 4, 1, 2]);
    assert_eq!(*receivers.taken.lock().unwrap(), [3, 4, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn the_next_page_does_not_wait_for_the_record_of_the_one_before_and_does_not_overtake_it() {
    let (mut telling, mut back, receivers) = telling(limits());
    receivers.scripts.lock().unwrap().push_back(Script::Takes { after_secs: 60 });
    telling.give(page(1, "slack"));
    telling.give(page(2, "slack"));
    settle().await;
    assert_eq!(*receivers.begun.lock().unwrap(), [1]);
    assert_eq!(back.recv().await.unwrap().page, PageId(1));
    assert_eq!(back.recv().await.unwrap().page, PageId(2));
    assert_eq!(*receivers.taken.lock().unwrap(), [1, 2]);
    telling.told(PageId(1));
    telling.told(PageId(2));
    assert_eq!((telling.open(), telling.sending()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_notifier_that_hangs_or_panics_costs_one_page() {
    let (mut telling, mut back, receivers) = telling(limits());
    receivers.scripts.lock().unwrap().extend([Script::Hangs, Script::Panics]);
    telling.give(page(1, "hangs"));
    telling.give(page(2, "panics"));
    telling.give(page(3, "hangs"));
    let panicked = back.recv().await.unwrap();
    assert!(matches!(&panicked.result, DeliveryResult::GivenUp { why } if why.contains("panic")), "{panicked:?}");
    telling.told(panicked.page);
    let began = tokio::time::Instant::now();
    let hung = back.recv().await.unwrap();
    assert!(matches!(&hung.result, DeliveryResult::GivenUp { why } if why.contains("600 s")), "{hung:?}");
    assert_eq!(began.elapsed().as_secs(), 600);
    telling.told(hung.page);
    assert_eq!(back.recv().await.unwrap(), Delivery { page: PageId(3), result: DeliveryResult::Delivered });
}

#[tokio::test(start_paused = true)]
async fn no_more_receivers_than_allowed_are_sent_something_and_each_has_its_turn() {
    let (mut telling, mut back, receivers) = telling(Limits { sends_at_once: 2, ..limits() });
    for id in 1..=3 {
        for (place, receiver) in ["a", "b", "c"].into_iter().enumerate() {
            telling.give(page(id * 10 + place as u64, receiver));
        }
    }
    settle().await;
    assert_eq!((receivers.begun.lock().unwrap().clone(), telling.sending()), (vec![10, 11], 2));
    let mut order = Vec::new();
    while order.len() < 9 {
        let delivery = back.recv().await.unwrap();
        order.push(delivery.page.0);
        telling.told(delivery.page);
        assert!(telling.sending() <= 2);
    }
    assert!(order.iter().position(|id| *id == 12) < order.iter().position(|id| *id == 21), "{order:?}");
}

#[tokio::test(start_paused = true)]
async fn pages_that_wait_for_their_receivers_turn_go_out_in_the_order_in_which_they_were_given() {
    let (mut telling, mut back, receivers) = telling(Limits { sends_at_once: 1, ..limits() });
    receivers.scripts.lock().unwrap().push_back(Script::Takes { after_secs: 60 });
    telling.give(page(1, "slow"));
    for id in 2..=4 {
        telling.give(page(id, "waits"));
    }
    settle().await;
    assert_eq!((receivers.begun.lock().unwrap().clone(), telling.open()), (vec![1], 4));
    for expected in 1..=4 {
        let delivery = back.recv().await.unwrap();
        assert_eq!(delivery.page, PageId(expected));
        telling.told(delivery.page);
    }
    assert_eq!(*receivers.taken.lock().unwrap(), [1, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn pages_beyond_the_room_stay_with_the_core_and_are_fetched_in_order() {
    let (mut telling, mut back, receivers) = telling(Limits { pages_waiting: 4, ..limits() });
    let mut owed: Vec<Page> = (1..=11).map(|id| page(id, "slack")).collect();
    for page in owed.clone() {
        telling.give(page);
    }
    assert_eq!(telling.open(), 4);
    let mut most = 0;
    while !owed.is_empty() {
        let delivery = back.recv().await.unwrap();
        owed.retain(|page| page.id != delivery.page);
        if telling.told(delivery.page) {
            telling.take_owed(owed.clone());
        }
        most = most.max(telling.open());
    }
    assert_eq!(*receivers.taken.lock().unwrap(), (1..=11).collect::<Vec<_>>());
    assert_eq!((most, telling.open()), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn no_page_overtakes_those_that_were_left_with_the_core() {
    let (mut telling, mut back, _) = telling(Limits { pages_waiting: 4, ..limits() });
    for id in 1..=5 {
        telling.give(page(id, "slack"));
    }
    let delivery = back.recv().await.unwrap();
    assert!(!telling.told(delivery.page), "it is fetched when half of the room is free");
    telling.give(page(6, "slack"));
    assert_eq!(telling.open(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_page_given_twice_is_sent_once() {
    let (mut telling, mut back, receivers) = telling(limits());
    telling.give(page(1, "slack"));
    telling.give(page(1, "slack"));
    telling.take_owed(vec![page(1, "slack")]);
    let delivery = back.recv().await.unwrap();
    telling.told(delivery.page);
    settle().await;
    assert_eq!((receivers.taken.lock().unwrap().len(), telling.open()), (1, 0));
}

/// A policy that only watches, and tells `slack` at once.
fn telling_slack() -> Policy {
    let route = Route { receivers: vec!["slack".into()], ..Route::default() };
    Policy {
        mode: Mode::Observe,
        rules: Vec::new(),
        routing: Routing { routes: vec![route], wait_secs: 0, ..Routing::default() },
        ..acting(&[])
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_agent_and_its_return_are_two_pages_of_one_key_journaled_before_they_are_sent() {
    let receivers = Arc::new(Receivers::default());
    let begin = Begin { policy: telling_slack(), notifier: Some(receivers.clone()), ..Begin::new(&[]) };
    let running = begin.with_a_lost_agent().await;
    running.until("the page", |r| r.has("journal: told")).await;
    assert!(running.place("journal: paged 1 firing") < running.place("journal: told"));
    running.account.connect(2, true);
    running.until("the other page", |_| receivers.taken.lock().unwrap().len() == 2).await;
    assert!(running.has("journal: paged 2 resolved"));
    let keys = receivers.keys.lock().unwrap().clone();
    assert_eq!(keys[0], keys[1]);
    running.until("its word", |r| r.handle.status().pages_open == 0).await;
    let turn = running.stop().await;
    assert!(turn.fleet().owed_pages().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_page_of_which_a_killed_muster_did_not_see_the_end_is_sent_again_as_the_same_one() {
    let receivers = Arc::new(Receivers::default());
    receivers.scripts.lock().unwrap().push_back(Script::Hangs);
    let begin = Begin { policy: telling_slack(), notifier: Some(receivers.clone()), ..Begin::new(&[]) };
    let running = begin.with_a_lost_agent().await;
    running.until("the sending", |_| receivers.begun.lock().unwrap().len() == 1).await;
    let (account, journal) = running.kill().await;
    let again =
        Begin { account, journal, policy: telling_slack(), notifier: Some(receivers.clone()), ..Begin::new(&[]) };
    let running = again.run();
    running.until("the second try", |r| r.has("journal: told")).await;
    assert_eq!(*receivers.begun.lock().unwrap(), [1, 1]);
    let keys = receivers.keys.lock().unwrap().clone();
    assert_eq!(keys[0], keys[1]);
    let (account, journal) = running.kill().await;
    let again =
        Begin { account, journal, policy: telling_slack(), notifier: Some(receivers.clone()), ..Begin::new(&[]) };
    let running = again.run();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(*receivers.begun.lock().unwrap(), [1, 1], "once it is on the record it is not sent again");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn without_the_page_in_the_journal_nobody_is_told() {
    let receivers = Arc::new(Receivers::default());
    let begin = Begin { policy: telling_slack(), notifier: Some(receivers.clone()), ..Begin::new(&[]) };
    *begin.journal.refuses.lock().unwrap() = Some("paged");
    let running = begin.with_a_lost_agent().await;
    assert!(running.task.await.unwrap().is_err());
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(receivers.begun.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_beats_on_and_leaves_no_trace_in_the_journal() {
    let receivers = Arc::new(Receivers::default());
    let heartbeat = Heartbeat { receiver: "dead-man".into(), every_secs: 60 };
    let policy = Policy { routing: Routing { heartbeat: Some(heartbeat), ..Routing::default() }, ..acting(&[]) };
    let running = Begin { policy, notifier: Some(receivers.clone()), ..Begin::new(&[]) }.run();
    running.until("five beats", |_| receivers.taken.lock().unwrap().len() >= 5).await;
    assert!(!running.has("journal: told"));
    assert_eq!(running.handle.status().pages_open, 0);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn owed_pages_are_sent_at_the_start_and_what_became_of_them_is_on_the_record() {
    let (receivers, told) = (Arc::new(Receivers::default()), Arc::new(Told::default()));
    receivers.scripts.lock().unwrap().push_back(Script::Panics);
    let journal = SharedJournal::default();
    let mut owed = recovered(journal.clone(), start());
    owed.owed.pages = vec![page(1, "slack"), page(2, "pager")];
    let ports = Ports {
        cloud: Arc::new(ScriptedCloud::default()),
        notifier: receivers.clone(),
        samples: told.clone(),
        clock: Arc::new(TestClock::new()),
        lease: None,
    };
    let engine = Engine::new(owed, ports, Options::default(), CancellationToken::new());
    let handle = engine.handle();
    let task = tokio::spawn(engine.run());
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let told_inputs = |result: &str| {
        entries(&journal)
            .iter()
            .filter(|(_, body)| body["input"]["told"]["result"].to_string().contains(result))
            .count()
    };
    assert_eq!((told_inputs("delivered"), told_inputs("given-up")), (1, 1));
    let status = handle.status();
    assert_eq!(status.pages_open, 0);
    let count = |receiver: &str, result: &'static str| status.pages.get(&(receiver.to_owned(), result)).copied();
    assert_eq!((count("slack", "given-up").or(count("pager", "given-up")), status.pages.len()), (Some(1), 2));
    assert_eq!(receivers.taken.lock().unwrap().len(), 1);
    assert!(told.latest("muster_pages_total").is_some(), "{:?}", told.published.lock().unwrap().last());
    handle.stop();
    task.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_page_under_way_at_a_graceful_stop_may_arrive_within_seconds() {
    let (receivers, told) = (Arc::new(Receivers::default()), Arc::new(Told::default()));
    receivers.scripts.lock().unwrap().extend([Script::Takes { after_secs: 3 }, Script::Hangs]);
    let journal = SharedJournal::default();
    let mut owed = recovered(journal.clone(), start());
    owed.owed.pages = vec![page(1, "slack"), page(2, "pager")];
    let ports = Ports {
        cloud: Arc::new(ScriptedCloud::default()),
        notifier: receivers.clone(),
        samples: told,
        clock: Arc::new(TestClock::new()),
        lease: None,
    };
    let engine = Engine::new(owed, ports, Options::default(), CancellationToken::new());
    let handle = engine.handle();
    let task = tokio::spawn(engine.run());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(handle.status().pages_open, 2);
    handle.stop();
    let began = tokio::time::Instant::now();
    task.await.unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_secs(11), "the one that hangs holds the stop up for seconds");
    let told = entries(&journal).iter().filter(|(_, body)| body["input"].get("told").is_some()).count();
    assert_eq!(told, 1);
}
