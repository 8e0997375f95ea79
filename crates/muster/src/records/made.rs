//! A group and a stream that are to be there.

use crate::logs::port::{Class, Logs, LogsError};

/// Makes a stream and its group where they are not there. Only a group that is made now is kept for these days: whoever has set
/// others is not overruled.
pub(super) async fn made(
    logs: &dyn Logs,
    group: &str,
    stream: &str,
    retention_days: u32,
    now_ms: i64,
) -> Result<(), LogsError> {
    match logs.create_group(group, Class::Standard, now_ms).await {
        Ok(()) => logs.set_retention(group, Some(retention_days)).await?,
        Err(LogsError::Exists(_)) => {}
        Err(error) => return Err(error),
    }
    match logs.create_stream(group, stream, now_ms).await {
        Ok(()) | Err(LogsError::Exists(_)) => Ok(()),
        Err(error) => Err(error),
    }
}
