//! The keeper of a declared headroom: "always room for 4 more of api in each zone".
//!
//! Pure: it is told what is and what it has decided before, and decides one step. It never asks for more than the maximum,
//! never twice for one shortage (what is on its way counts as there), never while launches fail in that pool (I15); and it
//! only advises where ECS's managed scaling owns the size of the group.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// What somebody has declared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Declared {
    /// There is always room for so many more copies.
    pub copies: u32,
    /// The group never gets smaller by this keeper.
    pub min_hosts: u32,
    /// The group never gets larger by this keeper.
    pub max_hosts: u32,
    /// So many hosts at most are added at once.
    pub step_hosts: u32,
    /// So long after a step nothing is added, but what is on its way.
    pub cool_down_secs: u32,
    /// So long after a failed launch nothing is launched; doubled with each further failure, up to 16 times.
    pub failure_wait_secs: u32,
    /// So long after a step what is known of the group may still be from before it.
    pub launch_secs: u32,
    /// Whether hosts are ended when there is more room than declared.
    pub scale_in: bool,
    /// Room must have been too much for so long.
    pub scale_in_after_secs: u32,
}

impl Default for Declared {
    fn default() -> Self {
        Self {
            copies: 1,
            min_hosts: 0,
            max_hosts: 0,
            step_hosts: 2,
            cool_down_secs: 180,
            failure_wait_secs: 300,
            launch_secs: 900,
            scale_in: false,
            scale_in_after_secs: 3_600,
        }
    }
}

/// What is, in one pool: an Auto Scaling group in one zone, or in all that it spans.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    /// Copies that fit now, on hosts that can be relied on.
    pub copies_now: u64,
    /// The same by zone, where each zone is to have the declared room; empty: `copies_now` alone counts.
    pub zones: Vec<ZoneRoom>,
    /// Copies that fit on a host like these with nothing on it; 0: none, or not known.
    pub copies_per_host: u64,
    /// `DesiredCapacity` of the group.
    pub desired: u32,
    /// `MinSize` of the group.
    pub group_min: u32,
    /// `MaxSize` of the group.
    pub group_max: u32,
    /// Machines of the group that have become hosts, whatever state these are in now.
    pub members: u32,
    /// Managed scaling owns the size.
    pub managed_scaling: bool,
    /// The process `Launch` of the group is suspended.
    pub launch_suspended: bool,
    /// The process `Terminate` of the group is suspended.
    pub terminate_suspended: bool,
    /// When a launch last failed here.
    pub launch_failed_at: Option<Timestamp>,
    /// How often one has failed since one last succeeded.
    pub launch_failures: u32,
    /// Hosts without tasks but those of daemons, protected by nothing and in no trouble, the one to end first at the
    /// beginning: machine ids.
    pub empty: Vec<String>,
}

/// What room there is in one zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneRoom {
    /// Its name.
    pub zone: String,
    /// Copies that fit there now, on hosts that can be relied on.
    pub copies_now: u64,
}

impl Pool {
    /// Each room that is to be kept.
    fn rooms(&self) -> Vec<u64> {
        match self.zones.as_slice() {
            [] => vec![self.copies_now],
            zones => zones.iter().map(|zone| zone.copies_now).collect(),
        }
    }

    /// What is short of so many copies, in words; `None`: nothing is.
    pub fn shortage(&self, copies: u32) -> Option<String> {
        let wanted = u64::from(copies);
        if self.zones.is_empty() {
            return (self.copies_now < wanted)
                .then(|| format!("there is room for {} of {wanted} copies", self.copies_now));
        }
        let short = self.zones.iter().filter(|zone| zone.copies_now < wanted);
        let zones: Vec<String> = short.map(|zone| format!("{} in {}", zone.copies_now, zone.zone)).collect();
        (!zones.is_empty()).then(|| format!("there is room for {} of {wanted} copies", zones.join(" and ")))
    }

    /// Hosts that have been asked for and have not come yet, as far as the group itself says.
    pub fn coming(&self) -> u32 {
        self.desired.saturating_sub(self.members)
    }
}

/// What the keeper remembers of a pool.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// When it last added hosts.
    pub raised_at: Option<Timestamp>,
    /// What `DesiredCapacity` was then set to.
    pub raised_to: u32,
    /// Since when there has been more room than declared.
    pub plenty_since: Option<Timestamp>,
    /// When it last ended a host.
    pub lowered_at: Option<Timestamp>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Nothing to do.
    Enough,
    /// Set the group's size higher: SetDesiredCapacity.
    Raise {
        /// By so many hosts.
        by: u32,
        /// To this.
        to: u32,
        /// Why.
        because: String,
    },
    /// End one empty host, and make the group smaller by it.
    End {
        /// Machine id.
        machine: String,
        /// Why.
        because: String,
    },
    /// What the keeper would do if the group were its own.
    Advise {
        /// By so many hosts more.
        by: u32,
        /// Why, and why not.
        because: String,
    },
    /// Not now.
    Hold {
        /// Why.
        because: String,
        /// Until when, where that is known.
        until: Option<Timestamp>,
    },
}

/// Decides one step, and remembers it. Whoever does not carry a step out gives the memory back as it was.
pub fn decide(declared: &Declared, pool: &Pool, memory: &mut Memory, now: Timestamp) -> Decision {
    let wanted = u64::from(declared.copies);
    let Some(short) = pool.shortage(declared.copies) else { return surplus(declared, pool, memory, now) };
    memory.plenty_since = None;
    if pool.copies_per_host == 0 {
        return hold(format!("{short}, but a host of this group with nothing on it would take none"), None);
    }
    // What is on its way is room to come: one shortage, one launch.
    let coming = coming(declared, pool, memory, now);
    let missing = pool.rooms().into_iter().map(|room| wanted.saturating_sub(room).div_ceil(pool.copies_per_host));
    let hosts = missing.fold(0_u64, u64::saturating_add);
    let lacking = u32::try_from(hosts).unwrap_or(u32::MAX).saturating_sub(coming);
    let failing = failing_until(declared, pool).filter(|until| *until > now);
    if lacking == 0 {
        let fails = if failing.is_some() { fails_sentence(pool) } else { String::new() };
        return hold(format!("{short}; {coming} more hosts are on their way{fails}"), launch_ends(declared, memory));
    }
    if pool.managed_scaling {
        let because = format!("{short}; managed scaling of the capacity provider decides how many hosts there are");
        return Decision::Advise { by: lacking, because };
    }
    if coming > 0 {
        // A group that changes is left alone: how much is still short shows when they are there.
        let fails = if failing.is_some() { fails_sentence(pool) } else { String::new() };
        let because =
            format!("{short}; {coming} more hosts are on their way{fails}, and others are asked for after them");
        return hold(because, launch_ends(declared, memory));
    }
    if pool.launch_suspended {
        return hold(format!("{short}, but the group does not launch: its process Launch is suspended"), None);
    }
    if let Some(until) = failing {
        return hold(format!("{short}{}", fails_sentence(pool)), Some(until));
    }
    if let Some(until) = memory.raised_at.map(|at| after(at, declared.cool_down_secs)).filter(|until| *until > now) {
        return hold(format!("{short}; the last step is not old enough"), Some(until));
    }
    // A group whose size somebody has set meanwhile is raised from there.
    let ceiling = declared.max_hosts.min(pool.group_max);
    let by = lacking.min(declared.step_hosts).min(ceiling.saturating_sub(pool.desired));
    if by == 0 {
        let because = match declared.step_hosts {
            0 => format!("{short}, but a step of no hosts is allowed"),
            _ => format!("{short}, but the group has {} hosts and may have {ceiling}", pool.desired),
        };
        return hold(because, None);
    }
    let to = pool.desired + by;
    (memory.raised_at, memory.raised_to) = (Some(now), to);
    Decision::Raise { by, to, because: format!("{short}; a host takes {}", pool.copies_per_host) }
}

/// Hosts that have been asked for and have not come yet. They are waited for as long as the group wants them: who never
/// comes is a case of its own, and no reason to launch another.
fn coming(declared: &Declared, pool: &Pool, memory: &Memory, now: Timestamp) -> u32 {
    // What is known of the group may be older than the last step: what was decided counts until it shows.
    let fresh = memory.raised_at.is_some_and(|at| after(at, declared.launch_secs) > now);
    let decided = if fresh { memory.raised_to } else { 0 };
    pool.desired.max(decided).saturating_sub(pool.members)
}

fn fails_sentence(pool: &Pool) -> String {
    format!(", but launches fail here, {} in a row", pool.launch_failures.max(1))
}

fn launch_ends(declared: &Declared, memory: &Memory) -> Option<Timestamp> {
    memory.raised_at.map(|at| after(at, declared.launch_secs))
}

/// Until when launches are believed to fail.
fn failing_until(declared: &Declared, pool: &Pool) -> Option<Timestamp> {
    let doublings = pool.launch_failures.saturating_sub(1).min(4);
    pool.launch_failed_at.map(|at| after(at, declared.failure_wait_secs.saturating_mul(1 << doublings)))
}

/// More room than declared: one empty host goes, when that has been so for long enough, and long after the last step.
fn surplus(declared: &Declared, pool: &Pool, memory: &mut Memory, now: Timestamp) -> Decision {
    let spare = pool.rooms().into_iter().map(|room| room.saturating_sub(u64::from(declared.copies))).max();
    let floor = declared.min_hosts.max(pool.group_min);
    let worth_it = pool.copies_per_host > 0 && spare.is_some_and(|spare| spare >= pool.copies_per_host);
    if !declared.scale_in || !worth_it || pool.managed_scaling {
        memory.plenty_since = None;
        return Decision::Enough;
    }
    let since = *memory.plenty_since.get_or_insert(now);
    let ripe = |at: Timestamp| after(at, declared.scale_in_after_secs);
    let last_step = memory.raised_at.into_iter().chain(memory.lowered_at).max();
    let until = last_step.map_or(ripe(since), |at| ripe(since).max(ripe(at)));
    let each = if pool.zones.is_empty() { "" } else { " in each zone" };
    let much = format!("there is room for {} copies and {}{each} are declared", pool.copies_now, declared.copies);
    if until > now {
        return hold(format!("{much}; that may not last"), Some(until));
    }
    // Hosts on their way make more room than is seen, and a group that changes is left alone.
    if pool.desired != pool.members || pool.terminate_suspended || pool.desired <= floor {
        return Decision::Enough;
    }
    let Some(machine) = pool.empty.first() else { return Decision::Enough };
    memory.lowered_at = Some(now);
    Decision::End { machine: machine.clone(), because: format!("{much}; the host is empty") }
}

fn hold(because: String, until: Option<Timestamp>) -> Decision {
    Decision::Hold { because, until }
}

fn after(at: Timestamp, secs: u32) -> Timestamp {
    at.saturating_add(SignedDuration::from_secs(secs.into())).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
