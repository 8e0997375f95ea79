//! The API of CloudWatch Logs, operation by operation, against logs in memory: its words, its pages, its refusals.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod events;
mod groups;
mod lifecycle;
mod memory;
mod queries;
mod records;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request},
};
use muster::{
    http::listener::Peer,
    logs::{Api, access::Keys, answer::respond, error::ApiError, kept::Kept, queries::Registry},
};
use serde_json::{Value, json};

use memory::{MemoryLogs, Scripted};

/// An API over logs in memory, and the folder of what it keeps beside them.
struct Lab {
    api: Api,
    engine: Arc<Scripted>,
    _folder: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = Arc::new(Scripted::default());
        let api = Api {
            logs: Arc::new(MemoryLogs::default()),
            queries: Arc::new(Registry::new(engine.clone())),
            kept: Arc::new(Kept::open(folder.path()).unwrap()),
            keys: Arc::new(Keys::default()),
            account: "210987654321".into(),
            region: "eu-central-1".into(),
        };
        Self { api, engine, _folder: folder }
    }

    async fn send(&self, operation: &str, body: &Value) -> (u16, Value) {
        let request = Request::post("/")
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("Logs_20140328.{operation}"))
            .extension(ConnectInfo(Peer("127.0.0.1:5".parse::<SocketAddr>().unwrap())))
            .body(Body::from(body.to_string()))
            .unwrap();
        let response = respond(Ok(&self.api), request).await;
        assert!(response.headers().contains_key("x-amzn-requestid"));
        assert_eq!(response.headers()["content-type"], "application/x-amz-json-1.1");
        let status = response.status().as_u16();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    /// What is answered; it has to be granted.
    async fn ask(&self, operation: &str, body: Value) -> Value {
        let (status, answer) = self.send(operation, &body).await;
        assert_eq!(status, 200, "{operation} {body}: {answer}");
        answer
    }

    /// The name and the words of a refusal.
    async fn refused(&self, operation: &str, body: Value) -> (String, String) {
        let (status, answer) = self.send(operation, &body).await;
        assert!(status >= 400, "{operation} {body} was granted: {answer}");
        (answer["__type"].as_str().unwrap().to_owned(), answer["message"].as_str().unwrap().to_owned())
    }

    async fn with_stream(group: &str, stream: &str) -> Self {
        let lab = Self::new();
        lab.ask("CreateLogGroup", json!({ "logGroupName": group })).await;
        lab.ask("CreateLogStream", json!({ "logGroupName": group, "logStreamName": stream })).await;
        lab
    }

    async fn put(&self, group: &str, stream: &str, events: &[(i64, &str)]) -> Value {
        let events: Vec<Value> = events.iter().map(|(at, text)| json!({ "timestamp": at, "message": text })).collect();
        let body = json!({ "logGroupName": group, "logStreamName": stream, "logEvents": events });
        self.ask("PutLogEvents", body).await
    }
}

/// Milliseconds since 1970, so long ago.
fn ago(ms: i64) -> i64 {
    jiff::Timestamp::now().as_millisecond() - ms
}

fn messages(answer: &Value) -> Vec<&str> {
    answer["events"].as_array().unwrap().iter().map(|event| event["message"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_is_no_operation_is_refused_by_name() {
    let lab = Lab::new();
    let (kind, why) = lab.refused("StartLiveTail", json!({})).await;
    assert!(kind == "UnknownOperationException" && why.contains("StartLiveTail"), "{kind} {why}");
    for (target, body, says) in [
        ("AmazonEC2ContainerServiceV20141113.ListClusters", "{}", "CloudWatch Logs"),
        ("nothing", "{}", "X-Amz-Target"),
        ("Logs_20140328.DescribeLogGroups", "{", "no JSON"),
        ("Logs_20140328.DescribeLogGroups", "[]", "a JSON object"),
    ] {
        let request = Request::post("/")
            .header("x-amz-target", target)
            .extension(ConnectInfo(Peer("127.0.0.1:5".parse().unwrap())))
            .body(Body::from(body))
            .unwrap();
        let response = respond(Ok(&lab.api), request).await;
        assert_eq!(response.status(), 400);
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert!(String::from_utf8_lossy(&bytes).contains(says), "{target}: {bytes:?}");
    }
}

#[tokio::test]
async fn without_logs_the_root_says_how_to_have_them() {
    let request = Request::post("/").header("x-amz-target", "Logs_20140328.DescribeLogGroups").body(Body::empty());
    let response = respond(Err(&ApiError::switched_off()), request.unwrap()).await;
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    assert!(String::from_utf8_lossy(&bytes).contains("[telemetry]"));
}

#[tokio::test]
async fn a_filter_pattern_can_be_tried() {
    let lab = Lab::new();
    let body = json!({ "filterPattern": "[ip, code = 4*]",
        "logEventMessages": ["10.0.0.1 404", "10.0.0.2 200", "10.0.0.3 451"] });
    let answer = lab.ask("TestMetricFilter", body).await;
    let matches = answer["matches"].as_array().unwrap();
    assert_eq!(matches.len(), 2);
    assert_eq!((&matches[1]["eventNumber"], &matches[1]["extractedValues"]["$code"]), (&json!(3), &json!("451")));
    let (kind, why) =
        lab.refused("TestMetricFilter", json!({ "filterPattern": "{ $.a = }", "logEventMessages": ["x"] })).await;
    assert!(kind == "InvalidParameterException" && why.contains('^'), "{why}");
    let none = json!({ "filterPattern": "x", "logEventMessages": [] });
    assert_eq!(lab.refused("TestMetricFilter", none).await.0, "InvalidParameterException");
}

#[tokio::test]
async fn saved_queries_are_kept_changed_found_and_deleted() {
    let lab = Lab::new();
    let text = "fields @message | limit 5";
    let made = lab.ask("PutQueryDefinition", json!({ "name": "lab/one", "queryString": text })).await;
    let id = made["queryDefinitionId"].as_str().unwrap();
    let changed = json!({ "name": "lab/two", "queryString": text, "queryDefinitionId": id, "logGroupNames": ["g"] });
    assert_eq!(lab.ask("PutQueryDefinition", changed).await["queryDefinitionId"], id);
    lab.ask("PutQueryDefinition", json!({ "name": "other", "queryString": text })).await;
    let found = lab.ask("DescribeQueryDefinitions", json!({ "queryDefinitionNamePrefix": "lab/" })).await;
    let found = found["queryDefinitions"].as_array().unwrap();
    assert_eq!((found.len(), &found[0]["name"], &found[0]["logGroupNames"]), (1, &json!("lab/two"), &json!(["g"])));
    assert_eq!(lab.ask("DeleteQueryDefinition", json!({ "queryDefinitionId": id })).await["success"], true);
    let gone = lab.refused("DeleteQueryDefinition", json!({ "queryDefinitionId": id })).await;
    assert_eq!(gone.0, "ResourceNotFoundException");
    let wrong = lab.refused("PutQueryDefinition", json!({ "name": "x", "queryString": "fieldz a" })).await;
    assert_eq!(wrong.0, "MalformedQueryException");
}
