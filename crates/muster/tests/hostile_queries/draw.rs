//! Queries that mean no good, drawn: what is deep, long, wide, slow, endless or broken.

use fastrand::Rng;

/// Fields of the records: an id that no two share, a number of few values, one of many, a text of many words, a level.
const FIELDS: [&str; 6] = ["id", "few", "many", "text", "level", "@message"];

fn pick<'a>(rng: &mut Rng, all: &[&'a str]) -> &'a str {
    all[rng.usize(..all.len())]
}

fn repeated(count: usize, separator: &str, one: impl Fn(usize) -> String) -> String {
    (0..count).map(one).collect::<Vec<_>>().join(separator)
}

/// Regular expressions that make engines with backtracking hang, or compilers run out of memory.
fn regex(rng: &mut Rng) -> String {
    let count = rng.usize(1..60);
    match rng.u8(..12) {
        0 => "(a+)+$".into(),
        1 => "^(([a-z])+.)+[A-Z]([a-z])+$".into(),
        2 => "(x+x+)+y".into(),
        3 => format!("(.*a){{{count}}}"),
        4 => format!("(?:a?){{{count}}}a{{{count}}}"),
        5 => format!("((a{{1,{count}}}){{1,{count}}}){{1,{count}}}"),
        6 => r"(\w+\s?)*\.$".into(),
        7 => format!("{}x", "(".repeat(count)) + &")*".repeat(count),
        8 => format!("({})", repeated(count * 20, "|", |number| format!("word{number}"))),
        9 => format!(r"[^\n]{{{count}}}\pL+(?i)straße"),
        10 => "(?=a)(?<!b)\\1".into(),
        _ => format!("(.{{0,{}}}){{{count}}}", count * 10),
    }
}

/// An expression inside of itself.
fn nested(rng: &mut Rng) -> String {
    let depth = [10, 30, 60, 200, 900][rng.usize(..5)];
    let (before, inner, after) = match rng.u8(..8) {
        0 => ("(", "few > 1", ")"),
        1 => ("not ", "few", ""),
        2 => ("-", "many", ""),
        3 => ("abs(", "many", ")"),
        4 => ("if(few > 1, ", "1", ", 2)"),
        5 => ("coalesce(nosuch, ", "text", ")"),
        6 => ("toupper(concat(\"é\", ", "text", "))"),
        _ => ("(few = 1 or (many < 3 and ", "level like /a/", "))"),
    };
    format!("filter {}{inner}{}", before.repeat(depth), after.repeat(depth))
}

fn long(rng: &mut Rng) -> String {
    match rng.u8(..7) {
        0 => format!("filter text = \"{}\"", "x".repeat(rng.usize(9_000..10_020))),
        1 => format!("fields {}", repeated(rng.usize(100..700), ", ", |number| format!("few + {number} as f{number}"))),
        2 => format!("filter {}", repeated(rng.usize(100..900), " or ", |number| format!("many={number}"))),
        3 => format!("filter id in [{}]", repeated(rng.usize(100..1_200), ",", |number| format!("\"{number}\""))),
        4 => format!("filter {}", repeated(rng.usize(50..110), " and ", |number| format!("text like /a{number}.*b+/"))),
        5 => repeated(rng.usize(20..102), " | ", |number| format!("fields many * {number} as g{number}")),
        _ => format!(
            "stats {}",
            repeated(rng.usize(20..300), ", ", |number| format!("pct(many, {}) as p{number}", number % 100))
        ),
    }
}

/// Texts and fields that double with each command.
fn doubling(rng: &mut Rng) -> String {
    let steps = rng.usize(5..40);
    let doubled = match rng.u8(..4) {
        0 => repeated(steps, " | ", |number| match number {
            0 => "fields concat(text, text) as t0".into(),
            _ => format!("fields concat(t{0}, t{0}) as t{number}", number - 1),
        }),
        1 => repeated(steps, " | ", |number| match number {
            0 => "fields many as t0".into(),
            _ => format!("fields t{0} * t{0} + t{0} as t{number}", number - 1),
        }),
        2 => repeated(steps, " | ", |number| match number {
            0 => "fields text as t0".into(),
            _ => format!("fields regexReplace(t{}, \".\", \"$0$0$0$0\") as t{number}", number - 1),
        }),
        _ => repeated(steps, " | ", |number| match number {
            0 => "fields text as t0".into(),
            _ => format!("fields replace(t{}, \"a\", \"aaaaaaaa\") as t{number}", number - 1),
        }),
    };
    let last = pick(rng, &["stats max(strlen(t4))", "sort t4 desc", "stats count(*) by t4", "display t4", "dedup t4"]);
    format!("{doubled} | {last}")
}

fn wide(rng: &mut Rng) -> String {
    let aggregate = match rng.u8(..8) {
        0 => "count(*)".into(),
        1 => format!("values({})", pick(rng, &FIELDS)),
        2 => format!("topk(10000, {})", pick(rng, &FIELDS)),
        3 => format!("count_distinct({})", pick(rng, &FIELDS)),
        4 => "pct(many, 99), pct(many, 50), pct(strlen(text), 1)".into(),
        5 => format!("earliest({}), latest(@message)", pick(rng, &FIELDS)),
        6 => "stddev(many), min(text), max(text)".into(),
        _ => "sortsFirst(text), sortsLast(id)".into(),
    };
    match rng.u8(..5) {
        0 => format!("stats {aggregate}"),
        1 => format!("stats {aggregate} by id, many, text, bin(1ms), @message"),
        2 => format!("stats {aggregate} by concat(id, \"-\", many) as k | stats count(*) by k"),
        3 => format!("stats {aggregate} by bin(1ms)"),
        _ => format!("stats {aggregate} by {}", pick(rng, &FIELDS)),
    }
}

fn multiplied(rng: &mut Rng) -> String {
    let list = repeated(rng.usize(2..400), ",", |number| number.to_string());
    match rng.u8(..7) {
        0 => "join type=inner left=l right=r where l.level = r.level (SOURCE '/hostile' | fields level, id) | stats count(*)".into(),
        1 => "join type=left left=l right=r where l.few = r.few (SOURCE '/hostile' | fields few, text) | sort text desc".into(),
        2 => format!("fields jsonParse(\"[{list}]\") as l | unnest l into a | unnest l into b | stats count(*) by a, b"),
        3 => format!("fields jsonParse(\"[{list}]\") as l | unnest l into a | sort a desc, text | limit 100000"),
        4 => "parse @message /(?<sign>.)/ multi | stats count(*) by sign".into(),
        5 => "appendcols max=100000 (SOURCE '/hostile' | sort text | fields text)".into(),
        _ => "filter id in (SOURCE '/hostile' | fields id) and text not in (SOURCE '/hostile' | fields text)".into(),
    }
}

fn sorted(rng: &mut Rng) -> String {
    let limit = pick(
        rng,
        &["", " | limit 100000", " | limit 1", " | tail 100000", " | limit 99999999999999999999", " | limit 0"],
    );
    let keys = match rng.u8(..4) {
        0 => "@message desc".into(),
        1 => "text, id desc, many, level, @message".into(),
        2 => format!("regexReplace(text, \"(.*)a(.*)\", \"$2$1\") desc, {}", pick(rng, &FIELDS)),
        _ => repeated(rng.usize(1..60), ", ", |number| format!("many % {number} desc")),
    };
    format!("fields id, text, @message | sort {keys}{limit}")
}

fn odd_command(rng: &mut Rng) -> String {
    match rng.u8(..12) {
        0 => format!("pattern {}", pick(rng, &["@message", "text", "concat(text, id, many)"])),
        1 => "pattern @message | diff".into(),
        2 => "stats sum(many) as s by bin(1ms) as t, id | fillmissing with 0 for s | sort t".into(),
        3 => "stats count(*) as n by bin(1s) as t, level | fillmissing with 0 for n | limit 100000".into(),
        4 => "sort text | autoregress many p=1-4 | accum many as m | filldown * | limit 100000".into(),
        5 => "outlier param=0.0001 mark=true few, many".into(),
        6 => "sessionize id, text maxspan 1s as s | stats count(*) by s, id".into(),
        7 => "countFrequent id, text, @message".into(),
        8 => format!("addtotals col=true {}", pick(rng, &["few, many", "many"])),
        9 => format!("parse @message /{}/", repeated(rng.usize(10..200), "", |number| format!("(?<c{number}>.?)"))),
        10 => {
            let count = rng.usize(10..300);
            let names = repeated(count, ", ", |number| format!("c{number}"));
            format!("parse @message \"{}\" as {names}", "*a".repeat(count))
        }
        _ => format!("dedup {}", pick(rng, &["id", "text, id", "@message"])),
    }
}

/// A text that was no query, or is none any more.
fn broken(rng: &mut Rng) -> String {
    const PIECES: [&str; 20] = [
        "|",
        "\"",
        "'",
        "`",
        "/",
        "\\",
        "(",
        ")",
        "[",
        "]",
        "{",
        "\u{0}",
        "é",
        "🙂",
        "\u{202e}",
        "#",
        "=~",
        " as ",
        "99999999999999999999e999",
        "$0",
    ];
    if rng.u8(..4) == 0 {
        return (0..rng.usize(1..3_000)).map(|_| pick(rng, &PIECES)).collect();
    }
    let mut text = hostile(rng);
    for _ in 0..rng.usize(1..6) {
        let at = rng.usize(..=text.len());
        let at = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        if rng.bool() {
            text.truncate(at);
        } else {
            text.insert_str(at, &PIECES[rng.usize(..PIECES.len())].repeat(rng.usize(1..40)));
        }
    }
    text
}

/// Any of these.
pub(crate) fn hostile(rng: &mut Rng) -> String {
    match rng.u8(..11) {
        0 => nested(rng),
        1 => format!("filter {} like /{}/ | stats count(*)", pick(rng, &FIELDS), regex(rng)),
        2 => format!(
            "fields regexReplace({}, \"{}\", \"$0$0\") as r | stats count(*) by r",
            pick(rng, &FIELDS),
            regex(rng)
        ),
        3 => long(rng),
        4 => doubling(rng),
        5 => wide(rng),
        6 => multiplied(rng),
        7 => sorted(rng),
        8 => odd_command(rng),
        9 => format!("{} | {}", odd_command(rng), wide(rng)),
        _ => broken(rng),
    }
}
