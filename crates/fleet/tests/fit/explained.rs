//! Why not, and what would change it.

use fleet::{
    capacity::{change::Step, explain::Explanation, headroom::Availability, placement::Placement, shape::TaskShape},
    observation::{Fact, InstanceTypeFact, TaskStatus},
};

use crate::account::{Account, CLUSTER, Host, awsvpc, host, host_arn, shape, tcp};

fn explained(account: &Account, shape: &TaskShape, copies: u64, reason: Option<&str>) -> Explanation {
    let placement = Placement { group: Some("service:api".into()), ..Placement::default() };
    account.fleet.explain(CLUSTER, shape, &placement, copies, reason, account.now)
}

fn sentences(found: &Explanation) -> Vec<String> {
    found.changes.iter().map(fleet::capacity::change::Change::sentence).collect()
}

/// Sixteen hosts: fourteen without a free slot, two without an agent.
fn stuck() -> Account {
    let mut account = Account::new();
    for number in 0..16 {
        account.tell(&Host { connected: Some(number < 14), ..host(number) });
        for task in 0..2 {
            account.task(number, task, "service:web", true, TaskStatus::Running);
        }
    }
    account
}

#[test]
fn a_service_that_waits_for_interfaces_is_explained_in_one_sentence_and_by_host() {
    let found = explained(&stuck(), &awsvpc(256, 512), 3, Some("RESOURCE:ENI"));
    assert_eq!(
        found.summary,
        "3 tasks of api cannot be placed: ENI slots are full on 14 of 16 hosts, 2 hosts have no agent"
    );
    assert_eq!(found.aws.unwrap().sentence, "AWS says RESOURCE:ENI, and so do the facts for 14 of 16 hosts");
    assert_eq!(found.hosts[0].line, "takes none: all 2 ENI slots are held (without a trunk)");
    assert_eq!(found.hosts[15].line, "takes none: its agent is not connected");
    assert_eq!((found.fit, found.hosts[15].availability), (0, Availability::AgentLost));
}

#[test]
fn changes_are_the_smallest_that_the_twin_has_seen_to_be_enough() {
    let found = explained(&stuck(), &awsvpc(256, 512), 3, None);
    assert_eq!(
        sentences(&found),
        [
            "add 2 hosts of type m6i.large",
            "launch 00000000000000000000000000000000 anew with a trunk interface (awsvpcTrunking)",
        ]
    );
    assert_eq!(found.changes.iter().map(|change| change.copies).collect::<Vec<_>>(), [4, 8]);
}

#[test]
fn less_memory_a_repaired_host_or_a_freed_port_may_be_enough() {
    let tight = Host { resources: Some(((2_048, 4_096), (2_048, 1_000))), ..host(1) };
    let lost = Host { connected: Some(false), ..host(2) };
    let found = explained(&Account::of(&[tight, lost]), &shape(256, 1_024), 1, None);
    assert_eq!(
        sentences(&found),
        [
            "repair 00000000000000000000000000000002 (agent lost)",
            "add 1 host of type m6i.large",
            "reserve 24 MiB less for each task (1000 MiB)",
        ]
    );
    let ported = TaskShape { ports: vec![tcp(8080), tcp(9090)], ..shape(1, 1) };
    let taken = Host { ports: Some(vec![22, 8080]), running: 1, ..host(1) };
    let found = explained(&Account::of(std::slice::from_ref(&taken)), &ported, 1, None);
    assert_eq!(found.changes[0].step, Step::FreePorts { ports: vec![tcp(8080)], hosts: vec![host_arn(1)] });
    assert_eq!(sentences(&found)[1], "add 1 host of type m6i.large");
    // Without a task on the host it is the agent that reserves the port: on a host like it as well.
    let found = explained(&Account::of(&[Host { running: 0, ..taken }]), &ported, 1, None);
    assert_eq!(found.changes.len(), 1, "{:?}", sentences(&found));
}

#[test]
fn a_task_that_no_host_of_the_cluster_could_ever_take_wants_another_type() {
    let mut account = Account::of(&[host(1)]);
    let found = explained(&account, &shape(4_096, 1_024), 1, None);
    assert_eq!(sentences(&found), ["reserve 2048 CPU units less for each task (2048 units)"]);
    account.observe(Fact::InstanceType(InstanceTypeFact {
        name: "m6i.2xlarge".into(),
        max_interfaces: 4,
        cards: vec![4],
        vcpus: Some(8),
        memory_mib: Some(32_768),
        gpus: 0,
    }));
    let found = explained(&account, &shape(4_096, 1_024), 1, None);
    assert!(sentences(&found)[0].starts_with("add 1 host of type m6i.2xlarge, assuming"), "{:?}", sentences(&found));
}

#[test]
fn what_fits_needs_no_change_and_a_reason_that_is_over_is_said_to_be() {
    let found = explained(&Account::of(&[host(1)]), &shape(1_024, 1), 2, Some("RESOURCE:MEMORY"));
    assert_eq!((found.summary.as_str(), found.changes.len()), ("2 tasks more of api fit", 0));
    assert_eq!(found.aws.unwrap().sentence, "AWS said RESOURCE:MEMORY; that is over, as far as is known");
    let found = explained(&Account::new(), &shape(1, 1), 1, None);
    assert_eq!(found.summary, "1 task of api cannot be placed: the cluster has no hosts");
}

#[test]
fn nonsense_is_answered_plainly() {
    let account = Account::of(&[Host { resources: Some(((0, 0), (0, 0))), kind: Some("x9.mega"), ..host(1) }]);
    let found = explained(&account, &awsvpc(1, 1), 5, Some(""));
    assert_eq!(found.changes, []);
    let found = explained(&account, &shape(0, 0), 5, None);
    assert_eq!(found.summary, "nothing that api needs runs out");
}
