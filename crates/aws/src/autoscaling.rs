//! Auto Scaling: the groups and their members.

use aws_sdk_autoscaling::types::{AutoScalingGroup, LaunchTemplateSpecification};
use engine::ports::observation::AutoScalingFact;

use crate::{accounts::Place, pace::Bucket, pages::Pages, refusal::Refusal};

pub(crate) const DESCRIBE_GROUPS: &str = "autoscaling:DescribeAutoScalingGroups";
pub(crate) const DESCRIBE_MEMBERS: &str = "autoscaling:DescribeAutoScalingInstances";

/// A machine as its group sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// Name of the group.
    pub group: String,
    /// `InService`, `Terminating:Wait`, …
    pub lifecycle: String,
    /// What the group believes.
    pub healthy: bool,
}

/// Groups that one page holds.
const PER_PAGE: i32 = 100;

impl Place {
    /// The groups of these names, or all groups of the place. A group that does not exist is left out.
    pub(crate) async fn groups(&self, names: Option<&[String]>) -> Result<Vec<AutoScalingGroup>, Refusal> {
        let (mut groups, mut pages) = (Vec::new(), Pages::default());
        loop {
            let (page, next) = self
                .caller
                .call(Bucket::AutoScalingRead, DESCRIBE_GROUPS, || async {
                    let request = self
                        .autoscaling
                        .describe_auto_scaling_groups()
                        .set_auto_scaling_group_names(names.map(<[String]>::to_vec))
                        .max_records(PER_PAGE)
                        .set_next_token(pages.token());
                    let answer = request.send().await.map_err(|error| Refusal::from_sdk(&error))?;
                    Ok((answer.auto_scaling_groups.unwrap_or_default(), answer.next_token))
                })
                .await?;
            groups.extend(page);
            if !pages.go_on(next)? {
                return Ok(groups);
            }
        }
    }

    /// One machine's membership; `None` when it is in no group. Unknown ids are left out of the answer (spec E.1).
    pub(crate) async fn member(&self, id: &str) -> Result<Option<Member>, Refusal> {
        let request = self.autoscaling.describe_auto_scaling_instances().instance_ids(id);
        let answer = request.send().await.map_err(|error| Refusal::from_sdk(&error))?;
        let members = answer.auto_scaling_instances.unwrap_or_default();
        let found = members.into_iter().find(|member| member.instance_id.as_deref() == Some(id));
        Ok(found.map(|member| Member {
            group: member.auto_scaling_group_name.unwrap_or_default(),
            lifecycle: member.lifecycle_state.unwrap_or_default(),
            healthy: member.health_status.is_some_and(|health| health.eq_ignore_ascii_case("healthy")),
        }))
    }

    /// One group by name; `None` when there is none.
    pub(crate) async fn group(&self, name: &str) -> Result<Option<AutoScalingGroup>, Refusal> {
        let request = self.autoscaling.describe_auto_scaling_groups().auto_scaling_group_names(name);
        let answer = request.send().await.map_err(|error| Refusal::from_sdk(&error))?;
        let groups = answer.auto_scaling_groups.unwrap_or_default();
        Ok(groups.into_iter().find(|group| group.auto_scaling_group_name.as_deref() == Some(name)))
    }
}

/// The members of a group as facts.
pub(crate) fn members<'g>(
    group: &'g AutoScalingGroup,
    place: &'g str,
) -> impl Iterator<Item = AutoScalingFact<'static>> + use<'g> {
    let name = group.auto_scaling_group_name.clone().unwrap_or_default();
    group.instances.iter().flatten().filter_map(move |instance| {
        Some(AutoScalingFact {
            instance_id: instance.instance_id.clone()?.into(),
            group: name.clone().into(),
            place: place.to_owned().into(),
            lifecycle: instance
                .lifecycle_state
                .as_ref()
                .map_or_else(String::new, |state| state.as_str().to_owned())
                .into(),
            healthy: instance.health_status.as_deref().is_some_and(|health| health.eq_ignore_ascii_case("healthy")),
            zone: instance.availability_zone.clone().map(Into::into),
            instance_type: instance.instance_type.clone().map(Into::into),
            launch_template: instance.launch_template.as_ref().and_then(template).map(Into::into),
            launched_at: None,
        })
    })
}

fn template(spec: &LaunchTemplateSpecification) -> Option<String> {
    let name = spec.launch_template_id.as_deref().or(spec.launch_template_name.as_deref())?;
    Some(format!("{name}:{}", spec.version.as_deref().unwrap_or("$Default")))
}
