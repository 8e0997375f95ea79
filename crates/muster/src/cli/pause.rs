//! `muster pause` and `muster resume`: the kill switch.

use clap::Args;

use super::{
    output::{Exit, Failure, Output},
    server::Server,
};
use crate::{config::words::Lasting, http::pause::Wanted, render::escape};

/// `muster pause`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  muster pause\n  muster pause --cluster prod-a --for 2h --why \"migration\"\n\n\
    No remedy begins from the moment this returns; one that is under way stops before its next call. Nothing else changes:\n\
    muster goes on watching, telling and keeping its journal.")]
pub struct PauseArgs {
    #[command(flatten)]
    server: Server,
    /// Only this cluster, by name or ARN [default: everything].
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// How long: 90s, 15m, 2h, 3d [default: until it is resumed].
    #[arg(long = "for", value_name = "TIME")]
    lasting: Option<Lasting>,
    /// Why; goes into the journal.
    #[arg(long, value_name = "REASON")]
    why: Option<String>,
}

impl PauseArgs {
    pub(super) fn run(self, out: &mut Output) -> Result<Exit, Failure> {
        let secs = self.lasting.map(|Lasting(secs)| secs);
        let wanted = Wanted { cluster: self.cluster, secs, why: self.why, who: self.server.who()? };
        let granted = self.server.post("/v1/pause", &wanted)?;
        writeln!(out.answer(), "{}", escape::clean(&granted.granted))?;
        Ok(Exit::DONE)
    }
}

/// `muster resume`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  muster resume\n  muster resume --cluster prod-a")]
pub struct ResumeArgs {
    #[command(flatten)]
    server: Server,
    /// Only this cluster, as it was paused [default: what was paused everywhere].
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Why; goes into the journal.
    #[arg(long, value_name = "REASON")]
    why: Option<String>,
}

impl ResumeArgs {
    pub(super) fn run(self, out: &mut Output) -> Result<Exit, Failure> {
        let wanted = Wanted { cluster: self.cluster, secs: None, why: self.why, who: self.server.who()? };
        let granted = self.server.post("/v1/resume", &wanted)?;
        writeln!(out.answer(), "{}", escape::clean(&granted.granted))?;
        Ok(Exit::DONE)
    }
}
