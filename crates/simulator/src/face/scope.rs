//! Who asks, and for which account and region.

use serde_json::Value;
use wire::error::ServiceError;

use super::messaging::Region;
use crate::{
    clock::Moment,
    world::{ClusterId, PlaceId, World},
};

/// The account and region a request speaks to.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// Account and region; a region without clusters is a region like any other.
    pub(crate) region: Region,
    /// The world's place of that name, if it has one.
    pub(crate) place: Option<PlaceId>,
    /// Partition.
    pub(crate) partition: String,
    /// `Host` of the request: queue URLs begin with it.
    pub(crate) host: String,
    /// Wall time in milliseconds.
    pub(crate) wall: Moment,
}

/// What a caller sees of the world.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct View {
    /// Hosts are shown as they were so many milliseconds ago.
    pub(crate) staleness_ms: i64,
}

impl Scope {
    pub(crate) fn account(&self) -> &str {
        &self.region.0
    }

    pub(crate) fn region_name(&self) -> &str {
        &self.region.1
    }

    /// `arn:PARTITION:SERVICE:REGION:ACCOUNT:REST`.
    pub(crate) fn arn(&self, service: &str, rest: &str) -> String {
        format!("arn:{}:{service}:{}:{}:{rest}", self.partition, self.region.1, self.region.0)
    }

    /// The cluster a request names; `default` when it names none (spec C).
    pub(crate) fn cluster(&self, world: &World, request: &Value) -> Result<ClusterId, ServiceError> {
        let name = text(request, "cluster").unwrap_or("default");
        let cluster = self.place.and_then(|place| world.find_cluster(place, name));
        cluster.filter(|id| world.cluster(*id).is_some_and(|cluster| cluster.active)).ok_or_else(no_cluster)
    }
}

pub(crate) fn no_cluster() -> ServiceError {
    ServiceError::new("ClusterNotFoundException", "Cluster not found.")
}

pub(crate) fn invalid(what: impl Into<String>) -> ServiceError {
    ServiceError::new("InvalidParameterException", what)
}

/// A string of a request.
pub(crate) fn text<'a>(request: &'a Value, name: &str) -> Option<&'a str> {
    request.get(name)?.as_str()
}

/// A string that a request must have.
pub(crate) fn required<'a>(request: &'a Value, name: &str) -> Result<&'a str, ServiceError> {
    text(request, name).ok_or_else(|| invalid(format!("{name} can not be blank.")))
}

/// A list of strings of a request; absent is empty.
pub(crate) fn texts<'a>(request: &'a Value, name: &str) -> Vec<&'a str> {
    request.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Whether a request's `include` lists something.
pub(crate) fn includes(request: &Value, what: &str) -> bool {
    texts(request, "include").contains(&what)
}
