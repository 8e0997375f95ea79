//! What one step wants to see again, gathered so that a hundred wishes cost one call.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    effect::{Effect, Look},
    key::Key,
    names::Name,
    state::Fleet,
};

/// DescribeContainerInstances, DescribeTasks and DescribeInstanceStatus take 100 ids; DescribeInstanceInformation 50.
const PER_CALL: usize = 100;
const PINGS_PER_CALL: usize = 50;
/// DescribeAutoScalingGroups takes 50 names.
const GROUPS_PER_CALL: usize = 50;

/// The wishes of the step under way.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Hosts by cluster.
    pub hosts: BTreeMap<Name, BTreeSet<Key>>,
    /// Tasks by cluster.
    pub tasks: BTreeMap<Name, BTreeSet<Key>>,
    /// EC2 machines by place.
    pub machines: BTreeMap<Name, BTreeSet<Key>>,
    /// SSM pings by place.
    pub pings: BTreeMap<Name, BTreeSet<Key>>,
    /// Auto Scaling groups, `ACCOUNT/REGION/GROUP`.
    pub groups: BTreeSet<Name>,
    /// What copies need, by cluster and by whose they are.
    pub demands: BTreeSet<(Name, Name)>,
}

impl Wanted {
    fn is_empty(&self) -> bool {
        self.hosts.is_empty()
            && self.tasks.is_empty()
            && self.machines.is_empty()
            && self.pings.is_empty()
            && self.groups.is_empty()
            && self.demands.is_empty()
    }
}

impl Fleet {
    /// Turns the wishes gathered so far into looks.
    pub(crate) fn voice_wishes(&mut self, effects: &mut Vec<Effect>) {
        if self.wanted.is_empty() {
            return;
        }
        let wanted = std::mem::take(&mut self.wanted);
        let names = &self.names;
        let batches = |wishes: BTreeMap<Name, BTreeSet<Key>>, per_call: usize| {
            wishes.into_iter().flat_map(move |(scope, keys)| {
                let keys: Vec<Key> = keys.into_iter().collect();
                keys.chunks(per_call)
                    .map(|chunk| {
                        (names.text(scope).to_owned(), chunk.iter().map(|key| key.text(names)).collect::<Vec<_>>())
                    })
                    .collect::<Vec<_>>()
            })
        };
        effects
            .extend(batches(wanted.hosts, PER_CALL).map(|(cluster, arns)| Effect::Look(Look::Hosts { cluster, arns })));
        effects
            .extend(batches(wanted.tasks, PER_CALL).map(|(cluster, arns)| Effect::Look(Look::Tasks { cluster, arns })));
        effects
            .extend(batches(wanted.machines, PER_CALL).map(|(place, ids)| Effect::Look(Look::Machines { place, ids })));
        effects
            .extend(batches(wanted.pings, PINGS_PER_CALL).map(|(place, ids)| Effect::Look(Look::Pings { place, ids })));
        let mut groups: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for group in wanted.groups {
            let text = names.text(group);
            // ACCOUNT/REGION/GROUP; the name of a group may hold a slash.
            let place = text.match_indices('/').nth(1).map_or(text.len(), |(at, _)| at);
            let (place, name) = text.split_at(place);
            groups.entry(place).or_default().push(name.trim_start_matches('/').to_owned());
        }
        for (place, mut groups) in groups {
            groups.sort_unstable();
            let batch =
                |names: &[String]| Effect::Look(Look::Groups { place: place.to_owned(), names: names.to_vec() });
            effects.extend(groups.chunks(GROUPS_PER_CALL).map(batch));
        }
        effects.extend(wanted.demands.into_iter().map(|(cluster, of)| {
            let (cluster, of) = (names.text(cluster).to_owned(), names.text(of).to_owned());
            Effect::Look(Look::Demand { cluster, of })
        }));
    }
}
