//! The rows of a group as a table: either those in memory or those in files.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, new_null_array},
    compute::cast,
    datatypes::{Schema, SchemaRef},
    record_batch::{RecordBatch, RecordBatchOptions},
};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::{Result, ScalarValue, Statistics, plan_err, stats::Precision},
    datasource::{
        TableType,
        listing::PartitionedFile,
        memory::MemorySourceConfig,
        object_store::ObjectStoreUrl,
        physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource, parquet::CachedParquetFileReaderFactory},
        source::DataSourceExec,
    },
    logical_expr::Expr,
    physical_plan::ExecutionPlan,
};
use telemetry::{
    field::TIMESTAMP,
    snapshot::{File, Group},
};
use url::Url;

/// Rows of one group, all in memory or all in files.
#[derive(Clone, Debug)]
pub(crate) struct Scan {
    pub(crate) schema: SchemaRef,
    pub(crate) part: Part,
    /// Whether all of its rows are known to lie in the time that is asked about, so that nobody has to look.
    pub(crate) is_within: bool,
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
        let mut files: Vec<File> = group.files.iter().filter(|file| file.meets(from_ms, to_ms)).cloned().collect();
        files.sort_by_key(|file| std::cmp::Reverse(file.to_ms));
        let scan = |part, is_within| Self { schema: Arc::clone(schema), part, is_within };
        let mut scans = Vec::new();
        match root {
            Some(root) => {
                let (within, across): (Vec<File>, Vec<File>) =
                    files.into_iter().partition(|file| file.from_ms >= from_ms && file.to_ms <= to_ms);
                for (files, is_within) in [(within, true), (across, false)] {
                    if !files.is_empty() {
                        scans.push(scan(Part::Files(root.clone(), files), is_within));
                    }
                }
            }
            None if !files.is_empty() => {
                return plan_err!("the log group `{}` has files, and it is not known where they are", group.name);
            }
            None => {}
        }
        if scans.is_empty() || !group.batches.is_empty() {
            scans.push(scan(Part::Memory(group.batches.clone()), false));
        }
        Ok(scans)
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
                let url = object_store_url(root)?;
                let runtime = state.runtime_env();
                let metadata = runtime.cache_manager.get_file_metadata_cache();
                let readers = CachedParquetFileReaderFactory::new(runtime.object_store(&url)?, metadata);
                let source = ParquetSource::new(Arc::clone(&self.schema))
                    .with_table_parquet_options(state.table_options().parquet.clone())
                    .with_parquet_file_reader_factory(Arc::new(readers));
                let partitions = state.config().target_partitions().max(1);
                let mut dealt = vec![Vec::new(); partitions.min(files.len())];
                let count = dealt.len();
                for (number, file) in files.iter().enumerate() {
                    let known = Arc::new(self.statistics_of(file));
                    dealt[number % count]
                        .push(PartitionedFile::new(file.path.clone(), file.bytes).with_statistics(known));
                }
                let config = FileScanConfigBuilder::new(url, Arc::new(source))
                    .with_file_groups(dealt.into_iter().map(FileGroup::new).collect())
                    .with_projection_indices(projection.cloned())?
                    .with_limit(limit)
                    .build();
                Ok(DataSourceExec::from_data_source(config))
            }
        }
    }
}

impl Scan {
    /// What the manifest says of a file: enough to pass over it when the newest rows are wanted and newer ones are known.
    fn statistics_of(&self, file: &File) -> Statistics {
        let time = |millis| Precision::Exact(ScalarValue::TimestampMillisecond(Some(millis), None));
        let mut known = Statistics::new_unknown(&self.schema);
        known.num_rows = Precision::Exact(usize::try_from(file.rows).unwrap_or(usize::MAX));
        if let Ok(place) = self.schema.index_of(TIMESTAMP) {
            known.column_statistics[place].min_value = time(file.from_ms);
            known.column_statistics[place].max_value = time(file.to_ms);
            known.column_statistics[place].null_count = Precision::Exact(0);
        }
        known
    }
}

/// The URL by which DataFusion finds the object store of a root. Paths of files are below the root, so that two roots are two
/// stores, although they may be on one disk or in one bucket.
pub(crate) fn object_store_url(root: &Url) -> Result<ObjectStoreUrl> {
    let mut hasher = std::hash::DefaultHasher::new();
    root.as_str().hash(&mut hasher);
    ObjectStoreUrl::parse(format!("muster://{:016x}", hasher.finish()))
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
