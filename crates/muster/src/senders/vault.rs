//! Secrets as they are needed: read where they lie, kept for a few minutes, read anew when a receiver refuses one. A
//! secret that was changed so needs no restart.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::Refused;
use crate::config::{
    receivers::ReceiverEntry,
    secret::{Secret, SecretError, SecretRef},
};

/// How long a secret is used without looking again.
const KEPT: Duration = Duration::from_secs(300);

/// What stands in the place of a secret that somebody repeats.
const HIDDEN: &str = "[hidden]";
/// Shorter parts of an address are words like `v1` or `services`.
const SHORTEST_PART: usize = 9;

/// Reads secrets.
pub struct Vault {
    aws: Option<Arc<aws::AwsCloud>>,
    kept: Mutex<HashMap<SecretRef, Kept>>,
}

struct Kept {
    read_at: Instant,
    secret: Secret,
    /// A receiver did not accept it.
    refused: bool,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").finish_non_exhaustive()
    }
}

impl Vault {
    /// Reads secrets of this machine, and of AWS where there is a way to it.
    pub fn new(aws: Option<Arc<aws::AwsCloud>>) -> Self {
        Self { aws, kept: Mutex::new(HashMap::new()) }
    }

    /// A secret. One that was read before and cannot be read now goes on being used, unless a receiver has refused it.
    ///
    /// # Errors
    /// When it is not there, cannot be read or is empty.
    pub async fn read(&self, place: &SecretRef) -> Result<Secret, SecretError> {
        let now = Instant::now();
        let before = self.kept().get(place).map(|kept| (kept.read_at, kept.refused, kept.secret.clone()));
        if let Some((read_at, false, secret)) = &before
            && now.duration_since(*read_at) < KEPT
        {
            return Ok(secret.clone());
        }
        let read = match place.read_here() {
            Some(read) => read,
            None => self.read_in_aws(place).await,
        };
        let secret = match (read, before) {
            (Ok(secret), _) => secret,
            (Err(error), Some((_, false, secret))) => {
                tracing::warn!(reason = %error, "a secret could not be read anew; the one read before is used");
                secret
            }
            (Err(error), _) => return Err(error),
        };
        let kept = Kept { read_at: now, secret: secret.clone(), refused: false };
        self.kept().insert(place.clone(), kept);
        Ok(secret)
    }

    /// A secret, for a receiver: what cannot be read now may be there later. Only the environment never changes.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn for_receiver(&self, place: &SecretRef) -> Result<Secret, Refused> {
        self.read(place).await.map_err(|error| {
            let why = format!("its secret could not be read: {error}");
            if matches!(error, SecretError::NoVariable(_)) { Refused::for_good(why) } else { Refused::for_now(why) }
        })
    }

    /// Reads all secrets that receivers name, so that a mistake is told before somebody has to be. Gives one sentence for
    /// each that cannot be read.
    pub async fn unreadable(&self, receivers: &[ReceiverEntry]) -> Vec<String> {
        let mut told = Vec::new();
        for receiver in receivers {
            for place in receiver.secrets_named() {
                if let Err(error) = self.read(place).await {
                    told.push(format!("[[receiver]] {}: its secret could not be read: {error}", receiver.name));
                }
            }
        }
        told
    }

    /// Reads everything anew when it is next needed: a receiver has refused one of them.
    pub fn forget(&self) {
        self.kept().values_mut().for_each(|kept| kept.refused = true);
    }

    /// `text` without any secret that was read so far, and without the secret parts of addresses.
    pub fn hide(&self, text: &str) -> String {
        let mut parts: Vec<String> = self.kept().values().flat_map(|kept| secret_parts(kept.secret.expose())).collect();
        // The longest first: a part of a part must not leave the rest to be read.
        parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
        parts.into_iter().fold(text.to_owned(), |text, part| text.replace(&part, HIDDEN))
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<SecretRef, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read_in_aws(&self, place: &SecretRef) -> Result<Secret, SecretError> {
        let failed = |why: String| SecretError::InAws { place: place.to_string(), why };
        let Some(aws) = &self.aws else { return Err(failed("there is no way to AWS here".to_owned())) };
        let (text, key) = match place {
            SecretRef::Ssm(name) => (aws.parameter(name).await.map_err(failed)?, None),
            SecretRef::SecretsManager { id, key } => (aws.secret(id).await.map_err(failed)?, key.as_deref()),
            SecretRef::Env(_) | SecretRef::File(_) => return Err(failed("it lies on this machine".to_owned())),
        };
        let text = match key {
            None => text,
            Some(key) => {
                let json: serde_json::Value =
                    serde_json::from_str(&text).map_err(|_| failed("it is no JSON, so it has no fields".to_owned()))?;
                let field = json.get(key).and_then(serde_json::Value::as_str);
                field.ok_or_else(|| failed(format!("it has no text field called {key}")))?.to_owned()
            }
        };
        let secret = Secret::new(&text);
        if secret.expose().is_empty() { Err(SecretError::Empty(place.to_string())) } else { Ok(secret) }
    }
}

/// The secret, and of an address also its path and query, whole and in pieces.
fn secret_parts(secret: &str) -> Vec<String> {
    let mut parts = vec![secret.to_owned()];
    if let Ok(url) = url::Url::parse(secret)
        && url.has_host()
    {
        let (path, query) = (url.path(), url.query().unwrap_or_default());
        parts.push(format!("{path}?{query}"));
        parts.extend([path.to_owned(), query.to_owned()]);
        parts.extend(path.split('/').chain(query.split(['&', '='])).map(str::to_owned));
        parts.retain(|part| part.len() >= SHORTEST_PART);
    }
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(dir: &tempfile::TempDir, text: &str) -> SecretRef {
        let path = dir.path().join("secret");
        std::fs::write(&path, text).unwrap();
        SecretRef::File(path.display().to_string())
    }

    #[tokio::test(start_paused = true)]
    async fn a_secret_is_read_anew_after_five_minutes_and_at_once_when_it_was_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (vault, place) = (Vault::new(None), file(&dir, "one"));
        let read = async || vault.read(&place).await.map(|secret| secret.expose().to_owned());
        assert_eq!(read().await.as_deref(), Ok("one"));
        file(&dir, "two");
        assert_eq!(read().await.as_deref(), Ok("one"));
        tokio::time::advance(KEPT).await;
        assert_eq!(read().await.as_deref(), Ok("two"));
        file(&dir, "three");
        vault.forget();
        assert_eq!(read().await.as_deref(), Ok("three"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_secret_that_is_gone_for_a_while_is_still_known_until_a_receiver_refuses_it() {
        let dir = tempfile::tempdir().unwrap();
        let (vault, place) = (Vault::new(None), file(&dir, "one"));
        assert!(vault.read(&place).await.is_ok());
        std::fs::remove_file(dir.path().join("secret")).unwrap();
        tokio::time::advance(KEPT * 2).await;
        assert_eq!(vault.read(&place).await.unwrap().expose(), "one");
        vault.forget();
        assert!(vault.read(&place).await.is_err());
        let refused = vault.for_receiver(&place).await.unwrap_err();
        assert!(refused.again && refused.why.contains("secret"), "{refused:?}");
        let unset = vault.for_receiver(&SecretRef::Env("MUSTER_NOBODY_SETS_THIS".into())).await.unwrap_err();
        assert!(!unset.again, "{unset:?}");
    }

    #[tokio::test]
    async fn what_a_receiver_repeats_of_a_secret_is_hidden() {
        let dir = tempfile::tempdir().unwrap();
        let (vault, place) =
            (Vault::new(None), file(&dir, "https://hooks.example.com/services/T0CANARY00/B?sig=canary-canary"));
        vault.read(&place).await.unwrap();
        for said in [
            "no route for /services/T0CANARY00/B?sig=canary-canary",
            "no route for /services/T0CANARY00/B",
            "unknown team T0CANARY00",
            "bad signature canary-canary",
            "POST https://hooks.example.com/services/T0CANARY00/B?sig=canary-canary: 404",
        ] {
            let hidden = vault.hide(said);
            assert!(!hidden.to_lowercase().contains("canary") && hidden.contains(HIDDEN), "{hidden}");
        }
        assert_eq!(vault.hide("hooks.example.com has no services"), "hooks.example.com has no services");
    }
}
