//! `[clusters]`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{mistake::Wrong, protect::words_of_a_tag};

/// The tag that marks clusters to watch when nothing else does. Deployments that already mark clusters for an
/// agent-disconnect alert by this key go on working.
pub const DEFAULT_TAG_KEY: &str = "ecs-agent-monitoring";

/// Which clusters are watched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClustersSection {
    /// Names or ARNs of clusters.
    #[schemars(example = ["prod-a", "prod-b"])]
    pub names: Vec<String>,
    /// Patterns of cluster names: `*` is any text, `?` one character, `{a,b}` a choice.
    #[schemars(example = ["prod-*"])]
    pub globs: Vec<String>,
    /// Watch every cluster of the accounts and regions.
    pub all: bool,
    /// Watch clusters that carry this tag, when neither names, globs nor all are given.
    pub tag_key: String,
    /// And with this value. Left out: any value.
    #[schemars(example = &"ecs-monitoring-group-1")]
    pub tag_value: Option<String>,
}

impl Default for ClustersSection {
    fn default() -> Self {
        Self { names: Vec::new(), globs: Vec::new(), all: false, tag_key: DEFAULT_TAG_KEY.to_owned(), tag_value: None }
    }
}

impl ClustersSection {
    pub(super) fn check(&self, wrong: &mut Vec<Wrong>) {
        for glob in &self.globs {
            if let Err(error) = globset::Glob::new(glob) {
                wrong.push(Wrong::at("clusters.globs", format!("`{glob}` is no pattern: {}", error.kind())));
            }
        }
        if self.names.iter().any(|name| name.trim().is_empty()) {
            wrong.push(Wrong::at("clusters.names", "a cluster's name is empty"));
        }
        if self.tag_key.is_empty() || self.tag_key.chars().count() > 128 {
            wrong.push(Wrong::at("clusters.tag_key", "a tag's key has 1 to 128 characters"));
        }
        if self.tag_value.as_ref().is_some_and(|value| value.chars().count() > 256) {
            wrong.push(Wrong::at("clusters.tag_value", "a tag's value has at most 256 characters"));
        }
        for (option, text) in [("tag_key", Some(&self.tag_key)), ("tag_value", self.tag_value.as_ref())] {
            if let Some(Err(why)) = text.map(|text| words_of_a_tag(text)) {
                wrong.push(Wrong::at(format!("clusters.{option}"), why));
            }
        }
        if self.all && !(self.names.is_empty() && self.globs.is_empty()) {
            let what = "all = true leaves nothing for names and globs to choose: give one or the other";
            wrong.push(Wrong::at("clusters.all", what));
        }
    }
}
