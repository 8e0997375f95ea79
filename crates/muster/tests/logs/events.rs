use serde_json::{Value, json};

use crate::{Lab, ago, messages};

#[tokio::test]
async fn what_is_too_new_or_too_old_is_told_by_its_index_and_the_call_succeeds() {
    let lab = Lab::with_stream("g", "s").await;
    let day = 24 * 3_600_000;
    let answer = lab.put("g", "s", &[(ago(15 * day), "old"), (ago(15 * day - 1_000), "old too")]).await;
    assert_eq!(answer["rejectedLogEventsInfo"], json!({ "tooOldLogEventEndIndex": 2 }));
    let answer = lab.put("g", "s", &[(ago(0), "now"), (ago(-3 * 3_600_000), "soon")]).await;
    assert_eq!(answer["rejectedLogEventsInfo"], json!({ "tooNewLogEventStartIndex": 1 }));
    let answer = lab.put("g", "s", &[(ago(0), "fine")]).await;
    assert_eq!(answer.get("rejectedLogEventsInfo"), None);
    let body =
        json!({ "logGroupName": "g", "logStreamName": "other", "logEvents": [{ "timestamp": 1, "message": "x" }] });
    assert_eq!(lab.refused("PutLogEvents", body).await.1, "The specified log stream does not exist.");
}

#[tokio::test]
async fn a_stream_is_read_from_either_end_and_its_tokens_never_run_out() {
    let lab = Lab::with_stream("g", "s").await;
    let start = ago(60_000);
    let texts: Vec<String> = (0..5).map(|number| format!("line {number}")).collect();
    let events: Vec<(i64, &str)> =
        texts.iter().zip(0..).map(|(text, number)| (start + number * 1_000, text.as_str())).collect();
    lab.put("g", "s", &events).await;
    let get = |more: Value| {
        let mut body = json!({ "logGroupName": "g", "logStreamName": "s", "limit": 2 });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let lab = &lab;
        async move { lab.ask("GetLogEvents", body).await }
    };
    let newest = get(json!({})).await;
    assert_eq!(messages(&newest), ["line 3", "line 4"]);
    let before = get(json!({ "nextToken": newest["nextBackwardToken"] })).await;
    assert_eq!(messages(&before), ["line 1", "line 2"]);
    let after = get(json!({ "nextToken": before["nextForwardToken"] })).await;
    assert_eq!(messages(&after), ["line 3", "line 4"]);
    let end = get(json!({ "nextToken": after["nextForwardToken"] })).await;
    assert_eq!((messages(&end).len(), &end["nextForwardToken"]), (0, &after["nextForwardToken"]));
    lab.put("g", "s", &[(start + 9_000, "late")]).await;
    assert_eq!(messages(&get(json!({ "nextToken": end["nextForwardToken"] })).await), ["late"]);
    let head = get(json!({ "startFromHead": true })).await;
    assert_eq!(messages(&head), ["line 0", "line 1"]);
    // The end does not count.
    let some = get(json!({ "startFromHead": true, "startTime": start + 1_000, "endTime": start + 2_000 })).await;
    assert_eq!(messages(&some), ["line 1"]);
    let none = lab.refused("GetLogEvents", json!({ "logGroupName": "g", "logStreamName": "x" })).await;
    assert_eq!(none.1, "The specified log stream does not exist.");
}

#[tokio::test]
async fn a_group_is_filtered_page_by_page_and_nothing_is_lost_or_told_twice() {
    let lab = Lab::with_stream("g", "s").await;
    lab.ask("CreateLogStream", json!({ "logGroupName": "g", "logStreamName": "t-1" })).await;
    let start = ago(60_000);
    for number in 0..10 {
        let (stream, text) = if number % 2 == 0 { ("s", "ERROR even") } else { ("t-1", "INFO odd") };
        lab.put("g", stream, &[(start + number, &format!("{text} {number}"))]).await;
    }
    let filter = |more: Value| {
        let mut body = json!({ "logGroupName": "g" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let lab = &lab;
        async move { lab.ask("FilterLogEvents", body).await }
    };
    let (mut found, mut token, mut pages) = (Vec::new(), Value::Null, 0);
    loop {
        let page = filter(json!({ "filterPattern": "ERROR", "limit": 2, "nextToken": token })).await;
        found.extend(messages(&page).into_iter().map(str::to_owned));
        assert_eq!(page["searchedLogStreams"], json!([]));
        token = page["nextToken"].clone();
        pages += 1;
        if token.is_null() {
            break;
        }
    }
    let expected: Vec<String> = (0..10).step_by(2).map(|number| format!("ERROR even {number}")).collect();
    assert_eq!((found, pages), (expected, 3));
    assert_eq!(messages(&filter(json!({ "logStreamNamePrefix": "t-" })).await).len(), 5);
    assert_eq!(messages(&filter(json!({ "logStreamNames": ["s", "t-1"] })).await).len(), 10);
    let range = filter(json!({ "startTime": start + 3, "endTime": start + 5 })).await;
    assert_eq!(messages(&range), ["INFO odd 3", "ERROR even 4", "INFO odd 5"], "both ends count");
    let newest = filter(json!({ "startFromHead": false, "limit": 1 })).await;
    assert_eq!(messages(&newest), ["INFO odd 9"]);
    let mut ids: Vec<String> = filter(json!({})).await["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["eventId"].as_str().unwrap().to_owned())
        .collect();
    assert!(ids.iter().all(|id| id.len() == 56) && ids.is_sorted());
    ids.dedup();
    assert_eq!(ids.len(), 10);
    let other = json!({ "logGroupName": "g", "filterPattern": "INFO",
        "nextToken": filter(json!({ "filterPattern": "ERROR", "limit": 1 })).await["nextToken"] });
    assert_eq!(lab.refused("FilterLogEvents", other).await.1, "The specified nextToken is invalid.");
}

#[tokio::test]
async fn fields_are_counted_and_a_record_is_told_whole() {
    let lab = Lab::with_stream("g", "s").await;
    let at = ago(1_000);
    lab.put("g", "s", &[(at, r#"{"a":{"b":1},"c":"x"}"#), (at, r#"{"c":"y"}"#), (at, "plain")]).await;
    let answer = lab.ask("GetLogGroupFields", json!({ "logGroupName": "g" })).await;
    let percent = |name: &str| {
        let fields = answer["logGroupFields"].as_array().unwrap();
        fields.iter().find(|field| field["name"] == name).map(|field| field["percent"].as_i64().unwrap())
    };
    assert_eq!((percent("@message"), percent("c"), percent("a.b")), (Some(100), Some(66), Some(33)));
    let old = lab.ask("GetLogGroupFields", json!({ "logGroupName": "g", "time": at / 1_000 - 3_600 })).await;
    assert_eq!(old["logGroupFields"], json!([]));
    let record = lab.ask("GetLogRecord", json!({ "logRecordPointer": format!("{at} 2 g") })).await;
    assert_eq!((&record["logRecord"]["c"], &record["logRecord"]["@logStream"]), (&json!("y"), &json!("s")));
    assert_eq!(record["logRecord"]["@log"], "210987654321:g");
    for (pointer, kind) in
        [("noise", "InvalidParameterException"), (&format!("{at} 99 g") as &str, "ResourceNotFoundException")]
    {
        assert_eq!(lab.refused("GetLogRecord", json!({ "logRecordPointer": pointer })).await.0, kind, "{pointer}");
    }
}
