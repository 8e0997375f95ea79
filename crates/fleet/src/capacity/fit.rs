//! How many more copies of a task fit now, on each host and in all, every dimension at once.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    headroom::Availability,
    limit::Limit,
    placement::{Constraint, LaunchType, Placement},
    query::Expr,
    shape::TaskShape,
    twin::{Seat, Takes, Twin},
};
use crate::{slab::Slot, state::Fleet};

/// How many more copies fit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Copies that ECS would place now.
    pub copies: u64,
    /// Of those, copies on hosts in no trouble, with interfaces that are certainly there.
    pub sure: u64,
    /// Copies if all that is not known were in favour.
    pub at_most: u64,
    /// What each host takes.
    pub hosts: Vec<HostFit>,
    /// What stops the next copy on most hosts; `None` when there are no hosts, or nothing stops it.
    pub limiting: Option<Limit>,
    /// What ECS would say of the next copy once these are placed: the limit of the host that fails latest in its checks;
    /// of equally close ones the most frequent. `None` where `limiting` is.
    pub closest: Option<Limit>,
}

/// How many more copies one host takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFit {
    /// The host; `None` for one that does not exist yet.
    pub slot: Option<Slot>,
    /// Copies that ECS would place.
    pub copies: u32,
    /// Of those, copies whose interfaces are certainly there; none where the host is in trouble.
    pub sure: u32,
    /// Copies if all that is not known were in favour.
    pub at_most: u32,
    /// What stops the next one; `None`: nothing.
    pub limit: Option<Limit>,
    /// Whether its room can be relied on.
    pub availability: Availability,
}

impl Fleet {
    /// How many more copies of a task ECS would place now on the hosts of a cluster, by its ARN. All that it hangs on is
    /// believed as of now; the time is asked for so that callers need not change when forecasts come in.
    pub fn fit(&self, cluster: &str, shape: &TaskShape, placement: &Placement, _now: Timestamp) -> Answer {
        Twin::of(self, cluster).fit(shape, placement)
    }
}

/// What stops every copy on the hosts of a class; asked once a class.
struct ByClass(Vec<Option<Option<Stop>>>);

/// What stops every copy on a host because of its attributes.
#[derive(Clone)]
struct Stop {
    /// How many of the rules are asked before it.
    after: usize,
    limit: Limit,
}

/// A placement constraint. ECS documents no order among them: they are asked as they are written, those of the task
/// definition first.
enum Rule<'q> {
    /// Hangs on attributes alone: hosts of a class give the same answer.
    OfClass(&'q Expr),
    OfHost(&'q Expr),
    Distinct,
}

/// What one question needs of every host.
struct Question<'q> {
    shape: &'q TaskShape,
    placement: &'q Placement,
    provider: Option<Option<crate::names::Name>>,
    group: String,
    /// Tasks of the group by seat, where a constraint asks for them.
    of_group: Option<Vec<u32>>,
    rules: Vec<Rule<'q>>,
}

impl Twin<'_> {
    /// How many more copies of a task ECS would place now.
    pub fn fit(&self, shape: &TaskShape, placement: &Placement) -> Answer {
        let mut hosts = self.fit_hosts(shape, placement);
        if shape.awsvpc {
            self.share_addresses(placement, &mut hosts);
        }
        let mut answer = Answer { hosts, ..Answer::default() };
        let mut frequency: BTreeMap<&Limit, u32> = BTreeMap::new();
        for host in &answer.hosts {
            answer.copies += u64::from(host.copies);
            answer.sure += u64::from(host.sure);
            answer.at_most += u64::from(host.at_most);
            if let Some(limit) = &host.limit {
                *frequency.entry(limit).or_default() += 1;
            }
        }
        let most = frequency.iter().max_by_key(|(limit, count)| (**count, limit.closeness()));
        let closest = closest(&frequency);
        answer.limiting = most.map(|(limit, _)| (*limit).clone());
        answer.closest = closest.cloned();
        answer
    }

    /// What each host takes by itself, without the addresses that it shares with others.
    pub(super) fn fit_hosts(&self, shape: &TaskShape, placement: &Placement) -> Vec<HostFit> {
        let group = placement.group.clone().unwrap_or_else(|| shape.own_group());
        let member = |query| if Expr::asks_attributes_only(query) { Rule::OfClass(query) } else { Rule::OfHost(query) };
        let of_service = placement.constraints.iter().map(|constraint| match constraint {
            Constraint::MemberOf(query) => member(query),
            Constraint::DistinctInstance => Rule::Distinct,
        });
        let distinct = placement.constraints.contains(&Constraint::DistinctInstance);
        let question = Question {
            shape,
            placement,
            provider: placement.capacity_provider.as_deref().map(|name| self.fleet.names.find(name)),
            of_group: distinct.then(|| self.tasks_of_group(&group)),
            group,
            rules: shape.constraints.iter().map(member).chain(of_service).collect(),
        };
        let mut classes = ByClass(vec![None; self.classes.len()]);
        let fit = |(number, seat): (usize, &Seat)| {
            let held = classes.0.get_mut(seat.class as usize);
            let stopped = match held {
                Some(Some(known)) => known.clone(),
                Some(unknown) => {
                    let found = self.stops_class(seat, &question);
                    *unknown = Some(found.clone());
                    found
                }
                None => None,
            };
            self.fit_seat(number, seat, stopped, &question)
        };
        self.seats.iter().enumerate().map(fit).collect()
    }

    /// What stops every copy on hosts with these attributes.
    fn stops_class(&self, seat: &Seat, question: &Question<'_>) -> Option<Stop> {
        let shape = question.shape;
        let first = |limit| Some(Stop { after: 0, limit });
        let attribute = |name: &str| self.attribute(seat.class, name);
        for wanted in &shape.requires {
            let fits = attribute(&wanted.name)
                .is_some_and(|value| wanted.value.as_deref().is_none_or(|wanted| value == wanted));
            if !fits {
                return first(Limit::Attribute(wanted.name.clone()));
            }
        }
        let os = shape.os_family.as_deref().is_some_and(|wanted| {
            match (attribute("ecs.os-family"), attribute("ecs.os-type")) {
                (Some(family), _) => !family.eq_ignore_ascii_case(wanted),
                (None, Some(os)) => {
                    let windows = wanted.get(..7).is_some_and(|begin| begin.eq_ignore_ascii_case("windows"));
                    windows != os.eq_ignore_ascii_case("windows")
                }
                (None, None) => false,
            }
        });
        let architecture = shape.cpu_architecture.as_deref().is_some_and(|wanted| {
            attribute("ecs.cpu-architecture").is_some_and(|has| !has.eq_ignore_ascii_case(wanted))
        });
        if os || architecture {
            return first(Limit::Os);
        }
        if shape.awsvpc
            && !question.placement.subnets.is_empty()
            && let Some(zone) = seat.zone.map(|zone| self.fleet.names.text(zone))
            && !question.placement.subnets.iter().any(|subnet| subnet.zone == zone)
        {
            return first(Limit::Location(zone.to_owned()));
        }
        let asked = self.asked(seat, None);
        question.rules.iter().enumerate().find_map(|(after, rule)| match rule {
            Rule::OfClass(query) if !query.holds(&asked) => Some(Stop { after, limit: member_of(query) }),
            _ => None,
        })
    }

    fn fit_seat(&self, number: usize, seat: &Seat, stopped: Option<Stop>, question: &Question<'_>) -> HostFit {
        let none = |limit: Limit| HostFit {
            slot: seat.slot,
            copies: 0,
            sure: 0,
            at_most: 0,
            limit: Some(limit),
            availability: seat.availability,
        };
        match seat.takes {
            Takes::Yes => {}
            Takes::NotActive => return none(Limit::Status),
            Takes::NoAgent => return none(Limit::Agent),
        }
        if question.provider.is_some_and(|provider| provider.is_none() || seat.provider != provider) {
            return none(Limit::Provider);
        }
        if seat.external != (question.placement.launch_type == LaunchType::External) {
            return none(Limit::LaunchType);
        }
        let mut room = Narrowing::default();
        let asked = stopped.as_ref().map_or(question.rules.len(), |stop| stop.after);
        for rule in question.rules.iter().take(asked) {
            match rule {
                Rule::OfClass(_) => {}
                Rule::OfHost(query) => {
                    if !query.holds(&self.asked(seat, None)) {
                        return none(member_of(query));
                    }
                    // A copy changes what groups are on the host, and may so rule out the next.
                    if query.asks_groups() && !query.holds(&self.asked(seat, Some(&question.group))) {
                        room.narrow(1, || member_of(query));
                    }
                }
                Rule::Distinct => {
                    if question.of_group.as_ref().and_then(|tasks| tasks.get(number)).is_some_and(|tasks| *tasks > 0) {
                        return none(Limit::DistinctInstance);
                    }
                    room.narrow(1, || Limit::DistinctInstance);
                }
            }
        }
        if let Some(stop) = stopped {
            return none(stop.limit);
        }
        self.measure(seat, question.shape, &mut room);
        let trusted = seat.availability == Availability::Open;
        HostFit {
            slot: seat.slot,
            copies: room.copies,
            sure: if trusted { room.copies.min(room.sure) } else { 0 },
            at_most: room.at_most,
            limit: room.limit,
            availability: seat.availability,
        }
    }

    /// What can be counted, in the order of ECS's checks.
    fn measure(&self, seat: &Seat, shape: &TaskShape, room: &mut Narrowing) {
        match seat.left {
            Some(left) => {
                if let Some(copies) = left.cpu_units.checked_div(shape.cpu_units) {
                    room.narrow(copies, || Limit::Cpu);
                }
                if let Some(copies) = left.memory_mib.checked_div(shape.memory_mib) {
                    room.narrow(copies, || Limit::Memory);
                }
            }
            None if shape.cpu_units > 0 || shape.memory_mib > 0 => room.unknown("it has not told its resources"),
            None => {}
        }
        for port in &shape.ports {
            match self.is_taken(seat, port) {
                Some(taken) => room.narrow(u32::from(!taken), || Limit::Port(*port)),
                None => room.unknown("it has not told its ports"),
            }
        }
        if let Some(copies) = u32::from(seat.gpus).checked_div(shape.gpus) {
            room.narrow(copies, || Limit::Gpu);
        }
        if shape.awsvpc {
            match seat.slots.free {
                Some(free) => {
                    room.narrow(free, || Limit::Interfaces);
                    room.sure = room.sure.min(seat.slots.sure);
                }
                None => room.unknown("the interfaces of its instance type are not known"),
            }
        }
    }

    /// Addresses are shared by the hosts of a zone: what is more than they give is taken from the last hosts.
    fn share_addresses(&self, placement: &Placement, hosts: &mut [HostFit]) {
        if placement.subnets.is_empty() {
            return;
        }
        let mut zones: BTreeMap<&str, (Vec<&str>, [u64; 3])> = BTreeMap::new();
        for subnet in &placement.subnets {
            let (ids, free) = zones.entry(&subnet.zone).or_default();
            ids.push(&subnet.id);
            for free in free {
                *free += u64::from(subnet.free_addresses);
            }
        }
        for (seat, host) in self.seats.iter().zip(hosts) {
            let Some(zone) = seat.zone.map(|zone| self.fleet.names.text(zone)) else { continue };
            let Some((ids, left)) = zones.get_mut(zone) else { continue };
            let wanted = host.copies;
            for (left, copies) in left.iter_mut().zip([&mut host.copies, &mut host.sure, &mut host.at_most]) {
                *copies = u32::try_from(*left).unwrap_or(u32::MAX).min(*copies);
                *left -= u64::from(*copies);
            }
            if host.copies < wanted {
                host.limit = Some(Limit::SubnetAddresses(ids.join(", ")));
            }
        }
    }
}

/// Of the hosts that came furthest in being asked the most frequent reason, and of the limits with that reason the most
/// frequent one. Of reasons that are equally frequent, the one that is asked for last.
fn closest<'l>(frequency: &BTreeMap<&'l Limit, u32>) -> Option<&'l Limit> {
    let close = frequency.keys().map(|limit| limit.closeness()).max()?;
    let close = || frequency.iter().filter(move |(limit, _)| limit.closeness() == close);
    let mut reasons: BTreeMap<&str, (u32, &Limit)> = BTreeMap::new();
    for (limit, count) in close() {
        let (sum, last) = reasons.entry(limit.reason()).or_insert((0, limit));
        (*sum, *last) = (*sum + count, limit);
    }
    let (reason, _) = reasons.iter().max_by_key(|(_, frequent)| **frequent)?;
    close().filter(|(limit, _)| limit.reason() == *reason).max_by_key(|(_, count)| **count).map(|(limit, _)| *limit)
}

fn member_of(query: &Expr) -> Limit {
    Limit::MemberOf(query.text().to_owned())
}

/// How many copies are left as one dimension after the other is looked at, and which was the first to leave so few.
struct Narrowing {
    copies: u32,
    sure: u32,
    at_most: u32,
    limit: Option<Limit>,
}

impl Default for Narrowing {
    fn default() -> Self {
        Self { copies: u32::MAX, sure: u32::MAX, at_most: u32::MAX, limit: None }
    }
}

impl Narrowing {
    fn narrow(&mut self, copies: u32, limit: impl FnOnce() -> Limit) {
        self.at_most = self.at_most.min(copies);
        // Of what is not known before nothing more can be said, unless this alone rules the host out.
        if copies < self.copies || (copies == 0 && matches!(self.limit, Some(Limit::Unknown(_)))) {
            self.copies = copies;
            self.limit = Some(limit());
        }
    }

    fn unknown(&mut self, why: &str) {
        if self.copies > 0 {
            self.copies = 0;
            self.limit = Some(Limit::Unknown(why.to_owned()));
        }
    }
}
