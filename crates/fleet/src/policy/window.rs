//! When muster may act.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::cron::Cron;
use crate::host::Millis;

/// No window may stay open longer: two weeks.
const LONGEST_SECS: u32 = 14 * 86_400;

/// A span of time that comes again. With any window that fits a cluster, remedies begin only while one is open; what
/// has begun is brought to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Globs over cluster names; empty: all clusters.
    #[serde(default)]
    pub clusters: Vec<String>,
    /// Cron, five fields: minute, hour, day of month, month, day of week.
    pub opens: String,
    /// How long it stays open.
    pub lasts_secs: u32,
    /// IANA name, `Europe/Berlin`.
    #[serde(default = "utc")]
    pub time_zone: String,
}

fn utc() -> String {
    "UTC".to_owned()
}

impl Window {
    /// What is wrong with it, if anything: a cron expression that cannot be read or never comes, a time zone nobody
    /// knows, a length of nothing or of more than two weeks.
    ///
    /// # Errors
    /// One sentence.
    pub fn check(&self) -> Result<(), String> {
        let cron = Cron::parse(&self.opens)?;
        if !cron.ever_comes() {
            return Err(format!("`{}` names a day that no year has, so the window never opens", self.opens));
        }
        if self.lasts_secs == 0 {
            return Err("a window that lasts 0 s never opens".to_owned());
        }
        if self.lasts_secs > LONGEST_SECS {
            return Err(format!("{} s is longer than two weeks; leave the window out instead", self.lasts_secs));
        }
        self.zone().map(drop)
    }

    /// Whether it is open. One that cannot be read never is: what may act should not rest on a mistake.
    pub(crate) fn is_open(&self, now: Millis) -> bool {
        let (Ok(cron), Ok(zone)) = (Cron::parse(&self.opens), self.zone()) else { return false };
        let days_back = self.lasts_secs / 86_400 + 2;
        cron.latest_at_or_before(now, &zone, days_back)
            .is_some_and(|opened| now - opened < i64::from(self.lasts_secs) * 1000)
    }

    /// From the bundled database, so that the same journal gives the same decisions on every machine.
    fn zone(&self) -> Result<TimeZone, String> {
        match self.time_zone.as_str() {
            "UTC" | "" => Ok(TimeZone::UTC),
            name => jiff::tz::TimeZoneDatabase::bundled().get(name).map_err(|_| {
                format!("`{name}` is no time zone that muster knows; IANA names are meant, like `Europe/Berlin`")
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(opens: &str, lasts_secs: u32, time_zone: &str) -> Window {
        Window { clusters: Vec::new(), opens: opens.into(), lasts_secs, time_zone: time_zone.into() }
    }

    fn ms(text: &str) -> Millis {
        text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn a_window_is_open_from_its_minute_for_its_length_in_its_own_time_zone() {
        let office = window("0 9 * * MON-FRI", 8 * 3600, "Europe/Berlin");
        assert!(!office.is_open(ms("2026-11-20T07:59:59Z")));
        assert!(office.is_open(ms("2026-11-20T08:00:00Z")));
        assert!(office.is_open(ms("2026-11-20T15:59:59Z")));
        assert!(!office.is_open(ms("2026-11-20T16:00:00Z")));
        assert!(!office.is_open(ms("2026-11-21T09:00:00Z")));
    }

    #[test]
    fn a_window_over_midnight_and_over_days_stays_open() {
        let night = window("0 22 * * *", 8 * 3600, "UTC");
        assert!(night.is_open(ms("2026-11-21T03:00:00Z")) && !night.is_open(ms("2026-11-21T07:00:00Z")));
        let weekend = window("0 0 * * SAT", 2 * 86_400, "UTC");
        assert!(weekend.is_open(ms("2026-11-22T23:59:00Z")) && !weekend.is_open(ms("2026-11-23T00:00:00Z")));
    }

    #[test]
    fn windows_that_never_open_are_told() {
        for (window, says) in [
            (window("0 0 31 2 *", 60, "UTC"), "no year has"),
            (window("0 0 * * *", 0, "UTC"), "0 s"),
            (window("0 0 * * *", 60, "Europe/Bielefeld"), "no time zone"),
            (window("0 0 * *", 60, "UTC"), "five"),
        ] {
            let error = window.check().unwrap_err();
            assert!(error.contains(says), "{error}");
            assert!(!window.is_open(ms("2026-11-21T00:00:00Z")));
        }
        assert_eq!(window("0 9 * * MON-FRI", 60, "Europe/Berlin").check(), Ok(()));
    }
}
