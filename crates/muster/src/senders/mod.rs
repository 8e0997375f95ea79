//! Where pages go: one receiver a file, and what they share.
//!
//! | to learn | read |
//! |---|---|
//! | retries, and which receiver | here |
//! | a POST, and where it may go | [`http`], [`target`] |
//! | secrets, and reading them anew | [`vault`] |
//! | words fit for a receiver | [`words`] |
//! | actions of the operator's that are webhooks | [`action`] |
//! | the receivers | [`log`], [`slack`], [`pagerduty`], [`teams`], [`smtp`], [`ses`], [`sns`], [`webhook`] |

pub mod action;
pub mod http;
pub mod log;
pub mod pagerduty;
pub mod ses;
pub mod slack;
pub mod smtp;
pub mod sns;
pub mod target;
pub mod teams;
pub mod vault;
pub mod webhook;
pub mod words;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use engine::ports::{DeliveryResult, Notice, Notifier, Page, PageKind};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::config::receivers::{Kind, ReceiverEntry};
use http::{HttpClient, NoReply, Reply};
use vault::Vault;

/// The first pause between two tries; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause, unless the receiver asks for a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// One place that pages go to.
#[async_trait]
pub trait Receiver: Send + Sync {
    /// Tries once to deliver a page.
    async fn deliver(&self, page: &Page) -> Result<(), Refused>;
}

/// A try that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What was tried and what was said, without any secret.
    pub why: String,
    /// Another try may succeed.
    pub again: bool,
    /// Not before so long.
    pub after_secs: Option<u64>,
    /// The receiver does not accept the secret: it is read anew before the next try.
    pub secret: bool,
}

impl Refused {
    /// Trying again is no use.
    pub fn for_good(why: impl Into<String>) -> Self {
        Self { why: why.into(), again: false, after_secs: None, secret: false }
    }

    /// Trying again may help.
    pub fn for_now(why: impl Into<String>) -> Self {
        Self { why: why.into(), again: true, after_secs: None, secret: false }
    }

    /// Reads the answer to a POST: 2xx is a success; 408, 425, 429 and 5xx may pass; the rest will not (spec I.7). What
    /// the receiver says is told, without any secret that it may repeat.
    ///
    /// # Errors
    /// All but a success.
    pub fn from_reply(what: &str, reply: Result<Reply, NoReply>, vault: &Vault) -> Result<Reply, Self> {
        let reply = match reply {
            Ok(reply) => reply,
            Err(error @ (NoReply::Broken { .. } | NoReply::TooLong { .. })) => {
                return Err(Self::for_now(format!("{what}: {error}")));
            }
            Err(NoReply::Forbidden(error @ target::Forbidden::Unresolved { .. })) => {
                return Err(Self::for_now(format!("{what}: {error}")));
            }
            Err(error) => return Err(Self::for_good(format!("{what}: {error}"))),
        };
        let (status, after_secs) = (reply.status, reply.retry_after_secs);
        if (200..300).contains(&status) {
            return Ok(reply);
        }
        let said = words::line(&vault.hide(&reply.body), 200);
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        let advice = match status {
            300..400 => "; redirects are not followed, give the address that it leads to",
            404 | 410 => "; is the address still right?",
            _ => "",
        };
        let why = format!("{what} answered HTTP {status}{said}{advice}");
        let secret = matches!(status, 401 | 403);
        let again = matches!(status, 408 | 425 | 429) || status >= 500;
        Err(Self { why, again, after_secs, secret })
    }
}

/// All receivers by name, and the log.
pub struct Senders {
    receivers: BTreeMap<String, Place>,
    vault: Arc<Vault>,
}

struct Place {
    receiver: Box<dyn Receiver>,
    limit: Duration,
}

impl std::fmt::Debug for Senders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Senders").field("receivers", &self.receivers.keys().collect::<Vec<_>>()).finish()
    }
}

impl Senders {
    /// The receivers of a configuration.
    pub fn new(entries: &[ReceiverEntry], http: &HttpClient, vault: Arc<Vault>, aws: &Arc<aws::AwsCloud>) -> Self {
        let receivers = entries.iter().map(|entry| {
            let receiver: Box<dyn Receiver> = match entry.kind {
                Kind::Slack => Box::new(slack::Slack::new(entry, http.clone(), vault.clone())),
                Kind::Pagerduty => Box::new(pagerduty::PagerDuty::new(entry, http.clone(), vault.clone())),
                Kind::Teams => Box::new(teams::Teams::new(entry, http.clone(), vault.clone())),
                Kind::Webhook => Box::new(webhook::Webhook::new(entry, http.clone(), vault.clone())),
                Kind::Smtp => Box::new(smtp::Smtp::new(entry, http.resolver(), vault.clone())),
                Kind::Ses => Box::new(ses::Ses::new(entry, aws.clone())),
                Kind::Sns => Box::new(sns::Sns::new(entry, aws.clone())),
            };
            let limit = Duration::from_secs(u64::from(entry.retry_secs));
            (entry.name.clone(), Place { receiver, limit })
        });
        Self { receivers: receivers.collect(), vault }
    }

    /// Receivers made elsewhere, for tests.
    pub fn of(receivers: Vec<(String, Box<dyn Receiver>)>, limit: Duration, vault: Arc<Vault>) -> Self {
        let receivers = receivers.into_iter().map(|(name, receiver)| (name, Place { receiver, limit }));
        Self { receivers: receivers.collect(), vault }
    }

    async fn try_until_it_arrives(&self, place: &Place, page: &Page) -> DeliveryResult<'static> {
        let give_up_at = Instant::now() + place.limit;
        let (mut tries, mut renewed) = (0_u32, false);
        loop {
            tries += 1;
            let refused = match tokio::time::timeout_at(give_up_at, place.receiver.deliver(page)).await {
                Ok(Ok(())) => return DeliveryResult::Delivered,
                Ok(Err(refused)) => refused,
                Err(_) => Refused::for_now("it neither took the page nor refused it"),
            };
            // A secret may have been changed since it was read.
            let renew = refused.secret && !std::mem::replace(&mut renewed, true);
            if renew {
                self.vault.forget();
            }
            if !refused.again && !renew {
                return DeliveryResult::GivenUp { why: refused.why.into() };
            }
            let pause = pause(tries, refused.after_secs, fastrand::f64());
            if Instant::now() + pause >= give_up_at {
                let why = format!("{} (given up after {tries} tries in {} s)", refused.why, place.limit.as_secs());
                return DeliveryResult::GivenUp { why: why.into() };
            }
            tracing::warn!(receiver = page.receiver, page = page.id.0, reason = refused.why, "a page is tried again");
            tokio::time::sleep(pause).await;
        }
    }
}

/// The pause before the next try: doubling, with full jitter, and never less than the receiver asks for.
fn pause(tries: u32, after_secs: Option<u64>, chance: f64) -> Duration {
    let most = FIRST_PAUSE.saturating_mul(1 << tries.min(10)).min(LONGEST_PAUSE);
    let drawn = most.mul_f64(chance.clamp(0.0, 1.0)).max(Duration::from_millis(200));
    after_secs.map_or(drawn, |secs| drawn.max(Duration::from_secs(secs)))
}

#[async_trait]
impl Notifier for Senders {
    async fn notify(&self, at: Timestamp, notice: &Notice) {
        log::LogSender.notify(at, notice).await;
    }

    async fn send(&self, page: &Page) -> DeliveryResult<'static> {
        let Some(place) = self.receivers.get(&page.receiver) else {
            let why = format!("there is no [[receiver]] called {}; add it, or mend the route", page.receiver);
            return DeliveryResult::GivenUp { why: why.into() };
        };
        let result = self.try_until_it_arrives(place, page).await;
        match &result {
            DeliveryResult::Delivered if page.kind != PageKind::Heartbeat => {
                tracing::info!(receiver = page.receiver, page = page.id.0, "a page was taken");
            }
            DeliveryResult::Delivered => {}
            DeliveryResult::GivenUp { why } => {
                tracing::error!(receiver = page.receiver, page = page.id.0, reason = %why, "a page was given up");
            }
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_respect_the_receiver() {
        assert_eq!(pause(1, None, 1.0), Duration::from_secs(2));
        assert_eq!(pause(9, None, 1.0), LONGEST_PAUSE);
        assert_eq!(pause(1, Some(120), 0.0), Duration::from_secs(120));
        assert!(pause(1, None, 0.0) >= Duration::from_millis(200));
    }

    #[test]
    fn what_may_pass_is_tried_again_and_what_will_not_is_given_up() {
        let reply = |status, after| {
            let reply = Reply { status, retry_after_secs: after, body: "no\nway".into() };
            Refused::from_reply("hook", Ok(reply), &Vault::new(None))
        };
        assert!(reply(202, None).is_ok());
        for status in [408, 425, 429, 500, 503] {
            assert!(reply(status, None).unwrap_err().again, "{status}");
        }
        for status in [301, 400, 401, 403, 404, 410] {
            assert!(!reply(status, None).unwrap_err().again, "{status}");
        }
        assert_eq!(reply(429, Some(30)).unwrap_err().after_secs, Some(30));
        assert!(reply(403, None).unwrap_err().secret);
        assert_eq!(reply(400, None).unwrap_err().why, "hook answered HTTP 400: no way");
        assert!(reply(302, None).unwrap_err().why.contains("redirects are not followed"));
    }
}
