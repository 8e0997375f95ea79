//! `muster query`: the Logs Insights language over a store, a file, a pipe or a running muster.
//!
//! | to learn | read |
//! |---|---|
//! | the options, and a query from its text to its answer | here |
//! | lines of a file or of a pipe as records | [`lines`] |
//! | queries that have a name | [`saved`] |

mod lines;
mod saved;

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use query::{Engine, EngineConfig, QueryFailed, QueryResult, Request};
use telemetry::{Store, snapshot::Group};
use url::Url;

use super::output::{Exit, Failure, Output};
use crate::render::{progress::Progress, rows};

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
    muster query --saved cpu-by-family --store muster-data/telemetry\n  \
    muster query --list-saved\n\n\
    A record of a file is a line. Its time is its @timestamp or Timestamp: milliseconds since 1970, or RFC 3339.\n\
    Exit codes: 0 the query ran, 2 it did not.")]
pub struct QueryArgs {
    /// The query, in the Logs Insights language.
    #[arg(value_name = "TEXT", required_unless_present_any = ["saved", "list_saved"])]
    text: Option<String>,
    /// NDJSON or any other lines to query; `-` is standard input.
    #[arg(value_name = "FILE.ndjson|-")]
    file: Option<PathBuf>,
    /// Store of a muster to query, running or not: its folder, or the URL of an object store. Only read.
    #[arg(long, value_name = "DIR|s3://…", env = "MUSTER_STORE")]
    store: Option<String>,
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
    /// List the queries that have a name.
    #[arg(long)]
    list_saved: bool,
    /// Tell how the query is run, what is read and what is passed over, instead of its rows.
    #[arg(long)]
    explain: bool,
    /// Memory that the query may use, in MiB; what needs more goes to the disk.
    #[arg(long, value_name = "MIB", default_value_t = 512, value_parser = clap::value_parser!(u32).range(32..=1_048_576))]
    memory_mib: u32,
    /// How the rows are written.
    #[arg(long, short, value_name = "FORMAT", default_value = "table")]
    output: RowFormat,
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
    pub(super) fn run(mut self, out: &mut Output) -> Result<Exit, Failure> {
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
        super::runtime()?.block_on(self.answer(out))
    }

    async fn answer(&self, out: &mut Output) -> Result<Exit, Failure> {
        let text = match &self.saved {
            Some(name) => saved::named(name).map(|saved| saved.text).unwrap_or_default(),
            None => self.text.as_deref().unwrap_or_default(),
        };
        // What is no query need not wait for a store to be opened.
        let config = EngineConfig { memory_bytes: self.memory_mib as usize * (1 << 20), ..EngineConfig::default() };
        if let Err(error) = insights::compile(text, &config.rules) {
            return Err(malformed(&error));
        }
        let now_ms = Timestamp::now().as_millisecond();
        let mut request = Request {
            text: text.to_owned(),
            from_ms: self.since.map_or(i64::MIN / 4, Timestamp::as_millisecond),
            to_ms: self.until.map_or(i64::MAX / 4, Timestamp::as_millisecond),
            now_ms,
            limit: self.limit,
            ..Request::default()
        };
        if request.from_ms > request.to_ms {
            return Err(Failure::because("--since is later than --until: no record can be between them"));
        }
        self.sources(&mut request, now_ms, out).await?;
        self.narrow(&mut request);
        let engine = Engine::new(config).map_err(|error| failed(&error))?;
        if self.explain {
            let told = engine.explain(&request).await.map_err(|error| failed(&error))?;
            write!(out.answer(), "{told}")?;
            return Ok(Exit::DONE);
        }
        let result = self.watched(&engine, request).await?;
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
            if let Ok(so_far) = running.so_far() {
                progress.report("records", so_far.statistics.records_scanned, Some(held));
            }
        }
        running.finished().await.map_err(|error| failed(&error))
    }

    /// The groups that are queried: those of the store, and the file.
    async fn sources(&self, request: &mut Request, now_ms: i64, out: &mut Output) -> Result<(), Failure> {
        if self.store.is_none() && self.file.is_none() {
            return Err(Failure::because(
                "nothing to query: give the store of a muster with --store DIR, a file, or `-` for standard input",
            ));
        }
        if let Some(place) = &self.store {
            let store = open(place).await?;
            let known: Vec<String> = store.groups(None).into_iter().map(|group| group.name).collect();
            let wanted = chosen(&known, &self.group)?;
            let snapshot = |names: &[String]| {
                store.snapshot(names).map_err(|error| Failure::new(format!("could not read the store {place}"), error))
            };
            let others: Vec<String> = known.iter().filter(|name| !wanted.contains(name)).cloned().collect();
            request.groups = snapshot(&wanted)?;
            request.others = snapshot(&others)?;
            request.store = Some(store.object_store());
        }
        if let Some(path) = &self.file {
            let read = lines::read(path, now_ms)?;
            if let Some(remark) = read.remark() {
                out.remark(&remark);
            }
            request.groups.push(read.group);
        }
        Ok(())
    }

    /// Without --since and --until the time is that of the records: what asks for it gets an answer that means something.
    fn narrow(&self, request: &mut Request) {
        let bounds = request.groups.iter().filter_map(Group::bounds);
        let (from, to) = bounds.fold((i64::MAX, i64::MIN), |(from, to), it| (from.min(it.0), to.max(it.1)));
        let (from, to) = if from <= to { (from, to) } else { (request.now_ms, request.now_ms) };
        if self.since.is_none() {
            request.from_ms = from.min(request.to_ms);
        }
        if self.until.is_none() {
            request.to_ms = to.max(request.from_ms);
        }
    }

    fn write(&self, result: &QueryResult, out: &mut Output) -> Result<(), Failure> {
        let columns: Vec<String> = result.columns().into_iter().map(|column| column.name).collect();
        match self.output {
            RowFormat::Table => {
                let rows = result.rows().map_err(|error| failed(&error))?;
                rows::table(out.answer(), &columns, &rows)?;
                let statistics = &result.statistics;
                out.remark(&format!(
                    "{} rows out of {} records matched, {} scanned",
                    rows.len(),
                    statistics.records_matched,
                    statistics.records_scanned
                ));
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

/// The store at a folder or URL, or the one of the data directory that the folder is.
async fn open(place: &str) -> Result<Store, Failure> {
    let failed = |error: telemetry::StoreError| Failure::new(format!("could not open the store {place}"), error);
    if place.contains("://") {
        let url = Url::parse(place).map_err(|error| Failure::new(format!("{place} is no URL"), error))?;
        return Store::open_read_only(None, Some(&url)).await.map_err(failed);
    }
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

/// The groups that are wanted, out of those that are there.
fn chosen(known: &[String], wanted: &[String]) -> Result<Vec<String>, Failure> {
    if wanted.is_empty() {
        return Ok(known.to_vec());
    }
    let mut chosen = Vec::new();
    for pattern in wanted {
        let glob = globset::GlobBuilder::new(pattern)
            .literal_separator(false)
            .build()
            .map_err(|error| Failure::new(format!("--group {pattern} is no name and no pattern"), error))?
            .compile_matcher();
        let before = chosen.len();
        chosen.extend(known.iter().filter(|name| *name == pattern || glob.is_match(name)).cloned());
        if chosen.len() == before {
            let near = insights::error::nearest(pattern, known.iter().map(String::as_str));
            let hint = near.map(|name| format!("; did you mean {name}?")).unwrap_or_default();
            return Err(Failure::because(format!("the store has no log group {pattern}{hint}")));
        }
    }
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen)
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

    #[test]
    fn groups_are_chosen_by_name_and_pattern() {
        let known = ["/aws/ecs/containerinsights/lab/performance".to_owned(), "/lab/shop".to_owned()];
        assert_eq!(chosen(&known, &[]).unwrap(), known);
        assert_eq!(chosen(&known, &["*performance".to_owned()]).unwrap(), known[..1]);
        let error = chosen(&known, &["/lab/shopp".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("did you mean /lab/shop?"), "{error}");
    }
}
