//! What the core asks of the shell.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{id::CaseId, journal::Record, notice::page::Page, remedy::act::Intent};

/// One effect of [`step`](crate::step::step), performed by the engine after the input is journaled and flushed.
///
/// Publishing a sample comes with the feature that needs it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Effect {
    /// Write this down for ever.
    Record(Record),
    /// Say this in the log and in live views, at once.
    Notify(Notice),
    /// Send this to a receiver. Owed until `Told` says what became of it.
    Page(Page),
    /// Do this. Owed until `Acted` says what came of it.
    Act(Intent),
    /// Read this again from the cloud.
    Look(Look),
    /// Call again with `Ticked` at this time or soon after. The earliest one wins.
    WakeAt(Timestamp),
}

/// A wish to see something with fresh eyes. The answer comes back as `Swept` or `LookFailed` of the matching scope.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Look {
    /// DescribeContainerInstances with health, at most 100 ARNs of one cluster: `Scope::Hosts`.
    Hosts {
        /// Cluster ARN.
        cluster: String,
        /// At most 100 container instance ARNs.
        arns: Vec<String>,
    },
    /// ListContainerInstances with the filter `ec2InstanceId in […]`, and DescribeContainerInstances of what it names:
    /// `Scope::Hosts`. Each machine is told as its host, or as [`Fact::Unregistered`](crate::observation::Fact::Unregistered).
    Registrations {
        /// Cluster ARN.
        cluster: String,
        /// At most 100 EC2 instance ids.
        machines: Vec<String>,
    },
    /// DescribeTasks, at most 100 ARNs of one cluster: `Scope::Tasks`.
    Tasks {
        /// Cluster ARN.
        cluster: String,
        /// At most 100 task ARNs.
        arns: Vec<String>,
    },
    /// DescribeInstanceStatus (all states) for at most 100 EC2 ids of one place: `Scope::Machines`, not complete.
    Machines {
        /// `ACCOUNT/REGION`.
        place: String,
        /// At most 100 EC2 instance ids.
        ids: Vec<String>,
    },
    /// DescribeInstanceInformation for at most 50 machine ids of one place: `Scope::Pings`, not complete.
    Pings {
        /// `ACCOUNT/REGION`.
        place: String,
        /// At most 50 ids, `i-…` or `mi-…`.
        ids: Vec<String>,
    },
    /// DescribeAutoScalingGroups and DescribeScalingActivities for at most 50 groups of one place: `Scope::Groups`, not
    /// complete. Tells each group as a whole, and its members.
    Groups {
        /// `ACCOUNT/REGION`.
        place: String,
        /// At most 50 names.
        names: Vec<String>,
    },
    /// What a copy of a service or of a task definition needs: DescribeServices, DescribeTaskDefinition, ListServices (the
    /// daemons of the cluster), DescribeSubnets: `Scope::Demand`.
    Demand {
        /// Cluster ARN.
        cluster: String,
        /// `service:NAME` or `family:NAME`.
        of: String,
    },
}

/// A message to people. Where it goes is the shell's business.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// The case it is about.
    pub case: CaseId,
    /// How loud.
    pub severity: Severity,
    /// One sentence.
    pub text: String,
}

/// How loud a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good to know; recoveries.
    Info,
    /// Somebody should look in working hours.
    Warning,
    /// Somebody should look now.
    Critical,
}
