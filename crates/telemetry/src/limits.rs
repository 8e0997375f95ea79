//! What a batch of events may be, as PutLogEvents has it.

use std::ops::Range;

use crate::event::Event;

/// Events of one batch.
pub const EVENTS_MAX: usize = 10_000;
/// Bytes of one batch: those of its messages in UTF-8, and [`EVENT_EXTRA_BYTES`] for each.
pub const BATCH_BYTES_MAX: usize = 1_048_576;
/// What each event counts beside its message.
pub const EVENT_EXTRA_BYTES: usize = 26;
/// From the first to the last event of a batch, in milliseconds.
pub const SPAN_MS_MAX: i64 = 24 * HOUR_MS;
/// How far in the future an event may lie, in milliseconds.
pub const AHEAD_MS_MAX: i64 = 2 * HOUR_MS;
/// How long ago an event may have happened, in milliseconds.
pub const AGE_MS_MAX: i64 = 14 * DAY_MS;

pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;
const HOUR_MS: i64 = 3_600_000;

/// Which limit a batch breaks; nothing of it is kept then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// It has no events.
    #[error("a batch without events: send at least one")]
    Empty,
    /// It has too many of them.
    #[error("a batch of {0} events: send at most {EVENTS_MAX} at once")]
    Events(usize),
    /// It is too large.
    #[error(
        "a batch of {0} bytes, {EVENT_EXTRA_BYTES} for each event included: send at most {BATCH_BYTES_MAX} at once"
    )]
    Bytes(usize),
    /// An event comes after one that happened later.
    #[error("event {0} happened before the one in front of it: send the events of a batch in the order of their times")]
    Order(usize),
    /// It reaches over more than a day.
    #[error("a batch that reaches over {0} ms: send at most {SPAN_MS_MAX} ms, that is a day, at once")]
    Span(i64),
}

/// Checks a batch.
///
/// # Errors
/// Says the first limit that it breaks.
pub fn check(events: &[Event]) -> Result<(), BatchError> {
    let (Some(first), Some(last)) = (events.first(), events.last()) else { return Err(BatchError::Empty) };
    if events.len() > EVENTS_MAX {
        return Err(BatchError::Events(events.len()));
    }
    let bytes = events.iter().map(|event| event.message.len() + EVENT_EXTRA_BYTES).sum();
    if bytes > BATCH_BYTES_MAX {
        return Err(BatchError::Bytes(bytes));
    }
    if let Some(at) = events.windows(2).position(|two| two[1].timestamp_ms < two[0].timestamp_ms) {
        return Err(BatchError::Order(at + 1));
    }
    let span_ms = last.timestamp_ms.saturating_sub(first.timestamp_ms);
    if span_ms > SPAN_MS_MAX { Err(BatchError::Span(span_ms)) } else { Ok(()) }
}

/// Which events of a batch are kept. Indexes are of the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Those that are kept.
    pub events: Range<usize>,
    /// The first that lies too far in the future.
    pub too_new_from: Option<usize>,
    /// The first that is not too old.
    pub too_old_to: Option<usize>,
    /// The first that the group's retention still keeps.
    pub expired_to: Option<usize>,
}

/// Says which events of a batch in the order of their times are kept.
pub fn kept(events: &[Event], now_ms: i64, retention_days: Option<u32>) -> Kept {
    let before = |limit_ms: i64| events.partition_point(|event| event.timestamp_ms < limit_ms);
    let too_new = events.partition_point(|event| event.timestamp_ms <= now_ms.saturating_add(AHEAD_MS_MAX));
    let too_old = before(now_ms.saturating_sub(AGE_MS_MAX));
    let expired = retention_days.map_or(0, |days| before(oldest_ms(now_ms, days)));
    let from = too_old.max(expired);
    Kept {
        events: from..too_new.max(from),
        too_new_from: (too_new < events.len()).then_some(too_new),
        too_old_to: (too_old > 0).then_some(too_old),
        expired_to: (expired > 0).then_some(expired),
    }
}

/// The earliest time that a group keeps, in milliseconds.
pub(crate) fn oldest_ms(now_ms: i64, retention_days: u32) -> i64 {
    now_ms.saturating_sub(i64::from(retention_days) * DAY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(times: &[i64]) -> Vec<Event> {
        times.iter().map(|timestamp_ms| Event { timestamp_ms: *timestamp_ms, message: "x".to_owned() }).collect()
    }

    #[test]
    fn a_batch_within_the_limits_is_taken() {
        assert_eq!(check(&events(&[5, 5, 5 + SPAN_MS_MAX])), Ok(()));
        assert_eq!(check(&events(&vec![0; EVENTS_MAX])), Ok(()));
        let largest = Event { timestamp_ms: 0, message: "x".repeat(BATCH_BYTES_MAX - EVENT_EXTRA_BYTES) };
        assert_eq!(check(&[largest]), Ok(()));
    }

    #[test]
    fn a_batch_beyond_a_limit_is_refused() {
        assert_eq!(check(&[]), Err(BatchError::Empty));
        assert_eq!(check(&events(&vec![0; EVENTS_MAX + 1])), Err(BatchError::Events(EVENTS_MAX + 1)));
        let larger = Event { timestamp_ms: 0, message: "x".repeat(BATCH_BYTES_MAX - EVENT_EXTRA_BYTES + 1) };
        assert_eq!(check(&[larger]), Err(BatchError::Bytes(BATCH_BYTES_MAX + 1)));
        assert_eq!(check(&events(&[5, 6, 5])), Err(BatchError::Order(2)));
        assert_eq!(check(&events(&[5, 6 + SPAN_MS_MAX])), Err(BatchError::Span(SPAN_MS_MAX + 1)));
        assert_eq!(check(&events(&[i64::MIN, i64::MAX])), Err(BatchError::Span(i64::MAX)));
    }

    #[test]
    fn events_that_are_too_old_or_too_new_or_expired_are_left_out() {
        let now_ms = 100 * DAY_MS;
        let times = [
            now_ms - AGE_MS_MAX - 1,
            now_ms - AGE_MS_MAX,
            now_ms - 3 * DAY_MS - 1,
            now_ms - 3 * DAY_MS,
            now_ms,
            now_ms + AHEAD_MS_MAX,
            now_ms + AHEAD_MS_MAX + 1,
        ];
        let all = Kept { events: 1..6, too_new_from: Some(6), too_old_to: Some(1), expired_to: None };
        assert_eq!(kept(&events(&times), now_ms, None), all);
        let three_days = Kept { events: 3..6, expired_to: Some(3), ..all };
        assert_eq!(kept(&events(&times), now_ms, Some(3)), three_days);
        let fine = Kept { events: 0..1, too_new_from: None, too_old_to: None, expired_to: None };
        assert_eq!(kept(&events(&[now_ms]), now_ms, Some(1)), fine);
        assert_eq!(kept(&events(&[0]), now_ms, Some(1)).events, 1..1);
        assert_eq!(kept(&events(&[i64::MAX]), now_ms, Some(1)).events, 0..0);
    }
}
