//! `[[receiver]]`: where pages go. Secrets are named, never written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{mistake::Wrong, notices::HeartbeatEntry, secret::SecretRef};
use crate::senders::target::{self, Allowed};

/// SES takes no more in one message.
const MOST_RECIPIENTS: usize = 50;

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
    /// PagerDuty's service region, us or eu; or the region that SES sends from. Left out: us, or the first watched region.
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
    #[schemars(range(min = 10, max = 570))]
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
            retry_secs: 540,
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

impl Kind {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Pagerduty => "pagerduty",
            Self::Teams => "teams",
            Self::Smtp => "smtp",
            Self::Ses => "ses",
            Self::Sns => "sns",
            Self::Webhook => "webhook",
        }
    }
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

    /// All secrets that it names.
    pub fn secrets_named(&self) -> impl Iterator<Item = &SecretRef> {
        self.url.iter().chain(&self.key).chain(&self.secrets).chain(&self.password)
    }

    /// The options that belong to some kinds only, and whether they are given.
    fn belongings(&self) -> [(&'static str, bool, &'static [Kind]); 15] {
        use Kind::{Pagerduty, Ses, Slack, Smtp, Sns, Teams, Webhook};
        let posts: &[Kind] = &[Slack, Teams, Webhook, Pagerduty];
        [
            ("url", self.url.is_some(), posts),
            ("key", self.key.is_some(), &[Pagerduty]),
            ("secrets", !self.secrets.is_empty(), &[Webhook]),
            ("region", self.region.is_some(), &[Pagerduty, Ses]),
            ("topic", self.topic.is_some(), &[Sns]),
            ("from", self.from.is_some(), &[Smtp, Ses]),
            ("to", !self.to.is_empty(), &[Smtp, Ses]),
            ("host", self.host.is_some(), &[Smtp]),
            ("port", self.port.is_some(), &[Smtp]),
            ("tls", self.tls.is_some(), &[Smtp]),
            ("ca_file", self.ca_file.is_some(), &[Smtp]),
            ("user", self.user.is_some(), &[Smtp]),
            ("password", self.password.is_some(), &[Smtp]),
            ("allow_http", self.allow_http, posts),
            ("allow_private", self.allow_private, posts),
        ]
    }

    fn check(&self, path: &str, wrong: &mut Vec<Wrong>) {
        let mut of = |option: &'static str, why: String| wrong.push(Wrong::of(path, option, why));
        if !super::custom::is_plain_name(&self.name) {
            of("name", "a name has 1 to 64 letters, digits, `-`, `_` and `.`".to_owned());
        }
        let needs = |option: &str| format!("a receiver of the kind {} needs `{option}`", self.kind.word());
        match self.kind {
            Kind::Slack | Kind::Teams | Kind::Webhook if self.url.is_none() => of("kind", needs("url")),
            Kind::Pagerduty if self.key.is_none() => of("kind", needs("key")),
            Kind::Sns if self.topic.is_none() => of("kind", needs("topic")),
            Kind::Smtp if self.host.is_none() => of("kind", needs("host")),
            _ => {}
        }
        for (option, given, kinds) in self.belongings() {
            if given && !kinds.contains(&self.kind) {
                let kinds: Vec<&str> = kinds.iter().map(|kind| kind.word()).collect();
                let kinds = kinds.join(", ");
                of(
                    option,
                    format!("`{option}` belongs to receivers of the kind {kinds}, and this is {}", self.kind.word()),
                );
            }
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
        let region = self.region.as_deref();
        if self.kind == Kind::Pagerduty && region.is_some_and(|region| !["us", "eu"].contains(&region)) {
            of("region", "PagerDuty's regions are us and eu".to_owned());
        }
        let plain = |region: &str| region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if self.kind == Kind::Ses && region.is_some_and(|region| !plain(region) || !region.contains('-')) {
            of("region", "this is no region of AWS; one looks like eu-central-1".to_owned());
        }
        if self.to.len() > MOST_RECIPIENTS {
            of("to", format!("these are {} recipients, and {MOST_RECIPIENTS} is the most", self.to.len()));
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
        if !(10..=570).contains(&self.retry_secs) {
            of("retry_secs", format!("{} is out of range: from 10 to 570", self.retry_secs));
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

/// Checks all receivers, and that the heartbeat goes to one that it does not wake anybody by.
pub(super) fn check(receivers: &[ReceiverEntry], heartbeat: Option<&HeartbeatEntry>, wrong: &mut Vec<Wrong>) {
    for (index, receiver) in receivers.iter().enumerate() {
        let path = format!("receiver.{index}");
        receiver.check(&path, wrong);
        if receivers.iter().take(index).any(|other| other.name == receiver.name) {
            wrong.push(Wrong::of(&path, "name", format!("there is a receiver called `{}` already", receiver.name)));
        }
    }
    if let Some(beat) = heartbeat
        && receivers.iter().any(|receiver| receiver.kind == Kind::Pagerduty && receiver.name == beat.receiver)
    {
        let why =
            "PagerDuty would open an incident for a heartbeat: have it sent to a webhook that shouts when it stops";
        wrong.push(Wrong::of("notices.heartbeat", "receiver", why));
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn mistakes(text: &str) -> String {
        Config::parse("muster.toml", text).map_or_else(|mistakes| mistakes.to_string(), |_| "no mistake".to_owned())
    }

    #[test]
    fn every_kind_of_receiver_can_be_written() {
        for text in [
            "kind = \"slack\"\nurl = \"env:A\"\nform = \"attachment\"\n",
            "kind = \"pagerduty\"\nkey = \"ssm:/a\"\nregion = \"eu\"\n",
            "kind = \"teams\"\nurl = \"secretsmanager:a#b\"\n",
            "kind = \"smtp\"\nhost = \"mail.example.com\"\nfrom = \"a@example.com\"\nto = [\"B <b@example.com>\"]\n",
            "kind = \"smtp\"\nhost = \"::1\"\ntls = \"none\"\nfrom = \"a@example.com\"\nto = [\"b@example.com\"]\n",
            "kind = \"ses\"\nfrom = \"a@example.com\"\nto = [\"b@example.com\"]\nregion = \"eu-central-1\"\n",
            "kind = \"sns\"\ntopic = \"arn:aws-cn:sns:cn-north-1:210987654321:a.fifo\"\nform = \"agent-monitor\"\n",
            "kind = \"webhook\"\nurl = \"file:/a\"\nsecrets = [\"env:A\", \"env:B\"]\nretry_secs = 30\n",
        ] {
            assert_eq!(mistakes(&format!("[[receiver]]\nname = \"team\"\n{text}")), "no mistake", "{text}");
        }
    }

    #[test]
    fn a_receiver_that_cannot_work_is_told_with_what_to_do() {
        let mut surprises = Vec::new();
        for (text, says) in [
            ("kind = \"slack\"\n", "kind slack needs `url`"),
            ("kind = \"pagerduty\"\n", "needs `key`"),
            ("kind = \"sns\"\n", "needs `topic`"),
            ("kind = \"smtp\"\n", "needs `host`"),
            ("kind = \"ses\"\nto = [\"a@example.com\"]\n", "needs `from`"),
            ("kind = \"slak\"\n", "did you mean `slack`?"),
            ("url = \"https://hooks.example.com/canary\"\n", "env:NAME"),
            (
                "url = \"env:A\"\ntopic = \"arn:aws:sns:eu-central-1:210987654321:a\"\n",
                "belongs to receivers of the kind sns",
            ),
            ("url = \"env:A\"\npassword = \"env:A\"\n", "belongs to receivers of the kind smtp"),
            ("kind = \"sns\"\ntopic = \"pages\"\n", "no topic ARN"),
            ("kind = \"pagerduty\"\nkey = \"env:A\"\nregion = \"eu-central-1\"\n", "us and eu"),
            ("kind = \"ses\"\nfrom = \"a@b.c\"\nto = [\"a@b.c\"]\nregion = \"eu\"\n", "no region of AWS"),
            ("kind = \"ses\"\nfrom = \"a\"\nto = [\"a@b.c\"]\n", "`a` is no mail address"),
            ("kind = \"ses\"\nfrom = \"a@b.c\"\nto = [\"a@b.c\\r\\nBcc: d@e.f\"]\n", "is no mail address"),
            ("url = \"env:A\"\nform = \"attachment\"\n", "attachment is a form of slack"),
            ("url = \"env:A\"\nretry_secs = 600\n", "from 10 to 570"),
            (
                "kind = \"smtp\"\nhost = \"mail.example.com\"\ntls = \"none\"\nfrom = \"a@b.c\"\nto = [\"a@b.c\"]\n",
                "use starttls or implicit",
            ),
            (
                "kind = \"smtp\"\nhost = \"mail.example.com\"\nuser = \"a\"\nfrom = \"a@b.c\"\nto = [\"a@b.c\"]\n",
                "user and password go together",
            ),
            ("url = \"env:A\"\n[[receiver]]\nname = \"team\"\nurl = \"env:B\"\n", "called `team` already"),
            ("nmae = \"a\"\nurl = \"env:A\"\n", "did you mean `name`?"),
            (
                "kind = \"pagerduty\"\nkey = \"env:A\"\n[notices]\nheartbeat = { receiver = \"team\", every_secs = 60 }\n",
                "would open an incident",
            ),
        ] {
            let told = mistakes(&format!("[[receiver]]\nname = \"team\"\n{text}"));
            if !told.contains(says) || told.contains("canary") {
                surprises.push(format!("expected {says}\n{text}{told}"));
            }
        }
        assert!(surprises.is_empty(), "{}", surprises.join("\n\n"));
    }

    #[test]
    fn an_address_that_can_be_read_is_looked_at_and_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("url").display().to_string();
        for (url, more, says) in [
            ("http://hooks.example.com/canary", "", "allow_http"),
            ("https://127.1/canary", "", "allow_private"),
            ("https://169.254.169.254/canary", "allow_private = true", "allow_link_local"),
            ("https://canary:canary@hooks.example.com/", "", "a user name or a password"),
            ("canary canary", "", "no URL"),
            ("https://hooks.example.com/canary", "", "no mistake"),
        ] {
            std::fs::write(&file, url).unwrap();
            let told = mistakes(&format!("[[receiver]]\nname = \"team\"\nurl = \"file:{file}\"\n{more}\n"));
            assert!(told.contains(says) && !told.contains("canary"), "{url}: {told}");
        }
    }
}
