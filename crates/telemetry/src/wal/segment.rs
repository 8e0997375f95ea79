//! Segments of the log on the disk.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, IoSlice, Write},
    path::{Path, PathBuf},
};

use super::record::{Body, HEAD_BYTES};

/// What is behind the name of a segment.
const EXTENSION: &str = "wal";

/// The path of the segment whose events have this number or larger ones.
pub(crate) fn path_of(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}.{EXTENSION}"))
}

/// The segments of a directory, the oldest first, by the number of their first event.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let Some(number) = number.filter(|_| path.extension().is_some_and(|it| it == EXTENSION)) {
            segments.push((number, path));
        }
    }
    segments.sort_unstable();
    Ok(segments)
}

/// Makes a directory's list of files durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// The segment that is being written.
#[derive(Debug)]
pub(crate) struct Segment {
    file: File,
    pub(crate) path: PathBuf,
    /// Bytes that are durable.
    pub(crate) bytes: u64,
}

impl Segment {
    /// Begins a segment. A file of that name holds nothing that was acknowledged: no event has a larger number yet.
    pub(crate) fn create(dir: &Path, first: u64) -> io::Result<Self> {
        let path = path_of(dir, first);
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(&path)?;
        file.sync_all()?;
        sync_dir(dir)?;
        Ok(Self { file, path, bytes: 0 })
    }

    /// Writes records and waits until they are on the disk.
    ///
    /// When this fails the segment is cut to what was durable before, so that nothing half stays in it.
    pub(crate) fn append(&mut self, records: &[([u8; HEAD_BYTES], &Body)]) -> io::Result<()> {
        let slices: Vec<IoSlice<'_>> =
            records.iter().flat_map(|(head, body)| [IoSlice::new(head), IoSlice::new(&body.bytes)]).collect();
        let bytes: usize = slices.iter().map(|slice| slice.len()).sum();
        let written = write_all(&mut self.file, slices).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => {
                self.bytes += bytes as u64;
                Ok(())
            }
            Err(error) => {
                use std::io::Seek;
                // Should this fail too, the torn record is found when the log is read.
                let cut = self.file.set_len(self.bytes).and_then(|()| self.file.seek(io::SeekFrom::Start(self.bytes)));
                if let Err(error) = cut {
                    tracing::error!(%error, segment = %self.path.display(), "could not cut a torn record off the log");
                }
                Err(error)
            }
        }
    }
}

fn write_all(file: &mut File, mut slices: Vec<IoSlice<'_>>) -> io::Result<()> {
    let mut slices = &mut slices[..];
    while !slices.is_empty() {
        match file.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
