//! Between ECS and the queue: events get lost, doubled, overtaken, cut short (spec A.2).

use std::{cmp::Ordering, collections::BinaryHeap};

use crate::{
    clock::Moment,
    events,
    faults::EventFaults,
    seed::Random,
    world::{Change, What, World},
};

/// What reaches the queue.
#[derive(Clone, Debug)]
pub enum Parcel {
    /// A change, to be written as an event or read as it is.
    Change(Change),
    /// Bytes that are not, or no longer, the event of a change.
    Bytes(Box<[u8]>),
}

impl Parcel {
    /// The bytes of the message.
    pub fn write(&self, world: &World, out: &mut Vec<u8>) {
        match self {
            Self::Change(change) => events::write_event(world, change, out),
            Self::Bytes(bytes) => out.extend_from_slice(bytes),
        }
    }
}

/// Carries changes; what is late waits here.
#[derive(Debug)]
pub struct Courier {
    late: BinaryHeap<Late>,
    random: Random,
    order: u64,
    /// What was done to the events.
    pub tally: Tally,
}

/// What was done to the events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Changes handed over.
    pub changes: u64,
    /// Never delivered, or delivered cut short.
    pub lost: u64,
    /// Delivered twice.
    pub doubled: u64,
    /// Delivered late.
    pub late: u64,
    /// Messages that never were events.
    pub poison: u64,
}

#[derive(Debug)]
struct Late {
    at: Moment,
    order: u64,
    parcel: Parcel,
}

impl PartialEq for Late {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Late {}
impl PartialOrd for Late {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Late {
    // The earliest is the greatest: the heap gives it first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

impl Courier {
    /// A courier with its own chance.
    pub fn new(random: Random) -> Self {
        Self { late: BinaryHeap::new(), random, order: 0, tally: Tally::default() }
    }

    /// When the next late parcel is due.
    pub fn next_at(&self) -> Option<Moment> {
        self.late.peek().map(|late| late.at)
    }

    /// Late parcels that are due by now.
    pub fn due(&mut self, now: Moment, ready: &mut Vec<Parcel>) {
        while self.next_at().is_some_and(|at| at <= now) {
            let Some(late) = self.late.pop() else { break };
            ready.push(late.parcel);
        }
    }

    /// Takes a change and delivers it, or does something else with it.
    pub fn post(&mut self, world: &World, faults: &EventFaults, change: Change, ready: &mut Vec<Parcel>) {
        self.tally.changes += 1;
        if faults.none() {
            ready.push(Parcel::Change(change));
            return;
        }
        if self.random.chance(faults.poison) {
            self.tally.poison += 1;
            let poison = self.poison(world, &change);
            ready.push(Parcel::Bytes(poison));
        }
        if self.random.chance(faults.novelty)
            && let What::Host { host, .. } = change.what
        {
            let serial = change.serial | 1 << 59;
            ready.push(Parcel::Change(Change { serial, what: What::Novelty { host }, ..change }));
        }
        if self.random.chance(faults.drop) {
            self.tally.lost += 1;
            return;
        }
        if self.random.chance(faults.truncate) {
            self.tally.lost += 1;
            let mut bytes = events::event(world, &change);
            let cut = self.random.between(1, bytes.len() as i64 - 1);
            bytes.truncate(cut as usize);
            ready.push(Parcel::Bytes(bytes.into()));
            return;
        }
        if self.random.chance(faults.duplicate) {
            self.tally.doubled += 1;
            // ECS itself sending twice gives another envelope id around the same version (spec A.2).
            let anew = self.random.chance(0.5);
            let serial = if anew { change.serial | 1 << 60 } else { change.serial };
            let after = self.random.between(0, 90_000);
            self.keep(change.at.plus(after), Parcel::Change(Change { serial, ..change }));
        }
        let wait = if self.random.chance(faults.delay) {
            self.random.between(1_000, i64::from(faults.delay_secs.max(60)) * 1000)
        } else if self.random.chance(faults.reorder) {
            self.random.between(1_000, i64::from(faults.reorder_secs.max(10)) * 1000)
        } else {
            ready.push(Parcel::Change(change));
            return;
        };
        self.tally.late += 1;
        self.keep(change.at.plus(wait), Parcel::Change(change));
    }

    fn keep(&mut self, at: Moment, parcel: Parcel) {
        self.order += 1;
        self.late.push(Late { at, order: self.order, parcel });
    }

    fn poison(&mut self, world: &World, change: &Change) -> Box<[u8]> {
        match self.random.below(6) {
            0 => Box::from(&b"Hello, is this the right queue?"[..]),
            1 => Box::from(&b"\xff\xfe\x00{\"source\":\"aws.ecs\"}"[..]),
            2 => [b"[".repeat(400), b"]".repeat(400)].concat().into(),
            3 => Box::from(&b"{}"[..]),
            4 => Box::from(&br#"{"version":"0","source":"aws.ecs","detail-type":"ECS Container Instance State Change","detail":{"version":"seven"}}"#[..]),
            _ => {
                let mut bytes = events::event(world, change);
                for at in (0..bytes.len()).step_by(97) {
                    bytes[at] = 0xc0;
                }
                bytes.into()
            }
        }
    }
}
