//! Replacements that have not arrived yet. They cost budget as long: replacing faster than new machines register would
//! empty a cluster one machine at a time.

use serde::{Deserialize, Serialize};

use super::{Locality, Replacement};
use crate::{
    case::Subject,
    host::{Agent, Millis},
    names::Name,
    remedy::{Remedy, act::IntentId},
    slab::Slot,
    state::Fleet,
    timer::Timer,
};

/// One replacement that a group was made to launch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Arrival {
    /// When the machine's end was asked for, or the group raised.
    pub(crate) since: Millis,
    /// When it is called failed.
    pub(crate) until: Millis,
    /// Where the ended machine stood.
    pub(crate) place: Locality,
    /// What the ended machine shared with others.
    pub(crate) values: [Option<Name>; 9],
}

impl Fleet {
    /// From now on a new machine is waited for.
    pub(crate) fn expect_arrival(&mut self, subject: Subject) {
        if let Some(arrival) = self.arrival_in_place_of(subject) {
            self.await_arrival(arrival);
        }
    }

    /// The machine that a group makes in place of this one, if one of a group is meant.
    pub(crate) fn arrival_in_place_of(&self, subject: Subject) -> Option<Arrival> {
        let place = self.locality(subject);
        place.group?;
        let until = self.now + i64::from(self.policy.replacement.arrival_secs) * 1000;
        Some(Arrival { since: self.now, until, place, values: self.values_of(subject) })
    }

    fn await_arrival(&mut self, arrival: Arrival) {
        self.timers.set(arrival.until, Timer::Arrivals);
        self.repairs.arrivals.push(arrival);
    }

    /// A case is over while a call that may end its machine is under way: EC2 may have told of the end before the call had
    /// its outcome. The budget is used until the new machine is there all the same.
    pub(crate) fn expect_arrival_of(&mut self, intent: IntentId) {
        let open = self.repairs.open.get_mut(&intent).and_then(|open| open.replacement.as_mut());
        let Some(replacement) = open.filter(|replacement| !replacement.awaited) else { return };
        replacement.awaited = true;
        let arrival = replacement.arrival.clone();
        self.await_arrival(arrival);
    }

    /// What became of a call that was to end a machine, after its case had gone another way.
    pub(crate) fn settle_arrival(&mut self, replacement: Replacement, happened: bool) {
        let Replacement { arrival, awaited } = replacement;
        match (happened, awaited) {
            (true, false) => self.await_arrival(arrival),
            (false, true) => {
                self.repairs.arrivals.retain(|other| other.since != arrival.since || other.place != arrival.place)
            }
            _ => {}
        }
    }

    /// A host has registered, or its agent has connected: perhaps it is one that was waited for.
    pub(crate) fn greet(&mut self, slot: Slot) {
        if self.repairs.arrivals.is_empty() {
            return;
        }
        let Some(host) = self.hosts.get(slot) else { return };
        if host.agent != Agent::Connected || host.hearsay {
            return;
        }
        let Some(machine) = self.machine_of(host) else { return };
        let (Some(group), first_seen) = (machine.group(), machine.first_seen.max(host.registered_at)) else { return };
        let awaited = |arrival: &Arrival| arrival.place.group == Some(group) && first_seen > arrival.since;
        let Some(at) = self.repairs.arrivals.iter().position(awaited) else { return };
        // One machine answers for one arrival only.
        if self.repairs.arrived.contains(&host.machine) {
            return;
        }
        let machine_slot = host.machine;
        self.repairs.arrivals.remove(at);
        self.repairs.arrived.push_back(machine_slot);
        while self.repairs.arrived.len() > 256 {
            self.repairs.arrived.pop_front();
        }
        let values = self.cohort_values_of(slot);
        self.note_trial(Remedy::Replace, values, true);
    }

    fn cohort_values_of(&self, slot: Slot) -> [Option<Name>; 9] {
        self.hosts.get(slot).map_or([None; 9], |host| self.cohort_values(host))
    }

    /// A machine has never registered: that counts against what it shares with others. If a replacement was waited for in
    /// its group, this was it, and its failure is not counted again when time is up. Until then its place is not free: what
    /// has failed has not arrived.
    pub(crate) fn launch_has_failed(&mut self, slot: Slot) {
        let Some(machine) = self.machines.get(slot) else { return };
        let (group, first_seen) = (machine.group(), machine.first_seen);
        let uncounted = |arrival: &&mut Arrival| {
            arrival.place.group == group && first_seen > arrival.since && arrival.values != [None; 9]
        };
        if let Some(arrival) = self.repairs.arrivals.iter_mut().find(uncounted) {
            arrival.values = [None; 9];
        }
        let values = self.machine_values(slot);
        self.note_trial(Remedy::Replace, values, false);
    }

    /// Whoever has not arrived by now will not: that counts against what it was to share.
    pub(crate) fn meet_arrivals(&mut self) {
        let now = self.now;
        let (late, waiting) =
            std::mem::take(&mut self.repairs.arrivals).into_iter().partition(|arrival| arrival.until <= now);
        self.repairs.arrivals = waiting;
        let late: Vec<Arrival> = late;
        for arrival in late {
            self.note_trial(Remedy::Replace, arrival.values, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    /// Two replacements are waited for in a group; some of its new machines never register.
    fn waiting(failed: &[&str]) -> Fleet {
        let mut fleet = Fleet::new(Policy::default());
        fleet.now = 1_800_000_000_000;
        let group = fleet.names.keep("210987654321/eu-central-1/asg-1");
        let template = fleet.names.keep("lt-bad:3");
        let place = Locality { cluster: None, zone: None, group: Some(group) };
        for number in 0..2 {
            let since = fleet.now + number;
            let arrival = Arrival { since, until: since + 900_000, place, values: [Some(template); 9] };
            fleet.await_arrival(arrival);
        }
        fleet.now += 600_000;
        for id in failed {
            let slot = fleet.machine_slot(id);
            let now = fleet.now;
            if let Some(machine) = fleet.machines.get_mut(slot) {
                machine.first_seen = now - 60_000;
                machine.membership.value =
                    Some(crate::machine::Membership { group: Some(group), ..Default::default() });
            }
            fleet.launch_has_failed(slot);
        }
        fleet
    }

    #[test]
    fn a_launch_that_failed_frees_no_place_before_the_replacement_is_late() {
        let mut fleet = waiting(&["i-0aaaaaaaaaaaaaaaa"]);
        assert_eq!(fleet.repairs.arrivals.len(), 2);
        fleet.now += 300_001;
        fleet.meet_arrivals();
        assert_eq!(fleet.repairs.arrivals.len(), 0);
    }

    #[test]
    fn each_launch_that_failed_counts_once() {
        let accused = |failed: &[&str]| {
            let mut fleet = waiting(failed);
            fleet.now += 300_001;
            fleet.meet_arrivals();
            let template = fleet.names.find("lt-bad:3");
            fleet.guiltiest(Remedy::Replace, &[template; 9]).is_some()
        };
        assert!(accused(&[]), "both are late");
        assert!(!accused(&["i-0aaaaaaaaaaaaaaaa"]), "one is late, and one failure accuses nobody");
        assert!(!accused(&["i-0aaaaaaaaaaaaaaaa", "i-0bbbbbbbbbbbbbbbb"]));
    }
}
