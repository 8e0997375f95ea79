//! How many tasks with an interface of their own a machine takes, by its type (aws-semantics D).

use std::{hash::BuildHasher as _, sync::OnceLock};

use hashbrown::HashTable;
use serde::{Deserialize, Serialize};

use crate::{names::HASHER, observation::InstanceTypeFact};

/// Interfaces, branch interfaces and the interfaces of network card 0 (where there are several cards) by instance type,
/// as EC2's own descriptions and the controllers of EKS have them. What DescribeInstanceTypes says comes first.
const LIMITS: &str = include_str!("eni-limits.csv");

/// What EC2 has told of an instance type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeLimits {
    /// Interfaces over all network cards; 0 when what was told makes no sense.
    pub max_interfaces: u32,
    /// Interfaces of each network card; empty when not told, or when they do not add up.
    pub cards: Vec<u32>,
    /// Virtual CPUs.
    pub vcpus: Option<u32>,
    /// Memory in MiB.
    pub memory_mib: Option<u32>,
    /// GPUs.
    pub gpus: u32,
}

impl TypeLimits {
    /// As DescribeInstanceTypes tells them. Cards that do not add up to the whole are not believed.
    pub fn told(fact: &InstanceTypeFact<'_>) -> Self {
        let sum: u64 = fact.cards.iter().map(|card| u64::from(*card)).sum();
        let cards = if sum == u64::from(fact.max_interfaces) { fact.cards.clone() } else { Vec::new() };
        Self {
            max_interfaces: fact.max_interfaces,
            cards,
            vcpus: fact.vcpus.filter(|vcpus| *vcpus > 0),
            memory_mib: fact.memory_mib.filter(|memory| *memory > 0),
            gpus: fact.gpus,
        }
    }
}

/// How many interfaces for tasks a machine has. What ECS documents counts all network cards; whether it fills others
/// than card 0 is documented nowhere, so that there the truth lies between two figures (spec D.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotLimit {
    /// With network card 0 alone.
    pub low: u32,
    /// With all network cards: what the scheduler goes by.
    pub high: u32,
    /// Interfaces of the machine on all cards, the primary one included.
    pub interfaces: u32,
    /// Branch interfaces of its trunk; 0 without one.
    pub branches: u32,
}

/// The limits of one instance type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limits {
    interfaces: u32,
    branches: Option<u32>,
    /// Of network card 0; `None`: there is no other.
    first_card: Option<u32>,
}

/// Where the lines of [`LIMITS`] begin, found by the name in them: a few bytes a type, since it is kept for good.
#[derive(Debug, Default)]
struct Table {
    lines: Vec<u32>,
    by_name: HashTable<u16>,
}

impl Table {
    fn read() -> Self {
        let mut table = Self::default();
        let mut begin = LIMITS.find('\n').map_or(LIMITS.len(), |end| end + 1);
        while let Some(end) = LIMITS[begin..].find('\n') {
            let (line, number) = (&LIMITS[begin..], table.lines.len() as u16);
            table.lines.push(begin as u32);
            let lines = &table.lines;
            table.by_name.insert_unique(HASHER.hash_one(name_of(line)), number, |other| {
                HASHER.hash_one(name_of(line_at(lines, *other)))
            });
            begin += end + 1;
        }
        table
    }

    fn find(&self, name: &str) -> Option<Limits> {
        let same = |number: &u16| name_of(line_at(&self.lines, *number)) == name;
        let number = self.by_name.find(HASHER.hash_one(name), same)?;
        Limits::read(line_at(&self.lines, *number))
    }
}

fn line_at(lines: &[u32], number: u16) -> &'static str {
    lines.get(usize::from(number)).and_then(|begin| LIMITS.get(*begin as usize..)).unwrap_or_default()
}

fn name_of(line: &str) -> &str {
    line.split_once(',').map_or("", |(name, _)| name)
}

impl Limits {
    /// The line that the text begins with.
    fn read(text: &str) -> Option<Self> {
        let mut columns = text.lines().next()?.split(',').skip(1);
        let interfaces = columns.next()?.parse().ok()?;
        let mut known = || columns.next()?.parse().ok();
        Some(Self { interfaces, branches: known(), first_card: known() })
    }
}

fn listed(instance_type: &str) -> Option<Limits> {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(Table::read).find(instance_type)
}

/// Interfaces for tasks of a machine of this type: with a trunk the branches and what is left of the other interfaces
/// but two, without one all interfaces but the first. `None`: the type, or its branches, are not known.
pub fn slot_limit(instance_type: &str, told: Option<&TypeLimits>, trunk: bool) -> Option<SlotLimit> {
    let listed = listed(instance_type);
    let told = told.filter(|told| told.max_interfaces > 0);
    let interfaces = told.map(|told| told.max_interfaces).or(listed.map(|listed| listed.interfaces))?;
    let first_card = told.and_then(|told| told.cards.first().copied());
    let first_card = first_card.or(listed.and_then(|listed| listed.first_card)).unwrap_or(interfaces).min(interfaces);
    let (branches, own) = match trunk {
        true => (listed.and_then(|listed| listed.branches)?, 2),
        false => (0, 1),
    };
    Some(SlotLimit {
        low: branches.saturating_add(first_card.saturating_sub(own)),
        high: branches.saturating_add(interfaces.saturating_sub(own)),
        interfaces,
        branches,
    })
}

/// Tasks of network mode awsvpc that ECS places on a machine of this type, by the table alone. `None`: the type, or its
/// branches, are not known.
pub fn task_limit(instance_type: &str, trunk: bool) -> Option<u32> {
    slot_limit(instance_type, None, trunk).map(|limit| limit.high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(max_interfaces: u32, cards: &[u32]) -> TypeLimits {
        TypeLimits::told(&InstanceTypeFact {
            name: "x".into(),
            max_interfaces,
            cards: cards.to_vec(),
            vcpus: None,
            memory_mib: None,
            gpus: 0,
        })
    }

    #[test]
    fn the_documented_limits_come_out() {
        for (name, without, with) in
            [("c5.large", 2, 10), ("m5.xlarge", 3, 20), ("m6i.8xlarge", 7, 90), ("p4d.24xlarge", 59, 120)]
        {
            assert_eq!((task_limit(name, false), task_limit(name, true)), (Some(without), Some(with)), "{name}");
        }
    }

    #[test]
    fn what_is_not_known_is_said_to_be_unknown() {
        assert_eq!(task_limit("x9.mega", false), None);
        assert_eq!(task_limit("a1.metal", true), None);
        assert_eq!(slot_limit("x9.mega", Some(&told(0, &[])), false), None);
        assert_eq!(slot_limit("x9.mega", Some(&told(8, &[8])), true), None);
    }

    #[test]
    fn a_type_that_is_not_listed_goes_by_what_ec2_tells() {
        let limit =
            |limits: &TypeLimits| slot_limit("x9.mega", Some(limits), false).map(|limit| (limit.low, limit.high));
        assert_eq!(limit(&told(8, &[])), Some((7, 7)));
        assert_eq!(limit(&told(16, &[8, 8])), Some((7, 15)));
        assert_eq!(limit(&told(16, &[8, 9])), Some((15, 15)), "cards that do not add up are not believed");
        assert_eq!(limit(&told(1, &[1])), Some((0, 0)));
        assert_eq!(limit(&told(u32::MAX, &[])), Some((u32::MAX - 1, u32::MAX - 1)));
    }

    #[test]
    fn several_network_cards_make_a_range() {
        let limit = |trunk| slot_limit("p4d.24xlarge", None, trunk).map(|limit| (limit.low, limit.high));
        assert_eq!((limit(false), limit(true)), (Some((14, 59)), Some((75, 120))));
    }

    #[test]
    fn every_line_of_the_table_is_read_and_the_first_card_is_a_part_of_all() {
        let names: Vec<&str> = LIMITS.lines().skip(1).map(name_of).collect();
        assert_eq!(Table::read().by_name.len(), names.len());
        let several = names.iter().filter_map(|name| Some((name, listed(name)?.first_card?, listed(name)?.interfaces)));
        let several: Vec<(&&str, u32, u32)> = several.collect();
        assert_eq!((names.iter().filter(|name| listed(name).is_some()).count(), several.len()), (names.len(), 72));
        for (name, first, all) in several {
            assert!(first > 0 && first < all, "{name}");
        }
    }

    #[test]
    fn cards_need_not_be_alike() {
        let limit = slot_limit("i7ie.48xlarge", None, false).map(|limit| (limit.low, limit.high));
        assert_eq!(limit, Some((7, 14)), "eight on the first card, seven on the second");
    }
}
