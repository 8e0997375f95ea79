//! From SQLite's errors to what a person can act on.

use rusqlite::ErrorCode;

use crate::ports::JournalError;

/// Sorts an error of SQLite that came up while `doing` something with the journal at `path`.
pub(super) fn sqlite(path: &str, doing: &'static str, error: rusqlite::Error) -> JournalError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => JournalError::Full { path: path.to_owned() },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => JournalError::Locked { path: path.to_owned() },
        _ => JournalError::Failed { path: path.to_owned(), doing, source: Box::new(error) },
    }
}

/// Sorts an error of the operating system.
pub(super) fn io(path: &str, doing: &'static str, error: std::io::Error) -> JournalError {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            JournalError::Full { path: path.to_owned() }
        }
        _ => JournalError::Failed { path: path.to_owned(), doing, source: Box::new(error) },
    }
}

/// Whether the file itself is damaged, as opposed to what is written in it.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}
