//! A small account in which hosts lose their agents and acts have their effect, and a journal that tells what it was
//! given, so that a test can see what came before what.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use engine::{
    Engine, Handle, Options, Ports, Turn,
    ports::{
        Act, ActResult, Answer, Cloud, Delivery, Intent, Journal, JournalError, Lease, Look, LookFailure, Notifier,
        Receipt, Scope, SetAside, Sweep,
    },
    recover,
    run::RunError,
};
use fleet::{
    journal::{Body, Entry, Record},
    observation::{Ec2State, Ec2StatusFact, Fact, Observation, ReachabilityStatus, Source, SsmFact},
    policy::{Mode, Policy, Rule, Rung},
    remedy::Remedy,
};
use jiff::Timestamp;
use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::support::{SharedJournal, TestClock, Told, host_arn, host_sweep, instance, instance_event};

/// What happened, in order, in a few words each.
pub(crate) type Log = Arc<Mutex<Vec<String>>>;

/// A policy under which muster acts within a minute.
pub(crate) fn acting(ladder: &[Remedy]) -> Policy {
    let rungs = ladder.iter().map(|remedy| Rung { remedy: *remedy, deadline_secs: Some(300), custom: None });
    Policy {
        grace_secs: 5,
        act_after_secs: 20,
        fail_after: 1,
        rules: vec![Rule { mode: Some(Mode::Act), ladder: Some(rungs.collect()), ..Rule::default() }],
        ..Policy::default()
    }
}

/// What an account does when it is asked to act.
#[derive(Clone, Debug)]
pub(crate) enum ActScript {
    /// It has its effect and says this.
    Says(ActResult<'static>),
    Hangs,
    Panics,
}

/// What an account does when it is asked to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LookScript {
    Answers,
    Fails,
    Hangs,
    Panics,
    /// Answers, but not before [`Account::go_on`] was notified.
    Waits,
}

/// Four hosts, their agents, and what was done to them.
pub(crate) struct Account {
    pub(crate) log: Log,
    /// Connected, and at which version.
    pub(crate) agents: Mutex<BTreeMap<u32, (bool, i64)>>,
    pub(crate) acts: Mutex<VecDeque<ActScript>>,
    pub(crate) looks: Mutex<LookScript>,
    pub(crate) go_on: Notify,
    /// Whether SSM hears from the machines.
    pub(crate) pings: AtomicBool,
    /// Every call, and whether an earlier one of the same intent may have been made.
    pub(crate) acted: Mutex<Vec<(Intent, bool)>>,
    events: Mutex<VecDeque<Vec<u8>>>,
    more: Notify,
    clock: TestClock,
}

impl Account {
    pub(crate) fn new(log: &Log) -> Arc<Self> {
        Arc::new(Self {
            log: log.clone(),
            agents: Mutex::new((0..4).map(|host| (host, (true, 1))).collect()),
            acts: Mutex::default(),
            looks: Mutex::new(LookScript::Answers),
            go_on: Notify::new(),
            pings: AtomicBool::new(true),
            acted: Mutex::default(),
            events: Mutex::default(),
            more: Notify::new(),
            clock: TestClock::new(),
        })
    }

    fn say(&self, what: impl Into<String>) {
        self.log.lock().unwrap().push(what.into());
    }

    /// A host's agent goes or comes; whoever waits at the queue hears of it.
    pub(crate) fn connect(&self, host: u32, connected: bool) {
        let version = self.connect_silently(host, connected);
        let event = instance_event(host, version, connected, self.now());
        self.events.lock().unwrap().push_back(event);
        self.more.notify_one();
    }

    /// The same, and the event is lost.
    pub(crate) fn connect_silently(&self, host: u32, connected: bool) -> i64 {
        let mut agents = self.agents.lock().unwrap();
        let agent = agents.get_mut(&host).unwrap();
        *agent = (connected, agent.1 + 1);
        agent.1
    }

    fn now(&self) -> Timestamp {
        engine::ports::Clock::now(&self.clock)
    }

    fn host_facts(&self) -> Vec<Fact<'static>> {
        self.agents.lock().unwrap().iter().map(|(host, (on, version))| instance(*host, *version, *on)).collect()
    }

    fn answer(&self, look: &Look) -> Answer {
        let at = self.now();
        let (scope, facts): (Scope<'static>, Vec<Fact<'static>>) = match look {
            Look::Hosts { cluster, arns } => {
                let facts = self.host_facts().into_iter().filter(|fact| match fact {
                    Fact::Instance(host) => arns.iter().any(|arn| host.arn == *arn),
                    _ => false,
                });
                (Scope::Hosts { cluster: cluster.clone().into() }, facts.collect())
            }
            Look::Registrations { cluster, machines } => {
                let (hosts, free) = (self.host_facts(), machines.iter());
                let on = |id: &String, fact: &Fact<'_>| matches!(fact, Fact::Instance(host) if host.ec2_instance_id.as_deref() == Some(id.as_str()));
                let free = free.filter(|id| !hosts.iter().any(|fact| on(id, fact)));
                let free = free
                    .map(|id| Fact::Unregistered { cluster: cluster.clone().into(), instance_id: id.clone().into() });
                let facts = free.collect::<Vec<_>>();
                let taken = hosts.into_iter().filter(|fact| machines.iter().any(|id| on(id, fact)));
                (Scope::Hosts { cluster: cluster.clone().into() }, taken.chain(facts).collect())
            }
            Look::Tasks { cluster, .. } => (Scope::Tasks { cluster: cluster.clone().into() }, Vec::new()),
            Look::Machines { place, ids } => {
                let facts = ids.iter().map(|id| {
                    Fact::Ec2Status(Ec2StatusFact {
                        instance_id: id.clone().into(),
                        state: Ec2State::Running,
                        system: ReachabilityStatus::Ok,
                        instance: ReachabilityStatus::Ok,
                        ebs: ReachabilityStatus::Ok,
                        scheduled: None,
                    })
                });
                (Scope::Machines(place.clone().into()), facts.collect())
            }
            Look::Pings { place, ids } => {
                let facts = ids.iter().map(|id| {
                    Fact::Ssm(SsmFact {
                        instance_id: id.clone().into(),
                        online: Some(self.pings.load(Ordering::Relaxed)),
                        last_ping_at: Some(at),
                        platform: Some("Amazon Linux".into()),
                    })
                });
                (Scope::Pings(place.clone().into()), facts.collect())
            }
            Look::Groups { place, .. } => (Scope::Groups(place.clone().into()), Vec::new()),
            Look::Demand { cluster, .. } => (Scope::Demand { cluster: cluster.clone().into() }, Vec::new()),
        };
        let found = facts.into_iter().map(|fact| Observation { at, source: Source::Look, fact }).collect();
        Answer::Swept(Sweep { scope, started_at: at, found, unchanged: 0, complete: false, absent: Vec::new() })
    }
}

#[async_trait]
impl Cloud for Account {
    async fn sweep(&self, answers: mpsc::Sender<Answer>) {
        answers.send(Answer::Swept(host_sweep(self.now(), self.host_facts()))).await.unwrap();
    }

    async fn look(&self, look: Look) -> Answer {
        let word = match &look {
            Look::Hosts { .. } => "hosts",
            Look::Registrations { .. } => "registrations",
            Look::Tasks { .. } => "tasks",
            Look::Machines { .. } => "machines",
            Look::Pings { .. } => "pings",
            Look::Groups { .. } => "groups",
            Look::Demand { .. } => "demand",
        };
        self.say(format!("look at {word}"));
        let script = *self.looks.lock().unwrap();
        match script {
            LookScript::Answers => {}
            LookScript::Waits => self.go_on.notified().await,
            LookScript::Fails => {
                let scope = Scope::Hosts { cluster: crate::support::CLUSTER.into() };
                return Answer::Failed(crate::support::failure(scope, "the script says so"));
            }
            LookScript::Hangs => std::future::pending().await,
            LookScript::Panics => panic!("the script says so"),
        }
        self.answer(&look)
    }

    async fn receive(&self) -> Result<Vec<Delivery>, LookFailure<'static>> {
        loop {
            let event = self.events.lock().unwrap().pop_front();
            match event {
                Some(body) => {
                    return Ok(vec![Delivery { body, receipt: Receipt { queue: "q".into(), handle: "h".into() } }]);
                }
                None => self.more.notified().await,
            }
        }
    }

    async fn acknowledge(&self, _: Vec<Receipt>) -> Result<(), LookFailure<'static>> {
        Ok(())
    }

    async fn act(&self, intent: &Intent, again: bool) -> ActResult<'static> {
        self.say(format!("act {} {}", intent.id, intent.act.word()));
        self.acted.lock().unwrap().push((intent.clone(), again));
        let script = self.acts.lock().unwrap().pop_front();
        match script {
            Some(ActScript::Hangs) => std::future::pending().await,
            Some(ActScript::Panics) => panic!("the script says so"),
            Some(ActScript::Says(result)) => result,
            None => {
                if intent.act == Act::RestartAgent {
                    let host = (0..4).find(|host| intent.target.host == Some(host_arn(*host))).unwrap();
                    self.connect(host, true);
                }
                ActResult::Done { note: "as scripted".into() }
            }
        }
    }
}

/// A journal that tells what it is given, and may refuse it.
#[derive(Clone)]
pub(crate) struct Spy {
    pub(crate) inner: SharedJournal,
    pub(crate) log: Log,
    /// Called when an intent is in the journal.
    pub(crate) when_intended: Arc<dyn Fn() + Send + Sync>,
    /// Refuses appends that hold this.
    pub(crate) refuses: Arc<Mutex<Option<&'static str>>>,
    /// Refuses every append after so many.
    pub(crate) ends_after: Arc<Mutex<Option<usize>>>,
    pub(crate) appends: Arc<Mutex<usize>>,
}

impl Spy {
    pub(crate) fn new(log: &Log) -> Self {
        Self {
            inner: SharedJournal::default(),
            log: log.clone(),
            when_intended: Arc::new(|| {}),
            refuses: Arc::default(),
            ends_after: Arc::default(),
            appends: Arc::default(),
        }
    }
}

fn word_of(body: &Body<'_>) -> String {
    use fleet::input::Input;
    match body {
        Body::Record(Record::Intended { intent }) => format!("intended {} {}", intent.id, intent.act.word()),
        Body::Record(Record::Ended { intent, result, .. }) => format!("ended {intent} {result}"),
        Body::Record(Record::Led { leading }) => format!("led {leading}"),
        Body::Record(Record::Paged { page, page_kind, .. }) => {
            format!("paged {page} {}", format!("{page_kind:?}").to_lowercase())
        }
        Body::Record(_) => "record".into(),
        Body::Input(Input::Acted(outcome)) => format!("outcome {} {}", outcome.intent, outcome.result.word()),
        Body::Input(Input::Swept(sweep)) => match sweep.scope {
            Scope::Hosts { .. } => "answer hosts".into(),
            Scope::Machines(_) => "answer machines".into(),
            Scope::Pings(_) => "answer pings".into(),
            _ => "answer".into(),
        },
        Body::Input(Input::Asked(_)) => "asked".into(),
        Body::Input(Input::Told(_)) => "told".into(),
        Body::Input(_) => "input".into(),
        _ => "other".into(),
    }
}

impl Journal for Spy {
    fn append(&mut self, at: Timestamp, bodies: &[Body<'_>], set_aside: &[SetAside]) -> Result<i64, JournalError> {
        let words: Vec<String> = bodies.iter().map(word_of).collect();
        if let Some(refused) = *self.refuses.lock().unwrap()
            && words.iter().any(|word| word.starts_with(refused))
        {
            return Err(JournalError::Full { path: "the test's disk".into() });
        }
        let appends = {
            let mut appends = self.appends.lock().unwrap();
            *appends += 1;
            *appends
        };
        if self.ends_after.lock().unwrap().is_some_and(|last| appends > last) {
            return Err(JournalError::Full { path: "the test's disk".into() });
        }
        let seq = self.inner.append(at, bodies, set_aside)?;
        let intended = words.iter().any(|word| word.starts_with("intended"));
        self.log.lock().unwrap().extend(words.into_iter().map(|word| format!("journal: {word}")));
        if intended {
            (self.when_intended)();
        }
        Ok(seq)
    }

    fn keep_snapshot(&mut self, seq: i64, at: Timestamp, bytes: &[u8]) -> Result<(), JournalError> {
        self.inner.keep_snapshot(seq, at, bytes)
    }

    fn snapshot_before(&self, seq: i64) -> Result<Option<(i64, Vec<u8>)>, JournalError> {
        self.inner.snapshot_before(seq)
    }

    fn read(&self, after: i64, each: &mut dyn FnMut(Entry<'_>) -> bool) -> Result<(), JournalError> {
        self.inner.read(after, each)
    }

    fn prune(&mut self, at: Timestamp, keep: u64) -> Result<u64, JournalError> {
        self.inner.prune(at, keep)
    }
}

/// An engine at work on an account.
pub(crate) struct Running {
    pub(crate) handle: Handle,
    pub(crate) account: Arc<Account>,
    pub(crate) journal: Spy,
    pub(crate) task: JoinHandle<Result<Turn, RunError>>,
}

/// How an engine of these tests is started.
pub(crate) struct Begin {
    pub(crate) account: Arc<Account>,
    pub(crate) journal: Spy,
    pub(crate) policy: Policy,
    pub(crate) options: Options,
    pub(crate) lease: Option<Arc<dyn Lease>>,
    pub(crate) notifier: Option<Arc<dyn Notifier>>,
}

impl Begin {
    pub(crate) fn new(ladder: &[Remedy]) -> Self {
        let log = Log::default();
        Self {
            account: Account::new(&log),
            journal: Spy::new(&log),
            policy: acting(ladder),
            options: Options::default(),
            lease: None,
            notifier: None,
        }
    }

    /// Starts it, from wherever the journal left off.
    pub(crate) fn run(self) -> Running {
        let told = Arc::new(Told::default());
        let ports = Ports {
            cloud: self.account.clone(),
            notifier: self.notifier.unwrap_or_else(|| told.clone()),
            samples: told,
            clock: Arc::new(self.account.clock.clone()),
            lease: self.lease,
        };
        let recovered = recover(Box::new(self.journal.clone()), self.policy, "test", self.account.now()).unwrap();
        let engine = Engine::new(recovered, ports, self.options, CancellationToken::new());
        let handle = engine.handle();
        Running { handle, account: self.account, journal: self.journal, task: tokio::spawn(engine.run()) }
    }

    /// Starts it, lets it see four healthy hosts, and takes the agent of host 2 away.
    pub(crate) async fn with_a_lost_agent(self) -> Running {
        let running = self.run();
        running.until("the first sweep", |r| r.handle.status().sweeps == 1).await;
        running.account.connect(2, false);
        running
    }
}

impl Running {
    /// Lets the loop work until `reached`; an hour of its time is the limit.
    pub(crate) async fn until(&self, what: &str, reached: impl Fn(&Self) -> bool) {
        for _ in 0..36_000 {
            if reached(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("never happened: {what}; {:#?} {:?}", self.log(), self.handle.status());
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.journal.log.lock().unwrap().clone()
    }

    pub(crate) fn has(&self, what: &str) -> bool {
        self.journal.log.lock().unwrap().iter().any(|line| line.starts_with(what))
    }

    /// Where this first stands in the log.
    pub(crate) fn place(&self, what: &str) -> usize {
        let log = self.log();
        log.iter().position(|line| line.starts_with(what)).unwrap_or_else(|| panic!("no {what:?} in {log:#?}"))
    }

    pub(crate) fn acted(&self) -> Vec<(Act, bool)> {
        self.account.acted.lock().unwrap().iter().map(|(intent, again)| (intent.act.clone(), *again)).collect()
    }

    /// How often such an act ended so.
    pub(crate) fn ended(&self, act: &'static str, result: &'static str) -> u64 {
        self.handle.status().acts.get(&(act, result)).copied().unwrap_or(0)
    }

    pub(crate) async fn stop(self) -> Turn {
        self.handle.stop();
        self.task.await.unwrap().unwrap()
    }

    /// As a kill would end it: nothing more happens, nothing is written.
    pub(crate) async fn kill(self) -> (Arc<Account>, Spy) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
        (self.account, self.journal)
    }
}
