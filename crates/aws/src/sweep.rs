//! Looking at everything once: clusters, hosts, groups and machines, pings. One answer a scope, each complete or said
//! not to be.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use aws_sdk_ecs::types::{Cluster, DesiredStatus};
use engine::ports::{
    Answer, FailureKind, LookFailure, Observation, Scope, Sweep,
    observation::{Attributes, ClusterFact, Fact, Source},
};
use fleet::{
    capacity::eni::slot_limit,
    id::{Arn, is_ec2_instance_id, is_external_id},
};
use futures::{FutureExt as _, StreamExt as _, stream};
use globset::{Glob, GlobSet, GlobSetBuilder};
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::{
    accounts::Place,
    autoscaling::{self, DESCRIBE_GROUPS},
    ec2::{DESCRIBE_INSTANCES, DESCRIBE_STATUS},
    ecs::{
        DESCRIBE_CAPACITY_PROVIDERS, DESCRIBE_CLUSTERS, DESCRIBE_HOSTS, DESCRIBE_TASKS, LIST_CLUSTERS, LIST_HOSTS,
        LIST_TASKS, PER_CALL, capacity_provider_fact, cluster_fact,
    },
    pages::Pages,
    refusal::Refusal,
    settings::{Clusters, Settings},
    ssm::DESCRIBE_INFORMATION,
    supply::DESCRIBE_TYPES,
};

/// Clusters read at the same time, in one place.
const CLUSTERS_AT_ONCE: usize = 4;
/// Hosts without an agent whose tasks are listed in one sweep of a place, at a call each. Enough to say what is
/// stranded when some hosts are lost; when many are, it is the control plane that is in doubt.
const HOSTS_WITH_TASKS: usize = 8;
/// Names that one DescribeCapacityProviders takes safely.
const PROVIDERS_PER_CALL: usize = 10;

/// A host as far as the other services need to know it.
struct Seen {
    machine: String,
    away: bool,
    instance_type: Option<String>,
}

/// One place's sweep under way.
struct Sweeping<'a> {
    place: &'a Arc<Place>,
    settings: &'a Settings,
    answers: &'a mpsc::Sender<Answer>,
    /// Hosts whose tasks may still be listed.
    task_lists_left: AtomicUsize,
}

/// Which groups feed which clusters.
struct Ties {
    facts: Vec<Fact<'static>>,
    /// Names of the groups.
    groups: BTreeSet<String>,
    /// ARNs of clusters with capacity providers that were not described.
    untold: BTreeSet<String>,
}

/// Sweeps one place. Returns the plain names of clusters that were asked for and found.
pub(crate) async fn sweep(
    place: &Arc<Place>,
    settings: &Settings,
    answers: &mpsc::Sender<Answer>,
) -> Option<BTreeSet<String>> {
    let sweeping = Sweeping { place, settings, answers, task_lists_left: AtomicUsize::new(HOSTS_WITH_TASKS) };
    let started_at = Timestamp::now();
    let clusters = match sweeping.clusters().await {
        Ok(clusters) => clusters,
        Err((action, refusal)) => {
            let scope = Scope::Clusters(place.name().into());
            sweeping.say(Answer::Failed(refusal.failure(scope, action, &place.words()))).await;
            return None;
        }
    };
    let Ties { facts: ties, groups: fed_by, untold } = sweeping.capacity_providers(&clusters).await;
    let at = Timestamp::now();
    let found = clusters
        .iter()
        .filter_map(cluster_fact)
        .map(|fact| Fact::Cluster(ClusterFact { providers_told: !untold.contains(fact.arn.as_ref()), ..fact }))
        .chain(ties)
        .map(|fact| Observation { at, source: Source::Sweep, fact })
        .collect();
    sweeping.swept(Scope::Clusters(place.name().into()), started_at, found, true).await;
    let names = clusters.iter().filter_map(|cluster| cluster.cluster_name.clone()).collect();
    let arns: Vec<String> = clusters.into_iter().filter_map(|cluster| cluster.cluster_arn).collect();
    let reads: Vec<_> = arns.iter().map(|arn| sweeping.hosts(arn).boxed()).collect();
    let seen: Vec<Seen> = stream::iter(reads)
        .buffer_unordered(CLUSTERS_AT_ONCE)
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .flatten()
        .collect();
    if !arns.is_empty() {
        sweeping.unlisted_types(&seen).await;
        sweeping.machines(&seen, &fed_by).await;
        sweeping.pings(&seen).await;
    }
    Some(names)
}

/// The clusters that are watched in one place, and active.
pub(crate) async fn chosen(place: &Arc<Place>, settings: &Settings) -> Result<Vec<Cluster>, (&'static str, Refusal)> {
    let (answers, _nobody) = mpsc::channel(1);
    Sweeping { place, settings, answers: &answers, task_lists_left: AtomicUsize::new(0) }.clusters().await
}

impl Sweeping<'_> {
    async fn say(&self, answer: Answer) {
        // Nobody listens any more only when the sweep is being given up.
        let _ = self.answers.send(answer).await;
    }

    async fn swept(
        &self,
        scope: Scope<'static>,
        started_at: Timestamp,
        found: Vec<Observation<'static>>,
        complete: bool,
    ) {
        let absent = Vec::new();
        self.say(Answer::Swept(Sweep { scope, started_at, found, unchanged: 0, complete, absent })).await;
    }

    async fn progress(&self, what: String, done: usize, total: Option<usize>) {
        self.say(Answer::Progress { what, done: done as u64, total: total.map(|total| total as u64) }).await;
    }

    /// The clusters that are watched and active.
    async fn clusters(&self) -> Result<Vec<Cluster>, (&'static str, Refusal)> {
        let (wanted, tags) = match &self.settings.clusters {
            Clusters::All => (Wanted::All, false),
            Clusters::Tagged { key, value } => (Wanted::Tagged(key, value.as_deref()), true),
            Clusters::Named(names) => (Wanted::named(names), false),
        };
        let names = match &wanted {
            // Exact names need no list, and so no right to list.
            Wanted::Named { exact, globs } if globs.is_empty() => exact.iter().cloned().collect(),
            _ => self.list_clusters().await?,
        };
        let mut clusters = Vec::new();
        for chunk in names.chunks(PER_CALL) {
            let (found, _missing) =
                self.place.describe_clusters(chunk, tags).await.map_err(|refusal| (DESCRIBE_CLUSTERS, refusal))?;
            clusters.extend(found);
        }
        for arn in clusters.iter().filter_map(|cluster| cluster.cluster_arn.as_deref()) {
            self.place.learn(arn);
        }
        clusters.retain(|cluster| cluster.status.as_deref() != Some("INACTIVE") && wanted.takes(cluster));
        clusters.sort_by(|a, b| a.cluster_arn.cmp(&b.cluster_arn));
        Ok(clusters)
    }

    async fn list_clusters(&self) -> Result<Vec<String>, (&'static str, Refusal)> {
        let (mut arns, mut pages) = (Vec::new(), Pages::default());
        loop {
            let (page, next) =
                self.place.list_clusters(pages.token()).await.map_err(|refusal| (LIST_CLUSTERS, refusal))?;
            arns.extend(page);
            if !pages.go_on(next).map_err(|refusal| (LIST_CLUSTERS, refusal))? {
                return Ok(arns);
            }
        }
    }

    /// Which Auto Scaling groups feed the clusters. Not being told is no failure: the ties are also learned from the members
    /// that register.
    async fn capacity_providers(&self, clusters: &[Cluster]) -> Ties {
        let mut clusters_of: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for cluster in clusters {
            let Some(arn) = cluster.cluster_arn.as_deref() else { continue };
            let own = cluster.capacity_providers.iter().flatten();
            for provider in own.filter(|name| !matches!(name.as_str(), "FARGATE" | "FARGATE_SPOT")) {
                clusters_of.entry(provider).or_default().push(arn);
            }
        }
        let names: Vec<String> = clusters_of.keys().map(|name| (*name).to_owned()).collect();
        let (mut facts, mut groups, mut untold) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        for chunk in names.chunks(PROVIDERS_PER_CALL) {
            match self.place.describe_capacity_providers(chunk).await {
                Ok(providers) => {
                    let told = |name: &str| providers.iter().any(|it| it.name.as_deref() == Some(name));
                    let missing = chunk.iter().filter(|name| !told(name));
                    untold.extend(missing.flat_map(|name| &clusters_of[name.as_str()]).map(|arn| (*arn).to_owned()));
                    for provider in &providers {
                        let fed = provider.name.as_deref().and_then(|name| clusters_of.get(name));
                        for fact in fed.into_iter().flatten().filter_map(|arn| capacity_provider_fact(arn, provider)) {
                            groups.insert(fact.group.to_string());
                            facts.push(Fact::CapacityProvider(fact));
                        }
                    }
                }
                Err(refusal) => {
                    let sentence = refusal.sentence(DESCRIBE_CAPACITY_PROVIDERS, &self.place.words());
                    tracing::warn!(reason = sentence, "groups are tied to clusters by their members only");
                    untold.extend(clusters_of.values().flatten().map(|arn| (*arn).to_owned()));
                    break;
                }
            }
        }
        Ties { facts, groups, untold }
    }

    /// All hosts of one cluster.
    async fn hosts(&self, cluster: &str) -> Vec<Seen> {
        let started_at = Timestamp::now();
        let scope = || Scope::ClusterHosts(cluster.to_owned().into());
        let name = Arn::parse(cluster).map_or(cluster, |arn| arn.last());
        let (found, listed) = match self.read_hosts(cluster, name).await {
            Ok(read) => read,
            Err((_, refusal)) if refusal.code() == Some("ClusterNotFoundException") => {
                let fact = Fact::ClusterMissing { arn: cluster.to_owned().into() };
                let found = vec![Observation { at: Timestamp::now(), source: Source::Sweep, fact }];
                self.swept(scope(), started_at, found, false).await;
                return Vec::new();
            }
            Err((action, refusal)) => {
                let thing = format!("cluster {name} in {}", self.place.words());
                self.say(Answer::Failed(refusal.failure(scope(), action, &thing))).await;
                return Vec::new();
            }
        };
        let mut away = Vec::new();
        let mut seen = Vec::new();
        for observation in &found {
            let Fact::Instance(host) = &observation.fact else { continue };
            let is_away = host.agent_connected == Some(false);
            if is_away {
                away.push(host.arn.to_string());
            }
            if let Some(machine) = &host.ec2_instance_id {
                let instance_type = match &host.attributes {
                    Attributes::Known(known) => known.instance_type.as_ref().map(ToString::to_string),
                    _ => None,
                };
                seen.push(Seen { machine: machine.to_string(), away: is_away, instance_type });
            }
        }
        let told: BTreeSet<&str> = found
            .iter()
            .filter_map(|it| match &it.fact {
                Fact::Instance(host) => Some(host.arn.as_ref()),
                Fact::InstanceMissing { arn } => Some(arn.as_ref()),
                _ => None,
            })
            .collect();
        // A host that was listed and not described, nor called missing, is not known to be gone.
        let complete = listed.iter().all(|arn| told.contains(arn.as_str()));
        self.swept(scope(), started_at, found, complete).await;
        self.stranded_tasks(cluster, name, &away).await;
        if self.settings.audit_tasks {
            self.all_tasks(cluster, name).await;
        }
        seen
    }

    /// The facts of the hosts, and the ARNs that were listed.
    async fn read_hosts(
        &self,
        cluster: &str,
        name: &str,
    ) -> Result<(Vec<Observation<'static>>, Vec<String>), (&'static str, Refusal)> {
        let arns = self.place.all_hosts(cluster, None).await.map_err(|refusal| (LIST_HOSTS, refusal))?;
        let (mut found, mut done) = (Vec::new(), 0);
        for chunk in arns.chunks(PER_CALL) {
            self.progress(format!("hosts of {name}"), done, Some(arns.len())).await;
            let facts = self
                .place
                .describe_hosts(cluster, chunk, Source::Sweep)
                .await
                .map_err(|refusal| (DESCRIBE_HOSTS, refusal))?;
            found.extend(facts);
            done += chunk.len();
        }
        self.progress(format!("hosts of {name}"), done, Some(arns.len())).await;
        Ok((found, arns))
    }

    /// The tasks that are stranded on hosts without an agent.
    async fn stranded_tasks(&self, cluster: &str, name: &str, away: &[String]) {
        if away.is_empty() {
            return;
        }
        let started_at = Timestamp::now();
        let found = match self.read_stranded(cluster, away).await {
            Ok(found) => found,
            Err((action, refusal)) => {
                let sentence = refusal.sentence(action, &format!("cluster {name} in {}", self.place.words()));
                tracing::warn!(reason = sentence, "tasks on lost hosts are not listed");
                return;
            }
        };
        self.swept(Scope::Tasks { cluster: cluster.to_owned().into() }, started_at, found, false).await;
    }

    async fn read_stranded(
        &self,
        cluster: &str,
        away: &[String],
    ) -> Result<Vec<Observation<'static>>, (&'static str, Refusal)> {
        let one_less = |left: usize| left.checked_sub(1);
        let mut arns = Vec::new();
        for host in away {
            if self.task_lists_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_err() {
                break;
            }
            arns.extend(self.list_tasks(cluster, Some(host), &DesiredStatus::Running).await?);
        }
        self.describe_tasks(cluster, &arns).await
    }

    async fn all_tasks(&self, cluster: &str, name: &str) {
        let started_at = Timestamp::now();
        let scope = || Scope::ClusterTasks(cluster.to_owned().into());
        match self.read_all_tasks(cluster).await {
            Ok(found) => self.swept(scope(), started_at, found, true).await,
            Err((action, refusal)) => {
                let thing = format!("cluster {name} in {}", self.place.words());
                self.say(Answer::Failed(refusal.failure(scope(), action, &thing))).await;
            }
        }
    }

    /// A task that is being stopped holds what it has, its network interface above all, until it has stopped.
    async fn read_all_tasks(&self, cluster: &str) -> Result<Vec<Observation<'static>>, (&'static str, Refusal)> {
        let mut arns = self.list_tasks(cluster, None, &DesiredStatus::Running).await?;
        arns.extend(self.list_tasks(cluster, None, &DesiredStatus::Stopped).await?);
        // One that was told to stop in between is on both lists.
        arns.sort_unstable();
        arns.dedup();
        self.describe_tasks(cluster, &arns).await
    }

    async fn list_tasks(
        &self,
        cluster: &str,
        host: Option<&str>,
        desired: &DesiredStatus,
    ) -> Result<Vec<String>, (&'static str, Refusal)> {
        let (mut arns, mut pages) = (Vec::new(), Pages::default());
        loop {
            let page = self.place.list_tasks(cluster, host, desired, pages.token()).await;
            let (page, next) = page.map_err(|refusal| (LIST_TASKS, refusal))?;
            arns.extend(page);
            if !pages.go_on(next).map_err(|refusal| (LIST_TASKS, refusal))? {
                return Ok(arns);
            }
        }
    }

    async fn describe_tasks(
        &self,
        cluster: &str,
        arns: &[String],
    ) -> Result<Vec<Observation<'static>>, (&'static str, Refusal)> {
        let mut found = Vec::new();
        for chunk in arns.chunks(PER_CALL) {
            let facts = self
                .place
                .describe_tasks(cluster, chunk, Source::Sweep)
                .await
                .map_err(|refusal| (DESCRIBE_TASKS, refusal))?;
            found.extend(facts);
        }
        Ok(found)
    }

    /// What EC2 says of instance types that no table lists: asked once, for what a type can have does not change. Not being
    /// told is no failure: what such hosts have room for is then not known, and said so.
    async fn unlisted_types(&self, seen: &[Seen]) {
        let unlisted = |name: &&String| slot_limit(name, None, false).is_none();
        let mut names: BTreeSet<String> =
            seen.iter().filter_map(|host| host.instance_type.as_ref()).filter(unlisted).cloned().collect();
        {
            let mut asked = self.place.types_asked.lock().unwrap_or_else(PoisonError::into_inner);
            names.retain(|name| asked.insert(name.clone()));
        }
        if names.is_empty() {
            return;
        }
        let started_at = Timestamp::now();
        match self.place.instance_types(&names).await {
            Ok(facts) => {
                let at = Timestamp::now();
                let found = facts.into_iter().map(|fact| Observation { at, source: Source::Sweep, fact }).collect();
                self.swept(Scope::Machines(self.place.name().into()), started_at, found, false).await;
            }
            Err(refusal) => {
                let sentence = refusal.sentence(DESCRIBE_TYPES, &self.place.words());
                tracing::warn!(reason = sentence, "how many interfaces these instance types have is not known");
                let mut asked = self.place.types_asked.lock().unwrap_or_else(PoisonError::into_inner);
                asked.retain(|name| !names.contains(name));
            }
        }
    }

    /// Groups and machines. Only groups that feed a watched cluster matter: by a capacity provider, or because a
    /// member is a host.
    async fn machines(&self, seen: &[Seen], fed_by: &BTreeSet<String>) {
        let hosts: BTreeSet<&str> = seen.iter().map(|host| host.machine.as_str()).collect();
        let mut machines: BTreeSet<String> =
            hosts.iter().filter(|id| is_ec2_instance_id(id)).map(|id| (*id).to_owned()).collect();
        let place = self.place.name();
        let started_at = Timestamp::now();
        match self.place.groups(None).await {
            Ok(groups) => {
                let mut with_hosts =
                    self.place.groups_with_hosts.lock().unwrap_or_else(PoisonError::into_inner).clone();
                for group in &groups {
                    let mut members = group.instances.iter().flatten().filter_map(|it| it.instance_id.as_deref());
                    if let (Some(name), true) = (&group.auto_scaling_group_name, members.any(|id| hosts.contains(id))) {
                        with_hosts.insert(name.clone());
                    }
                }
                let matters = |name: &str| fed_by.contains(name) || with_hosts.contains(name);
                let mut facts: Vec<_> = groups
                    .iter()
                    .filter(|group| group.auto_scaling_group_name.as_deref().is_some_and(matters))
                    .flat_map(|group| autoscaling::members(group, &place))
                    .collect();
                let strangers: Vec<String> = facts
                    .iter()
                    .map(|fact| fact.instance_id.to_string())
                    .filter(|id| !hosts.contains(id.as_str()))
                    .collect();
                machines.extend(strangers.iter().cloned());
                *self.place.groups_with_hosts.lock().unwrap_or_else(PoisonError::into_inner) = with_hosts.clone();
                let launched = self.launched(&strangers).await;
                for fact in &mut facts {
                    fact.launched_at = launched.get(fact.instance_id.as_ref()).copied();
                }
                let at = Timestamp::now();
                let found = facts
                    .into_iter()
                    .map(|fact| Observation { at, source: Source::Sweep, fact: Fact::AutoScaling(fact) })
                    .collect();
                self.swept(Scope::Groups(place.clone().into()), started_at, found, true).await;
            }
            Err(refusal) => {
                let scope = Scope::Groups(place.clone().into());
                self.say(Answer::Failed(refusal.failure(scope, DESCRIBE_GROUPS, &self.place.words()))).await;
            }
        }
        if machines.is_empty() {
            return;
        }
        let scope = Scope::Machines(place.into());
        let started_at = Timestamp::now();
        match self.place.machine_facts(&machines, Source::Sweep).await {
            Ok(found) => self.swept(scope, started_at, found, false).await,
            Err(refusal) => {
                self.say(Answer::Failed(refusal.failure(scope, DESCRIBE_STATUS, &self.place.words()))).await
            }
        }
        if self.settings.audit_tasks {
            self.interfaces(&machines).await;
        }
    }

    /// How many interfaces EC2 sees on the machines: told beside the tasks, with which they are compared. Not being told is
    /// no failure: what others have attached is then not known.
    async fn interfaces(&self, machines: &BTreeSet<String>) {
        let started_at = Timestamp::now();
        match self.place.interfaces(machines, &mut BTreeSet::new()).await {
            Ok(facts) => {
                let at = Timestamp::now();
                let found = facts.into_iter().map(|fact| Observation { at, source: Source::Sweep, fact }).collect();
                self.swept(Scope::Machines(self.place.name().into()), started_at, found, false).await;
            }
            Err(refusal) => {
                let sentence = refusal.sentence(DESCRIBE_INSTANCES, &self.place.words());
                tracing::warn!(reason = sentence, "interfaces that others attached to hosts are not known");
            }
        }
    }

    async fn launched(&self, strangers: &[String]) -> BTreeMap<String, Timestamp> {
        self.place.launch_times(strangers).await.unwrap_or_else(|refusal| {
            let sentence = refusal.sentence(DESCRIBE_INSTANCES, &self.place.words());
            tracing::warn!(reason = sentence, "launch graces count from first sight");
            BTreeMap::new()
        })
    }

    /// SSM's word on ECS Anywhere machines and on hosts without an agent.
    async fn pings(&self, seen: &[Seen]) {
        let ids: BTreeSet<String> = seen
            .iter()
            .filter(|host| is_external_id(&host.machine) || (host.away && is_ec2_instance_id(&host.machine)))
            .map(|host| host.machine.clone())
            .collect();
        if ids.is_empty() {
            return;
        }
        let scope = Scope::Pings(self.place.name().into());
        let started_at = Timestamp::now();
        match self.place.ping_facts(&ids, Source::Sweep).await {
            Ok(found) => self.swept(scope, started_at, found, false).await,
            Err(refusal) => {
                self.say(Answer::Failed(refusal.failure(scope, DESCRIBE_INFORMATION, &self.place.words()))).await;
            }
        }
    }
}

/// Names that were asked for plainly and exist in none of the places.
pub(crate) fn unfound(settings: &Settings, found: &BTreeSet<String>, place: &Place) -> Option<LookFailure<'static>> {
    let Clusters::Named(names) = &settings.clusters else { return None };
    let missing: Vec<&str> = names
        .iter()
        .filter(|name| !is_glob(name))
        .map(|name| Arn::parse(name).map_or(name.as_str(), |arn| arn.last()))
        .filter(|name| !found.contains(*name))
        .collect();
    if missing.is_empty() {
        return None;
    }
    let message = format!(
        "{DESCRIBE_CLUSTERS} found no active cluster named {} in {}; check the name, the region and the account",
        missing.join(", "),
        place.words()
    );
    Some(LookFailure { scope: Scope::Clusters(place.name().into()), kind: FailureKind::Gone, message: message.into() })
}

/// Which clusters are taken.
enum Wanted<'a> {
    All,
    Tagged(&'a str, Option<&'a str>),
    Named { exact: BTreeSet<String>, globs: GlobSet },
}

impl Wanted<'_> {
    fn named(names: &[String]) -> Self {
        let mut globs = GlobSetBuilder::new();
        let mut exact = BTreeSet::new();
        for name in names {
            match Glob::new(name) {
                Ok(glob) if is_glob(name) => {
                    globs.add(glob);
                }
                _ => {
                    exact.insert(name.clone());
                }
            }
        }
        Wanted::Named { exact, globs: globs.build().unwrap_or_else(|_| GlobSet::empty()) }
    }

    fn takes(&self, cluster: &Cluster) -> bool {
        let name = cluster.cluster_name.as_deref().unwrap_or_default();
        match self {
            Self::All => true,
            Self::Tagged(key, value) => cluster.tags.iter().flatten().any(|tag| {
                tag.key.as_deref() == Some(*key) && value.is_none_or(|value| tag.value.as_deref() == Some(value))
            }),
            Self::Named { exact, globs } => {
                let arn = cluster.cluster_arn.as_deref().unwrap_or_default();
                exact.contains(name) || exact.contains(arn) || globs.is_match(name)
            }
        }
    }
}

fn is_glob(name: &str) -> bool {
    name.contains(['*', '?', '[', '{'])
}
