//! GetLogRecord: one event with all its fields. GetLogGroupFields: which fields the events of a group have.

use std::collections::BTreeMap;

use insights::{record::discovered, rules::Rules, value::Value as Field};
use serde_json::{Value, json};

use super::{
    Asking,
    error::ApiError,
    names,
    port::{Place, Pointed, StoredEvent, Streams, Wanted},
    request,
};

/// Events that fields are counted in, the newest ones.
const SAMPLE: usize = 10_000;
/// Fields are looked for so far before and after a moment.
const AROUND_MS: i64 = 8 * 60_000;
/// Without a moment: in the last quarter of an hour.
const LATELY_MS: i64 = 15 * 60_000;

pub(super) async fn get(asking: &Asking<'_>) -> Result<Value, ApiError> {
    let pointer = request::required(asking.body, "logRecordPointer")?;
    let refused = || ApiError::invalid("The specified logRecordPointer is invalid.");
    let Pointed { group, timestamp_ms, number } = asking.api.queries.pointed(pointer).ok_or_else(refused)?;
    names::check_group(&group, "logRecordPointer")?;
    let mut beyond = None;
    // Those of one millisecond are looked through: a pointer has no road of its own into the store.
    loop {
        let wanted = Wanted {
            streams: Streams::All,
            from_ms: timestamp_ms,
            to_ms: timestamp_ms,
            beyond,
            newest_first: false,
            count: SAMPLE,
        };
        let read = asking.api.logs.events(&group, &wanted).await?;
        if let Some(event) = read.iter().find(|event| event.place.number == number) {
            let fields = fields_of(event, &format!("{}:{group}", asking.api.account), pointer);
            return Ok(json!({ "logRecord": fields }));
        }
        if read.len() < SAMPLE {
            return Err(ApiError::not_found("The log event of this pointer is not kept any more."));
        }
        beyond = read.last().map(|event| event.place);
    }
}

/// Every field of an event, as text.
fn fields_of(event: &StoredEvent, log: &str, pointer: &str) -> BTreeMap<String, String> {
    let rules = Rules::default();
    let StoredEvent { place: Place { timestamp_ms, ingestion_ms, .. }, stream, message } = event;
    let mut fields = BTreeMap::new();
    let found = discovered(message).into_iter();
    fields.extend(found.filter_map(|(name, value)| Some((name, value.print(&rules)?))));
    for (name, at) in [("@timestamp", *timestamp_ms), ("@ingestionTime", *ingestion_ms)] {
        fields.insert(name.to_owned(), Field::Time(at).print(&rules).unwrap_or_else(|| at.to_string()));
    }
    fields.insert("@message".to_owned(), message.clone());
    fields.insert("@logStream".to_owned(), stream.clone());
    fields.insert("@log".to_owned(), log.to_owned());
    fields.insert("@ptr".to_owned(), pointer.to_owned());
    fields
}

pub(super) async fn fields(asking: &Asking<'_>) -> Result<Value, ApiError> {
    let group = names::group_or_identifier(asking.body)?;
    let (from_ms, to_ms) = match request::natural(asking.body, "time")? {
        Some(secs) => {
            let at_ms = secs.saturating_mul(1_000);
            (at_ms.saturating_sub(AROUND_MS), at_ms.saturating_add(AROUND_MS))
        }
        None => (asking.now_ms - LATELY_MS, asking.now_ms),
    };
    asking.api.logs.group(group).await?;
    let wanted = Wanted { streams: Streams::All, from_ms, to_ms, beyond: None, newest_first: true, count: SAMPLE };
    let events = asking.api.logs.events(group, &wanted).await?;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for event in &events {
        for (name, _) in discovered(&event.message) {
            *counts.entry(name).or_default() += 1;
        }
    }
    if !events.is_empty() {
        for name in ["@message", "@timestamp", "@ingestionTime", "@logStream", "@log"] {
            counts.insert(name.to_owned(), events.len());
        }
    }
    let mut listed: Vec<(String, usize)> =
        counts.into_iter().map(|(name, count)| (name, count * 100 / events.len().max(1))).collect();
    // What most events have comes first.
    listed.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    let listed: Vec<Value> = listed.iter().map(|(name, percent)| json!({ "name": name, "percent": percent })).collect();
    Ok(json!({ "logGroupFields": listed }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_the_fields_of_its_message_and_those_that_every_one_has() {
        let place = Place { timestamp_ms: 1_790_000_040_000, ingestion_ms: 1_790_000_040_500, number: 1 };
        let message = r#"{"a":{"b":1.5},"@x":true}"#.to_owned();
        let event = StoredEvent { place, stream: "s".to_owned(), message: message.clone() };
        let fields = fields_of(&event, "210987654321:g", "p");
        assert_eq!((fields["a.b"].as_str(), fields["@message"].as_str()), ("1.5", message.as_str()));
        assert_eq!(fields["@timestamp"], "2026-09-21 14:14:00.000");
        assert!(fields.contains_key("@@x") && fields["@log"] == "210987654321:g");
    }
}
