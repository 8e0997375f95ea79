//! What goes wrong between the account and whoever watches it, as plain data that both faces read.

use serde::Deserialize;

/// Faults of the delivery of events and of the API. Shares are chances from 0 to 1, each drawn on its own. The default is
/// a world where nothing goes wrong.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Faults {
    /// Delivery of events.
    pub events: EventFaults,
    /// Calls of the API.
    pub api: ApiFaults,
    /// Commands on machines.
    pub ssm: SsmFaults,
    /// Receivers of pages.
    pub sink: SinkFaults,
    /// Actions that operators have written.
    pub custom: CustomFaults,
}

/// Faults of actions that operators have written.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct CustomFaults {
    /// Actions that run and fail.
    pub fail: f64,
}

/// Faults of commands on machines.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct SsmFaults {
    /// Commands that are called successful and were never run.
    pub lie: f64,
    /// Commands whose end is never seen, and that are never run.
    pub hang: f64,
}

/// What SSM makes of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SsmManner {
    /// It is run.
    Honest,
    /// It is called successful.
    Lies,
    /// Nothing comes of it.
    Hangs,
}

impl SsmFaults {
    /// Draws what becomes of a command.
    pub fn draw(&self, random: &mut crate::seed::Random) -> SsmManner {
        if random.chance(self.lie) {
            SsmManner::Lies
        } else if random.chance(self.hang) {
            SsmManner::Hangs
        } else {
            SsmManner::Honest
        }
    }
}

/// Faults of receivers of pages.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct SinkFaults {
    /// Tries that are refused for the moment: 429, 500, a reset connection.
    pub refuse: f64,
    /// Tries that are answered late, after up to `slow-secs`.
    pub slow: f64,
    /// How late a receiver may answer.
    pub slow_secs: u32,
    /// Tries that are taken and then not answered: they are repeated, with the same key.
    pub accept_then_silent: f64,
    /// Pages that are given up, after all tries.
    pub give_up: f64,
}

/// Faults of the delivery of events (catalogue: drop 0-20 %, duplicate 0-30 %, reorder to 15 minutes, delay to 24 hours).
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct EventFaults {
    /// Events that never come.
    pub drop: f64,
    /// Events that come twice: half of them with the same envelope id, half sent anew by ECS with another.
    pub duplicate: f64,
    /// Events that come late, by up to `reorder-secs`: others overtake them.
    pub reorder: f64,
    /// How late an overtaken event may be.
    pub reorder_secs: u32,
    /// Events that come very late, by up to `delay-secs`.
    pub delay: f64,
    /// How late a delayed event may be.
    pub delay_secs: u32,
    /// Events that come cut short: no JSON any more. The event itself is lost.
    pub truncate: f64,
    /// Messages that never were events, on top of the others: nonsense, not UTF-8, nested too deep.
    pub poison: f64,
    /// Events with fields and values nobody knows yet, on top of the others.
    pub novelty: f64,
}

/// Faults of the API.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct ApiFaults {
    /// Calls that are throttled whatever the buckets hold.
    pub throttle: f64,
    /// Calls that answer HTTP 500 with an error of the service.
    pub server_error: f64,
    /// Calls that answer with an HTML page (a proxy, a load balancer).
    pub html: f64,
    /// Calls that never answer.
    pub hang: f64,
    /// Calls that take effect and then never answer.
    pub timeout_after_effect: f64,
    /// Operations that the caller's policy does not allow: `ecs:DescribeTasks`.
    pub denied: Vec<String>,
    /// The credentials have expired: every call is refused.
    pub expired_credentials: bool,
    /// Reads may show the world as it was up to so many seconds ago (0 to 60).
    pub stale_secs: u32,
    /// Share of each documented token bucket that other tools of the account use up (0 to 1).
    pub background_use: f64,
    /// The documented token buckets are not enforced (they are, unless this is set).
    pub unlimited: bool,
}

impl EventFaults {
    /// Nothing is wrong with the delivery.
    pub fn none(&self) -> bool {
        *self == Self { reorder_secs: self.reorder_secs, delay_secs: self.delay_secs, ..Self::default() }
    }
}

/// What becomes of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is answered.
    Answered,
    /// ThrottlingException.
    Throttled,
    /// HTTP 500.
    ServerError,
    /// An HTML page.
    Html,
    /// No answer, no effect.
    Hang,
    /// The effect, no answer.
    HangAfterEffect,
    /// AccessDeniedException for this action.
    Denied(String),
    /// ExpiredTokenException.
    Expired,
}

impl ApiFaults {
    /// Draws what becomes of a call to `service:Operation`. Throttling by the buckets is decided apart, see
    /// [`Throttle`](crate::throttle::Throttle).
    pub fn fate(&self, action: &str, random: &mut crate::seed::Random) -> Fate {
        if self.expired_credentials {
            return Fate::Expired;
        }
        if self.denied.iter().any(|denied| denied.eq_ignore_ascii_case(action)) {
            return Fate::Denied(action.to_owned());
        }
        let chances = [
            (self.throttle, Fate::Throttled),
            (self.server_error, Fate::ServerError),
            (self.html, Fate::Html),
            (self.hang, Fate::Hang),
            (self.timeout_after_effect, Fate::HangAfterEffect),
        ];
        for (chance, fate) in chances {
            if random.chance(chance) {
                return fate;
            }
        }
        Fate::Answered
    }

    /// Draws how stale a read is, in milliseconds.
    pub fn staleness(&self, random: &mut crate::seed::Random) -> i64 {
        if self.stale_secs == 0 { 0 } else { random.between(0, i64::from(self.stale_secs) * 1000) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Random;

    #[test]
    fn a_denied_action_is_denied_and_others_are_answered() {
        let faults = ApiFaults { denied: vec!["ecs:DescribeTasks".into()], ..ApiFaults::default() };
        let mut random = Random::new(1);
        assert_eq!(faults.fate("ecs:DescribeTasks", &mut random), Fate::Denied("ecs:DescribeTasks".into()));
        assert_eq!(faults.fate("ecs:ListTasks", &mut random), Fate::Answered);
    }

    #[test]
    fn chances_come_out_as_often_as_they_should() {
        let faults = ApiFaults { throttle: 0.25, ..ApiFaults::default() };
        let mut random = Random::new(5);
        let throttled = (0..10_000).filter(|_| faults.fate("ecs:ListTasks", &mut random) == Fate::Throttled).count();
        assert!((2_200..2_800).contains(&throttled), "{throttled}");
    }
}
