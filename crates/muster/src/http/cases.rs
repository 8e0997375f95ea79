//! `GET /v1/cases`, `GET /v1/cases/{n}`, and `POST /v1/cases/{n}/{approve|veto|hold|retry}`

use axum::{
    Json,
    extract::{Path, State},
};
use fleet::{id::CaseId, operator::Request, view::CaseView};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Query, Refusal, Served,
    access::Operator,
    asking::{Body, Granted, Said, ask, lasting},
    read_journal,
};
use crate::case_file::{self, CaseFile};

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
    let CaseId(number) = self::number(&number)?;
    let (at, cases) = served.beliefs.cases(true).await?;
    let case = cases.into_iter().find(|case| case.case.0 == number);
    case.map(|case| Json(OneCase { at, case })).ok_or_else(|| {
        Refusal::not_found(format!("there is no case {number} open or recently closed; older ones are in the journal"))
    })
}

/// What the journal holds about a case: what was decided, done and said, and the evidence that was saved.
pub async fn file(State(served): State<Served>, Path(number): Path<String>) -> Result<Json<CaseFile>, Refusal> {
    let case = self::number(&number)?;
    let (_, cases) = served.beliefs.cases(true).await?;
    let Some(found) = cases.into_iter().find(|view| view.case == case) else {
        return Err(Refusal::not_found(format!("there is no case {case} open or recently closed")));
    };
    let opened_at = found.opened_at;
    let terms = served.beliefs.terms(found).await?;
    read_journal(&served, move |journal| case_file::read(journal, case, opened_at, terms)).await.map(Json)
}

/// What is asked of a case.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Asked {
    /// For `hold`: how long, in seconds; left out: until it is retried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secs: Option<u32>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Who, where no token says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
}

/// Approves, vetoes, holds or retries.
pub async fn operate(
    State(served): State<Served>,
    operator: Operator,
    Path((number, verb)): Path<(String, String)>,
    Body(asked): Body<Asked>,
) -> Result<Json<Granted>, Refusal> {
    let case = self::number(&number)?;
    if asked.secs.is_some() && verb != "hold" {
        return Err(Refusal::bad_request(format!("`secs` belongs to hold; {verb} has no end")));
    }
    let request = match verb.as_str() {
        "approve" => Request::Approve { case },
        "veto" => Request::Veto { case },
        "hold" => Request::Hold { case, secs: lasting(asked.secs)? },
        "retry" => Request::Retry { case },
        _ => return Err(Refusal::not_found("a case can be asked to approve, veto, hold or retry")),
    };
    ask(&served, &operator, Said { why: asked.why, who: asked.who }, request).await
}

fn number(text: &str) -> Result<CaseId, Refusal> {
    text.parse().map(CaseId).map_err(|_| Refusal::bad_request(format!("`{text}` is no number of a case")))
}
