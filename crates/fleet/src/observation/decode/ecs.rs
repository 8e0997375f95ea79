//! The details of ECS's own five event types (spec A.4, A.6, A.8 to A.10).

use super::{
    Cursor, Envelope, Undecodable, arn, filled,
    resources::{has_interface, registered as read_registered, remaining as read_remaining},
};
use crate::observation::{
    Attributes, CheckStatus, DeploymentFact, Fact, Gpus, HealthCheck, HealthFact, InstanceFact, InstanceStatus,
    Resources, ServiceActionFact, TaskFact, TaskStatus, Text,
};

/// ECS's event types that muster reads.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Instance,
    Health,
    Task,
    ServiceAction,
    Deployment,
}

impl Kind {
    pub(super) fn of(detail_type: &str) -> Option<Self> {
        Some(match detail_type {
            "ECS Task State Change" => Self::Task,
            "ECS Container Instance State Change" => Self::Instance,
            "ECS Service Action" => Self::ServiceAction,
            "ECS Deployment State Change" => Self::Deployment,
            "ECS Container Instance Health Change" => Self::Health,
            _ => return None,
        })
    }
}

/// Reads the detail at the cursor.
#[inline]
pub(super) fn detail<'a>(
    kind: Kind,
    cursor: &mut Cursor<'a, '_>,
    envelope: &Envelope<'a>,
) -> Result<Fact<'a>, Undecodable> {
    match kind {
        Kind::Task => task(cursor),
        Kind::Instance => instance(cursor),
        Kind::ServiceAction => service_action(cursor, envelope).map(Fact::ServiceAction),
        Kind::Deployment => deployment(cursor, envelope).map(Fact::Deployment),
        Kind::Health => health(cursor).map(Fact::Health),
    }
}

fn instance<'a>(cursor: &mut Cursor<'a, '_>) -> Result<Fact<'a>, Undecodable> {
    let (mut own_arn, mut cluster, mut ec2_instance_id, mut version) = (None, None, None, None);
    let (mut status, mut status_reason, mut agent_connected, mut agent_version) = (None, None, None, None);
    let (mut running_tasks, mut pending_tasks, mut registered_at) = (None, None, None);
    let (mut registered, mut remaining) = (None, None);
    let (mut capacity_provider, mut attributes) = (None, None);
    let mut first = cursor.object("detail")?;
    while let Some(key) = cursor.key(&mut first)? {
        match &*key {
            b"containerInstanceArn" => own_arn = cursor.text("detail.containerInstanceArn")?,
            b"clusterArn" => cluster = cursor.text("detail.clusterArn")?,
            b"ec2InstanceId" => ec2_instance_id = cursor.text("detail.ec2InstanceId")?,
            b"version" => version = cursor.integer("detail.version")?,
            b"status" => status = cursor.text("detail.status")?,
            b"statusReason" => status_reason = cursor.text("detail.statusReason")?,
            b"agentConnected" => agent_connected = cursor.flag("detail.agentConnected")?,
            b"versionInfo" => agent_version = read_agent_version(cursor)?,
            b"runningTasksCount" => running_tasks = cursor.count("detail.runningTasksCount")?,
            b"pendingTasksCount" => pending_tasks = cursor.count("detail.pendingTasksCount")?,
            b"registeredAt" => registered_at = cursor.time("detail.registeredAt")?,
            b"registeredResources" => registered = Some(read_registered(cursor)?),
            b"remainingResources" => remaining = Some(read_remaining(cursor)?),
            b"capacityProviderName" => capacity_provider = cursor.text("detail.capacityProviderName")?,
            b"attributes" => attributes = cursor.raw_array("detail.attributes")?,
            _ => cursor.skip()?,
        }
    }
    let (registered, remaining) = (registered.unwrap_or_default(), remaining.unwrap_or_default());
    Ok(Fact::Instance(InstanceFact {
        arn: arn(own_arn, "detail.containerInstanceArn")?,
        cluster: arn(cluster, "detail.clusterArn")?,
        // Empty on a record that is still being made.
        ec2_instance_id: ec2_instance_id.filter(|id| !id.is_empty()),
        version,
        status: status.map_or(InstanceStatus::Other, |status| InstanceStatus::parse(&status)),
        status_reason,
        agent_connected,
        agent_version,
        running_tasks,
        pending_tasks,
        registered_at,
        resources: registered
            .amounts()
            .zip(remaining.amounts())
            .map(|(registered, remaining)| Resources { registered, remaining }),
        gpus: registered.gpus.map(|gpus| Gpus { registered: gpus, remaining: remaining.gpus.unwrap_or(0) }),
        ports: remaining.ports,
        capacity_provider,
        attributes: attributes.map_or(Attributes::Absent, Attributes::Raw),
    }))
}

fn read_agent_version<'a>(cursor: &mut Cursor<'a, '_>) -> Result<Option<Text<'a>>, Undecodable> {
    let Some(mut first) = cursor.object_or_null("detail.versionInfo")? else { return Ok(None) };
    let mut version = None;
    while let Some(key) = cursor.key(&mut first)? {
        match &*key {
            b"agentVersion" => version = cursor.text("detail.versionInfo.agentVersion")?,
            _ => cursor.skip()?,
        }
    }
    Ok(version)
}

fn task<'a>(cursor: &mut Cursor<'a, '_>) -> Result<Fact<'a>, Undecodable> {
    let (mut own_arn, mut cluster, mut instance, mut version) = (None, None, None, None);
    let (mut last, mut desired, mut connectivity) = (None, None, None);
    let (mut group, mut definition, mut started_at) = (None, None, None);
    let (mut stop_code, mut stopped_reason) = (None, None);
    let mut awsvpc = false;
    let mut first = cursor.object("detail")?;
    while let Some(key) = cursor.key(&mut first)? {
        match &*key {
            b"taskArn" => own_arn = cursor.text("detail.taskArn")?,
            b"clusterArn" => cluster = cursor.text("detail.clusterArn")?,
            b"containerInstanceArn" => instance = cursor.text("detail.containerInstanceArn")?,
            b"version" => version = cursor.integer("detail.version")?,
            b"lastStatus" => last = cursor.text("detail.lastStatus")?,
            b"desiredStatus" => desired = cursor.text("detail.desiredStatus")?,
            b"group" => group = cursor.text("detail.group")?,
            b"taskDefinitionArn" => definition = cursor.text("detail.taskDefinitionArn")?,
            b"attachments" => awsvpc = has_interface(cursor, "detail.attachments")?,
            b"connectivity" => connectivity = cursor.text("detail.connectivity")?,
            b"startedAt" => started_at = cursor.time("detail.startedAt")?,
            b"stopCode" => stop_code = cursor.text("detail.stopCode")?,
            b"stoppedReason" => stopped_reason = cursor.text("detail.stoppedReason")?,
            _ => cursor.skip()?,
        }
    }
    Ok(Fact::Task(TaskFact {
        arn: arn(own_arn, "detail.taskArn")?,
        cluster: arn(cluster, "detail.clusterArn")?,
        instance,
        version,
        last_status: last.map_or(TaskStatus::Other, |status| TaskStatus::parse(&status)),
        desired_running: desired.as_deref() == Some("RUNNING"),
        group,
        definition,
        awsvpc,
        connected: match connectivity.as_deref() {
            Some("CONNECTED") => Some(true),
            Some("DISCONNECTED") => Some(false),
            _ => None,
        },
        started_at,
        stop_code,
        stopped_reason,
    }))
}

fn service_action<'a>(
    cursor: &mut Cursor<'a, '_>,
    envelope: &Envelope<'a>,
) -> Result<ServiceActionFact<'a>, Undecodable> {
    let (mut cluster, mut level, mut name, mut reason, mut created_at) = (None, None, None, None, None);
    let mut hosts = Vec::new();
    let mut first = cursor.object("detail")?;
    while let Some(key) = cursor.key(&mut first)? {
        match &*key {
            b"clusterArn" => cluster = cursor.text("detail.clusterArn")?,
            b"eventType" => level = cursor.text("detail.eventType")?,
            b"eventName" => name = cursor.text("detail.eventName")?,
            b"reason" => reason = cursor.text("detail.reason")?,
            b"createdAt" => created_at = cursor.text("detail.createdAt")?,
            b"containerInstanceArns" => {
                if let Some(mut first) = cursor.array("detail.containerInstanceArns")? {
                    while cursor.element(&mut first)? {
                        hosts.extend(cursor.text("detail.containerInstanceArns[]")?);
                    }
                }
            }
            _ => cursor.skip()?,
        }
    }
    Ok(ServiceActionFact {
        service: arn(envelope.resource.clone(), "resources[0]")?,
        cluster: arn(cluster, "detail.clusterArn")?,
        level: filled(level, "detail.eventType")?,
        name: filled(name, "detail.eventName")?,
        reason,
        created_at,
        hosts,
    })
}

fn deployment<'a>(cursor: &mut Cursor<'a, '_>, envelope: &Envelope<'a>) -> Result<DeploymentFact<'a>, Undecodable> {
    let (mut deployment, mut name, mut reason, mut updated_at) = (None, None, None, None);
    let mut first = cursor.object("detail")?;
    while let Some(key) = cursor.key(&mut first)? {
        match &*key {
            b"deploymentId" => deployment = cursor.text("detail.deploymentId")?,
            b"eventName" => name = cursor.text("detail.eventName")?,
            b"reason" => reason = cursor.text("detail.reason")?,
            b"updatedAt" => updated_at = cursor.text("detail.updatedAt")?,
            _ => cursor.skip()?,
        }
    }
    Ok(DeploymentFact {
        service: arn(envelope.resource.clone(), "resources[0]")?,
        deployment: filled(deployment, "detail.deploymentId")?,
        name: filled(name, "detail.eventName")?,
        reason,
        updated_at,
    })
}

fn health<'a>(cursor: &mut Cursor<'a, '_>) -> Result<HealthFact<'a>, Undecodable> {
    let (mut own_arn, mut cluster, mut ec2_instance_id, mut checks) = (None, None, None, None);
    let mut first = cursor.object("detail")?;
    while let Some(key) = cursor.key(&mut first)? {
        match &*key {
            b"containerInstanceArn" => own_arn = cursor.text("detail.containerInstanceArn")?,
            b"clusterArn" => cluster = cursor.text("detail.clusterArn")?,
            b"ec2InstanceId" => ec2_instance_id = cursor.text("detail.ec2InstanceId")?,
            b"healthChecks" => checks = health_checks(cursor)?,
            _ => cursor.skip()?,
        }
    }
    Ok(HealthFact {
        arn: arn(own_arn, "detail.containerInstanceArn")?,
        cluster: arn(cluster, "detail.clusterArn")?,
        ec2_instance_id: ec2_instance_id.filter(|id| !id.is_empty()),
        checks: checks.ok_or_else(|| super::missing("detail.healthChecks"))?,
    })
}

fn health_checks<'a>(cursor: &mut Cursor<'a, '_>) -> Result<Option<Vec<HealthCheck<'a>>>, Undecodable> {
    let Some(mut first) = cursor.array("detail.healthChecks")? else { return Ok(None) };
    let mut checks = Vec::new();
    while cursor.element(&mut first)? {
        let (mut kind, mut status) = (None, None);
        let (mut last_status_change, mut last_updated, mut reason) = (None, None, None);
        let mut first = cursor.object("detail.healthChecks[]")?;
        while let Some(key) = cursor.key(&mut first)? {
            match &*key {
                b"type" => kind = cursor.text("detail.healthChecks[].type")?,
                b"status" => status = cursor.text("detail.healthChecks[].status")?,
                b"lastStatusChange" => last_status_change = cursor.time("detail.healthChecks[].lastStatusChange")?,
                b"lastUpdated" => last_updated = cursor.time("detail.healthChecks[].lastUpdated")?,
                b"statusReason" => reason = cursor.text("detail.healthChecks[].statusReason")?,
                _ => cursor.skip()?,
            }
        }
        checks.push(HealthCheck {
            kind: filled(kind, "detail.healthChecks[].type")?,
            status: status.map_or(CheckStatus::Other, |status| CheckStatus::parse(&status)),
            last_status_change,
            last_updated,
            reason,
        });
    }
    Ok(Some(checks))
}
