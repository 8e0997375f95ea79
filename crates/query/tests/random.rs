//! Queries drawn at random, over records drawn at random: the engine gives what the naive evaluator of the language gives.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop at its line")]

#[path = "../../insights/tests/reference/mod.rs"]
mod reference;
mod support;

use std::collections::BTreeMap;

use fastrand::Rng;
use insights::{
    check::Rows,
    compile,
    function::Context,
    rules::Rules,
    value::{Value, json_of_text},
};
use query::{Engine, EngineConfig, Request};
use reference::{Data, Record, Reference};
use support::{in_files, in_memory, same, store_in};

const START_MS: i64 = 1_791_201_600_000;
const HOUR_MS: i64 = 3_600_000;

fn pick<'a>(rng: &mut Rng, all: &[&'a str]) -> &'a str {
    all[rng.usize(..all.len())]
}

/// A message: mostly JSON, with fields that are sometimes absent and sometimes of another kind.
fn message(rng: &mut Rng) -> String {
    if rng.u8(..12) == 0 {
        return pick(rng, &["gate open", "", "took=7 by mia", "{\"broken\":", "[1,2]", "é 7 \"x\""]).to_owned();
    }
    let mut pairs = Vec::new();
    let mut maybe = |rng: &mut Rng, share: u8, name: &str, value: String| {
        if rng.u8(..10) < share {
            pairs.push(format!("\"{name}\":{value}"));
        }
    };
    let level = format!("\"{}\"", pick(rng, &["INFO", "WARN", "ERROR"]));
    maybe(rng, 9, "level", level);
    let dock = format!("\"{}\"", pick(rng, &["north", "south", "dock 7", "dock 12", ""]));
    maybe(rng, 8, "dock", dock);
    let took = rng.i32(-5..120).to_string();
    maybe(rng, 8, "took", took);
    let load = format!("{}.{}", rng.i32(-3..9), [0, 5, 25, 125][rng.usize(..4)]);
    maybe(rng, 7, "load", load);
    let code = pick(rng, &["200", "\"200\"", "404", "\"x\"", "5.5", "true", "\"7a\"", "null"]).to_owned();
    maybe(rng, 8, "code", code);
    let on = pick(rng, &["true", "false"]).to_owned();
    maybe(rng, 5, "on", on);
    let text = pick(rng, &["\"12\"", "\"1.5\"", "\"a1\"", "\"a10\"", "\"-3\"", "\"a2\"", "\" \""]).to_owned();
    maybe(rng, 7, "num", text);
    let big = pick(rng, &["9007199254740993", "9007199254740992", "5"]).to_owned();
    maybe(rng, 3, "big", big);
    format!("{{{}}}", pairs.join(","))
}

const FIELDS: [&str; 11] =
    ["level", "dock", "took", "load", "code", "on", "num", "nosuch", "@message", "@timestamp", "@logStream"];

fn constant(rng: &mut Rng) -> &'static str {
    pick(
        rng,
        &[
            "0",
            "1",
            "45",
            "200",
            "5.5",
            "-3",
            "2.5",
            "\"north\"",
            "\"ERROR\"",
            "\"200\"",
            "\"12\"",
            "\"x\"",
            "\"\"",
            "true",
            "9007199254740993",
            "1791203400000",
            "\"2026-10-05 12:30\"",
        ],
    )
}

fn number(rng: &mut Rng, depth: u8) -> String {
    if depth == 0 {
        return match rng.u8(..4) {
            0 => pick(rng, &["1", "2.5", "0", "10"]).to_owned(),
            _ => pick(rng, &["took", "load", "code", "num", "nosuch", "on"]).to_owned(),
        };
    }
    match rng.u8(..9) {
        0..=3 => {
            let operator = pick(rng, &["+", "-", "*", "/", "%"]);
            format!("({} {operator} {})", number(rng, depth - 1), number(rng, depth - 1))
        }
        4 => format!("abs({})", number(rng, depth - 1)),
        5 => format!("strlen({})", pick(rng, &FIELDS)),
        6 => format!("if({}, {}, {})", condition(rng, depth - 1), number(rng, depth - 1), number(rng, depth - 1)),
        7 => format!("coalesce({}, {})", number(rng, depth - 1), number(rng, depth - 1)),
        _ => format!("toNumber({})", pick(rng, &FIELDS)),
    }
}

fn text(rng: &mut Rng) -> String {
    match rng.u8(..6) {
        0 => format!("toupper({})", pick(rng, &FIELDS)),
        1 => format!("concat({}, \"-\", {})", pick(rng, &FIELDS), pick(rng, &FIELDS)),
        2 => format!("substr({}, 1, 3)", pick(rng, &FIELDS)),
        3 => format!("case({}, \"a\", {}, dock)", condition(rng, 1), condition(rng, 0)),
        _ => pick(rng, &FIELDS).to_owned(),
    }
}

fn condition(rng: &mut Rng, depth: u8) -> String {
    let comparison = pick(rng, &["=", "!=", "<", "<=", ">", ">="]);
    match if depth == 0 { rng.u8(..8) } else { rng.u8(..14) } {
        0..=2 => format!("{} {comparison} {}", pick(rng, &FIELDS), constant(rng)),
        3 => format!("{} {comparison} {}", pick(rng, &FIELDS), pick(rng, &FIELDS)),
        4 => {
            let not = pick(rng, &["", "not "]);
            format!(
                "{} {not}like {}",
                pick(rng, &FIELDS),
                pick(rng, &["\"o\"", "/^.o/", "/\\d+/", "\"ERR\"", "/(?i)WARN/"])
            )
        }
        5 => {
            let not = pick(rng, &["", "not "]);
            format!("{} {not}in [{}, {}]", pick(rng, &FIELDS), constant(rng), constant(rng))
        }
        6 => format!("{}({})", pick(rng, &["ispresent", "isempty", "isblank", "isNumeric"]), pick(rng, &FIELDS)),
        7 => format!("{} {comparison} {}", number(rng, depth.min(1)), constant(rng)),
        8 | 9 => format!("not ({})", condition(rng, depth - 1)),
        10 => format!("({} and {})", condition(rng, depth - 1), condition(rng, depth - 1)),
        12 => format!("({} or {})", condition(rng, depth - 1), condition(rng, depth - 1)),
        // Beyond 2^53 the engine orders whole numbers exactly, the language's evaluator as doubles; equal is equal for both.
        11 => format!("big {} {}", pick(rng, &["=", "!="]), constant(rng)),
        _ => pick(rng, &["on", "took", "code", "load"]).to_owned(),
    }
}

fn aggregate(rng: &mut Rng) -> String {
    match rng.u8(..10) {
        0 => "count(*)".to_owned(),
        1 => format!("count({})", pick(rng, &FIELDS)),
        2 => format!("count_distinct({})", pick(rng, &FIELDS)),
        3 => format!("sum({})", number(rng, 1)),
        4 => format!("avg({})", number(rng, 1)),
        5 => format!("min({})", text(rng)),
        6 => format!("max({})", text(rng)),
        7 => format!("pct({}, {})", number(rng, 0), rng.u8(..=100)),
        8 => format!("{}({})", pick(rng, &["earliest", "latest"]), pick(rng, &FIELDS)),
        _ => format!(
            "{}({})",
            pick(rng, &["stddev", "variance", "sortsFirst", "sortsLast", "values"]),
            pick(rng, &FIELDS)
        ),
    }
}

fn query(rng: &mut Rng) -> String {
    let mut commands = Vec::new();
    let mut known: Vec<String> = Vec::new();
    for step in 0..rng.usize(..4) {
        match rng.u8(..6) {
            0..=2 => commands.push(format!("filter {}", condition(rng, 2))),
            3 => {
                let name = format!("x{step}");
                let of = if rng.bool() { number(rng, 2) } else { text(rng) };
                commands.push(format!("fields {of} as {name}"));
                known.push(name);
            }
            4 => {
                let name = format!("p{step}");
                commands.push(format!("parse {} /(?<{name}>[a-z]+\\d*)/", pick(rng, &["@message", "dock", "num"])));
                known.push(name);
            }
            _ => {
                let (one, other) = (format!("g{step}"), format!("h{step}"));
                commands.push(format!("parse @message \"\\\"took\\\":*,*:\" as {one}, {other}"));
                known.extend([one, other]);
            }
        }
    }
    let field = |rng: &mut Rng| {
        if known.is_empty() || rng.bool() {
            pick(rng, &FIELDS).to_owned()
        } else {
            known[rng.usize(..known.len())].clone()
        }
    };
    if rng.bool() {
        let mut items: Vec<String> = (0..rng.usize(1..4)).map(|at| format!("{} as s{at}", aggregate(rng))).collect();
        items.push("count(*) as n".to_owned());
        let by = match rng.u8(..5) {
            0 => String::new(),
            1 => format!(" by {} as k", field(rng)),
            2 => " by bin(5m) as k".to_owned(),
            3 => format!(" by {} as k, {} as l", field(rng), condition(rng, 1)),
            _ => format!(" by bin(10m) as k, {} as l", text(rng)),
        };
        commands.push(format!("stats {}{by}", items.join(", ")));
        if rng.u8(..3) == 0 {
            commands.push("filter n > 1 and s0 != 3".to_owned());
        }
        return commands.join(" | ");
    }
    match rng.u8(..3) {
        0 => commands.push(format!("display {}, {}", field(rng), field(rng))),
        1 => commands.push(format!("display {} as d, took", text(rng))),
        _ => {}
    }
    if rng.bool() {
        let directions = [pick(rng, &["", " asc", " desc"]), pick(rng, &["", " asc", " desc"])];
        commands.push(format!("sort {}{}, {}{}", field(rng), directions[0], field(rng), directions[1]));
    }
    match rng.u8(..4) {
        0 => commands.push(format!("limit {}", rng.u32(1..30))),
        1 => commands.push(format!("tail {}", rng.u32(1..30))),
        2 if !commands.iter().any(|it| it.starts_with("display")) => commands.push(format!("dedup {}", field(rng))),
        _ => {}
    }
    if commands.is_empty() {
        commands.push("fields took".to_owned());
    }
    commands.join(" | ")
}

/// Lists are in no order of their own.
fn sorted_lists(row: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let one = |text: String| match json_of_text(&text) {
        Some(Value::List(list)) if text.starts_with('[') => {
            let mut printed: Vec<String> = list.iter().filter_map(|it| it.print(&Rules::default())).collect();
            printed.sort();
            printed.join(",")
        }
        _ => text,
    };
    row.into_iter().map(|(name, text)| (name, one(text))).collect()
}

type Printed = Vec<BTreeMap<String, String>>;

fn expected(text: &str, data: &Data) -> (Rows, Printed) {
    let rules = Rules::default();
    let checked = compile(text, &rules).unwrap_or_else(|error| panic!("{text}\n{error}"));
    let context = Context { start_ms: START_MS, end_ms: START_MS + HOUR_MS, now_s: START_MS / 1_000, rules };
    let reference = Reference { data, text, context };
    let mut rows = reference.rows(&checked.query).unwrap();
    rows.truncate(usize::try_from(reference.context.rules.rows(checked.limit, None)).unwrap());
    let printed = rows.iter().map(|fields| {
        let columns = checked.columns.iter();
        let printed = columns.filter_map(|column| {
            Some((column.name.clone(), fields.get(&column.name)?.print(&reference.context.rules)?))
        });
        sorted_lists(printed.collect())
    });
    (checked.rows, printed.collect())
}

#[tokio::test]
async fn the_engine_gives_what_the_naive_evaluator_gives() {
    let rounds: usize = std::env::var("QUERY_ROUNDS").ok().and_then(|it| it.parse().ok()).unwrap_or(1_000);
    let seed: u64 = std::env::var("QUERY_SEED").ok().and_then(|it| it.parse().ok()).unwrap_or(7);
    let engine = Engine::new(EngineConfig { threads: 2, ..EngineConfig::default() }).unwrap();
    let mut rng = Rng::with_seed(seed);
    let dir = tempfile::tempdir().unwrap();
    let mut faults = Vec::new();
    let mut with_rows = 0;
    let mut group = None;
    let mut data = Data::default();
    for round in 0..rounds {
        if round % 25 == 0 {
            let count = rng.i64(0..90);
            let records: Vec<(i64, String)> =
                (0..count).map(|number| (START_MS + number * (HOUR_MS / 90), message(&mut rng))).collect();
            data = Data {
                log: "1:/g".into(),
                stream: "s/1".into(),
                records: records
                    .iter()
                    .map(|(time_ms, message)| Record { time_ms: *time_ms, message: message.clone() })
                    .collect(),
                ..Data::default()
            };
            let memory = in_memory("1", "/g", "s/1", &records);
            group = Some(if rng.bool() { in_files(&memory, dir.path(), 20) } else { memory });
        }
        let text = query(&mut rng);
        let (kind, mut wanted) = expected(&text, &data);
        let request = Request {
            text: text.clone(),
            groups: group.iter().cloned().collect(),
            store: Some(store_in(dir.path())),
            from_ms: START_MS,
            to_ms: START_MS + HOUR_MS,
            now_ms: START_MS,
            ..Request::default()
        };
        let found = match engine.run(request) {
            Ok(running) => running.finished().await.and_then(|result| result.rows()),
            Err(error) => Err(error),
        };
        let mut found: Printed = match found {
            Ok(rows) => rows
                .into_iter()
                .map(|row| sorted_lists(row.into_iter().filter(|(name, _)| name != "@ptr").collect()))
                .collect(),
            Err(error) => {
                faults.push(format!("{text}\n{error}"));
                continue;
            }
        };
        if kind == Rows::Groups {
            // In no order; by what is printed alike whatever the last digit of a sum is.
            let key = |row: &BTreeMap<String, String>| {
                (row.get("k").cloned(), row.get("l").cloned(), row.get("n").cloned(), row.len())
            };
            wanted.sort_by_key(key);
            found.sort_by_key(key);
        }
        with_rows += usize::from(!wanted.is_empty());
        let equal = wanted.len() == found.len() && wanted.iter().zip(&found).all(|(one, other)| same(one, other));
        if !equal {
            let differing = wanted.iter().zip(&found).find(|(one, other)| !same(one, other));
            faults.push(format!("{text}\n{} and {} rows, first {differing:#?}", wanted.len(), found.len()));
        }
    }
    let shown: Vec<&String> = faults.iter().take(12).collect();
    assert!(faults.is_empty(), "{} of {rounds}:\n{shown:#?}", faults.len());
    // A generator whose queries find nothing would prove little.
    assert!(with_rows * 2 > rounds, "{with_rows} of {rounds} queries gave rows");
}
