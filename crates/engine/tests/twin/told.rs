//! A case as muster gets to know it: every host and task by its event, the task definition and the service by their
//! descriptions, subnets and unusual instance types as EC2 tells them.

use fleet::{
    Fleet,
    capacity::{placement::Placement, shape::TaskShape},
    input::Input,
    invariant,
    observation::{Fact, InstanceTypeFact, Observation, Source, SubnetFact, decode::decode_event},
    policy::Policy,
    step,
};
use jiff::Timestamp;
use serde_json::Value;
use simulator::{twin::Case, world::kind};

/// What muster knows of a case.
pub(crate) struct Told {
    pub(crate) fleet: Fleet,
    pub(crate) cluster: String,
    pub(crate) shape: TaskShape,
    pub(crate) placement: Placement,
    pub(crate) now: Timestamp,
}

pub(crate) fn tell(case: &Case) -> Told {
    let mut fleet = Fleet::new(Policy::default());
    let now = case.world.now.timestamp();
    let mut events = case.events();
    // Tasks may be heard of before their hosts.
    if case.seed % 2 == 1 {
        events.reverse();
    }
    for body in &events {
        let observation = decode_event(body).unwrap_or_else(|error| panic!("seed {}: {error}", case.seed));
        step(&mut fleet, now, &Input::Observed(observation));
    }
    let mut look = |fact| {
        step(&mut fleet, now, &Input::Observed(Observation { at: now, source: Source::Look, fact }));
    };
    for (id, zone, free_addresses) in case.subnets() {
        look(Fact::Subnet(SubnetFact { id: id.into(), zone: zone.into(), free_addresses }));
    }
    // Of types that no table lists EC2 is asked, but not always.
    if case.seed % 4 != 3 {
        for kind in kind::KINDS.iter().filter(|kind| ["q9z.large", "q9z.nano", "n0n.sense"].contains(&kind.name)) {
            look(Fact::InstanceType(InstanceTypeFact {
                name: kind.name.into(),
                max_interfaces: u32::from(kind.max_enis),
                cards: vec![u32::from(kind.max_enis)],
                vcpus: None,
                memory_mib: None,
                gpus: u32::from(kind.gpus),
            }));
        }
    }
    assert_eq!(invariant::check(&fleet), Vec::new(), "seed {}", case.seed);
    let shape = TaskShape::read(&case.described_definition()).unwrap_or_else(|error| panic!("{}: {error}", case.seed));
    let services: Value = serde_json::from_slice(&case.described_service()).unwrap();
    let (mut placement, subnets) = Placement::of_service(&services["services"][0]).unwrap();
    placement.subnets = fleet.subnet_rooms(&subnets);
    let cluster = case.world.cluster(case.cluster).unwrap().arn.clone();
    Told { fleet, cluster, shape, placement, now }
}
