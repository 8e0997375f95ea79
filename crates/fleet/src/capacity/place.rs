//! Where the next copies of a task go: ECS's strategies, one copy after the other.

use std::collections::BTreeMap;

use super::{
    limit::Limit,
    placement::{Placement, Resource, Strategy},
    shape::TaskShape,
    twin::Twin,
};
use crate::{names::Name, slab::Slot, state::Fleet};

/// Where copies went.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Placed {
    /// Hosts, in the order of the copies.
    pub hosts: Vec<Slot>,
    /// What stopped the first copy that went nowhere, on the closest host; `None`: all were placed, or there is no host.
    pub limit: Option<Limit>,
}

impl Fleet {
    /// Where ECS would put so many copies: the ARN of a host for each that fits, then the limit, once. `seed` is what
    /// `random` draws from.
    pub fn place(
        &self,
        cluster: &str,
        shape: &TaskShape,
        placement: &Placement,
        count: u32,
        seed: u64,
    ) -> Vec<Result<String, Limit>> {
        let placed = Twin::of(self, cluster).place(shape, placement, count, seed);
        let hosts = placed.hosts.into_iter().map(|slot| Ok(self.host_arn(slot)));
        hosts.chain(placed.limit.map(Err)).collect()
    }
}

/// A host that still takes copies.
struct Candidate {
    seat: usize,
    left: u32,
    /// Which addresses its copies take, where these are counted.
    pool: Option<usize>,
    cpu_units: u32,
    memory_mib: u32,
    /// For each strategy that spreads, the number of the value it spreads over.
    values: Vec<usize>,
}

impl Twin<'_> {
    /// Where so many copies go. What the strategies leave equal goes to the host that was met first.
    pub fn place(&self, shape: &TaskShape, placement: &Placement, count: u32, seed: u64) -> Placed {
        let mut dice = Dice(seed);
        let mut placed = Placed::default();
        let mut addresses = if shape.awsvpc { self.addresses(placement) } else { Addresses::default() };
        let strategies = placement.effective_strategies();
        let mut spreads = self.spreads(shape, placement, &strategies);
        let mut candidates: Vec<Candidate> = self
            .fit_hosts(shape, placement)
            .iter()
            .enumerate()
            .filter(|(seat, host)| host.copies > 0 && host.slot.is_some() && !addresses.are_out(*seat))
            .map(|(seat, host)| {
                let amounts = self.seats.get(seat).and_then(|seat| seat.left).unwrap_or_default();
                Candidate {
                    seat,
                    left: host.copies,
                    pool: addresses.pool(seat),
                    cpu_units: amounts.cpu_units,
                    memory_mib: amounts.memory_mib,
                    values: spreads.iter().map(|spread| spread.of_seat.get(seat).copied().unwrap_or(0)).collect(),
                }
            })
            .collect();
        for _ in 0..count {
            let Some(chosen) = choose(&candidates, &strategies, &spreads, &mut dice) else {
                placed.limit = self.fit(shape, placement).closest;
                return placed;
            };
            let Some(candidate) = candidates.get_mut(chosen) else { break };
            placed.hosts.extend(self.seats.get(candidate.seat).and_then(|seat| seat.slot));
            candidate.left -= 1;
            candidate.cpu_units = candidate.cpu_units.saturating_sub(shape.cpu_units);
            candidate.memory_mib = candidate.memory_mib.saturating_sub(shape.memory_mib);
            for (spread, value) in spreads.iter_mut().zip(&candidate.values) {
                if let Some(tasks) = spread.tasks.get_mut(*value) {
                    *tasks += 1;
                }
            }
            let pool = candidate.pool;
            if candidate.left == 0 {
                candidates.remove(chosen);
            }
            if addresses.take_one(pool) == Some(0) {
                candidates.retain(|candidate| candidate.pool != pool);
            }
        }
        placed
    }

    /// The addresses that hosts share: those of the subnets in their zone.
    fn addresses(&self, placement: &Placement) -> Addresses {
        let mut zones: BTreeMap<&str, usize> = BTreeMap::new();
        let mut addresses = Addresses::default();
        for subnet in &placement.subnets {
            let pool = *zones.entry(&subnet.zone).or_insert_with(|| {
                addresses.free.push(0);
                addresses.free.len() - 1
            });
            addresses.free[pool] += u64::from(subnet.free_addresses);
        }
        let pool = |zone: Option<Name>| zones.get(self.fleet.names.text(zone?)).copied();
        addresses.of_seat = self.seats.iter().map(|seat| pool(seat.zone)).collect();
        addresses
    }

    /// What each strategy that spreads counts.
    fn spreads(&self, shape: &TaskShape, placement: &Placement, strategies: &[Strategy]) -> Vec<Spread> {
        let fields: Vec<&str> = strategies
            .iter()
            .filter_map(|strategy| match strategy {
                Strategy::Spread(field) => Some(field.as_str()),
                _ => None,
            })
            .collect();
        if fields.is_empty() {
            return Vec::new();
        }
        let group = placement.group.clone().unwrap_or_else(|| shape.own_group());
        let of_group = self.tasks_of_group(&group);
        fields.into_iter().map(|field| self.spread(field, &of_group)).collect()
    }

    fn spread(&self, field: &str, of_group: &[u32]) -> Spread {
        let attribute = field.split_once(':').map_or(field, |(_, name)| name);
        let by_host = ["instanceId", "host"].iter().any(|name| field.eq_ignore_ascii_case(name));
        let mut numbers: BTreeMap<Option<&str>, usize> = BTreeMap::new();
        let mut spread = Spread::default();
        for (seat, it) in self.seats.iter().enumerate() {
            let number = if by_host {
                seat
            } else {
                let next = numbers.len();
                *numbers.entry(self.attribute(it.class, attribute)).or_insert(next)
            };
            if spread.tasks.len() <= number {
                spread.tasks.resize(number + 1, 0);
            }
            spread.tasks[number] += of_group.get(seat).copied().unwrap_or(0);
            spread.of_seat.push(number);
        }
        spread
    }
}

/// Free addresses that hosts share.
#[derive(Default)]
struct Addresses {
    of_seat: Vec<Option<usize>>,
    free: Vec<u64>,
}

impl Addresses {
    fn pool(&self, seat: usize) -> Option<usize> {
        self.of_seat.get(seat).copied().flatten()
    }

    fn are_out(&self, seat: usize) -> bool {
        self.pool(seat).and_then(|pool| self.free.get(pool)) == Some(&0)
    }

    /// One less; how many are left.
    fn take_one(&mut self, pool: Option<usize>) -> Option<u64> {
        let free = self.free.get_mut(pool?)?;
        *free = free.saturating_sub(1);
        Some(*free)
    }
}

/// Tasks of the group by value of a field.
#[derive(Default)]
struct Spread {
    of_seat: Vec<usize>,
    tasks: Vec<u32>,
}

/// The candidate that the strategies choose.
fn choose(candidates: &[Candidate], strategies: &[Strategy], spreads: &[Spread], dice: &mut Dice) -> Option<usize> {
    let mut best: Vec<usize> = (0..candidates.len()).collect();
    let mut spread = 0;
    for strategy in strategies {
        let rank = |index: &usize| {
            let candidate = &candidates[*index];
            match strategy {
                Strategy::Random => 0,
                Strategy::Binpack(Resource::Cpu) => candidate.cpu_units,
                Strategy::Binpack(Resource::Memory) => candidate.memory_mib,
                Strategy::Spread(_) => candidate
                    .values
                    .get(spread)
                    .and_then(|value| spreads.get(spread)?.tasks.get(*value).copied())
                    .unwrap_or(0),
            }
        };
        let least = best.iter().map(rank).min()?;
        best.retain(|index| rank(index) == least);
        match strategy {
            Strategy::Random => best = vec![*best.get(dice.below(best.len()))?],
            Strategy::Spread(_) => spread += 1,
            Strategy::Binpack(_) => {}
        }
    }
    best.first().copied()
}

/// Dice that fall the same way for the same seed.
struct Dice(u64);

impl Dice {
    /// A number below `limit`, or 0.
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)).checked_rem(limit as u64).unwrap_or(0) as usize
    }
}
