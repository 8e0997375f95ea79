//! Words and numbers that several sections use: durations, globs over names, and the schemas of the core's own words.

use std::{fmt, str::FromStr};

use fleet::{journal::Trouble, policy::Mode, remedy::Remedy};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The kinds of trouble.
pub const TROUBLES: [Trouble; 10] = [
    Trouble::AgentAway,
    Trouble::Flapping,
    Trouble::Runtime,
    Trouble::HostImpaired,
    Trouble::NeverRegistered,
    Trouble::RegistrationFailed,
    Trouble::DrainStuck,
    Trouble::Doubt,
    Trouble::NoRoom,
    Trouble::MuchRoom,
];

/// The modes, most careful first.
pub const MODES: [Mode; 4] = [Mode::Observe, Mode::DryRun, Mode::Approve, Mode::Act];

pub(super) fn troubles(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "type": "string", "enum": TROUBLES.map(Trouble::word) } })
}

pub(super) fn mode(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": MODES.map(Mode::word) })
}

pub(super) fn remedy(_: &mut SchemaGenerator) -> Schema {
    // What follows from a [[headroom]] is no rung.
    let rungs = Remedy::ALL.into_iter().filter(|remedy| !remedy.keeps_room()).map(Remedy::word);
    json_schema!({ "type": "string", "enum": rungs.collect::<Vec<_>>() })
}

pub(super) fn per(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["fleet", "cluster", "zone", "group"] })
}

pub(super) fn severity(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["info", "warning", "critical"] })
}

pub(super) fn group_by(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": { "type": "string", "enum": ["place", "cluster", "zone", "trouble", "host"] }
    })
}

/// A length of time in whole seconds, written `90s`, `15m`, `2h`, `3d` or put together: `1h30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lasting(pub u32);

/// Text that is no length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no length of time: write 90s, 15m, 2h, 3d, or 1h30m")]
pub struct NoLasting(String);

impl FromStr for Lasting {
    type Err = NoLasting;

    fn from_str(text: &str) -> Result<Self, NoLasting> {
        let wrong = || NoLasting(text.chars().take(40).collect());
        let mut rest = text.trim();
        let mut secs: u32 = 0;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
            let number: u32 = rest[..digits].parse().map_err(|_| wrong())?;
            let after = &rest[digits..];
            let unit = after.chars().next().ok_or_else(wrong)?;
            let each = match unit {
                's' => 1,
                'm' => 60,
                'h' => 3600,
                'd' => 86_400,
                _ => return Err(wrong()),
            };
            secs = number.checked_mul(each).and_then(|more| secs.checked_add(more)).ok_or_else(wrong)?;
            rest = after[unit.len_utf8()..].trim_start();
        }
        if secs == 0 { Err(wrong()) } else { Ok(Self(secs)) }
    }
}

impl fmt::Display for Lasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0;
        for (unit, each) in [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] {
            if left >= each {
                write!(f, "{}{unit}", left / each)?;
                left %= each;
            }
        }
        if self.0 == 0 { f.write_str("0s") } else { Ok(()) }
    }
}

impl Serialize for Lasting {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Lasting {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Lasting {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Lasting".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^([0-9]+[smhd] *)+$" })
    }
}

/// What is wrong with a glob over cluster names, if anything. Names hold letters, digits, hyphens and underscores, at most
/// 255 (ECS CreateCluster).
pub fn cluster_glob(glob: &str) -> Result<(), String> {
    if glob.is_empty() {
        return Err("a pattern is empty; leave `clusters` out to mean all".to_owned());
    }
    if let Some(arn) = glob.strip_prefix("arn:") {
        let name = arn.rsplit('/').next().unwrap_or(arn);
        return Err(format!("`{glob}` is an ARN, and patterns are of cluster names: write `{name}`"));
    }
    if let Some(strange) = glob.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '*' | '?'))) {
        return Err(format!(
            "`{glob}` fits no cluster: a name holds letters, digits, `-` and `_`, a pattern `*` and `?` as well, and \
             neither holds `{strange}`"
        ));
    }
    if glob.len() > 255 {
        return Err(format!("`{}…` is longer than any cluster's name (255)", &glob[..20]));
    }
    Ok(())
}

/// Whether everything that `narrow` fits is fitted by `wide`, as far as can be told from the globs themselves.
pub fn covers<T: PartialEq>(wide: &[T], narrow: &[T], is_all: impl Fn(&T) -> bool) -> bool {
    wide.is_empty() || wide.iter().any(is_all) || (!narrow.is_empty() && narrow.iter().all(|glob| wide.contains(glob)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_as_people_write_them() {
        for (text, secs) in
            [("90s", 90), ("15m", 900), ("2h", 7200), ("3d", 259_200), ("1h30m", 5400), ("1d 1s", 86_401)]
        {
            assert_eq!(text.parse(), Ok(Lasting(secs)), "{text}");
        }
        for no in ["", "0s", "5", "h", "-1h", "1w", "9999999999s", "50000d", "1.5h", "1h30"] {
            assert!(no.parse::<Lasting>().is_err(), "{no}");
        }
        for secs in [1, 90, 5400, 86_401, 90_061] {
            assert_eq!(Lasting(secs).to_string().parse(), Ok(Lasting(secs)));
        }
    }

    #[test]
    fn patterns_that_fit_no_cluster_are_told_with_the_reason() {
        for yes in ["prod-*", "*", "a?c", "Prod_1"] {
            assert_eq!(cluster_glob(yes), Ok(()));
        }
        for (no, says) in [
            ("", "leave `clusters` out"),
            ("arn:aws:ecs:eu-central-1:210987654321:cluster/prod-a", "write `prod-a`"),
            ("prod-{a,b}", "holds `{`"),
            ("prod a", "holds ` `"),
            ("prod.a", "holds `.`"),
        ] {
            let error = cluster_glob(no).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn the_words_of_the_schemas_are_the_words_of_the_core() {
        fn parses<T: serde::de::DeserializeOwned>(schema: Schema) {
            let schema = schema.to_value();
            let words = schema.pointer("/enum").or_else(|| schema.pointer("/items/enum")).unwrap();
            for word in words.as_array().unwrap() {
                assert!(serde_json::from_value::<T>(word.clone()).is_ok(), "{word}");
            }
        }
        let any = &mut SchemaGenerator::default();
        parses::<Trouble>(troubles(any));
        parses::<Mode>(mode(any));
        parses::<Remedy>(remedy(any));
        parses::<fleet::policy::Per>(per(any));
        parses::<fleet::effect::Severity>(severity(any));
        parses::<fleet::notice::route::GroupBy>(group_by(any));
    }
}
