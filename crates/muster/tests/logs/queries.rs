use std::sync::atomic::Ordering;

use muster::logs::port::{Results, Stage, Statistics};
use serde_json::{Value, json};

use crate::Lab;

fn asked(more: &Value) -> Value {
    let mut body = json!({ "startTime": 100, "endTime": 200, "queryString": "fields @message" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

async fn start(lab: &Lab, more: Value) -> String {
    lab.ask("StartQuery", asked(&more)).await["queryId"].as_str().unwrap().to_owned()
}

fn rows(count: usize) -> Results {
    let row =
        |number: usize| vec![("@message".to_owned(), format!("line {number}")), ("@ptr".to_owned(), "p".to_owned())];
    let statistics =
        Statistics { records_matched: 3.0, records_scanned: 9.0, bytes_scanned: 512.0, ..Statistics::default() };
    Results { rows: (0..count).map(row).collect::<Vec<_>>().into(), statistics, failure: None }
}

#[tokio::test]
async fn a_query_gives_partial_results_until_it_is_complete() {
    let lab = Lab::with_stream("g", "s").await;
    let id = start(&lab, json!({ "logGroupName": "g", "limit": 50 })).await;
    let order = lab.engine.orders.lock().unwrap()[0].clone();
    assert_eq!((order.from_ms, order.to_ms, order.limit), (100_000, 200_999, Some(50)), "both seconds count");
    assert_eq!(order.groups, ["g"]);
    *lab.engine.state.lock().unwrap() = (None, rows(1));
    let answer = lab.ask("GetQueryResults", json!({ "queryId": id })).await;
    assert_eq!((&answer["status"], answer["results"].as_array().unwrap().len()), (&json!("Running"), 1));
    *lab.engine.state.lock().unwrap() = (Some(Stage::Complete), rows(3));
    let answer = lab.ask("GetQueryResults", json!({ "queryId": id })).await;
    assert_eq!(answer["results"][2][0], json!({ "field": "@message", "value": "line 2" }));
    assert_eq!((&answer["status"], &answer["queryLanguage"]), (&json!("Complete"), &json!("CWLI")));
    let statistics = &answer["statistics"];
    assert_eq!((&statistics["recordsMatched"], &statistics["resultCount"]), (&json!(3.0), &json!(3.0)));
    assert_eq!(statistics["bytesScanned"], json!(512.0));
    let page = lab.ask("GetQueryResults", json!({ "queryId": id, "maxItems": 2 })).await;
    assert_eq!(page["results"].as_array().unwrap().len(), 2);
    let body = json!({ "queryId": id, "maxItems": 2, "nextToken": page["nextToken"] });
    let last = lab.ask("GetQueryResults", body).await;
    assert_eq!((last["results"].as_array().unwrap().len(), last.get("nextToken")), (1, None));
    let unknown = lab.refused("GetQueryResults", json!({ "queryId": "00000000-0000" })).await;
    assert_eq!(unknown.0, "ResourceNotFoundException");
}

#[tokio::test]
async fn a_query_is_stopped_once_and_described_as_the_service_does() {
    let lab = Lab::with_stream("g", "s").await;
    let id = start(&lab, json!({ "logGroupNames": ["g", "g"] })).await;
    assert_eq!(lab.ask("StopQuery", json!({ "queryId": id })).await["success"], true);
    assert!(lab.engine.stopped.load(Ordering::SeqCst));
    let (kind, why) = lab.refused("StopQuery", json!({ "queryId": id })).await;
    assert!(kind == "InvalidParameterException" && why.contains("is not running"), "{kind} {why}");
    let described = lab.ask("DescribeQueries", json!({ "logGroupName": "g", "status": "Cancelled" })).await;
    let query = &described["queries"][0];
    assert_eq!(query["queryString"], "SOURCE \"g\" START=100000 END=200999 | fields @message");
    assert_eq!((&query["queryId"], &query["logGroupName"]), (&json!(id), &json!("g")));
    assert!(query["createTime"].is_i64() && query["queryDuration"].is_i64(), "{query}");
    let none = lab.ask("DescribeQueries", json!({ "status": "Complete" })).await;
    assert_eq!(none["queries"], json!([]));
    let (_, why) = lab.refused("DescribeQueries", json!({ "status": "Done" })).await;
    assert!(why.contains("enum value set"), "{why}");
}

#[tokio::test]
async fn a_query_that_is_none_is_refused_with_its_place() {
    let lab = Lab::with_stream("g", "s").await;
    let body = asked(&json!({ "logGroupName": "g", "queryString": "fields a | statz count(*)" }));
    let (status, answer) = lab.send("StartQuery", &body).await;
    assert_eq!((status, &answer["__type"]), (400, &json!("MalformedQueryException")));
    let place = &answer["queryCompileError"]["location"];
    assert_eq!((&place["startCharOffset"], &place["endCharOffset"]), (&json!(11), &json!(16)));
    assert!(answer["queryCompileError"]["message"].as_str().unwrap().contains("statz"), "{answer}");
}

#[tokio::test]
async fn what_a_query_reads_has_to_be_named_in_one_way_and_to_exist() {
    let lab = Lab::with_stream("g", "s").await;
    let (kind, why) = lab.refused("StartQuery", asked(&json!({ "logGroupName": "nowhere" }))).await;
    assert_eq!(kind, "ResourceNotFoundException");
    let said = "Log group 'nowhere' does not exist for account ID '210987654321' (Service: AWSLogs; Status Code: 400; Error \
                Code: ResourceNotFoundException; Request ID: ";
    assert!(why.starts_with(said) && why.ends_with("; Proxy: null)"), "{why}");
    for (more, says) in [
        (json!({}), "Name the log groups"),
        (json!({ "logGroupName": "g", "logGroupNames": ["g"] }), "Only one of"),
        (json!({ "logGroupName": "g", "queryString": "SOURCE \"g\" | fields a" }), "leave those of the request out"),
        (json!({ "logGroupName": "g", "queryLanguage": "SQL" }), "SQL is not spoken here"),
        (json!({ "logGroupName": "g", "limit": 100_001 }), "less than or equal to 100000"),
        (json!({ "logGroupName": "g", "startTime": 300 }), "lies before the start time"),
        (json!({ "logGroupName": "g", "startTime": null }), "'startTime'"),
        (json!({ "logGroupName": "g", "queryString": "x".repeat(10_001) }), "less than or equal to 10000"),
    ] {
        let (kind, why) = lab.refused("StartQuery", asked(&more)).await;
        assert!(kind == "InvalidParameterException" && why.contains(says), "{more}: {kind} {why}");
    }
    assert!(lab.engine.orders.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_query_may_name_its_groups_and_times_itself() {
    let lab = Lab::with_stream("/lab/a", "s").await;
    lab.ask("CreateLogGroup", json!({ "logGroupName": "/lab/b", "tags": { "team": "blue" } })).await;
    lab.ask("CreateLogGroup", json!({ "logGroupName": "/other" })).await;
    for (text, groups) in [
        ("SOURCE \"/lab/b\" | fields a", vec!["/lab/b"]),
        ("SOURCE logGroups(namePrefix: ['/lab']) | fields a", vec!["/lab/a", "/lab/b"]),
    ] {
        start(&lab, json!({ "queryString": text })).await;
        assert_eq!(lab.engine.orders.lock().unwrap().last().unwrap().groups, groups, "{text}");
    }
    start(&lab, json!({ "queryString": "SOURCE \"/lab/b\" START=5000 END=6999 | fields a" })).await;
    let order = lab.engine.orders.lock().unwrap().last().unwrap().clone();
    assert_eq!((order.from_ms, order.to_ms), (5_000, 6_999));
    let arn = "arn:aws:logs:eu-central-1:210987654321:log-group:/other:*";
    start(&lab, json!({ "logGroupIdentifiers": [arn] })).await;
    assert_eq!(lab.engine.orders.lock().unwrap().last().unwrap().groups, ["/other"]);
}

#[tokio::test]
async fn the_hundred_and_first_query_at_once_is_refused() {
    let lab = Lab::with_stream("g", "s").await;
    for _ in 0..100 {
        start(&lab, json!({ "logGroupName": "g" })).await;
    }
    let (kind, why) = lab.refused("StartQuery", asked(&json!({ "logGroupName": "g" }))).await;
    assert!(kind == "LimitExceededException" && why.contains("100 queries"), "{kind} {why}");
    *lab.engine.state.lock().unwrap() = (Some(Stage::Complete), rows(0));
    start(&lab, json!({ "logGroupName": "g" })).await;
}
