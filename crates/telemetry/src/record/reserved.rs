//! What a task has reserved: its own size, or what its containers ask for together, or the whole host.

/// What a container asks for, as its definition says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// CPU units.
    pub cpu_units: Option<u64>,
    /// The limit that it is killed at, in MiB.
    pub memory_hard_mib: Option<u64>,
    /// What is kept for it, in MiB.
    pub memory_soft_mib: Option<u64>,
}

impl Asked {
    /// Memory that counts as reserved, in MiB: what is kept for it, else its limit.
    pub fn memory_mib(&self) -> Option<u64> {
        self.memory_soft_mib.or(self.memory_hard_mib).filter(|mib| *mib > 0)
    }
}

/// CPU units and MiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reserved {
    /// CPU units.
    pub cpu_units: Option<u64>,
    /// MiB.
    pub memory_mib: Option<u64>,
}

/// What a task has reserved. `size` is that of the task itself, `host` that of the machine it is on.
pub fn of_task(size: Reserved, containers: &[Asked], host: Reserved) -> Reserved {
    let sum = |of: fn(&Asked) -> Option<u64>| {
        let sum: u64 = containers.iter().filter_map(of).sum();
        Some(sum).filter(|sum| *sum > 0)
    };
    Reserved {
        cpu_units: size.cpu_units.or_else(|| sum(|asked| asked.cpu_units)).or(host.cpu_units),
        memory_mib: size.memory_mib.or_else(|| sum(Asked::memory_mib)).or(host.memory_mib),
    }
}
