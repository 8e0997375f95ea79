//! `muster hosts`

use clap::Args;

use super::{
    output::{Exit, Failure, Output},
    server::Whom,
};
use crate::{
    http::hosts::is,
    render::{Format, roll_call},
};

/// `muster hosts`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  muster hosts --server http://127.0.0.1:8464\n  \
    muster hosts --data-dir muster-data --missing\n  muster hosts i-0a1b2c3d4e5f60718 --output json")]
pub struct HostsArgs {
    #[command(flatten)]
    whom: Whom,
    /// Only these: EC2 or SSM id, ARN of the container instance, or the last part of that.
    id: Vec<String>,
    /// Only hosts of clusters of this name or ARN.
    #[arg(long, value_name = "NAME")]
    cluster: Vec<String>,
    /// Only hosts that do not answer.
    #[arg(long)]
    missing: bool,
    /// How the answer is written.
    #[arg(long, short, value_name = "FORMAT", default_value = "table")]
    output: Format,
}

impl HostsArgs {
    pub(super) fn run(self, out: &mut Output) -> Result<Exit, Failure> {
        let mut roll = self.whom.roll_call()?;
        if !self.cluster.is_empty() {
            let named = |arn: &str| self.cluster.iter().any(|name| arn == name || arn.rsplit('/').next() == Some(name));
            roll.clusters.retain(|cluster| named(&cluster.arn));
        }
        for cluster in &mut roll.clusters {
            cluster.hosts.retain(|host| {
                (self.id.is_empty() || self.id.iter().any(|id| is(host, id)))
                    && !(self.missing && host.verdict.answers())
            });
        }
        let found = roll.clusters.iter().map(|cluster| cluster.hosts.len()).sum::<usize>();
        if !self.id.is_empty() {
            if found == 0 {
                return Err(Failure::because(format!("no host is known by the id {}", self.id.join(", "))));
            }
            roll.clusters.retain(|cluster| !cluster.hosts.is_empty());
        }
        roll_call::write(out.answer(), &roll, self.output)?;
        if self.output == Format::Table && roll.clusters.is_empty() {
            writeln!(out.answer(), "no clusters are known yet")?;
        }
        Ok(Exit::DONE)
    }
}
