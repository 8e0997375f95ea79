use std::cmp::Ordering;

use super::*;
use crate::rules::Rules;

#[test]
fn texts_that_look_like_numbers_are_told_from_others() {
    for (text, number) in
        [("0", 0.0), ("-1.5", -1.5), ("+2", 2.0), (".5", 0.5), ("1e3", 1000.0), ("1E-2", 0.01), ("007", 7.0)]
    {
        assert_eq!(number_of_text(text), Some(number), "{text}");
    }
    for text in ["", "-", ".", "1.", "e3", "1e", "1e+", "nan", "inf", "0x1f", " 1", "1 ", "1_000", "१", "1e999", "--1"]
    {
        assert_eq!(number_of_text(text), None, "{text}");
    }
}

#[test]
fn natural_order_is_as_documented() {
    let order = [
        "!",
        "#",
        "*%04",
        "0#",
        "5A",
        "111A",
        "2345_",
        "@",
        "@_",
        "A",
        "A9876fghj",
        "a12345hfh",
        "0",
        "01",
        "1",
        "2",
        "3",
    ];
    for (left, one) in order.iter().enumerate() {
        for (right, other) in order.iter().enumerate() {
            assert_eq!(natural_order(one, other), left.cmp(&right), "{one} {other}");
        }
    }
}

#[test]
fn natural_order_is_a_total_order() {
    let pieces =
        ["", "0", "00", "1", "10", "9", "a", "-1", "1.5", "/", ":", "é", "a1", "a01", "1a", "01a", "a1b2", "a1b10"];
    for one in pieces {
        assert_eq!(natural_order(one, one), Ordering::Equal);
        for other in pieces {
            assert_eq!(natural_order(one, other), natural_order(other, one).reverse(), "{one} {other}");
            for third in pieces {
                if natural_order(one, other).is_le() && natural_order(other, third).is_le() {
                    assert!(natural_order(one, third).is_le(), "{one} {other} {third}");
                }
            }
        }
    }
}

#[test]
fn values_of_every_sort_are_in_a_total_order() {
    let values = [
        Value::Null,
        Value::Boolean(false),
        Value::Boolean(true),
        Value::Number(1.0),
        Value::Number(-0.0),
        Value::Number(0.0),
        Value::Number(1e300),
        Value::Number(-2.5),
        Value::Time(1),
        Value::Time(0),
        Value::from("1"),
        Value::from("01"),
        Value::from("1.0"),
        Value::from("-2.50"),
        Value::from("1e300"),
        Value::from(""),
        Value::from("a1"),
        Value::List(vec![]),
    ];
    let rules = Rules::default();
    for descending in [false, true] {
        let order = |one: &Value, other: &Value| sort_order(one, other, descending, &rules);
        for one in &values {
            for other in &values {
                assert_eq!(order(one, other), order(other, one).reverse(), "{one:?} {other:?}");
                for third in &values {
                    if order(one, other).is_le() && order(other, third).is_le() {
                        assert!(order(one, third).is_le(), "{one:?} {other:?} {third:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn null_comes_last_in_both_directions_unless_told_otherwise() {
    let (null, one) = (Value::Null, Value::Number(1.0));
    let least = Rules { nulls_last: false, ..Rules::default() };
    for descending in [false, true] {
        assert_eq!(sort_order(&null, &one, descending, &Rules::default()), Ordering::Greater);
    }
    assert_eq!(sort_order(&null, &one, false, &least), Ordering::Less);
    assert_eq!(sort_order(&null, &one, true, &least), Ordering::Greater);
}

#[test]
fn numbers_and_texts_are_compared_as_the_table_says() {
    let rules = Rules::default();
    let text = |text: &str| Value::from(text);
    assert_eq!(equal(&Value::Number(200.0), &text("200"), &rules), Some(true));
    assert_eq!(equal(&Value::Number(1.0), &text("01"), &rules), Some(true));
    assert_eq!(equal(&text("01"), &text("1"), &rules), Some(false));
    assert_eq!(equal(&text("01"), &text("1"), &Rules { numeric_texts_equal: true, ..Rules::default() }), Some(true));
    assert_eq!(compare(&text("9"), &text("10"), &rules), Some(Ordering::Less));
    assert_eq!(compare(&text("a"), &text("B"), &rules), Some(Ordering::Greater));
    assert_eq!(compare(&Value::Number(1.0), &text("x"), &rules), None);
    assert_eq!(equal(&Value::Null, &Value::Null, &rules), None);
    assert_eq!(equal(&Value::List(vec![]), &Value::List(vec![]), &rules), None);
    assert_eq!(equal(&Value::Boolean(true), &text("true"), &rules), Some(true));
    assert_eq!(equal(&Value::Boolean(true), &Value::Number(1.0), &rules), Some(true));
    assert_eq!(compare(&Value::Time(0), &text("1971"), &rules), Some(Ordering::Less));
}

#[test]
fn values_print_as_results_show_them() {
    let rules = Rules::default();
    for (value, printed) in [
        (Value::Number(84.0), Some("84")),
        (Value::Number(-0.0), Some("0")),
        (Value::Number(2.56789), Some("2.5679")),
        (Value::Number(2.5), Some("2.5")),
        (Value::Number(-0.00001), Some("0")),
        (Value::Number(1e20), Some("100000000000000000000")),
        (Value::Boolean(true), Some("1")),
        (Value::Time(1_791_201_600_001), Some("2026-10-05 12:00:00.001")),
        (Value::Null, None),
        (Value::List(vec![Value::Number(1.0), "a".into()]), Some("[1,\"a\"]")),
    ] {
        assert_eq!(value.print(&rules).as_deref(), printed, "{value:?}");
    }
}

#[test]
fn any_number_of_decimals_may_be_asked_for() {
    let printed = |number: f64, decimals_max: usize| {
        Value::Number(number).print(&Rules { decimals_max, ..Rules::default() }).unwrap()
    };
    assert_eq!([printed(2.5, usize::MAX), printed(-0.4, 0), printed(10.4, 0)], ["2.5", "0", "10"]);
    assert_eq!(printed(5e-324, 100_000).len(), 2 + 1_074);
}

#[test]
fn minus_zero_is_zero() {
    let (minus, zero) = (Value::Number(-0.0), Value::Number(0.0));
    let rules = Rules::default();
    assert_eq!(equal(&minus, &zero, &rules), Some(true));
    assert_eq!(sort_order(&minus, &zero, false, &rules), Ordering::Equal);
    for made in [Value::of_number(-0.0), Value::of_maybe(Some(-0.0)), json_of_text("-0.0").unwrap()] {
        assert!(matches!(made, Value::Number(number) if number.is_sign_positive()), "{made:?}");
    }
}

#[test]
fn whole_numbers_that_no_double_tells_apart_are_compared_by_their_digits() {
    let order = |one: &str, other: &str| compare(&Value::from(one), &Value::from(other), &Rules::default());
    assert_eq!(order("9007199254740993", "9007199254740992"), Some(Ordering::Greater));
    assert_eq!(order("-9007199254740993", "-9007199254740992"), Some(Ordering::Less));
    assert_eq!(order("+09007199254740993", "9007199254740993"), Some(Ordering::Equal));
    assert_eq!(order("01", "1"), Some(Ordering::Equal));
    assert_eq!(order("-0", "0"), Some(Ordering::Equal));
    assert_eq!(order("1.0", "1"), Some(Ordering::Equal));
    let numbers = Rules { numeric_texts_equal: true, ..Rules::default() };
    assert_eq!(equal(&"9007199254740993".into(), &"9007199254740992".into(), &numbers), Some(false));
    assert_eq!(Value::from("9007199254740993").integer(), Some(9_007_199_254_740_993));
}

#[test]
fn json_keeps_its_order_and_its_large_numbers() {
    let text = r#"{"b":[1,2.5,null],"a":{"id":9007199254740993,"n":-5},"b2":true}"#;
    let value = json_of_text(text).unwrap();
    assert_eq!(
        value.inside(&Part::Name("a".into()), 0).inside(&Part::Name("id".into()), 0),
        &Value::from("9007199254740993")
    );
    assert_eq!(value.to_json(), text.replace("9007199254740993", "\"9007199254740993\""));
    assert_eq!(json_of_text("boot ok"), None);
    assert_eq!(json_of_text(&("[".repeat(500) + &"]".repeat(500))), None);
}
