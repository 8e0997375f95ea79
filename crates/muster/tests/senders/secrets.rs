//! No secret is told to anybody but the receiver that it is for.

use std::{
    io::Write,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use engine::ports::{Notifier as _, PageKind};
use futures::future::join_all;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
};
use tracing_subscriber::fmt::MakeWriter;

use crate::{
    samples::{client, entries, outcome, page, secret, senders},
    sink::{Answer, Heard, Sink},
};

/// Keeps everything that is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// A mail server that accepts no login and repeats what it was told.
async fn talkative_mail_server() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let noting = heard.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let noting = noting.clone();
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                stream.write_all(b"220 ready\r\n").await.unwrap();
                let mut line = String::new();
                while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
                    let said = line.trim().to_owned();
                    line.clear();
                    let answer = match said.split(' ').next() {
                        Some("EHLO") => "250-here\r\n250 AUTH PLAIN LOGIN\r\n".to_owned(),
                        Some("AUTH") => {
                            noting.lock().unwrap().push(said.clone());
                            format!("535 5.7.8 no: {said}\r\n")
                        }
                        Some("QUIT") => "221 bye\r\n".to_owned(),
                        _ => "502 what?\r\n".to_owned(),
                    };
                    // It may have hung up after its answer.
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
            });
        }
    });
    (port, heard)
}

/// One receiver of every kind that has a secret, all with canaries.
fn receivers(dir: &Path, url: &str, mail: u16) -> String {
    let hook = secret(dir, "url", url);
    let (key, one, two) = (
        secret(dir, "key", "canary-routing-key"),
        secret(dir, "one", "canary-signing-one"),
        secret(dir, "two", "canary-signing-two"),
    );
    let password = secret(dir, "password", "canary-password");
    let posted = format!("url = \"{hook}\"\nallow_http = true\nallow_private = true\nretry_secs = 30\n");
    format!(
        "[[receiver]]\nname = \"slack\"\nkind = \"slack\"\n{posted}\
         [[receiver]]\nname = \"attachment\"\nkind = \"slack\"\nform = \"attachment\"\n{posted}\
         [[receiver]]\nname = \"teams\"\nkind = \"teams\"\n{posted}\
         [[receiver]]\nname = \"pagerduty\"\nkind = \"pagerduty\"\nkey = \"{key}\"\n{posted}\
         [[receiver]]\nname = \"webhook\"\nkind = \"webhook\"\nsecrets = [\"{one}\", \"{two}\"]\n{posted}\
         [[receiver]]\nname = \"smtp\"\nkind = \"smtp\"\nhost = \"127.0.0.1\"\nport = {mail}\ntls = \"none\"\n\
         from = \"muster@example.com\"\nto = [\"oncall@example.com\"]\nuser = \"muster\"\npassword = \"{password}\"\n\
         retry_secs = 10\n"
    )
}

/// Everything that was heard, as a careless receiver repeats it.
fn repeated(heard: &Heard) -> String {
    format!("I was told {} {}", heard.head, String::from_utf8_lossy(&heard.body))
}

#[tokio::test]
async fn a_secret_is_found_on_the_wire_and_nowhere_else() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let names = ["slack", "attachment", "teams", "pagerduty", "webhook", "smtp"];
    let (mut told, mut wire) = (String::new(), String::new());
    for codes in [vec![200], vec![500, 400], vec![429, 404], vec![401, 403], vec![302]] {
        let dir = tempfile::tempdir().unwrap();
        let mut tries = std::collections::BTreeMap::<String, usize>::new();
        let (mail, logins) = talkative_mail_server().await;
        let for_sink = codes.clone();
        let sink = Sink::answering(move |_, heard| {
            // Each receiver is known by what it says: the tries of each are counted by themselves.
            let body = String::from_utf8_lossy(&heard.body);
            let who = format!("{}{}", heard.header("x-event-id").is_some(), body.get(..24).unwrap_or_default());
            let number = tries.entry(who).or_default();
            *number += 1;
            Answer::Status(for_sink[(*number - 1).min(for_sink.len() - 1)], "", repeated(heard))
        })
        .await;
        let config = receivers(dir.path(), &sink.url(), mail);
        let senders = senders(&config, &client(Duration::from_secs(5))).await;
        told.push_str(&format!("{senders:?} {:?}", entries(&config)));
        told.push_str(&serde_json::to_string(&entries(&config)).unwrap());
        let results = join_all(names.map(|name| {
            let senders = &senders;
            async move { outcome(senders.send(&page(name, PageKind::Firing, 1)).await) }
        }))
        .await;
        for (name, result) in names.iter().zip(&results) {
            assert_eq!(result.is_none(), codes == [200] && *name != "smtp", "{name}: {result:?}");
        }
        told.push_str(&format!("{results:?}"));
        wire.extend(sink.heard().iter().map(repeated));
        let logins = logins.lock().unwrap();
        assert_eq!(logins.len(), 2, "refused, read anew, refused again");
        for login in &*logins {
            let coded = login.rsplit(' ').next().unwrap();
            assert!(!told.contains(coded), "{told}");
            assert!(!String::from_utf8_lossy(&log.0.lock().unwrap()).contains(coded));
        }
    }
    for canary in ["canary-path", "canary-query", "canary-routing-key"] {
        assert!(wire.contains(canary), "{canary} did not reach its receiver");
    }
    assert!(!wire.contains("canary-signing") && !wire.contains("canary-password"), "what signs is never sent");
    assert!(told.contains("HTTP 404") && told.contains("[hidden]") && told.contains("535"), "{told}");
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("a page was taken") && log.contains("a page is tried again"), "{log}");
    assert!(!told.contains("canary"), "{told}");
    assert!(!log.contains("canary"), "{log}");
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_told_by_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let toml = "[[receiver]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"env:MUSTER_NOBODY_SETS_THIS\"\n";
    let senders = senders(toml, &client(Duration::from_secs(5))).await;
    let why = outcome(senders.send(&page("hook", PageKind::Firing, 1)).await).unwrap();
    assert!(why.contains("MUSTER_NOBODY_SETS_THIS"), "{why}");
    drop(dir);
}
