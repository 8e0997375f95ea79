//! The keeper alone, and against groups that launch late, fail, and are changed by others (I15).

use proptest::prelude::*;

use super::*;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + secs).unwrap()
}

fn declared() -> Declared {
    Declared { copies: 8, max_hosts: 10, step_hosts: 3, ..Declared::default() }
}

fn pool() -> Pool {
    Pool { copies_now: 2, copies_per_host: 4, desired: 5, group_min: 1, group_max: 20, members: 5, ..Pool::default() }
}

fn held(decision: &Decision) -> &str {
    match decision {
        Decision::Hold { because, .. } => because,
        other => panic!("not held: {other:?}"),
    }
}

#[test]
fn a_shortage_is_met_once() {
    let mut memory = Memory::default();
    let decision = decide(&declared(), &pool(), &mut memory, at(0));
    assert!(matches!(decision, Decision::Raise { by: 2, to: 7, .. }), "{decision:?}");
    // The group has not been read anew yet, then launches.
    for desired in [5, 7] {
        let decision = decide(&declared(), &Pool { desired, ..pool() }, &mut memory, at(600));
        assert!(held(&decision).contains("2 more hosts are on their way"), "{decision:?}");
    }
    let come = Pool { desired: 7, members: 7, copies_now: 10, ..pool() };
    assert_eq!(decide(&declared(), &come, &mut memory, at(700)), Decision::Enough);
}

#[test]
fn hosts_that_never_come_are_no_reason_to_launch_others() {
    let mut memory = Memory { raised_at: Some(at(0)), raised_to: 7, ..Memory::default() };
    let decision = decide(&declared(), &Pool { desired: 7, ..pool() }, &mut memory, at(90_000));
    assert!(held(&decision).contains("on their way"));
}

#[test]
fn the_maximum_the_step_and_the_cool_down_are_kept() {
    let mut memory = Memory::default();
    let large = Declared { copies: 400, ..declared() };
    assert!(matches!(decide(&large, &pool(), &mut memory, at(0)), Decision::Raise { by: 3, to: 8, .. }));
    let more = Pool { desired: 8, members: 8, ..pool() };
    assert!(held(&decide(&large, &more, &mut memory, at(60))).contains("not old enough"));
    assert!(matches!(decide(&large, &more, &mut memory, at(200)), Decision::Raise { by: 2, to: 10, .. }));
    let full = Pool { desired: 10, members: 10, ..pool() };
    assert!(held(&decide(&large, &full, &mut memory, at(900))).contains("may have 10"));
    let over = Pool { desired: 30, members: 30, ..pool() };
    assert!(held(&decide(&large, &over, &mut memory, at(1_800))).contains("has 30 hosts"));
}

#[test]
fn nothing_is_launched_while_launches_fail_and_the_wait_grows() {
    let failing = |failures| Pool { launch_failed_at: Some(at(0)), launch_failures: failures, ..pool() };
    for (failures, wait) in [(0, 300), (1, 300), (2, 600), (3, 1_200), (5, 4_800), (99, 4_800)] {
        let decision = decide(&declared(), &failing(failures), &mut Memory::default(), at(wait - 1));
        assert!(matches!(&decision, Decision::Hold { until: Some(until), .. } if *until == at(wait)), "{decision:?}");
        let decision = decide(&declared(), &failing(failures), &mut Memory::default(), at(wait));
        assert!(matches!(decision, Decision::Raise { .. }), "{decision:?}");
    }
}

#[test]
fn who_owns_the_size_of_a_group_is_advised_and_not_fought() {
    let managed = Pool { managed_scaling: true, ..pool() };
    let mut memory = Memory::default();
    assert!(matches!(decide(&declared(), &managed, &mut memory, at(0)), Decision::Advise { by: 2, .. }));
    assert_eq!(memory, Memory::default());
    let plenty = Pool { copies_now: 900, empty: vec!["i-1".into()], ..managed };
    let keen = Declared { scale_in: true, ..declared() };
    assert_eq!(decide(&keen, &plenty, &mut memory, at(90_000)), Decision::Enough);
}

#[test]
fn a_host_that_would_take_none_is_not_launched() {
    let decision = decide(&declared(), &Pool { copies_per_host: 0, ..pool() }, &mut Memory::default(), at(0));
    assert!(held(&decision).contains("would take none"));
}

#[test]
fn one_empty_host_goes_when_there_has_long_been_too_much() {
    let keen = Declared { scale_in: true, ..declared() };
    let plenty = Pool { copies_now: 16, empty: vec!["i-1".into(), "i-2".into()], ..pool() };
    let mut memory = Memory::default();
    assert!(held(&decide(&keen, &plenty, &mut memory, at(0))).contains("may not last"));
    assert!(held(&decide(&keen, &plenty, &mut memory, at(3_599))).contains("may not last"));
    let decision = decide(&keen, &plenty, &mut memory, at(3_600));
    assert!(matches!(&decision, Decision::End { machine, .. } if machine == "i-1"), "{decision:?}");
    assert!(held(&decide(&keen, &plenty, &mut memory, at(3_700))).contains("may not last"));
    // A shortage in between begins the wait anew.
    decide(&keen, &pool(), &mut memory, at(7_000));
    assert!(memory.plenty_since.is_none());
    for other in [
        Pool { empty: Vec::new(), ..plenty.clone() },
        Pool { desired: 6, ..plenty.clone() },
        Pool { terminate_suspended: true, ..plenty.clone() },
        Pool { group_min: 5, ..plenty.clone() },
        Pool { copies_now: 11, ..plenty.clone() },
    ] {
        let mut memory = Memory { plenty_since: Some(at(0)), ..Memory::default() };
        assert_eq!(decide(&keen, &other, &mut memory, at(90_000)), Decision::Enough, "{other:?}");
    }
}

/// What happens to a group between two decisions.
#[derive(Clone, Debug)]
enum Move {
    Wait(u16),
    Launch,
    Fail,
    Place(u8),
    Stop(u8),
    Lose,
    Set(u8),
    /// The group is read again; between, what is known of it is old.
    Read,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        4 => (1_u16..900).prop_map(Move::Wait),
        3 => Just(Move::Launch),
        1 => Just(Move::Fail),
        2 => (1_u8..9).prop_map(Move::Place),
        1 => (1_u8..9).prop_map(Move::Stop),
        1 => Just(Move::Lose),
        1 => (0_u8..12).prop_map(Move::Set),
        3 => Just(Move::Read),
    ];
    prop::collection::vec(one, 1..120)
}

proptest! {
    /// I15: never past the maximum, never twice for one shortage, never while launches fail, never a host with tasks.
    #[test]
    fn a_pool_is_never_pushed_too_far(moves in moves(), copies in 1_u32..20, max in 0_u32..12, per_host in 1_u64..6) {
        let declared = Declared { copies, max_hosts: max, step_hosts: 3, scale_in: true, scale_in_after_secs: 600, ..Declared::default() };
        let (mut now, mut memory) = (0_i64, Memory::default());
        // The truth: hosts with so many copies on each, and how many the group wants.
        let (mut hosts, mut desired) = (vec![0_u64; 2], 2_u32);
        let (mut failed_at, mut failures) = (None, 0_u32);
        let mut known = (2_u32, 2_u32);
        for step in moves {
            match step {
                Move::Wait(secs) => now += i64::from(secs),
                Move::Launch if (hosts.len() as u32) < desired => { hosts.push(0); failures = 0; failed_at = None; }
                Move::Fail if (hosts.len() as u32) < desired => { failed_at = Some(at(now)); failures += 1; }
                Move::Place(tasks) => for _ in 0..tasks {
                    if let Some(host) = hosts.iter_mut().find(|held| **held < per_host) { *host += 1; }
                },
                Move::Stop(tasks) => for _ in 0..tasks {
                    if let Some(host) = hosts.iter_mut().find(|held| **held > 0) { *host -= 1; }
                },
                Move::Lose => { hosts.pop(); }
                Move::Set(wanted) => { desired = wanted.into(); known.0 = desired; }
                Move::Read => known = (desired, hosts.len() as u32),
                _ => {}
            }
            let pool = Pool {
                copies_now: hosts.iter().map(|held| per_host - held).sum(),
                copies_per_host: per_host,
                desired: known.0,
                group_min: 0,
                group_max: 100,
                members: known.1.min(hosts.len() as u32),
                launch_failed_at: failed_at,
                launch_failures: failures,
                empty: hosts.iter().enumerate().filter(|(_, held)| **held == 0).map(|(host, _)| host.to_string()).collect(),
                ..Pool::default()
            };
            let before = memory.clone();
            match decide(&declared, &pool, &mut memory, at(now)) {
                Decision::Raise { by, to, .. } => {
                    prop_assert!(to <= max && to == pool.desired + by && (1..=3).contains(&by));
                    prop_assert!(failed_at.is_none_or(|failed| at(now) >= after(failed, declared.failure_wait_secs)));
                    // What is lacking, if all that are on their way had come, is not met twice over.
                    let on_their_way = u64::from(pool.desired.saturating_sub(pool.members));
                    let missing = u64::from(copies).saturating_sub(pool.copies_now + on_their_way * per_host);
                    prop_assert!(missing > 0 && u64::from(by) <= missing.div_ceil(per_host));
                    prop_assert!(before.raised_at.is_none_or(|raised| at(now) >= after(raised, declared.cool_down_secs)));
                    desired = desired.max(to);
                    // `known` stays as it was: the next decision may be made before the group is read again.
                }
                Decision::End { machine, .. } => {
                    let host: usize = machine.parse().unwrap();
                    prop_assert_eq!(hosts[host], 0);
                    prop_assert!(pool.copies_now >= u64::from(copies) + per_host);
                    prop_assert!(before.lowered_at.is_none_or(|ended| at(now) >= after(ended, 600)));
                    hosts.remove(host);
                    desired = desired.saturating_sub(1);
                    known = (desired, hosts.len() as u32);
                }
                _ => {}
            }
        }
    }

    /// Decided again and again on one old reading of the group, a shortage is met once.
    #[test]
    fn one_shortage_is_met_once_however_often_it_is_looked_at(looks in 1_usize..50, every in 1_i64..17) {
        let mut memory = Memory::default();
        let raised: u32 = (0..looks).map(|look| match decide(&declared(), &pool(), &mut memory, at(look as i64 * every)) {
            Decision::Raise { by, .. } => by,
            _ => 0,
        }).sum();
        prop_assert_eq!(raised, 2);
    }
}
