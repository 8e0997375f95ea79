//! What `muster serve` answers over HTTP: JSON, on loopback, or elsewhere by TLS and with a token.
//!
//! | path | file |
//! |---|---|
//! | `/v1/hosts`, `/v1/hosts/{id}` | [`hosts`] |
//! | `/v1/capacity` | [`capacity`] |
//! | `/v1/placement-failures` | [`placement_failures`] |
//! | `/v1/cases`, `/v1/cases/{n}`, `/v1/cases/{n}/approve` … | [`cases`] |
//! | `/v1/protections` | [`protections`] |
//! | `/v1/pause`, `/v1/resume` | [`pause`] |
//! | `/v1/silences`, `/v1/silences/{n}` | [`silences`] |
//! | `/v1/alerts` | [`alerts`] |
//! | `/v1/journal` | [`journal`] |
//! | `/v1/query` | [`query`] |
//! | `/v1/set-aside` | [`set_aside`] |
//! | `/healthz` | [`healthz`] |
//! | `/metrics` | [`metrics`] |
//! | `/`, by POST: the API of CloudWatch Logs | [`crate::logs`] |
//!
//! | to learn | read |
//! |---|---|
//! | who may ask for what | [`access`] |
//! | how a request of an operator is taken in | [`asking`] |
//! | where connections come in, TLS | [`listener`] |

pub mod access;
pub mod alerts;
pub mod asking;
pub mod capacity;
pub mod cases;
pub mod healthz;
pub mod hosts;
pub mod journal;
pub mod listener;
pub mod metrics;
pub mod pause;
pub mod placement_failures;
pub mod protections;
pub mod query;
pub mod set_aside;
pub mod silences;

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, FromRequestParts, Request},
    http::{HeaderValue, StatusCode, header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use engine::journal::JournalReader;
use fleet::{
    notice::{delivery::AlertView, silence::SilenceView},
    operator::{Answered, Asked},
    view::{CaseView, RollCall, StopView},
};
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

use self::access::{Access, Door};
use crate::{
    case_file::Terms, config::operators::Role, logs::standing::Standing, metrics::Metrics, render::capacity::Capacity,
};

/// The largest body of a request.
const BODY_BYTES: usize = 64 << 10;

/// What is known at this moment, asked of whoever runs the loop.
#[async_trait]
pub trait Beliefs: Send + Sync {
    /// Calls the roll.
    async fn roll_call(&self) -> Result<RollCall, Stopped>;
    /// What room is left; on each host too if `hosts`.
    async fn capacity(&self, hosts: bool) -> Result<Capacity, Stopped>;
    /// Cases, with the time they were told; the recently closed ones too if `closed`.
    async fn cases(&self, closed: bool) -> Result<(Timestamp, Vec<CaseView>), Stopped>;
    /// How far muster goes in a case, and by which ladder.
    async fn terms(&self, case: CaseView) -> Result<Terms, Stopped>;
    /// What operators have protected, with the time it was told.
    async fn protections(&self) -> Result<(Timestamp, Vec<StopView>), Stopped>;
    /// Where the kill switch is thrown, with the time it was told.
    async fn pauses(&self) -> Result<(Timestamp, Vec<StopView>), Stopped>;
    /// What people are told of, with the time it was told.
    async fn alerts(&self) -> Result<(Timestamp, Vec<AlertView>), Stopped>;
    /// The silences that hold, with the time they were told.
    async fn silences(&self) -> Result<(Timestamp, Vec<SilenceView>), Stopped>;
    /// What is wrong with the service itself.
    async fn troubles(&self) -> Troubles;
    /// Puts an operator's request to the loop; it is in the journal when this returns.
    async fn operator(&self, asked: Asked<'static>) -> Result<Answered, Stopped>;
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
    /// Who may ask for what.
    pub access: Arc<Access>,
    /// Logs and queries, or why there are none.
    pub logs: Standing,
    /// Only names of this machine are answered: it listens on loopback.
    pub loopback: bool,
}

impl std::fmt::Debug for Served {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Served").field("data_dir", &self.data_dir).finish_non_exhaustive()
    }
}

/// All resources, each behind the door of the role that it needs.
pub fn router(served: Served) -> Router {
    let behind = |role| {
        let door = Door { access: served.access.clone(), role };
        move |router: Router<Served>| router.route_layer(middleware::from_fn_with_state(door, access::guard))
    };
    let looking = Router::new()
        .route("/v1/hosts", get(hosts::list))
        .route("/v1/hosts/{*id}", get(hosts::show))
        .route("/v1/capacity", get(capacity::show))
        .route("/v1/placement-failures", get(placement_failures::list))
        .route("/v1/cases", get(cases::list))
        .route("/v1/cases/{case}", get(cases::show))
        .route("/v1/cases/{case}/journal", get(cases::file))
        .route("/v1/protections", get(protections::list))
        .route("/v1/pause", get(pause::list))
        .route("/v1/alerts", get(alerts::list))
        .route("/v1/silences", get(silences::list))
        .route("/v1/journal", get(journal::list))
        .route("/v1/set-aside", get(set_aside::list))
        .route("/v1/query", post(query::ask))
        .route("/metrics", get(metrics::show));
    let silencing =
        Router::new().route("/v1/silences", post(silences::add)).route("/v1/silences/{silence}", delete(silences::end));
    let acting = Router::new()
        .route("/v1/cases/{case}/{verb}", post(cases::operate))
        .route("/v1/protections", post(protections::add).delete(protections::end))
        .route("/v1/pause", post(pause::pause))
        .route("/v1/resume", post(pause::resume));
    let router = behind(Role::View)(looking)
        .merge(behind(Role::Silence)(silencing))
        .merge(behind(Role::Act)(acting))
        .route("/healthz", get(healthz::show))
        // It looks at signatures and the sizes of bodies itself.
        .route("/", post(crate::logs::answer::root))
        .fallback(nothing_here)
        .layer(DefaultBodyLimit::max(BODY_BYTES));
    let router = if served.loopback { router.layer(middleware::from_fn(loopback_names_only)) } else { router };
    router.with_state(served)
}

/// A refusal: a status, and one sentence in JSON.
#[derive(Debug)]
pub struct Refusal(StatusCode, String);

impl Refusal {
    /// A status and one sentence.
    pub fn new(status: StatusCode, what: impl Into<String>) -> Self {
        Self(status, what.into())
    }

    /// There is no such thing.
    pub fn not_found(what: impl Into<String>) -> Self {
        Self(StatusCode::NOT_FOUND, what.into())
    }

    /// The request makes no sense.
    pub fn bad_request(what: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, what.into())
    }

    /// Nobody knows who asks.
    pub fn unauthorised(what: impl Into<String>) -> Self {
        Self(StatusCode::UNAUTHORIZED, what.into())
    }

    /// Whoever asks may not.
    pub fn forbidden(what: impl Into<String>) -> Self {
        Self(StatusCode::FORBIDDEN, what.into())
    }

    /// It cannot be, as things stand.
    pub fn conflict(what: impl Into<String>) -> Self {
        Self(StatusCode::CONFLICT, what.into())
    }

    /// The body is of a kind that is not read.
    pub fn unsupported(what: impl Into<String>) -> Self {
        Self(StatusCode::UNSUPPORTED_MEDIA_TYPE, what.into())
    }

    /// Whoever asks has asked too often.
    pub fn too_many(what: impl Into<String>) -> Self {
        Self(StatusCode::TOO_MANY_REQUESTS, what.into())
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.0
    }
}

#[derive(Serialize)]
struct Said {
    error: String,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.0, Json(Said { error: self.1 })).into_response();
        let headers = response.headers_mut();
        match self.0 {
            StatusCode::UNAUTHORIZED => headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            StatusCode::TOO_MANY_REQUESTS => headers.insert(header::RETRY_AFTER, HeaderValue::from_static("60")),
            _ => None,
        };
        response
    }
}

impl From<Stopped> for Refusal {
    fn from(stopped: Stopped) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, stopped.to_string())
    }
}

async fn nothing_here() -> Refusal {
    Refusal::not_found(
        "nothing here; there are /v1/hosts, /v1/cases, /v1/alerts, /v1/silences, /v1/protections, /v1/pause, /v1/resume, \
         /v1/journal, /v1/set-aside, /v1/query, /healthz and /metrics",
    )
}

/// A page in somebody's browser can have its own name resolve to 127.0.0.1 and then read what is served there. It
/// cannot change the Host header, so only names of this machine are answered.
pub(crate) async fn loopback_names_only(request: Request, next: Next) -> Response {
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
