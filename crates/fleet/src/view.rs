//! What people and scripts are shown. Field names are an interface: add, never rename.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    id::CaseId,
    journal::{Stage, Trouble},
    remedy::{Decision, Remedy},
    verdict::{Confidence, Testimony, Verdict},
};

/// One host in a roll call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostView {
    /// Container instance ARN; `None` for a machine that never registered.
    pub arn: Option<String>,
    /// Cluster ARN.
    pub cluster: String,
    /// `i-…` or `mi-…`.
    pub ec2_instance_id: Option<String>,
    /// The verdict.
    pub verdict: Verdict,
    /// How sure.
    pub confidence: Confidence,
    /// Sentences.
    pub reasons: Vec<String>,
    /// Everything heard.
    pub witnesses: Vec<Testimony>,
    /// Since when the verdict holds, as far as is known.
    pub since: Timestamp,
    /// Availability zone.
    pub zone: Option<String>,
    /// Instance type.
    pub instance_type: Option<String>,
    /// AMI.
    pub ami: Option<String>,
    /// Agent version.
    pub agent_version: Option<String>,
    /// Auto Scaling group.
    pub group: Option<String>,
    /// Tasks that ECS counts as running here.
    pub running_tasks: u32,
    /// Of those, ARNs of tasks nobody can vouch for because the host is lost. Filled for lost hosts only.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub zombie_tasks: Vec<String>,
    /// The open case, if any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub case: Option<CaseId>,
}

/// One cluster in a roll call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterView {
    /// Cluster ARN.
    pub arn: String,
    /// When its hosts were last looked at completely.
    pub looked_at: Option<Timestamp>,
    /// Why the last look failed, when it did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trouble: Option<String>,
    /// Its hosts, in the order of their ARNs; never-registered machines last.
    pub hosts: Vec<HostView>,
}

/// A whole roll call: `muster scan --output json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RollCall {
    /// When the roll was called.
    pub at: Timestamp,
    /// The clusters, in the order of their ARNs.
    pub clusters: Vec<ClusterView>,
}

/// One case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseView {
    /// Its number.
    pub case: CaseId,
    /// What kind.
    pub trouble: Trouble,
    /// Container instance ARN, EC2 id or cohort.
    pub subject: String,
    /// Cluster ARN; empty for a doubt wider than one.
    pub cluster: String,
    /// EC2 or SSM id.
    pub ec2_instance_id: Option<String>,
    /// Where it stands.
    pub stage: Stage,
    /// When the trouble began, as far as is known.
    pub since: Timestamp,
    /// When the case was opened.
    pub opened_at: Timestamp,
    /// The next deadline.
    pub until: Option<Timestamp>,
    /// Verdict of its subject.
    pub verdict: Verdict,
    /// How sure.
    pub confidence: Confidence,
    /// Sentences.
    pub reasons: Vec<String>,
    /// What was decided, if the deadline was met.
    pub decision: Option<Decision>,
    /// Tasks nobody can vouch for.
    pub zombie_tasks: Vec<String>,
    /// The doubt that holds this case.
    pub held_by: Option<CaseId>,
    /// How many hosts a doubt covers; 1 otherwise.
    pub hosts: u32,
    /// The remedy under way.
    #[serde(default)]
    pub under_way: Option<UnderWayView>,
    /// What was tried before, oldest first.
    #[serde(default)]
    pub tried: Vec<TriedView>,
}

/// A remedy under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnderWayView {
    /// What.
    pub remedy: Remedy,
    /// Since when.
    pub since: Timestamp,
    /// Its step: `evidence`, `drain`, `awaitdrained`, `perform`, `end`, …, or `verifying`.
    pub step: String,
}

/// A remedy that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TriedView {
    /// When it began.
    pub at: Timestamp,
    /// What.
    pub remedy: Remedy,
    /// How it ended.
    pub ended: String,
}

/// Something that an operator has stopped: what must not be touched, or where no remedy begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StopView {
    /// A host, a machine or a cluster, as the operator called it; of the kill switch a cluster, `None` for everything.
    pub subject: Option<String>,
    /// Until when; `None`: until somebody lifts it.
    pub until: Option<Timestamp>,
    /// Who.
    pub who: String,
    /// Why; may be empty.
    pub why: String,
}

/// Counts for gauges and headlines.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Clusters believed in.
    pub clusters: u32,
    /// Hosts believed in.
    pub hosts: u32,
    /// Tasks believed in.
    pub tasks: u32,
    /// Hosts (and never-registered machines) by verdict word.
    pub verdicts: std::collections::BTreeMap<String, u32>,
    /// Open cases.
    pub open_cases: u32,
}
