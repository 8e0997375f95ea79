//! The command line: what may be asked, one command a file.
//!
//! | to learn | read |
//! |---|---|
//! | options that every command takes | [`options`] |
//! | where answers go, exit codes, failures | [`output`] |
//! | one pass over the fleet; which clusters | [`scan`], [`chosen`] |
//! | what room is left, how much of a task fits, and why not | [`capacity`], [`fit`], [`why`], `room`, `asked` |
//! | an alarm for when room runs out | [`alarm_template`] |
//! | what the service keeps and queries | `telemetry` |
//! | the service, and asking it | [`serve`], [`server`], [`login`], [`hosts`], [`case`], [`journal`] |
//! | what an operator may ask for | [`case`], [`protect`], [`pause`], [`silence`], [`alerts`] |
//! | whether muster may act where it is to | `leave` |
//! | queries over records and logs | [`query`] |
//! | whether Container Insights is on, what it would cost | [`insights`] |
//! | recorded events in, decisions out | [`replay`] |
//! | a pretend AWS account, and a show in it | [`simulate`], [`demo`] |
//! | the configuration file; completions of the shell | [`config`], [`completions`] |

pub mod alarm_template;
pub mod alerts;
mod asked;
pub mod capacity;
pub mod case;
pub mod chosen;
pub mod completions;
pub mod config;
pub mod demo;
pub mod fit;
pub mod hosts;
pub mod insights;
pub mod journal;
mod leave;
pub mod login;
pub mod options;
pub mod output;
pub mod pause;
pub mod protect;
pub mod query;
pub mod replay;
mod room;
pub mod scan;
pub mod serve;
pub mod server;
pub mod silence;
pub mod simulate;
pub mod stop;
pub(crate) mod telemetry;
pub mod why;

use std::{ffi::OsString, process::ExitCode};

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::logging::{self, Logging};
use options::Global;
use output::{Exit, Failure, Output};

/// Calls the roll of every Amazon ECS host: whose agent answers, whose does not and why, and what muster would do.
#[derive(Debug, Parser)]
#[command(
    name = "muster",
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    max_term_width = 110,
    after_help = "Examples:\n  \
        muster demo                            see it at work on a pretend fleet, no account needed\n  \
        muster scan --cluster prod-a           one pass over one cluster; exit 0 all present, 1 someone missing\n  \
        muster scan --all --output json        every cluster of the account and region, for a script\n  \
        muster serve --config muster.toml      watch for good: events, sweeps, journal, HTTP, Prometheus\n\n\
        Unless its configuration says mode = \"approve\" or \"act\", muster only looks: it says what it would do."
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Call the roll once: every host of the chosen clusters, and who is missing.
    Scan(scan::ScanArgs),
    /// Watch for good: take events, sweep, keep the journal, answer over HTTP.
    Serve(serve::ServeArgs),
    /// What room is left: on hosts, in zones, clusters and capacity providers.
    Capacity(capacity::CapacityArgs),
    /// How many more copies of a service or task definition fit, and where they would go.
    Fit(fit::FitArgs),
    /// Why tasks of a service are not placed, and the smallest change after which they are.
    Why(why::WhyArgs),
    /// List the hosts that a running muster (or its data directory) knows of.
    Hosts(hosts::HostsArgs),
    /// List open cases, show one with its reasons, approve or forbid what it asks for.
    Case(case::CaseArgs),
    /// Keep muster from touching a host or a cluster.
    Protect(protect::ProtectArgs),
    /// Allow muster to touch a host or a cluster again.
    Unprotect(protect::UnprotectArgs),
    /// The kill switch: begin no remedy, in one cluster or anywhere.
    Pause(pause::PauseArgs),
    /// Allow remedies again.
    Resume(pause::ResumeArgs),
    /// Add, list or end silences: what nobody is paged about for a while.
    Silence(silence::SilenceArgs),
    /// List what people are told of, and why they are not told of the rest.
    Alerts(alerts::AlertsArgs),
    /// Query records and logs in the Logs Insights language: a store, a file, a pipe.
    Query(query::QueryArgs),
    /// Whether Container Insights is on, what it would cost, and switching it.
    Insights(insights::InsightsArgs),
    /// Read, follow, verify or export the journal.
    Journal(journal::JournalArgs),
    /// Feed recorded events to muster and see what it would have decided.
    Replay(replay::ReplayArgs),
    /// Run a pretend AWS account that any AWS client can talk to.
    Simulate(simulate::SimulateArgs),
    /// Watch muster at work on a pretend fleet; needs no account and takes a minute.
    Demo(demo::DemoArgs),
    /// Check the configuration file, or print its schema or an example.
    Config(config::ConfigArgs),
    /// Print the completion script of a shell.
    Completions(completions::CompletionsArgs),
}

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    run(std::env::args_os())
}

/// Runs the program with these arguments, the first of them its own name.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output and are no failure; usage errors exit with 2.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let mut out = Output::new(cli.global.color);
    match perform(cli, &mut out) {
        Ok(exit) => exit.into(),
        Err(failure) if failure.is_broken_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            out.complain(&failure.to_string());
            Exit::CouldNotLook.into()
        }
    }
}

fn perform(cli: Cli, out: &mut Output) -> Result<Exit, Failure> {
    let Cli { global, command } = cli;
    // `serve` reads its log settings from the configuration file and starts logging itself.
    if !matches!(command, Command::Serve(_)) {
        logging::start(&Logging {
            format: global.log_format.unwrap_or_default(),
            level: logging::level(global.verbose, "warn"),
            colour: out.errors_take_colour(),
        });
    }
    match command {
        Command::Scan(args) => args.run(&global, out),
        Command::Serve(args) => args.run(&global, out),
        Command::Capacity(args) => args.run(&global, out),
        Command::Fit(args) => args.run(&global, out),
        Command::Why(args) => args.run(&global, out),
        Command::Hosts(args) => args.run(out),
        Command::Case(args) => args.run(out),
        Command::Protect(args) => args.run(out),
        Command::Unprotect(args) => args.run(out),
        Command::Pause(args) => args.run(out),
        Command::Resume(args) => args.run(out),
        Command::Silence(args) => args.run(out),
        Command::Alerts(args) => args.run(out),
        Command::Query(args) => args.run(&global, out),
        Command::Insights(args) => args.run(&global, out),
        Command::Journal(args) => args.run(out),
        Command::Replay(args) => args.run(out),
        Command::Simulate(args) => args.run(out),
        Command::Demo(args) => args.run(out),
        Command::Config(args) => args.run(out),
        Command::Completions(args) => args.run(&mut Cli::command(), out),
    }
}

/// A runtime for commands that wait for more than one thing.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new("could not start the threads that muster works with", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_put_together_without_contradictions() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_ends_its_help_with_examples() {
        fn look(command: &clap::Command, path: &str) {
            for inner in command.get_subcommands() {
                let path = format!("{path} {}", inner.get_name());
                let has = inner.get_after_help().is_some_and(|help| help.to_string().contains("Example"));
                assert!(has, "{path} --help ends without examples");
                look(inner, &path);
            }
        }
        look(&Cli::command(), "muster");
    }
}
