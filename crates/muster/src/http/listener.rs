//! Where connections come in: plain on loopback, by TLS elsewhere.

use std::{io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::{Semaphore, mpsc},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// A handshake that takes longer is given up.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Handshakes at the same time; the next ones wait.
const AT_ONCE: usize = 128;
/// Pause after an accept that failed: too many open files pass.
const PAUSE: Duration = Duration::from_millis(500);

/// Whoever is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

impl Connected<IncomingStream<'_, Doorway>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Doorway>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// A connection, whatever it is wrapped in.
pub trait Connection: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Connection for T {}

type Arrival = (Box<dyn Connection>, SocketAddr);

/// Takes connections in. Handshakes happen beside each other, so that one that hangs holds up nobody.
#[derive(Debug)]
pub struct Doorway {
    address: SocketAddr,
    arrivals: mpsc::Receiver<Arrival>,
    taking: JoinHandle<()>,
}

impl Doorway {
    /// Without TLS.
    ///
    /// # Errors
    /// When the address of the listener cannot be told.
    pub fn plain(listener: TcpListener) -> io::Result<Self> {
        Self::new(listener, None)
    }

    /// By TLS.
    ///
    /// # Errors
    /// When the address of the listener cannot be told.
    pub fn tls(listener: TcpListener, config: Arc<ServerConfig>) -> io::Result<Self> {
        Self::new(listener, Some(TlsAcceptor::from(config)))
    }

    fn new(listener: TcpListener, acceptor: Option<TlsAcceptor>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (sender, arrivals) = mpsc::channel(AT_ONCE);
        Ok(Self { address, arrivals, taking: tokio::spawn(take(listener, acceptor, sender)) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Doorway {
    fn drop(&mut self) {
        self.taking.abort();
    }
}

impl Listener for Doorway {
    type Io = Box<dyn Connection>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> Arrival {
        match self.arrivals.recv().await {
            Some(arrival) => arrival,
            // The task that takes connections in ends with this value alone.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

async fn take(listener: TcpListener, acceptor: Option<TlsAcceptor>, arrivals: mpsc::Sender<Arrival>) {
    let handshakes = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken in");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Some(acceptor) = acceptor.clone() else {
            if arrivals.send((Box::new(stream), peer)).await.is_err() {
                return;
            }
            continue;
        };
        // Never closed, so this waits for a place and nothing else.
        let Ok(place) = handshakes.clone().acquire_owned().await else { return };
        let arrivals = arrivals.clone();
        tokio::spawn(async move {
            match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                // The loop that serves may have ended meanwhile.
                Ok(Ok(stream)) => drop(arrivals.send((Box::new(stream), peer)).await),
                Ok(Err(error)) => tracing::debug!(%peer, %error, "a TLS handshake failed"),
                Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
            }
            drop(place);
        });
    }
}

/// A certificate or key that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("could not answer by TLS with {cert} and {key}: {what}")]
pub struct TlsError {
    cert: String,
    key: String,
    what: String,
}

/// What TLS is spoken with: TLS 1.2 and 1.3, this certificate chain and key.
///
/// # Errors
/// When a file cannot be read, holds no PEM, or the two do not belong together. The key is never shown.
pub fn tls(cert: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let failed = |what: String| TlsError { cert: cert.display().to_string(), key: key.display().to_string(), what };
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| failed(format!("the certificate: {error}")))?;
    if chain.is_empty() {
        return Err(failed("the certificate's file holds none; PEM is expected".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| failed(format!("the key: {error}")))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| failed(error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
