//! An account as the engine's cloud: hosts that come and go when a schedule says so, beside the corpus as background. The
//! queue is open loop: an event that is due waits until it is fetched, and is dated by when it was due.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use engine::ports::{
    Act, ActResult, Answer, Cloud, Delivery, Intent, Look, LookFailure, Observation, Receipt, Scope, Sweep,
    observation::{
        Amounts, Attributes, ClusterFact, Ec2State, Ec2StatusFact, Fact, HostAttributes, InstanceFact, InstanceStatus,
        ReachabilityStatus, Resources, Source, Text,
    },
};
use jiff::Timestamp;
use tokio::sync::{Notify, mpsc};

use crate::corpus::{self, World, hex_id};

/// Where everything is.
pub const PLACE: &str = "210987654321/eu-central-1";
/// SQS hands out no more at once.
const MOST_MESSAGES: usize = 10;
/// Facts of the corpus that one answer of the sweep holds.
const PAGE: usize = 2_000;
const ZONES: [&str; 3] = ["eu-central-1a", "eu-central-1b", "eu-central-1c"];

/// What is about to happen.
#[derive(Clone, Copy, Debug)]
pub enum Happening {
    /// Anything, from the corpus.
    Background,
    /// The agent of this host goes away.
    Leaves(u32),
    /// It comes back.
    Returns(u32),
}

/// The account.
pub struct Account {
    prefix: &'static str,
    clusters: u32,
    hosts: Mutex<Vec<HostState>>,
    numbers: HashMap<String, u32>,
    machines: HashMap<String, u32>,
    background: Option<Mutex<World>>,
    queue: Mutex<VecDeque<(Instant, Happening)>>,
    more: Notify,
    acts: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
struct HostState {
    version: i64,
    connected: bool,
    draining: bool,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("clusters", &self.clusters).field("hosts", &self.numbers.len()).finish()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Account {
    /// `hosts` hosts in so many clusters, `PREFIX-00` and on; with the corpus beside them where its seed is given.
    pub fn new(prefix: &'static str, clusters: u32, hosts: u32, background: Option<u64>) -> Self {
        let mut account = Self {
            prefix,
            clusters: clusters.max(1),
            hosts: Mutex::new(vec![HostState { version: 1, connected: true, draining: false }; hosts as usize]),
            numbers: HashMap::new(),
            machines: HashMap::new(),
            background: background.map(|seed| Mutex::new(World::new(seed))),
            queue: Mutex::default(),
            more: Notify::new(),
            acts: AtomicU64::new(0),
        };
        account.numbers = (0..hosts).map(|host| (account.host_arn(host), host)).collect();
        account.machines = (0..hosts).map(|host| (machine_id(host), host)).collect();
        account
    }

    /// Name of the cluster a host is in.
    pub fn cluster_name(&self, host: u32) -> String {
        format!("{}-{:02}", self.prefix, host % self.clusters)
    }

    /// ARN of a host.
    pub fn host_arn(&self, host: u32) -> String {
        format!(
            "arn:aws:ecs:eu-central-1:210987654321:container-instance/{}/{}",
            self.cluster_name(host),
            hex_id(6, u64::from(host))
        )
    }

    /// The number of a host, by its ARN.
    pub fn number(&self, arn: &str) -> Option<u32> {
        self.numbers.get(arn).copied()
    }

    /// Puts these into the queue; they must be due in this order, and after all that are there.
    pub fn schedule(&self, happenings: impl IntoIterator<Item = (Instant, Happening)>) {
        lock(&self.queue).extend(happenings);
        self.more.notify_waiters();
    }

    /// How many events nobody has fetched yet.
    pub fn waiting(&self) -> usize {
        lock(&self.queue).len()
    }

    /// How many acts were performed.
    pub fn acts(&self) -> u64 {
        self.acts.load(Ordering::Relaxed)
    }

    fn cluster_arn(&self, host: u32) -> String {
        format!("arn:aws:ecs:eu-central-1:210987654321:cluster/{}", self.cluster_name(host))
    }

    fn change(&self, host: u32, change: impl FnOnce(&mut HostState)) -> HostState {
        let mut hosts = lock(&self.hosts);
        let Some(state) = hosts.get_mut(host as usize) else {
            return HostState { version: 0, connected: false, draining: false };
        };
        change(state);
        state.version += 1;
        *state
    }

    fn body(&self, happening: Happening) -> Vec<u8> {
        let (host, connected) = match happening {
            Happening::Background => {
                let mut event = String::new();
                if let Some(world) = &self.background {
                    lock(world).next_event(&mut event);
                }
                return event.into_bytes();
            }
            Happening::Leaves(host) => (host, false),
            Happening::Returns(host) => (host, true),
        };
        let state = self.change(host, |state| state.connected = connected);
        self.event(host, state).into_bytes()
    }

    /// The event of a host's change, as AWS writes it (aws-semantics A.4).
    fn event(&self, host: u32, state: HostState) -> String {
        let (arn, cluster, now) = (self.host_arn(host), self.cluster_arn(host), Timestamp::now());
        let (id, zone) = (hex_id(8, (u64::from(host) << 32) | state.version as u64), ZONES[host as usize % 3]);
        let resources = r#"[{"name":"CPU","type":"INTEGER","integerValue":2048},{"name":"MEMORY","type":"INTEGER","integerValue":7680},{"name":"PORTS","type":"STRINGSET","stringSetValue":["22","2375","2376","51678","51679"]},{"name":"PORTS_UDP","type":"STRINGSET","stringSetValue":[]}]"#;
        format!(
            r#"{{"version":"0","id":"{id}","detail-type":"ECS Container Instance State Change","source":"aws.ecs","account":"210987654321","time":"{now:.0}","region":"eu-central-1","resources":["{arn}"],"detail":{{"agentConnected":{},"attributes":[{{"name":"ecs.ami-id","value":"ami-0c1d2e3f4a5b6c7d8"}},{{"name":"ecs.availability-zone","value":"{zone}"}},{{"name":"ecs.instance-type","value":"m6i.large"}},{{"name":"ecs.os-type","value":"linux"}},{{"name":"ecs.capability.task-eni"}}],"attachments":[],"clusterArn":"{cluster}","containerInstanceArn":"{arn}","ec2InstanceId":"{}","pendingTasksCount":0,"runningTasksCount":0,"registeredAt":"2026-09-20T05:00:12.311Z","registeredResources":{resources},"remainingResources":{resources},"status":"{}","updatedAt":"{now:.3}","version":{},"versionInfo":{{"agentHash":"0d1e2f3a","agentVersion":"1.105.1","dockerVersion":"DockerVersion: 25.0.6"}}}}}}"#,
            state.connected,
            machine_id(host),
            if state.draining { "DRAINING" } else { "ACTIVE" },
            state.version
        )
    }

    fn instance(&self, host: u32) -> Option<Fact<'static>> {
        let state = *lock(&self.hosts).get(host as usize)?;
        let text = |text: &'static str| Some(Text::Borrowed(text));
        let amounts = Amounts { cpu_units: 2_048, memory_mib: 7_680 };
        Some(Fact::Instance(InstanceFact {
            ec2_instance_id: Some(machine_id(host).into()),
            version: Some(state.version),
            agent_connected: Some(state.connected),
            agent_version: text("1.105.1"),
            running_tasks: Some(0),
            pending_tasks: Some(0),
            registered_at: Some(Timestamp::constant(1_789_880_412, 0)),
            resources: Some(Resources { registered: amounts, remaining: amounts }),
            attributes: Attributes::Known(Box::new(HostAttributes {
                zone: text(ZONES[host as usize % 3]),
                instance_type: text("m6i.large"),
                ami: text("ami-0c1d2e3f4a5b6c7d8"),
                os_type: text("linux"),
                ..HostAttributes::default()
            })),
            ..InstanceFact::bare(
                self.host_arn(host),
                self.cluster_arn(host),
                if state.draining { InstanceStatus::Draining } else { InstanceStatus::Active },
            )
        }))
    }

    /// Every machine runs, and its status checks pass.
    fn machine(&self, id: &str) -> Option<Fact<'static>> {
        self.machines.get(id)?;
        Some(Fact::Ec2Status(Ec2StatusFact {
            instance_id: Text::Owned(id.to_owned()),
            state: Ec2State::Running,
            system: ReachabilityStatus::Ok,
            instance: ReachabilityStatus::Ok,
            ebs: ReachabilityStatus::Ok,
            scheduled: None,
        }))
    }

    fn cluster_fact(arn: String) -> Fact<'static> {
        Fact::Cluster(ClusterFact {
            arn: arn.into(),
            status: Text::Borrowed("ACTIVE"),
            registered_hosts: None,
            capacity_providers: Vec::new(),
            providers_told: true,
        })
    }
}

/// EC2 id of a host's machine.
fn machine_id(host: u32) -> String {
    format!("i-0{}", &hex_id(7, u64::from(host))[..16])
}

/// Waits until then. The timer of the runtime counts in whole milliseconds, which is as long as all that is measured here;
/// a thread that sleeps is woken within some ten microseconds.
async fn due(at: Instant) {
    const COARSE: Duration = Duration::from_millis(2);
    if let Some(early) = at.checked_sub(COARSE) {
        tokio::time::sleep_until(early.into()).await;
    }
    // A sleeper that does not come back has been cancelled with the runtime.
    let _ = tokio::task::spawn_blocking(move || {
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
    })
    .await;
}

fn swept(scope: Scope<'static>, source: Source, complete: bool, facts: Vec<Fact<'static>>) -> Answer {
    let at = Timestamp::now();
    let found = facts.into_iter().map(|fact| Observation { at, source, fact }).collect();
    Answer::Swept(Sweep { scope, started_at: at, found, unchanged: 0, complete, absent: Vec::new() })
}

#[async_trait]
impl Cloud for Account {
    async fn sweep(&self, answers: mpsc::Sender<Answer>) {
        let total = self.numbers.len() as u32;
        let mut clusters: Vec<_> =
            (0..self.clusters).map(|cluster| Self::cluster_fact(self.cluster_arn(cluster))).collect();
        if self.background.is_some() {
            clusters.extend((0..corpus::CLUSTERS).map(|cluster| Self::cluster_fact(corpus::cluster_arn(cluster))));
        }
        let mut all = vec![swept(Scope::Clusters(PLACE.into()), Source::Sweep, true, clusters)];
        for cluster in 0..self.clusters {
            let members: Vec<u32> = (cluster..total).step_by(self.clusters as usize).collect();
            let facts = members.iter().filter_map(|host| self.instance(*host)).collect();
            all.push(swept(Scope::ClusterHosts(self.cluster_arn(cluster).into()), Source::Sweep, true, facts));
        }
        for answer in all {
            // The engine has stopped.
            if answers.send(answer).await.is_err() {
                return;
            }
        }
        if self.background.is_none() {
            return;
        }
        let mut beginning = Vec::new();
        World::believe_beginning(|observation| beginning.push(observation));
        for chunk in beginning.chunks(PAGE) {
            let sweep = Sweep {
                scope: Scope::Hosts { cluster: corpus::cluster_arn(0).into() },
                started_at: Timestamp::now(),
                found: chunk.to_vec(),
                unchanged: 0,
                complete: false,
                absent: Vec::new(),
            };
            if answers.send(Answer::Swept(sweep)).await.is_err() {
                return;
            }
        }
    }

    async fn look(&self, look: Look) -> Answer {
        let (scope, facts) = match look {
            Look::Hosts { cluster, arns } => {
                let facts = arns.iter().filter_map(|arn| self.instance(self.number(arn)?)).collect();
                (Scope::Hosts { cluster: cluster.into() }, facts)
            }
            Look::Registrations { cluster, machines } => {
                let told = |instance_id: String| Fact::Unregistered {
                    cluster: cluster.clone().into(),
                    instance_id: instance_id.into(),
                };
                let facts = machines.into_iter().map(told).collect();
                (Scope::Hosts { cluster: cluster.clone().into() }, facts)
            }
            Look::Tasks { cluster, .. } => (Scope::Tasks { cluster: cluster.into() }, Vec::new()),
            Look::Machines { place, ids } => {
                (Scope::Machines(place.into()), ids.iter().filter_map(|id| self.machine(id)).collect())
            }
            Look::Pings { place, .. } => (Scope::Pings(place.into()), Vec::new()),
            Look::Groups { place, .. } => (Scope::Groups(place.into()), Vec::new()),
            Look::Demand { cluster, .. } => (Scope::Demand { cluster: cluster.into() }, Vec::new()),
        };
        swept(scope, Source::Look, false, facts)
    }

    async fn receive(&self) -> Result<Vec<Delivery>, LookFailure<'static>> {
        loop {
            let more = self.more.notified();
            let (happenings, next) = {
                let mut queue = lock(&self.queue);
                let now = Instant::now();
                let due = queue.iter().take(MOST_MESSAGES).take_while(|(at, _)| *at <= now).count();
                let happenings: Vec<Happening> = queue.drain(..due).map(|(_, happening)| happening).collect();
                (happenings, queue.front().map(|(at, _)| *at))
            };
            if !happenings.is_empty() {
                let receipt = || Receipt { queue: "bench".into(), handle: String::new() };
                let deliver = |happening| Delivery { body: self.body(happening), receipt: receipt() };
                return Ok(happenings.into_iter().map(deliver).collect());
            }
            match next {
                Some(at) => due(at).await,
                None => more.await,
            }
        }
    }

    async fn acknowledge(&self, _: Vec<Receipt>) -> Result<(), LookFailure<'static>> {
        Ok(())
    }

    async fn act(&self, intent: &Intent, _: bool) -> ActResult<'static> {
        self.acts.fetch_add(1, Ordering::Relaxed);
        let host = intent.target.host.as_deref().and_then(|arn| self.number(arn));
        if let (Some(host), Act::Drain | Act::Undrain) = (host, &intent.act) {
            self.change(host, |state| state.draining = intent.act == Act::Drain);
        }
        ActResult::Done { note: Text::Borrowed("") }
    }
}
