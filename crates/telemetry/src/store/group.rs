//! A group of a store, as it lives.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
};

use arrow::record_batch::RecordBatch;

use crate::{
    columns::{Builder, Rows},
    event::Event,
    field::FieldIndex,
    manifest::{Manifest, Stream},
    place::Version,
    shape::Shapes,
    snapshot::{self, BATCH_ROWS, Hold, batches_of},
};

/// A group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) number: u64,
    pub(crate) name: String,
    live: Mutex<Live>,
    /// Held by whoever changes the files of the group; the version of the manifest that it saw last.
    pub(crate) work: tokio::sync::Mutex<Version>,
}

/// What changes while events come in.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) builder: Builder,
    /// Rows that are being written to files.
    pub(crate) frozen: Option<Arc<Frozen>>,
    pub(crate) streams: BTreeMap<String, Stream>,
    /// The last event that was applied.
    pub(crate) last: u64,
    /// When the first event came in that is in no file yet, in milliseconds.
    pub(crate) waiting_since_ms: Option<i64>,
    /// The group was deleted; nothing is taken in any more.
    pub(crate) deleted: bool,
    /// Snapshots, and the generation of the manifest that each has seen.
    holds: Vec<(Weak<()>, u64)>,
    fields: Arc<FieldIndex>,
    shapes: Arc<Vec<Arc<str>>>,
    /// Whole batches of the builder's rows, made for an earlier snapshot.
    batches: Vec<RecordBatch>,
}

/// Rows that no event joins any more.
#[derive(Debug)]
pub(crate) struct Frozen {
    pub(crate) rows: Rows,
    /// The last event of them.
    pub(crate) to: u64,
    pub(crate) since_ms: Option<i64>,
    batches: OnceLock<Vec<RecordBatch>>,
}

impl Group {
    pub(crate) fn new(manifest: Manifest, version: Version) -> Self {
        let shapes = Shapes::of_texts(manifest.shapes.to_vec());
        let live = Live {
            builder: Builder::new((*manifest.fields).clone(), shapes),
            frozen: None,
            streams: manifest.streams.clone(),
            last: manifest.sealed_to,
            waiting_since_ms: None,
            deleted: false,
            holds: Vec::new(),
            fields: Arc::clone(&manifest.fields),
            shapes: Arc::clone(&manifest.shapes),
            batches: Vec::new(),
            manifest: Arc::new(manifest),
        };
        Self {
            number: live.manifest.group,
            name: live.manifest.name.clone(),
            live: Mutex::new(live),
            work: tokio::sync::Mutex::new(version),
        }
    }

    /// What changes. A thread that panicked left it whole: rows are counted last.
    pub(crate) fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds durable events; those of streams that were removed meanwhile are left out.
    pub(crate) fn apply<'a>(
        &self,
        stream: &str,
        events: impl ExactSizeIterator<Item = (i64, &'a str)>,
        ingested_ms: i64,
        first: u64,
    ) -> usize {
        let mut live = self.live();
        let live = &mut *live;
        let before = live.builder.bytes();
        let count = events.len() as u64;
        if count == 0 || live.deleted {
            return 0;
        }
        live.last = first + count - 1;
        if !live.streams.contains_key(stream) {
            return 0;
        }
        let (mut from_ms, mut to_ms) = (i64::MAX, i64::MIN);
        for (number, (timestamp_ms, message)) in (first..).zip(events) {
            from_ms = from_ms.min(timestamp_ms);
            to_ms = to_ms.max(timestamp_ms);
            live.builder.push_message(stream, timestamp_ms, message, ingested_ms, number);
        }
        if let Some(stream) = live.streams.get_mut(stream) {
            stream.note(from_ms, to_ms, ingested_ms);
        }
        live.waiting_since_ms.get_or_insert(ingested_ms);
        live.builder.bytes().saturating_sub(before)
    }

    /// The same for events that are owned.
    pub(crate) fn apply_events(&self, stream: &str, events: &[Event], ingested_ms: i64, first: u64) -> usize {
        self.apply(stream, events.iter().map(|event| (event.timestamp_ms, event.message.as_str())), ingested_ms, first)
    }

    /// The group as a query sees it now.
    pub(crate) fn snapshot(&self, account: &str) -> snapshot::Group {
        let mut live = self.live();
        let live = &mut *live;
        live.refresh_catalog();
        let whole = live.builder.len() / BATCH_ROWS;
        for at in live.batches.len()..whole {
            live.batches.push(live.builder.batch(at * BATCH_ROWS..(at + 1) * BATCH_ROWS));
        }
        let mut batches = Vec::new();
        if let Some(frozen) = &live.frozen {
            batches.extend_from_slice(frozen.batches());
        }
        batches.extend_from_slice(&live.batches);
        batches.extend(batches_of(&live.builder, whole * BATCH_ROWS));
        let held = Arc::new(());
        live.holds.retain(|(hold, _)| hold.strong_count() > 0);
        live.holds.push((Arc::downgrade(&held), live.manifest.generation));
        snapshot::Group {
            name: self.name.clone(),
            account: account.to_owned(),
            created_ms: live.manifest.created_ms,
            fields: Arc::clone(&live.fields),
            shapes: Arc::clone(&live.shapes),
            batches,
            files: live.manifest.files.iter().map(|entry| entry.file.clone()).collect(),
            rollups: {
                let entries = live.manifest.files.iter();
                entries.filter_map(|it| Some((it.file.path.clone(), it.rollups.clone()?))).collect()
            },
            hold: Hold::new(held),
        }
    }
}

impl Frozen {
    fn batches(&self) -> &[RecordBatch] {
        self.batches.get_or_init(|| {
            let rows = self.rows.len;
            (0..rows).step_by(BATCH_ROWS).map(|from| self.rows.batch(from..rows.min(from + BATCH_ROWS))).collect()
        })
    }
}

impl Live {
    /// Makes the lists of fields and shapes current that snapshots and manifests share.
    pub(crate) fn refresh_catalog(&mut self) {
        if self.fields.len() != self.builder.fields().len() {
            self.fields = Arc::new(self.builder.fields().clone());
        }
        if self.shapes.len() != self.builder.shapes().len() {
            self.shapes = Arc::new(self.builder.shapes().texts().to_vec());
        }
    }

    pub(crate) fn fields(&self) -> Arc<FieldIndex> {
        Arc::clone(&self.fields)
    }

    pub(crate) fn shapes(&self) -> Arc<Vec<Arc<str>>> {
        Arc::clone(&self.shapes)
    }

    /// Takes the rows out of the way of new ones, if none are being written already; gives those that are to be written.
    pub(crate) fn freeze(&mut self) -> Option<Arc<Frozen>> {
        if self.frozen.is_none() && !self.builder.is_empty() {
            let rows = self.builder.take_rows();
            self.batches.clear();
            let since_ms = self.waiting_since_ms.take();
            self.frozen = Some(Arc::new(Frozen { rows, to: self.last, since_ms, batches: OnceLock::new() }));
        }
        self.frozen.clone()
    }

    /// The bytes of memory that its rows take.
    pub(crate) fn bytes(&self) -> usize {
        self.builder.bytes() + self.frozen.as_ref().map_or(0, |frozen| frozen.rows.bytes())
    }

    /// Whether a snapshot is in use that has seen an older manifest than this one.
    pub(crate) fn is_held_before(&self, generation: u64) -> bool {
        self.holds.iter().any(|(hold, seen)| *seen < generation && hold.strong_count() > 0)
    }

    /// When the oldest event came in that is in no file, in milliseconds.
    pub(crate) fn oldest_ms(&self) -> Option<i64> {
        self.frozen.as_ref().and_then(|frozen| frozen.since_ms).or(self.waiting_since_ms)
    }
}
