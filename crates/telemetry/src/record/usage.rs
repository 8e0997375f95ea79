//! What tasks and containers use and have reserved: the block that their records share.

use super::{directive::Metric, object::Object};

/// What is used and what is reserved. What nobody has measured is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// CPU used, in CPU units; 1024 are one vCPU.
    pub cpu_used_units: Option<f64>,
    /// CPU reserved, in CPU units.
    pub cpu_reserved_units: Option<f64>,
    /// Memory used without the page cache, in MiB.
    pub memory_used_mib: Option<u64>,
    /// Memory reserved, in MiB.
    pub memory_reserved_mib: Option<u64>,
    /// Reads and writes of block devices.
    pub storage: Option<Storage>,
    /// What went over the network. `None` in network mode `host`, which has no counters of its own.
    pub network: Option<Network>,
}

/// Reads and writes of block devices. AWS's pages call these counters in one place and rates in another; which they are is
/// for whoever measures to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Storage {
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub write_bytes: u64,
}

/// Both directions of a network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// In.
    pub rx: Direction,
    /// Out.
    pub tx: Direction,
}

/// One direction of a network. All but the rate count since the container started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Direction {
    /// Bytes a second.
    pub bytes_per_sec: u64,
    /// Packets dropped.
    pub dropped: u64,
    /// Errors.
    pub errors: u64,
    /// Packets.
    pub packets: u64,
}

impl Direction {
    fn plus(self, other: Self) -> Self {
        Self {
            bytes_per_sec: self.bytes_per_sec.saturating_add(other.bytes_per_sec),
            dropped: self.dropped.saturating_add(other.dropped),
            errors: self.errors.saturating_add(other.errors),
            packets: self.packets.saturating_add(other.packets),
        }
    }
}

/// What a task uses: the sum of its containers. A figure that one of them lacks is unknown of the whole; `shared_network`: they
/// have one network between them (awsvpc), which counts once.
pub fn of_task(containers: &[Usage], shared_network: bool) -> Usage {
    fn sum<T: Copy>(containers: &[Usage], of: impl Fn(&Usage) -> Option<T>, add: impl Fn(T, T) -> T) -> Option<T> {
        let mut figures = containers.iter().map(of);
        let first = figures.next()??;
        figures.try_fold(first, |sum, figure| Some(add(sum, figure?)))
    }
    let network = if shared_network {
        containers.iter().find_map(|usage| usage.network)
    } else {
        sum(
            containers,
            |usage| usage.network,
            |one, other| Network { rx: one.rx.plus(other.rx), tx: one.tx.plus(other.tx) },
        )
    };
    let storage = |one: Storage, other: Storage| Storage {
        read_bytes: one.read_bytes.saturating_add(other.read_bytes),
        write_bytes: one.write_bytes.saturating_add(other.write_bytes),
    };
    Usage {
        cpu_used_units: sum(containers, |usage| usage.cpu_used_units, |one, other| one + other),
        cpu_reserved_units: sum(containers, |usage| usage.cpu_reserved_units, |one, other| one + other),
        memory_used_mib: sum(containers, |usage| usage.memory_used_mib, u64::saturating_add),
        memory_reserved_mib: sum(containers, |usage| usage.memory_reserved_mib, u64::saturating_add),
        storage: sum(containers, |usage| usage.storage, storage),
        network,
    }
}

/// `used` in percent of `whole`; `None` where either is unknown or the whole is nothing.
pub fn percent(used: Option<f64>, whole: Option<f64>) -> Option<f64> {
    let (used, whole) = (used?, whole?);
    (whole > 0.0).then(|| used / whole * 100.0)
}

impl Usage {
    /// CPU used, in percent of what is reserved.
    pub fn cpu_percent(&self) -> Option<f64> {
        percent(self.cpu_used_units, self.cpu_reserved_units)
    }

    /// Memory used, in percent of what is reserved.
    pub fn memory_percent(&self) -> Option<f64> {
        percent(self.memory_used_mib.map(|mib| mib as f64), self.memory_reserved_mib.map(|mib| mib as f64))
    }

    pub(super) fn write(&self, object: &mut Object) {
        object
            .maybe("CpuUtilized", self.cpu_used_units)
            .maybe("CpuReserved", self.cpu_reserved_units)
            .maybe("MemoryUtilized", self.memory_used_mib)
            .maybe("MemoryReserved", self.memory_reserved_mib);
        if let Some(storage) = self.storage {
            object.member("StorageReadBytes", &storage.read_bytes).member("StorageWriteBytes", &storage.write_bytes);
        }
        if let Some(Network { rx, tx }) = self.network {
            for (way, direction) in [("Rx", rx), ("Tx", tx)] {
                let figures = [
                    ("Bytes", direction.bytes_per_sec),
                    ("Dropped", direction.dropped),
                    ("Errors", direction.errors),
                    ("Packets", direction.packets),
                ];
                for (what, figure) in figures {
                    object.member(&format!("Network{way}{what}"), &figure);
                }
            }
        }
    }

    /// The metrics of a task's record that are known.
    pub(super) fn metrics(&self) -> Vec<Metric> {
        let rate = Some("Bytes/Second");
        let all: [(bool, Metric); 8] = [
            (self.cpu_used_units.is_some_and(f64::is_finite), ("CpuUtilized", Some("None"))),
            (self.cpu_reserved_units.is_some_and(f64::is_finite), ("CpuReserved", Some("None"))),
            (self.memory_used_mib.is_some(), ("MemoryUtilized", Some("Megabytes"))),
            (self.memory_reserved_mib.is_some(), ("MemoryReserved", Some("Megabytes"))),
            (self.storage.is_some(), ("StorageReadBytes", rate)),
            (self.storage.is_some(), ("StorageWriteBytes", rate)),
            (self.network.is_some(), ("NetworkRxBytes", rate)),
            (self.network.is_some(), ("NetworkTxBytes", rate)),
        ];
        all.into_iter().filter(|(known, _)| *known).map(|(_, metric)| metric).collect()
    }
}
