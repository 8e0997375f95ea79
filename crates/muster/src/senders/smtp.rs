//! E-mail by SMTP (spec I.6), over TLS: STARTTLS or from the first byte on. Without TLS only to this very machine.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use engine::ports::{Page, PageKind};
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{
        Mailbox, MultiPart,
        header::{Header, HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
    },
};

use super::{Receiver, Refused, vault::Vault, words};
use crate::config::{
    receivers::{ReceiverEntry, Tls as TlsMode},
    secret::SecretRef,
};

/// How long one try may take.
const LIMIT: Duration = Duration::from_secs(30);

/// A mail server and whom it tells.
#[derive(Debug)]
pub struct Smtp {
    host: String,
    port: u16,
    tls: TlsMode,
    user: Option<String>,
    password: Option<SecretRef>,
    ca_file: Option<String>,
    from: String,
    to: Vec<String>,
    vault: Arc<Vault>,
}

impl Smtp {
    /// The server of a configuration.
    pub fn new(entry: &ReceiverEntry, vault: Arc<Vault>) -> Self {
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
            vault,
        }
    }

    async fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, Refused> {
        let tls = || -> Result<TlsParameters, Refused> {
            let mut parameters = TlsParameters::builder(self.host.clone());
            if let Some(path) = &self.ca_file {
                let pem = std::fs::read(path).map_err(|error| Refused::for_now(format!("SMTP: {path}: {error}")))?;
                let certificate = Certificate::from_pem(&pem)
                    .map_err(|error| Refused::for_good(format!("SMTP: {path} holds no certificate: {error}")))?;
                parameters = parameters.add_root_certificate(certificate);
            }
            parameters.build_rustls().map_err(|error| Refused::for_good(format!("SMTP: TLS: {error}")))
        };
        let tls = match self.tls {
            TlsMode::Implicit => Tls::Wrapper(tls()?),
            TlsMode::Starttls => Tls::Required(tls()?),
            TlsMode::None => Tls::None,
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&self.host)
            .port(self.port)
            .timeout(Some(LIMIT))
            .tls(tls);
        if let (Some(user), Some(password)) = (&self.user, &self.password) {
            let password = self.vault.for_receiver(password).await?;
            transport = transport.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
        }
        Ok(transport.build())
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
        let transport = self.transport().await?;
        transport.send(message).await.map(drop).map_err(|error| {
            let why = format!("SMTP server {}: {}", self.host, causes(&error));
            let wrong_password = error.status().is_some_and(|code| ["530", "535"].contains(&code.to_string().as_str()));
            if error.is_permanent() {
                Refused { secret: wrong_password, ..Refused::for_good(why) }
            } else {
                Refused::for_now(why)
            }
        })
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
    words::line(&text, 400)
}

/// One message. All of one incident hang together in a mail reader.
fn message(page: &Page, from: &str, to: &[String]) -> Result<Message, Refused> {
    let mailbox = |text: &str| {
        text.parse::<Mailbox>().map_err(|error| Refused::for_good(format!("SMTP: {text} is no mail address: {error}")))
    };
    let thread: String = page
        .key
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || "-.".contains(letter) { letter } else { '.' })
        .collect();
    let first = format!("<{thread}@muster.invalid>");
    let own = match page.kind {
        PageKind::Firing => first.clone(),
        _ => format!("<{thread}.{}@muster.invalid>", page.id),
    };
    let mut message = Message::builder()
        .from(mailbox(from)?)
        .subject(words::line(&format!("{} {}", words::mark(page), page.title), 200))
        .message_id(Some(own))
        .header(AutoSubmitted("auto-generated".to_owned()));
    if page.kind != PageKind::Firing {
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
