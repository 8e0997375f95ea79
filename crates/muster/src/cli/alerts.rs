//! `muster alerts`

use clap::Args;

use super::{
    output::{Exit, Failure, Output},
    server::Server,
};
use crate::{
    http::alerts::Alerts,
    render::{Format, alert},
};

/// `muster alerts`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  muster alerts\n  muster alerts --output json --server https://muster.example:8464"
)]
pub struct AlertsArgs {
    #[command(flatten)]
    server: Server,
    /// How the answer is written.
    #[arg(long, short, value_name = "FORMAT", default_value = "table")]
    output: Format,
}

impl AlertsArgs {
    pub(super) fn run(self, out: &mut Output) -> Result<Exit, Failure> {
        let alerts: Alerts = self.server.get("/v1/alerts")?;
        alert::list(out.answer(), &alerts.alerts, alerts.at, self.output)?;
        Ok(Exit::DONE)
    }
}
