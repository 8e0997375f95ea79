//! Spec B, rule by rule.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

#[track_caller]
fn matches(pattern: Value, event: Value) -> bool {
    Pattern::compile(&pattern).unwrap_or_else(|error| panic!("{pattern}: {error}")).matches(&event)
}

#[track_caller]
fn refused(pattern: &str) -> String {
    Pattern::parse(pattern).expect_err(pattern).to_string()
}

#[test]
fn keys_are_anded_and_elements_are_ored() {
    let pattern = json!({"source": ["aws.ecs", "aws.ec2"], "region": ["eu-central-1"]});
    assert!(matches(pattern.clone(), json!({"source": "aws.ec2", "region": "eu-central-1", "more": 1})));
    assert!(!matches(pattern.clone(), json!({"source": "aws.ec2", "region": "eu-west-1"})));
    assert!(!matches(pattern, json!({"source": "aws.ec2"})));
}

#[test]
fn shapes_that_are_no_pattern_are_refused_with_their_place() {
    assert!(refused("{}").contains("empty objects"));
    assert!(refused(r#"{"a":{}}"#).ends_with("at a"));
    assert!(refused(r#"{"a":[]}"#).contains("empty arrays"));
    assert!(refused(r#"{"a":{"b":"x"}}"#).contains("\"b\" must be an object or an array at a.b"));
    assert!(refused(r#"{"a":[["x"]]}"#).contains("array inside"));
    assert!(refused(r#"{"a":[{"prefix":"a","suffix":"b"}]}"#).contains("exactly one key"));
    assert!(refused(r#"{"a":[{"regex":"x"}]}"#).contains("unrecognized match type regex"));
    assert!(refused("[1]").contains("must be an object"));
    assert!(refused("{").contains("not JSON"));
    assert!(refused(&format!(r#"{{"a":["{}"]}}"#, "x".repeat(LONGEST_CHARS))).contains("longer than 4096"));
}

#[test]
fn the_last_of_two_equal_keys_wins() {
    let pattern = Pattern::parse(r#"{"a":["x"],"a":["y"]}"#).expect("a pattern");
    assert!(pattern.matches(&json!({"a": "y"})));
    assert!(!pattern.matches(&json!({"a": "x"})));
}

#[test]
fn arrays_are_transparent_and_any_scalar_will_do() {
    assert!(matches(json!({"resources": ["b", "z"]}), json!({"resources": ["a", "b"]})));
    assert!(matches(json!({"resources": ["b"]}), json!({"resources": [["a"], ["b"]]})));
    assert!(!matches(json!({"resources": ["c"]}), json!({"resources": ["a", "b"]})));
    let checks = json!({"detail": {"healthChecks": [{"type": "DAEMON"}, {"type": "AGENT_CONNECTIVITY"}]}});
    assert!(matches(json!({"detail": {"healthChecks": {"type": ["AGENT_CONNECTIVITY"]}}}), checks));
}

#[test]
fn two_fields_below_an_array_must_stand_in_the_same_element() {
    let pattern = json!({"checks": {"type": ["A"], "status": ["IMPAIRED"]}});
    assert!(!matches(
        pattern.clone(),
        json!({"checks": [{"type": "A", "status": "OK"}, {"type": "B", "status": "IMPAIRED"}]})
    ));
    assert!(matches(
        pattern,
        json!({"checks": [{"type": "B", "status": "IMPAIRED"}, {"type": "A", "status": "IMPAIRED"}]})
    ));
    let nested = json!({"a": {"b": {"x": [1], "y": [2]}, "z": [3]}});
    assert!(!matches(nested.clone(), json!({"a": [{"b": [{"x": 1}, {"y": 2}], "z": 3}]})));
    assert!(!matches(nested.clone(), json!({"a": [{"b": [{"x": 1, "y": 2}], "z": 4}, {"b": [], "z": 3}]})));
    assert!(matches(nested, json!({"a": [{"z": 3, "b": [{"x": 9}, {"x": 1, "y": 2}]}]})));
}

#[test]
fn an_absent_field_is_absent_from_the_element_already_chosen() {
    let pattern = json!({"checks": {"a": ["1"], "reason": [{"exists": false}]}});
    assert!(matches(pattern.clone(), json!({"checks": [{"a": "1"}, {"a": "2", "reason": "x"}]})));
    assert!(!matches(pattern, json!({"checks": [{"a": "1", "reason": "x"}, {"a": "2"}]})));
}

#[test]
fn a_dotted_key_is_the_same_as_nesting() {
    assert!(matches(json!({"a.b": ["x"]}), json!({"a": {"b": "x"}})));
    assert!(matches(json!({"a": {"b": ["x"]}}), json!({"a.b": "x"})));
}

#[test]
fn literals_keep_to_their_type() {
    assert!(!matches(json!({"a": ["5"]}), json!({"a": 5})));
    assert!(matches(json!({"a": [300]}), json!({"a": 300.0})));
    assert!(matches(json!({"a": [3.0e2]}), json!({"a": 300})));
    assert!(matches(json!({"a": [true]}), json!({"a": true})));
    assert!(!matches(json!({"a": [true]}), json!({"a": "true"})));
    assert!(matches(json!({"a": [null]}), json!({"a": null})));
    assert!(!matches(json!({"a": [null]}), json!({})));
    assert!(!matches(json!({"a": [null]}), json!({"a": ""})));
    assert!(matches(json!({"a": [""]}), json!({"a": ""})));
    assert!(!matches(json!({"a": ["X"]}), json!({"a": "x"})));
    assert!(!matches(json!({"A": ["x"]}), json!({"a": "x"})));
}

#[test]
fn an_ip_literal_equals_the_same_address_written_otherwise() {
    assert!(matches(json!({"ip": ["2001:db8::1"]}), json!({"ip": "2001:0db8:0:0::0001"})));
    assert!(!matches(json!({"ip": ["10.0.0.1"]}), json!({"ip": "10.0.0.2"})));
    assert!(!matches(json!({"ip": [{"exactly": "2001:db8::1"}]}), json!({"ip": "2001:0db8:0:0::0001"})));
}

#[test]
fn prefix_and_suffix_match_strings_only() {
    assert!(matches(json!({"a": [{"prefix": "RESOURCE:"}]}), json!({"a": "RESOURCE:ENI"})));
    assert!(matches(json!({"a": [{"prefix": ""}]}), json!({"a": "anything"})));
    assert!(!matches(json!({"a": [{"prefix": ""}]}), json!({"a": 1})));
    assert!(matches(json!({"a": [{"suffix": ":cluster/prod-a"}]}), json!({"a": "arn:aws:ecs:x:1:cluster/prod-a"})));
    assert!(!matches(json!({"a": [{"suffix": "b"}]}), json!({"a": "abc"})));
    assert!(matches(json!({"a": [{"prefix": {"equals-ignore-case": "ÄB"}}]}), json!({"a": "äbc"})));
    assert!(matches(json!({"a": [{"suffix": {"equals-ignore-case": "BC"}}]}), json!({"a": "abc"})));
    assert!(!matches(json!({"a": [{"suffix": {"equals-ignore-case": "XABC"}}]}), json!({"a": "abc"})));
    assert!(refused(r#"{"a":[{"prefix":{"suffix":"b"}}]}"#).contains("equals-ignore-case"));
    assert!(refused(r#"{"a":[{"prefix":5}]}"#).contains("takes a string"));
    assert!(refused(r#"{"a":[{"exactly":5}]}"#).contains("takes a string"));
}

#[test]
fn equals_ignore_case_folds_each_character_and_nothing_more() {
    assert!(matches(json!({"a": [{"equals-ignore-case": "AlIcE"}]}), json!({"a": "aLiCe"})));
    assert!(!matches(json!({"a": [{"equals-ignore-case": "alice"}]}), json!({"a": "alice "})));
    assert!(!matches(json!({"a": [{"equals-ignore-case": "strasse"}]}), json!({"a": "straße"})));
}

#[test]
fn wildcards_span_the_whole_string() {
    let wild = |pattern: &str, value: &str| matches(json!({"a": [{"wildcard": pattern}]}), json!({"a": value}));
    assert!(wild("*:service/prod-a/*", "arn:aws:ecs:r:1:service/prod-a/api"));
    assert!(wild("*", ""));
    assert!(wild("a*b*c", "a--b--b--c"));
    assert!(!wild("a*b", "a*bc"));
    assert!(!wild("ab*ba", "aba"), "pieces do not overlap");
    assert!(wild(r"a\*b", "a*b"));
    assert!(!wild(r"a\*b", "axb"));
    assert!(wild(r"a\\b", r"a\b"));
    assert!(wild("a?", "a?"));
    assert!(!wild("a?", "ab"));
    assert!(refused(r#"{"a":[{"wildcard":"a**b"}]}"#).contains("adjacent"));
    assert!(refused(r#"{"a":[{"wildcard":"a\\n"}]}"#).contains("may be escaped"));
    assert!(Pattern::parse(r#"{"a":[{"wildcard":"a*\\**"}]}"#).is_ok(), "an escaped star is no neighbour");
}

#[test]
fn anything_but_wants_a_field_that_is_there_and_another() {
    assert!(matches(json!({"a": [{"anything-but": "x"}]}), json!({"a": "y"})));
    assert!(!matches(json!({"a": [{"anything-but": "x"}]}), json!({"a": "x"})));
    assert!(!matches(json!({"a": [{"anything-but": "x"}]}), json!({})));
    assert!(matches(json!({"a": [{"anything-but": ["x", "y"]}]}), json!({"a": 5})), "another type differs");
    assert!(matches(json!({"a": [{"anything-but": ["x"]}]}), json!({"a": null})));
    assert!(!matches(json!({"a": [{"anything-but": [1, 2]}]}), json!({"a": 2.0})));
    assert!(matches(json!({"a": [{"anything-but": ["x"]}]}), json!({"a": ["x", "y"]})), "one element is enough");
    assert!(!matches(json!({"a": [{"anything-but": ["x"]}]}), json!({"a": ["x"]})));
    assert!(matches(json!({"a": [{"anything-but": "x"}, {"exists": false}]}), json!({})));
    for wrong in [r#"["x",1]"#, "[]", "true", "null", "[true]", r#"{"exists":true}"#, r#"{"numeric":["=",1]}"#] {
        assert!(Pattern::parse(&format!(r#"{{"a":[{{"anything-but":{wrong}}}]}}"#)).is_err(), "{wrong}");
    }
}

#[test]
fn anything_but_holds_other_matchers_of_strings() {
    let but = |inner: Value, value: &str| matches(json!({"a": [{"anything-but": inner}]}), json!({"a": value}));
    assert!(!but(json!({"prefix": ["ab", "cd"]}), "cde"));
    assert!(but(json!({"prefix": "ab"}), "cde"));
    assert!(!but(json!({"suffix": "de"}), "cde"));
    assert!(!but(json!({"equals-ignore-case": ["CDE"]}), "cde"));
    assert!(!but(json!({"wildcard": "c*e"}), "cde"));
    assert!(but(json!({"wildcard": ["x*", "y*"]}), "cde"));
    assert!(refused(r#"{"a":[{"anything-but":{"prefix":""}}]}"#).contains("not empty"));
    assert!(refused(r#"{"a":[{"anything-but":{"suffix":["a",""]}}]}"#).contains("not empty"));
    assert!(refused(r#"{"a":[{"anything-but":{"prefix":[]}}]}"#).contains("not empty"));
}

#[test]
fn numeric_compares_json_numbers() {
    let numeric = |operands: Value, value: Value| matches(json!({"a": [{"numeric": operands}]}), json!({"a": value}));
    assert!(numeric(json!(["=", 3e2]), json!(300)));
    assert!(numeric(json!([">", 0, "<=", 5]), json!(5)));
    assert!(!numeric(json!([">", 0, "<=", 5]), json!(0)));
    assert!(numeric(json!([">=", 0, "<", 5]), json!(0)));
    assert!(!numeric(json!([">=", 0, "<", 5]), json!(5)));
    assert!(numeric(json!(["<", -1.5]), json!(-2)));
    assert!(!numeric(json!([">", 0]), json!("7")), "a numeric string is no number");
    for wrong in [
        r#"["<",5,">",0]"#,
        r#"["=",1,"<",5]"#,
        r#"[">",5,"<",5]"#,
        r#"[">",1,">",2]"#,
        r#"[">"]"#,
        r#"["!",1]"#,
        "[]",
        "5",
        r#"[">",1,"<",2,"<",3]"#,
        r#"[">","1"]"#,
    ] {
        assert!(Pattern::parse(&format!(r#"{{"a":[{{"numeric":{wrong}}}]}}"#)).is_err(), "{wrong}");
    }
}

#[test]
fn exists_speaks_of_scalars_at_this_very_path() {
    let exists = |wanted: bool, event: Value| matches(json!({"a": [{"exists": wanted}]}), event);
    assert!(exists(true, json!({"a": null})));
    assert!(exists(true, json!({"a": [1]})));
    assert!(!exists(true, json!({"a": {"b": 1}})));
    assert!(!exists(true, json!({"a": []})));
    assert!(!exists(true, json!({})));
    assert!(exists(false, json!({"a": {"b": 1}})));
    assert!(exists(false, json!({"a": []})));
    assert!(exists(false, json!({})));
    assert!(!exists(false, json!({"a": null})));
    assert!(refused(r#"{"a":[{"exists":"yes"}]}"#).contains("true or false"));
}

#[test]
fn cidr_blocks_hold_addresses() {
    let inside = |block: &str, address: &str| matches(json!({"a": [{"cidr": block}]}), json!({"a": address}));
    assert!(inside("10.0.0.0/24", "10.0.0.255"));
    assert!(!inside("10.0.0.0/24", "10.0.1.0"));
    assert!(inside("0.0.0.0/0", "255.1.2.3"));
    assert!(inside("2001:db8::/32", "2001:db8:ffff::1"));
    assert!(inside("::/0", "::1"));
    assert!(!inside("0.0.0.0/0", "::1"));
    assert!(!inside("10.0.0.0/24", "ten"));
    for wrong in ["10.0.0.0", "10.0.0.0/33", "10.0.0/8", "x/8", "::/129"] {
        assert!(Pattern::compile(&json!({"a": [{"cidr": wrong}]})).is_err(), "{wrong}");
    }
}

#[test]
fn or_is_anded_with_its_siblings_and_nests() {
    let pattern = json!({"source": ["aws.ecs"], "$or": [{"detail": {"a": [1]}}, {"$or": [{"b": [2]}, {"c": [3]}]}]});
    assert!(matches(pattern.clone(), json!({"source": "aws.ecs", "detail": {"a": 1}})));
    assert!(matches(pattern.clone(), json!({"source": "aws.ecs", "c": 3})));
    assert!(!matches(pattern.clone(), json!({"source": "aws.ec2", "c": 3})));
    assert!(!matches(pattern, json!({"source": "aws.ecs"})));
    let below = json!({"detail": {"$or": [{"a": [1]}, {"b": [2]}], "z": [0]}});
    assert!(matches(below.clone(), json!({"detail": {"b": 2, "z": 0}})));
    assert!(!matches(below, json!({"detail": {"b": 2}})));
}

#[test]
fn or_wants_two_objects_without_reserved_words() {
    for wrong in
        [r#"[{"a":[1]}]"#, r#"{"a":[1]}"#, r#"["x","y"]"#, r#"[{"prefix":["a"]},{"b":[1]}]"#, r#"[{},{"b":[1]}]"#]
    {
        assert!(Pattern::parse(&format!(r#"{{"$or":{wrong}}}"#)).is_err(), "{wrong}");
    }
}

#[test]
fn or_may_multiply_out_to_a_thousand_combinations() {
    let ten = |key: &str| Value::Array((0..10).map(|n| json!({key: [n]})).collect());
    let three = json!({"x": {"$or": ten("a")}, "y": {"$or": ten("b")}, "z": {"$or": ten("c")}});
    assert!(matches(three.clone(), json!({"x": {"a": 9}, "y": {"b": 9}, "z": {"c": 9}})));
    let mut four = three;
    four["w"] = json!({"$or": [{"d": [1]}, {"e": [1]}]});
    assert!(Pattern::compile(&four).expect_err("2,000 combinations").to_string().contains("1000"));
}

#[test]
fn an_event_is_tested_only_when_it_is_a_whole_event() {
    let event = json!({"id": "1", "account": "123456789012", "source": "aws.ecs", "time": "2026-10-02T08:15:31Z",
        "region": "eu-central-1", "resources": [], "detail-type": "x", "detail": {"agentConnected": false}});
    let pattern = r#"{"detail":{"agentConnected":[false]}}"#;
    assert_eq!(test_event_pattern(pattern, &event.to_string()), Ok(true));
    assert_eq!(test_event_pattern(r#"{"detail":{"agentConnected":[true]}}"#, &event.to_string()), Ok(false));
    for field in ENVELOPE {
        let mut partial = event.clone();
        partial.as_object_mut().expect("an object").remove(field);
        let error = test_event_pattern(pattern, &partial.to_string()).expect_err(field);
        assert!(error.to_string().contains(field), "{error}");
    }
    assert!(matches!(test_event_pattern("{}", &event.to_string()), Err(TestError::Pattern(_))));
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[ -~]{0,8}".prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        (-1e6..1e6f64).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ]
}

fn event() -> impl Strategy<Value = Value> {
    let tree = scalar().prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-e]{1,2}", inner, 0..5).prop_map(|map| map.into_iter().collect()),
        ]
    });
    prop::collection::btree_map("[a-e]{1,2}", tree, 1..5).prop_map(|map| map.into_iter().collect())
}

/// A pattern of the event's own scalars: of an array, those of its first element that has any.
fn own_pattern(value: &Value) -> Option<Value> {
    match value {
        Value::Object(members) => {
            let inner: serde_json::Map<_, _> =
                members.iter().filter_map(|(key, member)| Some((key.clone(), own_pattern(member)?))).collect();
            (!inner.is_empty()).then_some(Value::Object(inner))
        }
        Value::Array(elements) => elements.iter().find_map(own_pattern),
        scalar => Some(json!([scalar])),
    }
}

proptest! {
    #[test]
    fn a_pattern_of_an_events_own_scalars_matches_it(event in event()) {
        if let Some(pattern) = own_pattern(&event) {
            prop_assert!(Pattern::compile(&pattern).expect("a pattern").matches(&event), "{pattern} {event}");
        }
    }

    #[test]
    fn no_text_makes_the_compiler_panic(text in "[ -~]{0,60}") {
        let _ = Pattern::parse(&text);
    }

    #[test]
    fn a_field_exists_or_it_does_not(event in event(), key in "[a-e]") {
        let exists = matches(json!({key.clone(): [{"exists": true}]}), event.clone());
        let absent = matches(json!({key: [{"exists": false}]}), event);
        prop_assert!(exists != absent);
    }
}
