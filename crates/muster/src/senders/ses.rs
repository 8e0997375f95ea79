//! E-mail by SES (spec I.6).

use std::sync::Arc;

use async_trait::async_trait;
use engine::ports::{Page, PageKind};

use super::{Receiver, Refused, smtp, words};
use crate::config::receivers::ReceiverEntry;

/// Whom SES tells.
#[derive(Debug)]
pub struct Ses {
    from: String,
    to: Vec<String>,
    region: Option<String>,
    aws: Arc<aws::AwsCloud>,
}

impl Ses {
    /// The addresses of a configuration.
    pub fn new(entry: &ReceiverEntry, aws: Arc<aws::AwsCloud>) -> Self {
        let from = entry.from.clone().unwrap_or_default();
        Self { from, to: entry.to.clone(), region: entry.region.clone(), aws }
    }
}

#[async_trait]
impl Receiver for Ses {
    async fn deliver(&self, page: &Page) -> Result<(), Refused> {
        let mail = aws::Mail {
            from: self.from.clone(),
            to: self.to.clone(),
            subject: words::line(&words::title(page), 200),
            text: words::plain(page),
            headers: headers(page),
        };
        self.aws.send_email(self.region.as_deref(), &mail).await.map_err(|failure| {
            let why = format!("SES: {}", failure.why);
            if failure.again { Refused::for_now(why) } else { Refused::for_good(why) }
        })
    }
}

/// All of one incident hang together in a mail reader. SES gives each message an id of its own, so the first one names
/// the incident as well.
fn headers(page: &Page) -> Vec<(String, String)> {
    let thread = smtp::thread_id(page);
    let mut headers = vec![("Auto-Submitted".to_owned(), "auto-generated".to_owned())];
    if page.kind != PageKind::Heartbeat {
        headers.push(("References".to_owned(), thread.clone()));
        headers.push(("In-Reply-To".to_owned(), thread));
    }
    headers
}
