//! Which members of a record are metrics, and by which dimensions.

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap as _, SerializeSeq as _},
};

use super::NAMESPACE;

/// A metric: its name, and its unit where one is told.
pub(super) type Metric = (&'static str, Option<&'static str>);

/// Members of a directive stand in one order in ECS's records and in another in those of the CloudWatch agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Author {
    Ecs,
    Agent,
}

/// Metrics that share their sets of dimensions.
#[derive(Debug)]
pub(super) struct Directive<'a> {
    pub author: Author,
    pub metrics: Vec<Metric>,
    pub sets: Vec<Vec<&'a str>>,
}

impl Directive<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.metrics.is_empty() || self.sets.is_empty()
    }
}

impl Serialize for Directive<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let metrics = Metrics { author: self.author, metrics: &self.metrics };
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("Namespace", NAMESPACE)?;
        match self.author {
            Author::Ecs => {
                map.serialize_entry("Metrics", &metrics)?;
                map.serialize_entry("Dimensions", &self.sets)?;
            }
            Author::Agent => {
                map.serialize_entry("Dimensions", &self.sets)?;
                map.serialize_entry("Metrics", &metrics)?;
            }
        }
        map.end()
    }
}

struct Metrics<'a> {
    author: Author,
    metrics: &'a [Metric],
}

impl Serialize for Metrics<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.metrics.len()))?;
        for (name, unit) in self.metrics {
            list.serialize_element(&Definition { author: self.author, name, unit: *unit })?;
        }
        list.end()
    }
}

struct Definition {
    author: Author,
    name: &'static str,
    unit: Option<&'static str>,
}

impl Serialize for Definition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if self.author == Author::Agent
            && let Some(unit) = self.unit
        {
            map.serialize_entry("Unit", unit)?;
        }
        map.serialize_entry("Name", self.name)?;
        if self.author == Author::Ecs
            && let Some(unit) = self.unit
        {
            map.serialize_entry("Unit", unit)?;
        }
        map.end()
    }
}

/// The directives that say anything.
pub(super) fn of<'a>(directives: impl IntoIterator<Item = Directive<'a>>) -> Vec<Directive<'a>> {
    directives.into_iter().filter(|directive| !directive.is_empty()).collect()
}
