//! The value of an expression for one row: the meaning that every engine must share.

use crate::{
    ast::{Call, Comparison, Expr, ExprKind, Logic, Operator, Path, Place},
    function::{Compute, Context},
    period::Period,
    rules::Rules,
    value::{Value, compare, equal},
};

/// A row: values by the ways to them.
pub trait Row {
    /// The value at the end of a path; null where there is none.
    fn value(&self, path: &Path) -> Value;

    /// Whether a value is among those that a subquery gave.
    fn in_subquery(&self, _query: &crate::ast::Query, _value: &Value) -> bool {
        false
    }
}

/// The value of an expression. Aggregates are null: they have no value in one row.
pub fn evaluate(expr: &Expr, row: &dyn Row, context: &Context) -> Value {
    let rules = &context.rules;
    match &expr.kind {
        ExprKind::Number(number) => number.value(),
        ExprKind::Text(text) => Value::Text(text.clone()),
        ExprKind::Boolean(truth) => Value::Boolean(*truth),
        ExprKind::Period(period) => Value::Text(period.to_string()),
        ExprKind::Field(path) => row.value(path),
        ExprKind::Call(call) => called(call, row, context),
        ExprKind::Negative(of) => Value::of_maybe(evaluate(of, row, context).number().map(|number| -number)),
        ExprKind::Not(of) => match evaluate(of, row, context) {
            Value::Null if rules.not_keeps_null => Value::Null,
            value => Value::Boolean(!value.truth()),
        },
        ExprKind::Arithmetic(left, operator, right) => {
            calculated(&evaluate(left, row, context), *operator, &evaluate(right, row, context))
        }
        ExprKind::Compare(left, comparison, right) => {
            compared(&evaluate(left, row, context), *comparison, &evaluate(right, row, context), rules)
        }
        ExprKind::Logic(Logic::All, all) => Value::Boolean(all.iter().all(|it| evaluate(it, row, context).truth())),
        ExprKind::Logic(Logic::Any, any) => Value::Boolean(any.iter().any(|it| evaluate(it, row, context).truth())),
        ExprKind::Like(like) => match evaluate(&like.of, row, context).text(rules) {
            Some(text) => Value::Boolean(like.pattern.is_match(&text) != like.negated),
            None => unknown(like.negated, rules),
        },
        ExprKind::In(within) => {
            let value = evaluate(&within.of, row, context);
            if !value.is_plain() {
                return unknown(within.negated, rules);
            }
            let found = match &within.place {
                Place::List(list) => {
                    list.iter().any(|it| equal(&value, &evaluate(it, row, context), rules) == Some(true))
                }
                Place::Subquery(query) => row.in_subquery(query, &value),
            };
            Value::Boolean(found != within.negated)
        }
    }
}

/// What a comparison with null is: not true, unless it is negated and the rules say that null differs.
fn unknown(negated: bool, rules: &Rules) -> Value {
    if negated && rules.null_differs {
        Value::Boolean(true)
    } else if rules.not_keeps_null {
        Value::Null
    } else {
        Value::Boolean(false)
    }
}

/// The result of a comparison of two values.
pub fn compared(left: &Value, comparison: Comparison, right: &Value, rules: &Rules) -> Value {
    let truth = match comparison {
        Comparison::Equal => equal(left, right, rules),
        Comparison::NotEqual => equal(left, right, rules).map(|equal| !equal),
        _ if !left.is_plain() || !right.is_plain() => None,
        // A number and a text that is none are neither less nor more.
        Comparison::Less => Some(compare(left, right, rules).is_some_and(std::cmp::Ordering::is_lt)),
        Comparison::LessEqual => Some(compare(left, right, rules).is_some_and(std::cmp::Ordering::is_le)),
        Comparison::Greater => Some(compare(left, right, rules).is_some_and(std::cmp::Ordering::is_gt)),
        Comparison::GreaterEqual => Some(compare(left, right, rules).is_some_and(std::cmp::Ordering::is_ge)),
    };
    truth.map_or_else(|| unknown(comparison == Comparison::NotEqual, rules), Value::Boolean)
}

/// The result of arithmetic; null where a side is no number or the result is not finite.
pub fn calculated(left: &Value, operator: Operator, right: &Value) -> Value {
    let (Some(left), Some(right)) = (left.number(), right.number()) else {
        return Value::Null;
    };
    Value::of_number(match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        Operator::Divide => left / right,
        Operator::Remainder => left % right,
        Operator::Power => left.powf(right),
    })
}

fn called(call: &Call, row: &dyn Row, context: &Context) -> Value {
    match call.function.compute {
        Compute::Pure(compute) => {
            let arguments: Vec<Value> = call.arguments.iter().map(|it| evaluate(it, row, context)).collect();
            // Checked queries have as many arguments as their functions want; of others nothing is known.
            if arguments.len() < call.function.least || arguments.len() > call.function.most {
                return Value::Null;
            }
            compute(&arguments, context)
        }
        Compute::Bin => {
            let time = row.value(&Path::named("@timestamp")).integer();
            match (call.arguments.first().map(|it| &it.kind), time) {
                (Some(ExprKind::Period(period)), Some(time)) => binned(*period, time, None),
                _ => Value::Null,
            }
        }
        Compute::Rows => Value::Null,
    }
}

/// The beginning of the bin in which a time lies, bins shifted by an offset.
pub fn binned(period: Period, time_ms: i64, offset: Option<Period>) -> Value {
    let shift = offset.and_then(Period::millis).unwrap_or(0);
    let floor =
        time_ms.checked_sub(shift).and_then(|time| period.floor(time)).and_then(|floor| floor.checked_add(shift));
    floor.map_or(Value::Null, Value::Time)
}
