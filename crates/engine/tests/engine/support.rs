//! Facts, events, and a cloud that follows a script.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use engine::{
    Turn,
    journal::MemoryJournal,
    ports::{
        ActResult, Answer, Clock, Cloud, Delivery, DeliveryResult, FailureKind, Intent, Journal, Look, LookFailure,
        Notice, Notifier, Page, Receipt, Sample, Samples, Scope, Sweep,
    },
    recover,
    recover::Recovered,
};
use fleet::{
    observation::{Attributes, Fact, InstanceFact, InstanceStatus, Observation, Source},
    policy::Policy,
};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, mpsc};

pub(crate) const CLUSTER: &str = "arn:aws:ecs:eu-west-1:111122223333:cluster/prod";

pub(crate) fn start() -> Timestamp {
    "2026-10-02T00:00:00Z".parse().unwrap()
}

pub(crate) fn later(secs: i64) -> Timestamp {
    start() + SignedDuration::from_secs(secs)
}

pub(crate) fn host_arn(host: u32) -> String {
    format!("arn:aws:ecs:eu-west-1:111122223333:container-instance/prod/{host:032x}")
}

pub(crate) fn instance(host: u32, version: i64, connected: bool) -> Fact<'static> {
    Fact::Instance(InstanceFact {
        ec2_instance_id: Some(format!("i-{host:017x}").into()),
        version: Some(version),
        agent_connected: Some(connected),
        agent_version: Some("1.90.0".into()),
        running_tasks: Some(1),
        pending_tasks: Some(0),
        attributes: Attributes::Absent,
        ..InstanceFact::bare(host_arn(host), CLUSTER, InstanceStatus::Active)
    })
}

pub(crate) fn instance_event(host: u32, version: i64, connected: bool, at: Timestamp) -> Vec<u8> {
    serde_json::to_vec(&serde_json::json!({
        "version": "0",
        "id": format!("00000000-0000-0000-{host:04x}-{version:012x}"),
        "detail-type": "ECS Container Instance State Change",
        "source": "aws.ecs",
        "account": "111122223333",
        "time": at.to_string(),
        "region": "eu-west-1",
        "resources": [host_arn(host)],
        "detail": {
            "agentConnected": connected,
            "attributes": [],
            "clusterArn": CLUSTER,
            "containerInstanceArn": host_arn(host),
            "ec2InstanceId": format!("i-{host:017x}"),
            "registeredResources": [],
            "remainingResources": [],
            "status": "ACTIVE",
            "version": version,
            "versionInfo": {"agentVersion": "1.90.0"},
            "updatedAt": at.to_string()
        }
    }))
    .unwrap()
}

pub(crate) fn host_sweep(at: Timestamp, facts: Vec<Fact<'static>>) -> Sweep<'static> {
    Sweep {
        scope: Scope::ClusterHosts(CLUSTER.into()),
        started_at: at,
        found: facts.into_iter().map(|fact| Observation { at, source: Source::Sweep, fact }).collect(),
        unchanged: 0,
        complete: true,
        absent: Vec::new(),
    }
}

pub(crate) fn failure(scope: Scope<'static>, message: &'static str) -> LookFailure<'static> {
    LookFailure { scope, kind: FailureKind::Failed, message: message.into() }
}

pub(crate) fn recovered(journal: impl Journal + 'static, now: Timestamp) -> Recovered {
    recover(Box::new(journal), Policy::default(), "test", now).unwrap()
}

pub(crate) fn fresh_turn() -> Turn {
    recovered(MemoryJournal::new(), start()).turn
}

/// The bodies of a journal, as their JSON, with their numbers.
pub(crate) fn entries(journal: &dyn Journal) -> Vec<(i64, serde_json::Value)> {
    let mut entries = Vec::new();
    journal
        .read(0, &mut |entry| {
            entries.push((entry.seq, serde_json::to_value(&entry.body).unwrap()));
            true
        })
        .unwrap();
    entries
}

/// How many entries have a body of this kind.
pub(crate) fn count(journal: &dyn Journal, kind: &str) -> usize {
    entries(journal).iter().filter(|(_, body)| body.get(kind).is_some() || body == kind).count()
}

/// Tokio's time, which tests pause: an hour passes in no time when nobody has anything to do.
#[derive(Clone, Debug)]
pub(crate) struct TestClock {
    began: tokio::time::Instant,
}

impl TestClock {
    pub(crate) fn new() -> Self {
        Self { began: tokio::time::Instant::now() }
    }
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        start() + SignedDuration::try_from(self.began.elapsed()).unwrap()
    }

    async fn sleep_until(&self, at: Timestamp) {
        if let Ok(left) = std::time::Duration::try_from(at.duration_since(self.now())) {
            tokio::time::sleep(left).await;
        }
    }
}

/// What a scripted cloud does when it is asked to sweep.
#[derive(Clone, Debug)]
pub(crate) enum SweepScript {
    Answers(Vec<Answer>),
    Hangs,
    Panics,
}

/// What a scripted cloud does when the queue is read.
#[derive(Clone, Debug)]
pub(crate) enum QueueScript {
    Messages(Vec<Vec<u8>>),
    Fails,
    Panics,
}

/// A cloud that follows a script. When a script has run out, sweeps repeat the last one and the queue stays silent.
#[derive(Debug, Default)]
pub(crate) struct ScriptedCloud {
    pub(crate) sweeps: Mutex<VecDeque<SweepScript>>,
    pub(crate) queue: Mutex<VecDeque<QueueScript>>,
    pub(crate) looks: Mutex<Vec<Look>>,
    pub(crate) looks_panic: bool,
    pub(crate) acknowledged: Mutex<Vec<Receipt>>,
    pub(crate) acknowledge_fails: Mutex<u32>,
    pub(crate) acts: Mutex<Vec<(Intent, bool)>>,
    pub(crate) act_results: Mutex<VecDeque<ActResult<'static>>>,
    pub(crate) swept: Mutex<u32>,
    pub(crate) delivered: Mutex<u32>,
    pub(crate) more: Notify,
}

impl ScriptedCloud {
    pub(crate) fn deliver(&self, script: QueueScript) {
        self.queue.lock().unwrap().push_back(script);
        self.more.notify_one();
    }
}

#[async_trait]
impl Cloud for ScriptedCloud {
    async fn sweep(&self, answers: mpsc::Sender<Answer>) {
        *self.swept.lock().unwrap() += 1;
        let script = {
            let mut sweeps = self.sweeps.lock().unwrap();
            if sweeps.len() > 1 { sweeps.pop_front() } else { sweeps.front().cloned() }
        };
        match script {
            Some(SweepScript::Answers(script)) => {
                for answer in script {
                    answers.send(answer).await.unwrap();
                }
            }
            Some(SweepScript::Hangs) => std::future::pending().await,
            Some(SweepScript::Panics) => panic!("the script says so"),
            None => {}
        }
    }

    async fn look(&self, look: Look) -> Answer {
        self.looks.lock().unwrap().push(look.clone());
        assert!(!self.looks_panic, "the script says so");
        let scope = match look {
            Look::Hosts { cluster, .. } | Look::Registrations { cluster, .. } => {
                Scope::Hosts { cluster: cluster.into() }
            }
            Look::Tasks { cluster, .. } => Scope::Tasks { cluster: cluster.into() },
            Look::Machines { place, .. } => Scope::Machines(place.into()),
            Look::Pings { place, .. } => Scope::Pings(place.into()),
            Look::Groups { place, .. } => Scope::Groups(place.into()),
            Look::Demand { cluster, .. } => Scope::Demand { cluster: cluster.into() },
        };
        Answer::Failed(failure(scope, "the script has no answer to this look"))
    }

    async fn receive(&self) -> Result<Vec<Delivery>, LookFailure<'static>> {
        let script = loop {
            let next = self.queue.lock().unwrap().pop_front();
            match next {
                Some(script) => break script,
                None => self.more.notified().await,
            }
        };
        match script {
            QueueScript::Messages(bodies) => Ok(bodies
                .into_iter()
                .map(|body| {
                    let mut delivered = self.delivered.lock().unwrap();
                    *delivered += 1;
                    Delivery { body, receipt: Receipt { queue: "q".into(), handle: delivered.to_string() } }
                })
                .collect()),
            QueueScript::Fails => Err(failure(Scope::Clusters("queue".into()), "the queue cannot be read")),
            QueueScript::Panics => panic!("the script says so"),
        }
    }

    async fn acknowledge(&self, receipts: Vec<Receipt>) -> Result<(), LookFailure<'static>> {
        {
            let mut fails = self.acknowledge_fails.lock().unwrap();
            if *fails > 0 {
                *fails -= 1;
                return Err(failure(Scope::Clusters("queue".into()), "the messages cannot be deleted"));
            }
        }
        self.acknowledged.lock().unwrap().extend(receipts);
        Ok(())
    }

    async fn act(&self, intent: &Intent, again: bool) -> ActResult<'static> {
        self.acts.lock().unwrap().push((intent.clone(), again));
        self.act_results.lock().unwrap().pop_front().unwrap_or(ActResult::Done { note: "as scripted".into() })
    }
}

/// Keeps what it is told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) notices: Mutex<Vec<Notice>>,
    pub(crate) pages: Mutex<Vec<Page>>,
    pub(crate) published: Mutex<Vec<(Timestamp, Vec<Sample>)>>,
}

#[async_trait]
impl Notifier for Told {
    async fn notify(&self, _: Timestamp, notice: &Notice) {
        self.notices.lock().unwrap().push(notice.clone());
    }

    async fn send(&self, page: &Page) -> DeliveryResult<'static> {
        self.pages.lock().unwrap().push(page.clone());
        DeliveryResult::Delivered
    }
}

impl Samples for Told {
    fn publish(&self, at: Timestamp, samples: &[Sample]) {
        self.published.lock().unwrap().push((at, samples.to_vec()));
    }
}

impl Told {
    pub(crate) fn latest(&self, name: &str) -> Option<f64> {
        let published = self.published.lock().unwrap();
        published.last().and_then(|(_, samples)| samples.iter().find(|sample| sample.name == name)).map(|s| s.value)
    }
}

/// A journal that two owners share, so that a test can look at what a lost engine had written.
#[derive(Clone, Default)]
pub(crate) struct SharedJournal {
    pub(crate) inner: Arc<Mutex<MemoryJournal>>,
    pub(crate) refuse_after: Arc<Mutex<Option<i64>>>,
}

impl Journal for SharedJournal {
    fn append(
        &mut self,
        at: Timestamp,
        bodies: &[fleet::journal::Body<'_>],
        set_aside: &[engine::ports::SetAside],
    ) -> Result<i64, engine::ports::JournalError> {
        let mut inner = self.inner.lock().unwrap();
        if self.refuse_after.lock().unwrap().is_some_and(|seq| inner.last_seq() >= seq) {
            return Err(engine::ports::JournalError::Full { path: "the test's disk".into() });
        }
        inner.append(at, bodies, set_aside)
    }

    fn keep_snapshot(&mut self, seq: i64, at: Timestamp, bytes: &[u8]) -> Result<(), engine::ports::JournalError> {
        self.inner.lock().unwrap().keep_snapshot(seq, at, bytes)
    }

    fn snapshot_before(&self, seq: i64) -> Result<Option<(i64, Vec<u8>)>, engine::ports::JournalError> {
        self.inner.lock().unwrap().snapshot_before(seq)
    }

    fn read(
        &self,
        after: i64,
        each: &mut dyn FnMut(fleet::journal::Entry<'_>) -> bool,
    ) -> Result<(), engine::ports::JournalError> {
        self.inner.lock().unwrap().read(after, each)
    }

    fn prune(&mut self, at: Timestamp, keep: u64) -> Result<u64, engine::ports::JournalError> {
        self.inner.lock().unwrap().prune(at, keep)
    }
}
