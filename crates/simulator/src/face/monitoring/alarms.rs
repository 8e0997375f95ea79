//! Making, showing and setting alarms.

use serde_json::{Value, json};
use wire::error::ServiceError;

use super::{
    Due, Regional, changed, dimensions, dimensions_value, invalid, missing, number, required, text, texts, whole,
};
use crate::{
    alarm::{Alarm, Comparison, Missing, Rule, State},
    clock::Moment,
    face::{messaging::Region, paging},
    metric::{Series, Statistic},
};

pub(super) fn arn((account, region): &Region, name: &str) -> String {
    format!("arn:aws:cloudwatch:{region}:{account}:alarm:{name}")
}

fn validation(what: impl Into<String>) -> ServiceError {
    ServiceError::new("ValidationError", what)
}

pub(super) fn put(regional: &mut Regional, now: Moment, request: &Value) -> Result<Value, ServiceError> {
    let name = required(request, "AlarmName")?;
    if name.len() > 255 {
        return Err(validation("AlarmName can have at most 255 characters."));
    }
    for other in ["Metrics", "ExtendedStatistic", "EvaluationCriteria", "ThresholdMetricId"] {
        let given = request
            .get(other)
            .is_some_and(|value| !value.is_null() && value.as_array().is_none_or(|it| !it.is_empty()));
        if given {
            return Err(validation(format!("{other} is not answered here: an alarm has one metric and a statistic.")));
        }
    }
    let rule = rule(request)?;
    let actions = ["OKActions", "AlarmActions", "InsufficientDataActions"].map(|name| texts(request, name));
    if actions.iter().any(|arns| arns.len() > 5) {
        return Err(validation("At most 5 actions a state."));
    }
    let acts = request.get("ActionsEnabled").is_none_or(|value| value != false && value != "false");
    let held = regional.alarms.get(name);
    let what = if held.is_some() { "updated" } else { "created" };
    regional.history.push((now, name.to_owned(), format!("Alarm \"{name}\" {what}")));
    // An alarm that is there keeps its state.
    let reason = "Unchecked: Initial alarm creation".to_owned();
    let fresh = || (State::InsufficientData, reason, None, now, now);
    let state = held
        .map_or_else(fresh, |it| (it.state, it.reason.clone(), it.reason_data.clone(), it.updated_at, it.changed_at));
    let alarm = Alarm {
        name: name.to_owned(),
        description: text(request, "AlarmDescription").map(str::to_owned),
        acts,
        actions,
        rule,
        state: state.0,
        reason: state.1,
        reason_data: state.2,
        updated_at: state.3,
        changed_at: state.4,
        configured_at: now,
    };
    regional.alarms.insert(name.to_owned(), alarm);
    Ok(json!({}))
}

fn rule(request: &Value) -> Result<Rule, ServiceError> {
    let series = Series::new(required(request, "Namespace")?, required(request, "MetricName")?, dimensions(request)?);
    let statistic = required(request, "Statistic")?;
    let statistic = Statistic::parse(statistic).ok_or_else(|| invalid(format!("{statistic} is no Statistic.")))?;
    let period_secs = whole(request, "Period").ok_or_else(|| missing("Period"))?;
    if !(matches!(period_secs, 10 | 20 | 30) || period_secs > 0 && period_secs % 60 == 0) {
        return Err(validation("Metric period list value is invalid: 10, 20, 30 or a multiple of 60."));
    }
    let periods = whole(request, "EvaluationPeriods").ok_or_else(|| missing("EvaluationPeriods"))?;
    let to_alarm = match request.get("DatapointsToAlarm").filter(|value| !value.is_null()) {
        None => periods,
        Some(_) => whole(request, "DatapointsToAlarm").unwrap_or(0),
    };
    let longest = if period_secs < 3_600 { 86_400 } else { 7 * 86_400 };
    if periods < 1 || periods.saturating_mul(period_secs) > longest {
        return Err(validation(
            "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400).",
        ));
    }
    if !(1..=periods).contains(&to_alarm) {
        return Err(validation("DatapointsToAlarm must be between 1 and EvaluationPeriods."));
    }
    let comparison = required(request, "ComparisonOperator")?;
    let comparison = Comparison::parse(comparison)
        .ok_or_else(|| validation(format!("ComparisonOperator {comparison} is not answered here.")))?;
    let missing_word = text(request, "TreatMissingData").unwrap_or("missing");
    let treated = Missing::parse(missing_word)
        .ok_or_else(|| validation(format!("Option {missing_word} is not supported for TreatMissingData.")))?;
    let threshold = number(request, "Threshold").ok_or_else(|| missing("Threshold"))?;
    Ok(Rule {
        series,
        statistic,
        unit: text(request, "Unit").map(str::to_owned),
        period_secs,
        periods: periods as usize,
        to_alarm: to_alarm as usize,
        threshold,
        comparison,
        missing: treated,
    })
}

pub(super) fn describe(regional: &Regional, region: &Region, request: &Value) -> Result<Value, ServiceError> {
    let (names, prefix) = (texts(request, "AlarmNames"), text(request, "AlarmNamePrefix"));
    if names.len() > 100 {
        return Err(validation("AlarmNames can have at most 100 items."));
    }
    let state = text(request, "StateValue")
        .map(|word| State::parse(word).ok_or_else(|| invalid(format!("{word} is no state of an alarm."))));
    let (state, kinds) = (state.transpose()?, texts(request, "AlarmTypes"));
    let metric_alarms = kinds.is_empty() || kinds.iter().any(|kind| kind == "MetricAlarm");
    let most = whole(request, "MaxRecords").unwrap_or(50).clamp(1, 100) as usize;
    let from = match text(request, "NextToken").filter(|token| !token.is_empty()) {
        None => 0,
        Some(token) => paging::read(token)
            .ok_or_else(|| ServiceError::new("InvalidNextToken", "The NextToken value is not valid."))?,
    };
    let from = usize::try_from(from).unwrap_or(usize::MAX);
    let fits = |alarm: &&Alarm| {
        (names.is_empty() || names.contains(&alarm.name))
            && prefix.is_none_or(|prefix| alarm.name.starts_with(prefix))
            && state.is_none_or(|state| alarm.state == state)
    };
    let mut rest = regional.alarms.values().filter(|_| metric_alarms).filter(fits).skip(from);
    let shown: Vec<Value> = rest.by_ref().take(most).map(|alarm| write(region, alarm)).collect();
    let mut answer = json!({"MetricAlarms": shown, "CompositeAlarms": []});
    if rest.next().is_some() {
        answer["NextToken"] = Value::from(paging::token((from + most) as u64));
    }
    Ok(answer)
}

fn write(region: &Region, alarm: &Alarm) -> Value {
    let rule = &alarm.rule;
    let mut value = json!({
        "AlarmName": alarm.name,
        "AlarmArn": arn(region, &alarm.name),
        "AlarmConfigurationUpdatedTimestamp": alarm.configured_at.epoch_secs(),
        "ActionsEnabled": alarm.acts,
        "OKActions": alarm.actions[State::Ok as usize],
        "AlarmActions": alarm.actions[State::Alarm as usize],
        "InsufficientDataActions": alarm.actions[State::InsufficientData as usize],
        "StateValue": alarm.state.word(),
        "StateReason": alarm.reason,
        "StateUpdatedTimestamp": alarm.updated_at.epoch_secs(),
        "StateTransitionedTimestamp": alarm.changed_at.epoch_secs(),
        "MetricName": rule.series.name,
        "Namespace": rule.series.namespace,
        "Statistic": rule.statistic.word(),
        "Dimensions": dimensions_value(&rule.series.dimensions),
        "Period": rule.period_secs,
        "EvaluationPeriods": rule.periods,
        "DatapointsToAlarm": rule.to_alarm,
        "Threshold": rule.threshold,
        "ComparisonOperator": rule.comparison.word(),
        "TreatMissingData": rule.missing.word(),
    });
    for (name, text) in
        [("AlarmDescription", &alarm.description), ("StateReasonData", &alarm.reason_data), ("Unit", &rule.unit)]
    {
        if let Some(text) = text {
            value[name] = Value::from(text.as_str());
        }
    }
    value
}

pub(super) fn history(regional: &Regional, request: &Value) -> Value {
    let name = text(request, "AlarmName");
    let of = regional.history.iter().rev().filter(|(_, alarm, _)| name.is_none_or(|name| name == alarm));
    let items: Vec<Value> = of
        .take(100)
        .map(|(at, alarm, what)| {
            let state = what.starts_with("Alarm updated from");
            json!({
                "AlarmName": alarm,
                "AlarmType": "MetricAlarm",
                "Timestamp": at.epoch_secs(),
                "HistoryItemType": if state { "StateUpdate" } else { "ConfigurationUpdate" },
                "HistorySummary": what,
            })
        })
        .collect();
    json!({"AlarmHistoryItems": items})
}

pub(super) fn delete(regional: &mut Regional, request: &Value) -> Result<Value, ServiceError> {
    let names = texts(request, "AlarmNames");
    if names.is_empty() {
        return Err(missing("AlarmNames"));
    }
    for name in names {
        // A wrong name does not stop the rest.
        regional.alarms.remove(&name);
    }
    Ok(json!({}))
}

pub(super) fn enable(regional: &mut Regional, request: &Value, acts: bool) -> Value {
    for name in texts(request, "AlarmNames") {
        if let Some(alarm) = regional.alarms.get_mut(&name) {
            alarm.acts = acts;
        }
    }
    json!({})
}

pub(super) fn set_state(
    regional: &mut Regional,
    region: &Region,
    now: Moment,
    request: &Value,
) -> Result<Vec<Due>, ServiceError> {
    let name = required(request, "AlarmName")?;
    let word = required(request, "StateValue")?;
    let state = State::parse(word).ok_or_else(|| invalid(format!("{word} is no state of an alarm.")))?;
    let reason = required(request, "StateReason")?.to_owned();
    let data = text(request, "StateReasonData").map(str::to_owned);
    if data.as_deref().is_some_and(|data| serde_json::from_str::<Value>(data).is_err()) {
        return Err(ServiceError::new("InvalidFormatFault", "StateReasonData is not JSON."));
    }
    let Regional { alarms, history, .. } = regional;
    let alarm = alarms.get_mut(name).ok_or_else(|| ServiceError::new("ResourceNotFound", "Unknown alarm."))?;
    let before = alarm.state;
    if !alarm.set(state, reason, data, now) {
        return Ok(Vec::new());
    }
    Ok(changed(region, alarm, before, history, now))
}
