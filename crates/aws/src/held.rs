//! Credentials that are in use for a while: a role is not assumed anew for each request.

use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider},
};
use tokio::sync::Mutex;

use crate::refusal::credential_words;

/// Credentials are fetched anew so long before they expire, and as often when they never do.
const BEFORE_EXPIRY: Duration = Duration::from_secs(300);

/// A source of credentials, and those that it gave last.
#[derive(Debug)]
pub(crate) struct HeldCredentials {
    source: SharedCredentialsProvider,
    /// Those in use, and when they were fetched.
    held: Mutex<Option<(Credentials, Instant)>>,
}

impl HeldCredentials {
    /// Nothing is fetched yet.
    pub(crate) fn new(source: SharedCredentialsProvider) -> Self {
        Self { source, held: Mutex::new(None) }
    }

    /// Credentials that are good for the next minutes.
    ///
    /// # Errors
    /// What each source of credentials said.
    pub(crate) async fn get(&self) -> Result<Credentials, String> {
        let mut held = self.held.lock().await;
        if let Some((credentials, fetched)) = &*held {
            let good = match credentials.expiry() {
                Some(expiry) => expiry > SystemTime::now() + BEFORE_EXPIRY,
                None => fetched.elapsed() < BEFORE_EXPIRY,
            };
            if good {
                return Ok(credentials.clone());
            }
        }
        let fresh = self.source.provide_credentials().await.map_err(|error| credential_words(&error))?;
        *held = Some((fresh.clone(), Instant::now()));
        Ok(fresh)
    }
}
