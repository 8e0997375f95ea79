//! The object store of records, reached with the credentials, the region and the endpoint that everything else is reached with.

use std::sync::Arc;

use async_trait::async_trait;
use aws::{Settings, objects::Objects};
use object_store::{CredentialProvider, aws::AwsCredential};
use telemetry::S3;

/// Whoever asks S3, as the settings, the environment and the profile say.
pub async fn reached(settings: &Settings) -> S3 {
    // The store's HTTP client takes the cryptography that the process has chosen, and would bring another otherwise. Where one was
    // chosen before, it is this one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let objects = Arc::new(Objects::find(settings).await);
    S3 {
        region: objects.region.clone(),
        endpoint: objects.endpoint.clone(),
        credentials: Some(Arc::new(Chain { objects })),
    }
}

/// The usual search for credentials: environment, profile, SSO, container, machine.
#[derive(Debug)]
struct Chain {
    objects: Arc<Objects>,
}

#[async_trait]
impl CredentialProvider for Chain {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        let keys = self.objects.keys().await.map_err(|why| object_store::Error::Generic {
            store: "S3",
            source: format!("no usable AWS credentials ({why}); set AWS_PROFILE, or give the machine a role").into(),
        })?;
        Ok(Arc::new(AwsCredential {
            key_id: keys.access_key_id,
            secret_key: keys.secret_access_key,
            token: keys.session_token,
        }))
    }
}
