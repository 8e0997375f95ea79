//! `muster config`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::output::{Exit, Failure, Output};
use crate::config::{Config, example};

/// `muster config`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  muster config example > muster.toml\n  muster config check --config muster.toml\n  \
    muster config schema > muster.schema.json"
)]
pub struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Check a configuration file; a mistake is shown with its line, column and what was meant.
    #[command(after_help = "Example:\n  muster config check --config muster.toml")]
    Check {
        /// The file.
        #[arg(long, short, value_name = "FILE", env = "MUSTER_CONFIG")]
        config: PathBuf,
    },
    /// Print the JSON Schema of the configuration file, for editors.
    #[command(after_help = "Example:\n  muster config schema > muster.schema.json")]
    Schema,
    /// Print a configuration file with every option, its default and its reason.
    #[command(after_help = "Example:\n  muster config example > muster.toml")]
    Example,
}

impl ConfigArgs {
    pub(super) fn run(self, out: &mut Output) -> Result<Exit, Failure> {
        match self.command {
            ConfigCommand::Check { config } => {
                for warning in Config::read(&config)?.warnings() {
                    out.remark(&format!("{}: {warning}", config.display()));
                }
                writeln!(out.answer(), "{}: no mistakes", config.display())?;
            }
            ConfigCommand::Schema => {
                serde_json::to_writer_pretty(&mut *out.answer(), &Config::schema()).map_err(std::io::Error::from)?;
                writeln!(out.answer())?;
            }
            ConfigCommand::Example => write!(out.answer(), "{}", example::text())?,
        }
        Ok(Exit::DONE)
    }
}
