//! `[events]`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mistake::Wrong;

/// Where events come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EventsSection {
    /// SQS queues that EventBridge rules deliver to, directly or through SNS. A message is deleted once the journal
    /// holds what it says.
    #[schemars(example = ["https://sqs.eu-central-1.amazonaws.com/210987654321/muster"])]
    pub queue_urls: Vec<String>,
    /// Seconds for which a received message stays hidden from others; muster extends it while it works on the message.
    /// After a crash the messages that were under way come back so much later.
    #[schemars(range(min = 1, max = 43200))]
    pub visibility_secs: u32,
}

impl Default for EventsSection {
    fn default() -> Self {
        Self { queue_urls: Vec::new(), visibility_secs: 60 }
    }
}

impl EventsSection {
    pub(super) fn check(&self, wrong: &mut Vec<Wrong>) {
        if let Some(url) = self.queue_urls.iter().find(|url| !super::aws::is_http_url(url)) {
            wrong.push(Wrong::at(
                "events.queue_urls",
                format!("`{url}` is no queue address, `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`"),
            ));
        }
        if !(1..=43_200).contains(&self.visibility_secs) {
            wrong.push(Wrong::at(
                "events.visibility_secs",
                format!("{} is out of range: 1 second to 12 hours (43200), as SQS allows", self.visibility_secs),
            ));
        }
    }
}
