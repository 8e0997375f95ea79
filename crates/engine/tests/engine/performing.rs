//! Acts: journal first, read again, then call; one at a time on a target; never lost, never done blindly.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_trait::async_trait;
use engine::{
    Options,
    performing::{Limits, Performed, Performing},
    ports::{Act, ActResult, DeliveryResult, Intent, Notice, Notifier, Page, Target},
    run::RunError,
};
use fleet::{
    id::CaseId,
    notice::route::{Route, Routing},
    operator::{Answered, Asked, Request},
    remedy::{
        Remedy,
        act::{Expects, IntentId},
    },
};
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::{
    account::{Account, ActScript, Begin, Log, LookScript, Running},
    support::{CLUSTER, TestClock, host_arn},
};

const RESTART: [Remedy; 1] = [Remedy::RestartAgent];

fn asked(request: Request<'static>) -> Asked<'static> {
    Asked { who: "ada".into(), why: "a test".into(), request }
}

async fn intended(running: &Running) {
    running.until("the intent", |r| r.has("journal: intended 1")).await;
}

#[tokio::test(start_paused = true)]
async fn the_intent_is_in_the_journal_then_the_target_is_read_again_then_the_call_is_made() {
    let running = Begin::new(&RESTART).with_a_lost_agent().await;
    running.until("the outcome", |r| r.has("journal: ended 1 done")).await;
    assert_eq!(running.acted(), [(Act::RestartAgent, false)]);
    let log = running.log();
    let intended = running.place("journal: intended 1 restart-agent");
    let after = |what: &str, from: usize| {
        from + log[from..].iter().position(|line| line.starts_with(what)).unwrap_or_else(|| panic!("{what}: {log:#?}"))
    };
    let look = after("look at hosts", intended);
    let answer = after("journal: answer hosts", look);
    let act = after("act 1 restart-agent", answer);
    assert!(after("journal: outcome 1 done", act) > act);
    assert_eq!(log.iter().filter(|line| line.starts_with("act ")).count(), 1);
    running.until("the recovery", |r| r.handle.status().intents_open == 0).await;
    assert_eq!(running.ended("restart-agent", "done"), 1);
    running.until("the case's end", |r| r.account.agents.lock().unwrap()[&2].0).await;
    let turn = running.stop().await;
    assert!(turn.fleet().open_intents().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_journal_of_all_this_explains_itself() {
    let running = Begin::new(&RESTART).with_a_lost_agent().await;
    running.until("the outcome", |r| r.has("journal: ended 1 done")).await;
    let turn = running.stop().await;
    assert_eq!(engine::check::check(turn.journal()).unwrap().difference, None);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_came_back_unheard_of_is_found_by_reading_again_and_left_alone() {
    let mut begin = Begin::new(&RESTART);
    let account = begin.account.clone();
    begin.journal.when_intended = Arc::new(move || {
        account.connect_silently(2, true);
    });
    let running = begin.with_a_lost_agent().await;
    running.until("the outcome", |r| r.has("journal: outcome 1 unfit")).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(running.acted().is_empty());
    assert_eq!(running.ended("restart-agent", "unfit"), 1);
    let open = running.handle.ask(|fleet, now| fleet.counts(now).open_cases).await.unwrap();
    assert_eq!(open, 0, "the core has learned from the answer");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_target_that_cannot_be_read_again_is_left_alone() {
    for script in [LookScript::Fails, LookScript::Hangs, LookScript::Panics] {
        let mut begin = Begin::new(&RESTART);
        let account = begin.account.clone();
        begin.journal.when_intended = Arc::new(move || *account.looks.lock().unwrap() = script);
        let running = begin.with_a_lost_agent().await;
        running.until("the outcome", |r| r.has("journal: outcome 1 unfit")).await;
        assert!(running.acted().is_empty(), "{script:?}");
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_does_not_end_is_given_up_and_may_have_happened() {
    let begin = Begin::new(&RESTART);
    begin.account.acts.lock().unwrap().push_back(ActScript::Hangs);
    let running = begin.with_a_lost_agent().await;
    running.until("the call", |r| r.has("act 1")).await;
    let limit_secs = running.account.acted.lock().unwrap()[0].0.limit_secs;
    tokio::time::sleep(Duration::from_secs(u64::from(limit_secs))).await;
    assert!(!running.has("journal: outcome 1"), "its own limit is its own affair");
    running.until("the outcome", |r| r.has("journal: outcome 1 failed")).await;
    assert!(outcome_says(&running, "may_have_happened"));
    running.stop().await;
}

fn outcome_says(running: &Running, field: &str) -> bool {
    let entries = crate::support::entries(&running.journal);
    entries.iter().any(|(_, body)| body["input"]["acted"]["result"]["failed"][field] == true)
}

#[tokio::test(start_paused = true)]
async fn a_call_that_panics_may_have_happened_and_the_loop_goes_on() {
    let begin = Begin::new(&RESTART);
    begin.account.acts.lock().unwrap().push_back(ActScript::Panics);
    let running = begin.with_a_lost_agent().await;
    running.until("the outcome", |r| r.has("journal: outcome 1 failed")).await;
    assert!(outcome_says(&running, "may_have_happened"));
    assert_eq!(running.handle.ask(|fleet, now| fleet.counts(now).hosts).await, Ok(4));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn without_the_intent_in_the_journal_nothing_is_done() {
    let begin = Begin::new(&RESTART);
    *begin.journal.refuses.lock().unwrap() = Some("intended");
    let running = begin.with_a_lost_agent().await;
    let account = running.account.clone();
    let ended = running.task.await.unwrap();
    assert!(matches!(ended, Err(RunError::Turn(_))), "{ended:?}");
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(account.acted.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn without_the_answers_of_the_second_reading_in_the_journal_nothing_is_done() {
    let mut begin = Begin::new(&RESTART);
    let refuses = begin.journal.refuses.clone();
    begin.journal.when_intended = Arc::new(move || *refuses.lock().unwrap() = Some("answer"));
    let running = begin.with_a_lost_agent().await;
    let account = running.account.clone();
    assert!(running.task.await.unwrap().is_err());
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(account.acted.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_kill_between_intent_and_outcome_is_taken_up_again_as_a_second_try() {
    let begin = Begin::new(&RESTART);
    begin.account.acts.lock().unwrap().push_back(ActScript::Hangs);
    let running = begin.with_a_lost_agent().await;
    running.until("the call", |r| r.has("act 1")).await;
    let (account, journal) = running.kill().await;
    let running = Begin { account, journal, ..Begin::new(&RESTART) }.run();
    running.until("the outcome", |r| r.has("journal: outcome 1 done")).await;
    assert_eq!(running.acted(), [(Act::RestartAgent, false), (Act::RestartAgent, true)]);
    let tokens: Vec<String> = running.account.acted.lock().unwrap().iter().map(|(it, _)| it.token.clone()).collect();
    assert_eq!(tokens[0], tokens[1], "whoever knows tokens sees one");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_muster_intended_is_not_done_when_it_is_not_needed_any_more() {
    let begin = Begin::new(&RESTART);
    begin.account.acts.lock().unwrap().push_back(ActScript::Hangs);
    let running = begin.with_a_lost_agent().await;
    running.until("the call", |r| r.has("act 1")).await;
    let (account, journal) = running.kill().await;
    account.connect_silently(2, true);
    let running = Begin { account, journal, ..Begin::new(&RESTART) }.run();
    running.until("the outcome", |r| r.has("journal: outcome 1")).await;
    assert_eq!(running.acted(), [(Act::RestartAgent, false)]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_reboot_that_may_have_been_done_is_not_done_twice() {
    let begin = Begin::new(&[Remedy::Reboot]);
    begin.account.pings.store(false, Ordering::Relaxed);
    let evidence = ActScript::Says(ActResult::Saved { items: vec![("agent log".into(), "it is quiet".into())] });
    begin.account.acts.lock().unwrap().extend([evidence, ActScript::Hangs]);
    let running = begin.with_a_lost_agent().await;
    running.until("the call", |r| r.has("act 2 reboot")).await;
    let (account, journal) = running.kill().await;
    let running = Begin { account, journal, ..Begin::new(&[Remedy::Reboot]) }.run();
    running.until("the outcome", |r| r.has("journal: outcome 2 failed")).await;
    assert!(outcome_says(&running, "may_have_happened"));
    assert_eq!(running.acted(), [(Act::SaveEvidence, false), (Act::Reboot, false)]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_under_way_at_a_graceful_stop_may_end_and_is_on_the_record() {
    let mut begin = Begin::new(&RESTART);
    let account = begin.account.clone();
    begin.journal.when_intended = Arc::new(move || *account.looks.lock().unwrap() = LookScript::Answers);
    begin.account.acts.lock().unwrap().push_back(ActScript::Hangs);
    let running = begin.with_a_lost_agent().await;
    running.until("the call", |r| r.has("act 1")).await;
    let journal = running.journal.clone();
    let stopping_since = tokio::time::Instant::now();
    let turn = running.stop().await;
    assert!(stopping_since.elapsed() < Duration::from_secs(11), "a call that hangs holds the stop up for seconds");
    assert_eq!(turn.fleet().open_intents().len(), 1);
    let back = crate::support::recovered(journal, turn.last_at());
    assert!(back.stopped_in_order);
    assert_eq!(back.owed.acts.len(), 1, "it is owed after a stop in good order too");
}

#[tokio::test(start_paused = true)]
async fn a_graceful_stop_begins_no_call() {
    let mut begin = Begin::new(&RESTART);
    let account = begin.account.clone();
    begin.journal.when_intended = Arc::new(move || *account.looks.lock().unwrap() = LookScript::Waits);
    let running = begin.with_a_lost_agent().await;
    intended(&running).await;
    let account = running.account.clone();
    let turn = running.stop().await;
    account.go_on.notify_waiters();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(account.acted.lock().unwrap().is_empty());
    assert_eq!(turn.fleet().open_intents().len(), 1);
}

struct Hangs;

#[async_trait]
impl Notifier for Hangs {
    async fn notify(&self, _: Timestamp, _: &Notice) {}

    async fn send(&self, _: &Page) -> DeliveryResult<'static> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_waits_for_a_page_begins_no_call_meanwhile() {
    let mut begin = Begin { notifier: Some(Arc::new(Hangs)), ..Begin::new(&RESTART) };
    let route = Route { receivers: vec!["slack".into()], ..Route::default() };
    begin.policy.routing = Routing { routes: vec![route], wait_secs: 0, ..Routing::default() };
    let account = begin.account.clone();
    begin.journal.when_intended = Arc::new(move || *account.looks.lock().unwrap() = LookScript::Waits);
    let running = begin.with_a_lost_agent().await;
    intended(&running).await;
    running.until("the page", |r| r.handle.status().pages_open == 1).await;
    running.until("the second reading", |r| r.log().last().is_some_and(|line| line.starts_with("look"))).await;
    let account = running.account.clone();
    running.handle.stop();
    tokio::time::sleep(Duration::from_secs(1)).await;
    account.go_on.notify_waiters();
    let turn = running.task.await.unwrap().unwrap();
    assert!(account.acted.lock().unwrap().is_empty());
    assert_eq!((turn.fleet().open_intents().len(), turn.fleet().owed_pages().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_kill_switch_comes_in_time_while_the_target_is_read_again() {
    let mut begin = Begin::new(&RESTART);
    let account = begin.account.clone();
    begin.journal.when_intended = Arc::new(move || *account.looks.lock().unwrap() = LookScript::Waits);
    let running = begin.with_a_lost_agent().await;
    intended(&running).await;
    running.until("the second reading", |r| r.log().last().is_some_and(|line| line.starts_with("look"))).await;
    let answered = running.handle.operator(asked(Request::Pause { cluster: None, secs: None })).await.unwrap();
    assert!(matches!(answered, Answered::Granted { .. }), "{answered:?}");
    *running.account.looks.lock().unwrap() = LookScript::Answers;
    running.account.go_on.notify_waiters();
    running.until("the outcome", |r| r.has("journal: outcome 1 withheld")).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(running.acted().is_empty());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_muster_that_may_only_look_withholds_every_act_and_says_so() {
    let begin = Begin { options: Options { read_only: true, ..Options::default() }, ..Begin::new(&RESTART) };
    let running = begin.with_a_lost_agent().await;
    running.until("the outcome", |r| r.has("journal: outcome 1 withheld")).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(running.acted().is_empty());
    let entries = crate::support::entries(&running.journal);
    let said = entries.iter().any(|(_, body)| {
        body["record"]["says"].as_str().is_some_and(|says| says.contains("started without leave to act"))
    });
    assert!(said, "{entries:#?}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn answers_grown_old_before_the_call_do_not_count() {
    let (mut performing, mut back, account) = alone(Limits { reread_limit_secs: 60, ..limits() });
    *account.looks.lock().unwrap() = LookScript::Waits;
    account.connect_silently(2, false);
    let fleet = fleet_with_an_open_intent().await;
    let intent = fleet.open_intents().pop().unwrap();
    performing.give(intent.clone(), false);
    tokio::time::sleep(Duration::from_secs(31)).await;
    account.go_on.notify_waiters();
    let Some(Performed::Reread { intent: id, answers }) = back.recv().await else { panic!("the target is read first") };
    performing.go_on(id, &answers, fleet.fleet());
    let Some(Performed::Ended(outcome)) = back.recv().await else { panic!("it ends") };
    assert_eq!(outcome.result.word(), "withheld", "{outcome:?}");
    assert!(outcome.result.says().contains("31 s old"), "{}", outcome.result.says());
    assert!(account.acted.lock().unwrap().is_empty());
}

/// A turn whose fleet has just handed out a restart.
async fn fleet_with_an_open_intent() -> OpenTurn {
    let begin = Begin::new(&RESTART);
    begin.account.acts.lock().unwrap().push_back(ActScript::Hangs);
    let running = begin.with_a_lost_agent().await;
    running.until("the call", |r| r.has("act 1")).await;
    OpenTurn(running.stop().await)
}

struct OpenTurn(engine::Turn);

impl OpenTurn {
    fn fleet(&self) -> &fleet::Fleet {
        self.0.fleet()
    }

    fn open_intents(&self) -> Vec<Intent> {
        self.fleet().open_intents()
    }
}

fn limits() -> Limits {
    Limits { read_only: false, act_api_limit_secs: 15, act_margin_secs: 30, reread_limit_secs: 15, acts_at_once: 64 }
}

fn alone(limits: Limits) -> (Performing, mpsc::Receiver<Performed>, Arc<Account>) {
    let account = Account::new(&Log::default());
    let (sender, back) = mpsc::channel(64);
    let performing = Performing::new(account.clone(), Arc::new(TestClock::new()), None, limits, sender);
    (performing, back, account)
}

fn intent(id: u64, act: Act, host: u32, group: &str) -> Intent {
    Intent {
        id: IntentId(id),
        token: id.to_string(),
        case: CaseId(1),
        remedy: Remedy::Replace,
        act,
        target: Target {
            cluster: CLUSTER.into(),
            place: "111122223333/eu-west-1".into(),
            host: Some(host_arn(host)),
            machine: Some(format!("i-{host:017x}")),
            group: Some(group.into()),
            ..Target::default()
        },
        expects: Expects::default(),
        limit_secs: 60,
    }
}

/// The numbers of the intents whose targets are being read again now.
async fn begun(back: &mut mpsc::Receiver<Performed>) -> Vec<u64> {
    let mut begun = Vec::new();
    for _ in 0..50 {
        tokio::task::yield_now().await;
        while let Ok(performed) = back.try_recv() {
            match performed {
                Performed::Reread { intent, .. } => begun.push(intent.0),
                Performed::Ended(outcome) => panic!("{outcome:?}"),
            }
        }
    }
    begun.sort_unstable();
    begun
}

#[tokio::test(start_paused = true)]
async fn intents_of_one_target_follow_each_other_and_those_of_others_do_not_wait() {
    let (mut performing, mut back, _) = alone(limits());
    performing.give(intent(1, Act::Drain, 1, "a"), false);
    performing.give(intent(2, Act::Deregister, 1, "a"), false);
    performing.give(intent(3, Act::Drain, 2, "a"), false);
    performing.give(intent(4, Act::Undrain, 1, "a"), false);
    assert_eq!(begun(&mut back).await, [1, 3]);
    performing.ended(IntentId(3));
    assert_eq!(begun(&mut back).await, [] as [u64; 0]);
    performing.ended(IntentId(1));
    assert_eq!(begun(&mut back).await, [2]);
    performing.ended(IntentId(2));
    assert_eq!(begun(&mut back).await, [4]);
    assert_eq!(performing.open(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_changes_the_size_of_one_group_does_not_overlap() {
    let (mut performing, mut back, _) = alone(limits());
    performing.give(intent(1, Act::SetDesired { from: 3, to: 4 }, 1, "a"), false);
    performing.give(intent(2, Act::TerminateInGroup { shrink: true }, 2, "a"), false);
    performing.give(intent(3, Act::TerminateInGroup { shrink: true }, 3, "b"), false);
    assert_eq!(begun(&mut back).await, [1, 3]);
    performing.ended(IntentId(1));
    assert_eq!(begun(&mut back).await, [2]);
}

#[tokio::test(start_paused = true)]
async fn nobody_overtakes_an_intent_that_waits_for_the_same_thing() {
    let (mut performing, mut back, _) = alone(limits());
    performing.give(intent(1, Act::Drain, 1, "a"), false);
    performing.give(intent(2, Act::SetDesired { from: 3, to: 4 }, 1, "a"), false);
    performing.give(intent(3, Act::SetDesired { from: 4, to: 5 }, 2, "a"), false);
    assert_eq!(begun(&mut back).await, [1]);
    performing.ended(IntentId(1));
    assert_eq!(begun(&mut back).await, [2]);
    performing.ended(IntentId(2));
    assert_eq!(begun(&mut back).await, [3]);
}

#[tokio::test(start_paused = true)]
async fn no_more_acts_than_allowed_are_under_way_and_none_is_taken_twice() {
    let (mut performing, mut back, _) = alone(Limits { acts_at_once: 2, ..limits() });
    for host in 1..=3 {
        performing.give(intent(u64::from(host), Act::Drain, host, "a"), false);
        performing.give(intent(u64::from(host), Act::Drain, host, "a"), true);
    }
    assert_eq!((begun(&mut back).await, performing.open()), (vec![1, 2], 3));
    performing.ended(IntentId(2));
    performing.ended(IntentId(2));
    assert_eq!((begun(&mut back).await, performing.open()), (vec![3], 2));
}

#[tokio::test(start_paused = true)]
async fn an_act_is_not_made_when_the_fleet_does_not_know_its_intent() {
    let (mut performing, mut back, account) = alone(limits());
    performing.give(intent(1, Act::Drain, 1, "a"), false);
    let Some(Performed::Reread { intent, answers }) = back.recv().await else { panic!("the target is read first") };
    performing.go_on(intent, &answers, &fleet::Fleet::default());
    let Some(Performed::Ended(outcome)) = back.recv().await else { panic!("it ends") };
    assert!(matches!(outcome.result, ActResult::Withheld { .. }), "{outcome:?}");
    assert!(account.acted.lock().unwrap().is_empty());
}

/// A restart or a reboot, ended by a lost disk before every single write to the journal in turn, and taken up again.
async fn ended_before_every_write(ladder: &[Remedy], act: Act) {
    let mut interrupted_acts = 0;
    for last in 1.. {
        let begin = Begin::new(ladder);
        begin.account.pings.store(act == Act::RestartAgent, Ordering::Relaxed);
        *begin.journal.ends_after.lock().unwrap() = Some(last);
        let running = begin.run();
        let (account, journal) = (running.account.clone(), running.journal.clone());
        tokio::time::sleep(Duration::from_secs(5)).await;
        account.connect(2, false);
        tokio::time::sleep(Duration::from_secs(100)).await;
        running.handle.stop();
        let survived = running.task.await.unwrap().is_ok();
        let before = account.acted.lock().unwrap().len();
        interrupted_acts += usize::from(!survived && before > 0);
        *journal.ends_after.lock().unwrap() = None;
        let again = Begin { account: account.clone(), journal: journal.clone(), ..Begin::new(ladder) }.run();
        again.until("the act", |r| r.acted().iter().any(|(it, _)| *it == act)).await;
        again.until("its outcome", |r| r.handle.status().intents_open == 0).await;
        let turn = again.stop().await;
        assert_eq!(engine::check::check(turn.journal()).unwrap().difference, None, "write {last}");
        let acted = account.acted.lock().unwrap();
        for (intent, _) in acted.iter() {
            let calls: Vec<bool> = acted.iter().filter(|(it, _)| it.id == intent.id).map(|(_, again)| *again).collect();
            let most = if act.may_be_repeated() { 2 } else { 1 };
            let of_act = intent.act == act;
            assert!(calls.len() <= if of_act { most } else { 2 }, "write {last}: {} {calls:?}", intent.act.word());
            assert!(calls.iter().skip(1).all(|again| *again), "write {last}: a second call that does not say so");
        }
        let log = journal.log.lock().unwrap().clone();
        for line in log.iter().filter_map(|line| line.strip_prefix("act ")) {
            let intended = format!("journal: intended {line}");
            assert!(log.contains(&intended), "write {last}: {line} without its intent");
        }
        if survived {
            break;
        }
    }
    assert!(interrupted_acts > 0, "some write comes between the call and its outcome");
}

#[tokio::test(start_paused = true)]
async fn a_restart_ended_before_any_write_to_the_journal_is_taken_up_again() {
    ended_before_every_write(&RESTART, Act::RestartAgent).await;
}

#[tokio::test(start_paused = true)]
async fn a_reboot_ended_before_any_write_to_the_journal_is_never_done_twice() {
    ended_before_every_write(&[Remedy::Reboot], Act::Reboot).await;
}

#[tokio::test(start_paused = true)]
async fn acts_are_counted_by_act_and_result() {
    let running = Begin::new(&RESTART).with_a_lost_agent().await;
    running.until("the outcome", |r| r.ended("restart-agent", "done") == 1).await;
    let samples = running.handle.status().samples();
    let sample = samples.iter().find(|sample| sample.name == "muster_acts_total").unwrap();
    let labels = vec![("act", "restart-agent".to_owned()), ("result", "done".to_owned())];
    assert_eq!((&sample.labels, sample.value), (&labels, 1.0));
    for name in ["muster_intents_open", "muster_leading", "muster_pages_open"] {
        assert!(samples.iter().any(|sample| sample.name == name), "{name}");
    }
    let counters = running.handle.counters().await.unwrap();
    assert_eq!((counters.acts, counters.outcomes), (1, 1));
    running.stop().await;
}
