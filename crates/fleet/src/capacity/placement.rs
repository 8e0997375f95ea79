//! Where a task may go, and in which order hosts are tried: what a service says beside its task definition.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    query::Expr,
    shape::{ShapeError, expression, list},
};
use crate::{host::Millis, names::Name, state::Fleet};

/// What is believed of a subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    /// Availability zone.
    pub zone: Name,
    /// Addresses that nobody holds.
    pub free_addresses: u32,
    /// When that was told.
    pub told_at: Millis,
}

/// Where a task may go.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Placement {
    /// All of them must hold.
    pub constraints: Vec<Constraint>,
    /// In their order: what the one leaves equal the next decides. A service without any is spread over zones.
    pub strategies: Vec<Strategy>,
    /// Where tasks with an interface of their own get their addresses. Empty: not known, and no limit.
    pub subnets: Vec<SubnetRoom>,
    /// `service:NAME`; `None`: the family's own group.
    pub group: Option<String>,
    /// EC2 or ECS Anywhere.
    pub launch_type: LaunchType,
    /// Only hosts of this capacity provider.
    pub capacity_provider: Option<String>,
}

/// A placement constraint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Constraint {
    /// No other task of the same group on the host.
    DistinctInstance,
    /// The query holds for the host.
    MemberOf(Expr),
}

/// A placement strategy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Any host.
    Random,
    /// Where the fewest tasks of the group are, counted by `instanceId` or an attribute.
    Spread(String),
    /// Where the least is left.
    Binpack(Resource),
}

/// What is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Resource {
    Cpu,
    Memory,
}

/// Addresses of a subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubnetRoom {
    /// `subnet-…`.
    pub id: String,
    /// Availability zone.
    pub zone: String,
    /// Addresses that nobody holds.
    pub free_addresses: u32,
}

/// Where hosts stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LaunchType {
    /// In EC2.
    #[default]
    Ec2,
    /// Elsewhere: ECS Anywhere.
    External,
}

impl Placement {
    /// The strategies that hold: those that are named, or what ECS gives a service that names none (its developer guide,
    /// "Use strategies to define Amazon ECS task placement").
    pub fn effective_strategies(&self) -> Vec<Strategy> {
        let of_service = self.group.as_deref().is_some_and(|group| group.starts_with("service:"));
        if self.strategies.is_empty() && of_service {
            return vec![Strategy::Spread("attribute:ecs.availability-zone".to_owned())];
        }
        self.strategies.clone()
    }

    /// Reads one service of an answer of DescribeServices, or an input of CreateService. The subnets are given back by
    /// their ids: see [`Fleet::subnet_rooms`].
    pub fn of_service(service: &Value) -> Result<(Self, Vec<String>), ShapeError> {
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let mut placement = Self {
            group: text(&service["serviceName"]).map(|name| format!("service:{name}")),
            capacity_provider: list(&service["capacityProviderStrategy"])
                .iter()
                .max_by_key(|entry| (entry["base"].as_u64(), entry["weight"].as_u64()))
                .and_then(|entry| text(&entry["capacityProvider"])),
            ..Self::default()
        };
        if service["launchType"] == "EXTERNAL" {
            placement.launch_type = LaunchType::External;
        }
        for constraint in list(&service["placementConstraints"]) {
            let kind = constraint["type"].as_str().unwrap_or_default();
            if kind.eq_ignore_ascii_case("distinctInstance") {
                placement.constraints.push(Constraint::DistinctInstance);
            } else if kind.eq_ignore_ascii_case("memberOf") {
                placement.constraints.push(Constraint::MemberOf(expression(constraint)?));
            }
        }
        for strategy in list(&service["placementStrategy"]) {
            let field = strategy["field"].as_str().unwrap_or_default();
            let kind = strategy["type"].as_str().unwrap_or_default();
            placement.strategies.push(match kind.to_ascii_lowercase().as_str() {
                "random" => Strategy::Random,
                "spread" => Strategy::Spread(field.to_owned()),
                "binpack" if field.eq_ignore_ascii_case("cpu") => Strategy::Binpack(Resource::Cpu),
                "binpack" if field.eq_ignore_ascii_case("memory") => Strategy::Binpack(Resource::Memory),
                _ => {
                    let what = format!("`{kind}` by `{field}` is no placement strategy");
                    return Err(ShapeError::Field { path: "placementStrategy".to_owned(), what });
                }
            });
        }
        let subnets = &service["networkConfiguration"]["awsvpcConfiguration"]["subnets"];
        Ok((placement, list(subnets).iter().filter_map(text).collect()))
    }
}

impl Fleet {
    /// What is believed of these subnets; nothing unless all of them are known: a sum over a part would be too small.
    pub fn subnet_rooms<S: AsRef<str>>(&self, ids: &[S]) -> Vec<SubnetRoom> {
        let known = ids.iter().map(|id| {
            let subnet = self.subnets.get(&self.names.find(id.as_ref())?)?;
            let zone = self.names.text(subnet.zone).to_owned();
            Some(SubnetRoom { id: id.as_ref().to_owned(), zone, free_addresses: subnet.free_addresses })
        });
        known.collect::<Option<Vec<SubnetRoom>>>().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_says_is_read() {
        let service = serde_json::json!({
            "serviceName": "api", "launchType": "EC2",
            "placementConstraints": [{"type": "distinctInstance"}, {"type": "memberOf", "expression": "attribute:a == b"}],
            "placementStrategy": [{"type": "spread", "field": "attribute:ecs.availability-zone"}, {"type": "binpack", "field": "MEMORY"}],
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
            "capacityProviderStrategy": [{"capacityProvider": "spot", "weight": 1}, {"capacityProvider": "base", "weight": 1, "base": 2}],
        });
        let (placement, subnets) = Placement::of_service(&service).unwrap();
        assert_eq!(
            (placement.group.as_deref(), placement.capacity_provider.as_deref()),
            (Some("service:api"), Some("base"))
        );
        assert_eq!((placement.constraints.len(), &placement.constraints[0]), (2, &Constraint::DistinctInstance));
        assert_eq!(placement.strategies[1], Strategy::Binpack(Resource::Memory));
        assert_eq!(subnets, ["subnet-1"]);
        let odd = serde_json::json!({"placementStrategy": [{"type": "binpack", "field": "disk"}]});
        assert!(Placement::of_service(&odd).unwrap_err().to_string().contains("no placement strategy"));
    }
}
