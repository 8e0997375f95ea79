//! `muster demo`

use std::{net::SocketAddr, time::Duration};

use clap::Args;
use simulator::scenario::Scenario;

use super::{
    output::{Exit, Failure, Output},
    stop,
};
use crate::{
    config::http::loopback_only,
    demo::{self, records::Keeping},
};

/// `muster demo`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  muster demo\n  muster demo --speed 60 --plain\n  muster demo --seed 11 --keep-going\n  \
    muster demo --scenario lab --keep-going --listen 127.0.0.1:8464\n\n\
    Everything happens in this process: a pretend AWS account lives faster than real time, and the same code that watches\n\
    real clusters watches it. It keeps the records of its containers and answers `muster query --server` and any AWS client\n\
    at the address that its first line tells. Ctrl-C ends it."
)]
pub struct DemoArgs {
    /// Seconds of the story in one real second.
    #[arg(long, default_value_t = 18.0, value_parser = speed)]
    speed: f64,
    /// Lines one below the other instead of a picture; so too when standard output is no terminal.
    #[arg(long)]
    plain: bool,
    /// Another seed is another fleet with other chances.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Go on after the story until Ctrl-C, at the pace of real time once the story has caught up with it.
    #[arg(long)]
    keep_going: bool,
    /// A scenario file, or the name of a shipped one.
    #[arg(long, value_name = "FILE|NAME", default_value = demo::USUAL)]
    scenario: String,
    /// Where whoever asks is answered; loopback only, port 0 takes a free one [default: 127.0.0.1:8464 if it is free].
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
}

/// Between a tenth of real time and as fast as it goes.
pub(super) fn speed(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|speed| (0.1..=100_000.0).contains(speed))
        .ok_or_else(|| "expected a number from 0.1 to 100000".to_owned())
}

impl DemoArgs {
    pub(super) fn run(self, out: &mut Output) -> Result<Exit, Failure> {
        let show = demo::Show {
            speed: self.speed,
            plain: self.plain,
            coloured: out.answers_take_colour(),
            seed: self.seed,
            keep_going: self.keep_going,
        };
        let listen = self.listen.map(loopback_only).transpose()?;
        let scenario = Scenario::load(&self.scenario).map_err(|error| Failure::new(error.to_string(), error))?;
        let runtime = super::runtime()?;
        let exit = runtime.block_on(async {
            let stop = stop::on_signal()?;
            let keeping = Keeping::begin(listen, &scenario, show.seed, &stop).await?;
            demo::run(&show, &scenario, keeping, &stop, out.answer())?;
            Ok(Exit::DONE)
        });
        // Nobody who is still asking holds up the end.
        runtime.shutdown_timeout(Duration::from_secs(1));
        exit
    }
}
