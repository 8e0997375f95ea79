//! What each receiver gets: its shape, its limits, and nothing that names and reasons could turn into something else.

use engine::ports::{Page, PageKind};
use serde_json::{Value, json};

use crate::{
    samples::{hostile, machine, page, posted, secret, send},
    sink::{Answer, Heard, Sink},
};

/// Sends pages to a receiver of this kind that takes all of them.
async fn told(kind: &str, more: &str, pages: &[Page]) -> Vec<Heard> {
    let sink = Sink::answering(|_, _| Answer::status(202)).await;
    let dir = tempfile::tempdir().unwrap();
    for page in pages {
        assert_eq!(send(&posted(dir.path(), kind, &sink.url(), more), page).await, None);
    }
    sink.heard()
}

fn chars(value: &Value) -> usize {
    value.as_str().unwrap().chars().count()
}

#[tokio::test]
async fn slack_gets_blocks_and_a_text_for_notifications() {
    let heard = told("slack", "", &[page("hook", PageKind::Firing, 2)]).await;
    let said = heard[0].json();
    assert_eq!(said["text"], "[FIRING] prod-a: 2 hosts in trouble: 2 agent-lost");
    assert_eq!(said["blocks"][0]["text"]["text"], said["text"]);
    let lines = said["blocks"][1]["text"]["text"].as_str().unwrap();
    assert_eq!(lines.lines().count(), 2, "{lines}");
    let context = said["blocks"][2]["elements"][0]["text"].as_str().unwrap();
    assert!(context.contains("<!date^1790928931^") && context.contains("prod-a · muster/prod-a/"), "{context}");
}

#[tokio::test]
async fn slack_is_not_given_more_than_it_takes_and_nothing_in_a_name_rings_a_channel() {
    let said = told("slack", "", &[hostile("hook")]).await[0].json();
    let blocks = said["blocks"].as_array().unwrap();
    assert!(blocks.len() <= 50 && chars(&said["text"]) <= 4_000);
    assert_eq!(blocks[0]["type"], "header");
    assert!(chars(&blocks[0]["text"]["text"]) <= 150);
    for block in &blocks[1..] {
        let text = if block["type"] == "context" { &block["elements"][0]["text"] } else { &block["text"]["text"] };
        assert!(chars(text) <= 3_000);
        let own = text.as_str().unwrap().replace("<!date^", "");
        assert!(!own.contains("<!") && !own.contains("<http") && !own.contains("<@"), "{own}");
    }
    assert!(blocks[2]["text"]["text"].as_str().unwrap().ends_with("more lines, left out here"));
}

#[tokio::test]
async fn slack_gets_the_attachment_of_the_watchdog_scripts_on_request() {
    let pages = [page("hook", PageKind::Firing, 1), page("hook", PageKind::Resolved, 7)];
    let heard = told("slack", "form = \"attachment\"", &pages).await;
    let attachment = |heard: &Heard| {
        assert_eq!(heard.header("content-type"), Some("application/x-www-form-urlencoded"));
        let form = String::from_utf8(heard.body.clone()).unwrap();
        let (name, value) = form.split_once('=').unwrap();
        assert_eq!(name, "payload");
        let json = percent_encoding::percent_decode_str(value).decode_utf8().unwrap();
        let said: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(said.as_object().unwrap().len(), 1);
        said["attachments"][0].clone()
    };
    assert_eq!(
        attachment(&heard[0]),
        json!({
            "text": "[FIRING] prod-a: 1 hosts in trouble: 1 agent-lost\n",
            "color": "danger",
            "mrkdwn_in": ["text"],
            "fields": [
                { "title": "Date", "value": "Fri, 2 Oct 2026 08:19:00 +0000", "short": true },
                { "title": "Host", "value": "i-00000000000000000", "short": true },
            ],
        })
    );
    let over = attachment(&heard[1]);
    assert_eq!(over["color"], "good");
    assert!(over["fields"][1]["value"].as_str().unwrap().ends_with(" and 2 more"), "{over}");
}

#[tokio::test]
async fn pagerduty_sees_one_incident_however_often_it_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let key = format!("key = \"{}\"", secret(dir.path(), "key", "0123456789abcdef0123456789abcdef"));
    let kinds = [PageKind::Firing, PageKind::Firing, PageKind::Update, PageKind::Resolved];
    let pages = kinds.map(|kind| page("hook", kind, 2));
    let heard: Vec<Value> = told("pagerduty", &key, &pages).await.iter().map(Heard::json).collect();
    let actions: Vec<&Value> = heard.iter().map(|event| &event["event_action"]).collect();
    assert_eq!(actions, ["trigger", "trigger", "trigger", "resolve"]);
    for event in &heard {
        assert_eq!(event["dedup_key"], "muster/prod-a/agent-away/3-1700000000");
        assert_eq!(event["routing_key"], "0123456789abcdef0123456789abcdef");
    }
    let payload = &heard[0]["payload"];
    assert_eq!((&payload["severity"], &payload["class"]), (&json!("critical"), &json!("agent-away")));
    assert_eq!(payload["source"], crate::samples::CLUSTER);
    assert_eq!(payload["timestamp"], "2026-10-02T08:15:31Z");
    assert!(heard[3].get("payload").is_none());
}

#[tokio::test]
async fn pagerduty_is_not_given_more_than_it_takes_and_no_heartbeat() {
    let dir = tempfile::tempdir().unwrap();
    let key = format!("key = \"{}\"", secret(dir.path(), "key", "0123456789abcdef0123456789abcdef"));
    let mut large = hostile("hook");
    large.key = "ü".repeat(400);
    let heard = told("pagerduty", &key, &[large]).await;
    assert!(heard[0].body.len() < 512_000);
    let event = heard[0].json();
    assert!(chars(&event["payload"]["summary"]) <= 1_024 && chars(&event["dedup_key"]) <= 255);
    assert_eq!(event["payload"]["custom_details"]["lines_left_out"], 250);

    let sink = Sink::answering(|_, _| Answer::status(202)).await;
    let heartbeat = page("hook", PageKind::Heartbeat, 0);
    let why = send(&posted(dir.path(), "pagerduty", &sink.url(), &key), &heartbeat).await.unwrap();
    assert!(why.contains("would wake somebody"), "{why}");
    assert_eq!(sink.heard().len(), 0);
}

#[tokio::test]
async fn teams_gets_a_card_in_which_no_name_becomes_a_link() {
    let said = told("teams", "", &[page("hook", PageKind::Firing, 2)]).await[0].json();
    let card = &said["attachments"][0];
    assert_eq!(card["contentType"], "application/vnd.microsoft.card.adaptive");
    assert_eq!((&card["content"]["type"], &card["content"]["version"]), (&json!("AdaptiveCard"), &json!("1.4")));
    let body = card["content"]["body"].as_array().unwrap();
    assert!(body.iter().all(|block| block["type"] == "RichTextBlock"), "Markdown is read in text blocks");
    assert_eq!(body[0]["inlines"][0]["text"], "[FIRING] prod-a: 2 hosts in trouble: 2 agent-lost");
    let text = card.to_string();
    assert!(page("hook", PageKind::Firing, 2).samples.iter().all(|host| text.contains(machine(host))), "{text}");
}

#[tokio::test]
async fn teams_is_not_given_more_than_28_kb_and_is_told_what_is_left_out() {
    let heard = told("teams", "", &[hostile("hook")]).await;
    assert!(heard[0].body.len() <= 28_000, "{}", heard[0].body.len());
    let text = heard[0].json().to_string();
    assert!(text.contains("more lines are left out"), "{text}");
}

#[tokio::test]
async fn a_webhook_gets_the_whole_page_whatever_stands_in_it() {
    let sink = Sink::answering(|_, _| Answer::status(200)).await;
    let dir = tempfile::tempdir().unwrap();
    let page = hostile("hook");
    assert_eq!(send(&posted(dir.path(), "webhook", &sink.url(), ""), &page).await, None);
    let heard = &sink.heard()[0];
    assert_eq!(heard.header("x-signature"), None, "without secrets nothing is signed");
    assert_eq!(serde_json::from_slice::<Page>(&heard.body).unwrap(), page);
}

/// Everything that a name or a reason must not do in a message: write a line or a header of its own, steer a terminal, turn
/// the direction of writing, ring a channel, become a link.
const HOSTILE: &str = "x\r\nBcc: e@evil.example\u{1b}[2J\u{1b}]0;t\u{7}\u{9b}31m\u{202e}y\u{2028}\0 <!channel> \
                       <https://evil.example|here> [here](https://evil.example) *bold* `code` ~gone~ \"q\" =1+1";

fn hostile_everywhere() -> Page {
    let mut page = page("hook", PageKind::Firing, 2);
    let text = || HOSTILE.to_owned();
    (page.title, page.key, page.trouble, page.decision) = (text(), text(), text(), Some(text()));
    (page.lines, page.clusters) = (vec![text()], vec![text()]);
    for host in &mut page.samples {
        (host.subject, host.cluster, host.says) = (text(), text(), text());
        (host.machine, host.zone) = (Some(text()), Some(text()));
    }
    page
}

/// All texts of a JSON value.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn no_name_and_no_reason_writes_a_line_of_its_own_or_steers_whoever_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let key = format!("key = \"{}\"", secret(dir.path(), "key", "0123456789abcdef0123456789abcdef"));
    for (kind, more) in [("slack", ""), ("slack", "form = \"attachment\""), ("teams", ""), ("pagerduty", key.as_str())]
    {
        let heard = &told(kind, more, &[hostile_everywhere()]).await[0];
        let said = match kind {
            "slack" if !more.is_empty() => {
                let form = String::from_utf8(heard.body.clone()).unwrap();
                let json =
                    percent_encoding::percent_decode_str(form.trim_start_matches("payload=")).decode_utf8().unwrap();
                serde_json::from_str(&json).unwrap()
            }
            _ => heard.json(),
        };
        let texts = texts(&said);
        assert!(texts.iter().any(|text| text.contains("evil.example")), "{kind}: it was told");
        for text in texts {
            // muster's own lists have lines.
            let mine = text.strip_suffix('\n').unwrap_or(&text).replace("\n• ", "");
            assert!(!mine.contains(muster::render::escape::steers), "{kind}: {text:?}");
            assert!(!text.contains("\nBcc"), "{kind}: {text:?}");
        }
        if kind == "slack" {
            let whole = said.to_string();
            for markup in ["<!channel", "<https", "*bold*", "`code`", "~gone~"] {
                let headline = said["blocks"][0]["text"]["text"].to_string();
                assert!(!whole.replace(&headline, "").contains(markup), "{markup}: {whole}");
            }
        }
    }
}

#[tokio::test]
async fn in_slack_marked_text_is_taken_as_it_stands() {
    let said = told("slack", "", &[hostile_everywhere()]).await[0].json();
    // The header is plain text, in which nothing is marked up.
    assert_eq!(said["blocks"][0]["text"]["type"], "plain_text");
    let marked: Vec<&Value> = said["blocks"].as_array().unwrap()[1..]
        .iter()
        .map(|block| if block["type"] == "context" { &block["elements"][0] } else { &block["text"] })
        .collect();
    assert!(!marked.is_empty() && marked.iter().all(|text| text["verbatim"] == true), "{said}");
}
