//! Plans as bytes and back: DataFusion's own nodes and functions by their names, ours by what they say of themselves.

use std::{any::Any, io::Cursor, sync::Arc};

use arrow::{datatypes::SchemaRef, record_batch::RecordBatch};
use datafusion::{
    arrow::ipc::{reader::StreamReader, writer::StreamWriter},
    catalog::TableProvider,
    common::{Result, TableReference, exec_datafusion_err, not_impl_err},
    execution::TaskContext,
    logical_expr::{AggregateUDF, Extension, LogicalPlan, ScalarUDF},
};
use datafusion_proto::{
    bytes::{logical_plan_from_bytes_with_extension_codec, logical_plan_to_bytes_with_extension_codec},
    logical_plan::LogicalExtensionCodec,
};
use serde::{Deserialize, Serialize};
use telemetry::snapshot::File;
use url::Url;

use crate::{
    aggregate, operation,
    scan::{Part, Scan, conformed},
};

/// Writes plans of queries down, and reads them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Codec;

/// The rows of a scan, written down.
#[derive(Serialize, Deserialize)]
enum Rows {
    /// Batches in Arrow's stream format.
    Memory(Vec<u8>),
    /// Files below a root.
    Files(String, Vec<File>),
}

/// A plan as bytes.
///
/// # Errors
/// If it has a node that cannot be written down.
pub fn to_bytes(plan: &LogicalPlan) -> Result<Vec<u8>> {
    Ok(logical_plan_to_bytes_with_extension_codec(plan, &Codec)?.to_vec())
}

/// The plan that was written down.
///
/// # Errors
/// If the bytes are none, or name a function that is not known.
pub fn from_bytes(bytes: &[u8], context: &TaskContext) -> Result<LogicalPlan> {
    logical_plan_from_bytes_with_extension_codec(bytes, context, &Codec)
}

fn written<T: Serialize>(it: &T, to: &mut Vec<u8>) -> Result<()> {
    serde_json::to_writer(to, it)
        .map_err(|error| exec_datafusion_err!("a part of the plan cannot be written down: {error}"))
}

fn read<'b, T: Deserialize<'b>>(bytes: &'b [u8], what: &str) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| exec_datafusion_err!("the plan's {what} cannot be read: {error}"))
}

impl LogicalExtensionCodec for Codec {
    fn try_decode(&self, _: &[u8], _: &[LogicalPlan], _: &TaskContext) -> Result<Extension> {
        not_impl_err!("plans of queries have no nodes of their own")
    }

    fn try_encode(&self, node: &Extension, _: &mut Vec<u8>) -> Result<()> {
        not_impl_err!("a node that is not known: {node:?}")
    }

    fn try_decode_table_provider(
        &self,
        bytes: &[u8],
        _: &TableReference,
        schema: SchemaRef,
        _: &TaskContext,
    ) -> Result<Arc<dyn TableProvider>> {
        let part = match read(bytes, "rows")? {
            Rows::Files(root, files) => {
                let root = Url::parse(&root)
                    .map_err(|error| exec_datafusion_err!("`{root}` is no place of files: {error}"))?;
                Part::Files(root, files)
            }
            Rows::Memory(bytes) => {
                let batches = StreamReader::try_new(Cursor::new(bytes), None)?;
                Part::Memory(batches.collect::<std::result::Result<_, _>>()?)
            }
        };
        Ok(Arc::new(Scan { schema, part, is_within: false }))
    }

    fn try_encode_table_provider(
        &self,
        table: &TableReference,
        provider: Arc<dyn TableProvider>,
        to: &mut Vec<u8>,
    ) -> Result<()> {
        let Some(scan) = (provider.as_ref() as &dyn Any).downcast_ref::<Scan>() else {
            return not_impl_err!("the table {table} is none of ours");
        };
        let rows = match &scan.part {
            Part::Files(root, files) => Rows::Files(root.to_string(), files.clone()),
            Part::Memory(batches) => {
                let mut writer = StreamWriter::try_new(Vec::new(), &scan.schema)?;
                for batch in batches {
                    let batch: RecordBatch = conformed(batch, &scan.schema)?;
                    writer.write(&batch)?;
                }
                Rows::Memory(writer.into_inner()?)
            }
        };
        written(&rows, to)
    }

    fn try_decode_udf(&self, name: &str, bytes: &[u8]) -> Result<Arc<ScalarUDF>> {
        if bytes.is_empty() {
            return not_impl_err!("the function `{name}` is not known");
        }
        Ok(Arc::new(read::<operation::Function>(bytes, "function")?.into_udf()))
    }

    fn try_encode_udf(&self, function: &ScalarUDF, to: &mut Vec<u8>) -> Result<()> {
        match function.inner().downcast_ref::<operation::Function>() {
            Some(function) => written(function, to),
            None => Ok(()),
        }
    }

    fn try_decode_udaf(&self, name: &str, bytes: &[u8]) -> Result<Arc<AggregateUDF>> {
        if bytes.is_empty() {
            return not_impl_err!("the aggregate `{name}` is not known");
        }
        Ok(Arc::new(AggregateUDF::from(read::<aggregate::Function>(bytes, "aggregate")?)))
    }

    fn try_encode_udaf(&self, function: &AggregateUDF, to: &mut Vec<u8>) -> Result<()> {
        match function.inner().downcast_ref::<aggregate::Function>() {
            Some(function) => written(function, to),
            None => Ok(()),
        }
    }
}
