//! muster's own log: structured lines on standard error, never on standard output.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::log::LogFormat;

/// What is to be logged.
#[derive(Clone, Debug)]
pub struct Logging {
    /// How a line looks.
    pub format: LogFormat,
    /// A level or directives, as `info` or `engine=debug,warn`.
    pub level: String,
    /// Colours: on a terminal, unless NO_COLOR or `--color never` say otherwise.
    pub colour: bool,
}

/// The level of a command that prints an answer and ends: trouble only, more with each `-v`.
pub fn level(verbose: u8, usual: &str) -> String {
    match verbose {
        0 => usual.to_owned(),
        1 => "info".to_owned(),
        2 => "muster=debug,engine=debug,aws=debug,fleet=debug,simulator=debug,info".to_owned(),
        _ => "trace".to_owned(),
    }
}

/// Whether standard error takes colours by itself.
pub fn stderr_takes_colour() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Starts logging. A second call changes nothing: tests run several programs in one process.
pub fn start(logging: &Logging) {
    let filter = EnvFilter::try_new(&logging.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // An error means that logging was started before, which is what is wanted.
    let _ = match logging.format {
        LogFormat::Text => subscriber.with_ansi(logging.colour).with_target(false).try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
}
