//! Many hosts lost at once: one page, one word that it is over.

use fleet::notice::{page::PageKind, route::Route};
use jiff::SignedDuration;

use super::account::{Account, policy, receivers};

/// Two receivers: the people of the first cluster, and those of all.
fn routes() -> Vec<Route> {
    vec![
        Route { clusters: vec!["c-0".into()], receivers: receivers(&["team"]), go_on: true, ..Route::default() },
        Route { receivers: receivers(&["pager"]), ..Route::default() },
    ]
}

fn storm(hosts: usize, clusters: usize) -> Account {
    let mut account = Account::new(hosts, clusters, policy(routes()));
    account.wait(60);
    // All agents go within ten seconds.
    let began = account.now;
    for host in 0..hosts {
        if host % (hosts / 10) == 0 {
            account.wait(1);
        }
        account.set(host, false);
    }
    account.wait(600);
    for receiver in ["pager", "team"] {
        let pages = account.to(receiver);
        assert_eq!(pages.len(), 1, "{receiver} got {:?}", pages.iter().map(|it| &it.page.title).collect::<Vec<_>>());
        let page = &pages[0].page;
        assert_eq!((page.kind, page.hosts as usize, page.samples.len()), (PageKind::Firing, hosts, 20));
        assert_eq!(page.clusters.len(), clusters);
        assert!(page.title.contains(&format!("{hosts} of {hosts} hosts of account and region")), "{}", page.title);
        // The loss must have lasted half a minute, then the group waits ten seconds.
        let waited = pages[0].at.duration_since(began);
        assert!(waited <= SignedDuration::from_secs(30 + 10 + 10 + 5), "{receiver} waited {waited}");
    }
    account
}

fn over(account: &mut Account, hosts: usize, broken: usize) {
    for host in broken..hosts {
        if host % (hosts / 10) == 0 {
            account.wait(1);
        }
        account.set(host, true);
    }
    account.wait(60);
    for receiver in ["pager", "team"] {
        let kinds: Vec<PageKind> = account.to(receiver).iter().map(|made| made.page.kind).collect();
        let (first, later) = kinds.split_at(2);
        assert_eq!(first, [PageKind::Firing, PageKind::Resolved], "{receiver}");
        assert!(broken > 0 || later.is_empty(), "{receiver} got {later:?} more");
        let resolved = &account.to(receiver)[1].page;
        assert!(resolved.repaired_after_secs.unwrap() > 600);
        assert_eq!(resolved.key, account.to(receiver)[0].page.key);
    }
}

#[test]
fn five_thousand_hosts_lost_at_once_are_one_page_and_one_word_that_it_is_over() {
    let mut account = storm(5_000, 2);
    over(&mut account, 5_000, 3);
    // Three stayed broken: they are told of by themselves, as one group a cluster.
    account.wait(600);
    let after: Vec<_> = account.to("pager").into_iter().skip(2).collect();
    assert!(after.iter().all(|made| made.page.kind == PageKind::Firing) && after.len() == 2);
    let mut named: Vec<&str> =
        after.iter().flat_map(|made| made.page.samples.iter().map(|host| host.subject.as_str())).collect();
    named.sort_unstable();
    let broken: Vec<String> = [0, 2, 1].iter().map(|&host| super::account::host_arn(host % 2, host)).collect();
    assert_eq!(named, broken);
    assert_eq!(account.to("team").len(), 3, "one of the two clusters is theirs");
}

#[test]
fn a_hundred_thousand_hosts_lost_at_once_are_one_page_and_one_word_that_it_is_over() {
    let mut account = storm(100_000, 20);
    over(&mut account, 100_000, 0);
    account.wait(3_600);
    assert_eq!(account.pages.len(), 4);
}

#[test]
fn a_doubt_that_grows_is_told_again_after_the_interval() {
    let mut account = Account::new(30, 1, policy(vec![Route { receivers: receivers(&["pager"]), ..Route::default() }]));
    for host in 0..8 {
        account.set(host, false);
    }
    account.wait(120);
    assert_eq!(account.to("pager").len(), 1);
    for host in 8..20 {
        account.set(host, false);
    }
    account.wait(600);
    let pages = account.to("pager");
    assert_eq!((pages.len(), pages[1].page.kind, pages[1].page.hosts), (2, PageKind::Update, 20));
    assert!(pages[1].at.duration_since(pages[0].at) >= SignedDuration::from_secs(300));
}
