//! Who may ask the API: whoever signs with a key of the configuration. Without keys, whoever is on this machine, as with the rest of
//! what is served; with tokens in `[operators]` and no keys, nobody, since no AWS client sends those.

use std::net::SocketAddr;

use axum::http::{HeaderMap, header, request::Parts};
use jiff::Timestamp;
use wire::sigv4::{self, Refusal, Signed};

use super::error::ApiError;
use crate::config::secret::Secret;

/// One key.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// Its id, as `aws configure` asks for it.
    pub access_key_id: String,
    /// Its secret.
    pub secret: Secret,
    /// It may only read.
    pub read_only: bool,
}

/// The keys, and what holds without any.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    keys: Vec<ApiKey>,
    /// Operators have tokens: without keys nobody is let in.
    guarded: bool,
}

/// Operations that change nothing.
const READING: [&str; 4] = ["Describe", "Get", "Filter", "List"];

/// Those that read although they are not called so.
const READING_TOO: [&str; 3] = ["StartQuery", "StopQuery", "TestMetricFilter"];

impl Keys {
    /// These keys. `guarded`: there are tokens for the rest of what is served.
    pub fn new(keys: Vec<ApiKey>, guarded: bool) -> Self {
        Self { keys, guarded }
    }

    /// Lets a request in or refuses it.
    ///
    /// # Errors
    /// In the names that AWS has for what is wrong with a signature.
    pub fn admit(
        &self,
        head: &Parts,
        body: &[u8],
        peer: Option<SocketAddr>,
        operation: &str,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        no_page_of_a_browser(&head.headers)?;
        if self.keys.is_empty() {
            return self.admit_without_keys(&head.headers, peer);
        }
        let request = Signed {
            method: head.method.as_str(),
            path: head.uri.path(),
            query: head.uri.query().unwrap_or_default(),
            headers: &head.headers,
            body,
        };
        let find = |id: &str| self.keys.iter().find(|key| key.access_key_id == id);
        let key_of = |id: &str| {
            find(id).map(|key| sigv4::Key {
                secret: key.secret.expose().to_owned(),
                session_token: None,
                expires_at: None,
            })
        };
        let signed = sigv4::verify(&request, now, key_of).map_err(|refusal| refused(&refusal))?;
        if signed.service != "logs" {
            return Err(ApiError::of(
                "InvalidSignatureException",
                format!("Credential should be scoped to correct service: 'logs', found '{}'", signed.service),
            ));
        }
        let reads = READING.iter().any(|word| operation.starts_with(word)) || READING_TOO.contains(&operation);
        if find(signed.access_key).is_some_and(|key| key.read_only) && !reads {
            return Err(ApiError::of(
                "AccessDeniedException",
                format!("the key {} may only read, and {operation} changes something", signed.access_key),
            ));
        }
        Ok(())
    }

    fn admit_without_keys(&self, headers: &HeaderMap, peer: Option<SocketAddr>) -> Result<(), ApiError> {
        let denied = |why: &str| Err(ApiError::of("AccessDeniedException", why));
        if self.guarded {
            return denied(
                "[operators] has tokens and [telemetry] no keys: give it api_keys, so that AWS clients can sign",
            );
        }
        if !peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback()) {
            return denied("without api_keys in [telemetry] muster answers this machine alone; give it keys");
        }
        let passed_on = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
        if passed_on.iter().any(|name| headers.contains_key(*name)) {
            return denied("what comes through a proxy needs a signature: give [telemetry] api_keys");
        }
        Ok(())
    }
}

/// A page that somebody has open in a browser can send requests here, but not without saying where it comes from.
fn no_page_of_a_browser(headers: &HeaderMap) -> Result<(), ApiError> {
    let site = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
    if headers.contains_key(header::ORIGIN) || site.is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return Err(ApiError::of("AccessDeniedException", "pages in a browser may not ask for this"));
    }
    Ok(())
}

fn refused(refusal: &Refusal) -> ApiError {
    let kind = match refusal {
        Refusal::Missing => "MissingAuthenticationTokenException",
        Refusal::Incomplete { .. } => "IncompleteSignatureException",
        Refusal::UnknownKey | Refusal::WrongToken => "UnrecognizedClientException",
        Refusal::Expired => "ExpiredTokenException",
        Refusal::Skewed { .. } | Refusal::Mismatch => "InvalidSignatureException",
    };
    ApiError::of(kind, refusal.to_string())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, Request};

    use super::*;

    fn head(headers: &[(&'static str, &'static str)]) -> Parts {
        let mut request = Request::post("/");
        for (name, value) in headers {
            request = request.header(*name, HeaderValue::from_static(value));
        }
        request.body(()).unwrap().into_parts().0
    }

    fn admitted(keys: &Keys, headers: &[(&'static str, &'static str)], peer: &str) -> Result<(), String> {
        let admitted = keys.admit(&head(headers), b"{}", peer.parse().ok(), "PutLogEvents", Timestamp::UNIX_EPOCH);
        admitted.map_err(|error| error.kind().to_owned())
    }

    #[test]
    fn without_keys_this_machine_may_ask_and_nothing_else() {
        let keys = Keys::default();
        assert_eq!(admitted(&keys, &[], "127.0.0.1:5"), Ok(()));
        let denied = Err("AccessDeniedException".to_owned());
        assert_eq!(admitted(&keys, &[], "10.0.0.1:5"), denied);
        assert_eq!(admitted(&keys, &[("x-forwarded-for", "10.0.0.1")], "127.0.0.1:5"), denied);
        assert_eq!(admitted(&keys, &[("origin", "http://127.0.0.1:8464")], "127.0.0.1:5"), denied);
        assert_eq!(admitted(&keys, &[("sec-fetch-site", "cross-site")], "127.0.0.1:5"), denied);
        assert_eq!(admitted(&Keys::new(Vec::new(), true), &[], "127.0.0.1:5"), denied);
    }

    #[test]
    fn with_keys_a_signature_is_asked_for_also_on_this_machine() {
        let key = ApiKey { access_key_id: "AKIDEXAMPLE".to_owned(), secret: Secret::new("canary"), read_only: false };
        let keys = Keys::new(vec![key], false);
        assert_eq!(admitted(&keys, &[], "127.0.0.1:5"), Err("MissingAuthenticationTokenException".to_owned()));
        let unknown =
            "AWS4-HMAC-SHA256 Credential=OTHER/20150830/us-east-1/logs/aws4_request, SignedHeaders=host, Signature=00";
        assert_eq!(
            admitted(&keys, &[("authorization", unknown)], "127.0.0.1:5"),
            Err("UnrecognizedClientException".to_owned())
        );
        assert!(!format!("{keys:?}").contains("canary"));
    }
}
