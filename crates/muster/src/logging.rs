//! muster's own log: structured lines on standard error, never on standard output. What is logged comes from outside as often
//! as not, so one event is one line, and nothing in it steers a terminal or writes a line of its own.

use std::io::{self, IsTerminal as _, Write};

use tracing_subscriber::{EnvFilter, field::MakeExt as _, fmt::format::debug_fn, util::SubscriberInitExt as _};

use crate::{
    config::log::LogFormat,
    render::{escape, json},
};

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
    // An error means that logging was started before, which is what is wanted.
    let _ = subscriber(logging, filter, io::stderr).try_init();
}

fn subscriber<W: Write + 'static>(
    logging: &Logging,
    filter: EnvFilter,
    writer: impl Fn() -> W + Send + Sync + 'static,
) -> Box<dyn tracing::Subscriber + Send + Sync> {
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter);
    match logging.format {
        LogFormat::Text => {
            let fields = debug_fn(|writer, field, value| match field.name() {
                "message" => write!(writer, "{}", escape::clean(&format!("{value:?}"))),
                name => write!(writer, "{name}={}", escape::clean(&format!("{value:?}"))),
            });
            let subscriber = subscriber.fmt_fields(fields.delimited(" ")).with_writer(writer);
            Box::new(subscriber.with_ansi(logging.colour).with_target(false).finish())
        }
        LogFormat::Json => {
            let writer = move || JsonLines(writer());
            Box::new(subscriber.json().flatten_event(true).with_writer(writer).finish())
        }
    }
}

/// Writes the characters that JSON need not escape and that steer a terminal all the same as `\uXXXX`. In a line of JSON
/// they stand in strings only. What is written at once is a whole line.
struct JsonLines<W>(W);

impl<W: Write> Write for JsonLines<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let (line, end) = text.strip_suffix('\n').map_or((&*text, ""), |line| (line, "\n"));
        let safe = json::safe(line).into_owned();
        self.0.write_all((safe + end).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written of one event whose every part is hostile.
    fn logged(format: LogFormat, colour: bool) -> String {
        const HOSTILE: &str = "a\u{1b}[31m\u{1b}]0;t\u{7}\r\nFORGED ERROR b\u{9b}2J\u{202e}c\u{2028}d\0";
        let kept = Kept::default();
        let writer = kept.clone();
        let logging = Logging { format, level: "info".to_owned(), colour };
        let subscriber = subscriber(&logging, EnvFilter::new("info"), move || writer.clone());
        tracing::subscriber::with_default(subscriber, || {
            let error = io::Error::other(HOSTILE);
            let span = tracing::info_span!("span", of = HOSTILE, as_it_is = %HOSTILE);
            let _guard = span.enter();
            tracing::warn!(reason = HOSTILE, raw = %HOSTILE, debug = ?HOSTILE, %error, number = 7, "{HOSTILE}");
        });
        String::from_utf8(kept.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn one_event_is_one_line_whatever_is_in_it_and_steers_no_terminal() {
        for (format, colour) in [(LogFormat::Text, false), (LogFormat::Json, false), (LogFormat::Json, true)] {
            let text = logged(format, colour);
            let line = text.strip_suffix('\n').unwrap();
            assert!(!line.contains(escape::steers), "{format:?}: {line:?}");
            assert!(line.contains("FORGED ERROR") && line.contains('7'), "{line}");
        }
    }

    #[test]
    fn a_line_for_machines_is_json_that_says_what_was_said() {
        let line: serde_json::Value = serde_json::from_str(&logged(LogFormat::Json, false)).unwrap();
        assert!(line["message"].as_str().unwrap().contains("\r\nFORGED ERROR b\u{9b}2J\u{202e}c"), "{line}");
        assert_eq!((&line["number"], &line["level"]), (&7.into(), &"WARN".into()));
    }

    #[test]
    fn with_colours_only_musters_own_are_written() {
        let text = logged(LogFormat::Text, true);
        assert!(text.contains("\u{1b}[") && !text.contains("\u{1b}[31m") && !text.contains('\u{9b}'), "{text:?}");
        assert_eq!(text.lines().count(), 1);
        assert!(!text.contains(['\u{7}', '\r', '\u{202e}', '\u{2028}', '\0']), "{text:?}");
    }

    #[test]
    fn every_level_is_one_that_the_filter_understands() {
        for verbose in 0..=4 {
            let level = level(verbose, "warn");
            assert!(EnvFilter::try_new(&level).is_ok(), "{level}");
        }
    }
}
