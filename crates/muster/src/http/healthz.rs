//! `GET /healthz`: 200 when muster can be relied on, 503 when it cannot, with the reasons.

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;

use super::Served;

/// Whether muster can be relied on.
#[derive(Debug, Serialize)]
pub struct Health {
    status: &'static str,
    version: &'static str,
    /// Why it cannot be relied on; empty when it can.
    reasons: Vec<String>,
    /// What is wrong without making it unreliable.
    warnings: Vec<String>,
}

/// 503 when the journal refuses, or when every look has failed: then nobody should believe what is shown.
pub async fn show(State(served): State<Served>) -> (StatusCode, Json<Health>) {
    let super::Troubles { failing: reasons, warnings } = served.beliefs.troubles().await;
    let (code, status) =
        if reasons.is_empty() { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "failing") };
    (code, Json(Health { status, version: crate::VERSION, reasons, warnings }))
}
