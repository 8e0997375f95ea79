//! Acts of remedies upon the world, called directly: what the API would answer, what truly happens, and when its end is
//! seen.

use engine::ports::{Act, ActResult, Intent};

use super::on_host;
use crate::{
    clock::{Moment, SECOND},
    faults::Fate,
    simulation::Simulation,
    world::{
        Happened, HostId, HostStatus, Lifecycle, MachineId, MachineState, PlaceId, Scaler, World, control::Refusal,
    },
};

/// How long a call of the API takes.
pub(super) const CALL_MS: i64 = 300;
/// How long a caller waits for an answer that does not come.
const PATIENCE_MS: i64 = 15 * SECOND;

/// An act that has begun: what comes of it, and when.
#[derive(Clone, Debug)]
pub struct Begun {
    /// When its end is seen.
    pub ends_at: Moment,
    /// What is then seen.
    pub result: ActResult<'static>,
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
    let on_host = on_host::is_command(intent);
    if again && !on_host && !intent.act.may_be_repeated() {
        let why = "whether an earlier call of it was carried out cannot be seen; it is not done a second time";
        return ends(CALL_MS, failed(why.to_owned(), true));
    }
    let action = action(intent);
    let unanswered = |after_ms: i64, why: String| {
        if intent.act == Act::SaveEvidence {
            // What cannot be had is no failure.
            return ends(after_ms, on_host::nothing_saved(&why));
        }
        ends(after_ms, failed(why, true))
    };
    match simulation.call(place, action) {
        Fate::Answered => {}
        Fate::Throttled => return refusal(intent, ends, failed(format!("{action} was throttled"), again)),
        Fate::Denied(action) => {
            let why = format!("not allowed to call {action}; add it to the policy of the acting role");
            return refusal(intent, ends, ActResult::Denied { why: why.into() });
        }
        Fate::Expired => {
            let why = format!("{action}: the credentials have expired; renew them");
            return refusal(intent, ends, ActResult::Denied { why: why.into() });
        }
        Fate::ServerError => return unanswered(CALL_MS, format!("{action} answered HTTP 500")),
        Fate::Html => return unanswered(CALL_MS, format!("{action} answered with a page of HTML")),
        Fate::Hang => return unanswered(PATIENCE_MS, format!("{action} did not answer")),
        Fate::HangAfterEffect => {
            let _ = perform(simulation, intent, &whom, again, caller);
            return unanswered(PATIENCE_MS, format!("{action} did not answer"));
        }
    }
    let (after_ms, result) = perform(simulation, intent, &whom, again, caller);
    ends(after_ms, result)
}

/// A call that AWS refused at once: nothing was done.
fn refusal(intent: &Intent, ends: impl Fn(i64, ActResult<'static>) -> Begun, result: ActResult<'static>) -> Begun {
    match intent.act {
        Act::SaveEvidence => ends(CALL_MS, on_host::nothing_saved(result.says())),
        _ => ends(CALL_MS, result),
    }
}

pub(super) fn done(note: &str) -> ActResult<'static> {
    ActResult::Done { note: note.to_owned().into() }
}

pub(super) fn failed(why: String, may_have_happened: bool) -> ActResult<'static> {
    ActResult::Failed { why: why.into(), may_have_happened }
}

pub(super) fn impossible(why: String) -> ActResult<'static> {
    ActResult::Impossible { why: why.into() }
}

fn unfit(why: &str) -> ActResult<'static> {
    ActResult::Unfit { why: why.to_owned().into() }
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
        Act::ExecutePolicy { .. } => "autoscaling:ExecutePolicy",
        Act::TerminateInGroup { .. } => "autoscaling:TerminateInstanceInAutoScalingGroup",
        Act::MarkUnhealthy => "autoscaling:SetInstanceHealth",
        Act::Terminate => "ec2:TerminateInstances",
        Act::Deregister => "ecs:DeregisterContainerInstance",
        Act::Custom { .. } => "lambda:Invoke",
    }
}

/// The target, found.
pub(super) struct Whom {
    pub(super) host: Option<HostId>,
    pub(super) machine: Option<MachineId>,
}

impl Whom {
    fn of(world: &World, intent: &Intent) -> Self {
        let host = intent.target.host.as_deref().and_then(|arn| world.find_host(arn));
        let machine = intent.target.machine.as_deref().and_then(|id| world.find_machine(id));
        Self { host, machine }
    }
}

fn perform(
    simulation: &mut Simulation,
    intent: &Intent,
    whom: &Whom,
    again: bool,
    caller: Caller,
) -> (i64, ActResult<'static>) {
    let fails = simulation.faults.custom.fail;
    let world = &mut simulation.world;
    let (changed, result) = match &intent.act {
        Act::Drain | Act::Undrain => drain(world, intent, whom),
        Act::Deregister => deregister(world, whom),
        Act::Reboot if !intent.target.external => with_machine(whom, |machine| world.reboot(machine)),
        Act::SetDesired { from, to } => set_desired(world, intent, *from, *to),
        Act::ExecutePolicy { policy, from } => execute_policy(world, intent, policy, *from),
        Act::TerminateInGroup { shrink } => terminate_in_group(world, whom, *shrink),
        Act::MarkUnhealthy => mark_unhealthy(world, whom),
        Act::Terminate => terminate(world, whom),
        Act::Custom { .. } if simulation.errors().chance(fails) => {
            (true, failed("the action ended with exit status 1".to_owned(), true))
        }
        Act::Custom { .. } => (true, done("the action ran")),
        Act::Reboot | Act::SaveEvidence | Act::RestartAgent | Act::RestartRuntime => {
            return on_host::perform(simulation, intent, whom, again, caller);
        }
    };
    note(&mut simulation.world, intent, whom, caller, changed);
    (CALL_MS, result)
}

pub(super) fn note(world: &mut World, intent: &Intent, whom: &Whom, caller: Caller, changed: bool) {
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
        Refusal::Invalid(_) | Refusal::Busy(_) => impossible(text),
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
    if world.host(host).is_some_and(|found| found.said.status == HostStatus::Inactive) {
        return (false, done("it is INACTIVE already"));
    }
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
    if to > from && group.suspended.iter().any(|process| process == "Launch") {
        return (false, impossible("the group's process Launch is suspended; resume it first".to_owned()));
    }
    // Who makes room for a declared headroom is judged by what is written down here.
    let set = match intent.remedy.keeps_room() {
        true => world.scale_by(id, Scaler::Caller, to, false),
        false => world.set_desired_capacity(id, to),
    };
    match set {
        Ok(()) => (true, done("accepted")),
        Err(refusal) => (false, refused(&refusal)),
    }
}

fn execute_policy(world: &mut World, intent: &Intent, policy: &str, from: u32) -> Effect {
    let place = place(world, intent);
    let group = intent.target.group.as_deref().zip(place).and_then(|(name, place)| world.find_group(place, name));
    let Some((id, group)) = group.and_then(|id| Some((id, world.group(id)?))) else {
        return (false, gone("there is no such Auto Scaling group"));
    };
    if group.desired != from {
        let why = format!("the group wants {} machines and not {from}", group.desired);
        return (false, ActResult::Unfit { why: why.into() });
    }
    if group.suspended.iter().any(|process| process == "Launch") {
        return (false, impossible("the group's process Launch is suspended; resume it first".to_owned()));
    }
    match world.execute_policy(id, policy, None, true) {
        Ok(()) => (true, done("accepted")),
        Err(Refusal::Busy(why)) => (false, failed(why, false)),
        Err(refusal) => (false, impossible(refusal.to_string())),
    }
}

fn terminate_in_group(world: &mut World, whom: &Whom, shrink: bool) -> Effect {
    let needs: &[&str] = if shrink { &["Terminate"] } else { &["Terminate", "Launch"] };
    match membership(world, whom, needs) {
        Ok(machine) => with_machine(&Whom { host: None, machine: Some(machine) }, |machine| {
            world.terminate_in_group(machine, shrink)
        }),
        Err(result) => (false, result),
    }
}

fn mark_unhealthy(world: &mut World, whom: &Whom) -> Effect {
    match membership(world, whom, &["Terminate", "Launch", "ReplaceUnhealthy"]) {
        Ok(machine) if world.machine(machine).is_some_and(|found| !found.group_healthy) => {
            (false, done("its group counts it as unhealthy already"))
        }
        Ok(machine) => {
            with_machine(&Whom { host: None, machine: Some(machine) }, |machine| world.set_group_health(machine, false))
        }
        Err(result) => (false, result),
    }
}

/// The machine, if it is in service in its group and none of these processes is suspended there.
fn membership(world: &World, whom: &Whom, needs: &[&str]) -> Result<MachineId, ActResult<'static>> {
    let Some((machine, found)) = whom.machine.and_then(|machine| Some((machine, world.machine(machine)?))) else {
        return Err(gone("EC2 does not know the machine"));
    };
    match found.lifecycle {
        Lifecycle::InService => {}
        Lifecycle::Terminating | Lifecycle::TerminatingWait => return Err(done("it is on its way out already")),
        Lifecycle::Terminated if found.known_to_ec2(world.now) => return Err(done("it is terminated already")),
        Lifecycle::Terminated => return Err(gone("EC2 does not know the machine any more")),
        Lifecycle::None if found.state == MachineState::Terminated => return Err(gone("the machine is terminated")),
        Lifecycle::None => return Err(unfit("it belongs to no Auto Scaling group: it would not be replaced")),
        other => return Err(unfit(&format!("its group has it as {}", other.word()))),
    }
    let group = found.group.and_then(|group| world.group(group));
    let asleep = group.and_then(|group| needs.iter().find(|need| group.suspended.iter().any(|held| held == *need)));
    match asleep {
        Some(process) => Err(impossible(format!("the group's process {process} is suspended; resume it first"))),
        None => Ok(machine),
    }
}

fn terminate(world: &mut World, whom: &Whom) -> Effect {
    let found = whom.machine.and_then(|machine| Some((machine, world.machine(machine)?)));
    let Some((machine, found)) = found else { return (false, gone("EC2 does not know the machine")) };
    if found.external {
        return (false, impossible("an ECS Anywhere machine is not AWS's to end".to_owned()));
    }
    if found.group.is_some() && found.lifecycle != Lifecycle::Terminated {
        return (false, unfit("it belongs to an Auto Scaling group, which ends its machines itself"));
    }
    match found.state {
        MachineState::Terminated if !found.known_to_ec2(world.now) => (false, gone("EC2 does not know the machine")),
        MachineState::Terminated | MachineState::ShuttingDown => (false, done("it is on its way out already")),
        _ => {
            world.terminate(machine);
            (true, done("accepted"))
        }
    }
}
