//! `muster case`

use clap::{Args, Subcommand};

use super::{
    output::{Exit, Failure, Output},
    server::{Server, Whom},
};
use crate::{
    config::words::Lasting,
    http::cases::Asked,
    render::{Format, case, escape, json},
};

/// `muster case`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  muster case list --server http://127.0.0.1:8464\n  \
    muster case show 4 --data-dir muster-data\n  muster case approve 4 --why \"seen in the console as well\"\n  \
    muster case hold 4 --for 2h")]
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
    /// Show one case: reasons, what was decided and done, what came of it, the evidence that was saved.
    #[command(after_help = "Example:\n  muster case show 4 --server http://127.0.0.1:8464")]
    Show {
        #[command(flatten)]
        whom: Whom,
        /// Its number.
        case: u32,
        /// The evidence whole, and not only its last lines.
        #[arg(long)]
        evidence: bool,
        /// How the answer is written.
        #[arg(long, short, value_name = "FORMAT", default_value = "table")]
        output: Format,
    },
    /// Approve what a case asks for; muster looks once more and then does it.
    #[command(after_help = "Example:\n  muster case approve 4 --why \"seen in the console as well\"")]
    Approve(Operate),
    /// Forbid what a case asks for or is about to do; what has begun is undone where it can be.
    #[command(after_help = "Example:\n  muster case veto 4 --why \"we debug this host\"")]
    Veto(Operate),
    /// Leave a case alone for a while.
    #[command(after_help = "Example:\n  muster case hold 4 --for 2h --why \"vendor is looking\"")]
    Hold {
        #[command(flatten)]
        operate: Operate,
        /// How long: 90s, 15m, 2h, 3d [default: until it is retried].
        #[arg(long = "for", value_name = "TIME")]
        lasting: Option<Lasting>,
    },
    /// Decide a case anew, from the first rung; lifts a veto or a hold.
    #[command(after_help = "Example:\n  muster case retry 4")]
    Retry(Operate),
}

/// What is asked of a case, and of whom.
#[derive(Debug, Args)]
struct Operate {
    #[command(flatten)]
    server: Server,
    /// The case's number.
    case: u32,
    /// Why; goes into the journal.
    #[arg(long, value_name = "REASON")]
    why: Option<String>,
}

impl Operate {
    fn run(self, verb: &str, lasting: Option<Lasting>, out: &mut Output) -> Result<Exit, Failure> {
        let asked = Asked { secs: lasting.map(|Lasting(secs)| secs), why: self.why, who: self.server.who()? };
        let granted = self.server.post(&format!("/v1/cases/{}/{verb}", self.case), &asked)?;
        writeln!(out.answer(), "{}", escape::clean(&granted.granted))?;
        Ok(Exit::DONE)
    }
}

impl CaseArgs {
    pub(super) fn run(self, out: &mut Output) -> Result<Exit, Failure> {
        match self.command {
            CaseCommand::List { whom, closed, output } => {
                let (at, cases) = whom.cases(closed)?;
                case::list(out.answer(), &cases, at, output)?;
            }
            CaseCommand::Show { whom, case: number, evidence, output } => {
                let (at, cases) = whom.cases(true)?;
                let Some(found) = cases.iter().find(|case| case.case.0 == number) else {
                    return Err(Failure::because(format!(
                        "there is no case {number} open or recently closed; older ones are in the journal: muster journal"
                    )));
                };
                let file = whom.case_file(found)?;
                if output == Format::Table {
                    case::show(out.answer(), found, at)?;
                    case::ladder(out.answer(), found, &file)?;
                    case::file(out.answer(), &file, evidence)?;
                } else {
                    let mut whole = serde_json::to_value(found).map_err(std::io::Error::from)?;
                    whole["file"] = serde_json::to_value(&file).map_err(std::io::Error::from)?;
                    json::write(out.answer(), &whole)?;
                    writeln!(out.answer())?;
                }
            }
            CaseCommand::Approve(operate) => return operate.run("approve", None, out),
            CaseCommand::Veto(operate) => return operate.run("veto", None, out),
            CaseCommand::Hold { operate, lasting } => return operate.run("hold", lasting, out),
            CaseCommand::Retry(operate) => return operate.run("retry", None, out),
        }
        Ok(Exit::DONE)
    }
}
