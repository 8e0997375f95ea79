//! Where answers about a fleet come from: a running muster over HTTP, or its data directory, read only.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use engine::{journal::JournalReader, ports::Journal};
use fleet::view::{CaseView, RollCall};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode, Uri,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use rustls::pki_types::ServerName;
use serde::{Serialize, de::DeserializeOwned};
use tokio_rustls::TlsConnector;

use super::{login::Login, output::Failure};
use crate::{
    case_file::{self, CaseFile, Terms},
    http::{asking::Granted, cases::Cases, listener::Connection},
    render::escape,
};

/// How long a running muster may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The largest answer that is read: a roll of a hundred thousand hosts has about 100 MB.
const ANSWER_BYTES: usize = 1 << 30;

/// Whom to ask.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false, args = ["server", "data_dir"])]
pub struct Whom {
    /// Address of a running `muster serve`.
    #[arg(long, value_name = "URL", env = "MUSTER_SERVER")]
    pub server: Option<String>,
    /// Data directory of a `muster serve`, running or not; only read.
    #[arg(long, value_name = "DIR", env = "MUSTER_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// How to prove who asks.
    #[command(flatten)]
    pub login: Login,
}

/// A running muster that is asked for something.
#[derive(Clone, Debug, Args)]
pub struct Server {
    /// Address of a running `muster serve`.
    #[arg(
        long,
        value_name = "URL",
        env = "MUSTER_SERVER",
        default_value = "http://127.0.0.1:8464",
        help_heading = "Server"
    )]
    server: String,
    /// How to prove who asks.
    #[command(flatten)]
    login: Login,
}

impl Server {
    /// `GET`.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        call(&self.server, &self.login, Method::GET, path, None)
    }

    /// `POST` of an object; what muster has done.
    pub(super) fn post(&self, path: &str, body: &impl Serialize) -> Result<Granted, Failure> {
        let body =
            serde_json::to_vec(body).map_err(|error| Failure::new("could not put the request into JSON", error))?;
        call(&self.server, &self.login, Method::POST, path, Some(body))
    }

    /// `DELETE`; what muster has done.
    pub(super) fn delete(&self, path: &str) -> Result<Granted, Failure> {
        call(&self.server, &self.login, Method::DELETE, path, None)
    }

    /// Who asks, for a server without tokens: the name of this user.
    pub(super) fn who(&self) -> Result<Option<String>, Failure> {
        if self.login.token()?.is_some() {
            return Ok(None);
        }
        let name = ["USER", "LOGNAME", "USERNAME"].into_iter().find_map(|name| std::env::var(name).ok());
        Ok(name
            .map(|name| name.chars().filter(|c| !c.is_control()).take(64).collect::<String>())
            .filter(|name| !name.is_empty()))
    }
}

impl Whom {
    /// The roll.
    pub(super) fn roll_call(&self) -> Result<RollCall, Failure> {
        match self.source()? {
            Source::Server(url) => call(url, &self.login, Method::GET, "/v1/hosts", None),
            Source::Folder(dir) => {
                let (fleet, at) = beliefs(dir)?;
                Ok(fleet.roll_call(at, None))
            }
        }
    }

    /// Cases and when they were told, the recently closed ones too if `closed`.
    pub(super) fn cases(&self, closed: bool) -> Result<(Timestamp, Vec<CaseView>), Failure> {
        match self.source()? {
            Source::Server(url) => {
                let path = format!("/v1/cases?closed={closed}");
                let answer: Cases = call(url, &self.login, Method::GET, &path, None)?;
                Ok((answer.at, answer.cases))
            }
            Source::Folder(dir) => {
                let (fleet, at) = beliefs(dir)?;
                Ok((at, fleet.cases(at, closed)))
            }
        }
    }

    /// What the journal holds about a case.
    pub(super) fn case_file(&self, case: &CaseView) -> Result<CaseFile, Failure> {
        match self.source()? {
            Source::Server(url) => {
                call(url, &self.login, Method::GET, &format!("/v1/cases/{}/journal", case.case), None)
            }
            Source::Folder(dir) => {
                let terms = Terms::of(beliefs(dir)?.0.policy(), case);
                Ok(case_file::read(&JournalReader::open(dir)?, case.case, case.opened_at, terms)?)
            }
        }
    }

    fn source(&self) -> Result<Source<'_>, Failure> {
        match (&self.server, &self.data_dir) {
            (Some(url), _) => Ok(Source::Server(url)),
            (None, Some(dir)) => Ok(Source::Folder(dir)),
            (None, None) => {
                Err(Failure::because("name a running muster (--server URL) or its folder (--data-dir DIR)"))
            }
        }
    }
}

/// `GET` of a running muster, from within a runtime.
pub(super) async fn get<T: DeserializeOwned>(server: &str, login: &Login, path: &str) -> Result<T, Failure> {
    let asked = tokio::time::timeout(PATIENCE, fetch(server, login, Method::GET, path, None)).await;
    let body = asked.unwrap_or_else(|_| Err(patience_is_over(server)))?;
    understood(server, path, &body)
}

/// `POST` of an object, from within a runtime, for an answer that comes bit by bit.
pub(super) async fn stream(
    server: &str,
    login: &Login,
    path: &str,
    body: &impl Serialize,
) -> Result<Response<Incoming>, Failure> {
    let body = serde_json::to_vec(body).map_err(|error| Failure::new("could not put the request into JSON", error))?;
    let asked = tokio::time::timeout(PATIENCE, send(server, login, Method::POST, path, Some(body))).await;
    let answer = asked.unwrap_or_else(|_| Err(patience_is_over(server)))?;
    if answer.status() == StatusCode::OK {
        return Ok(answer);
    }
    let status = answer.status();
    Err(refused(server, status, &whole(server, answer).await?))
}

fn patience_is_over(server: &str) -> Failure {
    Failure::because(format!("{server} did not answer within {} s", PATIENCE.as_secs()))
}

fn understood<T: DeserializeOwned>(server: &str, path: &str, body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body)
        .map_err(|error| Failure::new(format!("{server}{path} did not answer as a muster of this version does"), error))
}

enum Source<'a> {
    Server(&'a str),
    Folder(&'a PathBuf),
}

/// What the muster of this data directory believed when it last wrote.
fn beliefs(dir: &std::path::Path) -> Result<(fleet::Fleet, Timestamp), Failure> {
    let journal = JournalReader::open(dir)?;
    Ok(engine::recover::beliefs(&journal as &dyn Journal)?)
}

fn call<T: DeserializeOwned>(
    server: &str,
    login: &Login,
    method: Method,
    path: &str,
    body: Option<Vec<u8>>,
) -> Result<T, Failure> {
    let body = super::runtime()?.block_on(async {
        tokio::time::timeout(PATIENCE, fetch(server, login, method, path, body))
            .await
            .unwrap_or_else(|_| Err(patience_is_over(server)))
    })?;
    understood(server, path, &body)
}

async fn fetch(
    server: &str,
    login: &Login,
    method: Method,
    path: &str,
    body: Option<Vec<u8>>,
) -> Result<Bytes, Failure> {
    let answer = send(server, login, method, path, body).await?;
    let status = answer.status();
    let body = whole(server, answer).await?;
    if status == StatusCode::OK { Ok(body) } else { Err(refused(server, status, &body)) }
}

async fn whole(server: &str, answer: Response<Incoming>) -> Result<Bytes, Failure> {
    let collected = Limited::new(answer.into_body(), ANSWER_BYTES).collect().await;
    let broken = |error| Failure::new(format!("the answer of {server} broke off"), error);
    Ok(collected.map_err(broken)?.to_bytes())
}

/// What a muster says that does not do what it is asked for.
fn refused(server: &str, status: StatusCode, body: &[u8]) -> Failure {
    let said = serde_json::from_slice::<serde_json::Value>(body)
        .ok()
        .and_then(|said| said.get("error")?.as_str().map(str::to_owned))
        .unwrap_or_else(|| String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned());
    let said = escape::clean(&said);
    Failure::because(match status {
        StatusCode::CONFLICT => format!("refused: {said}"),
        StatusCode::UNAUTHORIZED => format!("{server} answered {status}: {said} (MUSTER_TOKEN or --token-file)"),
        _ => format!("{server} answered {status}: {said}"),
    })
}

async fn send(
    server: &str,
    login: &Login,
    method: Method,
    path: &str,
    body: Option<Vec<u8>>,
) -> Result<Response<Incoming>, Failure> {
    let url: Uri = format!("{}{path}", server.trim_end_matches('/'))
        .parse()
        .map_err(|error| Failure::new(format!("`{server}` is no address, http://127.0.0.1:8464"), error))?;
    let (tls, authority) = match (url.scheme_str(), url.authority()) {
        (Some("http"), Some(authority)) => (false, authority.clone()),
        (Some("https"), Some(authority)) => (true, authority.clone()),
        _ => {
            return Err(Failure::because(format!(
                "`{server}` is no address of a muster: expected http://HOST:PORT or https://HOST:PORT"
            )));
        }
    };
    let unreachable = |error: Box<dyn std::error::Error + Send + Sync>| {
        Failure::new(format!("could not reach a muster at {server}; is `muster serve` running there?"), error)
    };
    let token = login.token()?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
    let is_here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if token.is_some() && !tls && !is_here {
        return Err(Failure::because(format!("a token is not sent to {server} in the clear; use https://")));
    }
    let stream = tokio::net::TcpStream::connect((host, port)).await.map_err(|error| unreachable(error.into()))?;
    let stream: Box<dyn Connection> = if tls {
        let name = ServerName::try_from(host.to_owned()).map_err(|error| unreachable(error.into()))?;
        let connector = TlsConnector::from(login.tls()?);
        Box::new(connector.connect(name, stream).await.map_err(|error| unreachable(error.into()))?)
    } else {
        Box::new(stream)
    };
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(error.into()))?;
    tokio::spawn(connection);
    let target = url.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::builder().method(method).uri(target).header(HOST, authority.as_str());
    if let Some(token) = token {
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", token.expose()))
            .map_err(|_| Failure::because("the token holds characters that no header can carry"))?;
        bearer.set_sensitive(true);
        request = request.header(AUTHORIZATION, bearer);
    }
    if body.is_some() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    let request =
        request.body(Full::<Bytes>::from(body.unwrap_or_default())).map_err(|error| unreachable(error.into()))?;
    sender.send_request(request).await.map_err(|error| unreachable(error.into()))
}
