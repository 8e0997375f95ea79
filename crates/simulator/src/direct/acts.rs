//! Acts of remedies upon the world, called directly: what the API would answer, what truly happens, and when its end is
//! seen.

use engine::ports::{Act, ActResult, Intent};

use crate::{
    clock::{Moment, SECOND},
    faults::Fate,
    simulation::Simulation,
    world::{HostId, HostStatus, Lifecycle, MachineId, MachineState, PlaceId, World, control::Refusal},
};

/// How long a call of the API takes.
const CALL_MS: i64 = 300;
/// How long a command on a host takes: delivered, run, and the agent asked whether it answers.
const COMMAND_MS: i64 = 12 * SECOND;

/// An act that has begun: what comes of it, and when.
#[derive(Clone, Debug)]
pub struct Begun {
    /// When its end is seen.
    pub ends_at: Moment,
    /// What is then seen.
    pub result: ActResult<'static>,
}

/// Something that truly happened because somebody called: kept in [`World::happened`], for judges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// When.
    pub at: Moment,
    /// By which muster.
    pub by: u8,
    /// The epoch of the lease it was called under; 0 without one.
    pub epoch: u64,
    /// The token of the intent.
    pub token: String,
    /// The act's word.
    pub act: String,
    /// The machine it happened to.
    pub machine: Option<MachineId>,
    /// The container instance it happened to.
    pub host: Option<HostId>,
}

/// Who calls.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller {
    /// Which muster.
    pub by: u8,
    /// Under which epoch of the lease.
    pub epoch: u64,
}

/// Performs an act.
pub fn act(simulation: &mut Simulation, intent: &Intent, again: bool) -> Begun {
    act_as(simulation, intent, again, Caller::default())
}

/// Performs an act on somebody's behalf.
pub fn act_as(simulation: &mut Simulation, intent: &Intent, again: bool, caller: Caller) -> Begun {
    let now = simulation.now();
    let limit = now.plus(i64::from(intent.limit_secs) * SECOND);
    let ends = |after_ms: i64, result| Begun { ends_at: now.plus(after_ms).min(limit), result };
    let Some(place) = place(&simulation.world, intent) else {
        return ends(0, impossible(format!("{} is no place that is known here", intent.target.place)));
    };
    let whom = Whom::of(&simulation.world, intent);
    // A command is found again by its token; a reboot or an own action is not made twice.
    let once = !intent.act.may_be_repeated() || matches!(intent.act, Act::RestartAgent | Act::RestartRuntime);
    if again && once && already(&simulation.world, intent) {
        return ends(CALL_MS, done("it was done by an earlier call"));
    }
    let action = action(intent);
    match simulation.call(place, action) {
        Fate::Answered => {}
        Fate::Throttled => return ends(CALL_MS, failed(format!("{action} was throttled"), false)),
        Fate::Denied(action) => {
            let why = format!("not allowed to call {action}; add it to the policy of the acting role");
            return ends(CALL_MS, ActResult::Denied { why: why.into() });
        }
        Fate::Expired => {
            let why = format!("{action}: the credentials have expired; renew them");
            return ends(CALL_MS, ActResult::Denied { why: why.into() });
        }
        Fate::ServerError => return ends(CALL_MS, failed(format!("{action} answered HTTP 500"), true)),
        Fate::Html => return ends(CALL_MS, failed(format!("{action} answered with a page of HTML"), true)),
        Fate::Hang => return ends(15 * SECOND, failed(format!("{action} did not answer"), true)),
        Fate::HangAfterEffect => {
            let _ = perform(simulation, intent, &whom, caller);
            return ends(15 * SECOND, failed(format!("{action} did not answer"), true));
        }
    }
    let (after_ms, result) = perform(simulation, intent, &whom, caller);
    ends(after_ms, result)
}

fn done(note: &str) -> ActResult<'static> {
    ActResult::Done { note: note.to_owned().into() }
}

fn failed(why: String, may_have_happened: bool) -> ActResult<'static> {
    ActResult::Failed { why: why.into(), may_have_happened }
}

fn impossible(why: String) -> ActResult<'static> {
    ActResult::Impossible { why: why.into() }
}

fn gone(note: &str) -> ActResult<'static> {
    ActResult::Gone { note: note.to_owned().into() }
}

fn place(world: &World, intent: &Intent) -> Option<PlaceId> {
    let (account, region) = intent.target.place.split_once('/')?;
    world.find_place(account, region)
}

/// The operation whose bucket and permission count.
fn action(intent: &Intent) -> &'static str {
    match &intent.act {
        Act::SaveEvidence | Act::RestartAgent | Act::RestartRuntime => "ssm:SendCommand",
        Act::Reboot if intent.target.external => "ssm:SendCommand",
        Act::Reboot => "ec2:RebootInstances",
        Act::Drain | Act::Undrain => "ecs:UpdateContainerInstancesState",
        Act::SetDesired { .. } => "autoscaling:SetDesiredCapacity",
        Act::TerminateInGroup { .. } => "autoscaling:TerminateInstanceInAutoScalingGroup",
        Act::MarkUnhealthy => "autoscaling:SetInstanceHealth",
        Act::Terminate => "ec2:TerminateInstances",
        Act::Deregister => "ecs:DeregisterContainerInstance",
        Act::Custom { .. } => "lambda:Invoke",
    }
}

/// The target, found.
struct Whom {
    host: Option<HostId>,
    machine: Option<MachineId>,
}

impl Whom {
    fn of(world: &World, intent: &Intent) -> Self {
        let host = intent.target.host.as_deref().and_then(|arn| world.find_host(arn));
        let machine = intent.target.machine.as_deref().and_then(|id| world.find_machine(id));
        Self { host, machine }
    }
}

/// A call of this intent has taken effect before.
fn already(world: &World, intent: &Intent) -> bool {
    world.happened.iter().any(|it| it.token == intent.token)
}

fn perform(simulation: &mut Simulation, intent: &Intent, whom: &Whom, caller: Caller) -> (i64, ActResult<'static>) {
    let on_host = matches!(intent.act, Act::SaveEvidence | Act::RestartAgent | Act::RestartRuntime)
        || (intent.act == Act::Reboot && intent.target.external);
    if on_host {
        return command(simulation, intent, whom, caller);
    }
    let world = &mut simulation.world;
    let result = match &intent.act {
        Act::Drain | Act::Undrain => drain(world, intent, whom),
        Act::Deregister => deregister(world, whom),
        Act::Reboot => with_machine(whom, |machine| world.reboot(machine)),
        Act::SetDesired { from, to } => set_desired(world, intent, *from, *to),
        Act::TerminateInGroup { shrink } => terminate_in_group(world, whom, *shrink),
        Act::MarkUnhealthy => with_machine(whom, |machine| world.set_group_health(machine, false)),
        Act::Terminate => terminate(world, whom),
        Act::Custom { .. } => (true, done("the action ran")),
        Act::SaveEvidence | Act::RestartAgent | Act::RestartRuntime => (false, done("")),
    };
    note(&mut simulation.world, intent, whom, caller, result.0);
    (CALL_MS, result.1)
}

fn note(world: &mut World, intent: &Intent, whom: &Whom, caller: Caller, changed: bool) {
    if changed {
        world.happened.push(Happened {
            at: world.now,
            by: caller.by,
            epoch: caller.epoch,
            token: intent.token.clone(),
            act: intent.act.word().to_owned(),
            machine: whom.machine,
            host: whom.host,
        });
    }
}

/// Whether it changed the world, and what is answered.
type Effect = (bool, ActResult<'static>);

fn refused(refusal: &Refusal) -> ActResult<'static> {
    let text = refusal.to_string();
    match refusal {
        Refusal::Missing(_) => gone(&text),
        Refusal::Invalid(_) if text.contains("not found") => gone(&text),
        Refusal::Invalid(_) => impossible(text),
    }
}

fn with_machine(whom: &Whom, call: impl FnOnce(MachineId) -> Result<(), Refusal>) -> Effect {
    let Some(machine) = whom.machine else { return (false, gone("EC2 does not know the machine")) };
    match call(machine) {
        Ok(()) => (true, done("accepted")),
        Err(refusal) => (false, refused(&refusal)),
    }
}

fn drain(world: &mut World, intent: &Intent, whom: &Whom) -> Effect {
    let draining = intent.act == Act::Drain;
    let Some(host) = whom.host else { return (false, gone("ECS does not know the container instance")) };
    let status = world.host(host).map(|found| found.said.status);
    let wanted = if draining { HostStatus::Draining } else { HostStatus::Active };
    match status {
        None | Some(HostStatus::Inactive) => (false, gone("the container instance is INACTIVE")),
        Some(status) if status == wanted => (false, done("it was so already")),
        Some(_) => match world.set_draining(host, draining) {
            Ok(()) => (true, done("accepted")),
            Err(refusal) => (false, ActResult::Unfit { why: refusal.to_string().into() }),
        },
    }
}

fn deregister(world: &mut World, whom: &Whom) -> Effect {
    let Some(host) = whom.host else { return (false, gone("ECS does not know the container instance")) };
    match world.deregister(host, true) {
        Ok(()) => (true, done("deregistered")),
        Err(refusal) => (false, refused(&refusal)),
    }
}

fn set_desired(world: &mut World, intent: &Intent, from: u32, to: u32) -> Effect {
    let place = place(world, intent);
    let group = intent.target.group.as_deref().zip(place).and_then(|(name, place)| world.find_group(place, name));
    let Some((id, group)) = group.and_then(|id| Some((id, world.group(id)?))) else {
        return (false, gone("there is no such Auto Scaling group"));
    };
    if group.desired == to {
        return (false, done("it was so already"));
    }
    if group.desired != from {
        let why = format!("the group wants {} machines and not {from}", group.desired);
        return (false, ActResult::Unfit { why: why.into() });
    }
    match world.set_desired_capacity(id, to) {
        Ok(()) => (true, done("accepted")),
        Err(refusal) => (false, refused(&refusal)),
    }
}

fn terminate_in_group(world: &mut World, whom: &Whom, shrink: bool) -> Effect {
    let found = whom.machine.and_then(|machine| world.machine(machine));
    let Some(found) = found else { return (false, gone("EC2 does not know the machine")) };
    match found.lifecycle {
        Lifecycle::InService => {}
        Lifecycle::Terminating | Lifecycle::TerminatingWait => return (false, done("it is on its way out already")),
        Lifecycle::Terminated | Lifecycle::None => return (false, gone("no group has it any more")),
        other => {
            let why = format!("its group has it as {}", other.word());
            return (false, ActResult::Unfit { why: why.into() });
        }
    }
    let suspended = found.group.and_then(|group| world.group(group)).and_then(|group| {
        let matters = |process: &&String| ["Terminate", "Launch"].contains(&process.as_str());
        group.suspended.iter().find(matters).cloned()
    });
    if let Some(process) = suspended {
        return (false, impossible(format!("the group's process {process} is suspended; resume it first")));
    }
    with_machine(whom, |machine| world.terminate_in_group(machine, shrink))
}

fn terminate(world: &mut World, whom: &Whom) -> Effect {
    let Some(machine) = whom.machine else { return (false, gone("EC2 does not know the machine")) };
    let state = world.machine(machine).map(|found| found.state);
    match state {
        None | Some(MachineState::Terminated) => (false, gone("the machine is terminated")),
        Some(MachineState::ShuttingDown) => (false, done("it is on its way out already")),
        Some(_) => {
            world.terminate(machine);
            (true, done("accepted"))
        }
    }
}

/// A command on the machine through SSM.
fn command(simulation: &mut Simulation, intent: &Intent, whom: &Whom, caller: Caller) -> (i64, ActResult<'static>) {
    let limit_ms = i64::from(intent.limit_secs) * SECOND;
    let now = simulation.now();
    let ping = whom.machine.and_then(|machine| simulation.world.machine(machine)).and_then(|found| found.ping(now));
    let evidence = intent.act == Act::SaveEvidence;
    let unreachable = |why: &str| {
        if evidence {
            let items = vec![("agent log".to_owned(), format!("could not be had: {why}"))];
            return (CALL_MS, ActResult::Saved { items });
        }
        (CALL_MS, failed(why.to_owned(), false))
    };
    let Some(machine) = whom.machine else { return unreachable("SSM does not know the machine") };
    match ping {
        None => return unreachable("SSM does not know the machine"),
        Some(ping) if !ping.online => return unreachable("SSM has lost the machine"),
        Some(_) => {}
    }
    let ssm = simulation.faults.ssm.clone();
    let manner = ssm.draw(simulation.errors());
    let silent = simulation.world.machine(machine).is_none_or(|found| found.ping_lost_at.is_some());
    if evidence {
        let text = if silent { "could not be had: the command was not delivered" } else { "the agent's last lines" };
        return (COMMAND_MS, ActResult::Saved { items: vec![("agent log".to_owned(), text.to_owned())] });
    }
    if silent || manner == crate::faults::SsmManner::Hangs {
        // Its ping is not called lost yet, but nothing reaches it.
        return (limit_ms, failed("the command was not delivered in time".to_owned(), true));
    }
    if manner == crate::faults::SsmManner::Lies {
        return (COMMAND_MS, done("Success"));
    }
    let world = &mut simulation.world;
    let sick = world.machine(machine).is_some_and(|found| found.agent.docker_sick);
    let result = match &intent.act {
        Act::RestartRuntime => {
            world.restart_runtime(machine);
            done("the runtime answers")
        }
        Act::Reboot => match world.reboot(machine) {
            Ok(()) => done("rebooting"),
            Err(refusal) => refused(&refusal),
        },
        _ => {
            world.restart_agent(machine);
            if sick {
                ActResult::Unhealed { says: "the agent does not answer on port 51678: Docker does not answer".into() }
            } else {
                done("the agent answers on the host")
            }
        }
    };
    note(world, intent, whom, caller, true);
    (COMMAND_MS, result)
}
