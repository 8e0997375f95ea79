//! Putting and getting metrics.

use serde_json::{Value, json};
use wire::error::ServiceError;

use super::{
    Regional, dimensions, dimensions_value, elements, invalid, missing, moment, number, required, text, whole,
};
use crate::{
    clock::{HOUR, Moment},
    face::paging,
    metric::{Series, Set, Statistic},
};

/// The most metrics of one call.
const MOST_DATA: usize = 1_000;
/// The most different values of one of them.
const MOST_VALUES: usize = 150;
/// The most points of GetMetricStatistics.
const MOST_POINTS: i64 = 1_440;
/// The most metrics of a page of ListMetrics.
const PAGE: usize = 500;

pub(super) fn put(regional: &mut Regional, now: Moment, request: &Value) -> Result<Value, ServiceError> {
    let namespace = required(request, "Namespace")?;
    if namespace.starts_with(':') || namespace.len() > 255 {
        return Err(invalid("The value for parameter Namespace is invalid."));
    }
    let data = elements(request, "MetricData");
    if data.is_empty() {
        return Err(missing("MetricData"));
    }
    if data.len() > MOST_DATA {
        return Err(invalid(format!("The collection MetricData must not have a size greater than {MOST_DATA}.")));
    }
    // All or nothing: what is wrong anywhere is found before anything is kept.
    let mut points = Vec::with_capacity(data.len());
    for datum in data {
        points.push(read(namespace, now, datum)?);
    }
    for (series, at, unit, sets, fine) in points {
        for set in sets {
            regional.metrics.put(series.clone(), at, &unit, set, fine);
        }
    }
    Ok(json!({}))
}

type Point = (Series, Moment, String, Vec<Set>, bool);

fn read(namespace: &str, now: Moment, datum: &Value) -> Result<Point, ServiceError> {
    let name = required(datum, "MetricName")?;
    let at = match datum.get("Timestamp").filter(|at| !at.is_null()) {
        None => now,
        Some(_) => moment(datum, "Timestamp").ok_or_else(|| invalid("The parameter Timestamp is not a time."))?,
    };
    if at < now.plus(-14 * 24 * HOUR) || at > now.plus(2 * HOUR) {
        let what = "Timestamp must be within the past two weeks and the next two hours.";
        return Err(invalid(format!("The parameter MetricData.member.N.Timestamp is invalid: {what}")));
    }
    let fine = match datum.get("StorageResolution").filter(|value| !value.is_null()) {
        None => false,
        Some(_) => match whole(datum, "StorageResolution") {
            Some(1) => true,
            Some(60) => false,
            _ => return Err(invalid("StorageResolution must be 1 or 60.")),
        },
    };
    let unit = text(datum, "Unit").unwrap_or("None").to_owned();
    if !UNITS.contains(&unit.as_str()) {
        return Err(invalid(format!("The parameter Unit has the invalid value {unit}.")));
    }
    let has = |name: &str| datum.get(name).is_some_and(|value| !value.is_null());
    let sets = match (has("Value"), has("StatisticValues"), has("Values")) {
        (true, false, false) => vec![Set::of(sound(datum, "Value")?, 1.0)],
        (false, true, false) => {
            let set = &datum["StatisticValues"];
            let set = Set {
                count: sound(set, "SampleCount")?,
                sum: sound(set, "Sum")?,
                least: sound(set, "Minimum")?,
                greatest: sound(set, "Maximum")?,
            };
            if set.count <= 0.0 || set.least > set.greatest {
                return Err(invalid("The StatisticValues contradict themselves."));
            }
            vec![set]
        }
        (false, false, true) => {
            let (values, counts) = (elements(datum, "Values"), elements(datum, "Counts"));
            if values.is_empty() || values.len() > MOST_VALUES || !counts.is_empty() && counts.len() != values.len() {
                return Err(invalid("Values must have 1 to 150 items, and Counts as many or none."));
            }
            let of = |list: &[Value], at: usize| sound(&json!({"it": list[at]}), "it");
            let set = |at: usize| Ok(Set::of(of(values, at)?, if counts.is_empty() { 1.0 } else { of(counts, at)? }));
            (0..values.len()).map(set).collect::<Result<_, ServiceError>>()?
        }
        _ => {
            let what = "The parameters Value, StatisticValues and Values are mutually exclusive and you must have one.";
            return Err(ServiceError::new("InvalidParameterCombinationException", what));
        }
    };
    Ok((Series::new(namespace, name, dimensions(datum)?), at, unit, sets, fine))
}

/// The units there are.
const UNITS: [&str; 27] = [
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Count",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
    "None",
];

/// A value that CloudWatch takes: finite, and no larger than 2 to the 360.
fn sound(datum: &Value, name: &str) -> Result<f64, ServiceError> {
    let value = number(datum, name).ok_or_else(|| invalid(format!("The parameter {name} must be a number.")))?;
    if !value.is_finite() || value.abs() > 2_f64.powi(360) {
        return Err(invalid(format!("The value {value} for parameter {name} is invalid.")));
    }
    Ok(value)
}

pub(super) fn list(regional: &Regional, request: &Value) -> Result<Value, ServiceError> {
    let (namespace, name) = (text(request, "Namespace"), text(request, "MetricName"));
    let filters: Vec<(&str, Option<&str>)> = elements(request, "Dimensions")
        .iter()
        .filter_map(|filter| Some((text(filter, "Name")?, text(filter, "Value"))))
        .collect();
    let fits = |series: &&Series| {
        let has = |(name, value): &(&str, Option<&str>)| {
            series.dimensions.iter().any(|(held, of)| held == name && value.is_none_or(|value| value == of))
        };
        namespace.is_none_or(|wanted| wanted == series.namespace)
            && name.is_none_or(|wanted| wanted == series.name)
            && filters.iter().all(has)
    };
    let from = match text(request, "NextToken").filter(|token| !token.is_empty()) {
        None => 0,
        Some(token) => paging::read(token).ok_or_else(|| invalid("The value for parameter NextToken is invalid."))?,
    };
    let from = usize::try_from(from).unwrap_or(usize::MAX);
    let mut rest = regional.metrics.all().filter(fits).skip(from);
    let metrics: Vec<Value> = rest
        .by_ref()
        .take(PAGE)
        .map(|series| {
            json!({
                "Namespace": series.namespace,
                "MetricName": series.name,
                "Dimensions": dimensions_value(&series.dimensions),
            })
        })
        .collect();
    let mut answer = json!({"Metrics": metrics});
    if rest.next().is_some() {
        answer["NextToken"] = Value::from(paging::token((from + PAGE) as u64));
    }
    Ok(answer)
}

/// Beginning, end and period of a request, in seconds; the beginning rounded down to the minute.
fn span(request: &Value, period: i64) -> Result<(i64, i64, i64), ServiceError> {
    let at = |name: &str| moment(request, name).ok_or_else(|| missing(name));
    let (from, until) = (at("StartTime")?.0.div_euclid(1000), at("EndTime")?.0.div_euclid(1000));
    if from >= until {
        return Err(invalid("The parameter StartTime must be less than the parameter EndTime."));
    }
    if !(matches!(period, 1 | 5 | 10 | 20 | 30) || period > 0 && period % 60 == 0) {
        return Err(invalid(format!(
            "The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60, not {period}."
        )));
    }
    Ok((from - from.rem_euclid(period.min(60)), until, period))
}

fn statistic(word: &str) -> Result<Statistic, ServiceError> {
    Statistic::parse(word).ok_or_else(|| {
        invalid(format!("The statistic {word} is not answered here: SampleCount, Average, Sum, Minimum, Maximum."))
    })
}

pub(super) fn statistics(regional: &Regional, request: &Value) -> Result<Value, ServiceError> {
    let series = Series::new(required(request, "Namespace")?, required(request, "MetricName")?, dimensions(request)?);
    let period = whole(request, "Period").ok_or_else(|| missing("Period"))?;
    let (from, until, period) = span(request, period)?;
    if (until - from) / period > MOST_POINTS {
        let what = format!(
            "You have requested up to {} datapoints, which exceeds the limit of 1,440.",
            (until - from) / period
        );
        return Err(ServiceError::new("InvalidParameterCombinationException", what));
    }
    let words = elements(request, "Statistics").iter().filter_map(Value::as_str);
    let wanted = words.map(statistic).collect::<Result<Vec<_>, _>>()?;
    if wanted.is_empty() {
        return Err(missing("Statistics"));
    }
    let unit = text(request, "Unit");
    let shown = unit.or(regional.metrics.unit(&series)).unwrap_or("None");
    let point = |at: i64| {
        let set = regional.metrics.over(&series, at, at + period, unit)?;
        let mut point = json!({"Timestamp": at, "Unit": shown});
        for statistic in &wanted {
            if let Some(value) = statistic.of(&set) {
                point[statistic.word()] = Value::from(value);
            }
        }
        Some(point)
    };
    let points: Vec<Value> = (from..until).step_by(period as usize).filter_map(point).collect();
    Ok(json!({"Label": series.name, "Datapoints": points}))
}

pub(super) fn data(regional: &Regional, request: &Value) -> Result<Value, ServiceError> {
    let queries = elements(request, "MetricDataQueries");
    if queries.is_empty() || queries.len() > 500 {
        return Err(invalid("MetricDataQueries must have 1 to 500 items."));
    }
    let ascending = text(request, "ScanBy") == Some("TimestampAscending");
    let mut results = Vec::new();
    for query in queries {
        let id = required(query, "Id")?;
        let Some(stat) = query.get("MetricStat").filter(|stat| !stat.is_null()) else {
            return Err(ServiceError::new("ValidationError", "Expressions are not answered here, only MetricStat."));
        };
        let metric = stat.get("Metric").ok_or_else(|| missing("Metric"))?;
        let series = Series::new(required(metric, "Namespace")?, required(metric, "MetricName")?, dimensions(metric)?);
        let period = whole(stat, "Period").ok_or_else(|| missing("Period"))?;
        let (from, until, period) = span(request, period)?;
        let (wanted, unit) = (statistic(required(stat, "Stat")?)?, text(stat, "Unit"));
        let shown = query.get("ReturnData").and_then(Value::as_bool).unwrap_or(true);
        if !shown {
            continue;
        }
        let value = |at: i64| Some((at, wanted.of(&regional.metrics.over(&series, at, at + period, unit)?)?));
        let mut points: Vec<(i64, f64)> = (from..until).step_by(period as usize).filter_map(value).collect();
        if !ascending {
            points.reverse();
        }
        results.push(json!({
            "Id": id,
            "Label": text(query, "Label").unwrap_or(&series.name),
            "Timestamps": points.iter().map(|(at, _)| at).collect::<Vec<_>>(),
            "Values": points.iter().map(|(_, value)| value).collect::<Vec<_>>(),
            "StatusCode": "Complete",
        }));
    }
    Ok(json!({"MetricDataResults": results, "Messages": []}))
}
