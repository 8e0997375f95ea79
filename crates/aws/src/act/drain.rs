//! Drain and un-drain: ecs:UpdateContainerInstancesState.

use aws_sdk_ecs::types::{ContainerInstance, ContainerInstanceStatus, Failure};

use super::{Acted, Acting, done, failed, gone, unfit};
use crate::{ecs::DESCRIBE_HOSTS, pace::Bucket, refusal::Refusal};

pub(crate) const UPDATE_STATE: &str = "ecs:UpdateContainerInstancesState";

/// The state that is wished for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// No new tasks, and services move theirs away.
    Draining,
    /// In service.
    Active,
}

impl Wanted {
    fn status(self) -> ContainerInstanceStatus {
        match self {
            Self::Draining => ContainerInstanceStatus::Draining,
            Self::Active => ContainerInstanceStatus::Active,
        }
    }
}

impl Acting<'_> {
    /// Puts the host into this state, unless it has it already. Only ACTIVE and DRAINING can be left for one another.
    pub(super) async fn set_status(&self, wanted: Wanted) -> Acted {
        let (cluster, host) = match self.host() {
            Ok(names) => names,
            Err(result) => return Ok(result),
        };
        let wish = wanted.status();
        match self.registration().await? {
            Registration::Missing => return Ok(gone(format!("ECS does not know {host} any more"))),
            Registration::Is(status) if status == wish.as_str() => {
                return Ok(done(format!("{host} is {status} already")));
            }
            Registration::Is(status) if status == "INACTIVE" => {
                return Ok(gone(format!("{host} is deregistered (INACTIVE)")));
            }
            Registration::Is(status) if !matches!(status.as_str(), "ACTIVE" | "DRAINING") => {
                return Ok(unfit(format!("{host} is {status}, and only ACTIVE and DRAINING hosts can be changed")));
            }
            Registration::Is(_) => {}
        }
        let answer = self
            .change(Bucket::ClusterResourceChange, UPDATE_STATE, host, || async {
                let request =
                    self.actor.ecs.update_container_instances_state().cluster(cluster).container_instances(host);
                let answer = request.status(wish.clone()).send().await.map_err(|error| Refusal::from_sdk(&error))?;
                Ok((answer.container_instances.unwrap_or_default(), answer.failures.unwrap_or_default()))
            })
            .await;
        match answer {
            Ok((changed, failures)) => Ok(changed_to(host, wish.as_str(), &changed, &failures)),
            Err(stopped) => match stopped.refusal.code() {
                // The state has changed since it was read: what it is now is the next look's to find out.
                Some("InvalidParameterException" | "ClientException") => Ok(unfit(stopped.sentence())),
                _ => Err(stopped),
            },
        }
    }

    /// What ECS says of the host's registration, now.
    pub(super) async fn registration(&self) -> Result<Registration, super::Stopped> {
        let Ok((cluster, host)) = self.host() else { return Ok(Registration::Missing) };
        let (hosts, failures) = self
            .read(Bucket::ClusterResourceRead, DESCRIBE_HOSTS, host, || async {
                let request = self.place.ecs.describe_container_instances().cluster(cluster).container_instances(host);
                let answer = request.send().await.map_err(|error| Refusal::from_sdk(&error))?;
                let (hosts, failures) = (answer.container_instances, answer.failures.unwrap_or_default());
                // Neither the host nor that it is missing: somebody else's answer.
                if hosts.as_ref().is_none_or(Vec::is_empty) && failures.is_empty() {
                    return Err(Refusal::Nonsense { status: 200, looks_like: "no container instance".to_owned() });
                }
                Ok((hosts.unwrap_or_default(), failures))
            })
            .await?;
        Ok(match hosts.first().and_then(|host| host.status.clone()) {
            Some(status) => Registration::Is(status),
            None if failures.iter().any(is_missing) => Registration::Missing,
            None => Registration::Is("in an unknown state".to_owned()),
        })
    }
}

/// Whether and how a host is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Registration {
    /// ECS does not know the ARN.
    Missing,
    /// Its status.
    Is(String),
}

fn is_missing(failure: &Failure) -> bool {
    failure.reason.as_deref() == Some("MISSING")
}

fn changed_to(
    host: &str,
    wish: &str,
    changed: &[ContainerInstance],
    failures: &[Failure],
) -> engine::ports::ActResult<'static> {
    if let Some(failure) = failures.first() {
        let reason = failure.reason.as_deref().unwrap_or("no reason given");
        return match reason {
            "MISSING" | "INACTIVE" => gone(format!("ECS does not know {host} any more ({reason})")),
            _ => {
                let detail = failure.detail.as_deref().unwrap_or_default();
                unfit(format!("ECS did not make {host} {wish}: {reason} {detail}").trim_end().to_owned())
            }
        };
    }
    match changed.first().and_then(|host| host.status.as_deref()) {
        Some(status) if status == wish => done(format!("{host} is {wish}")),
        Some(status) => failed(format!("ECS was asked to make {host} {wish} and answered that it is {status}"), true),
        None => failed(format!("ECS was asked to make {host} {wish} and did not say what it is now"), true),
    }
}
