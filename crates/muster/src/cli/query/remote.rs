//! A query that a running muster runs itself. Its answer comes line by line while it runs; who hangs up has stopped it.

use std::{io::Write as _, time::Duration};

use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::{QueryArgs, RowFormat, approximate, table};
use crate::{
    cli::{
        output::{Exit, Failure, Output},
        server,
    },
    http::query::{Question, RowForm, Told},
    render::progress::Progress,
};

/// Where the muster of this machine is, if nobody says otherwise.
const USUAL: &str = "http://127.0.0.1:8464";
/// A muster that runs a query says so much more often than this.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// More than this is no line of an answer, except for rows.
const LINE_BYTES_MAX: usize = 1 << 30;

/// Asks the muster of this machine, because nothing else is named.
pub(super) async fn ask_here(args: &QueryArgs, text: &str, out: &mut Output) -> Result<Exit, Failure> {
    if tokio::net::TcpStream::connect(USUAL.trim_start_matches("http://")).await.is_err() {
        return Err(Failure::because(format!(
            "nothing to query: no muster runs at {USUAL}; name one with --server URL, its store with --store DIR, a file, or \
             `-` for standard input"
        )));
    }
    ask(args, USUAL, text, out).await
}

/// Asks a muster and writes what it answers.
pub(super) async fn ask(args: &QueryArgs, server: &str, text: &str, out: &mut Output) -> Result<Exit, Failure> {
    let scope = args.scope();
    let question = Question {
        text: text.to_owned(),
        groups: scope.groups,
        since_ms: scope.since_ms,
        until_ms: scope.until_ms,
        limit: args.limit,
        approximate: args.approximate,
        rows: match args.output {
            _ if args.explain => RowForm::Explained,
            RowFormat::Table => RowForm::Cells,
            RowFormat::Json => RowForm::Json,
            RowFormat::Ndjson => RowForm::Ndjson,
            RowFormat::Csv => RowForm::Csv,
            RowFormat::Parquet => RowForm::Parquet,
        },
    };
    let answer = server::stream(server, &args.login, "/v1/query", &question).await?;
    let mut answer = Answer { server, body: answer.into_body(), read: Vec::new() };
    let mut progress = Progress::new(true);
    loop {
        match answer.line().await? {
            Told::Running { scanned, held } => progress.report("records", scanned, Some(held)),
            Told::Failed(why) => return Err(Failure::because(why)),
            Told::Approximate(share) => out.remark(&approximate(share)),
            Told::Cells { columns, rows, matched, scanned } => {
                drop(progress);
                table(out, &columns, &rows, matched, scanned)?;
                return Ok(Exit::DONE);
            }
            Told::Bytes(bytes) => {
                drop(progress);
                let bytes = answer.bytes(usize::try_from(bytes).unwrap_or(usize::MAX)).await?;
                if question.rows == RowForm::Parquet {
                    // Not through what strips colours: it would take bytes for escapes.
                    std::io::stdout().lock().write_all(&bytes)?;
                } else {
                    out.answer().write_all(&bytes)?;
                }
                return Ok(Exit::DONE);
            }
        }
    }
}

/// An answer that is still coming.
struct Answer<'a> {
    server: &'a str,
    body: Incoming,
    read: Vec<u8>,
}

impl Answer<'_> {
    async fn line(&mut self) -> Result<Told, Failure> {
        let mut looked = 0;
        let end = loop {
            if let Some(end) = self.read[looked..].iter().position(|byte| *byte == b'\n') {
                break looked + end;
            }
            looked = self.read.len();
            if looked > LINE_BYTES_MAX {
                return Err(Failure::because(format!("{} answers with a line that does not end", self.server)));
            }
            self.more().await?;
        };
        let line: Vec<u8> = self.read.drain(..=end).collect();
        serde_json::from_slice(&line).map_err(|error| {
            Failure::new(format!("{} did not answer as a muster of this version does", self.server), error)
        })
    }

    async fn bytes(mut self, count: usize) -> Result<Vec<u8>, Failure> {
        while self.read.len() < count {
            self.more().await?;
        }
        self.read.truncate(count);
        Ok(self.read)
    }

    async fn more(&mut self) -> Result<(), Failure> {
        let server = self.server;
        let frame = tokio::time::timeout(SILENCE_MAX, self.body.frame()).await.map_err(|_| {
            Failure::because(format!("{server} said nothing for {} s in the middle of a query", SILENCE_MAX.as_secs()))
        })?;
        let broken = || Failure::because(format!("the answer of {server} broke off: has it been stopped?"));
        let frame = frame.ok_or_else(broken)?;
        let frame = frame.map_err(|error| Failure::new(format!("the answer of {server} broke off"), error))?;
        if let Some(data) = frame.data_ref() {
            self.read.extend_from_slice(data);
        }
        Ok(())
    }
}
