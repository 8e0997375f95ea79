//! What a task asks of the host it is placed on, apart from CPU and memory: ports, GPUs, attributes, constraints, and in
//! which order hosts are preferred (spec A.8, C.3, C.4).

use super::query::Query;
use crate::map::HashMap;

/// Protocol of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Protocol {
    Tcp,
    Udp,
}

impl Protocol {
    /// AWS's spelling.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// A fixed port of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    /// Number.
    pub port: u16,
    /// Protocol.
    pub protocol: Protocol,
}

impl HostPort {
    /// Reads `8080`, `8080/tcp` or `53/udp`.
    pub fn parse(text: &str) -> Option<Self> {
        let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let protocol = match protocol {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            _ => return None,
        };
        port.parse().ok().filter(|port| *port > 0).map(|port| Self { port, protocol })
    }
}

/// `networkMode` of a task definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum NetworkMode {
    /// Docker's bridge; a port is taken on the host only where a host port is named.
    #[default]
    Bridge,
    /// The host's own network: every container port is taken on the host.
    Host,
    /// A network interface of its own.
    Awsvpc,
    /// None.
    None,
}

impl NetworkMode {
    /// AWS's spelling.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Host => "host",
            Self::Awsvpc => "awsvpc",
            Self::None => "none",
        }
    }
}

/// An attribute that a host must have, with this value where one is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Required {
    /// Name.
    pub name: String,
    /// Value; `None`: any.
    pub value: Option<String>,
}

/// Where tasks of a service may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "AWS's own names")]
pub enum LaunchType {
    Ec2,
    External,
}

impl LaunchType {
    /// AWS's spelling.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ec2 => "EC2",
            Self::External => "EXTERNAL",
        }
    }
}

/// A placement constraint.
#[derive(Clone, Debug, PartialEq)]
pub enum Constraint {
    /// Each task of the group on another host.
    DistinctInstance,
    /// The host fits an expression of the cluster query language.
    MemberOf(Expression),
}

/// An expression of the cluster query language, as it was written and as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    /// As it was written.
    pub text: String,
    /// As it was read.
    pub query: Query,
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it, for a person.
    pub fn parse(text: &str) -> Result<Self, String> {
        Ok(Self { text: text.to_owned(), query: Query::parse(text)? })
    }
}

/// What tasks are spread over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// `instanceId` or `host`.
    Instance,
    /// `attribute:NAME`.
    Attribute(String),
}

/// What hosts are packed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Amount {
    Cpu,
    Memory,
}

/// One element of `placementStrategy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlacementStrategy {
    /// Any host.
    Random,
    /// The value with the fewest tasks of the group.
    Spread(Field),
    /// The host with the least left.
    Binpack(Amount),
}

impl PlacementStrategy {
    /// `type` as AWS spells it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Spread(_) => "spread",
            Self::Binpack(_) => "binpack",
        }
    }

    /// `field` as AWS spells it; empty with `random`.
    pub fn field(&self) -> String {
        match self {
            Self::Random => String::new(),
            Self::Spread(Field::Instance) => "instanceId".to_owned(),
            Self::Spread(Field::Attribute(name)) => format!("attribute:{name}"),
            Self::Binpack(Amount::Cpu) => "cpu".to_owned(),
            Self::Binpack(Amount::Memory) => "memory".to_owned(),
        }
    }

    /// Reads `type` and `field`.
    pub fn read(kind: &str, field: &str) -> Option<Self> {
        Some(match (kind, field) {
            ("random", _) => Self::Random,
            ("binpack", "cpu" | "CPU") => Self::Binpack(Amount::Cpu),
            ("binpack", "memory" | "MEMORY") => Self::Binpack(Amount::Memory),
            ("spread", "instanceId" | "host") => Self::Spread(Field::Instance),
            ("spread", field) => {
                let name = field.strip_prefix("attribute:").filter(|name| !name.is_empty())?;
                Self::Spread(Field::Attribute(name.to_owned()))
            }
            _ => return None,
        })
    }

    /// Reads `random`, `binpack(cpu)`, `spread(instanceId)`, `spread(attribute:ecs.availability-zone)`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once('(') {
            None => Self::read(text, ""),
            Some((kind, rest)) => Self::read(kind, rest.strip_suffix(')')?),
        }
    }

    /// What ECS gives a service that names no strategy.
    pub fn zones() -> Self {
        Self::Spread(Field::Attribute("ecs.availability-zone".to_owned()))
    }
}

/// Where the tasks of a service, or of a call, may go and are best placed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Placement {
    /// `placementConstraints` beside those of the task definition.
    pub constraints: Vec<Constraint>,
    /// `placementStrategy`, the first one first.
    pub strategies: Vec<PlacementStrategy>,
    /// Subnets of `awsvpcConfiguration`; `None`: those of all zones.
    pub subnets: Option<Vec<String>>,
    /// `launchType`; `None`: hosts of either kind, a licence of stories in which nobody cares.
    pub launch: Option<LaunchType>,
    /// Only hosts of this capacity provider.
    pub provider: Option<String>,
}

/// Sets of ports that tasks have taken, each known by a number, so that a host's state stays small and can be copied.
#[derive(Clone, Debug)]
pub(crate) struct PortSets {
    sets: Vec<Box<[HostPort]>>,
    numbers: HashMap<Box<[HostPort]>, u32>,
}

impl Default for PortSets {
    fn default() -> Self {
        let empty: Box<[HostPort]> = Box::new([]);
        Self { sets: vec![empty.clone()], numbers: HashMap::from_iter([(empty, 0)]) }
    }
}

impl PortSets {
    /// The ports of a set, in order.
    pub(crate) fn get(&self, number: u32) -> &[HostPort] {
        self.sets.get(number as usize).map_or(&[], |set| set)
    }

    /// The set with these ports added.
    pub(crate) fn with(&mut self, number: u32, more: &[HostPort]) -> u32 {
        if more.is_empty() {
            return number;
        }
        let mut ports = [self.get(number), more].concat();
        ports.sort();
        self.number(ports)
    }

    /// The set without these ports.
    pub(crate) fn without(&mut self, number: u32, fewer: &[HostPort]) -> u32 {
        if fewer.is_empty() {
            return number;
        }
        let mut ports = self.get(number).to_vec();
        for port in fewer {
            if let Ok(at) = ports.binary_search(port) {
                ports.remove(at);
            }
        }
        self.number(ports)
    }

    fn number(&mut self, ports: Vec<HostPort>) -> u32 {
        let ports: Box<[HostPort]> = ports.into();
        if let Some(&number) = self.numbers.get(&ports) {
            return number;
        }
        let number = self.sets.len() as u32;
        self.sets.push(ports.clone());
        self.numbers.insert(ports, number);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_strategies_are_read_as_they_are_written() {
        assert_eq!(HostPort::parse("53/udp"), Some(HostPort { port: 53, protocol: Protocol::Udp }));
        assert_eq!(HostPort::parse("8080").map(|port| port.protocol), Some(Protocol::Tcp));
        for odd in ["0", "", "70000", "80/sctp", "-1", "x"] {
            assert_eq!(HostPort::parse(odd), None, "{odd}");
        }
        for text in ["binpack(cpu)", "binpack(memory)", "spread(instanceId)", "spread(attribute:stack)"] {
            let read = PlacementStrategy::parse(text).unwrap();
            assert_eq!(format!("{}({})", read.word(), read.field()), text);
        }
        for odd in ["spread", "spread(zone)", "binpack(gpu)", "spread(attribute:)", "pack", "binpack(cpu"] {
            assert_eq!(PlacementStrategy::parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_set_of_ports_gives_back_what_was_added_to_it() {
        let port = |number| HostPort { port: number, protocol: Protocol::Tcp };
        let mut sets = PortSets::default();
        let first = sets.with(0, &[port(443), port(80)]);
        let second = sets.with(first, &[port(8080)]);
        assert_eq!(sets.get(second), [port(80), port(443), port(8080)]);
        assert_eq!(sets.without(second, &[port(8080)]), first);
        assert_eq!(sets.without(first, &[port(80), port(443)]), 0);
        assert_eq!(sets.with(first, &[]), first);
    }
}
