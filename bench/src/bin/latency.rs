//! From an event's bytes to a page's: the real loop with the real journal on this disk, events on a fixed schedule
//! (whatever is late counts as late from when it was due), and a bare POST to a sink on this machine. Beside it the same
//! disk's fdatasync of a page of 4 KiB, measured just before and just after.
//!
//! The pages are those that say that a host is back: they follow from their event at once, with no grace in between.
//! `latency [DIRECTORY]`; one JSON object a line.
#![expect(clippy::print_stdout, reason = "the figures")]

use std::{
    collections::HashMap,
    error::Error,
    fs::File,
    io::Write as _,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use engine::{
    Engine, Options, Ports,
    clock::SystemClock,
    journal::SqliteJournal,
    ports::{
        ActResult, Answer, Clock as _, Cloud, Delivery, DeliveryResult, FailureKind, Intent, Look, LookFailure, Notice,
        Notifier, Page, Receipt, Sample, Samples, Scope,
    },
    recover,
    turn::{Arrival, Turn},
};
use fleet::{
    input::Sweep,
    notice::route::{GroupBy, Route, Routing},
    observation::{
        Attributes, Ec2State, Ec2StatusFact, Fact, HostAttributes, InstanceFact, InstanceStatus, Observation,
        ReachabilityStatus, Source, SsmFact,
    },
    policy::Policy,
};
use jiff::{SignedDuration, Timestamp};
use peers::corpus;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const CLUSTER: &str = "arn:aws:ecs:eu-central-1:210987654321:cluster/prod";
const PLACE: &str = "210987654321/eu-central-1";
/// Events of the steady part, and their rate.
const STEADY: u32 = 10_000;
const A_SECOND: u32 = 1_000;
/// Events of the burst.
const BURST: u32 = 5_000;

fn main() -> Outcome<()> {
    let directory = std::env::args().nth(1).map_or_else(std::env::temp_dir, Into::into);
    let before = fdatasync(&directory)?;
    tokio::runtime::Runtime::new()?.block_on(measure(&directory))?;
    let after = fdatasync(&directory)?;
    println!("{}", serde_json::json!({ "fdatasync_before_ms": before, "fdatasync_after_ms": after }));
    Ok(())
}

/// Median and p99 of writing 4 KiB and flushing it, in milliseconds.
fn fdatasync(directory: &Path) -> Outcome<(f64, f64)> {
    let path = directory.join(format!("muster-fdatasync-{}", std::process::id()));
    let mut file = File::create(&path)?;
    let mut took = Vec::new();
    for _ in 0..400 {
        let began = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        took.push(began.elapsed());
    }
    std::fs::remove_file(path)?;
    Ok((quantile(&mut took, 0.5), quantile(&mut took, 0.99)))
}

fn quantile(took: &mut [Duration], share: f64) -> f64 {
    took.sort_unstable();
    let at = ((took.len() as f64 * share).ceil() as usize).saturating_sub(1);
    took.get(at).map_or(f64::NAN, |took| took.as_secs_f64() * 1e3)
}

fn instance(host: u32, version: i64, connected: bool) -> Fact<'static> {
    Fact::Instance(InstanceFact {
        arn: corpus::host_arn(host).into(),
        cluster: CLUSTER.into(),
        ec2_instance_id: Some(corpus::machine_id(host).into()),
        version: Some(version),
        status: InstanceStatus::Active,
        status_reason: None,
        agent_connected: Some(connected),
        agent_version: Some("1.105.1".into()),
        running_tasks: Some(0),
        pending_tasks: Some(0),
        registered_at: None,
        resources: None,
        capacity_provider: None,
        attributes: Attributes::Known(Box::new(HostAttributes::default())),
    })
}

/// The event as EventBridge writes it.
fn event(host: u32, version: i64) -> Vec<u8> {
    let at = SystemClock.now();
    serde_json::json!({
        "version": "0",
        "id": format!("{host:08x}-0000-0000-0000-{version:012x}"),
        "detail-type": "ECS Container Instance State Change",
        "source": "aws.ecs",
        "account": "210987654321",
        "time": at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "region": "eu-central-1",
        "resources": [corpus::host_arn(host)],
        "detail": {
            "agentConnected": true,
            "clusterArn": CLUSTER,
            "containerInstanceArn": corpus::host_arn(host),
            "ec2InstanceId": corpus::machine_id(host),
            "runningTasksCount": 0,
            "pendingTasksCount": 0,
            "status": "ACTIVE",
            "version": version,
            "updatedAt": at.to_string(),
        },
    })
    .to_string()
    .into_bytes()
}

/// Hosts that are lost, decided upon and paged: what is left of each is the page that it is back.
fn lose(turn: &mut Turn, hosts: u32, version: i64) -> Outcome<()> {
    let mut now = SystemClock.now().max(turn.last_at());
    let look = |now: Timestamp, scope: Scope<'static>, facts: Vec<Fact<'static>>| {
        let found = facts.into_iter().map(|fact| Observation { at: now, source: Source::Look, fact }).collect();
        Arrival::Swept(Sweep { scope, started_at: now, found, unchanged: 0, complete: false, absent: Vec::new() })
    };
    let events = |now: Timestamp, version: i64, connected: bool| {
        (0..hosts).map(move |host| {
            let fact = instance(host, version, connected);
            Arrival::Observed(Observation { at: now, source: Source::Event, fact })
        })
    };
    turn.take(now, events(now, version, true))?;
    turn.take(now, events(now, version + 1, false))?;
    for _ in 0..12 {
        now += SignedDuration::from_secs(1);
        turn.take(now, [Arrival::Tick])?;
        let hosts_seen = (0..hosts).map(|host| instance(host, version + 1, false)).collect();
        let machines = (0..hosts)
            .map(|host| {
                Fact::Ec2Status(Ec2StatusFact {
                    instance_id: corpus::machine_id(host).into(),
                    state: Ec2State::Running,
                    system: ReachabilityStatus::Ok,
                    instance: ReachabilityStatus::Ok,
                    ebs: ReachabilityStatus::Ok,
                    scheduled: None,
                })
            })
            .collect();
        let pings = (0..hosts)
            .map(|host| {
                Fact::Ssm(SsmFact {
                    instance_id: corpus::machine_id(host).into(),
                    online: Some(true),
                    last_ping_at: None,
                    platform: None,
                })
            })
            .collect();
        turn.take(
            now,
            [
                look(now, Scope::Hosts { cluster: CLUSTER.into() }, hosts_seen),
                look(now, Scope::Machines(PLACE.into()), machines),
                look(now, Scope::Pings(PLACE.into()), pings),
            ],
        )?;
    }
    let owed = turn.fleet().owed_pages();
    if owed.len() < hosts as usize {
        return Err(format!("only {} of {hosts} hosts were paged", owed.len()).into());
    }
    let told = owed.into_iter().map(|page| {
        let delivery = fleet::notice::page::Delivery { page: page.id, result: DeliveryResult::Delivered };
        Arrival::Told(delivery)
    });
    turn.take(now, told)?;
    Ok(())
}

/// When each host's event was due, and how long after that its page was written.
#[derive(Default)]
struct Times {
    due: Mutex<HashMap<String, Instant>>,
    took: Mutex<Vec<Duration>>,
}

/// Sends each page as one POST.
struct Poster {
    sink: std::net::SocketAddr,
    times: Arc<Times>,
    idle: Mutex<Vec<TcpStream>>,
}

impl Poster {
    async fn post(&self, page: &Page) -> std::io::Result<()> {
        let body = serde_json::to_vec(page)?;
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut stream = match kept {
            Some(stream) => stream,
            None => TcpStream::connect(self.sink).await?,
        };
        let head = format!("POST /page HTTP/1.1\r\nhost: sink\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), &body].concat()).await?;
        stream.flush().await?;
        let subject = page.samples.first().map(|host| host.subject.as_str()).unwrap_or_default();
        let due = self.times.due.lock().unwrap_or_else(PoisonError::into_inner).remove(subject);
        if let Some(due) = due {
            self.times.took.lock().unwrap_or_else(PoisonError::into_inner).push(due.elapsed());
        }
        let mut answer = [0; 64];
        let _ = stream.read(&mut answer).await?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(stream);
        Ok(())
    }
}

#[async_trait]
impl Notifier for Poster {
    async fn notify(&self, _: Timestamp, _: &Notice) {}

    async fn send(&self, page: &Page) -> DeliveryResult<'static> {
        match self.post(page).await {
            Ok(()) => DeliveryResult::Delivered,
            Err(error) => DeliveryResult::GivenUp { why: error.to_string().into() },
        }
    }
}

/// Answers every POST with 200.
async fn sink(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut buffer = vec![0; 64 << 10];
            while let Ok(read) = stream.read(&mut buffer).await {
                if read == 0 || stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.is_err() {
                    return;
                }
            }
        });
    }
}

struct Queue(tokio::sync::Mutex<mpsc::Receiver<Vec<u8>>>);

#[async_trait]
impl Cloud for Queue {
    async fn sweep(&self, _: mpsc::Sender<Answer>) {}

    async fn look(&self, look: Look) -> Answer {
        let scope = match look {
            Look::Hosts { cluster, .. } | Look::Tasks { cluster, .. } => Scope::Hosts { cluster: cluster.into() },
            Look::Machines { place, .. } => Scope::Machines(place.into()),
            Look::Pings { place, .. } => Scope::Pings(place.into()),
        };
        Answer::Failed(LookFailure { scope, kind: FailureKind::Failed, message: "nobody looks here".into() })
    }

    async fn receive(&self) -> Result<Vec<Delivery>, LookFailure<'static>> {
        let mut queue = self.0.lock().await;
        let mut bodies = Vec::new();
        // As SQS does: up to ten at a time.
        if queue.recv_many(&mut bodies, 10).await == 0 {
            std::future::pending::<()>().await;
        }
        let receipt = || Receipt { queue: "queue".into(), handle: String::new() };
        Ok(bodies.into_iter().map(|body| Delivery { body, receipt: receipt() }).collect())
    }

    async fn acknowledge(&self, _: Vec<Receipt>) -> Result<(), LookFailure<'static>> {
        Ok(())
    }

    async fn act(&self, _: &Intent, _: bool) -> ActResult<'static> {
        ActResult::Impossible { why: "nothing is done here".into() }
    }
}

struct Nowhere;

impl Samples for Nowhere {
    fn publish(&self, _: Timestamp, _: &[Sample]) {}
}

async fn measure(directory: &Path) -> Outcome<()> {
    let folder = directory.join(format!("muster-latency-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    for (name, hosts, a_second) in [("steady", STEADY, A_SECOND), ("burst", BURST, u32::MAX)] {
        let route = Route {
            receivers: vec!["hook".to_owned()],
            group_by: vec![GroupBy::Host],
            wait_secs: Some(0),
            interval_secs: Some(0),
            repeat_secs: Some(0),
            ..Route::default()
        };
        let policy = Policy {
            grace_secs: 1,
            act_after_secs: 2,
            fail_after: 1,
            doubt_min_hosts: u32::MAX,
            flapping_per_hour: u32::MAX,
            routing: Routing { routes: vec![route], ..Routing::default() },
            ..Policy::default()
        };
        let data = folder.join(name);
        let journal = SqliteJournal::open(&data)?;
        let recovered = recover(Box::new(journal), policy.clone(), "latency", SystemClock.now())?;
        let mut turn = recovered.turn;
        lose(&mut turn, hosts, 1)?;
        let stopped = turn.last_at();
        turn.stop(stopped)?;
        drop(turn);
        // The core's time ran ahead by the seconds that it was told of.
        let ahead = stopped.duration_since(SystemClock.now());
        tokio::time::sleep(Duration::try_from(ahead).unwrap_or_default() + Duration::from_secs(1)).await;
        let recovered = recover(Box::new(SqliteJournal::open(&data)?), policy, "latency", SystemClock.now())?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let times = Arc::new(Times::default());
        let poster = Poster { sink: listener.local_addr()?, times: times.clone(), idle: Mutex::default() };
        let sink = tokio::spawn(sink(listener));
        let (events, queue) = mpsc::channel(1 << 16);
        let stop = CancellationToken::new();
        let ports = Ports {
            cloud: Arc::new(Queue(tokio::sync::Mutex::new(queue))),
            notifier: Arc::new(poster),
            samples: Arc::new(Nowhere),
            clock: Arc::new(SystemClock),
            lease: None,
        };
        let engine =
            Engine::new(recovered, ports, Options { pages_waiting: 1 << 20, ..Options::default() }, stop.clone());
        let running = tokio::spawn(engine.run());
        tokio::time::sleep(Duration::from_secs(1)).await;
        let began = Instant::now();
        for host in 0..hosts {
            let due = match a_second {
                u32::MAX => began,
                rate => began + Duration::from_secs_f64(f64::from(host) / f64::from(rate)),
            };
            tokio::time::sleep_until(due.into()).await;
            times.due.lock().unwrap_or_else(PoisonError::into_inner).insert(corpus::host_arn(host), due);
            events.send(event(host, 3)).await?;
        }
        let give_up = Instant::now() + Duration::from_secs(60);
        while Instant::now() < give_up
            && times.took.lock().unwrap_or_else(PoisonError::into_inner).len() < hosts as usize
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        stop.cancel();
        running.await??;
        sink.abort();
        let mut took = std::mem::take(&mut *times.took.lock().unwrap_or_else(PoisonError::into_inner));
        println!(
            "{}",
            serde_json::json!({
                "part": name,
                "events": hosts,
                "pages": took.len(),
                "p50_ms": quantile(&mut took, 0.5),
                "p99_ms": quantile(&mut took, 0.99),
                "max_ms": quantile(&mut took, 1.0),
            })
        );
    }
    std::fs::remove_dir_all(folder)?;
    Ok(())
}
