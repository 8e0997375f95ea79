//! Where a page goes on the wire: to the address that was looked at, by TLS to nobody else than the name says.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use engine::ports::{Notifier as _, PageKind};
use muster::senders::http::HttpClient;
use rustls::{RootCertStore, ServerConfig, pki_types::PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::{
    samples::{Turns, client, outcome, page, secret, senders},
    sink::{Answer, Sink},
};

fn config(dir: &std::path::Path, url: &str, more: &str) -> String {
    let url = secret(dir, "url", url);
    format!("[[receiver]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"{url}\"\nretry_secs = 10\n{more}\n")
}

async fn sent(http: &HttpClient, config: &str) -> Option<String> {
    outcome(senders(config, http).await.send(&page("hook", PageKind::Firing, 1)).await)
}

#[tokio::test]
async fn a_name_that_changes_its_address_after_it_was_looked_at_gains_nothing() {
    let sink = Sink::answering(|_, _| Answer::status(200)).await;
    let dir = tempfile::tempdir().unwrap();
    let turns = Arc::new(Turns { answers: vec!["127.0.0.1", "169.254.169.254"], ..Turns::default() });
    let http = client(Duration::from_secs(5)).resolving_by(turns.clone());
    let url = format!("http://hooks.example.com:{}/canary", sink.port);
    let config = config(dir.path(), &url, "allow_http = true\nallow_private = true");
    assert_eq!(sent(&http, &config).await, None);
    assert_eq!(turns.asked.load(Ordering::SeqCst), 1, "the address that was looked at is the one that is connected to");
    assert_eq!(sink.heard()[0].header("host"), Some(format!("hooks.example.com:{}", sink.port).as_str()));
    let why = sent(&http, &config).await.unwrap();
    assert!(why.contains("link-local") && !why.contains("canary"), "{why}");
    assert_eq!(sink.heard().len(), 1);
}

#[tokio::test]
async fn this_machine_is_not_posted_to_unless_that_is_allowed() {
    let sink = Sink::answering(|_, _| Answer::status(200)).await;
    let dir = tempfile::tempdir().unwrap();
    let turns = Turns { answers: vec!["127.0.0.1"], ..Turns::default() };
    let http = client(Duration::from_secs(5)).resolving_by(Arc::new(turns));
    let url = format!("http://hooks.example.com:{}/", sink.port);
    let why = sent(&http, &config(dir.path(), &url, "allow_http = true")).await.unwrap();
    assert!(why.contains("loopback") && why.contains("allow_private"), "{why}");
    assert_eq!(sink.heard().len(), 0);
}

#[tokio::test]
async fn by_tls_only_a_certificate_for_this_very_name_from_somebody_trusted_is_accepted() {
    let made = rcgen::generate_simple_self_signed(vec!["hooks.example.com".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let tls = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let sink = Sink::behind(Some(TlsAcceptor::from(Arc::new(tls))), |_, _| Answer::status(200)).await;
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let here = || Arc::new(Turns { answers: vec!["127.0.0.1"], ..Turns::default() });
    let trusting = HttpClient::trusting(roots, Duration::from_secs(5)).unwrap().resolving_by(here());
    let distrusting = client(Duration::from_secs(5)).resolving_by(here());
    let dir = tempfile::tempdir().unwrap();
    let named = format!("https://hooks.example.com:{}/", sink.port);
    let unnamed = format!("https://127.0.0.1:{}/", sink.port);
    assert_eq!(sent(&trusting, &config(dir.path(), &named, "allow_private = true")).await, None);
    for (http, url) in [(&trusting, &unnamed), (&distrusting, &named)] {
        let why = sent(http, &config(dir.path(), url, "allow_private = true")).await.unwrap();
        assert!(why.contains("TLS") && why.contains("certificate"), "{why}");
    }
    assert_eq!(sink.heard().len(), 1);
}

#[tokio::test]
async fn the_next_address_of_a_name_is_tried_when_the_first_lets_nobody_in() {
    let sink = Sink::answering(|_, _| Answer::status(200)).await;
    struct Two;
    #[async_trait::async_trait]
    impl muster::senders::target::Resolver for Two {
        async fn resolve(&self, _: &str, port: u16) -> Result<Vec<std::net::SocketAddr>, String> {
            Ok(vec![([127, 255, 255, 254], 9).into(), ([127, 0, 0, 1], port).into()])
        }
    }
    let http = client(Duration::from_secs(10)).resolving_by(Arc::new(Two));
    let dir = tempfile::tempdir().unwrap();
    let url = format!("http://hooks.example.com:{}/", sink.port);
    assert_eq!(sent(&http, &config(dir.path(), &url, "allow_http = true\nallow_private = true")).await, None);
}

#[tokio::test]
async fn of_an_answer_64_kb_are_read_and_no_more() {
    let sink = Sink::answering(|_, _| Answer::Endless(200)).await;
    let allowed = muster::senders::target::Allowed { http: true, private: true, link_local: false };
    let reply = client(Duration::from_secs(10)).post(&sink.url(), allowed, &[], Vec::new()).await.unwrap();
    assert_eq!((reply.status, reply.body.len()), (200, 64 << 10));
}

#[tokio::test]
async fn a_host_that_lets_a_connection_in_and_says_nothing_is_given_five_seconds() {
    let here = Turns { answers: vec!["127.0.0.1"], ..Turns::default() };
    let http = client(Duration::from_secs(30)).resolving_by(Arc::new(here));
    let allowed = muster::senders::target::Allowed { private: true, ..Default::default() };
    let began = tokio::time::Instant::now();
    // Its system takes connections, and nobody ever takes them from there.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://hooks.example.com:{}/canary", silent.local_addr().unwrap().port());
    let error = http.post(&url, allowed, &[], Vec::new()).await.unwrap_err();
    assert_eq!(error.to_string(), "hooks.example.com did not answer within 5 s");
    assert!((4..8).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[tokio::test]
async fn the_whole_of_a_post_has_an_end_however_slowly_it_is_answered() {
    let sink = Sink::answering(|_, _| Answer::Silence).await;
    let allowed = muster::senders::target::Allowed { http: true, private: true, link_local: false };
    let error = client(Duration::from_millis(300)).post(&sink.url(), allowed, &[], Vec::new()).await.unwrap_err();
    assert!(error.to_string().contains("did not answer within") && !error.to_string().contains("canary"), "{error}");
}
