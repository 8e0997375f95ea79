//! The engine's turn, driven in virtual time: events as they come, sweeps on schedule, looks when the core asks, ticks
//! when it wants to be woken, acts and pages when it hands them out. One muster or several, each may crash and come back
//! from its journal.

use engine::turn::{Turn, TurnError};

use super::{lease::SimulatedLease, muster::Muster, shared::SharedJournal};
use crate::{
    clock::{MINUTE, Moment, SECOND},
    courier::Parcel,
    simulation::Simulation,
};
use engine::{
    ports::{ActResult, Intent, Page, Sweep, operator::Asked},
    turn::Taken,
};

/// How events are handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As facts built straight from the changes: fast.
    Typed,
    /// As JSON, through the engine's decoder.
    Wire,
}

/// How to drive.
#[derive(Clone, Debug)]
pub struct Drive {
    /// How events are handed over.
    pub mode: Mode,
    /// Time between two sweeps; the first is at the beginning. 0: no sweeps.
    pub sweep_every_ms: i64,
    /// Sweeps list the tasks as well.
    pub audit_tasks: bool,
    /// Events that arrive within this time are taken in one turn, as a long poll would bring them.
    pub batch_ms: i64,
    /// How long a look takes.
    pub look_ms: i64,
    /// How long a receiver takes for a page.
    pub send_ms: i64,
    /// At these moments the engine's clock is set forward or back by so many milliseconds.
    pub clock_steps: Vec<(Moment, i64)>,
    /// The first muster crashes at these of the places where it may: before and after each append, before and after each
    /// call, counted from 1. Only one that has a journal to come back from.
    pub crashes: Vec<u32>,
    /// The first muster's journal refuses these appends, counted from 1; it is then started again.
    pub journal_failures: Vec<u32>,
    /// From this append on the first muster's journal refuses all of them: its disk is gone for good.
    pub journal_fails_from: Option<u32>,
    /// How long a muster that crashed is away.
    pub down_ms: i64,
    /// At these moments a muster stands still for so many milliseconds, as a suspended machine does.
    pub pauses: Vec<(Moment, u8, i64)>,
    /// What operators ask for, and of which muster.
    pub operator: Vec<(Moment, u8, Asked<'static>)>,
}

impl Default for Drive {
    fn default() -> Self {
        Self {
            mode: Mode::Typed,
            sweep_every_ms: 10 * MINUTE,
            audit_tasks: false,
            batch_ms: SECOND,
            look_ms: 400,
            send_ms: 400,
            clock_steps: Vec::new(),
            crashes: Vec::new(),
            journal_failures: Vec::new(),
            journal_fails_from: None,
            down_ms: 5 * SECOND,
            pauses: Vec::new(),
            operator: Vec::new(),
        }
    }
}

/// Somebody who watches the drive. Musters are numbered from 0.
pub trait Watcher {
    /// A turn of the first muster is journaled; what it asked for is about to be done. `now` is the world's time.
    fn turned(&mut self, now: Moment, simulation: &Simulation, turn: &Turn, taken: &Taken);

    /// Time is about to pass until `target`; gives how far it may for now. Whoever watches may hold it back, and let others at the
    /// account meanwhile.
    fn pace(&mut self, simulation: &mut Simulation, target: Moment) -> Moment {
        let _ = simulation;
        target
    }

    /// The same of any muster.
    fn turned_by(&mut self, now: Moment, by: u8, simulation: &Simulation, turn: &Turn, taken: &Taken) {
        if by == 0 {
            self.turned(now, simulation, turn, taken);
        }
    }

    /// A sweep is about to be made.
    fn sweeping(&mut self, now: Moment) {
        let _ = now;
    }

    /// A look, a re-read before an act or a part of a sweep was answered, and the first muster is about to hear it.
    fn looked(&mut self, now: Moment, sweep: &Sweep<'static>) {
        let _ = (now, sweep);
    }

    /// The same of any muster.
    fn looked_by(&mut self, now: Moment, by: u8, sweep: &Sweep<'static>) {
        if by == 0 {
            self.looked(now, sweep);
        }
    }

    /// The call of an act is about to be made.
    fn calling(&mut self, now: Moment, by: u8, simulation: &Simulation, intent: &Intent, again: bool) {
        let _ = (now, by, simulation, intent, again);
    }

    /// What came of an intent is seen; a call need not have been made.
    fn called(&mut self, now: Moment, by: u8, intent: &Intent, result: &ActResult<'static>) {
        let _ = (now, by, intent, result);
    }

    /// A receiver has taken a page.
    fn delivered(&mut self, now: Moment, by: u8, page: &Page) {
        let _ = (now, by, page);
    }

    /// An operator is about to ask for this: whoever watches may say which case or host is meant.
    fn asking(&mut self, now: Moment, by: u8, asked: Asked<'static>) -> Asked<'static> {
        let _ = (now, by);
        asked
    }

    /// An operator has asked for something and was answered.
    fn operated(&mut self, now: Moment, by: u8, asked: &Asked<'static>, granted: bool) {
        let _ = (now, by, asked, granted);
    }

    /// A muster has crashed, and this came back from its journal.
    fn crashed(&mut self, now: Moment, by: u8, turn: &Turn) {
        let _ = (now, by, turn);
    }
}

impl Watcher for () {
    fn turned(&mut self, _: Moment, _: &Simulation, _: &Turn, _: &Taken) {}
}

/// What a drive did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Driven {
    /// Events handed over.
    pub events: u64,
    /// Turns taken.
    pub turns: u64,
    /// Sweeps made.
    pub sweeps: u64,
    /// Looks made.
    pub looks: u64,
    /// Calls of acts made.
    pub acts: u64,
    /// Pages that a receiver took.
    pub pages: u64,
    /// Crashes, failures of the journal included.
    pub crashes: u64,
    /// Places where a crash was possible.
    pub crashable: u64,
}

/// A muster's seat in a drive.
#[derive(Debug)]
pub struct Seat<'a> {
    /// Its turn. Replaced when it crashes.
    pub turn: &'a mut Turn,
    /// The journal it comes back from; `None`: it never crashes.
    pub journal: Option<SharedJournal>,
}

/// Drives one muster until `until`, where the world's time then stands.
///
/// # Errors
/// When its journal fails.
pub fn drive(
    simulation: &mut Simulation,
    turn: &mut Turn,
    until: Moment,
    how: &Drive,
    watcher: &mut dyn Watcher,
) -> Result<Driven, TurnError> {
    drive_all(simulation, vec![Seat { turn, journal: None }], None, until, how, watcher)
}

/// Drives some musters that watch the same account until `until`. With a lease, one of them acts.
///
/// # Errors
/// When the journal of a muster fails that has none to come back from.
pub fn drive_all(
    simulation: &mut Simulation,
    seats: Vec<Seat<'_>>,
    lease: Option<&mut SimulatedLease>,
    until: Moment,
    how: &Drive,
    watcher: &mut dyn Watcher,
) -> Result<Driven, TurnError> {
    let now = simulation.now();
    let leased = lease.is_some();
    let musters = seats.into_iter().zip(0..).map(|(seat, by)| Muster::new(seat, by, now, how, leased)).collect();
    let mut driver = Driver { simulation, musters, lease, how, watcher, ready: Vec::new(), driven: Driven::default() };
    for at in 0..driver.musters.len() {
        driver.take_over(at);
    }
    while driver.once(until)? {}
    driver.driven.crashable = driver.musters.first().map_or(0, Muster::crashable);
    Ok(driver.driven)
}

pub(super) struct Driver<'a> {
    pub(super) simulation: &'a mut Simulation,
    pub(super) musters: Vec<Muster<'a>>,
    pub(super) lease: Option<&'a mut SimulatedLease>,
    pub(super) how: &'a Drive,
    pub(super) watcher: &'a mut dyn Watcher,
    pub(super) ready: Vec<Parcel>,
    pub(super) driven: Driven,
}

impl Driver<'_> {
    fn once(&mut self, until: Moment) -> Result<bool, TurnError> {
        let now = self.simulation.now();
        let due = self.musters.iter_mut().filter_map(|muster| muster.due(now, self.how)).min();
        let due = due.unwrap_or(until).max(now).min(until);
        let target = self.watcher.pace(self.simulation, due).max(now).min(due);
        // Whatever comes first: an event, or something that is due.
        self.ready.clear();
        self.simulation.advance_to_parcel(target, &mut self.ready);
        if !self.ready.is_empty() {
            let patience = self.simulation.now().plus(self.how.batch_ms).min(target);
            self.simulation.advance_to(patience, &mut self.ready);
            let ready = std::mem::take(&mut self.ready);
            self.driven.events += ready.len() as u64;
            for at in 0..self.musters.len() {
                self.deliver(at, &ready)?;
            }
            self.ready = ready;
        }
        let now = self.simulation.now();
        if now < due {
            return Ok(true);
        }
        for at in 0..self.musters.len() {
            self.meet(at)?;
        }
        Ok(now < until)
    }
}
