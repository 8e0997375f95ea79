//! The rows of a group as a table: either those in memory or those in files.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, new_null_array},
    compute::cast,
    datatypes::{Schema, SchemaRef},
    record_batch::{RecordBatch, RecordBatchOptions},
};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::{Result, plan_err},
    datasource::{
        TableType,
        listing::PartitionedFile,
        memory::MemorySourceConfig,
        object_store::ObjectStoreUrl,
        physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource},
        source::DataSourceExec,
    },
    logical_expr::Expr,
    physical_plan::ExecutionPlan,
};
use telemetry::snapshot::{File, Group};
use url::Url;

/// Rows of one group, all in memory or all in files.
#[derive(Clone, Debug)]
pub(crate) struct Scan {
    pub(crate) schema: SchemaRef,
    pub(crate) part: Part,
}

/// Where the rows are.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// In memory.
    Memory(Vec<RecordBatch>),
    /// In files below this root, the newest first.
    Files(Url, Vec<File>),
}

impl Scan {
    /// The rows of a group in a span of time, both ends included: at least one part, which may be empty.
    ///
    /// # Errors
    /// If there are files and nobody said where.
    pub(crate) fn of_group(
        group: &Group,
        schema: &SchemaRef,
        root: Option<&Url>,
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Vec<Self>> {
        let mut files: Vec<File> =
            group.files.iter().filter(|file| file.to_ms >= from_ms && file.from_ms <= to_ms).cloned().collect();
        files.sort_by_key(|file| std::cmp::Reverse(file.to_ms));
        let mut parts = Vec::new();
        match root {
            Some(root) if !files.is_empty() => parts.push(Part::Files(root.clone(), files)),
            None if !files.is_empty() => {
                return plan_err!("the log group `{}` has files, and it is not known where they are", group.name);
            }
            _ => {}
        }
        if parts.is_empty() || !group.batches.is_empty() {
            parts.push(Part::Memory(group.batches.clone()));
        }
        Ok(parts.into_iter().map(|part| Self { schema: Arc::clone(schema), part }).collect())
    }
}

#[async_trait]
impl TableProvider for Scan {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match &self.part {
            Part::Memory(batches) => {
                let schema = match projection {
                    Some(indices) => Arc::new(self.schema.project(indices)?),
                    None => Arc::clone(&self.schema),
                };
                let read = batches.iter().map(|batch| conformed(batch, &schema)).collect::<Result<Vec<_>>>()?;
                let partitions = state.config().target_partitions().clamp(1, read.len().max(1));
                let mut dealt = vec![Vec::new(); partitions];
                for (number, batch) in read.into_iter().enumerate() {
                    dealt[number % partitions].push(batch);
                }
                let source = MemorySourceConfig::try_new(&dealt, schema, None)?.with_limit(limit);
                Ok(DataSourceExec::from_data_source(source))
            }
            Part::Files(root, files) => {
                let source = ParquetSource::new(Arc::clone(&self.schema))
                    .with_table_parquet_options(state.table_options().parquet.clone());
                let partitions = state.config().target_partitions().max(1);
                let mut dealt = vec![Vec::new(); partitions.min(files.len())];
                let count = dealt.len();
                for (number, file) in files.iter().enumerate() {
                    dealt[number % count].push(PartitionedFile::new(file.path.clone(), file.bytes));
                }
                let config = FileScanConfigBuilder::new(object_store_url(root)?, Arc::new(source))
                    .with_file_groups(dealt.into_iter().map(FileGroup::new).collect())
                    .with_projection_indices(projection.cloned())?
                    .with_limit(limit)
                    .build();
                Ok(DataSourceExec::from_data_source(config))
            }
        }
    }
}

/// The part of a URL by which DataFusion finds an object store.
pub(crate) fn object_store_url(root: &Url) -> Result<ObjectStoreUrl> {
    let mut base = root.clone();
    base.set_path("");
    base.set_query(None);
    base.set_fragment(None);
    ObjectStoreUrl::parse(base.as_str())
}

/// A batch with exactly these columns: absent ones null, others of the wanted type.
pub(crate) fn conformed(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns: Vec<ArrayRef> = schema
        .fields()
        .iter()
        .map(|field| match batch.column_by_name(field.name()) {
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
            Some(column) => Ok(cast(column, field.data_type())?),
        })
        .collect::<Result<_>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::clone(schema)), columns, &options)?)
}
