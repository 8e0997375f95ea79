//! `muster query`: the Logs Insights language over a store, a file, a pipe or a running muster.
//!
//! | to learn | read |
//! |---|---|
//! | the options, and a query from its text to its answer | here |
//! | lines of a file or of a pipe as records | [`lines`] |
//! | a running muster that is asked | [`remote`] |
//! | queries that have a name | [`saved`] |

mod lines;
mod remote;
mod saved;

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use query::{Engine, EngineConfig, QueryFailed, QueryResult, Request, rollup};
use telemetry::{S3, Store, snapshot::Group};
use url::Url;

use super::{
    login::Login,
    options::Global,
    output::{Exit, Failure, Output},
};
use crate::{
    config::Config,
    logs::scope::Scope,
    objects,
    render::{progress::Progress, rows},
};

/// How often a running query is asked how far it is.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How the rows are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum RowFormat {
    /// For people.
    #[default]
    Table,
    /// One array of objects; numbers as numbers.
    Json,
    /// One object a line.
    Ndjson,
    /// Comma-separated, with a line of names.
    Csv,
    /// A Parquet file, for a file or a pipe.
    Parquet,
}

/// `muster query`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    muster query 'stats avg(CpuUtilized) by TaskDefinitionFamily' --store muster-data/telemetry --since 3h\n  \
    cat perf.ndjson | muster query 'filter Type=\"Task\" | stats max(MemoryUtilized) by bin(5m)' -\n  \
    muster query 'fields @timestamp, @message | limit 20' app.ndjson --output json | jq '.[0]'\n  \
    muster query 'stats count(*) by bin(1h)' --group '*performance' --server https://muster.example:8464\n  \
    muster query --saved cpu-by-family --store s3://muster-telemetry/prod --since 7d\n  \
    muster query --list-saved\n\n\
    A record of a file is a line. Its time is its @timestamp or Timestamp: milliseconds since 1970, or RFC 3339.\n\
    Without --store, a file and MUSTER_STORE a running muster is asked: --server, MUSTER_SERVER, or http://127.0.0.1:8464.\n\
    Ctrl-C stops the query, also there.\n\
    Exit codes: 0 the query ran, 2 it did not.")]
pub struct QueryArgs {
    /// The query, in the Logs Insights language.
    #[arg(value_name = "TEXT", required_unless_present_any = ["saved", "list_saved"])]
    text: Option<String>,
    /// NDJSON or any other lines to query; `-` is standard input.
    #[arg(value_name = "FILE.ndjson|-")]
    file: Option<PathBuf>,
    /// Store of a muster to query, running or not: its folder, or the URL of an object store. Only read [else: MUSTER_STORE].
    #[arg(long, value_name = "DIR|s3://…", conflicts_with = "server")]
    store: Option<String>,
    /// Address of a running `muster serve` that runs the query itself [else: MUSTER_SERVER].
    #[arg(long, value_name = "URL", help_heading = "Server")]
    server: Option<String>,
    /// How to prove who asks.
    #[command(flatten)]
    login: Login,
    /// Only log groups of this name; `*` stands for any characters. May be repeated [default: all].
    #[arg(long, value_name = "NAME")]
    group: Vec<String>,
    /// Only records from then on: so long ago (90s, 30m, 24h, 7d), or a moment (RFC 3339) [default: from the first].
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Timestamp>,
    /// Only records until then, as with --since [default: to the last].
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Timestamp>,
    /// At most so many rows, besides what the query says itself.
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    limit: Option<u64>,
    /// Run a query that has a name, instead of TEXT.
    #[arg(long, value_name = "NAME", value_parser = saved::names())]
    saved: Option<String>,
    /// Let roll-ups answer percentiles too, where there are some: much sooner, and within a share of the values that is told.
    #[arg(long)]
    approximate: bool,
    /// List the queries that have a name.
    #[arg(long)]
    list_saved: bool,
    /// Tell how the query is run, what is read and what is passed over, instead of its rows.
    #[arg(long)]
    explain: bool,
    /// Memory that the query may use here, in MiB; what needs more goes to the disk.
    #[arg(long, value_name = "MIB", default_value_t = 512, value_parser = clap::value_parser!(u32).range(32..=1_048_576))]
    memory_mib: u32,
    /// How the rows are written.
    #[arg(long, short, value_name = "FORMAT", default_value = "table")]
    output: RowFormat,
}

/// Where the records are.
enum Source {
    /// In a store that is read here, or in a file, or in both.
    Here(Option<String>),
    /// With a muster that runs.
    Server(String),
    /// With the one that runs on this machine, if there is one: nobody has said anything.
    Usual,
}

/// A moment: so long before now, or as it is written.
fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let wanted = "expected a time such as 90s, 30m, 24h or 7d, or a moment such as 2026-10-05T12:00:00Z";
    let days = text.strip_suffix('d').and_then(|days| days.parse::<i64>().ok());
    let ago = match days {
        Some(days) => days.checked_mul(24).map(SignedDuration::from_hours),
        None => text.parse::<SignedDuration>().ok(),
    };
    let ago = ago.filter(|ago| !ago.is_negative()).ok_or(wanted)?;
    Timestamp::now().checked_sub(ago).map_err(|_| format!("{text} ago is before all time; {wanted}"))
}

impl QueryArgs {
    pub(super) fn run(mut self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        if self.list_saved {
            for saved in saved::ALL {
                writeln!(out.answer(), "{:<22} {}\n{:22} {}", saved.name, saved.says, "", saved.text)?;
            }
            return Ok(Exit::DONE);
        }
        // With --saved the first of the two places is the file's.
        if self.saved.is_some() {
            if self.file.is_some() {
                return Err(Failure::because(
                    "--saved names the query already: leave TEXT out, and give the file alone",
                ));
            }
            self.file = self.text.take().map(PathBuf::from);
        }
        if self.output == RowFormat::Parquet && std::io::stdout().is_terminal() && !self.explain {
            return Err(Failure::because(
                "a Parquet file is nothing for a terminal: send it into a file with `> rows.parquet`",
            ));
        }
        super::runtime()?.block_on(self.answer(global, out))
    }

    /// What the command line says goes before the environment.
    fn source(&self) -> Result<Source, Failure> {
        let told = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let here = |store: Option<String>| Ok(Source::Here(store));
        match (&self.server, &self.store, &self.file) {
            (Some(_), _, Some(_)) => {
                Err(Failure::because("a file is queried here and not by a server: leave the file or --server out"))
            }
            (Some(server), ..) => Ok(Source::Server(server.clone())),
            (None, Some(store), _) => here(Some(store.clone())),
            (None, None, Some(_)) => here(told("MUSTER_STORE")),
            (None, None, None) => match (told("MUSTER_STORE"), told("MUSTER_SERVER")) {
                (Some(_), Some(_)) => Err(Failure::because(
                    "MUSTER_STORE and MUSTER_SERVER are both set: say which is meant, with --store or --server",
                )),
                (Some(store), None) => here(Some(store)),
                (None, Some(server)) => Ok(Source::Server(server)),
                (None, None) => Ok(Source::Usual),
            },
        }
    }

    fn scope(&self) -> Scope {
        Scope {
            groups: self.group.clone(),
            since_ms: self.since.map(Timestamp::as_millisecond),
            until_ms: self.until.map(Timestamp::as_millisecond),
        }
    }

    async fn answer(&self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let text = match &self.saved {
            Some(name) => saved::named(name).map(|saved| saved.text).unwrap_or_default(),
            None => self.text.as_deref().unwrap_or_default(),
        };
        // What is no query need not wait for a store to be opened.
        let config = EngineConfig { memory_bytes: self.memory_mib as usize * (1 << 20), ..EngineConfig::default() };
        if let Err(error) = insights::compile(text, &config.rules) {
            return Err(malformed(&error));
        }
        if let (Some(since), Some(until)) = (self.since, self.until)
            && since > until
        {
            return Err(Failure::because("--since is later than --until: no record can be between them"));
        }
        let place = match self.source()? {
            Source::Here(place) => place,
            Source::Server(server) => return remote::ask(self, &server, text, out).await,
            Source::Usual => return remote::ask_here(self, text, out).await,
        };
        let now_ms = Timestamp::now().as_millisecond();
        let rollups = if self.approximate { rollup::Use::Approximate } else { rollup::Use::Exact };
        let mut request = Request { text: text.to_owned(), now_ms, limit: self.limit, rollups, ..Request::default() };
        self.read(place.as_deref(), global, &mut request, out).await?;
        self.scope().narrow(&mut request);
        let engine = Engine::new(config).map_err(|error| failed(&error))?;
        if self.explain {
            let told = engine.explain(&request).await.map_err(|error| failed(&error))?;
            write!(out.answer(), "{told}")?;
            return Ok(Exit::DONE);
        }
        let result = self.watched(&engine, request).await?;
        if let Some(share) = result.approximate_within {
            out.remark(&approximate(share));
        }
        self.write(&result, out)?;
        Ok(Exit::DONE)
    }

    /// Runs it, and shows on a terminal how far it is.
    async fn watched(&self, engine: &Engine, request: Request) -> Result<QueryResult, Failure> {
        let held: u64 = request.groups.iter().map(Group::records).sum();
        let running = engine.run(request).map_err(|error| failed(&error))?;
        let mut progress = Progress::new(true);
        while !running.has_ended() {
            tokio::time::sleep(LOOK_EVERY.min(Duration::from_millis(5))).await;
            progress.report("records", running.statistics().records_scanned, Some(held));
        }
        running.finished().await.map_err(|error| failed(&error))
    }

    /// The groups that are queried: those of the store, and the file.
    async fn read(
        &self,
        place: Option<&str>,
        global: &Global,
        request: &mut Request,
        out: &mut Output,
    ) -> Result<(), Failure> {
        if let Some(place) = place {
            let store = open(place, global).await?;
            self.scope().read(&store, request).map_err(|error| Failure::because(error.to_string()))?;
        }
        if let Some(path) = &self.file {
            let read = lines::read(path, request.now_ms)?;
            if let Some(remark) = read.remark() {
                out.remark(&remark);
            }
            request.groups.push(read.group);
        }
        Ok(())
    }

    fn write(&self, result: &QueryResult, out: &mut Output) -> Result<(), Failure> {
        let columns: Vec<String> = result.columns().into_iter().map(|column| column.name).collect();
        match self.output {
            RowFormat::Table => {
                let rows = result.rows().map_err(|error| failed(&error))?;
                let statistics = &result.statistics;
                table(out, &columns, &rows, statistics.records_matched, statistics.records_scanned)?;
            }
            RowFormat::Csv => {
                let rows = result.rows().map_err(|error| failed(&error))?;
                rows::csv(out.answer(), &columns, &rows)?;
            }
            RowFormat::Json | RowFormat::Ndjson => {
                let rows = result.value_rows().map_err(|error| failed(&error))?;
                rows::json(out.answer(), &rows, self.output == RowFormat::Ndjson)?;
            }
            RowFormat::Parquet => {
                let bytes = result.parquet().map_err(|error| failed(&error))?;
                // Not through what strips colours: it would take bytes for escapes.
                std::io::Write::write_all(&mut std::io::stdout().lock(), &bytes)?;
            }
        }
        Ok(())
    }
}

/// How exact percentiles are that roll-ups gave.
fn approximate(share: f64) -> String {
    format!("percentiles are approximate: within {:.1} % of the values", share * 100.0)
}

/// A table for people, and how many records it was made of.
fn table(out: &mut Output, columns: &[String], rows: &[rows::Row], matched: u64, scanned: u64) -> Result<(), Failure> {
    rows::table(out.answer(), columns, rows)?;
    out.remark(&format!("{} rows out of {matched} records matched, {scanned} scanned", rows.len()));
    Ok(())
}

/// The store at a folder or URL, or the one of the data directory that the folder is.
async fn open(place: &str, global: &Global) -> Result<Store, Failure> {
    if place.contains("://") {
        // Whatever it is, it is not shown: keys may be in it.
        let url = Url::parse(place).map_err(|error| Failure::new("--store is no folder and no URL", error))?;
        let s3 = match url.scheme() {
            "file" => S3::default(),
            _ => objects::reached(&global.aws.settings(&Config::default())).await,
        };
        let failed = |error| Failure::new("could not open the store", error);
        return Store::open_read_only_with(None, Some(&url), &s3).await.map_err(failed);
    }
    let failed = |error: telemetry::StoreError| Failure::new(format!("could not open the store {place}"), error);
    let dir = Path::new(place);
    let inner = dir.join("telemetry");
    let dir = if inner.is_dir() { &inner } else { dir };
    if !dir.is_dir() {
        return Err(Failure::because(format!(
            "there is no store at {place}: it is the folder that `directory` of [telemetry] names"
        )));
    }
    Store::open_read_only(Some(dir), None).await.map_err(failed)
}

fn malformed(error: &insights::QueryError) -> Failure {
    Failure::because(format!("the query cannot be read: {error}\n{}", error.pointed()))
}

fn failed(error: &QueryFailed) -> Failure {
    match error {
        QueryFailed::Malformed(error) => malformed(error),
        other => Failure::because(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_so_long_ago_or_as_it_is_written() {
        let now = Timestamp::now();
        let ago = |text: &str| moment(text).unwrap().until(now).unwrap().total(jiff::Unit::Second).unwrap();
        assert!((ago("1h") - 3_600.0).abs() < 5.0 && (ago("7d") - 604_800.0).abs() < 5.0);
        assert_eq!(moment("2026-10-05T12:00:00Z").unwrap().as_millisecond(), 1_791_201_600_000);
        for text in ["", "x", "-1h", "7x", "99999999999999d"] {
            assert!(moment(text).is_err(), "{text}");
        }
    }
}
