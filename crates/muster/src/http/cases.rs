//! `GET /v1/cases` and `GET /v1/cases/{n}`

use axum::{
    Json,
    extract::{Path, State},
};
use fleet::view::CaseView;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Query, Refusal, Served};

/// Which cases are wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The recently closed ones too.
    #[serde(default)]
    closed: bool,
}

/// Cases, and when they were told.
#[derive(Debug, Serialize, Deserialize)]
pub struct Cases {
    /// Now, for whoever told them.
    pub at: Timestamp,
    /// In the order of their numbers.
    pub cases: Vec<CaseView>,
}

/// One case, and when it was told.
#[derive(Debug, Serialize, Deserialize)]
pub struct OneCase {
    /// Now, for whoever told it.
    pub at: Timestamp,
    /// The case.
    pub case: CaseView,
}

/// Open cases.
pub async fn list(State(served): State<Served>, Query(wanted): Query<Wanted>) -> Result<Json<Cases>, Refusal> {
    let (at, cases) = served.beliefs.cases(wanted.closed).await?;
    Ok(Json(Cases { at, cases }))
}

/// One case, open or recently closed.
pub async fn show(State(served): State<Served>, Path(number): Path<String>) -> Result<Json<OneCase>, Refusal> {
    let number: u32 = number.parse().map_err(|_| Refusal::bad_request(format!("`{number}` is no number of a case")))?;
    let (at, cases) = served.beliefs.cases(true).await?;
    let case = cases.into_iter().find(|case| case.case.0 == number);
    case.map(|case| Json(OneCase { at, case })).ok_or_else(|| {
        Refusal::not_found(format!("there is no case {number} open or recently closed; older ones are in the journal"))
    })
}
