//! E-mail by SES (spec I.6).

use std::sync::Arc;

use async_trait::async_trait;
use engine::ports::Page;

use super::{Receiver, Refused, words};
use crate::config::receivers::ReceiverEntry;

/// Whom SES tells.
#[derive(Debug)]
pub struct Ses {
    from: String,
    to: Vec<String>,
    aws: Arc<aws::AwsCloud>,
}

impl Ses {
    /// The addresses of a configuration.
    pub fn new(entry: &ReceiverEntry, aws: Arc<aws::AwsCloud>) -> Self {
        Self { from: entry.from.clone().unwrap_or_default(), to: entry.to.clone(), aws }
    }
}

#[async_trait]
impl Receiver for Ses {
    async fn deliver(&self, page: &Page) -> Result<(), Refused> {
        let subject = words::line(&format!("{} {}", words::mark(page), page.title), 200);
        self.aws.send_email(&self.from, &self.to, &subject, &words::plain(page)).await.map_err(|failure| {
            let why = format!("SES: {}", failure.why);
            if failure.again { Refused::for_now(why) } else { Refused::for_good(why) }
        })
    }
}
