//! `muster capacity`: what room is left.

use std::{io::IsTerminal as _, time::Duration};

use aws::supply::Wanted;
use clap::{Args, Subcommand};
use fleet::capacity::{foresight::Foresight, view::HeadroomView};
use jiff::SignedDuration;

use super::{
    alarm_template::AlarmTemplateArgs,
    chosen::Chosen,
    login::Login,
    options::Global,
    output::{Exit, Failure, Output},
    room::Room,
    server, stop,
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
    muster capacity --server http://127.0.0.1:8464      (what a running muster believes: no call to AWS)\n  \
    muster capacity alarm-template --cluster prod-a\n\n\
    When something runs out is foretold by samples of a while: by a running muster (--server), or by --watch after\n\
    eight looks and ten minutes. Only hosts that take tasks count; draining ones, and those whose agent or machine is away, are told apart.\n\
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
    /// Address of a running `muster serve`, which is asked instead of AWS.
    #[arg(long, value_name = "URL", conflicts_with_all = ["all", "tag"], help_heading = "Server")]
    server: Option<String>,
    #[command(flatten)]
    login: Login,
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
            let every = SignedDuration::from_secs(i64::from(self.every_secs));
            let mut own = self.watch.then(|| Foresight::sampling(every));
            if !self.watch {
                return self.once(global, out, &mut own).await;
            }
            let stop = stop::on_signal()?;
            let pause = Duration::from_secs(u64::from(self.every_secs));
            loop {
                tokio::select! {
                    looked = self.once(global, out, &mut own) => looked?,
                    () = stop.cancelled() => return Ok(Exit::DONE),
                };
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = stop.cancelled() => return Ok(Exit::DONE),
                }
            }
        })
    }

    async fn once(&self, global: &Global, out: &mut Output, own: &mut Option<Foresight>) -> Result<Exit, Failure> {
        if let Some(server) = &self.server {
            return self.ask(server, out).await;
        }
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
        let clusters: Vec<HeadroomView> =
            clusters.iter().map(|cluster| room.fleet().headroom_view(cluster, self.hosts, at)).collect();
        let runs_out = own.as_mut().map_or_else(Vec::new, |own| {
            own.note(at, &clusters, true);
            own.runs_out(at)
        });
        self.show(out, &Capacity { at, tasks_known: true, clusters, runs_out })?;
        Ok(if whole { Exit::DONE } else { Exit::CouldNotLook })
    }

    /// What a running muster believes.
    async fn ask(&self, server: &str, out: &mut Output) -> Result<Exit, Failure> {
        let path = format!("/v1/capacity?hosts={}", self.hosts);
        let mut capacity: Capacity = server::get(server, &self.login, &path).await?;
        if !self.chosen.cluster.is_empty() {
            let wanted = names(&self.chosen.cluster);
            capacity.clusters.retain(|view| wanted(&view.cluster));
            capacity.runs_out.retain(|it| wanted(&it.cluster));
        }
        if capacity.clusters.is_empty() {
            out.complain(&format!("the muster at {server} has looked at no such cluster lately"));
            return Ok(Exit::CouldNotLook);
        }
        self.show(out, &capacity)?;
        Ok(Exit::DONE)
    }

    fn show(&self, out: &mut Output, capacity: &Capacity) -> Result<(), Failure> {
        if self.watch && self.output == Format::Table && std::io::stdout().is_terminal() {
            // Home, and nothing below.
            write!(out.answer(), "\u{1b}[H\u{1b}[J")?;
        }
        capacity::write(out.answer(), capacity, self.output)?;
        if self.output == Format::Table && !self.watch && self.server.is_none() {
            out.remark(
                "one look foretells nothing: when room runs out a running muster knows (--server URL), or --watch",
            );
        }
        out.answer().flush()?;
        Ok(())
    }
}

/// Whether a cluster (ARN) is one of these: by name, ARN or pattern.
fn names(wanted: &[String]) -> impl Fn(&str) -> bool {
    let globs: Vec<_> = wanted.iter().filter_map(|name| globset::Glob::new(name).ok()).collect();
    let globs: Vec<_> = globs.into_iter().map(|glob| glob.compile_matcher()).collect();
    move |arn| {
        let name = arn.rsplit('/').next().unwrap_or(arn);
        wanted.iter().any(|it| it == arn) || globs.iter().any(|glob| glob.is_match(name))
    }
}
