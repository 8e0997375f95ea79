//! `[lease]`: who acts, where several musters watch the same clusters.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mistake::Wrong;

/// Who acts, where several musters watch the same clusters: whoever holds the lease. Without a table this muster takes itself
/// to be alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LeaseSection {
    /// Name of a DynamoDB table with the partition key `name` (a string).
    #[schemars(example = &"muster-lease")]
    pub table: Option<String>,
    /// Key of the lease. Musters that watch the same clusters give the same.
    #[schemars(example = &"prod")]
    pub name: Option<String>,
    /// Region of the table. Left out: the first watched region.
    #[schemars(example = &"eu-central-1")]
    pub region: Option<String>,
    /// How long it is given for; it is renewed after a third of that. When its holder is lost, nobody acts for so long.
    #[schemars(range(min = 60, max = 900))]
    pub lasts_secs: u32,
}

impl Default for LeaseSection {
    fn default() -> Self {
        Self { table: None, name: None, region: None, lasts_secs: 90 }
    }
}

impl LeaseSection {
    /// As the AWS side wants it; `None` without a table.
    pub fn settings(&self) -> Option<::aws::LeaseSettings> {
        Some(::aws::LeaseSettings {
            table: self.table.clone()?,
            region: self.region.clone(),
            name: self.name.clone().unwrap_or_else(|| "muster".to_owned()),
            length: Duration::from_secs(u64::from(self.lasts_secs)),
        })
    }

    pub(super) fn check(&self, wrong: &mut Vec<Wrong>) {
        // DynamoDB CreateTable: 3 to 255 of a-z, A-Z, 0-9, `_`, `-`, `.`.
        let is_table = |table: &str| {
            (3..=255).contains(&table.len()) && table.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        if self.table.as_deref().is_some_and(|table| !is_table(table)) {
            wrong.push(Wrong::at(
                "lease.table",
                "a DynamoDB table's name has 3 to 255 letters, digits, `-`, `_` and `.`; its ARN is not meant",
            ));
        }
        if self.name.as_deref().is_some_and(|name| !super::custom::is_plain_name(name)) {
            wrong.push(Wrong::at("lease.name", "a name has 1 to 64 letters, digits, `-`, `_` and `.`"));
        }
        // Two thirds of it are left when it is renewed, and a remedy needs 30 s: twice the longest call.
        if !(60..=900).contains(&self.lasts_secs) {
            wrong.push(Wrong::at(
                "lease.lasts_secs",
                format!("{} is out of range: a minute (60) to a quarter of an hour (900)", self.lasts_secs),
            ));
        }
        if self.table.is_none() && self.name.is_some() {
            wrong.push(Wrong::at("lease.name", "a name without a table leases nothing: give [lease] a table"));
        }
    }
}
