//! The single calls that remedies are made of. An intent is journaled and flushed before its call; its outcome comes
//! back as an input. Every act can be asked for twice: what has happened already is a success.

use serde::{Deserialize, Serialize};

use super::Remedy;
use crate::{
    effect::Look,
    id::{CaseId, is_ec2_instance_id},
    observation::Text,
};

/// The number of an intent: unique in one journal, in order, starting at 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IntentId(pub u64);

impl std::fmt::Display for IntentId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One call that is about to be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// Its number.
    pub id: IntentId,
    /// Unique everywhere and the same at every try: AWS, webhooks and SSM comments carry it.
    pub token: String,
    /// On behalf of which case.
    pub case: CaseId,
    /// Of which remedy.
    pub remedy: Remedy,
    /// What is to be done.
    pub act: Act,
    /// To whom.
    pub target: Target,
    /// What must still be so when the target is read again just before the call.
    pub expects: Expects,
    /// How long the call, waiting included, may take.
    pub limit_secs: u32,
}

/// What is to be done. Each is one AWS operation, or one command and its end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Read what will soon be lost: agent and init log tail through SSM, console output. Disturbs nothing; what cannot
    /// be had is said and is no failure.
    SaveEvidence,
    /// Restart the ECS agent through SSM, and wait for the command's end.
    RestartAgent,
    /// Restart the container runtime through SSM, and wait for the command's end.
    RestartRuntime,
    /// Reboot the machine: ec2:RebootInstances, through SSM on ECS Anywhere.
    Reboot,
    /// ecs:UpdateContainerInstancesState to DRAINING.
    Drain,
    /// ecs:UpdateContainerInstancesState to ACTIVE.
    Undrain,
    /// autoscaling:SetDesiredCapacity, up to make room before a replacement, or back after one was given up.
    SetDesired {
        /// What the group has now; another value means that somebody else has moved it, and nothing is done.
        from: u32,
        /// What it should have.
        to: u32,
    },
    /// autoscaling:ExecutePolicy, to make room by a scaling policy of the group.
    ExecutePolicy {
        /// Its name.
        policy: String,
        /// What the group has now; another value means that somebody else has moved it, and nothing is done.
        from: u32,
    },
    /// autoscaling:TerminateInstanceInAutoScalingGroup.
    TerminateInGroup {
        /// The group shrinks: only after muster itself has raised it for this very replacement, or because there is more
        /// room than declared.
        shrink: bool,
    },
    /// autoscaling:SetInstanceHealth to Unhealthy: the group replaces it on its own schedule.
    MarkUnhealthy,
    /// ec2:TerminateInstances, for a machine outside of any group.
    Terminate,
    /// ecs:DeregisterContainerInstance, forced.
    Deregister,
    /// An action that the operator has written, by its name in the configuration.
    Custom {
        /// Its name.
        name: String,
    },
}

impl Act {
    /// The kebab-case word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::SaveEvidence => "save-evidence",
            Self::RestartAgent => "restart-agent",
            Self::RestartRuntime => "restart-runtime",
            Self::Reboot => "reboot",
            Self::Drain => "drain",
            Self::Undrain => "undrain",
            Self::SetDesired { .. } => "set-desired",
            Self::ExecutePolicy { .. } => "execute-policy",
            Self::TerminateInGroup { .. } => "terminate-in-group",
            Self::MarkUnhealthy => "mark-unhealthy",
            Self::Terminate => "terminate",
            Self::Deregister => "deregister",
            Self::Custom { .. } => "custom",
        }
    }

    /// Whether a second call of the same intent, after one whose end nobody has seen, changes nothing more than the
    /// first did. A command on the host is found again by its token; a reboot cannot be told from the one before.
    pub fn may_be_repeated(&self) -> bool {
        !matches!(self, Self::Reboot | Self::Custom { .. })
    }

    /// Disturbs nothing, or undoes what was done: allowed at any time.
    pub fn is_harmless(&self) -> bool {
        matches!(self, Self::SaveEvidence | Self::Undrain)
    }

    /// Ends the machine.
    pub fn ends_machine(&self) -> bool {
        matches!(self, Self::TerminateInGroup { .. } | Self::MarkUnhealthy | Self::Terminate)
    }
}

/// Whom an act is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Target {
    /// Cluster ARN.
    pub cluster: String,
    /// `ACCOUNT/REGION`.
    pub place: String,
    /// Container instance ARN; `None` for a machine that never registered.
    #[serde(default)]
    pub host: Option<String>,
    /// `i-…` or `mi-…`.
    #[serde(default)]
    pub machine: Option<String>,
    /// Auto Scaling group name.
    #[serde(default)]
    pub group: Option<String>,
    /// `linux` or `windows`, as ECS says.
    #[serde(default)]
    pub os_type: Option<String>,
    /// As SSM says: `Amazon Linux`, `Bottlerocket`, ….
    #[serde(default)]
    pub platform: Option<String>,
    /// ECS Anywhere.
    #[serde(default)]
    pub external: bool,
}

/// What must still be so just before the call. Whoever cannot be asked again is no excuse: then nothing is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Expects {
    /// ECS says that the agent is away.
    pub agent_away: bool,
    /// ECS says that the container runtime is impaired.
    pub runtime_impaired: bool,
    /// EC2 does not know the machine any more, or says that it is terminated.
    pub machine_gone: bool,
    /// EC2 says that the machine is running.
    pub machine_running: bool,
    /// ECS knows no host of the cluster on the machine.
    pub unregistered: bool,
    /// A witness besides ECS speaks against the machine: its ping is lost or its status checks fail.
    pub second_witness: bool,
    /// The host takes no new tasks.
    pub draining: bool,
    /// ECS says that the agent is connected.
    pub connected: bool,
    /// ECS counts no more tasks than so many on the host, running and pending.
    pub most_tasks: Option<u32>,
    /// Auto Scaling tells the group as a whole: its size, its limits, what it protects from scale-in.
    pub group: bool,
}

impl Intent {
    /// What is read again just before the call.
    pub fn rereads(&self) -> Vec<Look> {
        let mut looks = Vec::new();
        let expects = self.expects;
        if (expects.agent_away
            || expects.runtime_impaired
            || expects.draining
            || expects.connected
            || expects.most_tasks.is_some())
            && let Some(host) = &self.target.host
        {
            looks.push(Look::Hosts { cluster: self.target.cluster.clone(), arns: vec![host.clone()] });
        }
        if let Some(group) = self.target.group.as_ref().filter(|_| expects.group) {
            looks.push(Look::Groups { place: self.target.place.clone(), names: vec![group.clone()] });
        }
        if let Some(machine) = &self.target.machine {
            let place = &self.target.place;
            if (expects.machine_gone || expects.machine_running || expects.second_witness)
                && is_ec2_instance_id(machine)
            {
                looks.push(Look::Machines { place: place.clone(), ids: vec![machine.clone()] });
            }
            if expects.unregistered && is_ec2_instance_id(machine) {
                let (cluster, machines) = (self.target.cluster.clone(), vec![machine.clone()]);
                looks.push(Look::Registrations { cluster, machines });
            }
            if expects.second_witness {
                looks.push(Look::Pings { place: place.clone(), ids: vec![machine.clone()] });
            }
        }
        looks
    }
}

/// What came of an intent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome<'a> {
    /// Of which.
    pub intent: IntentId,
    /// What.
    #[serde(borrow)]
    pub result: ActResult<'a>,
}

/// How an act ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActResult<'a> {
    /// It took effect, now or at an earlier try.
    Done {
        /// What the other side said, in a few words; may be empty.
        #[serde(borrow)]
        note: Text<'a>,
    },
    /// Evidence was gathered: what, and its text. Secrets have been taken out, long texts are cut.
    Saved {
        /// Name and text, `agent log`, `console output`; a text may say why it could not be had.
        items: Vec<(String, String)>,
    },
    /// It was performed, and the other side says that the trouble is still there: the agent does not answer on the host
    /// after its restart. A witness of its own.
    Unhealed {
        /// What it said.
        #[serde(borrow)]
        says: Text<'a>,
    },
    /// Reading the target again showed that it is not as expected: nothing was done.
    Unfit {
        /// What was seen.
        #[serde(borrow)]
        why: Text<'a>,
    },
    /// The target does not exist (any more): nothing was done.
    Gone {
        /// Who says so.
        #[serde(borrow)]
        note: Text<'a>,
    },
    /// It can never work here: no shell on the host, a group that would fall below its minimum.
    Impossible {
        /// Why, and what to do instead.
        #[serde(borrow)]
        why: Text<'a>,
    },
    /// Not allowed: nothing was done.
    Denied {
        /// Which permission is missing, and what to do.
        #[serde(borrow)]
        why: Text<'a>,
    },
    /// It failed, or its end was not seen.
    Failed {
        /// Why.
        #[serde(borrow)]
        why: Text<'a>,
        /// It may have taken effect all the same.
        may_have_happened: bool,
    },
    /// muster itself did not let it happen: the kill switch, another replica in charge, a lease about to end.
    Withheld {
        /// Why.
        #[serde(borrow)]
        why: Text<'a>,
    },
}

impl ActResult<'_> {
    /// The kebab-case word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Done { .. } => "done",
            Self::Saved { .. } => "saved",
            Self::Unhealed { .. } => "unhealed",
            Self::Unfit { .. } => "unfit",
            Self::Gone { .. } => "gone",
            Self::Impossible { .. } => "impossible",
            Self::Denied { .. } => "denied",
            Self::Failed { .. } => "failed",
            Self::Withheld { .. } => "withheld",
        }
    }

    /// What was said, in one sentence; empty when nothing was.
    pub fn says(&self) -> &str {
        match self {
            Self::Done { note } | Self::Gone { note } => note,
            Self::Saved { .. } => "",
            Self::Unhealed { says } => says,
            Self::Unfit { why }
            | Self::Impossible { why }
            | Self::Denied { why }
            | Self::Failed { why, .. }
            | Self::Withheld { why } => why,
        }
    }
}
