//! One writer a data directory. A lock of the operating system on a file of its own: it goes away with the process,
//! however that ends, and it leaves readers alone.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::Write,
    path::Path,
    thread,
    time::Duration,
};

use super::failure;
use crate::ports::JournalError;

/// How often and how long apart a held lock is tried: a muster that was just killed may need a moment to be gone.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(30);

/// The lock on a data directory, held while this value lives.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Takes the lock file at `path`, or says within a third of a second that somebody else has it. The number of the
    /// process is written into the file for people to find.
    pub fn take(path: &Path) -> Result<Self, JournalError> {
        let shown = path.display().to_string();
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .map_err(|error| failure::io(&shown, "open the lock file", error))?;
        let mut tries_left = TRIES;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {
                    tries_left -= 1;
                    if tries_left == 0 {
                        return Err(JournalError::Locked { path: shown });
                    }
                    thread::sleep(PAUSE);
                }
                Err(TryLockError::Error(error)) => {
                    return Err(failure::io(&shown, "lock the data directory", error));
                }
            }
        }
        let written = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        if let Err(error) = written {
            tracing::debug!(path = shown, %error, "the number of this process could not be written into the lock file");
        }
        Ok(Self { _file: file })
    }
}
