//! `GET /v1/capacity`: what room is left, from what is believed already.

use axum::{Json, extract::State};
use fleet::capacity::view::HeadroomView;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Query, Refusal, Served};

/// Which clusters are wanted, and how closely.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Name or ARN of a cluster.
    cluster: Option<String>,
    /// Each host as well.
    #[serde(default)]
    hosts: bool,
}

/// What room is left: the object that `muster capacity --output json` prints, and whether it can know the slots.
#[derive(Clone, Debug, Serialize)]
pub struct Known {
    /// As of when.
    pub at: Timestamp,
    /// All tasks are looked at. If not, `slots` knows only of the tasks that muster has heard of: more may be held.
    pub tasks_known: bool,
    /// Each cluster that was looked at lately.
    pub clusters: Vec<HeadroomView>,
}

/// What room is left.
pub async fn show(State(served): State<Served>, Query(wanted): Query<Wanted>) -> Result<Json<Known>, Refusal> {
    let mut known = served.beliefs.capacity(wanted.hosts).await?;
    if let Some(cluster) = &wanted.cluster {
        known.clusters.retain(|view| view.cluster == *cluster || view.cluster.rsplit('/').next() == Some(cluster));
    }
    Ok(Json(known))
}
