//! What is believed of the machine under a host: EC2 instance or ECS Anywhere machine.

use serde::{Deserialize, Serialize};

use crate::{
    host::Millis,
    key::Key,
    names::Name,
    observation::{Ec2State, InterfacesFact, ReachabilityStatus, Source},
    slab::{Keyed, NONE, Slot},
};

/// One machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// `i-…` or `mi-…`.
    pub key: Key,
    /// `ACCOUNT/REGION`, where known.
    pub place: Option<Name>,
    /// First container instance registered from it, or [`NONE`].
    pub first_host: Slot,
    /// First open case about the machine itself, or [`NONE`].
    pub first_case: Slot,
    /// EC2 instance state.
    pub state: Dated<Ec2State>,
    /// EC2 status checks.
    pub status: Dated<StatusChecks>,
    /// Auto Scaling membership.
    pub membership: Dated<Membership>,
    /// SSM's view.
    pub ping: Dated<Ping>,
    /// Network interfaces that EC2 sees on it.
    pub interfaces: Option<Interfaces>,
    /// When they were last counted, or 0.
    pub interfaces_at: Millis,
    /// Spot interruption announced at, or 0.
    pub interruption_at: Millis,
    /// Rebalance recommended at, or 0.
    pub rebalance_at: Millis,
    /// A scheduled EC2 event.
    pub scheduled: Option<Box<str>>,
    /// When it was first seen alive.
    pub first_seen: Millis,
    /// A container instance has been registered from it at some time.
    pub registered_once: bool,
}

/// A value with the time it began to hold, the time it was last confirmed, and its road. Empty until heard of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dated<T> {
    /// The value.
    pub value: Option<T>,
    /// Since when.
    pub since: Millis,
    /// Last confirmed.
    pub confirmed_at: Millis,
    /// By which road.
    pub source: Source,
}

impl<T: PartialEq + Copy> Dated<T> {
    /// Nothing heard yet.
    pub const EMPTY: Self = Self { value: None, since: 0, confirmed_at: 0, source: Source::Event };

    /// Whether `value` at `at` is older than what is held.
    pub fn is_stale(&self, at: Millis) -> bool {
        self.value.is_some() && at < self.confirmed_at
    }

    /// Whether `value` at `at` says nothing new.
    pub fn repeats(&self, value: &T) -> bool {
        self.value.as_ref() == Some(value)
    }

    /// Believes `value`; true when it changed.
    pub fn believe(&mut self, value: T, at: Millis, source: Source) -> bool {
        if self.is_stale(at) {
            return false;
        }
        self.confirmed_at = at;
        let changed = !self.repeats(&value);
        if changed {
            self.value = Some(value);
            self.since = at;
            self.source = source;
        }
        changed
    }
}

/// The three EC2 status checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusChecks {
    /// AWS's side.
    pub system: ReachabilityStatus,
    /// The operating system's side.
    pub instance: ReachabilityStatus,
    /// Attached volumes.
    pub ebs: ReachabilityStatus,
}

impl StatusChecks {
    /// Any of them failed.
    pub fn impaired(&self) -> bool {
        [self.system, self.instance, self.ebs].contains(&ReachabilityStatus::Impaired)
    }
}

/// Membership in an Auto Scaling group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// `ACCOUNT/REGION/GROUP`; `None`: in no group any more.
    pub group: Option<Name>,
    /// Lifecycle state as written.
    pub lifecycle: Option<Name>,
    /// Healthy by the group's own word.
    pub healthy: bool,
    /// Availability zone.
    pub zone: Option<Name>,
    /// Instance type.
    pub instance_type: Option<Name>,
    /// Launch template.
    pub launch_template: Option<Name>,
}

/// Network interfaces on a machine, the primary one among them, branch interfaces not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interfaces {
    /// On all network cards.
    pub attached: u16,
    /// On network card 0.
    pub on_first_card: u16,
}

impl Interfaces {
    /// As EC2 tells them. No machine has more than 16 bits can count.
    pub fn of(fact: &InterfacesFact<'_>) -> Self {
        let count = |value: u32| u16::try_from(value).unwrap_or(u16::MAX);
        Self { attached: count(fact.attached), on_first_card: count(fact.on_first_card) }
    }
}

/// SSM's view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// Online; `None`: SSM does not know the machine.
    pub online: Option<bool>,
    /// Last ping, or 0.
    pub last_ping_at: Millis,
    /// Platform name.
    pub platform: Option<Name>,
}

impl Machine {
    /// A machine of which nothing is known but its id.
    pub fn new(key: Key) -> Self {
        Self {
            key,
            place: None,
            first_host: NONE,
            first_case: NONE,
            state: Dated::EMPTY,
            status: Dated::EMPTY,
            membership: Dated::EMPTY,
            ping: Dated::EMPTY,
            interfaces: None,
            interfaces_at: 0,
            interruption_at: 0,
            rebalance_at: 0,
            scheduled: None,
            first_seen: 0,
            registered_once: false,
        }
    }

    /// EC2 says it does not exist any more.
    pub fn is_gone(&self) -> bool {
        matches!(self.state.value, Some(Ec2State::Terminated | Ec2State::Gone))
    }

    /// EC2 says it is not running, and not about to.
    pub fn is_down(&self) -> bool {
        matches!(
            self.state.value,
            Some(
                Ec2State::Stopping | Ec2State::Stopped | Ec2State::ShuttingDown | Ec2State::Terminated | Ec2State::Gone
            )
        )
    }

    /// Its Auto Scaling group, `ACCOUNT/REGION/GROUP`.
    pub fn group(&self) -> Option<Name> {
        self.membership.value.and_then(|membership| membership.group)
    }
}

impl Keyed for Machine {
    fn key(&self) -> Key {
        self.key
    }
}
