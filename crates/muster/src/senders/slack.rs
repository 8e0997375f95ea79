//! Slack, by an incoming webhook (spec I.2): Block Kit, or one attachment in the shape that the on-host watchdog scripts
//! use. The URL is a secret.

use std::sync::Arc;

use async_trait::async_trait;
use engine::ports::{Page, PageKind, Severity};
use serde_json::{Value, json};

use super::{Receiver, Refused, http::HttpClient, target::Allowed, vault::Vault, words};
use crate::config::{
    receivers::{Form, ReceiverEntry},
    secret::SecretRef,
};

/// Characters of a header, of a section, and lines shown.
const HEADER: usize = 150;
const SECTION: usize = 2_900;
const LINES: usize = 20;

/// A Slack channel.
#[derive(Debug)]
pub struct Slack {
    url: Option<SecretRef>,
    attachment: bool,
    allowed: Allowed,
    http: HttpClient,
    vault: Arc<Vault>,
}

impl Slack {
    /// The channel of a configuration.
    pub fn new(entry: &ReceiverEntry, http: HttpClient, vault: Arc<Vault>) -> Self {
        let attachment = entry.form == Some(Form::Attachment);
        Self { url: entry.url.clone(), attachment, allowed: entry.allowed(), http, vault }
    }
}

#[async_trait]
impl Receiver for Slack {
    async fn deliver(&self, page: &Page) -> Result<(), Refused> {
        let Some(url) = &self.url else { return Err(Refused::for_good("Slack: no url is configured")) };
        let url = self.vault.for_receiver(url).await?;
        let body = if self.attachment { attachment(page) } else { blocks(page) };
        let reply = self.http.post(url.expose(), self.allowed, &[], body.to_string().into_bytes()).await;
        Refused::from_reply("Slack", reply).map(drop)
    }
}

/// Slack's three special characters.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn colour(page: &Page) -> &'static str {
    match (page.kind, page.severity) {
        (PageKind::Resolved | PageKind::Heartbeat, _) => "good",
        (_, Severity::Critical) => "danger",
        _ => "warning",
    }
}

fn blocks(page: &Page) -> Value {
    let title = format!("{} {}", words::mark(page), page.title);
    let mut text: Vec<String> =
        page.lines.iter().take(LINES).map(|line| format!("• {}", escaped(&words::line(line, 500)))).collect();
    for host in page.samples.iter().skip(1).take(LINES) {
        let who = host.machine.as_deref().unwrap_or_else(|| words::last(&host.subject));
        text.push(format!("• `{}` {}", escaped(who), escaped(&words::line(&host.says, 200))));
    }
    let text = words::cut(&text.join("\n"), SECTION).into_owned();
    let epoch = page.since.as_second();
    let since = format!("<!date^{epoch}^{{date_short_pretty}} {{time}}|{}>", page.since);
    let context = format!("since {since} · {} · {}", escaped(&words::clusters(page)), escaped(&page.key));
    let mut blocks = vec![json!({
        "type": "header",
        "text": { "type": "plain_text", "text": words::cut(&title, HEADER), "emoji": false },
    })];
    if !text.is_empty() {
        blocks.push(json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } }));
    }
    blocks.push(json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": words::cut(&context, 1_900) }] }));
    json!({
        "text": words::cut(&escaped(&title), 3_000),
        "unfurl_links": false,
        "attachments": [{ "color": colour(page), "blocks": blocks }],
    })
}

/// One attachment with the fields Date and Host, as the watchdog scripts' readers know it (seed behaviour 3e).
fn attachment(page: &Page) -> Value {
    let hosts: Vec<&str> = page
        .samples
        .iter()
        .map(|host| host.machine.as_deref().unwrap_or_else(|| words::last(&host.subject)))
        .take(5)
        .collect();
    json!({
        "attachments": [{
            "text": words::cut(&escaped(&format!("{} {}", words::mark(page), page.title)), 3_000),
            "color": colour(page),
            "mrkdwn_in": ["text"],
            "fields": [
                { "title": "Date", "value": page.at.to_string(), "short": true },
                { "title": "Host", "value": escaped(&hosts.join(", ")), "short": true },
            ],
        }],
    })
}
