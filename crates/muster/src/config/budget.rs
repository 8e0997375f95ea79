//! `[[budget]]`: how much may be disturbed.

use std::fmt;

use fleet::policy::{Budget, Limit, Per};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{
    mistake::Wrong,
    words::{self, cluster_glob},
};

/// One limit. All that fit a host hold at once: the most restrictive one wins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetEntry {
    /// Patterns of cluster names, with `*` and `?`. Left out: all clusters.
    #[serde(default)]
    #[schemars(example = ["*"])]
    pub clusters: Vec<String>,
    /// Counted apart for each of these: fleet, cluster, zone (of a cluster) or group (Auto Scaling group).
    #[serde(default = "per_cluster")]
    #[schemars(schema_with = "words::per", example = &"cluster")]
    pub per: Per,
    /// Hosts that may be disturbed at the same time: a number, or a share as `"10%"`, rounded up to whole hosts.
    #[serde(default)]
    #[schemars(example = &"10%")]
    pub at_once: Option<HowMany>,
    /// Hosts whose disturbance may begin within one hour: a number or a share.
    #[serde(default)]
    #[schemars(example = &6)]
    pub per_hour: Option<HowMany>,
}

fn per_cluster() -> Per {
    Per::Cluster
}

impl BudgetEntry {
    /// As the core wants it.
    pub(super) fn budget(&self) -> Budget {
        Budget {
            clusters: self.clusters.clone(),
            per: self.per,
            at_once: self.at_once.map(|many| many.0),
            per_hour: self.per_hour.map(|many| many.0),
        }
    }

    fn is_for_all(&self) -> bool {
        self.at_once.is_some() && (self.clusters.is_empty() || self.clusters.iter().any(|glob| glob == "*"))
    }
}

/// So many hosts, `2`, or such a share of them, `"10%"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HowMany(pub Limit);

impl Serialize for HowMany {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Limit::Hosts(hosts) => serializer.serialize_u32(hosts),
            Limit::Percent(percent) => serializer.collect_str(&format_args!("{percent}%")),
        }
    }
}

impl<'de> Deserialize<'de> for HowMany {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl serde::de::Visitor<'_> for Reader {
            type Value = HowMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of hosts, as 2, or a share of them, as \"10%\"")
            }

            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<HowMany, E> {
                u32::try_from(value)
                    .map(|hosts| HowMany(Limit::Hosts(hosts)))
                    .map_err(|_| E::custom(format!("{value} is no number of hosts")))
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<HowMany, E> {
                self.visit_i64(i64::try_from(value).unwrap_or(i64::MAX))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<HowMany, E> {
                text.strip_suffix('%')
                    .and_then(|number| number.trim().parse::<f64>().ok())
                    .filter(|percent| percent.is_finite())
                    .map(|percent| HowMany(Limit::Percent(percent)))
                    .ok_or_else(|| {
                        E::custom(format!("`{text}` is neither a number of hosts, as 2, nor a share, as \"10%\""))
                    })
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

impl JsonSchema for HowMany {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "HowMany".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["integer", "string"], "minimum": 1, "pattern": "^[0-9]+(\\.[0-9]+)? *%$" })
    }
}

pub(super) fn check(budgets: &[BudgetEntry], wrong: &mut Vec<Wrong>) {
    for (index, entry) in budgets.iter().enumerate() {
        let place = format!("budget.{index}");
        for glob in &entry.clusters {
            if let Err(why) = cluster_glob(glob) {
                wrong.push(Wrong::of(&place, "clusters", why));
            }
        }
        for (option, many) in [("at_once", entry.at_once), ("per_hour", entry.per_hour)] {
            if let Some(Err(why)) = many.map(|many| many.0.check()) {
                wrong.push(Wrong::of(&place, option, why));
            }
        }
        if entry.at_once.is_none() && entry.per_hour.is_none() {
            wrong.push(Wrong::at(
                &place,
                "a budget without at_once and without per_hour limits nothing: give one of them",
            ));
        }
        if entry.per == Per::Fleet && !entry.clusters.is_empty() {
            wrong.push(Wrong::of(
                &place,
                "per",
                "per = \"fleet\" counts everything that is watched, and `clusters` names a part of it: write per = \
                 \"cluster\", or leave `clusters` out",
            ));
        }
        if let Some(twin) = budgets[..index].iter().position(|other| other == entry) {
            wrong.push(Wrong::at(&place, format!("this budget is the same as entry {}: take one out", twin + 1)));
        }
    }
    if !budgets.is_empty() && !budgets.iter().any(BudgetEntry::is_for_all) {
        wrong.push(Wrong::at(
            "budget.0",
            "no budget covers the other clusters: your budgets take the place of the usual ones (one host at a time in a \
             cluster, and no more than 10%). Add a [[budget]] with at_once and without clusters",
        ));
    }
}
