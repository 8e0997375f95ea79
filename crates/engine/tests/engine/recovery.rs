//! Turns and coming back: as if muster had never stopped.

use engine::{
    Arrival, Turn, TurnError,
    check::check,
    journal::{JournalReader, MemoryJournal, SqliteJournal},
    ports::{Journal, JournalError, Scope},
    recover,
    recover::RecoverError,
};
use fleet::{
    observation::{Observation, Source},
    policy::Policy,
    snapshot,
};
use proptest::prelude::*;

use crate::support::{
    CLUSTER, SharedJournal, count, entries, failure, fresh_turn, host_sweep, instance, instance_event, later,
    recovered, start,
};

#[test]
fn a_turn_journals_news_drops_duplicates_and_sets_nonsense_aside() {
    let mut turn = fresh_turn();
    let event = instance_event(1, 5, true, start());
    let older = instance_event(1, 4, false, start());
    let arrivals = [Arrival::Event(&event), Arrival::Event(&event), Arrival::Event(&older), Arrival::Event(b"{\"no")];
    let taken = turn.take(later(3), arrivals).unwrap();
    let counters = turn.counters();
    assert_eq!((counters.received, counters.duplicates, counters.stale, counters.set_aside), (4, 1, 1, 1));
    assert_eq!((count(turn.journal(), "input"), count(turn.journal(), "set-aside")), (1, 1));
    assert_eq!(taken.last_seq, turn.last_seq());
    assert_eq!(entries(turn.journal()).len() as i64, taken.last_seq);
    assert!((counters.event_lag_secs - 3.0).abs() < 1e-9);
}

#[test]
fn a_turn_of_nothing_but_duplicates_writes_nothing() {
    let mut turn = fresh_turn();
    let event = instance_event(1, 5, true, start());
    let before = turn.take(later(1), [Arrival::Event(&event)]).unwrap().last_seq;
    assert_eq!(turn.take(later(2), [Arrival::Event(&event)]).unwrap().last_seq, before);
}

#[test]
fn hostile_messages_are_kept_whole_and_the_rest_of_the_batch_goes_on() {
    let mut turn = fresh_turn();
    let good = instance_event(1, 1, true, start());
    let deep = vec![b'['; 100_000];
    let huge = vec![b' '; fleet::observation::decode::MAX_EVENT_BYTES + 1];
    let hostile: [&[u8]; 6] = [b"", b"\xff\xfe", b"null", &deep, &huge, &good[..good.len() / 2]];
    let arrivals = hostile.iter().map(|bytes| Arrival::Event(bytes)).chain([Arrival::Event(&good)]);
    turn.take(later(1), arrivals).unwrap();
    assert_eq!(turn.counters().set_aside, 6);
    assert_eq!((count(turn.journal(), "set-aside"), count(turn.journal(), "input")), (6, 1));
}

#[test]
fn a_refused_append_stops_the_turn_for_good_and_recovery_knows_only_what_was_written() {
    let journal = SharedJournal::default();
    let mut turn = recovered(journal.clone(), start()).turn;
    let first = instance_event(1, 1, true, start());
    let second = instance_event(2, 1, true, start());
    let last = turn.take(later(1), [Arrival::Event(&first)]).unwrap().last_seq;
    let believed = snapshot::save(turn.fleet());
    *journal.refuse_after.lock().unwrap() = Some(last);
    let refused = turn.take(later(2), [Arrival::Event(&second)]).unwrap_err();
    assert!(matches!(refused, TurnError::Journal(JournalError::Full { .. })), "{refused}");
    assert!(matches!(turn.take(later(3), [Arrival::Tick]), Err(TurnError::Ahead)));
    assert!(matches!(turn.stop(later(3)), Err(TurnError::Ahead)));
    *journal.refuse_after.lock().unwrap() = None;
    let mut back = recovered(journal, later(4)).turn;
    assert!(snapshot::save(back.fleet()) == believed);
    // The message was never acknowledged, so it comes again, and is news.
    back.take(later(5), [Arrival::Event(&second)]).unwrap();
    assert_eq!(back.counters().duplicates, 0);
}

#[test]
fn a_message_that_comes_again_after_a_crash_between_append_and_acknowledge_is_a_duplicate() {
    let journal = SharedJournal::default();
    let mut turn = recovered(journal.clone(), start()).turn;
    let event = instance_event(1, 1, false, start());
    turn.take(later(1), [Arrival::Event(&event)]).unwrap();
    drop(turn);
    let mut back = recovered(journal.clone(), later(2)).turn;
    back.take(later(3), [Arrival::Event(&event)]).unwrap();
    assert_eq!((back.counters().duplicates, count(&journal, "input")), (1, 1));
}

#[test]
fn a_graceful_stop_needs_no_replay_and_owes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut turn = recovered(SqliteJournal::open(dir.path()).unwrap(), start()).turn;
    turn.take(later(1), [Arrival::Swept(host_sweep(later(1), vec![instance(1, 1, true)]))]).unwrap();
    turn.stop(later(2)).unwrap();
    let believed = snapshot::save(turn.fleet());
    drop(turn);
    let back = recovered(SqliteJournal::open(dir.path()).unwrap(), later(3));
    assert!(back.stopped_in_order && back.from_snapshot.is_some());
    assert_eq!((back.replayed, back.owed), (0, Default::default()));
    assert!(snapshot::save(back.turn.fleet()) == believed);
    assert_eq!((count(back.turn.journal(), "started"), count(back.turn.journal(), "stopped")), (2, 1));
}

#[test]
fn what_the_last_turn_asked_for_is_owed_after_a_crash() {
    let journal = SharedJournal::default();
    let mut turn = recovered(journal.clone(), start()).turn;
    turn.take(start(), [Arrival::Swept(host_sweep(start(), (0..5).map(|host| instance(host, 1, true)).collect()))])
        .unwrap();
    let event = instance_event(1, 2, false, later(10));
    turn.take(later(10), [Arrival::Event(&event)]).unwrap();
    let mut asked = None;
    for _ in 0..50 {
        let Some(wake_at) = turn.wake_at() else { break };
        let taken = turn.take(wake_at, [Arrival::Tick]).unwrap();
        if !taken.looks.is_empty() || !taken.notices.is_empty() {
            asked = Some(taken);
            break;
        }
    }
    let asked = asked.expect("an agent that stays away is looked at again");
    let now = turn.last_at();
    drop(turn);
    let back = recovered(journal, now);
    assert!(!back.stopped_in_order);
    assert_eq!((back.owed.looks, back.owed.notices), (asked.looks, asked.notices));
}

#[test]
fn an_unreadable_snapshot_is_replaced_by_a_replay_from_the_beginning() {
    let journal = SharedJournal::default();
    let mut turn = recovered(journal.clone(), start()).turn;
    let event = instance_event(1, 1, true, start());
    turn.take(later(1), [Arrival::Event(&event)]).unwrap();
    let believed = snapshot::save(turn.fleet());
    let last = turn.last_seq();
    journal.inner.lock().unwrap().keep_snapshot(last, later(1), b"not a snapshot").unwrap();
    let back = recovered(journal, later(2));
    assert_eq!((back.from_snapshot, back.replayed as i64), (None, last));
    assert!(snapshot::save(back.turn.fleet()) == believed);
}

#[test]
fn a_pruned_journal_without_a_readable_snapshot_says_what_to_do() {
    let mut journal = MemoryJournal::new();
    journal.append(start(), &[fleet::journal::Body::Stopped, fleet::journal::Body::Stopped], &[]).unwrap();
    journal.keep_snapshot(1, start(), b"not a snapshot").unwrap();
    journal.prune(start(), 0).unwrap();
    let error = recover(Box::new(journal), Policy::default(), "test", start()).unwrap_err();
    assert!(matches!(error, RecoverError::NoGround { first: 2 }), "{error}");
    assert!(error.to_string().contains("move the data directory aside"));
}

#[test]
fn a_new_policy_replaces_the_old_one_and_is_on_record() {
    let journal = SharedJournal::default();
    drop(recovered(journal.clone(), start()));
    let policy = Policy { grace_secs: 7, ..Policy::default() };
    let back = recover(Box::new(journal.clone()), policy.clone(), "test", later(1)).unwrap();
    assert_eq!(*back.turn.fleet().policy(), policy);
    let (_, started) = entries(&journal).pop().unwrap();
    assert_eq!(started["started"]["policy"]["grace_secs"], 7);
}

#[test]
fn snapshots_are_kept_on_the_way_and_retention_follows_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut turn = recovered(SqliteJournal::open(dir.path()).unwrap(), start()).turn;
    turn.snapshot_every(10);
    turn.keep_entries(Some(5));
    for number in 0..60 {
        turn.take(later(number), [Arrival::Tick]).unwrap();
    }
    assert!(turn.counters().snapshots >= 4, "{:?}", turn.counters());
    let believed = snapshot::save(turn.fleet());
    let last_seq = turn.last_seq();
    drop(turn);
    let reader = JournalReader::open(dir.path()).unwrap();
    let verified = reader.verify().unwrap();
    assert!(verified.first > 1);
    assert_eq!(verified.last, last_seq);
    assert_eq!(check(&reader).unwrap().difference, None);
    let back = recovered(SqliteJournal::open(dir.path()).unwrap(), later(60)).turn;
    assert!(snapshot::save(back.fleet()) == believed);
}

#[test]
fn a_clock_that_goes_back_a_little_stands_still_and_every_entry_has_its_time() {
    let mut turn = fresh_turn();
    turn.take(later(100), [Arrival::Tick]).unwrap();
    turn.take(later(70), [Arrival::Tick]).unwrap();
    assert_eq!((turn.last_at(), turn.counters().clock_steps_back), (later(100), 1));
    turn.take(later(-86_400), [Arrival::Tick]).unwrap();
    assert_eq!((turn.last_at(), turn.counters().clock_steps_back), (later(-86_400), 2));
}

#[test]
fn a_record_that_the_inputs_do_not_explain_is_found() {
    let journal = SharedJournal::default();
    let mut turn = recovered(journal.clone(), start()).turn;
    turn.take(later(1), [Arrival::Tick]).unwrap();
    assert_eq!(check(&journal).unwrap().difference, None);
    let invented = fleet::journal::Record::GapNoted { arn: "a".into(), held: 1, came: 3 };
    let seq = journal.clone().append(later(2), &[fleet::journal::Body::Record(invented.clone())], &[]).unwrap();
    let difference = check(&journal).unwrap().difference.unwrap();
    assert_eq!((difference.seq, difference.journaled, difference.replayed), (seq, Some(invented), None));
}

#[derive(Clone, Debug)]
enum Move {
    Event { host: u32, version: i64, connected: bool, age_secs: i64 },
    Sweep(Vec<(u32, i64, bool)>),
    Fail,
    Tick,
    Nonsense(Vec<u8>),
}

fn moves() -> impl Strategy<Value = Vec<(i64, Vec<Move>)>> {
    let one = prop_oneof![
        6 => (0..8u32, 1..40i64, any::<bool>(), 0..300i64)
            .prop_map(|(host, version, connected, age_secs)| Move::Event { host, version, connected, age_secs }),
        2 => prop::collection::vec((0..8u32, 1..40i64, any::<bool>()), 0..8).prop_map(Move::Sweep),
        1 => Just(Move::Fail),
        3 => Just(Move::Tick),
        1 => prop::collection::vec(any::<u8>(), 0..20).prop_map(Move::Nonsense),
    ];
    prop::collection::vec((0..400i64, prop::collection::vec(one, 1..5)), 1..40)
}

fn play(turn: &mut Turn, at: jiff::Timestamp, moves: &[Move]) {
    let bytes: Vec<Vec<u8>> = moves
        .iter()
        .map(|one| match one {
            Move::Event { host, version, connected, age_secs } => {
                instance_event(*host, *version, *connected, at - jiff::SignedDuration::from_secs(*age_secs))
            }
            Move::Nonsense(bytes) => bytes.clone(),
            _ => Vec::new(),
        })
        .collect();
    let arrivals = moves.iter().zip(&bytes).map(|(one, bytes)| match one {
        Move::Event { .. } | Move::Nonsense(_) => Arrival::Event(bytes),
        Move::Sweep(hosts) => {
            let facts = hosts.iter().map(|(host, version, connected)| instance(*host, *version, *connected)).collect();
            Arrival::Swept(host_sweep(at, facts))
        }
        Move::Fail => Arrival::LookFailed(failure(Scope::ClusterHosts(CLUSTER.into()), "the script says so")),
        Move::Tick => Arrival::Tick,
    });
    turn.take(at, arrivals).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn recovery_at_any_point_equals_never_having_stopped(
        moves in moves(),
        stops in prop::collection::btree_map(0..40usize, any::<bool>(), 0..4),
        snapshot_every in 1..30u32,
    ) {
        let (steady, stopping) = (SharedJournal::default(), SharedJournal::default());
        let mut steady_turn = recovered(steady.clone(), start()).turn;
        let mut turn = recovered(stopping.clone(), start()).turn;
        let mut at = start();
        for (index, (pause, moves)) in moves.iter().enumerate() {
            at += jiff::SignedDuration::from_secs(*pause);
            turn.snapshot_every(snapshot_every);
            play(&mut steady_turn, at, moves);
            play(&mut turn, at, moves);
            match stops.get(&index) {
                None => {}
                Some(in_order) => {
                    if *in_order {
                        turn.stop(at).unwrap();
                    }
                    drop(turn);
                    let back = recovered(stopping.clone(), at);
                    prop_assert_eq!(back.stopped_in_order, *in_order);
                    turn = back.turn;
                }
            }
            prop_assert!(snapshot::save(turn.fleet()) == snapshot::save(steady_turn.fleet()), "after turn {index}");
        }
        prop_assert_eq!(count(&stopping, "input"), count(&steady, "input"));
        prop_assert_eq!(count(&stopping, "record"), count(&steady, "record"));
        for journal in [&steady, &stopping] {
            let checked = check(journal).unwrap();
            prop_assert_eq!(checked.difference, None);
            prop_assert_eq!(checked.records as usize, count(journal, "record"));
        }
    }
}

#[test]
fn a_host_report_is_weighed_like_an_event() {
    let mut turn = fresh_turn();
    let report = Observation { at: start(), source: Source::Report, fact: instance(1, 1, true) };
    turn.take(later(1), [Arrival::Observed(report.clone())]).unwrap();
    turn.take(later(2), [Arrival::Observed(report)]).unwrap();
    assert_eq!((turn.counters().inputs, turn.counters().duplicates), (1, 1));
}
