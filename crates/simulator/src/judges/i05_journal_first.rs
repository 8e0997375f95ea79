//! I5, journal first: what is handed out for doing is in the journal by then, and every notice is about a case on the
//! record.

use super::{History, Violation, history};

/// Judges the order that the recorder saw, and the notices.
pub fn judge(history: &History) -> Vec<Violation> {
    let mut found = history.disorder.clone();
    for (at, case) in &history.notices {
        let opened = history.records.iter().any(|noted| {
            noted.at <= *at
                && history::text(&noted.record, "kind") == "case-opened"
                && history::case(&noted.record) == Some(*case)
        });
        if !opened {
            let what = format!("people were told of case {case}, which was not on the record");
            found.push(Violation { invariant: "I5", at: *at, what });
        }
    }
    found
}
