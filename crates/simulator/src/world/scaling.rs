//! Who changes the desired capacity of a group: a caller, a scaling policy, managed scaling (spec E.1).

use super::{
    Activity, GroupId, HostStatus, Lifecycle, Machine, MachineId, MachineState, PolicyKind, Refused, ServiceId, World,
    control::Refusal,
};
use crate::clock::{MINUTE, Moment, SECOND};

/// How many activities of a group are kept.
const ACTIVITIES: usize = 100;

/// Cool-down of a group that names none, in seconds.
pub const DEFAULT_COOLDOWN_SECS: i64 = 300;

/// A machine that has not registered after this time is not on its way any more.
const COMES_WITHIN_MS: i64 = 15 * MINUTE;

/// Who changed a desired capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scaler {
    /// SetDesiredCapacity or UpdateAutoScalingGroup.
    Caller,
    /// ExecutePolicy, or an alarm.
    Policy,
    /// A capacity provider's managed scaling.
    Provider,
}

/// A change of a group's desired capacity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scaled {
    /// When.
    pub at: Moment,
    /// Whose.
    pub group: GroupId,
    /// By whom.
    pub by: Scaler,
    /// Desired capacity before.
    pub from: u32,
    /// Desired capacity from then on.
    pub to: u32,
    /// Members that were launched less than a quarter of an hour before and had not registered yet.
    pub coming: u32,
    /// Machines that it wanted and that were not even launched.
    pub unlaunched: u32,
    /// When the newest launch had failed, if it had.
    pub failed_at: Option<Moment>,
    /// When the first of the launches had failed since which none succeeded.
    pub failing_since: Option<Moment>,
    /// Most members the group may have.
    pub max: u32,
}

impl World {
    /// SetDesiredCapacity by somebody, which is written down.
    ///
    /// # Errors
    /// Above the group's maximum, below its minimum, in its cool-down when that is to be honoured.
    pub fn scale_by(&mut self, group: GroupId, by: Scaler, desired: u32, honour_cooldown: bool) -> Result<(), Refusal> {
        self.cooled_down(group, DEFAULT_COOLDOWN_SECS, honour_cooldown)?;
        let from = self.group(group).ok_or(Refusal::Missing("group"))?.desired;
        // What is refused was asked for nevertheless.
        self.note_scaled(group, by, from, desired);
        self.set_desired_capacity(group, desired)?;
        self.cools_from_now(group);
        Ok(())
    }

    fn cooled_down(&self, group: GroupId, secs: i64, honour: bool) -> Result<(), Refusal> {
        let held = self.group(group).ok_or(Refusal::Missing("group"))?;
        let cooling = held.scaled_at.is_some_and(|at| self.now.since(at) < secs * SECOND);
        if honour && cooling {
            return Err(Refusal::Busy(format!(
                "Scaling activity is in progress or the cooldown of {} is not over.",
                held.name
            )));
        }
        Ok(())
    }

    fn note_scaled(&mut self, group: GroupId, by: Scaler, from: u32, to: u32) {
        let Some(held) = self.group(group) else { return };
        let on_its_way = |machine: &&Machine| {
            let registered = machine
                .host
                .and_then(|host| self.host(host))
                .is_some_and(|host| matches!(host.said.status, HostStatus::Active | HostStatus::Draining));
            let alive = matches!(machine.lifecycle, Lifecycle::Pending | Lifecycle::PendingWait | Lifecycle::InService);
            alive && !registered && self.now.since(machine.launched_at) < COMES_WITHIN_MS
        };
        let members = held.members.iter().filter_map(|member| self.machine(*member));
        let coming = members.filter(on_its_way).count() as u32;
        let alive = |member: &&MachineId| {
            let lifecycle = self.machine(**member).map(|machine| machine.lifecycle);
            matches!(lifecycle, Some(Lifecycle::Pending | Lifecycle::PendingWait | Lifecycle::InService))
        };
        let unlaunched = from.saturating_sub(held.members.iter().filter(alive).count() as u32);
        let launches = held.activities.iter().filter(|activity| activity.description.starts_with("Launching"));
        let mut failed = launches.take_while(|activity| activity.status == "Failed").map(|activity| activity.at);
        let failed_at = failed.next();
        let failing_since = failed.last().or(failed_at);
        let max = held.max;
        let at = self.now;
        self.scaled.push(Scaled { at, group, by, from, to, coming, unlaunched, failed_at, failing_since, max });
    }

    fn cools_from_now(&mut self, group: GroupId) {
        let now = self.now;
        if let Some(held) = self.groups.get_mut(group.index()) {
            held.scaled_at = Some(now);
        }
    }

    /// ExecutePolicy. A policy never leaves the group's limits: it stops at them.
    ///
    /// # Errors
    /// There is no such policy, it needs a metric value that was not given, or it cools down.
    pub fn execute_policy(
        &mut self,
        group: GroupId,
        name: &str,
        breach: Option<(f64, f64)>,
        honour_cooldown: bool,
    ) -> Result<(), Refusal> {
        let held = self.group(group).ok_or(Refusal::Missing("group"))?;
        let policy = held.policies.iter().find(|policy| policy.name == name);
        let kind = policy.ok_or(Refusal::Missing("policy"))?.kind.clone();
        let change = match &kind {
            PolicyKind::Simple { change, cooldown_secs } => {
                self.cooled_down(group, *cooldown_secs, honour_cooldown)?;
                *change
            }
            PolicyKind::Step { steps } => {
                let Some((value, threshold)) = breach else {
                    let what = "MetricValue and BreachThreshold are required for a policy of type StepScaling.";
                    return Err(Refusal::Invalid(what.into()));
                };
                let apart = value - threshold;
                let fits = |(low, high, _): &&(Option<f64>, Option<f64>, super::Adjustment)| {
                    low.is_none_or(|low| apart >= low) && high.is_none_or(|high| apart < high)
                };
                match steps.iter().find(fits) {
                    Some((.., change)) => *change,
                    None => return Ok(()),
                }
            }
        };
        let (from, min, max) = (held.desired, held.min, held.max);
        let wanted = change.applied(from).clamp(i64::from(min), i64::from(max)) as u32;
        self.note_scaled(group, Scaler::Policy, from, wanted);
        self.set_desired_capacity(group, wanted)?;
        self.cools_from_now(group);
        Ok(())
    }

    /// Tasks of a service with a capacity provider found no room: managed scaling makes some.
    pub(crate) fn scale_for(&mut self, service: ServiceId, refused: &Refused, short: u32) {
        let Some((scaling, group, each)) = self.scaling_of(service, refused) else { return };
        let Some(held) = self.group(group) else { return };
        let coming = held.members.iter().filter_map(|member| self.machine(*member)).any(|machine| {
            machine.state == MachineState::Pending || self.now.since(machine.launched_at) < scaling.warmup_secs * SECOND
        });
        if coming || held.members.len() as u32 != held.desired {
            return;
        }
        let exact = u64::from(short.div_ceil(each)) * 100 / u64::from(scaling.target_percent.clamp(1, 100));
        let more = (exact as u32).clamp(scaling.least.max(1), scaling.most.max(1));
        let (from, wanted) = (held.desired, held.desired.saturating_add(more).min(held.max));
        if wanted > from {
            self.note_scaled(group, Scaler::Provider, from, wanted);
            if self.set_desired_capacity(group, wanted).is_ok() {
                self.cools_from_now(group);
            }
        }
    }

    /// The managed scaling that is in charge of a service's shortage, its group, and how many of its tasks a fresh host
    /// takes.
    fn scaling_of(&self, service: ServiceId, refused: &Refused) -> Option<(super::ManagedScaling, GroupId, u32)> {
        let service = self.service(service)?;
        let name = service.placement.provider.as_deref()?;
        let providers = &self.cluster(service.cluster)?.capacity_providers;
        let provider = providers.iter().find(|provider| provider.name == name)?;
        let scaling = provider.scaling?;
        // More hosts do not help where it is not hosts that are short.
        if refused.lack.is_some_and(|lack| !lack.is_shortage() && lack.rank() > 2) {
            return None;
        }
        let group = self.group(provider.group)?;
        let kind = group.kinds.first()?.get();
        let definition = self.definition(service.definition)?;
        let fits = |has: i32, asks: i32| if asks > 0 { (has / asks).max(0) as u32 } else { u32::MAX };
        let mut each = fits(kind.cpu, definition.cpu).min(fits(kind.memory_mib, definition.memory_mib));
        if definition.awsvpc() {
            let trunk = group.outfit.trunking.unwrap_or(self.cluster(service.cluster)?.trunking);
            each = each.min(kind.task_enis(trunk));
        }
        if !definition.ports.is_empty() {
            each = each.min(1);
        }
        (each > 0).then_some((scaling, provider.group, each))
    }

    /// Writes an activity of a group down.
    pub(crate) fn note_activity(
        &mut self,
        group: GroupId,
        machine: Option<MachineId>,
        description: String,
        cause: String,
        failed: Option<String>,
    ) {
        self.activities += 1;
        let (serial, at) = (self.activities, self.now);
        let Some(held) = self.groups.get_mut(group.index()) else { return };
        let status = if failed.is_some() { "Failed" } else { "InProgress" };
        let ended_at = failed.is_some().then_some(at);
        held.activities.push_front(Activity {
            serial,
            at,
            ended_at,
            machine,
            description,
            cause,
            status,
            message: failed,
        });
        held.activities.truncate(ACTIVITIES);
    }

    /// The activity that a machine is the subject of is over.
    pub(crate) fn activity_over(&mut self, group: GroupId, machine: MachineId) {
        let now = self.now;
        let Some(held) = self.groups.get_mut(group.index()) else { return };
        let open = held.activities.iter_mut().find(|it| it.machine == Some(machine) && it.ended_at.is_none());
        if let Some(activity) = open {
            (activity.ended_at, activity.status) = (Some(now), "Successful");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Adjustment;

    #[test]
    fn a_percentage_moves_at_least_one_machine() {
        assert_eq!(Adjustment::Percent(10).applied(4), 5);
        assert_eq!(Adjustment::Percent(-10).applied(4), 3);
        assert_eq!(Adjustment::Percent(50).applied(5), 7);
        assert_eq!((Adjustment::By(-3).applied(1), Adjustment::To(9).applied(1)), (-2, 9));
    }
}
