//! `GET /v1/set-aside`: messages that could not be understood, whole, with the reason.

use axum::{Json, extract::State};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Query, Refusal, Served, read_journal};

/// Most messages in one answer; each may have a megabyte.
const LIMIT: u32 = 100;

/// Which messages are wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Those after this one.
    #[serde(default)]
    after: i64,
    /// So many.
    #[serde(default = "twenty")]
    limit: u32,
}

fn twenty() -> u32 {
    20
}

/// Some messages, and how many there are in all.
#[derive(Debug, Serialize)]
pub struct Page {
    count: u64,
    messages: Vec<Message>,
}

#[derive(Debug, Serialize)]
struct Message {
    id: i64,
    at: Timestamp,
    reason: String,
    bytes: usize,
    /// As text; bytes that are not UTF-8 are shown as U+FFFD.
    body: String,
}

/// Messages in the order they came.
pub async fn list(State(served): State<Served>, Query(wanted): Query<Wanted>) -> Result<Json<Page>, Refusal> {
    if wanted.limit > LIMIT {
        return Err(Refusal::bad_request(format!("at most {LIMIT} messages at once")));
    }
    let page = read_journal(&served, move |journal| {
        let kept = journal.set_aside(wanted.after, wanted.limit)?.into_iter().map(|kept| Message {
            id: kept.id,
            at: kept.at,
            reason: kept.reason,
            bytes: kept.body.len(),
            body: String::from_utf8_lossy(&kept.body).into_owned(),
        });
        Ok(Page { count: journal.count_set_aside()?, messages: kept.collect() })
    });
    page.await.map(Json)
}
