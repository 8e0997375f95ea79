//! One POST over HTTP: to the address that was looked at, without following redirects, with a limit on time and on what
//! is read of the answer.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use jiff::{Timestamp, fmt::rfc2822};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::target::{self, Allowed, Forbidden, Resolver, SystemResolver};

/// What is read of an answer at most.
const MOST_BYTES: usize = 64 << 10;
/// How long one of a host's addresses may take to let a connection in, before the next one is tried.
const CONNECT: Duration = Duration::from_secs(3);
/// How long a host may take to let a connection in and to agree on TLS. The whole may last longer, as long as the client
/// allows: a receiver that takes a page late must not be told it twice.
const OPEN: Duration = Duration::from_secs(5);
/// No receiver is believed that it has to be left alone for longer.
const LONGEST_WAIT_SECS: i64 = 3_600;

/// What a receiver answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Retry-After in seconds, where it was given; at most an hour.
    pub retry_after_secs: Option<u64>,
    /// The beginning of the body, at most 64 KiB.
    pub body: String,
}

/// A POST that brought no answer. Never names more of the URL than its host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReply {
    /// Nothing may be sent there.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// A header would break the message apart.
    #[error("the header {0} cannot be sent: it holds a line break or a control character")]
    Header(String),
    /// It could not be reached, or broke off.
    #[error("{host}: {why}")]
    Broken {
        /// The host.
        host: String,
        /// Why.
        why: String,
    },
    /// It took too long.
    #[error("{host} did not answer within {secs} s")]
    TooLong {
        /// The host.
        host: String,
        /// The limit.
        secs: u64,
    },
}

impl NoReply {
    /// Whether the receiver may have acted all the same.
    pub fn may_have_happened(&self) -> bool {
        matches!(self, Self::Broken { .. } | Self::TooLong { .. })
    }
}

/// Sends POSTs.
#[derive(Clone)]
pub struct HttpClient {
    tls: Arc<ClientConfig>,
    resolver: Arc<dyn Resolver>,
    limit: Duration,
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpClient").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl HttpClient {
    /// A client that trusts what the system trusts.
    ///
    /// # Errors
    /// One sentence, when no TLS can be set up.
    pub fn new(limit: Duration) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        Self::trusting(roots, limit)
    }

    /// A client that trusts these roots alone.
    ///
    /// # Errors
    /// One sentence, when no TLS can be set up.
    pub fn trusting(roots: RootCertStore, limit: Duration) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS could not be set up: {error}"))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { tls: Arc::new(tls), resolver: Arc::new(SystemResolver), limit })
    }

    /// Asks another resolver.
    #[must_use]
    pub fn resolving_by(mut self, resolver: Arc<dyn Resolver>) -> Self {
        self.resolver = resolver;
        self
    }

    /// Who turns names into addresses.
    pub fn resolver(&self) -> Arc<dyn Resolver> {
        self.resolver.clone()
    }

    /// Posts a body, as JSON unless a header says otherwise.
    ///
    /// # Errors
    /// When nothing may be sent there, it could not be reached, or it did not answer in time.
    pub async fn post(
        &self,
        url: &str,
        allowed: Allowed,
        headers: &[(&str, String)],
        body: Vec<u8>,
    ) -> Result<Reply, NoReply> {
        let target = target::parse(url, allowed)?;
        let secs = self.limit.as_secs();
        let whole = async {
            let addresses = target::addresses(&target.host, target.port, allowed, &*self.resolver).await?;
            self.exchange(&target, &addresses, headers, body).await
        };
        let host = target.host.clone();
        tokio::time::timeout(self.limit, whole).await.unwrap_or(Err(NoReply::TooLong { host, secs }))
    }

    async fn exchange(
        &self,
        target: &target::Target,
        addresses: &[SocketAddr],
        headers: &[(&str, String)],
        body: Vec<u8>,
    ) -> Result<Reply, NoReply> {
        let broken = |why: String| NoReply::Broken { host: target.host.clone(), why };
        let mut request = Request::post(target.path())
            .header(HOST, target.authority())
            .header(USER_AGENT, concat!("muster/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            let bad = || NoReply::Header((*name).to_owned());
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
            let mut value = HeaderValue::from_str(value).map_err(|_| bad())?;
            value.set_sensitive(true);
            if let Some(map) = request.headers_mut() {
                map.insert(header, value);
            }
        }
        let request =
            request.body(Full::new(Bytes::from(body))).map_err(|_| broken("the path cannot be sent".to_owned()))?;
        let late = |_| NoReply::TooLong { host: target.host.clone(), secs: OPEN.as_secs() };
        if !target.tls {
            let stream = tokio::time::timeout(OPEN, connect(addresses)).await.map_err(late)?.map_err(broken)?;
            return self.talk(TokioIo::new(stream), request, &target.host).await;
        }
        let bare = target.host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(bare).map_err(|_| broken("its name cannot be checked by TLS".to_owned()))?;
        let open = async {
            let stream = connect(addresses).await?;
            let connector = TlsConnector::from(self.tls.clone());
            connector.connect(name, stream).await.map_err(|error| format!("TLS: {error}"))
        };
        let stream = tokio::time::timeout(OPEN, open).await.map_err(late)?.map_err(broken)?;
        self.talk(TokioIo::new(stream), request, &target.host).await
    }

    async fn talk<I>(&self, io: I, request: Request<Full<Bytes>>, host: &str) -> Result<Reply, NoReply>
    where
        I: hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
    {
        let broken = |error: hyper::Error| NoReply::Broken { host: host.to_owned(), why: error.to_string() };
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.map_err(broken)?;
        let answered = async {
            let response = sender.send_request(request).await.map_err(broken)?;
            let status = response.status().as_u16();
            let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let retry_after_secs = after.and_then(|after| wait_secs(after, Timestamp::now()));
            let body = beginning(response.into_body()).await;
            Ok(Reply { status, retry_after_secs, body: String::from_utf8_lossy(&body).into_owned() })
        };
        tokio::pin!(answered);
        tokio::select! {
            biased;
            reply = &mut answered => reply,
            // What had come before the connection ended can still be read.
            _ = connection => answered.await,
        }
    }
}

/// Connects to the first address that lets it in.
///
/// # Errors
/// What the last one said.
pub async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, String> {
    let mut why = "it has no address".to_owned();
    for address in addresses {
        match tokio::time::timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => why = format!("{address}: {error}"),
            Err(_) => why = format!("{address} let no connection in within {} s", CONNECT.as_secs()),
        }
    }
    Err(why)
}

/// The beginning of a body. One that is too long or breaks off takes nothing back from the status.
async fn beginning(mut body: Incoming) -> Vec<u8> {
    let mut kept = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        if let Some(data) = frame.data_ref() {
            let room = MOST_BYTES - kept.len();
            kept.extend_from_slice(data.get(..room).unwrap_or(data));
            if kept.len() >= MOST_BYTES {
                break;
            }
        }
    }
    kept
}

/// Retry-After: seconds, or a date (RFC 9110, 10.2.3).
fn wait_secs(after: &str, now: Timestamp) -> Option<u64> {
    let after = after.trim();
    let secs = match after.parse::<u64>() {
        Ok(secs) => i64::try_from(secs).unwrap_or(i64::MAX),
        Err(_) => rfc2822::DateTimeParser::new().parse_timestamp(after).ok()?.as_second() - now.as_second(),
    };
    u64::try_from(secs.clamp(0, LONGEST_WAIT_SECS)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_may_ask_for_seconds_or_for_a_date_and_for_an_hour_at_most() {
        let now: Timestamp = "1994-11-06T08:49:07Z".parse().unwrap();
        for (after, secs) in [
            ("30", Some(30)),
            (" 0 ", Some(0)),
            ("86400", Some(3_600)),
            ("99999999999999999999", None),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:40:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(wait_secs(after, now), secs, "{after}");
        }
    }
}
