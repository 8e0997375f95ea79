//! Surviving a restart: the fleet as bytes, versioned.

use crate::{policy::Policy, state::Fleet};

/// What a snapshot begins with: a mark and the version of the format.
const MARK: [u8; 8] = *b"musterS9";

/// Why a snapshot could not be read. The engine then replays the journal from its beginning.
#[derive(Debug, thiserror::Error)]
#[error("the snapshot cannot be read: {0}")]
pub struct Unreadable(pub String);

/// Packs the fleet. Equal fleets give equal bytes.
pub fn save(fleet: &Fleet) -> Vec<u8> {
    let mut bytes = MARK.to_vec();
    match postcard::to_extend(fleet, bytes) {
        Ok(whole) => bytes = whole,
        // Writing to memory fails for no fleet; an empty snapshot would be refused by `load` and replayed instead.
        Err(_) => bytes = Vec::new(),
    }
    bytes
}

/// Unpacks a fleet; the policy given replaces the one it was saved under.
pub fn load(bytes: &[u8], policy: Policy) -> Result<Fleet, Unreadable> {
    let packed = bytes
        .strip_prefix(&MARK)
        .ok_or_else(|| Unreadable("it does not begin as a snapshot of this format does".to_owned()))?;
    let mut fleet: Fleet = postcard::from_bytes(packed).map_err(|error| Unreadable(error.to_string()))?;
    fleet.policy = policy;
    fleet.repairs.trials.recount();
    Ok(fleet)
}
