//! `muster simulate`: a pretend AWS account.

use std::{
    fs::File,
    io::{BufWriter, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use clap::Args;
use jiff::SignedDuration;
use simulator::{
    clock::Moment,
    face::{self, FaceOptions},
    scenario::{SHIPPED, Scenario},
    simulation::Simulation,
};

use super::{
    demo::speed,
    output::{Exit, Failure, Output},
    stop,
};
use telemetry::record::Detail;

use crate::{config::http::loopback_only, logs::client::LogsClient, records::pretend};

/// `muster simulate`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    muster simulate --listen 127.0.0.1:4566 --scenario demo --seed 7 --speed 10\n  \
    muster scan --all --endpoint-url http://127.0.0.1:4566 --region eu-central-1     (in another terminal)\n  \
    aws ecs list-clusters --endpoint-url http://127.0.0.1:4566\n  \
    muster simulate --scenario day-300-hosts --seed 1 --record day.ndjson --for 24h\n  \
    muster simulate --list\n\n\
    Any AWS client can talk to it, with any credentials. A scenario is a TOML file that a person can read and write; the\n\
    shipped ones are listed by --list and are the best examples.")]
pub struct SimulateArgs {
    /// Where to answer; loopback only, port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:4566", conflicts_with = "record")]
    listen: SocketAddr,
    /// A scenario file, or the name of a shipped one.
    #[arg(long, value_name = "FILE|NAME", default_value = "demo")]
    scenario: String,
    /// Seed of everything that chance decides [default: the scenario's].
    #[arg(long)]
    seed: Option<u64>,
    /// Seconds of the story in one real second; at 0 time passes only by POST /_muster/advance?secs=N.
    #[arg(long, default_value_t = 1.0, value_parser = speed_or_stillness, conflicts_with = "record")]
    speed: f64,
    /// Instead of listening, write the events to this file as NDJSON, as fast as it goes; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// How long to record, in the story's time: 90s, 30m, 24h [default: as long as the scenario lasts].
    #[arg(long = "for", value_name = "TIME", requires = "record", value_parser = duration)]
    lasting: Option<SignedDuration>,
    /// Have the hosts of the account tell a muster on this machine what their containers use, each minute.
    #[arg(long, value_name = "URL", conflicts_with = "record")]
    telemetry: Option<String>,
    /// List the shipped scenarios and what they show.
    #[arg(long)]
    list: bool,
}

fn speed_or_stillness(text: &str) -> Result<f64, String> {
    if text == "0" { Ok(0.0) } else { speed(text).map_err(|expected| format!("{expected}, or 0")) }
}

fn duration(text: &str) -> Result<SignedDuration, String> {
    let duration: SignedDuration = text.parse().map_err(|_| "expected a time such as 90s, 30m or 24h".to_owned())?;
    if duration.is_positive() { Ok(duration) } else { Err("expected a time above 0".to_owned()) }
}

impl SimulateArgs {
    pub(super) fn run(self, out: &mut Output) -> Result<Exit, Failure> {
        if self.list {
            for (name, text) in SHIPPED {
                let shows = text.lines().next().unwrap_or_default().trim_start_matches(['#', ' ']);
                writeln!(out.answer(), "{name:<20} {shows}")?;
            }
            return Ok(Exit::DONE);
        }
        let scenario = Scenario::load(&self.scenario).map_err(|error| Failure::new(error.to_string(), error))?;
        match &self.record {
            Some(file) => self.write_events(&scenario, file, out),
            None => self.serve(&scenario, out),
        }
    }

    /// Writes the events of a stretch of the story, in the order in which they reach the queue.
    fn write_events(&self, scenario: &Scenario, file: &Path, out: &mut Output) -> Result<Exit, Failure> {
        let failed = |error| Failure::new(format!("could not write {}", file.display()), error);
        let mut simulation = scenario.begin(self.seed);
        let until = match self.lasting {
            Some(lasting) => simulation.now().plus(i64::try_from(lasting.as_millis()).unwrap_or(i64::MAX)),
            None => simulation.ends(),
        };
        let written = if file.as_os_str() == "-" {
            record(&mut simulation, until, out.answer()).map_err(failed)?
        } else {
            let mut target = BufWriter::new(File::create(file).map_err(failed)?);
            let written = record(&mut simulation, until, &mut target).map_err(failed)?;
            target.flush().map_err(failed)?;
            written
        };
        let hosts = simulation.world.hosts.len();
        out.remark(&format!("{written} events of {hosts} hosts written, seed {}", simulation.seed()));
        Ok(Exit::DONE)
    }

    fn serve(&self, scenario: &Scenario, out: &mut Output) -> Result<Exit, Failure> {
        let listen = loopback_only(self.listen)?;
        let telemetry = self.telemetry.as_deref().map(LogsClient::new).transpose();
        let telemetry = telemetry.map_err(|error| Failure::new(error.to_string(), error))?;
        super::runtime()?.block_on(async {
            let stop = stop::on_signal()?;
            let now = Moment(jiff::Timestamp::now().as_millisecond());
            let simulation = scenario.begin_at(self.seed, Some(now));
            let (hosts, seed) = (simulation.world.hosts.len(), simulation.seed());
            let places: Vec<String> = simulation.world.places.iter().map(|place| place.account.clone()).collect();
            let options = FaceOptions { listen, speed: self.speed, ..FaceOptions::default() };
            let serving = face::serve(simulation, Some(scenario.clone()), options)
                .await
                .map_err(|error| Failure::new(format!("could not listen on {listen}; is something else there?"), error))?;
            let address = serving.address();
            writeln!(out.answer(), "listening on http://{address}")?;
            out.answer().flush()?;
            let queues: Vec<String> =
                places.iter().map(|account| format!("http://{address}/{account}/{}", face::READY_MADE)).collect();
            out.remark(&format!(
                "scenario {}: {hosts} hosts, seed {seed}, {}x real time; events arrive in {}; GET http://{address}/ says more",
                scenario.name,
                self.speed,
                queues.join(" ")
            ));
            if let Some(telemetry) = telemetry {
                tokio::spawn(pretend::tell(serving.watching(), telemetry, Detail::Standard, stop.clone()));
            }
            stop.cancelled().await;
            serving.stop().await;
            Ok(Exit::DONE)
        })
    }
}

/// One line an event; a message that never was an event is written as it is, on one line.
fn record(simulation: &mut Simulation, until: Moment, out: &mut dyn Write) -> std::io::Result<u64> {
    let mut written = 0;
    let (mut ready, mut line) = (Vec::new(), Vec::new());
    while simulation.now() < until {
        simulation.advance_to_parcel(until, &mut ready);
        for parcel in ready.drain(..) {
            line.clear();
            parcel.write(&simulation.world, &mut line);
            for byte in &mut line {
                if *byte == b'\n' {
                    *byte = b' ';
                }
            }
            line.push(b'\n');
            out.write_all(&line)?;
            written += 1;
        }
    }
    Ok(written)
}
