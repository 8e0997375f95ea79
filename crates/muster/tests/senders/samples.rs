//! Pages, receivers and the rest that every test here needs.

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use engine::ports::{DeliveryResult, Notifier as _, Page, PageHost, PageId, PageKind, Severity};
use fleet::id::CaseId;
use muster::{
    config::{Config, receivers::ReceiverEntry},
    senders::{
        Senders,
        http::HttpClient,
        target::{Resolver, SystemResolver},
        vault::Vault,
    },
};
use rustls::RootCertStore;

pub(crate) const CLUSTER: &str = "arn:aws:ecs:eu-central-1:210987654321:cluster/prod-a";

/// A page about hosts whose agent is away.
pub(crate) fn page(receiver: &str, kind: PageKind, hosts: u32) -> Page {
    let samples: Vec<PageHost> = (0..hosts.min(20)).map(host).collect();
    Page {
        id: PageId(7),
        receiver: receiver.to_owned(),
        kind,
        key: "muster/prod-a/agent-away/3-1700000000".to_owned(),
        severity: Severity::Critical,
        title: format!("prod-a: {hosts} hosts in trouble: {hosts} agent-lost"),
        lines: samples.iter().map(|host| format!("{} is agent-lost: {}", machine(host), host.says)).collect(),
        clusters: vec![CLUSTER.to_owned()],
        hosts,
        samples,
        trouble: "agent-away".to_owned(),
        cases: vec![CaseId(4)],
        since: "2026-10-02T08:15:31Z".parse().unwrap(),
        at: "2026-10-02T08:19:00Z".parse().unwrap(),
        repaired_after_secs: (kind == PageKind::Resolved).then_some(300),
        decision: None,
    }
}

pub(crate) fn machine(host: &PageHost) -> &str {
    host.machine.as_deref().unwrap()
}

fn host(number: u32) -> PageHost {
    PageHost {
        subject: format!("arn:aws:ecs:eu-central-1:210987654321:container-instance/prod-a/{number:032x}"),
        machine: Some(format!("i-{number:017x}")),
        cluster: CLUSTER.to_owned(),
        zone: Some("eu-central-1b".to_owned()),
        says: "its agent is away for 3 min".to_owned(),
    }
}

/// A page as large and as hostile as the core lets one become, and larger.
pub(crate) fn hostile(receiver: &str) -> Page {
    let mut page = page(receiver, PageKind::Firing, 5_000);
    let words = "<!channel> <https://evil.example|here> [here](https://evil.example) & *ü* 🙂 \u{202e}\r\nX: y ";
    page.title = words.repeat(20);
    page.lines = (0..300).map(|number| format!("{number} {}", words.repeat(10))).collect();
    for host in &mut page.samples {
        host.says = words.repeat(10);
    }
    page
}

/// The receivers of a configuration.
pub(crate) fn entries(toml: &str) -> Vec<ReceiverEntry> {
    Config::parse("muster.toml", toml).unwrap_or_else(|mistakes| panic!("{mistakes}")).receiver
}

/// A secret in a file: its reference.
pub(crate) fn secret(dir: &Path, name: &str, text: &str) -> String {
    std::fs::write(dir.join(name), text).unwrap();
    format!("file:{}", dir.join(name).display())
}

/// A webhook called `hook`, signed with what stands in the files `one` and `two`.
pub(crate) fn webhook(dir: &Path, url: &str) -> String {
    format!(
        "[[receiver]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"{}\"\nsecrets = [\"{}\", \"{}\"]\n\
         allow_http = true\nallow_private = true\nretry_secs = 30\n",
        secret(dir, "url", url),
        secret(dir, "one", "first-secret"),
        secret(dir, "two", "second-secret"),
    )
}

/// One receiver of another kind, by the same name, that is posted to.
pub(crate) fn posted(dir: &Path, kind: &str, url: &str, more: &str) -> String {
    let url = secret(dir, "url", url);
    format!(
        "[[receiver]]\nname = \"hook\"\nkind = \"{kind}\"\nurl = \"{url}\"\n{more}\n\
         allow_http = true\nallow_private = true\nretry_secs = 30\n"
    )
}

pub(crate) fn client(limit: Duration) -> HttpClient {
    HttpClient::trusting(RootCertStore::empty(), limit).unwrap()
}

/// The senders of a configuration. None of these tests talks to AWS: nothing listens there.
pub(crate) async fn senders(toml: &str, http: &HttpClient) -> Senders {
    let keys = aws::settings::Keys {
        access_key_id: "AKIAPRETEND".to_owned(),
        secret_access_key: "pretend".to_owned(),
        session_token: None,
    };
    let settings = aws::Settings {
        regions: vec!["eu-central-1".to_owned()],
        endpoint_url: Some("http://127.0.0.1:9".to_owned()),
        keys: Some(keys),
        ..aws::Settings::default()
    };
    let cloud = Arc::new(aws::connect(settings).await.unwrap());
    Senders::new(&entries(toml), http, Arc::new(Vault::new(None)), &cloud)
}

/// Sends a page and gives what became of it: nothing, or why it was given up.
pub(crate) async fn send(toml: &str, page: &Page) -> Option<String> {
    outcome(senders(toml, &client(Duration::from_secs(10))).await.send(page).await)
}

pub(crate) fn outcome(result: DeliveryResult<'static>) -> Option<String> {
    match result {
        DeliveryResult::Delivered => None,
        DeliveryResult::GivenUp { why } => Some(why.into_owned()),
    }
}

/// A resolver that answers by turns, and tells how often it was asked.
#[derive(Default)]
pub(crate) struct Turns {
    pub(crate) answers: Vec<&'static str>,
    pub(crate) asked: std::sync::atomic::AtomicUsize,
}

#[async_trait]
impl Resolver for Turns {
    async fn resolve(&self, host: &str, port: u16) -> Result<Vec<std::net::SocketAddr>, String> {
        let turn = self.asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let answer = self.answers[turn.min(self.answers.len() - 1)];
        assert_eq!(host, "hooks.example.com");
        SystemResolver.resolve(answer, port).await
    }
}
