//! Queries drawn at random: from the grammar, from the cases of the conformance table, and changed until they are odd.

use std::collections::BTreeMap;

use fastrand::Rng;
use insights::{
    FilterPattern, QueryError,
    ast::{Expr, ExprKind, Path, Verb},
    compile,
    evaluate::{Row, evaluate},
    function::{self, Context},
    lexer::{TokenKind, tokens},
    parse,
    rules::Rules,
    value::Value,
};

/// Pieces that make texts odd.
const PIECES: [&str; 64] = [
    "|",
    "||",
    ",",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "'",
    "\"",
    "`",
    "\\",
    "/",
    "//",
    "#",
    "\n",
    "=",
    "!=",
    "==",
    "=~",
    "<",
    ">=",
    "!",
    "+",
    "-",
    "*",
    "%",
    "^",
    ".",
    "..",
    ":",
    "@",
    "@@",
    "$",
    "&&",
    "é",
    "日本",
    "🙂",
    "\u{301}",
    "\u{0}",
    "\u{feff}",
    "\u{202e}",
    "0",
    "007",
    "1e9",
    "1e999",
    "99999999999999999999",
    "5m",
    "0s",
    "300s",
    " and ",
    " or ",
    " not ",
    " like ",
    " in ",
    " as ",
    " by ",
    "true",
    "null",
    "a[0]",
    "SOURCE 'g' | ",
    "(?i)",
    "(?<n>x)",
];

const WORDS: [&str; 14] = [
    "a",
    "b",
    "@message",
    "@timestamp",
    "svc",
    "m.k",
    "l[1]",
    "`odd name`",
    "m.`x.y`",
    "items.0.id",
    "`in`",
    "größe",
    "`1st`",
    "@@w",
];

/// Filter patterns, to be changed.
const PATTERNS: [&str; 10] = [
    "ERROR -\"a b\" %x.[0-9]{2}%",
    "?a ?\"b c\" ?%d$%",
    "{ $.a.b[0] = \"x*\" && ($.n >= 1e3 || $.t IS TRUE) }",
    "{ $.['a.b'][*].c != %^q% || $.z NOT EXISTS && $.y IS NULL }",
    "{ $.* = 10.0.* }",
    "[ip, user = \"x\" || user = %y%, ..., status = 4*, bytes > 100]",
    "[..., a != b* && a != c, d]",
    "[w1=ERROR, w2]",
    "[]",
    "{ $.a = 1 }",
];

/// The queries of the conformance table.
pub(crate) fn corpus() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance");
    let mut queries = Vec::new();
    for name in ["rows", "filter", "expressions", "stats", "extract", "refused"] {
        let text = std::fs::read_to_string(format!("{folder}/{name}.toml")).expect("the cases are there");
        let table: toml::Table = text.parse().expect("the cases are TOML");
        let cases = table["case"].as_array().expect("there are cases");
        queries.extend(cases.iter().filter_map(|case| Some(case.get("query")?.as_str()?.to_owned())));
    }
    queries
}

/// A text: a query that can be read, or one that was changed.
pub(crate) fn text(rng: &mut Rng, corpus: &[String]) -> String {
    let mut text = if rng.u8(..10) == 0 {
        PATTERNS[rng.usize(..PATTERNS.len())].to_owned()
    } else if rng.u8(..3) == 0 {
        corpus[rng.usize(..corpus.len())].clone()
    } else {
        query(rng, true)
    };
    if rng.u8(..3) == 0 {
        return text;
    }
    for _ in 0..rng.usize(1..=4) {
        text = changed(rng, &text, corpus);
    }
    text
}

fn place(rng: &mut Rng, text: &str) -> usize {
    let at = rng.usize(..=text.len());
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn changed(rng: &mut Rng, text: &str, corpus: &[String]) -> String {
    let (one, other) = (place(rng, text), place(rng, text));
    let (start, end) = (one.min(other), one.max(other));
    match rng.u8(..8) {
        0 => format!("{}{}", &text[..start], &text[end..]),
        1 => format!("{}{}{}", &text[..end], &text[start..end], &text[end..]),
        2 => {
            let other = &corpus[rng.usize(..corpus.len())];
            let from = place(rng, other);
            format!("{}{}", &text[..start], &other[from..])
        }
        3 => {
            let piece = PIECES[rng.usize(..PIECES.len())].repeat(rng.usize(1..80));
            format!("{}{piece}{}", &text[..start], &text[start..])
        }
        4 => format!("{}{}{}", &text[..start], &text[start..end].to_uppercase(), &text[end..]),
        5 => {
            // Two words of the query change places.
            let all = tokens(text);
            let (one, other) = (&all[rng.usize(..all.len())], &all[rng.usize(..all.len())]);
            let (first, second) = if one.span.start <= other.span.start { (one, other) } else { (other, one) };
            if first.span.end > second.span.start {
                return text.to_owned();
            }
            let between = &text[first.span.end..second.span.start];
            let (head, tail) = (&text[..first.span.start], &text[second.span.end..]);
            format!("{head}{}{between}{}{tail}", second.span.of(text), first.span.of(text))
        }
        _ => format!("{}{}{}", &text[..start], PIECES[rng.usize(..PIECES.len())], &text[start..]),
    }
}

/// A query of the grammar; it can be read, but need not mean anything.
pub(crate) fn query(rng: &mut Rng, outermost: bool) -> String {
    let mut commands: Vec<String> = (0..rng.usize(1..=6)).map(|_| command(rng, outermost)).collect();
    if rng.u8(..6) == 0 {
        let sources = [
            "SOURCE '/a/b' start=-3h end=now",
            "SOURCE logGroups(namePrefix: ['x', \"y\"], class: ['STANDARD'])",
            "SOURCE logGroupTags([{key: 'k', values: ['v', 'w*']}])",
            "SOURCE dataSource(['d'])",
        ];
        commands.insert(0, sources[rng.usize(..sources.len())].to_owned());
    }
    commands.join(if rng.bool() { " | " } else { "\n|" })
}

fn several(rng: &mut Rng, one: impl Fn(&mut Rng) -> String) -> String {
    let all: Vec<String> = (0..rng.usize(1..=3)).map(|_| one(rng)).collect();
    all.join(", ")
}

fn word(rng: &mut Rng) -> String {
    WORDS[rng.usize(..WORDS.len())].to_owned()
}

fn name(rng: &mut Rng) -> String {
    ["x", "y", "`z z`", "total", "@t", "`as`"][rng.usize(..6)].to_owned()
}

fn item(rng: &mut Rng) -> String {
    let expression = expression(rng, 3, true);
    if rng.bool() { format!("{expression} as {}", name(rng)) } else { expression }
}

fn fields(rng: &mut Rng) -> String {
    several(rng, word)
}

fn command(rng: &mut Rng, outermost: bool) -> String {
    match rng.u8(..31) {
        0 | 1 => format!("fields {}", several(rng, item)),
        2 => format!("display {}", several(rng, item)),
        3..=6 => format!("filter {}", expression(rng, 4, outermost)),
        7 => format!("where {}", expression(rng, 2, outermost)),
        8..=10 => {
            let by = if rng.bool() { format!(" by {}, bin(5m)", several(rng, item)) } else { String::new() };
            format!("stats {} as s, {}{by}", aggregate(rng), aggregate(rng))
        }
        11 => format!("sort {} desc, {}", expression(rng, 2, false), word(rng)),
        12 => format!("{} {}", ["limit", "limit any", "head", "tail"][rng.usize(..4)], rng.u32(..200_000)),
        13 => format!("parse {} \"* x *\" as {}, q", word(rng), name(rng)),
        14 => format!(
            "parse {} /(?<u{}>\\d+) \\/(?<v>[^ ]*)/{}",
            word(rng),
            rng.u8(..9),
            if rng.bool() { " multi" } else { "" }
        ),
        15 => format!("parse ({}) csv as {}, r", expression(rng, 2, false), name(rng)),
        16 => format!("parse logfmt as {}", name(rng)),
        17 => format!("json field={} 'a.b' as {}", word(rng), name(rng)),
        18 => format!("dedup {}", fields(rng)),
        19 => format!("pattern {}", expression(rng, 1, false)),
        20 => ["diff", "diff previousDay", "fillmissing", "fillmissing with 0 for a, b, 'x' for c", "filldown a*, b"]
            [rng.usize(..5)]
        .to_owned(),
        21 => format!("unnest {} into {}", expression(rng, 2, false), name(rng)),
        22 => format!(
            "lookup my-table a as {}, b OUTPUT{} c as {}",
            word(rng),
            if rng.bool() { "NEW" } else { "" },
            name(rng)
        ),
        23 if outermost => {
            format!("join type=left left=l right=r where l.k = r.k and r.j = l.j ({})", query(rng, false))
        }
        24 if outermost => format!("appendcols override=true max=7 ({})", query(rng, false)),
        25 => format!("autoregress {} p=1-{}", word(rng), rng.u8(1..9)),
        26 => format!("accum {} as {}", word(rng), name(rng)),
        27 => format!("outlier action=remove param=1.5 {}", fields(rng)),
        28 => format!("sessionize {} maxspan 30m as {}", fields(rng), name(rng)),
        29 => format!("addtotals col=true {}", fields(rng)),
        _ => format!("filterIndex {} = 'x' and {} in [1, 'y']", word(rng), word(rng)),
    }
}

fn aggregate(rng: &mut Rng) -> String {
    let inside = expression(rng, 2, false);
    match rng.u8(..5) {
        0 => "count(*)".to_owned(),
        1 => format!("sum({inside}) / count({})", word(rng)),
        2 => format!("pct({inside}, 99)"),
        3 => format!("max({inside}) - min({})", word(rng)),
        _ => format!("latest({inside})"),
    }
}

fn expression(rng: &mut Rng, depth: u8, outermost: bool) -> String {
    if depth == 0 {
        return match rng.u8(..6) {
            0 => rng.u32(..1_000).to_string(),
            1 => format!("{}.{}", rng.u8(..), rng.u8(..)),
            2 => ["\"t\"", "'it \"is\"'", "\"q\\\"\\\\\"", "\"\"", "'%x%'", "\"12\""][rng.usize(..6)].to_owned(),
            3 => ["true", "FALSE", "9007199254740993", "1e3", ".5"][rng.usize(..5)].to_owned(),
            _ => word(rng),
        };
    }
    let one = |rng: &mut Rng| expression(rng, depth - 1, outermost);
    match rng.u8(..14) {
        0 => format!("({})", one(rng)),
        1 => format!("not {}", one(rng)),
        2 => format!("-{}", expression(rng, 0, false)),
        3..=5 => {
            let operator = ["+", "-", "*", "/", "%", "^"][rng.usize(..6)];
            format!("({}) {operator} ({})", one(rng), one(rng))
        }
        6 => format!("{} {} {}", word(rng), ["+", "-", "*", "/", "^"][rng.usize(..5)], expression(rng, 0, false)),
        7 => {
            let comparison = ["=", "!=", "<", "<=", ">", ">="][rng.usize(..6)];
            format!("({} {comparison} {})", expression(rng, 0, false), expression(rng, 0, false))
        }
        8 => format!("({} and {} or {})", one(rng), word(rng), one(rng)),
        9 => format!(
            "({} {}like {})",
            word(rng),
            if rng.bool() { "not " } else { "" },
            ["/a\\/b/", "'x'", "/(?i)[x-z]\\d+/"][rng.usize(..3)]
        ),
        10 => format!("({} in [{}, {}])", word(rng), expression(rng, 0, false), one(rng)),
        11 if outermost && rng.u8(..4) == 0 => format!("({} not in ({}))", word(rng), query(rng, false)),
        _ => call(rng, depth),
    }
}

fn call(rng: &mut Rng, depth: u8) -> String {
    let scalars: Vec<&function::Function> = function::all().filter(|function| !function.is_aggregate()).collect();
    let function = scalars[rng.usize(..scalars.len())];
    let count = rng.usize(function.least..=function.most.min(function.least + 2));
    let arguments: Vec<String> = (0..count)
        .map(|position| match function.argument(position) {
            function::Argument::Period => ["5m", "300s", "1mo", "2weeks", "1q"][rng.usize(..5)].to_owned(),
            _ => expression(rng, depth - 1, false),
        })
        .collect();
    format!("{}({})", function.name, arguments.join(", "))
}

/// What was found out about a text.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Found {
    pub(crate) read: bool,
    pub(crate) compiled: bool,
    pub(crate) pattern: bool,
}

/// A row in which every path leads to something odd.
struct Odd(BTreeMap<&'static str, Value>);

impl Row for Odd {
    fn value(&self, path: &Path) -> Value {
        self.0.get(path.root()).cloned().unwrap_or(Value::Null)
    }
}

/// Everything that must hold of any text.
///
/// # Panics
/// If something does not.
pub(crate) fn holds(text: &str) -> Found {
    let mut end = 0;
    let all = tokens(text);
    assert!(matches!(all.last().map(|token| &token.kind), Some(TokenKind::End)), "the last word is the end");
    for token in &all {
        assert!(token.span.start >= end && token.span.end >= token.span.start, "words are one behind the other");
        assert!(
            text.is_char_boundary(token.span.start) && text.is_char_boundary(token.span.end),
            "words are whole characters"
        );
        end = token.span.end;
    }
    let mut found = Found::default();
    match parse(text) {
        Err(error) => error_holds(text, &error),
        Ok(query) => {
            found.read = true;
            let printed = query.to_string();
            // A print may be longer than what was read; only then may it be refused.
            match parse(&printed) {
                Ok(again) => {
                    assert_eq!(again, query, "printed as {printed}");
                    assert_eq!(again.to_string(), printed, "a print is printed alike");
                }
                Err(error) => {
                    assert!(printed.chars().count() > insights::limits::QUERY_CHARS_MAX, "{printed}: {error}")
                }
            }
            for command in &query.commands {
                match &command.verb {
                    Verb::Filter(condition) => evaluates(condition),
                    Verb::Fields(items) | Verb::Display(items) => items.iter().for_each(|item| evaluates(&item.expr)),
                    _ => {}
                }
            }
        }
    }
    match compile(text, &Rules::default()) {
        Ok(checked) => {
            found.compiled = true;
            checked.hints.iter().for_each(|hint| error_holds(text, hint));
            assert!(!checked.columns.is_empty() || checked.more_columns, "a result has columns");
        }
        Err(error) => error_holds(text, &error),
    }
    match FilterPattern::parse(text) {
        Ok(pattern) => {
            found.pattern = true;
            for message in
                ["", text, "{\"a\":{\"b\":[\"x1\",{\"c\":null}]},\"n\":1000,\"t\":true}", "a [b c] \"d e\" 404 1"]
            {
                assert_eq!(pattern.is_match(message), pattern.test(message).is_some());
            }
        }
        Err(error) => error_holds(text, &error),
    }
    found
}

fn error_holds(text: &str, error: &QueryError) {
    assert!(error.start <= error.end && error.end <= text.len(), "{error}");
    assert!(text.is_char_boundary(error.start) && text.is_char_boundary(error.end), "{error}");
    assert!(error.line >= 1 && error.column >= 1, "{error}");
    assert!(!error.message.is_empty() && !error.to_string().contains(char::is_control), "{error:?}");
    let pointed = error.pointed();
    assert!(pointed.chars().filter(|char| char.is_control()).all(|char| char == '\n'), "{pointed:?}");
    let place = error.malformed().query_compile_error.location;
    assert!(place.start_char_offset <= place.end_char_offset && place.end_char_offset <= text.chars().count());
}

fn evaluates(expr: &Expr) {
    let rows = [
        Odd(BTreeMap::new()),
        Odd(BTreeMap::from([
            ("a", Value::Number(-1e300)),
            ("b", Value::from("é🙂")),
            ("svc", Value::List(vec![Value::Number(1.0), Value::Null])),
            ("@timestamp", Value::Time(i64::MAX)),
            ("@message", Value::from("{\"a\":[1]}")),
            ("m", Value::Map(vec![("k".into(), Value::Boolean(true))])),
        ])),
        Odd(BTreeMap::from([
            ("a", Value::Time(1_791_201_600_000)),
            ("b", Value::from("2.5")),
            ("@timestamp", Value::Time(0)),
        ])),
    ];
    let context = Context::default();
    for row in &rows {
        let value = evaluate(expr, row, &context);
        assert!(!matches!(value, Value::Number(number) if !number.is_finite()), "{expr}");
        if let ExprKind::Compare(..) | ExprKind::Logic(..) | ExprKind::Not(_) = expr.kind {
            assert!(matches!(value, Value::Boolean(_)), "{expr} is {value:?}");
        }
        value.print(&context.rules);
    }
}
