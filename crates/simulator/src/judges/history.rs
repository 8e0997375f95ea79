//! What was recorded, asked and shown, as data.

use std::collections::BTreeMap;

use engine::{
    ports::{Body, Look},
    turn::{Taken, Turn},
};
use serde_json::Value;

use super::Violation;
use crate::{clock::Moment, direct::Watcher, simulation::Simulation};

/// A record and the world's time when it was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Noted {
    /// The world's time.
    pub at: Moment,
    /// The record, as the journal spells it.
    pub record: Value,
}

/// A look that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The world's time.
    pub at: Moment,
    /// `hosts`, `tasks`, `machines` or `pings`.
    pub kind: &'static str,
    /// Of which cluster or place.
    pub of: String,
    /// What was to be looked at.
    pub ids: Vec<String>,
}

/// Everything that a run leaves behind.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Records in order.
    pub records: Vec<Noted>,
    /// Looks in order.
    pub looks: Vec<Asked>,
    /// Cases that notices were about, with the world's time.
    pub notices: Vec<(Moment, u64)>,
    /// What [`Recorder`] found wrong with the order of journal and effects.
    pub disorder: Vec<Violation>,
}

/// One case, from its records.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseLife {
    /// Its number.
    pub case: u64,
    /// `agent-away`, `doubt`, ….
    pub trouble: String,
    /// ARN, EC2 id or cohort.
    pub subject: String,
    /// When it was opened.
    pub opened: Moment,
    /// When it was closed, if it was.
    pub closed: Option<Moment>,
}

impl CaseLife {
    /// The case was open at this moment.
    pub fn open_at(&self, at: Moment) -> bool {
        self.opened <= at && self.closed.is_none_or(|closed| closed >= at)
    }
}

/// A text field of a record; empty when it is not there.
pub fn text<'a>(record: &'a Value, field: &str) -> &'a str {
    record.get(field).and_then(Value::as_str).unwrap_or("")
}

/// The case number of a record.
pub fn case(record: &Value) -> Option<u64> {
    record.get("case").and_then(Value::as_u64)
}

/// The remedy of a decision to act; `None` for a decision to hold, or another record.
pub fn would(record: &Value) -> Option<&str> {
    record.get("decision")?.get("would")?.get("remedy")?.as_str()
}

impl History {
    /// All cases by number.
    pub fn cases(&self) -> BTreeMap<u64, CaseLife> {
        let mut cases: BTreeMap<u64, CaseLife> = BTreeMap::new();
        for noted in &self.records {
            let Some(number) = case(&noted.record) else { continue };
            match text(&noted.record, "kind") {
                "case-opened" => {
                    let life = CaseLife {
                        case: number,
                        trouble: text(&noted.record, "trouble").to_owned(),
                        subject: text(&noted.record, "subject").to_owned(),
                        opened: noted.at,
                        closed: None,
                    };
                    cases.insert(number, life);
                }
                "case-closed" => {
                    if let Some(life) = cases.get_mut(&number) {
                        life.closed = Some(noted.at);
                    }
                }
                _ => {}
            }
        }
        cases
    }
}

/// Writes the history down during a drive, and checks at every turn that the journal came first.
#[derive(Debug, Default)]
pub struct Recorder {
    /// The history so far.
    pub history: History,
    seen: i64,
}

impl Recorder {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Watcher for Recorder {
    fn turned(&mut self, now: Moment, _: &Simulation, turn: &Turn, taken: &Taken) {
        let records: Vec<Value> =
            taken.records.iter().map(|record| serde_json::to_value(record).unwrap_or(Value::Null)).collect();
        if !records.is_empty() || !taken.notices.is_empty() || !taken.looks.is_empty() {
            let mut journaled = Vec::new();
            let mut inputs = 0;
            let read = turn.journal().read(self.seen, &mut |entry| {
                match &entry.body {
                    Body::Input(_) => inputs += 1,
                    Body::Record(record) => journaled.push(serde_json::to_value(record).unwrap_or(Value::Null)),
                    _ => {}
                }
                true
            });
            let mut wrong = |what: String| self.history.disorder.push(Violation { invariant: "I5", at: now, what });
            if let Err(error) = read {
                wrong(format!("the journal cannot be read back: {error}"));
            } else if !journaled.ends_with(&records) {
                let missing = records.iter().find(|record| !journaled.contains(record));
                wrong(format!("handed out before it was in the journal: {missing:?}"));
            } else if inputs == 0 {
                wrong("effects without an input in the journal".to_owned());
            }
        }
        self.seen = taken.last_seq;
        self.history.records.extend(records.into_iter().map(|record| Noted { at: now, record }));
        self.history.looks.extend(taken.looks.iter().map(|look| asked(now, look)));
        self.history.notices.extend(taken.notices.iter().map(|notice| (now, u64::from(notice.case.0))));
    }
}

fn asked(at: Moment, look: &Look) -> Asked {
    let (kind, of, ids) = match look {
        Look::Hosts { cluster, arns } => ("hosts", cluster, arns),
        Look::Tasks { cluster, arns } => ("tasks", cluster, arns),
        Look::Machines { place, ids } => ("machines", place, ids),
        Look::Pings { place, ids } => ("pings", place, ids),
    };
    Asked { at, kind, of: of.clone(), ids: ids.clone() }
}
