//! How many tasks with an interface of their own a machine takes, by its type (aws-semantics D).

use std::{collections::BTreeMap, sync::OnceLock};

/// Interfaces and branch interfaces by instance type, as EC2's own descriptions and the controllers of EKS have them.
const LIMITS: &str = include_str!("eni-limits.csv");

/// The limits of one instance type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limits {
    interfaces: u32,
    branches: Option<u32>,
}

fn table() -> &'static BTreeMap<&'static str, Limits> {
    static TABLE: OnceLock<BTreeMap<&'static str, Limits>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let read = |line: &'static str| {
            let mut columns = line.split(',');
            let (name, interfaces, branches) = (columns.next()?, columns.next()?, columns.next()?);
            Some((name, Limits { interfaces: interfaces.parse().ok()?, branches: branches.parse().ok() }))
        };
        LIMITS.lines().skip(1).filter_map(read).collect()
    })
}

/// Tasks of network mode awsvpc that ECS places on a machine of this type: with a trunk the branches and what is left of
/// the other interfaces, without one all interfaces but the first. `None`: the type, or its branches, are not known.
pub fn task_limit(instance_type: &str, trunk: bool) -> Option<u32> {
    let limits = table().get(instance_type)?;
    match trunk {
        true => limits.branches.map(|branches| branches + limits.interfaces.saturating_sub(2)),
        false => Some(limits.interfaces.saturating_sub(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_limits_come_out() {
        for (name, without, with) in [("c5.large", 2, 10), ("m5.xlarge", 3, 20), ("m6i.8xlarge", 7, 90)] {
            assert_eq!((task_limit(name, false), task_limit(name, true)), (Some(without), Some(with)), "{name}");
        }
    }

    #[test]
    fn what_is_not_known_is_said_to_be_unknown() {
        assert_eq!(task_limit("x9.mega", false), None);
        assert_eq!(task_limit("a1.metal", true), None);
    }

    #[test]
    fn every_line_of_the_table_is_read() {
        assert_eq!(table().len(), LIMITS.lines().count() - 1);
    }
}
