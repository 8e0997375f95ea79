//! `GET /v1/placement-failures`: what EventBridge told of tasks of a service that could not be placed.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};

use super::{Query, Refusal, Served, read_journal};
use crate::placement_failures::{self, PlacementFailure};

/// Of which service.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Name or ARN of a service.
    service: String,
    /// Name or ARN of a cluster.
    cluster: Option<String>,
}

/// Those of the last hours, the newest first.
#[derive(Debug, Serialize, Deserialize)]
pub struct Heard {
    /// Each.
    pub failures: Vec<PlacementFailure>,
}

/// Placement failures of a service that the journal holds.
pub async fn list(State(served): State<Served>, Query(wanted): Query<Wanted>) -> Result<Json<Heard>, Refusal> {
    let read = move |journal: &engine::journal::JournalReader| {
        placement_failures::read(journal, wanted.cluster.as_deref(), &wanted.service)
    };
    Ok(Json(Heard { failures: read_journal(&served, read).await? }))
}
