//! Whether muster has leave to act where its configuration says so: looked at before it begins and every minute after, told
//! in the log at each change and in `/healthz` as long as it lasts.

use std::{sync::Arc, time::Duration};

use aws::{AwsCloud, ObservedOnly};
use engine::{
    clock::SystemClock,
    ports::{Clock as _, Sample, Samples as _},
};

use crate::{config::Config, metrics::Metrics};

/// From one look to the next.
const EVERY: Duration = Duration::from_secs(60);

/// How many accounts are only observed.
const FIGURE: &str = "muster_observed_only_accounts";

/// Looks once and then for ever beside the loop. A configuration that never acts needs no leave.
pub(super) async fn watch(config: &Config, cloud: &Arc<AwsCloud>, metrics: &Arc<Metrics>) {
    if !config.may_act() {
        return;
    }
    let mut known = Vec::new();
    tell(&mut known, cloud.look_at_act_roles().await, metrics);
    let (cloud, metrics) = (cloud.clone(), metrics.clone());
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(EVERY).await;
            tell(&mut known, cloud.look_at_act_roles().await, &metrics);
        }
    });
}

fn tell(known: &mut Vec<ObservedOnly>, now: Vec<ObservedOnly>, metrics: &Metrics) {
    for ObservedOnly { account, why } in now.iter().filter(|it| !known.contains(it)) {
        tracing::warn!(account, why, "observe only: no remedy is done in this account");
    }
    for before in known.iter().filter(|before| !now.iter().any(|it| it.account == before.account)) {
        tracing::info!(account = before.account, "muster may act in this account");
    }
    let value = now.len() as f64;
    metrics.publish(SystemClock.now(), &[Sample { name: FIGURE, labels: Vec::new(), value }]);
    *known = now;
}
