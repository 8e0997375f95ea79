//! I21, determinism: the same seed gives the same records, twice.

use super::{History, Violation};
use crate::clock::Moment;

/// Compares two runs of the same seed.
pub fn judge(one: &History, other: &History) -> Vec<Violation> {
    let differs = one.records.iter().zip(&other.records).find(|(a, b)| a != b);
    let wrong = |at: Moment, what: String| vec![Violation { invariant: "I21", at, what }];
    if let Some((a, b)) = differs {
        return wrong(a.at, format!("the first run recorded {}, the second {}", a.record, b.record));
    }
    if one.records.len() != other.records.len() {
        let last = one.records.last().or(other.records.last()).map_or(Moment(0), |noted| noted.at);
        return wrong(last, format!("one run made {} records, the other {}", one.records.len(), other.records.len()));
    }
    if one.looks != other.looks {
        let last = one.looks.last().map_or(Moment(0), |asked| asked.at);
        return wrong(last, "the two runs asked to look at different things".to_owned());
    }
    Vec::new()
}
