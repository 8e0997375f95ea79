//! One look at everything that room hangs on: hosts, all tasks, and what EC2 says of machines, types and subnets.

use std::sync::Arc;

use aws::{AwsCloud, NotRead, supply::Wanted};
use engine::{
    Turn,
    clock::SystemClock,
    journal::MemoryJournal,
    once::Outcome,
    ports::{Clock as _, Cloud, Scope},
    turn::Arrival,
};
use fleet::Fleet;
use jiff::Timestamp;

use super::{
    chosen::{Chosen, nobody},
    options::{self, Global},
    output::{Failure, Output},
    scan::{is_roll, pass},
};
use crate::config::Config;

/// What one look has found. Nothing is kept from look to look.
pub(super) struct Room {
    pub(super) cloud: Arc<AwsCloud>,
    turn: Turn,
    outcome: Outcome,
    config: Config,
}

impl Room {
    /// Looks once.
    pub(super) async fn look(global: &Global, chosen: &Chosen) -> Result<Self, Failure> {
        let mut config = chosen.choose(options::configuration(chosen.config.as_ref())?);
        // What tasks hold, network interfaces above all, is known by the tasks alone.
        config.sweep.audit_tasks = true;
        let cloud = Arc::new(options::connect(global.aws.settings(&config)).await?);
        let port: Arc<dyn Cloud> = cloud.clone();
        let journal = Box::new(MemoryJournal::new());
        let mut turn = engine::recover(journal, config.watching_policy(), crate::VERSION, SystemClock.now())?.turn;
        let outcome = pass(&port, &mut turn).await?;
        Ok(Self { cloud, turn, outcome, config })
    }

    /// What is believed.
    pub(super) fn fleet(&self) -> &Fleet {
        self.turn.fleet()
    }

    /// As of when.
    pub(super) fn at(&self) -> Timestamp {
        self.outcome.ended_at.max(self.turn.last_at())
    }

    /// The ARNs of the clusters that were looked at.
    pub(super) fn clusters(&self) -> Vec<String> {
        let roll = self.fleet().roll_call(self.at(), None);
        let seen = |trouble: &Option<String>| trouble.is_none();
        roll.clusters.into_iter().filter(|it| it.looked_at.is_some() && seen(&it.trouble)).map(|it| it.arn).collect()
    }

    /// Says what could not be looked at. True when everything that room hangs on was.
    pub(super) fn complain(&self, out: &mut Output) -> bool {
        let mut whole = true;
        for failure in &self.outcome.failed {
            let counts = is_roll(&failure.scope) || matches!(failure.scope, Scope::ClusterTasks(_));
            whole &= !counts;
            let note = match failure.scope {
                Scope::ClusterTasks(_) => " (what tasks hold is not known: room would be promised that is not there)",
                _ if counts => "",
                _ => " (room is told with one witness less)",
            };
            out.complain(&format!("{}{note}", failure.message));
        }
        if whole && self.clusters().is_empty() {
            whole = false;
            out.complain(&nobody(&self.config.clusters));
        }
        whole
    }

    /// Asks EC2 for more, and believes it. What could not be read is given back.
    pub(super) async fn ask(&mut self, cluster: &str, wanted: &Wanted) -> Result<Vec<NotRead>, Failure> {
        if *wanted == Wanted::default() {
            return Ok(Vec::new());
        }
        let (sweep, failed) = self.cloud.supply(cluster, wanted).await;
        if let Some(sweep) = sweep {
            self.turn.take(SystemClock.now(), [Arrival::Swept(sweep)])?;
        }
        Ok(failed)
    }

    /// The EC2 instances under the hosts of a cluster.
    pub(super) fn machines(&self, cluster: &str) -> std::collections::BTreeSet<String> {
        let view = self.fleet().headroom_view(cluster, true, self.at());
        let ids = view.hosts.into_iter().filter_map(|host| host.ec2_instance_id);
        ids.filter(|id| fleet::id::is_ec2_instance_id(id)).collect()
    }
}
