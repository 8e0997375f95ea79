//! `[events]`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mistake::Wrong;

/// Where events come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EventsSection {
    /// SQS queues that EventBridge rules deliver to, directly or through SNS. A message is deleted once the journal
    /// holds what it says.
    #[schemars(example = ["https://sqs.eu-central-1.amazonaws.com/210987654321/muster"])]
    pub queue_urls: Vec<String>,
}

impl EventsSection {
    pub(super) fn check(&self, wrong: &mut Vec<Wrong>) {
        if let Some(url) = self.queue_urls.iter().find(|url| !super::aws::is_http_url(url)) {
            wrong.push(Wrong::at(
                "events.queue_urls",
                format!("`{url}` is no queue address, `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`"),
            ));
        }
    }
}
