//! What muster itself has against an act: it may only look, or it is not in charge, or not for long enough.

use std::sync::Arc;

use fleet::remedy::act::ActResult;
use jiff::{SignedDuration, Timestamp};

use super::{leading::Held, performing::Limits};
use crate::ports::{Clock, Grant};

/// Whether a lease lets an act begin: it must last longer than twice the longest API call, because AWS does not fence
/// for us, and it must be the one under which the act was decided.
pub fn lease_allows(
    grant: Option<Grant>,
    epoch: Option<u64>,
    now: Timestamp,
    act_api_limit_secs: u32,
) -> Result<(), String> {
    let Some(grant) = grant else { return Err("this muster is not in charge of acting, or not any more".into()) };
    if epoch != Some(grant.epoch) {
        return Err("another muster may have been in charge of acting since this was decided".into());
    }
    let needed = SignedDuration::from_secs(2 * i64::from(act_api_limit_secs));
    let left = grant.until.duration_since(now);
    if left > needed {
        return Ok(());
    }
    Err(format!(
        "what is left of the lease, {} s, is not more than the {} s that an act may need; it must be renewed first",
        left.as_secs().max(0),
        needed.as_secs()
    ))
}

/// What muster itself has against acting.
#[derive(Clone)]
pub(super) struct Gate {
    read_only: bool,
    act_api_limit_secs: u32,
    held: Option<Arc<Held>>,
    clock: Arc<dyn Clock>,
}

impl Gate {
    pub(super) fn new(limits: &Limits, held: Option<Arc<Held>>, clock: Arc<dyn Clock>) -> Self {
        Self { read_only: limits.read_only, act_api_limit_secs: limits.act_api_limit_secs, held, clock }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The lease under which something is decided now.
    pub(super) fn epoch(&self) -> Option<u64> {
        self.held.as_ref().and_then(|held| held.grant()).map(|grant| grant.epoch)
    }

    /// Whether an act that was decided under the lease of this epoch may begin now.
    pub(super) fn allows(&self, epoch: Option<u64>) -> Result<(), String> {
        if self.read_only {
            return Err("this muster only observes: it was started without leave to act".into());
        }
        match &self.held {
            None => Ok(()),
            Some(held) => lease_allows(held.grant(), epoch, self.clock.now(), self.act_api_limit_secs),
        }
    }
}

/// A call that an earlier muster may have made is not undone by forbidding the second one.
pub(super) fn withheld(why: String, again: bool) -> ActResult<'static> {
    if again {
        let why = format!("muster stopped before it saw how this ended, and it is not done again: {why}");
        return ActResult::Failed { why: why.into(), may_have_happened: true };
    }
    ActResult::Withheld { why: why.into() }
}

/// Why a call is not made, as reading its target again came to. Where an earlier muster may have made it, that the target
/// cannot be read, or is not as it was, does not say that nothing happened: it may be what happened.
pub fn not_called(result: ActResult<'static>, again: bool) -> ActResult<'static> {
    match result {
        ActResult::Unfit { why } if again => withheld(why.into_owned(), true),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_an_earlier_muster_may_have_made_is_not_taken_for_one_that_was_not() {
        let unfit = || ActResult::Unfit { why: "EC2 could not be asked".into() };
        assert_eq!(not_called(unfit(), false), unfit());
        let ActResult::Failed { why, may_have_happened } = not_called(unfit(), true) else {
            panic!("it may have been")
        };
        assert!(may_have_happened && why.ends_with("EC2 could not be asked"), "{why}");
        let gone = ActResult::Gone { note: "i-1 is terminated".into() };
        assert_eq!(not_called(gone.clone(), true), gone);
    }
}
