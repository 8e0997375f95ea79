//! The memory of texts, lists and maps that are computed: in the account of all queries from when they are made until the last
//! column that holds them is dropped. Otherwise texts that double with each command would fill the machine before any step
//! that keeps them had counted them.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use arrow::{
    array::{Array, ArrayRef, AsArray, BinaryArray, StringViewArray},
    buffer::Buffer,
    datatypes::DataType,
};
use bytes::Bytes;
use datafusion::{
    common::{DataFusionError, Result},
    execution::memory_pool::{GreedyMemoryPool, MemoryConsumer, MemoryPool, MemoryReservation},
};

/// What is computed for one batch counts from so many bytes on: less is not worth the counting.
const FREE_BYTES: usize = 256 << 10;

/// So many bytes are reserved together.
const STEP_BYTES: usize = 256 << 10;

/// What plans may compute at a time that were read from bytes, so that nobody has said what they may.
const UNTOLD_BYTES: usize = 64 << 20;

/// The memory that queries have together. Part of what a query knows, and not of what it means: all accounts are equal.
#[derive(Clone)]
pub(crate) struct Account(Arc<dyn MemoryPool>);

impl Account {
    pub(crate) fn of(pool: &Arc<dyn MemoryPool>) -> Self {
        Self(Arc::clone(pool))
    }

    /// Begins to count what is computed for one batch; `name` says what it is, should it be too much.
    pub(super) fn open(&self, name: impl FnOnce() -> String) -> Computed<'_, impl FnOnce() -> String> {
        Computed { pool: &self.0, name: Some(name), reserved: None, bytes: 0, refused: None }
    }
}

impl Default for Account {
    fn default() -> Self {
        Self(Arc::new(GreedyMemoryPool::new(UNTOLD_BYTES)))
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Account")
    }
}

impl PartialEq for Account {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Account {}

impl Hash for Account {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// What was computed for one batch so far.
pub(super) struct Computed<'a, N> {
    pool: &'a Arc<dyn MemoryPool>,
    name: Option<N>,
    reserved: Option<MemoryReservation>,
    bytes: usize,
    refused: Option<DataFusionError>,
}

impl<N: FnOnce() -> String> Computed<'_, N> {
    /// Counts so many bytes more. Whether there is memory for them; if not, there is none for any others.
    pub(super) fn has_room(&mut self, bytes: usize) -> bool {
        if self.refused.is_some() {
            return false;
        }
        self.bytes += bytes;
        if self.bytes <= FREE_BYTES + self.reserved.as_ref().map_or(0, MemoryReservation::size) {
            return true;
        }
        if let Some(name) = self.name.take() {
            self.reserved = Some(MemoryConsumer::new(name()).register(self.pool));
        }
        let Some(reserved) = &self.reserved else { return true };
        let wanted = (self.bytes - FREE_BYTES - reserved.size()).next_multiple_of(STEP_BYTES);
        match reserved.try_grow(wanted) {
            Ok(()) => true,
            Err(error) => {
                self.refused = Some(error);
                false
            }
        }
    }

    /// The column that holds all of it, which counts as long as it lives.
    ///
    /// # Errors
    /// If there was no room.
    pub(super) fn kept_by(self, column: ArrayRef) -> Result<ArrayRef> {
        if let Some(refused) = self.refused {
            return Err(refused);
        }
        let Some(reserved) = self.reserved.map(Arc::new) else { return Ok(column) };
        let held = |buffer: &Buffer| {
            let held = Held { buffer: buffer.clone(), _reserved: Arc::clone(&reserved) };
            Buffer::from(Bytes::from_owner(held))
        };
        Ok(match column.data_type() {
            DataType::Utf8View => {
                let (views, buffers, nulls) = column.as_string_view().clone().into_parts();
                let buffers: Vec<Buffer> = buffers.iter().map(held).collect();
                Arc::new(StringViewArray::try_new(views, buffers, nulls)?)
            }
            DataType::Binary => {
                let (offsets, values, nulls) = column.as_binary::<i32>().clone().into_parts();
                Arc::new(BinaryArray::try_new(offsets, held(&values), nulls)?)
            }
            _ => column,
        })
    }
}

/// Bytes and what was reserved for them, and for others of the same column.
struct Held {
    buffer: Buffer,
    _reserved: Arc<MemoryReservation>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        self.buffer.as_slice()
    }
}

#[cfg(test)]
mod tests {
    use insights::value::Value;

    use super::*;
    use crate::{
        cells::{self, Cells},
        kind::Kind,
    };

    #[test]
    fn what_is_computed_counts_until_its_last_column_is_dropped() {
        for kind in [Kind::Text, Kind::Any] {
            let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(8 << 20));
            let account = Account::of(&pool);
            let mut computed = account.open(|| "texts".to_owned());
            let values = (0..1_000).map(|number| Value::from("x".repeat(1_000 + number).as_str())).collect::<Vec<_>>();
            for value in &values {
                assert!(matches!(value, Value::Text(text) if computed.has_room(text.len())));
            }
            let column = computed.kept_by(cells::column(kind, values.clone().into_iter())).unwrap();
            let part = column.slice(10, 1);
            drop(column);
            assert!((1 << 20..3 << 20).contains(&pool.reserved()), "{}", pool.reserved());
            assert_eq!(Cells::of(part.as_ref()).unwrap().value(0), values[10]);
            drop(part);
            assert_eq!(pool.reserved(), 0);
        }
    }

    #[test]
    fn what_is_too_much_is_refused_by_name_and_gives_back_what_it_had() {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(1 << 20));
        let account = Account::of(&pool);
        let mut computed = account.open(|| "texts of `concat(a, a)`".to_owned());
        assert!(computed.has_room(1 << 20) && !computed.has_room(1 << 20) && !computed.has_room(1));
        let error = computed.kept_by(cells::column(Kind::Text, [Value::Null].into_iter())).unwrap_err();
        assert!(error.to_string().contains("texts of `concat(a, a)`"), "{error}");
        assert_eq!(pool.reserved(), 0);
    }
}
