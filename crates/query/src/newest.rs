//! Queries that want the newest records and nothing else: the times of all are read first, and of other columns only what is
//! not older than the oldest one wanted.
//!
//! A file is ordered by what its records are about. The newest ones lie all over it, and each column would be read from its
//! beginning to its end before the engine knew which rows count.

use arrow::{array::AsArray, datatypes::TimestampMillisecondType};
use futures::StreamExt;
use insights::{
    Checked,
    ast::{ExprKind, Item, LimitForm, Path, SortKey, Verb},
    rules::Rules,
};
use std::sync::Arc;
use telemetry::{field::TIMESTAMP, snapshot::File};

use crate::{
    engine::Engine,
    error::QueryFailed,
    operation::Setting,
    run::{Request, held, subqueries},
    statistics,
};

/// Files of fewer bytes are read at once as fast as in two steps.
const WORTH_BYTES: u64 = 2 << 20;

/// There have to be so many times more records than are wanted.
const WORTH_TIMES: u64 = 8;

/// Since when the records are that a query wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Newest {
    /// How many it wants.
    pub(crate) records: usize,
    /// As old is the oldest of them.
    pub(crate) from_ms: i64,
    /// How many bytes were read to know.
    pub(crate) bytes: u64,
}

/// How many of the newest records a query wants; nothing, where it depends on more than their times which ones.
fn wanted(checked: &Checked, text: &str, rules: &Rules, request_limit: Option<u64>) -> Option<u64> {
    let query = &checked.query;
    if query.source.is_some() || !subqueries(query).is_empty() {
        return None;
    }
    let mut newest_first = true;
    for command in &query.commands {
        match &command.verb {
            Verb::Fields(items) | Verb::Display(items) if items.iter().all(|item| keeps_the_time(item, text)) => {}
            Verb::Sort(keys) => newest_first = keys.first().is_some_and(|key| is_newest_first(key, rules)),
            Verb::Limit(limit) if newest_first && matches!(limit.form, LimitForm::First | LimitForm::Head) => {
                return Some(limit.rows);
            }
            _ => return None,
        }
    }
    newest_first.then(|| rules.rows(checked.limit, request_limit))
}

/// Whether `@timestamp` still is the time of the record after this.
fn keeps_the_time(item: &Item, text: &str) -> bool {
    item.column_name(text) != TIMESTAMP || (item.name.is_none() && matches!(item.expr.kind, ExprKind::Field(_)))
}

fn is_newest_first(key: &SortKey, rules: &Rules) -> bool {
    key.descending.unwrap_or(rules.sort_descending) && key.expr.kind == ExprKind::Field(Path::named(TIMESTAMP))
}

impl Engine {
    /// Since when the records are that a query wants, where that is worth knowing beforehand.
    pub(crate) async fn newest(
        &self,
        request: &Request,
        checked: &Checked,
        setting: &Arc<Setting>,
    ) -> Result<Option<Newest>, QueryFailed> {
        let Some(rows) = wanted(checked, &request.text, &setting.rules, request.limit) else {
            return Ok(None);
        };
        let read = |file: &&File| file.meets(request.from_ms, request.to_ms);
        let files = || request.groups.iter().flat_map(|group| &group.files).filter(read);
        let (bytes, records) = files().fold((0, 0), |(bytes, rows), file| (bytes + file.bytes, rows + file.rows));
        if bytes < WORTH_BYTES || records < rows.saturating_mul(WORTH_TIMES) || rows == 0 {
            return Ok(None);
        }
        let records = usize::try_from(rows).unwrap_or(usize::MAX);
        self.register_store(request)?;
        let ready = self.physical(&request.planner(setting, Vec::new()).newest_times(records)?).await?;
        let mut stream = ready.stream().map_err(|error| self.failed(&error))?;
        let (mut count, mut from_ms) = (0, request.from_ms);
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(|error| self.failed(&error))?;
            let times = batch.column(0).as_primitive::<TimestampMillisecondType>();
            count += times.len();
            from_ms = times.values().last().copied().unwrap_or(from_ms);
        }
        let bytes = statistics::of_plan(&ready.plan, held(&request.groups)).bytes_scanned;
        Ok((count >= records).then_some(Newest { records, from_ms, bytes }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(text: &str) -> Option<u64> {
        let rules = Rules::default();
        wanted(&insights::compile(text, &rules).unwrap(), text, &rules, None)
    }

    #[test]
    fn queries_that_take_the_newest_records_as_they_are_want_so_many() {
        for text in [
            "fields @timestamp, @message | sort @timestamp desc | limit 7",
            "sort @timestamp desc, a asc | fields a as b | limit 7 | sort b asc",
            "fields toupper(a) | limit 7",
            "fields a | sort b asc | sort @timestamp desc | head 7",
        ] {
            assert_eq!(wants(text), Some(7), "{text}");
        }
        assert_eq!(wants("fields a"), Some(Rules::default().rows(None, None)));
    }

    #[test]
    fn what_depends_on_more_than_times_is_read_in_one_step() {
        for text in [
            "filter a = 1 | limit 7",
            "sort @timestamp asc | limit 7",
            "sort a desc | limit 7",
            "limit any 7",
            "stats count(*) by bin(5m) | limit 7",
            "dedup a | limit 7",
            "fields a as `@timestamp` | sort @timestamp desc | limit 7",
            "SOURCE 'g' | limit 7",
        ] {
            assert_eq!(wants(text), None, "{text}");
        }
    }
}
