//! The port itself: sweeps over all places, single looks sent to the right one, and the event queues.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;
use aws_config::SdkConfig;
use engine::ports::{
    ActResult, Answer, Cloud, Delivery, FailureKind, Intent, Look, LookFailure, Observation, Receipt, Scope, Sweep,
    observation::Source,
};
use fleet::id::Arn;
use futures::future::join_all;
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::{
    accounts::{self, ConnectError, Place},
    act::{self, custom::CustomWebhook},
    actors::{Actors, ObservedOnly},
    autoscaling::DESCRIBE_GROUPS,
    call::{CallCount, Calls},
    ec2::DESCRIBE_STATUS,
    ecs::{DESCRIBE_HOSTS, DESCRIBE_TASKS, LIST_HOSTS},
    pace::Allowance,
    queue::Queues,
    refusal::Refusal,
    settings::Settings,
    ssm::DESCRIBE_INFORMATION,
    sweep,
    told::DESCRIBE_DEFINITION,
};

/// Gets hold of credentials, regions, roles and endpoints. Nothing is read from ECS yet.
///
/// # Errors
/// When no region or no usable credentials are found, or a role cannot be assumed.
pub async fn connect(settings: Settings) -> Result<AwsCloud, ConnectError> {
    let accounts = accounts::resolve(&settings).await?;
    let queues = Queues::new(&settings, &accounts.base);
    let accounts::Accounts { places, actors, base } = accounts;
    Ok(AwsCloud { places, actors, queues, base, settings, webhook: None })
}

/// AWS, in all the accounts and regions watched.
#[derive(Debug)]
pub struct AwsCloud {
    places: Vec<Arc<Place>>,
    actors: Actors,
    queues: Queues,
    base: SdkConfig,
    settings: Settings,
    webhook: Option<Arc<dyn CustomWebhook>>,
}

impl AwsCloud {
    /// With a sender for the operators' actions that are webhooks.
    #[must_use]
    pub fn with_webhook(mut self, webhook: Arc<dyn CustomWebhook>) -> Self {
        self.webhook = Some(webhook);
        self
    }

    pub(crate) fn base(&self) -> &SdkConfig {
        &self.base
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn places(&self) -> &[Arc<Place>] {
        &self.places
    }

    pub(crate) fn actors(&self) -> &Actors {
        &self.actors
    }

    /// Looks again whether the roles to act under can be assumed, where that was not seen lately, and gives the accounts that
    /// are only observed.
    pub async fn look_at_act_roles(&self) -> Vec<ObservedOnly> {
        self.actors.look().await;
        self.observed_only()
    }

    /// The accounts that are only observed, by what is known: their role to act under could not be assumed, or what it was
    /// asked to do was denied.
    pub fn observed_only(&self) -> Vec<ObservedOnly> {
        self.actors.observed_only(self.places.iter().filter_map(|place| place.account()))
    }

    /// How often each operation was called, over all places.
    pub fn calls(&self) -> Calls {
        let mut sum: BTreeMap<&'static str, CallCount> = BTreeMap::new();
        for place in &self.places {
            for (action, count) in place.caller.calls() {
                let total = sum.entry(action).or_default();
                total.sent += count.sent;
                total.throttled += count.throttled;
                total.failed += count.failed;
            }
        }
        sum
    }

    /// How fast muster may ask at the moment, place by place.
    pub fn allowances(&self) -> Vec<(String, Vec<Allowance>)> {
        self.places.iter().map(|place| (place.words(), place.caller.allowances())).collect()
    }

    pub(crate) fn place_of_arn(&self, arn: &str) -> Option<&Arc<Place>> {
        let arn = Arn::parse(arn)?;
        self.places.iter().find(|place| place.holds(arn.account, arn.region))
    }

    fn place_named(&self, name: &str) -> Option<&Arc<Place>> {
        let (account, region) = name.split_once('/')?;
        self.places.iter().find(|place| place.holds(account, region))
    }
}

#[async_trait]
impl Cloud for AwsCloud {
    async fn sweep(&self, answers: mpsc::Sender<Answer>) {
        let found = join_all(self.places.iter().map(|place| sweep::sweep(place, &self.settings, &answers))).await;
        // Where a place could not be read, its failure has been told and a name may be there.
        let Some(found) = found.into_iter().collect::<Option<Vec<BTreeSet<String>>>>() else { return };
        let found = found.into_iter().flatten().collect();
        if let Some(place) = self.places.first()
            && let Some(failure) = sweep::unfound(&self.settings, &found, place)
        {
            // Nobody listens any more only when the sweep is being given up.
            let _ = answers.send(Answer::Failed(failure)).await;
        }
    }

    async fn look(&self, look: Look) -> Answer {
        let started_at = Timestamp::now();
        let (scope, place) = match &look {
            Look::Hosts { cluster, .. } | Look::Registrations { cluster, .. } => {
                (Scope::Hosts { cluster: cluster.clone().into() }, self.place_of_arn(cluster))
            }
            Look::Tasks { cluster, .. } => {
                (Scope::Tasks { cluster: cluster.clone().into() }, self.place_of_arn(cluster))
            }
            Look::Machines { place, .. } => (Scope::Machines(place.clone().into()), self.place_named(place)),
            Look::Pings { place, .. } => (Scope::Pings(place.clone().into()), self.place_named(place)),
            Look::Groups { place, .. } => (Scope::Groups(place.clone().into()), self.place_named(place)),
            Look::Demand { cluster, .. } => {
                (Scope::Demand { cluster: cluster.clone().into() }, self.place_of_arn(cluster))
            }
        };
        let Some(place) = place else {
            let message =
                format!("{scope:?} is in no account and region that muster watches; add it to the configuration");
            return Answer::Failed(LookFailure { scope, kind: FailureKind::Failed, message: message.into() });
        };
        let (action, thing, answer) = read(place, look).await;
        match answer {
            Ok(found) => {
                Answer::Swept(Sweep { scope, started_at, found, unchanged: 0, complete: false, absent: Vec::new() })
            }
            Err(refusal) => Answer::Failed(refusal.failure(scope, action, &thing)),
        }
    }

    async fn act(&self, intent: &Intent, again: bool) -> ActResult<'static> {
        let target = &intent.target;
        let place = self.place_of_arn(&target.cluster).or_else(|| self.place_named(&target.place));
        let Some(place) = place else {
            let why = format!(
                "{} of {}: it is in no account and region that muster watches; add it to the configuration",
                intent.act.word(),
                target.cluster
            );
            return ActResult::Impossible { why: why.into() };
        };
        let account = Arn::parse(&target.cluster).map(|arn| arn.account).filter(|account| !account.is_empty());
        let account = account.or_else(|| place.account()).unwrap_or_default().to_owned();
        let actor = match self.actors.of(&self.settings, place, &account).await {
            Ok(actor) => actor,
            Err(why) => return act::observed_only(intent, again, &why),
        };
        let result = act::perform((place, &actor), &self.settings, self.webhook.as_ref(), intent, again).await;
        self.actors.note(&account, intent.act.word(), &result);
        result
    }

    async fn receive(&self) -> Result<Vec<Delivery>, LookFailure<'static>> {
        self.queues.receive().await
    }

    async fn acknowledge(&self, receipts: Vec<Receipt>) -> Result<(), LookFailure<'static>> {
        self.queues.acknowledge(receipts).await
    }
}

type Read = (&'static str, String, Result<Vec<Observation<'static>>, Refusal>);

async fn read(place: &Place, look: Look) -> Read {
    match look {
        Look::Hosts { cluster, arns } => {
            let answer = place.describe_hosts(&cluster, &arns, Source::Look).await;
            (DESCRIBE_HOSTS, cluster, answer)
        }
        Look::Registrations { cluster, machines } => match place.registration_facts(&cluster, &machines).await {
            Ok(found) => (LIST_HOSTS, cluster, Ok(found)),
            Err((action, refusal)) => (action, cluster, Err(refusal)),
        },
        Look::Tasks { cluster, arns } => {
            let answer = place.describe_tasks(&cluster, &arns, Source::Look).await;
            (DESCRIBE_TASKS, cluster, answer)
        }
        Look::Machines { ids, .. } => {
            let answer = place.machine_facts(&ids.into_iter().collect(), Source::Look).await;
            (DESCRIBE_STATUS, place.words(), answer)
        }
        Look::Pings { ids, .. } => {
            let answer = place.ping_facts(&ids.into_iter().collect(), Source::Look).await;
            (DESCRIBE_INFORMATION, place.words(), answer)
        }
        Look::Groups { names, .. } => match place.group_facts(&names, Source::Look).await {
            Ok(found) => (DESCRIBE_GROUPS, place.words(), Ok(found)),
            Err((action, refusal)) => (action, place.words(), Err(refusal)),
        },
        Look::Demand { cluster, of } => match place.demand_facts(&cluster, &of, Source::Look).await {
            Ok(found) => (DESCRIBE_DEFINITION, of, Ok(found)),
            Err((action, refusal)) => (action, of, Err(refusal)),
        },
    }
}
