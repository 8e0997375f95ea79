//! Who may ask: access keys, and Security Token Service.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use wire::{error::ServiceError, query::Params, sigv4::Key, xml::Writer};

use super::scope::Scope;
use crate::{seed::mix, world::World};

/// The operations of STS answered here.
pub(crate) const OPERATIONS: &[&str] = &["AssumeRole", "GetCallerIdentity"];

/// STS's XML namespace.
pub(crate) const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// How signatures are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Signatures {
    /// Not at all.
    Off,
    /// A request must be signed, whoever signed it.
    #[default]
    Present,
    /// A request must be signed with a known key, correctly.
    Checked,
}

/// A key that is known from the beginning.
#[derive(Clone)]
pub struct Credential {
    /// Access key id.
    pub access_key: String,
    /// Secret access key.
    pub secret_key: String,
    /// The account it belongs to.
    pub account: String,
}

/// What is kept of a key.
struct Known {
    key: Key,
    account: String,
    /// ARN of the caller as GetCallerIdentity tells it.
    arn: String,
}

/// All keys.
pub(crate) struct Access {
    keys: HashMap<String, Known>,
    secret: u64,
    issued: u64,
}

impl Access {
    pub(crate) fn new(credentials: &[Credential], seed: u64) -> Self {
        let mut keys = HashMap::new();
        for credential in credentials {
            let arn = format!("arn:aws:iam::{}:user/muster", credential.account);
            let key = Key { secret: credential.secret_key.clone(), session_token: None, expires_at: None };
            keys.insert(credential.access_key.clone(), Known { key, account: credential.account.clone(), arn });
        }
        Self { keys, secret: mix(seed ^ 0x7374_7300), issued: 0 }
    }

    pub(crate) fn key(&self, access_key: &str) -> Option<Key> {
        self.keys.get(access_key).map(|known| known.key.clone())
    }

    /// The account a key belongs to.
    pub(crate) fn account(&self, access_key: &str) -> Option<&str> {
        self.keys.get(access_key).map(|known| known.account.as_str())
    }

    /// Answers a call: the inside of `…Result`.
    pub(crate) fn answer(
        &mut self,
        world: &World,
        scope: &Scope,
        access_key: Option<&str>,
        operation: &str,
        params: &Params,
        w: &mut Writer,
    ) -> Result<(), ServiceError> {
        match operation {
            "GetCallerIdentity" => {
                let known = access_key.and_then(|key| self.keys.get(key));
                let root = format!("arn:{}:iam::{}:root", scope.partition, scope.account());
                w.text("Arn", known.map_or(&root, |known| &known.arn));
                w.text("UserId", access_key.unwrap_or("AIDAANONYMOUS"));
                w.text("Account", scope.account());
                Ok(())
            }
            "AssumeRole" => self.assume_role(world, scope, params, w),
            _ => Err(super::unknown("sts", operation, OPERATIONS)),
        }
    }

    fn assume_role(
        &mut self,
        world: &World,
        scope: &Scope,
        params: &Params,
        w: &mut Writer,
    ) -> Result<(), ServiceError> {
        let invalid = |what: String| ServiceError::new("ValidationError", what);
        let role = params.get("RoleArn").unwrap_or_default();
        let session = params.get("RoleSessionName").unwrap_or_default();
        let mut parts = role.splitn(6, ':').skip(4);
        let (account, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let Some(name) = name.strip_prefix("role/").filter(|_| role.starts_with("arn:")) else {
            return Err(invalid(format!("{role} is invalid")));
        };
        if session.is_empty() {
            return Err(invalid("RoleSessionName is required".to_owned()));
        }
        if !world.places.iter().any(|place| place.account == account) {
            let what = format!("User is not authorized to perform: sts:AssumeRole on resource: {role}");
            return Err(ServiceError::new("AccessDenied", what));
        }
        let secs = params.get("DurationSeconds").map_or(Ok(3600), str::parse::<i64>);
        let secs = secs.ok().filter(|secs| (900..=43_200).contains(secs));
        let secs = secs.ok_or_else(|| invalid("DurationSeconds must be between 900 and 43200".to_owned()))?;
        let expires_at = Timestamp::from_millisecond(scope.wall.0)
            .unwrap_or_default()
            .saturating_add(SignedDuration::from_secs(secs))
            .unwrap_or(Timestamp::MAX);
        self.issued += 1;
        let bits = |salt: u64| mix(self.secret ^ mix(self.issued ^ salt << 48));
        let access_key = format!("ASIA{:016X}", bits(1));
        let secret = format!("{:016x}{:016x}{:08x}", bits(2), bits(3), bits(4) as u32);
        let token = format!("IQoJ{:016x}{:016x}{:016x}{:016x}", bits(5), bits(6), bits(7), bits(8));
        let arn = format!("arn:{}:sts::{account}:assumed-role/{name}/{session}", scope.partition);
        w.element("Credentials", |w| {
            w.text("AccessKeyId", &access_key);
            w.text("SecretAccessKey", &secret);
            w.text("SessionToken", &token);
            w.text("Expiration", &format!("{expires_at:.0}"));
        });
        w.element("AssumedRoleUser", |w| {
            w.text("AssumedRoleId", &format!("AROA{:016X}:{session}", bits(9)));
            w.text("Arn", &arn);
        });
        let key = Key { secret, session_token: Some(token), expires_at: Some(expires_at) };
        self.keys.insert(access_key, Known { key, account: account.to_owned(), arn });
        Ok(())
    }
}
