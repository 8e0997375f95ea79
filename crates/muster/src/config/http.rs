//! `[http]`

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mistake::Wrong;

/// Where `muster serve` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HttpSection {
    /// Address and port; port 0 takes a free one. Loopback only: muster has neither TLS nor a login yet.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
}

impl Default for HttpSection {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8464)) }
    }
}

impl HttpSection {
    pub(super) fn check(&self, wrong: &mut Vec<Wrong>) {
        if let Err(refused) = loopback_only(self.listen) {
            wrong.push(Wrong::at("http.listen", refused.to_string()));
        }
    }
}

/// An address that other machines could reach.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0} is no loopback address, and muster has neither TLS nor a login yet: anybody who can reach it could read your \
     fleet. Listen on 127.0.0.1 or [::1] and put an authenticating proxy or an SSH tunnel before it"
)]
pub struct NotLoopback(SocketAddr);

/// Refuses every address but loopback ones.
///
/// # Errors
/// [`NotLoopback`], with what to do instead.
pub fn loopback_only(address: SocketAddr) -> Result<SocketAddr, NotLoopback> {
    if address.ip().to_canonical().is_loopback() { Ok(address) } else { Err(NotLoopback(address)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_pass() {
        for yes in ["127.0.0.1:0", "[::1]:80", "127.9.9.9:1", "[::ffff:127.0.0.1]:1"] {
            assert!(loopback_only(yes.parse().unwrap()).is_ok(), "{yes}");
        }
        for no in ["0.0.0.0:0", "[::]:0", "192.168.0.1:80", "8.8.8.8:80"] {
            assert!(loopback_only(no.parse().unwrap()).is_err(), "{no}");
        }
    }
}
