//! Alarms of CloudWatch on one metric: comparison, periods, datapoints to alarm, missing data.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::{
    clock::Moment,
    metric::{Metrics, Series, Statistic},
};

/// State of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "AWS's own names")]
pub enum State {
    Ok,
    Alarm,
    InsufficientData,
}

impl State {
    /// AWS's spelling.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }

    /// Reads [`word`](Self::word).
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Ok, Self::Alarm, Self::InsufficientData].into_iter().find(|state| state.word() == word)
    }
}

/// `ComparisonOperator`; the statistic stands on the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "AWS's own names")]
pub enum Comparison {
    GreaterThanOrEqual,
    GreaterThan,
    LessThan,
    LessThanOrEqual,
}

impl Comparison {
    const ALL: [Self; 4] = [Self::GreaterThanOrEqual, Self::GreaterThan, Self::LessThan, Self::LessThanOrEqual];

    /// AWS's spelling.
    pub fn word(self) -> &'static str {
        match self {
            Self::GreaterThanOrEqual => "GreaterThanOrEqualToThreshold",
            Self::GreaterThan => "GreaterThanThreshold",
            Self::LessThan => "LessThanThreshold",
            Self::LessThanOrEqual => "LessThanOrEqualToThreshold",
        }
    }

    /// Reads [`word`](Self::word).
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|comparison| comparison.word() == word)
    }

    fn phrase(self) -> &'static str {
        match self {
            Self::GreaterThanOrEqual => "greater than or equal to",
            Self::GreaterThan => "greater than",
            Self::LessThan => "less than",
            Self::LessThanOrEqual => "less than or equal to",
        }
    }

    /// Whether a value breaches a threshold.
    pub fn breached(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::GreaterThanOrEqual => value >= threshold,
            Self::GreaterThan => value > threshold,
            Self::LessThan => value < threshold,
            Self::LessThanOrEqual => value <= threshold,
        }
    }
}

/// `TreatMissingData`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "AWS's own names")]
pub enum Missing {
    Missing,
    Ignore,
    Breaching,
    NotBreaching,
}

impl Missing {
    /// AWS's spelling.
    pub fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Ignore => "ignore",
            Self::Breaching => "breaching",
            Self::NotBreaching => "notBreaching",
        }
    }

    /// Reads [`word`](Self::word).
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Missing, Self::Ignore, Self::Breaching, Self::NotBreaching].into_iter().find(|it| it.word() == word)
    }
}

/// What an alarm looks at and when it goes off.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its metric.
    pub series: Series,
    /// Its statistic.
    pub statistic: Statistic,
    /// Only points of this unit.
    pub unit: Option<String>,
    /// Seconds a period.
    pub period_secs: i64,
    /// `EvaluationPeriods`.
    pub periods: usize,
    /// `DatapointsToAlarm`.
    pub to_alarm: usize,
    /// Threshold.
    pub threshold: f64,
    /// Comparison.
    pub comparison: Comparison,
    /// What missing points mean.
    pub missing: Missing,
}

/// An alarm.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// Name.
    pub name: String,
    /// Description.
    pub description: Option<String>,
    /// Whether its actions run.
    pub acts: bool,
    /// Actions with OK, ALARM and INSUFFICIENT_DATA.
    pub actions: [Vec<String>; 3],
    /// What it looks at.
    pub rule: Rule,
    /// State.
    pub state: State,
    /// Why.
    pub reason: String,
    /// `StateReasonData`.
    pub reason_data: Option<String>,
    /// When the state was last set.
    pub updated_at: Moment,
    /// When the state last changed.
    pub changed_at: Moment,
    /// When it was last configured.
    pub configured_at: Moment,
}

/// A verdict of an evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The state; `None`: as it was.
    pub state: Option<State>,
    /// Why.
    pub reason: String,
    /// The same as data.
    pub data: String,
}

/// The state that follows from the points of the evaluation range, newest first, `None` where there is none: whether each
/// breaches. `needed` periods count, `to_alarm` of them make an alarm. `None`: the state stays.
pub fn judge(points: &[Option<bool>], needed: usize, to_alarm: usize, missing: Missing) -> Option<State> {
    let real: Vec<(usize, bool)> =
        points.iter().enumerate().filter_map(|(at, point)| Some((at, (*point)?))).take(needed).collect();
    let breaching = real.iter().filter(|(_, breaches)| *breaches).count();
    let alarm_if = |yes: bool| Some(if yes { State::Alarm } else { State::Ok });
    if real.len() >= needed {
        return alarm_if(breaching >= to_alarm);
    }
    let filled = needed - real.len();
    match missing {
        Missing::Breaching => alarm_if(breaching + filled >= to_alarm),
        Missing::NotBreaching => alarm_if(breaching >= to_alarm),
        Missing::Missing if real.is_empty() => Some(State::InsufficientData),
        Missing::Ignore if real.is_empty() => None,
        Missing::Missing | Missing::Ignore => {
            if breaching >= to_alarm && (missing == Missing::Missing || breaching < real.len()) {
                return Some(State::Alarm);
            }
            if breaching < real.len() {
                return Some(State::Ok);
            }
            // Nothing but breaching points, too few of them: the oldest must be as old as an alarm needs points.
            let oldest = real.last().map_or(0, |(at, _)| at + 1);
            if oldest >= to_alarm && missing == Missing::Missing { Some(State::Alarm) } else { None }
        }
    }
}

/// Numbers as CloudWatch's texts write them: `2.0`.
fn number(value: f64) -> String {
    if value == value.trunc() && value.abs() < 1e15 { format!("{value:.1}") } else { value.to_string() }
}

fn date(secs: i64) -> String {
    let at = Moment(secs * 1000).timestamp().to_zoned(TimeZone::UTC);
    at.strftime("%d/%m/%y %H:%M:%S").to_string()
}

/// `2026-10-05T14:06:12.418+0000`.
pub fn stamp(at: Moment) -> String {
    at.iso_millis().replace('Z', "+0000")
}

impl Rule {
    /// How many periods are looked at: some more than needed, to bridge gaps.
    fn range(&self) -> usize {
        self.periods + (self.periods / 3).max(2)
    }

    /// Evaluates at a moment: over periods that end with its minute.
    pub fn evaluate(&self, metrics: &Metrics, now: Moment) -> Verdict {
        let secs = now.0.div_euclid(1000);
        let ends = secs - secs.rem_euclid(self.period_secs.min(60));
        let point = |number: usize| {
            let until = ends - number as i64 * self.period_secs;
            let from = until - self.period_secs;
            let set = metrics.over(&self.series, from, until, self.unit.as_deref())?;
            Some((from, set.count, self.statistic.of(&set)?))
        };
        let points: Vec<_> = (0..self.range()).map(point).collect();
        let breaches: Vec<Option<bool>> = points
            .iter()
            .map(|point| point.map(|(_, _, value)| self.comparison.breached(value, self.threshold)))
            .collect();
        let state = judge(&breaches, self.periods, self.to_alarm, self.missing);
        let real: Vec<(i64, f64, f64)> = points.iter().flatten().take(self.periods).copied().collect();
        let at = |secs: &i64| stamp(Moment(*secs * 1000));
        let evaluated = real
            .iter()
            .map(|(from, count, value)| json!({"timestamp": at(from), "sampleCount": count, "value": value}));
        let mut data = json!({
            "version": "1.0",
            "queryDate": stamp(now),
            "statistic": self.statistic.word(),
            "period": self.period_secs,
            "recentDatapoints": real.iter().rev().map(|(_, _, value)| value).collect::<Vec<_>>(),
            "threshold": self.threshold,
            "evaluatedDatapoints": evaluated.collect::<Vec<_>>(),
        });
        if let (Some((from, ..)), Some(data)) = (real.last(), data.as_object_mut()) {
            data.insert("startDate".to_owned(), Value::from(at(from)));
        }
        Verdict { state, reason: self.reason(&real, state), data: data.to_string() }
    }

    fn reason(&self, real: &[(i64, f64, f64)], state: Option<State>) -> String {
        let plural = |count: usize, one: &str, more: &str| if count == 1 { one.to_owned() } else { more.to_owned() };
        if state == Some(State::InsufficientData) {
            let count = self.periods;
            return format!(
                "Insufficient Data: {count} {} unknown.",
                plural(count, "datapoint was", "datapoints were")
            );
        }
        if real.is_empty() {
            let (count, treated) = (self.periods, self.missing.word());
            let treated = treated[..1].to_uppercase() + &treated[1..];
            return format!(
                "Threshold Crossed: no datapoints were received for {count} {} and {count} missing {} treated as \
                 [{treated}].",
                plural(count, "period", "periods"),
                plural(count, "datapoint was", "datapoints were")
            );
        }
        let alarm = state == Some(State::Alarm);
        let breaches = |value: f64| self.comparison.breached(value, self.threshold);
        let shown: Vec<_> = real.iter().filter(|(_, _, value)| breaches(*value) == alarm).collect();
        let texts = shown.iter().map(|(from, _, value)| format!("{} ({})", number(*value), date(*from)));
        let (count, least) = (shown.len(), if alarm { self.to_alarm } else { self.periods + 1 - self.to_alarm });
        format!(
            "Threshold Crossed: {count} out of the last {} datapoints [{}] {} {}{} the threshold ({}) (minimum {least} {} \
             for {} transition).",
            real.len(),
            texts.collect::<Vec<_>>().join(", "),
            if count == 1 { "was" } else { "were" },
            if alarm { "" } else { "not " },
            self.comparison.phrase(),
            number(self.threshold),
            plural(least, "datapoint", "datapoints"),
            if alarm { "OK -> ALARM" } else { "ALARM -> OK" },
        )
    }
}

impl Alarm {
    /// Sets the state; true when it is another one.
    pub fn set(&mut self, state: State, reason: String, data: Option<String>, now: Moment) -> bool {
        let changed = self.state != state;
        (self.state, self.reason, self.reason_data, self.updated_at) = (state, reason, data, now);
        if changed {
            self.changed_at = now;
        }
        changed
    }

    /// Evaluates it; true when its state changed.
    pub fn evaluate(&mut self, metrics: &Metrics, now: Moment) -> bool {
        let verdict = self.rule.evaluate(metrics, now);
        match verdict.state {
            Some(state) if state != self.state => self.set(state, verdict.reason, Some(verdict.data), now),
            _ => false,
        }
    }

    /// The actions of its state, if they run.
    pub fn due_actions(&self) -> &[String] {
        if self.acts { &self.actions[self.state as usize] } else { &[] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the specification, oldest point first: 0 fine, X breaching, - missing; `keep` where the state stays.
    #[test]
    fn the_documented_cases_come_out_as_documented() {
        let cases = "
            0-X-X 3 OK OK OK OK
            0---- 3 OK OK OK OK
            ----- 3 INSUFFICIENT_DATA keep ALARM OK
            0XX-X 3 ALARM ALARM ALARM ALARM
            --X-- 3 ALARM keep ALARM OK
            0-X-X 2 ALARM ALARM ALARM ALARM
            00X0X 2 ALARM ALARM ALARM ALARM
            0-X-- 2 OK OK ALARM OK
            ----0 2 OK OK ALARM OK
            ---X- 2 ALARM keep ALARM OK
            ----X 3 keep keep ALARM OK
            ---X- 3 keep keep ALARM OK";
        for line in cases.lines().filter(|line| !line.trim().is_empty()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let points: Vec<Option<bool>> =
                words[0].chars().rev().map(|point| (point != '-').then_some(point == 'X')).collect();
            let to_alarm = words[1].parse().unwrap();
            let ways = [Missing::Missing, Missing::Ignore, Missing::Breaching, Missing::NotBreaching];
            for (missing, expected) in ways.into_iter().zip(&words[2..]) {
                let state = judge(&points, 3, to_alarm, missing);
                assert_eq!(state.map_or("keep", State::word), *expected, "{line}: {missing:?}");
            }
        }
    }

    #[test]
    fn one_fine_point_in_the_window_ends_an_alarm_that_needs_all() {
        assert_eq!(judge(&[Some(false), Some(true), Some(true)], 3, 3, Missing::Missing), Some(State::Ok));
        let alternating = [Some(true), Some(false), Some(true), Some(false), Some(true)];
        assert_eq!(judge(&alternating, 5, 3, Missing::Missing), Some(State::Alarm));
    }

    #[test]
    fn an_alarm_on_room_that_runs_out_goes_off_and_says_why() {
        let series = Series::new("Muster/Capacity", "FreeEniSlots", vec![("ClusterName".into(), "prod-a".into())]);
        let rule = Rule {
            series: series.clone(),
            statistic: Statistic::Minimum,
            unit: None,
            period_secs: 60,
            periods: 3,
            to_alarm: 2,
            threshold: 2.0,
            comparison: Comparison::LessThanOrEqual,
            missing: Missing::Breaching,
        };
        let (mut metrics, start) = (Metrics::default(), Moment::DEFAULT_START);
        for (minute, value) in [9.0, 2.0, 1.0].into_iter().enumerate() {
            let at = start.plus(minute as i64 * 60_000);
            metrics.put(series.clone(), at, "Count", crate::metric::Set::of(value, 1.0), false);
        }
        let verdict = rule.evaluate(&metrics, start.plus(180_000));
        assert_eq!(verdict.state, Some(State::Alarm));
        assert_eq!(
            verdict.reason,
            "Threshold Crossed: 2 out of the last 3 datapoints [1.0 (02/10/26 08:02:00), 2.0 (02/10/26 08:01:00)] were \
             less than or equal to the threshold (2.0) (minimum 2 datapoints for OK -> ALARM transition)."
        );
        let empty = rule.evaluate(&Metrics::default(), start);
        assert_eq!(empty.state, Some(State::Alarm));
        assert!(empty.reason.ends_with("3 missing datapoints were treated as [Breaching]."), "{}", empty.reason);
    }
}
