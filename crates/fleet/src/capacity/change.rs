//! The smallest change after which so many copies fit. None is named that the twin has not tried.

use serde::{Deserialize, Serialize};

use super::{
    eni::slot_limit,
    fit::Answer,
    headroom::Availability,
    limit::{Limit, counted},
    placement::Placement,
    shape::TaskShape,
    twin::{Class, Ports, Seat, SeatSlots, Takes, Twin},
};
use crate::{
    names::Name,
    observation::{Amounts, HostPort},
};

/// So many hosts at most are added in thought: who needs more has another question.
const MOST_HOSTS: u64 = 1_000;

/// What a host can offer of its memory when only its type is known: the kernel and the agent keep the rest.
const OFFERED_PERCENT: u32 = 90;

/// A change after which the copies fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// More hosts like those that are there.
    AddHosts {
        /// How many.
        hosts: u64,
        /// Instance type; empty where hosts have none.
        instance_type: String,
        /// Zone, where it matters.
        zone: Option<String>,
    },
    /// Hosts of a type that the cluster does not have, or that the task could not use before.
    OtherType {
        /// How many.
        hosts: u64,
        /// Instance type.
        instance_type: String,
        /// Its CPU and memory are EC2's, of which a host offers a little less: assumed, not seen.
        assumed: bool,
    },
    /// Trunk interfaces on hosts that have none. They must be launched anew for it.
    Trunking {
        /// ARNs.
        hosts: Vec<String>,
    },
    /// Less memory for each task.
    LessMemory {
        /// How much less, in MiB.
        mib: u32,
        /// What is left for each task.
        to_mib: u32,
    },
    /// Less CPU for each task.
    LessCpu {
        /// How many units less.
        units: u32,
        /// What is left for each task.
        to_units: u32,
    },
    /// Hosts that take tasks again.
    Repair {
        /// ARNs.
        hosts: Vec<String>,
        /// What is wrong with the first.
        because: Availability,
    },
    /// Ports that nobody holds any more.
    FreePorts {
        /// Which.
        ports: Vec<HostPort>,
        /// ARNs.
        hosts: Vec<String>,
    },
}

/// A change, and what the twin says of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What to change.
    pub step: Step,
    /// Copies that fit afterwards, at least as many as were asked for.
    pub copies: u64,
}

impl Change {
    /// As an advice.
    pub fn sentence(&self) -> String {
        let some = |hosts: &[String]| match hosts {
            [one] => one.rsplit('/').next().unwrap_or(one).to_owned(),
            many => counted(many.len(), "host"),
        };
        match &self.step {
            Step::AddHosts { hosts, instance_type, zone } => {
                let kind = if instance_type.is_empty() { String::new() } else { format!(" of type {instance_type}") };
                let place = zone.as_ref().map(|zone| format!(" in {zone}")).unwrap_or_default();
                format!("add {}{kind}{place}", counted(*hosts as usize, "host"))
            }
            Step::OtherType { hosts, instance_type, assumed } => {
                let caution = if *assumed { ", assuming that it offers most of its nominal memory" } else { "" };
                format!("add {} of type {instance_type}{caution}", counted(*hosts as usize, "host"))
            }
            Step::Trunking { hosts } => format!("launch {} anew with a trunk interface (awsvpcTrunking)", some(hosts)),
            Step::LessMemory { mib, to_mib } => format!("reserve {mib} MiB less for each task ({to_mib} MiB)"),
            Step::LessCpu { units, to_units } => {
                format!("reserve {units} CPU units less for each task ({to_units} units)")
            }
            Step::Repair { hosts, because } => format!("repair {} ({})", some(hosts), because.word()),
            Step::FreePorts { ports, hosts } => {
                let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
                format!("free {} on {}", ports.join(" and "), some(hosts))
            }
        }
    }
}

/// What is wanted: so many copies of a task.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'w> {
    pub shape: &'w TaskShape,
    pub placement: &'w Placement,
    pub copies: u64,
}

impl Wanted<'_> {
    fn tried(&self, twin: &Twin<'_>, step: Step) -> Option<Change> {
        let copies = twin.fit(self.shape, self.placement).copies;
        (copies >= self.copies).then_some(Change { step, copies })
    }
}

impl Twin<'_> {
    /// Changes after which as many copies fit as are wanted, each the smallest of its kind, in the order in which they
    /// disturb the least. Nothing when they fit already.
    pub(super) fn changes(&self, wanted: Wanted<'_>, now: &Answer) -> Vec<Change> {
        if now.copies >= wanted.copies {
            return Vec::new();
        }
        let mut changes = Vec::new();
        changes.extend(self.repair(wanted, now));
        changes.extend(self.free_ports(wanted, now));
        changes.extend(self.add_hosts(wanted, now));
        changes.extend(self.other_type(wanted, now));
        changes.extend(self.trunking(wanted, now));
        changes.extend(self.less(wanted, now));
        changes
    }

    fn arns(&self, seats: &[usize]) -> Vec<String> {
        let slots = seats.iter().filter_map(|seat| self.seats.get(*seat)?.slot);
        slots.map(|slot| self.fleet.host_arn(slot)).collect()
    }

    /// The fewest hosts to change so that the copies fit, those that gain the most first.
    fn fewest(
        &self,
        wanted: Wanted<'_>,
        now: &Answer,
        concerned: impl Fn(&Seat, Option<&Limit>) -> bool,
        change: impl Fn(&mut Twin<'_>, usize),
        step: impl Fn(&[usize]) -> Step,
    ) -> Option<Change> {
        let hosts = self.seats.iter().zip(&now.hosts).enumerate();
        let concerned: Vec<usize> = hosts
            .filter(|(_, (seat, host))| seat.slot.is_some() && concerned(seat, host.limit.as_ref()))
            .map(|(number, _)| number)
            .collect();
        if concerned.is_empty() {
            return None;
        }
        let mut all = self.copy();
        for seat in &concerned {
            change(&mut all, *seat);
        }
        let after = all.fit(wanted.shape, wanted.placement);
        let copies = |answer: &Answer, seat: usize| answer.hosts.get(seat).map_or(0, |host| u64::from(host.copies));
        let mut gains: Vec<(u64, usize)> = concerned
            .iter()
            .map(|seat| (copies(&after, *seat).saturating_sub(copies(now, *seat)), *seat))
            .filter(|(gain, _)| *gain > 0)
            .collect();
        gains.sort_by_key(|(gain, seat)| (std::cmp::Reverse(*gain), *seat));
        let (mut sum, mut chosen) = (now.copies, Vec::new());
        let mut twin = self.copy();
        for (gain, seat) in gains {
            sum += gain;
            chosen.push(seat);
            change(&mut twin, seat);
            if sum >= wanted.copies {
                // What hosts share, as the addresses of a zone, may want one more.
                if let Some(found) = wanted.tried(&twin, step(&chosen)) {
                    return Some(found);
                }
            }
        }
        None
    }

    fn repair(&self, wanted: Wanted<'_>, now: &Answer) -> Option<Change> {
        let lame = |seat: &Seat, _: Option<&Limit>| {
            use Availability::{AgentLost, AgentUnheard, Draining, MachineDown};
            matches!(seat.availability, AgentLost | AgentUnheard | MachineDown | Draining) && seat.takes != Takes::Yes
        };
        let repaired = |twin: &mut Twin<'_>, seat: usize| {
            if let Some(seat) = twin.seats.get_mut(seat) {
                (seat.takes, seat.availability) = (Takes::Yes, Availability::Open);
            }
        };
        self.fewest(wanted, now, lame, repaired, |chosen| Step::Repair {
            hosts: self.arns(chosen),
            because: chosen
                .first()
                .and_then(|seat| self.seats.get(*seat))
                .map_or(Availability::AgentLost, |seat| seat.availability),
        })
    }

    fn free_ports(&self, wanted: Wanted<'_>, now: &Answer) -> Option<Change> {
        let ports = &wanted.shape.ports;
        let stuck = |seat: &Seat, limit: Option<&Limit>| {
            matches!(limit, Some(Limit::Port(_))) && ports.iter().any(|port| self.is_taken(seat, port) == Some(true))
        };
        let freed = |twin: &mut Twin<'_>, number: usize| {
            let fleet = twin.fleet;
            let Some(seat) = twin.seats.get_mut(number) else { return };
            let taken: Vec<HostPort> = match &seat.ports {
                Ports::Untold => return,
                Ports::Shared(set) => fleet.port_sets.list(*set).to_vec(),
                Ports::Own(list) => list.clone(),
            };
            seat.ports = Ports::Own(taken.into_iter().filter(|port| !ports.contains(port)).collect());
        };
        self.fewest(wanted, now, stuck, freed, |chosen| {
            let taken = |port: &HostPort| {
                chosen
                    .iter()
                    .filter_map(|seat| self.seats.get(*seat))
                    .any(|seat| self.is_taken(seat, port) == Some(true))
            };
            let ports = ports.iter().copied().filter(taken).collect();
            Step::FreePorts { ports, hosts: self.arns(chosen) }
        })
    }

    fn trunking(&self, wanted: Wanted<'_>, now: &Answer) -> Option<Change> {
        if !wanted.shape.awsvpc {
            return None;
        }
        let narrow = |seat: &Seat, limit: Option<&Limit>| {
            !seat.slots.trunk && limit == Some(&Limit::Interfaces) && !seat.external
        };
        let trunked = |twin: &mut Twin<'_>, number: usize| {
            let Some(seat) = twin.seats.get(number) else { return };
            let Some(host) = seat.slot.and_then(|slot| twin.fleet.hosts.get(slot)) else { return };
            let slots = twin.fleet.seat_slots(host, true);
            let class = twin.class(Class { attributes: host.attributes, trunk: true });
            if let Some(seat) = twin.seats.get_mut(number)
                && slots.free.is_some()
            {
                (seat.slots, seat.class) = (slots, class);
            }
        };
        self.fewest(wanted, now, narrow, trunked, |chosen| Step::Trunking { hosts: self.arns(chosen) })
    }

    /// Less of what is short, for each task: the least that helps.
    fn less(&self, wanted: Wanted<'_>, now: &Answer) -> Vec<Change> {
        let short = |limit: Limit| now.hosts.iter().any(|host| host.limit.as_ref() == Some(&limit));
        let mut changes = Vec::new();
        let (memory, cpu) = (wanted.shape.memory_mib, wanted.shape.cpu_units);
        let with_memory = |mib: u32| TaskShape { memory_mib: memory - mib, ..wanted.shape.clone() };
        let with_cpu = |units: u32| TaskShape { cpu_units: cpu - units, ..wanted.shape.clone() };
        if short(Limit::Memory) {
            changes.extend(
                self.least(wanted, memory, with_memory)
                    .map(|(mib, copies)| Change { step: Step::LessMemory { mib, to_mib: memory - mib }, copies }),
            );
        }
        if short(Limit::Cpu) {
            changes.extend(
                self.least(wanted, cpu, with_cpu)
                    .map(|(units, copies)| Change { step: Step::LessCpu { units, to_units: cpu - units }, copies }),
            );
        }
        changes
    }

    /// The least amount less, of an amount of which something must be left, so that the copies fit; and how many then do.
    fn least(&self, wanted: Wanted<'_>, whole: u32, with: impl Fn(u32) -> TaskShape) -> Option<(u32, u64)> {
        let copies = |less: u32| self.fit(&with(less), wanted.placement).copies;
        let (mut enough, mut too_little) = (whole.checked_sub(1)?, 0);
        if copies(enough) < wanted.copies {
            return None;
        }
        while enough - too_little > 1 {
            let middle = too_little + (enough - too_little) / 2;
            *(if copies(middle) >= wanted.copies { &mut enough } else { &mut too_little }) = middle;
        }
        Some((enough, copies(enough)))
    }

    /// For each type and zone of the cluster that is worth it, one host to add more like it.
    fn examples(&self) -> Vec<Seat> {
        let mut seen = Vec::new();
        let mut examples = Vec::new();
        for seat in &self.seats {
            let kind = (seat.instance_type, seat.zone, seat.slots.trunk, seat.provider);
            if !seen.contains(&kind)
                && let Some(fresh) = self.fresh(seat)
            {
                seen.push(kind);
                examples.push(fresh);
            }
        }
        examples
    }

    /// How many hosts like this one it takes.
    fn how_many(&self, wanted: Wanted<'_>, now: &Answer, like: &Seat) -> Option<(u64, u64)> {
        let mut alone = self.copy();
        alone.seats = vec![like.clone()];
        let each = alone.fit(wanted.shape, wanted.placement).copies;
        let missing = wanted.copies.saturating_sub(now.copies);
        let hosts = missing.div_ceil(each.max(1));
        if each == 0 || hosts > MOST_HOSTS {
            return None;
        }
        let mut more = self.copy();
        more.seats.extend((0..hosts).map(|_| like.clone()));
        let copies = more.fit(wanted.shape, wanted.placement).copies;
        (copies >= wanted.copies).then_some((hosts, copies))
    }

    fn add_hosts(&self, wanted: Wanted<'_>, now: &Answer) -> Option<Change> {
        let examples = self.examples();
        let tried = examples.iter().filter_map(|like| Some((self.how_many(wanted, now, like)?, like)));
        let ((hosts, copies), like) = tried.min_by_key(|((hosts, _), _)| *hosts)?;
        let text = |name: Option<Name>| self.fleet.names.owned(name);
        // The zone matters where hosts of the same type elsewhere would not do.
        let alike = |other: &&Seat| other.instance_type == like.instance_type && other.zone != like.zone;
        let anywhere = examples
            .iter()
            .filter(alike)
            .all(|other| self.how_many(wanted, now, other).is_some_and(|(count, _)| count <= hosts));
        let step = Step::AddHosts {
            hosts,
            instance_type: text(like.instance_type).unwrap_or_default(),
            zone: if anywhere { None } else { text(like.zone) },
        };
        Some(Change { step, copies })
    }

    /// A type that EC2 has told of and the cluster does not have: as if hosts of the cluster were of that type. Proposed
    /// only where no type of the cluster would do.
    fn other_type(&self, wanted: Wanted<'_>, now: &Answer) -> Option<Change> {
        if self.add_hosts(wanted, now).is_some() {
            return None;
        }
        let examples = self.examples();
        let mut best: Option<(u64, u64, Name)> = None;
        for (name, limits) in &self.fleet.types {
            let (Some(vcpus), Some(memory_mib)) = (limits.vcpus, limits.memory_mib) else { continue };
            if examples.iter().any(|like| like.instance_type == Some(*name)) {
                continue;
            }
            for like in &examples {
                let text = self.fleet.names.text(*name);
                let limit = slot_limit(text, Some(limits), like.slots.trunk);
                let amounts = Amounts {
                    cpu_units: vcpus.saturating_mul(1_024),
                    memory_mib: (u64::from(memory_mib) * u64::from(OFFERED_PERCENT) / 100) as u32,
                };
                let gpus = u16::try_from(limits.gpus).unwrap_or(u16::MAX);
                let seat = Seat {
                    instance_type: Some(*name),
                    left: Some(amounts),
                    whole: amounts,
                    gpus,
                    gpus_whole: gpus,
                    slots: SeatSlots {
                        free: limit.map(|limit| limit.high),
                        sure: limit.map_or(0, |limit| limit.low),
                        held: 0,
                        trunk: like.slots.trunk,
                    },
                    ..like.clone()
                };
                if let Some((hosts, copies)) = self.how_many(wanted, now, &seat)
                    && best.is_none_or(|(fewest, _, _)| hosts < fewest)
                {
                    best = Some((hosts, copies, *name));
                }
            }
        }
        let (hosts, copies, name) = best?;
        let instance_type = self.fleet.names.text(name).to_owned();
        Some(Change { step: Step::OtherType { hosts, instance_type, assumed: true }, copies })
    }
}
