//! What to watch and with what means. Plain data: the program maps its configuration to it.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// How to reach AWS and what to look at there.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name of a profile of the AWS configuration files. `None`: `AWS_PROFILE`, or `default`.
    pub profile: Option<String>,
    /// Regions to watch. Empty: the one that the environment or the profile names.
    pub regions: Vec<String>,
    /// One endpoint for all services, before any that the environment or the profile names.
    pub endpoint_url: Option<String>,
    /// Keys to use instead of the usual search for credentials; meant for simulators.
    pub keys: Option<Keys>,
    /// Whether to watch the account that the base credentials belong to.
    pub watch_base_account: bool,
    /// More accounts, each by a role that the base credentials may assume.
    pub accounts: Vec<AssumedAccount>,
    /// ARNs of the roles to act under, one for each account. Empty: the credentials that look act as well. With any, an
    /// account without one is only observed.
    pub act_roles: Vec<String>,
    /// Which clusters.
    pub clusters: Clusters,
    /// Queues that events arrive by. They are read with the base credentials.
    pub queues: Vec<Queue>,
    /// How large a part of each documented request bucket muster may use, above 0 and at most 1.
    pub api_share: f64,
    /// Also list and describe all tasks of every cluster in each sweep.
    pub audit_tasks: bool,
    /// How long to wait for answers.
    pub timeouts: Timeouts,
    /// The SSM documents by which commands are run on hosts.
    pub documents: Documents,
    /// Actions that operators have written.
    pub customs: Vec<Custom>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            profile: None,
            regions: Vec::new(),
            endpoint_url: None,
            keys: None,
            watch_base_account: true,
            accounts: Vec::new(),
            act_roles: Vec::new(),
            clusters: Clusters::default(),
            queues: Vec::new(),
            api_share: 0.10,
            audit_tasks: false,
            timeouts: Timeouts::default(),
            documents: Documents::default(),
            customs: Vec::new(),
        }
    }
}

/// Static keys. Their secret parts are never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: String,
    /// Session token of temporary keys.
    pub session_token: Option<String>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// An account reached by assuming a role in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssumedAccount {
    /// ARN of the role; it also tells the account.
    pub role_arn: String,
    /// External id, if the role's trust policy asks for one.
    pub external_id: Option<String>,
    /// Session name as CloudTrail shows it. `None`: `muster`.
    pub session_name: Option<String>,
}

/// Which clusters are watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clusters {
    /// Every cluster.
    All,
    /// By name, ARN, or glob over names (`prod-*`). A name without a glob that exists nowhere is reported missing.
    Named(Vec<String>),
    /// By tag.
    Tagged {
        /// Key of the tag.
        key: String,
        /// Its value; `None`: any value.
        value: Option<String>,
    },
}

impl Default for Clusters {
    /// The tag that seed deployments use.
    fn default() -> Self {
        Self::Tagged { key: "ecs-agent-monitoring".to_owned(), value: None }
    }
}

/// A queue that events arrive by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its URL.
    pub url: String,
    /// Its region. `None`: as the URL says, or the first watched region.
    pub region: Option<String>,
    /// For how long a received message stays hidden from others. muster extends it while it works on the message.
    pub visibility: Duration,
}

impl Queue {
    /// A queue with messages hidden for 60 s at a time.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), region: None, visibility: Duration::from_secs(60) }
    }
}

/// How long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection.
    pub connect: Duration,
    /// For an answer once connected. A long poll of a queue has 20 s more.
    pub read: Duration,
    /// The first pause before a repeated request; it doubles with each repetition, and a random part of it is waited.
    pub backoff: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), read: Duration::from_secs(20), backoff: Duration::from_millis(500) }
    }
}

/// The SSM documents by which commands are run. `None`: AWS-RunShellScript and AWS-RunPowerShellScript, which run any
/// text that they are given; muster gives them its own scripts and nothing else. A document of one's own has those
/// scripts inside and one parameter, `Action`, so that muster's role need not be allowed more (deploy/cloudformation).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Documents {
    /// For Linux.
    pub shell: Option<String>,
    /// For Windows.
    pub powershell: Option<String>,
}

/// An action that an operator has written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Custom {
    /// By which rules name it.
    pub name: String,
    /// For how long it may run; the limit of the intent holds as well.
    #[serde(default = "Custom::default_timeout_secs")]
    pub timeout_secs: u32,
    /// What it is.
    #[serde(flatten)]
    pub run: CustomRun,
}

impl Custom {
    fn default_timeout_secs() -> u32 {
        60
    }

    /// What a second call finds by its token, so that it need not do it again.
    pub fn is_found_again(&self) -> bool {
        matches!(self.run, CustomRun::SsmDocument { .. })
    }
}

/// How an operator's action is run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum CustomRun {
    /// A program beside muster, without a shell. It reads JSON from its standard input; exit code 0 is success.
    Command {
        /// Program and arguments.
        argv: Vec<String>,
    },
    /// A Lambda function in the host's account and region, waited for.
    Lambda {
        /// Name or ARN.
        function: String,
    },
    /// An SSM document, run on the machine itself.
    SsmDocument {
        /// Name or ARN.
        document: String,
        /// Its parameters, the same every time.
        #[serde(default)]
        parameters: BTreeMap<String, Vec<String>>,
    },
    /// An HTTP request; the program that embeds this crate knows where to.
    Webhook,
}
