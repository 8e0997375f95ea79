//! `"Type":"InstanceNet"`: one network interface of a host. It carries no metrics.

use serde::Serialize;

use super::{
    Line,
    instance::{HostIdentity, Told, members},
};

/// One interface at a minute.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InterfaceRecord {
    /// Whose.
    pub identity: HostIdentity,
    /// When.
    pub told: Told,
    /// Its name, such as `eth0`.
    pub interface: String,
    /// What went over it.
    pub figures: InterfaceFigures,
}

/// What went over an interface, each figure a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[expect(missing_docs, reason = "counts whose names say it")]
pub struct InterfaceFigures {
    pub instance_interface_network_rx_bytes: f64,
    pub instance_interface_network_rx_dropped: f64,
    pub instance_interface_network_rx_errors: f64,
    pub instance_interface_network_rx_packets: f64,
    pub instance_interface_network_tx_bytes: f64,
    pub instance_interface_network_tx_dropped: f64,
    pub instance_interface_network_tx_errors: f64,
    pub instance_interface_network_tx_packets: f64,
}

impl InterfaceRecord {
    /// Its text.
    pub fn text(&self) -> String {
        let mut object = self.identity.begin("InstanceNet", &["cadvisor", "calculated"], self.told);
        let figures = &self.figures;
        let total = figures.instance_interface_network_rx_bytes + figures.instance_interface_network_tx_bytes;
        object.member("interface", &self.interface);
        members(&mut object, figures);
        object.member("instance_interface_network_total_bytes", &total);
        object.finish()
    }

    /// Its line in the cluster's performance log.
    pub fn line(&self) -> Line {
        self.identity.line(self.told, self.text())
    }
}
