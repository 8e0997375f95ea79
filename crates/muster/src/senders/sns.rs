//! SNS (spec I.1): a clean form, and the subjects and bodies that two older tools send, for whoever reads those by
//! machine (seed behaviour 2e, 5e).

use std::sync::Arc;

use async_trait::async_trait;
use engine::ports::{Page, PageHost, PageKind};

use super::{Receiver, Refused, words};
use crate::config::receivers::{Form, ReceiverEntry};

/// Bytes of a message, and characters of a subject.
const MESSAGE: usize = 250_000;
const SUBJECT: usize = 99;

/// A topic.
#[derive(Debug)]
pub struct Sns {
    topic: String,
    form: Option<Form>,
    aws: Arc<aws::AwsCloud>,
}

impl Sns {
    /// The topic of a configuration.
    pub fn new(entry: &ReceiverEntry, aws: Arc<aws::AwsCloud>) -> Self {
        Self { topic: entry.topic.clone().unwrap_or_default(), form: entry.form, aws }
    }
}

#[async_trait]
impl Receiver for Sns {
    async fn deliver(&self, page: &Page) -> Result<(), Refused> {
        for (subject, body) in messages(page, self.form) {
            let subject = words::line(&ascii(&subject), SUBJECT);
            let body = words::cut_bytes(&body, MESSAGE);
            let dedup = format!("{}-{}", page.key.replace('/', "-"), page.id);
            let published = self.aws.publish(&self.topic, &subject, &body, &page.key, &dedup).await;
            published.map_err(|failure| {
                let why = format!("SNS topic {}: {}", self.topic, failure.why);
                if failure.again { Refused::for_now(why) } else { Refused::for_good(why) }
            })?;
        }
        Ok(())
    }
}

/// Subjects are printable ASCII.
fn ascii(text: &str) -> String {
    text.chars().map(|letter| if letter.is_ascii_graphic() || letter == ' ' { letter } else { '?' }).collect()
}

fn name(host: &PageHost) -> &str {
    host.machine.as_deref().unwrap_or_else(|| words::last(&host.subject))
}

/// What is published for a page: one message, or one a host in the forms that know single hosts.
fn messages(page: &Page, form: Option<Form>) -> Vec<(String, String)> {
    match form {
        // These tools know no recovery; a reader of theirs would take one for another alarm.
        Some(Form::ConnectionMonitoring | Form::AgentMonitor)
            if matches!(page.kind, PageKind::Resolved | PageKind::Heartbeat) =>
        {
            Vec::new()
        }
        Some(Form::ConnectionMonitoring) => page
            .samples
            .iter()
            .map(|host| {
                let (id, cluster) = (name(host), &host.cluster);
                (
                    format!("[ISSUE] ECS Instance - {id}"),
                    format!(
                        "[ISSUE] ECS Container Instance {id} from Cluster {cluster} has the ECS Agent disconnected."
                    ),
                )
            })
            .collect(),
        Some(Form::AgentMonitor) => {
            let mut body = format!(
                "{} instance(s) of the ECS cluster {} have an ecs-agent that does not answer:\n",
                page.hosts,
                words::clusters(page)
            );
            for host in &page.samples {
                body.push_str(&format!("{}\n", name(host)));
            }
            body.push_str(&format!("\n{}\n", page.title));
            vec![("AWS Lambda: ECS-Agent-Monitor".to_owned(), body)]
        }
        _ => vec![(format!("{} {}", words::mark(page), page.title), words::plain(page))],
    }
}
