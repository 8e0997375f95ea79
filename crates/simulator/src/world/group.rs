//! An Auto Scaling group that keeps its desired capacity.

use super::id::{ClusterId, KindId, MachineId, PlaceId, TemplateId};

/// An Auto Scaling group (spec E.1).
#[derive(Clone, Debug)]
pub struct Group {
    /// Where.
    pub place: PlaceId,
    /// Its name.
    pub name: String,
    /// The cluster its machines register in.
    pub cluster: ClusterId,
    /// Least.
    pub min: u32,
    /// Most.
    pub max: u32,
    /// Wanted.
    pub desired: u32,
    /// Zones, as positions in the place's list; launches go to the emptiest.
    pub zones: Vec<u8>,
    /// Instance types; launches take turns.
    pub kinds: Vec<KindId>,
    /// Launch template version of the next launch.
    pub template: TemplateId,
    /// Members, without those that are gone; in the order of their launch.
    pub members: Vec<MachineId>,
    /// Spot capacity.
    pub spot: bool,
    /// Launches fail with this message, while set (no capacity, bad template).
    pub launches_fail: Option<String>,
    /// Suspended processes: `Launch`, `Terminate`, `ReplaceUnhealthy`, ….
    pub suspended: Vec<String>,
    /// A terminate hook holds machines in Terminating:Wait for so many milliseconds; 0: no hook.
    pub terminate_hook_ms: i64,
    /// Managed draining: ECS drains a machine before the group ends it, and holds it until it is empty.
    pub managed_draining: bool,
    /// ECS manages its size (tag AmazonECSManaged).
    pub ecs_managed: bool,
    /// Launches so far: turns of the instance types.
    pub(crate) launches: u32,
    /// A check of the desired capacity is on the agenda.
    pub(crate) check_due: bool,
}
