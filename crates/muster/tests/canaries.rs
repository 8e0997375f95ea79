//! Secrets are canaries: whoever needs one is told it, and nothing else that muster writes, serves or keeps has a trace of it,
//! whatever receivers and servers repeat.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod program;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use program::{Answered, Ran, Running, get, muster, muster_at, post, pretend_account, request, run, until};

/// Part of every secret here.
const CANARY: &str = "c4nary";
const ACT_TOKEN: &str = "c4nary-token-c4nary-token";
const PASSWORD: &str = "c4nary-password";
/// `\0muster\0c4nary-password` as a mail server is told it, and the password alone.
const CODED: [&str; 2] = ["AG11c3RlcgBjNG5hcnktcGFzc3dvcmQ=", "YzRuYXJ5LXBhc3N3b3Jk"];

type Heard = Arc<Mutex<String>>;

/// Repeats everything that it is told, as an error or as a success, and keeps it.
fn repeating(status: &'static str) -> (String, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heard = Heard::default();
    let noting = heard.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut got, mut buffer) = (Vec::new(), [0; 65536]);
            loop {
                let read = stream.read(&mut buffer).unwrap_or(0);
                got.extend_from_slice(&buffer[..read]);
                let text = String::from_utf8_lossy(&got);
                let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
                let body = text.split_once("\r\n\r\n").map(|(_, body)| body.len());
                if read == 0 || (length.is_some() && body >= length) {
                    break;
                }
            }
            let body = format!("I was told {}", String::from_utf8_lossy(&got));
            noting.lock().unwrap().push_str(&body);
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            // Who has heard enough may have hung up.
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    (url, heard)
}

/// A mail server that accepts no login and repeats what it was told.
fn mail_server() -> (u16, Heard) {
    fn talk(stream: TcpStream, heard: &Heard) -> std::io::Result<()> {
        let (mut lines, mut stream) = (BufReader::new(stream.try_clone()?), stream);
        stream.write_all(b"220 ready\r\n")?;
        let mut line = String::new();
        while lines.read_line(&mut line)? > 0 {
            let said = std::mem::take(&mut line);
            let said = said.trim();
            heard.lock().unwrap().push_str(said);
            let answer = match said.split(' ').next() {
                Some("EHLO") => "250-here\r\n250 AUTH PLAIN LOGIN\r\n".to_owned(),
                Some("QUIT") => "221 bye\r\n".to_owned(),
                _ => format!("535 5.7.8 no: {said} {PASSWORD}\r\n"),
            };
            stream.write_all(answer.as_bytes())?;
        }
        Ok(())
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Heard::default();
    let noting = heard.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that hangs up in the middle ends its own talk only.
            let _ = talk(stream.unwrap(), &noting);
        }
    });
    (port, heard)
}

fn file(dir: &Path, name: &str, text: &str) -> String {
    std::fs::write(dir.join(name), text).unwrap();
    format!("file:{}", dir.join(name).display())
}

/// One receiver of every kind, an action that is a webhook, and a token, all with canaries.
fn config(dir: &Path, refuses: &str, takes: &str, mail: u16) -> PathBuf {
    let posted = "allow_http = true\nallow_private = true\nretry_secs = 10\n";
    let hook = |name: &str| file(dir, name, &format!("{refuses}/c4nary-path-{name}/x?sig=c4nary-query-{name}"));
    let receivers = [
        format!("kind = \"slack\"\nurl = \"env:SLACK_URL\"\n{posted}"),
        format!("kind = \"slack\"\nform = \"attachment\"\nurl = \"{}\"\n{posted}", hook("attachment")),
        format!("kind = \"teams\"\nurl = \"{}\"\n{posted}", hook("teams")),
        format!("kind = \"pagerduty\"\nkey = \"env:PAGERDUTY_KEY\"\nurl = \"{}\"\n{posted}", hook("pagerduty")),
        format!(
            "kind = \"webhook\"\nurl = \"{}\"\nsecrets = [\"{}\", \"env:HOOK_SECRET\"]\n{posted}",
            hook("webhook"),
            file(dir, "signing", "c4nary-signing")
        ),
        format!(
            "kind = \"smtp\"\nhost = \"127.0.0.1\"\nport = {mail}\ntls = \"none\"\nfrom = \"muster@example.com\"\n\
             to = [\"oncall@example.com\"]\nuser = \"muster\"\npassword = \"{}\"\nretry_secs = 10\n",
            file(dir, "password", PASSWORD)
        ),
        "kind = \"sns\"\ntopic = \"arn:aws:sns:eu-central-1:210987654321:muster-pages\"\nretry_secs = 10\n".to_owned(),
        "kind = \"ses\"\nfrom = \"muster@example.com\"\nto = [\"a@example.com\"]\nretry_secs = 10\n".to_owned(),
        format!("kind = \"webhook\"\nurl = \"ssm:/muster/nothing\"\n{posted}"),
    ];
    let names: Vec<String> = (0..receivers.len()).map(|number| format!("\"r{number}\"")).collect();
    let receivers: String = receivers
        .iter()
        .enumerate()
        .map(|(number, receiver)| format!("[[receiver]]\nname = \"r{number}\"\n{receiver}"))
        .collect();
    let text = format!(
        "[clusters]\nall = true\n[sweep]\nevery_secs = 10\n[journal]\nsnapshot_every = 5\n[log]\nformat = \"json\"\n\
         [policy]\nmode = \"act\"\ngrace_secs = 1\nact_after_secs = 2\nfail_after = 1\n[protect]\nlaunch_secs = 0\n\
         [[ladder]]\nrungs = [{{ remedy = \"custom\", custom = \"fix\", deadline_secs = 60 }}]\n\
         [[custom]]\nname = \"fix\"\nwebhook = \"{}\"\nsecrets = [\"env:HOOK_SECRET\"]\nallow_http = true\n\
         allow_private = true\n\
         [operators]\ntokens = [{{ name = \"on-call\", role = \"act\", secret = \"{}\" }}]\n\
         [notices]\nwait_secs = 0\ninterval_secs = 1\nroutes = [{{ receivers = [{}] }}]\n{receivers}",
        file(dir, "fix", &format!("{takes}/c4nary-path-fix/x?sig=c4nary-query-fix")),
        file(dir, "token", ACT_TOKEN),
        names.join(", "),
    );
    std::fs::write(dir.join("muster.toml"), text).unwrap();
    dir.join("muster.toml")
}

fn with_secrets(mut command: Command, refuses: &str) -> Command {
    command
        .env("AWS_SECRET_ACCESS_KEY", "c4nary-aws-secret-key")
        .env("AWS_SESSION_TOKEN", "c4nary-aws-session-token")
        .env("SLACK_URL", format!("{refuses}/c4nary-path-slack/x?sig=c4nary-query-slack"))
        .env("PAGERDUTY_KEY", "c4nary-routing-key")
        .env("HOOK_SECRET", "c4nary-hook-secret")
        .env("MUSTER_TOKEN", ACT_TOKEN);
    command
}

fn asked(url: &str, method: &str, path: &str, token: &str) -> Answered {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    request(method, &format!("{url}{path}"), &headers, if method == "POST" { "{}" } else { "" })
}

/// All files of a folder, as text.
fn contents(dir: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.push((
                path.display().to_string(),
                String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned(),
            ));
        }
    }
    found
}

#[track_caller]
fn assert_no_canary(place: &str, text: &str) {
    for secret in CODED.iter().chain([&CANARY]) {
        if let Some(at) = text.find(secret) {
            let from = text[..at].char_indices().rev().nth(200).map_or(0, |(at, _)| at);
            panic!("{place} has a secret: …{}…", text[from..].chars().take(400).collect::<String>());
        }
    }
}

#[test]
fn no_output_of_any_kind_has_a_secret_in_it_whatever_is_repeated() {
    let account = pretend_account("agent-stays-away");
    let dir = tempfile::tempdir().unwrap();
    let (refuses, refused) = repeating("400 Bad Request");
    let (takes, taken) = repeating("200 OK");
    let (mail, logins) = mail_server();
    let config = config(dir.path(), &refuses, &takes, mail);
    let data = dir.path().join("data");
    let stderr = dir.path().join("stderr");
    let queue = format!("{}/210987654321/muster-events", account.url);
    let (config_arg, data_arg) = (config.to_str().unwrap(), data.to_str().unwrap());
    let args = ["-vvv", "serve", "--listen", "127.0.0.1:0", "--config", config_arg, "--data-dir", data_arg];
    let mut command = with_secrets(muster_at(&account.url, &[&args[..], &["--queue-url", &queue]].concat()), &refuses);
    command.stderr(std::fs::File::create(&stderr).unwrap());
    let server = Running::start(command);
    let url = server.url.clone();
    until("the first sweep", || {
        let roll = asked(&url, "GET", "/v1/hosts", ACT_TOKEN).json();
        roll["clusters"][0]["hosts"].as_array().filter(|hosts| hosts.len() == 12).map(|_| ())
    });
    assert_eq!(post(&format!("{}/_muster/do", account.url), "do = \"agent-stop\"\nhost = \"prod-a/2\"\n").status, 200);
    assert_eq!(post(&format!("{}/_muster/advance?secs=150", account.url), "").status, 200);
    let case = until("the case", || asked(&url, "GET", "/v1/cases", ACT_TOKEN).json()["cases"][0]["case"].as_u64());
    // Nobody takes the page, and the action is done.
    until("all pages to be given up and the action to be done", || {
        assert_eq!(post(&format!("{}/_muster/advance?secs=1", account.url), "").status, 200);
        let figures = asked(&url, "GET", "/metrics", ACT_TOKEN).body;
        let given_up =
            figures.lines().filter(|line| line.starts_with("muster_pages_total") && line.contains("given-up"));
        let acted = figures.contains("muster_acts_total{act=\"custom\",result=\"done\"}");
        (given_up.count() == 9 && acted).then_some(())
    });

    let mut told: Vec<(String, String)> = Vec::new();
    let paths = [
        "/healthz",
        "/metrics",
        "/v1/hosts",
        "/v1/cases?closed=true",
        "/v1/journal",
        "/v1/set-aside",
        "/v1/alerts",
        "/v1/silences",
        "/v1/protections",
        "/v1/pause",
        "/nowhere",
    ];
    for path in paths {
        told.push((path.to_owned(), asked(&url, "GET", path, ACT_TOKEN).body));
        told.push((format!("{path}, refused"), asked(&url, "GET", path, "c4nary-guess-c4nary-guess").body));
    }
    told.push(("pause".to_owned(), asked(&url, "POST", "/v1/pause", ACT_TOKEN).body));
    told.push(("no header".to_owned(), get(&format!("{url}/v1/hosts?token={CANARY}")).body));
    let case = case.to_string();
    let mut say = |args: &[&str], from: &[&str]| {
        let ran: Ran = with_secrets(muster(&[args, from].concat()), &refuses).output().unwrap().into();
        told.push((format!("{args:?}"), format!("{}{}", ran.out, ran.err)));
    };
    let from_server = ["--server", url.as_str()];
    for args in [vec!["hosts"], vec!["case", "list"], vec!["case", "show", &case], vec!["alerts"], vec!["resume"]] {
        say(&args, &from_server);
    }
    let from_folder = ["--data-dir", data_arg];
    for args in [
        vec!["journal", "--output", "json"],
        vec!["journal", "--conclusions"],
        vec!["journal", "export"],
        vec!["case", "show", &case],
        vec!["hosts", "--output", "json"],
    ] {
        say(&args, &from_folder);
    }
    for args in [vec!["config", "check", "--config", config_arg], vec!["config", "example"], vec!["config", "schema"]] {
        say(&args, &[]);
    }
    let told_of = told.iter().find(|(place, _)| place.contains("export")).unwrap().1.clone();
    assert!(told_of.contains("[hidden]"), "what was repeated is on record without its secrets");
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
    let log = std::fs::read_to_string(&stderr).unwrap();
    assert!(log.contains("a page was given up") && log.contains("\"TRACE\""), "it was as talkative as can be");
    told.push(("standard error".to_owned(), log));
    let kept = contents(&data);
    assert!(kept.iter().map(|(_, text)| text.len()).sum::<usize>() > 10_000, "the journal and a snapshot");
    told.extend(kept);
    for (place, text) in &told {
        assert_no_canary(place, text);
    }
    // The canaries were alive: whoever needs them was told them.
    let heard = format!("{}{}", refused.lock().unwrap(), taken.lock().unwrap());
    for name in ["slack", "attachment", "teams", "pagerduty", "webhook", "fix"] {
        assert!(heard.contains(&format!("c4nary-path-{name}")), "{name} was told nothing");
    }
    assert!(heard.contains("c4nary-routing-key") && logins.lock().unwrap().contains(CODED[0]), "{heard}");
    for signing in ["c4nary-signing", "c4nary-hook-secret", "c4nary-aws"] {
        assert!(!heard.contains(signing), "what signs is never sent");
    }
}

#[test]
fn a_start_that_fails_does_not_tell_the_secret_that_made_it_fail() {
    let dir = tempfile::tempdir().unwrap();
    let secret = |text: &str| file(dir.path(), "secret", text);
    let receiver = |url: &str| format!("[[receiver]]\nname = \"a\"\nkind = \"slack\"\nurl = \"{url}\"\n");
    let token =
        |secret: &str| format!("[operators]\ntokens = [{{ name = \"a\", role = \"act\", secret = \"{secret}\" }}]\n");
    for (text, written) in [
        // Written where only references may stand.
        (receiver("https://hooks.example.com/c4nary"), ""),
        (token("c4nary-c4nary-c4nary"), ""),
        ("[[receiver]]\nname = \"a\"\nkind = \"pagerduty\"\nkey = \"c4nary\"\n".to_owned(), ""),
        ("[[receiver]]\nname = \"a\"\nurl = \"env:A\"\nsecrets = [\"c4nary\"]\n".to_owned(), ""),
        ("[[receiver]]\nname = \"a\"\nurl = \"env:A\"\npassword = \"c4nary\"\n".to_owned(), ""),
        ("[[custom]]\nname = \"a\"\nwebhook = \"https://fix.example.com/c4nary\"\n".to_owned(), ""),
        // Written where they belong, and not usable.
        (receiver(&secret("")), "http://hooks.example.com/c4nary"),
        (receiver(&secret("")), "https://169.254.169.254/c4nary"),
        (receiver(&secret("")), "https://c4nary:c4nary@hooks.example.com/"),
        (receiver(&secret("")), "c4nary c4nary"),
        (token(&secret("")), "c4nary"),
        (token(&secret("")), "c4nary c4nary c4nary c4nary"),
        ("[http]\ncert_file = \"SECRET\"\nkey_file = \"SECRET\"\n".to_owned(), "-----BEGIN PRIVATE KEY-----\nc4nary\n"),
    ] {
        secret(written);
        let config = dir.path().join("muster.toml");
        let text = text.replace("SECRET", dir.path().join("secret").to_str().unwrap());
        std::fs::write(&config, &text).unwrap();
        let (config, data) = (config.to_str().unwrap().to_owned(), dir.path().join("data").display().to_string());
        let args = ["-vvv", "serve", "--listen", "127.0.0.1:0", "--config", &config, "--data-dir", &data];
        // Nobody is there whose account could be watched: whatever gets that far fails there.
        let output = muster_at("http://127.0.0.1:1", &args).stdin(Stdio::null()).output().unwrap();
        let ran: Ran = output.into();
        let ran = ran.exits(2);
        assert_no_canary(&text, &format!("{}{}", ran.out, ran.err));
        let checked = run(&["config", "check", "--config", &config]);
        assert_no_canary(&text, &format!("{}{}", checked.out, checked.err));
    }
}

#[test]
fn a_token_that_no_header_can_carry_is_not_told_again() {
    for token in ["c4nary\nc4nary", "c4nary \u{1b}[2J", "c4naryä"] {
        let output = muster(&["hosts", "--server", "http://127.0.0.1:1"]).env("MUSTER_TOKEN", token).output().unwrap();
        let ran: Ran = output.into();
        let ran = ran.exits(2);
        assert_no_canary("standard error", &ran.err);
    }
}
