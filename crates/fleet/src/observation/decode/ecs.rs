//! The details of ECS's own five event types (spec A.4, A.6, A.8 to A.10).

use super::{Cursor, Envelope, Undecodable, arn, filled};
use crate::observation::{
    Attributes, CheckStatus, DeploymentFact, Fact, HealthCheck, HealthFact, InstanceFact, InstanceStatus,
    ServiceActionFact, TaskFact, TaskStatus, Text,
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
pub(super) fn detail<'a>(
    kind: Kind,
    cursor: &mut Cursor<'a, '_>,
    envelope: &Envelope<'a>,
) -> Result<Fact<'a>, Undecodable> {
    match kind {
        Kind::Task => task(cursor).map(Fact::Task),
        Kind::Instance => instance(cursor).map(Fact::Instance),
        Kind::ServiceAction => service_action(cursor, envelope).map(Fact::ServiceAction),
        Kind::Deployment => deployment(cursor, envelope).map(Fact::Deployment),
        Kind::Health => health(cursor).map(Fact::Health),
    }
}

fn instance<'a>(cursor: &mut Cursor<'a, '_>) -> Result<InstanceFact<'a>, Undecodable> {
    let (mut own_arn, mut cluster, mut status) = (None, None, None);
    let mut fact = InstanceFact {
        arn: Text::default(),
        cluster: Text::default(),
        ec2_instance_id: None,
        version: None,
        status: InstanceStatus::Other,
        status_reason: None,
        agent_connected: None,
        agent_version: None,
        running_tasks: None,
        pending_tasks: None,
        registered_at: None,
        capacity_provider: None,
        attributes: Attributes::Absent,
    };
    let mut first = cursor.object("detail")?;
    while let Some(key) = cursor.key(&mut first)? {
        match &*key {
            b"containerInstanceArn" => own_arn = cursor.text("detail.containerInstanceArn")?,
            b"clusterArn" => cluster = cursor.text("detail.clusterArn")?,
            b"ec2InstanceId" => fact.ec2_instance_id = cursor.text("detail.ec2InstanceId")?,
            b"version" => fact.version = cursor.integer("detail.version")?,
            b"status" => status = cursor.text("detail.status")?,
            b"statusReason" => fact.status_reason = cursor.text("detail.statusReason")?,
            b"agentConnected" => fact.agent_connected = cursor.flag("detail.agentConnected")?,
            b"versionInfo" => fact.agent_version = agent_version(cursor)?,
            b"runningTasksCount" => fact.running_tasks = cursor.count("detail.runningTasksCount")?,
            b"pendingTasksCount" => fact.pending_tasks = cursor.count("detail.pendingTasksCount")?,
            b"registeredAt" => fact.registered_at = cursor.time("detail.registeredAt")?,
            b"capacityProviderName" => fact.capacity_provider = cursor.text("detail.capacityProviderName")?,
            b"attributes" => {
                fact.attributes = cursor.raw_array("detail.attributes")?.map_or(Attributes::Absent, Attributes::Raw);
            }
            _ => cursor.skip()?,
        }
    }
    fact.arn = arn(own_arn, "detail.containerInstanceArn")?;
    fact.cluster = arn(cluster, "detail.clusterArn")?;
    fact.status = status.map_or(InstanceStatus::Other, |status| InstanceStatus::parse(&status));
    // Empty on a record that is still being made.
    fact.ec2_instance_id = fact.ec2_instance_id.filter(|id| !id.is_empty());
    Ok(fact)
}

fn agent_version<'a>(cursor: &mut Cursor<'a, '_>) -> Result<Option<Text<'a>>, Undecodable> {
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

fn task<'a>(cursor: &mut Cursor<'a, '_>) -> Result<TaskFact<'a>, Undecodable> {
    let (mut own_arn, mut cluster, mut last, mut desired, mut connectivity) = (None, None, None, None, None);
    let mut fact = TaskFact {
        arn: Text::default(),
        cluster: Text::default(),
        instance: None,
        version: None,
        last_status: TaskStatus::Other,
        desired_running: false,
        group: None,
        definition: None,
        connected: None,
        started_at: None,
        stop_code: None,
        stopped_reason: None,
    };
    let mut first = cursor.object("detail")?;
    while let Some(key) = cursor.key(&mut first)? {
        match &*key {
            b"taskArn" => own_arn = cursor.text("detail.taskArn")?,
            b"clusterArn" => cluster = cursor.text("detail.clusterArn")?,
            b"containerInstanceArn" => fact.instance = cursor.text("detail.containerInstanceArn")?,
            b"version" => fact.version = cursor.integer("detail.version")?,
            b"lastStatus" => last = cursor.text("detail.lastStatus")?,
            b"desiredStatus" => desired = cursor.text("detail.desiredStatus")?,
            b"group" => fact.group = cursor.text("detail.group")?,
            b"taskDefinitionArn" => fact.definition = cursor.text("detail.taskDefinitionArn")?,
            b"connectivity" => connectivity = cursor.text("detail.connectivity")?,
            b"startedAt" => fact.started_at = cursor.time("detail.startedAt")?,
            b"stopCode" => fact.stop_code = cursor.text("detail.stopCode")?,
            b"stoppedReason" => fact.stopped_reason = cursor.text("detail.stoppedReason")?,
            _ => cursor.skip()?,
        }
    }
    fact.arn = arn(own_arn, "detail.taskArn")?;
    fact.cluster = arn(cluster, "detail.clusterArn")?;
    fact.last_status = last.map_or(TaskStatus::Other, |status| TaskStatus::parse(&status));
    fact.desired_running = desired.as_deref() == Some("RUNNING");
    fact.connected = match connectivity.as_deref() {
        Some("CONNECTED") => Some(true),
        Some("DISCONNECTED") => Some(false),
        _ => None,
    };
    Ok(fact)
}

fn service_action<'a>(
    cursor: &mut Cursor<'a, '_>,
    envelope: &Envelope<'a>,
) -> Result<ServiceActionFact<'a>, Undecodable> {
    let (mut cluster, mut level, mut name, mut reason, mut created_at) = (None, None, None, None, None);
    let mut first = cursor.object("detail")?;
    while let Some(key) = cursor.key(&mut first)? {
        match &*key {
            b"clusterArn" => cluster = cursor.text("detail.clusterArn")?,
            b"eventType" => level = cursor.text("detail.eventType")?,
            b"eventName" => name = cursor.text("detail.eventName")?,
            b"reason" => reason = cursor.text("detail.reason")?,
            b"createdAt" => created_at = cursor.text("detail.createdAt")?,
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
