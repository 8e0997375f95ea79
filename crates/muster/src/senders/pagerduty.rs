//! PagerDuty, Events API v2 (spec I.3). The incident's key is the deduplication key, so a page that is sent twice is one
//! alert.

use std::sync::Arc;

use async_trait::async_trait;
use engine::ports::{Page, PageKind};
use serde_json::{Value, json};

use super::{Receiver, Refused, http::HttpClient, target::Allowed, vault::Vault, words};
use crate::config::{receivers::ReceiverEntry, secret::SecretRef};

const US: &str = "https://events.pagerduty.com/v2/enqueue";
const EU: &str = "https://events.eu.pagerduty.com/v2/enqueue";

/// A PagerDuty service.
#[derive(Debug)]
pub struct PagerDuty {
    key: Option<SecretRef>,
    url: Option<SecretRef>,
    europe: bool,
    allowed: Allowed,
    http: HttpClient,
    vault: Arc<Vault>,
}

impl PagerDuty {
    /// The service of a configuration.
    pub fn new(entry: &ReceiverEntry, http: HttpClient, vault: Arc<Vault>) -> Self {
        Self {
            key: entry.key.clone(),
            url: entry.url.clone(),
            europe: entry.region.as_deref() == Some("eu"),
            allowed: entry.allowed(),
            http,
            vault,
        }
    }
}

#[async_trait]
impl Receiver for PagerDuty {
    async fn deliver(&self, page: &Page) -> Result<(), Refused> {
        let Some(key) = &self.key else { return Err(Refused::for_good("PagerDuty: no key is configured")) };
        let key = self.vault.for_receiver(key).await?;
        let url = match &self.url {
            Some(url) => self.vault.for_receiver(url).await?.expose().to_owned(),
            None => (if self.europe { EU } else { US }).to_owned(),
        };
        let body = event(page, key.expose());
        let reply = self.http.post(&url, self.allowed, &[], body.to_string().into_bytes()).await;
        Refused::from_reply("PagerDuty", reply).map(drop)
    }
}

fn event(page: &Page, routing_key: &str) -> Value {
    let action = match page.kind {
        PageKind::Resolved => "resolve",
        PageKind::Firing | PageKind::Update | PageKind::Heartbeat => "trigger",
    };
    let mut event = json!({
        "routing_key": routing_key,
        "event_action": action,
        "dedup_key": words::cut(&page.key, 255),
        "client": "muster",
    });
    if action == "trigger" {
        let hosts: Vec<Value> = page
            .samples
            .iter()
            .map(|host| json!({ "host": host.subject, "machine": host.machine, "zone": host.zone, "says": host.says }))
            .collect();
        event["payload"] = json!({
            "summary": words::cut(&page.title, 1_024),
            "source": words::cut(page.clusters.first().map_or("muster", String::as_str), 255),
            "severity": words::severity(page),
            "timestamp": page.since.to_string(),
            "component": words::clusters(page),
            "group": page.trouble,
            "class": page.trouble,
            "custom_details": {
                "lines": page.lines,
                "hosts": page.hosts,
                "samples": hosts,
                "cases": page.cases,
                "decision": page.decision,
            },
        });
    }
    event
}
