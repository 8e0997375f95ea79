//! What a host has for tasks, and what is left of it (spec A.5): CPU, memory, GPUs, ports.

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

/// GPUs of a host, counted: their ids change hands and say nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gpus {
    /// How many the host has.
    pub registered: u16,
    /// How many no task holds.
    pub remaining: u16,
}

/// A port of a host. Both protocols have ports of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HostPort {
    /// Its number, 1 to 65,535.
    pub port: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
}

/// The protocol of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
#[expect(missing_docs, reason = "the protocols' own names")]
pub enum Protocol {
    Tcp,
    Udp,
}

impl std::fmt::Display for HostPort {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let protocol = match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        write!(formatter, "{}/{protocol}", self.port)
    }
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

/// A port as ECS lists it; `None` for what is no port.
pub fn port_number(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|port| *port > 0)
}

/// Ports in order, each once.
pub fn in_order(mut ports: Vec<HostPort>) -> Vec<HostPort> {
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// Whether an attachment of this type is a task's network interface: events write `eni`, the API
/// `ElasticNetworkInterface`, and neither promises its case (spec A.6).
pub fn is_interface(attachment: &str) -> bool {
    attachment.eq_ignore_ascii_case("eni") || attachment.eq_ignore_ascii_case("ElasticNetworkInterface")
}
