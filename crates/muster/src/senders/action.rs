//! Webhooks that are actions: what the operator wants done about a host, asked for by a signed POST. The headers are those of
//! a webhook that is told something; `X-Event-Id` is the intent's token, the same at every try.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use aws::{CustomWebhook, WebhookFailure};
use jiff::Timestamp;

use super::{http::HttpClient, target::Allowed, vault::Vault, webhook::signature, words};
use crate::config::{custom::CustomEntry, secret::SecretRef};

/// So much of an answer is kept.
const SAID: usize = 300;

/// The `[[custom]]` actions that are webhooks, by name.
#[derive(Debug)]
pub struct ActionHooks {
    hooks: BTreeMap<String, Hook>,
    /// Secrets may lie in AWS, and the way there is made after these.
    vault: OnceLock<Arc<Vault>>,
}

#[derive(Debug)]
struct Hook {
    url: SecretRef,
    secrets: Vec<SecretRef>,
    allowed: Allowed,
    http: HttpClient,
}

impl ActionHooks {
    /// The webhooks among the actions of a configuration.
    ///
    /// # Errors
    /// One sentence, when no TLS can be set up.
    pub fn new(customs: &[CustomEntry]) -> Result<Self, String> {
        let mut hooks = BTreeMap::new();
        for custom in customs {
            let Some(url) = custom.webhook.clone() else { continue };
            let http = HttpClient::new(Duration::from_secs(u64::from(custom.timeout_secs)))?;
            let (secrets, allowed) = (custom.secrets.clone(), custom.allowed());
            hooks.insert(custom.name.clone(), Hook { url, secrets, allowed, http });
        }
        Ok(Self { hooks, vault: OnceLock::new() })
    }

    /// Where secrets are read. Only the first call counts.
    pub fn read_secrets_in(&self, vault: Arc<Vault>) {
        self.vault.get_or_init(|| vault);
    }

    /// What was said, without any secret that it may repeat.
    fn said(&self, body: &str) -> String {
        let hidden = self.vault.get().map_or_else(String::new, |vault| vault.hide(body));
        words::line(&hidden, SAID)
    }

    async fn secret(&self, place: &SecretRef) -> Result<String, WebhookFailure> {
        let not_sent = |why: String| WebhookFailure { why, may_have_happened: false };
        let vault = self.vault.get().ok_or_else(|| not_sent("muster is still starting".to_owned()))?;
        let secret = vault.read(place).await;
        secret
            .map(|secret| secret.expose().to_owned())
            .map_err(|error| not_sent(format!("its secret could not be read: {error}")))
    }
}

#[async_trait]
impl CustomWebhook for ActionHooks {
    async fn post(&self, name: &str, token: &str, payload: &[u8], _: Duration) -> Result<String, WebhookFailure> {
        let Some(hook) = self.hooks.get(name) else {
            let why = format!("there is no [[custom]] webhook called {name}");
            return Err(WebhookFailure { why, may_have_happened: false });
        };
        let url = self.secret(&hook.url).await?;
        let timestamp = Timestamp::now().as_second().to_string();
        let mut headers = vec![
            ("x-event-id", token.to_owned()),
            ("x-event-type", "muster.act".to_owned()),
            ("x-timestamp", timestamp.clone()),
        ];
        let mut signatures = Vec::new();
        for place in &hook.secrets {
            let secret = self.secret(place).await?;
            signatures.push(format!("v1={}", signature(secret.as_bytes(), &timestamp, payload)));
        }
        if !signatures.is_empty() {
            headers.push(("x-signature", signatures.join(",")));
        }
        let reply = hook.http.post(&url, hook.allowed, &headers, payload.to_vec()).await.map_err(|error| {
            let why = format!("the webhook of the action {name}: {error}");
            WebhookFailure { may_have_happened: error.may_have_happened(), why }
        })?;
        let said = self.said(&reply.body);
        if (200..300).contains(&reply.status) {
            return Ok(said);
        }
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        let why = format!("the webhook of the action {name} answered HTTP {}{said}", reply.status);
        Err(WebhookFailure { why, may_have_happened: reply.status >= 500 })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    /// Answers one request with this status, and gives what it got.
    fn answering(status: &'static str) -> (String, std::thread::JoinHandle<String>) {
        hook(status, |_| "fixed".to_owned())
    }

    /// The same, and says everything that it was told.
    fn repeating(status: &'static str) -> (String, std::thread::JoinHandle<String>) {
        hook(status, |got| format!("I was told {}", got.replace("\r\n", " ")))
    }

    fn hook(status: &'static str, says: fn(&str) -> String) -> (String, std::thread::JoinHandle<String>) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/fix?key=canary-canary", listener.local_addr().unwrap());
        let heard = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut got = Vec::new();
            let mut buffer = [0; 4096];
            while !String::from_utf8_lossy(&got).contains("\"case\"") {
                let read = stream.read(&mut buffer).unwrap();
                assert!(read > 0, "the request broke off");
                got.extend_from_slice(&buffer[..read]);
            }
            let got = String::from_utf8(got).unwrap();
            let body = says(&got);
            let length = body.len();
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}").unwrap();
            got
        });
        (url, heard)
    }

    async fn post(url: &str, allow_private: bool) -> Result<String, WebhookFailure> {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            std::fs::write(dir.path().join(name), text).unwrap();
            SecretRef::File(dir.path().join(name).display().to_string())
        };
        let custom = CustomEntry {
            webhook: Some(file("url", url)),
            secrets: vec![file("secret", "k3y")],
            allow_http: true,
            allow_private,
            ..CustomEntry::named("fix")
        };
        let hooks = ActionHooks::new(&[custom]).unwrap();
        hooks.read_secrets_in(Arc::new(Vault::new(None)));
        hooks.post("fix", "token-7", br#"{"case":4}"#, Duration::from_secs(5)).await
    }

    #[tokio::test]
    async fn an_action_is_asked_for_by_a_signed_post_that_carries_the_token_of_its_intent() {
        let (url, heard) = answering("200 OK");
        assert_eq!(post(&url, true).await.unwrap(), "fixed");
        let heard = heard.join().unwrap();
        assert!(heard.starts_with("POST /fix?key=canary-canary ") && heard.ends_with("{\"case\":4}"), "{heard}");
        assert!(heard.contains("x-event-id: token-7\r\n"), "{heard}");
        let at = heard.lines().find_map(|line| line.strip_prefix("x-timestamp: ")).unwrap();
        let expected = signature(b"k3y", at, br#"{"case":4}"#);
        assert!(heard.contains(&format!("x-signature: v1={expected}\r\n")), "{heard}");
    }

    #[tokio::test]
    async fn a_refusal_is_told_without_the_address_and_a_5xx_may_have_acted_all_the_same() {
        for (status, may_have_happened) in [("403 Forbidden", false), ("502 Bad Gateway", true)] {
            let (url, heard) = answering(status);
            let failure = post(&url, true).await.unwrap_err();
            heard.join().unwrap();
            assert_eq!(failure.may_have_happened, may_have_happened);
            assert!(failure.why.contains(&status[..3]) && !failure.why.contains("canary"), "{}", failure.why);
        }
    }

    #[tokio::test]
    async fn what_a_hook_repeats_of_its_secrets_is_hidden_whether_it_did_it_or_not() {
        for status in ["200 OK", "500 Oops"] {
            let (url, heard) = repeating(status);
            let said = match post(&url, true).await {
                Ok(said) => said,
                Err(failure) => failure.why,
            };
            heard.join().unwrap();
            assert!(!said.contains("canary") && said.contains("[hidden]"), "{said}");
        }
    }

    #[tokio::test]
    async fn an_address_of_this_machine_is_not_called_unless_allowed() {
        let failure = post("http://127.0.0.1:1/fix", false).await.unwrap_err();
        assert!(!failure.may_have_happened, "{}", failure.why);
    }
}
