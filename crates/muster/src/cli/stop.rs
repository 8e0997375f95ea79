//! SIGINT and SIGTERM: stop in good order.

use tokio_util::sync::CancellationToken;

use super::output::Failure;

/// A token that is cancelled by the first SIGINT or SIGTERM. A second signal ends the process at once, for people who
/// cannot wait.
///
/// # Errors
/// When the signals cannot be watched.
pub fn on_signal() -> Result<CancellationToken, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed = |error| Failure::new("could not watch for SIGINT and SIGTERM", error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        for times in 0.. {
            let code = tokio::select! {
                _ = interrupt.recv() => 130,
                _ = terminate.recv() => 143,
            };
            if times > 0 {
                std::process::exit(code);
            }
            stop.cancel();
        }
    });
    Ok(token)
}
