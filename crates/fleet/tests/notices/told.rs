//! Single facts about telling people.

use fleet::{
    notice::{page::PageKind, route::Route},
    operator::Request,
};

use super::account::{Account, policy, receivers};

fn pager() -> Vec<Route> {
    vec![Route { receivers: receivers(&["pager"]), ..Route::default() }]
}

fn kinds(account: &Account, receiver: &str) -> Vec<PageKind> {
    account.to(receiver).iter().map(|made| made.page.kind).collect()
}

fn silence(cluster: &str, hosts: &[&str]) -> Request<'static> {
    let clusters = if cluster.is_empty() { Vec::new() } else { vec![cluster.to_owned()] };
    Request::Silence { clusters, troubles: Vec::new(), hosts: receivers(hosts), secs: 3_600 }
}

/// Groups a silenced host with one that was told of: an update speaks of the other, and once the silence is over, of it.
#[test]
fn a_host_that_was_silenced_when_its_group_was_paged_is_told_of_when_the_silence_ends() {
    let mut account = Account::new(10, 1, policy(pager()));
    account.ask(silence("", &["i-*2"]));
    account.set(1, false);
    account.wait(100);
    assert_eq!(kinds(&account, "pager"), [PageKind::Firing]);
    account.set(2, false);
    account.wait(1_000);
    assert_eq!(kinds(&account, "pager"), [PageKind::Firing], "nothing to say but of whom nobody may hear");
    account.ask(Request::Unsilence { silence: 1 });
    account.wait(30);
    assert_eq!(kinds(&account, "pager"), [PageKind::Firing, PageKind::Update]);
    let update = &account.pages[1].page;
    assert!(update.hosts == 2 && update.lines[0].starts_with("i-00000000000000002"), "{update:?}");
}

#[test]
fn a_silence_keeps_no_word_back_that_something_told_of_is_over_even_if_others_of_the_group_last() {
    let mut account = Account::new(10, 1, policy(pager()));
    account.set(1, false);
    account.wait(100);
    account.ask(silence("c-*", &[]));
    account.set(2, false);
    account.wait(100);
    account.set(1, true);
    account.wait(30);
    assert_eq!(kinds(&account, "pager"), [PageKind::Firing, PageKind::Resolved]);
    account.ask(Request::Unsilence { silence: 1 });
    account.wait(30);
    let pages = account.to("pager");
    assert_eq!(
        pages.last().map(|made| made.page.kind),
        Some(PageKind::Firing),
        "the other one is an incident of its own"
    );
    assert_ne!(pages[2].page.key, pages[0].page.key);
}

#[test]
fn a_doubt_over_two_clusters_is_told_although_one_of_them_is_silenced() {
    let mut account = Account::new(10, 2, policy(pager()));
    account.ask(silence("c-1", &[]));
    for host in 0..10 {
        account.set(host, false);
    }
    account.wait(120);
    assert_eq!(kinds(&account, "pager"), [PageKind::Firing]);
    assert_eq!(account.pages[0].page.hosts, 10);
}

#[test]
fn what_ends_before_its_page_is_made_is_told_to_nobody() {
    let mut account = Account::new(10, 1, policy(pager()));
    account.set(1, false);
    // Decided after twenty seconds and some looks; the group waits ten more.
    while account.told.is_empty() {
        account.wait(1);
    }
    account.set(1, true);
    account.wait(600);
    assert!(account.pages.is_empty());
}

#[test]
fn a_page_that_is_lost_is_told_elsewhere_once_tried_again_and_ended_in_both_places() {
    let mut account = Account::new(10, 1, policy(pager()));
    account.unreachable.insert("pager".to_owned());
    account.set(1, false);
    account.wait(2_000);
    assert!(account.to("pager").len() >= 5, "it is tried anew every interval");
    assert_eq!(kinds(&account, "mail"), [PageKind::Firing], "and others hear of it once");
    let said = &account.to("mail")[0].page;
    assert!(said.title.starts_with("pager could not be told: c-0: i-"), "{}", said.title);
    assert_eq!(said.lines[0], "why: it answered 500  for ten minutes");
    account.unreachable.clear();
    account.wait(400);
    account.set(1, true);
    account.wait(60);
    assert_eq!(kinds(&account, "mail"), [PageKind::Firing, PageKind::Resolved]);
    assert_eq!(kinds(&account, "pager").last(), Some(&PageKind::Resolved));
    assert!(account.fleet.owed_pages().is_empty());
}

#[test]
fn where_nobody_can_be_reached_nothing_runs_in_a_circle() {
    let mut account = Account::new(10, 1, policy(pager()));
    account.unreachable.extend(receivers(&["pager", "mail"]));
    account.set(1, false);
    account.wait(3_000);
    assert_eq!(account.to("mail").len(), 1);
    assert!(account.to("pager").len() <= 10);
}

#[test]
fn an_update_does_not_overtake_the_page_before_it() {
    let mut account = Account::new(20, 1, policy(pager()));
    account.delay_secs = 500;
    account.set(1, false);
    account.wait(100);
    account.set(2, false);
    account.wait(400);
    assert_eq!(kinds(&account, "pager"), [PageKind::Firing]);
    account.wait(60);
    assert_eq!(kinds(&account, "pager"), [PageKind::Firing, PageKind::Update]);
}

#[test]
fn routes_that_come_into_force_with_a_restart_hold_for_what_is_already_known() {
    let mut account = Account::new(10, 1, policy(Vec::new()));
    account.set(1, false);
    account.wait(600);
    assert!(account.pages.is_empty() && account.fleet.alerts().is_empty());
    account.restart(policy(pager()));
    account.wait(1);
    account.set(2, false);
    account.wait(15);
    assert_eq!(kinds(&account, "pager"), [PageKind::Firing]);
    // The pager is no more; the team is told instead.
    let team = vec![Route { receivers: receivers(&["team"]), ..Route::default() }];
    account.restart(policy(team));
    account.set(3, false);
    account.wait(15);
    assert_eq!(kinds(&account, "team"), [PageKind::Firing]);
    assert_eq!(account.fleet.alerts().len(), 1);
}

#[test]
fn what_is_shown_says_who_was_told_what_and_why_not() {
    let mut account = Account::new(10, 1, policy(pager()));
    account.ask(silence("", &["i-*2"]));
    account.set(1, false);
    account.set(2, false);
    account.wait(100);
    let shown = account.fleet.alerts();
    let [group] = &shown[..] else { panic!("{shown:?}") };
    assert_eq!((group.receiver.as_str(), group.alerts, group.fired, group.on_its_way), ("pager", 2, true, false));
    assert!(group.title.as_deref().is_some_and(|title| title.contains("i-00000000000000001 is agent-lost")));
    assert_eq!(group.kept_back.as_deref(), Some("silence 1 covers it"));
    assert_eq!(account.fleet.silences()[0].hosts, ["i-*2"]);
}
