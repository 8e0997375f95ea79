//! The details of EC2's and Auto Scaling's events about machines (spec A.11).

use super::{Cursor, Envelope, Undecodable, filled, missing};
use crate::{
    id::is_ec2_instance_id,
    observation::{Ec2State, Fact, LaunchFailure, LifecycleFact, LifecycleStage, Text},
};

/// Event types of EC2 and Auto Scaling that muster reads. A termination that failed changes no belief.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    State,
    SpotInterruption,
    Rebalance,
    Lifecycle(LifecycleStage),
    LaunchFailed,
}

impl Kind {
    pub(super) fn of(source: &str, detail_type: &str) -> Option<Self> {
        Some(match (source, detail_type) {
            ("aws.ec2", "EC2 Instance State-change Notification") => Self::State,
            ("aws.ec2", "EC2 Spot Instance Interruption Warning") => Self::SpotInterruption,
            ("aws.ec2", "EC2 Instance Rebalance Recommendation") => Self::Rebalance,
            ("aws.autoscaling", "EC2 Instance-launch Lifecycle Action") => Self::Lifecycle(LifecycleStage::Launching),
            ("aws.autoscaling", "EC2 Instance Launch Successful") => Self::Lifecycle(LifecycleStage::Launched),
            ("aws.autoscaling", "EC2 Instance-terminate Lifecycle Action") => {
                Self::Lifecycle(LifecycleStage::Terminating)
            }
            ("aws.autoscaling", "EC2 Instance Terminate Successful") => Self::Lifecycle(LifecycleStage::Terminated),
            ("aws.autoscaling", "EC2 Instance Launch Unsuccessful") => Self::LaunchFailed,
            _ => return None,
        })
    }
}

/// Reads the detail at the cursor.
pub(super) fn detail<'a>(
    kind: Kind,
    cursor: &mut Cursor<'a, '_>,
    envelope: &Envelope<'a>,
) -> Result<Fact<'a>, Undecodable> {
    match kind {
        Kind::State | Kind::SpotInterruption | Kind::Rebalance => ec2(kind, cursor, envelope),
        Kind::Lifecycle(_) | Kind::LaunchFailed => auto_scaling(kind, cursor, envelope),
    }
}

fn ec2<'a>(kind: Kind, cursor: &mut Cursor<'a, '_>, envelope: &Envelope<'a>) -> Result<Fact<'a>, Undecodable> {
    let (mut instance_id, mut state, mut action) = (None, None, None);
    let mut first = cursor.object("detail")?;
    while let Some(key) = cursor.key(&mut first)? {
        match &*key {
            b"instance-id" => instance_id = cursor.text("detail.instance-id")?,
            b"state" => state = cursor.text("detail.state")?,
            b"instance-action" => action = cursor.text("detail.instance-action")?,
            _ => cursor.skip()?,
        }
    }
    let instance_id = match instance_id.filter(|id| !id.is_empty()) {
        Some(id) => id,
        None => {
            envelope.resource.as_ref().and_then(machine_of_resource).ok_or_else(|| missing("detail.instance-id"))?
        }
    };
    Ok(match kind {
        Kind::SpotInterruption => {
            Fact::SpotInterruption { instance_id, action: filled(action, "detail.instance-action")? }
        }
        Kind::Rebalance => Fact::RebalanceRecommendation { instance_id },
        _ => Fact::Ec2State { instance_id, state: Ec2State::parse(&filled(state, "detail.state")?) },
    })
}

/// The instance id at the end of a resource. Spot events write the zone in the region's place and leave the account
/// out altogether (`arn:aws:ec2:ZONE:instance/ID`), so that this is no ARN of the usual six parts.
fn machine_of_resource<'a>(resource: &Text<'a>) -> Option<Text<'a>> {
    let start = resource.rfind('/')? + 1;
    if !is_ec2_instance_id(&resource[start..]) {
        return None;
    }
    Some(match resource {
        Text::Borrowed(resource) => Text::Borrowed(&resource[start..]),
        Text::Owned(resource) => Text::Owned(resource[start..].to_owned()),
    })
}

fn auto_scaling<'a>(kind: Kind, cursor: &mut Cursor<'a, '_>, envelope: &Envelope<'a>) -> Result<Fact<'a>, Undecodable> {
    let (mut instance_id, mut group, mut status_message, mut cause) = (None, None, None, None);
    let mut first = cursor.object("detail")?;
    while let Some(key) = cursor.key(&mut first)? {
        match &*key {
            b"EC2InstanceId" => instance_id = cursor.text("detail.EC2InstanceId")?,
            b"AutoScalingGroupName" => group = cursor.text("detail.AutoScalingGroupName")?,
            b"StatusMessage" => status_message = cursor.text("detail.StatusMessage")?,
            b"Cause" => cause = cursor.text("detail.Cause")?,
            _ => cursor.skip()?,
        }
    }
    let group = filled(group, "detail.AutoScalingGroupName")?;
    let place = envelope.whereabouts()?;
    Ok(match kind {
        Kind::Lifecycle(stage) => {
            let instance_id = filled(instance_id, "detail.EC2InstanceId")?;
            Fact::Lifecycle(LifecycleFact { instance_id, group, place, stage })
        }
        _ => {
            let told = |text: &Text<'_>| !text.is_empty();
            let message = status_message.filter(told).or_else(|| cause.filter(told));
            Fact::LaunchFailed(LaunchFailure { group, place, message })
        }
    })
}
