//! `"Type":"InstanceFS"`: one file system of a host.

use super::{
    Line,
    directive::{self, Author, Directive},
    instance::{HOST_SET, HostIdentity, Told},
    usage::percent,
};

/// One file system at a minute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileSystemRecord {
    /// Whose.
    pub identity: HostIdentity,
    /// When.
    pub told: Told,
    /// The device, such as `/dev/nvme0n1p1`.
    pub device: String,
    /// Its kind, such as `vfs`.
    pub kind: String,
    /// Bytes that may still be written.
    pub available_bytes: u64,
    /// All bytes.
    pub capacity_bytes: u64,
    /// Bytes used.
    pub used_bytes: u64,
    /// All inodes.
    pub inodes: u64,
    /// Free ones.
    pub inodes_free: u64,
}

impl FileSystemRecord {
    /// Its text.
    pub fn text(&self) -> String {
        let mut object = self.identity.begin("InstanceFS", &["cadvisor", "calculated"], self.told);
        let used = percent(Some(self.used_bytes as f64), Some(self.capacity_bytes as f64));
        object
            .member("device", &self.device)
            .member("fstype", &self.kind)
            .member("instance_filesystem_available", &self.available_bytes)
            .member("instance_filesystem_capacity", &self.capacity_bytes)
            .member("instance_filesystem_inodes", &self.inodes)
            .member("instance_filesystem_inodes_free", &self.inodes_free)
            .member("instance_filesystem_usage", &self.used_bytes)
            .maybe("instance_filesystem_utilization", used);
        let metrics = used.map(|_| ("instance_filesystem_utilization", Some("Percent"))).into_iter().collect();
        let sets = vec![HOST_SET.to_vec(), vec!["ClusterName"]];
        let directives = directive::of([Directive { author: Author::Agent, metrics, sets }]);
        if !directives.is_empty() {
            object.member("CloudWatchMetrics", &directives);
        }
        object.finish()
    }

    /// Its line in the cluster's performance log.
    pub fn line(&self) -> Line {
        self.identity.line(self.told, self.text())
    }
}
