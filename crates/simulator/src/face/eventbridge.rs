//! EventBridge: rules of the default bus and events put on it (spec A.1, B).

use serde_json::{Value, json};
use wire::error::ServiceError;

use super::{
    json::Json,
    messaging::Messaging,
    scope::{Scope, text, texts},
};
use crate::{
    bus::{Rule, Target},
    pattern::{TestError, test_event_pattern},
};

/// The operations answered here.
pub(crate) const OPERATIONS: &[&str] = &[
    "DeleteRule",
    "DescribeRule",
    "DisableRule",
    "EnableRule",
    "ListRules",
    "ListTargetsByRule",
    "PutEvents",
    "PutRule",
    "PutTargets",
    "RemoveTargets",
    "TestEventPattern",
];

fn invalid(what: impl Into<String>) -> ServiceError {
    ServiceError::new("ValidationException", what)
}

fn required<'a>(request: &'a Value, name: &str) -> Result<&'a str, ServiceError> {
    text(request, name).ok_or_else(|| invalid(format!("{name} must not be null.")))
}

/// Answers a call into `out`.
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
    if let Some(bus) =
        text(request, "EventBusName").filter(|bus| !matches!(*bus, "default") && !bus.ends_with("/default"))
    {
        let what = format!("Event bus {bus} does not exist: this simulator has the default bus only.");
        return Err(ServiceError::new("ResourceNotFoundException", what));
    }
    match operation {
        "PutEvents" => return put_events(messaging, scope, request, out),
        "TestEventPattern" => return test(request, out),
        _ => {}
    }
    let bus = &mut messaging.of(&scope.region).bus;
    match operation {
        "PutRule" => {
            let name = required(request, "Name")?;
            let arn = scope.arn("events", &format!("rule/{name}"));
            let given = |name: &str| text(request, name).map(str::to_owned);
            bus.put(Rule {
                name: name.to_owned(),
                arn: arn.clone(),
                pattern_text: given("EventPattern"),
                pattern: None,
                schedule: given("ScheduleExpression"),
                description: given("Description"),
                enabled: text(request, "State") != Some("DISABLED"),
                targets: Vec::new(),
            })?;
            out.object(|out| out.member("RuleArn", &arn));
        }
        "DescribeRule" => write_rule(bus.rule(required(request, "Name")?)?, out),
        "ListRules" => {
            let prefix = text(request, "NamePrefix").unwrap_or_default();
            out.object(|out| {
                out.key("Rules").array(|out| {
                    bus.rules
                        .iter()
                        .filter(|rule| rule.name.starts_with(prefix))
                        .for_each(|rule| write_rule(rule, out));
                });
            });
        }
        "DeleteRule" => {
            bus.delete(required(request, "Name")?)?;
            out.object(|_| {});
        }
        "EnableRule" | "DisableRule" => {
            bus.rule_mut(required(request, "Name")?)?.enabled = operation == "EnableRule";
            out.object(|_| {});
        }
        "PutTargets" => {
            let given = request.get("Targets").and_then(Value::as_array).into_iter().flatten();
            let targets = given
                .map(|target| {
                    if target.get("InputTransformer").is_some_and(|transformer| !transformer.is_null()) {
                        return Err(invalid("InputTransformer is not known to this simulator."));
                    }
                    Ok(Target {
                        id: required(target, "Id")?.to_owned(),
                        arn: required(target, "Arn")?.to_owned(),
                        input: text(target, "Input").map(str::to_owned),
                        input_path: text(target, "InputPath").filter(|path| *path != "$").map(str::to_owned),
                    })
                })
                .collect::<Result<Vec<_>, _>>()?;
            bus.put_targets(required(request, "Rule")?, targets)?;
            no_failures(out);
        }
        "RemoveTargets" => {
            let ids = texts(request, "Ids");
            let rule = bus.rule_mut(required(request, "Rule")?)?;
            rule.targets.retain(|target| !ids.contains(&target.id.as_str()));
            no_failures(out);
        }
        "ListTargetsByRule" => {
            let rule = bus.rule(required(request, "Rule")?)?;
            out.object(|out| {
                out.key("Targets").array(|out| {
                    for target in &rule.targets {
                        out.object(|out| {
                            out.member("Id", &target.id);
                            out.member("Arn", &target.arn);
                            if let Some(input) = &target.input {
                                out.member("Input", input);
                            }
                            if let Some(path) = &target.input_path {
                                out.member("InputPath", path);
                            }
                        });
                    }
                });
            });
        }
        _ => return Err(super::unknown("events", operation, OPERATIONS)),
    }
    Ok(())
}

fn no_failures(out: &mut Json) {
    out.object(|out| {
        out.member_int("FailedEntryCount", 0);
        out.key("FailedEntries").array(|_| {});
    });
}

fn write_rule(rule: &Rule, out: &mut Json) {
    out.object(|out| {
        out.member("Name", &rule.name);
        out.member("Arn", &rule.arn);
        if let Some(pattern) = &rule.pattern_text {
            out.member("EventPattern", pattern);
        }
        if let Some(schedule) = &rule.schedule {
            out.member("ScheduleExpression", schedule);
        }
        if let Some(description) = &rule.description {
            out.member("Description", description);
        }
        out.member("State", if rule.enabled { "ENABLED" } else { "DISABLED" });
        out.member("EventBusName", "default");
    });
}

fn test(request: &Value, out: &mut Json) -> Result<(), ServiceError> {
    let result = test_event_pattern(required(request, "EventPattern")?, required(request, "Event")?);
    let matches = result.map_err(|error| match error {
        TestError::Pattern(error) => ServiceError::new("InvalidEventPatternException", error.to_string()),
        TestError::Event(_) => invalid(error.to_string()),
    })?;
    out.object(|out| out.key("Result").flag(matches));
    Ok(())
}

fn put_events(messaging: &mut Messaging, scope: &Scope, request: &Value, out: &mut Json) -> Result<(), ServiceError> {
    let entries = request.get("Entries").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if !(1..=10).contains(&entries.len()) {
        return Err(invalid("PutEvents takes 1 to 10 entries."));
    }
    let mut outcomes = Vec::new();
    for entry in entries {
        outcomes.push(put_event(messaging, scope, entry));
    }
    out.object(|out| {
        out.member_int("FailedEntryCount", outcomes.iter().filter(|outcome| outcome.is_err()).count() as i64);
        out.key("Entries").array(|out| {
            for outcome in &outcomes {
                out.object(|out| match outcome {
                    Ok(id) => out.member("EventId", id),
                    Err(error) => {
                        out.member("ErrorCode", &error.code);
                        out.member("ErrorMessage", &error.message);
                    }
                });
            }
        });
    });
    Ok(())
}

fn put_event(messaging: &mut Messaging, scope: &Scope, entry: &Value) -> Result<String, ServiceError> {
    let malformed = |what: &str| ServiceError::new("InvalidArgument", what.to_owned());
    let source = text(entry, "Source").ok_or_else(|| malformed("Source is required."))?;
    let detail_type = text(entry, "DetailType").ok_or_else(|| malformed("DetailType is required."))?;
    let detail = text(entry, "Detail").ok_or_else(|| malformed("Detail is required."))?;
    if source.starts_with("aws.") {
        return Err(ServiceError::new("NotAuthorizedForSourceException", "Not authorized for the source."));
    }
    let detail: Value =
        serde_json::from_str(detail).map_err(|_| ServiceError::new("MalformedDetail", "Detail is malformed."))?;
    let id = messaging.fresh_id();
    let event = json!({
        "version": "0", "id": id, "detail-type": detail_type, "source": source, "account": scope.account(),
        "time": scope.wall.iso_secs(), "region": scope.region_name(), "resources": texts(entry, "Resources"),
        "detail": detail
    });
    messaging.put_event(&scope.region, &event.to_string(), scope.wall);
    Ok(id)
}
