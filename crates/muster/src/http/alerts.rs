//! `GET /v1/alerts`: what people are told of.

use axum::{Json, extract::State};
use fleet::notice::delivery::AlertView;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Refusal, Served};

/// What people are told of, and when this was told.
#[derive(Debug, Serialize, Deserialize)]
pub struct Alerts {
    /// Now, for whoever told it.
    pub at: Timestamp,
    /// By receiver and incident.
    pub alerts: Vec<AlertView>,
}

/// All open incidents of all receivers.
pub async fn list(State(served): State<Served>) -> Result<Json<Alerts>, Refusal> {
    let (at, alerts) = served.beliefs.alerts().await?;
    Ok(Json(Alerts { at, alerts }))
}
