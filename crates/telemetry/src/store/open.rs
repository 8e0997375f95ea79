//! Opening a store: manifests, then what the log holds beyond them.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicBool, AtomicUsize},
    },
};

use url::Url;

use super::{Inner, Store, StoreConfig, StoreError, by_number, group::Group};
use crate::{
    manifest::{GROUPS, MANIFEST, Manifest, VERSION},
    place::{Place, S3},
    wal::{EventsBody, Kind, Note, Replay, Usage, Wal, WalConfig, open_all, read_all},
};

/// The directory of the log within that of the store.
const WAL_DIR: &str = "wal";
/// Objects that no manifest names are removed when the store is opened, if they are older than this, in milliseconds.
const ORPHAN_AGE_MS: i64 = 3_600_000;

/// What was found when a store was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// What was found in the log.
    pub log: Replay,
    /// Events that were in the log and in no file.
    pub events: u64,
    /// Records of the log that belong to groups or streams that were removed, or cannot be understood.
    pub ignored: u64,
}

impl Store {
    /// Opens a store for writing, and makes it if there is none.
    ///
    /// Batches that were being written when the process ended are cut off the log; damaged pieces of it are set aside and counted
    /// in [`Store::opened`].
    ///
    /// # Errors
    /// When the directory cannot be used, another process has it open, or a manifest or the log cannot be read.
    pub async fn open(config: StoreConfig, now_ms: i64) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Directory { dir: config.dir.clone(), source };
        let wal_dir = config.dir.join(WAL_DIR);
        fs::create_dir_all(&wal_dir).map_err(failed)?;
        let lock = File::create(config.dir.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Taken(config.dir.clone())),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let place = match &config.url {
            Some(url) => Place::of_url(url, &config.s3)?,
            None => Place::directory(&config.dir)?,
        };
        if !place.is_guarded().await? {
            tracing::warn!(
                "this object store replaces objects whatever condition a put has: nothing keeps two processes apart that write \
                 into one store, so see that there is one"
            );
        }
        Self::open_at(config, place, Some(lock), now_ms).await
    }

    /// Opens a store on any object store, with its log in the directory of the configuration. For tests and embedding.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_on(
        config: StoreConfig,
        files: Arc<dyn object_store::ObjectStore>,
        root: Url,
        now_ms: i64,
    ) -> Result<Self, StoreError> {
        fs::create_dir_all(config.dir.join(WAL_DIR))
            .map_err(|source| StoreError::Directory { dir: config.dir.clone(), source })?;
        Self::open_at(config, Place::remote(files, root), None, now_ms).await
    }

    async fn open_at(config: StoreConfig, place: Place, lock: Option<File>, now_ms: i64) -> Result<Self, StoreError> {
        let wal_dir = config.dir.join(WAL_DIR);
        let groups = read_groups(&place).await?;
        let log = read_log(&wal_dir, &groups, true)?;
        let next = groups.values().map(|group| group.live().last + 1).fold(log.next.max(1), u64::max);
        let wal = WalConfig { dir: wal_dir, segment_bytes: config.segment_bytes, reserve_bytes: config.reserve_bytes };
        let wal = Wal::start(wal, log.segments, next)?;
        let numbers = by_number(&groups);
        for group in groups.values() {
            wal.sealed(group.number, group.live().manifest.sealed_to);
        }
        for group in log.groups {
            if !numbers.contains_key(&group) {
                wal.sealed(group, u64::MAX);
            }
        }
        remove_orphans(&place, &groups, now_ms).await;
        Ok(Self::assemble(config, place, Some(wal), groups, log.opened, lock))
    }

    /// Opens a store that another process may be writing: nothing of it is changed.
    ///
    /// It is seen as it is now. Of a store with a URL only what is in files is seen, unless `dir` has its log.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub async fn open_read_only(dir: Option<&Path>, url: Option<&Url>) -> Result<Self, StoreError> {
        Self::open_read_only_with(dir, url, &S3::default()).await
    }

    /// The same, where S3 is reached as this says.
    ///
    /// # Errors
    /// As [`Store::open_read_only`].
    pub async fn open_read_only_with(dir: Option<&Path>, url: Option<&Url>, s3: &S3) -> Result<Self, StoreError> {
        let dir = dir.unwrap_or(Path::new(""));
        let place = match url {
            Some(url) => Place::of_url(url, s3)?,
            None => Place::directory(dir)?,
        };
        let wal_dir = dir.join(WAL_DIR);
        // What is opened now can be read even if it is sealed and removed before the manifests are read.
        let segments = if dir.as_os_str().is_empty() { Vec::new() } else { open_all(&wal_dir)? };
        let groups = read_groups(&place).await?;
        let log = read_segments(segments, &groups, false)?;
        let config = StoreConfig { url: url.cloned(), ..StoreConfig::new(dir) };
        Ok(Self::assemble(config, place, None, groups, log.opened, None))
    }

    fn assemble(
        config: StoreConfig,
        place: Place,
        wal: Option<Wal>,
        groups: BTreeMap<String, Arc<Group>>,
        opened: Opened,
        lock: Option<File>,
    ) -> Self {
        let memory = groups.values().map(|group| group.live().bytes()).sum();
        let inner = Inner {
            config,
            place,
            wal,
            groups: RwLock::new(groups),
            making: tokio::sync::Mutex::default(),
            memory: AtomicUsize::new(memory),
            relieving: AtomicBool::default(),
            relieved: tokio::sync::Notify::new(),
            trouble: Mutex::default(),
            opened,
            writer: std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0),
            _lock: lock,
        };
        Self { inner: Arc::new(inner) }
    }
}

async fn read_groups(place: &Place) -> Result<BTreeMap<String, Arc<Group>>, StoreError> {
    let mut groups = BTreeMap::new();
    for folder in place.folders(GROUPS).await? {
        let path = format!("{folder}/{MANIFEST}");
        // A folder without a manifest is what is left of a group that was removed.
        let Some((bytes, version)) = place.get(&path).await? else { continue };
        let manifest: Manifest = serde_json::from_slice(&bytes)
            .map_err(|error| StoreError::Manifest { path: path.clone(), what: error.to_string() })?;
        if manifest.version != VERSION {
            let what = format!("its format is {}, and this is {VERSION}", manifest.version);
            return Err(StoreError::Manifest { path, what });
        }
        // Of two with one name the making of one was never acknowledged: the one that nothing came of.
        let further = |known: &Arc<Group>| {
            let generation = known.live().manifest.generation;
            (generation, known.number) < (manifest.generation, manifest.group)
        };
        if groups.get(&manifest.name).is_none_or(further) {
            groups.insert(manifest.name.clone(), Arc::new(Group::new(manifest, version)));
        }
    }
    Ok(groups)
}

struct Log {
    opened: Opened,
    segments: Vec<Usage>,
    /// All groups that the log mentions.
    groups: Vec<u64>,
    next: u64,
}

fn read_log(dir: &Path, groups: &BTreeMap<String, Arc<Group>>, repair: bool) -> Result<Log, StoreError> {
    read_segments(open_all(dir)?, groups, repair)
}

fn read_segments(
    segments: Vec<crate::wal::OpenedSegment>,
    groups: &BTreeMap<String, Arc<Group>>,
    repair: bool,
) -> Result<Log, StoreError> {
    let numbers = by_number(groups);
    let mut usages: BTreeMap<PathBuf, Usage> = BTreeMap::new();
    let mut next = 0;
    for segment in &segments {
        next = next.max(segment.first);
        let bytes = fs::metadata(&segment.path).map_or(0, |it| it.len());
        usages.insert(segment.path.clone(), Usage { path: segment.path.clone(), bytes, last: HashMap::new() });
    }
    let mut opened = Opened::default();
    let mut mentioned = Vec::new();
    opened.log = read_all(segments, repair, |path, head, body| {
        let last = head.first + u64::from(head.count.max(1)) - 1;
        next = next.max(last + 1);
        let Some(group) = replay(&numbers, head.kind, head.first, head.count, body, &mut opened) else {
            opened.ignored += 1;
            return;
        };
        mentioned.push(group);
        if let Some(usage) = usages.get_mut(path) {
            usage.last.insert(group, last);
        }
    })?;
    mentioned.sort_unstable();
    mentioned.dedup();
    Ok(Log { opened, segments: usages.into_values().collect(), groups: mentioned, next })
}

/// Applies a record that is in no file; gives its group, or nothing if it cannot be understood.
fn replay(
    groups: &HashMap<u64, Arc<Group>>,
    kind: Kind,
    first: u64,
    count: u32,
    body: &[u8],
    opened: &mut Opened,
) -> Option<u64> {
    match kind {
        Kind::Events => {
            let body = EventsBody::of_bytes(body, count)?;
            match groups.get(&body.group) {
                Some(group) if first <= group.live().manifest.sealed_to => {}
                Some(group) if group.live().streams.contains_key(body.stream) => {
                    opened.events += u64::from(count);
                    let events = body.events.iter().map(|(timestamp_ms, message)| (*timestamp_ms, message.as_str()));
                    group.apply(body.stream, events, body.ingested_ms, first);
                }
                _ => opened.ignored += 1,
            }
            Some(body.group)
        }
        Kind::Note => match serde_json::from_slice(body).ok()? {
            Note::Group { group } => Some(group),
            Note::Stream { group, stream, created_ms } => {
                if let Some(known) = groups.get(&group) {
                    let mut live = known.live();
                    if first > live.manifest.sealed_to {
                        live.last = live.last.max(first);
                        live.streams.entry(stream).or_default().created_ms = created_ms;
                    }
                }
                Some(group)
            }
        },
    }
}

/// Removes objects that were written and then not put into a manifest, because the process ended.
async fn remove_orphans(place: &Place, groups: &BTreeMap<String, Arc<Group>>, now_ms: i64) {
    let mut named = std::collections::HashSet::new();
    for group in groups.values() {
        let manifest = Arc::clone(&group.live().manifest);
        named.insert(manifest.path());
        named.extend(manifest.files.iter().flat_map(|entry| entry.paths().cloned()));
        named.extend(manifest.removed.iter().map(|removed| removed.path.clone()));
    }
    let objects = place.objects(GROUPS).await.unwrap_or_default();
    for (path, changed_ms) in objects {
        if !named.contains(&path) && changed_ms < now_ms - ORPHAN_AGE_MS {
            match place.remove(&path).await {
                Ok(()) => tracing::info!(path, "removed a file that no manifest names"),
                Err(error) => tracing::warn!(%error, path, "a file that no manifest names could not be removed"),
            }
        }
    }
}
