//! `[[receiver]]`: where pages go. Secrets are named, never written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{mistake::Wrong, secret::SecretRef};
use crate::senders::target::{self, Allowed};

/// One receiver of pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReceiverEntry {
    /// The name that routes use.
    #[schemars(example = &"team")]
    pub name: String,
    /// What kind of receiver it is.
    #[schemars(example = &"webhook")]
    pub kind: Kind,
    /// The address of a Slack, Teams or own webhook, by reference: env:NAME, file:PATH, ssm:PARAMETER or
    /// secretsmanager:ID. Such an address is a secret: whoever has it can post.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"env:MUSTER_WEBHOOK_URL")]
    pub url: Option<SecretRef>,
    /// PagerDuty's routing key, by reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"env:MUSTER_PAGERDUTY_KEY", extend("not-alone" = true))]
    pub key: Option<SecretRef>,
    /// The secrets that an own webhook is signed with, by reference; two while one replaces the other.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(example = ["file:/etc/muster/webhook-secret"])]
    pub secrets: Vec<SecretRef>,
    /// The shape of a message, where there are several: `attachment` for Slack, `connection-monitoring` and `agent-monitor`
    /// for SNS.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("not-alone" = true))]
    pub form: Option<Form>,
    /// PagerDuty's service region: us or eu.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"eu", extend("not-alone" = true))]
    pub region: Option<String>,
    /// ARN of the SNS topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"arn:aws:sns:eu-central-1:210987654321:pages", extend("not-alone" = true))]
    pub topic: Option<String>,
    /// Sender of e-mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"muster@example.com", extend("not-alone" = true))]
    pub from: Option<String>,
    /// Recipients of e-mail.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(example = ["oncall@example.com"], extend("not-alone" = true))]
    pub to: Vec<String>,
    /// Host of the SMTP server.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"mail.example.com", extend("not-alone" = true))]
    pub host: Option<String>,
    /// Its port. Left out: 587 with STARTTLS, 465 with TLS from the first byte on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("not-alone" = true))]
    pub port: Option<u16>,
    /// How SMTP is encrypted: starttls, implicit, or none, which is allowed to this very machine only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("not-alone" = true))]
    pub tls: Option<Tls>,
    /// A file of certificates that the SMTP server's must go back to, besides those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"/etc/muster/mail-ca.pem", extend("not-alone" = true))]
    pub ca_file: Option<String>,
    /// User at the SMTP server.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"muster", extend("not-alone" = true))]
    pub user: Option<String>,
    /// Password at the SMTP server, by reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"env:MUSTER_SMTP_PASSWORD", extend("not-alone" = true))]
    pub password: Option<SecretRef>,
    /// The address may be a plain http one.
    pub allow_http: bool,
    /// The address may lie in your own network, or on this machine.
    pub allow_private: bool,
    /// The address may be a link-local one, where cloud metadata lies too. Hardly ever right.
    pub allow_link_local: bool,
    /// How long a page is tried before it is given up.
    pub retry_secs: u32,
}

impl Default for ReceiverEntry {
    fn default() -> Self {
        Self {
            name: String::new(),
            kind: Kind::Webhook,
            url: None,
            key: None,
            secrets: Vec::new(),
            form: None,
            region: None,
            topic: None,
            from: None,
            to: Vec::new(),
            host: None,
            port: None,
            tls: None,
            ca_file: None,
            user: None,
            password: None,
            allow_http: false,
            allow_private: false,
            allow_link_local: false,
            retry_secs: 600,
        }
    }
}

/// Kinds of receivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Slack, by an incoming webhook.
    Slack,
    /// PagerDuty, Events API v2.
    Pagerduty,
    /// Microsoft Teams, by a Workflows webhook.
    Teams,
    /// E-mail by an SMTP server.
    Smtp,
    /// E-mail by Amazon SES.
    Ses,
    /// An Amazon SNS topic.
    Sns,
    /// A webhook of your own, signed with HMAC.
    Webhook,
}

/// Shapes of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Slack: one attachment with Date and Host.
    Attachment,
    /// SNS: the subject and body of amazon-ecs-agent-connection-monitoring.
    ConnectionMonitoring,
    /// SNS: the subject of ecs-agent-monitor.
    AgentMonitor,
}

/// How SMTP is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// STARTTLS, required.
    #[default]
    Starttls,
    /// From the first byte on.
    Implicit,
    /// Not at all; to this machine only.
    None,
}

impl ReceiverEntry {
    /// Where its address may lie.
    pub fn allowed(&self) -> Allowed {
        Allowed { http: self.allow_http, private: self.allow_private, link_local: self.allow_link_local }
    }

    fn check(&self, path: &str, wrong: &mut Vec<Wrong>) {
        let mut of = |option: &'static str, why: String| wrong.push(Wrong::of(path, option, why));
        if !super::custom::is_plain_name(&self.name) {
            of("name", "a name has 1 to 64 letters, digits, `-`, `_` and `.`".to_owned());
        }
        let needs = |option: &str| format!("a receiver of this kind needs `{option}`");
        match self.kind {
            Kind::Slack | Kind::Teams | Kind::Webhook if self.url.is_none() => of("kind", needs("url")),
            Kind::Pagerduty if self.key.is_none() => of("kind", needs("key")),
            Kind::Sns if self.topic.is_none() => of("kind", needs("topic")),
            Kind::Smtp if self.host.is_none() => of("kind", needs("host")),
            _ => {}
        }
        if matches!(self.kind, Kind::Smtp | Kind::Ses) {
            if self.from.is_none() {
                of("kind", needs("from"));
            }
            if self.to.is_empty() {
                of("kind", needs("to"));
            }
        }
        for address in self.from.iter().chain(&self.to) {
            if address.parse::<lettre::message::Mailbox>().is_err() {
                let option = if self.from.as_ref() == Some(address) { "from" } else { "to" };
                of(option, format!("`{address}` is no mail address"));
            }
        }
        if let Some(topic) = self.topic.as_deref().filter(|topic| !is_topic(topic)) {
            of(
                "topic",
                format!("`{topic}` is no topic ARN; one looks like arn:aws:sns:eu-central-1:210987654321:pages"),
            );
        }
        if self.region.as_deref().is_some_and(|region| !["us", "eu"].contains(&region)) {
            of("region", "PagerDuty's regions are us and eu".to_owned());
        }
        let fits = match self.form {
            None => true,
            Some(Form::Attachment) => self.kind == Kind::Slack,
            Some(Form::ConnectionMonitoring | Form::AgentMonitor) => self.kind == Kind::Sns,
        };
        if !fits {
            of(
                "form",
                "attachment is a form of slack, connection-monitoring and agent-monitor are forms of sns".to_owned(),
            );
        }
        let this_machine = self.host.as_deref().is_some_and(|host| ["localhost", "127.0.0.1", "::1"].contains(&host));
        if self.tls == Some(Tls::None) && !this_machine {
            of("tls", "mail is sent without encryption to this very machine only; use starttls or implicit".to_owned());
        }
        if self.user.is_some() != self.password.is_some() {
            of(if self.user.is_some() { "user" } else { "password" }, "user and password go together".to_owned());
        }
        if !(10..=86_400).contains(&self.retry_secs) {
            of("retry_secs", format!("{} is out of range: from 10 to 86400", self.retry_secs));
        }
        // An address that can be read already is looked at already; where it leads to is looked at before each message.
        if let Some(Ok(url)) = self.url.as_ref().and_then(SecretRef::read_here)
            && let Err(error) = target::parse(url.expose(), self.allowed())
        {
            of("url", error.to_string());
        }
    }
}

fn is_topic(text: &str) -> bool {
    fleet::id::Arn::parse(text).is_some_and(|arn| {
        arn.service == "sns" && !arn.region.is_empty() && arn.account.len() == 12 && !arn.resource.is_empty()
    })
}

/// Checks all receivers.
pub(super) fn check(receivers: &[ReceiverEntry], wrong: &mut Vec<Wrong>) {
    for (index, receiver) in receivers.iter().enumerate() {
        let path = format!("receiver.{index}");
        receiver.check(&path, wrong);
        if receivers.iter().take(index).any(|other| other.name == receiver.name) {
            wrong.push(Wrong::of(&path, "name", format!("there is a receiver called `{}` already", receiver.name)));
        }
    }
}
