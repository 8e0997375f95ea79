//! Who acts. Looking and acting may be apart: a role of `act_roles` is assumed for the calls of remedies and for nothing
//! else. Where there is none, or it cannot be assumed, the account is only observed: no call of a remedy is made there, and
//! why is told.

use std::{
    collections::BTreeMap,
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
    signed::Signed,
};

/// A role that could be assumed is looked at again after so long.
const GOOD_FOR: Duration = Duration::from_secs(300);
/// One that could not is tried again after so long.
const BAD_FOR: Duration = Duration::from_secs(55);
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
    /// By account and region.
    places: Mutex<BTreeMap<(String, String), Arc<Place>>>,
    /// What was denied when it was last tried, by account and act.
    denials: Mutex<BTreeMap<(String, &'static str), String>>,
}

#[derive(Debug)]
struct Role {
    arn: String,
    config: SdkConfig,
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
            let good_for = if result.is_ok() { GOOD_FOR } else { BAD_FOR };
            if at.elapsed() < good_for {
                return result.clone();
            }
        }
        let result = accounts::check_credentials(&self.config).await;
        *open(&self.tried) = Some((Instant::now(), result.clone()));
        result
    }

    fn refusal(&self, account: &str, why: &str) -> String {
        format!(
            "account {account} is only observed: the role to act under, {}, could not be assumed ({why}); check its trust \
             policy and that sts:AssumeRole on it is allowed",
            self.arn
        )
    }
}

impl Actors {
    /// By these roles. None is assumed yet.
    ///
    /// # Errors
    /// When an ARN is none of a role.
    pub(crate) async fn new(base: &SdkConfig, arns: &[String]) -> Result<Self, ConnectError> {
        let region = base.region().map(ToString::to_string).unwrap_or_default();
        let mut roles = BTreeMap::new();
        for arn in arns {
            let role = AssumedAccount {
                role_arn: arn.clone(),
                external_id: None,
                session_name: Some(SESSION.to_owned()),
            };
            let (config, account) = accounts::assumed(base, &role, &region).await?;
            roles.insert(account, Role { arn: arn.clone(), config, tried: Mutex::default() });
        }
        Ok(Self { roles, places: Mutex::default(), denials: Mutex::default() })
    }

    /// Who acts in an account, at the place that is looked at by `looking`; or why nobody does.
    pub(crate) async fn of(
        &self,
        settings: &Settings,
        looking: &Arc<Place>,
        account: &str,
    ) -> Result<Arc<Place>, String> {
        if self.roles.is_empty() {
            return Ok(looking.clone());
        }
        let Some(role) = self.roles.get(account) else {
            return Err(nobody(account));
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
        let without = watched.filter(|account| !self.roles.is_empty() && !self.roles.contains_key(*account));
        all.extend(without.map(|account| (account.to_owned(), nobody(account))));
        for ((account, act), why) in &*open(&self.denials) {
            let why = || format!("account {account} is only observed as far as {act} goes: {why}");
            all.entry(account.clone()).or_insert_with(why);
        }
        all.into_iter().map(|(account, why)| ObservedOnly { account, why }).collect()
    }
}

fn nobody(account: &str) -> String {
    format!(
        "account {account} is only observed: there are roles to act under, and none is of this account; add one to act_roles"
    )
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
