//! Where room is declared: Auto Scaling groups as wholes, with how their launches have gone lately, and what a copy of a
//! service or task definition needs. Of a definition nothing else goes further than this file, its environment above all.

use aws_sdk_autoscaling::types::{Activity, AutoScalingGroup, ScalingActivityStatusCode};
use engine::ports::{
    Observation, Placement, TaskShape,
    observation::{DemandFact, Fact, GroupFact, Source, Text, group::Wanted},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    accounts::Place,
    autoscaling::{DESCRIBE_GROUPS, members},
    pace::Bucket,
    pages::Pages,
    refusal::Refusal,
    supply::DESCRIBE_SUBNETS,
    told::{DESCRIBE_DEFINITION, DESCRIBE_SERVICES},
};

pub(crate) const DESCRIBE_ACTIVITIES: &str = "autoscaling:DescribeScalingActivities";
pub(crate) const LIST_SERVICES: &str = "ecs:ListServices";

/// Activities of a group that are read, newest first: enough to see whether its launches fail.
const ACTIVITIES: i32 = 20;
/// Services on one page of ListServices.
const SERVICES_PER_PAGE: u32 = 100;

/// What was not answered, with the action that was refused.
pub(crate) type Asked<T> = Result<T, (&'static str, Refusal)>;

impl Place {
    /// These groups as wholes, and their members. A group that does not exist is left out.
    pub(crate) async fn group_facts(&self, names: &[String], source: Source) -> Asked<Vec<Observation<'static>>> {
        let place = self.name();
        let groups = self.groups(Some(names)).await.map_err(|refusal| (DESCRIBE_GROUPS, refusal))?;
        let mut facts = Vec::new();
        for group in &groups {
            let name = group.auto_scaling_group_name.as_deref().unwrap_or_default();
            let activities = self.activities(name).await.map_err(|refusal| (DESCRIBE_ACTIVITIES, refusal))?;
            facts.extend(members(group, &place).map(Fact::AutoScaling));
            facts.push(Fact::Group(group_fact(group, &activities, &place)));
        }
        let at = Timestamp::now();
        Ok(facts.into_iter().map(|fact| Observation { at, source, fact }).collect())
    }

    /// The latest activities of a group, newest first.
    async fn activities(&self, group: &str) -> Result<Vec<Activity>, Refusal> {
        self.caller
            .call(Bucket::AutoScalingRead, DESCRIBE_ACTIVITIES, || async {
                let request = self.autoscaling.describe_scaling_activities().auto_scaling_group_name(group);
                let answer = request.max_records(ACTIVITIES).send().await.map_err(|error| Refusal::from_sdk(&error))?;
                Ok(answer.activities.unwrap_or_default())
            })
            .await
    }

    /// What a copy of a service or of a task definition's family needs, and where it may go.
    pub(crate) async fn demand_facts(
        &self,
        cluster: &str,
        of: &str,
        source: Source,
    ) -> Asked<Vec<Observation<'static>>> {
        let service = match of.strip_prefix("service:") {
            Some(name) => match self.service(cluster, name).await? {
                Some(service) => Some(service),
                None => return Ok(vec![demand(cluster, of, None, Vec::new(), source)]),
            },
            None => None,
        };
        let name = match &service {
            Some(service) => service["taskDefinition"].as_str().unwrap_or_default().to_owned(),
            None => of.strip_prefix("family:").unwrap_or(of).to_owned(),
        };
        let Some(definition) = self.definition(&name).await? else {
            return Ok(vec![demand(cluster, of, None, Vec::new(), source)]);
        };
        let nonsense = |action: &'static str| {
            move |error: fleet::capacity::shape::ShapeError| {
                (action, Refusal::Nonsense { status: 200, looks_like: error.to_string() })
            }
        };
        let shape = TaskShape::read(definition.to_string().as_bytes()).map_err(nonsense(DESCRIBE_DEFINITION))?;
        let (placement, subnets) = match &service {
            Some(service) => Placement::of_service(service).map_err(nonsense(DESCRIBE_SERVICES))?,
            None => Default::default(),
        };
        let daemons = self.daemons(cluster).await.map_err(|refusal| (LIST_SERVICES, refusal))?;
        let mut found = Vec::new();
        if !subnets.is_empty() {
            let ids = subnets.iter().cloned().collect();
            let facts = self.subnets("subnet-id", &ids).await.map_err(|refusal| (DESCRIBE_SUBNETS, refusal))?;
            let at = Timestamp::now();
            found.extend(facts.into_iter().map(|fact| Observation { at, source, fact }));
        }
        let wanted = Wanted { shape, placement, subnets };
        found.push(demand(cluster, of, Some(Box::new(wanted)), daemons, source));
        Ok(found)
    }

    async fn service(&self, cluster: &str, name: &str) -> Asked<Option<Value>> {
        let body = json!({ "cluster": cluster, "services": [name] });
        let answer = self.told(Bucket::ServiceRead, DESCRIBE_SERVICES, &body).await;
        let mut answer = answer.map_err(|refusal| (DESCRIBE_SERVICES, refusal))?;
        let found = answer["services"].as_array_mut().and_then(|services| services.pop());
        Ok(found.filter(|service| service["status"] != "INACTIVE"))
    }

    async fn definition(&self, name: &str) -> Asked<Option<Value>> {
        let body = json!({ "taskDefinition": name });
        match self.told(Bucket::TaskDefinitionRead, DESCRIBE_DEFINITION, &body).await {
            Ok(mut answer) => match answer["taskDefinition"].take() {
                definition @ Value::Object(_) => Ok(Some(definition)),
                _ => {
                    let looks_like = "no task definition".to_owned();
                    Err((DESCRIBE_DEFINITION, Refusal::Nonsense { status: 200, looks_like }))
                }
            },
            // ECS has no code of its own for a definition that does not exist (spec C.3).
            Err(refusal) if refusal.code() == Some("ClientException") && refusal.says("unable to describe") => Ok(None),
            Err(refusal) => Err((DESCRIBE_DEFINITION, refusal)),
        }
    }

    /// The names of a cluster's services that run one task on each host.
    async fn daemons(&self, cluster: &str) -> Result<Vec<Text<'static>>, Refusal> {
        let (mut names, mut pages) = (Vec::new(), Pages::default());
        loop {
            let mut body =
                json!({ "cluster": cluster, "schedulingStrategy": "DAEMON", "maxResults": SERVICES_PER_PAGE });
            if let Some(token) = pages.token() {
                body["nextToken"] = token.into();
            }
            let answer = self.told(Bucket::ServiceRead, LIST_SERVICES, &body).await?;
            let Some(arns) = answer["serviceArns"].as_array() else {
                return Err(Refusal::Nonsense { status: 200, looks_like: "no services".to_owned() });
            };
            let last = |arn: &Value| arn.as_str().and_then(|arn| arn.rsplit('/').next()).map(|it| it.to_owned().into());
            names.extend(arns.iter().filter_map(last));
            let next = answer["nextToken"].as_str().filter(|token| !token.is_empty()).map(str::to_owned);
            if !pages.go_on(next)? {
                return Ok(names);
            }
        }
    }
}

fn demand(
    cluster: &str,
    of: &str,
    wanted: Option<Box<Wanted>>,
    daemons: Vec<Text<'static>>,
    source: Source,
) -> Observation<'static> {
    let fact = DemandFact { cluster: cluster.to_owned().into(), of: of.to_owned().into(), wanted, daemons };
    Observation { at: Timestamp::now(), source, fact: Fact::Demand(fact) }
}

fn group_fact(group: &AutoScalingGroup, activities: &[Activity], place: &str) -> GroupFact<'static> {
    let count = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok()).unwrap_or(0);
    let stays = group.instances.iter().flatten().filter(|instance| {
        let lifecycle = instance.lifecycle_state.as_ref().map_or("", |state| state.as_str());
        lifecycle.starts_with("Pending") || lifecycle == "InService"
    });
    let id = |instance: &aws_sdk_autoscaling::types::Instance| instance.instance_id.clone().map(Text::from);
    let (failed_at, failures) = failing(activities);
    GroupFact {
        name: group.auto_scaling_group_name.clone().unwrap_or_default().into(),
        place: place.to_owned().into(),
        min: count(group.min_size),
        max: count(group.max_size),
        desired: count(group.desired_capacity),
        zones: group.availability_zones.iter().flatten().cloned().map(Text::from).collect(),
        suspended: group
            .suspended_processes
            .iter()
            .flatten()
            .filter_map(|it| it.process_name.clone())
            .map(Text::from)
            .collect(),
        protected: stays.clone().filter(|it| it.protected_from_scale_in == Some(true)).filter_map(id).collect(),
        members: stays.filter_map(id).collect(),
        failed_at,
        failures,
    }
}

/// When a launch last failed and how many have failed since one succeeded. What is in progress says nothing yet.
fn failing(activities: &[Activity]) -> (Option<Timestamp>, u32) {
    let launches = activities.iter().filter(|activity| {
        let launches = activity.description.as_deref().is_some_and(|text| text.starts_with("Launching"));
        let over = matches!(
            activity.status_code,
            Some(ScalingActivityStatusCode::Failed | ScalingActivityStatusCode::Successful)
        );
        launches && over
    });
    let failed: Vec<&Activity> =
        launches.take_while(|activity| activity.status_code == Some(ScalingActivityStatusCode::Failed)).collect();
    let at = failed.first().and_then(|activity| activity.start_time.as_ref());
    (at.and_then(|at| Timestamp::from_second(at.secs()).ok()), failed.len() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_autoscaling::primitives::DateTime;

    fn activity(status: &str, text: &str, at: i64) -> Activity {
        Activity::builder()
            .activity_id("a")
            .auto_scaling_group_name("g")
            .cause("c")
            .description(text)
            .start_time(DateTime::from_secs(at))
            .status_code(ScalingActivityStatusCode::from(status))
            .build()
    }

    #[test]
    fn launches_that_failed_since_one_succeeded_are_counted_and_the_newest_is_dated() {
        let launching = |status, at| activity(status, "Launching a new EC2 instance", at);
        let ending = activity("Failed", "Terminating EC2 instance: i-1", 99);
        let found =
            failing(&[ending.clone(), launching("InProgress", 90), launching("Failed", 80), launching("Failed", 70)]);
        assert_eq!(found, (Timestamp::from_second(80).ok(), 2));
        let found = failing(&[launching("Successful", 90), launching("Failed", 80)]);
        assert_eq!((found, failing(&[ending])), ((None, 0), (None, 0)));
    }
}
