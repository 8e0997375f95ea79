//! Drawn stories: hosts come and go, operators silence, receivers fail, muster is started anew.

use std::collections::BTreeMap;

use fleet::{
    journal::Trouble,
    notice::{
        page::PageKind,
        route::{GroupBy, Heartbeat, Route},
    },
    operator::Request,
    policy::Policy,
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::account::{Account, policy, receivers};

const HOSTS: usize = 10;
const INTERVAL_SECS: i64 = 60;
/// A group waits, an update waits for the page before it to arrive and for the interval, and after a loss for a minute.
const TOLD_WITHIN_SECS: i64 = 10 + 20 + INTERVAL_SECS + 60 + 10;

#[derive(Clone, Debug)]
enum Move {
    Set(usize, bool),
    Silence(u8, u32),
    Unsilence(u32),
    Unreachable(bool, bool),
    Delay(i64),
    Wait(i64),
    Restart,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        6 => (0..HOSTS, prop::bool::weighted(0.4)).prop_map(|(host, connected)| Move::Set(host, connected)),
        2 => (0..4u8, 60..900u32).prop_map(|(what, secs)| Move::Silence(what, secs)),
        1 => (1..6u32).prop_map(Move::Unsilence),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(pager, mail)| Move::Unreachable(pager, mail)),
        1 => (0..20i64).prop_map(Move::Delay),
        5 => (1..400i64).prop_map(Move::Wait),
        1 => Just(Move::Restart),
    ];
    prop::collection::vec(one, 1..60)
}

fn drawn_policy(by_host: bool) -> Policy {
    let routes = vec![
        Route { clusters: vec!["c-0".into()], receivers: receivers(&["team"]), go_on: true, ..Route::default() },
        Route {
            receivers: receivers(&["pager"]),
            group_by: if by_host { vec![GroupBy::Host] } else { Vec::new() },
            repeat_secs: Some(1_800),
            ..Route::default()
        },
    ];
    let mut policy = policy(routes);
    policy.routing.interval_secs = INTERVAL_SECS as u32;
    policy.routing.heartbeat = Some(Heartbeat { receiver: "pulse".to_owned(), every_secs: 600 });
    policy
}

/// All that the books say of one incident at one receiver.
fn judge_incidents(account: &Account) -> Result<(), TestCaseError> {
    let mut incidents: BTreeMap<(&str, &str), Vec<(Timestamp, PageKind)>> = BTreeMap::new();
    for made in &account.pages {
        let page = &made.page;
        prop_assert!(page.key.len() <= 255 && page.key.starts_with("muster/"), "{}", page.key);
        prop_assert!(page.title.chars().chain(page.lines.iter().flat_map(|it| it.chars())).all(|it| !it.is_control()));
        incidents.entry((&page.receiver, &page.key)).or_default().push((made.at, page.kind));
    }
    for ((receiver, key), pages) in incidents {
        let kinds: Vec<PageKind> = pages.iter().map(|(_, kind)| *kind).collect();
        let what = format!("{key} to {receiver}: {kinds:?}");
        prop_assert_eq!(kinds[0], PageKind::Firing, "{}", what);
        prop_assert_eq!(kinds.iter().filter(|it| **it == PageKind::Firing).count(), 1, "{}", what);
        let resolved = kinds.iter().filter(|it| **it == PageKind::Resolved).count();
        if key.starts_with("muster/once/") {
            prop_assert_eq!(kinds.len(), 1, "{}", what);
        } else {
            prop_assert_eq!((resolved, kinds.last()), (1, Some(&PageKind::Resolved)), "{}", what);
        }
        for pair in pages.windows(2) {
            if pair[1].1 == PageKind::Update {
                let waited = pair[1].0.duration_since(pair[0].0);
                prop_assert!(waited >= SignedDuration::from_secs(INTERVAL_SECS), "{} after {}", what, waited);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn every_incident_fires_once_is_resolved_once_and_nobody_is_forgotten(moves in moves(), by_host in any::<bool>()) {
        let policy = drawn_policy(by_host);
        let mut account = Account::new(HOSTS, 2, policy.clone());
        // From when nothing kept alerts back: no silence, no doubt.
        let mut open_since = Some(account.now);
        // Cases and receivers that should have been told by now.
        let owed_a_word = |account: &Account, open_since: Option<Timestamp>, due: &mut Vec<(fleet::id::CaseId, Timestamp)>| {
            let Some(open_since) = open_since else { return };
            for (case, told) in &account.told {
                let Some(from) = told.from else { continue };
                let from = from.max(open_since);
                let until = told.until.unwrap_or(account.now).min(account.now);
                if until.duration_since(from) > SignedDuration::from_secs(TOLD_WITHIN_SECS) {
                    due.push((*case, from + SignedDuration::from_secs(TOLD_WITHIN_SECS)));
                }
            }
        };
        let mut due = Vec::new();
        let mut everything_silent: Vec<(Timestamp, Timestamp)> = Vec::new();
        let healing = (0..HOSTS).map(|host| Move::Set(host, true)).chain((0..6).map(|_| Move::Wait(900)));
        for one in moves.iter().cloned().chain([Move::Unreachable(false, false)]).chain(healing) {
            match one {
                Move::Set(host, connected) => {
                    account.wait(1);
                    account.set(host, connected);
                }
                Move::Silence(what, secs) => {
                    let silences = account.fleet.silences().len();
                    account.ask(Request::Silence {
                        clusters: if what == 1 { vec!["c-?".into()] } else { Vec::new() },
                        troubles: if what == 2 { vec![Trouble::AgentAway] } else { Vec::new() },
                        hosts: if what == 3 { vec!["i-*3".into()] } else { Vec::new() },
                        secs,
                    });
                    prop_assert_eq!(account.fleet.silences().len(), silences + 1);
                    if what < 2 {
                        let until = account.now + SignedDuration::from_secs(i64::from(secs));
                        everything_silent.push((account.now, until));
                    }
                }
                Move::Unsilence(number) => {
                    account.ask(Request::Unsilence { silence: number });
                    everything_silent.iter_mut().for_each(|(_, until)| *until = (*until).min(account.now));
                }
                Move::Unreachable(pager, mail) => {
                    account.unreachable.clear();
                    account.unreachable.extend(pager.then(|| "pager".to_owned()));
                    account.unreachable.extend(mail.then(|| "mail".to_owned()));
                }
                Move::Delay(secs) => account.delay_secs = secs,
                Move::Wait(secs) => {
                    for _ in 0..secs.min(400) / 10 + 1 {
                        account.wait(10);
                        let kept_back = !account.fleet.silences().is_empty() || !account.doubts.is_empty();
                        if kept_back {
                            owed_a_word(&account, open_since, &mut due);
                        }
                        open_since = if kept_back { None } else { open_since.or(Some(account.now)) };
                    }
                }
                Move::Restart => account.restart(policy.clone()),
            }
            owed_a_word(&account, open_since, &mut due);
            open_since = match account.fleet.silences().is_empty() && account.doubts.is_empty() {
                true => open_since.or(Some(account.now)),
                false => None,
            };
        }
        prop_assert!(account.fleet.alerts().is_empty(), "{:?}", account.fleet.alerts());
        prop_assert!(account.fleet.owed_pages().is_empty());
        judge_incidents(&account)?;
        for (case, by) in due {
            let word = account.pages.iter().any(|made| made.at <= by && made.page.cases.contains(&case));
            prop_assert!(word, "nobody was told of case {} by {}", case, by);
        }
        for (case, told) in &account.told {
            prop_assert!(told.kept_back <= 1, "case {} is on record as not told {} times", case, told.kept_back);
        }
        for made in account.pages.iter().filter(|made| made.page.receiver != "mail") {
            let silent = everything_silent.iter().any(|(from, until)| made.at > *from && made.at < *until);
            prop_assert!(!silent || made.page.kind == PageKind::Resolved, "{} in a silence", made.page.title);
        }
        // Of each loss the fallback hears at most once, and of the end at most once more; its own losses make no pages.
        let others = account.lost.iter().filter(|page| page.receiver != "mail").count();
        let ends = account.to("mail").iter().filter(|made| made.page.kind == PageKind::Resolved).count();
        prop_assert!(account.to("mail").len() - ends <= others);
    }
}
