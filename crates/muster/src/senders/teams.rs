//! Microsoft Teams, by a Workflows webhook that posts an Adaptive Card (spec I.5). The URL is a secret. An answer means
//! that the flow has taken the card, not that it is in the channel.

use std::sync::Arc;

use async_trait::async_trait;
use engine::ports::{Page, PageKind, Severity};
use serde_json::{Value, json};

use super::{Receiver, Refused, http::HttpClient, target::Allowed, vault::Vault, words};
use crate::config::{receivers::ReceiverEntry, secret::SecretRef};

/// A message may have 28 KB.
const MOST_BYTES: usize = 28_000;
/// Characters of the title and of a line.
const TITLE: usize = 1_000;
const LINE: usize = 600;

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
        Refused::from_reply("Teams", reply, &self.vault).map(drop)
    }
}

/// The card, with fewer lines when it would be too long.
fn message(page: &Page) -> Vec<u8> {
    let mut lines: Vec<String> = page.lines.iter().map(|line| words::line(line, LINE)).collect();
    lines.extend(words::unnamed(page).map(|host| words::line(&words::host(host), LINE)));
    let mut shown = lines.len();
    loop {
        let body = card(page, lines.get(..shown).unwrap_or(&lines), lines.len() - shown).to_string().into_bytes();
        if body.len() <= MOST_BYTES || shown == 0 {
            return body;
        }
        shown /= 2;
    }
}

/// Names and reasons stand in text runs, which know no Markdown: nothing in them becomes a link.
fn card(page: &Page, lines: &[String], left_out: usize) -> Value {
    let block = |run: Value| json!({ "type": "RichTextBlock", "inlines": [run] });
    let mut body = vec![block(json!({
        "type": "TextRun",
        "text": words::line(&words::title(page), TITLE),
        "weight": "Bolder",
        "size": "Medium",
        "color": match (page.kind, page.severity) {
            (PageKind::Resolved | PageKind::Heartbeat, _) => "Good",
            (_, Severity::Critical) => "Attention",
            (_, Severity::Warning) => "Warning",
            (_, Severity::Info) => "Default",
        },
    }))];
    body.extend(lines.iter().map(|line| block(json!({ "type": "TextRun", "text": line }))));
    if left_out > 0 {
        let words = format!("{left_out} more lines are left out; `muster alerts` has them");
        body.push(block(json!({ "type": "TextRun", "text": words })));
    }
    let facts = [
        ("Cluster", words::clusters(page)),
        ("Hosts", page.hosts.to_string()),
        ("Severity", words::severity(page).to_owned()),
        ("Since", page.since.to_string()),
        ("Key", page.key.clone()),
    ];
    for (name, value) in facts {
        let runs = json!([
            { "type": "TextRun", "text": format!("{name}: "), "weight": "Bolder" },
            { "type": "TextRun", "text": words::line(&value, LINE) },
        ]);
        body.push(json!({ "type": "RichTextBlock", "inlines": runs, "spacing": "Small" }));
    }
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
