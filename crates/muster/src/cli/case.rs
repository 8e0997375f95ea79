//! `muster case`

use clap::{Args, Subcommand};

use super::{
    output::{Exit, Failure, Output},
    server::Whom,
};
use crate::render::{Format, case};

/// `muster case`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  muster case list --server http://127.0.0.1:8464\n  \
    muster case show 4 --data-dir muster-data")]
pub struct CaseArgs {
    #[command(subcommand)]
    command: CaseCommand,
}

#[derive(Debug, Subcommand)]
enum CaseCommand {
    /// List open cases.
    #[command(after_help = "Example:\n  muster case list --closed --server http://127.0.0.1:8464")]
    List {
        #[command(flatten)]
        whom: Whom,
        /// The recently closed ones too.
        #[arg(long)]
        closed: bool,
        /// How the answer is written.
        #[arg(long, short, value_name = "FORMAT", default_value = "table")]
        output: Format,
    },
    /// Show one case: reasons, witnesses, what was decided.
    #[command(after_help = "Example:\n  muster case show 4 --server http://127.0.0.1:8464")]
    Show {
        #[command(flatten)]
        whom: Whom,
        /// Its number.
        case: u32,
        /// How the answer is written.
        #[arg(long, short, value_name = "FORMAT", default_value = "table")]
        output: Format,
    },
}

impl CaseArgs {
    pub(super) fn run(self, out: &mut Output) -> Result<Exit, Failure> {
        match self.command {
            CaseCommand::List { whom, closed, output } => {
                let (at, cases) = whom.cases(closed)?;
                case::list(out.answer(), &cases, at, output)?;
            }
            CaseCommand::Show { whom, case: number, output } => {
                let (at, cases) = whom.cases(true)?;
                let Some(found) = cases.iter().find(|case| case.case.0 == number) else {
                    return Err(Failure::because(format!(
                        "there is no case {number} open or recently closed; older ones are in the journal: muster journal"
                    )));
                };
                if output == Format::Table {
                    case::show(out.answer(), found, at)?;
                } else {
                    serde_json::to_writer(&mut *out.answer(), found).map_err(std::io::Error::from)?;
                    writeln!(out.answer())?;
                }
            }
        }
        Ok(Exit::DONE)
    }
}
