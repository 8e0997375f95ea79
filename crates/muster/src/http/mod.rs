//! What `muster serve` answers over HTTP: read-only, JSON, on loopback.
//!
//! | path | file |
//! |---|---|
//! | `/v1/hosts`, `/v1/hosts/{id}` | [`hosts`] |
//! | `/v1/cases`, `/v1/cases/{n}` | [`cases`] |
//! | `/v1/journal` | [`journal`] |
//! | `/v1/set-aside` | [`set_aside`] |
//! | `/healthz` | [`healthz`] |
//! | `/metrics` | [`metrics`] |

pub mod cases;
pub mod healthz;
pub mod hosts;
pub mod journal;
pub mod metrics;
pub mod set_aside;

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use axum::{
    Json, Router,
    extract::{FromRequestParts, Request},
    http::{StatusCode, header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use engine::journal::JournalReader;
use fleet::view::{CaseView, RollCall};
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

use crate::metrics::Metrics;

/// What is known at this moment, asked of whoever runs the loop.
#[async_trait]
pub trait Beliefs: Send + Sync {
    /// Calls the roll.
    async fn roll_call(&self) -> Result<RollCall, Stopped>;
    /// Cases, with the time they were told; the recently closed ones too if `closed`.
    async fn cases(&self, closed: bool) -> Result<(Timestamp, Vec<CaseView>), Stopped>;
    /// What is wrong with the service itself.
    async fn troubles(&self) -> Troubles;
}

/// What is wrong with the service itself, in sentences.
#[derive(Clone, Debug, Default)]
pub struct Troubles {
    /// Why it cannot be relied on; empty when it can.
    pub failing: Vec<String>,
    /// What is wrong without making it unreliable.
    pub warnings: Vec<String>,
}

/// The loop has stopped, so nothing is known any more.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("muster is stopping and has no answer")]
pub struct Stopped;

/// What the resources answer from.
#[derive(Clone)]
pub struct Served {
    /// Hosts and cases.
    pub beliefs: Arc<dyn Beliefs>,
    /// Figures.
    pub metrics: Arc<Metrics>,
    /// Where the journal lies.
    pub data_dir: PathBuf,
}

impl std::fmt::Debug for Served {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Served").field("data_dir", &self.data_dir).finish_non_exhaustive()
    }
}

/// All resources.
pub fn router(served: Served) -> Router {
    Router::new()
        .route("/v1/hosts", get(hosts::list))
        .route("/v1/hosts/{*id}", get(hosts::show))
        .route("/v1/cases", get(cases::list))
        .route("/v1/cases/{case}", get(cases::show))
        .route("/v1/journal", get(journal::list))
        .route("/v1/set-aside", get(set_aside::list))
        .route("/healthz", get(healthz::show))
        .route("/metrics", get(metrics::show))
        .fallback(nothing_here)
        .layer(middleware::from_fn(loopback_names_only))
        .with_state(served)
}

/// A refusal: a status, and one sentence in JSON.
#[derive(Debug)]
pub struct Refusal(StatusCode, String);

impl Refusal {
    /// There is no such thing.
    pub fn not_found(what: impl Into<String>) -> Self {
        Self(StatusCode::NOT_FOUND, what.into())
    }

    /// The request makes no sense.
    pub fn bad_request(what: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, what.into())
    }
}

#[derive(Serialize)]
struct Said {
    error: String,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(Said { error: self.1 })).into_response()
    }
}

impl From<Stopped> for Refusal {
    fn from(stopped: Stopped) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, stopped.to_string())
    }
}

async fn nothing_here() -> Refusal {
    Refusal::not_found(
        "nothing here; there are /v1/hosts, /v1/cases, /v1/journal, /v1/set-aside, /healthz and /metrics",
    )
}

/// A page in somebody's browser can have its own name resolve to 127.0.0.1 and then read what is served there. It
/// cannot change the Host header, so only names of this machine are answered.
async fn loopback_names_only(request: Request, next: Next) -> Response {
    let host = request
        .headers()
        .get(header::HOST)
        .map(|host| host.to_str().unwrap_or_default())
        .or_else(|| request.uri().authority().map(axum::http::uri::Authority::as_str));
    if host.is_none_or(is_loopback_name) {
        return next.run(request).await;
    }
    Refusal(
        StatusCode::MISDIRECTED_REQUEST,
        "muster answers on loopback names only (localhost, 127.0.0.1, [::1]); a proxy before it must set the Host header"
            .into(),
    )
    .into_response()
}

fn is_loopback_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || address.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// The query of a request, refused in JSON when it makes no sense.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(query)| Self(query))
            .map_err(|error| Refusal::bad_request(error.body_text()))
    }
}

/// Reads the journal beside the loop that writes it, off the threads that answer requests.
async fn read_journal<T: Send + 'static>(
    served: &Served,
    read: impl FnOnce(&JournalReader) -> Result<T, engine::ports::JournalError> + Send + 'static,
) -> Result<T, Refusal> {
    let dir = served.data_dir.clone();
    let failed = |what: String| Refusal(StatusCode::INTERNAL_SERVER_ERROR, what);
    tokio::task::spawn_blocking(move || read(&JournalReader::open(&dir)?))
        .await
        .map_err(|error| failed(format!("reading the journal ended early: {error}")))?
        .map_err(|error| {
            tracing::error!(%error, "the journal could not be read for a request");
            failed(error.to_string())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for yes in ["localhost", "localhost:8464", "127.0.0.1:1", "[::1]:8464", "[::1]", "LOCALHOST"] {
            assert!(is_loopback_name(yes), "{yes}");
        }
        for no in ["evil.example", "evil.example:8464", "127.0.0.1.evil.example", "10.0.0.1:80", "localhost.evil"] {
            assert!(!is_loopback_name(no), "{no}");
        }
    }
}
