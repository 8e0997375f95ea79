//! Decode, match and apply ECS events on one core, beside quamina doing the matching alone.
//!
//! `ingest corpus FILE [EVENTS]` writes the corpus, one event a line. `ingest CONTENDER FILE` loads it, then waits for
//! lines on standard input and runs one round for each, answering with one line of JSON.
#![expect(clippy::print_stdout, reason = "the driver reads it")]

use std::{
    error::Error,
    fs,
    hint::black_box,
    io::{self, BufWriter, Write},
    time::Instant,
};

use fleet::{
    Fleet,
    admission::{Admission, admit},
    effect::Effect,
    input::Input,
    observation::decode::decode_event,
    policy::Policy,
    snapshot, step,
};
use jiff::Timestamp;
use peers::{corpus::World, pattern, usage};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["corpus", file] => write_corpus(file, 100_000),
        ["corpus", file, events] => write_corpus(file, events.parse()?),
        ["ours", file] => rounds(file, &mut Ours::new()),
        ["decode-only", file] => rounds(file, &mut DecodeOnly),
        ["quamina", file] => rounds(file, &mut Quamina::new()?),
        _ => Err("ingest corpus FILE [EVENTS] | ingest (ours|decode-only|quamina) FILE".into()),
    }
}

fn write_corpus(file: &str, events: u32) -> Outcome<()> {
    let mut out = BufWriter::new(fs::File::create(file)?);
    let mut world = World::new(20_261_002);
    let mut event = String::new();
    for _ in 0..events {
        world.next_event(&mut event);
        out.write_all(event.as_bytes())?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(())
}

/// CPU and wall seconds.
struct Time {
    cpu: f64,
    wall: f64,
}

struct Clock(f64, Instant);

impl Clock {
    fn start() -> Self {
        Self(usage::cpu_secs(), Instant::now())
    }
    fn stop(&self) -> Time {
        Time { cpu: usage::cpu_secs() - self.0, wall: self.1.elapsed().as_secs_f64() }
    }
}

/// What one round came to.
struct Round {
    matches: u64,
    time: Time,
    /// What else is worth telling, as JSON members.
    told: String,
}

trait Contender {
    fn round(&mut self, events: &[&[u8]]) -> Outcome<Round>;
}

fn rounds(file: &str, contender: &mut dyn Contender) -> Outcome<()> {
    let bytes = fs::read(file)?;
    let events: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    for line in io::stdin().lines() {
        line?;
        let round = contender.round(&events)?;
        let Time { cpu, wall } = round.time;
        println!(
            r#"{{"events":{},"bytes":{},"matches":{},"cpu_secs":{cpu:.6},"wall_secs":{wall:.6},"peak_rss_bytes":{}{}}}"#,
            events.len(),
            bytes.len() - events.len(),
            round.matches,
            usage::peak_bytes()?,
            round.told
        );
        io::stdout().flush()?;
    }
    Ok(())
}

/// Decode, match all patterns, admit, step. Every round begins, outside of the measured time, with the same fleet of
/// 5,000 hosts and 250,000 tasks, as after a first sweep.
struct Ours {
    swept: Vec<u8>,
}

impl Ours {
    fn new() -> Self {
        let mut fleet = Fleet::new(Policy::default());
        World::believe_beginning(|observation| {
            step(&mut fleet, observation.at, &Input::Observed(observation));
        });
        Self { swept: snapshot::save(&fleet) }
    }
}

impl Contender for Ours {
    fn round(&mut self, events: &[&[u8]]) -> Outcome<Round> {
        let mut fleet = snapshot::load(&self.swept, Policy::default())?;
        let clock = Clock::start();
        let (mut matches, mut news, mut effects, mut wake_at) = (0, 0_u64, 0_u64, None::<Timestamp>);
        for event in events {
            let observation = decode_event(event)?;
            matches += u64::from(pattern::count_matches(&observation));
            // The clock of the shell: events arrive as they happen.
            let now = observation.at;
            if wake_at.is_some_and(|due| due <= now) {
                wake_at = None;
                settle(step(&mut fleet, now, &Input::Ticked), &mut effects, &mut wake_at);
            }
            if admit(&fleet, &observation) == Admission::News {
                news += 1;
                settle(step(&mut fleet, now, &Input::Observed(observation)), &mut effects, &mut wake_at);
            }
        }
        black_box(&fleet);
        Ok(Round { matches, time: clock.stop(), told: format!(r#","news":{news},"effects":{effects}"#) })
    }
}

/// Counts effects and keeps the earliest wish to be woken, as the engine does.
fn settle(asked: Vec<Effect>, effects: &mut u64, wake_at: &mut Option<Timestamp>) {
    for effect in asked {
        match effect {
            Effect::WakeAt(at) => *wake_at = Some(wake_at.map_or(at, |due| due.min(at))),
            other => {
                black_box(other);
                *effects += 1;
            }
        }
    }
}

/// Decoding and the predicates, for scale.
struct DecodeOnly;

impl Contender for DecodeOnly {
    fn round(&mut self, events: &[&[u8]]) -> Outcome<Round> {
        let clock = Clock::start();
        let mut matches = 0;
        for event in events {
            let observation = decode_event(event)?;
            matches += u64::from(pattern::count_matches(&observation));
            black_box(&observation);
        }
        Ok(Round { matches, time: clock.stop(), told: String::new() })
    }
}

/// quamina, matching and nothing else.
struct Quamina(quamina::Quamina<&'static str>);

impl Quamina {
    fn new() -> Outcome<Self> {
        let mut matcher = quamina::Quamina::new();
        for (name, pattern) in pattern::PATTERNS {
            matcher.add_pattern(name, pattern).map_err(|error| format!("{name}: {error:?}"))?;
        }
        Ok(Self(matcher))
    }
}

impl Contender for Quamina {
    fn round(&mut self, events: &[&[u8]]) -> Outcome<Round> {
        let clock = Clock::start();
        let mut matches = 0;
        for event in events {
            let matched = self.0.matches_for_event(event).map_err(|error| format!("{error:?}"))?;
            matches += black_box(&matched).len() as u64;
        }
        Ok(Round { matches, time: clock.stop(), told: String::new() })
    }
}
