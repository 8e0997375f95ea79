//! The truth about every machine over time, ready to be asked.

use crate::{
    clock::Moment,
    world::{HostId, HostStatus, MachineId, Truth, World},
};

/// The truth about every machine over time.
#[derive(Debug, Default)]
pub struct TruthLog {
    machines: Vec<Vec<Truth>>,
}

/// A time during which ECS could not hear an agent, for a reason that was no routine reconnect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Whose.
    pub machine: MachineId,
    /// The registration that was affected.
    pub host: HostId,
    /// From.
    pub began: Moment,
    /// Until; `None`: it lasts.
    pub ended: Option<Moment>,
}

impl TruthLog {
    /// Sorts what the world noted by machine.
    pub fn of(world: &World) -> Self {
        let mut machines = vec![Vec::new(); world.machines.len()];
        for truth in &world.truth {
            if let Some(of_machine) = machines.get_mut(truth.machine.index()) {
                of_machine.push(*truth);
            }
        }
        Self { machines }
    }

    fn of_machine(&self, machine: MachineId) -> &[Truth] {
        self.machines.get(machine.index()).map_or(&[], Vec::as_slice)
    }

    /// Whether `good` held from `from` to `to` without a break. What is not known did not hold.
    fn throughout(&self, machine: MachineId, from: Moment, to: Moment, good: impl Fn(&Truth) -> bool) -> bool {
        let notes = self.of_machine(machine);
        let Some(before) = notes.iter().rposition(|truth| truth.at <= from) else { return false };
        notes.iter().skip(before).take_while(|truth| truth.at <= to).all(good)
    }

    /// The machine, its network, Docker and agent were well the whole time.
    pub fn healthy_throughout(&self, machine: MachineId, from: Moment, to: Moment) -> bool {
        self.throughout(machine, from, to, |truth| truth.healthy)
    }

    /// ECS could hear the agent the whole time, routine reconnects aside.
    pub fn reachable_throughout(&self, machine: MachineId, from: Moment, to: Moment) -> bool {
        self.throughout(machine, from, to, |truth| truth.reachable)
    }

    /// ECS could not hear the agent the whole time.
    pub fn unreachable_throughout(&self, machine: MachineId, from: Moment, to: Moment) -> bool {
        self.throughout(machine, from, to, |truth| !truth.reachable)
    }

    /// All outages of registered hosts. One ends when the agent is heard again, or when the registration ends.
    pub fn outages(&self, world: &World) -> Vec<Outage> {
        let mut outages = Vec::new();
        for (at, notes) in self.machines.iter().enumerate() {
            let machine = MachineId(at as u32);
            let mut open: Option<Outage> = None;
            for truth in notes {
                match (open, truth.reachable) {
                    (None, false) => {
                        open = truth.host.map(|host| Outage { machine, host, began: truth.at, ended: None });
                    }
                    (Some(outage), true) => {
                        outages.push(Outage { ended: Some(truth.at), ..outage });
                        open = None;
                    }
                    _ => {}
                }
            }
            outages.extend(open);
        }
        for outage in &mut outages {
            let gone = world.host(outage.host).filter(|host| host.said.status == HostStatus::Inactive);
            if let Some(gone) = gone {
                let left = gone.said.updated_at;
                outage.ended = Some(outage.ended.map_or(left, |ended| ended.min(left)));
            }
        }
        outages
    }

    /// The registration that an ARN names, whether or not ECS would still describe it.
    pub fn host_of(world: &World, arn: &str) -> Option<HostId> {
        let id = world.namer.read_host(arn.rsplit('/').next()?)?;
        world.host(id).map(|_| id)
    }
}
