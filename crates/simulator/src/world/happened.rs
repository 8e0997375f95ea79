//! What calls have truly done.

use super::{HostId, MachineId, World};
use crate::clock::Moment;

/// Something that truly happened because somebody called: for judges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// When.
    pub at: Moment,
    /// By which muster; 0 on the wire.
    pub by: u8,
    /// The epoch of the lease it was called under; 0 without one.
    pub epoch: u64,
    /// The token of the intent; empty where the call carried none.
    pub token: String,
    /// The act's word.
    pub act: String,
    /// The machine it happened to.
    pub machine: Option<MachineId>,
    /// The container instance it happened to.
    pub host: Option<HostId>,
}

impl World {
    /// Writes down what a call on the wire has done.
    pub(crate) fn note_happened(&mut self, token: &str, act: &str, machine: Option<MachineId>, host: Option<HostId>) {
        let (token, act) = (token.to_owned(), act.to_owned());
        self.happened.push(Happened { at: self.now, by: 0, epoch: 0, token, act, machine, host });
    }
}
