//! `[telemetry]`: performance records and logs, kept and queried by muster itself.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{mistake::Wrong, secret::SecretRef};

/// Performance records of clusters, services and tasks as Container Insights has them, and any other log that is sent. Kept by
/// muster, asked by `muster query`, and by any client of CloudWatch Logs with muster's address as its endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetrySection {
    /// Keep logs and answer the API of CloudWatch Logs.
    pub enabled: bool,
    /// Folder of what is kept; made if it is not there. Left out: `telemetry` in the data_dir of `[journal]`.
    #[schemars(with = "Option<String>", example = &"/var/lib/muster/telemetry")]
    pub directory: Option<PathBuf>,
    /// Keep what is sealed in S3, or in what speaks S3; only the newest stays in the folder. Credentials, region and endpoint are
    /// those of [aws]; AWS_ENDPOINT_URL_S3 names another endpoint for this alone.
    #[schemars(example = &"s3://muster-telemetry/prod")]
    pub url: Option<String>,
    /// Seconds that events are in the log of this machine alone, until they are sealed into files; sooner where there are many.
    #[schemars(range(min = 1, max = 86_400))]
    pub seal_after_secs: u32,
    /// Seconds that a file stays after it was merged into another or has become too old, for queries that still read it.
    #[schemars(range(min = 1, max = 86_400))]
    pub removal_after_secs: u32,
    /// Make records of what muster watches: clusters, services and tasks. Sweeps look at all tasks then, as with audit_tasks of
    /// [sweep]. Costs one ListServices and one DescribeServices for each
    /// 10 services of a cluster, every interval, and one DescribeTasks for each 100 tasks that are new.
    pub records: bool,
    /// Keep muster's own journal as a log too, in the group /muster/journal.
    pub journal: bool,
    /// Keep the events of ECS that come by the queue of [events] too, as they came, where the console looks for lifecycle events: in
    /// the group /aws/events/ecs/containerinsights/CLUSTER/performance. Costs no call.
    pub lifecycle: bool,
    /// Seconds from one record to the next; records stand on whole multiples of it. Container Insights has 60.
    pub interval_secs: u32,
    /// `standard`, or `enhanced`: with the metrics of each task and each container as well.
    pub detail: DetailWord,
    /// Write no records where AWS would write none: of services without a running task, of clusters without one. An alarm on
    /// pending tasks then sees missing data just when nothing runs.
    pub aws_exact: bool,
    /// Days that the records, the journal's log and lifecycle events are kept for. Other log groups keep theirs until PutRetentionPolicy says otherwise.
    pub retention_days: u32,
    /// Memory that all queries together may use, in MiB. What needs more goes to the disk, or is refused.
    #[schemars(range(min = 32, max = 1_048_576))]
    pub query_memory_mib: u32,
    /// The account that log groups are in, of 12 digits, as ARNs and `@log` show it.
    pub account: String,
    /// Keys that requests to the API must be signed with. Without any, whoever is on this machine may ask unsigned, and nobody
    /// else at all. `read_only = true` lets a key ask and not write.
    #[schemars(example = [serde_json::json!({
        "access_key_id": "AKIAMUSTEREXAMPLE", "secret": "env:MUSTER_API_SECRET", "read_only": false
    })])]
    pub api_keys: Vec<ApiKeyEntry>,
}

/// How much records say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DetailWord {
    /// Clusters, services and families.
    #[default]
    Standard,
    /// Each task and each container as well.
    Enhanced,
}

impl From<DetailWord> for telemetry::record::Detail {
    fn from(word: DetailWord) -> Self {
        match word {
            DetailWord::Standard => Self::Standard,
            DetailWord::Enhanced => Self::Enhanced,
        }
    }
}

/// A key of the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyEntry {
    /// Its id, as clients know it: 16 to 128 letters and digits.
    pub access_key_id: String,
    /// Where its secret lies.
    pub secret: SecretRef,
    /// It may only read.
    #[serde(default)]
    pub read_only: bool,
}

impl Default for TelemetrySection {
    fn default() -> Self {
        Self {
            enabled: true,
            directory: None,
            url: None,
            seal_after_secs: 600,
            removal_after_secs: 600,
            records: false,
            journal: true,
            lifecycle: true,
            interval_secs: 60,
            detail: DetailWord::Standard,
            aws_exact: false,
            retention_days: 30,
            query_memory_mib: 256,
            account: "000000000000".to_owned(),
            api_keys: Vec::new(),
        }
    }
}

/// What is wrong with the URL of a store. One that may hold keys is not repeated.
fn wrong_url(url: &str) -> Option<Wrong> {
    const PLACE: &str = "telemetry.url";
    if url.contains('@') {
        let what = "a URL with keys in it is not taken: they come from the environment, a profile or a role";
        return Some(Wrong::hidden_at(PLACE, what));
    }
    let bucket = url.strip_prefix("s3://").map(|rest| !rest.is_empty() && !rest.starts_with('/'));
    if bucket.unwrap_or_else(|| url.starts_with("file:///")) {
        return None;
    }
    Some(Wrong::at(PLACE, format!("`{url}` is no object store that muster knows: write s3://BUCKET/FOLDER")))
}

/// The days that log groups can be kept for are AWS's; these are the least and the most.
const RETENTION_DAYS: std::ops::RangeInclusive<u32> = 1..=3_653;

impl TelemetrySection {
    pub(super) fn check(&self, wrong: &mut Vec<Wrong>) {
        if self.directory.as_ref().is_some_and(|dir| dir.as_os_str().is_empty()) {
            wrong.push(Wrong::at("telemetry.directory", "the folder's name is empty"));
        }
        wrong.extend(self.url.as_deref().and_then(wrong_url));
        for (name, secs) in [("seal_after_secs", self.seal_after_secs), ("removal_after_secs", self.removal_after_secs)]
        {
            if !(1..=86_400).contains(&secs) {
                let what = format!("{secs} is out of range: 1 second to a day (86400)");
                wrong.push(Wrong::at(format!("telemetry.{name}"), what));
            }
        }
        if !(1..=3_600).contains(&self.interval_secs) {
            let what = format!("{} is out of range: 1 second to an hour (3600)", self.interval_secs);
            wrong.push(Wrong::at("telemetry.interval_secs", what));
        }
        if !RETENTION_DAYS.contains(&self.retention_days) {
            let what = format!("{} is out of range: 1 day to ten years (3653)", self.retention_days);
            wrong.push(Wrong::at("telemetry.retention_days", what));
        }
        if !(32..=1_048_576).contains(&self.query_memory_mib) {
            let what = format!("{} is out of range: 32 MiB to a TiB (1048576)", self.query_memory_mib);
            wrong.push(Wrong::at("telemetry.query_memory_mib", what));
        }
        if self.account.len() != 12 || !self.account.bytes().all(|byte| byte.is_ascii_digit()) {
            wrong.push(Wrong::at("telemetry.account", "an account has 12 digits"));
        }
        for (index, key) in self.api_keys.iter().enumerate() {
            let id = &key.access_key_id;
            let path = format!("telemetry.api_keys.{index}.access_key_id");
            if !(16..=128).contains(&id.len()) || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                wrong.push(Wrong::at(path, "the id of a key has 16 to 128 letters and digits"));
            } else if self.api_keys[..index].iter().any(|other| other.access_key_id == *id) {
                wrong.push(Wrong::at(path, format!("`{id}` is there twice: take one out")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn told(text: &str) -> String {
        let text = format!("[telemetry]\n{text}\n");
        Config::parse("muster.toml", &text).map_or_else(|mistakes| mistakes.to_string(), |_| String::new())
    }

    #[test]
    fn nonsense_is_refused_where_it_stands() {
        assert_eq!(
            told("url = \"s3://bucket/prefix\"\ninterval_secs = 10\ndetail = \"enhanced\"\naws_exact = true"),
            ""
        );
        for (text, says) in [
            ("url = \"bucket\"", "s3://BUCKET"),
            ("url = \"gs://bucket/a\"", "s3://BUCKET"),
            ("url = \"s3:///a\"", "s3://BUCKET"),
            ("interval_secs = 0", "out of range"),
            ("seal_after_secs = 0", "to a day"),
            ("removal_after_secs = 90000", "to a day"),
            ("retention_days = 4000", "ten years"),
            ("account = \"12345\"", "12 digits"),
            ("detail = \"enhancd\"", "did you mean `enhanced`?"),
            ("directory = \"\"", "empty"),
            ("api_keys = [{ access_key_id = \"short\", secret = \"env:A\" }]", "16 to 128"),
            (
                "api_keys = [{ access_key_id = \"AKIAMUSTEREXAMPLE\", secret = \"env:A\" }, { access_key_id = \"AKIAMUSTEREXAMPLE\", secret = \"env:A\" }]",
                "twice",
            ),
        ] {
            let told = told(text);
            assert!(told.contains(says) && told.starts_with("muster.toml:2:"), "{text}: {told}");
        }
        let secret = told("api_keys = [{ access_key_id = \"AKIAMUSTEREXAMPLE\", secret = \"hunter2hunter2\" }]");
        assert!(secret.contains("env:NAME") && !secret.contains("hunter2"), "{secret}");
        let keys = told("url = \"s3://AKIAHUNTER2:hunter2@bucket/a\"");
        assert!(keys.contains("keys") && !keys.to_lowercase().contains("hunter2"), "{keys}");
    }
}
