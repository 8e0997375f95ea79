//! ECS: clusters, capacity providers, container instances, tasks.

use aws_sdk_ecs::types::{
    Attribute, CapacityProvider, Cluster, ClusterField, ContainerInstance, ContainerInstanceField, DesiredStatus,
    Failure, Resource, Tag, Task,
};
use engine::ports::{
    Observation,
    observation::{
        Amounts, Attributes, CapacityProviderFact, CheckStatus, ClusterFact, Fact, Gpus, HealthCheck, HealthFact,
        HostAttributes, HostPort, InstanceFact, InstanceStatus, Protocol, Resources, Source, TaskFact, TaskStatus,
        Text, amount, in_order, is_custom, is_interface, port_number,
    },
};
use fleet::id::Arn;
use jiff::Timestamp;

use crate::{accounts::Place, pace::Bucket, refusal::Refusal};

/// Most ids that one Describe takes, and most that one List page holds.
pub(crate) const PER_CALL: usize = 100;

pub(crate) const LIST_CLUSTERS: &str = "ecs:ListClusters";
pub(crate) const DESCRIBE_CLUSTERS: &str = "ecs:DescribeClusters";
pub(crate) const DESCRIBE_CAPACITY_PROVIDERS: &str = "ecs:DescribeCapacityProviders";
pub(crate) const LIST_HOSTS: &str = "ecs:ListContainerInstances";
pub(crate) const DESCRIBE_HOSTS: &str = "ecs:DescribeContainerInstances";
pub(crate) const LIST_TASKS: &str = "ecs:ListTasks";
pub(crate) const DESCRIBE_TASKS: &str = "ecs:DescribeTasks";

/// A page of a list: what it holds, and the token of the next one.
pub(crate) type Page = (Vec<String>, Option<String>);

impl Place {
    /// One page of ListClusters.
    pub(crate) async fn list_clusters(&self, token: Option<String>) -> Result<Page, Refusal> {
        self.caller
            .call(Bucket::ClusterRead, LIST_CLUSTERS, || async {
                let request = self.ecs.list_clusters().max_results(PER_CALL as i32).set_next_token(token.clone());
                let answer = request.send().await.map_err(|error| Refusal::from_sdk(&error))?;
                Ok((present(answer.cluster_arns, "clusters")?, answer.next_token))
            })
            .await
    }

    /// DescribeClusters of at most 100 names or ARNs; the second list holds what does not exist.
    pub(crate) async fn describe_clusters(
        &self,
        names: &[String],
        tags: bool,
    ) -> Result<(Vec<Cluster>, Vec<Failure>), Refusal> {
        self.caller
            .call(Bucket::ClusterRead, DESCRIBE_CLUSTERS, || async {
                let include = tags.then(|| vec![ClusterField::Tags]);
                let request = self.ecs.describe_clusters().set_clusters(Some(names.to_vec())).set_include(include);
                let answer = request.send().await.map_err(|error| Refusal::from_sdk(&error))?;
                Ok((present(answer.clusters, "clusters")?, answer.failures.unwrap_or_default()))
            })
            .await
    }

    /// DescribeCapacityProviders of at most 10 names.
    pub(crate) async fn describe_capacity_providers(&self, names: &[String]) -> Result<Vec<CapacityProvider>, Refusal> {
        self.caller
            .call(Bucket::CapacityProviderRead, DESCRIBE_CAPACITY_PROVIDERS, || async {
                let request = self.ecs.describe_capacity_providers().set_capacity_providers(Some(names.to_vec()));
                let answer = request.send().await.map_err(|error| Refusal::from_sdk(&error))?;
                Ok(answer.capacity_providers.unwrap_or_default())
            })
            .await
    }

    /// One page of ListContainerInstances, in every status but INACTIVE; with a filter in the cluster query language, those
    /// that fit it.
    pub(crate) async fn list_hosts(
        &self,
        cluster: &str,
        filter: Option<&str>,
        token: Option<String>,
    ) -> Result<Page, Refusal> {
        self.caller
            .call(Bucket::ClusterResourceRead, LIST_HOSTS, || async {
                let request = self
                    .ecs
                    .list_container_instances()
                    .cluster(cluster)
                    .max_results(PER_CALL as i32)
                    .set_filter(filter.map(str::to_owned))
                    .set_next_token(token.clone());
                let answer = request.send().await.map_err(|error| Refusal::from_sdk(&error))?;
                Ok((present(answer.container_instance_arns, "container instances")?, answer.next_token))
            })
            .await
    }

    /// DescribeContainerInstances of at most 100 ARNs, as facts. Asks for ECS's health checks and for tags, and does
    /// without where an endpoint does not know them.
    pub(crate) async fn describe_hosts(
        &self,
        cluster: &str,
        arns: &[String],
        source: Source,
    ) -> Result<Vec<Observation<'static>>, Refusal> {
        let ask = |more: bool| {
            self.caller.call(Bucket::ClusterResourceRead, DESCRIBE_HOSTS, move || async move {
                let fields = [ContainerInstanceField::ContainerInstanceHealth, ContainerInstanceField::Tags];
                let include = more.then(|| fields.to_vec());
                let request = self
                    .ecs
                    .describe_container_instances()
                    .cluster(cluster)
                    .set_container_instances(Some(arns.to_vec()))
                    .set_include(include);
                let answer = request.send().await.map_err(|error| Refusal::from_sdk(&error))?;
                Ok((answer.container_instances.unwrap_or_default(), answer.failures.unwrap_or_default()))
            })
        };
        let (hosts, failures) = match ask(true).await {
            Err(refusal) if refusal.code() == Some("InvalidParameterException") => ask(false).await?,
            other => other?,
        };
        let at = Timestamp::now();
        let mut found = Vec::with_capacity(hosts.len() * 2);
        for host in hosts {
            host_facts(host, cluster, &mut |fact| found.push(Observation { at, source, fact }));
        }
        for failure in failures {
            if let (Some(arn), Some("MISSING")) = (failure.arn, failure.reason.as_deref()) {
                found.push(Observation { at, source, fact: Fact::InstanceMissing { arn: arn.into() } });
            }
        }
        Ok(found)
    }

    /// One page of ListTasks of a cluster, or of one host: of tasks that should run, or of those that should not (any
    /// more), which are there until they have stopped, and an hour longer.
    pub(crate) async fn list_tasks(
        &self,
        cluster: &str,
        host: Option<&str>,
        desired: &DesiredStatus,
        token: Option<String>,
    ) -> Result<Page, Refusal> {
        self.caller
            .call(Bucket::ClusterResourceRead, LIST_TASKS, || async {
                let request = self
                    .ecs
                    .list_tasks()
                    .cluster(cluster)
                    .desired_status(desired.clone())
                    .max_results(PER_CALL as i32)
                    .set_container_instance(host.map(str::to_owned))
                    .set_next_token(token.clone());
                let answer = request.send().await.map_err(|error| Refusal::from_sdk(&error))?;
                Ok((present(answer.task_arns, "tasks")?, answer.next_token))
            })
            .await
    }

    /// DescribeTasks of at most 100 ARNs, as facts.
    pub(crate) async fn describe_tasks(
        &self,
        cluster: &str,
        arns: &[String],
        source: Source,
    ) -> Result<Vec<Observation<'static>>, Refusal> {
        let (tasks, failures) = self
            .caller
            .call(Bucket::ClusterResourceRead, DESCRIBE_TASKS, || async {
                let request = self.ecs.describe_tasks().cluster(cluster).set_tasks(Some(arns.to_vec()));
                let answer = request.send().await.map_err(|error| Refusal::from_sdk(&error))?;
                Ok((answer.tasks.unwrap_or_default(), answer.failures.unwrap_or_default()))
            })
            .await?;
        let at = Timestamp::now();
        let missing = failures
            .into_iter()
            .filter(|failure| failure.reason.as_deref() == Some("MISSING"))
            .filter_map(|failure| Some(Fact::TaskMissing { arn: failure.arn?.into() }));
        let facts = tasks.into_iter().filter_map(|task| task_fact(task, cluster)).map(Fact::Task).chain(missing);
        Ok(facts.map(|fact| Observation { at, source, fact }).collect())
    }
}

/// A list that ECS always sends, if only an empty one. Without it the answer is somebody else's, and says nothing.
fn present<T>(list: Option<Vec<T>>, what: &str) -> Result<Vec<T>, Refusal> {
    list.ok_or_else(|| Refusal::Nonsense { status: 200, looks_like: format!("no list of {what}") })
}

/// A cluster as a fact, its capacity providers not described; `None` for one without an ARN.
pub(crate) fn cluster_fact(cluster: &Cluster) -> Option<ClusterFact<'static>> {
    Some(ClusterFact {
        arn: cluster.cluster_arn.clone()?.into(),
        status: cluster.status.clone().unwrap_or_default().into(),
        registered_hosts: u32::try_from(cluster.registered_container_instances_count).ok(),
        capacity_providers: cluster.capacity_providers.iter().flatten().map(|name| name.clone().into()).collect(),
        providers_told: false,
    })
}

/// The Auto Scaling group that feeds `cluster` by a capacity provider.
pub(crate) fn capacity_provider_fact(
    cluster: &str,
    provider: &CapacityProvider,
) -> Option<CapacityProviderFact<'static>> {
    let group = provider.auto_scaling_group_provider.as_ref()?;
    let group_arn = &group.auto_scaling_group_arn;
    let scaling = group.managed_scaling.as_ref().and_then(|scaling| scaling.status.as_ref());
    let protection = group.managed_termination_protection.as_ref();
    let arn = Arn::parse(group_arn)?;
    Some(CapacityProviderFact {
        cluster: cluster.to_owned().into(),
        name: provider.name.clone()?.into(),
        group: arn.last().to_owned().into(),
        place: format!("{}/{}", arn.account, arn.region).into(),
        managed_scaling: scaling.is_some_and(|status| status.as_str() == "ENABLED"),
        managed_termination_protection: protection.is_some_and(|status| status.as_str() == "ENABLED"),
    })
}

/// A container instance as facts: itself, and its health checks where there are any.
fn host_facts(host: ContainerInstance, cluster: &str, say: &mut dyn FnMut(Fact<'static>)) {
    // Without an ARN it cannot be told from others; the count of registered hosts will show that one is missing.
    let Some(arn) = host.container_instance_arn else {
        tracing::warn!(cluster, "ECS described a container instance without an ARN; it is left out");
        return;
    };
    let ec2_instance_id: Option<Text<'static>> = host.ec2_instance_id.filter(|id| !id.is_empty()).map(Into::into);
    let status = host.status.as_deref().map_or(InstanceStatus::Other, InstanceStatus::parse);
    say(Fact::Instance(InstanceFact {
        arn: arn.clone().into(),
        cluster: cluster.to_owned().into(),
        ec2_instance_id: ec2_instance_id.clone(),
        // ECS counts from 1; the SDK reads a missing version as 0.
        version: Some(host.version).filter(|version| *version > 0),
        status,
        status_reason: host.status_reason.map(Into::into),
        agent_connected: Some(host.agent_connected),
        agent_version: host.version_info.and_then(|info| info.agent_version).map(Into::into),
        running_tasks: u32::try_from(host.running_tasks_count).ok(),
        pending_tasks: u32::try_from(host.pending_tasks_count).ok(),
        registered_at: host.registered_at.and_then(timestamp),
        resources: resources(host.registered_resources.as_deref(), host.remaining_resources.as_deref()),
        gpus: gpus(host.registered_resources.as_deref(), host.remaining_resources.as_deref()),
        ports: host.remaining_resources.as_deref().and_then(ports),
        capacity_provider: host.capacity_provider_name.map(Into::into),
        attributes: attributes(host.attributes, host.tags),
    }));
    let checks: Vec<HealthCheck<'static>> = host
        .health_status
        .and_then(|health| health.details)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|check| {
            Some(HealthCheck {
                kind: check.r#type?.as_str().to_owned().into(),
                status: check.status.map_or(CheckStatus::Other, |status| CheckStatus::parse(status.as_str())),
                last_status_change: check.last_status_change.and_then(timestamp),
                last_updated: check.last_updated.and_then(timestamp),
                reason: check.status_reason.map(Into::into),
            })
        })
        .collect();
    if !checks.is_empty() {
        say(Fact::Health(HealthFact { arn: arn.into(), cluster: cluster.to_owned().into(), ec2_instance_id, checks }));
    }
}

fn resources(registered: Option<&[Resource]>, remaining: Option<&[Resource]>) -> Option<Resources> {
    Some(Resources { registered: amounts(registered?)?, remaining: amounts(remaining?)? })
}

/// CPU and MEMORY; `None` unless both are there.
fn amounts(list: &[Resource]) -> Option<Amounts> {
    let value = |name: &str| {
        let found = list.iter().find(|resource| resource.name.as_deref() == Some(name))?;
        let long = found.r#type.as_deref() == Some("LONG");
        Some(amount(if long { found.long_value } else { i64::from(found.integer_value) }))
    };
    Some(Amounts { cpu_units: value("CPU")?, memory_mib: value("MEMORY")? })
}

/// GPUs, where any are registered.
fn gpus(registered: Option<&[Resource]>, remaining: Option<&[Resource]>) -> Option<Gpus> {
    let count = |list: &[Resource]| {
        let mut named = list.iter().filter(|resource| resource.name.as_deref() == Some("GPU"));
        named.find_map(|gpus| gpus.string_set_value.as_ref()).map(|ids| u16::try_from(ids.len()).unwrap_or(u16::MAX))
    };
    let remaining = remaining.and_then(count).unwrap_or(0);
    registered.and_then(count).map(|registered| Gpus { registered, remaining })
}

/// Ports that are taken; `None` when nothing is told of ports.
fn ports(remaining: &[Resource]) -> Option<Vec<HostPort>> {
    let mut taken: Option<Vec<HostPort>> = None;
    for resource in remaining {
        let protocol = match resource.name.as_deref() {
            Some("PORTS") => Protocol::Tcp,
            Some("PORTS_UDP") => Protocol::Udp,
            _ => continue,
        };
        let texts = resource.string_set_value.iter().flatten();
        let ports = texts.filter_map(|text| Some(HostPort { port: port_number(text)?, protocol }));
        taken.get_or_insert_default().extend(ports);
    }
    taken.map(in_order)
}

fn attributes(list: Option<Vec<Attribute>>, tags: Option<Vec<Tag>>) -> Attributes<'static> {
    let Some(list) = list else { return Attributes::Absent };
    let mut known = HostAttributes::default();
    for Attribute { name, value, .. } in list {
        let value = value.filter(|value| !value.is_empty()).map(Text::from);
        match name.as_str() {
            "ecs.availability-zone" => known.zone = value,
            "ecs.instance-type" => known.instance_type = value,
            "ecs.ami-id" => known.ami = value,
            "ecs.subnet-id" => known.subnet = value,
            "ecs.os-type" => known.os_type = value,
            "ecs.capability.external" => known.external = true,
            "ecs.awsvpc-trunk-id" => known.trunk = value.is_some(),
            "" => {}
            _ => {
                let (name, value) = (Text::from(name), value.unwrap_or_default());
                if is_custom(&name) {
                    known.marks.push((name.clone(), value.clone()));
                }
                known.others.push((name, value));
            }
        }
    }
    for Tag { key, value, .. } in tags.into_iter().flatten() {
        // AWS's own say nothing that an operator meant.
        if let Some(key) = key.filter(|key| !key.starts_with("aws:")) {
            known.marks.push((key.into(), value.unwrap_or_default().into()));
        }
    }
    Attributes::Known(Box::new(known))
}

fn task_fact(task: Task, cluster: &str) -> Option<TaskFact<'static>> {
    Some(TaskFact {
        arn: task.task_arn?.into(),
        cluster: task.cluster_arn.unwrap_or_else(|| cluster.to_owned()).into(),
        instance: task.container_instance_arn.filter(|arn| !arn.is_empty()).map(Into::into),
        version: Some(task.version).filter(|version| *version > 0),
        last_status: task.last_status.as_deref().map_or(TaskStatus::Other, TaskStatus::parse),
        desired_running: task.desired_status.as_deref() == Some("RUNNING"),
        group: task.group.map(Into::into),
        definition: task.task_definition_arn.map(Into::into),
        awsvpc: task.attachments.iter().flatten().any(|it| it.r#type.as_deref().is_some_and(is_interface)),
        connected: task.connectivity.map(|connectivity| connectivity.as_str() == "CONNECTED"),
        started_at: task.started_at.and_then(timestamp),
        stop_code: task.stop_code.map(|code| code.as_str().to_owned().into()),
        stopped_reason: task.stopped_reason.map(Into::into),
    })
}

/// The SDK's time as ours; `None` when it is outside what can be written.
pub(crate) fn timestamp(at: aws_smithy_types::DateTime) -> Option<Timestamp> {
    Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).ok()?).ok()
}
