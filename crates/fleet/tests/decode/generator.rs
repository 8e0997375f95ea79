//! Events made by dice: any order of keys, white space anywhere, escapes anywhere, extra fields, duplicates, nulls.

use std::fmt::Write;

/// Dice that fall the same way for the same seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.roll() % limit
    }
    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
    /// One of these.
    pub(crate) fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }
}

/// JSON that keeps the order and the duplicates of its keys.
enum Json {
    /// A number, `true`, `false` or `null`, as it stands.
    Plain(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// The kinds of fields that events have.
#[derive(Clone, Copy)]
enum Shape {
    /// An ECS ARN of this kind of resource.
    Arn(&'static str),
    /// One of these, or a value that nobody knows yet.
    Word(&'static [&'static str]),
    Text,
    Filled,
    Time,
    TimeText,
    Count,
    Integer,
    Flag,
    Machine,
    Attributes,
    VersionInfo,
    Resources,
    Attachments,
    HealthChecks,
}

struct Kind {
    source: &'static str,
    detail_type: &'static str,
    resource: Shape,
    required: &'static [(&'static str, Shape)],
    optional: &'static [(&'static str, Shape)],
}

const INSTANCE: Shape = Shape::Arn("container-instance");
const CLUSTER: Shape = Shape::Arn("cluster");
const SERVICE: Shape = Shape::Arn("service");
const GROUP: [(&str, Shape); 2] = [("AutoScalingGroupName", Shape::Filled), ("EC2InstanceId", Shape::Machine)];
const REASONS: [(&str, Shape); 2] = [("StatusMessage", Shape::Text), ("Cause", Shape::Text)];
const STATUSES: &[&str] = &["REGISTERING", "REGISTRATION_FAILED", "ACTIVE", "DRAINING", "DEREGISTERING", "INACTIVE"];
const STAGES: &[&str] = &[
    "PROVISIONING",
    "PENDING",
    "ACTIVATING",
    "RUNNING",
    "DEACTIVATING",
    "STOPPING",
    "DEPROVISIONING",
    "STOPPED",
    "DELETED",
];

const KINDS: [Kind; 14] = [
    Kind {
        source: "aws.ecs",
        detail_type: "ECS Container Instance State Change",
        resource: INSTANCE,
        required: &[("containerInstanceArn", INSTANCE), ("clusterArn", CLUSTER)],
        optional: &[
            ("ec2InstanceId", Shape::Machine),
            ("version", Shape::Integer),
            ("status", Shape::Word(STATUSES)),
            ("statusReason", Shape::Text),
            ("agentConnected", Shape::Flag),
            ("versionInfo", Shape::VersionInfo),
            ("runningTasksCount", Shape::Count),
            ("pendingTasksCount", Shape::Count),
            ("registeredAt", Shape::Time),
            ("capacityProviderName", Shape::Text),
            ("attributes", Shape::Attributes),
            ("registeredResources", Shape::Resources),
            ("remainingResources", Shape::Resources),
        ],
    },
    Kind {
        source: "aws.ecs",
        detail_type: "ECS Task State Change",
        resource: Shape::Arn("task"),
        required: &[("taskArn", Shape::Arn("task")), ("clusterArn", CLUSTER)],
        optional: &[
            ("containerInstanceArn", INSTANCE),
            ("version", Shape::Integer),
            ("lastStatus", Shape::Word(STAGES)),
            ("desiredStatus", Shape::Word(&["RUNNING", "STOPPED"])),
            ("group", Shape::Text),
            ("taskDefinitionArn", Shape::Arn("task-definition")),
            ("connectivity", Shape::Word(&["CONNECTED", "DISCONNECTED"])),
            ("startedAt", Shape::Time),
            ("attachments", Shape::Attachments),
            ("stopCode", Shape::Text),
            ("stoppedReason", Shape::Text),
        ],
    },
    Kind {
        source: "aws.ecs",
        detail_type: "ECS Service Action",
        resource: SERVICE,
        required: &[("clusterArn", CLUSTER), ("eventType", Shape::Filled), ("eventName", Shape::Filled)],
        optional: &[("reason", Shape::Text), ("createdAt", Shape::TimeText)],
    },
    Kind {
        source: "aws.ecs",
        detail_type: "ECS Deployment State Change",
        resource: SERVICE,
        required: &[("deploymentId", Shape::Filled), ("eventName", Shape::Filled)],
        optional: &[("reason", Shape::Text), ("updatedAt", Shape::TimeText)],
    },
    Kind {
        source: "aws.ecs",
        detail_type: "ECS Container Instance Health Change",
        resource: INSTANCE,
        required: &[("containerInstanceArn", INSTANCE), ("clusterArn", CLUSTER), ("healthChecks", Shape::HealthChecks)],
        optional: &[("ec2InstanceId", Shape::Machine)],
    },
    Kind {
        source: "aws.ec2",
        detail_type: "EC2 Instance State-change Notification",
        resource: Shape::Text,
        required: &[
            ("instance-id", Shape::Machine),
            ("state", Shape::Word(&["pending", "running", "stopping", "stopped", "shutting-down", "terminated"])),
        ],
        optional: &[],
    },
    Kind {
        source: "aws.ec2",
        detail_type: "EC2 Spot Instance Interruption Warning",
        resource: Shape::Text,
        required: &[("instance-id", Shape::Machine), ("instance-action", Shape::Word(&["terminate", "stop"]))],
        optional: &[],
    },
    Kind {
        source: "aws.ec2",
        detail_type: "EC2 Instance Rebalance Recommendation",
        resource: Shape::Text,
        required: &[("instance-id", Shape::Machine)],
        optional: &[],
    },
    Kind {
        source: "aws.autoscaling",
        detail_type: "EC2 Instance-launch Lifecycle Action",
        resource: Shape::Text,
        required: &GROUP,
        optional: &[],
    },
    Kind {
        source: "aws.autoscaling",
        detail_type: "EC2 Instance-terminate Lifecycle Action",
        resource: Shape::Text,
        required: &GROUP,
        optional: &[],
    },
    Kind {
        source: "aws.autoscaling",
        detail_type: "EC2 Instance Launch Successful",
        resource: Shape::Text,
        required: &GROUP,
        optional: &REASONS,
    },
    Kind {
        source: "aws.autoscaling",
        detail_type: "EC2 Instance Terminate Successful",
        resource: Shape::Text,
        required: &GROUP,
        optional: &REASONS,
    },
    Kind {
        source: "aws.autoscaling",
        detail_type: "EC2 Instance Launch Unsuccessful",
        resource: Shape::Text,
        required: &GROUP,
        optional: &REASONS,
    },
    Kind {
        source: "aws.ecs",
        detail_type: "ECS Weather Report",
        resource: Shape::Text,
        required: &[],
        optional: &[("version", Shape::Integer)],
    },
];

/// One event.
pub(crate) fn event(dice: &mut Dice) -> String {
    let kind = &KINDS[dice.below(KINDS.len() as u64) as usize];
    let detail = object(dice, kind.required, kind.optional);
    let mut resources = vec![field(dice, kind.resource)];
    while dice.once_in(4) {
        resources.push(anything(dice, 2));
    }
    let time = field(dice, Shape::Time);
    let mut members = vec![
        ("version".to_owned(), Json::Text("0".into())),
        ("id".to_owned(), Json::Text("5f0c2b6e".into())),
        ("detail-type".to_owned(), Json::Text(kind.detail_type.into())),
        ("source".to_owned(), Json::Text(kind.source.into())),
        ("account".to_owned(), Json::Text("210987654321".into())),
        ("time".to_owned(), time),
        ("region".to_owned(), Json::Text("eu-west-1".into())),
        ("resources".to_owned(), Json::List(resources)),
        ("detail".to_owned(), detail),
    ];
    if dice.once_in(2) {
        shuffle(dice, &mut members);
    }
    if dice.once_in(10) {
        members.push(("region".to_owned(), Json::Text("eu-west-2".into())));
    }
    if dice.once_in(10) {
        members.insert(0, ("detail-type".to_owned(), Json::Text("ECS Task State Change".into())));
        let place = dice.below(members.len() as u64) as usize;
        members.insert(place, ("replay-name".to_owned(), anything(dice, 3)));
    }
    let mut text = String::new();
    write(dice, &Json::Object(members), &mut text);
    text
}

fn object(dice: &mut Dice, required: &[(&str, Shape)], optional: &[(&str, Shape)]) -> Json {
    let mut members = Vec::new();
    for (key, shape) in required {
        members.push(((*key).to_owned(), field(dice, *shape)));
    }
    for (key, shape) in optional {
        match dice.below(8) {
            0 | 1 => {}
            2 => members.push(((*key).to_owned(), Json::Plain("null".into()))),
            3 => {
                // Twice: the last one counts.
                members.push(((*key).to_owned(), field(dice, *shape)));
                members.push(((*key).to_owned(), field(dice, *shape)));
            }
            _ => members.push(((*key).to_owned(), field(dice, *shape))),
        }
    }
    while dice.once_in(2) {
        let key = dice.pick(&["updatedAt2", "cpu", "containers", "overrides", "a \"quoted\" key", "ü"]);
        members.push((key.to_owned(), anything(dice, 4)));
    }
    shuffle(dice, &mut members);
    Json::Object(members)
}

fn shuffle(dice: &mut Dice, members: &mut [(String, Json)]) {
    for index in (1..members.len()).rev() {
        members.swap(index, dice.below(index as u64 + 1) as usize);
    }
}

fn field(dice: &mut Dice, shape: Shape) -> Json {
    match shape {
        Shape::Arn(kind) => {
            let cluster = dice.pick(&["prod-a", "x", "a-cluster-with-quite-a-long-name-so-that-blocks-are-crossed"]);
            Json::Text(format!("arn:aws:ecs:eu-west-1:210987654321:{kind}/{cluster}/{:032x}", dice.roll()))
        }
        Shape::Word(words) => Json::Text(if dice.once_in(8) { "BRAND_NEW".into() } else { dice.pick(words).into() }),
        Shape::Text => Json::Text(text(dice)),
        Shape::Filled => Json::Text(format!("x{}", text(dice))),
        Shape::Time | Shape::TimeText => {
            let secs = dice.below(4_000_000_000) as i64;
            let time = jiff::Timestamp::new(secs, dice.below(1_000_000_000) as i32).unwrap();
            let digits = dice.below(10) as usize;
            let text = format!("{time:.digits$}");
            match dice.below(4) {
                0 if matches!(shape, Shape::Time) => Json::Plain(secs.to_string()),
                1 => Json::Text(text.replace('Z', "+00:00")),
                _ => Json::Text(text),
            }
        }
        Shape::Count => Json::Plain(dice.below(1 << 32).to_string()),
        Shape::Integer => {
            Json::Plain(if dice.once_in(3) { (dice.roll() as i64).to_string() } else { dice.below(5000).to_string() })
        }
        Shape::Flag => Json::Plain(dice.pick(&["true", "false"]).into()),
        Shape::Machine => Json::Text(format!("i-0{:016x}", dice.roll())),
        Shape::Attributes => {
            let mut attributes = Vec::new();
            while !dice.once_in(8) {
                let name = dice.pick(&[
                    "ecs.availability-zone",
                    "ecs.instance-type",
                    "ecs.ami-id",
                    "ecs.subnet-id",
                    "ecs.os-type",
                    "ecs.capability.external",
                    "ecs.awsvpc-trunk-id",
                    "ecs.capability.task-eni",
                    "com.amazonaws.ecs.capability.ecr-auth",
                    "muster:protect",
                    "stack",
                    "",
                ]);
                let mut members = vec![("name".to_owned(), Json::Text(name.into()))];
                match dice.below(4) {
                    0 => {}
                    1 => members.push(("value".to_owned(), Json::Plain("null".into()))),
                    _ => members.push(("value".to_owned(), Json::Text(text(dice)))),
                }
                shuffle(dice, &mut members);
                attributes.push(Json::Object(members));
            }
            Json::List(attributes)
        }
        Shape::Resources => list(dice, 6, |dice| {
            let name = dice.pick(&["CPU", "MEMORY", "PORTS", "PORTS_UDP", "GPU"]);
            let kind = dice.pick(&["INTEGER", "LONG", "STRINGSET"]);
            let mut members = vec![
                ("name".to_owned(), Json::Text(name.into())),
                ("type".to_owned(), Json::Text(kind.into())),
                ("stringSetValue".to_owned(), strings(dice)),
            ];
            for field in ["integerValue", "longValue"] {
                match dice.below(4) {
                    0 => {}
                    1 => members.push((field.to_owned(), Json::Plain("null".into()))),
                    2 => members.push((field.to_owned(), Json::Plain(dice.below(1 << 20).to_string()))),
                    _ => members.push((field.to_owned(), Json::Plain((dice.roll() as i64).to_string()))),
                }
            }
            shuffle(dice, &mut members);
            Json::Object(members)
        }),
        Shape::Attachments => list(dice, 3, |dice| {
            let kind = dice.pick(&["eni", "ElasticNetworkInterface", "elasticNetworkinterface", "ServiceConnect"]);
            let mut members = vec![
                ("id".to_owned(), Json::Text(text(dice))),
                ("type".to_owned(), Json::Text(kind.into())),
                ("details".to_owned(), anything(dice, 2)),
            ];
            shuffle(dice, &mut members);
            Json::Object(members)
        }),
        Shape::VersionInfo => object(dice, &[], &[("agentVersion", Shape::Text), ("agentHash", Shape::Text)]),
        Shape::HealthChecks => {
            let mut checks = Vec::new();
            while !dice.once_in(3) {
                checks.push(object(
                    dice,
                    &[("type", Shape::Filled)],
                    &[
                        ("status", Shape::Word(&["OK", "IMPAIRED", "INSUFFICIENT_DATA", "INITIALIZING"])),
                        ("lastStatusChange", Shape::Time),
                        ("lastUpdated", Shape::Time),
                        ("statusReason", Shape::Text),
                    ],
                ));
            }
            Json::List(checks)
        }
    }
}

/// A set of strings, as resources have them: ports, and what is none; null at times.
fn strings(dice: &mut Dice) -> Json {
    if dice.once_in(8) {
        return Json::Plain("null".into());
    }
    list(dice, 4, |dice| match dice.below(4) {
        0 => Json::Text(text(dice)),
        1 => Json::Text(dice.pick(&["0", "00022", "+5", "-1", "65535", "65536", "4294967297"]).into()),
        _ => Json::Text(dice.below(9).to_string()),
    })
}

/// A list of `member`s, about `length` long.
fn list(dice: &mut Dice, length: u64, mut member: impl FnMut(&mut Dice) -> Json) -> Json {
    let mut members = Vec::new();
    while !dice.once_in(length) {
        members.push(member(dice));
    }
    Json::List(members)
}

fn text(dice: &mut Dice) -> String {
    let mut text = String::new();
    for _ in 0..dice.below(12) {
        text.push_str(dice.pick(&[
            "a",
            "b/c",
            "prod",
            "{",
            "}",
            "[",
            "]",
            "\"",
            "\\",
            ",",
            ":",
            "ü",
            "語",
            "😀",
            "\n",
            "\u{1}",
            "RESOURCE:ENI",
        ]));
    }
    text
}

fn anything(dice: &mut Dice, depth: u32) -> Json {
    match dice.below(if depth == 0 { 2 } else { 4 }) {
        0 => Json::Plain(dice.pick(&["null", "true", "false", "0", "-7", "12.5e3", "1E-7"]).into()),
        1 => Json::Text(text(dice)),
        2 => Json::List((0..dice.below(5)).map(|_| anything(dice, depth - 1)).collect()),
        _ => Json::Object((0..dice.below(5)).map(|_| (text(dice), anything(dice, depth - 1))).collect()),
    }
}

fn write(dice: &mut Dice, json: &Json, out: &mut String) {
    space(dice, out);
    match json {
        Json::Plain(text) => out.push_str(text),
        Json::Text(text) => write_text(dice, text, out),
        Json::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                write(dice, item, out);
            }
            space(dice, out);
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            for (index, (key, value)) in members.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                space(dice, out);
                write_text(dice, key, out);
                space(dice, out);
                out.push(':');
                write(dice, value, out);
            }
            space(dice, out);
            out.push('}');
        }
    }
    space(dice, out);
}

fn space(dice: &mut Dice, out: &mut String) {
    if dice.once_in(6) {
        out.push_str(dice.pick(&[" ", "\n", "\t", "\r\n    "]));
    }
}

fn write_text(dice: &mut Dice, text: &str, out: &mut String) {
    let escape_everything = dice.once_in(12);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '/' if escape_everything => out.push_str("\\/"),
            character if character < ' ' || escape_everything => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}").unwrap();
                }
            }
            character => out.push(character),
        }
    }
    out.push('"');
}
