//! Whether Container Insights is on: of each cluster, and of those that will be made later. Reading it, and switching it.

use aws_sdk_ecs::types::Cluster;
use engine::ports::FailureKind;
use serde_json::{Value, json};

use crate::{
    accounts::Place,
    cloud::AwsCloud,
    ecs::{DESCRIBE_CLUSTERS, PER_CALL},
    pace::Bucket,
    refusal::Refusal,
    sweep,
    told::NotRead,
};

pub(crate) const LIST_SETTINGS: &str = "ecs:ListAccountSettings";
pub(crate) const UPDATE_CLUSTER: &str = "ecs:UpdateClusterSettings";
pub(crate) const PUT_DEFAULT: &str = "ecs:PutAccountSettingDefault";
pub(crate) const PUT_OWN: &str = "ecs:PutAccountSetting";

/// The name of the setting, of clusters and of accounts alike.
const SETTING: &str = "containerInsights";
/// Name of the protocol's target (spec 0).
const TARGET: &str = "AmazonEC2ContainerServiceV20141113";

/// One cluster, how large it is, and whether Container Insights watches it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterInsights {
    /// ARN.
    pub arn: String,
    /// Name.
    pub name: String,
    /// `disabled`, `enabled` or `enhanced`; `None` where ECS does not say.
    pub value: Option<String>,
    /// Hosts that are registered.
    pub hosts: u32,
    /// Services.
    pub services: u32,
    /// Tasks that run.
    pub tasks: u32,
}

/// What clusters are made with in one account and region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultInsights {
    /// `ACCOUNT/REGION`, or `/REGION` where the account is not known.
    pub place: String,
    /// `disabled`, `enabled` or `enhanced`; `None` where ECS does not say.
    pub value: Option<String>,
}

/// For whom clusters are made so from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Everybody in the account who has not said otherwise.
    Account,
    /// Whoever muster is.
    Own,
}

/// What was found, and what could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Insights {
    /// The clusters that are watched, in the order of their ARNs.
    pub clusters: Vec<ClusterInsights>,
    /// One for each account and region.
    pub defaults: Vec<DefaultInsights>,
    /// What could not be read.
    pub failed: Vec<NotRead>,
}

impl AwsCloud {
    /// Whether Container Insights is on, of the clusters that the settings choose and of the accounts.
    pub async fn insights(&self) -> Insights {
        let mut found = Insights::default();
        for place in self.places() {
            match sweep::chosen(place, self.settings()).await {
                Ok(clusters) => {
                    let (clusters, failed) = place.cluster_insights(&clusters).await;
                    found.clusters.extend(clusters);
                    found.failed.extend(failed);
                }
                Err((action, refusal)) => found.failed.push(NotRead::of(&refusal, action, &place.words())),
            }
            match place.default_insights().await {
                Ok(value) => found.defaults.push(DefaultInsights { place: place.name(), value }),
                Err(refusal) => {
                    let thing = format!("the default of {}", place.words());
                    found.failed.push(NotRead::of(&refusal, LIST_SETTINGS, &thing));
                }
            }
        }
        found
    }

    /// Sets Container Insights of a cluster (ARN), and gives what it is set to now.
    ///
    /// # Errors
    /// When ECS did not do it, or did not say so: look again before another try.
    pub async fn set_cluster_insights(&self, cluster: &str, value: &str) -> Result<String, NotRead> {
        let place = self.place_for(cluster)?;
        let body = json!({ "cluster": cluster, "settings": [{ "name": SETTING, "value": value }] });
        let answer = place.changed(UPDATE_CLUSTER, &body).await;
        let answer = answer.map_err(|refusal| NotRead::of(&refusal, UPDATE_CLUSTER, cluster))?;
        setting(&answer["cluster"]["settings"]).ok_or_else(|| {
            let refusal = Refusal::Nonsense { status: 200, looks_like: "no setting".to_owned() };
            NotRead::of(&refusal, UPDATE_CLUSTER, cluster)
        })
    }

    /// Sets what clusters are made with from now on, in one account and region (`ACCOUNT/REGION`).
    ///
    /// # Errors
    /// When ECS did not do it, or did not say so.
    pub async fn set_default_insights(&self, place: &str, whose: Whose, value: &str) -> Result<(), NotRead> {
        let Some(found) = self.places().iter().find(|known| known.name() == place) else {
            let why = format!("{place} is no account and region that muster watches; add it to the configuration");
            return Err(NotRead { kind: FailureKind::Failed, why });
        };
        let action = match whose {
            Whose::Account => PUT_DEFAULT,
            Whose::Own => PUT_OWN,
        };
        let answer = found.changed(action, &json!({ "name": SETTING, "value": value })).await;
        let thing = format!("the default of {}", found.words());
        answer.map(drop).map_err(|refusal| NotRead::of(&refusal, action, &thing))
    }
}

impl Place {
    async fn cluster_insights(&self, clusters: &[Cluster]) -> (Vec<ClusterInsights>, Vec<NotRead>) {
        let arns: Vec<String> = clusters.iter().filter_map(|cluster| cluster.cluster_arn.clone()).collect();
        let (mut found, mut failed) = (Vec::new(), Vec::new());
        for chunk in arns.chunks(PER_CALL) {
            let body = json!({ "clusters": chunk, "include": ["SETTINGS"] });
            match self.told(Bucket::ClusterRead, DESCRIBE_CLUSTERS, &body).await {
                Ok(answer) => found.extend(answer["clusters"].as_array().into_iter().flatten().filter_map(cluster)),
                Err(refusal) => failed.push(NotRead::of(&refusal, DESCRIBE_CLUSTERS, &self.words())),
            }
        }
        found.sort_by(|one: &ClusterInsights, other| one.arn.cmp(&other.arn));
        (found, failed)
    }

    async fn default_insights(&self) -> Result<Option<String>, Refusal> {
        let body = json!({ "name": SETTING, "effectiveSettings": true });
        let answer = self.told(Bucket::ClusterRead, LIST_SETTINGS, &body).await?;
        Ok(setting(&answer["settings"]))
    }

    async fn changed(&self, action: &'static str, body: &Value) -> Result<Value, Refusal> {
        let operation = action.rsplit(':').next().unwrap_or(action);
        let target = wire::json::target(TARGET, operation);
        self.caller.change(Bucket::ClusterResourceChange, action, || self.ecs_json.json(&target, body)).await
    }
}

fn setting(list: &Value) -> Option<String> {
    let found = list.as_array()?.iter().find(|setting| setting["name"] == SETTING)?;
    found["value"].as_str().map(str::to_owned)
}

fn cluster(described: &Value) -> Option<ClusterInsights> {
    let count = |name: &str| described[name].as_u64().and_then(|count| u32::try_from(count).ok()).unwrap_or(0);
    Some(ClusterInsights {
        arn: described["clusterArn"].as_str()?.to_owned(),
        name: described["clusterName"].as_str()?.to_owned(),
        value: setting(&described["settings"]),
        hosts: count("registeredContainerInstancesCount"),
        services: count("activeServicesCount"),
        tasks: count("runningTasksCount"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_read_with_its_setting_or_without_one() {
        let mut told = json!({ "clusterArn": "arn:aws:ecs:eu-central-1:210987654321:cluster/lab", "clusterName": "lab",
            "runningTasksCount": 7, "registeredContainerInstancesCount": 3, "activeServicesCount": 2,
            "settings": [{ "name": "other", "value": "x" }, { "name": "containerInsights", "value": "enhanced" }] });
        let found = cluster(&told).unwrap();
        assert_eq!((found.value.as_deref(), found.hosts, found.services, found.tasks), (Some("enhanced"), 3, 2, 7));
        told["settings"] = json!([]);
        assert_eq!(cluster(&told).unwrap().value, None);
        assert_eq!(cluster(&json!({ "clusterName": "lab" })), None);
    }
}
