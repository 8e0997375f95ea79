//! What is going to happen: appointments in the order of their time, and of their making within a millisecond.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::id::{GroupId, HostId, MachineId, PlaceId, ServiceId, TaskId};
use crate::clock::Moment;

/// An appointment. Those of a machine carry the epoch of its agent: when the epoch has moved on, they are void.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deed {
    /// The agent closes its connection, as it does twice an hour.
    Recycle(MachineId, u32),
    /// The agent tries to connect.
    Connect(MachineId, u32),
    /// The control plane loses the connection.
    Drop(MachineId, u32),
    /// systemd has the agent running again.
    Restarted(MachineId, u32),
    /// The agent of a bad image dies for good.
    Die(MachineId),
    /// ECS runs the container runtime check.
    CheckRuntime(MachineId),
    /// EC2 runs its status checks.
    CheckStatus(MachineId, bool),
    /// The machine reaches `running`.
    Running(MachineId),
    /// The machine's agent registers.
    Register(MachineId),
    /// The trunk interface is made, or not.
    Trunk(HostId),
    /// Two minutes after the Spot warning.
    Interrupt(MachineId),
    /// A terminate hook is over.
    HookOver(MachineId),
    /// ECS looks whether a machine that it drains for its group is empty; at that moment it gives up.
    DrainedOut(MachineId, Moment),
    /// The machine goes down to come up again.
    Reboot(MachineId),
    /// The machine has come up again.
    Booted(MachineId, u32),
    /// The machine reaches `stopped` or `terminated`.
    Ended(MachineId),
    /// A group compares its members with its desired capacity.
    CheckGroup(GroupId),
    /// A service compares its tasks with its desired count.
    CheckService(ServiceId),
    /// A task of the service ends by itself.
    Churn(ServiceId),
    /// A task takes its next step, if it still has this version.
    Step(TaskId, u32),
    /// The control plane of a region comes back.
    PlaneUp(PlaceId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Appointment {
    at: Moment,
    order: u64,
    deed: Deed,
}

/// The appointments.
#[derive(Clone, Debug, Default)]
pub(crate) struct Agenda {
    heap: BinaryHeap<Reverse<Appointment>>,
    order: u64,
}

impl Agenda {
    pub(crate) fn add(&mut self, at: Moment, deed: Deed) {
        self.order += 1;
        self.heap.push(Reverse(Appointment { at, order: self.order, deed }));
    }

    /// When the next one is due.
    pub(crate) fn next_at(&self) -> Option<Moment> {
        self.heap.peek().map(|Reverse(next)| next.at)
    }

    /// Takes the next one that is due by `until`.
    pub(crate) fn pop(&mut self, until: Moment) -> Option<(Moment, Deed)> {
        if self.next_at()? > until {
            return None;
        }
        self.heap.pop().map(|Reverse(next)| (next.at, next.deed))
    }
}
