//! SNS (spec I.1): a clean form, and the subjects and bodies that two older tools send, for whoever reads those by
//! machine (seed behaviour 2e, 5e).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use engine::ports::{Page, PageKind};
use fleet::remedy::Remedy;
use sha2::{Digest as _, Sha256};

use super::{Receiver, Refused, webhook::event_id, words};
use crate::config::receivers::{Form, ReceiverEntry};

/// Bytes of a message, attributes not counted, and characters of a subject.
const MESSAGE: usize = 250_000;
const SUBJECT: usize = 99;
/// Characters of a line.
const LINE: usize = 600;
/// Incidents of which the hosts that were told are remembered.
const INCIDENTS: usize = 1_000;

/// A topic.
#[derive(Debug)]
pub struct Sns {
    topic: String,
    form: Option<Form>,
    aws: Arc<aws::AwsCloud>,
    /// By incident, the hosts that single messages have told already.
    told: Mutex<BTreeMap<String, BTreeSet<String>>>,
}

/// One message to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Message {
    subject: String,
    body: String,
    /// The one host that it is about.
    host: Option<String>,
}

impl Sns {
    /// The topic of a configuration.
    pub fn new(entry: &ReceiverEntry, aws: Arc<aws::AwsCloud>) -> Self {
        Self { topic: entry.topic.clone().unwrap_or_default(), form: entry.form, aws, told: Mutex::default() }
    }

    fn told(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, BTreeSet<String>>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, page: &Page, host: String) {
        let mut told = self.told();
        told.entry(page.key.clone()).or_default().insert(host);
        while told.len() > INCIDENTS {
            told.pop_first();
        }
    }
}

#[async_trait]
impl Receiver for Sns {
    async fn deliver(&self, page: &Page) -> Result<(), Refused> {
        let told = self.told().get(&page.key).cloned().unwrap_or_default();
        let attributes =
            [("kind", words::kind(page)), ("severity", words::severity(page)), ("trouble", page.trouble.as_str())];
        for Message { subject, body, host } in messages(page, self.form, &told) {
            // The same at every try; another one for each host.
            let dedup = hex::encode(Sha256::digest(format!("{}\n{host:?}", event_id(page))));
            let published = self.aws.publish(&self.topic, &subject, &body, &attributes, &page.key, &dedup).await;
            published.map_err(|failure| {
                let why = format!("SNS topic {}: {}", self.topic, failure.why);
                if failure.again { Refused::for_now(why) } else { Refused::for_good(why) }
            })?;
            if let Some(host) = host {
                self.remember(page, host);
            }
        }
        if page.kind == PageKind::Resolved {
            self.told().remove(&page.key);
        }
        Ok(())
    }
}

/// A subject is printable ASCII, at most 99 characters.
fn subject(text: &str) -> String {
    let ascii: String =
        text.chars().map(|letter| if letter.is_ascii_graphic() || letter == ' ' { letter } else { '?' }).collect();
    if ascii.len() <= SUBJECT { ascii } else { format!("{}...", ascii.get(..SUBJECT - 3).unwrap_or_default()) }
}

fn plain(page: &Page) -> Message {
    Message {
        subject: subject(&words::title(page)),
        body: words::cut_bytes(&words::plain(page), MESSAGE).into_owned(),
        host: None,
    }
}

/// What is published for a page. The older tools know lost agents and nothing else, so everything else, the end of an
/// incident too, is told in the clean form, which their readers do not take for an alarm of theirs.
fn messages(page: &Page, form: Option<Form>, told: &BTreeSet<String>) -> Vec<Message> {
    let lost_agents = matches!(page.kind, PageKind::Firing | PageKind::Update)
        && matches!(page.trouble.as_str(), "agent-away" | "doubt")
        && !page.samples.is_empty();
    match form {
        Some(Form::ConnectionMonitoring) if lost_agents => connection_monitoring(page, told),
        Some(Form::AgentMonitor) if lost_agents => vec![agent_monitor(page)],
        _ => vec![plain(page)],
    }
}

/// A message for each host that was not told yet in this incident. Hosts that the page does not name are told together.
fn connection_monitoring(page: &Page, told: &BTreeSet<String>) -> Vec<Message> {
    let mut messages: Vec<Message> = page
        .samples
        .iter()
        .filter(|host| !told.contains(&host.subject))
        .map(|host| {
            let (id, cluster) = (words::line(words::who(host), LINE), words::line(&host.cluster, LINE));
            Message {
                subject: subject(&format!("[ISSUE] ECS Instance - {id}")),
                body: format!(
                    "[ISSUE] ECS Container Instance {id} from Cluster {cluster} has the ECS Agent disconnected."
                ),
                host: Some(host.subject.clone()),
            }
        })
        .collect();
    if words::beyond_samples(page) > 0 {
        messages.push(plain(page));
    }
    messages
}

/// One message with a list of hosts: of those that fail, or of those that are to be replaced.
fn agent_monitor(page: &Page) -> Message {
    let decision = page.decision.as_deref().unwrap_or_default();
    let mut body = if decision.contains(Remedy::Replace.words()) {
        let mut body = format!(
            "{} instance(s) of the ECS cluster {} failed because the `ecs-agent' process has died:\n",
            page.hosts,
            words::flat(&words::clusters(page))
        );
        for host in &page.samples {
            body.push_str(&format!("{}\n", words::line(words::who(host), LINE)));
        }
        body.push_str(&format!("\n{}\n", words::line(decision, LINE)));
        body
    } else {
        let mut body =
            "The ecs-agent-monitor function running in AWS Lambda has detected the following: \n\n".to_owned();
        for host in &page.samples {
            let (id, cluster) = (words::line(words::who(host), LINE), words::line(words::last(&host.cluster), LINE));
            let why = words::line(&host.says, LINE);
            body.push_str(&format!("\"The instance `{id}' in the `{cluster}' ECS cluster failed. {why}\n"));
        }
        body
    };
    let beyond = words::beyond_samples(page);
    if beyond > 0 {
        body.push_str(&format!("and {beyond} more instances\n"));
    }
    body.push_str(&format!("\n{}\n", words::line(&page.title, LINE)));
    Message { subject: "AWS Lambda: ECS-Agent-Monitor".to_owned(), body, host: None }
}
