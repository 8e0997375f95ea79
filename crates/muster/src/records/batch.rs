//! Events in batches that one put takes.

use telemetry::{
    event::Event,
    limits::{BATCH_BYTES_MAX, EVENT_EXTRA_BYTES, SPAN_MS_MAX},
};

/// The events of one put, each with what its sender knows it by.
pub(super) type Batch<T> = Vec<(T, Event)>;

/// Batches within the limits of one put, in the order in which the events are given: by their time. Those that no put takes
/// are given back apart.
pub(super) fn batches<T>(events: Vec<(T, Event)>) -> (Vec<Batch<T>>, Vec<T>) {
    let mut found: Vec<Batch<T>> = Vec::new();
    let mut too_large = Vec::new();
    let mut bytes = 0;
    for (known_by, event) in events {
        let size = event.message.len() + EVENT_EXTRA_BYTES;
        if size > BATCH_BYTES_MAX {
            too_large.push(known_by);
            continue;
        }
        let fits = found.last().and_then(|batch| batch.first()).is_some_and(|(_, first)| {
            bytes + size <= BATCH_BYTES_MAX && event.timestamp_ms - first.timestamp_ms <= SPAN_MS_MAX
        });
        match found.last_mut().filter(|_| fits) {
            Some(batch) => {
                bytes += size;
                batch.push((known_by, event));
            }
            None => {
                bytes = size;
                found.push(vec![(known_by, event)]);
            }
        }
    }
    (found, too_large)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: i64, timestamp_ms: i64, bytes: usize) -> (i64, Event) {
        (seq, Event { timestamp_ms, message: "x".repeat(bytes) })
    }

    #[test]
    fn batches_keep_to_the_limits_of_a_put() {
        let entries = vec![
            entry(1, 0, 600_000),
            entry(2, 1, 400_000),
            entry(3, 2, 100_000),
            entry(4, SPAN_MS_MAX + 2, 10),
            entry(5, SPAN_MS_MAX + 3, 10),
            entry(6, SPAN_MS_MAX + 4, BATCH_BYTES_MAX),
        ];
        let (found, too_large) = batches(entries);
        let numbers: Vec<Vec<i64>> =
            found.into_iter().map(|batch| batch.into_iter().map(|(seq, _)| seq).collect()).collect();
        assert_eq!((numbers, too_large), (vec![vec![1, 2], vec![3, 4], vec![5]], vec![6]));
        assert!(batches::<i64>(Vec::new()).0.is_empty());
    }
}
