//! Who acts. Looking and acting may be apart: a role of `act_roles` is assumed for the calls of remedies and for nothing
//! else. Where there is none, or it cannot be assumed, the account is only observed: no call of a remedy is made there, and
//! why is told.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use aws_config::{Region, SdkConfig};
use engine::ports::ActResult;
use futures::future::join_all;
use wire::query::Params;

use crate::{
    accounts::{self, ConnectError, Place},
    settings::{AssumedAccount, Settings},
    signed::{self, Signed},
};

/// A role that could be assumed is looked at again after so long.
const GOOD_FOR: Duration = Duration::from_secs(300);
/// One that could not is tried again after so many times the first pause between two tries of a call: 50 s.
const PAUSES: u32 = 100;
/// The services whose facts lead to acts, and those that act, by the names they have in `AWS_ENDPOINT_URL_NAME`.
const SERVICES: [&str; 5] = ["ECS", "Auto Scaling", "EC2", "SSM", "Lambda"];
/// Under which name CloudTrail shows what is done under such a role.
const SESSION: &str = "muster-act";

/// An account that muster looks at and does not touch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObservedOnly {
    /// The account's number.
    pub account: String,
    /// Why, and what to do; in a sentence.
    pub why: String,
}

/// Who acts in which account.
#[derive(Debug)]
pub(crate) struct Actors {
    /// By account. Empty: whoever looks acts as well.
    roles: BTreeMap<String, Role>,
    /// Nobody acts anywhere: a part of what is seen is pretended, and a part is real.
    mixed: Option<String>,
    /// By account and region.
    places: Mutex<BTreeMap<(String, String), Arc<Place>>>,
    /// What was denied when it was last tried, by account and act.
    denials: Mutex<BTreeMap<(String, &'static str), String>>,
}

#[derive(Debug)]
struct Role {
    arn: String,
    config: SdkConfig,
    /// It is not tried again before, once it could not be assumed.
    pause: Duration,
    /// When it was last tried to assume it, and why it could not be.
    tried: Mutex<Option<(Instant, Result<(), String>)>>,
}

fn open<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change leaves what is kept whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Role {
    /// Whether it can be assumed, by the last try or a new one.
    async fn leave(&self) -> Result<(), String> {
        if let Some((at, result)) = &*open(&self.tried) {
            let good_for = if result.is_ok() { GOOD_FOR } else { self.pause };
            if at.elapsed() < good_for {
                return result.clone();
            }
        }
        let result = accounts::check_credentials(&self.config).await;
        *open(&self.tried) = Some((Instant::now(), result.clone()));
        result
    }

    fn refusal(&self, account: &str, why: &str) -> String {
        let why = format!(
            "the role to act under, {}, could not be assumed ({why}); check its trust policy and that sts:AssumeRole on it is \
             allowed",
            self.arn
        );
        only(account, &why)
    }
}

impl Actors {
    /// By these roles. None is assumed yet.
    ///
    /// # Errors
    /// When an ARN is none of a role.
    pub(crate) async fn new(settings: &Settings, base: &SdkConfig) -> Result<Self, ConnectError> {
        let pause = settings.timeouts.backoff * PAUSES;
        let region = base.region().map(ToString::to_string).unwrap_or_default();
        let mut roles = BTreeMap::new();
        for arn in &settings.act_roles {
            let role =
                AssumedAccount { role_arn: arn.clone(), external_id: None, session_name: Some(SESSION.to_owned()) };
            let (config, account) = accounts::assumed(base, &role, &region).await?;
            roles.insert(account, Role { arn: arn.clone(), config, pause, tried: Mutex::default() });
        }
        Ok(Self { roles, mixed: mixed(settings, base), places: Mutex::default(), denials: Mutex::default() })
    }

    /// Who acts in an account, at the place that is looked at by `looking`; or why nobody does.
    pub(crate) async fn of(
        &self,
        settings: &Settings,
        looking: &Arc<Place>,
        account: &str,
    ) -> Result<Arc<Place>, String> {
        if let Some(why) = &self.mixed {
            return Err(only(account, why));
        }
        if self.roles.is_empty() {
            return Ok(looking.clone());
        }
        let Some(role) = self.roles.get(account) else {
            return Err(only(account, NOBODY));
        };
        role.leave().await.map_err(|why| role.refusal(account, &why))?;
        let key = (account.to_owned(), looking.region.clone());
        if let Some(known) = open(&self.places).get(&key) {
            return Ok(known.clone());
        }
        let config = role.config.clone().into_builder().region(Region::new(looking.region.clone())).build();
        let caller = looking.caller.clone();
        let made = accounts::place(settings, &config, &looking.region, Some(account.to_owned()), caller);
        let made = Arc::new(made.map_err(|error| error.to_string())?);
        Ok(open(&self.places).entry(key).or_insert(made).clone())
    }

    /// What acts in the account that the base credentials belong to. `None`: they themselves.
    pub(crate) async fn at_home(&self, settings: &Settings, base: &SdkConfig) -> Option<&SdkConfig> {
        if self.roles.is_empty() {
            return None;
        }
        match whose(settings, base).await {
            Ok(account) => self.roles.get(&account).map(|role| &role.config),
            Err(why) => {
                tracing::warn!(why, "whose credentials these are is not known; no role is assumed for the lease");
                None
            }
        }
    }

    /// Tries roles again that were not tried lately.
    pub(crate) async fn look(&self) {
        join_all(self.roles.values().map(Role::leave)).await;
    }

    /// Remembers what was denied, and forgets it when it is allowed.
    pub(crate) fn note(&self, account: &str, act: &'static str, result: &ActResult<'_>) {
        let key = (account.to_owned(), act);
        match result {
            ActResult::Denied { why } => {
                open(&self.denials).insert(key, why.to_string());
            }
            ActResult::Done { .. } => {
                open(&self.denials).remove(&key);
            }
            _ => {}
        }
    }

    /// The accounts that are only observed, as far as is known, when these are watched.
    pub(crate) fn observed_only<'a>(&self, watched: impl Iterator<Item = &'a str>) -> Vec<ObservedOnly> {
        let refused = self.roles.iter().filter_map(|(account, role)| match &*open(&role.tried) {
            Some((_, Err(why))) => Some((account.clone(), role.refusal(account, why))),
            _ => None,
        });
        let mut all: BTreeMap<String, String> = refused.collect();
        for account in watched {
            if let Some(why) = &self.mixed {
                all.insert(account.to_owned(), only(account, why));
            } else if !self.roles.is_empty() && !self.roles.contains_key(account) {
                all.insert(account.to_owned(), only(account, NOBODY));
            }
        }
        for ((account, act), why) in &*open(&self.denials) {
            let why = || format!("account {account} is only observed as far as {act} goes: {why}");
            all.entry(account.clone()).or_insert_with(why);
        }
        all.into_iter().map(|(account, why)| ObservedOnly { account, why }).collect()
    }
}

const NOBODY: &str = "there are roles to act under, and none is of this account; add one to act_roles";

fn only(account: &str, why: &str) -> String {
    format!("account {account} is only observed: {why}")
}

/// Why nobody acts, if one service is asked on this machine and another is not: what a pretend account says must never lead
/// to something done in a real one, nor the other way round.
fn mixed(settings: &Settings, base: &SdkConfig) -> Option<String> {
    let here = |id: &&'static str| signed::endpoint(settings, base, id).is_some_and(|url| is_on_this_machine(&url));
    let (here, elsewhere): (Vec<&str>, Vec<&str>) = SERVICES.iter().partition(|id| here(id));
    if here.is_empty() || elsewhere.is_empty() {
        return None;
    }
    Some(format!(
        "{} would be asked on this machine, as a pretend account is, and {} elsewhere; set one endpoint for all services, or \
         none",
        here.join(", "),
        elsewhere.join(", ")
    ))
}

fn is_on_this_machine(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).trim_end_matches('.');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// The account of these credentials: sts:GetCallerIdentity, which needs no permission.
async fn whose(settings: &Settings, base: &SdkConfig) -> Result<String, String> {
    let region = base.region().map(ToString::to_string).unwrap_or_default();
    let sts = Signed::new(settings, base, &region, "sts", "STS").map_err(|error| error.to_string())?;
    let answer = sts.query(&Params::new("GetCallerIdentity", "2011-06-15")).await;
    let answer = answer.map_err(|refusal| refusal.sentence("sts:GetCallerIdentity", &region))?;
    let account = answer.text_at("GetCallerIdentityResult/Account");
    account.map(str::to_owned).ok_or_else(|| "STS did not say whose credentials these are".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pretend_account_is_one_on_this_machine() {
        for yes in ["http://127.0.0.1:4566", "http://localhost:4566/", "http://[::1]:1", "http://[::ffff:127.0.0.1]:1"]
        {
            assert!(is_on_this_machine(yes), "{yes}");
        }
        for no in
            ["https://ecs.eu-central-1.amazonaws.com", "https://vpce-1.ecs.eu-central-1.vpce.amazonaws.com", "x", ""]
        {
            assert!(!is_on_this_machine(no), "{no}");
        }
    }
}
