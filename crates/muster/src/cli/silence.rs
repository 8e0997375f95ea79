//! `muster silence`

use clap::{Args, Subcommand};
use fleet::journal::Trouble;

use super::{
    output::{Exit, Failure, Output},
    protect::query,
    server::Server,
};
use crate::{
    config::words::{Lasting, TROUBLES},
    http::silences::{Silences, Wanted},
    render::{Format, alert, escape},
};

/// `muster silence`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  muster silence add --cluster 'dev-*' --for 8h --why \"load test\"\n  \
    muster silence list\n  muster silence end 3")]
pub struct SilenceArgs {
    #[command(subcommand)]
    command: SilenceCommand,
}

#[derive(Debug, Subcommand)]
enum SilenceCommand {
    /// Page nobody about these for a while. muster goes on deciding and acting as before.
    #[command(after_help = "Examples:\n  muster silence add --cluster 'dev-*' --for 8h\n  \
        muster silence add --host i-0a1b2c3d4e5f60718 --trouble flapping --for 2h --why \"known\"")]
    Add {
        #[command(flatten)]
        server: Server,
        /// Clusters, by name or pattern; may be repeated [default: all].
        #[arg(long, value_name = "NAME|GLOB")]
        cluster: Vec<String>,
        /// Troubles, `agent-away`; may be repeated [default: all].
        #[arg(long, value_name = "TROUBLE", value_parser = trouble)]
        trouble: Vec<Trouble>,
        /// Hosts, by container instance id or machine id, or pattern; may be repeated [default: all].
        #[arg(long, value_name = "ID|GLOB")]
        host: Vec<String>,
        /// How long: 15m, 2h, 3d; at least a minute.
        #[arg(long = "for", value_name = "TIME")]
        lasting: Lasting,
        /// Why; goes into the journal.
        #[arg(long, value_name = "REASON")]
        why: Option<String>,
        /// Silence everything: no cluster, trouble or host is named.
        #[arg(long)]
        everything: bool,
    },
    /// List the silences that hold.
    #[command(after_help = "Example:\n  muster silence list --output json")]
    List {
        #[command(flatten)]
        server: Server,
        /// How the answer is written.
        #[arg(long, short, value_name = "FORMAT", default_value = "table")]
        output: Format,
    },
    /// End a silence before its time.
    #[command(after_help = "Example:\n  muster silence end 3")]
    End {
        #[command(flatten)]
        server: Server,
        /// Its number.
        silence: u32,
        /// Why; goes into the journal.
        #[arg(long, value_name = "REASON")]
        why: Option<String>,
    },
}

fn trouble(word: &str) -> Result<Trouble, String> {
    TROUBLES.into_iter().find(|trouble| trouble.word() == word).ok_or_else(|| {
        let meant = crate::config::mistake::nearest(word, TROUBLES.into_iter().map(Trouble::word));
        let meant = meant.map_or(String::new(), |meant| format!("; did you mean `{meant}`?"));
        format!("there are {}{meant}", TROUBLES.map(Trouble::word).join(", "))
    })
}

impl SilenceArgs {
    pub(super) fn run(self, out: &mut Output) -> Result<Exit, Failure> {
        let granted = match self.command {
            SilenceCommand::Add { server, cluster, trouble, host, lasting: Lasting(secs), why, everything } => {
                let named = !(cluster.is_empty() && trouble.is_empty() && host.is_empty());
                if named == everything {
                    return Err(Failure::because(if everything {
                        "--everything leaves nothing for --cluster, --trouble and --host to choose: give one or the other"
                    } else {
                        "name what is to be silent, by --cluster, --trouble or --host; or say --everything"
                    }));
                }
                let who = server.who()?;
                let wanted = Wanted { clusters: cluster, troubles: trouble, hosts: host, secs, why, who };
                server.post("/v1/silences", &wanted)?
            }
            SilenceCommand::List { server, output } => {
                let silences: Silences = server.get("/v1/silences")?;
                alert::silences(out.answer(), &silences.silences, silences.at, output)?;
                return Ok(Exit::DONE);
            }
            SilenceCommand::End { server, silence, why } => {
                let query = query(&[("why", why.as_deref()), ("who", server.who()?.as_deref())]);
                server.delete(&format!("/v1/silences/{silence}{query}"))?
            }
        };
        writeln!(out.answer(), "{}", escape::clean(&granted.granted))?;
        Ok(Exit::DONE)
    }
}
