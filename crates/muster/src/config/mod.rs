//! The configuration file: TOML, one section a file, every option documented, defaulted and checked.
//!
//! | to learn | read |
//! |---|---|
//! | where AWS is and how much of its rate muster may use | [`aws`] |
//! | which clusters are watched | [`clusters`] |
//! | where events come from, how often everything is looked at | [`events`], [`sweep`] |
//! | how much is waited and tolerated | [`policy`] |
//! | where the record is kept | [`journal`] |
//! | where muster listens, what it logs | [`http`], [`log`] |
//! | how a mistake is shown | [`mistake`] |
//! | how `muster config example` is written | [`example`] |

pub mod aws;
pub mod clusters;
pub mod events;
pub mod example;
pub mod http;
pub mod journal;
pub mod log;
pub mod mistake;
pub mod policy;
pub mod sweep;

use std::path::Path;

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use mistake::{Mistake, Mistakes, Wrong};

/// The whole file. Every section and every option may be left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "muster configuration")]
pub struct Config {
    /// Where AWS is and how muster gets in. Everything left out is taken from the environment, as any AWS tool does.
    pub aws: aws::AwsSection,
    /// Which clusters are watched. Names, globs and the tag add up; with none of them, clusters carrying the tag are
    /// watched.
    pub clusters: clusters::ClustersSection,
    /// Where events come from. Without a queue muster still works, by sweeps alone, and learns of trouble later.
    pub events: events::EventsSection,
    /// How often muster looks at everything, to find what events missed.
    pub sweep: sweep::SweepSection,
    /// How much is waited and tolerated before muster speaks.
    #[schemars(with = "policy::PolicyOptions")]
    pub policy: fleet::policy::Policy,
    /// Where the record is kept: audit, recovery and replay in one.
    pub journal: journal::JournalSection,
    /// Where `muster serve` answers.
    pub http: http::HttpSection,
    /// What muster writes to standard error.
    pub log: log::LogSection,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("could not read the configuration file {path}: {source}")]
    Unreadable {
        /// Its path.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It was read, and holds mistakes.
    #[error(transparent)]
    Mistaken(#[from] Mistakes),
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// When it cannot be read, or holds mistakes: all that could be found, each with its place.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let shown = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Self::parse(&shown, &text)?),
            Err(source) => Err(ConfigError::Unreadable { path: shown, source }),
        }
    }

    /// Reads and checks `text`; `origin` is the name shown in mistakes.
    ///
    /// # Errors
    /// All mistakes that could be found, each with its place.
    pub fn parse(origin: &str, text: &str) -> Result<Self, Mistakes> {
        let table = match toml::de::DeTable::parse(text) {
            Ok(table) => table,
            Err(error) => return Err(Mistakes(vec![Mistake::of_toml(origin, text, &error)])),
        };
        let unknown = mistake::unknown_keys(origin, text, table.get_ref(), Self::schema().as_value());
        if !unknown.is_empty() {
            return Err(Mistakes(unknown));
        }
        let config: Self =
            toml::from_str(text).map_err(|error| Mistakes(vec![Mistake::of_toml(origin, text, &error)]))?;
        let wrong = config.check();
        if wrong.is_empty() {
            return Ok(config);
        }
        Err(Mistakes(wrong.iter().map(|wrong| Mistake::at_option(origin, text, table.get_ref(), wrong)).collect()))
    }

    /// What no type can say: ranges, and options that must agree with each other.
    fn check(&self) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        self.aws.check(&mut wrong);
        self.clusters.check(&mut wrong);
        self.events.check(&mut wrong);
        self.sweep.check(&mut wrong);
        policy::check(&self.policy, &mut wrong);
        self.journal.check(&mut wrong);
        self.http.check(&mut wrong);
        self.log.check(&mut wrong);
        wrong
    }

    /// The JSON Schema of the file.
    pub fn schema() -> Schema {
        schemars::generate::SchemaSettings::draft2020_12()
            .with(|settings| settings.inline_subschemas = true)
            .into_generator()
            .into_root_schema_for::<Self>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(text: &str) -> String {
        Config::parse("muster.toml", text).unwrap_err().to_string()
    }

    #[test]
    fn an_empty_file_is_the_default_configuration() {
        assert_eq!(Config::parse("muster.toml", "").unwrap(), Config::default());
    }

    #[test]
    fn the_defaults_pass_their_own_checks() {
        assert!(Config::default().check().is_empty());
    }

    #[test]
    fn an_unknown_option_is_shown_in_its_line_with_the_nearest_known_one() {
        assert_eq!(
            mistakes("[policy]\ngrace_sec = 60\n"),
            "muster.toml:2:1: [policy] has no option `grace_sec`\n  |\n2 | grace_sec = 60\n  | ^^^^^^^^^\n  = did you mean `grace_secs`?"
        );
    }

    #[test]
    fn every_unknown_option_of_a_file_is_shown_at_once() {
        let text = mistakes("[swep]\nevery_secs = 1\n[htpp]\n");
        assert!(text.contains("did you mean `sweep`?") && text.contains("did you mean `http`?"), "{text}");
    }

    #[test]
    fn a_word_that_is_no_choice_is_shown_with_the_nearest_choice() {
        let text = mistakes("[log]\nformat = \"jsn\"\n");
        assert!(text.starts_with("muster.toml:2:10: "), "{text}");
        assert!(text.contains("did you mean `json`?"), "{text}");
    }

    #[test]
    fn a_value_of_the_wrong_type_is_shown_where_it_stands() {
        let text = mistakes("[policy]\ngrace_secs = \"soon\"\n");
        assert!(text.starts_with("muster.toml:2:14: ") && text.contains("^^^^^^"), "{text}");
    }

    #[test]
    fn a_share_beyond_one_is_refused() {
        let text = mistakes("[policy]\ndoubt_share = 20.0\n");
        assert!(text.contains("muster.toml:2:15:") && text.contains("between 0 and 1"), "{text}");
    }

    #[test]
    fn options_that_contradict_each_other_are_shown_at_the_one_that_was_written() {
        let text = mistakes("[policy]\nact_after_secs = 60\n");
        assert!(text.contains("muster.toml:2:18:") && text.contains("grace_secs (180)"), "{text}");
    }

    #[test]
    fn text_that_is_no_toml_is_shown_where_it_breaks() {
        let text = mistakes("[policy\ngrace_secs = 1\n");
        assert!(text.starts_with("muster.toml:1:8: "), "{text}");
    }

    #[test]
    fn columns_count_characters_and_not_bytes() {
        let text = mistakes("[clusters]\nnames = [\"ÄÖÜ\"]\nnamse = []\n");
        assert!(text.contains("muster.toml:3:1:"), "{text}");
        let text = mistakes("[log]\nlevel = \"äö\" \"x\"\n");
        assert!(text.starts_with("muster.toml:2:"), "{text}");
    }
}
