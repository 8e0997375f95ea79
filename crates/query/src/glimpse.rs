//! What is shown of a long query at once: the rows that the newest records alone give, while all of them are being read.
//!
//! Most queries want the newest rows, or sum up what is as true of a few minutes as of the whole day. Those that put records of
//! different times together otherwise than by order and sums are not glimpsed.

use insights::{Checked, ast::Verb};
use telemetry::snapshot::{File, Group};

use crate::run::{Request, subqueries};

/// Files of fewer bytes are read nearly as fast as a part of them.
const WORTH_BYTES: u64 = 32 << 20;

/// How many bytes a glimpse reads, about: what two threads decode in a few hundredths of a second.
const GLIMPSE_BYTES: u64 = 2 << 20;

/// The same request for the newest records alone; nothing, where the whole takes hardly longer, or a part says nothing.
pub(crate) fn of(request: &Request, checked: &Checked) -> Option<Request> {
    let query = &checked.query;
    let whole = |verb: &Verb| matches!(verb, Verb::Diff(_) | Verb::Join(_) | Verb::AppendColumns(_));
    if query.source.is_some()
        || query.commands.iter().any(|command| whole(&command.verb))
        || !subqueries(query).is_empty()
    {
        return None;
    }
    let read = |group: &Group| {
        let within = |file: &&File| file.meets(request.from_ms, request.to_ms);
        group.files.iter().filter(within).cloned().collect::<Vec<_>>()
    };
    let files: Vec<File> = request.groups.iter().flat_map(read).collect();
    if files.iter().map(|file| file.bytes).sum::<u64>() < WORTH_BYTES {
        return None;
    }
    let from_ms = newest(files, request.to_ms)?.max(request.from_ms);
    Some(Request { from_ms, ..request.clone() })
}

/// Since when there are about as many bytes of records as a glimpse reads, if those of a file are spread evenly over its time.
fn newest(mut files: Vec<File>, to_ms: i64) -> Option<i64> {
    files.sort_by_key(|file| std::cmp::Reverse(file.to_ms));
    let mut left = GLIMPSE_BYTES;
    let mut from_ms = None;
    for file in files {
        let end_ms = file.to_ms.min(to_ms);
        let lasts_ms = u64::try_from(end_ms - file.from_ms).unwrap_or(0).max(1);
        if file.bytes >= left {
            let part_ms = u128::from(lasts_ms) * u128::from(left) / u128::from(file.bytes.max(1));
            return Some(end_ms - i64::try_from(part_ms).unwrap_or(0));
        }
        left -= file.bytes;
        from_ms = Some(file.from_ms);
    }
    from_ms
}

#[cfg(test)]
mod tests {
    use insights::rules::Rules;

    use super::*;

    fn file(from_ms: i64, to_ms: i64, mib: u64) -> File {
        File { path: format!("{from_ms}"), bytes: mib << 20, rows: 1_000, from_ms, to_ms }
    }

    #[test]
    fn a_glimpse_begins_where_as_many_bytes_are_left_as_it_reads() {
        let files = vec![file(0, 1_000, 64), file(1_000, 2_000, 1), file(2_000, 3_000, 0)];
        assert_eq!(newest(files.clone(), 9_000), Some(1_000 - 15), "one of the 64 MiB of the first file");
        assert_eq!(newest(files[1..].to_vec(), 9_000), Some(1_000));
        assert_eq!(newest(vec![file(0, 10_000, 4)], 8_000), Some(4_000), "what lies after the end is not read");
        assert_eq!(newest(Vec::new(), 0), None);
    }

    #[test]
    fn short_queries_and_those_that_need_the_whole_are_not_glimpsed() {
        let glimpsed = |text: &str, mib: u64| {
            let group = Group {
                files: vec![file(0, 3_600_000, mib)],
                ..Group::of_events("g", "0", 0, Vec::<(&str, _)>::new())
            };
            let request =
                Request { text: text.to_owned(), groups: vec![group], to_ms: 3_600_000, ..Request::default() };
            let checked = insights::compile(text, &Rules::default()).unwrap();
            of(&request, &checked).map(|it| it.from_ms)
        };
        assert_eq!(glimpsed("stats count(*)", 64), Some(3_600_000 - 112_500));
        assert_eq!(glimpsed("stats count(*)", 8), None);
        assert_eq!(glimpsed("pattern @message | diff", 64), None);
        assert_eq!(glimpsed("filter a in (SOURCE 'g' | fields a)", 64), None);
    }
}
