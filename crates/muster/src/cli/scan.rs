//! `muster scan`: one pass.

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::Args;
use engine::{
    Turn,
    clock::SystemClock,
    journal::{MemoryJournal, SqliteJournal},
    once::Outcome,
    ports::{Clock, Cloud, Journal, LookFailure, Scope},
    run_once,
};
use fleet::view::RollCall;

use super::{
    chosen::{Chosen, nobody},
    options::{self, Global},
    output::{Exit, Failure, Output},
};
use crate::{
    config::{Config, clusters::ClustersSection},
    render::{Format, case, progress::Progress, roll_call},
};

/// `muster scan`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    muster scan --cluster prod-a\n  \
    muster scan --cluster 'prod-*' --output json | jq '.clusters[].hosts[] | select(.verdict != \"present\")'\n  \
    muster scan --tag ecs-agent-monitoring=ecs-monitoring-group-1 --region eu-central-1\n  \
    muster scan --all --data-dir /var/lib/muster     (looks add up from scan to scan)\n\n\
    Exit codes: 0 all present, 1 someone is missing, 2 could not look.\n\
    Needs: ecs:ListClusters, DescribeClusters, ListContainerInstances, DescribeContainerInstances; and for more witnesses\n\
    ecs:ListTasks, DescribeTasks, ec2:DescribeInstanceStatus, autoscaling:DescribeAutoScalingGroups,\n\
    ssm:DescribeInstanceInformation.")]
pub struct ScanArgs {
    #[command(flatten)]
    chosen: Chosen,
    /// Keep a journal here, so that looks add up from scan to scan: an agent must have been away in several. Without it
    /// nothing is kept.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// When someone is missing, look once more after so many seconds: agents reconnect within seconds by design.
    #[arg(long, value_name = "SECS", default_value_t = 0)]
    recheck_secs: u32,
    /// How the roll is written.
    #[arg(long, short, value_name = "FORMAT", default_value = "table")]
    output: Format,
}

impl ScanArgs {
    pub(super) fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let config = self.chosen.choose(options::configuration(self.chosen.config.as_ref())?);
        let settings = global.aws.settings(&config);
        super::runtime()?.block_on(async {
            let mut turn = self.turn(&config)?;
            let cloud: Arc<dyn Cloud> = Arc::new(options::connect(settings).await?);
            let outcome = self.look(&cloud, &mut turn).await?;
            let exit = self.report(&turn, &outcome, &config.clusters, out)?;
            if self.data_dir.is_some() {
                turn.stop(SystemClock.now())?;
            }
            Ok(exit)
        })
    }

    fn turn(&self, config: &Config) -> Result<Turn, Failure> {
        let journal: Box<dyn Journal> = match &self.data_dir {
            Some(dir) => Box::new(SqliteJournal::open(dir)?),
            None => Box::new(MemoryJournal::new()),
        };
        Ok(engine::recover(journal, config.watching_policy(), crate::VERSION, SystemClock.now())?.turn)
    }

    /// Looks, and looks again if someone is missing and that was asked for.
    async fn look(&self, cloud: &Arc<dyn Cloud>, turn: &mut Turn) -> Result<Outcome, Failure> {
        let outcome = pass(cloud, turn).await?;
        let missing = |turn: &Turn, outcome: &Outcome| {
            let roll = turn.fleet().roll_call(outcome.ended_at, None);
            roll.clusters.iter().flat_map(|cluster| &cluster.hosts).any(|host| !host.verdict.answers())
        };
        if self.recheck_secs == 0 || !missing(turn, &outcome) {
            return Ok(outcome);
        }
        tracing::info!(secs = self.recheck_secs, "someone is missing; looking once more");
        tokio::time::sleep(Duration::from_secs(u64::from(self.recheck_secs))).await;
        let again = pass(cloud, turn).await?;
        Ok(Outcome { started_at: outcome.started_at, ..again })
    }

    fn report(
        &self,
        turn: &Turn,
        outcome: &Outcome,
        chosen: &ClustersSection,
        out: &mut Output,
    ) -> Result<Exit, Failure> {
        let mut roll = turn.fleet().roll_call(outcome.ended_at, None);
        if self.data_dir.is_some() {
            only_looked_at(&mut roll, outcome);
        }
        roll_call::write(out.answer(), &roll, self.output)?;
        if self.output == Format::Table {
            let mut cases = turn.fleet().cases(outcome.ended_at, false);
            cases.retain(|case| case.decision.is_some());
            if !cases.is_empty() {
                writeln!(out.answer())?;
                case::list(out.answer(), &cases, outcome.ended_at, Format::Table)?;
            }
        }
        let mut blind = false;
        for failure in &outcome.failed {
            blind |= is_roll(&failure.scope);
            let note = if is_roll(&failure.scope) { "" } else { " (the roll is called with one witness less)" };
            out.complain(&format!("{}{note}", failure.message));
        }
        if roll.clusters.is_empty() && !blind {
            blind = true;
            out.complain(&nobody(chosen));
        }
        let unlooked = roll.clusters.iter().filter(|cluster| cluster.looked_at.is_none() && cluster.trouble.is_none());
        for cluster in unlooked {
            blind = true;
            out.complain(&format!("{} was not looked at", cluster.arn));
        }
        blind |= roll.clusters.iter().any(|cluster| cluster.trouble.is_some());
        let missing = roll.clusters.iter().flat_map(|cluster| &cluster.hosts).any(|host| !host.verdict.answers());
        Ok(match (blind, missing) {
            (true, _) => Exit::CouldNotLook,
            (false, true) => Exit::SomeoneMissing,
            (false, false) => Exit::AllPresent,
        })
    }
}

pub(super) async fn pass(cloud: &Arc<dyn Cloud>, turn: &mut Turn) -> Result<Outcome, Failure> {
    let mut progress = Progress::new(true);
    run_once(cloud.clone(), turn, &SystemClock, &mut |what, done, total| progress.report(what, done, total))
        .await
        .map_err(|error| Failure::new("the scan was given up", error))
}

/// A look without which the roll cannot be called; the others bring further witnesses.
pub(super) fn is_roll(scope: &Scope<'_>) -> bool {
    matches!(scope, Scope::Clusters(_) | Scope::ClusterHosts(_) | Scope::Hosts { .. })
}

/// A data directory may remember clusters that this scan was not asked for.
fn only_looked_at(roll: &mut RollCall, outcome: &Outcome) {
    let failed = |arn: &str| {
        outcome
            .failed
            .iter()
            .any(|LookFailure { scope, .. }| matches!(scope, Scope::ClusterHosts(cluster) if cluster == arn))
    };
    roll.clusters
        .retain(|cluster| cluster.looked_at.is_some_and(|at| at >= outcome.started_at) || failed(&cluster.arn));
}
