//! The decoder against a slow one written over `serde_json::Value`, on generated events: any order of keys, white
//! space anywhere, escapes anywhere, extra fields, duplicate keys, nulls.

use fleet::observation::{
    Attributes, CheckStatus, DeploymentFact, Ec2State, Fact, HealthCheck, HealthFact, HostAttributes, InstanceFact,
    InstanceStatus, LaunchFailure, LifecycleFact, LifecycleStage, Observation, ServiceActionFact, Source, TaskFact,
    TaskStatus,
    decode::{MAX_EVENT_BYTES, Undecodable, decode_event},
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::Value;

/// One member of a generated object, written in order, so that keys may repeat.
#[derive(Clone, Debug)]
struct Member {
    key: String,
    value: Json,
}

/// JSON with its order and its duplicates.
#[derive(Clone, Debug)]
enum Json {
    /// A number, `true`, `false` or `null`, as it stands.
    Plain(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<Member>),
}

/// Writes with the white space and the escapes that `dice` asks for.
fn write(json: &Json, dice: &mut impl Iterator<Item = u8>, out: &mut String) {
    space(dice, out);
    match json {
        Json::Plain(text) => out.push_str(text),
        Json::Text(text) => write_text(text, dice, out),
        Json::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, dice, out);
            }
            space(dice, out);
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            for (index, member) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                space(dice, out);
                write_text(&member.key, dice, out);
                space(dice, out);
                out.push(':');
                write(&member.value, dice, out);
            }
            space(dice, out);
            out.push('}');
        }
    }
    space(dice, out);
}

fn space(dice: &mut impl Iterator<Item = u8>, out: &mut String) {
    let roll = dice.next().unwrap_or(0);
    if roll > 200 {
        out.push_str(["  ", "\n", "\t", "\r\n "][usize::from(roll % 4)]);
    }
}

fn write_text(text: &str, dice: &mut impl Iterator<Item = u8>, out: &mut String) {
    out.push('"');
    let escape_everything = dice.next().unwrap_or(0) > 240;
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '/' if escape_everything => out.push_str("\\/"),
            character if character < ' ' || escape_everything => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            character => out.push(character),
        }
    }
    out.push('"');
}

fn any_text() -> BoxedStrategy<Json> {
    prop_oneof![
        4 => "[a-zA-Z0-9:/ .-]{0,70}",
        1 => "[a-z\"\\\\/\\n\\t\u{1}{}\\[\\],:]{0,20}",
        1 => "(ü|語|😀|[a-z]){0,12}",
    ]
    .prop_map(Json::Text)
    .boxed()
}

fn any_json() -> BoxedStrategy<Json> {
    let leaf = prop_oneof![
        select(vec!["null", "true", "false", "0", "-7", "12.5e3", "1e-7"]).prop_map(|text| Json::Plain(text.into())),
        any_text(),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Json::List),
            vec(("[a-zA-Z]{1,9}", inner).prop_map(|(key, value)| Member { key, value }), 0..5).prop_map(Json::Object),
        ]
    })
    .boxed()
}

fn plain(text: impl ToString) -> Json {
    Json::Plain(text.to_string())
}

fn null() -> BoxedStrategy<Json> {
    Just(plain("null")).boxed()
}

fn one_of(words: &'static [&'static str]) -> BoxedStrategy<Json> {
    prop_oneof![6 => select(words).prop_map(|word| Json::Text(word.into())), 1 => Just(Json::Text("BRAND_NEW".into()))]
        .boxed()
}

fn time() -> BoxedStrategy<Json> {
    (0_i64..4_000_000_000, 0_i32..1_000_000_000, 0_usize..10, 0_u8..3)
        .prop_map(|(secs, nanos, digits, spelling)| {
            let time = jiff::Timestamp::new(secs, nanos).unwrap();
            let text = format!("{time:.digits$}");
            match spelling {
                0 => Json::Text(text),
                1 => Json::Text(text.replace('Z', "+00:00")),
                _ => plain(secs),
            }
        })
        .boxed()
}

fn arn(kind: &'static str) -> BoxedStrategy<Json> {
    ("[a-z0-9-]{1,12}", "[0-9a-f]{32}")
        .prop_map(move |(cluster, id)| Json::Text(format!("arn:aws:ecs:eu-west-1:210987654321:{kind}/{cluster}/{id}")))
        .boxed()
}

fn count() -> BoxedStrategy<Json> {
    any::<u32>().prop_map(plain).boxed()
}

fn version() -> BoxedStrategy<Json> {
    prop_oneof![(1_i64..9000).prop_map(plain), any::<i64>().prop_map(plain)].boxed()
}

/// Fields of a detail: those that must be there, and those that may be absent or null.
type Fields = (Vec<(&'static str, BoxedStrategy<Json>)>, Vec<(&'static str, BoxedStrategy<Json>)>);

fn attributes() -> BoxedStrategy<Json> {
    let names = &[
        "ecs.availability-zone",
        "ecs.instance-type",
        "ecs.ami-id",
        "ecs.subnet-id",
        "ecs.os-type",
        "ecs.capability.external",
        "ecs.awsvpc-trunk-id",
        "ecs.capability.task-eni",
    ];
    let attribute = (select(&names[..]), option::of(any_text())).prop_map(|(name, value)| {
        let mut members = vec![Member { key: "name".into(), value: Json::Text(name.into()) }];
        members.extend(value.map(|value| Member { key: "value".into(), value }));
        Json::Object(members)
    });
    vec(attribute, 0..12).prop_map(Json::List).boxed()
}

fn object(fields: Fields) -> BoxedStrategy<Json> {
    let (required, optional) = fields;
    let mut members: Vec<BoxedStrategy<Vec<Member>>> = Vec::new();
    for (key, value) in required {
        // A duplicate before the real one: the last wins.
        let earlier = option::weighted(0.05, value.clone());
        members.push(
            (earlier, value)
                .prop_map(move |(earlier, value)| {
                    let value = |value| Member { key: key.to_owned(), value };
                    earlier.into_iter().chain([value]).map(value_of(value)).collect()
                })
                .boxed(),
        );
    }
    for (key, value) in optional {
        let value = prop_oneof![6 => value.prop_map(Some), 1 => null().prop_map(Some), 2 => Just(None)];
        members.push(
            value
                .prop_map(move |value| value.map(|value| Member { key: key.to_owned(), value }).into_iter().collect())
                .boxed(),
        );
    }
    let extra = ("[a-z][A-Za-z]{2,14}X", any_json()).prop_map(|(key, value)| vec![Member { key, value }]);
    (members, vec(extra, 0..6), any::<u64>())
        .prop_map(|(mut members, extra, seed)| {
            members.extend(extra);
            shuffle(&mut members, seed);
            Json::Object(members.concat())
        })
        .boxed()
}
