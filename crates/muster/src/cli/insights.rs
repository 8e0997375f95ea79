//! `muster insights`: whether Container Insights is on, what it would cost, and switching it.

use std::{io::Write, path::PathBuf};

use aws::insights::{ClusterInsights, DefaultInsights, Insights, Whose};
use clap::{Args, Subcommand};
use globset::{Glob, GlobMatcher};
use serde::Serialize;
use telemetry::record::Detail;

use super::{
    options::{self, Global},
    output::{Exit, Failure, Output},
};
use crate::{
    bill::{self, Bill},
    config::{Config, clusters::ClustersSection},
    render::{
        colour, json,
        table::{Cell, Table},
    },
};

/// `muster insights`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  muster insights status\n  muster insights enable --cluster 'prod-*'\n  \
    muster insights enable --enhanced --cluster prod-a --yes\n  muster insights disable --account-default --yes\n\n\
    Without --yes nothing is switched: what would be done is said, and what AWS would bill for it.")]
pub struct InsightsArgs {
    #[command(subcommand)]
    command: InsightsCommand,
}

#[derive(Debug, Subcommand)]
enum InsightsCommand {
    /// Whether it is on, of each cluster and of those that will be made.
    Status(StatusArgs),
    /// Switch it on.
    Enable(EnableArgs),
    /// Switch it off.
    Disable(DisableArgs),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  muster insights status\n  muster insights status --cluster 'prod-*' --output json"
)]
struct StatusArgs {
    #[command(flatten)]
    which: Which,
    /// A table, or JSON for scripts.
    #[arg(long, short, value_name = "FORMAT", default_value = "table")]
    output: Shown,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  muster insights enable --cluster prod-a\n  muster insights enable --enhanced --cluster 'prod-*' --yes\n  \
    muster insights enable --account-default --yes"
)]
struct EnableArgs {
    #[command(flatten)]
    target: Target,
    /// With the metrics of each task and each container.
    #[arg(long)]
    enhanced: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  muster insights disable --cluster prod-a --yes")]
struct DisableArgs {
    #[command(flatten)]
    target: Target,
}

/// What is looked at.
#[derive(Debug, Args)]
struct Which {
    /// Clusters by name or pattern (`prod-*`); may be repeated [default: all].
    #[arg(long, value_name = "NAME|GLOB")]
    cluster: Vec<String>,
    /// Containers in a task, for the estimate of the bill.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100))]
    containers_per_task: u64,
    /// Configuration file: roles, regions, prices.
    #[arg(long, short, value_name = "FILE", env = "MUSTER_CONFIG")]
    config: Option<PathBuf>,
}

/// What is switched.
#[derive(Debug, Args)]
struct Target {
    #[command(flatten)]
    which: Which,
    /// What clusters are made with from now on, for everybody in the account.
    #[arg(long, conflicts_with_all = ["cluster", "my_default"])]
    account_default: bool,
    /// The same for the caller alone.
    #[arg(long, conflicts_with = "cluster")]
    my_default: bool,
    /// Every cluster of the account and region.
    #[arg(long, conflicts_with_all = ["cluster", "account_default", "my_default"])]
    all: bool,
    /// Do it.
    #[arg(long)]
    yes: bool,
}

/// How the answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Shown {
    /// For people.
    Table,
    /// One JSON value and nothing else.
    Json,
}

impl InsightsArgs {
    pub(super) fn run(self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        super::runtime()?.block_on(async {
            match self.command {
                InsightsCommand::Status(args) => args.run(global, out).await,
                InsightsCommand::Enable(args) => {
                    let value = if args.enhanced { "enhanced" } else { "enabled" };
                    args.target.set(value, global, out).await
                }
                InsightsCommand::Disable(args) => args.target.set("disabled", global, out).await,
            }
        })
    }
}

impl Which {
    async fn look(&self, global: &Global) -> Result<(Config, aws::AwsCloud, Insights), Failure> {
        let mut config = options::configuration(self.config.as_ref())?;
        config.clusters = ClustersSection { all: true, ..ClustersSection::default() };
        config.events.queue_urls.clear();
        let cloud = options::connect(global.aws.settings(&config)).await?;
        let mut found = cloud.insights().await;
        let patterns = self.patterns()?;
        found.clusters.retain(|cluster| {
            let fits = |pattern: &GlobMatcher| pattern.is_match(&cluster.name) || pattern.is_match(&cluster.arn);
            patterns.is_empty() || patterns.iter().any(fits)
        });
        Ok((config, cloud, found))
    }

    fn patterns(&self) -> Result<Vec<GlobMatcher>, Failure> {
        let read = |text: &String| {
            let glob = Glob::new(text);
            glob.map(|glob| glob.compile_matcher())
                .map_err(|error| Failure::new(format!("`{text}` is no pattern"), error))
        };
        self.cluster.iter().map(read).collect()
    }

    /// The bill of these clusters.
    fn bill<'c>(
        &self,
        clusters: impl IntoIterator<Item = &'c ClusterInsights>,
        detail: Detail,
        config: &Config,
    ) -> Bill {
        let mut fleet = bill::Fleet { containers_per_task: self.containers_per_task, ..bill::Fleet::default() };
        for cluster in clusters {
            fleet.clusters += 1;
            fleet.services += u64::from(cluster.services);
            fleet.tasks += u64::from(cluster.tasks);
        }
        // What runs is mostly of services, and each has a definition of its own.
        fleet.families = fleet.services.max(u64::from(fleet.tasks > 0));
        bill::estimate(fleet, detail, &config.prices)
    }
}

/// `muster insights status --output json`
#[derive(Debug, Serialize)]
struct Status<'a> {
    clusters: Vec<ClusterStatus<'a>>,
    defaults: Vec<DefaultStatus<'a>>,
    failed: Vec<&'a str>,
    bill_enabled: Bill,
    bill_enhanced: Bill,
}

#[derive(Debug, Serialize)]
struct ClusterStatus<'a> {
    arn: &'a str,
    name: &'a str,
    container_insights: Option<&'a str>,
    hosts: u32,
    services: u32,
    tasks: u32,
}

#[derive(Debug, Serialize)]
struct DefaultStatus<'a> {
    place: &'a str,
    container_insights: Option<&'a str>,
}

impl StatusArgs {
    async fn run(&self, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let (config, _, found) = self.which.look(global).await?;
        let bills =
            [Detail::Standard, Detail::Enhanced].map(|detail| self.which.bill(&found.clusters, detail, &config));
        match self.output {
            Shown::Json => {
                let [bill_enabled, bill_enhanced] = bills;
                let status = Status {
                    clusters: found.clusters.iter().map(ClusterStatus::of).collect(),
                    defaults: found.defaults.iter().map(DefaultStatus::of).collect(),
                    failed: found.failed.iter().map(|failed| failed.why.as_str()).collect(),
                    bill_enabled,
                    bill_enhanced,
                };
                json::write(out.answer(), &status)?;
            }
            Shown::Table => {
                table(&found, out.answer())?;
                if !found.clusters.is_empty() {
                    writeln!(out.answer(), "\nfor all of these AWS would bill a month, about:")?;
                    for bill in &bills {
                        total(bill, out.answer())?;
                    }
                    writeln!(
                        out.answer(),
                        "  prices: {}; `muster insights enable` shows the arithmetic",
                        bills[0].prices_as_of
                    )?;
                }
            }
        }
        complain(&found, out);
        Ok(if found.failed.is_empty() { Exit::DONE } else { Exit::CouldNotLook })
    }
}

impl<'a> ClusterStatus<'a> {
    fn of(cluster: &'a ClusterInsights) -> Self {
        let ClusterInsights { arn, name, value, hosts, services, tasks } = cluster;
        let (hosts, services, tasks) = (*hosts, *services, *tasks);
        Self { arn, name, container_insights: value.as_deref(), hosts, services, tasks }
    }
}

impl<'a> DefaultStatus<'a> {
    fn of(default: &'a DefaultInsights) -> Self {
        Self { place: &default.place, container_insights: default.value.as_deref() }
    }
}

fn complain(found: &Insights, out: &mut Output) {
    for failed in &found.failed {
        out.complain(&failed.why);
    }
}

fn word(value: Option<&str>) -> Cell {
    match value {
        Some("disabled") => Cell::plain("disabled"),
        Some(other) => Cell::styled(other, colour::remedy()),
        None => Cell::plain("not told"),
    }
}

fn table(found: &Insights, out: &mut dyn Write) -> Result<(), Failure> {
    let mut table = Table::new(0, &["CLUSTER", "CONTAINER INSIGHTS", "HOSTS", "SERVICES", "TASKS"]);
    for cluster in &found.clusters {
        let counts = [cluster.hosts, cluster.services, cluster.tasks];
        let mut cells = vec![Cell::plain(&cluster.name), word(cluster.value.as_deref())];
        cells.extend(counts.iter().map(|count| Cell::plain(count.to_string())));
        table.row(cells, Vec::new());
    }
    for default in &found.defaults {
        let name = format!("default of {}", default.place);
        table.row(vec![Cell::plain(name), word(default.value.as_deref())], Vec::new());
    }
    table.write(out)?;
    Ok(())
}

/// `  enhanced: $14,510 to $29,030: 206,911 to 414,311 metrics for …, and 1,130 GB of logs for $565`
fn total(bill: &Bill, out: &mut dyn Write) -> Result<(), Failure> {
    let Bill { value, metrics_low, metrics_high, logs_gb, logs_usd, .. } = bill;
    let metrics = span(&metrics_low.to_string(), &metrics_high.to_string());
    let dollars = span(&usd(bill.usd_low()), &usd(bill.usd_high()));
    writeln!(out, "  {value}: {dollars}; {metrics} metrics, and {logs_gb:.1} GB of logs for {}", usd(*logs_usd))?;
    Ok(())
}

fn span(low: &str, high: &str) -> String {
    if low == high { low.to_owned() } else { format!("{low} to {high}") }
}

fn usd(amount: f64) -> String {
    format!("${amount:.2}")
}

/// Every step of the estimate.
fn arithmetic(bill: &Bill, out: &mut dyn Write) -> Result<(), Failure> {
    let fleet = bill.fleet;
    writeln!(
        out,
        "a month of Container Insights ({}) for {} clusters, {} services, {} tasks of {} containers, about:",
        bill.value, fleet.clusters, fleet.services, fleet.tasks, fleet.containers_per_task
    )?;
    for count in &bill.counts {
        let each = span(&count.metrics_each_low.to_string(), &count.metrics_each_high.to_string());
        let all = span(
            &(count.things * count.metrics_each_low).to_string(),
            &(count.things * count.metrics_each_high).to_string(),
        );
        writeln!(out, "  {} {} x {each} metrics = {all}", count.things, count.of)?;
    }
    let metrics = span(&bill.metrics_low.to_string(), &bill.metrics_high.to_string());
    writeln!(out, "  {metrics} metrics: {}", span(&usd(bill.metrics_usd_low), &usd(bill.metrics_usd_high)))?;
    writeln!(out, "  {:.1} GB of records into logs: {}", bill.logs_gb, usd(bill.logs_usd))?;
    writeln!(out, "  together {}", span(&usd(bill.usd_low()), &usd(bill.usd_high())))?;
    if bill.metrics_low != bill.metrics_high {
        writeln!(out, "  (from one set of dimensions billed for each task and container, to all that are documented)")?;
    }
    writeln!(out, "  prices: {} ([prices] of the configuration)", bill.prices_as_of)?;
    Ok(())
}

impl Target {
    async fn set(&self, value: &str, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
        let of_account = self.account_default || self.my_default;
        if !of_account && !self.all && self.which.cluster.is_empty() {
            return Err(Failure::because(
                "say for what: --cluster NAME or GLOB, --all, --account-default or --my-default",
            ));
        }
        let (config, cloud, found) = self.which.look(global).await?;
        complain(&found, out);
        let looked = found.failed.is_empty();
        let done = if of_account {
            self.set_defaults(&cloud, &found, value, out).await?
        } else {
            self.set_clusters(&cloud, &found, value, &config, out).await?
        };
        if !self.yes {
            writeln!(out.answer(), "nothing was switched: add --yes to do it")?;
        }
        Ok(if done && looked { Exit::DONE } else { Exit::CouldNotLook })
    }

    async fn set_clusters(
        &self,
        cloud: &aws::AwsCloud,
        found: &Insights,
        value: &str,
        config: &Config,
        out: &mut Output,
    ) -> Result<bool, Failure> {
        if found.clusters.is_empty() {
            let names = self.which.cluster.join(" or ");
            let asked = if names.is_empty() {
                "there is no cluster here".to_owned()
            } else {
                format!("no cluster is called {names}")
            };
            out.complain(&format!("{asked}; is it the right account and region? (--region, --profile)"));
            return Ok(false);
        }
        let changed: Vec<&ClusterInsights> =
            found.clusters.iter().filter(|cluster| cluster.value.as_deref() != Some(value)).collect();
        let detail = match value {
            "enabled" => Some(Detail::Standard),
            "enhanced" => Some(Detail::Enhanced),
            _ => None,
        };
        if let Some(detail) = detail.filter(|_| !changed.is_empty()) {
            arithmetic(&self.which.bill(changed.iter().copied(), detail, config), out.answer())?;
        }
        let mut done = true;
        for cluster in &found.clusters {
            let was = cluster.value.as_deref().unwrap_or("not told");
            let name = &cluster.name;
            if was == value {
                writeln!(out.answer(), "{}", colourless(&format!("{name}: is {value} already")))?;
            } else if !self.yes {
                writeln!(out.answer(), "{}", colourless(&format!("{name}: {was}, would be {value}")))?;
            } else {
                match cloud.set_cluster_insights(&cluster.arn, value).await {
                    Ok(now) => writeln!(out.answer(), "{}", colourless(&format!("{name}: was {was}, is {now}")))?,
                    Err(error) => {
                        done = false;
                        out.complain(&error.why);
                    }
                }
            }
        }
        Ok(done)
    }

    async fn set_defaults(
        &self,
        cloud: &aws::AwsCloud,
        found: &Insights,
        value: &str,
        out: &mut Output,
    ) -> Result<bool, Failure> {
        let whose = if self.account_default { Whose::Account } else { Whose::Own };
        let mut done = !found.defaults.is_empty();
        for default in &found.defaults {
            let was = default.value.as_deref().unwrap_or("not told");
            let place = &default.place;
            if !self.yes {
                let line =
                    format!("new clusters of {place}: {was}, would be {value}; those that are there stay as they are");
                writeln!(out.answer(), "{}", colourless(&line))?;
                continue;
            }
            match cloud.set_default_insights(place, whose, value).await {
                Ok(()) => {
                    let line = format!(
                        "new clusters of {place}: was {was}, is {value}; those that are there stay as they are"
                    );
                    writeln!(out.answer(), "{}", colourless(&line))?;
                }
                Err(error) => {
                    done = false;
                    out.complain(&error.why);
                }
            }
        }
        Ok(done)
    }
}

/// Names come from outside and must not steer a terminal.
fn colourless(line: &str) -> String {
    crate::render::escape::clean(line).into_owned()
}
