//! The policy of a run as plain data, read by the judges' own eyes: what it says for a cluster and a trouble, whether a
//! window is open, how many a limit allows. Slow and straightforward on purpose.

use serde_json::Value;

use crate::clock::{MINUTE, Moment};

/// A policy, as its JSON says it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plain(pub Value);

/// One budget.
#[derive(Clone, Debug, PartialEq)]
pub struct PlainBudget {
    /// Globs over cluster names; empty: all.
    pub clusters: Vec<String>,
    /// `fleet`, `cluster`, `zone` or `group`.
    pub per: String,
    /// `at_once`.
    pub at_once: Option<PlainLimit>,
    /// `per_hour`.
    pub per_hour: Option<PlainLimit>,
}

/// One limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PlainLimit {
    /// Hosts.
    Hosts(u64),
    /// Percent of them.
    Percent(f64),
}

impl PlainLimit {
    fn read(value: &Value) -> Option<Self> {
        let hosts = value.get("hosts").and_then(Value::as_u64).map(Self::Hosts);
        hosts.or_else(|| value.get("percent").and_then(Value::as_f64).map(Self::Percent))
    }

    /// So many of `members`; a part of a host is a host.
    pub fn of(self, members: usize) -> usize {
        match self {
            Self::Hosts(hosts) => hosts as usize,
            Self::Percent(percent) => (members as f64 * percent / 100.0 - 1e-9).ceil().max(0.0) as usize,
        }
    }
}

/// The texts of a list.
pub fn texts(value: &Value) -> Vec<String> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Whether a glob with `*` and `?` fits, by trying everything.
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    fn fits(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), _) => (0..=text.len()).any(|skip| fits(rest, text.get(skip..).unwrap_or_default())),
            (Some(('?', rest)), Some((_, more))) => fits(rest, more),
            (Some((one, rest)), Some((other, more))) => one == other && fits(rest, more),
            _ => false,
        }
    }
    fits(&pattern, &text)
}

/// Whether any of these globs fits; none at all fit everything.
pub fn any_fits(globs: &[String], text: &str) -> bool {
    globs.is_empty() || globs.iter().any(|pattern| glob(pattern, text))
}

/// The name in a cluster's ARN.
pub fn cluster_name(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

impl Plain {
    /// A number of the policy; where it is not there, the default that the documentation names.
    pub fn secs(&self, name: &str, default: i64) -> i64 {
        self.0.get(name).and_then(Value::as_i64).unwrap_or(default)
    }

    /// What the last rule says that fits and says something; else what the policy says.
    fn said(&self, name: &str, cluster_arn: &str, trouble: &str) -> Option<Value> {
        let rules = self.0.get("rules").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let fits = |rule: &&Value| {
            let troubles = texts(&rule["troubles"]);
            any_fits(&texts(&rule["clusters"]), cluster_name(cluster_arn))
                && (troubles.is_empty() || troubles.iter().any(|it| it == trouble))
        };
        let by_rule = rules.iter().filter(fits).filter_map(|rule| rule.get(name)).rfind(|said| !said.is_null());
        by_rule.or_else(|| self.0.get(name)).cloned()
    }

    /// `observe`, `dry-run`, `approve` or `act`.
    pub fn mode(&self, cluster_arn: &str, trouble: &str) -> String {
        if matches!(trouble, "no-room" | "much-room")
            && let Some(mode) = self.headroom(cluster_arn).and_then(|keep| keep["mode"].as_str().map(str::to_owned))
        {
            return mode;
        }
        let said = self.said("mode", cluster_arn, trouble);
        said.and_then(|said| said.as_str().map(str::to_owned)).unwrap_or_else(|| "dry-run".to_owned())
    }

    /// The headroom that is declared in a cluster: the first that fits.
    pub fn headroom(&self, cluster_arn: &str) -> Option<Value> {
        let declared = self.0.get("headroom").and_then(Value::as_array)?;
        declared.iter().find(|it| any_fits(&texts(&it["clusters"]), cluster_name(cluster_arn))).cloned()
    }

    /// A wait, in milliseconds: `grace_secs` or `act_after_secs`.
    pub fn wait_ms(&self, name: &str, default_secs: i64, cluster_arn: &str, trouble: &str) -> i64 {
        self.said(name, cluster_arn, trouble).and_then(|said| said.as_i64()).unwrap_or(default_secs) * 1000
    }

    /// How many looks in a row must agree.
    pub fn fail_after(&self, cluster_arn: &str, trouble: &str) -> i64 {
        self.said("fail_after", cluster_arn, trouble).and_then(|said| said.as_i64()).unwrap_or(2)
    }

    /// The most looks in a row that any rule wants.
    pub fn most_looks(&self) -> usize {
        let rules = self.0.get("rules").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let said = std::iter::once(&self.0).chain(rules).filter_map(|rule| rule.get("fail_after")?.as_u64());
        said.max().unwrap_or(2) as usize
    }

    /// The ladder that a rule sets: remedies with their deadlines in seconds.
    pub fn ladder(&self, cluster_arn: &str, trouble: &str) -> Option<Vec<(String, Option<i64>)>> {
        let said = self.said("ladder", cluster_arn, trouble)?;
        let rung = |rung: &Value| (rung["remedy"].as_str().unwrap_or("").to_owned(), rung["deadline_secs"].as_i64());
        Some(said.as_array()?.iter().map(rung).collect())
    }

    /// All budgets.
    pub fn budgets(&self) -> Vec<PlainBudget> {
        let list = self.0.get("budgets").and_then(Value::as_array).cloned().unwrap_or_default();
        let read = |budget: &Value| PlainBudget {
            clusters: texts(&budget["clusters"]),
            per: budget["per"].as_str().unwrap_or("cluster").to_owned(),
            at_once: PlainLimit::read(&budget["at_once"]),
            per_hour: PlainLimit::read(&budget["per_hour"]),
        };
        list.iter().map(read).collect()
    }

    /// Whether remedies may begin in a cluster at this moment: no window fits it, or one that does is open.
    pub fn window_open(&self, cluster_arn: &str, at: Moment) -> bool {
        let list = self.0.get("windows").and_then(Value::as_array).cloned().unwrap_or_default();
        let fitting: Vec<&Value> =
            list.iter().filter(|it| any_fits(&texts(&it["clusters"]), cluster_name(cluster_arn))).collect();
        fitting.is_empty() || fitting.iter().any(|window| is_open(window, at))
    }

    /// What `protection` says.
    pub fn protection(&self) -> (Vec<String>, Vec<String>, i64) {
        let protection = self.0.get("protection").cloned().unwrap_or_default();
        let marks = if protection["marks"].is_array() {
            texts(&protection["marks"])
        } else {
            vec!["muster:protect".to_owned()]
        };
        (marks, texts(&protection["tasks"]), protection["launch_secs"].as_i64().unwrap_or(600))
    }

    /// A number of `replacement`.
    pub fn replacement_secs(&self, name: &str, default: i64) -> i64 {
        self.0.get("replacement").and_then(|it| it.get(name)).and_then(Value::as_i64).unwrap_or(default)
    }

    /// A choice of `replacement`.
    pub fn replacement_says(&self, name: &str) -> bool {
        self.0.get("replacement").and_then(|it| it.get(name)).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A number of `routing`.
    pub fn routing_secs(&self, name: &str, default: i64) -> i64 {
        self.0.get("routing").and_then(|it| it.get(name)).and_then(Value::as_i64).unwrap_or(default)
    }

    /// Whether anybody is told at all.
    pub fn has_routes(&self) -> bool {
        let routes = self.0.get("routing").and_then(|it| it.get("routes")).and_then(Value::as_array);
        routes.is_some_and(|routes| !routes.is_empty())
    }
}

/// A window is open when it opened at any minute not longer ago than it lasts.
fn is_open(window: &Value, at: Moment) -> bool {
    let lasts_ms = window["lasts_secs"].as_i64().unwrap_or(0) * 1000;
    let zone = window["time_zone"].as_str().unwrap_or("UTC");
    let cron: Vec<&str> = window["opens"].as_str().unwrap_or("").split_whitespace().collect();
    let mut minute = Moment(at.0 - at.0.rem_euclid(MINUTE));
    while at.since(minute) < lasts_ms {
        if opens_at(&cron, minute, zone) {
            return true;
        }
        minute = minute.plus(-MINUTE);
    }
    false
}

fn opens_at(cron: &[&str], at: Moment, zone: &str) -> bool {
    let [minute, hour, day, month, weekday] = cron else { return false };
    let Ok(local) = at.timestamp().in_tz(zone) else { return false };
    let of_week = i64::from(local.weekday().to_sunday_zero_offset());
    // As cron has it: with both days named, either will do.
    let (by_day, by_weekday) = (field(day, local.day().into()), field(weekday, of_week) || field(weekday, of_week + 7));
    let day_fits = if *day != "*" && *weekday != "*" { by_day || by_weekday } else { by_day && by_weekday };
    let (m, h) = (field(minute, local.minute().into()), field(hour, local.hour().into()));
    m && h && field(month, local.month().into()) && day_fits
}

/// `*`, `*/15`, `3`, `1-5`, `1-30/10`, and lists of them.
fn field(text: &str, value: i64) -> bool {
    text.split(',').any(|part| {
        let (range, step) = part.split_once('/').unwrap_or((part, "1"));
        let step = step.parse::<i64>().unwrap_or(1).max(1);
        if range == "*" {
            return value % step == 0;
        }
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        match (from.parse::<i64>(), to.parse::<i64>()) {
            (Ok(from), Ok(to)) => from <= value && value <= to && (value - from) % step == 0,
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_last_rule_that_fits_and_says_something_wins() {
        let plain = Plain(json!({"mode": "dry-run", "rules": [
            {"clusters": ["prod-*"], "mode": "act", "grace_secs": 60},
            {"troubles": ["flapping"], "mode": "observe"},
            {"clusters": ["prod-a"], "act_after_secs": 120},
        ]}));
        assert_eq!(plain.mode("arn:x:cluster/prod-a", "agent-away"), "act");
        assert_eq!(plain.mode("arn:x:cluster/prod-a", "flapping"), "observe");
        assert_eq!(plain.mode("arn:x:cluster/dev", "agent-away"), "dry-run");
        assert_eq!(plain.wait_ms("grace_secs", 180, "arn:x:cluster/prod-a", "agent-away"), 60_000);
        assert_eq!(plain.wait_ms("act_after_secs", 600, "arn:x:cluster/prod-b", "agent-away"), 600_000);
    }

    #[test]
    fn a_tenth_of_eleven_hosts_is_two() {
        assert_eq!(PlainLimit::Percent(10.0).of(11), 2);
        assert_eq!(PlainLimit::Percent(10.0).of(10), 1);
        assert_eq!(PlainLimit::Percent(100.0).of(3), 3);
        assert_eq!(PlainLimit::Hosts(4).of(1), 4);
    }

    #[test]
    fn a_window_is_open_from_its_minute_for_as_long_as_it_lasts_in_its_time_zone() {
        // 2026-10-02 is a Friday; Berlin is two hours ahead of UTC.
        let at = |text: &str| Moment(text.parse::<jiff::Timestamp>().unwrap().as_millisecond());
        let plain = Plain(json!({"windows": [
            {"opens": "0 10 * * 1-5", "lasts_secs": 3600, "time_zone": "Europe/Berlin", "clusters": ["prod-*"]}
        ]}));
        let prod = "arn:x:cluster/prod-a";
        assert!(plain.window_open(prod, at("2026-10-02T08:00:00Z")));
        assert!(plain.window_open(prod, at("2026-10-02T08:59:59Z")));
        assert!(!plain.window_open(prod, at("2026-10-02T09:00:00Z")));
        assert!(!plain.window_open(prod, at("2026-10-03T08:30:00Z")), "a Saturday");
        assert!(plain.window_open("arn:x:cluster/dev", at("2026-10-03T08:30:00Z")), "no window is for it");
    }

    #[test]
    fn globs_and_cron_fields_fit_what_they_should() {
        assert!(glob("prod-?*", "prod-a") && !glob("prod-?*", "prod-") && glob("*", ""));
        assert!(field("*/15", 30) && !field("*/15", 31) && field("1-5,9", 9) && field("10-40/10", 30));
    }
}
