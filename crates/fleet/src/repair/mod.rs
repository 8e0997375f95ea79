//! The ladder at work.
use crate::{effect::Effect, notice::page::Delivery, operator::Asked, remedy::act::Outcome, state::Fleet};

impl Fleet {
    pub(crate) fn acted(&mut self, _outcome: &Outcome<'_>, _effects: &mut Vec<Effect>) {}
    pub(crate) fn asked(&mut self, _asked: &Asked<'_>, _effects: &mut Vec<Effect>) {}
    pub(crate) fn told(&mut self, _delivery: &Delivery<'_>, _effects: &mut Vec<Effect>) {}
    pub(crate) fn led(&mut self, _leading: bool, _effects: &mut Vec<Effect>) {}
}
