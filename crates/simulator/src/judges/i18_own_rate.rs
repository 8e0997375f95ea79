//! I18, own rate: what the core asks to see stays within what may be asked in one call, and does not turn into a storm.

use std::collections::HashMap;

use super::{Conditions, History, Violation};
use crate::clock::{HOUR, Moment, SECOND};

/// A tenth of the refill of the tightest bucket a look may draw from (20 a second, spec C.7), over an hour.
const LOOKS_AN_HOUR: usize = 7_200;

/// The same thing is not looked at four times within this time: a deadline, a gap and a drain may each want to know.
const AGAIN_MS: i64 = 5 * SECOND;

/// Judges sizes, repetitions and the number of looks in any hour.
pub fn judge(history: &History, conditions: &Conditions) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut wrong = |at: Moment, what: String| found.push(Violation { invariant: "I18", at, what });
    let mut last: HashMap<(u8, &str, &str), [Moment; 3]> = HashMap::new();
    for asked in &history.looks {
        let most = if asked.kind == "pings" { 50 } else { 100 };
        if asked.ids.is_empty() || asked.ids.len() > most {
            wrong(asked.at, format!("a look at {} {} in one call, 1 to {most} may be", asked.ids.len(), asked.kind));
        }
        for id in &asked.ids {
            let Some(before) = last.get_mut(&(asked.by, asked.kind, id.as_str())) else {
                last.insert((asked.by, asked.kind, id), [Moment(i64::MIN / 2), Moment(i64::MIN / 2), asked.at]);
                continue;
            };
            let after = asked.at.since(before[0]);
            // A muster that comes back from a crash asks again for what it had asked.
            let came_back = history
                .crashes
                .iter()
                .any(|(at, by)| *by == asked.by && *at <= asked.at && asked.at.since(*at) < 4 * AGAIN_MS);
            // Nor can one say how often, whose clock was set while it waited.
            if after < AGAIN_MS && !came_back && !conditions.clock_stepped {
                wrong(asked.at, format!("{id} ({}) is looked at for the fourth time within {after} ms", asked.kind));
            }
            *before = [before[1], before[2], asked.at];
        }
    }
    let mut first = 0;
    for (at, asked) in history.looks.iter().enumerate() {
        while asked.at.since(history.looks[first].at) > HOUR {
            first += 1;
        }
        if at - first >= LOOKS_AN_HOUR {
            wrong(asked.at, format!("more than {LOOKS_AN_HOUR} looks within an hour"));
            break;
        }
    }
    found
}
