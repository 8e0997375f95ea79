//! `[aws]`

use std::{fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::mistake::Wrong;

/// Where AWS is and how muster gets in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AwsSection {
    /// Profile of the shared AWS configuration files. Left out: AWS_PROFILE, then the default credentials chain (SSO,
    /// environment, container, instance role).
    #[schemars(example = &"operations")]
    pub profile: Option<String>,
    /// Regions to watch. Empty: the one region of AWS_REGION or of the profile.
    #[schemars(example = ["eu-central-1", "us-east-1"])]
    pub regions: Vec<String>,
    /// Send all calls here instead of to AWS: a simulator, a proxy, a VPC endpoint. Left out: AWS_ENDPOINT_URL.
    #[schemars(example = &"http://127.0.0.1:4566")]
    pub endpoint_url: Option<String>,
    /// Roles to assume, one ARN for each further account to watch. Empty: the account of the credentials alone.
    #[schemars(example = ["arn:aws:iam::210987654321:role/muster-reader"])]
    pub roles: Vec<String>,
    /// Roles to act under, one ARN for each account: what remedies do is done under these, and everything else is looked at
    /// without. Empty: the credentials that look act as well. With any, an account without one is only observed; so is one
    /// whose role cannot be assumed, which `/healthz` and the log say.
    #[schemars(example = ["arn:aws:iam::210987654321:role/muster-act"])]
    pub act_roles: Vec<String>,
    /// Share of each ECS request bucket that muster may use. The buckets are shared by everything in the account:
    /// consoles, deployments, other tools.
    pub max_api_rate: ApiRate,
    /// SSM document of your own by which muster restarts agents on Linux, so that its role need not be allowed any text.
    /// Left out: AWS-RunShellScript, which is given muster's own scripts and nothing else.
    #[schemars(example = &"muster-shell")]
    pub shell_document: Option<String>,
    /// The same for Windows. Left out: AWS-RunPowerShellScript.
    #[schemars(example = &"muster-powershell")]
    pub powershell_document: Option<String>,
}

impl AwsSection {
    pub(super) fn check(&self, wrong: &mut Vec<Wrong>) {
        if let Some(url) = &self.endpoint_url
            && !is_http_url(url)
        {
            wrong.push(Wrong::at("aws.endpoint_url", format!("`{url}` is no http:// or https:// address")));
        }
        if let Some(region) = self.regions.iter().find(|region| !is_region(region)) {
            wrong.push(Wrong::at("aws.regions", format!("`{region}` does not look like a region, `eu-central-1`")));
        }
        for (option, roles) in [("roles", &self.roles), ("act_roles", &self.act_roles)] {
            for (index, role) in roles.iter().enumerate() {
                if !is_role_arn(role) {
                    let what = format!("`{role}` is no ARN of a role, `arn:aws:iam::ACCOUNT:role/NAME`");
                    wrong.push(Wrong::at(format!("aws.{option}.{index}"), what));
                }
            }
        }
        for (index, role) in self.act_roles.iter().enumerate() {
            let path = format!("aws.act_roles.{index}");
            let of = |role: &String| fleet::id::Arn::parse(role).map(|arn| arn.account.to_owned());
            if of(role).is_some() && self.act_roles[..index].iter().any(|other| of(other) == of(role)) {
                let what =
                    format!("`{role}` is the second role of its account: muster acts under one in each, take one out");
                wrong.push(Wrong::at(path, what));
            } else if self.roles.contains(role) {
                let what = format!(
                    "`{role}` is also in `roles`, so that looking could do whatever acting can: give acting a role of its own"
                );
                wrong.push(Wrong::at(path, what));
            }
        }
    }
}

/// Whether `url` is an address that an AWS client can call.
pub fn is_http_url(url: &str) -> bool {
    url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")).is_some_and(|rest| {
        !rest.is_empty() && !rest.starts_with('/') && !rest.contains(|c: char| c.is_whitespace() || c.is_control())
    })
}

/// Letters, digits and hyphens with at least one hyphen; partitions and future regions are not assumed.
fn is_region(region: &str) -> bool {
    region.contains('-') && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn is_role_arn(role: &str) -> bool {
    fleet::id::Arn::parse(role).is_some_and(|arn| {
        arn.service == "iam"
            && arn.account.len() == 12
            && arn.account.bytes().all(|b| b.is_ascii_digit())
            && arn.resource.starts_with("role/")
            && arn.resource.len() > "role/".len()
    })
}

/// A share of AWS's documented request rates, written as a percentage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ApiRate(f64);

impl ApiRate {
    /// The share, above 0 and at most 1.
    pub fn share(self) -> f64 {
        self.0
    }
}

impl Default for ApiRate {
    fn default() -> Self {
        Self(0.10)
    }
}

impl fmt::Display for ApiRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounded to thousandths of a per cent, so that 0.07 is not shown as 7.000000000000001.
        write!(f, "{}%", (self.0 * 100_000.0).round() / 1000.0)
    }
}

/// Text that is no percentage above 0 and at most 100.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no share of AWS's request rate: write a percentage above 0 and at most 100, such as 10%")]
pub struct NotAShare(String);

impl FromStr for ApiRate {
    type Err = NotAShare;

    fn from_str(text: &str) -> Result<Self, NotAShare> {
        text.strip_suffix('%')
            .and_then(|number| number.trim().parse::<f64>().ok())
            .filter(|percent| *percent > 0.0 && *percent <= 100.0)
            .map(|percent| Self(percent / 100.0))
            .ok_or_else(|| NotAShare(text.to_owned()))
    }
}

impl Serialize for ApiRate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ApiRate {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for ApiRate {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ApiRate".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)? *%$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_percentage_above_nothing_and_at_most_everything() {
        assert_eq!("10%".parse::<ApiRate>().unwrap().share(), 0.10);
        assert_eq!("2.5 %".parse::<ApiRate>().unwrap().to_string(), "2.5%");
        for no in ["0%", "101%", "10", "-1%", "NaN%", "inf%", "%", ""] {
            assert!(no.parse::<ApiRate>().is_err(), "{no}");
        }
    }

    #[test]
    fn only_http_addresses_are_endpoints() {
        assert!(is_http_url("http://127.0.0.1:1") && is_http_url("https://vpce.example"));
        assert!(!is_http_url("127.0.0.1:1") && !is_http_url("http://") && !is_http_url("file:///x"));
    }
}
