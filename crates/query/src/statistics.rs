//! What a query read, and what it did not have to read.

use std::sync::Arc;

use datafusion::{
    datasource::{memory::MemorySourceConfig, source::DataSourceExec},
    physical_plan::{ExecutionPlan, filter::FilterExec, metrics::MetricsSet},
};
use serde::Serialize;

/// What a query read, as GetQueryResults tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Statistics {
    /// How many records passed the filters.
    pub records_matched: u64,
    /// How many records were looked at.
    pub records_scanned: u64,
    /// How many bytes of files and memory were read.
    pub bytes_scanned: u64,
    /// How many records of the groups did not have to be looked at.
    pub estimated_records_skipped: u64,
    /// How many bytes they have.
    pub estimated_bytes_skipped: u64,
    /// How many log groups were queried.
    pub log_groups_scanned: u64,
}

/// How many records and bytes the groups of a query have at all.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Held {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) groups: u64,
}

/// What the scans of a running or ended plan have read so far.
pub(crate) fn of_plan(plan: &Arc<dyn ExecutionPlan>, held: Held) -> Statistics {
    let mut statistics = Statistics { log_groups_scanned: held.groups, ..Statistics::default() };
    collect(plan, None, &mut statistics);
    statistics.estimated_records_skipped = held.records.saturating_sub(statistics.records_scanned);
    statistics.estimated_bytes_skipped = held.bytes.saturating_sub(statistics.bytes_scanned);
    statistics
}

/// Goes down to the scans; `filtered` is what the lowest filter above let through.
fn collect(plan: &Arc<dyn ExecutionPlan>, filtered: Option<u64>, statistics: &mut Statistics) {
    let rows = |metrics: Option<MetricsSet>| metrics.and_then(|it| it.output_rows()).unwrap_or(0) as u64;
    if plan.children().is_empty() {
        if (plan.as_ref() as &dyn std::any::Any).downcast_ref::<DataSourceExec>().is_some() {
            let metrics = plan.metrics();
            let count =
                |name: &str| metrics.as_ref().and_then(|it| it.sum_by_name(name)).map_or(0, |it| it.as_usize()) as u64;
            let given = in_memory(plan).unwrap_or_else(|| rows(plan.metrics()));
            statistics.records_scanned += given + count("pushdown_rows_pruned");
            statistics.bytes_scanned += count("bytes_scanned");
            statistics.records_matched += filtered.unwrap_or(given);
        }
        return;
    }
    let is_filter = (plan.as_ref() as &dyn std::any::Any).downcast_ref::<FilterExec>().is_some();
    // Between a scan and the first node that has several rows in one there are only filters and what changes no row.
    let passes = is_filter || (plan.children().len() == 1 && passes_rows(plan.name()));
    let filtered = match (is_filter, passes) {
        (true, _) => filtered.or_else(|| Some(rows(plan.metrics()))),
        (false, true) => filtered,
        (false, false) => None,
    };
    for child in plan.children() {
        collect(child, filtered, statistics);
    }
}

/// How many rows a scan has that reads none but those in memory, of which the engine keeps no count.
fn in_memory(plan: &Arc<dyn ExecutionPlan>) -> Option<u64> {
    let scan = (plan.as_ref() as &dyn std::any::Any).downcast_ref::<DataSourceExec>()?;
    let memory = (scan.data_source().as_ref() as &dyn std::any::Any).downcast_ref::<MemorySourceConfig>()?;
    Some(memory.partitions().iter().flatten().map(|batch| batch.num_rows() as u64).sum())
}

fn passes_rows(name: &str) -> bool {
    matches!(
        name,
        "ProjectionExec" | "RepartitionExec" | "CoalesceBatchesExec" | "CooperativeExec" | "CoalescePartitionsExec"
    )
}
