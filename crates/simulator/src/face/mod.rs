//! The simulation on the wire: one HTTP endpoint that speaks for all services, so that the official SDKs, the AWS CLI and
//! boto3 are its clients. Set `AWS_ENDPOINT_URL` to its address.
//!
//! Which service a request is for is told by its target header, its form's version or the name it was signed for
//! ([`wire::server`]); which account and region by its signature's scope: a key from [`FaceOptions::credentials`] or from
//! AssumeRole belongs to its account, an access key of twelve digits is itself the account, any other means the
//! scenario's first account.
//!
//! The account lives by the wall clock times [`FaceOptions::speed`]. Queues live by the wall clock itself: their
//! visibility timeouts and long polls are about real consumers. `/_muster/` moves time and makes things happen, see
//! [`control`].
//!
//! | to learn | read |
//! |---|---|
//! | connections | [`http`] |
//! | from a request to an answer; faults and errors | [`dispatch`] |
//! | keys, and STS | [`access`] |
//! | one service each | [`ecs`], [`ec2`], [`autoscaling`], [`ssm`], [`sqs`], [`sns`], [`eventbridge`] |
//! | queues, topics and rules of all accounts | [`messaging`] |
//! | metrics and alarms | [`monitoring`] |
//! | pages and their tokens | [`paging`] |
//! | writing JSON | [`json`] |

mod access;
mod autoscaling;
mod cbor;
mod control;
mod dispatch;
mod ec2;
mod ecs;
mod eventbridge;
mod http;
mod inflate;
mod json;
mod messaging;
mod monitoring;
mod paging;
mod scope;
mod sns;
mod sqs;
mod ssm;

use std::{
    net::SocketAddr,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use access::Access;
pub use access::{Credential, Signatures};
use hyper::body::Body;
use jiff::Timestamp;
use messaging::{Messaging, Region};
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use wire::error::ServiceError;

use crate::{
    clock::Moment,
    courier::Parcel,
    scenario::Scenario,
    simulation::Simulation,
    world::{PlaceId, World},
};

pub use messaging::READY_MADE;

/// How often the account catches up with the wall clock.
const TICK: Duration = Duration::from_millis(50);

/// The longest time that passes at once, in virtual milliseconds.
const LONGEST_STRIDE_MS: i64 = 60_000;

/// How to serve.
#[derive(Clone)]
pub struct FaceOptions {
    /// Address; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Virtual seconds a wall second; 0: time passes only by `/_muster/advance`.
    pub speed: f64,
    /// How signatures are looked at.
    pub signatures: Signatures,
    /// Keys that are known from the beginning.
    pub credentials: Vec<Credential>,
    /// Somebody else lets time pass: what is served stands in for the simulation that [`Watching::show`] is given, and until then
    /// requests wait.
    pub driven: bool,
    /// How many messages a queue holds before the oldest go. AWS has no such limit; here, nobody may be listening.
    pub queue_capacity: usize,
}

impl Default for FaceOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            speed: 1.0,
            signatures: Signatures::default(),
            credentials: Vec::new(),
            driven: false,
            queue_capacity: 100_000,
        }
    }
}

/// A simulation being served.
#[derive(Debug)]
pub struct Serving {
    address: SocketAddr,
    world: Watching,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Serving {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A look at the account that lasts as long as it lives.
    pub fn watching(&self) -> Watching {
        self.world.clone()
    }

    /// Stops listening, closes all connections and ends the account's life.
    pub async fn stop(self) {
        self.stop.cancel();
        for task in self.tasks {
            // A task that panicked has said so already.
            let _ = task.await;
        }
    }
}

/// A look at an account that is being served.
#[derive(Clone)]
pub struct Watching(Arc<Shared>);

impl std::fmt::Debug for Watching {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watching").finish_non_exhaustive()
    }
}

impl Watching {
    /// Looks at the account as it is now. Nobody is answered meanwhile.
    pub fn look<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.0.running().simulation.world)
    }

    /// Puts a simulation that somebody else drives before whoever asks, for as long as `meanwhile` lasts. Afterwards requests wait
    /// until it is shown again.
    pub fn show(&self, simulation: &mut Simulation, meanwhile: impl FnOnce()) {
        self.show_for_good(simulation);
        meanwhile();
        let mut running = lock(&self.0.running);
        std::mem::swap(&mut running.simulation, simulation);
        running.away = true;
    }

    /// The same until the end: `simulation` is what stood in for it.
    pub fn show_for_good(&self, simulation: &mut Simulation) {
        let mut running = lock(&self.0.running);
        std::mem::swap(&mut running.simulation, simulation);
        running.away = false;
        drop(running);
        self.0.back.notify_all();
    }

    /// Answers a request that came in elsewhere as one that came in here.
    pub async fn answer<B>(&self, request: hyper::Request<B>) -> hyper::Response<http_body_util::Full<bytes::Bytes>>
    where
        B: Body,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        http::respond(&self.0, request).await
    }
}

/// What all requests share. Locks are taken in the order of the fields, and never held while a socket is written.
pub(crate) struct Shared {
    running: Mutex<Running>,
    /// The simulation is there again.
    back: Condvar,
    messaging: Mutex<Messaging>,
    access: Mutex<Access>,
    monitoring: Mutex<monitoring::Monitoring>,
    /// The story's file, for what `/_muster/do` names.
    scenario: Option<Scenario>,
    /// Something arrived in a queue.
    arrived: Notify,
    options: FaceOptions,
    address: SocketAddr,
    requests: std::sync::atomic::AtomicU64,
}

/// The simulation and how far it has followed the wall clock.
pub(crate) struct Running {
    pub(crate) simulation: Simulation,
    /// Somebody else has the simulation, and what is here stands in for it.
    away: bool,
    followed: Instant,
    /// Virtual milliseconds that were not whole yet.
    rest_ms: f64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere leaves the pretend account as it was; it is still better than none.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves a simulation until it is stopped. `scenario`: the file it was begun from, so that `/_muster/do` knows its names.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn serve(
    simulation: Simulation,
    scenario: Option<Scenario>,
    options: FaceOptions,
) -> std::io::Result<Serving> {
    let listener = TcpListener::bind(options.listen).await?;
    let address = listener.local_addr()?;
    let seed = simulation.seed();
    let mut messaging = Messaging::new(seed, options.queue_capacity);
    let wall = wall_now();
    for place in &simulation.world.places {
        messaging.prepare(&(place.account.clone(), place.region.clone()), &place.partition, wall);
    }
    let shared = Arc::new(Shared {
        running: Mutex::new(Running { simulation, away: options.driven, followed: Instant::now(), rest_ms: 0.0 }),
        back: Condvar::new(),
        messaging: Mutex::new(messaging),
        access: Mutex::new(Access::new(&options.credentials, seed)),
        monitoring: Mutex::new(monitoring::Monitoring::default()),
        scenario,
        arrived: Notify::new(),
        options,
        address,
        requests: std::sync::atomic::AtomicU64::new(0),
    });
    let stop = CancellationToken::new();
    let ticking = tokio::spawn(tick(shared.clone(), stop.clone()));
    let world = Watching(shared.clone());
    let listening = tokio::spawn(http::listen(listener, shared, stop.clone()));
    Ok(Serving { address, world, stop, tasks: vec![ticking, listening] })
}

async fn tick(shared: Arc<Shared>, stop: CancellationToken) {
    let mut every = tokio::time::interval(TICK);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => shared.follow(),
        }
    }
}

/// Wall time.
fn wall_now() -> Moment {
    Moment(Timestamp::now().as_millisecond())
}

impl Shared {
    fn running(&self) -> MutexGuard<'_, Running> {
        let mut running = lock(&self.running);
        while running.away {
            running = self.back.wait(running).unwrap_or_else(PoisonError::into_inner);
        }
        running
    }

    /// Lets the account catch up with the wall clock.
    fn follow(&self) {
        if self.options.speed <= 0.0 || self.options.driven {
            return;
        }
        let mut running = self.running();
        let elapsed = running.followed.elapsed();
        running.followed += elapsed;
        let millis = elapsed.as_secs_f64() * 1000.0 * self.options.speed + running.rest_ms;
        running.rest_ms = millis.fract();
        let until = running.simulation.now().plus(millis as i64);
        drop(running);
        self.live_until(until);
    }

    /// Lets so many virtual milliseconds pass at once, and returns the virtual time then.
    fn advance(&self, millis: i64) -> Moment {
        let until = self.running().simulation.now().plus(millis);
        self.live_until(until);
        until
    }

    /// Does what alarms have to do: publishes to topics, executes scaling policies.
    fn act_on(&self, due: Vec<monitoring::Due>) {
        for action in due {
            let outcome = match action.arn.split(':').nth(2) {
                Some("sns") => {
                    let (now, attributes) = (wall_now(), Default::default());
                    let subject = Some(action.subject.as_str());
                    let mut messaging = lock(&self.messaging);
                    let published = messaging.publish(&action.arn, &action.message, subject, &attributes, now);
                    published.map(|_| self.arrived.notify_waiters()).map_err(|error| error.to_string())
                }
                Some("autoscaling") => {
                    let mut running = self.running();
                    let world = &mut running.simulation.world;
                    let place = world.find_place(&action.region.0, &action.region.1);
                    match autoscaling::policies::find(world, place, None, &action.arn) {
                        Some((group, name)) => world
                            .execute_policy(group, &name, action.breach, true)
                            .map_err(|refusal| refusal.to_string()),
                        None => Err("there is no such policy".to_owned()),
                    }
                }
                _ => Err("only topics and scaling policies are acted upon".to_owned()),
            };
            if let Err(reason) = outcome {
                tracing::warn!(action = action.arn, reason, "an alarm's action did not take place");
            }
        }
    }

    /// Lets time pass in strides, so that neither the events of a long leap pile up nor callers wait for all of it.
    fn live_until(&self, until: Moment) {
        loop {
            let mut running = self.running();
            let stride = running.simulation.now().plus(LONGEST_STRIDE_MS).min(until);
            let mut parcels = Vec::new();
            running.simulation.advance_to(stride, &mut parcels);
            let events = written(&running.simulation.world, &parcels);
            drop(running);
            self.hand_over(&events);
            let due = lock(&self.monitoring).watch(stride);
            self.act_on(due);
            if stride >= until {
                return;
            }
        }
    }

    /// Puts events on the buses of their regions.
    fn hand_over(&self, events: &[(Region, String)]) {
        if events.is_empty() {
            return;
        }
        let wall = wall_now();
        let mut messaging = lock(&self.messaging);
        for (region, event) in events {
            messaging.put_event(region, event, wall);
        }
        drop(messaging);
        self.arrived.notify_waiters();
    }
}

/// What was delivered, as text, with the region whose bus it goes to.
fn written(world: &World, parcels: &[Parcel]) -> Vec<(Region, String)> {
    let write = |parcel: &Parcel| {
        let place = match parcel {
            Parcel::Change(change) => world.place(change.place),
            Parcel::Bytes(_) => world.places.first(),
        }?;
        let mut bytes = Vec::with_capacity(3_072);
        parcel.write(world, &mut bytes);
        // A queue holds text only: what is none becomes replacement characters on the way, as with the real one.
        let text =
            String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        Some(((place.account.clone(), place.region.clone()), text))
    };
    parcels.iter().filter_map(write).collect()
}

/// The body of an answer of ECS, as a client in the account of a place would get it; an error's body where it is refused.
pub(crate) fn told(world: &mut World, place: PlaceId, operation: &str, request: &serde_json::Value) -> Vec<u8> {
    let Some(found) = world.place(place) else { return Vec::new() };
    let scope = scope::Scope {
        region: (found.account.clone(), found.region.clone()),
        partition: found.partition.clone(),
        place: Some(place),
        host: String::new(),
        wall: world.now,
    };
    let mut out = json::Json::default();
    match ecs::answer(world, &scope, &scope::View::default(), operation, request, &mut out) {
        Ok(()) => out.finish(),
        Err(error) => error.to_json().into(),
    }
}

/// The error for an operation that is not answered here.
fn unknown(service: &str, operation: &str, known: &[&str]) -> ServiceError {
    let what =
        format!("The simulator does not answer {service}:{operation}. Of {service} it answers {}.", known.join(", "));
    ServiceError::new("UnknownOperationException", what)
}
