//! How facts become beliefs. One file per kind of thing; who is newer is decided in one place, here.

mod cluster;
mod health;
mod instance;
mod machine;
mod supply;
mod sweep;
mod task;

use crate::{
    effect::Effect,
    host::{Millis, UNVERSIONED},
    observation::{Fact, Observation, Source},
    state::{Fleet, millis},
};

/// How an incoming fact stands to the one that is believed (spec A.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Newer.
    Newer,
    /// The same version.
    Same,
    /// Older.
    Older,
}

/// By version where both have one; by time where either has none.
pub(crate) fn order(held: i64, held_at: Millis, came: Option<i64>, at: Millis) -> Order {
    let ordering = match came {
        Some(version) if held != UNVERSIONED => version.cmp(&held),
        _ => at.cmp(&held_at),
    };
    match ordering {
        std::cmp::Ordering::Greater => Order::Newer,
        std::cmp::Ordering::Equal => Order::Same,
        std::cmp::Ordering::Less => Order::Older,
    }
}

/// The road a fact came by, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Road {
    /// When the fact was true.
    pub at: Millis,
    /// The road.
    pub source: Source,
    /// When the look began that brought it; `None` for events and reports.
    pub looked_at: Option<Millis>,
}

impl Road {
    /// The thing itself was looked at.
    pub(crate) fn is_look(self) -> bool {
        matches!(self.source, Source::Sweep | Source::Look)
    }
}

impl Fleet {
    /// Believes one observation.
    pub(crate) fn observe(
        &mut self,
        observation: &Observation<'_>,
        looked_at: Option<Millis>,
        effects: &mut Vec<Effect>,
    ) {
        // A source whose clock runs ahead would otherwise make all later facts look old.
        let road = Road { at: millis(observation.at).min(self.now), source: observation.source, looked_at };
        match &observation.fact {
            Fact::Instance(fact) => self.apply_instance(fact, road, effects),
            Fact::InstanceMissing { arn } => self.apply_instance_missing(arn, road, effects),
            Fact::Health(fact) => self.apply_health(fact, road, effects),
            Fact::Task(fact) => self.apply_task(fact, road, effects),
            Fact::TaskMissing { arn } => self.apply_task_missing(arn),
            Fact::Cluster(fact) => self.apply_cluster(fact, effects),
            Fact::ClusterMissing { arn } => self.apply_cluster_missing(arn, effects),
            Fact::CapacityProvider(fact) => self.apply_capacity_provider(fact, effects),
            Fact::Ec2State { instance_id, state } => self.apply_ec2_state(instance_id, *state, road, effects),
            Fact::Ec2Status(fact) => self.apply_ec2_status(fact, road, effects),
            Fact::SpotInterruption { instance_id, .. } => self.apply_spot(instance_id, road, true),
            Fact::RebalanceRecommendation { instance_id } => self.apply_spot(instance_id, road, false),
            Fact::AutoScaling(fact) => self.apply_auto_scaling(fact, road, effects),
            Fact::Lifecycle(fact) => self.apply_lifecycle(fact, road, effects),
            Fact::Ssm(fact) => self.apply_ssm(fact, road, effects),
            Fact::Interfaces(fact) => self.apply_interfaces(fact, road),
            Fact::InstanceType(fact) => self.apply_instance_type(fact),
            Fact::Subnet(fact) => self.apply_subnet(fact, road),
            Fact::Group(fact) => self.apply_group(fact, road.looked_at.unwrap_or(road.at)),
            Fact::Demand(fact) => self.apply_demand(fact, road.looked_at.unwrap_or(road.at)),
            // It is asked for just before an act, and decides about that act alone.
            Fact::Unregistered { .. } => {}
            Fact::ServiceAction(_) | Fact::Deployment(_) | Fact::LaunchFailed(_) | Fact::Unknown { .. } => {
                if let Some(print) = crate::admission::content_print(observation) {
                    self.contents.remember(print);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_rule_where_both_sides_have_one_and_time_where_not() {
        assert_eq!(order(7, 100, Some(8), 50), Order::Newer);
        assert_eq!(order(7, 100, Some(7), 200), Order::Same);
        assert_eq!(order(7, 100, Some(6), 200), Order::Older);
        assert_eq!(order(7, 100, None, 101), Order::Newer);
        assert_eq!(order(UNVERSIONED, 100, Some(1), 99), Order::Older);
    }
}
