//! The proof that the journal explains itself: stepping its inputs again gives exactly its records.

use std::collections::VecDeque;

use fleet::{
    Fleet,
    effect::Effect,
    journal::{Body, Record},
    policy::Policy,
    step,
};

use crate::{kept, ports::Journal, recover::RecoverError};

/// What a check found.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// Inputs stepped.
    pub inputs: u64,
    /// Records compared and found the same.
    pub records: u64,
    /// The entry of the snapshot it began from; `None` when from the beginning.
    pub from_snapshot: Option<i64>,
    /// The first place where journal and replay part, if any.
    pub difference: Option<Difference>,
}

/// Where journal and replay part.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The entry.
    pub seq: i64,
    /// What the journal says; `None` when it lacks a record that the replay gives.
    pub journaled: Option<Record>,
    /// What the replay gives; `None` when the journal has a record that the replay does not give.
    pub replayed: Option<Record>,
}

/// Steps all inputs of a journal, from its beginning or, when that was removed by retention, from its oldest snapshot,
/// and compares the records.
pub fn check(journal: &dyn Journal) -> Result<Checked, RecoverError> {
    let (mut fleet, from_snapshot) = oldest_ground(journal)?;
    let mut checked = Checked { inputs: 0, records: 0, from_snapshot, difference: None };
    let mut due: VecDeque<Record> = VecDeque::new();
    let mut trouble = None;
    let mut last_seq = 0;
    journal.read(from_snapshot.unwrap_or(0), &mut |entry| {
        last_seq = entry.seq;
        if let Body::Record(journaled) = entry.body {
            let replayed = due.pop_front();
            if replayed.as_ref() != Some(&journaled) {
                checked.difference = Some(Difference { seq: entry.seq, journaled: Some(journaled), replayed });
                return false;
            }
            checked.records += 1;
            return true;
        }
        if let Some(replayed) = due.pop_front() {
            checked.difference = Some(Difference { seq: entry.seq, journaled: None, replayed: Some(replayed) });
            return false;
        }
        match entry.body {
            Body::Input(input) => {
                checked.inputs += 1;
                due.extend(step(&mut fleet, entry.at, &input).into_iter().filter_map(|effect| match effect {
                    Effect::Record(record) => Some(record),
                    _ => None,
                }));
            }
            Body::Started { policy, .. } => match kept::under(std::mem::take(&mut fleet), policy) {
                Ok(under) => fleet = under,
                Err(error) => {
                    trouble = Some(RecoverError::Policy(error));
                    return false;
                }
            },
            _ => {}
        }
        true
    })?;
    if let Some(trouble) = trouble {
        return Err(trouble);
    }
    if checked.difference.is_none()
        && let Some(replayed) = due.pop_front()
    {
        checked.difference = Some(Difference { seq: last_seq + 1, journaled: None, replayed: Some(replayed) });
    }
    Ok(checked)
}

/// The empty fleet when the journal has its beginning, otherwise the oldest snapshot that can be read.
fn oldest_ground(journal: &dyn Journal) -> Result<(Fleet, Option<i64>), RecoverError> {
    let mut first = None;
    journal.read(0, &mut |entry| {
        first = Some(entry.seq);
        false
    })?;
    let Some(first) = first.filter(|first| *first != 1) else { return Ok((Fleet::new(Policy::default()), None)) };
    let mut oldest = None;
    let mut candidate = journal.newest_snapshot()?;
    while let Some((seq, bytes)) = candidate {
        if let Ok(fleet) = kept::unpack(&bytes) {
            oldest = Some((fleet, Some(seq)));
        }
        candidate = journal.snapshot_before(seq)?;
    }
    oldest.ok_or(RecoverError::NoGround { first })
}
