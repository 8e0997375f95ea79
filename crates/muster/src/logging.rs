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

/// What muster itself says, and of the AWS SDK only what matters: `aws` alone would mean every crate that begins so.
const OWN_DEBUG: &str = "info,muster=debug,engine=debug,fleet=debug,simulator=debug,aws=debug,aws_config=info,\
                         aws_credential_types=info,aws_runtime=info,aws_sdk_autoscaling=info,aws_sdk_ecs=info,\
                         aws_sdk_sqs=info,aws_sdk_sts=info,aws_sigv4=info,aws_smithy_http_client=info,\
                         aws_smithy_runtime=info,aws_smithy_runtime_api=info";

/// The level of a command that prints an answer and ends: trouble only, more with each `-v`.
pub fn level(verbose: u8, usual: &str) -> String {
    match verbose {
        0 => usual.to_owned(),
        1 => "info".to_owned(),
        2 => OWN_DEBUG.to_owned(),
        _ => "trace".to_owned(),
    }
}

/// Whether standard error takes colours by itself.
pub fn stderr_takes_colour() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Where a region or credentials are looked for in vain is said by muster in one sentence; the SDK's own warnings about
/// each place repeat it at length. They come back with directives of one's own.
fn quieted(level: &str) -> String {
    if level.contains(',') || level.contains('=') { level.to_owned() } else { format!("{level},aws_config=error") }
}

/// Starts logging. A second call changes nothing: tests run several programs in one process.
pub fn start(logging: &Logging) {
    let filter = EnvFilter::try_new(quieted(&logging.level)).unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // An error means that logging was started before, which is what is wanted.
    let _ = match logging.format {
        LogFormat::Text => subscriber.with_ansi(logging.colour).with_target(false).try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_is_one_that_the_filter_understands() {
        for verbose in 0..=4 {
            let level = level(verbose, "warn");
            assert!(EnvFilter::try_new(&level).is_ok(), "{level}");
        }
    }
}
