//! What a host has for tasks, and what is left of it (spec A.5).

use serde::{Deserialize, Serialize};

/// CPU and memory of a host. What is reserved counts, not what is used. There is no entry for network interfaces: their
/// room is counted from the tasks (spec D).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// `registeredResources`: what the agent offered when it registered.
    pub registered: Amounts,
    /// `remainingResources`: registered, less the reservations of placed tasks.
    pub remaining: Amounts,
}

/// An amount of both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amounts {
    /// CPU units; 1,024 are a vCPU.
    pub cpu_units: u32,
    /// Memory in MiB.
    pub memory_mib: u32,
}

impl Resources {
    /// What the tasks on the host hold.
    pub fn held(&self) -> Amounts {
        Amounts {
            cpu_units: self.registered.cpu_units.saturating_sub(self.remaining.cpu_units),
            memory_mib: self.registered.memory_mib.saturating_sub(self.remaining.memory_mib),
        }
    }
}

/// A resource's value as an amount: below nothing there is nothing, and 32 bits hold any machine's.
pub fn amount(value: i64) -> u32 {
    u32::try_from(value.max(0)).unwrap_or(u32::MAX)
}

/// Whether an attachment of this type is a task's network interface: events write `eni`, the API
/// `ElasticNetworkInterface`, and neither promises its case (spec A.6).
pub fn is_interface(attachment: &str) -> bool {
    attachment.eq_ignore_ascii_case("eni") || attachment.eq_ignore_ascii_case("ElasticNetworkInterface")
}
