//! Names of things as AWS writes them, taken apart without trusting them.

use serde::{Deserialize, Serialize};

/// The number of a case: unique in one journal, given in order of opening, starting at 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CaseId(pub u32);

impl std::fmt::Display for CaseId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// An ARN in its parts. Old ECS ARNs have no cluster segment; partitions are never assumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arn<'a> {
    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: &'a str,
    /// `ecs`, `autoscaling`, …
    pub service: &'a str,
    /// May be empty.
    pub region: &'a str,
    /// Twelve digits, or empty.
    pub account: &'a str,
    /// Everything after the fifth colon.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Splits `text`; `None` when it has fewer than six parts or does not begin with `arn:`.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        if parts.next()? != "arn" {
            return None;
        }
        Some(Self {
            partition: parts.next()?,
            service: parts.next()?,
            region: parts.next()?,
            account: parts.next()?,
            resource: parts.next()?,
        })
    }

    /// The last `/`-separated segment of the resource: the id of a host, task or service, the name of a cluster.
    pub fn last(&self) -> &'a str {
        self.resource.rsplit('/').next().unwrap_or(self.resource)
    }

    /// The cluster segment of a long-format ECS ARN (`container-instance/CLUSTER/ID`); `None` in the old format.
    pub fn cluster_name(&self) -> Option<&'a str> {
        let mut parts = self.resource.split('/');
        let kind = parts.next()?;
        let first = parts.next()?;
        if kind == "cluster" {
            return Some(first);
        }
        parts.next().map(|_| first)
    }
}

/// Whether `id` is the id of an EC2 instance: `i-` and 8 or 17 hexadecimal digits.
pub fn is_ec2_instance_id(id: &str) -> bool {
    id.strip_prefix("i-").is_some_and(|hex| matches!(hex.len(), 8 | 17) && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Whether `id` is an SSM hybrid id, the mark of an ECS Anywhere host: `mi-` and 17 word characters.
pub fn is_external_id(id: &str) -> bool {
    id.strip_prefix("mi-")
        .is_some_and(|rest| rest.len() == 17 && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_short_arns_give_the_same_id_and_only_the_long_one_names_its_cluster() {
        let long = Arn::parse("arn:aws-cn:ecs:cn-north-1:210987654321:container-instance/prod/0f3a").unwrap();
        assert_eq!((long.partition, long.last(), long.cluster_name()), ("aws-cn", "0f3a", Some("prod")));
        let short = Arn::parse("arn:aws:ecs:eu-west-1:210987654321:container-instance/0f3a").unwrap();
        assert_eq!((short.last(), short.cluster_name()), ("0f3a", None));
        assert_eq!(Arn::parse("arn:aws:ecs:r:1:cluster/prod").unwrap().cluster_name(), Some("prod"));
        assert_eq!(Arn::parse("not an arn"), None);
    }

    #[test]
    fn machine_ids_are_told_apart() {
        assert!(is_ec2_instance_id("i-0a1b2c3d4e5f60718") && is_ec2_instance_id("i-0a1b2c3d"));
        assert!(!is_ec2_instance_id("i-0a1b2c3d4") && !is_ec2_instance_id("mi-0a1b2c3d4e5f60718"));
        assert!(is_external_id("mi-0a1b2c3d4e5f60718") && !is_external_id("mi-short"));
    }
}
