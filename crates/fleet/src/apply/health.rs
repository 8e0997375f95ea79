//! ECS's own health checks. Unversioned: ordered per check by its last change, then by its last run.

use super::Road;
use crate::{
    effect::Effect,
    host::{Agent, Check, Millis},
    observation::{CheckStatus, HealthCheck, HealthFact, Source},
    slab::Slot,
    state::{Fleet, millis},
};

/// How old a check may be when it is read: it runs twice a minute and is reported over the agent's own connection, so
/// an old one says only that the agent is away (aws-semantics C.2).
const CHECK_FRESH_MS: Millis = 10 * 60_000;

impl Fleet {
    pub(super) fn apply_health(&mut self, fact: &HealthFact<'_>, road: Road, effects: &mut Vec<Effect>) {
        let Some(slot) = self.find_host(&fact.arn) else { return };
        let before = self.standing(slot);
        let mut moved = false;
        for check in &fact.checks {
            moved |= self.believe_check(slot, check, road);
        }
        if moved {
            self.review_host(slot, effects);
        }
        self.recount(slot, &before);
        self.look_up_contradiction(slot, road);
    }

    /// ECS's check has lost an agent that we believe to be connected: an event must have been lost, so look.
    fn look_up_contradiction(&mut self, slot: Slot, road: Road) {
        let lost = self.names.find("AGENT_CONNECTIVITY");
        let Some(host) = self.hosts.get_mut(slot) else { return };
        let contradicts = host.agent == Agent::Connected
            && host.check(lost).is_some_and(|check| check.status == CheckStatus::Impaired);
        if contradicts && !road.is_look() && !host.gap {
            host.gap = true;
            let key = host.key;
            self.want_gap_filled(key);
        }
    }

    fn believe_check(&mut self, slot: Slot, check: &HealthCheck<'_>, road: Road) -> bool {
        let kind = self.names.keep(&check.kind);
        let Some(host) = self.hosts.get_mut(slot) else { return false };
        let since = check.last_status_change.map_or(0, millis);
        let updated = check.last_updated.map_or(0, millis);
        let stale = check.kind == "CONTAINER_RUNTIME"
            && road.source != Source::Event
            && updated != 0
            && road.at - updated > CHECK_FRESH_MS;
        let status = if stale { CheckStatus::InsufficientData } else { check.status };
        let came = Check {
            kind,
            status,
            since: if since == 0 { road.at } else { since },
            updated,
            source: road.source,
            reason: check.reason.as_deref().map(Into::into),
        };
        match host.checks.iter_mut().find(|held| held.kind == kind) {
            Some(held) => {
                if (came.since, came.updated) < (held.since, held.updated) && since != 0 {
                    return false;
                }
                let moved = held.status != came.status;
                *held = came;
                moved
            }
            None => {
                let moved = came.status != CheckStatus::Ok;
                host.checks.reserve_exact(1);
                host.checks.push(came);
                moved
            }
        }
    }
}
