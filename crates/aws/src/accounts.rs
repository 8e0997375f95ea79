//! Credentials, assumed roles, regions and endpoints: one [`Place`] for each account and region watched.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::{Credentials, provider::ProvideCredentials};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};

use crate::{
    actors::Actors,
    call::Caller,
    refusal::credential_words,
    settings::{AssumedAccount, Settings},
    signed::Signed,
};

/// AWS cannot be reached as it is set up.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No region anywhere.
    #[error("no region is set: give --region, or set AWS_REGION, or `region` in the profile")]
    NoRegion,
    /// No usable credentials.
    #[error(
        "no usable AWS credentials ({why}); set AWS_PROFILE or --profile, run `aws sso login`, or give the machine a role"
    )]
    NoCredentials {
        /// What each source said.
        why: String,
    },
    /// A role could not be assumed.
    #[error("the role {role} could not be assumed ({why}); check its trust policy and that sts:AssumeRole is allowed")]
    Role {
        /// ARN.
        role: String,
        /// What STS said.
        why: String,
    },
    /// A role's ARN is none.
    #[error("{role} is no role ARN; it should look like arn:aws:iam::210987654321:role/NAME")]
    BadRole {
        /// As given.
        role: String,
    },
    /// The HTTP client could not be set up.
    #[error("the HTTP client could not be set up: {why}")]
    Http {
        /// Why.
        why: String,
    },
}

/// One account and region, with a client for each service.
#[derive(Debug)]
pub(crate) struct Place {
    /// The account: from the role, or learned from the first ARN seen.
    account: OnceLock<String>,
    /// Auto Scaling groups that have had a host: a replacement that never registers is still one of theirs.
    pub groups_with_hosts: Mutex<BTreeSet<String>>,
    /// Instance types that EC2 has been asked about in a sweep.
    pub types_asked: Mutex<BTreeSet<String>>,
    /// The region.
    pub region: String,
    /// Paces, repeats and counts, for whoever looks and whoever acts here: AWS counts them together.
    pub caller: Arc<Caller>,
    /// ECS.
    pub ecs: aws_sdk_ecs::Client,
    /// ECS, signed by hand, for answers that are wanted as they are.
    pub ecs_json: Signed,
    /// Auto Scaling.
    pub autoscaling: aws_sdk_autoscaling::Client,
    /// EC2, signed by hand.
    pub ec2: Signed,
    /// SSM, signed by hand.
    pub ssm: Signed,
    /// Lambda, signed by hand.
    pub lambda: Signed,
    /// CloudWatch's metrics, signed by hand.
    pub metrics: Signed,
}

impl Place {
    /// `ACCOUNT/REGION`; the account is empty until it is known.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.account.get().map_or("", String::as_str), self.region)
    }

    /// For sentences: the region, and the account where known.
    pub(crate) fn words(&self) -> String {
        match self.account.get() {
            Some(account) => format!("account {account} in {}", self.region),
            None => self.region.clone(),
        }
    }

    /// The account, once it is known.
    pub(crate) fn account(&self) -> Option<&str> {
        self.account.get().map(String::as_str)
    }

    /// Learns the account from an ARN.
    pub(crate) fn learn(&self, arn: &str) {
        if let Some(arn) = fleet::id::Arn::parse(arn).filter(|arn| !arn.account.is_empty()) {
            let _known_before = self.account.set(arn.account.to_owned());
        }
    }

    /// Whether something with this `account` and `region` is here; a place that does not know its account yet takes
    /// all of its region.
    pub(crate) fn holds(&self, account: &str, region: &str) -> bool {
        self.region == region && self.account.get().is_none_or(|known| known == account || account.is_empty())
    }
}

/// All places, who acts in them, and what queues are read with.
#[derive(Debug)]
pub(crate) struct Accounts {
    pub places: Vec<Arc<Place>>,
    pub actors: Actors,
    pub base: SdkConfig,
}

/// Resolves credentials, regions and endpoints.
pub(crate) async fn resolve(settings: &Settings) -> Result<Accounts, ConnectError> {
    let base = loader(settings).load().await;
    let regions: Vec<String> = if settings.regions.is_empty() {
        vec![base.region().map(ToString::to_string).ok_or(ConnectError::NoRegion)?]
    } else {
        settings.regions.clone()
    };
    let base = base.into_builder().region(Region::new(regions[0].clone())).build();
    check_credentials(&base).await.map_err(|why| ConnectError::NoCredentials { why })?;
    let mut places = Vec::new();
    for region in &regions {
        let regional = base.clone().into_builder().region(Region::new(region.clone())).build();
        if settings.watch_base_account {
            places.push(Arc::new(place(settings, &regional, region, None, caller(settings))?));
        }
        for account in &settings.accounts {
            let (config, number) = assumed(&regional, account, region).await?;
            check_credentials(&config)
                .await
                .map_err(|why| ConnectError::Role { role: account.role_arn.clone(), why })?;
            places.push(Arc::new(place(settings, &config, region, Some(number), caller(settings))?));
        }
    }
    let actors = Actors::new(settings, &base).await?;
    Ok(Accounts { places, actors, base })
}

pub(crate) fn loader(settings: &Settings) -> ConfigLoader {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(settings.timeouts.connect)
        .read_timeout(settings.timeouts.read)
        .operation_attempt_timeout(settings.timeouts.connect + settings.timeouts.read)
        .build();
    // muster repeats calls itself, so that throttles reach its own pace.
    let mut loader =
        aws_config::defaults(BehaviorVersion::latest()).retry_config(RetryConfig::disabled()).timeout_config(timeouts);
    if let Ok(name) = aws_config::AppName::new("muster") {
        loader = loader.app_name(name);
    }
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(url) = &settings.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    if let Some(region) = settings.regions.first() {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(keys) = &settings.keys {
        let credentials = Credentials::new(
            &keys.access_key_id,
            &keys.secret_access_key,
            keys.session_token.clone(),
            None,
            "settings",
        );
        // Whoever brings keys wants nothing of this machine's profiles, not even a word about their files.
        let no_files = EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Config, "").build();
        loader = loader.credentials_provider(credentials).profile_files(no_files);
    }
    loader
}

fn caller(settings: &Settings) -> Arc<Caller> {
    Arc::new(Caller::new(settings.api_share, settings.timeouts.backoff))
}

/// Whether there are credentials, or why not.
pub(crate) async fn check_credentials(config: &SdkConfig) -> Result<(), String> {
    let Some(provider) = config.credentials_provider() else {
        return Err("no source of credentials is configured".to_owned());
    };
    provider.provide_credentials().await.map(|_| ()).map_err(|error| credential_words(&error))
}

/// The configuration of a role's calls, and its account. Nothing is asked yet: the role is assumed by the first call.
pub(crate) async fn assumed(
    base: &SdkConfig,
    account: &AssumedAccount,
    region: &str,
) -> Result<(SdkConfig, String), ConnectError> {
    let number = fleet::id::Arn::parse(&account.role_arn)
        .filter(|arn| arn.service == "iam" && !arn.account.is_empty())
        .map(|arn| arn.account.to_owned())
        .ok_or_else(|| ConnectError::BadRole { role: account.role_arn.clone() })?;
    let mut builder = aws_config::sts::AssumeRoleProvider::builder(&account.role_arn)
        .configure(base)
        .region(Region::new(region.to_owned()))
        .session_name(account.session_name.as_deref().unwrap_or("muster"));
    if let Some(id) = &account.external_id {
        builder = builder.external_id(id);
    }
    let provider = builder.build().await;
    let config = base
        .clone()
        .into_builder()
        .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(provider))
        .build();
    Ok((config, number))
}

/// A function answers at its end, which may be later than any other service's answer.
fn waiting_for_functions(settings: &Settings) -> Settings {
    let longest = settings.customs.iter().map(|custom| Duration::from_secs(u64::from(custom.timeout_secs))).max();
    let mut settings = settings.clone();
    settings.timeouts.read = settings.timeouts.read.max(longest.unwrap_or_default());
    settings
}

/// The clients of one account and region.
pub(crate) fn place(
    settings: &Settings,
    config: &SdkConfig,
    region: &str,
    account: Option<String>,
    caller: Arc<Caller>,
) -> Result<Place, ConnectError> {
    let known = OnceLock::new();
    if let Some(account) = account {
        let _first = known.set(account);
    }
    let signed = |service, id| Signed::new(settings, config, region, service, id);
    Ok(Place {
        account: known,
        groups_with_hosts: Mutex::default(),
        types_asked: Mutex::default(),
        region: region.to_owned(),
        caller,
        ecs: aws_sdk_ecs::Client::new(config),
        ecs_json: signed("ecs", "ECS")?,
        autoscaling: aws_sdk_autoscaling::Client::new(config),
        ec2: signed("ec2", "EC2")?,
        ssm: signed("ssm", "SSM")?,
        lambda: Signed::new(&waiting_for_functions(settings), config, region, "lambda", "Lambda")?,
        metrics: signed("monitoring", "CloudWatch")?,
    })
}
