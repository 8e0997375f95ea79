//! `muster capacity`: what room is left.

use std::{io::IsTerminal as _, time::Duration};

use aws::supply::Wanted;
use clap::{Args, Subcommand};

use super::{
    alarm_template::AlarmTemplateArgs,
    chosen::Chosen,
    options::Global,
    output::{Exit, Failure, Output},
    room::Room,
    stop,
};
use crate::render::{
    Format,
    capacity::{self, Capacity},
};

/// `muster capacity`
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  \
    muster capacity --cluster prod-a\n  \
    muster capacity --all --hosts --output json | jq '.clusters[].whole.open.slots.scheduler.free'\n  \
    muster capacity --cluster 'prod-*' --watch\n  \
    muster capacity alarm-template --cluster prod-a\n\n\
    Only hosts that take tasks count; draining ones, and those whose agent or machine is away, are told apart.\n\
    Exit codes: 0 looked, 2 could not look.\n\
    Needs, besides what a scan does: ecs:ListTasks, DescribeTasks, ec2:DescribeInstances, DescribeSubnets and\n\
    DescribeInstanceTypes."
)]
pub struct CapacityArgs {
    #[command(subcommand)]
    command: Option<CapacityCommand>,
    #[command(flatten)]
    chosen: Chosen,
    /// Each host as well.
    #[arg(long)]
    hosts: bool,
    /// Look again and again until interrupted.
    #[arg(long)]
    watch: bool,
    /// Seconds between two looks; each costs a few calls for a hundred hosts.
    #[arg(long, value_name = "SECS", default_value_t = 60, requires = "watch", value_parser = clap::value_parser!(u32).range(1..))]
    every_secs: u32,
    /// How the answer is written. With --watch, json writes one object a line.
    #[arg(long, short, value_name = "FORMAT", default_value = "table")]
    output: Format,
}

#[derive(Debug, Subcommand)]
enum CapacityCommand {
    /// Print a CloudWatch alarm that goes off when room runs out.
    AlarmTemplate(AlarmTemplateArgs),
}

impl CapacityArgs {
    pub(super) fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        if let Some(CapacityCommand::AlarmTemplate(args)) = self.command {
            return args.run(out);
        }
        super::runtime()?.block_on(async {
            if !self.watch {
                return self.once(global, out).await;
            }
            let stop = stop::on_signal()?;
            let pause = Duration::from_secs(u64::from(self.every_secs));
            loop {
                tokio::select! {
                    looked = self.once(global, out) => looked?,
                    () = stop.cancelled() => return Ok(Exit::DONE),
                };
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = stop.cancelled() => return Ok(Exit::DONE),
                }
            }
        })
    }

    async fn once(&self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let mut room = Room::look(global, &self.chosen).await?;
        let whole = room.complain(out);
        let clusters = room.clusters();
        for cluster in &clusters {
            let machines = room.machines(cluster);
            let wanted = Wanted { machines, subnets_of_machines: true, ..Wanted::default() };
            for failed in room.ask(cluster, &wanted).await? {
                out.complain(&format!("{} (only what ECS counts is told)", failed.why));
            }
        }
        let at = room.at();
        let clusters = clusters.iter().map(|cluster| room.fleet().headroom_view(cluster, self.hosts, at)).collect();
        if self.watch && self.output == Format::Table && std::io::stdout().is_terminal() {
            // Home, and nothing below.
            write!(out.answer(), "\u{1b}[H\u{1b}[J")?;
        }
        capacity::write(out.answer(), &Capacity { at, clusters }, self.output)?;
        out.answer().flush()?;
        Ok(if whole { Exit::DONE } else { Exit::CouldNotLook })
    }
}
