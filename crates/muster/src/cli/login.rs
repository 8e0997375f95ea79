//! How a command proves who asks, and whom it believes.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use super::output::Failure;
use crate::config::secret::Secret;

/// The variable that holds a token. It is read here and not by the command line, which would show it in its help.
const TOKEN: &str = "MUSTER_TOKEN";

/// A token, and a certificate authority.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Server")]
pub struct Login {
    /// File that holds the token, for a server that wants one [else: MUSTER_TOKEN].
    #[arg(long, value_name = "FILE", env = "MUSTER_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// Certificate authority (PEM) of an https:// server, besides those that this machine trusts.
    #[arg(long, value_name = "FILE", env = "MUSTER_CA_FILE")]
    ca_file: Option<PathBuf>,
}

impl Login {
    /// The token, if there is one.
    pub(super) fn token(&self) -> Result<Option<Secret>, Failure> {
        let text = match &self.token_file {
            Some(file) => std::fs::read_to_string(file)
                .map_err(|error| Failure::new(format!("could not read the token in {}", file.display()), error))?,
            None => match std::env::var(TOKEN) {
                Ok(text) => text,
                Err(std::env::VarError::NotPresent) => return Ok(None),
                Err(error) => return Err(Failure::new(format!("{TOKEN} cannot be used"), error)),
            },
        };
        let token = Secret::new(&text);
        if token.expose().is_empty() {
            return if self.token_file.is_some() {
                Err(Failure::because("the token's file is empty"))
            } else {
                Ok(None)
            };
        }
        if token.expose().contains(|c: char| !c.is_ascii_graphic()) {
            return Err(Failure::because("the token holds characters that no header can carry"));
        }
        Ok(Some(token))
    }

    /// What TLS is spoken with.
    pub(super) fn tls(&self) -> Result<Arc<ClientConfig>, Failure> {
        let mut roots = RootCertStore::empty();
        // What this machine trusts; one certificate that cannot be read must not hide the others.
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::debug!(%error, "a certificate authority of this machine cannot be read");
        }
        roots.add_parsable_certificates(found.certs);
        if let Some(file) = &self.ca_file {
            let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
                Failure::new(format!("could not use the certificate authority in {}", file.display()), error)
            };
            for certificate in CertificateDer::pem_file_iter(file).map_err(|error| failed(error.into()))? {
                let certificate = certificate.map_err(|error| failed(error.into()))?;
                roots.add(certificate).map_err(|error| failed(error.into()))?;
            }
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::new("TLS cannot be spoken", error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Arc::new(config))
    }
}
