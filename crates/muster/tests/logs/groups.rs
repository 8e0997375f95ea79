use serde_json::{Value, json};

use crate::Lab;

fn names(answer: &Value, list: &str, name: &str) -> Vec<String> {
    answer[list].as_array().unwrap().iter().map(|one| one[name].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_group_is_made_described_kept_for_days_and_deleted() {
    let lab = Lab::new();
    let made = json!({ "logGroupName": "/lab/a", "logGroupClass": "INFREQUENT_ACCESS", "tags": { "team": "blue" } });
    assert_eq!(lab.ask("CreateLogGroup", made.clone()).await, json!({}));
    assert_eq!(
        lab.refused("CreateLogGroup", made).await,
        ("ResourceAlreadyExistsException".to_owned(), "The specified log group already exists".to_owned())
    );
    lab.ask("PutRetentionPolicy", json!({ "logGroupName": "/lab/a", "retentionInDays": 14 })).await;
    let described = lab.ask("DescribeLogGroups", json!({})).await;
    let group = &described["logGroups"][0];
    assert_eq!((&group["logGroupName"], &group["retentionInDays"]), (&json!("/lab/a"), &json!(14)));
    assert_eq!(group["arn"], "arn:aws:logs:eu-central-1:210987654321:log-group:/lab/a:*");
    assert_eq!(group["logGroupArn"], "arn:aws:logs:eu-central-1:210987654321:log-group:/lab/a");
    assert_eq!((&group["logGroupClass"], &group["storedBytes"]), (&json!("INFREQUENT_ACCESS"), &json!(7)));
    let tags = lab.ask("ListTagsForResource", json!({ "resourceArn": group["logGroupArn"] })).await;
    assert_eq!(tags["tags"], json!({ "team": "blue" }));
    lab.ask("DeleteRetentionPolicy", json!({ "logGroupName": "/lab/a" })).await;
    let described = lab.ask("DescribeLogGroups", json!({})).await;
    assert_eq!(described["logGroups"][0].get("retentionInDays"), None);
    lab.ask("DeleteLogGroup", json!({ "logGroupName": "/lab/a" })).await;
    let gone = lab.refused("DeleteLogGroup", json!({ "logGroupName": "/lab/a" })).await;
    assert_eq!(gone, ("ResourceNotFoundException".to_owned(), "The specified log group does not exist.".to_owned()));
}

#[tokio::test]
async fn values_that_break_a_rule_are_refused_in_the_services_words() {
    let lab = Lab::with_stream("g", "s").await;
    let long = "x".repeat(600);
    for (operation, body, says) in [
        (
            "CreateLogGroup",
            json!({}),
            "Value null at 'logGroupName' failed to satisfy constraint: Member must not be null",
        ),
        ("CreateLogGroup", json!({ "logGroupName": "a b" }), "must satisfy regular expression pattern"),
        ("CreateLogGroup", json!({ "logGroupName": long }), "length less than or equal to 512"),
        ("CreateLogGroup", json!({ "logGroupName": "a", "logGroupClass": "GOLD" }), "enum value set: [STANDARD"),
        ("CreateLogStream", json!({ "logGroupName": "g", "logStreamName": "a:b" }), "pattern: [^:*]*"),
        ("PutRetentionPolicy", json!({ "logGroupName": "g", "retentionInDays": 4 }), "Value '4' at 'retentionInDays'"),
        (
            "DescribeLogGroups",
            json!({ "limit": 51 }),
            "Value '51' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 50",
        ),
        ("DescribeLogGroups", json!({ "limit": 0 }), "greater than or equal to 1"),
        ("DescribeLogGroups", json!({ "logGroupNamePrefix": "a", "logGroupNamePattern": "b" }), "mutually exclusive"),
        ("DescribeLogGroups", json!({ "nextToken": "made up" }), "The specified nextToken is invalid."),
        (
            "DescribeLogStreams",
            json!({ "logGroupName": "g", "orderBy": "LastEventTime", "logStreamNamePrefix": "s" }),
            "Cannot order by LastEventTime",
        ),
        (
            "FilterLogEvents",
            json!({ "logGroupName": "g", "limit": 10_001 }),
            "1 validation error detected: Value '10001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000",
        ),
        ("FilterLogEvents", json!({ "logGroupName": "g", "filterPattern": "{ $.a = " }), "Invalid filter pattern"),
        (
            "FilterLogEvents",
            json!({ "logGroupName": "g", "logStreamNames": ["s"], "logStreamNamePrefix": "s" }),
            "cannot both be given",
        ),
        (
            "FilterLogEvents",
            json!({ "logGroupName": "g", "nextToken": "made up" }),
            "The specified nextToken is invalid.",
        ),
        (
            "GetLogEvents",
            json!({ "logGroupName": "g", "logStreamName": "s", "nextToken": "x/00" }),
            "The specified nextToken is invalid.",
        ),
    ] {
        let (kind, why) = lab.refused(operation, body.clone()).await;
        assert!(kind == "InvalidParameterException" && why.contains(says), "{operation} {body}: {kind} {why}");
    }
    let (kind, _) = lab.refused("DescribeLogGroups", json!({ "limit": "ten" })).await;
    assert_eq!(kind, "SerializationException");
}

#[tokio::test]
async fn groups_are_listed_in_pages_by_prefix_and_by_pattern() {
    let lab = Lab::new();
    for name in ["/a/One", "/a/two", "/b/one"] {
        lab.ask("CreateLogGroup", json!({ "logGroupName": name })).await;
    }
    let (mut found, mut token) = (Vec::new(), Value::Null);
    for _ in 0..3 {
        let page = lab.ask("DescribeLogGroups", json!({ "limit": 1, "nextToken": token })).await;
        found.extend(names(&page, "logGroups", "logGroupName"));
        token = page["nextToken"].clone();
    }
    assert_eq!((found, token), (vec!["/a/One".to_owned(), "/a/two".to_owned(), "/b/one".to_owned()], Value::Null));
    let by = |body: Value| async { names(&lab.ask("DescribeLogGroups", body).await, "logGroups", "logGroupName") };
    assert_eq!(by(json!({ "logGroupNamePrefix": "/a/" })).await, ["/a/One", "/a/two"]);
    assert_eq!(by(json!({ "logGroupNamePattern": "ONE" })).await, ["/a/One", "/b/one"]);
    assert_eq!(by(json!({ "logGroupClass": "DELIVERY" })).await, Vec::<String>::new());
}

#[tokio::test]
async fn streams_are_listed_by_name_or_by_their_latest_event() {
    let lab = Lab::with_stream("g", "one").await;
    for stream in ["two", "three"] {
        lab.ask("CreateLogStream", json!({ "logGroupName": "g", "logStreamName": stream })).await;
    }
    lab.put("g", "two", &[(crate::ago(5_000), "a"), (crate::ago(4_000), "b")]).await;
    lab.put("g", "one", &[(crate::ago(9_000), "c")]).await;
    let by = |body: Value| async {
        let mut body = body;
        body["logGroupName"] = "g".into();
        names(&lab.ask("DescribeLogStreams", body).await, "logStreams", "logStreamName")
    };
    assert_eq!(by(json!({})).await, ["one", "three", "two"]);
    assert_eq!(by(json!({ "descending": true, "limit": 2 })).await, ["two", "three"]);
    assert_eq!(by(json!({ "logStreamNamePrefix": "t" })).await, ["three", "two"]);
    assert_eq!(by(json!({ "orderBy": "LastEventTime", "descending": true })).await, ["two", "one", "three"]);
    let described = lab.ask("DescribeLogStreams", json!({ "logGroupName": "g", "logStreamNamePrefix": "tw" })).await;
    let two = &described["logStreams"][0];
    let between = two["lastEventTimestamp"].as_i64().unwrap() - two["firstEventTimestamp"].as_i64().unwrap();
    assert!((900..1_200).contains(&between) && two["lastIngestionTime"].is_i64(), "{two}");
    lab.ask("DeleteLogStream", json!({ "logGroupName": "g", "logStreamName": "two" })).await;
    assert_eq!(by(json!({})).await, ["one", "three"]);
    let gone = lab.refused("DeleteLogStream", json!({ "logGroupName": "g", "logStreamName": "two" })).await;
    assert_eq!(gone.1, "The specified log stream does not exist.");
}
