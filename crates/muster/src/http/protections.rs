//! `GET /v1/protections`, `POST /v1/protections` and `DELETE /v1/protections?subject=…`: what muster must not touch.

use axum::{Json, extract::State};
use fleet::{operator::Request, view::StopView};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Query, Refusal, Served,
    access::Operator,
    asking::{Body, Granted, Said, ask, lasting},
};

/// What is to be protected.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Container instance ARN or id, EC2 or SSM id, cluster ARN or name.
    pub subject: String,
    /// How long, in seconds; left out: until it is lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secs: Option<u32>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Who, where no token says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
}

/// What is not to be protected any more.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lifted {
    subject: String,
    why: Option<String>,
    who: Option<String>,
}

/// What operators have stopped, and when it was told.
#[derive(Debug, Serialize, Deserialize)]
pub struct Stops {
    /// Now, for whoever told it.
    pub at: Timestamp,
    /// In the order of their names.
    pub stops: Vec<StopView>,
}

/// What is protected.
pub async fn list(State(served): State<Served>) -> Result<Json<Stops>, Refusal> {
    let (at, stops) = served.beliefs.protections().await?;
    Ok(Json(Stops { at, stops }))
}

/// Protects.
pub async fn add(
    State(served): State<Served>,
    operator: Operator,
    Body(wanted): Body<Wanted>,
) -> Result<Json<Granted>, Refusal> {
    let request = Request::Protect { subject: subject(&wanted.subject)?.into(), secs: lasting(wanted.secs)? };
    ask(&served, &operator, Said { why: wanted.why, who: wanted.who }, request).await
}

/// Lifts a protection.
pub async fn end(
    State(served): State<Served>,
    operator: Operator,
    Query(lifted): Query<Lifted>,
) -> Result<Json<Granted>, Refusal> {
    let request = Request::Unprotect { subject: subject(&lifted.subject)?.into() };
    ask(&served, &operator, Said { why: lifted.why, who: lifted.who }, request).await
}

/// ARNs of container instances have less than 300 characters.
fn subject(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    let strange = |c: char| c.is_control() || c.is_whitespace();
    if text.is_empty() || text.len() > 512 || text.contains(strange) {
        return Err(Refusal::bad_request(
            "`subject` is a host's id or ARN, a machine's id, or a cluster's name or ARN",
        ));
    }
    Ok(text.to_owned())
}
