//! Service actions and deployments (spec A.8, A.9). Unversioned: told apart by their content.

use serde::{Deserialize, Serialize};

use super::Text;

/// ECS Service Action. The service's name stands only in the envelope's `resources`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceActionFact<'a> {
    /// Service ARN.
    #[serde(borrow)]
    pub service: Text<'a>,
    /// Cluster ARN.
    #[serde(borrow)]
    pub cluster: Text<'a>,
    /// `INFO`, `WARN`, `ERROR`.
    #[serde(borrow)]
    pub level: Text<'a>,
    /// `SERVICE_TASK_PLACEMENT_FAILURE`, …: an open set.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// `RESOURCE:ENI`, `AGENT`, …: an open set.
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<Text<'a>>,
    /// `createdAt` as written: part of the content key.
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub created_at: Option<Text<'a>>,
    /// Container instances that it names: of a placement failure the closest ones, not all.
    #[serde(borrow, skip_serializing_if = "Vec::is_empty", default)]
    pub hosts: Vec<Text<'a>>,
}

/// ECS Deployment State Change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeploymentFact<'a> {
    /// Service ARN; it also tells the cluster.
    #[serde(borrow)]
    pub service: Text<'a>,
    /// `ecs-svc/DIGITS`.
    #[serde(borrow)]
    pub deployment: Text<'a>,
    /// `SERVICE_DEPLOYMENT_IN_PROGRESS`, `…_COMPLETED`, `…_FAILED`.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// Free text.
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<Text<'a>>,
    /// `updatedAt` as written: part of the content key.
    #[serde(borrow, skip_serializing_if = "Option::is_none", default)]
    pub updated_at: Option<Text<'a>>,
}
