//! `muster replay`: recorded events in, decisions out, in the events' own time.

mod events;

use std::{
    fs::File,
    io::{self, BufReader},
    path::PathBuf,
};

use clap::Args;
use engine::{Arrival, Taken, Turn, journal::MemoryJournal};
use fleet::{
    journal::Record,
    observation::decode::decode_event,
    view::{CaseView, RollCall},
};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use self::events::Events;
use super::{
    options,
    output::{Exit, Failure, Output},
};
use crate::render::{Format, journal, json, moment, roll_call};

/// Entries of the journal in memory; nobody recovers from it.
const JOURNAL_ENTRIES: usize = 1000;

/// `muster replay`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  muster replay events.ndjson\n  muster replay - --output ndjson < events.ndjson\n  \
    muster simulate --scenario calm --seed 7 --record day.ndjson --for 24h && muster replay day.ndjson\n\n\
    Nothing is looked up: muster decides from the events alone, as if every look brought nothing. Lines that are no\n\
    events are reported with their number and counted; the rest is replayed all the same, and the exit code is 2."
)]
pub struct ReplayArgs {
    /// EventBridge events, one JSON object a line, or one JSON array of them; `-` is standard input.
    file: PathBuf,
    /// Configuration file; its [policy] decides.
    #[arg(long, short, value_name = "FILE", env = "MUSTER_CONFIG")]
    config: Option<PathBuf>,
    /// Let so much time pass after the last event, so that deadlines are met [default: the policy's act_after_secs, and a
    /// minute].
    #[arg(long, value_name = "SECS")]
    linger_secs: Option<u32>,
    /// How decisions are written.
    #[arg(long, short, value_name = "FORMAT", default_value = "table")]
    output: Format,
}

/// A conclusion and its time.
#[derive(Clone, Debug, Serialize)]
struct Dated {
    at: Timestamp,
    #[serde(flatten)]
    record: Record,
}

/// A line that was no event.
#[derive(Clone, Debug, Serialize)]
struct Bad {
    line: u64,
    reason: String,
}

/// Everything that a replay has to say.
#[derive(Debug, Serialize)]
struct Report {
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    events: u64,
    duplicates: u64,
    stale: u64,
    set_aside: Vec<Bad>,
    records: Vec<Dated>,
    cases: Vec<CaseView>,
    roll_call: Option<RollCall>,
}

impl ReplayArgs {
    pub(super) fn run(self, out: &mut Output) -> Result<Exit, Failure> {
        let policy = options::configuration(self.config.as_ref())?.watching_policy();
        let linger = SignedDuration::from_secs(i64::from(
            self.linger_secs.unwrap_or_else(|| policy.act_after_secs.saturating_add(60)),
        ));
        let shown = self.file.display().to_string();
        let input: Box<dyn io::Read> = if self.file.as_os_str() == "-" {
            Box::new(io::stdin())
        } else {
            Box::new(File::open(&self.file).map_err(|error| Failure::new(format!("could not open {shown}"), error))?)
        };
        let mut events = Events::new(BufReader::with_capacity(1 << 16, input));
        let mut replay = Replay { turn: None, policy, output: self.output, records: Vec::new() };
        let (mut bad, mut read, mut from) = (Vec::new(), 0_u64, None);
        loop {
            let event = events.next().map_err(|error| Failure::new(format!("could not read {shown}"), error))?;
            let Some(event) = event else { break };
            let at = event.body.and_then(|body| match decode_event(body) {
                Ok(observation) => Ok((observation.at, body)),
                Err(reason) => Err(reason.to_string()),
            });
            match at {
                Ok((at, body)) => {
                    read += 1;
                    from = from.or(Some(at));
                    replay.event(at, body, out)?;
                }
                Err(reason) => {
                    out.complain(&format!("{shown}:{}: set aside: {reason}", event.line));
                    bad.push(Bad { line: event.line, reason });
                }
            }
        }
        let until = replay.linger(linger, out)?;
        self.conclude(replay, Ending { shown, bad, read, from, until }, out)
    }

    fn conclude(&self, replay: Replay, ending: Ending, out: &mut Output) -> Result<Exit, Failure> {
        let Ending { shown, bad, read, from, until } = ending;
        let exit = if bad.is_empty() { Exit::DONE } else { Exit::CouldNotLook };
        let counters = replay.turn.as_ref().map(|turn| *turn.counters()).unwrap_or_default();
        let open = |closed| match (&replay.turn, until) {
            (Some(turn), Some(until)) => turn.fleet().cases(until, closed),
            _ => Vec::new(),
        };
        match self.output {
            Format::Ndjson => {}
            Format::Json => {
                let roll_call = match (&replay.turn, until) {
                    (Some(turn), Some(until)) => Some(turn.fleet().roll_call(until, None)),
                    _ => None,
                };
                let report = Report {
                    from,
                    until,
                    events: read,
                    duplicates: counters.duplicates,
                    stale: counters.stale,
                    set_aside: bad,
                    cases: open(true),
                    records: replay.records,
                    roll_call,
                };
                json::write(out.answer(), &report)?;
                writeln!(out.answer())?;
            }
            Format::Table => {
                if let (Some(turn), Some(until)) = (&replay.turn, until) {
                    writeln!(out.answer())?;
                    roll_call::write(out.answer(), &turn.fleet().roll_call(until, None), Format::Table)?;
                }
                let span = match (from, until) {
                    (Some(from), Some(until)) => format!(" over {}", moment::age(from, until)),
                    _ => String::new(),
                };
                writeln!(
                    out.answer(),
                    "\n{shown}: {read} events{span}, {} duplicates, {} stale, {} set aside; {} cases open at the end",
                    counters.duplicates,
                    counters.stale,
                    bad.len(),
                    open(false).len()
                )?;
            }
        }
        Ok(exit)
    }
}

struct Ending {
    shown: String,
    bad: Vec<Bad>,
    read: u64,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

/// The wheel of the engine, turned by recorded time.
struct Replay {
    turn: Option<Turn>,
    policy: fleet::policy::Policy,
    output: Format,
    records: Vec<Dated>,
}

impl Replay {
    /// Meets the deadlines before the event, then takes it. Events keep the order of the file, as they arrived; time
    /// never goes back with one that was late.
    fn event(&mut self, at: Timestamp, body: &[u8], out: &mut Output) -> Result<(), Failure> {
        let mut turn = match self.turn.take() {
            Some(turn) => turn,
            None => {
                let journal = Box::new(MemoryJournal::with_limit(JOURNAL_ENTRIES));
                engine::recover(journal, self.policy.clone(), crate::VERSION, at)?.turn
            }
        };
        let now = at.max(turn.last_at());
        self.pass(&mut turn, now, out)?;
        let taken = turn.take(now, [Arrival::Event(body)])?;
        self.tell(now, taken, out)?;
        self.turn = Some(turn);
        Ok(())
    }

    /// Lets time pass until `until`, stopping at each deadline.
    fn pass(&mut self, turn: &mut Turn, until: Timestamp, out: &mut Output) -> Result<(), Failure> {
        while let Some(wake_at) = turn.wake_at().filter(|wake_at| *wake_at <= until) {
            let now = wake_at.max(turn.last_at());
            let taken = turn.take(now, [Arrival::Tick])?;
            self.tell(now, taken, out)?;
            if turn.wake_at().is_some_and(|next| next <= now) {
                // A deadline that stays due would be met for ever; the next event will meet it again.
                break;
            }
        }
        Ok(())
    }

    fn linger(&mut self, linger: SignedDuration, out: &mut Output) -> Result<Option<Timestamp>, Failure> {
        let Some(mut turn) = self.turn.take() else { return Ok(None) };
        let until = turn.last_at().checked_add(linger).unwrap_or(Timestamp::MAX);
        self.pass(&mut turn, until, out)?;
        self.turn = Some(turn);
        Ok(Some(until))
    }

    fn tell(&mut self, at: Timestamp, taken: Taken, out: &mut Output) -> Result<(), Failure> {
        for record in taken.records {
            match self.output {
                Format::Json => self.records.push(Dated { at, record }),
                Format::Ndjson => {
                    json::write(out.answer(), &Dated { at, record })?;
                    writeln!(out.answer())?;
                }
                Format::Table => {
                    use owo_colors::OwoColorize as _;
                    let (text, style) = journal::record(&record);
                    let time = at.to_string();
                    writeln!(out.answer(), "{}Z  {}", time.get(..19).unwrap_or(&time), text.style(style))?;
                }
            }
        }
        Ok(())
    }
}
