//! How many fit, on each host and in all, and what stops the next.

use std::collections::BTreeMap;

use fleet::{
    capacity::{
        fit::{Answer, HostFit},
        limit::Limit,
    },
    observation::HostPort,
};
use simulator::{
    twin::{Case, HostAnswer},
    world::{
        HostId, Lack,
        placement::{self, Constraint},
    },
};

use super::{coverage::Coverage, told::Told};

/// The scheduler's answer beside the twin's.
pub(crate) fn compare(case: &Case, told: &Told, most: u32, coverage: &mut Coverage) -> Result<(), String> {
    let (theirs, ours) = (case.answer(most), told.fleet.fit(&told.cluster, &told.shape, &told.placement, told.now));
    let by_arn: BTreeMap<String, &HostFit> =
        ours.hosts.iter().filter_map(|host| Some((told.fleet.host_arn(host.slot?), host))).collect();
    let unknown = ours.hosts.iter().any(|host| matches!(host.limit, Some(Limit::Unknown(_))));
    let short_zones = short_zones(case, &theirs.hosts, &by_arn)?;
    for answer in &theirs.hosts {
        let arn = case.world.host_arn(answer.host);
        let Some(host) = by_arn.get(&arn) else {
            // A host that is over is listed nowhere.
            if answer.lack != Some(Lack::Status) {
                return Err(format!("the twin has no host {arn}, the scheduler {answer:?}"));
            }
            continue;
        };
        coverage.hosts += 1;
        if let Some(limit) = &host.limit {
            coverage.limit(word(limit));
        }
        let zone = zone_of(case, answer.host);
        let shared = zone.is_some_and(|zone| short_zones.contains_key(&zone));
        let given_out = zone.is_some_and(|zone| all_given_out(case, zone, &theirs.hosts, &by_arn));
        one_host(case, answer, host, most, (shared, given_out)).map_err(|what| format!("{arn}: {what}"))?;
    }
    let placed = theirs.placed.len() as u64;
    if unknown {
        coverage.unknown += 1;
        let within = ours.copies.min(u64::from(most)) <= placed && placed <= ours.at_most;
        return if within { Ok(()) } else { Err(format!("{placed} fit, not {} to {}", ours.copies, ours.at_most)) };
    }
    if ours.copies.min(u64::from(most)) != placed {
        return Err(format!("{placed} fit in all, the twin says {}: {:?}", ours.copies, theirs.refused));
    }
    match ours.copies {
        0 => coverage.none_fits += 1,
        _ => coverage.fit += 1,
    }
    coverage.copies += placed;
    // Whether there is one more than the most was not tried.
    let Some(refused) = theirs.refused else {
        coverage.more_than_tried += 1;
        return Ok(());
    };
    next(case, &ours, refused.lack, refused.why.word(), coverage)
}

/// What is said of the copy after the last that fits.
fn next(
    case: &Case,
    ours: &Answer,
    lack: Option<Lack>,
    why: &'static str,
    coverage: &mut Coverage,
) -> Result<(), String> {
    coverage.reason(why);
    // Without a single host nothing is close.
    let said = ours.closest.as_ref().map_or("NO ACTIVE INSTANCES", Limit::reason);
    if said != why {
        return Err(format!("the next is refused for {why} ({lack:?}), the twin says {said} ({:?})", ours.closest));
    }
    if let (Some(lack), Some(limit)) = (lack, &ours.closest) {
        // Hosts may lack different things for the same reason; of ports, attributes and expressions the kind counts.
        let kinds = ours.hosts.iter().filter_map(|host| host.limit.as_ref());
        if !kinds.clone().any(|limit| same(case, lack, limit)) {
            return Err(format!("no host lacks {lack:?}, the twin says {limit:?}"));
        }
    }
    Ok(())
}

/// `shared`: its zone has too few addresses for all. `given_out`: even if all that is not known were in favour.
fn one_host(
    case: &Case,
    answer: &HostAnswer,
    host: &HostFit,
    most: u32,
    (shared, given_out): (bool, bool),
) -> Result<(), String> {
    let HostAnswer { copies, lack, .. } = *answer;
    if let Some(Limit::Unknown(_)) = host.limit {
        // The addresses of its zone may all have been given to others.
        let within = host.copies <= copies && (copies <= host.at_most || given_out);
        return if within { Ok(()) } else { Err(format!("takes {copies}, not up to {}", host.at_most)) };
    }
    // What a zone has too few addresses for, either may give to other hosts of the zone.
    let agrees = if shared { host.copies.min(most) <= copies } else { host.copies.min(most) == copies };
    if !agrees {
        return Err(format!("takes {copies} ({lack:?}), the twin says {} ({:?})", host.copies, host.limit));
    }
    match (lack, &host.limit) {
        // ECS names no port: each that the task wants and cannot have is a reason.
        (Some(Lack::Port(_)), Some(Limit::Port(port))) if copies > 0 || taken(case, answer.host, port) => Ok(()),
        (Some(lack), Some(limit)) if same(case, lack, limit) => Ok(()),
        (Some(_), Some(Limit::SubnetAddresses(_))) if shared => Ok(()),
        // It took all that were tried.
        (None, _) => Ok(()),
        (lack, limit) => Err(format!("lacks {lack:?} for one more, the twin says {limit:?}")),
    }
}

fn zone_of(case: &Case, host: HostId) -> Option<u8> {
    let machine = case.world.machine(case.world.host(host)?.machine)?;
    (!machine.external).then_some(machine.zone)
}

/// The zones whose hosts have more room than their subnet has addresses. There the twin gives out all addresses, and not
/// one more.
fn short_zones(
    case: &Case,
    answers: &[HostAnswer],
    by_arn: &BTreeMap<String, &HostFit>,
) -> Result<BTreeMap<u8, u64>, String> {
    let mut zones = BTreeMap::new();
    for answer in answers {
        let host = by_arn.get(&case.world.host_arn(answer.host));
        if let (Some(zone), Some(HostFit { limit: Some(Limit::SubnetAddresses(_)), .. })) =
            (zone_of(case, answer.host), host)
        {
            zones.insert(zone, 0);
        }
    }
    for answer in answers {
        let copies = by_arn.get(&case.world.host_arn(answer.host)).map_or(0, |host| u64::from(host.copies));
        if let Some(sum) = zone_of(case, answer.host).and_then(|zone| zones.get_mut(&zone)) {
            *sum += copies;
        }
    }
    let subnets = case.subnets();
    for (zone, copies) in &zones {
        let free = subnets.get(usize::from(*zone)).map_or(0, |(_, _, free)| u64::from(*free));
        if *copies != free {
            return Err(format!("zone {zone} has {free} addresses, the twin gives out {copies}"));
        }
    }
    Ok(zones)
}

/// Whether the twin's upper bounds take all addresses of a zone.
fn all_given_out(case: &Case, zone: u8, answers: &[HostAnswer], by_arn: &BTreeMap<String, &HostFit>) -> bool {
    let here = answers.iter().filter(|answer| zone_of(case, answer.host) == Some(zone));
    let at_most = |answer: &HostAnswer| by_arn.get(&case.world.host_arn(answer.host)).map_or(0, |host| host.at_most);
    let sum: u64 = here.map(|answer| u64::from(at_most(answer))).sum();
    case.subnets().get(usize::from(zone)).is_some_and(|(_, _, free)| sum == u64::from(*free))
}

/// Whether the one's word means the other's.
fn same(case: &Case, lack: Lack, limit: &Limit) -> bool {
    match (lack, limit) {
        (Lack::Status, Limit::Status)
        | (Lack::Agent, Limit::Agent)
        | (Lack::Provider, Limit::Provider)
        | (Lack::LaunchType, Limit::LaunchType)
        | (Lack::OsFamily | Lack::Architecture, Limit::Os)
        | (Lack::Location, Limit::Location(_))
        | (Lack::DistinctInstance, Limit::DistinctInstance)
        | (Lack::Cpu, Limit::Cpu)
        | (Lack::Memory, Limit::Memory)
        | (Lack::Gpu, Limit::Gpu)
        | (Lack::Interfaces, Limit::Interfaces)
        | (Lack::Addresses, Limit::SubnetAddresses(_)) => true,
        (Lack::Attribute(None), Limit::Attribute(name)) => name == "ecs.capability.task-eni",
        (Lack::Attribute(Some(number)), Limit::Attribute(name)) => {
            case.task().and_then(|task| task.requires.get(usize::from(number))).is_some_and(|it| it.name == *name)
        }
        (Lack::MemberOf(number), Limit::MemberOf(text)) => {
            let own = case.task().into_iter().flat_map(|task| &task.constraints);
            let others = case.placement().into_iter().flat_map(|placement| &placement.constraints);
            let others = others.filter_map(|constraint| match constraint {
                Constraint::MemberOf(expression) => Some(expression),
                Constraint::DistinctInstance => None,
            });
            own.chain(others).nth(usize::from(number)).is_some_and(|expression| expression.text.trim() == text)
        }
        (Lack::Port(_), Limit::Port(port)) => wants(case, port),
        _ => false,
    }
}

fn read(port: &HostPort) -> Option<placement::HostPort> {
    placement::HostPort::parse(&port.to_string())
}

fn wants(case: &Case, port: &HostPort) -> bool {
    read(port).is_some_and(|port| case.task().is_some_and(|task| task.ports.contains(&port)))
}

/// Whether the task wants a port that is taken on a host.
fn taken(case: &Case, host: HostId, port: &HostPort) -> bool {
    let (Some(wanted), Some(found)) = (read(port), case.world.host(host)) else { return false };
    wants(case, port) && case.world.ports_taken(host, &found.said, wanted.protocol, true).contains(&wanted.port)
}

fn word(limit: &Limit) -> &'static str {
    match limit {
        Limit::Status => "status",
        Limit::Agent => "agent",
        Limit::Provider => "provider",
        Limit::LaunchType => "launch type",
        Limit::Attribute(_) => "attribute",
        Limit::Os => "operating system",
        Limit::Location(_) => "location",
        Limit::MemberOf(_) => "memberOf",
        Limit::DistinctInstance => "distinctInstance",
        Limit::Cpu => "CPU",
        Limit::Memory => "memory",
        Limit::Port(_) => "port",
        Limit::Gpu => "GPU",
        Limit::Interfaces => "interfaces",
        Limit::SubnetAddresses(_) => "addresses",
        Limit::Unknown(_) => "unknown",
    }
}
