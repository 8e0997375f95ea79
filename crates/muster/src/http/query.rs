//! `POST /v1/query`: a query over the logs that muster keeps, answered while it runs. A line of JSON says every now and then how far
//! it is; the last one has the rows, or says how many bytes of them follow. Whoever hangs up stops it.

use std::{
    collections::VecDeque,
    convert::Infallible,
    time::{Duration, Instant},
};

use axum::{
    body::{Body as Streamed, Bytes},
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use jiff::Timestamp;
use query::{Engine, QueryFailed, QueryResult, Request, Running, rollup};
use serde::{Deserialize, Serialize};
use telemetry::snapshot::Group;
use tokio_util::sync::CancellationToken;

use super::{Refusal, Served, asking::Body};
use crate::{
    logs::{
        scope::{NotThere, Scope},
        standing::Ready,
    },
    render::rows,
};

/// Whoever asked is told so often how far it is.
const TELL_EVERY: Duration = Duration::from_millis(200);
/// Its end is looked for so often.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What is asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Question {
    /// The query, in the Logs Insights language.
    pub text: String,
    /// Names of log groups, in which `*` stands for any characters. Left out: all.
    pub groups: Vec<String>,
    /// The earliest time, in milliseconds since 1970. Left out: that of the first record.
    pub since_ms: Option<i64>,
    /// The latest; it counts. Left out: that of the last record.
    pub until_ms: Option<i64>,
    /// At most so many rows, besides what the query says itself.
    pub limit: Option<u64>,
    /// Percentiles may come from roll-ups too, if there are some: much sooner, and within a known share of the values.
    pub approximate: bool,
    /// How the rows are wanted.
    pub rows: RowForm,
}

/// How rows are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RowForm {
    /// One array of objects; numbers as numbers.
    #[default]
    Json,
    /// One object a line.
    Ndjson,
    /// Comma-separated, with a line of names.
    Csv,
    /// A Parquet file.
    Parquet,
    /// Within the last line: columns and their texts.
    Cells,
    /// How the query is run, instead of its rows.
    Explained,
}

/// A line of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Told {
    /// It runs.
    Running {
        /// Records that were looked at.
        scanned: u64,
        /// Records that the groups have.
        held: u64,
    },
    /// It is over, and its percentiles are within this share of the values; the rows follow.
    Approximate(f64),
    /// It is over; the rows.
    Cells {
        /// The columns that the query says.
        columns: Vec<String>,
        /// Rows: columns that are not null, with their texts.
        rows: Vec<rows::Row>,
        /// Records that passed its filters.
        matched: u64,
        /// Records that were looked at.
        scanned: u64,
    },
    /// It is over; so many bytes of its answer follow.
    Bytes(u64),
    /// It failed, in one sentence.
    Failed(String),
}

/// Runs a query for whoever may look.
pub async fn ask(State(served): State<Served>, Body(question): Body<Question>) -> Result<Response, Refusal> {
    let ready = served.logs.now().map_err(|why| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, why.message()))?;
    answer(&ready, question).await
}

/// Runs a query.
///
/// # Errors
/// When it is none, or asks for what is not there, or too many others are running.
pub async fn answer(ready: &Ready, question: Question) -> Result<Response, Refusal> {
    let Question { text, groups, since_ms, until_ms, limit, approximate, rows: form } = question;
    let scope = Scope { groups, since_ms, until_ms };
    let rollups = if approximate { rollup::Use::Approximate } else { rollup::Use::Exact };
    let now_ms = Timestamp::now().as_millisecond();
    let mut request = Request { text, limit, now_ms, rollups, ..Request::default() };
    scope.read(&ready.store, &mut request).map_err(|error| match error {
        NotThere::Store(error) => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        other => Refusal::not_found(other.to_string()),
    })?;
    scope.narrow(&mut request);
    if form == RowForm::Explained {
        let told = explained(ready.engine.clone(), request).await.map_err(|error| refused(&error))?;
        return Ok(streamed(in_bytes(told.into_bytes()).into()));
    }
    let held = request.groups.iter().map(Group::records).sum();
    let running = ready.engine.run(request).map_err(|error| refused(&error))?;
    let asked = Asked { running: Some(running), form, held, next: VecDeque::new() };
    let lines = futures::stream::unfold(asked, |mut asked| async move {
        let line = asked.next().await?;
        Some((Ok::<Bytes, Infallible>(line), asked))
    });
    Ok(with_type(Response::new(Streamed::from_stream(lines))))
}

/// A query that somebody waits for.
struct Asked {
    running: Option<Running>,
    form: RowForm,
    held: u64,
    /// What is sent next.
    next: VecDeque<Bytes>,
}

impl Drop for Asked {
    fn drop(&mut self) {
        if self.running.is_some() {
            tracing::info!("whoever asked a query has gone: it is stopped");
        }
    }
}

impl Asked {
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(running) = &self.running {
            let told = Instant::now();
            while !running.has_ended() {
                if told.elapsed() >= TELL_EVERY {
                    let scanned = running.statistics().records_scanned;
                    return Some(line(&Told::Running { scanned, held: self.held }));
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
        if let Some(running) = self.running.take() {
            let (ended, form) = (running.finished().await, self.form);
            // Rows are written away from the threads that watch the fleet.
            let write = move |result: QueryResult| {
                let approximate = result.approximate_within.map(|share| line(&Told::Approximate(share)));
                Ok(approximate.into_iter().chain(written(&result, form)?).collect::<Vec<_>>())
            };
            let written = tokio::task::spawn_blocking(move || ended.and_then(write)).await;
            self.next = match written {
                Ok(Ok(parts)) => parts.into(),
                Ok(Err(error)) => [line(&Told::Failed(error.to_string()))].into(),
                Err(error) => [line(&Told::Failed(format!("the rows could not be written: {error}")))].into(),
            };
        }
        self.next.pop_front()
    }
}

/// The rows, and the line before them.
fn written(result: &QueryResult, form: RowForm) -> Result<Vec<Bytes>, QueryFailed> {
    let columns = || result.columns().into_iter().map(|column| column.name).collect::<Vec<_>>();
    let mut bytes = Vec::new();
    let done = match form {
        RowForm::Cells => {
            let (matched, scanned) = (result.statistics.records_matched, result.statistics.records_scanned);
            return Ok(vec![line(&Told::Cells { columns: columns(), rows: result.rows()?, matched, scanned })]);
        }
        RowForm::Parquet => return Ok(in_bytes(result.parquet()?)),
        RowForm::Csv => rows::csv(&mut bytes, &columns(), &result.rows()?),
        RowForm::Json | RowForm::Ndjson | RowForm::Explained => {
            rows::json(&mut bytes, &result.value_rows()?, form == RowForm::Ndjson)
        }
    };
    done.map_err(|error| QueryFailed::Internal(error.to_string()))?;
    Ok(in_bytes(bytes))
}

fn in_bytes(bytes: Vec<u8>) -> Vec<Bytes> {
    vec![line(&Told::Bytes(bytes.len() as u64)), bytes.into()]
}

fn line(told: &Told) -> Bytes {
    // Texts and numbers are always JSON.
    let mut text = serde_json::to_vec(told).unwrap_or_default();
    text.push(b'\n');
    text.into()
}

fn streamed(parts: VecDeque<Bytes>) -> Response {
    with_type(Response::new(Streamed::from_stream(futures::stream::iter(parts.into_iter().map(Ok::<_, Infallible>)))))
}

fn with_type(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    response
}

/// Runs a query for its plan's sake, on a thread of its own, until whoever asked has gone.
async fn explained(engine: Engine, request: Request) -> Result<String, QueryFailed> {
    static ONE: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(1);
    let place = ONE.try_acquire().map_err(|_| QueryFailed::Busy { running: 1 })?;
    let failed = |error: &dyn std::fmt::Display| QueryFailed::Internal(error.to_string());
    let threads = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| failed(&error))?;
    let gone = CancellationToken::new();
    let _stops_with_us = gone.clone().drop_guard();
    let told = tokio::task::spawn_blocking(move || {
        let _place = place;
        threads.block_on(async {
            tokio::select! {
                told = engine.explain(&request) => told,
                () = gone.cancelled() => Err(QueryFailed::Stopped),
            }
        })
    });
    told.await.map_err(|error| failed(&error))?
}

fn refused(error: &QueryFailed) -> Refusal {
    let status = match error {
        QueryFailed::Malformed(_) | QueryFailed::Refused(_) => StatusCode::BAD_REQUEST,
        QueryFailed::Busy { .. } => StatusCode::TOO_MANY_REQUESTS,
        QueryFailed::Memory { .. } | QueryFailed::Time { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        QueryFailed::Stopped | QueryFailed::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        QueryFailed::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Refusal::new(status, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_read_as_they_were_written() {
        let cells = Told::Cells {
            columns: vec!["a".to_owned()],
            rows: vec![vec![("a".to_owned(), "1.50".to_owned())]],
            matched: 1,
            scanned: 2,
        };
        for told in [
            Told::Running { scanned: 3, held: 9 },
            Told::Approximate(0.01),
            cells,
            Told::Bytes(7),
            Told::Failed("why".to_owned()),
        ] {
            let line = line(&told);
            assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            assert_eq!(serde_json::from_slice::<Told>(&line).unwrap(), told);
        }
    }
}
