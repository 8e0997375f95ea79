//! `[protect]`: what is never touched.

use fleet::policy::Protection;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mistake::Wrong;

/// Hosts and tasks that muster leaves alone, whatever their trouble.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProtectSection {
    /// Tags or custom attributes of the container instance: `name` (with any value but `false`) or `name=value`. A host that
    /// carries one is left alone.
    #[schemars(example = ["muster:protect", "team=payments"])]
    pub marks: Vec<String>,
    /// Task groups, `service:NAME` or `family:NAME`, with `*` and `?`. A host that runs one is not drained, rebooted or
    /// replaced.
    #[schemars(example = ["service:ledger-*"])]
    pub tasks: Vec<String>,
    /// A host that registered less than so many seconds ago is left alone.
    pub launch_secs: u32,
}

impl Default for ProtectSection {
    fn default() -> Self {
        let Protection { marks, tasks, launch_secs } = Protection::default();
        Self { marks, tasks, launch_secs }
    }
}

impl ProtectSection {
    /// As the core wants it.
    pub(super) fn protection(&self) -> Protection {
        Protection { marks: self.marks.clone(), tasks: self.tasks.clone(), launch_secs: self.launch_secs }
    }

    pub(super) fn check(&self, wrong: &mut Vec<Wrong>) {
        for mark in &self.marks {
            if let Err(why) = known_to_aws(mark) {
                wrong.push(Wrong::at("protect.marks", why));
            }
        }
        for glob in &self.tasks {
            let named = glob.split_once(':').map(|(kind, name)| (kind.trim_matches(['*', '?']), name));
            match named {
                Some(("service" | "family", name)) if !name.is_empty() => {}
                Some(("", _)) => {}
                None if glob.starts_with('*') => {}
                _ => wrong.push(Wrong::at(
                    "protect.tasks",
                    format!("`{glob}` fits no task: ECS calls their groups `service:NAME` or `family:NAME`"),
                )),
            }
        }
        // A week: whoever wants longer wants a mark.
        if self.launch_secs > 7 * 86_400 {
            wrong.push(Wrong::at(
                "protect.launch_secs",
                format!("{} s is longer than a week: protect such hosts by a mark", self.launch_secs),
            ));
        }
    }
}

/// What AWS allows: keys of 1 to 128 and values of up to 256 letters, digits, spaces and `_ . : / = + - @`; keys that begin
/// with `aws:` are its own (ECS TagResource), and custom attributes cannot begin so either.
fn known_to_aws(mark: &str) -> Result<(), String> {
    let (key, value) = mark.split_once('=').map_or((mark, None), |(key, value)| (key, Some(value)));
    if key.trim().is_empty() {
        return Err("a mark without a name marks nothing: write `name` or `name=value`".to_owned());
    }
    if key.to_ascii_lowercase().starts_with("aws:") {
        return Err(format!("`{key}`: tags that begin with aws: are AWS's own, and nobody can set them on a host"));
    }
    if key.chars().count() > 128 {
        return Err("a tag's key has at most 128 characters".to_owned());
    }
    if value.is_some_and(|value| value.chars().count() > 256) {
        return Err(format!("`{key}`: a tag's value has at most 256 characters"));
    }
    words_of_a_tag(mark)
}

/// Refuses text that can stand in no tag's key and in no tag's value.
pub(super) fn words_of_a_tag(text: &str) -> Result<(), String> {
    let strange = text.chars().find(|c| !(c.is_alphanumeric() || *c == ' ' || "_.:/=+-@".contains(*c)));
    match strange {
        Some(strange) => Err(format!(
            "`{}` can be no tag: AWS allows letters, digits, spaces and _ . : / = + - @, and no `{}`",
            crate::render::escape::clean(text),
            strange.escape_default()
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_that_aws_would_never_allow_are_told() {
        for yes in ["muster:protect", "team=payments", "Größe=1 m", "a=b=c"] {
            assert_eq!(known_to_aws(yes), Ok(()), "{yes}");
        }
        let long = "x".repeat(129);
        for (no, says) in [
            ("", "without a name"),
            ("=x", "without a name"),
            ("aws:autoscaling:groupName=x", "AWS's own"),
            ("AWS:x", "AWS's own"),
            (long.as_str(), "at most 128"),
            ("a*", "no `*`"),
            ("a\u{1b}[31m", "no `\\u{1b}`"),
        ] {
            let error = known_to_aws(no).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
