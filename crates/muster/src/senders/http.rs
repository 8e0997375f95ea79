//! One POST over HTTP: to the address that was looked at, without following redirects, with a limit on time and on what
//! is read of the answer.

use std::{sync::Arc, time::Duration};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Request,
    body::Bytes,
    header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::target::{self, Allowed, Forbidden, Resolver, SystemResolver};

/// What is read of an answer at most.
const MOST_BYTES: usize = 64 << 10;

/// What a receiver answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Retry-After in seconds, where it was given.
    pub retry_after_secs: Option<u64>,
    /// The beginning of the body.
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

    /// Posts a body.
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
            let address = target::address(&target, allowed, &*self.resolver).await?;
            self.exchange(&target, address, headers, body).await
        };
        let host = target.host.clone();
        tokio::time::timeout(self.limit, whole).await.unwrap_or(Err(NoReply::TooLong { host, secs }))
    }

    async fn exchange(
        &self,
        target: &target::Target,
        address: std::net::SocketAddr,
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
        let stream = TcpStream::connect(address).await.map_err(|error| broken(error.to_string()))?;
        if !target.tls {
            return self.talk(TokioIo::new(stream), request, &target.host).await;
        }
        let bare = target.host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(bare).map_err(|_| broken("its name cannot be checked by TLS".to_owned()))?;
        let stream = TlsConnector::from(self.tls.clone())
            .connect(name, stream)
            .await
            .map_err(|error| broken(format!("TLS: {error}")))?;
        self.talk(TokioIo::new(stream), request, &target.host).await
    }

    async fn talk<I>(&self, io: I, request: Request<Full<Bytes>>, host: &str) -> Result<Reply, NoReply>
    where
        I: hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
    {
        let broken = |error: hyper::Error| NoReply::Broken { host: host.to_owned(), why: error.to_string() };
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.map_err(broken)?;
        let driving = tokio::spawn(connection);
        let response = sender.send_request(request).await;
        let reply = match response {
            Ok(response) => {
                let status = response.status().as_u16();
                let retry_after_secs = response
                    .headers()
                    .get(RETRY_AFTER)
                    .and_then(|value| value.to_str().ok())
                    .and_then(|value| value.trim().parse().ok());
                // A body that is too long or breaks off takes nothing back from the status.
                let body = Limited::new(response.into_body(), MOST_BYTES).collect().await;
                let body = body.map_or_else(|_| Vec::new(), |body| body.to_bytes().to_vec());
                Ok(Reply { status, retry_after_secs, body: String::from_utf8_lossy(&body).into_owned() })
            }
            Err(error) => Err(broken(error)),
        };
        driving.abort();
        reply
    }
}
