//! Slack, by an incoming webhook (spec I.2): Block Kit, or one attachment in the shape that the on-host watchdog scripts
//! use. The URL is a secret.

use std::sync::Arc;

use async_trait::async_trait;
use engine::ports::{Page, PageKind};
use jiff::{fmt::rfc2822, tz::TimeZone};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{Receiver, Refused, http::HttpClient, target::Allowed, vault::Vault, words};
use crate::config::{
    receivers::{Form, ReceiverEntry},
    secret::SecretRef,
};

/// Characters of the fallback text, a header, a section, an element of a context, and one line.
const TEXT: usize = 3_000;
const HEADER: usize = 150;
const SECTION: usize = 3_000;
const CONTEXT: usize = 1_900;
const LINE: usize = 600;
/// Hosts named in an attachment's field.
const HOSTS: usize = 5;

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
        let (body, kind) = if self.attachment {
            let json = attachment(page).to_string();
            let form = format!("payload={}", utf8_percent_encode(&json, NON_ALPHANUMERIC));
            (form, "application/x-www-form-urlencoded")
        } else {
            (blocks(page).to_string(), "application/json")
        };
        let headers = [("content-type", kind.to_owned())];
        let reply = self.http.post(url.expose(), self.allowed, &headers, body.into_bytes()).await;
        Refused::from_reply("Slack", reply, &self.vault).map(drop)
    }
}

/// At most so many characters on one line, with Slack's three special ones written as it wants them. It knows no escape for
/// those that make text bold, struck out or code, so they are shown by their wide forms.
fn escaped(text: &str, most: usize) -> String {
    words::escaped_within(&words::flat(text), most, |letter| match letter {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '*' => Some("＊"),
        '~' => Some("～"),
        '`' => Some("｀"),
        _ => None,
    })
}

/// Marked text in which nothing becomes a link or a mention but what is written as one.
fn marked(text: &str) -> Value {
    json!({ "type": "mrkdwn", "text": text, "verbatim": true })
}

fn blocks(page: &Page) -> Value {
    let title = words::title(page);
    let mut lines: Vec<String> = page.lines.iter().map(|line| format!("• {}", escaped(line, LINE))).collect();
    lines.extend(words::unnamed(page).map(|host| format!("• {}", escaped(&words::host(host), LINE))));
    let beyond = words::beyond_samples(page);
    if beyond > 0 && !page.samples.is_empty() {
        lines.push(format!("• and {beyond} more hosts"));
    }
    let text = words::lines_within(&lines, SECTION);
    let epoch = page.since.as_second();
    let since = format!("<!date^{epoch}^{{date_short_pretty}} {{time}}|{}>", page.since);
    let about = escaped(&format!("{} · {}", words::clusters(page), page.key), CONTEXT);
    let mut blocks = vec![json!({
        "type": "header",
        "text": { "type": "plain_text", "text": words::line(&title, HEADER), "emoji": false },
    })];
    if title.chars().count() > HEADER {
        let whole = escaped(&title, SECTION);
        blocks.push(json!({ "type": "section", "text": marked(&whole) }));
    }
    if !text.is_empty() {
        blocks.push(json!({ "type": "section", "text": marked(&text) }));
    }
    let context = format!("since {since} · {about}");
    blocks.push(json!({ "type": "context", "elements": [marked(&context)] }));
    json!({ "text": escaped(&title, TEXT), "unfurl_links": false, "blocks": blocks })
}

/// One attachment with the fields Date and Host, as the watchdog scripts' readers know it (seed behaviour 3e): good or
/// danger, and the date as `date -R` writes it.
fn attachment(page: &Page) -> Value {
    let over = matches!(page.kind, PageKind::Resolved | PageKind::Heartbeat);
    let hosts: Vec<&str> = page.samples.iter().take(HOSTS).map(words::who).collect();
    let more = usize::try_from(page.hosts).unwrap_or(usize::MAX).saturating_sub(hosts.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let hosts = if hosts.is_empty() { format!("{} hosts", page.hosts) } else { format!("{}{more}", hosts.join(", ")) };
    let at = rfc2822::to_string(&page.at.to_zoned(TimeZone::UTC)).unwrap_or_else(|_| page.at.to_string());
    json!({
        "attachments": [{
            "text": format!("{}\n", escaped(&words::title(page), TEXT - 1)),
            "color": if over { "good" } else { "danger" },
            "mrkdwn_in": ["text"],
            "fields": [
                { "title": "Date", "value": at, "short": true },
                { "title": "Host", "value": escaped(&hosts, SECTION), "short": true },
            ],
        }],
    })
}
