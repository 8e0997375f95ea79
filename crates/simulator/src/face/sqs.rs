//! Simple Queue Service, awsJson (spec A.3).

use std::collections::BTreeMap;

use serde_json::Value;
use wire::error::ServiceError;

use super::{
    json::Json,
    messaging::Messaging,
    paging::{self, Page},
    scope::{Scope, text, texts},
};
use crate::queue::{Attribute, Queue, Received, Settings, md5_of_attributes, md5_of_text};

/// The operations answered here.
pub(crate) const OPERATIONS: &[&str] = &[
    "ChangeMessageVisibility",
    "ChangeMessageVisibilityBatch",
    "CreateQueue",
    "DeleteMessage",
    "DeleteMessageBatch",
    "DeleteQueue",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListQueues",
    "PurgeQueue",
    "ReceiveMessage",
    "SendMessage",
    "SendMessageBatch",
    "SetQueueAttributes",
];

/// The older name of an error, for the header `x-amzn-query-error`.
pub(crate) fn query_code(code: &str) -> String {
    match code {
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue".to_owned(),
        "QueueNameExists" => "QueueAlreadyExists".to_owned(),
        "EmptyBatchRequest" | "TooManyEntriesInBatchRequest" | "BatchEntryIdsNotDistinct" => {
            format!("AWS.SimpleQueueService.{code}")
        }
        other => other.to_owned(),
    }
}

fn error(code: &str, what: impl Into<String>) -> ServiceError {
    ServiceError::new(code, what)
}

fn required<'a>(request: &'a Value, name: &str) -> Result<&'a str, ServiceError> {
    text(request, name)
        .ok_or_else(|| error("MissingParameter", format!("The request must contain the parameter {name}.")))
}

fn number(request: &Value, name: &str, from: u64, to: u64) -> Result<Option<u32>, ServiceError> {
    let Some(value) = request.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
    match value.as_u64() {
        Some(number) if (from..=to).contains(&number) => Ok(Some(number as u32)),
        _ => {
            let what =
                format!("Value {value} for parameter {name} is invalid. Reason: Must be between {from} and {to}.");
            Err(error("InvalidParameterValue", what))
        }
    }
}

/// `http://HOST/ACCOUNT/NAME`.
fn url(scope: &Scope, name: &str) -> String {
    format!("http://{}/{}/{name}", scope.host, scope.account())
}

fn no_queue() -> ServiceError {
    error("QueueDoesNotExist", "The specified queue does not exist.")
}

fn queue<'a>(messaging: &'a mut Messaging, scope: &Scope, request: &Value) -> Result<&'a mut Queue, ServiceError> {
    let mut parts = required(request, "QueueUrl")?.rsplit('/');
    let name = parts.next().unwrap_or_default();
    let account = parts.next().filter(|part| part.len() == 12).unwrap_or(scope.account()).to_owned();
    let region = (account, scope.region.1.clone());
    messaging.of(&region).queues.get_mut(name).ok_or_else(no_queue)
}

/// Answers a call into `out`; ReceiveMessage goes through [`receive`].
///
/// # Errors
/// The service's own.
pub(crate) fn answer(
    messaging: &mut Messaging,
    scope: &Scope,
    operation: &str,
    request: &Value,
    out: &mut Json,
) -> Result<(), ServiceError> {
    match operation {
        "CreateQueue" => create(messaging, scope, request, out),
        "GetQueueUrl" => {
            let name = required(request, "QueueName")?;
            if !messaging.of(&scope.region).queues.contains_key(name) {
                return Err(no_queue());
            }
            out.object(|out| out.member("QueueUrl", &url(scope, name)));
            Ok(())
        }
        "ListQueues" => list(messaging, scope, request, out),
        "DeleteQueue" => {
            let name = queue(messaging, scope, request)?.name.clone();
            messaging.of(&scope.region).queues.remove(&name);
            out.object(|_| {});
            Ok(())
        }
        "PurgeQueue" => {
            queue(messaging, scope, request)?.purge();
            out.object(|_| {});
            Ok(())
        }
        "GetQueueAttributes" => {
            let wanted = texts(request, "AttributeNames");
            let all = queue(messaging, scope, request)?.attributes(scope.wall);
            out.object(|out| {
                out.key("Attributes").object(|out| {
                    for (name, value) in all {
                        if wanted.contains(&"All") || wanted.contains(&name) {
                            out.member(name, &value);
                        }
                    }
                });
            });
            Ok(())
        }
        "SetQueueAttributes" => {
            let queue = queue(messaging, scope, request)?;
            let mut settings = queue.settings.clone();
            set(&mut settings, request)?;
            (queue.settings, queue.modified_at) = (settings, scope.wall);
            out.object(|_| {});
            Ok(())
        }
        "SendMessage" => send(queue(messaging, scope, request)?, scope, request, out, None),
        "DeleteMessage" => {
            queue(messaging, scope, request)?.delete(required(request, "ReceiptHandle")?)?;
            out.object(|_| {});
            Ok(())
        }
        "ChangeMessageVisibility" => {
            change_visibility(queue(messaging, scope, request)?, scope, request)?;
            out.object(|_| {});
            Ok(())
        }
        "SendMessageBatch" => {
            batch(messaging, scope, request, out, |queue, entry, id, out| send(queue, scope, entry, out, Some(id)))
        }
        "DeleteMessageBatch" => batch(messaging, scope, request, out, |queue, entry, id, out| {
            queue.delete(required(entry, "ReceiptHandle")?)?;
            out.object(|out| out.member("Id", id));
            Ok(())
        }),
        "ChangeMessageVisibilityBatch" => batch(messaging, scope, request, out, |queue, entry, id, out| {
            change_visibility(queue, scope, entry)?;
            out.object(|out| out.member("Id", id));
            Ok(())
        }),
        _ => Err(super::unknown("sqs", operation, OPERATIONS)),
    }
}

fn set(settings: &mut Settings, request: &Value) -> Result<(), ServiceError> {
    for (name, value) in request.get("Attributes").and_then(Value::as_object).into_iter().flatten() {
        settings.set(name, value.as_str().unwrap_or_default())?;
    }
    Ok(())
}

fn create(messaging: &mut Messaging, scope: &Scope, request: &Value, out: &mut Json) -> Result<(), ServiceError> {
    let name = required(request, "QueueName")?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.is_empty() || name.len() > 80 || !name.chars().all(allowed) {
        let what = "A queue name has 1 to 80 letters, digits, hyphens and underscores; FIFO queues are not known here.";
        return Err(error("InvalidParameterValue", what));
    }
    let mut settings = Settings::default();
    set(&mut settings, request)?;
    match messaging.of(&scope.region).queues.get(name) {
        Some(known) if known.settings != settings && request.get("Attributes").is_some() => {
            return Err(error("QueueNameExists", "A queue already exists with the same name and a different value."));
        }
        Some(_) => {}
        None => {
            let queue = messaging.new_queue(name, scope.arn("sqs", name), settings, scope.wall);
            messaging.of(&scope.region).queues.insert(name.to_owned(), queue);
        }
    }
    out.object(|out| out.member("QueueUrl", &url(scope, name)));
    Ok(())
}

fn list(messaging: &mut Messaging, scope: &Scope, request: &Value, out: &mut Json) -> Result<(), ServiceError> {
    let prefix = text(request, "QueueNamePrefix").unwrap_or_default();
    let most = number(request, "MaxResults", 1, 1000)?.unwrap_or(1000) as usize;
    let token = text(request, "NextToken").filter(|token| !token.is_empty());
    let from =
        token.map_or(Some(0), paging::read).ok_or_else(|| error("InvalidParameterValue", "Invalid NextToken."))?;
    let page = Page { from, most };
    let queues = &messaging.of(&scope.region).queues;
    let names: Vec<_> = queues.keys().filter(|name| name.starts_with(prefix)).collect();
    let first = usize::try_from(page.from).unwrap_or(usize::MAX).min(names.len());
    let last = (first + page.most).min(names.len());
    out.object(|out| {
        if first < last {
            out.key("QueueUrls").array(|out| names[first..last].iter().for_each(|name| out.text(&url(scope, name))));
        }
        if last < names.len() {
            out.member("NextToken", &paging::token(last as u64));
        }
    });
    Ok(())
}

fn send(
    queue: &mut Queue,
    scope: &Scope,
    request: &Value,
    out: &mut Json,
    entry_id: Option<&str>,
) -> Result<(), ServiceError> {
    let body = required(request, "MessageBody")?;
    let attributes = attributes(request)?;
    let delay = number(request, "DelaySeconds", 0, 900)?;
    let (md5, attributes_md5) = (md5_of_text(body), md5_of_attributes(&attributes));
    let has_attributes = !attributes.is_empty();
    let id = queue.send(body.to_owned(), attributes, delay, scope.wall)?;
    out.object(|out| {
        if let Some(entry_id) = entry_id {
            out.member("Id", entry_id);
        }
        out.member("MessageId", &id);
        out.member("MD5OfMessageBody", &md5);
        if has_attributes {
            out.member("MD5OfMessageAttributes", &attributes_md5);
        }
    });
    Ok(())
}

fn attributes(request: &Value) -> Result<BTreeMap<String, Attribute>, ServiceError> {
    let given = request.get("MessageAttributes").and_then(Value::as_object).into_iter().flatten();
    given
        .map(|(name, value)| {
            let (data_type, text) = (text(value, "DataType"), text(value, "StringValue"));
            let (Some(data_type), Some(text)) = (data_type, text) else {
                let what = format!("The message attribute {name} needs a DataType and a StringValue here.");
                return Err(error("InvalidParameterValue", what));
            };
            Ok((name.clone(), Attribute { data_type: data_type.to_owned(), value: text.to_owned() }))
        })
        .collect()
}

fn change_visibility(queue: &mut Queue, scope: &Scope, request: &Value) -> Result<(), ServiceError> {
    let secs = number(request, "VisibilityTimeout", 0, 43_200)?
        .ok_or_else(|| error("MissingParameter", "The request must contain the parameter VisibilityTimeout."))?;
    queue.change_visibility(required(request, "ReceiptHandle")?, secs, scope.wall)
}

/// Up to ten entries, each answered on its own.
fn batch(
    messaging: &mut Messaging,
    scope: &Scope,
    request: &Value,
    out: &mut Json,
    mut each: impl FnMut(&mut Queue, &Value, &str, &mut Json) -> Result<(), ServiceError>,
) -> Result<(), ServiceError> {
    let queue = queue(messaging, scope, request)?;
    let entries = request.get("Entries").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let ids: Vec<_> = entries.iter().map(|entry| text(entry, "Id").unwrap_or_default()).collect();
    match ids.len() {
        0 => return Err(error("EmptyBatchRequest", "There should be at least one entry in the request.")),
        1..=10 => {}
        _ => return Err(error("TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10.")),
    }
    if ids.iter().enumerate().any(|(at, id)| ids[..at].contains(id)) {
        return Err(error("BatchEntryIdsNotDistinct", "Two or more batch entries have the same Id."));
    }
    let mut failed = Vec::new();
    out.object(|out| {
        out.key("Successful").array(|out| {
            for (entry, id) in entries.iter().zip(&ids) {
                if let Err(error) = each(queue, entry, id, out) {
                    failed.push((*id, error));
                }
            }
        });
        if !failed.is_empty() {
            out.key("Failed").array(|out| {
                for (id, error) in &failed {
                    out.object(|out| {
                        out.member("Id", id);
                        out.key("SenderFault").flag(true);
                        out.member("Code", &error.code);
                        out.member("Message", &error.message);
                    });
                }
            });
        }
    });
    Ok(())
}

/// How long a ReceiveMessage is willing to wait, in seconds.
pub(crate) fn wait_secs(messaging: &mut Messaging, scope: &Scope, request: &Value) -> Result<u32, ServiceError> {
    let wanted = number(request, "WaitTimeSeconds", 0, 20)?;
    let queue = queue(messaging, scope, request)?;
    Ok(wanted.unwrap_or(queue.settings.wait_secs))
}

/// Tries to receive: `None` when something was received and written, else when a hidden message shows itself next.
pub(crate) fn receive(
    messaging: &mut Messaging,
    scope: &Scope,
    request: &Value,
    out: &mut Json,
) -> Result<Option<Option<crate::clock::Moment>>, ServiceError> {
    let most = number(request, "MaxNumberOfMessages", 1, 10)?.unwrap_or(1) as usize;
    let visibility = number(request, "VisibilityTimeout", 0, 43_200)?;
    let mut dead = Vec::new();
    let queue = queue(messaging, scope, request)?;
    let received = queue.receive(most, visibility, scope.wall, &mut dead)?;
    let next = queue.next_visible_at();
    if let Some(redrive) = queue.settings.redrive.clone().filter(|_| !dead.is_empty()) {
        messaging.bury(&redrive.dead_letter_arn, dead, scope.wall);
    }
    if received.is_empty() {
        return Ok(Some(next));
    }
    let mut wanted = texts(request, "MessageSystemAttributeNames");
    wanted.extend(texts(request, "AttributeNames"));
    let own = texts(request, "MessageAttributeNames");
    out.object(|out| {
        out.key("Messages").array(|out| received.iter().for_each(|one| message(one, &wanted, &own, out)));
    });
    Ok(None)
}

fn message(received: &Received, wanted: &[&str], own: &[&str], out: &mut Json) {
    let message = &received.message;
    out.object(|out| {
        out.member("MessageId", &message.id);
        out.member("ReceiptHandle", &received.receipt_handle);
        out.member("MD5OfBody", &md5_of_text(&message.body));
        out.member("Body", &message.body);
        let first = message.first_received_at.unwrap_or(message.sent_at);
        let system = [
            ("SenderId", "AIDASIMULATED".to_owned()),
            ("ApproximateReceiveCount", message.receive_count.to_string()),
            ("SentTimestamp", message.sent_at.0.to_string()),
            ("ApproximateFirstReceiveTimestamp", first.0.to_string()),
        ];
        let asked = |name: &str| wanted.contains(&"All") || wanted.contains(&name);
        if system.iter().any(|(name, _)| asked(name)) {
            out.key("Attributes").object(|out| {
                for (name, value) in system.iter().filter(|(name, _)| asked(name)) {
                    out.member(name, value);
                }
            });
        }
        let asked = |name: &str| {
            own.iter().any(|wanted| match wanted.strip_suffix(".*") {
                Some(prefix) => name.starts_with(prefix),
                None => *wanted == name || *wanted == "All",
            })
        };
        let shown: BTreeMap<_, _> = message
            .attributes
            .iter()
            .filter(|(name, _)| asked(name))
            .map(|(name, attribute)| (name.clone(), attribute.clone()))
            .collect();
        if !shown.is_empty() {
            out.member("MD5OfMessageAttributes", &md5_of_attributes(&shown));
            out.key("MessageAttributes").object(|out| {
                for (name, Attribute { data_type, value }) in &shown {
                    // Names may hold what JSON must escape.
                    out.key(&name.replace(['"', '\\'], "_")).object(|out| {
                        out.member("DataType", data_type);
                        out.member("StringValue", value);
                    });
                }
            });
        }
    });
}
