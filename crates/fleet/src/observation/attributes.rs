//! Container instance attributes: the few that beliefs hang on by their names, and the rest for the placement of tasks.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Text;

/// Attributes as they came: left unparsed in an event until somebody needs them, since they almost never change.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Attributes<'a> {
    /// The field was not there.
    #[default]
    Absent,
    /// The JSON array as it stood in the event: `[{"name":…,"value":…},…]`.
    Raw(&'a str),
    /// Already read.
    Known(Box<HostAttributes<'a>>),
}

/// What muster keeps of a container instance's attributes (spec C.5).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostAttributes<'a> {
    /// `ecs.availability-zone`
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Text<'a>>,
    /// `ecs.instance-type`
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<Text<'a>>,
    /// `ecs.ami-id`
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub ami: Option<Text<'a>>,
    /// `ecs.subnet-id`
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<Text<'a>>,
    /// `ecs.os-type`: `linux` or `windows`
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub os_type: Option<Text<'a>>,
    /// `ecs.capability.external` is present: an ECS Anywhere host.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub external: bool,
    /// `ecs.awsvpc-trunk-id` has a value: the machine has a trunk ENI.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub trunk: bool,
    /// Custom attributes, name and value, in the order they came; an attribute without a value has an empty one.
    #[serde(borrow, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<(Text<'a>, Text<'a>)>,
    /// All other attributes but the trunk's id, one's own among them, as `marks` has them: what placement constraints
    /// and the requirements of tasks may ask for.
    #[serde(borrow, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<(Text<'a>, Text<'a>)>,
}

/// Whether an attribute of this name is somebody's own: the agent and AWS begin theirs with `ecs.` and `com.amazonaws.`
/// (spec C.5).
pub fn is_custom(name: &str) -> bool {
    !name.is_empty() && !name.starts_with("ecs.") && !name.starts_with("com.amazonaws.")
}

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absent => serializer.serialize_none(),
            Self::Raw(_) | Self::Known(_) => self.read().serialize(serializer),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Attributes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Option::<HostAttributes<'a>>::deserialize(deserializer)? {
            Some(known) => Self::Known(Box::new(known)),
            None => Self::Absent,
        })
    }
}
