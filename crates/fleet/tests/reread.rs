//! Reading the target again: each expectation holds, does not hold, or nobody has answered.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use fleet::{
    effect::Look,
    id::CaseId,
    input::{FailureKind, LookFailure, Scope, Sweep},
    observation::{
        Attributes, CheckStatus, Ec2State, Ec2StatusFact, Fact, HealthCheck, HealthFact, InstanceFact, InstanceStatus,
        Observation, ReachabilityStatus, Source, SsmFact,
    },
    remedy::{
        Remedy,
        act::{Act, ActResult, Expects, Intent, IntentId, Target},
        reread::holds,
    },
};
use jiff::{SignedDuration, Timestamp};

const CLUSTER: &str = "arn:aws:ecs:eu-west-1:111122223333:cluster/prod";
const PLACE: &str = "111122223333/eu-west-1";
const HOST: &str = "arn:aws:ecs:eu-west-1:111122223333:container-instance/prod/0f3a";
const OTHER_HOST: &str = "arn:aws:ecs:eu-west-1:111122223333:container-instance/prod/77bb";
const MACHINE: &str = "i-0a1b2c3d4e5f60718";
const OTHER_MACHINE: &str = "i-0ffffffffffffffff";

type Answer = Result<Sweep<'static>, LookFailure<'static>>;

fn now() -> Timestamp {
    "2026-10-02T12:00:00Z".parse().unwrap()
}

fn intent(act: Act, expects: Expects) -> Intent {
    Intent {
        id: IntentId(1),
        token: "t".into(),
        case: CaseId(1),
        remedy: Remedy::Replace,
        act,
        target: Target {
            cluster: CLUSTER.into(),
            place: PLACE.into(),
            host: Some(HOST.into()),
            machine: Some(MACHINE.into()),
            ..Target::default()
        },
        expects,
        limit_secs: 60,
    }
}

fn away() -> Expects {
    Expects { agent_away: true, ..Expects::default() }
}

fn runtime() -> Expects {
    Expects { runtime_impaired: true, ..Expects::default() }
}

fn draining() -> Expects {
    Expects { draining: true, ..Expects::default() }
}

fn running() -> Expects {
    Expects { machine_running: true, ..Expects::default() }
}

fn gone() -> Expects {
    Expects { machine_gone: true, ..Expects::default() }
}

fn witness() -> Expects {
    Expects { second_witness: true, ..Expects::default() }
}

fn sweep(scope: Scope<'static>, facts: Vec<Fact<'static>>) -> Answer {
    let found = facts.into_iter().map(|fact| Observation { at: now(), source: Source::Look, fact }).collect();
    Ok(Sweep { scope, started_at: now(), found, unchanged: 0, complete: false, absent: Vec::new() })
}

fn failed(scope: Scope<'static>, kind: FailureKind) -> Answer {
    Err(LookFailure { scope, kind, message: "the call was refused; allow it in IAM".into() })
}

fn hosts_scope() -> Scope<'static> {
    Scope::Hosts { cluster: CLUSTER.into() }
}

fn hosts(facts: Vec<Fact<'static>>) -> Answer {
    sweep(hosts_scope(), facts)
}

fn machines(facts: Vec<Fact<'static>>) -> Answer {
    sweep(Scope::Machines(PLACE.into()), facts)
}

fn pings(facts: Vec<Fact<'static>>) -> Answer {
    sweep(Scope::Pings(PLACE.into()), facts)
}

fn host(
    arn: &'static str,
    status: InstanceStatus,
    connected: Option<bool>,
    machine: Option<&'static str>,
) -> Fact<'static> {
    Fact::Instance(InstanceFact {
        ec2_instance_id: machine.map(Into::into),
        version: Some(7),
        agent_connected: connected,
        attributes: Attributes::Absent,
        ..InstanceFact::bare(arn, CLUSTER, status)
    })
}

fn away_host() -> Fact<'static> {
    host(HOST, InstanceStatus::Active, Some(false), Some(MACHINE))
}

fn health(arn: &'static str, kind: &'static str, status: CheckStatus, age_secs: Option<i64>) -> Fact<'static> {
    Fact::Health(HealthFact {
        arn: arn.into(),
        cluster: CLUSTER.into(),
        ec2_instance_id: None,
        checks: vec![HealthCheck {
            kind: kind.into(),
            status,
            last_status_change: None,
            last_updated: age_secs.map(|age| now() - SignedDuration::from_secs(age)),
            reason: None,
        }],
    })
}

fn state(machine: &'static str, state: Ec2State) -> Fact<'static> {
    Fact::Ec2State { instance_id: machine.into(), state }
}

fn checks(machine: &'static str, state: Ec2State, instance: ReachabilityStatus) -> Fact<'static> {
    Fact::Ec2Status(Ec2StatusFact {
        instance_id: machine.into(),
        state,
        system: ReachabilityStatus::Ok,
        instance,
        ebs: ReachabilityStatus::Ok,
        scheduled: None,
    })
}

fn ping(machine: &'static str, online: Option<bool>) -> Fact<'static> {
    Fact::Ssm(SsmFact { instance_id: machine.into(), online, last_ping_at: None, platform: None })
}

/// What `holds` says: the word of its result and the sentence.
fn verdict(act: Act, expects: Expects, answers: &[Answer]) -> (&'static str, String) {
    match holds(&intent(act, expects), answers) {
        Ok(()) => ("holds", String::new()),
        Err(result) => (result.word(), result.says().to_owned()),
    }
}

#[track_caller]
fn stops(expects: Expects, answers: &[Answer], word: &str, sentence: &str) {
    let (said, says) = verdict(Act::RestartAgent, expects, answers);
    assert_eq!(said, word, "{says}");
    assert!(says.contains(sentence), "{says:?} does not hold {sentence:?}");
}

#[track_caller]
fn stands(expects: Expects, answers: &[Answer]) {
    assert_eq!(verdict(Act::RestartAgent, expects, answers), ("holds", String::new()));
}

#[test]
fn an_intent_that_expects_nothing_needs_no_answer() {
    stands(Expects::default(), &[]);
}

#[test]
fn an_agent_that_is_away_is_as_expected_whether_active_or_draining() {
    stands(away(), &[hosts(vec![away_host()])]);
    stands(away(), &[hosts(vec![host(HOST, InstanceStatus::Draining, Some(false), Some(MACHINE))])]);
}

#[test]
fn an_agent_that_is_connected_again_stops_the_call() {
    stops(
        away(),
        &[hosts(vec![host(HOST, InstanceStatus::Active, Some(true), Some(MACHINE))])],
        "unfit",
        "connected again",
    );
}

#[test]
fn an_agent_of_which_ecs_says_nothing_is_not_away() {
    let silent = host(HOST, InstanceStatus::Active, None, Some(MACHINE));
    stops(away(), &[hosts(vec![silent])], "unfit", "does not say whether the agent");
}

#[test]
fn one_fact_of_two_that_contradicts_is_enough_to_stop() {
    let back = host(HOST, InstanceStatus::Active, Some(true), Some(MACHINE));
    stops(away(), &[hosts(vec![away_host(), back])], "unfit", "connected again");
}

#[test]
fn no_answer_an_empty_one_and_one_about_another_host_prove_nothing() {
    stops(away(), &[], "unfit", "ECS said nothing");
    stops(away(), &[hosts(vec![])], "unfit", "ECS said nothing of it");
    let other = host(OTHER_HOST, InstanceStatus::Active, Some(false), Some(MACHINE));
    stops(away(), &[hosts(vec![other])], "unfit", "host 0f3a");
}

#[test]
fn every_kind_of_failure_stops_the_call_with_its_own_words() {
    for kind in [FailureKind::Denied, FailureKind::Throttled, FailureKind::Failed, FailureKind::Gone] {
        let answers = [failed(hosts_scope(), kind)];
        stops(away(), &answers, "unfit", "ECS could not be asked about host 0f3a again: the call was refused");
        stops(draining(), &answers, "unfit", "could not be asked");
        stops(runtime(), &answers, "unfit", "could not be asked");
        let answers = [failed(Scope::Machines(PLACE.into()), kind)];
        stops(running(), &answers, "unfit", "EC2 could not be asked about i-0a1b2c3d4e5f60718 again");
        stops(gone(), &answers, "unfit", "EC2 could not be asked");
        stops(witness(), &answers, "unfit", "EC2 could not be asked");
        stops(witness(), &[failed(Scope::Pings(PLACE.into()), kind)], "unfit", "SSM could not be asked");
    }
}

#[test]
fn a_failure_of_another_scope_is_not_blamed() {
    let answers = [failed(Scope::Pings(PLACE.into()), FailureKind::Denied)];
    stops(away(), &answers, "unfit", "asked about host 0f3a again, ECS said nothing of it");
}

#[test]
fn a_host_that_ecs_does_not_know_any_more_is_gone() {
    let missing = [hosts(vec![Fact::InstanceMissing { arn: HOST.into() }])];
    stops(away(), &missing, "gone", "ECS does not know it");
    let inactive = [hosts(vec![host(HOST, InstanceStatus::Inactive, Some(false), Some(MACHINE))])];
    stops(away(), &inactive, "gone", "deregistered");
    stops(away(), &[hosts(vec![Fact::InstanceMissing { arn: OTHER_HOST.into() }])], "unfit", "said nothing");
}

#[test]
fn a_machine_is_not_gone_because_its_registration_is() {
    let expects = Expects { agent_away: true, machine_running: true, ..Expects::default() };
    let answers = [
        hosts(vec![Fact::InstanceMissing { arn: HOST.into() }]),
        machines(vec![checks(MACHINE, Ec2State::Running, ReachabilityStatus::Ok)]),
    ];
    for act in [Act::Terminate, Act::TerminateInGroup { shrink: false }, Act::MarkUnhealthy, Act::Reboot] {
        let (word, says) = verdict(act, expects, &answers);
        assert_eq!(word, "unfit", "{says}");
    }
    assert_eq!(verdict(Act::Drain, expects, &answers).0, "gone");
}

#[test]
fn a_machine_that_ends_already_is_gone_for_whoever_wants_to_end_it() {
    let expects = Expects { agent_away: true, machine_running: true, ..Expects::default() };
    for state in [Ec2State::ShuttingDown, Ec2State::Terminated] {
        let answers = [hosts(vec![away_host()]), machines(vec![checks(MACHINE, state, ReachabilityStatus::Ok)])];
        assert_eq!(verdict(Act::Terminate, expects, &answers).0, "gone");
    }
}

#[test]
fn another_machine_under_the_arn_stops_the_call() {
    let moved = host(HOST, InstanceStatus::Active, Some(false), Some(OTHER_MACHINE));
    stops(away(), &[hosts(vec![moved])], "unfit", "is on i-0ffffffffffffffff, not on i-0a1b2c3d4e5f60718");
    let unnamed = host(HOST, InstanceStatus::Active, Some(false), None);
    stops(away(), &[hosts(vec![unnamed])], "unfit", "does not say any more that host 0f3a is on i-0a1b2c3d4e5f60718");
    let forged = host(HOST, InstanceStatus::Active, Some(false), Some("i-1\nall is well"));
    stops(away(), &[hosts(vec![forged])], "unfit", "is on another machine, not on");
}

#[test]
fn a_status_in_which_no_agent_is_owed_stops_the_call() {
    for status in [InstanceStatus::Registering, InstanceStatus::Deregistering, InstanceStatus::Other] {
        let answers = [hosts(vec![host(HOST, status, Some(false), Some(MACHINE))])];
        assert_eq!(verdict(Act::RestartAgent, away(), &answers).0, "unfit", "{status:?}");
    }
}

#[test]
fn a_host_expected_to_drain_must_be_draining() {
    stands(draining(), &[hosts(vec![host(HOST, InstanceStatus::Draining, Some(true), Some(MACHINE))])]);
    stops(draining(), &[hosts(vec![away_host()])], "unfit", "is not DRAINING but ACTIVE");
    stops(draining(), &[hosts(vec![])], "unfit", "said nothing");
}

#[test]
fn an_impaired_runtime_must_be_impaired_still_and_by_a_fresh_check() {
    let with = |fact| [hosts(vec![host(HOST, InstanceStatus::Active, Some(true), Some(MACHINE)), fact])];
    stands(runtime(), &with(health(HOST, "CONTAINER_RUNTIME", CheckStatus::Impaired, Some(20))));
    stands(runtime(), &with(health(HOST, "CONTAINER_RUNTIME", CheckStatus::Impaired, None)));
    for status in [CheckStatus::Ok, CheckStatus::InsufficientData, CheckStatus::Initializing, CheckStatus::Other] {
        let answers = with(health(HOST, "CONTAINER_RUNTIME", status, Some(20)));
        stops(runtime(), &answers, "unfit", "does not say any more that the container runtime");
    }
    let old = with(health(HOST, "CONTAINER_RUNTIME", CheckStatus::Impaired, Some(601)));
    stops(runtime(), &old, "unfit", "last checked 601 s ago");
    let other_check = with(health(HOST, "AGENT_CONNECTIVITY", CheckStatus::Impaired, Some(20)));
    stops(runtime(), &other_check, "unfit", "nothing of it");
    let other_host = with(health(OTHER_HOST, "CONTAINER_RUNTIME", CheckStatus::Impaired, Some(20)));
    stops(runtime(), &other_host, "unfit", "nothing of it");
}

#[test]
fn an_impaired_runtime_of_a_host_that_is_not_described_is_no_evidence() {
    let answers = [hosts(vec![health(HOST, "CONTAINER_RUNTIME", CheckStatus::Impaired, Some(20))])];
    stops(runtime(), &answers, "unfit", "said nothing");
}

#[test]
fn a_machine_expected_to_run_must_run() {
    stands(running(), &[machines(vec![checks(MACHINE, Ec2State::Running, ReachabilityStatus::Impaired)])]);
    stands(running(), &[machines(vec![state(MACHINE, Ec2State::Running)])]);
    for (it, word) in [
        (Ec2State::Pending, "unfit"),
        (Ec2State::Stopping, "unfit"),
        (Ec2State::Stopped, "unfit"),
        (Ec2State::Other, "unfit"),
        (Ec2State::ShuttingDown, "gone"),
        (Ec2State::Terminated, "gone"),
        (Ec2State::Gone, "gone"),
    ] {
        assert_eq!(verdict(Act::Terminate, running(), &[machines(vec![state(MACHINE, it)])]).0, word, "{it:?}");
    }
    stops(running(), &[machines(vec![])], "unfit", "EC2 said nothing of it");
    stops(running(), &[machines(vec![state(OTHER_MACHINE, Ec2State::Running)])], "unfit", "EC2 said nothing of it");
}

#[test]
fn a_machine_expected_to_be_gone_must_be_said_to_be_gone() {
    stands(gone(), &[machines(vec![state(MACHINE, Ec2State::Gone)])]);
    stands(gone(), &[machines(vec![checks(MACHINE, Ec2State::Terminated, ReachabilityStatus::NotApplicable)])]);
    for it in [
        Ec2State::Pending,
        Ec2State::Running,
        Ec2State::Stopping,
        Ec2State::Stopped,
        Ec2State::ShuttingDown,
        Ec2State::Other,
    ] {
        let (word, says) = verdict(Act::Deregister, gone(), &[machines(vec![state(MACHINE, it)])]);
        assert_eq!(word, "unfit", "{it:?}");
        assert!(says.contains("is there"), "{says}");
    }
    stops(gone(), &[machines(vec![])], "unfit", "EC2 said nothing of it");
    stops(gone(), &[machines(vec![state(OTHER_MACHINE, Ec2State::Gone)])], "unfit", "EC2 said nothing of it");
}

#[test]
fn a_lost_ping_failing_checks_or_a_stopped_machine_are_a_second_witness() {
    let healthy = || machines(vec![checks(MACHINE, Ec2State::Running, ReachabilityStatus::Ok)]);
    stands(witness(), &[healthy(), pings(vec![ping(MACHINE, Some(false))])]);
    let impaired = machines(vec![checks(MACHINE, Ec2State::Running, ReachabilityStatus::Impaired)]);
    stands(witness(), &[impaired, pings(vec![ping(MACHINE, Some(true))])]);
    stands(witness(), &[machines(vec![state(MACHINE, Ec2State::Stopped)])]);
}

#[test]
fn a_second_witness_who_speaks_is_heard_when_the_other_cannot_be_asked() {
    let impaired = machines(vec![checks(MACHINE, Ec2State::Running, ReachabilityStatus::Impaired)]);
    stands(witness(), &[impaired, failed(Scope::Pings(PLACE.into()), FailureKind::Denied)]);
}

#[test]
fn a_machine_that_ssm_does_not_know_and_ec2_does_not_blame_has_no_second_witness() {
    for (said, words) in [(Some(true), "ping of i-0a1b2c3d4e5f60718 is online"), (None, "SSM does not know")] {
        for it in [ReachabilityStatus::Ok, ReachabilityStatus::InsufficientData, ReachabilityStatus::Initializing] {
            let answers = [machines(vec![checks(MACHINE, Ec2State::Running, it)]), pings(vec![ping(MACHINE, said)])];
            stops(witness(), &answers, "unfit", words);
        }
    }
    let others =
        [machines(vec![state(OTHER_MACHINE, Ec2State::Stopped)]), pings(vec![ping(OTHER_MACHINE, Some(false))])];
    stops(witness(), &others, "unfit", "SSM said nothing of it");
}

#[test]
fn a_target_without_machine_or_host_cannot_be_asked_about() {
    let mut nameless = intent(Act::Terminate, running());
    nameless.target.machine = None;
    assert!(matches!(holds(&nameless, &[]), Err(ActResult::Unfit { .. })));
    let mut hostless = intent(Act::RestartAgent, away());
    hostless.target.host = None;
    assert!(matches!(holds(&hostless, &[hosts(vec![away_host()])]), Err(ActResult::Unfit { .. })));
}

#[test]
fn a_machine_of_ecs_anywhere_is_judged_by_its_ping_alone() {
    let mut external = intent(Act::Deregister, witness());
    external.target.machine = Some("mi-0a1b2c3d4e5f60718".into());
    assert!(matches!(external.rereads()[..], [Look::Pings { .. }]));
    assert_eq!(holds(&external, &[pings(vec![ping("mi-0a1b2c3d4e5f60718", Some(false))])]), Ok(()));
    let online = holds(&external, &[pings(vec![ping("mi-0a1b2c3d4e5f60718", Some(true))])]).unwrap_err();
    assert!(online.says().contains("no status checks"), "{}", online.says());
    external.expects = gone();
    assert!(matches!(holds(&external, &[]), Err(ActResult::Unfit { .. })), "EC2 has nothing to say about it");
}

#[test]
fn all_expectations_together_hold_only_together() {
    let expects =
        Expects { agent_away: true, machine_running: true, second_witness: true, draining: true, ..Expects::default() };
    let it = intent(Act::TerminateInGroup { shrink: false }, expects);
    assert_eq!(it.rereads().len(), 3);
    let answers = [
        hosts(vec![host(HOST, InstanceStatus::Draining, Some(false), Some(MACHINE))]),
        machines(vec![checks(MACHINE, Ec2State::Running, ReachabilityStatus::Ok)]),
        pings(vec![ping(MACHINE, Some(false))]),
    ];
    assert_eq!(holds(&it, &answers), Ok(()));
    for left_out in 0..3 {
        let mut fewer = answers.to_vec();
        let _ = fewer.remove(left_out);
        assert!(matches!(holds(&it, &fewer), Err(ActResult::Unfit { .. })), "without answer {left_out}");
    }
}

#[test]
fn a_machine_that_never_registered_must_still_be_unknown_to_ecs() {
    let expects = Expects { unregistered: true, ..Expects::default() };
    let mut it = intent(Act::TerminateInGroup { shrink: false }, expects);
    it.target.host = None;
    let asked = Look::Registrations { cluster: CLUSTER.into(), machines: vec![MACHINE.into()] };
    assert_eq!(it.rereads(), [asked]);
    let unregistered = |cluster: &str, machine: &str| Fact::Unregistered {
        cluster: cluster.to_owned().into(),
        instance_id: machine.to_owned().into(),
    };
    assert_eq!(holds(&it, &[hosts(vec![unregistered(CLUSTER, MACHINE)])]), Ok(()));
    let registered = host(HOST, InstanceStatus::Active, Some(true), Some(MACHINE));
    let says = holds(&it, &[hosts(vec![registered.clone()])]).unwrap_err();
    assert!(says.says().contains("has registered meanwhile: ECS says that it is ACTIVE"), "{}", says.says());
    let both = [hosts(vec![unregistered(CLUSTER, MACHINE), registered])];
    assert!(matches!(holds(&it, &both), Err(ActResult::Unfit { .. })), "who contradicts himself proves nothing");
    let elsewhere = [hosts(vec![unregistered(CLUSTER, OTHER_MACHINE), unregistered("arn:c", MACHINE)])];
    for silence in [&elsewhere[..], &[hosts(vec![])], &[]] {
        assert!(matches!(holds(&it, silence), Err(ActResult::Unfit { .. })), "silence proves nothing");
    }
    let left = host(OTHER_HOST, InstanceStatus::Inactive, Some(false), Some(MACHINE));
    assert_eq!(holds(&it, &[hosts(vec![left, unregistered(CLUSTER, MACHINE)])]), Ok(()));
}
