//! Several musters over the same clusters: one is in charge, and nobody acts under a lease that may end too soon.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use engine::{
    Options,
    performing::lease_allows,
    ports::{Act, Clock, Grant, Lease, LeaseError},
};
use fleet::remedy::Remedy;
use jiff::{SignedDuration, Timestamp};

use crate::{
    account::{Begin, LookScript, Running},
    support::{TestClock, later, start},
};

const RESTART: [Remedy; 1] = [Remedy::RestartAgent];
const LENGTH_SECS: i64 = 60;

/// What the shared store holds: one row.
#[derive(Debug, Default)]
struct Row {
    holder: Option<&'static str>,
    epoch: u64,
    until: Option<Timestamp>,
    /// Who has held it, in order.
    holders: Vec<&'static str>,
}

const WORKS: u8 = 0;
const FAILS: u8 = 1;
const HANGS: u8 = 2;
const PANICS: u8 = 3;

/// One muster's way to the row.
struct Share {
    row: Arc<Mutex<Row>>,
    me: &'static str,
    clock: TestClock,
    way: AtomicU8,
}

impl Share {
    fn new(row: &Arc<Mutex<Row>>, me: &'static str) -> Arc<Self> {
        Arc::new(Self { row: row.clone(), me, clock: TestClock::new(), way: AtomicU8::new(WORKS) })
    }

    fn goes(&self, way: u8) {
        self.way.store(way, Ordering::Relaxed);
    }
}

#[async_trait]
impl Lease for Share {
    async fn hold(&self) -> Result<Option<Grant>, LeaseError> {
        match self.way.load(Ordering::Relaxed) {
            FAILS => return Err(LeaseError("the store cannot be reached".into())),
            HANGS => std::future::pending().await,
            PANICS => panic!("the script says so"),
            _ => {}
        }
        let now = self.clock.now();
        let mut row = self.row.lock().unwrap();
        let free = row.until.is_none_or(|until| until <= now);
        if row.holder != Some(self.me) || free {
            if row.holder.is_some() && !free {
                return Ok(None);
            }
            row.holder = Some(self.me);
            row.epoch += 1;
            row.holders.push(self.me);
        }
        let until = now + SignedDuration::from_secs(LENGTH_SECS);
        row.until = Some(until);
        Ok(Some(Grant { epoch: row.epoch, until }))
    }

    async fn release(&self) {
        let mut row = self.row.lock().unwrap();
        if row.holder == Some(self.me) {
            row.holder = None;
            row.until = None;
        }
    }
}

/// Two musters, each with a journal of its own, on one account.
async fn two(row: &Arc<Mutex<Row>>, options: Options) -> (Running, Arc<Share>, Running, Arc<Share>) {
    let (a, b) = (Share::new(row, "a"), Share::new(row, "b"));
    let first = Begin { lease: Some(a.clone()), options: options.clone(), ..Begin::new(&RESTART) };
    let account = first.account.clone();
    let first = first.run();
    first.until("a lease", |r| r.handle.status().leading).await;
    let second = Begin { account, lease: Some(b.clone()), options, ..Begin::new(&RESTART) }.run();
    for running in [&first, &second] {
        running.until("the first sweep", |r| r.handle.status().sweeps == 1).await;
    }
    (first, a, second, b)
}

#[test]
fn an_act_begins_only_when_more_than_twice_its_longest_call_is_left_of_the_lease() {
    let grant = |secs| Some(Grant { epoch: 3, until: later(secs) });
    assert!(lease_allows(grant(31), Some(3), start(), 15).is_ok());
    for secs in [30, 1, 0, -5] {
        let why = lease_allows(grant(secs), Some(3), start(), 15).unwrap_err();
        assert!(why.contains("30 s"), "{why}");
    }
    assert!(lease_allows(None, Some(3), start(), 15).is_err());
    assert!(lease_allows(grant(60), None, start(), 15).is_err(), "decided while this muster was not in charge");
}

#[test]
fn an_act_decided_under_one_lease_is_not_made_under_a_later_one() {
    let why = lease_allows(Some(Grant { epoch: 5, until: later(60) }), Some(3), start(), 15).unwrap_err();
    assert!(why.contains("another muster may have been in charge"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn of_two_musters_one_leads_and_it_alone_acts() {
    let row = Arc::<Mutex<Row>>::default();
    let (first, _, second, _) = two(&row, Options::default()).await;
    // Both hear of the lost agent: one by the queue, the other by a sweep.
    first.account.connect(2, false);
    second.handle.sweep().await.unwrap();
    first.until("the act", |r| !r.acted().is_empty()).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(first.acted(), [(Act::RestartAgent, false)]);
    assert!(first.has("journal: intended") && !second.has("journal: intended"));
    assert_eq!((first.handle.status().leading, second.handle.status().leading), (true, false));
    assert_eq!(row.lock().unwrap().holders, ["a"]);
    first.stop().await;
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn before_anybody_is_known_to_lead_the_first_word_in_the_journal_is_that_it_does_not() {
    let row = Arc::<Mutex<Row>>::default();
    let a = Share::new(&row, "a");
    a.goes(HANGS);
    let running = Begin { lease: Some(a.clone()), ..Begin::new(&RESTART) }.with_a_lost_agent().await;
    assert!(running.place("journal: led false") < running.place("journal: answer"));
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(running.acted().is_empty() && !running.handle.status().leading);
    a.goes(WORKS);
    running.until("the act", |r| !r.acted().is_empty()).await;
    assert!(running.has("journal: led true"));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_renewed_stays_with_its_holder_for_hours() {
    let row = Arc::<Mutex<Row>>::default();
    let (first, _, second, _) = two(&row, Options::default()).await;
    tokio::time::sleep(Duration::from_secs(3 * 3_600)).await;
    assert_eq!(row.lock().unwrap().holders, ["a"]);
    assert_eq!(row.lock().unwrap().epoch, 1);
    first.stop().await;
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_muster_that_stops_gives_the_lease_back_and_the_next_need_not_wait_for_its_end() {
    let row = Arc::<Mutex<Row>>::default();
    let (first, _, second, _) = two(&row, Options::default()).await;
    first.stop().await;
    let stopped_at = tokio::time::Instant::now();
    second.until("the lease", |r| r.handle.status().leading).await;
    assert!(stopped_at.elapsed() < Duration::from_secs(10), "{:?}", stopped_at.elapsed());
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_muster_that_was_killed_is_followed_when_its_lease_has_ended_and_not_before() {
    let row = Arc::<Mutex<Row>>::default();
    let (first, _, second, _) = two(&row, Options::default()).await;
    let until = row.lock().unwrap().until.unwrap();
    first.kill().await;
    second.until("the lease", |r| r.handle.status().leading).await;
    assert_eq!(row.lock().unwrap().holders, ["a", "b"]);
    let until_then = row.lock().unwrap().until.unwrap();
    assert!(until_then >= until + SignedDuration::from_secs(LENGTH_SECS), "{until_then}");
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_renewal_that_fails_hangs_or_panics_loses_nothing_and_a_lease_that_ran_out_is_lost() {
    for way in [FAILS, HANGS, PANICS] {
        let row = Arc::<Mutex<Row>>::default();
        let a = Share::new(&row, "a");
        let running = Begin { lease: Some(a.clone()), ..Begin::new(&RESTART) }.run();
        running.until("the lease", |r| r.handle.status().leading).await;
        a.goes(way);
        tokio::time::sleep(Duration::from_secs(25)).await;
        a.goes(WORKS);
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert!(running.handle.status().leading && !running.has("journal: led false "), "way {way}");
        assert_eq!(running.log().iter().filter(|line| line.starts_with("journal: led true")).count(), 1, "way {way}");
        a.goes(way);
        tokio::time::sleep(Duration::from_secs(LENGTH_SECS as u64 + 1)).await;
        assert!(!running.handle.status().leading, "way {way}");
        a.goes(WORKS);
        running.until("the lease again", |r| r.handle.status().leading).await;
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_longer_than_the_lease_between_decision_and_call_makes_no_call() {
    let row = Arc::<Mutex<Row>>::default();
    let (a, b) = (Share::new(&row, "a"), Share::new(&row, "b"));
    let options = Options { reread_limit_secs: 600, ..Options::default() };
    let mut begin = Begin { lease: Some(a.clone()), options, ..Begin::new(&RESTART) };
    let (account, away) = (begin.account.clone(), a.clone());
    begin.journal.when_intended = Arc::new(move || {
        *account.looks.lock().unwrap() = LookScript::Waits;
        away.goes(HANGS);
    });
    let running = begin.with_a_lost_agent().await;
    running.until("the intent", |r| r.has("journal: intended 1")).await;
    tokio::time::sleep(Duration::from_secs(LENGTH_SECS as u64 + 5)).await;
    // Another muster has taken over by now.
    let held = b.hold().await.unwrap();
    assert!(held.is_some_and(|grant| grant.epoch == 2), "{held:?}");
    *running.account.looks.lock().unwrap() = LookScript::Answers;
    running.account.go_on.notify_waiters();
    running.until("the outcome", |r| r.has("journal: outcome 1 withheld")).await;
    a.goes(WORKS);
    tokio::time::sleep(Duration::from_secs(LENGTH_SECS as u64 / 2)).await;
    assert!(running.acted().is_empty());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn near_the_end_of_a_lease_that_is_not_renewed_no_act_begins_though_it_is_still_held() {
    let row = Arc::<Mutex<Row>>::default();
    let a = Share::new(&row, "a");
    let options = Options { act_api_limit_secs: 29, ..Options::default() };
    let mut begin = Begin { lease: Some(a.clone()), options, ..Begin::new(&RESTART) };
    let account = begin.account.clone();
    begin.journal.when_intended = Arc::new(move || *account.looks.lock().unwrap() = LookScript::Waits);
    let running = begin.with_a_lost_agent().await;
    running.until("the intent", |r| r.has("journal: intended 1")).await;
    // Two seconds past a renewal at the earliest, 58 s are needed.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(running.handle.status().leading);
    *running.account.looks.lock().unwrap() = LookScript::Answers;
    running.account.go_on.notify_waiters();
    running.until("the outcome", |r| r.has("journal: outcome 1 withheld")).await;
    let entries = crate::support::entries(&running.journal);
    let said = entries.iter().any(|(_, body)| {
        body["record"]["says"].as_str().is_some_and(|says| says.contains("what is left of the lease"))
    });
    assert!(said && running.acted().is_empty());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_owed_from_before_a_kill_waits_until_it_is_known_who_leads() {
    let row = Arc::<Mutex<Row>>::default();
    let a = Share::new(&row, "a");
    let begin = Begin { lease: Some(a.clone()), ..Begin::new(&RESTART) };
    begin.account.acts.lock().unwrap().push_back(crate::account::ActScript::Hangs);
    let running = begin.with_a_lost_agent().await;
    running.until("the call", |r| r.has("act 1")).await;
    let (account, journal) = running.kill().await;
    a.goes(HANGS);
    let running = Begin { account, journal, lease: Some(a.clone()), ..Begin::new(&RESTART) }.run();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!((running.acted().len(), running.handle.status().intents_open), (1, 1));
    a.goes(WORKS);
    running.until("the second try", |r| r.acted().len() == 2).await;
    assert_eq!(running.acted()[1], (Act::RestartAgent, true));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_owed_is_not_done_by_a_muster_that_came_back_to_find_another_in_charge() {
    let row = Arc::<Mutex<Row>>::default();
    let (a, b) = (Share::new(&row, "a"), Share::new(&row, "b"));
    let begin = Begin { lease: Some(a.clone()), ..Begin::new(&RESTART) };
    begin.account.acts.lock().unwrap().push_back(crate::account::ActScript::Hangs);
    let running = begin.with_a_lost_agent().await;
    running.until("the call", |r| r.has("act 1")).await;
    let (account, journal) = running.kill().await;
    tokio::time::sleep(Duration::from_secs(LENGTH_SECS as u64 + 1)).await;
    assert!(b.hold().await.unwrap().is_some());
    let running = Begin { account, journal, lease: Some(a.clone()), ..Begin::new(&RESTART) }.run();
    running.until("the outcome", |r| r.has("journal: outcome 1 failed")).await;
    assert_eq!(running.acted(), [(Act::RestartAgent, false)]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_muster_that_followed_leads_again_when_it_is_started_without_a_lease() {
    let row = Arc::<Mutex<Row>>::default();
    let a = Share::new(&row, "a");
    a.goes(FAILS);
    let running = Begin { lease: Some(a), ..Begin::new(&RESTART) }.run();
    running.until("that it follows", |r| r.has("journal: led false")).await;
    let (account, journal) = running.kill().await;
    let running = Begin { account, journal, ..Begin::new(&RESTART) }.with_a_lost_agent().await;
    assert!(running.has("journal: led true"));
    running.until("the act", |r| !r.acted().is_empty()).await;
    running.stop().await;
}
