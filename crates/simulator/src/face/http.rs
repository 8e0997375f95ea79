//! Connections: HTTP/1.1 with keep-alive.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, Response,
    body::{Body, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Shared, control, dispatch};

/// The largest request body; AWS's own limits are lower.
const LARGEST_BODY_BYTES: usize = 8 * 1024 * 1024;

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
    /// The error's older name, for SQS.
    pub(crate) query_error: Option<String>,
    /// The answer is in smithy-rpc-v2-cbor.
    pub(crate) smithy: bool,
}

impl Reply {
    pub(crate) fn new(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content_type, body: body.into(), query_error: None, smithy: false }
    }
}

/// Takes connections until stopped.
pub(super) async fn listen(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, shared.clone(), stop.clone()));
                }
                Err(error) => {
                    // Out of file descriptors, mostly: others may end meanwhile.
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
        }
    }
    connections.close();
    connections.wait().await;
}

async fn converse(stream: TcpStream, shared: Arc<Shared>, stop: CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let service = service_fn(move |request: Request<Incoming>| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(respond(&shared, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(300))
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // A client that hangs up in the middle is no news.
        _ = connection => {}
        () = stop.cancelled() => {}
    }
}

pub(super) async fn respond<B>(shared: &Shared, request: Request<B>) -> Response<Full<Bytes>>
where
    B: Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let request_id = dispatch::request_id(shared);
    let (head, body) = request.into_parts();
    let reply = match Limited::new(body, LARGEST_BODY_BYTES).collect().await {
        Err(error) => Reply::new(413, "text/plain", format!("the request's body was not taken: {error}\n")),
        Ok(body) => {
            let body = body.to_bytes();
            match head.uri.path() {
                path if path.starts_with("/_muster") => control::answer(shared, &head, &body),
                "/" if head.method == http::Method::GET && !head.uri.query().is_some_and(|q| q.contains("Action=")) => {
                    Reply::new(200, "text/plain; charset=utf-8", control::HELP)
                }
                _ => dispatch::answer(shared, &head, &body, &request_id).await,
            }
        }
    };
    let mut response = Response::builder()
        .status(reply.status)
        .header("content-type", reply.content_type)
        .header("x-amzn-requestid", request_id);
    if reply.smithy {
        response = response.header("smithy-protocol", "rpc-v2-cbor");
    }
    if let Some(code) = reply.query_error {
        response = response.header("x-amzn-query-error", code);
    }
    // All parts are our own and valid; should they not be, an empty answer says so less loudly than a panic.
    response.body(Full::new(Bytes::from(reply.body))).unwrap_or_default()
}
