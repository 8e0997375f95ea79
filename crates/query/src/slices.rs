//! Lists are made for few rows at a time: a list of hundreds of elements for each of the thousands of rows that go through a
//! plan together would be millions of elements before the first of them is a row of its own.

use std::{fmt, sync::Arc};

use arrow::record_batch::RecordBatch;
use datafusion::{
    common::{
        Result,
        config::ConfigOptions,
        internal_err,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    execution::{SendableRecordBatchStream, TaskContext},
    physical_expr::PhysicalExpr,
    physical_optimizer::PhysicalOptimizerRule,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
        execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions},
        projection::ProjectionExec,
        repartition::RepartitionExec,
        stream::RecordBatchStreamAdapter,
        unnest::UnnestExec,
    },
};
use futures::{StreamExt, stream};

/// So many rows go together where lists are made of them.
const ROWS_MAX: usize = 64;
/// Fewer, if they hold so many bytes; these many rows always do, since rows that are cut out of others seem to hold those too.
const BYTES: usize = 1 << 20;
const ROWS_MIN: usize = 8;

/// What is put in between changes nothing of what a plan knows of its input.
const SAME: ReplaceChildrenOptions = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);

/// Puts [`SlicesExec`] below the step that makes the lists of an unnest.
#[derive(Debug)]
pub(crate) struct SlicedLists;

impl PhysicalOptimizerRule for SlicedLists {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let sliced = plan.transform_up(|plan| match plan.downcast_ref::<UnnestExec>().map(UnnestExec::input) {
            Some(lists) => {
                let lists = sliced(lists)?;
                Ok(Transformed::yes(plan.replace_children(vec![lists], SAME)?))
            }
            None => Ok(Transformed::no(plan)),
        });
        Ok(sliced?.data)
    }

    fn name(&self) -> &'static str {
        "sliced_lists"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The same plan, where the projection on top of it is given few rows at a time.
fn sliced(plan: &Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let [input] = plan.children()[..] else { return Ok(Arc::clone(plan)) };
    let input: Arc<dyn ExecutionPlan> = if plan.is::<ProjectionExec>() {
        Arc::new(SlicesExec { input: Arc::clone(input) })
    } else if plan.is::<RepartitionExec>() {
        sliced(input)?
    } else {
        return Ok(Arc::clone(plan));
    };
    Arc::clone(plan).replace_children(vec![input], SAME)
}

/// The same rows, few at a time.
#[derive(Debug)]
struct SlicesExec {
    input: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for SlicesExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SlicesExec: at most {ROWS_MAX} rows")
    }
}

impl ExecutionPlan for SlicesExec {
    fn name(&self) -> &'static str {
        "SlicesExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match children.pop() {
            Some(input) if children.is_empty() => Ok(Arc::new(Self { input })),
            _ => internal_err!("SlicesExec has one input"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let batches = self.input.execute(partition, context)?;
        let slices = batches.flat_map(|batch| match batch {
            Ok(batch) => stream::iter(slices(&batch).map(Ok).collect::<Vec<_>>()),
            Err(error) => stream::iter(vec![Err(error)]),
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), slices)))
    }
}

fn slices(batch: &RecordBatch) -> impl Iterator<Item = RecordBatch> {
    let rows = batch.num_rows();
    let row_bytes = batch.get_array_memory_size() / rows.max(1);
    let together = (BYTES / row_bytes.max(1)).clamp(ROWS_MIN, ROWS_MAX);
    (0..rows).step_by(together).map(move |from| batch.slice(from, together.min(rows - from)))
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    fn lengths(columns: Vec<(&str, ArrayRef)>) -> Vec<usize> {
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let all: Vec<RecordBatch> = slices(&batch).collect();
        assert_eq!(arrow::compute::concat_batches(&batch.schema(), &all).unwrap(), batch);
        all.iter().map(RecordBatch::num_rows).collect()
    }

    #[test]
    fn rows_are_cut_into_few_and_fewer_where_they_are_long() {
        let numbers: ArrayRef = Arc::new((0..130).collect::<Int64Array>());
        assert_eq!(lengths(vec![("n", numbers)]), [64, 64, 2]);
        let long: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(1 << 20); 17]));
        assert_eq!(lengths(vec![("long", long)]), [8, 8, 1]);
        assert_eq!(lengths(vec![("none", Arc::new(Int64Array::from(Vec::<i64>::new())))]), [0; 0]);
    }
}
