//! Functions by their results, as expressions over one row.

use std::collections::BTreeSet;

use super::*;
use crate::{
    ast::{ExprKind, Path, Verb},
    evaluate::{Row, evaluate},
};

struct One(Value);

impl Row for One {
    fn value(&self, path: &Path) -> Value {
        match path.root() {
            "nosuch" => Value::Null,
            "@timestamp" => Value::Time(1_791_201_600_000),
            _ => path.parts[1..]
                .iter()
                .fold(self.0.inside(&path.parts[0], 0), |value, part| value.inside(part, 0))
                .clone(),
        }
    }
}

fn row() -> One {
    let json =
        r#"{"s":"xyZfooxyZ","n":10,"neg":-3,"f":2.567,"l":[1,"b"],"m":{"k":{"x":7}},"big":9007199254740993,"t":true}"#;
    One(crate::value::json_of_text(json).unwrap())
}

fn computed(expression: &str, rules: Rules) -> Option<String> {
    computed_over(expression, rules, &row())
}

fn computed_over(expression: &str, rules: Rules, row: &One) -> Option<String> {
    let query =
        crate::parse(&format!("display {expression} as r")).unwrap_or_else(|error| panic!("{expression}: {error}"));
    let Verb::Display(items) = &query.commands[0].verb else {
        unreachable!("it is a display");
    };
    let context = Context { start_ms: 1_000, end_ms: 61_000, now_s: 62, rules };
    evaluate(&items[0].expr, row, &context).print(&context.rules)
}

fn each(cases: &[(&str, Option<&str>)]) {
    for (expression, printed) in cases {
        assert_eq!(computed(expression, Rules::default()).as_deref(), *printed, "{expression}");
    }
}

#[test]
fn names_are_told_apart_without_their_case() {
    let mut seen = BTreeSet::new();
    for name in names() {
        assert!(seen.insert(name.to_lowercase()), "{name} twice");
    }
    assert_eq!(named("ISPRESENT").map(|it| it.name), Some("ispresent"));
    assert_eq!(named("countdistinct").map(|it| it.name), Some("count_distinct"));
    assert!(seen.len() > 90);
}

#[test]
fn pure_functions_take_anything_in_any_number_they_allow() {
    let context = Context::default();
    let mut odd = vec![
        Value::Null,
        Value::Boolean(true),
        Value::Number(-1.5),
        Value::Number(1e300),
        Value::Time(i64::MAX),
        Value::from(""),
        Value::from("é🙂("),
        Value::from("5m"),
        Value::from("%Y%q%100000d"),
        Value::List(vec![Value::Null]),
        Value::Map(vec![]),
    ];
    for function in all() {
        let Compute::Pure(compute) = function.compute else {
            continue;
        };
        for count in function.least..=function.most.min(function.least.max(3) + 2) {
            for _ in 0..odd.len() {
                odd.rotate_left(1);
                let arguments: Vec<Value> = odd.iter().cycle().take(count).cloned().collect();
                if let Value::Number(number) = compute(&arguments, &context) {
                    assert!(number.is_finite(), "{function:?}");
                }
            }
        }
    }
}

#[test]
fn numbers_are_computed_or_null() {
    each(&[
        ("2 ^ 3 ^ 2", Some("512")),
        ("-2 ^ 2", Some("4")),
        ("7 % 4 - 10 / 4", Some("0.5")),
        ("n / 0", None),
        ("n % 0", None),
        ("0 / 0", None),
        ("nosuch + 1", None),
        ("s * 2", None),
        ("\"3\" * \"4\"", Some("12")),
        ("t + 1", Some("2")),
        ("round(2.5)", Some("3")),
        ("round(-2.5)", Some("-3")),
        ("round(1234.5678, -2)", Some("1200")),
        ("round(50000, -5)", Some("100000")),
        ("round(50000000000, -11)", Some("100000000000")),
        ("round(n, -400)", Some("0")),
        ("round(f, 400)", Some("2.567")),
        ("round(n, nosuch)", None),
        ("log(1)", Some("0")),
        ("log(0)", None),
        ("sqrt(-1)", None),
        ("least(1, \"0.5\", n)", Some("0.5")),
        ("greatest(1, nosuch)", None),
        ("haversine(0, 0, 0, 180)", Some("20015.0868")),
        ("toLong(\"-3.9\")", Some("-3")),
        ("toNumber(\"abc\")", None),
        ("big", Some("9007199254740993")),
        ("big = 9007199254740993", Some("1")),
        ("big = 9007199254740992", Some("0")),
        ("big <= 9007199254740992", Some("0")),
        ("decToHex(big)", Some("0x20000000000001")),
    ]);
    assert_eq!(computed("round(2.5)", Rules { round_half_even: true, ..Rules::default() }).as_deref(), Some("2"));
}

#[test]
fn conditions_with_null_follow_the_options() {
    each(&[
        ("nosuch = 1", Some("0")),
        ("nosuch != 1", Some("0")),
        ("not (nosuch = 1)", Some("1")),
        ("nosuch not like \"x\"", Some("0")),
        ("nosuch not in [1]", Some("0")),
        ("l = l", Some("0")),
        ("n > \"x\"", Some("0")),
        ("n in [\"10\", 3]", Some("1")),
        ("n not in []", Some("1")),
        ("s like /FOO/", Some("0")),
        ("s =~ /(?i)FOO/", Some("1")),
    ]);
    let differs = Rules { null_differs: true, ..Rules::default() };
    assert_eq!(computed("nosuch != 1", differs).as_deref(), Some("1"));
    let kept = Rules { not_keeps_null: true, ..Rules::default() };
    assert_eq!(computed("not (nosuch = 1)", kept), None);
}

#[test]
fn texts_are_counted_in_code_points() {
    each(&[
        ("concat(\"a\", 1.5, \"b\")", Some("a1.5b")),
        ("concat(\"a\", nosuch)", None),
        ("trim(\"  a \")", Some("a")),
        ("ltrim(s, \"xyZ\")", Some("fooxyZ")),
        ("trim(s, \"\")", Some("xyZfooxyZ")),
        ("strlen(\"a😀\")", Some("2")),
        ("substr(\"héllo\", 1, 3)", Some("éll")),
        ("substr(s, 100)", Some("")),
        ("substr(s, -1, 2)", Some("xy")),
        ("replace(s, \"\", \"-\")", Some("xyZfooxyZ")),
        ("replace(s, \"xyZ\", \"-\")", Some("-foo-")),
        ("regexReplace(s, \"(x)(y)\", \"\\\\2$\\\\1\")", Some("y$xZfooy$xZ")),
        ("regexReplace(s, \"(\", \"\")", None),
        ("toupper(\"straße\")", Some("STRASSE")),
        ("toupper(m)", None),
        ("strcontains(s, \"FOO\", true)", Some("1")),
        ("startsWith(nosuch, \"\")", Some("0")),
        ("split(\"a,b\", \",\")", Some("[\"a\",\"b\"]")),
        ("urlencode(\"a b/é\")", Some("a%20b%2F%C3%A9")),
        ("base64encode(\"hi\")", Some("aGk=")),
        ("base64decode(\"!\")", None),
        ("hexToDec(\"-0xFF\")", Some("-255")),
        ("hexToDec(\"+1\")", None),
        ("decToHex(-255.9)", Some("-0xff")),
        ("sha256(\"\")", Some("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")),
    ]);
    let live = Rules { strcontains_folds_case: false, ..Rules::default() };
    assert_eq!(computed("strcontains(s, \"FOO\", true)", live).as_deref(), Some("0"));
    let skips = Rules { concat_skips_null: true, ..Rules::default() };
    assert_eq!(computed("concat(\"a\", nosuch)", skips).as_deref(), Some("a"));
}

#[test]
fn texts_that_get_too_long_are_null() {
    let json = Value::Map(vec![("t".into(), Value::Text("a,".repeat(1 << 19))), ("q".into(), "\"".into())]);
    let nested = |function: &str, of: &str| format!("{}{of}{}", format!("{function}(").repeat(30), ")".repeat(30));
    for (expression, printed) in [
        ("strlen(concat(t, t, t, t))".to_owned(), Some("4194304")),
        ("concat(t, t, t, t, 'x')".to_owned(), None),
        ("strlen(replace(t, 'a', 'bbbbbbb'))".to_owned(), Some("4194304")),
        ("replace(t, 'a', 'bbbbbbbb')".to_owned(), None),
        ("strlen(regexReplace(t, '[a]', 'bbbbbbb'))".to_owned(), Some("4194304")),
        ("regexReplace(t, '[a]', 'bbbbbbbb')".to_owned(), None),
        (nested("base64encode", "t"), None),
        (nested("jsonStringify", "q"), None),
        (nested("urlencode", "concat(t, t)"), None),
        ("jsonArraySize(split(t, ','))".to_owned(), Some("524289")),
        ("split(concat(t, t), ',')".to_owned(), None),
    ] {
        assert_eq!(
            computed_over(&expression, Rules::default(), &One(json.clone())).as_deref(),
            printed,
            "{expression}"
        );
    }
}

#[test]
fn characters_that_are_taken_off_are_looked_up_and_not_searched_for() {
    let of = Value::Map(vec![
        ("t".into(), Value::Text("a".repeat(1 << 18) + "é")),
        ("c".into(), Value::Text("b".repeat(1 << 18) + "a")),
    ]);
    assert_eq!(computed_over("trim(t, c)", Rules::default(), &One(of)).as_deref(), Some("é"));
}

#[test]
fn presence_and_choice_take_what_is_there() {
    each(&[
        ("isempty(\"\")", Some("1")),
        ("isblank(\" \")", Some("1")),
        ("isempty(\" \")", Some("0")),
        ("coalesce(nosuch, \"x\", n)", Some("x")),
        ("if(n > 5, \"big\", \"small\")", Some("big")),
        ("case(n > 100, \"big\", n > 5, \"mid\", \"low\")", Some("mid")),
        ("case(n > 100, \"big\")", None),
        ("isNumeric(\"1e3\")", Some("1")),
        ("messageSize(\"héé\")", Some("5")),
        ("queryTimeRange()", Some("60000")),
        ("now()", Some("62")),
    ]);
}

#[test]
fn structures_are_read_by_name_and_place() {
    each(&[
        ("m.k.x", Some("7")),
        ("l[1]", Some("b")),
        ("l.0", Some("1")),
        ("l[2]", None),
        ("jsonParse(\"[1]\")", Some("[1]")),
        ("jsonParse(\"7\")", None),
        ("jsonStringify(m)", Some("{\"k\":{\"x\":7}}")),
        ("jsonArraySize(l)", Some("2")),
        ("jsonArraySize(\"{}\")", None),
        ("jsonArrayContains(\"[\\\"A\\\"]\", \"a\")", Some("0")),
        ("jsonArrayContains(\"[1]\", \"1\")", Some("1")),
        ("jsonArrayContains(\"[]\", \"\")", Some("0")),
    ]);
}

#[test]
fn times_are_floored_formatted_and_read() {
    each(&[
        ("bin(300s)", Some("2026-10-05 12:00:00.000")),
        ("datefloor(@timestamp + 61000, 1m)", Some("2026-10-05 12:01:00.000")),
        ("dateceil(fromMillis(1791201600001), 1h)", Some("2026-10-05 13:00:00.000")),
        ("dateceil(@timestamp, 1h)", Some("2026-10-05 12:00:00.000")),
        ("formatDate(@timestamp, \"%H:%M\", \"Europe/Berlin\")", Some("14:00")),
        ("strftime(0, \"%Y\")", Some("1970")),
        ("formatDate(@timestamp, \"%Y\", \"No/Where\")", None),
        ("formatDate(s, \"%Y\")", None),
        ("parseDate(\"05.10.2026 14\", \"dd.MM.yyyy HH\", \"Europe/Berlin\")", Some("1791201600000")),
        ("toMillis(@timestamp)", Some("1791201600000")),
        ("fromMillis(9e18)", None),
        ("@timestamp >= \"2026-10-05\"", Some("1")),
    ]);
}

#[test]
fn addresses_lie_in_networks_or_do_not() {
    each(&[
        ("isValidIp(\"::1\")", Some("1")),
        ("isValidIpV4(\"::1\")", Some("0")),
        ("isValidIp(\"010.1.1.1\")", Some("0")),
        ("isIpInSubnet(\"10.0.0.1\", \"0.0.0.0/0\")", Some("1")),
        ("isIpInSubnet(\"10.0.0.1\", \"10.0.0.0/33\")", Some("0")),
        ("isIpv4InSubnet(\"2001:db8::5\", \"2001:db8::/32\")", Some("0")),
        ("ipv4ToNumber(\"192.0.2.1\")", Some("3221225985")),
        ("isPrivateIP(\"172.16.0.1\")", Some("1")),
        ("isPublicIP(\"8.8.8.8\")", Some("1")),
        ("isPublicIP(\"127.0.0.1\")", Some("0")),
        ("isReservedIP(\"100.64.0.1\")", Some("1")),
        ("isPublicIP(\"nonsense\")", Some("0")),
    ]);
}

#[test]
fn aggregates_have_no_value_in_one_row() {
    each(&[("count(*)", None), ("sum(n)", None)]);
    let query = crate::parse("stats count(*)").unwrap();
    let Verb::Stats(stats) = &query.commands[0].verb else {
        unreachable!("it is stats");
    };
    assert!(matches!(&stats.items[0].expr.kind, ExprKind::Call(call) if call.star && call.function.is_aggregate()));
}
