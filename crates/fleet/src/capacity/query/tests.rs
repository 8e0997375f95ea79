//! Queries asked, refused, and drawn at random.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Default)]
struct Pretend {
    connected: Option<bool>,
    version: Option<&'static str>,
    attributes: BTreeMap<&'static str, &'static str>,
    id: Option<&'static str>,
    registered: Option<Timestamp>,
    running: u32,
    groups: Vec<&'static str>,
}

impl Host for Pretend {
    fn agent_connected(&self) -> Option<bool> {
        self.connected
    }
    fn agent_version(&self) -> Option<&str> {
        self.version
    }
    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).copied()
    }
    fn machine_id(&self) -> Option<String> {
        self.id.map(str::to_owned)
    }
    fn registered_at(&self) -> Option<Timestamp> {
        self.registered
    }
    fn running_tasks(&self) -> u32 {
        self.running
    }
    fn any_group(&self, wanted: &mut dyn FnMut(&str) -> bool) -> bool {
        self.groups.iter().any(|group| wanted(group))
    }
}

fn host() -> Pretend {
    Pretend {
        connected: Some(true),
        version: Some("1.105.1"),
        attributes: BTreeMap::from([
            ("ecs.instance-type", "m6i.large"),
            ("ecs.availability-zone", "eu-west-1b"),
            ("stack", "blue green"),
            ("tier", "9"),
            ("gpu", ""),
        ]),
        id: Some("i-0aaa"),
        registered: Some("2018-06-18T22:28:28Z".parse().unwrap()),
        running: 3,
        groups: vec!["service:api", "family:batch"],
    }
}

#[test]
fn what_ecs_documents_is_understood() {
    for (text, holds) in [
        ("agentConnected == true", true),
        ("agentConnected == false", false),
        ("agentConnected in [true, false]", true),
        ("agentVersion >= 1.28.1", true),
        ("agentVersion < 1.105.1.1 and agentVersion == 1.105.1.0", true),
        ("attribute:ecs.awsvpc-trunk-id exists", false),
        ("attribute:ecs.awsvpc-trunk-id !exists", true),
        ("attribute:ecs.awsvpc-trunk-id not_exists", true),
        ("attribute:gpu exists", true),
        ("attribute:ecs.instance-type =~ m6i.* and runningTasksCount > 0", true),
        ("attribute:ecs.instance-type =~ m6i", false),
        ("attribute:ecs.instance-type !~ (c5|m5).*", true),
        ("(attribute:ecs.instance-type =~ (c5|m6i).*)", true),
        ("attribute:ecs.instance-type matches 'm[0-9]i\\.large'", true),
        ("ec2InstanceId in ['i-0aaa','i-0bbb']", true),
        ("ec2InstanceId not_in [i-0aaa, i-0bbb]", false),
        ("attribute:stack == 'blue green'", true),
        ("attribute:stack equals \"blue green\"", true),
        ("attribute:nobody != x", true),
        ("attribute:nobody == x", false),
        ("attribute:nobody !in [x]", true),
        ("attribute:tier > 10", false),
        ("attribute:tier < 10", true),
        ("attribute:tier greater_than_equal 9", true),
        ("task:group == service:api", true),
        ("task:group != service:api", false),
        ("not(task:group == database)", true),
        ("!(task:group == service:api) || runningTasksCount == 3", true),
        ("registeredAt >= 2018-06-18T22:28:28+00:00", true),
        ("registeredAt > 2018-06-18T22:28:28Z", false),
        ("registeredAt <= 2018-06-18T22:28:28", true),
        ("registeredAt > 2018-06-18", true),
        ("attribute:tier == 9 or attribute:tier == 8 and attribute:nobody exists", true),
        ("(attribute:tier == 9 or attribute:tier == 8) and attribute:nobody exists", false),
        ("NOT attribute:nobody EXISTS AND attribute:tier EQUALS 9", true),
    ] {
        match Expr::parse(text) {
            Ok(query) => assert_eq!(query.holds(&host()), holds, "{text}"),
            Err(fault) => panic!("{fault}\n{}", fault.pointed()),
        }
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_what_may_be_meant() {
    for (text, offset, what, suggestion) in [
        ("", 0, "found the end", None),
        ("agentConected == true", 0, "is no subject", Some("agentConnected")),
        ("attribute:x = y", 12, "expected an operator", Some("==")),
        ("attribute:x exits", 12, "expected an operator", Some("exists")),
        ("attribute:x == y adn attribute:z exists", 17, "expected `and`, `or` or the end", Some("and")),
        ("(attribute:x exists", 0, "not closed", None),
        ("attribute:x exists)", 18, "closes nothing", None),
        ("attribute: exists", 10, "without a name", None),
        ("ecs:stack == blue", 0, "is no subject", Some("attribute:stack")),
        ("agentConnected > true", 15, "cannot be asked", None),
        ("agentConnected == perhaps", 18, "no true or false", None),
        ("agentVersion == new", 16, "no version", None),
        ("runningTasksCount > many", 20, "no count", None),
        ("registeredAt > yesterday", 15, "no time", None),
        ("attribute:x in y", 15, "expected a list", None),
        ("attribute:x in [y", 15, "not closed", None),
        ("attribute:x in []", 16, "expected a value", None),
        ("attribute:x == 'y", 15, "does not end", None),
        ("attribute:x =~ a(?=b)", 16, "looking ahead", None),
        ("attribute:x =~ '(a)\\1'", 19, "a back reference", None),
        ("attribute:x =~ a++", 17, "a possessive quantifier", None),
        ("attribute:x =~ a{2}+", 19, "a possessive quantifier", None),
        ("attribute:x =~ \\p{Lu}", 15, "a class by property", None),
        ("attribute:x =~ [a&&[b]]", 17, "an intersection", None),
        ("attribute:x =~ '(a'", 16, "cannot be read", None),
        ("attribute:ü == 'y", 15, "does not end", None),
    ] {
        let Err(fault) = Expr::parse(text) else { panic!("understood: {text}") };
        assert_eq!((fault.offset, fault.suggestion.as_deref()), (offset, suggestion), "{text}: {fault}");
        assert!(fault.to_string().contains(what), "{text}: {fault}");
        assert_eq!(fault.pointed().lines().last().map(|line| line.chars().count()), Some(offset + 1));
    }
}

#[test]
fn a_pattern_that_closes_a_group_it_has_not_opened_does_not_escape_its_anchors() {
    assert!(Expr::parse("attribute:x =~ 'a)|(b'").is_err());
    let query = Expr::parse("attribute:ecs.instance-type =~ 'm6i|large'").unwrap();
    assert!(!query.holds(&host()), "an alternative must match the whole value too");
}

#[test]
fn deep_and_long_texts_are_refused_in_good_time() {
    assert!(Expr::parse(&"(".repeat(5_000)).unwrap_err().what.contains("deeper"));
    assert!(Expr::parse(&"!".repeat(5_000)).unwrap_err().what.contains("deeper"));
    assert!(Expr::parse(&"x".repeat(9_000)).unwrap_err().what.contains("longer"));
    let repeated = Expr::parse("attribute:x =~ ((a{99}){99}){99}").unwrap_err();
    assert!(repeated.what.contains("cannot be read"), "{repeated}");
}

#[test]
fn a_query_says_what_it_hangs_on() {
    let query = |text| Expr::parse(text).unwrap();
    assert!(query("attribute:a == b and not attribute:c exists").asks_attributes_only());
    assert!(!query("attribute:a == b or runningTasksCount > 1").asks_attributes_only());
    assert!(query("not(task:group == a)").asks_groups() && !query("ec2InstanceId == a").asks_groups());
}

/// A query drawn at random, with the answer that its making tells.
fn drawn() -> impl Strategy<Value = (String, bool)> {
    let leaf = prop::sample::select(vec![
        ("attribute:tier == 9", true),
        ("attribute:tier in [1,9]", true),
        ("attribute:nobody exists", false),
        ("agentConnected != true", false),
        ("task:group =~ service:.*", true),
        ("runningTasksCount >= 4", false),
    ])
    .prop_map(|(text, holds)| (text.to_owned(), holds));
    leaf.prop_recursive(5, 40, 3, |inner| {
        let two = (inner.clone(), inner.clone(), any::<bool>());
        prop_oneof![
            (inner, any::<bool>()).prop_map(|((text, holds), sign)| {
                (if sign { format!("!({text})") } else { format!("not ( {text} )") }, !holds)
            }),
            two.clone().prop_map(|((a, x), (b, y), sign)| {
                (format!("({a}) {} ({b})", if sign { "&&" } else { "and" }), x && y)
            }),
            two.prop_map(|((a, x), (b, y), sign)| (
                format!("(({a}){}({b}))", if sign { "||" } else { " or " }),
                x || y
            )),
        ]
    })
}

proptest! {
    #[test]
    fn compound_queries_hold_as_they_are_made((text, holds) in drawn()) {
        let query = Expr::parse(&text).map_err(|fault| TestCaseError::fail(fault.pointed()))?;
        prop_assert_eq!(query.holds(&host()), holds, "{}", text);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[a-z:(!)\\[\\]'\"=~&|<> \\\\?+*{},.ü0-9]{0,60}") {
        if let Ok(query) = Expr::parse(&text) {
            query.holds(&host());
        }
    }

    #[test]
    fn no_pattern_makes_the_parser_panic(pattern in "[a-z(?:<=!>)\\[\\]\\\\^$&|+*{},.0-9]{1,30}") {
        if let Ok(query) = Expr::parse(&format!("attribute:stack =~ {pattern}")) {
            query.holds(&host());
        }
    }
}
