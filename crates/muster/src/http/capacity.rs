//! `GET /v1/capacity`: what room is left, from what is believed already.

use axum::{Json, extract::State};
use serde::Deserialize;

use super::{Query, Refusal, Served};
use crate::render::capacity::Capacity;

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

/// What room is left: the object that `muster capacity --output json` prints.
pub async fn show(State(served): State<Served>, Query(wanted): Query<Wanted>) -> Result<Json<Capacity>, Refusal> {
    let mut known = served.beliefs.capacity(wanted.hosts).await?;
    if let Some(cluster) = &wanted.cluster {
        let is_wanted = |arn: &str| arn == cluster || arn.rsplit('/').next() == Some(cluster);
        known.clusters.retain(|view| is_wanted(&view.cluster));
        known.runs_out.retain(|out| is_wanted(&out.cluster));
    }
    Ok(Json(known))
}
