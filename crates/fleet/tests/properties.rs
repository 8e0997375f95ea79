//! What must hold for any inputs in any order.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop at its line")]

use fleet::{
    Fleet,
    admission::{Admission, admit, digest},
    effect::Effect,
    id::CaseId,
    input::{Input, Scope, Sweep},
    invariant,
    observation::{
        Attributes, Ec2State, Ec2StatusFact, Fact, HostAttributes, InstanceFact, InstanceStatus, Observation,
        ReachabilityStatus, Source, SsmFact, TaskFact, TaskStatus,
    },
    operator::{Asked, Request},
    policy::{Mode, Policy, Replacement},
    remedy::act::{ActResult, Outcome},
    snapshot, step,
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

const CLUSTERS: [&str; 2] = ["arn:aws:ecs:eu-west-1:1:cluster/a", "arn:aws:ecs:eu-west-1:1:cluster/b"];
const ZONES: [&str; 3] = ["eu-west-1a", "eu-west-1b", "eu-west-1c"];

fn start() -> Timestamp {
    "2026-10-02T00:00:00Z".parse().unwrap()
}

fn instance(host: u8, version: i64, connected: bool, status: InstanceStatus) -> Fact<'static> {
    let cluster = CLUSTERS[usize::from(host) % 2];
    Fact::Instance(InstanceFact {
        ec2_instance_id: Some(format!("i-{host:017x}").into()),
        version: Some(version),
        agent_connected: Some(connected),
        running_tasks: Some(1),
        pending_tasks: Some(0),
        attributes: Attributes::Known(Box::new(HostAttributes {
            zone: Some(ZONES[usize::from(host) % 3].into()),
            ..HostAttributes::default()
        })),
        ..InstanceFact::bare(format!("arn:aws:ecs:eu-west-1:1:container-instance/x/{host:032x}"), cluster, status)
    })
}

fn task(task: u8, version: i64, host: u8, status: TaskStatus) -> Fact<'static> {
    Fact::Task(TaskFact {
        arn: format!("arn:aws:ecs:eu-west-1:1:task/x/{task:032x}").into(),
        cluster: CLUSTERS[usize::from(host) % 2].into(),
        instance: Some(format!("arn:aws:ecs:eu-west-1:1:container-instance/x/{host:032x}").into()),
        version: Some(version),
        last_status: status,
        desired_running: status == TaskStatus::Running,
        group: Some("service:api".into()),
        definition: None,
        awsvpc: false,
        connected: None,
        started_at: None,
        stop_code: None,
        stopped_reason: None,
    })
}

fn status() -> impl Strategy<Value = InstanceStatus> {
    prop_oneof![
        8 => Just(InstanceStatus::Active),
        1 => Just(InstanceStatus::Draining),
        1 => Just(InstanceStatus::Inactive),
        1 => Just(InstanceStatus::RegistrationFailed),
        1 => Just(InstanceStatus::Other),
    ]
}

fn fact() -> impl Strategy<Value = Fact<'static>> {
    let hosts = 0..12u8;
    prop_oneof![
        6 => (hosts.clone(), 0..30i64, any::<bool>(), status())
            .prop_map(|(host, version, connected, status)| instance(host, version, connected, status)),
        3 => (0..30u8, 0..8i64, hosts.clone(), any::<bool>()).prop_map(|(number, version, host, over)| {
            task(number, version, host, if over { TaskStatus::Stopped } else { TaskStatus::Running })
        }),
        1 => (hosts.clone(), 0..6u8).prop_map(|(host, state)| Fact::Ec2State {
            instance_id: format!("i-{host:017x}").into(),
            state: [
                Ec2State::Pending, Ec2State::Running, Ec2State::Stopped, Ec2State::ShuttingDown, Ec2State::Terminated,
                Ec2State::Gone,
            ][usize::from(state)],
        }),
        1 => (hosts.clone(), any::<bool>()).prop_map(|(host, well)| Fact::Ec2Status(Ec2StatusFact {
            instance_id: format!("i-{host:017x}").into(),
            state: Ec2State::Running,
            system: ReachabilityStatus::Ok,
            instance: if well { ReachabilityStatus::Ok } else { ReachabilityStatus::Impaired },
            ebs: ReachabilityStatus::Ok,
            scheduled: None,
        })),
        1 => (hosts, any::<Option<bool>>()).prop_map(|(host, online)| Fact::Ssm(SsmFact {
            instance_id: format!("i-{host:017x}").into(),
            online,
            last_ping_at: None,
            platform: None,
        })),
    ]
}

#[derive(Clone, Debug)]
enum Move {
    Event(Box<Fact<'static>>),
    Look(Vec<Fact<'static>>, bool),
    Wait(i64),
    /// The oldest open intent ends so.
    Acted(u8),
    /// An operator asks for this, of this case.
    Asked(u8, u8),
    /// Everything looked for is seen as it is believed: agents away, machines running, pings as given.
    Seen(bool),
}

fn result(kind: u8) -> ActResult<'static> {
    let says = || "as drawn".into();
    match kind % 9 {
        0 => ActResult::Unhealed { says: says() },
        1 => ActResult::Unfit { why: says() },
        2 => ActResult::Gone { note: says() },
        3 => ActResult::Impossible { why: says() },
        4 => ActResult::Denied { why: says() },
        5 => ActResult::Failed { why: says(), may_have_happened: false },
        6 => ActResult::Failed { why: says(), may_have_happened: true },
        7 => ActResult::Withheld { why: says() },
        _ => ActResult::Done { note: says() },
    }
}

fn request(kind: u8, case: u8) -> Request<'static> {
    let case = CaseId(u32::from(case));
    match kind % 8 {
        0 => Request::Approve { case },
        1 => Request::Veto { case },
        2 => Request::Hold { case, secs: Some(600) },
        3 => Request::Retry { case },
        4 => Request::Pause { cluster: None, secs: Some(900) },
        5 => Request::Resume { cluster: None },
        6 => Request::Protect { subject: format!("i-{:017x}", case.0 % 12).into(), secs: Some(600) },
        _ => Request::Unprotect { subject: format!("i-{:017x}", case.0 % 12).into() },
    }
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        6 => fact().prop_map(|fact| Move::Event(Box::new(fact))),
        2 => (prop::collection::vec(fact(), 0..8), any::<bool>()).prop_map(|(facts, whole)| Move::Look(facts, whole)),
        3 => (-3600..1200i64).prop_map(Move::Wait),
    ];
    prop::collection::vec(one, 0..120)
}

fn input(fleet: &Fleet, now: Timestamp, step: &Move) -> Option<Input<'static>> {
    match step {
        Move::Event(fact) => {
            let observation = Observation { at: now, source: Source::Event, fact: (**fact).clone() };
            (admit(fleet, &observation) == Admission::News).then_some(Input::Observed(observation))
        }
        Move::Look(facts, complete) => {
            let found =
                facts.iter().map(|fact| Observation { at: now, source: Source::Sweep, fact: fact.clone() }).collect();
            let scope = Scope::ClusterHosts(CLUSTERS[0].into());
            let sweep = Sweep { scope, started_at: now, found, unchanged: 0, complete: *complete, absent: Vec::new() };
            Some(Input::Swept(digest(fleet, sweep)))
        }
        Move::Wait(_) => Some(Input::Ticked),
        Move::Acted(kind) => {
            let intent = fleet.open_intents().first()?.id;
            Some(Input::Acted(Outcome { intent, result: result(*kind) }))
        }
        Move::Asked(kind, case) => {
            let request = request(*kind, *case);
            Some(Input::Asked(Asked { who: "ann".into(), why: "".into(), request }))
        }
        Move::Seen(_) => None,
    }
}

static BEGAN: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

/// Hosts 0 to 5 in ECS with their agents away, their machines running, their pings so.
fn seen(now: Timestamp, online: bool) -> Vec<Input<'static>> {
    let look = |scope, found: Vec<Fact<'static>>| {
        let found = found.into_iter().map(|fact| Observation { at: now, source: Source::Look, fact }).collect();
        Input::Swept(Sweep { scope, started_at: now, found, unchanged: 0, complete: false, absent: Vec::new() })
    };
    let place = || "1/eu-west-1".into();
    let machines = (0..2u8)
        .map(|host| {
            Fact::Ec2Status(Ec2StatusFact {
                instance_id: format!("i-{host:017x}").into(),
                state: Ec2State::Running,
                system: ReachabilityStatus::Ok,
                instance: ReachabilityStatus::Ok,
                ebs: ReachabilityStatus::Ok,
                scheduled: None,
            })
        })
        .collect();
    let pings = (0..2u8)
        .map(|host| {
            Fact::Ssm(SsmFact {
                instance_id: format!("i-{host:017x}").into(),
                online: Some(online),
                last_ping_at: None,
                platform: None,
            })
        })
        .collect();
    let hosts = (0..2u8).map(|host| instance(host, 99, false, InstanceStatus::Active)).collect();
    vec![
        look(Scope::Hosts { cluster: CLUSTERS[0].into() }, hosts),
        look(Scope::Machines(place()), machines),
        look(Scope::Pings(place()), pings),
    ]
}

fn acting_moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        2 => fact().prop_map(|fact| Move::Event(Box::new(fact))),
        6 => any::<bool>().prop_map(Move::Seen),
        6 => (5..200i64).prop_map(Move::Wait),
        6 => any::<u8>().prop_map(Move::Acted),
        1 => (any::<u8>(), 0..12u8).prop_map(|(kind, case)| Move::Asked(kind, case)),
    ];
    prop::collection::vec(one, 60..200)
}

#[test]
fn drawn_stories_of_acting_do_begin_remedies() {
    a_ladder_that_meets_every_outcome_keeps_its_books_and_its_budget();
    let began = BEGAN.load(std::sync::atomic::Ordering::Relaxed);
    assert!(began > 100, "only {began} acts were begun in all drawn stories");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_books_balance_after_every_step_and_a_snapshot_changes_nothing(moves in moves()) {
        let mut fleet = Fleet::new(Policy { grace_secs: 60, act_after_secs: 120, ..Policy::default() });
        let mut now = start();
        for step_of in &moves {
            if let Move::Wait(secs) = step_of {
                now += SignedDuration::from_secs(*secs);
            } else {
                now += SignedDuration::from_secs(1);
            }
            let Some(input) = input(&fleet, now, step_of) else { continue };
            let bytes = snapshot::save(&fleet);
            let mut twin = snapshot::load(&bytes, fleet.policy().clone()).unwrap();
            let effects = step(&mut fleet, now, &input);
            prop_assert_eq!(&step(&mut twin, now, &input), &effects);
            prop_assert_eq!(snapshot::save(&twin), snapshot::save(&fleet));
            prop_assert_eq!(invariant::check(&fleet), Vec::new());
        }
    }

    /// Whatever comes of the acts, whatever operators ask: the books balance, a replay agrees, and no budget is exceeded.
    fn a_ladder_that_meets_every_outcome_keeps_its_books_and_its_budget(
        moves in acting_moves(),
        approve in any::<bool>(),
        scale_up_first in any::<bool>(),
    ) {
        let mode = if approve { Mode::Approve } else { Mode::Act };
        let replacement = Replacement { scale_up_first, outside_groups: true, ..Replacement::default() };
        let policy = Policy { grace_secs: 60, act_after_secs: 120, mode, replacement, ..Policy::default() };
        let mut fleet = Fleet::new(policy);
        let mut now = start();
        let mut began = 0;
        for step_of in &moves {
            now += SignedDuration::from_secs(if let Move::Wait(secs) = step_of { secs.abs() } else { 1 });
            let seen = if let Move::Seen(online) = step_of { seen(now, *online) } else { Vec::new() };
            for input in input(&fleet, now, step_of).into_iter().chain(seen) {
                let twin = snapshot::save(&fleet);
                let mut twin = snapshot::load(&twin, fleet.policy().clone()).unwrap();
                let effects = step(&mut fleet, now, &input);
                prop_assert_eq!(&step(&mut twin, now, &input), &effects);
                prop_assert_eq!(invariant::check(&fleet), Vec::new());
                for effect in &effects {
                    if let Effect::Act(intent) = effect {
                        began += 1;
                        prop_assert!(fleet.open_intents().iter().any(|open| open.id == intent.id));
                    }
                }
                for cluster in CLUSTERS {
                    let disturbed = fleet
                        .cases(now, false)
                        .iter()
                        .filter(|case| case.cluster == cluster)
                        .filter(|case| case.under_way.as_ref().is_some_and(|it| it.remedy.disturbs()))
                        .count();
                    prop_assert!(disturbed <= 1, "{} hosts of {} are disturbed at once", disturbed, cluster);
                }
            }
        }
        // Drawn stories in which nothing is ever begun prove nothing; most begin something.
        BEGAN.fetch_add(began, std::sync::atomic::Ordering::Relaxed);
    }

    /// I14, metamorphic: what was believed last does not hang on the order in which events came.
    #[test]
    fn any_order_of_the_same_events_ends_in_the_same_beliefs(
        histories in prop::collection::vec((1..8i64, any::<u8>()), 1..6),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
        doubled in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut events = Vec::new();
        for (host, (length, bits)) in histories.iter().enumerate() {
            for version in 1..=*length {
                let connected = bits >> version & 1 == 0;
                events.push(instance(host as u8, version, connected, InstanceStatus::Active));
                let status = if version == *length && bits & 1 == 1 { TaskStatus::Stopped } else { TaskStatus::Running };
                events.push(task(host as u8, version, host as u8, status));
            }
        }
        let mut shuffled = events.clone();
        for index in doubled {
            shuffled.push(events[index.index(events.len())].clone());
        }
        for (from, index) in order.iter().enumerate() {
            let from = from % shuffled.len();
            let to = index.index(shuffled.len());
            shuffled.swap(from, to);
        }
        let believe = |events: &[Fact<'static>]| {
            let mut fleet = Fleet::new(Policy::default());
            for fact in events {
                let observation = Observation { at: start(), source: Source::Event, fact: fact.clone() };
                if admit(&fleet, &observation) == Admission::News {
                    step(&mut fleet, start(), &Input::Observed(observation));
                }
            }
            let roll = fleet.roll_call(start(), None);
            let hosts: Vec<_> = roll.clusters.into_iter().flat_map(|cluster| cluster.hosts).collect();
            let view: Vec<_> = hosts
                .into_iter()
                .map(|host| (host.arn, host.verdict, host.zombie_tasks))
                .collect();
            (view, fleet.counts(start()).tasks)
        };
        prop_assert_eq!(believe(&events), believe(&shuffled));
    }
}
