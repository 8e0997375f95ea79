//! What an object store has to know to be reached as AWS's other services are: region, endpoint, credentials.

use aws_credential_types::Credentials;

use crate::{
    accounts::loader,
    held::HeldCredentials,
    settings::{Keys, Settings},
    signed::endpoint,
};

/// How S3 is reached.
#[derive(Debug)]
pub struct Objects {
    /// The region, if the settings, the environment or the profile name one.
    pub region: Option<String>,
    /// The address of the service, if it is not AWS's own.
    pub endpoint: Option<String>,
    credentials: Option<HeldCredentials>,
}

impl Objects {
    /// By the settings, the environment and the profile. Nothing is asked yet.
    pub async fn find(settings: &Settings) -> Self {
        let config = loader(settings).load().await;
        Self {
            region: config.region().map(ToString::to_string),
            endpoint: endpoint(settings, &config, "S3"),
            credentials: config.credentials_provider().map(HeldCredentials::new),
        }
    }

    /// Keys that are good for the next minutes.
    ///
    /// # Errors
    /// What each source of credentials said.
    pub async fn keys(&self) -> Result<Keys, String> {
        let credentials = self.credentials.as_ref().ok_or("no source of credentials is configured")?;
        Ok(keys(&credentials.get().await?))
    }
}

fn keys(of: &Credentials) -> Keys {
    Keys {
        access_key_id: of.access_key_id().to_owned(),
        secret_access_key: of.secret_access_key().to_owned(),
        session_token: of.session_token().map(str::to_owned),
    }
}
