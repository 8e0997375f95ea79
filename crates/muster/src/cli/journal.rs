//! `muster journal`

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, Subcommand};
use engine::journal::JournalReader;
use fleet::journal::Body;

use super::{
    output::{Exit, Failure, Output},
    stop,
};
use crate::render::{Format, journal, json};

/// How often a followed journal is looked at.
const EVERY: Duration = Duration::from_millis(250);

/// `muster journal`
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  muster journal --data-dir muster-data --conclusions\n  \
        muster journal --data-dir muster-data --follow\n  muster journal verify --replay --data-dir muster-data\n  \
        muster journal export --data-dir muster-data > journal.ndjson"
)]
pub struct JournalArgs {
    #[command(subcommand)]
    command: Option<JournalCommand>,
    #[command(flatten)]
    read: ReadArgs,
}

/// Where the journal is.
#[derive(Debug, Args)]
struct Folder {
    /// Data directory of a `muster serve`, running or not; only read.
    #[arg(long, value_name = "DIR", env = "MUSTER_DATA_DIR", default_value = "muster-data")]
    data_dir: PathBuf,
}

#[derive(Debug, Args)]
struct ReadArgs {
    #[command(flatten)]
    folder: Folder,
    /// Only entries after this number.
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    after: i64,
    /// Wait for more when the end is reached; end with Ctrl-C.
    #[arg(long, short)]
    follow: bool,
    /// Only what muster concluded, and not the facts it concluded from.
    #[arg(long)]
    conclusions: bool,
    /// How entries are written; json and ndjson are the same here: one object a line.
    #[arg(long, short, value_name = "FORMAT", default_value = "table")]
    output: Format,
}

#[derive(Debug, Subcommand)]
enum JournalCommand {
    /// Check the hash chain from the first entry to the last.
    #[command(after_help = "Example:\n  muster journal verify --replay --data-dir muster-data")]
    Verify {
        #[command(flatten)]
        folder: Folder,
        /// Also decide everything again from the recorded inputs, and compare.
        #[arg(long)]
        replay: bool,
    },
    /// Write all entries as NDJSON with their hashes, so that the chain can be checked elsewhere.
    #[command(after_help = "Example:\n  muster journal export --data-dir muster-data > journal.ndjson")]
    Export {
        #[command(flatten)]
        folder: Folder,
        /// Only entries after this number.
        #[arg(long, value_name = "SEQ", default_value_t = 0)]
        after: i64,
    },
}

impl JournalArgs {
    pub(super) fn run(self, out: &mut Output) -> Result<Exit, Failure> {
        match self.command {
            None => self.read.run(out),
            Some(JournalCommand::Verify { folder, replay }) => verify(&folder.data_dir, replay, out),
            Some(JournalCommand::Export { folder, after }) => {
                let reader = JournalReader::open(&folder.data_dir)?;
                let written = reader.export(after, &mut ByRef(out.answer()))?;
                out.remark(&format!("{written} entries exported"));
                Ok(Exit::DONE)
            }
        }
    }
}

/// A writer that is only lent.
struct ByRef<'a>(&'a mut dyn std::io::Write);

impl std::io::Write for ByRef<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

fn verify(dir: &Path, replay: bool, out: &mut Output) -> Result<Exit, Failure> {
    let reader = JournalReader::open(dir)?;
    let verified = reader.verify()?;
    if verified.entries == 0 {
        writeln!(out.answer(), "the journal is empty")?;
        return Ok(Exit::DONE);
    }
    writeln!(
        out.answer(),
        "chain intact: {} entries, {} to {}, last hash {}",
        verified.entries,
        verified.first,
        verified.last,
        verified.hash
    )?;
    if replay {
        let checked = engine::check::check(&reader)?;
        if let Some(difference) = checked.difference {
            return Err(Failure::because(format!(
                "replaying the inputs parts from the journal at entry {}:\n  journal: {:?}\n  replay:  {:?}\nThis muster \
                 ({}) may decide differently from the one that wrote the entry; the first entries name its version",
                difference.seq,
                difference.journaled,
                difference.replayed,
                crate::VERSION
            )));
        }
        writeln!(
            out.answer(),
            "replay agrees: {} inputs gave exactly the {} conclusions on record",
            checked.inputs,
            checked.records
        )?;
    }
    Ok(Exit::DONE)
}

impl ReadArgs {
    fn run(self, out: &mut Output) -> Result<Exit, Failure> {
        let reader = JournalReader::open(&self.folder.data_dir)?;
        let mut after = self.print(&reader, self.after, out)?;
        if !self.follow {
            return Ok(Exit::DONE);
        }
        super::runtime()?.block_on(async {
            let stop = stop::on_signal()?;
            loop {
                tokio::select! {
                    () = stop.cancelled() => return Ok(Exit::DONE),
                    () = tokio::time::sleep(EVERY) => after = self.print(&reader, after, out)?,
                }
            }
        })
    }

    /// Prints what there is after `after`; gives the number of the last entry seen.
    fn print(&self, reader: &JournalReader, after: i64, out: &mut Output) -> Result<i64, Failure> {
        let mut last = after;
        let mut failed = None;
        reader.read(after, &mut |entry| {
            last = entry.seq;
            if self.conclusions && matches!(entry.body, Body::Input(_)) {
                return true;
            }
            let written = match self.output {
                Format::Table => writeln!(out.answer(), "{}", journal::line(&entry)),
                Format::Json | Format::Ndjson => {
                    json::write(out.answer(), &entry).and_then(|()| writeln!(out.answer()))
                }
            };
            failed = written.err();
            failed.is_none()
        })?;
        failed.map_or(Ok(last), |error| Err(error.into()))
    }
}
