//! Which time is read from which level: the longest buckets where they fit, shorter ones at both ends, and rows where none fits.

/// A span of time in milliseconds since 1970: its beginning, and its end, which does not belong to it.
pub(crate) type Span = (i64, i64);

/// Times beyond, in milliseconds, are of no record.
const FAR_MS: i64 = 1 << 60;

/// A span of time, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cover {
    /// For each length of buckets the spans that are read from these.
    pub(crate) levels: Vec<(i64, Vec<Span>)>,
    /// The spans that are read row by row.
    pub(crate) rows: Vec<Span>,
}

impl Cover {
    /// Takes a span apart, both of whose ends belong to it; the longest buckets come first.
    pub(crate) fn of(from_ms: i64, to_ms: i64, widths_ms: &[i64]) -> Self {
        let span = (from_ms.clamp(-FAR_MS, FAR_MS), to_ms.clamp(-FAR_MS, FAR_MS) + 1);
        let mut cover = Self { levels: Vec::new(), rows: if span.0 < span.1 { vec![span] } else { Vec::new() } };
        for width_ms in widths_ms {
            let (mut covered, mut rest) = (Vec::new(), Vec::new());
            for (from, to) in std::mem::take(&mut cover.rows) {
                let (first, last) = (from + (-from).rem_euclid(*width_ms), to - to.rem_euclid(*width_ms));
                if first >= last {
                    rest.push((from, to));
                    continue;
                }
                covered.push((first, last));
                rest.extend([(from, first), (last, to)].into_iter().filter(|(from, to)| from < to));
            }
            cover.rows = rest;
            if !covered.is_empty() {
                cover.levels.push((*width_ms, covered));
            }
        }
        cover
    }
}

/// Whether a time span with both its ends touches one of these.
pub(crate) fn touches(spans: &[Span], from_ms: i64, to_ms: i64) -> bool {
    spans.iter().any(|(from, to)| *from <= to_ms && from_ms < *to)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_moment_is_read_once_and_buckets_are_whole(
            from in -300_i64..300,
            length in 0_i64..600,
            widths in prop::sample::subsequence(vec![60_i64, 20, 5], 0..=3),
        ) {
            let cover = Cover::of(from, from + length, &widths);
            for (width, spans) in &cover.levels {
                prop_assert!(widths.contains(width) && spans.iter().all(|(from, to)| from % width == 0 && to % width == 0));
            }
            for at in -1_000..1_000 {
                let within = |spans: &[Span]| spans.iter().filter(|(from, to)| (*from..*to).contains(&at)).count();
                let times = within(&cover.rows) + cover.levels.iter().map(|(_, spans)| within(spans)).sum::<usize>();
                prop_assert_eq!(times, usize::from((from..=from + length).contains(&at)), "{}", at);
            }
        }
    }

    #[test]
    fn hours_lie_in_the_middle_and_minutes_around() {
        let minute = 60_000;
        let cover = Cover::of(58 * minute - 1, 126 * minute + 5, &[60 * minute, 5 * minute, minute]);
        let levels = [
            (60 * minute, vec![(60 * minute, 120 * minute)]),
            (5 * minute, vec![(120 * minute, 125 * minute)]),
            (minute, vec![(58 * minute, 60 * minute), (125 * minute, 126 * minute)]),
        ];
        assert_eq!(cover.levels, levels);
        assert_eq!(cover.rows, [(58 * minute - 1, 58 * minute), (126 * minute, 126 * minute + 6)]);
        assert_eq!(Cover::of(i64::MIN, i64::MAX, &[60 * minute]).rows.len(), 2);
        assert_eq!(Cover::of(5, 4, &[1]), Cover::default());
    }
}
