use super::*;

/// The words of a text, one a line, as they would be typed.
fn words(text: &str) -> Vec<String> {
    tokens(text)
        .into_iter()
        .map(|token| match token.kind {
            TokenKind::Path { path, bare: true } => path.flat(),
            TokenKind::Path { path, bare: false } => format!("quoted {path}"),
            TokenKind::Number(number) => format!("number {number}"),
            TokenKind::Period(period) => format!("period {period}"),
            TokenKind::Text(text) => format!("text {text}"),
            TokenKind::Regex(source) => format!("regex {source}"),
            TokenKind::Sign(sign) => sign.typed().to_owned(),
            TokenKind::Bad(bad) => format!("bad {}", bad.0.message),
            TokenKind::End => "end".to_owned(),
        })
        .collect()
}

fn fault(text: &str) -> Fault {
    tokens(text)
        .into_iter()
        .find_map(|token| match token.kind {
            TokenKind::Bad(bad) => Some(*bad.0),
            _ => None,
        })
        .unwrap()
}

#[test]
fn every_kind_of_word_is_told_from_the_others() {
    assert_eq!(
        words("a.b[0].`c d` = -1.5e+3 and x in[\"q\\\"\\\\\", 'it']"),
        [
            "quoted a.b[0].`c d`",
            "=",
            "-",
            "number 1.5e+3",
            "and",
            "x",
            "in",
            "[",
            "text q\"\\",
            ",",
            "text it",
            "]",
            "end"
        ]
    );
    assert_eq!(words("bin(5MINS)!=.5"), ["bin", "(", "period 5m", ")", "!=", "number .5", "end"]);
    assert_eq!(words("@@weird items.0.id"), ["@@weird", "items.0.id", "end"]);
}

#[test]
fn comments_end_with_the_line_and_do_not_begin_inside_of_quotes() {
    assert_eq!(words("a # b | c\n| \"#\" # end"), ["a", "|", "text #", "end"]);
    assert_eq!(words("like /#/"), ["like", "regex #", "end"]);
    assert_eq!(words("#"), ["end"]);
}

#[test]
fn a_slash_divides_after_a_value_and_opens_a_pattern_elsewhere() {
    assert_eq!(words("sort a/b/2"), ["sort", "a", "/", "b", "/", "number 2", "end"]);
    assert_eq!(words("a =~ /b\\/c/"), ["a", "=~", "regex b\\/c", "end"]);
    assert_eq!(
        words("x | PARSE @message /b (c)/ | sort f /2"),
        ["x", "|", "PARSE", "@message", "regex b (c)", "|", "sort", "f", "/", "number 2", "end"]
    );
    assert_eq!(words("parse concat(a/b) /c/"), ["parse", "concat", "(", "a", "/", "b", ")", "regex c", "end"]);
    assert_eq!(words("parse a /b/"), ["parse", "a", "regex b", "end"]);
    assert_eq!(words("join (parse a /b/)"), ["join", "(", "parse", "a", "regex b", ")", "end"]);
    let after_subquery = words("filter (a in (parse csv as x)) + ((b / 2))");
    assert_eq!(after_subquery[after_subquery.len() - 5..], ["/", "number 2", ")", ")", "end"]);
    assert_eq!(words("sort (a/b)"), ["sort", "(", "a", "/", "b", ")", "end"]);
    assert_eq!(words("(a)/2"), ["(", "a", ")", "/", "number 2", "end"]);
}

#[test]
fn offsets_are_bytes_of_the_text() {
    let text = "filter é = \"日\" | x";
    let spans: Vec<&str> = tokens(text).iter().map(|token| token.span.of(text)).collect();
    assert_eq!(spans, ["filter", "é", "=", "\"日\"", "|", "x", ""]);
}

#[test]
fn signs_of_other_languages_are_told_what_this_one_has() {
    for (text, instead) in
        [("a == 1", "="), ("a && b", "and"), ("a || b", "or"), ("a <> b", "!="), ("a !~ b", "not like"), ("“a”", "\"")]
    {
        assert_eq!(fault(text).suggestion.as_deref(), Some(instead), "{text}");
    }
}

#[test]
fn what_forms_no_word_says_why() {
    for (text, said) in [
        ("\"abc", "not closed"),
        ("like /abc", "not closed"),
        ("like //", "empty"),
        ("`abc", "not closed"),
        ("``", "no name"),
        ("a.", "ends with a point"),
        ("a..b", "ends with a point"),
        ("10.0.0.1", "texts stand in quotes"),
        ("5xx", "begins with a digit"),
        ("0m", "nothing"),
        ("99999999999m", "too long"),
        ("a[99999999999]", "too large"),
        ("\u{7}", "U+0007"),
        ("\u{202e}", "U+202E"),
        ("~", "means nothing"),
        ("1e999", "no number"),
    ] {
        assert!(fault(text).message.contains(said), "{text}: {}", fault(text).message);
    }
    assert_eq!(fault("5minuts").suggestion.as_deref(), Some("5minute"));
}

#[test]
fn nothing_that_can_be_typed_stops_the_lexer() {
    let pieces = [
        "a", ".", "`", "\"", "'", "/", "\\", "[", "0", "]", "e", "+", "#", "\n", "é", "\0", "😀", "\u{301}", "@",
        "parse ", "=", "~", "!", "|",
    ];
    let mut state = 1_u64;
    for _ in 0..3_000 {
        let mut text = String::new();
        for _ in 0..12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(pieces[(state >> 33) as usize % pieces.len()]);
        }
        let mut end = 0;
        for token in tokens(&text) {
            assert!(token.span.start >= end && token.span.end >= token.span.start, "{text:?}");
            assert!(text.is_char_boundary(token.span.start) && text.is_char_boundary(token.span.end), "{text:?}");
            end = token.span.end;
        }
    }
}
