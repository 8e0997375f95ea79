//! `stats`, group by group.

use std::cmp::Ordering;

use insights::{
    ast::{Call, Expr, ExprKind, Path, Stats},
    evaluate::binned,
    value::{Value, sort_order},
};

use super::{Fields, Reference};

/// What tells a group apart, its values, and its rows.
type Group<'r> = (Vec<Option<String>>, Fields, Vec<&'r Fields>);

impl Reference<'_> {
    pub(crate) fn stats(&self, stats: &Stats, rows: &[Fields]) -> Result<Vec<Fields>, String> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        for fields in rows {
            let values: Vec<Value> = stats.by.iter().map(|item| self.group_value(stats, &item.expr, fields)).collect();
            let key: Vec<Option<String>> = values.iter().map(|value| self.key(value)).collect();
            match groups.iter_mut().find(|(known, ..)| *known == key) {
                Some((.., members)) => members.push(fields),
                None => {
                    let names = stats.by.iter().map(|item| item.column_name(self.text));
                    groups.push((key, names.zip(values).collect(), vec![fields]));
                }
            }
        }
        if rows.is_empty() && stats.by.is_empty() && self.context.rules.empty_stats_row {
            groups.push((Vec::new(), Fields::new(), Vec::new()));
        }
        groups.into_iter().map(|(_, keys, members)| self.group(stats, keys, &members)).collect()
    }

    fn group_value(&self, stats: &Stats, expr: &Expr, fields: &Fields) -> Value {
        if let ExprKind::Call(call) = &expr.kind
            && call.function.name == "bin"
            && let Some(ExprKind::Period(period)) = call.arguments.first().map(|it| &it.kind)
            && let Some(time) = fields.get("@timestamp").and_then(Value::integer)
        {
            return binned(*period, time, stats.offset);
        }
        self.value(expr, fields)
    }

    fn group(&self, stats: &Stats, keys: Fields, members: &[&Fields]) -> Result<Fields, String> {
        let mut output = keys;
        for item in &stats.items {
            let mut computed = output.clone();
            let mut missing = None;
            // Aggregates become fields of the group's one row.
            let over_row = item.expr.rewritten(&mut |expr| {
                if let ExprKind::Call(call) = &expr.kind
                    && call.function.is_aggregate()
                {
                    let name = format!("# {}", computed.len());
                    match self.aggregate(call, members) {
                        Ok(value) => drop(computed.insert(name.clone(), value)),
                        Err(function) => missing = Some(function),
                    }
                    return Some(ExprKind::Field(Path::named(name)));
                }
                // Groups were computed before, by their own expressions.
                let typed = expr.span.of(self.text);
                let is_key = stats.by.iter().any(|key| key.expr == *expr) && output.contains_key(typed);
                is_key.then(|| ExprKind::Field(Path::named(typed)))
            });
            if let Some(function) = missing {
                return Err(function);
            }
            let value = self.value(&over_row, &computed);
            output.insert(item.column_name(self.text), value);
        }
        Ok(output)
    }

    fn aggregate(&self, call: &Call, members: &[&Fields]) -> Result<Value, String> {
        let of = |position: usize| -> Vec<Value> {
            let Some(argument) = call.arguments.get(position) else {
                return Vec::new();
            };
            let values = members.iter().map(|fields| self.value(argument, fields));
            values.filter(Value::is_plain).collect()
        };
        let values = of(0);
        let numbers: Vec<f64> = values.iter().filter_map(Value::number).collect();
        let count = numbers.len() as f64;
        let sum = (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>());
        let number = |value: Option<f64>| value.map_or(Value::Null, Value::of_number);
        Ok(match call.function.name {
            "count" if call.star || call.arguments.is_empty() => Value::of_number(members.len() as f64),
            "count" => Value::of_number(values.len() as f64),
            "count_distinct" => Value::of_number(self.distinct(&values).len() as f64),
            "sum" => number(sum),
            "avg" => number(sum.map(|sum| sum / count)),
            "min" => self.extreme(&values, Ordering::Less),
            "max" => self.extreme(&values, Ordering::Greater),
            "sortsFirst" => self.first_in_order(&values, false),
            "sortsLast" => self.first_in_order(&values, true),
            "pct" => {
                let rank = call.arguments.get(1).map(|rank| self.value(rank, &Fields::new()));
                number(rank.and_then(|rank| rank.number()).and_then(|rank| self.percentile(numbers, rank)))
            }
            "variance" => number(variance(&numbers, count)),
            "stddev" => {
                let divisor = if self.context.rules.stddev_of_sample { count - 1.0 } else { count };
                number(variance(&numbers, divisor).map(f64::sqrt))
            }
            "values" => Value::List(self.distinct(&values)),
            "earliest" | "latest" => {
                let mut dated: Vec<(Option<i64>, Value)> = members
                    .iter()
                    .map(|fields| {
                        (fields.get("@timestamp").and_then(Value::integer), self.value(&call.arguments[0], fields))
                    })
                    .filter(|(_, value)| !value.is_null())
                    .collect();
                dated.sort_by_key(|(time, _)| *time);
                let found = if call.function.name == "earliest" { dated.first() } else { dated.last() };
                found.map_or(Value::Null, |(_, value)| value.clone())
            }
            other => return Err(format!("{other} is not in the reference")),
        })
    }

    fn distinct(&self, values: &[Value]) -> Vec<Value> {
        let mut distinct: Vec<Value> = Vec::new();
        for value in values {
            if !distinct.iter().any(|known| self.key(known) == self.key(value)) {
                distinct.push(value.clone());
            }
        }
        distinct
    }

    /// The least or the greatest: by number where all are numbers, by natural order otherwise.
    fn extreme(&self, values: &[Value], wanted: Ordering) -> Value {
        let numeric = values.iter().all(|value| value.number().is_some());
        let mut extreme: Option<&Value> = None;
        for value in values {
            let order = |other: &Value| {
                if numeric {
                    value.number().partial_cmp(&other.number()).unwrap_or(Ordering::Equal)
                } else {
                    sort_order(value, other, false, &self.context.rules)
                }
            };
            if extreme.is_none_or(|extreme| order(extreme) == wanted) {
                extreme = Some(value);
            }
        }
        match extreme {
            Some(value) if numeric => value.number().map_or(Value::Null, Value::of_number),
            Some(value) => value.clone(),
            None => Value::Null,
        }
    }

    fn first_in_order(&self, values: &[Value], descending: bool) -> Value {
        let mut sorted = values.to_vec();
        sorted.sort_by(|one, other| sort_order(one, other, descending, &self.context.rules));
        sorted.into_iter().next().unwrap_or(Value::Null)
    }

    fn percentile(&self, mut numbers: Vec<f64>, rank: f64) -> Option<f64> {
        numbers.sort_by(f64::total_cmp);
        let last = numbers.len().checked_sub(1)?;
        if !self.context.rules.percentiles_interpolated {
            let nearest = (rank / 100.0 * numbers.len() as f64).ceil() as usize;
            return numbers.get(nearest.saturating_sub(1)).copied();
        }
        let place = rank / 100.0 * last as f64;
        let below = numbers[place.floor() as usize];
        let above = numbers[place.ceil() as usize];
        Some(below + (above - below) * place.fract())
    }
}

fn variance(numbers: &[f64], divisor: f64) -> Option<f64> {
    if divisor <= 0.0 {
        return None;
    }
    let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
    Some(numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / divisor)
}
