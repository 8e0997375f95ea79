//! Reboot through EC2: ec2:RebootInstances. A host of ECS Anywhere is rebooted by a command.

use wire::query::Params;

use super::{Acted, Acting, done, gone, unfit};
use crate::{ec2::VERSION, pace::Bucket};

pub(crate) const REBOOT: &str = "ec2:RebootInstances";

impl Acting<'_> {
    /// Asks EC2 for a reboot: it gives the operating system four minutes, and then cuts the power.
    pub(super) async fn reboot(&self) -> Acted {
        let id = match self.instance() {
            Ok(id) => id,
            Err(result) => return Ok(result),
        };
        let mut params = Params::new("RebootInstances", VERSION);
        params.push_ec2_list("InstanceId", [id]);
        let answer = self.change(Bucket::Ec2Change, REBOOT, id, || self.actor.ec2.query(&params)).await;
        match answer {
            Ok(_) => Ok(done(format!("EC2 reboots {id}"))),
            Err(stopped) => match stopped.refusal.code() {
                Some("InvalidInstanceID.NotFound") => Ok(gone(stopped.sentence())),
                Some("IncorrectInstanceState" | "OperationNotPermitted") => Ok(unfit(stopped.sentence())),
                _ => Err(stopped),
            },
        }
    }
}
