//! `[http]`

use std::{net::SocketAddr, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{mistake::Wrong, operators::OperatorsSection};

/// Where `muster serve` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HttpSection {
    /// Address and port; port 0 takes a free one. An address that other machines can reach needs cert_file, key_file and a
    /// token in `[operators]`.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// The certificate chain to answer with, PEM, the host's own first. With it muster answers by HTTPS only.
    #[schemars(with = "Option<String>", example = &"/etc/muster/cert.pem")]
    pub cert_file: Option<PathBuf>,
    /// The private key of the certificate, PEM.
    #[schemars(with = "Option<String>", example = &"/etc/muster/key.pem")]
    pub key_file: Option<PathBuf>,
}

impl Default for HttpSection {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8464)), cert_file: None, key_file: None }
    }
}

impl HttpSection {
    /// The files to answer by HTTPS with, if that is wanted.
    pub fn tls_files(&self) -> Option<(&PathBuf, &PathBuf)> {
        self.cert_file.as_ref().zip(self.key_file.as_ref())
    }

    pub(super) fn check(&self, operators: &OperatorsSection, wrong: &mut Vec<Wrong>) {
        match (&self.cert_file, &self.key_file) {
            (Some(_), None) => wrong.push(Wrong::at("http.cert_file", "a certificate needs its key_file as well")),
            (None, Some(_)) => {
                wrong.push(Wrong::at("http.key_file", "a key needs its certificate, cert_file, as well"))
            }
            _ => {}
        }
        if let Err(refused) = self.exposure(operators) {
            wrong.push(Wrong::at("http.listen", refused.to_string()));
        }
    }

    /// Refuses an address that other machines can reach, unless it answers by HTTPS and asks for a token.
    ///
    /// # Errors
    /// [`Exposed`], with what is missing.
    pub fn exposure(&self, operators: &OperatorsSection) -> Result<(), Exposed> {
        if is_loopback(self.listen) {
            return Ok(());
        }
        let lacks = match (self.tls_files().is_some(), operators.tokens.is_empty()) {
            (true, false) => return Ok(()),
            (false, true) => "TLS (cert_file and key_file of [http]) and a token ([operators])",
            (false, false) => "TLS (cert_file and key_file of [http])",
            (true, true) => "a token ([operators])",
        };
        Err(Exposed { listen: self.listen, lacks })
    }
}

/// An address that other machines could reach, unprotected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{listen} is no loopback address, so anybody who can reach it could read your fleet: it needs {lacks} first. Or listen \
     on 127.0.0.1 or [::1] and put an authenticating proxy or an SSH tunnel before it"
)]
pub struct Exposed {
    listen: SocketAddr,
    lacks: &'static str,
}

/// Whether only this machine can reach the address.
pub fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// An address that other machines could reach, for something that knows neither TLS nor tokens.
#[derive(Debug, thiserror::Error)]
#[error("{0} is no loopback address, and a pretend account has neither TLS nor a login: listen on 127.0.0.1 or [::1]")]
pub struct NotLoopback(SocketAddr);

/// Refuses every address but loopback ones.
///
/// # Errors
/// [`NotLoopback`], with what to do instead.
pub fn loopback_only(address: SocketAddr) -> Result<SocketAddr, NotLoopback> {
    if is_loopback(address) { Ok(address) } else { Err(NotLoopback(address)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn only_loopback_addresses_pass() {
        for yes in ["127.0.0.1:0", "[::1]:80", "127.9.9.9:1", "[::ffff:127.0.0.1]:1"] {
            assert!(loopback_only(yes.parse().unwrap()).is_ok(), "{yes}");
        }
        for no in ["0.0.0.0:0", "[::]:0", "192.168.0.1:80", "8.8.8.8:80"] {
            assert!(loopback_only(no.parse().unwrap()).is_err(), "{no}");
        }
    }

    #[test]
    fn muster_listens_on_loopback_unless_told_otherwise() {
        assert!(is_loopback(HttpSection::default().listen));
        assert!(is_loopback(Config::parse("muster.toml", "").unwrap().http.listen));
    }

    #[test]
    fn another_address_needs_tls_and_a_token() {
        let tls = "cert_file = \"/c\"\nkey_file = \"/k\"\n";
        let token = "[operators]\ntokens = [{ name = \"a\", role = \"view\", secret = \"env:A\" }]\n";
        let refused = |more: &str| {
            let text = format!("[http]\nlisten = \"0.0.0.0:8464\"\n{more}");
            Config::parse("muster.toml", &text).err().map(|mistakes| mistakes.to_string())
        };
        let error = refused("").unwrap();
        assert!(error.contains("muster.toml:2:10") && error.contains("TLS") && error.contains("token"), "{error}");
        assert!(refused(tls).unwrap().contains("needs a token"));
        assert!(refused(token).unwrap().contains("needs TLS"));
        assert_eq!(refused(&format!("{tls}{token}")), None);
    }
}
