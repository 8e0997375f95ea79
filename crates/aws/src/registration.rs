//! Whether machines are hosts of a cluster: asked just before one that never registered is ended.

use std::collections::BTreeSet;

use engine::ports::{
    Observation,
    observation::{Fact, Source},
};
use fleet::id::is_ec2_instance_id;
use jiff::Timestamp;

use crate::{
    accounts::Place,
    ecs::{DESCRIBE_HOSTS, LIST_HOSTS, PER_CALL},
    pages::Pages,
    refusal::Refusal,
};

impl Place {
    /// The ARNs of all hosts of a cluster in every status but INACTIVE, or of those that fit a filter.
    pub(crate) async fn all_hosts(&self, cluster: &str, filter: Option<&str>) -> Result<Vec<String>, Refusal> {
        let (mut arns, mut pages) = (Vec::new(), Pages::default());
        loop {
            let (page, next) = self.list_hosts(cluster, filter, pages.token()).await?;
            arns.extend(page);
            if !pages.go_on(next)? {
                return Ok(arns);
            }
        }
    }

    /// Each machine as its host, or as unregistered. Of one that ECS lists and does not describe, nothing is said. An
    /// endpoint that does not know filters lists other hosts too: they are told as well, and prove nothing.
    pub(crate) async fn registration_facts(
        &self,
        cluster: &str,
        machines: &[String],
    ) -> Result<Vec<Observation<'static>>, (&'static str, Refusal)> {
        let machines: Vec<&String> = machines.iter().filter(|id| is_ec2_instance_id(id)).collect();
        let quoted: Vec<String> = machines.iter().map(|id| format!("'{id}'")).collect();
        let filter = format!("ec2InstanceId in [{}]", quoted.join(", "));
        let listed = self.all_hosts(cluster, Some(&filter)).await.map_err(|refusal| (LIST_HOSTS, refusal))?;
        let mut found = Vec::new();
        for arns in listed.chunks(PER_CALL) {
            let described = self.describe_hosts(cluster, arns, Source::Look).await;
            found.extend(described.map_err(|refusal| (DESCRIBE_HOSTS, refusal))?);
        }
        let told = unregistered(cluster, &machines, &listed, &found);
        let at = Timestamp::now();
        found.extend(told.into_iter().map(|fact| Observation { at, source: Source::Look, fact }));
        Ok(found)
    }
}

/// The machines that no host is on; none, as long as the machine of any listed host is not known.
fn unregistered(
    cluster: &str,
    machines: &[&String],
    listed: &[String],
    described: &[Observation<'_>],
) -> Vec<Fact<'static>> {
    let mut taken: BTreeSet<&str> = BTreeSet::new();
    let mut told: BTreeSet<&str> = BTreeSet::new();
    for observation in described {
        if let Fact::Instance(host) = &observation.fact
            && let Some(machine) = &host.ec2_instance_id
        {
            taken.insert(machine);
            told.insert(&host.arn);
        }
    }
    // What was listed a moment ago and is gone now: whose it was, nobody can say any more.
    if !listed.iter().all(|arn| told.contains(arn.as_str())) {
        return Vec::new();
    }
    let free = machines.iter().filter(|id| !taken.contains(id.as_str()));
    free.map(|id| Fact::Unregistered { cluster: cluster.to_owned().into(), instance_id: (*id).clone().into() })
        .collect()
}

#[cfg(test)]
mod tests {
    use engine::ports::observation::{Attributes, InstanceFact, InstanceStatus};

    use super::*;

    fn host(arn: &str, machine: Option<&str>) -> Observation<'static> {
        let fact = Fact::Instance(InstanceFact {
            ec2_instance_id: machine.map(|id| id.to_owned().into()),
            agent_connected: Some(true),
            attributes: Attributes::default(),
            ..InstanceFact::bare(arn.to_owned(), "arn:c", InstanceStatus::Active)
        });
        Observation { at: Timestamp::UNIX_EPOCH, source: Source::Look, fact }
    }

    fn told(listed: &[&str], described: &[Observation<'_>]) -> Vec<String> {
        let machine = "i-0123456789abcdef0".to_owned();
        let listed: Vec<String> = listed.iter().map(|arn| (*arn).to_owned()).collect();
        let facts = unregistered("arn:c", &[&machine], &listed, described);
        let ids = facts.into_iter().filter_map(|fact| match fact {
            Fact::Unregistered { instance_id, .. } => Some(instance_id.to_string()),
            _ => None,
        });
        ids.collect()
    }

    #[test]
    fn a_machine_is_unregistered_only_where_every_listed_host_is_known_to_be_on_another() {
        let me = "i-0123456789abcdef0";
        assert_eq!(told(&[], &[]), [me]);
        assert_eq!(told(&["a"], &[host("a", Some(me))]), [""; 0]);
        assert_eq!(told(&["a"], &[host("a", Some("i-0fffffffffffffff0"))]), [me]);
        assert_eq!(told(&["a"], &[]), [""; 0], "listed, and not described");
        assert_eq!(told(&["a"], &[host("a", None)]), [""; 0], "ECS does not say on which machine it is");
    }
}
