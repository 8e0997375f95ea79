//! Taking an operator's request in: who asks, why, and what muster answers.

use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::request::Parts,
};
use fleet::operator::{Answered, Asked, Request as Wanted};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Refusal, Served, access::Operator};
use crate::render::escape;

/// Longest reason.
const WHY: usize = 500;
/// Longest name of whoever asks.
const WHO: usize = 64;
/// Nothing that is asked holds longer: a year.
pub const LONGEST_SECS: u32 = 366 * 86_400;

/// Who and why, as any request may say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Said {
    /// Why; goes into the journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Who, where no token says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
}

/// What muster did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// In one sentence.
    pub granted: String,
}

/// Puts a request to the loop. A refusal of muster's is a 409 with its reason.
pub(super) async fn ask(
    served: &Served,
    operator: &Operator,
    said: Said,
    wanted: Wanted<'static>,
) -> Result<Json<Granted>, Refusal> {
    let who = match (&operator.name, said.who) {
        (Some(_), Some(_)) => {
            return Err(Refusal::bad_request("`who` is told by the token; leave it out"));
        }
        (Some(name), None) => name.clone(),
        (None, Some(who)) if !who.trim().is_empty() => short(&who, WHO, "who")?,
        (None, _) => "somebody on this machine".to_owned(),
    };
    let why = short(said.why.as_deref().unwrap_or_default(), WHY, "why")?;
    let asked = Asked { who: who.into(), why: why.into(), request: wanted };
    tracing::info!(who = %asked.who, request = ?asked.request, "an operator asks");
    match served.beliefs.operator(asked).await? {
        Answered::Granted { note } => Ok(Json(Granted { granted: note })),
        Answered::Refused { why } => Err(Refusal::conflict(why)),
    }
}

fn short(text: &str, most: usize, what: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.chars().count() > most {
        return Err(Refusal::bad_request(format!("`{what}` has more than {most} characters")));
    }
    Ok(escape::clean(text).into_owned())
}

/// A length of time that can be held.
pub(super) fn lasting(secs: Option<u32>) -> Result<Option<u32>, Refusal> {
    match secs {
        Some(secs) if !(1..=LONGEST_SECS).contains(&secs) => {
            Err(Refusal::bad_request(format!("`secs` is {secs}; it lies between 1 and {LONGEST_SECS} (a year)")))
        }
        secs => Ok(secs),
    }
}

/// A JSON body, refused in JSON when it makes no sense. No body at all is an empty object.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|error| Refusal::new(error.status(), error.body_text()))?;
        let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        // A list would do for an object too, by the order of its fields.
        serde_json::from_slice(bytes)
            .and_then(|object| serde_json::from_value(Value::Object(object)))
            .map(Self)
            .map_err(|error| Refusal::bad_request(format!("the body makes no sense: {error}")))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Operator {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        // Put there by the guard, without which no resource is reached.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Refusal::unauthorised("nobody asks"))
    }
}
