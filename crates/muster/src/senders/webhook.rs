//! A webhook of the operator's own, signed (spec I.7): `X-Signature` is `v1=` and the HMAC-SHA256 of
//! `v1:TIMESTAMP:BODY` in hexadecimal, once for each secret, so that secrets can be changed without a gap. `X-Event-Id`
//! is the same at every try: receivers know by it what they have seen.

use std::sync::Arc;

use async_trait::async_trait;
use engine::ports::Page;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde::Serialize;
use sha2::Sha256;

use super::{Receiver, Refused, http::HttpClient, target::Allowed, vault::Vault, words};
use crate::config::{receivers::ReceiverEntry, secret::SecretRef};

/// The version of the body; it grows when a field changes its meaning, not when one is added.
const VERSION: u32 = 1;

/// What is posted: a page, as the journal keeps it.
#[derive(Serialize)]
struct Body<'a> {
    version: u32,
    #[serde(flatten)]
    page: &'a Page,
}

/// A webhook.
#[derive(Debug)]
pub struct Webhook {
    url: Option<SecretRef>,
    secrets: Vec<SecretRef>,
    allowed: Allowed,
    http: HttpClient,
    vault: Arc<Vault>,
}

impl Webhook {
    /// The webhook of a configuration.
    pub fn new(entry: &ReceiverEntry, http: HttpClient, vault: Arc<Vault>) -> Self {
        Self { url: entry.url.clone(), secrets: entry.secrets.clone(), allowed: entry.allowed(), http, vault }
    }
}

#[async_trait]
impl Receiver for Webhook {
    async fn deliver(&self, page: &Page) -> Result<(), Refused> {
        let Some(url) = &self.url else { return Err(Refused::for_good("the webhook has no url")) };
        let url = self.vault.for_receiver(url).await?;
        let body = serde_json::to_vec(&Body { version: VERSION, page })
            .map_err(|error| Refused::for_good(format!("the page cannot be written: {error}")))?;
        let timestamp = Timestamp::now().as_second().to_string();
        let mut headers = vec![
            ("x-event-id", event_id(page)),
            ("x-event-type", format!("muster.{}", words::kind(page))),
            ("x-timestamp", timestamp.clone()),
        ];
        let mut signatures = Vec::new();
        for secret in &self.secrets {
            let secret = self.vault.for_receiver(secret).await?;
            signatures.push(format!("v1={}", signature(secret.expose().as_bytes(), &timestamp, &body)));
        }
        if !signatures.is_empty() {
            headers.push(("x-signature", signatures.join(",")));
        }
        let reply = self.http.post(url.expose(), self.allowed, &headers, body).await;
        Refused::from_reply("the webhook", reply, &self.vault).map(drop)
    }
}

/// The same at every try, over restarts too, and another one for every other page: a UUID (version 8, RFC 9562) of the
/// incident, the page's number and its time.
pub(super) fn event_id(page: &Page) -> String {
    use sha2::Digest as _;
    let mut bytes: [u8; 32] = Sha256::digest(format!("{}\n{}\n{}", page.key, page.id, page.at)).into();
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex::encode(bytes);
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

/// The signature of a body.
pub fn signature(secret: &[u8], timestamp: &str, body: &[u8]) -> String {
    // A key of any length is taken.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return String::new() };
    mac.update(format!("v1:{timestamp}:").as_bytes());
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_any_other_implementation_makes_of_it() {
        // printf 'v1:1700000000:{"a":1}' | openssl dgst -sha256 -hmac 'k3y'
        assert_eq!(
            signature(b"k3y", "1700000000", br#"{"a":1}"#),
            "c547099d93926f7622a699d2de0cc70ff3c8f3840a7f86ab63dde2448fec5870"
        );
    }
}
