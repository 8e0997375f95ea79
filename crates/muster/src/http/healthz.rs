//! `GET /healthz`: 200 when muster can be relied on, 503 when it cannot, with the reasons for whoever may know them.

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use serde::Serialize;

use super::{Served, access};

/// Whether muster can be relied on.
#[derive(Debug, Serialize)]
pub struct Health {
    status: &'static str,
    version: &'static str,
    /// Why it cannot be relied on; empty when it can, and for whoever may not look.
    reasons: Vec<String>,
    /// What is wrong without making it unreliable.
    warnings: Vec<String>,
}

/// 503 when the journal refuses, or when every look has failed: then nobody should believe what is shown. A load balancer
/// has no token, and is told no more than that.
pub async fn show(State(served): State<Served>, request: Request) -> (StatusCode, Json<Health>) {
    let may_look = !served.access.by_token() || served.access.admit(access::peer(&request), request.headers()).is_ok();
    let super::Troubles { failing: mut reasons, mut warnings } = served.beliefs.troubles().await;
    let (code, status) =
        if reasons.is_empty() { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "failing") };
    if !may_look {
        reasons.clear();
        warnings.clear();
    }
    (code, Json(Health { status, version: crate::VERSION, reasons, warnings }))
}
