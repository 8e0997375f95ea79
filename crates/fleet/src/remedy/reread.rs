//! Reading the target again just before a call: whether everything that the intent expects is still so. Silence proves
//! nothing: an answer that failed, or that does not name the target, stops the call.

use super::act::{Act, ActResult, Intent};
use crate::{
    id::{Arn, is_ec2_instance_id, is_external_id},
    input::{LookFailure, Scope, Sweep},
    observation::{CheckStatus, Ec2State, Fact, InstanceFact, InstanceStatus, Observation, ReachabilityStatus},
};

/// How old CONTAINER_RUNTIME's last run may be: it runs twice a minute and is reported over the agent's own connection,
/// so an old one says only that the agent is away (aws-semantics C.2).
const CHECK_FRESH_SECS: i64 = 600;

/// Whether all that `intent` expects still holds, by the answers to the looks of [`Intent::rereads`], in any order.
///
/// `Err` says what was seen instead, to be given as the outcome: [`ActResult::Gone`] when the very thing that the act is
/// about does not exist any more, otherwise [`ActResult::Unfit`]. Facts about other hosts and machines are no evidence.
pub fn holds(intent: &Intent, answers: &[Result<Sweep<'_>, LookFailure<'_>>]) -> Result<(), ActResult<'static>> {
    let seen = Seen { intent, answers };
    let expects = intent.expects;
    if expects.machine_running {
        seen.machine_runs()?;
    }
    if expects.machine_gone {
        seen.machine_is_gone()?;
    }
    if expects.group {
        seen.group_is_as_it_was()?;
    }
    if expects.unregistered {
        seen.machine_is_no_host()?;
    }
    if expects.agent_away
        || expects.runtime_impaired
        || expects.draining
        || expects.connected
        || expects.most_tasks.is_some()
    {
        for host in seen.host()? {
            seen.is_a_host_of_ours(host)?;
            if expects.agent_away {
                seen.agent_is_away(host)?;
            }
            if expects.draining && host.status != InstanceStatus::Draining {
                return unfit(format!("ECS says that {} is not DRAINING but {}", seen.host_name(), word(host.status)));
            }
            if expects.connected {
                seen.agent_is_connected(host)?;
            }
            if let Some(most) = expects.most_tasks {
                seen.has_no_more_tasks(host, most)?;
            }
        }
    }
    if expects.runtime_impaired {
        seen.runtime_is_impaired()?;
    }
    if expects.second_witness {
        seen.second_witness()?;
    }
    Ok(())
}

type Judged<T = ()> = Result<T, ActResult<'static>>;

fn unfit<T>(why: String) -> Judged<T> {
    Err(ActResult::Unfit { why: why.into() })
}

fn gone<T>(note: String) -> Judged<T> {
    Err(ActResult::Gone { note: note.into() })
}

/// Who was asked.
#[derive(Clone, Copy)]
enum Asked {
    Ecs,
    Ec2,
    Ssm,
    AutoScaling,
}

/// The answers, seen from one intent.
struct Seen<'a> {
    intent: &'a Intent,
    answers: &'a [Result<Sweep<'a>, LookFailure<'a>>],
}

impl<'a> Seen<'a> {
    fn facts(&self) -> impl Iterator<Item = &'a Observation<'a>> {
        self.answers.iter().filter_map(|answer| answer.as_ref().ok()).flat_map(|sweep| &sweep.found)
    }

    /// Why nothing was heard of `what`.
    fn unheard(&self, asked: Asked, what: &str) -> String {
        let fits = |scope: &Scope<'_>| match asked {
            Asked::Ecs => matches!(scope, Scope::Hosts { .. }),
            Asked::Ec2 => matches!(scope, Scope::Machines(_)),
            Asked::Ssm => matches!(scope, Scope::Pings(_)),
            Asked::AutoScaling => matches!(scope, Scope::Groups(_)),
        };
        let who = match asked {
            Asked::Ecs => "ECS",
            Asked::Ec2 => "EC2",
            Asked::Ssm => "SSM",
            Asked::AutoScaling => "Auto Scaling",
        };
        let failure = self.answers.iter().filter_map(|answer| answer.as_ref().err()).find(|it| fits(&it.scope));
        match failure {
            Some(failure) => format!("{who} could not be asked about {what} again: {}", failure.message),
            None => format!("asked about {what} again, {who} said nothing of it"),
        }
    }

    /// The act is about the machine and not about its registration in ECS.
    fn is_about_machine(&self) -> bool {
        self.intent.act.ends_machine() || self.intent.act == Act::Reboot
    }

    fn host_name(&self) -> String {
        let arn = self.intent.target.host.as_deref().unwrap_or_default();
        format!("host {}", Arn::parse(arn).map_or(arn, |arn| arn.last()))
    }

    fn machine(&self) -> Judged<&'a str> {
        match &self.intent.target.machine {
            Some(machine) => Ok(machine),
            None => unfit("nobody can say which machine is meant".into()),
        }
    }

    /// What ECS says of the host: at least one fact.
    fn host(&self) -> Judged<Vec<&'a InstanceFact<'a>>> {
        let Some(arn) = self.intent.target.host.as_deref() else {
            return unfit("there is no host in ECS to be asked about".into());
        };
        let mut found = Vec::new();
        for observation in self.facts() {
            match &observation.fact {
                Fact::Instance(host) if host.arn == arn => found.push(host),
                Fact::InstanceMissing { arn: missing } if missing == arn => {
                    return self.host_is_missing("ECS does not know it");
                }
                _ => {}
            }
        }
        if found.is_empty() { unfit(self.unheard(Asked::Ecs, &self.host_name())) } else { Ok(found) }
    }

    fn host_is_missing<T>(&self, why: &str) -> Judged<T> {
        let says = format!("{} is no host of its cluster any more: {why}", self.host_name());
        // The machine may well be there, with another registration.
        if self.is_about_machine() { unfit(says) } else { gone(says) }
    }

    fn is_a_host_of_ours(&self, host: &InstanceFact<'_>) -> Judged {
        match host.status {
            InstanceStatus::Active | InstanceStatus::Draining | InstanceStatus::RegistrationFailed => {}
            InstanceStatus::Inactive => return self.host_is_missing("it is deregistered"),
            status => return unfit(format!("ECS says that {} is {}", self.host_name(), word(status))),
        }
        let Some(machine) = self.intent.target.machine.as_deref() else { return Ok(()) };
        match host.ec2_instance_id.as_deref() {
            Some(id) if id == machine => Ok(()),
            Some(id) => {
                let other = if is_ec2_instance_id(id) || is_external_id(id) { id } else { "another machine" };
                unfit(format!("ECS says that {} is on {other}, not on {machine}", self.host_name()))
            }
            None => unfit(format!("ECS does not say any more that {} is on {machine}", self.host_name())),
        }
    }

    fn agent_is_away(&self, host: &InstanceFact<'_>) -> Judged {
        match host.agent_connected {
            Some(false) => Ok(()),
            Some(true) => unfit(format!("the agent of {} is connected again", self.host_name())),
            None => unfit(format!("ECS does not say whether the agent of {} is connected", self.host_name())),
        }
    }

    fn agent_is_connected(&self, host: &InstanceFact<'_>) -> Judged {
        match host.agent_connected {
            Some(true) => Ok(()),
            _ => unfit(format!("ECS does not say that the agent of {} is connected", self.host_name())),
        }
    }

    fn has_no_more_tasks(&self, host: &InstanceFact<'_>, most: u32) -> Judged {
        let (Some(running), Some(pending)) = (host.running_tasks, host.pending_tasks) else {
            return unfit(format!("ECS does not say how many tasks {} has", self.host_name()));
        };
        match running.saturating_add(pending) {
            tasks if tasks > most => unfit(format!(
                "{} is not empty: ECS counts {tasks} tasks on it, {most} of them may be",
                self.host_name()
            )),
            _ => Ok(()),
        }
    }

    /// What Auto Scaling says of the group: that a step upwards begins where it was decided and ends within its limits, that
    /// a machine that is to go is an unprotected member of a group that may shrink.
    fn group_is_as_it_was(&self) -> Judged {
        let name = self.intent.target.group.as_deref().unwrap_or_default();
        let told = self.facts().find_map(|observation| match &observation.fact {
            Fact::Group(group) if group.name == name && group.place == self.intent.target.place => Some(group),
            _ => None,
        });
        let Some(group) = told else { return unfit(self.unheard(Asked::AutoScaling, &format!("the group {name}"))) };
        let asleep = |process: &str| group.suspended.iter().any(|held| held == process);
        match &self.intent.act {
            Act::SetDesired { from, .. } | Act::ExecutePolicy { from, .. } if group.desired != *from => unfit(format!(
                "the group {name} wants {} machines by now, not {from}: somebody else sizes it",
                group.desired
            )),
            Act::SetDesired { to, .. } if *to > group.max => {
                unfit(format!("the group {name} may have {} machines, and {to} were to be asked for", group.max))
            }
            Act::SetDesired { .. } | Act::ExecutePolicy { .. } if asleep("Launch") => {
                unfit(format!("the process Launch of the group {name} is suspended"))
            }
            Act::Drain | Act::TerminateInGroup { .. } => {
                let machine = self.machine()?;
                if group.protected.iter().any(|id| id == machine) {
                    return unfit(format!("the group {name} protects {machine} from scale-in"));
                }
                if !group.members.iter().any(|id| id == machine) {
                    return unfit(format!(
                        "{machine} is no member of the group {name} any more, or on its way out of it"
                    ));
                }
                if group.desired <= group.min {
                    return unfit(format!("the group {name} may not have fewer than {} machines", group.min));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn runtime_is_impaired(&self) -> Judged {
        let host = self.host_name();
        let arn = self.intent.target.host.as_deref().unwrap_or_default();
        let mut heard = false;
        for observation in self.facts() {
            let Fact::Health(health) = &observation.fact else { continue };
            for check in health.checks.iter().filter(|check| health.arn == arn && check.kind == "CONTAINER_RUNTIME") {
                if check.status != CheckStatus::Impaired {
                    return unfit(format!(
                        "ECS does not say any more that the container runtime of {host} is impaired"
                    ));
                }
                let age = check.last_updated.map(|at| observation.at.duration_since(at).as_secs());
                if let Some(age) = age.filter(|age| *age > CHECK_FRESH_SECS) {
                    return unfit(format!("the container runtime of {host} was last checked {age} s ago"));
                }
                heard = true;
            }
        }
        if heard { Ok(()) } else { unfit(self.unheard(Asked::Ecs, &format!("the container runtime of {host}"))) }
    }

    /// What EC2 says of the machine's state.
    fn states(&self, machine: &'a str) -> impl Iterator<Item = Ec2State> {
        self.facts().filter_map(move |observation| match &observation.fact {
            Fact::Ec2State { instance_id, state } if instance_id == machine => Some(*state),
            Fact::Ec2Status(status) if status.instance_id == machine => Some(status.state),
            _ => None,
        })
    }

    fn machine_runs(&self) -> Judged {
        let machine = self.machine()?;
        let mut heard = false;
        for state in self.states(machine) {
            match state {
                Ec2State::Running => heard = true,
                Ec2State::Gone => return gone(format!("EC2 does not know {machine} any more")),
                Ec2State::Terminated | Ec2State::ShuttingDown => {
                    return gone(format!("EC2 says that {machine} is {}", state_word(state)));
                }
                _ => {
                    return unfit(format!("EC2 says that {machine} is not running but {}", state_word(state)));
                }
            }
        }
        if heard { Ok(()) } else { unfit(self.unheard(Asked::Ec2, machine)) }
    }

    fn machine_is_gone(&self) -> Judged {
        let machine = self.machine()?;
        let mut heard = false;
        for state in self.states(machine) {
            match state {
                Ec2State::Gone | Ec2State::Terminated => heard = true,
                _ => return unfit(format!("EC2 says that {machine} is there and {}", state_word(state))),
            }
        }
        if heard { Ok(()) } else { unfit(self.unheard(Asked::Ec2, machine)) }
    }

    /// A machine that has registered after all is not what the intent is about.
    fn machine_is_no_host(&self) -> Judged {
        let machine = self.machine()?;
        let mut heard = false;
        for observation in self.facts() {
            match &observation.fact {
                Fact::Instance(host)
                    if host.ec2_instance_id.as_deref() == Some(machine) && host.status != InstanceStatus::Inactive =>
                {
                    return unfit(format!(
                        "{machine} has registered meanwhile: ECS says that it is {}",
                        word(host.status)
                    ));
                }
                Fact::Unregistered { cluster, instance_id } => {
                    heard |= instance_id == machine && *cluster == self.intent.target.cluster;
                }
                _ => {}
            }
        }
        if heard { Ok(()) } else { unfit(self.unheard(Asked::Ecs, machine)) }
    }

    /// One witness that speaks is enough; the other may be silent, but one must have spoken against the machine.
    fn second_witness(&self) -> Judged {
        let machine = self.machine()?;
        let against = self.facts().any(|observation| match &observation.fact {
            Fact::Ssm(ping) => ping.instance_id == machine && ping.online == Some(false),
            Fact::Ec2State { instance_id, state } => instance_id == machine && is_down(*state),
            Fact::Ec2Status(status) => {
                status.instance_id == machine
                    && (is_down(status.state)
                        || [status.system, status.instance, status.ebs].contains(&ReachabilityStatus::Impaired))
            }
            _ => false,
        });
        if against {
            return Ok(());
        }
        let ping = self.facts().find_map(|observation| match &observation.fact {
            Fact::Ssm(ping) if ping.instance_id == machine => Some(ping.online),
            _ => None,
        });
        let ping = match ping {
            Some(Some(_)) => format!("SSM says that the ping of {machine} is online"),
            Some(None) => format!("SSM does not know {machine}"),
            None => self.unheard(Asked::Ssm, machine),
        };
        let checks = if !is_ec2_instance_id(machine) {
            "EC2 has no status checks of it".to_owned()
        } else if self.states(machine).next().is_some() {
            "EC2's status checks do not fail".to_owned()
        } else {
            self.unheard(Asked::Ec2, machine)
        };
        unfit(format!("no witness besides ECS speaks against {machine}: {ping}; {checks}"))
    }
}

fn is_down(state: Ec2State) -> bool {
    use Ec2State as S;
    matches!(state, S::Stopping | S::Stopped | S::ShuttingDown | S::Terminated | S::Gone)
}

fn state_word(state: Ec2State) -> &'static str {
    match state {
        Ec2State::Pending => "pending",
        Ec2State::Running => "running",
        Ec2State::Stopping => "stopping",
        Ec2State::Stopped => "stopped",
        Ec2State::ShuttingDown => "shutting down",
        Ec2State::Terminated => "terminated",
        Ec2State::Gone => "unknown to it",
        Ec2State::Other => "in a state that this muster does not know",
    }
}

fn word(status: InstanceStatus) -> &'static str {
    match status {
        InstanceStatus::Registering => "REGISTERING",
        InstanceStatus::RegistrationFailed => "REGISTRATION_FAILED",
        InstanceStatus::Active => "ACTIVE",
        InstanceStatus::Draining => "DRAINING",
        InstanceStatus::Deregistering => "DEREGISTERING",
        InstanceStatus::Inactive => "INACTIVE",
        InstanceStatus::Other => "in a status that this muster does not know",
    }
}
