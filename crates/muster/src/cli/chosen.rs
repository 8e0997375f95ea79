//! Which clusters a command looks at: options that every look takes.

use std::path::PathBuf;

use clap::Args;

use crate::config::{Config, clusters::ClustersSection};

/// Which clusters, chosen on the command line or in the configuration.
#[derive(Clone, Debug, Default, Args)]
pub struct Chosen {
    /// Cluster by name, ARN or pattern (`prod-*`); may be repeated.
    #[arg(long, value_name = "NAME|GLOB")]
    pub cluster: Vec<String>,
    /// Every cluster of the account and region.
    #[arg(long, conflicts_with_all = ["cluster", "tag"])]
    pub all: bool,
    /// Clusters that carry this tag [default: ecs-agent-monitoring, any value].
    #[arg(long, value_name = "KEY[=VALUE]", conflicts_with = "cluster", value_parser = tag)]
    pub tag: Option<Tag>,
    /// Configuration file; what is chosen here goes before it.
    #[arg(long, short, value_name = "FILE", env = "MUSTER_CONFIG")]
    pub config: Option<PathBuf>,
}

/// A tag to choose clusters by.
#[derive(Clone, Debug)]
pub struct Tag {
    key: String,
    value: Option<String>,
}

fn tag(text: &str) -> Result<Tag, String> {
    let (key, value) = match text.split_once('=') {
        Some((key, value)) => (key, Some(value.to_owned())),
        None => (text, None),
    };
    if key.is_empty() { Err("expected KEY or KEY=VALUE".into()) } else { Ok(Tag { key: key.to_owned(), value }) }
}

impl Chosen {
    /// Whether the command line chooses any.
    pub fn names_any(&self) -> bool {
        self.all || !self.cluster.is_empty() || self.tag.is_some()
    }

    /// What the command line chooses goes before what the file does.
    pub fn choose(&self, mut config: Config) -> Config {
        let chosen = &mut config.clusters;
        if self.all {
            *chosen = ClustersSection { all: true, ..ClustersSection::default() };
        } else if !self.cluster.is_empty() {
            *chosen = ClustersSection { names: self.cluster.clone(), ..ClustersSection::default() };
        } else if let Some(Tag { key, value }) = self.tag.clone() {
            *chosen = ClustersSection { tag_key: key, tag_value: value, ..ClustersSection::default() };
        }
        // A single look asks the queue for nothing.
        config.events.queue_urls.clear();
        config
    }
}

/// No cluster was found: what was asked for, and what to do.
pub fn nobody(chosen: &ClustersSection) -> String {
    let names: Vec<&str> = chosen.names.iter().chain(&chosen.globs).map(String::as_str).collect();
    if chosen.all {
        "there is no cluster in this account and region; is it the right one? (--region, --profile)".to_owned()
    } else if names.is_empty() {
        let value = chosen.tag_value.as_ref().map_or(String::new(), |value| format!("={value}"));
        format!(
            "no cluster carries the tag {}{value}; choose with --cluster NAME, --tag KEY=VALUE or --all",
            chosen.tag_key
        )
    } else {
        format!(
            "no cluster is called {}; is it the right account and region? (--region, --profile)",
            names.join(" or ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_a_key_with_or_without_a_value() {
        assert!(matches!(tag("a=b=c"), Ok(Tag { key, value: Some(value) }) if key == "a" && value == "b=c"));
        assert!(matches!(tag("a"), Ok(Tag { value: None, .. })));
        assert!(tag("=b").is_err());
    }

    #[test]
    fn whoever_finds_no_cluster_is_told_what_was_looked_for() {
        let chosen = ClustersSection::default();
        assert!(nobody(&chosen).contains("ecs-agent-monitoring") && nobody(&chosen).contains("--all"));
        let chosen = ClustersSection { names: vec!["prod-*".into()], ..chosen };
        assert!(nobody(&chosen).contains("prod-*"));
    }
}
