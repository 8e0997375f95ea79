//! What is refused, and with which words.

use fleet::observation::{
    Fact,
    decode::{MAX_EVENT_BYTES, Undecodable, decode_event},
};

/// A container instance event whose detail also has these members.
fn event_with(members: &str) -> String {
    format!(
        r#"{{"source":"aws.ecs","detail-type":"ECS Container Instance State Change","account":"1","region":"r","time":"2026-10-02T08:15:31Z","resources":["arn:x"],"detail":{{"containerInstanceArn":"arn:aws:ecs:r:1:container-instance/c/1","clusterArn":"arn:aws:ecs:r:1:cluster/c"{members}}}}}"#
    )
}

fn fault(bytes: impl AsRef<[u8]>) -> String {
    decode_event(bytes.as_ref()).unwrap_err().to_string()
}

#[test]
fn the_event_the_other_tests_spoil_is_fine() {
    assert!(matches!(decode_event(event_with("").as_bytes()).unwrap().fact, Fact::Instance(_)));
}

#[test]
fn an_enormous_event_is_refused_by_its_size_and_one_of_the_limit_is_read() {
    let padding = |bytes: usize| event_with(&format!(r#","padding":"{}""#, "x".repeat(bytes)));
    let fits = padding(MAX_EVENT_BYTES - padding(0).len());
    assert_eq!(fits.len(), MAX_EVENT_BYTES);
    assert!(decode_event(fits.as_bytes()).is_ok());
    let too_large = fits + " ";
    assert_eq!(
        decode_event(too_large.as_bytes()),
        Err(Undecodable::TooLarge { bytes: MAX_EVENT_BYTES + 1, limit: MAX_EVENT_BYTES })
    );
}

#[test]
fn deep_nesting_is_refused_even_in_parts_nobody_reads() {
    let nested = |levels: usize| event_with(&format!(r#","x":{}{}"#, "[".repeat(levels), "]".repeat(levels)));
    assert!(decode_event(nested(62).as_bytes()).is_ok());
    let deep = nested(63);
    let offset = deep.find("[[").unwrap() + 62;
    assert_eq!(decode_event(deep.as_bytes()), Err(Undecodable::TooDeep { offset, limit: 64 }));
    assert!(matches!(decode_event("[".repeat(500_000).as_bytes()), Err(Undecodable::TooDeep { .. })));
}

#[test]
fn bytes_that_are_not_utf8_are_found_even_in_parts_nobody_reads() {
    let mut event = event_with(r#","x":{"y":"??"}"#).into_bytes();
    let offset = event.iter().position(|byte| *byte == b'?').unwrap();
    event[offset] = 0xC3;
    assert_eq!(decode_event(&event), Err(Undecodable::NotUtf8 { offset }));
}

#[test]
fn what_is_not_json_is_refused_with_its_place() {
    for (text, part) in [
        ("", "expected"),
        ("   ", "expected"),
        ("hello", "not JSON at byte 0"),
        ("<html></html>", "not JSON at byte 0"),
        ("\u{feff}{}", "not JSON at byte 0"),
        ("[1,2]", "event: expected an object"),
        ("\"text\"", "event: expected an object"),
        ("null", "event: expected an object"),
        (r#"{"a":1,}"#, "not JSON at byte 7: a comma before the end"),
        (r#"{"a" 1}"#, "not JSON at byte 5: expected a colon"),
        (r#"{"a":1 "b":2}"#, "not JSON at byte 7"),
        (r#"{,"a":1}"#, "not JSON at byte 1"),
        (r#"{a:1}"#, "not JSON at byte 1: expected a key"),
        (r#"{"a":01}"#, "malformed number"),
        (r#"{"a":-}"#, "malformed number"),
        (r#"{"a":1.}"#, "malformed number"),
        (r#"{"a":1e}"#, "malformed number"),
        (r#"{"a":truely}"#, "not JSON"),
        (r#"{"a":nul}"#, "not JSON"),
        (r#"{"a":}"#, "expected a value"),
        (r#"{"a":"\ud83d"}"#, "half a surrogate pair"),
        ("{\"a\":\"\n\"}", "control character"),
        (r#"{"a":[}}"#, "not of the same kinds"),
    ] {
        assert!(fault(text).contains(part), "{text}: {}", fault(text));
    }
}

#[test]
fn something_after_the_event_is_refused() {
    let event = event_with("");
    assert!(decode_event(format!("{event} \r\n").as_bytes()).is_ok());
    assert_eq!(
        fault(format!("{event}{{}}")),
        format!("not JSON at byte {}: something follows the end of the event", event.len())
    );
}

#[test]
fn a_lone_surrogate_is_refused_even_in_parts_nobody_reads() {
    assert!(fault(event_with(r#","x":["\udc00"]"#)).contains("half a surrogate pair"));
}

#[test]
fn a_field_without_which_the_event_says_nothing_is_named() {
    let whole = event_with("");
    for (cut, message) in [
        (r#""source":"aws.ecs","#, "source: missing"),
        (r#""detail-type":"ECS Container Instance State Change","#, "detail-type: missing"),
        (r#""time":"2026-10-02T08:15:31Z","#, "time: missing"),
        (r#","clusterArn":"arn:aws:ecs:r:1:cluster/c""#, "detail.clusterArn: missing"),
        (r#""containerInstanceArn":"arn:aws:ecs:r:1:container-instance/c/1","#, "detail.containerInstanceArn: missing"),
    ] {
        assert!(whole.contains(cut), "{cut}");
        assert_eq!(fault(whole.replace(cut, "")), message);
    }
}

#[test]
fn a_field_of_the_wrong_type_is_named() {
    for (members, message) in [
        (r#","agentConnected":"no""#, "detail.agentConnected: expected true or false"),
        (r#","version":"7""#, "detail.version: expected a whole number"),
        (r#","version":7.5"#, "detail.version: 7.5 is not a whole number of 64 bits"),
        (r#","version":99999999999999999999"#, "detail.version: 99999999999999999999 is not a whole number of 64 bits"),
        (r#","runningTasksCount":-1"#, "detail.runningTasksCount: -1 cannot be a count"),
        (r#","registeredAt":"soon""#, "detail.registeredAt: not a time: \"soon\""),
        (r#","status":{"a":[1]}"#, "detail.status: expected a string"),
        (r#","attributes":{}"#, "detail.attributes: expected an array"),
        (r#","clusterArn":"prod""#, "detail.clusterArn: not an ARN"),
        (r#","clusterArn":"""#, "detail.clusterArn: empty"),
        (r#","clusterArn":null"#, "detail.clusterArn: missing"),
    ] {
        assert_eq!(fault(event_with(members)), message);
    }
}

#[test]
fn an_event_of_a_known_kind_needs_its_detail() {
    let envelope = r#"{"source":"aws.ecs","detail-type":"ECS Task State Change","time":"2026-10-02T08:15:31Z""#;
    assert_eq!(fault(format!("{envelope}}}")), "detail: missing");
    assert_eq!(fault(format!("{envelope},\"detail\":null}}")), "detail: expected an object");
    assert_eq!(fault(format!("{envelope},\"detail\":[]}}")), "detail: expected an object");
}
