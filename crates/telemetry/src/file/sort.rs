//! The order of the rows in a file.

use crate::{
    columns::{Rows, TextValues, Texts},
    field::{Kind, LOG_STREAM},
    limits::DAY_MS,
};

/// A column with at most so many texts can lead the order.
const LEADING_TEXTS_MAX: usize = 64;
/// A column that leads is there in so many of a hundred rows.
const LEADING_ROWS_PERCENT: usize = 90;

/// The columns that rows are ordered by before their time: what says of which sort a row is, then what says of which one thing.
///
/// A file is small when like stands beside like, and skipped or read in part when a query asks for one task. Rows of the same
/// thing follow their times. Of logs without such columns the stream comes first.
pub(crate) fn choose(rows: &Rows) -> Vec<String> {
    let mut candidates: Vec<(usize, usize, &str)> = rows
        .seen()
        .filter(|column| column.kind == Kind::Text)
        .filter_map(|column| {
            let values = &rows.texts[column.at as usize];
            let Texts::Dictionary(dictionary) = &values.texts else { return None };
            let (texts, present) = (dictionary.texts.len(), values.presence.values());
            (texts >= 2 && texts * 2 <= present).then_some((texts, present, &*column.name))
        })
        .collect();
    candidates.sort_unstable();
    let leading = candidates
        .iter()
        .filter(|(texts, present, _)| *texts <= LEADING_TEXTS_MAX && present * 100 >= rows.len * LEADING_ROWS_PERCENT)
        // Records of Container Insights say of which sort they are.
        .min_by_key(|(texts, _, name)| (*name != "Type", *texts, *name));
    let one = candidates.iter().filter(|(_, present, _)| present * 2 >= rows.len).max_by_key(|(texts, ..)| *texts);
    let mut columns: Vec<String> = leading.into_iter().chain(one).map(|(.., name)| (*name).to_owned()).collect();
    columns.dedup();
    if columns.is_empty()
        && let Texts::Dictionary(streams) = &rows.streams.texts
        && streams.texts.len() > 1
        && streams.texts.len() * 8 <= rows.len
    {
        columns.push(LOG_STREAM.to_owned());
    }
    columns
}

/// The rows of each day of UTC, in order; days count from 1970.
pub(crate) fn order(rows: &Rows, columns: &[String]) -> Vec<(i64, Vec<u32>)> {
    let mut keys = vec![0_u64; rows.len];
    for column in columns {
        let values = if column == LOG_STREAM {
            Some(&rows.streams)
        } else {
            let found = rows.columns.iter().find(|it| &*it.name == column && it.kind == Kind::Text);
            found.map(|it| &rows.texts[it.at as usize])
        };
        if let Some(values) = values {
            add_ranks(&mut keys, values);
        }
    }
    let mut ordered: Vec<(i64, u64, i64, u32)> = Vec::with_capacity(rows.len);
    // A builder is sealed long before it has 2^32 rows.
    for (row, (key, timestamp_ms)) in (0..).zip(keys.iter().zip(&rows.timestamps)) {
        ordered.push((timestamp_ms.div_euclid(DAY_MS), *key, *timestamp_ms, row));
    }
    // Rows come in the order of their numbers, so the row stands for the number.
    ordered.sort_unstable();
    let days = ordered.chunk_by(|a, b| a.0 == b.0);
    days.map(|rows| (rows[0].0, rows.iter().map(|row| row.3).collect())).collect()
}

/// Makes each row's rank among the texts of one more column the last digit of its key. Rows without a text come first.
fn add_ranks(keys: &mut [u64], values: &TextValues) {
    let (ranks, count) = match &values.texts {
        Texts::Dictionary(dictionary) => {
            let texts = &dictionary.texts;
            let mut sorted: Vec<u32> = (0..texts.len() as u32).collect();
            sorted.sort_unstable_by_key(|id| texts.get(*id as usize));
            let mut rank_of = vec![0_u32; texts.len()];
            for (rank, id) in (1..).zip(sorted) {
                rank_of[id as usize] = rank;
            }
            (dictionary.ids.iter().map(|id| rank_of[*id as usize]).collect::<Vec<u32>>(), texts.len())
        }
        Texts::Plain(texts) => {
            let mut sorted: Vec<u32> = (0..texts.len() as u32).collect();
            sorted.sort_unstable_by_key(|at| texts.get(*at as usize));
            let mut ranks = vec![0_u32; texts.len()];
            let mut rank = 0;
            let mut before = None;
            for at in sorted {
                let text = texts.get(at as usize);
                rank += u32::from(before != Some(text));
                before = Some(text);
                ranks[at as usize] = rank;
            }
            (ranks, texts.len())
        }
    };
    let mut ranks = ranks.into_iter();
    for (row, key) in keys.iter_mut().enumerate() {
        let rank = if values.presence.has(row) { ranks.next().unwrap_or_default() } else { 0 };
        *key = key.saturating_mul(count as u64 + 1).saturating_add(u64::from(rank));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{columns::Builder, event::Event};

    fn rows(messages: impl IntoIterator<Item = (i64, String)>) -> Rows {
        let mut builder = Builder::default();
        for (number, (timestamp_ms, message)) in (0..).zip(messages) {
            builder.push(&format!("s{}", number % 3), &Event { timestamp_ms, message }, 0, number);
        }
        builder.take_rows()
    }

    #[test]
    fn performance_records_are_ordered_by_type_task_and_time() {
        let rows = rows((0..80_i64).map(|row| {
            let of = if row % 2 == 0 { "Task" } else { "Container" };
            (
                row / 20,
                format!(r#"{{"Version":"0","Type":"{of}","Zone":"z{}","TaskId":"t{}"}}"#, row % 3 % 2, row / 2 % 10),
            )
        }));
        let columns = choose(&rows);
        assert_eq!(columns, ["Type", "TaskId"]);
        let days = order(&rows, &columns);
        assert_eq!(days.len(), 1);
        let in_order: Vec<u32> = days[0].1.iter().copied().take(5).collect();
        // Containers of task 0, then those of task 1.
        assert_eq!(in_order, [1, 21, 41, 61, 3]);
    }

    #[test]
    fn lines_of_logs_are_ordered_by_stream_and_time() {
        let rows = rows((0..90_i64).map(|row| (1_000 - row, format!("line {row}"))));
        let columns = choose(&rows);
        assert_eq!(columns, ["@logStream"]);
        assert_eq!(order(&rows, &columns)[0].1[..3], [87, 84, 81]);
    }

    #[test]
    fn each_day_has_rows_of_its_own() {
        let rows = rows([(DAY_MS, "b".to_owned()), (-1, "a".to_owned()), (DAY_MS - 1, "c".to_owned())]);
        let days: Vec<(i64, Vec<u32>)> = order(&rows, &[]);
        assert_eq!(days, [(-1, vec![1]), (0, vec![2]), (1, vec![0])]);
    }
}
