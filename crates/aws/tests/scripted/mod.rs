//! A server that answers each operation as a test has scripted it, in the real framings.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop at its line")]
#![allow(dead_code, reason = "each test program uses its part")]

pub mod acting;
pub mod iam;

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
};

use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Bytes, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

/// One answer.
#[derive(Clone, Debug)]
pub enum Script {
    /// Status, content type, body.
    Answer(u16, String, String),
    /// A Lambda function's own failure: the kind, and what it said.
    FunctionError(String, String),
    /// None, for ever.
    Hang,
}

impl Script {
    pub fn json(body: Value) -> Self {
        Self::Answer(200, "application/x-amz-json-1.1".to_owned(), body.to_string())
    }

    pub fn xml(body: &str) -> Self {
        Self::Answer(200, "text/xml".to_owned(), body.to_owned())
    }

    pub fn raw(status: u16, kind: &str, body: &str) -> Self {
        Self::Answer(status, kind.to_owned(), body.to_owned())
    }

    pub fn error(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({"__type": format!("com.amazonaws#{code}"), "message": message});
        Self::Answer(status, "application/x-amz-json-1.1".to_owned(), body.to_string())
    }

    /// As STS and Auto Scaling frame it.
    pub fn query_error(status: u16, code: &str, message: &str) -> Self {
        let body = wire::error::ServiceError::new(code, message)
            .to_query_xml("https://sts.amazonaws.com/doc/2011-06-15/", true);
        Self::Answer(status, "text/xml".to_owned(), body)
    }

    pub fn ec2_error(code: &str, message: &str) -> Self {
        let body = wire::error::ServiceError::new(code, message).to_ec2_xml();
        Self::Answer(400, "text/xml".to_owned(), body)
    }
}

/// One request, read.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its operation: `DescribeTasks`.
    pub operation: String,
    /// JSON body; null for a form.
    pub body: Value,
    /// Whose key signed it and for where: `KEY/DATE/REGION/SERVICE/aws4_request`.
    pub signed: String,
    /// Path of the request, as it was sent.
    pub path: String,
    form: Vec<(String, String)>,
}

impl Asked {
    pub fn text(&self, field: &str) -> String {
        self.body[field].as_str().unwrap_or_default().to_owned()
    }

    pub fn list(&self, field: &str) -> Vec<String> {
        let list = self.body[field].as_array().cloned().unwrap_or_default();
        list.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    }

    /// The values of the form's fields that begin so, in order.
    pub fn form(&self, prefix: &str) -> Vec<String> {
        self.form.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, value)| value.clone()).collect()
    }
}

type Writer = Arc<Mutex<dyn FnMut(&Asked) -> Script + Send>>;
type Guard = Arc<dyn Fn(&Asked) -> Option<Script> + Send + Sync>;

/// What is answered to which operation.
#[derive(Clone, Default)]
pub struct Answers {
    writers: BTreeMap<String, Writer>,
    guard: Option<Guard>,
}

impl Answers {
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers an operation; a later script replaces an earlier one.
    pub fn on(self, operation: &str, write: impl Fn(&Asked) -> Script + Send + 'static) -> Self {
        self.on_mut(operation, write)
    }

    /// The same for a script that remembers.
    pub fn on_mut(mut self, operation: &str, write: impl FnMut(&Asked) -> Script + Send + 'static) -> Self {
        self.writers.insert(operation.to_owned(), Arc::new(Mutex::new(write)));
        self
    }

    /// What the guard answers is answered, whatever is scripted.
    pub fn guarded(mut self, guard: impl Fn(&Asked) -> Option<Script> + Send + Sync + 'static) -> Self {
        self.guard = Some(Arc::new(guard));
        self
    }

    pub async fn serve(self) -> Serving {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let counts: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
        let counted = counts.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answers, counts) = (self.clone(), counted.clone());
                tokio::spawn(async move {
                    let service = service_fn(|request| answer(answers.clone(), counts.clone(), request));
                    // A client that hangs up is part of some tests.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Serving { port, counts, task }
    }
}

async fn answer(
    answers: Answers,
    counts: Arc<Mutex<BTreeMap<String, usize>>>,
    request: Request<hyper::body::Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let target = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let path = request.uri().path().to_owned();
    let signed = request.headers().get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let signed = signed.split("Credential=").nth(1).and_then(|rest| rest.split(',').next()).unwrap_or_default();
    let signed = signed.to_owned();
    let bytes = request.into_body().collect().await.unwrap().to_bytes();
    let form: Vec<(String, String)> = match &target {
        Some(_) => Vec::new(),
        None if path.contains("/functions/") => vec![("Action".to_owned(), "Invoke".to_owned())],
        None if path.starts_with("/v2/email/") => vec![("Action".to_owned(), "SendEmail".to_owned())],
        None => wire::query::Params::decode(&bytes)
            .unwrap()
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    };
    let operation = match &target {
        Some(target) => target.rsplit('.').next().unwrap().to_owned(),
        None => form.iter().find(|(name, _)| name == "Action").unwrap().1.clone(),
    };
    *counts.lock().unwrap().entry(operation.clone()).or_default() += 1;
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    let asked = Asked { operation: operation.clone(), body, signed, path, form };
    let guarded = answers.guard.as_ref().and_then(|guard| guard(&asked));
    let script = match (guarded, answers.writers.get(&operation)) {
        (Some(script), _) => script,
        (None, Some(writer)) => (writer.lock().unwrap())(&asked),
        (None, None) => Script::error(400, "UnknownOperationException", &operation),
    };
    match script {
        Script::Answer(status, kind, body) => Ok(Response::builder()
            .status(status)
            .header("content-type", kind)
            .body(Full::new(Bytes::from(body)))
            .unwrap()),
        Script::FunctionError(kind, body) => Ok(Response::builder()
            .header("content-type", "application/json")
            .header("x-amz-function-error", kind)
            .body(Full::new(Bytes::from(body)))
            .unwrap()),
        Script::Hang => std::future::pending().await,
    }
}

/// The server, as long as it is held.
pub struct Serving {
    port: u16,
    counts: Arc<Mutex<BTreeMap<String, usize>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Serving {
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How many requests came, of all operations.
    pub fn requests(&self) -> usize {
        self.counts.lock().unwrap().values().sum()
    }

    /// How often an operation was asked for.
    pub fn count(&self, operation: &str) -> usize {
        self.counts.lock().unwrap().get(operation).copied().unwrap_or(0)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}
