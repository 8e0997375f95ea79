//! `[log]`

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mistake::Wrong;

/// What muster writes to standard error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogSection {
    /// Lines for people, or one JSON object a line for machines.
    pub format: LogFormat,
    /// The least that is logged: error, warn, info, debug or trace; or directives as `engine=debug,warn`.
    pub level: String,
}

impl Default for LogSection {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ValueEnum)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl LogSection {
    pub(super) fn check(&self, wrong: &mut Vec<Wrong>) {
        if let Err(error) = tracing_subscriber::EnvFilter::try_new(&self.level) {
            wrong.push(Wrong::at(
                "log.level",
                format!("`{}` is no level (error, warn, info, debug, trace): {error}", self.level),
            ));
        }
    }
}
