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

impl Default for Protection {
    fn default() -> Self {
        Self { marks: vec!["muster:protect".to_owned()], tasks: Vec::new(), launch_secs: 600 }
    }
}
