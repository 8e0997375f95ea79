//! A world with its story: time passes, planned things happen at their moment, events go out through the courier. Both
//! faces stand on this.

use std::collections::VecDeque;

use crate::{
    clock::Moment,
    command::Commands,
    courier::{Courier, Parcel},
    faults::{Fate, Faults},
    seed::{Purpose, Random, Streams},
    throttle::Throttle,
    timeline::{Act, Planned},
    world::{Change, PlaceId, World},
};

/// A running simulation.
#[derive(Debug)]
pub struct Simulation {
    /// The truth.
    pub world: World,
    /// What goes wrong on the way.
    pub faults: Faults,
    /// The API's token buckets.
    pub throttle: Throttle,
    /// What happened to the events on their way.
    pub courier: Courier,
    /// Commands that were sent to machines.
    pub commands: Commands,
    seed: u64,
    ends: Moment,
    timeline: VecDeque<Planned>,
    changes: Vec<Change>,
    reads: Random,
    errors: Random,
}

impl Simulation {
    /// A simulation of a furnished world.
    pub fn new(seed: u64, mut world: World, faults: Faults, mut timeline: Vec<Planned>, ends: Moment) -> Self {
        timeline.sort_by_key(|planned| planned.at);
        let mut streams = Streams::new(seed ^ 0x0063_6f75_7269_6572);
        let mut own = |purpose| Random::new(streams.of(purpose).bits());
        let courier = Courier::new(own(Purpose::Delivery));
        world.remember_for(i64::from(faults.api.stale_secs) * 1000);
        Self {
            throttle: Throttle::new(faults.api.background_use),
            world,
            faults,
            courier,
            commands: Commands::default(),
            seed,
            ends,
            timeline: timeline.into(),
            changes: Vec::new(),
            reads: own(Purpose::Reads),
            errors: own(Purpose::Errors),
        }
    }

    /// The seed it was made of.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// When the story is over; the world goes on.
    pub fn ends(&self) -> Moment {
        self.ends
    }

    /// Now.
    pub fn now(&self) -> Moment {
        self.world.now
    }

    /// When something happens next, at the latest.
    pub fn next_at(&self) -> Option<Moment> {
        let planned = self.timeline.front().map(|planned| planned.at);
        [self.world.next_at(), planned, self.courier.next_at()].into_iter().flatten().min()
    }

    /// Lets time pass until `until` and puts what reaches the queue by then into `ready`, in the order of arrival.
    pub fn advance_to(&mut self, until: Moment, ready: &mut Vec<Parcel>) {
        while self.advance_once(until, ready) {}
    }

    /// Lets time pass until something reaches the queue, or until `until`.
    pub fn advance_to_parcel(&mut self, until: Moment, ready: &mut Vec<Parcel>) {
        let before = ready.len();
        while ready.len() == before && self.advance_once(until, ready) {}
    }

    /// One step towards `until`; false when it is reached.
    fn advance_once(&mut self, until: Moment, ready: &mut Vec<Parcel>) -> bool {
        let planned = self.timeline.front().map_or(until, |planned| planned.at.min(until));
        let late = self.courier.next_at().map_or(planned, |at| at.min(planned));
        self.world.advance_to_change(late);
        if let Some(planned) = self.timeline.front()
            && planned.at <= self.world.now
            && let Some(planned) = self.timeline.pop_front()
        {
            self.do_now(&planned.act);
        }
        self.courier.due(self.world.now, ready);
        self.world.take_changes(&mut self.changes);
        for at in 0..self.changes.len() {
            let change = self.changes[at];
            self.courier.post(&self.world, &self.faults.events, change, ready);
        }
        self.changes.clear();
        self.world.now < until
            || self.world.next_at().is_some_and(|at| at <= until)
            || self.timeline.front().is_some_and(|planned| planned.at <= until)
            || self.courier.next_at().is_some_and(|at| at <= until)
    }

    /// Adds to the story.
    pub fn plan(&mut self, planned: Vec<Planned>) {
        self.timeline.extend(planned);
        self.timeline.make_contiguous().sort_by_key(|planned| planned.at);
    }

    /// Does something of the timeline, now.
    pub fn do_now(&mut self, act: &Act) {
        match act {
            Act::Faults(faults) => {
                self.faults = (**faults).clone();
                self.throttle.background_use = self.faults.api.background_use.clamp(0.0, 1.0);
                self.world.remember_for(i64::from(self.faults.api.stale_secs) * 1000);
            }
            Act::World(deed) => deed.perform(&mut self.world),
        }
    }

    /// Decides what becomes of a call to `service:Operation`: the faults first, then the buckets of its place.
    pub fn call(&mut self, place: PlaceId, action: &str) -> Fate {
        let fate = self.faults.api.fate(action, &mut self.errors);
        if fate != Fate::Answered || self.faults.api.unlimited {
            return fate;
        }
        if self.throttle.admit(place, action, self.world.now) { Fate::Answered } else { Fate::Throttled }
    }

    /// The stream that errors are drawn from.
    pub(crate) fn errors(&mut self) -> &mut Random {
        &mut self.errors
    }

    /// Draws how stale the next read is, in milliseconds.
    pub fn staleness(&mut self) -> i64 {
        self.faults.api.staleness(&mut self.reads)
    }
}
