//! Where a task may go.

use serde::{Deserialize, Serialize};

use crate::{host::Millis, names::Name};

/// What is believed of a subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    /// Availability zone.
    pub zone: Name,
    /// Addresses that nobody holds.
    pub free_addresses: u32,
    /// When that was told.
    pub told_at: Millis,
}
