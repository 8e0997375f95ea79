//! `muster demo`

use clap::Args;

use super::{
    output::{Exit, Failure, Output},
    stop,
};
use crate::demo;

/// `muster demo`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  muster demo\n  muster demo --speed 60 --plain\n  muster demo --seed 11 --keep-going\n\n\
    Everything happens in this process: a pretend AWS account lives faster than real time, and the same code that watches\n\
    real clusters watches it. Ctrl-C ends it."
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
    /// Go on after the story until Ctrl-C.
    #[arg(long)]
    keep_going: bool,
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
        super::runtime()?.block_on(async {
            let stop = stop::on_signal()?;
            demo::run(&show, &stop, out.answer())?;
            Ok(Exit::DONE)
        })
    }
}
