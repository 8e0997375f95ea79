//! `GET /v1/hosts` and `GET /v1/hosts/{id}`

use axum::{
    Json,
    extract::{Path, State},
};
use fleet::view::{HostView, RollCall};
use serde::Deserialize;

use super::{Query, Refusal, Served};

/// Which hosts are wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Name or ARN of a cluster.
    cluster: Option<String>,
    /// Verdicts, `agent-lost,ghost`.
    verdict: Option<String>,
}

/// The roll: the same object that `muster scan --output json` prints.
pub async fn list(State(served): State<Served>, Query(wanted): Query<Wanted>) -> Result<Json<RollCall>, Refusal> {
    let mut roll_call = served.beliefs.roll_call().await?;
    if let Some(cluster) = &wanted.cluster {
        roll_call.clusters.retain(|view| view.arn == *cluster || view.arn.rsplit('/').next() == Some(cluster));
    }
    if let Some(verdicts) = &wanted.verdict {
        let verdicts: Vec<&str> = verdicts.split(',').map(str::trim).collect();
        let known = fleet::verdict::Verdict::ALL.map(fleet::verdict::Verdict::word);
        if let Some(strange) = verdicts.iter().find(|verdict| !known.contains(verdict)) {
            return Err(Refusal::bad_request(format!(
                "there is no verdict `{strange}`; there are {}",
                known.join(", ")
            )));
        }
        for cluster in &mut roll_call.clusters {
            cluster.hosts.retain(|host| verdicts.contains(&host.verdict.word()));
        }
    }
    Ok(Json(roll_call))
}

/// One host, by its EC2 or SSM id, its container instance ARN, or the last part of that.
pub async fn show(State(served): State<Served>, Path(id): Path<String>) -> Result<Json<HostView>, Refusal> {
    let roll_call = served.beliefs.roll_call().await?;
    let mut hosts = roll_call.clusters.into_iter().flat_map(|cluster| cluster.hosts);
    hosts
        .find(|host| is(host, &id))
        .map(Json)
        .ok_or_else(|| Refusal::not_found(format!("no host is known by the id {id}")))
}

/// Whether people would call this host `id`.
pub fn is(host: &HostView, id: &str) -> bool {
    host.ec2_instance_id.as_deref() == Some(id)
        || host.arn.as_deref().is_some_and(|arn| arn == id || arn.rsplit('/').next() == Some(id))
}
