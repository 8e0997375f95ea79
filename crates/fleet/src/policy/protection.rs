//! What is never touched.

use serde::{Deserialize, Serialize};

/// Hosts and tasks that muster leaves alone, whatever their trouble.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Protection {
    /// Tags or custom attributes of the container instance: `name` (any value but `false`) or `name=value`.
    pub marks: Vec<String>,
    /// Globs over task groups, `service:NAME` or `family:NAME`: a host that runs one is not disturbed. Hosts whose agent
    /// is away are only restarted then, never ended.
    pub tasks: Vec<String>,
    /// A host that registered less than so long ago is left alone.
    pub launch_secs: u32,
}

impl Protection {
    /// The tag or attribute that protects a host, if one of these does.
    pub fn mark_among<'m, S: AsRef<str>>(&self, marks: &'m [(S, S)]) -> Option<&'m str> {
        let protects = |name: &str, value: &str| {
            self.marks.iter().any(|mark| match mark.split_once('=') {
                Some((wanted_name, wanted)) => wanted_name == name && wanted == value,
                None => mark == name && !value.eq_ignore_ascii_case("false"),
            })
        };
        marks.iter().find(|(name, value)| protects(name.as_ref(), value.as_ref())).map(|(name, _)| name.as_ref())
    }
}

impl Default for Protection {
    fn default() -> Self {
        Self { marks: vec!["muster:protect".to_owned()], tasks: Vec::new(), launch_secs: 600 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_protects_by_its_name_or_by_its_name_and_value() {
        let protection = Protection { marks: vec!["keep".into(), "team=payments".into()], ..Protection::default() };
        assert_eq!(protection.mark_among(&[("team", "search"), ("keep", "")]), Some("keep"));
        assert_eq!(protection.mark_among(&[("team", "payments")]), Some("team"));
        assert_eq!(protection.mark_among(&[("keep", "false"), ("team", "search")]), None);
    }
}
