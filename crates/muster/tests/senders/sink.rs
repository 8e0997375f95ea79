//! A real HTTP receiver on loopback that does what a test tells it.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

/// What comes after a request.
pub(crate) enum Answer {
    /// A status, headers each with its line break, and a body.
    Status(u16, &'static str, String),
    /// The connection is reset without a word.
    Reset,
    /// Nothing, for ever.
    Silence,
    /// A status and a body that never ends.
    Endless(u16),
}

impl Answer {
    pub(crate) fn status(code: u16) -> Self {
        Self::Status(code, "", String::new())
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Heard {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

type Answering = Box<dyn FnMut(usize, &Heard) -> Answer + Send>;

/// Listens until it is dropped.
pub(crate) struct Sink {
    pub(crate) port: u16,
    heard: Arc<Mutex<Vec<Heard>>>,
    taking: tokio::task::JoinHandle<()>,
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.taking.abort();
    }
}

impl Sink {
    /// Answers each request by its number, counted from 0, and what it says.
    pub(crate) async fn answering(answer: impl FnMut(usize, &Heard) -> Answer + Send + 'static) -> Self {
        Self::behind(None, answer).await
    }

    /// The same behind TLS.
    pub(crate) async fn behind(
        tls: Option<TlsAcceptor>,
        answer: impl FnMut(usize, &Heard) -> Answer + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let answering: Arc<Mutex<Answering>> = Arc::new(Mutex::new(Box::new(answer)));
        let noting = heard.clone();
        let taking = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (heard, answering, tls) = (noting.clone(), answering.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, &heard, &answering).await,
                        Some(tls) => {
                            // A client that does not trust this certificate hangs up here.
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, &heard, &answering).await;
                            }
                        }
                    }
                });
            }
        });
        Self { port, heard, taking }
    }

    /// The secret address of a hook.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/services/canary-path/x?sig=canary-query", self.port)
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    heard: &Mutex<Vec<Heard>>,
    answering: &Mutex<Answering>,
) {
    let Some(request) = read(&mut stream).await else { return };
    let answer = {
        let mut heard = heard.lock().unwrap();
        heard.push(request.clone());
        (answering.lock().unwrap())(heard.len() - 1, &request)
    };
    // Whoever asked may have hung up: that is what some tests are about.
    match answer {
        Answer::Status(code, headers, body) => {
            let head =
                format!("HTTP/1.1 {code} X\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Answer::Reset => {}
        Answer::Silence => std::future::pending().await,
        Answer::Endless(code) => {
            let _ = stream.write_all(format!("HTTP/1.1 {code} X\r\n\r\n").as_bytes()).await;
            while stream.write_all(&[b'x'; 16384]).await.is_ok() {}
        }
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Heard> {
    let mut got = Vec::new();
    loop {
        let mut buffer = [0; 65536];
        let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        got.extend_from_slice(&buffer[..read]);
        let Some(end) = got.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { continue };
        let heard = Heard { head: String::from_utf8(got[..end].to_vec()).unwrap(), body: got[end + 4..].to_vec() };
        let length: usize = heard.header("content-length").map_or(0, |length| length.parse().unwrap());
        if heard.body.len() >= length {
            return Some(heard);
        }
    }
}
