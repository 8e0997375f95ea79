//! Settings of clusters and of the account (spec C.1).

use serde_json::{Value, json};
use wire::error::ServiceError;

use super::clusters;
use crate::{
    face::{
        json::Json,
        scope::{Scope, invalid, required, text},
    },
    world::{ClusterId, Insights, World},
};

const INSIGHTS: &str = "containerInsights";

/// A place that the scenario does not have.
pub(super) fn no_place(scope: &Scope) -> ServiceError {
    let what = format!("this simulator has no {}/{}; its scenario names its places", scope.region.0, scope.region.1);
    ServiceError::new("ClientException", what)
}

/// The value of `containerInsights` in a list of settings, if it is there.
pub(super) fn given(request: &Value) -> Result<Option<Insights>, ServiceError> {
    let mut found = None;
    for setting in request.get("settings").and_then(Value::as_array).into_iter().flatten() {
        let (name, value) = (required(setting, "name")?, required(setting, "value")?);
        if name != INSIGHTS {
            return Err(invalid(format!("Unknown cluster setting: {name}")));
        }
        found = Some(parsed(value)?);
    }
    Ok(found)
}

fn parsed(value: &str) -> Result<Insights, ServiceError> {
    Insights::parse(value)
        .ok_or_else(|| invalid(format!("{INSIGHTS} can be disabled, enabled or enhanced; found {value}")))
}

pub(super) fn update_cluster(
    world: &mut World,
    scope: &Scope,
    request: &Value,
    out: &mut Json,
) -> Result<(), ServiceError> {
    required(request, "cluster")?;
    let id: ClusterId = scope.cluster(world, request)?;
    let Some(value) = given(request)? else { return Err(invalid("settings can not be empty.")) };
    if let Some(cluster) = world.clusters.get_mut(id.index()) {
        cluster.insights = value;
    }
    out.object(|out| {
        out.key("cluster");
        clusters::write(world, id, &json!({ "include": ["SETTINGS"] }), out);
    });
    Ok(())
}

/// `default`: for everybody in the account; otherwise for whoever asks.
pub(super) fn put(
    world: &mut World,
    scope: &Scope,
    request: &Value,
    default: bool,
    out: &mut Json,
) -> Result<(), ServiceError> {
    let (name, value) = (required(request, "name")?, required(request, "value")?);
    if name != INSIGHTS {
        return Err(invalid(format!("The simulator sets no {name}; it sets {INSIGHTS}.")));
    }
    let value = parsed(value)?;
    let place = scope.place.and_then(|place| world.places.get_mut(place.index())).ok_or_else(|| no_place(scope))?;
    if default {
        place.default_insights = value;
    } else {
        place.own_insights = Some(value);
    }
    let (who, kind) = principal(scope, default);
    out.object(|out| {
        out.key("setting").object(|out| {
            out.member("name", name);
            out.member("value", value.word());
            out.member("principalArn", &who);
            out.member("type", kind);
        });
    });
    Ok(())
}

fn principal(scope: &Scope, default: bool) -> (String, &'static str) {
    let who = if default { "root" } else { "user/muster" };
    (format!("arn:{}:iam::{}:{who}", scope.partition, scope.account()), "user")
}

pub(super) fn list(world: &World, scope: &Scope, request: &Value, out: &mut Json) -> Result<(), ServiceError> {
    let place = scope.place.and_then(|place| world.place(place));
    let own = place.and_then(|place| place.own_insights);
    let insights = own.or(place.map(|place| place.default_insights)).unwrap_or_default();
    let settings = [
        ("serviceLongArnFormat", "enabled"),
        ("taskLongArnFormat", "enabled"),
        ("containerInstanceLongArnFormat", "enabled"),
        ("awsvpcTrunking", "disabled"),
        (INSIGHTS, insights.word()),
    ];
    let wanted = text(request, "name");
    out.object(|out| {
        out.key("settings").array(|out| {
            for (name, value) in settings.iter().filter(|(name, _)| wanted.is_none_or(|wanted| wanted == *name)) {
                let (who, kind) = principal(scope, *name != INSIGHTS || own.is_none());
                out.object(|out| {
                    out.member("name", name);
                    out.member("value", value);
                    out.member("principalArn", &who);
                    out.member("type", kind);
                });
            }
        });
    });
    Ok(())
}
