//! The engine's turn, driven in virtual time: events as they come, sweeps on schedule, looks when the core asks, ticks
//! when it wants to be woken.

use std::collections::VecDeque;

use engine::{
    ports::Look,
    turn::{Arrival, Taken, Turn, TurnError},
};

use super::{
    answers::{self, Answered},
    facts::{self, Page, Spans},
};
use crate::{
    clock::{MINUTE, Moment, SECOND},
    courier::Parcel,
    simulation::Simulation,
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
    /// Events that arrive within this time are taken in one turn, as a long poll would bring them.
    pub batch_ms: i64,
    /// How long a look takes.
    pub look_ms: i64,
    /// At these moments the engine's clock is set forward or back by so many milliseconds.
    pub clock_steps: Vec<(Moment, i64)>,
}

impl Default for Drive {
    fn default() -> Self {
        Self { mode: Mode::Typed, sweep_every_ms: 10 * MINUTE, batch_ms: SECOND, look_ms: 400, clock_steps: Vec::new() }
    }
}

/// Somebody who watches the drive.
pub trait Watcher {
    /// A turn is journaled; what it asked for is about to be done. `now` is the world's time.
    fn turned(&mut self, now: Moment, simulation: &Simulation, turn: &Turn, taken: &Taken);

    /// A sweep is about to be made.
    fn sweeping(&mut self, now: Moment) {
        let _ = now;
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
}

/// Drives until `until`, where the world's time then stands.
pub fn drive(
    simulation: &mut Simulation,
    turn: &mut Turn,
    until: Moment,
    how: &Drive,
    watcher: &mut dyn Watcher,
) -> Result<Driven, TurnError> {
    let next_sweep = if how.sweep_every_ms > 0 { simulation.now() } else { Moment(i64::MAX) };
    let mut driver = Driver {
        simulation,
        turn,
        how,
        watcher,
        next_sweep,
        looks: VecDeque::new(),
        ready: Vec::new(),
        page: Page::default(),
        spans: Vec::new(),
        driven: Driven::default(),
        steps: how.clock_steps.clone(),
        skew: 0,
        ticked_for: None,
    };
    while driver.once(until)? {}
    Ok(driver.driven)
}

struct Driver<'a> {
    simulation: &'a mut Simulation,
    turn: &'a mut Turn,
    how: &'a Drive,
    watcher: &'a mut dyn Watcher,
    next_sweep: Moment,
    looks: VecDeque<(Moment, Look)>,
    ready: Vec<Parcel>,
    page: Page,
    spans: Vec<Spans>,
    driven: Driven,
    steps: Vec<(Moment, i64)>,
    skew: i64,
    /// The wake that was last answered with a tick: a core that asks for the past is not called without end.
    ticked_for: Option<i64>,
}

impl Driver<'_> {
    fn once(&mut self, until: Moment) -> Result<bool, TurnError> {
        let now = self.simulation.now();
        if let Some(at) = self.steps.iter().position(|(at, _)| *at <= now) {
            self.skew += self.steps.swap_remove(at).1;
        }
        let wake = self.turn.wake_at().map(|at| Moment(at.as_millisecond() - self.skew));
        let wake = wake.map(|at| if self.ticked_for == Some(at.0) { at.max(now.plus(SECOND)) } else { at.max(now) });
        let step = self.steps.iter().map(|(at, _)| *at).min();
        let look = self.looks.front().map(|(at, _)| *at);
        let target = [wake, step, look, Some(self.next_sweep)].into_iter().flatten().min().unwrap_or(until).min(until);
        // Whatever comes first: an event, or something that is due.
        self.ready.clear();
        self.simulation.advance_to_parcel(target, &mut self.ready);
        if !self.ready.is_empty() {
            let patience = self.simulation.now().plus(self.how.batch_ms).min(target);
            self.simulation.advance_to(patience, &mut self.ready);
            self.deliver()?;
        }
        let now = self.simulation.now();
        if now < target {
            return Ok(true);
        }
        while self.looks.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, look)) = self.looks.pop_front() else { break };
            self.driven.looks += 1;
            let answer = answers::look(self.simulation, &look);
            self.answered(answer)?;
        }
        if self.next_sweep <= now {
            self.driven.sweeps += 1;
            self.watcher.sweeping(now);
            self.next_sweep = now.plus(self.how.sweep_every_ms);
            let mut found = Vec::new();
            answers::sweep(self.simulation, &mut |answer| found.push(answer));
            for answer in found {
                self.answered(answer)?;
            }
        }
        if let Some(wake) = wake.filter(|wake| *wake <= now) {
            self.ticked_for = Some(wake.0);
            let engine_now = self.engine_now();
            let taken = self.turn.take(engine_now, [Arrival::Tick])?;
            self.took(taken);
        }
        Ok(now < until)
    }

    fn engine_now(&self) -> jiff::Timestamp {
        self.simulation.now().plus(self.skew).timestamp()
    }

    fn deliver(&mut self) -> Result<(), TurnError> {
        self.driven.events += self.ready.len() as u64;
        let now = self.engine_now();
        let world = &self.simulation.world;
        let taken = match self.how.mode {
            Mode::Typed => {
                self.page.clear();
                self.spans.clear();
                for parcel in &self.ready {
                    self.spans.push(match parcel {
                        Parcel::Change(change) => self.page.write(world, change),
                        Parcel::Bytes(_) => Spans::default(),
                    });
                }
                let page = &self.page;
                let arrivals = self.ready.iter().zip(&self.spans).map(|(parcel, spans)| match parcel {
                    Parcel::Change(change) => Arrival::Observed(facts::observation(world, page, spans, change)),
                    Parcel::Bytes(bytes) => Arrival::Event(bytes),
                });
                self.turn.take(now, arrivals)?
            }
            Mode::Wire => {
                let mut text = Vec::with_capacity(self.ready.len() * 2_800);
                let mut ends = Vec::with_capacity(self.ready.len());
                for parcel in &self.ready {
                    parcel.write(world, &mut text);
                    ends.push(text.len());
                }
                let starts = std::iter::once(0).chain(ends.iter().copied());
                let arrivals =
                    starts.zip(&ends).map(|(start, end)| Arrival::Event(text.get(start..*end).unwrap_or_default()));
                self.turn.take(now, arrivals)?
            }
        };
        self.took(taken);
        Ok(())
    }

    fn answered(&mut self, answer: Answered) -> Result<(), TurnError> {
        let arrival = match answer {
            Ok(mut sweep) => {
                // Who looks dates the answer by his own clock.
                sweep.started_at = self.engine_now();
                for observation in &mut sweep.found {
                    observation.at = sweep.started_at;
                }
                Arrival::Swept(sweep)
            }
            Err(failure) => Arrival::LookFailed(failure),
        };
        let now = self.engine_now();
        let taken = self.turn.take(now, [arrival])?;
        self.took(taken);
        Ok(())
    }

    fn took(&mut self, taken: Taken) {
        self.driven.turns += 1;
        let now = self.simulation.now();
        self.watcher.turned(now, self.simulation, self.turn, &taken);
        let due = now.plus(self.how.look_ms);
        self.looks.extend(taken.looks.into_iter().map(|look| (due, look)));
    }
}
