//! E-mail by SMTP (spec I.6), over TLS: STARTTLS or from the first byte on. Without TLS only to this very machine.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use engine::ports::{Page, PageKind};
use lettre::{
    Message,
    message::{
        Mailbox, MultiPart,
        header::{Header, HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::{Credentials, Mechanism},
        client::{AsyncSmtpConnection, Certificate, TlsParameters},
        extension::ClientId,
    },
};

use super::{
    Receiver, Refused,
    target::{self, Allowed, Forbidden, Resolver},
    vault::Vault,
    webhook::event_id,
    words,
};
use crate::config::{
    receivers::{ReceiverEntry, Tls as TlsMode},
    secret::SecretRef,
};

/// How long one try may take.
const LIMIT: Duration = Duration::from_secs(30);
/// How long one address of a server may take to let a connection in.
const CONNECT: Duration = Duration::from_secs(5);

/// Codes by which a server says that it does not accept who logs in (RFC 4954).
const LOGIN_CODES: [&str; 4] = ["530", "534", "535", "538"];

/// A mail server and whom it tells.
pub struct Smtp {
    host: String,
    port: u16,
    tls: TlsMode,
    user: Option<String>,
    password: Option<SecretRef>,
    ca_file: Option<String>,
    from: String,
    to: Vec<String>,
    allowed: Allowed,
    resolver: Arc<dyn Resolver>,
    vault: Arc<Vault>,
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Smtp").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

impl Smtp {
    /// The server of a configuration. A mail server may lie in the own network: most do.
    pub fn new(entry: &ReceiverEntry, resolver: Arc<dyn Resolver>, vault: Arc<Vault>) -> Self {
        let tls = entry.tls.unwrap_or_default();
        let usual = match tls {
            TlsMode::Implicit => 465,
            TlsMode::Starttls => 587,
            TlsMode::None => 25,
        };
        Self {
            host: entry.host.clone().unwrap_or_default(),
            port: entry.port.unwrap_or(usual),
            tls,
            user: entry.user.clone(),
            password: entry.password.clone(),
            ca_file: entry.ca_file.clone(),
            from: entry.from.clone().unwrap_or_default(),
            to: entry.to.clone(),
            allowed: Allowed { private: true, ..entry.allowed() },
            resolver,
            vault,
        }
    }

    /// The addresses to connect to: looked at, and not asked for again.
    async fn addresses(&self) -> Result<Vec<SocketAddr>, Refused> {
        let found = target::addresses(&self.host, self.port, self.allowed, &*self.resolver).await;
        let addresses = found.map_err(|error| {
            let why = format!("SMTP server: {error}");
            if matches!(error, Forbidden::Unresolved { .. }) { Refused::for_now(why) } else { Refused::for_good(why) }
        })?;
        if self.tls == TlsMode::None && !addresses.iter().all(|address| address.ip().is_loopback()) {
            let why =
                format!("SMTP server {}: it is another machine, and nothing is sent there without TLS", self.host);
            return Err(Refused::for_good(why));
        }
        Ok(addresses)
    }

    fn trusted(&self) -> Result<TlsParameters, Refused> {
        let mut parameters = TlsParameters::builder(self.host.clone());
        if let Some(path) = &self.ca_file {
            let pem = std::fs::read(path).map_err(|error| Refused::for_now(format!("SMTP: {path}: {error}")))?;
            let certificate = Certificate::from_pem(&pem)
                .map_err(|error| Refused::for_good(format!("SMTP: {path} holds no certificate: {error}")))?;
            parameters = parameters.add_root_certificate(certificate);
        }
        parameters.build_rustls().map_err(|error| Refused::for_good(format!("SMTP: TLS: {error}")))
    }

    /// Sends a message over a connection of its own.
    async fn send(&self, message: &Message) -> Result<(), Refused> {
        let failed = |error| self.refusal(&error);
        let addresses = self.addresses().await?;
        let hello = ClientId::default();
        let wrapped = if self.tls == TlsMode::Implicit { Some(self.trusted()?) } else { None };
        let mut connection = AsyncSmtpConnection::connect_tokio1(&addresses[..], Some(CONNECT), &hello, wrapped, None)
            .await
            .map_err(failed)?;
        if self.tls == TlsMode::Starttls {
            if !connection.can_starttls() {
                let why = format!("SMTP server {} offers no STARTTLS, and nothing is sent without", self.host);
                return Err(Refused::for_good(why));
            }
            connection.starttls(self.trusted()?, &hello).await.map_err(failed)?;
        }
        if let (Some(user), Some(password)) = (&self.user, &self.password) {
            let password = self.vault.for_receiver(password).await?;
            let login = Credentials::new(user.clone(), password.expose().to_owned());
            connection.auth(&[Mechanism::Plain, Mechanism::Login], &login).await.map_err(failed)?;
        }
        connection.send(message.envelope(), &message.formatted()).await.map_err(failed)?;
        // It has taken the message: whether it says goodbye changes nothing.
        let _ = connection.quit().await;
        Ok(())
    }
}

/// `Auto-Submitted: auto-generated`: nobody's holiday note should answer.
#[derive(Clone, Debug)]
struct AutoSubmitted(String);

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

#[async_trait]
impl Receiver for Smtp {
    async fn deliver(&self, page: &Page) -> Result<(), Refused> {
        let message = message(page, &self.from, &self.to)?;
        match tokio::time::timeout(LIMIT, self.send(&message)).await {
            Ok(sent) => sent,
            Err(_) => {
                Err(Refused::for_now(format!("SMTP server {} was not done within {} s", self.host, LIMIT.as_secs())))
            }
        }
    }
}

impl Smtp {
    fn refusal(&self, error: &lettre::transport::smtp::Error) -> Refused {
        let host = &self.host;
        let code = error.status().map(|code| code.to_string()).filter(|code| LOGIN_CODES.contains(&code.as_str()));
        if let Some(code) = code {
            // What the server says here may repeat what it was told.
            let why = format!("SMTP server {host} did not accept the login ({code}); check user and password");
            return Refused { secret: true, ..Refused::for_good(why) };
        }
        let why = format!("SMTP server {host}: {}", words::line(&self.vault.hide(&causes(error)), 400));
        // A server without STARTTLS, or without a way to log in, will not have one in a minute.
        if error.is_permanent() || error.is_client() { Refused::for_good(why) } else { Refused::for_now(why) }
    }
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(&format!(": {cause_text}"));
        }
        source = cause.source();
    }
    text
}

/// The id of an incident's first message, to which the others are answers.
pub(super) fn thread_id(page: &Page) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '.' };
    let thread: String = page.key.chars().map(plain).collect();
    format!("<{}@muster.invalid>", thread.trim_matches('.'))
}

/// One message. All of one incident hang together in a mail reader.
fn message(page: &Page, from: &str, to: &[String]) -> Result<Message, Refused> {
    let mailbox = |text: &str| {
        text.parse::<Mailbox>().map_err(|error| Refused::for_good(format!("SMTP: {text} is no mail address: {error}")))
    };
    let first = thread_id(page);
    let own = match page.kind {
        PageKind::Firing => first.clone(),
        _ => format!("<{}@muster.invalid>", event_id(page)),
    };
    let mut message = Message::builder()
        .from(mailbox(from)?)
        .subject(words::line(&words::title(page), 200))
        .message_id(Some(own))
        .header(AutoSubmitted("auto-generated".to_owned()));
    if matches!(page.kind, PageKind::Update | PageKind::Resolved) {
        message = message.in_reply_to(first.clone()).references(first);
    }
    for address in to {
        message = message.to(mailbox(address)?);
    }
    let plain = words::plain(page);
    let html = format!("<pre style=\"white-space:pre-wrap\">{}</pre>", escaped(&plain));
    let failed = |error: lettre::error::Error| Refused::for_good(format!("SMTP: the message cannot be made: {error}"));
    message.multipart(MultiPart::alternative_plain_html(plain, html)).map_err(failed)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use engine::ports::{PageHost, PageId, Severity};

    use super::*;

    const HOSTILE: &str =
        "x\r\nBcc: e@evil.example\r\n\r\nforged\u{1b}[2J\u{9b}\u{202e}y\u{2028}\0 <script>alert(1)</script> =1+1";

    fn hostile() -> Page {
        let text = || HOSTILE.to_owned();
        let host =
            PageHost { subject: text(), machine: Some(text()), cluster: text(), zone: Some(text()), says: text() };
        Page {
            id: PageId(7),
            receiver: "mail".to_owned(),
            kind: PageKind::Update,
            key: text(),
            severity: Severity::Critical,
            title: text(),
            lines: vec![text()],
            clusters: vec![text()],
            hosts: 1,
            samples: vec![host],
            trouble: text(),
            cases: Vec::new(),
            since: jiff::Timestamp::UNIX_EPOCH,
            at: jiff::Timestamp::UNIX_EPOCH,
            repaired_after_secs: None,
            decision: Some(text()),
        }
    }

    #[test]
    fn no_name_and_no_reason_becomes_a_header_a_line_or_markup_of_a_mail() {
        let message = message(&hostile(), "muster <muster@example.com>", &["oncall@example.com".to_owned()]).unwrap();
        let text = String::from_utf8(message.formatted()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let names: Vec<&str> = head
            .lines()
            .filter(|line| !line.starts_with([' ', '\t']))
            .map(|line| line.split(':').next().unwrap())
            .collect();
        let known = [
            "From",
            "Subject",
            "Message-ID",
            "Auto-Submitted",
            "In-Reply-To",
            "References",
            "To",
            "Date",
            "MIME-Version",
            "Content-Type",
        ];
        assert!(names.iter().all(|name| known.contains(name)), "{head}");
        assert!(!body.contains("\nBcc:") && !body.contains("\nforged"), "{body}");
        let plain = words::plain(&hostile());
        assert!(plain.lines().all(|line| !line.contains(crate::render::escape::steers)), "{plain:?}");
        assert!(!plain.lines().any(|line| line.starts_with("Bcc") || line.starts_with("forged")), "{plain}");
        assert!(!escaped(&plain).contains('<'), "nothing is markup");
    }
}
