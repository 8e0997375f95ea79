//! ECS (spec C).

mod clusters;
mod definitions;
mod hosts;
mod placed;
mod services;
mod settings;
mod tasks;

use serde_json::Value;
use wire::error::ServiceError;

use super::{
    json::Json,
    scope::{Scope, View},
};
use crate::world::{World, control::Refusal};

/// The operations answered here.
pub(crate) const OPERATIONS: &[&str] = &[
    "CreateCluster",
    "DeleteCluster",
    "DeregisterContainerInstance",
    "DescribeCapacityProviders",
    "DescribeClusters",
    "DescribeContainerInstances",
    "DescribeServices",
    "DescribeTaskDefinition",
    "DescribeTasks",
    "ListAccountSettings",
    "ListAttributes",
    "ListClusters",
    "ListContainerInstances",
    "ListServices",
    "ListTagsForResource",
    "ListTaskDefinitionFamilies",
    "ListTaskDefinitions",
    "ListTasks",
    "PutAccountSetting",
    "PutAccountSettingDefault",
    "PutAttributes",
    "RunTask",
    "StopTask",
    "UpdateClusterSettings",
    "UpdateContainerInstancesState",
    "UpdateService",
];

/// Answers a call into `out`.
///
/// # Errors
/// The service's own.
pub(crate) fn answer(
    world: &mut World,
    scope: &Scope,
    view: &View,
    operation: &str,
    request: &Value,
    out: &mut Json,
) -> Result<(), ServiceError> {
    match operation {
        "ListClusters" => clusters::list(world, scope, request, out),
        "DescribeClusters" => clusters::describe(world, scope, request, out),
        "CreateCluster" => clusters::create(world, scope, request, out),
        "DeleteCluster" => clusters::delete(world, scope, request, out),
        "DescribeCapacityProviders" => clusters::describe_capacity_providers(world, scope, request, out),
        "ListTagsForResource" => clusters::list_tags(world, scope, request, out),
        "ListAccountSettings" => settings::list(world, scope, request, out),
        "PutAccountSetting" => settings::put(world, scope, request, false, out),
        "PutAccountSettingDefault" => settings::put(world, scope, request, true, out),
        "UpdateClusterSettings" => settings::update_cluster(world, scope, request, out),
        "ListContainerInstances" => hosts::list(world, scope, view, request, out),
        "DescribeContainerInstances" => hosts::describe(world, scope, view, request, out),
        "ListAttributes" => hosts::list_attributes(world, scope, request, out),
        "PutAttributes" => hosts::put_attributes(world, scope, request, out),
        "UpdateContainerInstancesState" => hosts::update_state(world, scope, request, out),
        "DeregisterContainerInstance" => hosts::deregister(world, scope, request, out),
        "ListTasks" => tasks::list(world, scope, request, out),
        "DescribeTasks" => tasks::describe(world, scope, request, out),
        "StopTask" => tasks::stop(world, scope, request, out),
        "RunTask" => tasks::run(world, scope, request, out),
        "DescribeTaskDefinition" => definitions::describe(world, scope, request, out),
        "ListTaskDefinitions" => definitions::list(world, scope, request, false, out),
        "ListTaskDefinitionFamilies" => definitions::list(world, scope, request, true, out),
        "ListServices" => services::list(world, scope, request, out),
        "DescribeServices" => services::describe(world, scope, request, out),
        "UpdateService" => services::update(world, scope, request, out),
        _ => Err(super::unknown("ecs", operation, OPERATIONS)),
    }
}

/// One element of `failures`.
fn failure(out: &mut Json, arn: &str, reason: &str) {
    out.object(|out| {
        out.member("arn", arn);
        out.member("reason", reason);
    });
}

fn refused(refusal: Refusal) -> ServiceError {
    let code = match refusal {
        Refusal::Missing("cluster") => "ClusterNotFoundException",
        Refusal::Missing("service") => "ServiceNotFoundException",
        _ => "InvalidParameterException",
    };
    ServiceError::new(code, refusal.to_string())
}

fn tags(out: &mut Json, tags: &[(String, String)]) {
    out.key("tags").array(|out| {
        for (key, value) in tags {
            out.object(|out| {
                out.member("key", key);
                out.member("value", value);
            });
        }
    });
}

/// How many ids a Describe takes.
fn at_most(ids: &[&str], most: usize, what: &str) -> Result<(), ServiceError> {
    if ids.len() > most {
        return Err(super::scope::invalid(format!("{what} can have at most {most} items.")));
    }
    Ok(())
}
