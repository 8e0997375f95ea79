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

/// Characters of a key and of a summary.
const KEY: usize = 255;
const SUMMARY: usize = 1_024;
/// Lines of details, and characters of each: together far below the 512 KB of an event.
const LINES: usize = 50;
const LINE: usize = 1_000;

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
        if page.kind == PageKind::Heartbeat {
            let why = "PagerDuty: a heartbeat would wake somebody; have it sent to a webhook that shouts when it stops";
            return Err(Refused::for_good(why));
        }
        let Some(key) = &self.key else { return Err(Refused::for_good("PagerDuty: no key is configured")) };
        let key = self.vault.for_receiver(key).await?;
        let url = match &self.url {
            Some(url) => self.vault.for_receiver(url).await?.expose().to_owned(),
            None => (if self.europe { EU } else { US }).to_owned(),
        };
        let body = event(page, key.expose());
        let reply = self.http.post(&url, self.allowed, &[], body.to_string().into_bytes()).await;
        Refused::from_reply("PagerDuty", reply, &self.vault).map(drop)
    }
}

fn event(page: &Page, routing_key: &str) -> Value {
    let resolved = page.kind == PageKind::Resolved;
    let mut event = json!({
        "routing_key": routing_key,
        "event_action": if resolved { "resolve" } else { "trigger" },
        "dedup_key": words::line(&page.key, KEY),
        "client": "muster",
    });
    if !resolved {
        let details: Vec<_> = page.lines.iter().take(LINES).map(|line| words::line(line, LINE)).collect();
        let left_out = page.lines.len().saturating_sub(LINES);
        let hosts: Vec<String> =
            page.samples.iter().take(LINES).map(|host| words::line(&words::host(host), LINE)).collect();
        event["payload"] = json!({
            "summary": words::line(&page.title, SUMMARY),
            "source": words::line(page.clusters.first().map_or("muster", String::as_str), KEY),
            "severity": words::severity(page),
            "timestamp": page.since.to_string(),
            "component": words::line(&words::clusters(page), SUMMARY),
            "group": words::line(words::last(page.clusters.first().map_or("muster", String::as_str)), KEY),
            "class": words::line(&page.trouble, KEY),
            "custom_details": {
                "lines": details,
                "lines_left_out": left_out,
                "hosts": page.hosts,
                "samples": hosts,
                "cases": page.cases,
                "decision": page.decision.as_deref().map(|decision| words::line(decision, LINE)),
            },
        });
    }
    event
}
