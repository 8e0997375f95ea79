//! The pretend account on the wire, with the arguments of `muster simulate`:
//! `serve --listen 127.0.0.1:0 --scenario demo --seed 7 --speed 1`. The first line on stdout tells the address.

use std::{io::Write, process::ExitCode};

use simulator::{
    clock::Moment,
    face::{FaceOptions, serve},
    scenario::Scenario,
};

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "serve: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run() -> Result<(), Failure> {
    let (mut scenario, mut seed, mut options) = ("demo".to_owned(), None, FaceOptions::default());
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--listen" => options.listen = value.parse()?,
            "--scenario" => scenario = value,
            "--seed" => seed = Some(value.parse()?),
            "--speed" => options.speed = value.parse()?,
            _ => return Err(format!("there is no {name}; there are --listen, --scenario, --seed and --speed").into()),
        }
    }
    let scenario = Scenario::load(&scenario)?;
    let start = Moment(jiff::Timestamp::now().as_millisecond());
    let simulation = scenario.begin_at(seed, Some(start));
    let serving = serve(simulation, Some(scenario), options).await?;
    let mut out = std::io::stdout();
    writeln!(out, "listening on http://{}", serving.address())?;
    out.flush()?;
    tokio::signal::ctrl_c().await?;
    serving.stop().await;
    Ok(())
}
