//! `"Type":"InstanceDiskIO"`: one block device of a host. It carries no metrics.

use super::{
    Line,
    instance::{HostIdentity, Told},
};

/// One device at a minute.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DiskRecord {
    /// Whose.
    pub identity: HostIdentity,
    /// When.
    pub told: Told,
    /// The device, such as `/dev/nvme0n1`.
    pub device: String,
    /// Operations a second.
    pub operations: DiskFigures,
    /// Bytes a second.
    pub bytes: DiskFigures,
}

/// One figure of a device by how it came about, a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the kernel's own words")]
pub struct DiskFigures {
    pub asynchronous: f64,
    pub read: f64,
    pub synchronous: f64,
    pub total: f64,
    pub write: f64,
}

impl DiskRecord {
    /// Its text.
    pub fn text(&self) -> String {
        let mut object = self.identity.begin("InstanceDiskIO", &["cadvisor"], self.told);
        object.member("device", &self.device);
        for (what, figures) in [("serviced", self.operations), ("service_bytes", self.bytes)] {
            for (how, figure) in [
                ("async", figures.asynchronous),
                ("read", figures.read),
                ("sync", figures.synchronous),
                ("total", figures.total),
                ("write", figures.write),
            ] {
                object.member(&format!("instance_diskio_io_{what}_{how}"), &figure);
            }
        }
        object.finish()
    }

    /// Its line in the cluster's performance log.
    pub fn line(&self) -> Line {
        self.identity.line(self.told, self.text())
    }
}
