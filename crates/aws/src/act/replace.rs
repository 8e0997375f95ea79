//! Ending machines, through their Auto Scaling group or without one, and the size of groups.
//!
//! A group is asked what it believes before anything ends: the machine may be on its way out already, somebody may have
//! taken it aside, or the group may be unable to launch another (spec E.1).

use aws_sdk_autoscaling::types::AutoScalingGroup;
use engine::ports::ActResult;
use wire::query::Params;

use super::{Acted, Acting, Stopped, done, failed, gone, impossible, unfit};
use crate::{
    autoscaling::{DESCRIBE_GROUPS, DESCRIBE_MEMBERS, Member},
    ec2::{DESCRIBE_STATUS, VERSION},
    pace::Bucket,
    refusal::Refusal,
};

pub(crate) const TERMINATE_IN_GROUP: &str = "autoscaling:TerminateInstanceInAutoScalingGroup";
pub(crate) const SET_HEALTH: &str = "autoscaling:SetInstanceHealth";
pub(crate) const SET_DESIRED: &str = "autoscaling:SetDesiredCapacity";
pub(crate) const EXECUTE_POLICY: &str = "autoscaling:ExecutePolicy";
pub(crate) const TERMINATE: &str = "ec2:TerminateInstances";

/// Processes without which a machine is not ended, or not replaced.
const TO_REPLACE: [&str; 2] = ["Terminate", "Launch"];
const TO_REPLACE_UNHEALTHY: [&str; 3] = ["Terminate", "Launch", "ReplaceUnhealthy"];
const TO_SHRINK: [&str; 1] = ["Terminate"];

/// A membership that is as it should be, or the result that follows from one that is not.
enum Checked {
    Fit { member: Member, desired: i32, min: i32 },
    Ends(ActResult<'static>),
}

impl Acting<'_> {
    /// Has the group end the machine, and replace it unless it is to shrink.
    pub(super) async fn terminate_in_group(&self, shrink: bool) -> Acted {
        let id = match self.instance() {
            Ok(id) => id,
            Err(result) => return Ok(result),
        };
        let needs: &[&str] = if shrink { &TO_SHRINK } else { &TO_REPLACE };
        let (member, desired, min) = match self.membership(id, needs).await? {
            Checked::Fit { member, desired, min } => (member, desired, min),
            Checked::Ends(result) => return Ok(result),
        };
        if shrink && desired <= min {
            return Ok(impossible(format!(
                "the group {} has {desired} machines and may not fall below its minimum of {min}; replace {id} without \
                 shrinking, or lower the minimum",
                member.group
            )));
        }
        let answer = self
            .change(Bucket::AutoScalingChange, TERMINATE_IN_GROUP, id, || async {
                let request = self.actor.autoscaling.terminate_instance_in_auto_scaling_group().instance_id(id);
                let request = request.should_decrement_desired_capacity(shrink);
                let answer = request.send().await.map_err(|error| Refusal::from_sdk(&error))?;
                Ok(answer.activity.and_then(|activity| activity.description))
            })
            .await;
        match answer {
            Ok(said) => {
                let said = said.map(|said| format!(" ({said})")).unwrap_or_default();
                let next = if shrink { "and shrinks by one" } else { "and launches another" };
                Ok(done(format!("the group {} ends {id} {next}{said}", member.group)))
            }
            Err(stopped) => said_of_member(stopped),
        }
    }

    /// Tells the group that the machine is unhealthy: it ends and replaces it when it sees fit.
    pub(super) async fn mark_unhealthy(&self) -> Acted {
        let id = match self.instance() {
            Ok(id) => id,
            Err(result) => return Ok(result),
        };
        let member = match self.membership(id, &TO_REPLACE_UNHEALTHY).await? {
            Checked::Fit { member, .. } => member,
            Checked::Ends(result) => return Ok(result),
        };
        if !member.healthy {
            return Ok(done(format!("the group {} counts {id} as unhealthy already", member.group)));
        }
        let answer = self
            .change(Bucket::AutoScalingChange, SET_HEALTH, id, || async {
                let request = self.actor.autoscaling.set_instance_health().instance_id(id).health_status("Unhealthy");
                request.should_respect_grace_period(false).send().await.map_err(|error| Refusal::from_sdk(&error))
            })
            .await;
        match answer {
            Ok(_) => Ok(done(format!("the group {} counts {id} as unhealthy and will replace it", member.group))),
            Err(stopped) => said_of_member(stopped),
        }
    }

    /// Sets the group's size, if it still is what it was when this was decided.
    pub(super) async fn set_desired(&self, from: u32, to: u32) -> Acted {
        let Some(name) = self.intent.target.group.as_deref().filter(|name| is_group_name(name)) else {
            return Ok(impossible(format!("{}: no Auto Scaling group is known for it", self.words())));
        };
        let Some(group) = self.group(name).await? else {
            return Ok(gone(format!("Auto Scaling does not know the group {name}")));
        };
        let count = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok()).unwrap_or(0);
        let (now, min, max) = (count(group.desired_capacity), count(group.min_size), count(group.max_size));
        if now == to {
            return Ok(done(format!("the group {name} wants {to} machines already")));
        }
        if now != from {
            return Ok(unfit(format!(
                "the group {name} wants {now} machines by now, not {from}: somebody else sizes it"
            )));
        }
        if to > max {
            return Ok(impossible(format!(
                "the group {name} may not grow to {to} machines: its maximum is {max}; raise it"
            )));
        }
        if to < min {
            return Ok(impossible(format!("the group {name} may not shrink to {to} machines: its minimum is {min}")));
        }
        if to > from
            && let Some(process) = suspended(&group, &["Launch"])
        {
            return Ok(asleep(name, process));
        }
        let (Ok(desired), name) = (i32::try_from(to), name.to_owned()) else {
            return Ok(impossible(format!("{to} machines are more than a group can have")));
        };
        let answer = self
            .change(Bucket::AutoScalingChange, SET_DESIRED, &name, || async {
                let request = self.actor.autoscaling.set_desired_capacity().auto_scaling_group_name(&name);
                let request = request.desired_capacity(desired).honor_cooldown(false);
                request.send().await.map_err(|error| Refusal::from_sdk(&error))
            })
            .await;
        match answer {
            Ok(_) => Ok(done(format!("the group {name} wants {to} machines instead of {from}"))),
            Err(stopped) => match stopped.refusal.code() {
                Some("ValidationError") if stopped.refusal.says("not found") => Ok(gone(stopped.sentence())),
                Some("ValidationError") => Ok(impossible(stopped.sentence())),
                _ => Err(stopped),
            },
        }
    }

    /// Has the group's own scaling policy add machines, if the group's size still is what it was when this was decided. The
    /// policy's cool-down is honoured.
    pub(super) async fn execute_policy(&self, policy: &str, from: u32) -> Acted {
        let Some(name) = self.intent.target.group.as_deref().filter(|name| is_group_name(name)) else {
            return Ok(impossible(format!("{}: no Auto Scaling group is known for it", self.words())));
        };
        let Some(group) = self.group(name).await? else {
            return Ok(gone(format!("Auto Scaling does not know the group {name}")));
        };
        let now = group.desired_capacity.and_then(|number| u32::try_from(number).ok()).unwrap_or(0);
        if now > from && self.again {
            return Ok(done(format!("the group {name} wants {now} machines already instead of {from}")));
        }
        if now != from {
            return Ok(unfit(format!(
                "the group {name} wants {now} machines by now, not {from}: somebody else sizes it"
            )));
        }
        if let Some(process) = suspended(&group, &["Launch"]) {
            return Ok(asleep(name, process));
        }
        let answer = self
            .change(Bucket::AutoScalingChange, EXECUTE_POLICY, name, || async {
                let request = self.actor.autoscaling.execute_policy().auto_scaling_group_name(name);
                let request = request.policy_name(policy).honor_cooldown(true);
                request.send().await.map_err(|error| Refusal::from_sdk(&error))
            })
            .await;
        match answer {
            Ok(_) => Ok(done(format!("the policy {policy} of the group {name} is executed"))),
            Err(stopped) => match stopped.refusal.code() {
                Some("ScalingActivityInProgress") => Ok(failed(stopped.sentence(), false)),
                // No such policy, or one that only a metric can execute.
                Some("ValidationError") => Ok(impossible(stopped.sentence())),
                _ => Err(stopped),
            },
        }
    }

    /// Ends a machine that belongs to no group: nothing takes its place.
    pub(super) async fn terminate(&self) -> Acted {
        let id = match self.instance() {
            Ok(id) => id,
            Err(result) => return Ok(result),
        };
        if let Some(member) = self.member(id).await? {
            return Ok(unfit(format!("{id} belongs to the group {}, which ends its machines itself", member.group)));
        }
        if let Some(result) = self.ended_already(id).await? {
            return Ok(result);
        }
        let mut params = Params::new("TerminateInstances", VERSION);
        params.push_ec2_list("InstanceId", [id]);
        match self.change(Bucket::Ec2Change, TERMINATE, id, || self.actor.ec2.query(&params)).await {
            Ok(answer) => {
                let state = answer.items("instancesSet").next();
                let state = state.and_then(|item| item.text_at("currentState/name")).unwrap_or("being terminated");
                Ok(done(format!("EC2 ends {id}: it is {state}")))
            }
            Err(stopped) => match stopped.refusal.code() {
                Some("InvalidInstanceID.NotFound") => Ok(gone(stopped.sentence())),
                Some("OperationNotPermitted") => Ok(impossible(format!(
                    "{id} is protected against termination; take DisableApiTermination off it, or end it by hand ({})",
                    stopped.sentence()
                ))),
                Some("IncorrectInstanceState") => Ok(unfit(stopped.sentence())),
                _ => Err(stopped),
            },
        }
    }

    /// Whether the machine is a member in service of the group it should be in, and the group can do its part.
    async fn membership(&self, id: &str, needs: &[&'static str]) -> Result<Checked, Stopped> {
        let Some(member) = self.member(id).await? else {
            return Ok(Checked::Ends(match self.ended_already(id).await? {
                Some(result) => result,
                None => unfit(format!("{id} runs and belongs to no Auto Scaling group: it would not be replaced")),
            }));
        };
        if let Some(known) = self.intent.target.group.as_deref().filter(|known| *known != member.group) {
            let why = format!("{id} belongs to the group {} by now, not to {known}", member.group);
            return Ok(Checked::Ends(unfit(why)));
        }
        if member.lifecycle.starts_with("Terminat") {
            let note = format!("{id} is on its way out of the group {} already ({})", member.group, member.lifecycle);
            return Ok(Checked::Ends(done(note)));
        }
        if member.lifecycle != "InService" {
            let why = format!("{id} is {} in the group {}, not InService", member.lifecycle, member.group);
            return Ok(Checked::Ends(unfit(why)));
        }
        let Some(group) = self.group(&member.group).await? else {
            return Ok(Checked::Ends(gone(format!("Auto Scaling does not know the group {} any more", member.group))));
        };
        if let Some(process) = suspended(&group, needs) {
            return Ok(Checked::Ends(asleep(&member.group, process)));
        }
        let (desired, min) = (group.desired_capacity.unwrap_or(0), group.min_size.unwrap_or(0));
        Ok(Checked::Fit { member, desired, min })
    }

    async fn member(&self, id: &str) -> Result<Option<Member>, Stopped> {
        self.read(Bucket::AutoScalingRead, DESCRIBE_MEMBERS, id, || self.actor.member(id)).await
    }

    async fn group(&self, name: &str) -> Result<Option<AutoScalingGroup>, Stopped> {
        self.read(Bucket::AutoScalingRead, DESCRIBE_GROUPS, name, || self.place.group(name)).await
    }

    /// What to answer when EC2 says that the machine has ended.
    async fn ended_already(&self, id: &str) -> Result<Option<ActResult<'static>>, Stopped> {
        let state = self.read(Bucket::Ec2Read, DESCRIBE_STATUS, id, || self.place.machine_state(id)).await?;
        Ok(match state.as_deref() {
            None => Some(gone(format!("EC2 does not know {id} any more"))),
            Some(state @ ("terminated" | "shutting-down")) => Some(done(format!("{id} is {state} already"))),
            Some(_) => None,
        })
    }
}

/// Auto Scaling puts most refusals into one code; its words tell them apart.
fn said_of_member(stopped: Stopped) -> Acted {
    match stopped.refusal.code() {
        Some("ValidationError") if stopped.refusal.says("not found") => Ok(gone(stopped.sentence())),
        Some("ValidationError") if stopped.refusal.says("min") => Ok(impossible(stopped.sentence())),
        Some("ValidationError") => Ok(unfit(stopped.sentence())),
        // Another activity of the group is under way: soon it is not.
        Some("ScalingActivityInProgress") => Ok(failed(stopped.sentence(), false)),
        _ => Err(stopped),
    }
}

fn suspended(group: &AutoScalingGroup, needs: &[&'static str]) -> Option<&'static str> {
    let all: Vec<&str> =
        group.suspended_processes.iter().flatten().filter_map(|process| process.process_name.as_deref()).collect();
    needs.iter().copied().find(|need| all.contains(need))
}

fn asleep(group: &str, process: &str) -> ActResult<'static> {
    impossible(format!(
        "the process {process} of the group {group} is suspended; resume it, or see to the machine by hand"
    ))
}

/// Group names are 1 to 255 printable characters.
fn is_group_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 255 && !name.chars().any(char::is_control)
}
