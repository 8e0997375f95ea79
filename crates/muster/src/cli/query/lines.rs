//! Lines of a file or of a pipe as records. Each line is one; nothing is passed over but empty ones.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde::Deserialize;
use serde_json::Value;
use telemetry::{event::Event, snapshot::Group};

use super::Failure;

/// The account of what is read from files.
const ACCOUNT: &str = "000000000000";

/// What was read.
pub(super) struct Read {
    pub(super) group: Group,
    lines: u64,
    timeless: u64,
    broken: u64,
}

impl Read {
    /// What people should know of it.
    pub(super) fn remark(&self) -> Option<String> {
        let mut remarks = Vec::new();
        if self.timeless > 0 {
            remarks.push(format!(
                "{} of {} lines tell no time (@timestamp or Timestamp): they count as of now",
                self.timeless, self.lines
            ));
        }
        if self.broken > 0 {
            remarks.push(format!("{} begin like JSON and are none: they are queried as texts", self.broken));
        }
        (!remarks.is_empty()).then(|| remarks.join("; "))
    }
}

/// Reads a file; `-` is standard input.
///
/// # Errors
/// If it cannot be read.
pub(super) fn read(path: &Path, now_ms: i64) -> Result<Read, Failure> {
    let (name, input): (String, Box<dyn BufRead>) = if path == Path::new("-") {
        ("stdin".to_owned(), Box::new(BufReader::new(std::io::stdin())))
    } else {
        let file =
            File::open(path).map_err(|error| Failure::new(format!("could not open {}", path.display()), error))?;
        let name =
            path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
        (name, Box::new(BufReader::with_capacity(1 << 20, file)))
    };
    of_lines(&name, input, now_ms).map_err(|error| Failure::new(format!("could not read {}", path.display()), error))
}

fn of_lines(name: &str, mut input: Box<dyn BufRead>, now_ms: i64) -> std::io::Result<Read> {
    let (mut lines, mut timeless, mut broken) = (0, 0, 0);
    let mut failed = None;
    let mut bytes = Vec::new();
    let events = std::iter::from_fn(|| {
        loop {
            bytes.clear();
            match input.read_until(b'\n', &mut bytes) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => {
                    failed = Some(error);
                    return None;
                }
            }
            let text = String::from_utf8_lossy(&bytes);
            let line = text.trim_end_matches(['\n', '\r']);
            if line.trim().is_empty() {
                continue;
            }
            lines += 1;
            let time = match time_of(line) {
                Ok(time) => time,
                Err(Broken) => {
                    broken += 1;
                    None
                }
            };
            timeless += u64::from(time.is_none());
            return Some((name.to_owned(), Event { timestamp_ms: time.unwrap_or(now_ms), message: line.to_owned() }));
        }
    });
    let group = Group::of_events(name, ACCOUNT, i64::MIN, events);
    match failed {
        Some(error) => Err(error),
        None => Ok(Read { group, lines, timeless, broken }),
    }
}

struct Broken;

#[derive(Deserialize)]
struct Times {
    #[serde(rename = "@timestamp")]
    at: Option<Value>,
    #[serde(rename = "Timestamp")]
    timestamp: Option<Value>,
    #[serde(rename = "_aws")]
    embedded: Option<Value>,
}

/// When a record happened, as it says itself: by `@timestamp`, by `Timestamp`, or by its embedded metrics.
fn time_of(line: &str) -> Result<Option<i64>, Broken> {
    if !line.trim_start().starts_with('{') {
        return Ok(None);
    }
    let times: Times = serde_json::from_str(line).map_err(|_| Broken)?;
    let embedded = times.embedded.as_ref().and_then(|it| it.get("Timestamp"));
    Ok([times.at.as_ref(), times.timestamp.as_ref(), embedded].into_iter().flatten().find_map(moment))
}

fn moment(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|it| it as i64)),
        Value::String(text) => {
            let text = text.trim();
            let written = || text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond);
            // As results print it: a moment of UTC.
            let printed = || {
                let at = text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?;
                Some(at.timestamp().as_millisecond())
            };
            text.parse().ok().or_else(written).or_else(printed)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_tells_its_time_in_several_ways() {
        for (line, expected) in [
            (r#"{"@timestamp":1791201600000}"#, Some(1_791_201_600_000)),
            (r#"{"Timestamp":"1791201600000","Type":"Instance"}"#, Some(1_791_201_600_000)),
            (r#"{"@timestamp":"2026-10-05T12:00:00Z"}"#, Some(1_791_201_600_000)),
            (r#"{"@timestamp":"2026-10-05 12:00:00.000"}"#, Some(1_791_201_600_000)),
            (r#"{"@timestamp":"soon","Timestamp":1791201600001}"#, Some(1_791_201_600_001)),
            (r#"{"_aws":{"Timestamp":7}}"#, Some(7)),
            (r#"{"a":1}"#, None),
            ("boot ok", None),
        ] {
            assert_eq!(time_of(line).ok().flatten(), expected, "{line}");
        }
    }

    #[test]
    fn every_line_is_a_record_and_what_is_odd_is_counted() {
        let text = "{\"Timestamp\":5,\"a\":1}\n\nplain\r\n{\"broken\"\n";
        let read = of_lines("x", Box::new(std::io::Cursor::new(text)), 9).unwrap();
        assert_eq!((read.lines, read.timeless, read.broken), (3, 2, 1));
        assert_eq!((read.group.records(), read.group.bounds()), (3, Some((5, 9))));
        let remark = read.remark().unwrap();
        assert!(remark.contains("2 of 3 lines tell no time") && remark.contains("1 begin like JSON"), "{remark}");
    }
}
