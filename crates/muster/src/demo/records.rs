//! The records of the pretend fleet, kept while the demonstration lasts: whoever asks the API of CloudWatch Logs, a query of muster's
//! own, or the pretend account itself is answered, all at one address of this machine.

use std::{net::SocketAddr, sync::Arc};

use aws::settings::Keys;
use axum::{
    Router,
    extract::{Request, State},
    middleware,
    response::{IntoResponse as _, Response},
    routing::post,
};
use fleet::census::ClusterCensus;
use simulator::{
    clock::{MINUTE, Moment},
    face::{self, FaceOptions, Serving, Watching},
    scenario::Scenario,
};
use telemetry::record::{Detail, minute_of};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::sync::CancellationToken;

use crate::{
    cli::{output::Failure, telemetry as kept},
    config::Config,
    http::{
        self, Refusal,
        asking::Body,
        listener::{Doorway, Peer},
        query::Question,
    },
    logs::{answer, client::LogsClient, port::Class, standing::Ready},
    records::{Producer, Settings, pretend},
    senders::vault::Vault,
};

/// Where it is answered unless told otherwise; any other port if somebody is there.
const USUAL: ([u8; 4], u16) = ([127, 0, 0, 1], 8464);
/// The story begins so long ago: its records are those of the last hour, and it may run ahead until it is now.
const AGO_MS: i64 = 50 * MINUTE;
/// Days that records are kept for. The folder goes when the demonstration ends.
const RETENTION_DAYS: u32 = 30;

/// What keeps the records and answers for them.
#[derive(Debug)]
pub struct Keeping {
    address: SocketAddr,
    start: Moment,
    serving: Serving,
    minutes: mpsc::Sender<(Vec<ClusterCensus>, i64)>,
    told_ms: i64,
    _folder: TempDir,
}

/// What requests are answered from.
#[derive(Clone)]
struct Answering {
    ready: Ready,
    account: Watching,
}

impl Keeping {
    /// Begins to keep and to answer. The account is answered for as soon as it is shown.
    ///
    /// # Errors
    /// When there is no room for a folder, or nobody can listen.
    pub async fn begin(
        listen: Option<SocketAddr>,
        scenario: &Scenario,
        seed: u64,
        stop: &CancellationToken,
    ) -> Result<Self, Failure> {
        let start = Moment(minute_of(jiff::Timestamp::now().as_millisecond()) - AGO_MS);
        let stand_in = scenario.begin_at(Some(seed), Some(start));
        let (account, region) = stand_in
            .world
            .places
            .first()
            .map_or_else(Default::default, |place| (place.account.clone(), place.region.clone()));
        let clusters: Vec<String> = stand_in.world.clusters.iter().map(|cluster| cluster.name.clone()).collect();
        let driven = FaceOptions { driven: true, ..FaceOptions::default() };
        let serving = face::serve(stand_in, Some(scenario.clone()), driven)
            .await
            .map_err(|error| Failure::new("the pretend account could not listen on this machine", error))?;
        let reached = aws::Settings {
            endpoint_url: Some(format!("http://{}", serving.address())),
            regions: vec![region.clone()],
            keys: Some(Keys {
                access_key_id: "pretend".to_owned(),
                secret_access_key: "pretend".to_owned(),
                session_token: None,
            }),
            api_share: 1.0,
            ..aws::Settings::default()
        };
        let folder = tempfile::Builder::new().prefix("muster-demo-").tempdir()?;
        let ready = open(folder.path(), account, region, &reached, stop).await?;
        for cluster in &clusters {
            let group = format!("/aws/ecs/containerinsights/{cluster}/performance");
            // Queries pass over what is older than its group, and the story is. Clusters of one name have one group.
            let _ = ready.api.logs.create_group(&group, Class::Standard, start.0).await;
            let _ = ready.api.logs.set_retention(&group, Some(RETENTION_DAYS)).await;
        }
        let doorway = doorway(listen).await?;
        let address = doorway.address();
        let answering = Answering { ready: ready.clone(), account: serving.watching() };
        tokio::spawn(
            axum::serve(doorway, router(answering).into_make_service_with_connect_info::<Peer>()).into_future(),
        );
        let cloud = aws::connect(reached).await.map_err(|error| Failure::new(error.to_string(), error))?;
        let (minutes, due) = mpsc::channel(1);
        let settings =
            Settings { interval_secs: 60, detail: Detail::Standard, aws_exact: false, retention_days: RETENTION_DAYS };
        tokio::spawn(make(Producer::new(settings, Arc::new(cloud), ready.api.logs.clone()), due));
        let here = LogsClient::new(&format!("http://{address}"));
        let here = here.map_err(|error| Failure::new(error.to_string(), error))?;
        tokio::spawn(pretend::tell(serving.watching(), here, Detail::Standard, stop.clone()));
        Ok(Self { address, start, serving, minutes, told_ms: i64::MIN, _folder: folder })
    }

    /// Where it is answered.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// When the story begins.
    pub fn start(&self) -> Moment {
        self.start
    }

    /// The account, to be shown to whoever asks.
    pub fn account(&self) -> Watching {
        self.serving.watching()
    }

    /// Has the records of this minute made, unless they have been, or those before them are still being made.
    pub fn minute(&mut self, now: Moment, census: &[ClusterCensus]) {
        let due_ms = minute_of(now.0);
        if due_ms > self.told_ms && !census.is_empty() && self.minutes.try_send((census.to_vec(), due_ms)).is_ok() {
            self.told_ms = due_ms;
        }
    }
}

async fn open(
    folder: &std::path::Path,
    account: String,
    region: String,
    reached: &aws::Settings,
    stop: &CancellationToken,
) -> Result<Ready, Failure> {
    let mut config = Config::default();
    config.telemetry.directory = Some(folder.to_owned());
    config.telemetry.account = account;
    config.aws.regions = vec![region];
    let opened = kept::open(&config, reached, &Vault::new(None), stop).await;
    opened.map_err(|why| Failure::because(why.message()))
}

async fn doorway(listen: Option<SocketAddr>) -> Result<Doorway, Failure> {
    let bound = match listen {
        Some(listen) => TcpListener::bind(listen).await,
        None => match TcpListener::bind(SocketAddr::from(USUAL)).await {
            Ok(bound) => Ok(bound),
            Err(_) => TcpListener::bind(SocketAddr::from((USUAL.0, 0))).await,
        },
    };
    let failed = |error| Failure::new("could not listen on this machine; is something else there?", error);
    Doorway::plain(bound.map_err(failed)?).map_err(failed)
}

async fn make(mut producer: Producer, mut due: mpsc::Receiver<(Vec<ClusterCensus>, i64)>) {
    // Tasks are told from the second time on: hosts that tell of theirs have been heard by then.
    let mut tasks = false;
    while let Some((census, due_ms)) = due.recv().await {
        producer.tell(&census, due_ms, tasks).await;
        tasks = true;
    }
}

fn router(answering: Answering) -> Router {
    Router::new()
        .route("/v1/query", post(query))
        .fallback(aws_api)
        .layer(middleware::from_fn(http::loopback_names_only))
        .with_state(answering)
}

async fn query(State(answering): State<Answering>, Body(question): Body<Question>) -> Result<Response, Refusal> {
    http::query::answer(&answering.ready, question).await
}

/// CloudWatch Logs are muster's, every other service is the account's.
async fn aws_api(State(answering): State<Answering>, request: Request) -> Response {
    let target = request.headers().get(wire::json::TARGET_HEADER);
    if target.is_some_and(|target| target.as_bytes().starts_with(b"Logs_")) {
        return answer::respond(Ok(&answering.ready.api), request).await;
    }
    answering.account.answer(request).await.into_response()
}
