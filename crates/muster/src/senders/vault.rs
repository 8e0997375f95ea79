//! Secrets as they are needed: read where they lie, kept for a few minutes, read anew when a receiver refuses one. A
//! secret that was changed so needs no restart.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::Refused;
use crate::config::secret::{Secret, SecretError, SecretRef};

/// How long a secret is used without looking again.
const KEPT: Duration = Duration::from_secs(300);

/// Reads secrets.
pub struct Vault {
    aws: Option<Arc<aws::AwsCloud>>,
    kept: Mutex<HashMap<SecretRef, (Instant, Secret)>>,
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

    /// A secret.
    ///
    /// # Errors
    /// When it is not there, cannot be read or is empty.
    pub async fn read(&self, place: &SecretRef) -> Result<Secret, SecretError> {
        let now = Instant::now();
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(place).cloned();
        if let Some((at, secret)) = kept
            && now.duration_since(at) < KEPT
        {
            return Ok(secret);
        }
        let secret = match place.read_here() {
            Some(read) => read?,
            None => self.read_in_aws(place).await?,
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(place.clone(), (now, secret.clone()));
        Ok(secret)
    }

    /// A secret, for a receiver: what cannot be read now may be there later.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn for_receiver(&self, place: &SecretRef) -> Result<Secret, Refused> {
        self.read(place).await.map_err(|error| Refused::for_now(format!("its secret could not be read: {error}")))
    }

    /// Reads everything anew when it is next needed.
    pub fn forget(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clear();
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
