//! What `fit` and `why` are asked about: a service, a task definition, a file; and where its tasks may go.

use std::path::Path;

use aws::{NotRead, supply::Wanted};
use fleet::{
    capacity::{
        placement::{Constraint, LaunchType, Placement},
        shape::{ShapeError, TaskShape},
        share::{self, Share, ShareFit},
    },
    id::Arn,
};
use serde_json::Value;

use super::{chosen::Chosen, output::Failure, room::Room};
use crate::render::fit::Subject;

/// How one asks.
#[derive(Clone, Debug, Default)]
pub(super) struct Question {
    /// Service, task definition, or file.
    pub name: String,
    /// Another task definition, or file, instead of the service's own.
    pub definition: Option<String>,
    /// A file that says where tasks may go: what CreateService takes, or DescribeServices gives.
    pub placement: Option<String>,
    /// Instance types to think of besides those of the cluster.
    pub instance_types: Vec<String>,
    /// Only services count.
    pub service_only: bool,
}

/// Something asked about, in one cluster.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// Cluster ARN.
    pub cluster: String,
    /// What it is, for the answer.
    pub subject: Subject,
    /// What a copy needs.
    pub shape: TaskShape,
    /// Where it may go.
    pub placement: Placement,
    /// The service as ECS describes it.
    pub service: Option<Value>,
    /// The capacity providers that its tasks are shared out among, where they are several.
    pub shares: Vec<Share>,
    /// What the answer does not take into account.
    pub caveats: Vec<String>,
}

impl From<NotRead> for Failure {
    fn from(error: NotRead) -> Self {
        Self::because(error.why)
    }
}

/// The cluster that the ARN of a service or task names, chosen where nothing else is.
pub(super) fn choose(chosen: &Chosen, name: &str) -> Chosen {
    let mut chosen = chosen.clone();
    if let Some(arn) = Arn::parse(name).filter(|_| !chosen.names_any()) {
        let parts: Vec<&str> = name.rsplit(':').next().unwrap_or_default().split('/').collect();
        if let (["service" | "task", cluster, _], "ecs") = (&parts[..], arn.service) {
            chosen.cluster = vec![(*cluster).to_owned()];
        }
    }
    chosen
}

/// A file, if there is one of this name.
fn is_file(name: &str) -> bool {
    !name.starts_with("arn:") && Path::new(name).is_file()
}

fn read(path: &str) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::new(format!("could not read {path}"), error))
}

fn shape(json: &[u8], of: &str) -> Result<TaskShape, Failure> {
    TaskShape::read(json).map_err(|error: ShapeError| Failure::new(format!("{of} cannot be understood"), error))
}

/// Finds what is asked about in all clusters that were looked at; at least one.
pub(super) async fn find(room: &mut Room, question: &Question) -> Result<Vec<Asked>, Failure> {
    let clusters = room.clusters();
    let mut found = Vec::new();
    let service_like = !is_file(&question.name) && may_be_service(&question.name);
    if service_like {
        for cluster in &clusters {
            // An ARN in the old format does not name its cluster: the name finds it.
            let name = question.name.rsplit('/').next().unwrap_or(&question.name).to_owned();
            for service in room.cloud.services(cluster, &[name]).await? {
                found.push(of_service(room, cluster, service, question).await?);
            }
        }
    }
    if found.is_empty() && !question.service_only {
        for cluster in &clusters {
            found.extend(of_definition(room, cluster, question).await?);
        }
    }
    if found.is_empty() {
        let names: Vec<&str> = clusters.iter().map(|arn| arn.rsplit('/').next().unwrap_or(arn)).collect();
        let what = if question.service_only { "no service" } else { "no service, task definition or file" };
        return Err(Failure::because(format!("{what} is called {} (looked in {})", question.name, names.join(", "))));
    }
    for asked in &mut found {
        furnish(room, asked, question).await?;
    }
    Ok(found)
}

fn may_be_service(name: &str) -> bool {
    match Arn::parse(name) {
        Some(_) => name.contains(":service/"),
        // `family:7` is no service's name.
        None => !name.contains(':'),
    }
}

async fn of_service(room: &Room, cluster: &str, service: Value, question: &Question) -> Result<Asked, Failure> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = text(&service["serviceName"]);
    let providers = service["capacityProviderStrategy"].as_array().map(Vec::as_slice).unwrap_or_default();
    let fargate = service["launchType"] == "FARGATE"
        || providers.iter().any(|it| it["capacityProvider"].as_str().is_some_and(|it| it.starts_with("FARGATE")));
    if fargate {
        return Err(Failure::because(format!(
            "{name} runs on Fargate: there are no hosts whose room could be counted"
        )));
    }
    let wanted = question.definition.clone().unwrap_or_else(|| text(&service["taskDefinition"]));
    let (shape, definition) = match definition(room, cluster, &wanted).await? {
        Some(found) => found,
        None => return Err(Failure::because(format!("there is no task definition {wanted}"))),
    };
    let mut caveats = Vec::new();
    if let Some(provider) = Placement::of_service(&service).ok().and_then(|(placement, _)| placement.capacity_provider)
        && providers.len() > 1
    {
        caveats.push(format!(
            "{} capacity providers take turns; the hosts below are told as {provider} sees them",
            providers.len()
        ));
    }
    let deployments = service["deployments"].as_array().map_or(0, Vec::len);
    if deployments > 1 {
        caveats.push("a deployment is under way: tasks of the old version leave, and make room".to_owned());
    }
    let source = match &question.placement {
        Some(path) => placement_file(path)?,
        None => service.clone(),
    };
    let mut asked = Asked {
        cluster: cluster.to_owned(),
        subject: Subject { kind: "service", name, task_definition: definition },
        shape,
        placement: Placement::default(),
        service: Some(service),
        shares: Vec::new(),
        caveats,
    };
    asked.place(&source)?;
    if asked.service.as_ref().is_some_and(|service| service["schedulingStrategy"] == "DAEMON") {
        // One on each host is what a daemon is.
        asked.placement.constraints.push(Constraint::DistinctInstance);
    }
    Ok(asked)
}

async fn of_definition(room: &Room, cluster: &str, question: &Question) -> Result<Option<Asked>, Failure> {
    let Some((shape, name)) = definition(room, cluster, &question.name).await? else { return Ok(None) };
    let kind = if is_file(&question.name) { "file" } else { "task-definition" };
    let mut asked = Asked {
        cluster: cluster.to_owned(),
        subject: Subject { kind, name: question.name.clone(), task_definition: name },
        shape,
        placement: Placement::default(),
        service: None,
        shares: Vec::new(),
        caveats: Vec::new(),
    };
    match &question.placement {
        Some(path) => asked.place(&placement_file(path)?)?,
        None => {
            asked.caveats.push("no constraints, strategies or subnets but the task definition's own".to_owned());
            // What can run outside of EC2 alone goes there.
            let only = |kind: &str| asked.shape.compatibilities.iter().all(|it| it == kind);
            if !asked.shape.compatibilities.is_empty() && only("EXTERNAL") {
                asked.placement.launch_type = LaunchType::External;
            }
        }
    }
    Ok(Some(asked))
}

/// A task definition by name, ARN or file, and what it is called.
async fn definition(room: &Room, cluster: &str, name: &str) -> Result<Option<(TaskShape, String)>, Failure> {
    if is_file(name) {
        return Ok(Some((shape(&read(name)?, name)?, name.to_owned())));
    }
    let Some(told) = room.cloud.task_definition(cluster, name).await? else { return Ok(None) };
    let called = told["taskDefinitionArn"].as_str().unwrap_or(name).to_owned();
    Ok(Some((shape(told.to_string().as_bytes(), &called)?, called)))
}

/// A service's own words, as CreateService takes or DescribeServices gives them.
fn placement_file(path: &str) -> Result<Value, Failure> {
    let mut whole: Value =
        serde_json::from_slice(&read(path)?).map_err(|error| Failure::new(format!("{path} is not JSON"), error))?;
    Ok(match &mut whole["services"] {
        Value::Array(services) if !services.is_empty() => services.swap_remove(0),
        _ => match whole["service"].take() {
            service @ Value::Object(_) => service,
            _ => whole,
        },
    })
}

impl Asked {
    /// Reads where tasks may go.
    fn place(&mut self, service: &Value) -> Result<(), Failure> {
        let (placement, subnets) = Placement::of_service(service).map_err(|error| {
            Failure::new(format!("the placement of {} cannot be understood", self.subject.name), error)
        })?;
        self.placement = placement;
        self.shares = share::shares(service);
        // Only their ids as yet: what EC2 says of them comes in their place.
        self.placement.subnets = subnets
            .into_iter()
            .map(|id| fleet::capacity::placement::SubnetRoom { id, zone: String::new(), free_addresses: 0 })
            .collect();
        Ok(())
    }
}

/// What each of several capacity providers has room for; said among the notes as well.
pub(super) fn shared_out(room: &Room, asked: &Asked) -> (Vec<ShareFit>, Vec<String>) {
    let mut caveats = asked.caveats.clone();
    if asked.shares.is_empty() {
        return (Vec::new(), caveats);
    }
    let fits = room.fleet().fit_shares(&asked.cluster, &asked.shape, &asked.placement, &asked.shares);
    caveats.push(share::sentence(&fits));
    (fits, caveats)
}

/// Asks EC2 for what the answer hangs on: the subnets' addresses, the machines' interfaces, further types.
async fn furnish(room: &mut Room, asked: &mut Asked, question: &Question) -> Result<(), Failure> {
    let subnets: Vec<String> = asked.placement.subnets.iter().map(|subnet| subnet.id.clone()).collect();
    let mut wanted = Wanted { types: question.instance_types.iter().cloned().collect(), ..Wanted::default() };
    if asked.shape.awsvpc {
        wanted.subnets = subnets.iter().cloned().collect();
        wanted.machines = room.machines(&asked.cluster);
    }
    for failed in room.ask(&asked.cluster, &wanted).await? {
        asked.caveats.push(failed.why);
    }
    asked.placement.subnets = room.fleet().subnet_rooms(&subnets);
    if asked.shape.awsvpc && asked.placement.subnets.is_empty() {
        let caveat = match subnets.is_empty() {
            true => "its subnets are not named: that they have addresses left is taken for granted",
            false => "EC2 does not tell of all its subnets: that they have addresses left is taken for granted",
        };
        asked.caveats.push(caveat.to_owned());
    }
    let wanted = match asked.placement.launch_type {
        LaunchType::Ec2 => "EC2",
        LaunchType::External => "EXTERNAL",
    };
    let compatibilities = &asked.shape.compatibilities;
    if !compatibilities.is_empty() && !compatibilities.iter().any(|it| it == wanted) {
        asked
            .caveats
            .push(format!("the task definition is registered for {} and not for {wanted}", compatibilities.join(", ")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_names_the_cluster_to_look_at_unless_another_is_chosen() {
        let arn = "arn:aws:ecs:eu-central-1:210987654321:service/prod-a/api";
        assert_eq!(choose(&Chosen::default(), arn).cluster, ["prod-a"]);
        let task = "arn:aws:ecs:eu-central-1:210987654321:task/prod-b/0f3a";
        assert_eq!(choose(&Chosen::default(), task).cluster, ["prod-b"]);
        let all = Chosen { all: true, ..Chosen::default() };
        assert!(choose(&all, arn).cluster.is_empty());
        let old = "arn:aws:ecs:eu-central-1:210987654321:service/api";
        assert!(choose(&Chosen::default(), old).cluster.is_empty());
        assert!(choose(&Chosen::default(), "api").cluster.is_empty());
    }

    #[test]
    fn a_family_with_a_revision_is_no_service() {
        assert!(may_be_service("api") && may_be_service("arn:aws:ecs:eu-central-1:210987654321:service/prod/api"));
        assert!(!may_be_service("api:7"));
        assert!(!may_be_service("arn:aws:ecs:eu-central-1:210987654321:task-definition/api:7"));
    }

    #[test]
    fn placement_is_read_from_what_describes_and_from_what_creates_a_service() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("service.json");
        for text in [
            r#"{"serviceName": "api"}"#,
            r#"{"service": {"serviceName": "api"}}"#,
            r#"{"services": [{"serviceName": "api"}], "failures": []}"#,
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(placement_file(path.to_str().unwrap()).unwrap()["serviceName"], "api", "{text}");
        }
    }
}
