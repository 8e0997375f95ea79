//! A naive evaluator, one row after another: slow, and simple enough to be right. What an engine gives must be the same.

mod aggregate;
mod reshape;

use std::collections::{BTreeMap, BTreeSet};

use insights::{
    ast::{Expr, IndexWanted, Item, LimitForm, Parse, ParseMode, Path, Query, Verb},
    evaluate::{Row, evaluate},
    extract,
    function::Context,
    record::discovered,
    value::{Value, equal, sort_order},
};

/// A record of a log.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) time_ms: i64,
    pub(crate) message: String,
}

/// Records of one log group, and the tables that can be looked up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Data {
    pub(crate) log: String,
    pub(crate) stream: String,
    pub(crate) records: Vec<Record>,
    pub(crate) tables: BTreeMap<String, Vec<Vec<String>>>,
}

pub(crate) type Fields = BTreeMap<String, Value>;

/// What the evaluation of one query knows.
pub(crate) struct Reference<'d> {
    pub(crate) data: &'d Data,
    pub(crate) text: &'d str,
    pub(crate) context: Context,
}

/// A row, as expressions see it.
pub(crate) struct Seen<'r, 'd> {
    pub(crate) fields: &'r Fields,
    pub(crate) reference: &'r Reference<'d>,
}

impl Row for Seen<'_, '_> {
    fn value(&self, path: &Path) -> Value {
        if let Some(value) = self.fields.get(&path.flat()) {
            return value.clone();
        }
        let Some(root) = self.fields.get(path.root()) else {
            return Value::Null;
        };
        let first_index = self.reference.context.rules.first_index;
        path.parts[1..].iter().fold(root, |value, part| value.inside(part, first_index)).clone()
    }

    fn in_subquery(&self, query: &Query, value: &Value) -> bool {
        let rules = &self.reference.context.rules;
        let rows = self.reference.rows(query).expect("the subquery is within the reference");
        let column =
            insights::check(self.reference.text, query.clone(), rules).expect("it was checked").columns.remove(0);
        rows.iter().any(|row| row.get(&column.name).is_some_and(|found| equal(found, value, rules) == Some(true)))
    }
}

impl Reference<'_> {
    /// The rows after the last command, with all their fields; or the command that is not in the reference.
    pub(crate) fn rows(&self, query: &Query) -> Result<Vec<Fields>, String> {
        let mut rows = self.records();
        for command in &query.commands {
            rows = self.command(&command.verb, rows)?;
        }
        Ok(rows)
    }

    /// The records, newest first.
    fn records(&self) -> Vec<Fields> {
        let mut rows: Vec<Fields> = self
            .data
            .records
            .iter()
            .enumerate()
            .map(|(index, record)| {
                let mut fields: Fields = discovered(&record.message).into_iter().collect();
                fields.insert("@timestamp".into(), Value::Time(record.time_ms));
                fields.insert("@ingestionTime".into(), Value::Time(record.time_ms));
                fields.insert("@message".into(), Value::Text(record.message.clone()));
                fields.insert("@log".into(), Value::Text(self.data.log.clone()));
                fields.insert("@logStream".into(), Value::Text(self.data.stream.clone()));
                fields.insert("@ptr".into(), Value::Text(index.to_string()));
                fields
            })
            .collect();
        rows.sort_by_key(|fields| std::cmp::Reverse(fields["@timestamp"].integer()));
        rows
    }

    pub(crate) fn value(&self, expr: &Expr, fields: &Fields) -> Value {
        evaluate(expr, &Seen { fields, reference: self }, &self.context)
    }

    fn at(&self, path: &Path, fields: &Fields) -> Value {
        Seen { fields, reference: self }.value(path)
    }

    /// What tells groups apart: the value as it prints.
    fn key(&self, value: &Value) -> Option<String> {
        value.print(&self.context.rules)
    }

    fn command(&self, verb: &Verb, mut rows: Vec<Fields>) -> Result<Vec<Fields>, String> {
        match verb {
            Verb::Fields(items) | Verb::Display(items) => {
                for fields in &mut rows {
                    self.derive(items, fields);
                }
            }
            Verb::Filter(condition) => rows.retain(|fields| self.value(condition, fields).truth()),
            Verb::FilterIndex(tests) => rows.retain(|fields| {
                tests.iter().all(|test| {
                    let value = self.at(&test.field.it, fields);
                    let is =
                        |wanted: &Expr| equal(&value, &self.value(wanted, fields), &self.context.rules) == Some(true);
                    match &test.wanted {
                        IndexWanted::Equal(wanted) => is(wanted),
                        IndexWanted::OneOf(wanted) => wanted.iter().any(is),
                    }
                })
            }),
            Verb::Stats(stats) => rows = self.stats(stats, &rows)?,
            Verb::Sort(keys) => {
                let rules = &self.context.rules;
                rows.sort_by(|one, other| {
                    keys.iter()
                        .map(|key| {
                            let descending = key.descending.unwrap_or(rules.sort_descending);
                            sort_order(&self.value(&key.expr, one), &self.value(&key.expr, other), descending, rules)
                        })
                        .find(|order| order.is_ne())
                        .unwrap_or(std::cmp::Ordering::Equal)
                });
            }
            Verb::Limit(limit) => {
                let count = usize::try_from(limit.rows).unwrap_or(usize::MAX);
                match limit.form {
                    LimitForm::Tail => drop(rows.drain(..rows.len().saturating_sub(count))),
                    _ => rows.truncate(count),
                }
            }
            Verb::Parse(parse) => rows = rows.into_iter().flat_map(|fields| self.parse(parse, fields)).collect(),
            Verb::Json { of, path, name } => {
                for fields in &mut rows {
                    let text = self.text(of.as_ref(), fields).unwrap_or_default();
                    fields.insert(name.it.clone(), extract::json(path, &text));
                }
            }
            Verb::Dedup(keys) => {
                let mut seen = BTreeSet::new();
                rows.retain(|fields| {
                    let values: Option<Vec<String>> =
                        keys.iter().map(|key| self.key(&self.at(&key.it, fields))).collect();
                    values.is_none_or(|values| seen.insert(values))
                });
            }
            other => return self.reshape(other, rows),
        }
        Ok(rows)
    }

    fn derive(&self, items: &[Item], fields: &mut Fields) {
        for item in items {
            let value = self.value(&item.expr, fields);
            fields.insert(item.column_name(self.text), value);
        }
    }

    /// The text that is taken apart, the message if none is said.
    fn text(&self, of: Option<&Expr>, fields: &Fields) -> Option<String> {
        let value = match of {
            Some(of) => self.value(of, fields),
            None => fields.get("@message").cloned().unwrap_or(Value::Null),
        };
        value.text(&self.context.rules)
    }

    fn parse(&self, parse: &Parse, fields: Fields) -> Vec<Fields> {
        let text = self.text(parse.of.as_ref(), &fields);
        let absent = text.is_none();
        let text = text.unwrap_or_default();
        let with = |found: Vec<(String, Option<String>)>| {
            let mut fields = fields.clone();
            for (name, value) in found {
                fields.insert(name, value.map_or(Value::Null, Value::Text));
            }
            fields
        };
        let owned = |found: Vec<(&str, Option<&str>)>| -> Vec<(String, Option<String>)> {
            found.into_iter().map(|(name, value)| (name.to_owned(), value.map(str::to_owned))).collect()
        };
        match &parse.mode {
            // In what is absent nothing is found, not even an empty text.
            ParseMode::Regex(..) if absent && parse.multi => Vec::new(),
            ParseMode::Glob(_, names) | ParseMode::Csv(names) if absent => {
                vec![with(names.iter().map(|name| (name.it.clone(), None)).collect())]
            }
            ParseMode::Regex(regex, names) if absent => {
                let named =
                    names.iter().map(|name| name.it.as_str()).chain(regex.it.names().filter(|_| names.is_empty()));
                vec![with(named.map(|name| (name.to_owned(), None)).collect())]
            }
            ParseMode::Glob(pattern, names) => {
                let found = extract::glob(&pattern.it, &text).unwrap_or_default();
                let each = names.iter().enumerate();
                vec![with(
                    each.map(|(index, name)| (name.it.clone(), found.get(index).map(|it| (*it).to_owned()))).collect(),
                )]
            }
            ParseMode::Regex(regex, _) if parse.multi => {
                extract::regex_all(&regex.it, &text).into_iter().map(|found| with(owned(found))).collect()
            }
            ParseMode::Regex(regex, names) => {
                let names: Vec<&str> = names.iter().map(|name| name.it.as_str()).collect();
                vec![with(owned(extract::regex(&regex.it, &names, &text)))]
            }
            ParseMode::Logfmt(name) => {
                let pairs = extract::logfmt(&text).into_iter();
                vec![with(pairs.map(|(key, value)| (format!("{}.{key}", name.it), Some(value))).collect())]
            }
            ParseMode::Csv(names) => {
                let values = extract::csv(&text);
                let each = names.iter().enumerate();
                vec![with(each.map(|(index, name)| (name.it.clone(), values.get(index).cloned())).collect())]
            }
            ParseMode::Xml(_, path, name) => vec![with(vec![(name.it.clone(), path.find(&text))])],
        }
    }
}
