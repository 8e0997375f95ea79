//! Where answers about a fleet come from: a running muster over HTTP, or its data directory, read only.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use engine::{journal::JournalReader, ports::Journal};
use fleet::view::{CaseView, RollCall};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{Request, StatusCode, Uri, body::Bytes, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::output::Failure;
use crate::http::cases::Cases;

/// How long a running muster may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The largest answer that is read: a roll of a hundred thousand hosts has about 100 MB.
const ANSWER_BYTES: usize = 1 << 30;

/// Whom to ask.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Whom {
    /// Address of a running `muster serve`.
    #[arg(long, value_name = "URL", env = "MUSTER_SERVER")]
    pub server: Option<String>,
    /// Data directory of a `muster serve`, running or not; only read.
    #[arg(long, value_name = "DIR", env = "MUSTER_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
}

impl Whom {
    /// The roll.
    pub(super) fn roll_call(&self) -> Result<RollCall, Failure> {
        match self.source()? {
            Source::Server(url) => get(url, "/v1/hosts"),
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
                let answer: Cases = get(url, &format!("/v1/cases?closed={closed}"))?;
                Ok((answer.at, answer.cases))
            }
            Source::Folder(dir) => {
                let (fleet, at) = beliefs(dir)?;
                Ok((at, fleet.cases(at, closed)))
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

enum Source<'a> {
    Server(&'a str),
    Folder(&'a PathBuf),
}

/// What the muster of this data directory believed when it last wrote.
fn beliefs(dir: &std::path::Path) -> Result<(fleet::Fleet, Timestamp), Failure> {
    let journal = JournalReader::open(dir)?;
    Ok(engine::recover::beliefs(&journal as &dyn Journal)?)
}

fn get<T: DeserializeOwned>(server: &str, path: &str) -> Result<T, Failure> {
    let body = super::runtime()?.block_on(async {
        tokio::time::timeout(PATIENCE, fetch(server, path)).await.unwrap_or_else(|_| {
            Err(Failure::because(format!("{server} did not answer within {} s", PATIENCE.as_secs())))
        })
    })?;
    serde_json::from_slice(&body)
        .map_err(|error| Failure::new(format!("{server}{path} did not answer as a muster of this version does"), error))
}

async fn fetch(server: &str, path: &str) -> Result<Bytes, Failure> {
    let url: Uri = format!("{}{path}", server.trim_end_matches('/'))
        .parse()
        .map_err(|error| Failure::new(format!("`{server}` is no address, http://127.0.0.1:8464"), error))?;
    let authority = match (url.scheme_str(), url.authority()) {
        (Some("http"), Some(authority)) => authority.clone(),
        _ => return Err(Failure::because(format!("`{server}` is no address of a muster: expected http://HOST:PORT"))),
    };
    let unreachable = |error: Box<dyn std::error::Error + Send + Sync>| {
        Failure::new(format!("could not reach a muster at {server}; is `muster serve` running there?"), error)
    };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let stream = tokio::net::TcpStream::connect((host, authority.port_u16().unwrap_or(80)))
        .await
        .map_err(|error| unreachable(error.into()))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(error.into()))?;
    tokio::spawn(connection);
    let target = url.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(target)
        .header(HOST, authority.as_str())
        .body(Empty::<Bytes>::new())
        .map_err(|error| unreachable(error.into()))?;
    let answer = sender.send_request(request).await.map_err(|error| unreachable(error.into()))?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ANSWER_BYTES)
        .collect()
        .await
        .map_err(|error| Failure::new(format!("the answer of {server} broke off"), error))?
        .to_bytes();
    if status == StatusCode::OK {
        return Ok(body);
    }
    let said = serde_json::from_slice::<serde_json::Value>(&body)
        .ok()
        .and_then(|said| said.get("error")?.as_str().map(str::to_owned))
        .unwrap_or_else(|| String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned());
    Err(Failure::because(format!("{server} answered {status}: {said}")))
}
