//! Asking somebody's CloudWatch Logs API, unsigned: for what runs beside a muster on one machine.

use std::time::Duration;

use axum::http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use wire::error::ServiceError;

/// An answer is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(20);
/// The longest answer that is read.
const ANSWER_BYTES: usize = 16 << 20;

/// Where to ask.
#[derive(Clone, Debug)]
pub struct LogsClient {
    host: String,
    port: u16,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It is no address, or none of this machine.
    #[error("`{0}` is no address of a muster on this machine, such as http://127.0.0.1:8464")]
    NoAddress(String),
    /// Nobody answers.
    #[error("could not reach a muster at {host}:{port}: {why}")]
    Unreachable {
        /// The host.
        host: String,
        /// Its port.
        port: u16,
        /// Why.
        why: String,
    },
    /// It said no.
    #[error(transparent)]
    Refused(#[from] ServiceError),
}

impl LogsClient {
    /// A client of `http://HOST:PORT` on this machine; nothing unsigned is sent farther.
    ///
    /// # Errors
    /// When it is no such address.
    pub fn new(url: &str) -> Result<Self, AskError> {
        let refused = || AskError::NoAddress(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| refused())?;
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http")).ok_or_else(refused)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let here =
            host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
        if here { Ok(Self { host, port: authority.port_u16().unwrap_or(80) }) } else { Err(refused()) }
    }

    /// Asks for one operation.
    ///
    /// # Errors
    /// When nobody answers, or the answer is no.
    pub async fn ask(&self, operation: &str, body: &Value) -> Result<Value, AskError> {
        let unreachable = |why: String| AskError::Unreachable { host: self.host.clone(), port: self.port, why };
        let asked = tokio::time::timeout(PATIENCE, self.send(operation, body)).await;
        let (status, body) = match asked {
            Ok(answer) => answer.map_err(|error| unreachable(error.to_string()))?,
            Err(_) => return Err(unreachable(format!("no answer within {} s", PATIENCE.as_secs()))),
        };
        if status == StatusCode::OK {
            return serde_json::from_slice(&body)
                .map_err(|error| unreachable(format!("an answer that is no JSON ({error})")));
        }
        let refused = ServiceError::from_json(None, &body);
        Err(refused.map_or_else(|| unreachable(format!("status {status}")), AskError::Refused))
    }

    async fn send(
        &self,
        operation: &str,
        body: &Value,
    ) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error + Send + Sync>> {
        let stream = tokio::net::TcpStream::connect((self.host.as_str(), self.port)).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let request = Request::post("/")
            .header(header::HOST, format!("{}:{}", self.host, self.port))
            .header(header::CONTENT_TYPE, wire::json::Version::V1_1.content_type())
            .header(wire::json::TARGET_HEADER, wire::json::target("Logs_20140328", operation))
            .body(Full::<Bytes>::from(body.to_string()))?;
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES).collect().await?.to_bytes();
        connection.abort();
        Ok((status, body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_asked_unsigned() {
        for yes in ["http://127.0.0.1:8464", "http://localhost:1/", "http://[::1]:8464"] {
            assert!(LogsClient::new(yes).is_ok(), "{yes}");
        }
        for no in ["http://10.0.0.1:8464", "https://127.0.0.1:8464", "127.0.0.1:8464", "http://muster.example", ""] {
            assert!(LogsClient::new(no).is_err(), "{no}");
        }
    }
}
