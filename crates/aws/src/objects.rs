//! What an object store has to know to be reached as AWS's other services are: region, endpoint, credentials.

use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider},
};
use tokio::sync::Mutex;

use crate::{
    accounts::loader,
    refusal::credential_words,
    settings::{Keys, Settings},
    signed::endpoint,
};

/// Credentials are fetched anew so long before they expire, and as often when they never do.
const BEFORE_EXPIRY: Duration = Duration::from_secs(300);

/// How S3 is reached.
#[derive(Debug)]
pub struct Objects {
    /// The region, if the settings, the environment or the profile name one.
    pub region: Option<String>,
    /// The address of the service, if it is not AWS's own.
    pub endpoint: Option<String>,
    credentials: Option<SharedCredentialsProvider>,
    /// Those in use, and when they were fetched: a role is not assumed anew for each request.
    cached: Mutex<Option<(Credentials, Instant)>>,
}

impl Objects {
    /// By the settings, the environment and the profile. Nothing is asked yet.
    pub async fn find(settings: &Settings) -> Self {
        let config = loader(settings).load().await;
        Self {
            region: config.region().map(ToString::to_string),
            endpoint: endpoint(settings, &config, "S3"),
            credentials: config.credentials_provider(),
            cached: Mutex::new(None),
        }
    }

    /// Keys that are good for the next minutes.
    ///
    /// # Errors
    /// What each source of credentials said.
    pub async fn keys(&self) -> Result<Keys, String> {
        let mut cached = self.cached.lock().await;
        if let Some((credentials, fetched)) = &*cached {
            let good = match credentials.expiry() {
                Some(expiry) => expiry > SystemTime::now() + BEFORE_EXPIRY,
                None => fetched.elapsed() < BEFORE_EXPIRY,
            };
            if good {
                return Ok(keys(credentials));
            }
        }
        let provider = self.credentials.as_ref().ok_or("no source of credentials is configured")?;
        let fresh = provider.provide_credentials().await.map_err(|error| credential_words(&error))?;
        let found = keys(&fresh);
        *cached = Some((fresh, Instant::now()));
        Ok(found)
    }
}

fn keys(of: &Credentials) -> Keys {
    Keys {
        access_key_id: of.access_key_id().to_owned(),
        secret_access_key: of.secret_access_key().to_owned(),
        session_token: of.session_token().map(str::to_owned),
    }
}
