//! Writing the log: one thread, one flush for all who wait.

use std::{
    collections::{HashMap, VecDeque},
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
};

use tokio::sync::oneshot;

use super::{record::Body, segment::Segment};

/// How many bytes are written before one flush at most.
const COMMIT_BYTES_MAX: usize = 8 << 20;

/// Where and how large the log is.
#[derive(Clone, Debug)]
pub(crate) struct WalConfig {
    pub(crate) dir: PathBuf,
    /// A segment that is larger is closed.
    pub(crate) segment_bytes: u64,
    /// Bytes of the disk that are left to others: above all to the journal.
    pub(crate) reserve_bytes: u64,
}

/// Why events could not be written down. They were not taken in.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WalError {
    /// The disk is nearly full.
    #[error(
        "the disk of {} has {free_bytes} bytes left, and {reserve_bytes} are kept for the journal: remove something, or let \
         telemetry keep less (retention, size)", dir.display()
    )]
    Full {
        /// The directory of the log.
        dir: PathBuf,
        /// Free bytes of its disk.
        free_bytes: u64,
        /// How many of them are not for telemetry.
        reserve_bytes: u64,
    },
    /// The disk does not take it.
    #[error("writing to the log {}: {source}", path.display())]
    Disk {
        /// The segment.
        path: PathBuf,
        /// What the system says.
        source: Arc<io::Error>,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

/// What is done with a batch that is durable, before its sender is told: it becomes visible. Called with the first number.
pub(crate) type Applied = Box<dyn FnOnce(u64) + Send>;

struct Request {
    group: u64,
    body: Body,
    applied: Applied,
    reply: oneshot::Sender<Result<u64, WalError>>,
}

/// A segment, and the last event of each group in it.
#[derive(Clone, Debug)]
pub(crate) struct Usage {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) last: HashMap<u64, u64>,
}

#[derive(Debug, Default)]
struct Segments {
    /// The oldest first; the last is being written.
    all: VecDeque<Usage>,
    /// Up to which event each group is in files.
    sealed: HashMap<u64, u64>,
}

/// The log that is being written.
#[derive(Debug)]
pub(crate) struct Wal {
    sender: mpsc::Sender<Request>,
    segments: Arc<Mutex<Segments>>,
}

impl Wal {
    /// Begins to write: behind `old` segments, with event number `next`.
    pub(crate) fn start(config: WalConfig, old: Vec<Usage>, next: u64) -> Result<Self, WalError> {
        let segment = Segment::create(&config.dir, next).map_err(|source| disk(&config.dir, source))?;
        // A segment that holds no event has the name of the one that begins now, and is that one from here on.
        let old = old.into_iter().filter(|usage| usage.path != segment.path).collect();
        let segments = Arc::new(Mutex::new(Segments { all: old, sealed: HashMap::new() }));
        lock(&segments).all.push_back(usage(&segment));
        let (sender, receiver) = mpsc::channel();
        let mut writer = Writer { config, segment, next, segments: Arc::clone(&segments) };
        thread::Builder::new()
            .name("telemetry-log".to_owned())
            .spawn(move || writer.run(&receiver))
            .map_err(|source| disk(&writer_dir(&segments), source))?;
        Ok(Self { sender, segments })
    }

    /// Writes a body down and waits until it is durable and applied; gives its first number.
    pub(crate) async fn append(&self, group: u64, body: Body, applied: Applied) -> Result<u64, WalError> {
        let (reply, answer) = oneshot::channel();
        self.sender.send(Request { group, body, applied, reply }).map_err(|_| WalError::Closed)?;
        answer.await.map_err(|_| WalError::Closed)?
    }

    /// Says that a group is in files up to an event; segments that nobody needs any more are removed.
    pub(crate) fn sealed(&self, group: u64, to: u64) {
        let mut segments = lock(&self.segments);
        let sealed = segments.sealed.entry(group).or_default();
        *sealed = to.max(*sealed);
        segments.remove_unneeded();
    }

    /// The bytes of all segments.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> u64 {
        lock(&self.segments).all.iter().map(|usage| usage.bytes).sum()
    }

    /// The groups that the oldest segments are kept for, as long as all together are larger than this.
    pub(crate) fn holding(&self, bytes_max: u64) -> Vec<u64> {
        let segments = lock(&self.segments);
        let mut bytes: u64 = segments.all.iter().map(|usage| usage.bytes).sum();
        let mut groups = Vec::new();
        for usage in &segments.all {
            if bytes <= bytes_max {
                break;
            }
            groups.extend(
                usage.last.iter().filter(|(group, last)| !segments.is_sealed(**group, **last)).map(|(it, _)| *it),
            );
            bytes -= usage.bytes;
        }
        groups.sort_unstable();
        groups.dedup();
        groups
    }
}

impl Segments {
    fn is_sealed(&self, group: u64, number: u64) -> bool {
        self.sealed.get(&group).is_some_and(|sealed| number <= *sealed)
    }

    fn remove_unneeded(&mut self) {
        while self.all.len() > 1 && self.all[0].last.iter().all(|(group, last)| self.is_sealed(*group, *last)) {
            if let Some(usage) = self.all.pop_front()
                && let Err(error) = fs::remove_file(&usage.path)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(%error, segment = %usage.path.display(), "a segment of the log could not be removed");
            }
        }
    }
}

struct Writer {
    config: WalConfig,
    segment: Segment,
    next: u64,
    segments: Arc<Mutex<Segments>>,
}

impl Writer {
    fn run(&mut self, receiver: &mpsc::Receiver<Request>) {
        while let Ok(first) = receiver.recv() {
            let mut bytes = first.body.bytes.len();
            let mut requests = vec![first];
            while bytes < COMMIT_BYTES_MAX
                && let Ok(request) = receiver.try_recv()
            {
                bytes += request.body.bytes.len();
                requests.push(request);
            }
            match self.commit(&requests, bytes as u64) {
                Ok(firsts) => {
                    for (request, first) in requests.into_iter().zip(firsts) {
                        (request.applied)(first);
                        // Whoever stopped waiting finds its events all the same.
                        let _ = request.reply.send(Ok(first));
                    }
                }
                Err(error) => {
                    tracing::error!(%error, batches = requests.len(), "batches were not taken in");
                    for request in requests {
                        let _ = request.reply.send(Err(error.clone()));
                    }
                }
            }
        }
    }

    fn commit(&mut self, requests: &[Request], bytes: u64) -> Result<Vec<u64>, WalError> {
        let free_bytes = free_bytes(&self.config.dir);
        if free_bytes.is_some_and(|free| free < self.config.reserve_bytes.saturating_add(bytes)) {
            return Err(WalError::Full {
                dir: self.config.dir.clone(),
                free_bytes: free_bytes.unwrap_or_default(),
                reserve_bytes: self.config.reserve_bytes,
            });
        }
        if self.segment.bytes >= self.config.segment_bytes {
            self.segment =
                Segment::create(&self.config.dir, self.next).map_err(|source| disk(&self.config.dir, source))?;
            let mut segments = lock(&self.segments);
            segments.all.push_back(usage(&self.segment));
            segments.remove_unneeded();
        }
        let mut firsts = Vec::with_capacity(requests.len());
        let mut records = Vec::with_capacity(requests.len());
        for request in requests {
            firsts.push(self.next);
            records.push((request.body.head(self.next).to_bytes(), &request.body));
            // A number is never used twice, not even when writing fails.
            self.next += u64::from(request.body.count);
        }
        self.segment.append(&records).map_err(|source| disk(&self.segment.path, source))?;
        let mut segments = lock(&self.segments);
        if let Some(usage) = segments.all.back_mut() {
            usage.bytes = self.segment.bytes;
            for (request, first) in requests.iter().zip(&firsts) {
                usage.last.insert(request.group, first + u64::from(request.body.count) - 1);
            }
        }
        Ok(firsts)
    }
}

fn usage(segment: &Segment) -> Usage {
    Usage { path: segment.path.clone(), bytes: segment.bytes, last: HashMap::new() }
}

fn writer_dir(segments: &Mutex<Segments>) -> PathBuf {
    lock(segments).all.back().map(|usage| usage.path.clone()).unwrap_or_default()
}

/// Free bytes of the disk of a directory, for those who are no administrators.
pub(crate) fn free_bytes(dir: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(dir).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

fn disk(path: &Path, source: io::Error) -> WalError {
    WalError::Disk { path: path.to_owned(), source: Arc::new(source) }
}

/// What a thread left behind that panicked is still whole: each change is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
