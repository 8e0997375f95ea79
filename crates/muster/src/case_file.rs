//! What the journal holds about one case: what was decided, what was done and what came of it, and the evidence saved
//! before anything was lost.

use std::collections::BTreeSet;

use engine::{
    journal::JournalReader,
    ports::{ActResult, JournalError},
};
use fleet::{
    id::CaseId,
    input::Input,
    journal::{Body, Record},
    policy::{Mode, Policy, Rung},
    remedy::act::IntentId,
    view::CaseView,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::render::journal;

/// Most lines and pieces of evidence; a case that has more is read in the journal.
const MOST: usize = 500;

/// Clocks step back a little. A case's first entry is looked for from so much before its opening.
const EARLIER: SignedDuration = SignedDuration::from_secs(120);

/// What is on record about a case.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CaseFile {
    /// How far muster goes in this case.
    pub mode: Mode,
    /// The remedies that are tried, in order; after the last one a person is told.
    pub ladder: Vec<Rung>,
    /// In the order in which it happened.
    pub lines: Vec<Line>,
    /// What was saved.
    pub evidence: Vec<Evidence>,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Its number.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// What happened, clean of control characters.
    pub text: String,
}

/// Something that was saved before it was lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// When it was saved.
    pub at: Timestamp,
    /// `agent log`, `console output`.
    pub name: String,
    /// The text, as it was read.
    pub text: String,
}

/// What holds for a case now: how far muster goes, and by which ladder.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Terms {
    /// How far.
    pub mode: Mode,
    /// By which remedies.
    pub ladder: Vec<Rung>,
}

impl Terms {
    /// By the policy in force.
    pub fn of(policy: &Policy, case: &CaseView) -> Self {
        let cluster = case.cluster.rsplit('/').next().unwrap_or_default();
        let terms = policy.terms(cluster, case.trouble);
        Self { mode: terms.mode, ladder: terms.ladder.to_vec() }
    }
}

/// Reads what there is about a case that was opened at `opened_at`.
///
/// # Errors
/// When the journal cannot be read.
pub fn read(
    reader: &JournalReader,
    case: CaseId,
    opened_at: Timestamp,
    Terms { mode, ladder }: Terms,
) -> Result<CaseFile, JournalError> {
    let mut file = CaseFile { mode, ladder, ..CaseFile::default() };
    let mut intents: BTreeSet<IntentId> = BTreeSet::new();
    let from = before(reader, opened_at.checked_sub(EARLIER).unwrap_or(opened_at))?;
    reader.read(from, &mut |entry| {
        match &entry.body {
            Body::Record(record) if about(record) == Some(case) => {
                if let Record::Intended { intent } = record {
                    intents.insert(intent.id);
                }
                file.lines.push(Line { seq: entry.seq, at: entry.at, text: journal::record(record).0 });
            }
            Body::Input(Input::Acted(outcome)) if intents.contains(&outcome.intent) => {
                if let ActResult::Saved { items } = &outcome.result {
                    let saved = items.iter().map(|(name, text)| Evidence {
                        at: entry.at,
                        name: name.clone(),
                        text: text.clone(),
                    });
                    file.evidence.extend(saved);
                }
            }
            _ => {}
        }
        file.lines.len() < MOST && file.evidence.len() < MOST
    })?;
    Ok(file)
}

/// The case that a conclusion is about.
fn about(record: &Record) -> Option<CaseId> {
    match record {
        Record::CaseOpened { case, .. }
        | Record::CaseMoved { case, .. }
        | Record::Decided { case, .. }
        | Record::CaseClosed { case, .. }
        | Record::Ended { case, .. }
        | Record::Abandoned { case, .. }
        | Record::NotTold { case, .. } => Some(*case),
        Record::Intended { intent } => Some(intent.case),
        // `approve case 4`, `hold case 4`.
        Record::OperatorAsked { what, .. } => what.rsplit_once(" case ")?.1.parse().ok().map(CaseId),
        _ => None,
    }
}

/// The number of an entry before everything at or after `at`: halving finds it, as entries are in order of time but for
/// small steps back of the clock.
pub(crate) fn before(reader: &JournalReader, at: Timestamp) -> Result<i64, JournalError> {
    let (mut low, mut high) = (reader.first_seq()?.saturating_sub(1), reader.last_seq()?);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        let mut earlier = None;
        reader.read(middle, &mut |entry| {
            earlier = Some(entry.at < at);
            false
        })?;
        match earlier {
            Some(true) => low = middle,
            _ => high = middle,
        }
    }
    Ok(low.max(0))
}
