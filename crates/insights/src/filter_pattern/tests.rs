//! Patterns against messages.

use super::*;

fn matching(pattern: &str, messages: &[&str]) -> Vec<usize> {
    let read = FilterPattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    (1..=messages.len()).filter(|number| read.is_match(messages[number - 1])).collect()
}

const WORDS: [&str; 4] =
    ["[FAIL 7] DISK SLOW", "[FAIL 8] UNMOUNTED DISK SLOW", "[FAIL 19] MISSING PARTS", "[FAIL 20] BROKEN PARTS"];

#[test]
fn words_must_all_occur_or_any_or_not_at_all() {
    for (pattern, expected) in [
        ("FAIL", vec![1, 2, 3, 4]),
        ("fail", vec![]),
        ("FAIL PARTS", vec![3, 4]),
        ("?FAIL ?PARTS", vec![1, 2, 3, 4]),
        ("?MISSING ?BROKEN", vec![3, 4]),
        ("FAIL -PARTS", vec![1, 2]),
        ("\"] DISK SLOW\"", vec![1]),
        ("\" \"", vec![1, 2, 3, 4]),
        (" ", vec![1, 2, 3, 4]),
        ("", vec![1, 2, 3, 4]),
        ("%MOUNTED%", vec![2]),
        ("?NOPE SLOW", vec![1, 2]),
        ("-PARTS", vec![1, 2]),
        ("-\"DISK SLOW\" -%BR.KEN%", vec![3]),
        ("%^\\[FAIL%", vec![1, 2, 3, 4]),
        ("%PARTS$%", vec![3, 4]),
        ("%[0-9]{2}\\]% MISSING", vec![3]),
        ("\"say \\\"x\\\"\"", vec![]),
    ] {
        assert_eq!(matching(pattern, &WORDS), expected, "{pattern}");
    }
}

const EVENT: &str = r#"{"kind":"Renamed","from":"10.0.0.1","tags":["red","light red"],"parts":[{"name":"a","id":1},{"name":"b","id":2}],
    "none":null,"host.name":"c","ok":true,"n":1000,"f":2.5,"code":"404","grid":[[0,1],[4,5]],"big":9007199254740993}"#;

#[test]
fn selectors_find_values_and_compare_them() {
    for (pattern, expected) in [
        ("{ $.kind = \"Renamed\" }", true),
        ("{ $.kind = Renamed }", true),
        ("{$.kind=\"Re*\"}", true),
        ("{ $.kind = \"re*\" }", false),
        ("{ $.kind = \"*name\" }", false),
        ("{ $.kind = \"R*n*d\" }", true),
        ("{ $.kind = \"R*d*n\" }", false),
        ("{ $.kind != \"Re*\" }", false),
        ("{ $.from != 10.1.* }", true),
        ("{ $.from = 10.0.* }", true),
        ("{ $.tags[0] = red }", true),
        ("{ $.tags = red }", false),
        ("{ $.tags != red }", false),
        ("{ $.tags[*] = %light% }", true),
        ("{ $.tags[*] = \"light red\" }", true),
        ("{ $.tags[9] = red }", false),
        ("{ $.* = %^10\\.0\\.0\\.[0-9]{1,2}$% }", true),
        ("{ $.['host.name'] = \"c\" }", true),
        ("{ $['host.name'] = c }", true),
        ("{ $.none IS NULL }", true),
        ("{ $.kind IS NULL }", false),
        ("{ $.absent IS NULL }", false),
        ("{ $.absent NOT EXISTS }", true),
        ("{ $.none NOT EXISTS }", false),
        ("{ $.kind not exists }", false),
        ("{ $.ok IS TRUE }", true),
        ("{ $.ok IS FALSE }", false),
        ("{ $.absent != x }", false),
        ("{ $.parts[1].id = 2 }", true),
        ("{ $.parts[1].id > 2 }", false),
        ("{ $.parts[*].id >= 2 }", true),
        ("{ $.parts[0].id >= 1 && $.kind = \"Renamed\" }", true),
        ("{ $.n = 1e+3 }", true),
        ("{ $.n = 1* }", true),
        ("{ $.n = \"1000\" }", false),
        ("{ $.n > 1000 }", false),
        ("{ $.n <= 1000.0 && $.n < 1001 && $.n > -1 }", true),
        ("{ $.n != 999 }", true),
        ("{ $.f = 2.5 }", true),
        ("{ $.kind > 1 }", false),
        ("{ $.code = 404 }", true),
        ("{ $.code = \"404\" }", true),
        ("{ $.grid[1][0] = 4 }", true),
        ("{ $.big = 9007199254740993 }", true),
        ("{ $.big = 9007199254740992 }", false),
        ("{ $.big > 9007199254740992 }", true),
        ("{ $.big <= 9007199254740992 }", false),
        ("{ $.kind = x && $.n = 1 || $.ok IS TRUE }", true),
        ("{ $.kind = x && ($.n = 1 || $.ok IS TRUE) }", false),
        ("{ ($.kind = Renamed) && (($.n = 1000)) }", true),
        ("{ $.kind = Renamed || $.grid[0][1] = \"x\" && $.tags[1] = \"x\" }", true),
        ("{ ($.kind = Renamed || $.grid[0][1] = \"x\") && $.tags[1] = \"x\" }", false),
    ] {
        assert_eq!(!matching(pattern, &[EVENT]).is_empty(), expected, "{pattern}");
    }
    assert!(matching("{ $.n > 75 }", &["n 76", "{\"n\":76", "[{\"n\":76}]", "76"]).is_empty());
}

const LINES: [&str; 4] = [
    "127.0.0.1 Live anna [05/Oct/2026:13:25:15 +0000] \"GET /home.html HTTP/1.1\" 404 1534",
    "INFO 2026-10-05 12:00:00 GET /part/67 1200",
    "WARNING 2026-10-05 12:00:02 Odd user request",
    "ERROR 2026-10-05 12:00:02 Failed to read the request",
];

#[test]
fn fields_between_blanks_are_compared_by_their_places() {
    for (pattern, expected) in [
        ("[ip=%127\\.0\\.0\\.[1-9]%, env, user, time, request =*.html*, status = 4*, bytes]", vec![1]),
        ("[..., request =*.html*, status = 4*, bytes]", vec![1]),
        ("[ip, env, user, time, request, status = 404 || status = 410, bytes]", vec![1]),
        ("[ip, env, user, time, request, status = 5*, bytes]", vec![]),
        ("[ip, env, user, time, request, status >= 400, bytes > 2000]", vec![]),
        ("[ip, ..., status >= 400 && status < 500, bytes <= 1534]", vec![1]),
        ("[w1=ERROR, w2]", vec![4]),
        ("[w1=ERROR || w1=WARNING, w2]", vec![3, 4]),
        ("[w1!=ERROR && w1!=WARNING, w2]", vec![1, 2]),
        ("[level, date, time, method, url=%/part/[0-9]+$%, took]", vec![2]),
        ("[a, b, c, d, e, f, g, h, i]", vec![]),
        ("[]", vec![1, 2, 3, 4]),
        ("[...]", vec![1, 2, 3, 4]),
        ("[first=\"INFO\", ...]", vec![2]),
        ("[..., last=request]", vec![3, 4]),
        ("[level, rest=%12:00:02.F%]", vec![4]),
    ] {
        assert_eq!(matching(pattern, &LINES), expected, "{pattern}");
    }
}

#[test]
fn values_are_extracted_by_the_names_of_metric_filters() {
    let extracted = |pattern: &str, message: &str| -> Vec<(String, String)> {
        FilterPattern::parse(pattern).unwrap().test(message).unwrap().into_iter().collect()
    };
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    assert_eq!(extracted("INFO", LINES[1]), []);
    assert_eq!(
        extracted("{ $.n >= 1 && ($.kind = R* || $.absent = 1) && $.parts[*].id = 2 && $.ok IS TRUE }", EVENT),
        pairs(&[("$.kind", "Renamed"), ("$.n", "1000"), ("$.ok", "true"), ("$.parts[*].id", "2")])
    );
    assert_eq!(
        extracted("[ip, ..., request, status, bytes]", LINES[0]),
        pairs(&[
            ("$2", "Live"),
            ("$3", "anna"),
            ("$4", "05/Oct/2026:13:25:15 +0000"),
            ("$bytes", "1534"),
            ("$ip", "127.0.0.1"),
            ("$request", "GET /home.html HTTP/1.1"),
            ("$status", "404"),
        ])
    );
    assert_eq!(extracted("[level, rest]", "A  [b c] \"d\" "), pairs(&[("$level", "A"), ("$rest", "[b c] \"d\"")]));
    assert_eq!(extracted("[]", "a [b"), pairs(&[("$1", "a"), ("$2", "[b")]));
    assert_eq!(extracted("[a, ...]", "x"), pairs(&[("$a", "x")]));
    assert_eq!(extracted("[a, ..., b]", "x y z"), pairs(&[("$2", "y"), ("$a", "x"), ("$b", "z")]));
}

#[test]
fn numbers_are_extracted_with_their_own_digits() {
    for number in ["123456789.123", "0.1", "2.5", "-7", "0.00000000000000000001", "9007199254740993"] {
        let pattern = FilterPattern::parse("{ $.n >= -10 }").unwrap();
        let extracted = pattern.test(&format!("{{\"n\": {number}}}")).unwrap();
        assert_eq!(extracted["$.n"], number);
    }
    assert!(FilterPattern::parse("{ $.n = 123456789.12* }").unwrap().is_match("{\"n\": 123456789.123}"));
    assert!(FilterPattern::parse("{ $.n = %123$% }").unwrap().is_match("{\"n\": 123456789.123}"));
}

#[test]
fn brackets_that_are_never_closed_are_looked_for_once() {
    let pattern = FilterPattern::parse("[a, b, ..., c]").unwrap();
    for opened in ["[ ", "\" [", "[\"x "] {
        assert!(pattern.is_match(&opened.repeat(1 << 18)));
    }
}

#[test]
fn faults_say_what_and_where() {
    for (pattern, said, marked) in [
        ("%4[0-9]{2}\\] (BAD)%", "no parentheses", "("),
        ("%a b%", "no ` `", " "),
        ("%é%", "no `é`", "é"),
        ("%[%", "cannot be read", "%[%"),
        ("%%", "empty", "%%"),
        ("%abc", "not closed", "%"),
        ("\"abc", "not closed", "\""),
        ("a-b", "stands in quotes", "-"),
        ("?", "without a term", "?"),
        ("{ $.a }", "expected `=`", "}"),
        ("{ $.a == 1 }", "`==`", "=="),
        ("{ $.a = }", "a value", "}"),
        ("{ $.a > x }", "only numbers", " x"),
        ("{ $.a IS NOT NULL }", "no `IS NOT`", "NOT"),
        ("{ $.a EXISTS }", "no `EXISTS`", "EXISTS"),
        ("{ a = 1 }", "a selector", "a"),
        ("{ $ = 1 }", "after `$`", "="),
        ("{ $.a = 1", "found the end", ""),
        ("{ $.a = 1 } x", "expected the end", "x"),
        ("{ $.*.b[*] = 1 }", "one wildcard", "$.*.b[*]"),
        ("{ $.a = 2026-10 }", "stands in quotes", "2026-10"),
        ("{ ($.a = 1 }", "`)`", "}"),
        ("[a, b", "found the end", ""),
        ("[a = 1 || b = 2]", "all of `a`", "b"),
        ("[..., a, ...]", "second `...`", "..."),
        ("[a,,b]", "the name", ","),
        ("[a] b", "expected the end", "b"),
    ] {
        let error = FilterPattern::parse(pattern).expect_err(pattern);
        assert!(error.message.contains(said), "{pattern}: {error}");
        assert_eq!(&pattern[error.start..error.end], marked, "{pattern}: {error}");
    }
    for pattern in [
        "x".repeat(1_025),
        format!("{{ {}$.a = 1{} }}", "(".repeat(100), ")".repeat(100)),
        "{ $.a = %a% || $.a = %b% || $.a = %c% }".to_owned(),
        "{ $.a[*] = 1 || $.b[*] = 1 || $.c[*] = 1 || $.d[*] = 1 }".to_owned(),
    ] {
        assert_eq!(FilterPattern::parse(&pattern).unwrap_err().kind, ErrorKind::Limit, "{pattern}");
    }
}

#[test]
fn nothing_that_can_be_typed_stops_the_reader() {
    let pieces = [
        "{", "}", "[", "]", "$", ".a", "= ", "*", "%", "\"", "\\", "&&", "||", "(", ")", "...", ",", " ", "-", "?",
        "é", "1", "IS NULL", "['",
    ];
    let mut state = 7_u64;
    for _ in 0..20_000 {
        let mut pattern = String::new();
        for _ in 0..10 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            pattern.push_str(pieces[(state >> 33) as usize % pieces.len()]);
        }
        match FilterPattern::parse(&pattern) {
            Ok(read) => {
                for message in [EVENT, LINES[0], "", "[", "\"é", &pattern] {
                    assert_eq!(read.is_match(message), read.test(message).is_some());
                }
            }
            Err(error) => assert!(pattern.is_char_boundary(error.start) && pattern.is_char_boundary(error.end)),
        }
    }
}
