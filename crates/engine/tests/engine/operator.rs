//! What operators ask of a running muster: answered from the record, kept over restarts.

use engine::run::Stopped;
use fleet::{
    id::CaseId,
    operator::{Answered, Asked, Request},
    remedy::Remedy,
};

use crate::{account::Begin, support::entries};

fn asked(request: Request<'static>) -> Asked<'static> {
    Asked { who: "ada".into(), why: "maintenance".into(), request }
}

#[tokio::test(start_paused = true)]
async fn a_request_is_answered_when_it_is_in_the_journal_with_who_and_why() {
    let running = Begin::new(&[Remedy::RestartAgent]).run();
    let answered = running.handle.operator(asked(Request::Pause { cluster: None, secs: Some(600) })).await.unwrap();
    let Answered::Granted { note } = &answered else { panic!("{answered:?}") };
    let journaled = entries(&running.journal);
    let record = journaled.iter().map(|(_, body)| &body["record"]).find(|record| record["kind"] == "operator-asked");
    let record = record.unwrap();
    assert_eq!((&record["who"], &record["why"]), (&"ada".into(), &"maintenance".into()));
    assert_eq!(record["answer"]["granted"]["note"], note.as_str());
    assert!(record["until"].as_str().is_some_and(|until| until.starts_with("2026-10-02T00:10:00")), "{record}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_is_refused_with_a_reason() {
    let running = Begin::new(&[]).run();
    let answered = running.handle.operator(asked(Request::Approve { case: CaseId(77) })).await.unwrap();
    assert!(matches!(&answered, Answered::Refused { why } if why.contains("77")), "{answered:?}");
    assert_eq!(running.handle.counters().await.unwrap().requests, 1);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn requests_made_at_once_are_each_given_their_own_answer() {
    let running = Begin::new(&[]).run();
    let (pause, approve) = tokio::join!(
        running.handle.operator(asked(Request::Pause { cluster: None, secs: None })),
        running.handle.operator(asked(Request::Approve { case: CaseId(5) })),
    );
    assert!(matches!(pause, Ok(Answered::Granted { .. })), "{pause:?}");
    assert!(matches!(approve, Ok(Answered::Refused { .. })), "{approve:?}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn nobody_answers_after_the_end() {
    let running = Begin::new(&[]).run();
    let handle = running.handle.clone();
    running.stop().await;
    assert_eq!(handle.operator(asked(Request::Resume { cluster: None })).await, Err(Stopped));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_cannot_be_journaled_is_not_answered() {
    let begin = Begin::new(&[]);
    *begin.journal.refuses.lock().unwrap() = Some("asked");
    let running = begin.run();
    let answered = running.handle.operator(asked(Request::Pause { cluster: None, secs: None })).await;
    assert_eq!(answered, Err(Stopped));
    assert!(running.task.await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn the_kill_switch_holds_over_a_kill_and_a_restart() {
    let running = Begin::new(&[Remedy::RestartAgent]).run();
    running.until("the first sweep", |r| r.handle.status().sweeps == 1).await;
    running.handle.operator(asked(Request::Pause { cluster: None, secs: None })).await.unwrap();
    let (account, journal) = running.kill().await;
    let running = Begin { account, journal, ..Begin::new(&[Remedy::RestartAgent]) }.run();
    running.account.connect(2, false);
    tokio::time::sleep(std::time::Duration::from_secs(1_800)).await;
    assert!(running.acted().is_empty());
    running.handle.operator(asked(Request::Resume { cluster: None })).await.unwrap();
    running.until("the act", |r| !r.acted().is_empty()).await;
    running.stop().await;
}
