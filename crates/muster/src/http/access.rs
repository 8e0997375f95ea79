//! Who may ask for what: bearer tokens with roles, and guards against pages in somebody's browser.
//!
//! Without tokens whoever is on this machine may do everything, and nobody else anything. With tokens, everybody needs one,
//! except for the bare state of `/healthz`.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, Method, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use super::{Refusal, listener::Peer};
use crate::config::operators::Role;

/// A token has so many characters at least: 16 of hexadecimal are 64 bits, and guesses are few.
pub const SHORTEST_TOKEN: usize = 16;

/// So many wrong tokens may come from one address within [`WINDOW`].
const TRIES: u32 = 10;
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses that are remembered for their wrong tokens.
const REMEMBERED: usize = 4096;

/// One token: what is kept of it is its digest.
struct Token {
    name: String,
    role: Role,
    digest: [u8; 32],
}

/// Whoever is asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// The token's name; `None` on this machine without tokens, where whoever asks says so.
    pub name: Option<String>,
    /// What is allowed.
    pub role: Role,
}

/// Tokens, and who has tried in vain.
#[derive(Default)]
pub struct Access {
    tokens: Vec<Token>,
    tries: Mutex<HashMap<IpAddr, (u32, Instant)>>,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").field("tokens", &self.tokens.len()).finish_non_exhaustive()
    }
}

/// A token that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    /// It is too easily guessed.
    #[error(
        "the token of `{name}` has {length} characters, and fewer than {SHORTEST_TOKEN} are easily guessed; `openssl rand \
         -hex 32` makes a good one"
    )]
    Short {
        /// Whose.
        name: String,
        /// How many characters it has.
        length: usize,
    },
    /// Nobody could send it.
    #[error(
        "the token of `{name}` holds a character that no header can carry, a blank or a letter beyond ASCII; `openssl rand \
         -hex 32` makes a good one"
    )]
    Unsendable {
        /// Whose.
        name: String,
    },
}

impl Access {
    /// Nobody but this machine.
    pub fn local_only() -> Self {
        Self::default()
    }

    /// By these tokens: names, roles, secrets.
    ///
    /// # Errors
    /// For a token that is too short, or that nobody could send.
    pub fn by_tokens<'a>(tokens: impl IntoIterator<Item = (&'a str, Role, &'a str)>) -> Result<Self, BadToken> {
        let mut kept = Vec::new();
        for (name, role, secret) in tokens {
            let secret = secret.trim();
            let length = secret.chars().count();
            if length < SHORTEST_TOKEN {
                return Err(BadToken::Short { name: name.to_owned(), length });
            }
            if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(BadToken::Unsendable { name: name.to_owned() });
            }
            kept.push(Token { name: name.to_owned(), role, digest: Sha256::digest(secret).into() });
        }
        Ok(Self { tokens: kept, tries: Mutex::default() })
    }

    /// Whether a token is needed.
    pub fn by_token(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// Who asks, by the address and the headers of a request.
    ///
    /// # Errors
    /// 401 without a token that is known, 403 from elsewhere without tokens, 429 after too many wrong ones.
    pub fn admit(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> Result<Operator, Refusal> {
        if !self.by_token() {
            // A proxy on this machine passes on what comes from anywhere: it decides who may look, and nobody may act.
            let passed_on = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
            let direct = !passed_on.iter().any(|name| headers.contains_key(*name));
            let local = peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback());
            return match (local, direct) {
                (true, true) => Ok(Operator { name: None, role: Role::Act }),
                (true, false) => Ok(Operator { name: None, role: Role::View }),
                (false, _) => Err(Refusal::forbidden(
                    "without [operators] in its configuration muster answers this machine alone; give it tokens",
                )),
            };
        }
        let from = peer.map(|peer| network(peer.ip()));
        if from.is_some_and(|from| self.is_barred(from, Instant::now())) {
            return Err(Refusal::too_many("too many wrong tokens from this address; wait a minute"));
        }
        let Some(token) = bearer(headers) else {
            return Err(Refusal::unauthorised("a token is needed: Authorization: Bearer TOKEN"));
        };
        let digest: [u8; 32] = Sha256::digest(token).into();
        // Every token is compared, and each to its end: how long this takes says nothing about any of them.
        let mut found = None;
        for known in &self.tokens {
            let same: Choice = known.digest.ct_eq(&digest);
            if bool::from(same) {
                found = Some(known);
            }
        }
        match found {
            Some(known) => Ok(Operator { name: Some(known.name.clone()), role: known.role }),
            None => {
                if let Some(from) = from {
                    self.note_wrong(from, Instant::now());
                }
                tracing::warn!(peer = ?peer.map(|peer| peer.ip()), "a wrong token was tried");
                Err(Refusal::unauthorised("this token is not known"))
            }
        }
    }

    fn is_barred(&self, from: IpAddr, now: Instant) -> bool {
        let tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        match tries.get(&from) {
            Some((count, since)) => *count >= TRIES && now.duration_since(*since) < WINDOW,
            // Nobody who is not remembered may try while more addresses fail than can be remembered.
            None => tries.len() >= REMEMBERED && tries.values().all(|(_, since)| now.duration_since(*since) < WINDOW),
        }
    }

    fn note_wrong(&self, from: IpAddr, now: Instant) {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        if tries.len() >= REMEMBERED {
            tries.retain(|_, (_, since)| now.duration_since(*since) < WINDOW);
        }
        let (count, since) = tries.entry(from).or_insert((0, now));
        if now.duration_since(*since) >= WINDOW {
            (*count, *since) = (0, now);
        }
        *count = count.saturating_add(1);
    }
}

/// Whoever has one IPv6 address has all of its /64.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

/// A door: whoever comes through has at least this role.
#[derive(Clone, Debug)]
pub struct Door {
    /// Who is known.
    pub access: Arc<Access>,
    /// What is needed.
    pub role: Role,
}

/// Lets a request through when its sender may do what it asks for, and puts the [`Operator`] into its extensions.
pub async fn guard(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    match pass(&door, &request) {
        Ok(operator) => {
            request.extensions_mut().insert(operator);
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    }
}

fn pass(door: &Door, request: &Request) -> Result<Operator, Refusal> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        no_foreign_page(request)?;
    }
    let operator = door.access.admit(peer(request), request.headers())?;
    if operator.role < door.role {
        let Some(name) = operator.name.as_deref() else {
            return Err(Refusal::forbidden(
                "what comes through a proxy may only look as long as there are no tokens: give muster some in [operators]",
            ));
        };
        tracing::warn!(name, path = request.uri().path(), "a token was used for more than it allows");
        return Err(Refusal::forbidden(format!(
            "the role of `{name}` is {}, and this needs {}",
            operator.role.word(),
            door.role.word()
        )));
    }
    Ok(operator)
}

/// Whoever is at the other end, as the listener saw it.
pub fn peer(request: &Request) -> Option<SocketAddr> {
    request.extensions().get::<ConnectInfo<Peer>>().map(|ConnectInfo(Peer(address))| *address)
}

/// A page that somebody has open in a browser can send requests here, but not without saying where it comes from, and no
/// JSON without being asked whether it may.
fn no_foreign_page(request: &Request) -> Result<(), Refusal> {
    let headers = request.headers();
    if let Some(origin) = headers.get(header::ORIGIN) {
        let origin = origin.to_str().unwrap_or_default();
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let same = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"))
            .is_some_and(|authority| Some(authority) == host);
        if !same {
            return Err(Refusal::forbidden("a page of another origin may not ask for this"));
        }
    }
    let site = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
    if site.is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return Err(Refusal::forbidden("a page of another site may not ask for this"));
    }
    let json = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .and_then(|kind| kind.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    // DELETE has no body, and no page sends one without being asked whether it may.
    if !json && *request.method() != Method::DELETE {
        return Err(Refusal::unsupported("Content-Type must be application/json"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, StatusCode};

    use super::*;

    const GOOD: &str = "0123456789abcdef0123";

    fn access() -> Access {
        Access::by_tokens([("viewer", Role::View, "viewer-token-viewer"), ("on-call", Role::Act, GOOD)]).unwrap()
    }

    fn with_token(token: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
        headers
    }

    fn peer(text: &str) -> Option<SocketAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn without_tokens_this_machine_may_act_and_nobody_else_may_look() {
        let access = Access::local_only();
        for local in ["127.0.0.1:5", "[::1]:5", "[::ffff:127.0.0.1]:5"] {
            assert_eq!(access.admit(peer(local), &HeaderMap::new()).unwrap().role, Role::Act);
        }
        for other in ["10.0.0.1:5", "[2001:db8::1]:5"] {
            assert_eq!(access.admit(peer(other), &HeaderMap::new()).unwrap_err().status(), StatusCode::FORBIDDEN);
        }
        assert!(access.admit(None, &HeaderMap::new()).is_err());
        let mut passed_on = HeaderMap::new();
        passed_on.insert("x-forwarded-for", HeaderValue::from_static("10.0.0.1"));
        assert_eq!(
            access.admit(peer("127.0.0.1:5"), &passed_on).unwrap().role,
            Role::View,
            "a proxy passes on what comes from anywhere"
        );
    }

    #[test]
    fn a_token_says_who_asks_and_what_is_allowed_from_anywhere() {
        let access = access();
        let known = access.admit(peer("10.0.0.1:5"), &with_token(GOOD)).unwrap();
        assert_eq!(known, Operator { name: Some("on-call".to_owned()), role: Role::Act });
        assert_eq!(
            access.admit(peer("127.0.0.1:5"), &HeaderMap::new()).unwrap_err().status(),
            StatusCode::UNAUTHORIZED
        );
        for wrong in ["0123456789abcdef0124", "0123456789abcdef012", "", "viewer"] {
            let refused = access.admit(peer("127.0.0.1:5"), &with_token(wrong)).unwrap_err();
            assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{wrong}");
        }
    }

    #[test]
    fn whoever_guesses_too_often_is_barred_for_a_while_and_others_are_not() {
        let access = access();
        for _ in 0..TRIES {
            assert!(access.admit(peer("10.0.0.1:5"), &with_token("wrong-wrong-wrong-wrong")).is_err());
        }
        let barred = access.admit(peer("10.0.0.1:6"), &with_token(GOOD)).unwrap_err();
        assert_eq!(barred.status(), StatusCode::TOO_MANY_REQUESTS);
        assert!(access.admit(peer("10.0.0.2:5"), &with_token(GOOD)).is_ok());
        let from = network("10.0.0.1".parse().unwrap());
        assert!(!access.is_barred(from, Instant::now() + WINDOW), "a minute later");
    }

    #[test]
    fn one_network_of_ipv6_counts_as_one() {
        let network = |text: &str| super::network(text.parse().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:10.0.0.1"), network("10.0.0.1"));
    }

    #[test]
    fn a_token_that_is_easily_guessed_is_refused_without_being_shown() {
        let error = Access::by_tokens([("on-call", Role::Act, "hunter2")]).unwrap_err().to_string();
        assert!(error.contains("on-call") && !error.contains("hunter2"), "{error}");
        for secret in ["hunter2 hunter2 hunter2", "hunter2-hunter2-hünter2", "hunter2-hunter2\nhunter2"] {
            let error = Access::by_tokens([("on-call", Role::Act, secret)]).unwrap_err().to_string();
            assert!(error.contains("no header can carry") && !error.contains("hunter2"), "{error}");
        }
        assert!(!format!("{:?}", access()).contains(GOOD));
    }
}
