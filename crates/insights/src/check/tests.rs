//! What queries read and give, and what is refused though it can be read.

use super::*;

fn compiled(text: &str) -> Checked {
    compile(text, &Rules::default()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn columns(text: &str) -> Vec<String> {
    compiled(text).columns.into_iter().map(|column| column.name).collect()
}

#[test]
fn columns_are_named_as_typed_and_stand_in_their_order() {
    for (text, expected) in [
        ("filter a = 1", vec!["@timestamp", "@message"]),
        ("fields a, b as c | fields d | fields a", vec!["a", "c", "d"]),
        ("fields a | display b, c = 1 as d | display e", vec!["e"]),
        ("fields a+1, `x y`, m.`u.v`", vec!["a+1", "x y", "m.u.v"]),
        ("stats count(*), avg( ms ) by svc, bin(5m)", vec!["svc", "bin(5m)", "count(*)", "avg( ms )"]),
        ("stats sum(a) as s by b | stats max(s) - min(s) as d", vec!["d"]),
        ("stats count(*) as n by a | fields n * 2 as m", vec!["a", "n", "m"]),
        ("stats count(*) as n by a | display n", vec!["n"]),
        ("parse '* *' as a, b", vec!["@timestamp", "@message", "a", "b"]),
        ("fields c | parse /(?<a>x)(?<b>y)/", vec!["c", "a", "b"]),
        ("pattern @message | sort @ratio", vec!["@pattern", "@ratio", "@sampleCount", "@severityLabel"]),
        ("fields v | autoregress v p=1-2 | accum v as t", vec!["v", "v_p1", "v_p2", "t"]),
        ("fields v | lookup t a as v OUTPUT o as p", vec!["v", "p"]),
        ("countFrequent a, b", vec!["a", "b", "_approxcount"]),
        ("fields a | addtotals", vec!["a", "Total"]),
        ("fields a | appendcols (stats count(*) as n)", vec!["a", "n"]),
    ] {
        assert_eq!(columns(text), expected, "{text}");
    }
    let hidden = Rules { extracted_shown: false, ..Rules::default() };
    let shown = compile("fields c | parse '*' as a", &hidden).unwrap().columns;
    assert_eq!(shown, [Column::new("c", Kind::Any)]);
}

#[test]
fn what_is_read_is_known_and_no_more() {
    for (text, expected) in [
        ("stats count(*)", vec![]),
        ("filter a.b.0 = 1 | stats count(*) as n by c | sort n", vec!["a.b.0", "c"]),
        ("fields a as x | filter x > 1 and x.y > 2", vec!["@timestamp", "a"]),
        ("limit 1", vec!["@message", "@timestamp"]),
        ("parse '*' as a | stats count(a) by bin(1h)", vec!["@message", "@timestamp"]),
        ("fields jsonParse(@message) as j | unnest j.l into e | display e.id", vec!["@message", "@timestamp"]),
        ("join left=l right=r where l.k = r.k (SOURCE 'g' | fields k) | stats count(*) by l.x, r.y", vec!["k", "x"]),
        ("lookup t c as f OUTPUTNEW o | stats count(*) by o", vec!["f", "o"]),
        ("fields a[0][1] as x | stats count(*)", vec!["a.0.1"]),
    ] {
        let reads = compiled(text).reads;
        assert_eq!(reads.fields.iter().map(String::as_str).collect::<Vec<_>>(), expected, "{text}");
        assert!(!reads.everything);
    }
    assert!(compiled("fields a | filldown").reads.everything);
}

#[test]
fn rows_and_limits_are_known() {
    assert_eq!(compiled("fields a | limit 7").limit, Some(7));
    assert_eq!(compiled("limit 7 | limit 3").limit, Some(3));
    assert_eq!((compiled("fields a").limit, compiled("fields a").rows), (None, Rows::Records));
    assert_eq!(compiled("stats count(*)").rows, Rows::Groups);
    assert!(compiled("parse logfmt as lf").more_columns);
    assert!(compiled("fields a | appendcols (parse logfmt as lf)").more_columns);
}

#[test]
fn queries_that_mean_nothing_are_refused_with_the_place() {
    let eleven = ["stats count(*) as n"; 11].join(" | ");
    for (text, kind, said, marked, instead) in [
        (
            "stats sum(f) by o | stats max(strlen(@message)) as x",
            ErrorKind::UnknownField,
            "only `o`, `sum(f)`",
            "@message",
            None,
        ),
        (
            "stats sum(a) as total by s | sort totl",
            ErrorKind::UnknownField,
            "`totl` does not exist",
            "totl",
            Some("total"),
        ),
        (
            "stats sum(a) as b by @logStream | stats avg(b) by bin(5m)",
            ErrorKind::UnknownField,
            "reads `@timestamp`",
            "bin",
            Some("datefloor"),
        ),
        (
            "stats count(*) as n by s | stats latest(n)",
            ErrorKind::UnknownField,
            "reads `@timestamp`",
            "latest",
            Some("datefloor"),
        ),
        (
            "stats count(*) as n by s | sort n desc | stats max(n)",
            ErrorKind::Order,
            "after the last `stats`",
            "sort",
            None,
        ),
        ("limit 5 | stats count(*)", ErrorKind::Order, "after the last `stats`", "limit", None),
        (&eleven, ErrorKind::Limit, "more than 10", "stats", None),
        ("fields a | diff", ErrorKind::Order, "directly after `pattern`", "diff", None),
        ("sort a | pattern @message", ErrorKind::Order, "cannot come after `sort`", "pattern", None),
        ("dedup s | fields s", ErrorKind::Order, "only `limit`", "fields", None),
        ("fillmissing", ErrorKind::Order, "after `stats", "fillmissing", None),
        ("limit 100001", ErrorKind::Limit, "1 to 100000", "100001", None),
        ("limit 0", ErrorKind::Limit, "1 to 100000", "0", None),
        ("filter count(*) > 1", ErrorKind::Aggregate, "in `stats` only", "count", Some("stats count(*)")),
        ("stats sum(max(a))", ErrorKind::Aggregate, "inside of another", "max", None),
        ("stats count(*) by max(a)", ErrorKind::Aggregate, "after `by`", "max", Some("stats max(a)")),
        ("stats a by b", ErrorKind::Aggregate, "inside of an aggregate", "a", Some("latest(a)")),
        ("stats max(a) + `b c`", ErrorKind::Aggregate, "`b c` must", "`b c`", Some("latest(`b c`)")),
        ("stats max(a) + b", ErrorKind::Aggregate, "inside of an aggregate", "b", Some("latest(b)")),
        ("stats 1", ErrorKind::Aggregate, "no aggregate", "1", Some("latest(1)")),
        ("stats b by b", ErrorKind::Aggregate, "no aggregate", "b", Some("latest(b)")),
        ("stats topk(2, a) by b", ErrorKind::Aggregate, "stands alone", "topk(2, a)", None),
        ("stats topk(0, a)", ErrorKind::Argument, "1 to 10000", "0", None),
        ("stats count(*) as n, sum(a) as n", ErrorKind::Redefined, "called `n`", "n", None),
        ("stats histogram(a, 5)", ErrorKind::Aggregate, "after `by` only", "histogram", None),
        ("stats sum(*)", ErrorKind::ArgumentCount, "no `*`", "sum(*)", None),
        ("stats pct(a, 101)", ErrorKind::Argument, "0 to 100", "101", None),
        ("fields strlen()", ErrorKind::ArgumentCount, "takes 1 arguments, not 0", "strlen()", None),
        ("fields abs(1, 2)", ErrorKind::ArgumentCount, "not 2", "abs(1, 2)", None),
        ("stats count(*) by bin(5)", ErrorKind::Argument, "a period", "5", Some("5m")),
        ("stats count(*) by bin('5m')", ErrorKind::Argument, "a period", "'5m'", Some("5m")),
        ("filter ms > 5m", ErrorKind::Argument, "only in functions", "5m", None),
        ("parse '*' as a | parse '*' as a", ErrorKind::Redefined, "defined already", "a", None),
        ("parse '*' as a | fields 1 as a", ErrorKind::Redefined, "defined already", "a", None),
        ("fields jsonParse(m) as j, j.a as b", ErrorKind::UnknownField, "later command", "j.a", None),
        ("fields jsonParse(m) as j | sort j", ErrorKind::Argument, "no list and no map", "j", None),
        ("fields jsonParse(m) as j | dedup j", ErrorKind::Argument, "no list and no map", "j", None),
        ("fields split(m, ',') as l | stats count(*) by l", ErrorKind::Argument, "no list and no map", "l", None),
        ("fields split(m, ',') as l | stats count(l)", ErrorKind::Argument, "no list and no map", "l", None),
        ("unnest split(m, ',') into x", ErrorKind::Argument, "jsonParse", "split(m, ',')", Some("jsonParse")),
        ("filter a in (SOURCE 'g' | fields a, b)", ErrorKind::Argument, "2 columns", "a", Some("| fields …")),
        ("filter a in (SOURCE 'g' | stats sum(x) as s | fields y)", ErrorKind::UnknownField, "`y`", "y", None),
        ("stats pct(a, -1)", ErrorKind::Argument, "0 to 100", "-1", None),
        ("stats rate(a, 1mo)", ErrorKind::Argument, "equally long", "1mo", None),
        ("stats max(a) + abs(5m)", ErrorKind::Argument, "only in functions", "5m", None),
        ("stats max(a) + 5m", ErrorKind::Argument, "only in functions", "5m", None),
        ("stats datefloor(max(@timestamp), '5m')", ErrorKind::Argument, "a period", "'5m'", Some("5m")),
        ("stats abs(max(a), 2)", ErrorKind::ArgumentCount, "takes 1 arguments, not 2", "abs(max(a), 2)", None),
        ("stats regexReplace(max(a), '(', '')", ErrorKind::Regex, "cannot be read", "'('", None),
        ("stats bin(5m)", ErrorKind::Aggregate, "inside of an aggregate", "bin(5m)", None),
        ("stats max(a) in (SOURCE 'g' | fields a, b)", ErrorKind::Argument, "2 columns", "max(a)", Some("| fields …")),
        ("fields regexReplace(a, '(', '')", ErrorKind::Regex, "cannot be read", "'('", None),
    ] {
        let error = compile(text, &Rules::default()).expect_err(text);
        assert_eq!(error.kind, kind, "{text}: {error}");
        assert!(error.message.contains(said), "{text}: {error}");
        assert_eq!(&text[error.start..error.end], marked, "{text}: {error}");
        assert_eq!(error.suggestion.as_deref(), instead, "{text}: {error}");
    }
    let branches = ["a = 1, 2"; 11].join(", ");
    for text in [format!("fields case({branches})"), format!("stats count(*) as a, case({branches}) as b")] {
        assert_eq!(compile(&text, &Rules::default()).unwrap_err().kind, ErrorKind::Limit, "{text}");
    }
}

#[test]
fn fields_that_are_made_are_bounded_in_number() {
    let lags = |commands: usize| {
        let each: Vec<String> = (0..commands).map(|number| format!("autoregress f{number} p=1-1000")).collect();
        compile(&each.join(" | "), &Rules::default())
    };
    assert_eq!(lags(2).unwrap().columns.len(), 2_002);
    let error = lags(100).unwrap_err();
    assert_eq!((error.kind, error.line, error.column), (ErrorKind::Limit, 1, 53), "{error}");
}

#[test]
fn what_is_documented_is_accepted() {
    for text in [
        "stats max(ms) as hi, min(ms) as lo, hi - lo as spread",
        "stats sum(len) as b, max(@timestamp) as t by @logStream | stats avg(b) by dateceil(t, 5m)",
        "filter @message like /ERROR/ | pattern @message | sort @sampleCount desc",
        "pattern @message | diff previousWeek",
        "stats count(*) as n by bin(1h) | fillmissing with 0 for n",
        "stats avg(a) / count(*) * 100 as x by b, bin(5m) | sort x | limit 5",
        "fields jsonParse(@message) as j | stats count() as n by j.acc.id | sort j.acc.id",
        "stats count(*) by @timestamp | stats latest(`count(*)`)",
        "dedup a, b | limit 5",
        "stats coalesce(max(a), 0) as m by b",
        "stats count(*) by histogram(ms, 10)",
        "stats topk(3, a)",
        "display a | display a as b | display c as b",
        "fields toupper(a) | sort a",
        "filter a in (SOURCE 'g' | stats count(*) by a | display a)",
        "filterIndex a = 'x' | fields b",
    ] {
        compiled(text);
    }
}

#[test]
fn hints_are_given_where_something_else_was_meant() {
    for (text, said, instead) in [
        ("filter a in [ERROR]", "in quotes", Some("\"ERROR\"")),
        ("filter a in [START]", "`START` is a field", Some("\"START\"")),
        ("filter a = null", "not true", Some("not ispresent(…)")),
        ("filter a != NULL", "not true", Some("ispresent(…)")),
        ("filter a like '%x%'", "plain characters", Some("\"x\"")),
        ("sort 'detail-type'", "backticks", Some("`detail-type`")),
        ("stats count(*) by bin(300s)", "acts as `60s`", Some("5m")),
        ("fields 'a' + b", "always null", Some("concat(…)")),
        ("filter a = 1 or 'x'", "a constant", None),
        ("filter split(a, ',') = 'x'", "not comparable", None),
        ("filter a in (SOURCE 'g' | filter b in [WARN] | fields a)", "`WARN` is a field", Some("\"WARN\"")),
        ("appendcols (fields 'a' + b as c)", "always null", Some("concat(…)")),
    ] {
        let hints = compiled(text).hints;
        assert_eq!(hints.len(), 1, "{text}: {hints:?}");
        assert!(hints[0].message.contains(said), "{text}: {}", hints[0]);
        assert_eq!((hints[0].kind, hints[0].suggestion.as_deref()), (ErrorKind::Hint, instead), "{text}");
    }
    assert_eq!(compiled(&format!("filter {}", ["1"; 1_000].join(" or "))).hints.len(), 20);
    // What is counted for 300 seconds is not capped, as bins are.
    assert!(compiled("stats rate(a, 300s)").hints.is_empty());
    assert!(compiled("filter level in ['ERROR'] | stats count(*) by bin(5m)").hints.is_empty());
}
