//! Taking a host out of its cluster: ecs:DeregisterContainerInstance, forced.

use super::{Acted, Acting, done, drain::Registration, gone};
use crate::{pace::Bucket, refusal::Refusal};

pub(crate) const DEREGISTER: &str = "ecs:DeregisterContainerInstance";

impl Acting<'_> {
    /// Deregisters with force: without it ECS refuses as long as it believes that tasks run there.
    pub(super) async fn deregister(&self) -> Acted {
        let (cluster, host) = match self.host() {
            Ok(names) => names,
            Err(result) => return Ok(result),
        };
        match self.registration().await? {
            Registration::Missing => return Ok(gone(format!("ECS does not know {host} any more"))),
            Registration::Is(status) if matches!(status.as_str(), "INACTIVE" | "DEREGISTERING") => {
                return Ok(done(format!("{host} is {status} already")));
            }
            Registration::Is(_) => {}
        }
        let answer = self
            .change(Bucket::ClusterResourceChange, DEREGISTER, host, || async {
                let request = self
                    .actor
                    .ecs
                    .deregister_container_instance()
                    .cluster(cluster)
                    .container_instance(host)
                    .force(true);
                let answer = request.send().await.map_err(|error| Refusal::from_sdk(&error))?;
                Ok(answer.container_instance.and_then(|host| host.status))
            })
            .await;
        match answer {
            Ok(status) => Ok(done(format!("{host} is {}", status.as_deref().unwrap_or("deregistered")))),
            Err(stopped) if is_unknown(&stopped.refusal) => Ok(gone(stopped.sentence())),
            Err(stopped) => Err(stopped),
        }
    }
}

/// ECS has no error of its own for a container instance that it does not know; its words tell.
fn is_unknown(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Service { code, message, .. } => {
            let message = message.to_ascii_lowercase();
            matches!(code.as_str(), "InvalidParameterException" | "ClientException")
                && ["not found", "inactive", "does not exist", "missing"].iter().any(|words| message.contains(words))
        }
        _ => false,
    }
}
