//! Services whose tasks are shared out among capacity providers.

use fleet::{
    capacity::{
        placement::Placement,
        share::{Share, sentence},
    },
    observation::TaskStatus,
};

use crate::account::{Account, CLUSTER, Host, host, shape};

fn share(provider: &str, base: u32, weight: u32) -> Share {
    Share { provider: provider.to_owned(), base, weight }
}

#[test]
fn each_provider_is_told_by_its_own_hosts_and_the_tasks_on_them() {
    let of = |number, provider| Host { provider: Some(provider), ..host(number) };
    let mut account = Account::of(&[of(0, "spot"), of(1, "steady"), of(2, "steady"), host(3)]);
    account.task(1, 1, "service:api", false, TaskStatus::Running);
    account.task(3, 2, "service:api", false, TaskStatus::Running);
    account.task(1, 3, "service:web", false, TaskStatus::Running);
    let placement = Placement { group: Some("service:api".into()), ..Placement::default() };
    let shares = [share("spot", 0, 1), share("steady", 1, 1), share("nobody", 0, 0)];
    // Two copies on each host; the hosts do not tell that the tasks hold any of it.
    let fits = account.fleet.fit_shares(CLUSTER, &shape(1_024, 128), &placement, &shares);
    let told: Vec<_> = fits.iter().map(|fit| (fit.placed, fit.copies, fit.in_turn)).collect();
    // The base is there: one to each in turn, until it is spot's turn and it is full.
    assert_eq!(told, [(0, 2, 2), (1, 4, 2), (0, 0, 0)]);
    assert!(
        sentence(&fits).starts_with("by capacity provider: spot 2 more (base 0, weight 1, 0 placed), steady 4 more")
    );
}
