//! The cases in `tests/conformance`, which say of queries over small fixtures what must come out. They name no engine: here
//! they are held against the checker and against a naive evaluator, elsewhere against a real one.

mod reference;

use std::{collections::BTreeMap, fs, path::Path};

use insights::{Checked, QueryError, compile, function::Context, rules::Rules, value::number_of_text};
use reference::{Data, Record, Reference};
use serde::Deserialize;

/// What `fixtures.toml` holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixtures {
    account: String,
    /// The time that queries ask for.
    start: jiff::Timestamp,
    end: jiff::Timestamp,
    fixture: BTreeMap<String, Fixture>,
    table: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    group: String,
    stream: String,
    records: Vec<(jiff::Timestamp, String)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

/// One query and what must come out of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What it shows.
    name: String,
    /// D documented, V seen, I follows, U uncertain: a choice.
    mark: char,
    fixture: Option<String>,
    /// Messages, all at the beginning of the time, instead of a fixture.
    messages: Option<Vec<String>>,
    query: String,
    /// The columns, in their order.
    columns: Option<Vec<String>>,
    /// The rows: names and printed values, null left out.
    rows: Option<Vec<BTreeMap<String, String>>>,
    /// Whether rows may come in any order.
    #[serde(default)]
    any_order: bool,
    /// How many rows, where they are not listed.
    count: Option<usize>,
    /// The fields that are read.
    reads: Option<Vec<String>>,
    error: Option<Refused>,
}

/// Why a query is refused, and at which piece of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    kind: String,
    at: String,
}

fn read<T: for<'de> Deserialize<'de>>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance").join(name);
    toml::from_str(&fs::read_to_string(&path).expect("the file is there"))
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn data_of(case: &Case, fixtures: &Fixtures) -> Data {
    let tables = fixtures
        .table
        .iter()
        .map(|(name, text)| (name.clone(), text.lines().map(insights::extract::csv).collect()))
        .collect();
    let (group, stream, records) = match (&case.fixture, &case.messages) {
        (Some(name), None) => {
            let fixture = fixtures.fixture.get(name).unwrap_or_else(|| panic!("{}: no fixture {name}", case.name));
            (&*fixture.group, &*fixture.stream, fixture.records.clone())
        }
        (None, messages) => {
            let messages = messages.clone().unwrap_or_default();
            ("/lab/inline", "inline/1", messages.into_iter().map(|message| (fixtures.start, message)).collect())
        }
        (Some(_), Some(_)) => panic!("{}: a fixture and messages", case.name),
    };
    let record = |(time, message): (jiff::Timestamp, String)| Record { time_ms: time.as_millisecond(), message };
    Data {
        log: format!("{}:{group}", fixtures.account),
        stream: stream.to_owned(),
        records: records.into_iter().map(record).collect(),
        tables,
    }
}

/// The result as the service prints it, or the command that the reference does not have.
fn rows_of(
    text: &str,
    checked: &Checked,
    data: &Data,
    fixtures: &Fixtures,
) -> Result<Vec<BTreeMap<String, String>>, String> {
    let context = Context {
        start_ms: fixtures.start.as_millisecond(),
        end_ms: fixtures.end.as_millisecond(),
        now_s: fixtures.end.as_second(),
        rules: Rules::default(),
    };
    let reference = Reference { data, text, context };
    let rules = &reference.context.rules;
    let mut rows = reference.rows(&checked.query)?;
    rows.truncate(usize::try_from(rules.rows(checked.limit, None)).expect("100,000 at most"));
    let printed = rows.iter().map(|fields| {
        let columns = checked.columns.iter();
        columns.filter_map(|column| Some((column.name.clone(), fields.get(&column.name)?.print(rules)?))).collect()
    });
    Ok(printed.collect())
}

/// Whether two printed rows are the same: numbers within what four decimals can tell apart, names without blanks.
fn same(one: &BTreeMap<String, String>, other: &BTreeMap<String, String>) -> bool {
    let name = |name: &str| name.replace(' ', "");
    let value = |one: &str, other: &str| match (number_of_text(one), number_of_text(other)) {
        (Some(one), Some(other)) => (one - other).abs() <= 5e-5,
        _ => one == other,
    };
    one.len() == other.len()
        && one
            .iter()
            .zip(other)
            .all(|((key, found), (wanted, expected))| name(key) == name(wanted) && value(found, expected))
}

fn kind_of(error: &QueryError) -> String {
    serde_json::to_value(error.kind).expect("it is a word").as_str().unwrap_or_default().to_owned()
}

/// What is wrong with a case, if anything.
fn fault_of(case: &Case, fixtures: &Fixtures, without_rows: &mut Vec<String>) -> Option<String> {
    if !"DVIU".contains(case.mark) {
        return Some(format!("the mark {} is not known", case.mark));
    }
    let checked = match (compile(&case.query, &Rules::default()), &case.error) {
        (Err(error), Some(refused)) => {
            let at = &case.query[error.start..error.end];
            let as_told = kind_of(&error) == refused.kind && at == refused.at;
            return (!as_told).then(|| format!("{} `{at}`: {error}", kind_of(&error)));
        }
        (Err(error), None) => return Some(format!("{error}\n{}", error.pointed())),
        (Ok(_), Some(refused)) => return Some(format!("accepted, and not refused as {}", refused.kind)),
        (Ok(checked), None) => checked,
    };
    let again = insights::parse(&checked.query.to_string());
    if again.as_ref() != Ok(&checked.query) {
        return Some(format!("prints as {} and is then {again:?}", checked.query));
    }
    let columns: Vec<&str> = checked.columns.iter().map(|column| column.name.as_str()).collect();
    if case.columns.as_ref().is_some_and(|wanted| *wanted != columns) {
        return Some(format!("columns {columns:?}"));
    }
    let reads: Vec<&str> = checked.reads.fields.iter().map(String::as_str).collect();
    if case.reads.as_ref().is_some_and(|wanted| *wanted != reads) {
        return Some(format!("reads {reads:?}"));
    }
    if case.rows.is_none() && case.count.is_none() {
        return None;
    }
    let mut found = match rows_of(&case.query, &checked, &data_of(case, fixtures), fixtures) {
        Ok(found) => found,
        Err(missing) => {
            without_rows.push(format!("{}: {missing}", case.name));
            return None;
        }
    };
    if case.count.is_some_and(|count| count != found.len()) {
        return Some(format!("{} rows", found.len()));
    }
    let mut wanted = case.rows.clone()?;
    if case.any_order {
        wanted.sort();
        found.sort();
    }
    let equal = wanted.len() == found.len() && wanted.iter().zip(&found).all(|(one, other)| same(one, other));
    (!equal).then(|| format!("rows {found:#?}"))
}

#[test]
fn every_case_comes_out_as_written() {
    let fixtures: Fixtures = read("fixtures.toml");
    let mut count = 0;
    let mut faults = Vec::new();
    let mut without_rows = Vec::new();
    for name in ["rows.toml", "filter.toml", "expressions.toml", "stats.toml", "extract.toml", "refused.toml"] {
        let cases: Cases = read(name);
        for case in &cases.case {
            count += 1;
            if let Some(fault) = fault_of(case, &fixtures, &mut without_rows) {
                faults.push(format!("{name}: {} [{}]\n{}\n{fault}", case.name, case.mark, case.query));
            }
        }
    }
    assert!(faults.is_empty(), "{} of {count} cases:\n\n{}", faults.len(), faults.join("\n\n"));
    assert!(count >= 300, "only {count} cases");
    assert!(without_rows.is_empty(), "their rows were not compared: {without_rows:#?}");
}

#[test]
fn names_of_cases_are_all_different() {
    let mut names = std::collections::BTreeSet::new();
    for file in ["rows.toml", "filter.toml", "expressions.toml", "stats.toml", "extract.toml", "refused.toml"] {
        for case in read::<Cases>(file).case {
            assert!(names.insert(case.name.clone()), "{} twice", case.name);
        }
    }
}

#[test]
fn no_more_rows_than_by_default_come_out() {
    let fixtures: Fixtures = read("fixtures.toml");
    let record = Record { time_ms: fixtures.start.as_millisecond(), message: "x".into() };
    let data = Data { records: vec![record; 12_000], ..Data::default() };
    for (query, count) in [("display @message", 10_000), ("limit 11000", 11_000), ("limit 5", 5)] {
        let checked = compile(query, &Rules::default()).unwrap();
        assert_eq!(rows_of(query, &checked, &data, &fixtures).unwrap().len(), count, "{query}");
    }
}

#[test]
fn what_is_read_is_enough_to_answer() {
    let fixtures: Fixtures = read("fixtures.toml");
    let mut compared = 0;
    for file in ["rows.toml", "filter.toml", "stats.toml", "extract.toml"] {
        for case in read::<Cases>(file).case.iter().filter(|case| case.error.is_none()) {
            let checked = compile(&case.query, &Rules::default()).unwrap();
            // What a subquery reads is known when it is checked by itself.
            if case.query.contains("SOURCE") {
                continue;
            }
            let mut data = data_of(case, &fixtures);
            let Ok(whole) = rows_of(&case.query, &checked, &data, &fixtures) else {
                continue;
            };
            // Records without all that is not read give the same answer.
            for record in &mut data.records {
                record.message = pruned_message(&record.message, &checked);
            }
            assert_eq!(rows_of(&case.query, &checked, &data, &fixtures).unwrap(), whole, "{}", case.name);
            compared += 1;
        }
    }
    assert!(compared > 180, "{compared}");
}

fn pruned_message(message: &str, checked: &Checked) -> String {
    if checked.reads.fields.contains("@message") {
        return message.to_owned();
    }
    let kept: serde_json::Map<String, serde_json::Value> = match serde_json::from_str(message) {
        Ok(serde_json::Value::Object(object)) => object
            .into_iter()
            .filter(|(name, _)| {
                let shown = if name.starts_with('@') { format!("@{name}") } else { name.clone() };
                checked.reads.fields.iter().any(|read| *read == shown || read.starts_with(&format!("{shown}.")))
            })
            .collect(),
        _ => return String::new(),
    };
    serde_json::Value::Object(kept).to_string()
}
