//! Reading the log back.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

use super::{
    record::{HEAD_BYTES, Head, MAGIC, checksum},
    segment,
};

/// What was found in the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// Records that were read.
    pub records: u64,
    /// Records that were there twice, and were left out.
    pub repeated: u64,
    /// Damaged pieces between whole records. They are set aside in files of their own.
    pub damaged: u64,
    /// The bytes of those pieces.
    pub damaged_bytes: u64,
    /// Bytes behind the last whole record of a segment: batches that were being written, and were not acknowledged.
    pub torn_bytes: u64,
}

/// Why the log could not be read.
#[derive(Debug, thiserror::Error)]
#[error("reading {}: {source}", path.display())]
pub struct ReadError {
    /// The file or directory.
    pub path: PathBuf,
    /// What the system says.
    pub source: io::Error,
}

/// A segment that was opened; it can be read even if it is removed meanwhile.
pub(crate) struct Opened {
    pub(crate) first: u64,
    pub(crate) path: PathBuf,
    file: File,
}

/// Opens all segments of a directory. If one is removed while this happens, it begins anew.
pub(crate) fn open_all(dir: &Path) -> Result<Vec<Opened>, ReadError> {
    'anew: for attempt in 0.. {
        let segments = match segment::list(dir) {
            Ok(segments) => segments,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(ReadError { path: dir.to_owned(), source }),
        };
        let mut opened = Vec::with_capacity(segments.len());
        for (first, path) in segments {
            match File::open(&path) {
                Ok(file) => opened.push(Opened { first, path, file }),
                Err(error) if error.kind() == io::ErrorKind::NotFound && attempt < 100 => continue 'anew,
                Err(source) => return Err(ReadError { path, source }),
            }
        }
        return Ok(opened);
    }
    Ok(Vec::new())
}

/// Reads segments and gives their records in order, each once.
///
/// With `repair`, damaged pieces are copied into `set-aside` beside the segments, and torn ends are cut off.
pub(crate) fn read_all(
    segments: Vec<Opened>,
    repair: bool,
    mut each: impl FnMut(&Path, Head, &[u8]),
) -> Result<Replay, ReadError> {
    let mut replay = Replay::default();
    let mut next = 0;
    for Opened { path, file, .. } in segments {
        let failed = |source| ReadError { path: path.clone(), source };
        let pieces = read_segment(file, &mut replay, |replay, head, body| {
            if head.first < next {
                replay.repeated += 1;
                return;
            }
            next = head.first + u64::from(head.count);
            replay.records += 1;
            each(&path, head, body);
        });
        let Pieces { damaged, whole_to, bytes } = pieces.map_err(failed)?;
        for (at, piece) in &damaged {
            replay.damaged += 1;
            replay.damaged_bytes += piece.len() as u64;
            tracing::error!(
                segment = %path.display(), at, bytes = piece.len(),
                "a piece of the log is damaged; it was set aside, and what came after it was read"
            );
            if repair {
                set_aside(&path, *at, piece).map_err(failed)?;
            }
        }
        if whole_to < bytes {
            replay.torn_bytes += bytes - whole_to;
            tracing::warn!(segment = %path.display(), bytes = bytes - whole_to, "a batch was not written to its end");
            if repair {
                let cut = fs::OpenOptions::new().write(true).open(&path);
                cut.and_then(|file| file.set_len(whole_to).and_then(|()| file.sync_all())).map_err(failed)?;
            }
        }
    }
    Ok(replay)
}

/// Keeps a damaged piece for whoever wants to look at it.
fn set_aside(segment: &Path, at: u64, piece: &[u8]) -> io::Result<()> {
    let dir = segment.with_file_name("set-aside");
    fs::create_dir_all(&dir)?;
    let stem = segment.file_stem().unwrap_or_default().to_string_lossy();
    let path = dir.join(format!("{stem}-{at}.bin"));
    fs::write(&path, piece)?;
    File::open(path)?.sync_all()
}

struct Pieces {
    damaged: Vec<(u64, Vec<u8>)>,
    /// Where the last whole record ends.
    whole_to: u64,
    bytes: u64,
}

fn read_segment(file: File, replay: &mut Replay, mut each: impl FnMut(&mut Replay, Head, &[u8])) -> io::Result<Pieces> {
    let mut reader = BufReader::with_capacity(256 << 10, file);
    let mut whole_to = 0;
    let mut head = [0; HEAD_BYTES];
    let mut body = Vec::new();
    // What was read and is no whole record.
    let mut broken = Vec::new();
    loop {
        let read = read_up_to(&mut reader, &mut head)?;
        if read == 0 {
            return Ok(Pieces { damaged: Vec::new(), whole_to, bytes: whole_to });
        }
        if let Some(found) = Head::of_bytes(&head[..read]) {
            body.resize(found.body_bytes as usize, 0);
            let length = read_up_to(&mut reader, &mut body)?;
            if length == body.len() && checksum(&body) == found.checksum {
                each(replay, found, &body);
                whole_to += (HEAD_BYTES + length) as u64;
                continue;
            }
            broken.extend_from_slice(&head);
            broken.extend_from_slice(&body[..length]);
        } else {
            broken.extend_from_slice(&head[..read]);
        }
        break;
    }
    reader.read_to_end(&mut broken)?;
    Ok(search(&broken, whole_to, replay, each))
}

/// Looks for whole records behind a damaged one.
fn search(bytes: &[u8], offset: u64, replay: &mut Replay, mut each: impl FnMut(&mut Replay, Head, &[u8])) -> Pieces {
    let mut pieces = Pieces { damaged: Vec::new(), whole_to: offset, bytes: offset + bytes.len() as u64 };
    let (mut at, mut broken_from) = (0, 0);
    for found in memchr::memmem::find_iter(bytes, &MAGIC) {
        if found < at {
            continue;
        }
        let Some(head) = Head::of_bytes(&bytes[found..]) else { continue };
        let from = found + HEAD_BYTES;
        let Some(body) = bytes.get(from..from + head.body_bytes as usize) else { continue };
        if checksum(body) != head.checksum {
            continue;
        }
        if found > broken_from {
            pieces.damaged.push((offset + broken_from as u64, bytes[broken_from..found].to_vec()));
        }
        each(replay, head, body);
        at = from + body.len();
        broken_from = at;
        pieces.whole_to = offset + at as u64;
    }
    pieces
}

fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
