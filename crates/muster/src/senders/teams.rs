//! Microsoft Teams, by a Workflows webhook that posts an Adaptive Card (spec I.5). The URL is a secret. An answer means
//! that the flow has taken the card, not that it is in the channel.

use std::sync::Arc;

use async_trait::async_trait;
use engine::ports::Page;
use serde_json::{Value, json};

use super::{Receiver, Refused, http::HttpClient, target::Allowed, vault::Vault, words};
use crate::config::{receivers::ReceiverEntry, secret::SecretRef};

/// A message may have 28 KB.
const MOST_BYTES: usize = 28_000;

/// A Teams channel.
#[derive(Debug)]
pub struct Teams {
    url: Option<SecretRef>,
    allowed: Allowed,
    http: HttpClient,
    vault: Arc<Vault>,
}

impl Teams {
    /// The channel of a configuration.
    pub fn new(entry: &ReceiverEntry, http: HttpClient, vault: Arc<Vault>) -> Self {
        Self { url: entry.url.clone(), allowed: entry.allowed(), http, vault }
    }
}

#[async_trait]
impl Receiver for Teams {
    async fn deliver(&self, page: &Page) -> Result<(), Refused> {
        let Some(url) = &self.url else { return Err(Refused::for_good("Teams: no url is configured")) };
        let url = self.vault.for_receiver(url).await?;
        let reply = self.http.post(url.expose(), self.allowed, &[], message(page)).await;
        Refused::from_reply("Teams", reply).map(drop)
    }
}

/// The card, with fewer lines when it would be too long.
fn message(page: &Page) -> Vec<u8> {
    let mut lines = page.lines.len();
    loop {
        let body = card(page, lines).to_string().into_bytes();
        if body.len() <= MOST_BYTES || lines == 0 {
            return body;
        }
        lines /= 2;
    }
}

fn card(page: &Page, lines: usize) -> Value {
    let block = |text: &str| json!({ "type": "TextBlock", "text": text, "wrap": true });
    let title = words::cut(&format!("{} {}", words::mark(page), page.title), 1_000).into_owned();
    let mut body = vec![json!({
        "type": "TextBlock", "text": title, "weight": "Bolder", "size": "Medium", "wrap": true,
    })];
    body.extend(page.lines.iter().take(lines).map(|line| block(&words::line(line, 600))));
    if lines < page.lines.len() {
        body.push(block(&format!("{} more lines are left out; see muster alerts", page.lines.len() - lines)));
    }
    body.push(json!({ "type": "FactSet", "facts": [
        { "title": "Cluster", "value": words::clusters(page) },
        { "title": "Hosts", "value": page.hosts.to_string() },
        { "title": "Severity", "value": words::severity(page) },
        { "title": "Since", "value": page.since.to_string() },
        { "title": "Key", "value": page.key },
    ] }));
    json!({ "type": "message", "attachments": [{
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": null,
        "content": {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": body,
            "msteams": { "width": "Full" },
        },
    }] })
}
