//! A pattern's JSON into conjunctions (spec B.1, B.4).

use serde_json::{Map, Value};

use super::{
    Condition, MOST_COMBINATIONS, PatternError,
    matcher::{Matcher, Wildcard},
};

/// Keys that may not stand in an object below `$or`: they would read as matchers (spec B.4).
const RESERVED: [&str; 23] = [
    "exactly",
    "equals-ignore-case",
    "prefix",
    "suffix",
    "anything-but",
    "exists",
    "wildcard",
    "numeric",
    "cidr",
    "=",
    "<",
    "<=",
    ">",
    ">=",
    "regex",
    "not-wildcard",
    "not-equals-ignore-case",
    "in-date-range",
    "date-before",
    "date-after",
    "date-equals",
    "ip-address-in-range",
    "ip-address-not-in-range",
];

pub(super) fn compile(value: &Value) -> Result<Vec<Vec<Condition>>, PatternError> {
    let Value::Object(object) = value else { return Err(refuse("", "the pattern must be an object")) };
    let mut conjunctions = conjunctions_of(object, "")?;
    for conditions in &mut conjunctions {
        conditions.sort_by(|a, b| a.path.cmp(&b.path));
    }
    Ok(conjunctions)
}

fn refuse(at: &str, what: impl Into<String>) -> PatternError {
    PatternError { at: at.to_owned(), what: what.into() }
}

fn conjunctions_of(object: &Map<String, Value>, at: &str) -> Result<Vec<Vec<Condition>>, PatternError> {
    if object.is_empty() {
        return Err(refuse(at, "empty objects are not allowed"));
    }
    let mut so_far = vec![Vec::new()];
    for (key, value) in object {
        if key == "$or" {
            let branches = or_branches(value, at)?;
            so_far = multiply(&so_far, &branches, at)?;
            continue;
        }
        let path = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
        match value {
            Value::Object(inner) => so_far = multiply(&so_far, &conjunctions_of(inner, &path)?, at)?,
            Value::Array(elements) => {
                let matchers = leaf(elements, &path)?;
                for conditions in &mut so_far {
                    conditions.push(Condition { path: path.clone(), matchers: matchers.clone() });
                }
            }
            _ => return Err(refuse(&path, format!("\"{key}\" must be an object or an array"))),
        }
    }
    Ok(so_far)
}

/// The conjunctions of all branches of a `$or`, one after another.
fn or_branches(value: &Value, at: &str) -> Result<Vec<Vec<Condition>>, PatternError> {
    let Some(branches) = value.as_array().filter(|branches| branches.len() >= 2) else {
        return Err(refuse(at, "$or must be an array of at least two objects"));
    };
    let mut all = Vec::new();
    for branch in branches {
        let Value::Object(branch) = branch else {
            return Err(refuse(at, "$or must be an array of at least two objects"));
        };
        if let Some(key) = branch.keys().find(|key| RESERVED.contains(&key.as_str()) || key.starts_with("date-")) {
            return Err(refuse(at, format!("\"{key}\" is a reserved word and cannot be a field below $or")));
        }
        all.extend(conjunctions_of(branch, at)?);
        too_many(all.len(), at)?;
    }
    Ok(all)
}

fn multiply(left: &[Vec<Condition>], right: &[Vec<Condition>], at: &str) -> Result<Vec<Vec<Condition>>, PatternError> {
    too_many(left.len().saturating_mul(right.len()), at)?;
    Ok(left.iter().flat_map(|a| right.iter().map(|b| a.iter().chain(b).cloned().collect())).collect())
}

fn too_many(combinations: usize, at: &str) -> Result<(), PatternError> {
    if combinations > MOST_COMBINATIONS {
        return Err(refuse(at, format!("$or makes more than {MOST_COMBINATIONS} combinations")));
    }
    Ok(())
}

fn leaf(elements: &[Value], at: &str) -> Result<Vec<Matcher>, PatternError> {
    if elements.is_empty() {
        return Err(refuse(at, "empty arrays are not allowed"));
    }
    elements.iter().map(|element| matcher(element, at)).collect()
}

fn matcher(element: &Value, at: &str) -> Result<Matcher, PatternError> {
    Ok(match element {
        Value::String(text) => Matcher::text(text),
        Value::Number(_) => Matcher::Number(number(element, "a number", at)?),
        Value::Bool(wanted) => Matcher::Bool(*wanted),
        Value::Null => Matcher::Null,
        Value::Array(_) => return Err(refuse(at, "an array inside a match array is not allowed")),
        Value::Object(object) => {
            let (name, operand) = only_member(object, "a match expression", at)?;
            named(name, operand, at)?
        }
    })
}

fn only_member<'a>(object: &'a Map<String, Value>, what: &str, at: &str) -> Result<(&'a str, &'a Value), PatternError> {
    let mut members = object.iter();
    match (members.next(), members.next()) {
        (Some((key, value)), None) => Ok((key, value)),
        _ => Err(refuse(at, format!("{what} must have exactly one key"))),
    }
}

fn named(name: &str, operand: &Value, at: &str) -> Result<Matcher, PatternError> {
    Ok(match name {
        "exactly" => Matcher::Text(text(operand, name, at)?.to_owned(), None),
        "prefix" | "suffix" => affix(name, operand, at)?,
        "equals-ignore-case" => Matcher::IgnoringCase(text(operand, name, at)?.to_owned()),
        "wildcard" => wildcard(operand, at)?,
        "anything-but" => Matcher::AnythingBut(anything_but(operand, at)?),
        "numeric" => numeric(operand, at)?,
        "exists" => match operand {
            Value::Bool(true) => Matcher::Present,
            Value::Bool(false) => Matcher::Absent,
            _ => return Err(refuse(at, "exists takes true or false")),
        },
        "cidr" => cidr(text(operand, name, at)?, at)?,
        other => return Err(refuse(at, format!("unrecognized match type {other}"))),
    })
}

fn text<'a>(operand: &'a Value, name: &str, at: &str) -> Result<&'a str, PatternError> {
    operand.as_str().ok_or_else(|| refuse(at, format!("{name} takes a string")))
}

fn number(operand: &Value, name: &str, at: &str) -> Result<f64, PatternError> {
    operand.as_f64().filter(|number| number.is_finite()).ok_or_else(|| refuse(at, format!("{name} takes a number")))
}

fn affix(name: &str, operand: &Value, at: &str) -> Result<Matcher, PatternError> {
    if let Value::Object(object) = operand {
        let (inner, operand) = only_member(object, name, at)?;
        if inner != "equals-ignore-case" {
            return Err(refuse(at, format!("{name} takes a string or equals-ignore-case, not {inner}")));
        }
        let wanted = text(operand, inner, at)?.to_owned();
        return Ok(match name {
            "prefix" => Matcher::PrefixIgnoringCase(wanted),
            _ => Matcher::SuffixIgnoringCase(wanted),
        });
    }
    let wanted = text(operand, name, at)?.to_owned();
    Ok(if name == "prefix" { Matcher::Prefix(wanted) } else { Matcher::Suffix(wanted) })
}

fn wildcard(operand: &Value, at: &str) -> Result<Matcher, PatternError> {
    Wildcard::parse(text(operand, "wildcard", at)?).map(Matcher::Wildcard).map_err(|what| refuse(at, what))
}

fn anything_but(operand: &Value, at: &str) -> Result<Vec<Matcher>, PatternError> {
    match operand {
        Value::Object(object) => {
            let (name, operand) = only_member(object, "anything-but", at)?;
            if !matches!(name, "prefix" | "suffix" | "equals-ignore-case" | "wildcard") {
                return Err(refuse(at, format!("anything-but cannot hold {name}")));
            }
            let listed = match operand {
                Value::Array(listed) if listed.is_empty() => {
                    return Err(refuse(at, "anything-but takes a list that is not empty"));
                }
                Value::Array(listed) => listed.as_slice(),
                one => std::slice::from_ref(one),
            };
            listed
                .iter()
                .map(|operand| {
                    let wanted = text(operand, name, at)?;
                    if wanted.is_empty() && matches!(name, "prefix" | "suffix") {
                        return Err(refuse(at, format!("anything-but {name} takes text that is not empty")));
                    }
                    named(name, operand, at)
                })
                .collect()
        }
        Value::Array(listed) => {
            let strings = listed.iter().all(Value::is_string);
            let numbers = listed.iter().all(Value::is_number);
            if listed.is_empty() || !(strings || numbers) {
                return Err(refuse(at, "anything-but takes a list of only strings or only numbers, not empty"));
            }
            listed.iter().map(|element| matcher(element, at)).collect()
        }
        Value::String(_) | Value::Number(_) => Ok(vec![matcher(operand, at)?]),
        Value::Bool(_) | Value::Null => Err(refuse(at, "anything-but takes strings or numbers")),
    }
}

fn numeric(operand: &Value, at: &str) -> Result<Matcher, PatternError> {
    let wrong = |what: &str| refuse(at, format!("numeric: {what}"));
    let Value::Array(operands) = operand else { return Err(wrong("takes an array of operators and numbers")) };
    let (operator, bound, second) = match operands.as_slice() {
        [operator, bound] => (operator, bound, None),
        [operator, bound, operator2, bound2] => (operator, bound, Some((operator2, bound2))),
        _ => return Err(wrong("takes one or two operators, each with a number")),
    };
    let bound = number(bound, "numeric", at)?;
    let lower = match text(operator, "numeric", at)? {
        "=" if second.is_none() => return Ok(Matcher::Number(bound)),
        "<" if second.is_none() => return Ok(Matcher::Numeric { lower: None, upper: Some((bound, false)) }),
        "<=" if second.is_none() => return Ok(Matcher::Numeric { lower: None, upper: Some((bound, true)) }),
        ">" => (bound, false),
        ">=" => (bound, true),
        "=" | "<" | "<=" => return Err(wrong("a range gives its lower bound first, with > or >=")),
        other => return Err(wrong(&format!("unknown operator {other}"))),
    };
    let Some((operator, bound)) = second else { return Ok(Matcher::Numeric { lower: Some(lower), upper: None }) };
    let bound = number(bound, "numeric", at)?;
    let upper = match text(operator, "numeric", at)? {
        "<" => (bound, false),
        "<=" => (bound, true),
        other => return Err(wrong(&format!("a range ends with < or <=, not {other}"))),
    };
    if lower.0 >= upper.0 {
        return Err(wrong("the lower bound must be below the upper one"));
    }
    Ok(Matcher::Numeric { lower: Some(lower), upper: Some(upper) })
}

fn cidr(block: &str, at: &str) -> Result<Matcher, PatternError> {
    let parsed = block.split_once('/').and_then(|(network, bits)| {
        let network: std::net::IpAddr = network.parse().ok()?;
        let bits: u8 = bits.parse().ok()?;
        (bits <= if network.is_ipv4() { 32 } else { 128 }).then_some(Matcher::Cidr { network, bits })
    });
    parsed.ok_or_else(|| refuse(at, format!("\"{block}\" is not a CIDR block")))
}
