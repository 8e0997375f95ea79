//! What becomes of a page that is not taken at once.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use engine::ports::{Notifier as _, Page, PageKind};
use hmac::{Hmac, KeyInit as _, Mac as _};
use muster::senders::{Receiver, Refused, Senders, vault::Vault};
use sha2::Sha256;
use tokio::time::Instant;

use crate::{
    samples::{client, outcome, page, secret, send, senders, webhook},
    sink::{Answer, Heard, Sink},
};

fn hmac(key: &str, text: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(text);
    hex::encode(mac.finalize().into_bytes())
}

/// What a careful receiver checks: the signature over the bytes as they came, with the secret that it knows.
fn is_signed_with(key: &str, heard: &Heard) -> bool {
    let signed = [b"v1:", heard.header("x-timestamp").unwrap().as_bytes(), b":", &heard.body].concat();
    heard.header("x-signature").unwrap().split(',').any(|one| one == format!("v1={}", hmac(key, &signed)))
}

#[tokio::test]
async fn a_page_is_tried_until_it_is_taken_each_time_with_the_same_id_and_body_and_both_signatures() {
    let sink = Sink::answering(|number, _| match number {
        0 => Answer::Reset,
        1 => Answer::Status(429, "retry-after: 1\r\n", "slow down".to_owned()),
        2 => Answer::status(500),
        _ => Answer::status(204),
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let began = Instant::now();
    assert_eq!(send(&webhook(dir.path(), &sink.url()), &page("hook", PageKind::Firing, 3)).await, None);
    assert!(began.elapsed() >= Duration::from_secs(1), "it asked for a second of patience");
    let heard = sink.heard();
    assert_eq!(heard.len(), 4);
    for request in &heard {
        assert!(
            request.head.starts_with("POST /services/canary-path/x?sig=canary-query HTTP/1.1\r\n"),
            "{}",
            request.head
        );
        assert!(is_signed_with("first-secret", request) && is_signed_with("second-secret", request));
        assert!(!is_signed_with("another-secret", request));
        let at: i64 = request.header("x-timestamp").unwrap().parse().unwrap();
        assert!((jiff::Timestamp::now().as_second() - at).abs() < 300, "a receiver refuses what is five minutes old");
        assert_eq!(request.header("x-event-id"), heard[0].header("x-event-id"));
        assert_eq!(request.header("x-event-type"), Some("muster.firing"));
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.body, heard[0].body);
    }
    let said = heard[0].json();
    assert_eq!(
        (said["version"].as_u64(), said["kind"].as_str(), said["hosts"].as_u64()),
        (Some(1), Some("firing"), Some(3))
    );
}

#[tokio::test]
async fn the_id_of_a_page_is_the_same_after_a_restart_and_another_one_for_every_other_page() {
    let sink = Sink::answering(|_, _| Answer::status(200)).await;
    let dir = tempfile::tempdir().unwrap();
    let config = webhook(dir.path(), &sink.url());
    let first = page("hook", PageKind::Firing, 1);
    let mut next = page("hook", PageKind::Resolved, 1);
    next.id.0 += 1;
    for page in [&first, &first, &next] {
        assert_eq!(send(&config, page).await, None);
    }
    let ids: Vec<String> = sink.heard().iter().map(|heard| heard.header("x-event-id").unwrap().to_owned()).collect();
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
    assert_eq!((ids[0].len(), ids[0].split('-').count(), &ids[0][14..15]), (36, 5, "8"), "{ids:?}");
}

#[tokio::test]
async fn a_refusal_that_will_stay_one_is_given_up_at_once_and_a_redirect_is_not_followed() {
    let elsewhere = Sink::answering(|_, _| Answer::status(200)).await;
    let location: &'static str = format!("location: http://127.0.0.1:{}/\r\n", elsewhere.port).leak();
    for (code, says) in [
        (400, "no such field"),
        (404, "still right"),
        (410, "still right"),
        (422, "no such field"),
        (302, "redirects"),
        (307, "redirects"),
    ] {
        let sink = Sink::answering(move |_, _| Answer::Status(code, location, "no such\nfield".to_owned())).await;
        let dir = tempfile::tempdir().unwrap();
        let why = send(&webhook(dir.path(), &sink.url()), &page("hook", PageKind::Firing, 1)).await.unwrap();
        assert!(why.contains(&code.to_string()) && why.contains(says), "{why}");
        assert_eq!(sink.heard().len(), 1, "{code}");
    }
    assert_eq!(elsewhere.heard().len(), 0);
}

#[tokio::test]
async fn a_receiver_that_hangs_is_left_alone_after_its_time_and_asked_again() {
    let sink = Sink::answering(|number, _| if number == 0 { Answer::Silence } else { Answer::status(200) }).await;
    let dir = tempfile::tempdir().unwrap();
    let senders = senders(&webhook(dir.path(), &sink.url()), &client(Duration::from_millis(500))).await;
    assert_eq!(outcome(senders.send(&page("hook", PageKind::Firing, 1)).await), None);
    assert_eq!(sink.heard().len(), 2);
}

#[tokio::test]
async fn an_answer_without_an_end_is_not_read_to_it() {
    for (code, taken) in [(200, true), (400, false)] {
        let sink = Sink::answering(move |_, _| Answer::Endless(code)).await;
        let dir = tempfile::tempdir().unwrap();
        let why = send(&webhook(dir.path(), &sink.url()), &page("hook", PageKind::Firing, 1)).await;
        assert_eq!(why.is_none(), taken, "{why:?}");
        assert!(why.unwrap_or_default().len() < 500);
        assert_eq!(sink.heard().len(), 1);
    }
}

#[tokio::test]
async fn a_secret_that_was_changed_is_read_anew_when_the_old_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_owned();
    let sink = Sink::answering(move |_, heard| {
        if is_signed_with("new-secret", heard) {
            return Answer::status(200);
        }
        secret(&folder, "one", "new-secret");
        Answer::status(401)
    })
    .await;
    let senders = senders(&webhook(dir.path(), &sink.url()), &client(Duration::from_secs(10))).await;
    assert_eq!(outcome(senders.send(&page("hook", PageKind::Firing, 1)).await), None);
    assert_eq!(sink.heard().len(), 2);
    assert_eq!(outcome(senders.send(&page("hook", PageKind::Resolved, 1)).await), None);
    assert_eq!(sink.heard().len(), 3);
}

#[tokio::test]
async fn a_secret_that_is_refused_for_good_is_not_tried_for_ever() {
    let sink = Sink::answering(|_, _| Answer::status(403)).await;
    let dir = tempfile::tempdir().unwrap();
    let why = send(&webhook(dir.path(), &sink.url()), &page("hook", PageKind::Firing, 1)).await.unwrap();
    assert!(why.contains("403"), "{why}");
    assert_eq!(sink.heard().len(), 2);
}

/// Refuses everything in one way.
struct Refuses {
    with: Refused,
    hangs: bool,
    tries: Arc<AtomicUsize>,
    at: Arc<Mutex<Vec<Instant>>>,
}

#[async_trait]
impl Receiver for Refuses {
    async fn deliver(&self, _: &Page) -> Result<(), Refused> {
        self.tries.fetch_add(1, Ordering::SeqCst);
        self.at.lock().unwrap().push(Instant::now());
        if self.hangs {
            std::future::pending::<()>().await;
        }
        Err(self.with.clone())
    }
}

async fn refused(with: Refused, hangs: bool) -> (String, usize, Vec<Instant>, Duration) {
    let (tries, at) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
    let receiver = Refuses { with, hangs, tries: tries.clone(), at: at.clone() };
    let vault = Arc::new(Vault::new(None));
    let senders = Senders::of(vec![("hook".to_owned(), Box::new(receiver))], Duration::from_secs(540), vault);
    let began = Instant::now();
    let why = outcome(senders.send(&page("hook", PageKind::Firing, 1)).await).unwrap();
    let at = at.lock().unwrap().clone();
    (why, tries.load(Ordering::SeqCst), at, began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_is_down_is_tried_less_and_less_often_and_given_up_in_time() {
    let (why, tries, at, took) = refused(Refused::for_now("HTTP 503"), false).await;
    assert!(why.contains("HTTP 503") && why.contains(&format!("{tries} tries in 540 s")), "{why}");
    // Full jitter: about one try in half a minute on average, never more than one in 200 ms.
    assert!((8..400).contains(&tries), "{tries}");
    assert!(took <= Duration::from_secs(540) && took > Duration::from_secs(400), "{took:?}");
    assert!(at.windows(2).all(|pair| pair[1] - pair[0] >= Duration::from_millis(200)));
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_never_ends_and_one_that_wants_too_much_patience_are_given_up() {
    let (why, tries, _, took) = refused(Refused::for_now(""), true).await;
    assert!(why.contains("neither took the page nor refused it") && tries == 1, "{why}");
    assert_eq!(took, Duration::from_secs(540));
    let patience = Refused { after_secs: Some(900), ..Refused::for_now("HTTP 429") };
    let (why, tries, _, took) = refused(patience, false).await;
    assert!(why.contains("429") && tries == 1, "{why}");
    assert_eq!(took, Duration::ZERO);
    let (_, tries, at, _) = refused(Refused { after_secs: Some(100), ..Refused::for_now("HTTP 429") }, false).await;
    assert_eq!(tries, 6);
    assert!(at.windows(2).all(|pair| pair[1] - pair[0] >= Duration::from_secs(100)));
}

#[tokio::test]
async fn a_page_to_nobody_is_told_to_be_one() {
    let senders = Senders::of(Vec::new(), Duration::from_secs(10), Arc::new(Vault::new(None)));
    let why = outcome(senders.send(&page("hook", PageKind::Firing, 1)).await).unwrap();
    assert!(why.contains("no [[receiver]] called hook"), "{why}");
}
