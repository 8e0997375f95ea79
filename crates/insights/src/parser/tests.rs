//! Queries read, printed, and refused.

use crate::{
    ast::{LimitForm, ParseMode, Verb},
    error::ErrorKind,
    parse,
};

/// Reads a query, prints it, and reads what was printed: the tree must be the same.
fn round(text: &str) -> String {
    let query = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let printed = query.to_string();
    let again = parse(&printed).unwrap_or_else(|error| panic!("{text} printed as {printed}: {error}"));
    assert_eq!(query, again, "{text} printed as {printed}");
    assert_eq!(again.to_string(), printed);
    printed
}

#[test]
fn queries_print_as_what_is_read_as_the_same_tree() {
    for (text, printed) in [
        ("fields a,b as c", "fields a, b as c"),
        ("FIELDS `detail-type` AS `d t`", "fields `detail-type` as `d t`"),
        ("display m.`user.id`, a[0][1].b, items.0.id", "display m.`user.id`, a[0][1].b, items.0.id"),
        ("where a-b=1", "filter a - b = 1"),
        ("filter (a - (b - c)) - d", "filter a - (b - c) - d"),
        ("filter a and (b or c) and (d and e)", "filter a and (b or c) and (d and e)"),
        ("filter !ispresent(x) or not not y", "filter not ispresent(x) or not not y"),
        ("filter (a = 1) = (b = 2)", "filter (a = 1) = (b = 2)"),
        ("filter -a^2^b = (2^3)^2", "filter -a ^ 2 ^ b = (2 ^ 3) ^ 2"),
        ("filter -(a + 1) * --2", "filter -(a + 1) * --2"),
        ("filter a =~ /x\\/y/ and b not like 'q\"q'", "filter a =~ /x\\/y/ and b not like \"q\\\"q\""),
        ("filter a in [] or b not in ['x', -1, true]", "filter a in [] or b not in [\"x\", -1, true]"),
        ("filterindex a = 'x' and b in [1, 'y']", "filterIndex a = \"x\" and b in [1, \"y\"]"),
        (
            "stats count(), count(*) as n, sum(a)/2 by b, bin(5min) as t offset 1h",
            "stats count(), count(*) as n, sum(a) / 2 by b, bin(5m) as t offset 1h",
        ),
        ("sort a desc, b+1 asc, c", "sort a desc, b + 1 asc, c"),
        ("limit any 3 | head 2 | tail 1", "limit any 3 | head 2 | tail 1"),
        ("parse '* *' as a, b", "parse \"* *\" as a, b"),
        ("parse msg /(?<a>\\d)/ multi", "parse msg /(?<a>\\d)/ multi"),
        ("parse (\"t\") /(x)/ as y", "parse (\"t\") /(x)/ as y"),
        (
            "parse @message logfmt as lf | parse csv as x, y | parse XML '/a' as z",
            "parse @message logfmt as lf | parse csv as x, y | parse XML \"/a\" as z",
        ),
        ("json field=f 'a.b' as x", "json field=f \"a.b\" as x"),
        ("dedup a, b | limit 1", "dedup a, b | limit 1"),
        ("pattern concat(a, b) | diff PREVIOUSday", "pattern concat(a, b) | diff previousDay"),
        ("unmask a | unnest j.l into x | expand y", "unmask a | unnest j.l into x | expand y"),
        ("lookup my-table-1 a as b, c OUTPUT o as p, q", "lookup `my-table-1` a as b, c OUTPUT o as p, q"),
        ("cidrlookup nets ip as net outputnew o", "cidrlookup `nets` ip as net OUTPUTNEW o"),
        (
            "join type=left left=l right=r where r.k = l.k and l.x = r.x (SOURCE 'g' | fields k)",
            "join type=left left=l right=r where l.k = r.k and l.x = r.x (SOURCE \"g\" | fields k)",
        ),
        (
            "filter a in (SOURCE 'g' start=-1d end=now | fields k)",
            "filter a in (SOURCE \"g\" start=-1d end=now | fields k)",
        ),
        ("appendcols override=true max=5 (fields a)", "appendcols override=true max=5 (fields a)"),
        ("autoregress v as w p=1-4 | accum v as t", "autoregress v as w p=1-4 | accum v as t"),
        ("filldown | filldown a*b, `x y`*", "filldown | filldown `a`*`b`, `x y`*"),
        (
            "fillmissing | fillmissing with 0 for a, b, 'x' for c",
            "fillmissing | fillmissing with 0 for a, b, \"x\" for c",
        ),
        ("outlier action=remove param=2.5 mark=true a", "outlier action=remove param=2.5 uselower=false mark=true a"),
        ("sessionize user maxspan 30m as s", "sessionize user maxspan 30m as s"),
        (
            "countFrequent a, b | addtotals fieldname=Sum col=true a",
            "countFrequent a, b | addtotals fieldname=Sum row=true col=true a",
        ),
        (
            "SOURCE logGroups(namePrefix: ['a', 'b'], class: 'STANDARD') | limit 1",
            "SOURCE logGroups(namePrefix: [\"a\", \"b\"], class: [\"STANDARD\"]) | limit 1",
        ),
        ("SOURCE logGroups() | limit 1", "SOURCE logGroups() | limit 1"),
        ("source dataSource(['x']) START=0 END=999 | limit 1", "SOURCE dataSource([\"x\"]) start=0 end=999 | limit 1"),
        (
            "SOURCE logGroupTags([{key: 'k', values: ['a', '!b*']}]) | limit 1",
            "SOURCE logGroupTags([{key: \"k\", values: [\"a\", \"!b*\"]}]) | limit 1",
        ),
        ("SOURCE '/a', b | limit 1", "SOURCE \"/a\", \"b\" | limit 1"),
        ("fields `as`, `in`[0], `desc` # comment\n | limit 1", "fields `as`, `in`[0], `desc` | limit 1"),
    ] {
        assert_eq!(round(text), printed, "{text}");
    }
}

#[test]
fn every_command_whose_meaning_is_known_has_a_query_above() {
    let text = include_str!("tests.rs");
    for command in crate::command::COMMANDS.iter().filter(|it| matches!(it.standing, crate::command::Standing::Known)) {
        assert!(text.to_lowercase().contains(&format!("{} ", command.name.to_lowercase())), "{}", command.name);
    }
}

#[test]
fn trees_are_what_was_meant() {
    let query = parse("parse @message \"* [*] *\" as d, lvl, rest | LIMIT ANY 7").unwrap();
    assert!(
        matches!(&query.commands[0].verb, Verb::Parse(parse) if matches!(&parse.mode, ParseMode::Glob(_, names) if names.len() == 3))
    );
    assert!(matches!(&query.commands[1].verb, Verb::Limit(limit) if limit.rows == 7 && limit.form == LimitForm::Any));
}

#[test]
fn faults_say_what_where_and_what_instead() {
    for (text, kind, said, marked, instead) in [
        ("", ErrorKind::Syntax, "empty query", "", None),
        ("  # only a comment", ErrorKind::Syntax, "empty query", "", None),
        ("count by x", ErrorKind::UnknownCommand, "found `count`", "count", Some("stats count")),
        ("feilds a", ErrorKind::UnknownCommand, "found `feilds`", "feilds", Some("fields")),
        ("zzzzzz a", ErrorKind::UnknownCommand, "found `zzzzzz`", "zzzzzz", None),
        ("fields a filter b = 1", ErrorKind::Syntax, "`|` is missing", "filter", Some("| filter")),
        ("fields a || limit 1", ErrorKind::Lexical, "`||`", "||", Some("or")),
        ("fields a | | limit 1", ErrorKind::Syntax, "two `|`", "|", Some("|")),
        ("fields a |", ErrorKind::Syntax, "expected a command, found the end", "", None),
        ("filter a == 1", ErrorKind::Lexical, "`==`", "==", Some("=")),
        ("filter a = = 1", ErrorKind::Syntax, "two comparisons", "= =", Some("=")),
        ("filter 1 < a < 3", ErrorKind::Syntax, "join them with `and`", "<", Some("and")),
        ("filter a like b", ErrorKind::Syntax, "expected a text in quotes", "b", Some("\"b\"")),
        ("filter a =~ 'b'", ErrorKind::Syntax, "in slashes", "'b'", Some("/b/")),
        ("filter a in ('x')", ErrorKind::Syntax, "brackets", "(", Some("[")),
        ("filter a is null", ErrorKind::Syntax, "`is`", "is", Some("ispresent(…)")),
        ("filter strlenn(a) > 1", ErrorKind::UnknownFunction, "no function", "strlenn", Some("strlen")),
        ("filter (a = 1", ErrorKind::Syntax, "not closed", "(", None),
        ("filter abs(1", ErrorKind::Syntax, "not closed", "(", None),
        ("filter a like /(/", ErrorKind::Regex, "cannot be read", "/(/", None),
        ("filter a like /x(?=y)/", ErrorKind::Regex, "look-around", "/x(?=y)/", None),
        ("filter /x/", ErrorKind::Syntax, "only after", "/x/", None),
        ("fields a as 'b c'", ErrorKind::Syntax, "backticks", "'b c'", Some("`b c`")),
        ("dedup 'b c'", ErrorKind::Syntax, "backticks", "'b c'", Some("`b c`")),
        ("sort a descending", ErrorKind::Syntax, "`asc`", "descending", Some("desc")),
        ("limit 1.5", ErrorKind::Syntax, "whole number", "1.5", None),
        ("limit x", ErrorKind::Syntax, "whole number", "x", None),
        ("dedup BY", ErrorKind::Syntax, "expected a field, found `BY`", "BY", None),
        ("stats count(*) by bin(1h) offset 1mo", ErrorKind::Argument, "equally long", "1mo", None),
        ("sessionize a maxspan 2q", ErrorKind::Argument, "equally long", "2q", None),
        ("SOURCE 'a' start=-1y | limit 1", ErrorKind::Argument, "equally long", "1y", None),
        ("stats by x", ErrorKind::Syntax, "an aggregate", "by", Some("count(*) by")),
        ("parse m '* *' as a", ErrorKind::ArgumentCount, "2 `*`, and 1 names", "'* *'", None),
        ("parse m /(\\d)/", ErrorKind::Argument, "has a name", "/(\\d)/", Some("(?<name>…)")),
        ("parse m /(\\d)/ as a, b", ErrorKind::ArgumentCount, "1 groups, and 2 names", "/(\\d)/", None),
        ("parse m /(\\d)/ as x multi", ErrorKind::Syntax, "`multi`", "multi", None),
        ("parse XML '/a[@b=1]' as z", ErrorKind::Argument, "paths of names", "'/a[@b=1]'", None),
        ("diff previosWeek", ErrorKind::Syntax, "previousDay", "previosWeek", Some("previousWeek")),
        ("unnest a in b", ErrorKind::Syntax, "expected `[`", "b", None),
        ("lookup t a", ErrorKind::Syntax, "OUTPUT", "", None),
        (
            "join type=outer left=a right=b where a.x = b.x (fields x)",
            ErrorKind::Syntax,
            "`inner` or `left`",
            "outer",
            None,
        ),
        ("join left=a right=b where x = y (fields x)", ErrorKind::UnknownField, "begin with", "x = y", None),
        ("filter a in (fields b | filter c in (fields d))", ErrorKind::Limit, "subquery inside", "(", None),
        ("autoregress a p=4-1", ErrorKind::Argument, "smaller", "4", None),
        ("SOURCE logGrups() | limit 1", ErrorKind::UnknownFunction, "knows no", "logGrups", Some("logGroups")),
        ("SOURCE 'a'", ErrorKind::Syntax, "`|` and a command", "", None),
        (
            "SOURCE logGroups(namePrefix: ['1','2','3','4','5','6']) | limit 1",
            ErrorKind::Limit,
            "more than 5",
            "['1','2','3','4','5','6']",
            None,
        ),
        ("anomaly", ErrorKind::UnsupportedCommand, "does not know what `anomaly` does", "anomaly", Some("pattern")),
        ("order a", ErrorKind::UnsupportedCommand, "does not know", "order", Some("sort")),
        ("fields *", ErrorKind::Syntax, "no `*`", "*", Some("@message")),
        ("fields a | SOURCE 'g'", ErrorKind::Order, "before all", "SOURCE", None),
        ("fields a\u{7}", ErrorKind::Lexical, "U+0007", "\u{7}", None),
        ("fields a, ", ErrorKind::Syntax, "an expression, found the end", "", None),
    ] {
        let error = parse(text).expect_err(text);
        assert_eq!(error.kind, kind, "{text}: {error}");
        assert!(error.message.contains(said), "{text}: {error}");
        assert_eq!(&text[error.start..error.end], marked, "{text}: {error}");
        assert_eq!(error.suggestion.as_deref(), instead, "{text}: {error}");
    }
}

#[test]
fn every_command_that_is_not_known_says_so_by_name() {
    for command in crate::command::COMMANDS {
        if let crate::command::Standing::Unknown { .. } = command.standing {
            let error = parse(&format!("fields a | {} b", command.name)).unwrap_err();
            assert_eq!(error.kind, ErrorKind::UnsupportedCommand);
            assert!(error.message.contains(command.name), "{error}");
        }
    }
}

#[test]
fn a_regular_expression_that_grows_when_compiled_is_refused() {
    for source in [".{9000}", "((a{90}){90}){90}", "[^x]{999}{9}"] {
        assert_eq!(parse(&format!("filter a like /{source}/")).unwrap_err().kind, ErrorKind::Regex, "{source}");
    }
    round("filter a like /^.{0,200}[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/");
}

#[test]
fn size_is_bounded() {
    let long = format!("filter a = \"{}\"", "x".repeat(10_000));
    let deep = |open: &str, close: &str| format!("filter {}a{}", open.repeat(1_000), close.repeat(1_000));
    for text in [
        long,
        deep("(", ")"),
        deep("abs(", ")"),
        deep("not ", ""),
        deep("-", ""),
        deep("!", ""),
        deep("2^", ""),
        deep("a+", ""),
        deep("a in [", "]"),
        ["limit 1"; 101].join("|"),
        format!("filter {}", ["a like /x/"; 101].join(" or ")),
        format!("fields {}", ["regexReplace(a, 'x', '')"; 101].join(", ")),
        format!("fields {}a", "a.".repeat(4_900)),
        format!("fields a{}", "[0]".repeat(3_000)),
    ] {
        assert_eq!(parse(&text).unwrap_err().kind, ErrorKind::Limit, "{}", &text[..40]);
    }
    round(&format!("fields {}a", "a.".repeat(127)));
    round(&format!("filter {}", ["a = 1"; 1_000].join(" or ")));
    round(&format!("filter {}a{}", "(".repeat(60), ")".repeat(60)));
}
