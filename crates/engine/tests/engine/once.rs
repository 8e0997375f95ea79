//! A single pass.

use std::sync::{Arc, Mutex};

use engine::{
    journal::MemoryJournal,
    once::OnceError,
    ports::{Answer, Scope},
    recover, run_once,
};
use fleet::{
    notice::route::{Route, Routing},
    policy::Policy,
    remedy::Remedy,
};

use crate::{
    account::{Account, Log, acting},
    support::{CLUSTER, ScriptedCloud, SweepScript, TestClock, failure, fresh_turn, host_sweep, instance, start},
};

fn cloud(script: SweepScript) -> Arc<ScriptedCloud> {
    Arc::new(ScriptedCloud { sweeps: Mutex::new([script].into()), ..ScriptedCloud::default() })
}

#[tokio::test(start_paused = true)]
async fn one_pass_sees_every_host_tells_its_progress_and_ends() {
    let hosts = (0..3).map(|host| instance(host, 1, true)).collect();
    let cloud = cloud(SweepScript::Answers(vec![
        Answer::Progress { what: "hosts of prod".into(), done: 0, total: Some(3) },
        Answer::Swept(host_sweep(start(), hosts)),
        Answer::Progress { what: "hosts of prod".into(), done: 3, total: Some(3) },
    ]));
    let mut turn = fresh_turn();
    let mut progress = Vec::new();
    let outcome = run_once(cloud.clone(), &mut turn, &TestClock::new(), &mut |what, done, total| {
        progress.push((what.to_owned(), done, total));
    })
    .await
    .unwrap();
    assert_eq!((outcome.answered, outcome.failed.len()), (1, 0));
    assert_eq!(progress, [("hosts of prod".into(), 0, Some(3)), ("hosts of prod".into(), 3, Some(3))]);
    assert_eq!(*cloud.swept.lock().unwrap(), 1);
    let hosts = turn
        .fleet()
        .roll_call(outcome.ended_at, None)
        .clusters
        .iter()
        .map(|cluster| cluster.hosts.len())
        .sum::<usize>();
    assert_eq!(hosts, 3);
}

#[tokio::test(start_paused = true)]
async fn scopes_that_failed_are_named() {
    let denied =
        failure(Scope::ClusterHosts(CLUSTER.into()), "not allowed to list hosts: allow ecs:ListContainerInstances");
    let cloud = cloud(SweepScript::Answers(vec![Answer::Failed(denied.clone())]));
    let outcome = run_once(cloud, &mut fresh_turn(), &TestClock::new(), &mut |_, _, _| {}).await.unwrap();
    assert_eq!(outcome.failed.first(), Some(&denied));
    assert_eq!(outcome.answered, 0);
}

#[tokio::test(start_paused = true)]
async fn looks_that_the_core_asks_for_are_performed_once_each() {
    let hosts = (0..3).map(|host| instance(host, 1, host != 1)).collect();
    let cloud = cloud(SweepScript::Answers(vec![Answer::Swept(host_sweep(start(), hosts))]));
    let outcome = run_once(cloud.clone(), &mut fresh_turn(), &TestClock::new(), &mut |_, _, _| {}).await.unwrap();
    let looks = cloud.looks.lock().unwrap().clone();
    assert_eq!(looks.len() as u64, outcome.looks);
    assert!(looks.iter().enumerate().all(|(index, look)| !looks[..index].contains(look)), "{looks:?}");
    assert_eq!(outcome.failed.len(), looks.len(), "the script fails every look");
}

#[tokio::test(start_paused = true)]
async fn a_pass_touches_nothing_and_tells_nobody_and_says_what_it_has_left_undone() {
    let account = Account::new(&Log::default());
    account.connect_silently(2, false);
    let route = Route { receivers: vec!["slack".into()], ..Route::default() };
    let routing = Routing { routes: vec![route], wait_secs: 0, ..Routing::default() };
    let policy = Policy { grace_secs: 0, act_after_secs: 0, fail_after: 0, routing, ..acting(&[Remedy::RestartAgent]) };
    let mut turn = recover(Box::new(MemoryJournal::new()), policy, "test", start()).unwrap().turn;
    let clock = TestClock::new();
    let (mut acts, mut pages) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let outcome = run_once(account.clone(), &mut turn, &clock, &mut |_, _, _| {}).await.unwrap();
        acts.extend(outcome.acts);
        pages.extend(outcome.pages);
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    }
    assert!(account.acted.lock().unwrap().is_empty());
    assert_eq!(pages.len(), 1);
    assert_eq!((acts, pages), (turn.fleet().open_intents(), turn.fleet().owed_pages()));
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_panics_is_an_error_and_no_healthy_fleet() {
    let outcome = run_once(cloud(SweepScript::Panics), &mut fresh_turn(), &TestClock::new(), &mut |_, _, _| {}).await;
    match outcome {
        Err(OnceError::Panicked { panic, .. }) => assert_eq!(panic, "the script says so"),
        other => panic!("{other:?}"),
    }
}
