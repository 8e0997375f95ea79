//! Acts of remedies upon the world, called directly.

use engine::ports::{ActResult, Intent};

use crate::{clock::Moment, simulation::Simulation};

/// An act that has begun: what comes of it, and when.
#[derive(Clone, Debug)]
pub struct Begun {
    /// When its end is seen.
    pub ends_at: Moment,
    /// What is then seen.
    pub result: ActResult<'static>,
}

/// Performs an act.
pub fn act(simulation: &mut Simulation, intent: &Intent, again: bool) -> Begun {
    let _ = again;
    let why = format!("{} is not known here", intent.act.word());
    Begun { ends_at: simulation.now(), result: ActResult::Impossible { why: why.into() } }
}
