//! `GET /v1/silences`, `POST /v1/silences`, `DELETE /v1/silences/{n}`: what nobody is paged about for a while.

use axum::{
    Json,
    extract::{Path, State},
};
use fleet::{journal::Trouble, notice::silence::SilenceView, operator::Request};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Query, Refusal, Served,
    access::Operator,
    asking::{Body, Granted, LONGEST_SECS, Said, ask},
};
use crate::config::words::cluster_glob;

/// A silence to be.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Patterns of cluster names; left out: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<String>,
    /// Troubles; left out: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<Trouble>,
    /// Patterns of container instance ids and machine ids; left out: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// How long, in seconds.
    pub secs: u32,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Who, where no token says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
}

/// Most patterns of one silence.
const PATTERNS: usize = 100;

/// The silences that hold, and when they were told.
#[derive(Debug, Serialize, Deserialize)]
pub struct Silences {
    /// Now, for whoever told them.
    pub at: Timestamp,
    /// In the order of their numbers.
    pub silences: Vec<SilenceView>,
}

/// Those that hold.
pub async fn list(State(served): State<Served>) -> Result<Json<Silences>, Refusal> {
    let (at, silences) = served.beliefs.silences().await?;
    Ok(Json(Silences { at, silences }))
}

/// Adds one.
pub async fn add(
    State(served): State<Served>,
    operator: Operator,
    Body(wanted): Body<Wanted>,
) -> Result<Json<Granted>, Refusal> {
    if !(60..=LONGEST_SECS).contains(&wanted.secs) {
        return Err(Refusal::bad_request(format!(
            "`secs` is {}; a silence lasts from 60 seconds to a year ({LONGEST_SECS})",
            wanted.secs
        )));
    }
    if wanted.clusters.len() + wanted.hosts.len() > PATTERNS {
        return Err(Refusal::bad_request(format!("a silence has at most {PATTERNS} patterns")));
    }
    for glob in &wanted.clusters {
        cluster_glob(glob).map_err(|why| Refusal::bad_request(format!("`clusters`: {why}")))?;
    }
    let strange = |glob: &&String| glob.trim().is_empty() || glob.len() > 512 || glob.contains(char::is_control);
    if wanted.hosts.iter().any(|glob| strange(&glob)) {
        return Err(Refusal::bad_request("`hosts` holds patterns of container instance ids and machine ids, as i-0a*"));
    }
    let request = Request::Silence {
        clusters: wanted.clusters,
        troubles: wanted.troubles,
        hosts: wanted.hosts,
        secs: wanted.secs,
    };
    ask(&served, &operator, Said { why: wanted.why, who: wanted.who }, request).await
}

/// Ends one before its time.
pub async fn end(
    State(served): State<Served>,
    operator: Operator,
    Path(number): Path<String>,
    Query(said): Query<Said>,
) -> Result<Json<Granted>, Refusal> {
    let silence = number.parse().map_err(|_| Refusal::bad_request(format!("`{number}` is no number of a silence")))?;
    ask(&served, &operator, said, Request::Unsilence { silence }).await
}
