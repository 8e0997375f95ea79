//! `muster fit`: how many more copies of a task fit, and where.

use clap::Args;
use fleet::capacity::limit::Limit;

use super::{
    asked::{self, Asked, Question},
    chosen::Chosen,
    options::Global,
    output::{Exit, Failure, Output},
    room::Room,
};
use crate::render::{
    Format,
    fit::{self, Fit, HostLine, Stopper},
};

/// So many places of the next copies are shown where no count is asked for.
const NEXT_SHOWN: u64 = 5;
/// So many places at most are worked out, copy by copy.
const MOST_PLACED: u64 = 10_000;

/// `muster fit`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    muster fit api --cluster prod-a\n  \
    muster fit api --cluster prod-a --count 12          (exit 1 when they do not all fit)\n  \
    muster fit task-definition.json --cluster prod-a --service service.json\n  \
    muster fit api --cluster prod-a --task-definition api:42 --output json | jq '.[].copies'\n\n\
    Counts exactly what ECS would place now: CPU, memory, ports, GPUs, ENI slots, subnet addresses, attributes,\n\
    constraints and strategies, all at once. Exit codes: 0 fits, 1 does not, 2 could not look.\n\
    Needs, besides what `muster capacity` does: ecs:DescribeServices, DescribeTaskDefinition.")]
pub struct FitArgs {
    /// Service by name or ARN, task definition by family, family:revision or ARN, or a file with one.
    #[arg(value_name = "SERVICE|TASKDEF|FILE")]
    what: String,
    /// So many copies are wanted.
    #[arg(long, value_name = "N")]
    count: Option<u32>,
    /// Another task definition, or a file, instead of the service's own.
    #[arg(long, value_name = "TASKDEF|FILE")]
    task_definition: Option<String>,
    /// A file that says where tasks may go: JSON as create-service takes or describe-services gives.
    #[arg(long, value_name = "FILE")]
    service: Option<String>,
    /// Instance type to think of besides those of the cluster, when copies do not fit; may be repeated.
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    instance_type: Vec<String>,
    #[command(flatten)]
    chosen: Chosen,
    /// How the answer is written.
    #[arg(long, short, value_name = "FORMAT", default_value = "table")]
    output: Format,
}

impl FitArgs {
    pub(super) fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let question = Question {
            name: self.what.clone(),
            definition: self.task_definition.clone(),
            placement: self.service.clone(),
            instance_types: self.instance_type.clone(),
            service_only: false,
        };
        super::runtime()?.block_on(async {
            let mut room = Room::look(global, &asked::choose(&self.chosen, &self.what)).await?;
            let whole = room.complain(out);
            if room.clusters().is_empty() {
                return Ok(Exit::CouldNotLook);
            }
            let found = asked::find(&mut room, &question).await?;
            let answers: Vec<Fit> = found.iter().map(|asked| answer(&room, asked, self.count)).collect();
            fit::write(out.answer(), &answers, self.output)?;
            Ok(match (whole, answers.iter().any(|answer| answer.fits != Some(false))) {
                (false, _) => Exit::CouldNotLook,
                (true, true) => Exit::DONE,
                (true, false) => Exit::SomeoneMissing,
            })
        })
    }
}

/// What the twin says.
fn answer(room: &Room, asked: &Asked, count: Option<u32>) -> Fit {
    let (fleet, at) = (room.fleet(), room.at());
    let found = fleet.fit(&asked.cluster, &asked.shape, &asked.placement, at);
    let wanted = u64::from(count.unwrap_or(0));
    let told = fleet.explain(&asked.cluster, &asked.shape, &asked.placement, wanted, None, at);
    let all = found.hosts.len();
    let stopper = |limit: &Limit| {
        let hosts = found.hosts.iter().filter(|host| host.limit.as_ref() == Some(limit)).count();
        Stopper::new(limit, hosts, all)
    };
    let (providers, caveats) = asked::shared_out(room, asked);
    let placed = count.map_or_else(|| found.copies.min(NEXT_SHOWN), u64::from).min(MOST_PLACED) as u32;
    let placed = fleet.place(&asked.cluster, &asked.shape, &asked.placement, placed, 0);
    Fit {
        cluster: asked.cluster.clone(),
        at,
        asked: asked.subject.clone(),
        copies: found.copies,
        unlimited: found.copies >= u64::from(u32::MAX),
        sure: found.sure,
        at_most: found.at_most,
        wanted: count,
        fits: count.map(|count| found.copies >= u64::from(count)),
        summary: told.summary,
        limiting: found.limiting.as_ref().map(stopper),
        closest: found.closest.as_ref().map(stopper),
        hosts: HostLine::of(told.hosts, &fleet.headroom_view(&asked.cluster, true, at)),
        next: placed.into_iter().filter_map(Result::ok).collect(),
        changes: told.changes.into_iter().map(Into::into).collect(),
        providers,
        caveats,
    }
}
