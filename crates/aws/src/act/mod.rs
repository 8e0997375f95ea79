//! The calls that remedies are made of, performed on AWS.
//!
//! | to learn | read |
//! |---|---|
//! | one intent from its call to its result; what is done twice and what never | this file |
//! | commands on the host: agent, runtime, reboot of an ECS Anywhere host | `command`, and the scripts in `script` |
//! | drain and un-drain | `drain` |
//! | ending a machine through its group or without one, group sizes | `replace` |
//! | reboot through EC2 | `reboot` |
//! | taking a host out of its cluster | `deregister` |
//! | what operators have written themselves | [`custom`] |
//! | secrets taken out of what hosts say | `redact` |
//!
//! Each act looks before it calls, so that it can be asked for again: what is done already is a success.

pub mod custom;

mod command;
mod deregister;
mod drain;
mod reboot;
pub(crate) mod redact;
mod replace;
pub(crate) mod script;

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use engine::ports::{Act, ActResult, FailureKind, Intent};
use fleet::id::{Arn, is_ec2_instance_id, is_external_id};
use tokio::time::Instant;

pub(crate) use self::command::Ended;
use self::custom::CustomWebhook;
use crate::{accounts::Place, evidence, pace::Bucket, refusal::Refusal, settings::Settings};

/// A call that AWS refused, or whose end was not seen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stopped {
    /// IAM action.
    pub action: &'static str,
    /// On what.
    pub thing: String,
    /// What came back.
    pub refusal: Refusal,
    /// It would have changed something.
    pub changing: bool,
}

impl Stopped {
    /// The change may have been made all the same.
    fn is_unclear(&self) -> bool {
        self.changing && self.refusal.is_unclear()
    }

    /// In a sentence.
    pub(crate) fn sentence(&self) -> String {
        let sentence = self.refusal.sentence(self.action, &self.thing);
        match self.refusal.kind() {
            FailureKind::Denied if self.refusal.is_denial() => {
                format!("{sentence}; deploy/iam/act.json allows all that acting needs")
            }
            _ => sentence,
        }
    }

    /// `begun`: an earlier call of this intent may have been carried out.
    fn result(self, begun: bool) -> ActResult<'static> {
        let why = self.sentence().into();
        let may_have_happened = begun || self.is_unclear();
        match self.refusal.kind() {
            FailureKind::Gone => ActResult::Gone { note: why },
            FailureKind::Denied if !may_have_happened => ActResult::Denied { why },
            _ => ActResult::Failed { why, may_have_happened },
        }
    }
}

/// How an act's steps end.
pub(crate) type Acted = Result<ActResult<'static>, Stopped>;

/// One intent being carried out in its place.
pub(crate) struct Acting<'a> {
    /// Whom to look with.
    pub place: &'a Place,
    /// Whom to act with: the same, or a role of its own.
    pub actor: &'a Place,
    pub settings: &'a Settings,
    pub webhook: Option<&'a Arc<dyn CustomWebhook>>,
    pub intent: &'a Intent,
    /// An earlier call of the same intent may have been made.
    pub again: bool,
    /// When everything has to have ended.
    pub deadline: Instant,
    /// A change may have been made, now or at an earlier try.
    begun: AtomicBool,
}

/// What becomes of an intent in an account that is only observed: no call is made.
pub(crate) fn observed_only(intent: &Intent, again: bool, why: &str) -> ActResult<'static> {
    match intent.act {
        Act::SaveEvidence => ActResult::Saved { items: evidence::none(why) },
        // Forbidding the second call does not undo what the first one may have done.
        _ if again => failed(format!("whether it happened before is not known, and it is not done again: {why}"), true),
        _ => ActResult::Denied { why: why.to_owned().into() },
    }
}

/// Carries out an intent within its limit: looks with `place`, acts with `actor`.
pub(crate) async fn perform(
    (place, actor): (&Place, &Place),
    settings: &Settings,
    webhook: Option<&Arc<dyn CustomWebhook>>,
    intent: &Intent,
    again: bool,
) -> ActResult<'static> {
    let limit = Duration::from_secs(u64::from(intent.limit_secs.max(1)));
    let deadline = Instant::now() + limit;
    let mut acting = Acting { place, actor, settings, webhook, intent, again, deadline, begun: AtomicBool::new(again) };
    if let Act::SaveEvidence = intent.act {
        return ActResult::Saved { items: evidence::save(&acting).await };
    }
    if again && !intent.act.may_be_repeated() && !acting.can_be_found_again() {
        let why = format!(
            "{} may have been carried out before, and whether it was cannot be seen; it is not done a second time",
            acting.words()
        );
        return ActResult::Failed { why: why.into(), may_have_happened: true };
    }
    let first = tokio::time::timeout_at(deadline, acting.once()).await;
    let stopped = match first {
        Ok(Ok(result)) => return result,
        Ok(Err(stopped)) => stopped,
        Err(_) => return acting.out_of_time(),
    };
    if !stopped.is_unclear() || !intent.act.may_be_repeated() {
        return stopped.result(acting.begun());
    }
    tracing::warn!(
        act = intent.act.word(),
        token = intent.token,
        why = stopped.sentence(),
        "looking whether it happened"
    );
    acting.again = true;
    // What was asked for a moment ago may not be told yet.
    tokio::time::sleep(settings.timeouts.backoff * 4).await;
    match tokio::time::timeout_at(deadline, acting.once()).await {
        Ok(Ok(result)) => result,
        Ok(Err(later)) => later.result(true),
        Err(_) => stopped.result(true),
    }
}

impl Acting<'_> {
    async fn once(&self) -> Acted {
        match &self.intent.act {
            Act::RestartAgent => self.command(script::Action::RestartAgent).await,
            Act::RestartRuntime => self.command(script::Action::RestartRuntime).await,
            Act::Reboot if self.is_external() => self.command(script::Action::Reboot).await,
            Act::Reboot => self.reboot().await,
            Act::Drain => self.set_status(drain::Wanted::Draining).await,
            Act::Undrain => self.set_status(drain::Wanted::Active).await,
            Act::SetDesired { from, to } => self.set_desired(*from, *to).await,
            Act::ExecutePolicy { policy, from } => self.execute_policy(policy, *from).await,
            Act::TerminateInGroup { shrink } => self.terminate_in_group(*shrink).await,
            Act::MarkUnhealthy => self.mark_unhealthy().await,
            Act::Terminate => self.terminate().await,
            Act::Deregister => self.deregister().await,
            Act::Custom { name } => self.custom(name).await,
            // Told apart in `perform`: it cannot fail.
            Act::SaveEvidence => Ok(ActResult::Saved { items: Vec::new() }),
        }
    }

    /// A second call finds what the first one did by its token, although the act itself must not be repeated.
    fn can_be_found_again(&self) -> bool {
        match &self.intent.act {
            Act::Reboot => self.is_external(),
            Act::Custom { name } => self.settings.customs.iter().any(|it| it.name == *name && it.is_found_again()),
            _ => true,
        }
    }

    fn out_of_time(&self) -> ActResult<'static> {
        let why = format!("{} did not end within its limit of {} s", self.words(), self.intent.limit_secs);
        ActResult::Failed { why: why.into(), may_have_happened: self.begun() }
    }

    fn begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// A call that only looks.
    pub(crate) async fn read<T, F>(
        &self,
        bucket: Bucket,
        action: &'static str,
        thing: &str,
        send: impl FnMut() -> F,
    ) -> Result<T, Stopped>
    where
        F: Future<Output = Result<T, Refusal>>,
    {
        let answer = self.place.caller.call(bucket, action, send).await;
        answer.map_err(|refusal| Stopped { action, thing: thing.to_owned(), refusal, changing: false })
    }

    /// A call that changes something: never sent a second time unless AWS throttled it.
    pub(crate) async fn change<T, F>(
        &self,
        bucket: Bucket,
        action: &'static str,
        thing: &str,
        send: impl FnMut() -> F,
    ) -> Result<T, Stopped>
    where
        F: Future<Output = Result<T, Refusal>>,
    {
        let begun_before = self.begun.swap(true, Ordering::Relaxed);
        let answer = self.place.caller.change(bucket, action, send).await;
        if answer.as_ref().is_err_and(|refusal| !refusal.is_unclear()) {
            self.begun.store(begun_before, Ordering::Relaxed);
        }
        answer.map_err(|refusal| Stopped { action, thing: thing.to_owned(), refusal, changing: true })
    }

    /// What is being done to whom.
    pub(crate) fn words(&self) -> String {
        let target = &self.intent.target;
        let whom = target.machine.as_ref().or(target.host.as_ref()).or(target.group.as_ref());
        format!("{} of {}", self.intent.act.word(), whom.map_or("nobody", String::as_str))
    }

    /// An ECS Anywhere host: no EC2, no Auto Scaling.
    pub(crate) fn is_external(&self) -> bool {
        let target = &self.intent.target;
        target.external || target.machine.as_deref().is_some_and(is_external_id)
    }

    /// The id of an EC2 instance, and nothing else.
    pub(crate) fn instance(&self) -> Result<&str, ActResult<'static>> {
        self.machine().and_then(|id| {
            let why = || {
                format!("{id} is no EC2 instance: its machine is not AWS's to touch; restart, drain or deregister it")
            };
            if is_ec2_instance_id(id) { Ok(id) } else { Err(impossible(why())) }
        })
    }

    /// The id of a machine as SSM knows it, `i-…` or `mi-…`.
    pub(crate) fn machine(&self) -> Result<&str, ActResult<'static>> {
        match self.intent.target.machine.as_deref() {
            Some(id) if is_ec2_instance_id(id) || is_external_id(id) => Ok(id),
            Some(id) => Err(impossible(format!("{id:?} is no machine id"))),
            None => Err(impossible(format!("{}: ECS names no machine for it", self.words()))),
        }
    }

    /// Cluster and container instance ARN.
    pub(crate) fn host(&self) -> Result<(&str, &str), ActResult<'static>> {
        let target = &self.intent.target;
        let Some(host) = target.host.as_deref() else {
            return Err(ActResult::Gone { note: format!("{}: it never registered with ECS", self.words()).into() });
        };
        match (is_ecs_arn(&target.cluster), is_ecs_arn(host)) {
            (true, true) => Ok((&target.cluster, host)),
            (false, _) => Err(impossible(format!("{:?} is no cluster ARN", target.cluster))),
            _ => Err(impossible(format!("{host:?} is no container instance ARN"))),
        }
    }
}

fn is_ecs_arn(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b":/-_".contains(&b);
    Arn::parse(text).is_some_and(|arn| arn.service == "ecs") && text.bytes().all(plain)
}

pub(crate) fn done(note: impl Into<String>) -> ActResult<'static> {
    ActResult::Done { note: note.into().into() }
}

pub(crate) fn gone(note: impl Into<String>) -> ActResult<'static> {
    ActResult::Gone { note: note.into().into() }
}

pub(crate) fn unfit(why: impl Into<String>) -> ActResult<'static> {
    ActResult::Unfit { why: why.into().into() }
}

pub(crate) fn impossible(why: impl Into<String>) -> ActResult<'static> {
    ActResult::Impossible { why: why.into().into() }
}

pub(crate) fn failed(why: impl Into<String>, may_have_happened: bool) -> ActResult<'static> {
    ActResult::Failed { why: why.into().into(), may_have_happened }
}
