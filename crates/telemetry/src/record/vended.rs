//! The metrics of the namespace `AWS/ECS`, which AWS gives away: reservation and utilisation, by their formulas. Percentages are
//! not rounded; AWS's prose truncates them.

use super::usage::percent;

/// CPU units and MiB of one host or task, or of many.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Amounts {
    /// CPU units.
    pub cpu_units: f64,
    /// MiB.
    pub memory_mib: f64,
}

impl Amounts {
    /// The sum of many.
    pub fn sum(of: impl IntoIterator<Item = Self>) -> Self {
        of.into_iter().fold(Self::default(), |sum, one| Self {
            cpu_units: sum.cpu_units + one.cpu_units,
            memory_mib: sum.memory_mib + one.memory_mib,
        })
    }

    /// So often.
    #[must_use]
    pub fn times(self, count: u32) -> Self {
        Self { cpu_units: self.cpu_units * f64::from(count), memory_mib: self.memory_mib * f64::from(count) }
    }
}

/// CPU and memory in percent; `None` of what there is nothing of.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Shares {
    /// `CPUReservation` or `CPUUtilization`.
    pub cpu_percent: Option<f64>,
    /// `MemoryReservation` or `MemoryUtilization`.
    pub memory_percent: Option<f64>,
}

/// Of a cluster: what is reserved, or what is used, against what its hosts in ACTIVE or DRAINING have registered. Of a service:
/// what its tasks use, against what its definition asks for, times its tasks.
pub fn shares(of: Amounts, whole: Amounts) -> Shares {
    Shares {
        cpu_percent: percent(Some(of.cpu_units), Some(whole.cpu_units)),
        memory_percent: percent(Some(of.memory_mib), Some(whole.memory_mib)),
    }
}
