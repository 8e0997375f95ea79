//! Notices into the log, where whatever ships logs picks them up.

use async_trait::async_trait;
use engine::ports::{DeliveryResult, Notice, Notifier, Page, Severity};
use jiff::Timestamp;

/// Writes each notice as one log line, as loud as the notice is.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogSender;

#[async_trait]
impl Notifier for LogSender {
    async fn notify(&self, at: Timestamp, notice: &Notice) {
        let (case, text) = (notice.case.0, crate::render::escape::clean(&notice.text));
        match notice.severity {
            Severity::Info => tracing::info!(target: "notice", case, %at, "{text}"),
            Severity::Warning => tracing::warn!(target: "notice", case, %at, "{text}"),
            Severity::Critical => tracing::error!(target: "notice", case, %at, "{text}"),
        }
    }

    async fn send(&self, page: &Page) -> DeliveryResult<'static> {
        DeliveryResult::GivenUp { why: format!("there is no receiver called {}", page.receiver).into() }
    }
}
