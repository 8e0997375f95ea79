//! `GET /v1/pause`, `POST /v1/pause` and `POST /v1/resume`: the kill switch.

use axum::{Json, extract::State};
use fleet::operator::Request;
use serde::{Deserialize, Serialize};

use super::{
    Refusal, Served,
    access::Operator,
    asking::{Body, Granted, Said, ask, lasting},
    protections::Stops,
};

/// What is paused or resumed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wanted {
    /// Cluster name or ARN; left out: everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// How long, in seconds; left out: until it is resumed. Of a pause only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secs: Option<u32>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Who, where no token says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
}

impl Wanted {
    fn said(&self) -> Said {
        Said { why: self.why.clone(), who: self.who.clone() }
    }
}

/// Where it is thrown.
pub async fn list(State(served): State<Served>) -> Result<Json<Stops>, Refusal> {
    let (at, stops) = served.beliefs.pauses().await?;
    Ok(Json(Stops { at, stops }))
}

/// Begins no remedy from now on.
pub async fn pause(
    State(served): State<Served>,
    operator: Operator,
    Body(wanted): Body<Wanted>,
) -> Result<Json<Granted>, Refusal> {
    let said = wanted.said();
    let request = Request::Pause { cluster: cluster(wanted.cluster)?.map(Into::into), secs: lasting(wanted.secs)? };
    ask(&served, &operator, said, request).await
}

/// Allows remedies again.
pub async fn resume(
    State(served): State<Served>,
    operator: Operator,
    Body(wanted): Body<Wanted>,
) -> Result<Json<Granted>, Refusal> {
    if wanted.secs.is_some() {
        return Err(Refusal::bad_request("`secs` belongs to a pause; what is resumed stays so"));
    }
    let said = wanted.said();
    ask(&served, &operator, said, Request::Resume { cluster: cluster(wanted.cluster)?.map(Into::into) }).await
}

/// An empty name would mean everything.
fn cluster(name: Option<String>) -> Result<Option<String>, Refusal> {
    match name {
        Some(name) if name.trim().is_empty() => {
            Err(Refusal::bad_request("`cluster` is empty; leave it out to mean everything"))
        }
        name => Ok(name),
    }
}
