//! `GET /v1/journal`

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Query, Refusal, Served, read_journal};

/// Most entries in one answer.
const LIMIT: usize = 1000;

/// Which entries are wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Those after this one.
    #[serde(default)]
    after: i64,
    /// So many.
    #[serde(default = "hundred")]
    limit: usize,
}

fn hundred() -> usize {
    100
}

/// Some entries. To follow the journal, ask again with `after` as the last `seq` seen.
#[derive(Debug, Serialize)]
pub struct Page {
    entries: Vec<Value>,
    last: i64,
}

/// Entries in order, and the number of the newest one there is.
pub async fn list(State(served): State<Served>, Query(wanted): Query<Wanted>) -> Result<Json<Page>, Refusal> {
    if wanted.limit > LIMIT {
        return Err(Refusal::bad_request(format!("at most {LIMIT} entries at once")));
    }
    let page = read_journal(&served, move |journal| {
        let last = journal.last_seq()?;
        let mut entries = Vec::new();
        if wanted.limit > 0 {
            journal.read(wanted.after.max(0), &mut |entry| {
                entries.push(serde_json::to_value(&entry).unwrap_or_else(|error| Value::String(error.to_string())));
                entries.len() < wanted.limit
            })?;
        }
        Ok(Page { entries, last })
    });
    page.await.map(Json)
}
