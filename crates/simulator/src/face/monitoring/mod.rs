//! CloudWatch: metrics and alarms. Every operation is answered from a JSON value with a JSON value; clients that speak the
//! Query protocol or CBOR are translated ([`form`], [`cbor`](super::cbor)). Its time is the account's own.

mod alarms;
pub(crate) mod form;
mod metrics;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wire::error::ServiceError;

use super::{messaging::Region, scope::Scope};
use crate::{
    alarm::{Alarm, State, stamp},
    clock::{MINUTE, Moment},
    metric::Metrics,
};

/// The operations answered here.
pub(crate) const OPERATIONS: &[&str] = &[
    "DeleteAlarms",
    "DescribeAlarmHistory",
    "DescribeAlarms",
    "DisableAlarmActions",
    "EnableAlarmActions",
    "GetMetricData",
    "GetMetricStatistics",
    "ListMetrics",
    "PutMetricAlarm",
    "PutMetricData",
    "SetAlarmState",
];

/// Its XML namespace.
pub(crate) const NAMESPACE: &str = "http://monitoring.amazonaws.com/doc/2010-08-01/";

/// What an account has in a region.
#[derive(Debug, Default)]
pub(super) struct Regional {
    pub(super) metrics: Metrics,
    pub(super) alarms: BTreeMap<String, Alarm>,
    /// Newest last: when, which alarm, what.
    pub(super) history: Vec<(Moment, String, String)>,
}

/// All metrics and alarms.
#[derive(Debug, Default)]
pub(crate) struct Monitoring {
    regions: BTreeMap<Region, Regional>,
    /// The minute of the last evaluation.
    evaluated: Option<i64>,
}

/// An action of an alarm whose state has changed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Due {
    /// Whose.
    pub(crate) region: Region,
    /// What the action's ARN names: a topic or a scaling policy.
    pub(crate) arn: String,
    /// Subject of the message.
    pub(crate) subject: String,
    /// Message.
    pub(crate) message: String,
    /// Value and threshold, for a policy with steps.
    pub(crate) breach: Option<(f64, f64)>,
}

impl Monitoring {
    pub(super) fn of(&mut self, region: &Region) -> &mut Regional {
        self.regions.entry(region.clone()).or_default()
    }

    /// Evaluates all alarms when a minute has passed since the last time, and returns what has to be done.
    pub(crate) fn watch(&mut self, now: Moment) -> Vec<Due> {
        let minute = now.0.div_euclid(MINUTE);
        if self.evaluated == Some(minute) {
            return Vec::new();
        }
        self.evaluated = Some(minute);
        let mut due = Vec::new();
        for (region, regional) in &mut self.regions {
            regional.metrics.forget(now);
            let Regional { metrics, alarms, history } = regional;
            for alarm in alarms.values_mut() {
                let before = alarm.state;
                if alarm.evaluate(metrics, now) {
                    due.extend(changed(region, alarm, before, history, now));
                }
            }
        }
        due
    }
}

/// What follows when an alarm's state has changed.
pub(super) fn changed(
    region: &Region,
    alarm: &Alarm,
    before: State,
    history: &mut Vec<(Moment, String, String)>,
    now: Moment,
) -> Vec<Due> {
    let (from, to) = (before.word(), alarm.state.word());
    history.push((now, alarm.name.clone(), format!("Alarm updated from {from} to {to}")));
    let message = message(region, alarm, before, now).to_string();
    let rule = &alarm.rule;
    let data = alarm.reason_data.as_deref().and_then(|data| serde_json::from_str::<Value>(data).ok());
    let newest = data.and_then(|data| data["evaluatedDatapoints"][0]["value"].as_f64());
    alarm
        .due_actions()
        .iter()
        .map(|arn| Due {
            region: region.clone(),
            arn: arn.clone(),
            subject: format!("{to}: \"{}\" in {}", alarm.name, region.1),
            message: message.clone(),
            breach: newest.map(|value| (value, rule.threshold)),
        })
        .collect()
}

/// The body of the message to a topic.
fn message(region: &Region, alarm: &Alarm, before: State, now: Moment) -> Value {
    let rule = &alarm.rule;
    let dimensions: Vec<Value> =
        rule.series.dimensions.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    json!({
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": region.0,
        "AlarmConfigurationUpdatedTimestamp": stamp(alarm.configured_at),
        "NewStateValue": alarm.state.word(),
        "NewStateReason": alarm.reason,
        "StateChangeTime": stamp(now),
        "Region": region.1,
        "AlarmArn": alarms::arn(region, &alarm.name),
        "OldStateValue": before.word(),
        "OKActions": alarm.actions[State::Ok as usize],
        "AlarmActions": alarm.actions[State::Alarm as usize],
        "InsufficientDataActions": alarm.actions[State::InsufficientData as usize],
        "Trigger": {
            "MetricName": rule.series.name,
            "Namespace": rule.series.namespace,
            "StatisticType": "Statistic",
            "Statistic": rule.statistic.word().to_uppercase(),
            "Unit": rule.unit,
            "Dimensions": dimensions,
            "Period": rule.period_secs,
            "EvaluationPeriods": rule.periods,
            "DatapointsToAlarm": rule.to_alarm,
            "ComparisonOperator": rule.comparison.word(),
            "Threshold": rule.threshold,
            "TreatMissingData": rule.missing.word(),
            "EvaluateLowSampleCountPercentile": "",
        },
    })
}

/// Answers a call, and says what an alarm that was set by hand has to do.
///
/// # Errors
/// The service's own.
pub(crate) fn answer(
    monitoring: &mut Monitoring,
    scope: &Scope,
    now: Moment,
    operation: &str,
    request: &Value,
) -> Result<(Value, Vec<Due>), ServiceError> {
    let region = &scope.region;
    let regional = monitoring.of(region);
    let answered = match operation {
        "PutMetricData" => metrics::put(regional, now, request),
        "ListMetrics" => metrics::list(regional, request),
        "GetMetricStatistics" => metrics::statistics(regional, request),
        "GetMetricData" => metrics::data(regional, request),
        "PutMetricAlarm" => alarms::put(regional, now, request),
        "DescribeAlarms" => alarms::describe(regional, region, request),
        "DescribeAlarmHistory" => Ok(alarms::history(regional, request)),
        "DeleteAlarms" => alarms::delete(regional, request),
        "EnableAlarmActions" => Ok(alarms::enable(regional, request, true)),
        "DisableAlarmActions" => Ok(alarms::enable(regional, request, false)),
        "SetAlarmState" => return alarms::set_state(regional, region, now, request).map(|due| (json!({}), due)),
        _ => Err(super::unknown("monitoring", operation, OPERATIONS)),
    };
    answered.map(|value| (value, Vec::new()))
}

fn invalid(what: impl Into<String>) -> ServiceError {
    ServiceError::new("InvalidParameterValueException", what)
}

fn missing(name: &str) -> ServiceError {
    ServiceError::new("MissingRequiredParameterException", format!("The parameter {name} is required."))
}

fn text<'a>(request: &'a Value, name: &str) -> Option<&'a str> {
    request.get(name)?.as_str()
}

fn required<'a>(request: &'a Value, name: &str) -> Result<&'a str, ServiceError> {
    text(request, name).filter(|text| !text.is_empty()).ok_or_else(|| missing(name))
}

fn elements<'a>(request: &'a Value, name: &str) -> &'a [Value] {
    request.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn texts(request: &Value, name: &str) -> Vec<String> {
    elements(request, name).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A number: JSON's own, or the text of one in a form.
fn number(request: &Value, name: &str) -> Option<f64> {
    match request.get(name)? {
        Value::String(text) => text.parse().ok(),
        value => value.as_f64(),
    }
}

fn whole(request: &Value, name: &str) -> Option<i64> {
    number(request, name).filter(|number| *number == number.trunc()).map(|number| number as i64)
}

fn moment(request: &Value, name: &str) -> Option<Moment> {
    let at = wire::json::time(request.get(name)?)?;
    Some(Moment(at.as_millisecond()))
}

/// Dimensions of a request, at most thirty.
fn dimensions(request: &Value) -> Result<Vec<(String, String)>, ServiceError> {
    let given = elements(request, "Dimensions");
    if given.len() > 30 {
        return Err(invalid("The collection Dimensions must not have a size greater than 30."));
    }
    let read =
        |dimension: &Value| Ok((required(dimension, "Name")?.to_owned(), required(dimension, "Value")?.to_owned()));
    given.iter().map(read).collect()
}

fn dimensions_value(dimensions: &[(String, String)]) -> Vec<Value> {
    dimensions.iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect()
}
