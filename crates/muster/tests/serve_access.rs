//! Who may ask a running muster for what: roles, tokens, TLS, and pages in somebody's browser.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod program;

use std::path::Path;

use program::{Answered, Running, get, muster, muster_at, pretend_account, request, run};

const ACT: &str = "act-token-act-token-act-token";
const SILENCE: &str = "silence-token-silence-token";
const VIEW: &str = "view-token-view-token-view";

const JSON: (&str, &str) = ("content-type", "application/json");

fn tokens(dir: &Path) -> String {
    let mut text = "[operators]\n".to_owned();
    for (name, token) in [("act", ACT), ("silence", SILENCE), ("view", VIEW)] {
        let file = dir.join(name);
        std::fs::write(&file, format!("{token}\n")).unwrap();
        let place = file.display();
        text +=
            &format!("[[operators.tokens]]\nname = \"{name}-holder\"\nrole = \"{name}\"\nsecret = \"file:{place}\"\n");
    }
    text
}

fn serve(account: &Running, dir: &Path, more: &str, listen: &str) -> Running {
    let config = dir.join("muster.toml");
    std::fs::write(&config, format!("[clusters]\nall = true\n{more}")).unwrap();
    let (config, data) = (config.display().to_string(), dir.join("data").display().to_string());
    Running::start(muster_at(&account.url, &["serve", "--listen", listen, "--config", &config, "--data-dir", &data]))
}

fn asked(url: &str, token: &str, method: &str, path: &str, body: &str) -> Answered {
    let bearer = format!("Bearer {token}");
    request(method, &format!("{url}{path}"), &[("authorization", &bearer), JSON], body)
}

fn journal(dir: &Path) -> String {
    run(&["journal", "--conclusions", "--data-dir", dir.join("data").to_str().unwrap()]).exits(0).out
}

#[test]
fn without_tokens_whoever_is_on_this_machine_may_act_and_is_on_record_by_name() {
    let account = pretend_account("agent-stays-away");
    let dir = tempfile::tempdir().unwrap();
    let server = serve(&account, dir.path(), "", "127.0.0.1:0");
    let output = muster(&["pause", "--why", "migration", "--for", "2h", "--server", &server.url])
        .env("USER", "ada")
        .output()
        .unwrap();
    let paused: program::Ran = output.into();
    assert!(paused.exits(0).out.contains("no remedy begins"));
    let record = journal(dir.path());
    assert!(record.contains("ada asked to pause everything") && record.contains("(migration)"), "{record}");
    assert!(run(&["resume", "--server", &server.url]).exits(0).out.contains("may begin again"));
    let again = run(&["resume", "--server", &server.url]).exits(2);
    assert!(again.err.contains("refused: it was not paused"), "{}", again.err);
}

#[test]
fn every_request_of_an_operator_is_answered_and_on_record() {
    let account = pretend_account("agent-stays-away");
    let dir = tempfile::tempdir().unwrap();
    let server = serve(&account, dir.path(), "", "127.0.0.1:0");
    let ask = |args: &[&str]| run(&[args, &["--server", &server.url]].concat());
    assert!(ask(&["protect", "i-0a1b2c3d4e5f60718", "--for", "4h"]).exits(0).out.contains("is not touched"));
    assert!(ask(&["unprotect", "i-0a1b2c3d4e5f60718"]).exits(0).out.contains("protected by nobody any more"));
    assert!(ask(&["unprotect", "i-0a1b2c3d4e5f60718"]).exits(2).err.contains("refused"));
    for verb in ["approve", "veto", "hold", "retry"] {
        let ran = ask(&["case", verb, "99"]).exits(2);
        assert!(ran.err.contains("refused: there is no open case 99"), "{verb}: {}", ran.err);
    }
    assert!(ask(&["silence", "list"]).exits(0).out.contains("no silences"));
    ask(&["silence", "add", "--cluster", "dev-*", "--trouble", "flapping", "--for", "8h", "--why", "load test"])
        .exits(0);
    let listed = ask(&["silence", "list"]).exits(0).out;
    assert!(listed.contains("dev-*") && listed.contains("flapping") && listed.contains("load test"), "{listed}");
    let number = ask(&["silence", "list", "--output", "json"]).exits(0).json()[0]["silence"].to_string();
    ask(&["silence", "end", &number]).exits(0);
    assert!(ask(&["silence", "list"]).exits(0).out.contains("no silences"));
    assert!(ask(&["alerts"]).exits(0).out.contains("no alerts"));
    let record = journal(dir.path());
    for what in ["protect i-0a1b2c3d4e5f60718", "unprotect", "approve case 99", "end silence"] {
        assert!(record.contains(what), "{what} is not on record: {record}");
    }
}

#[test]
fn each_role_may_do_what_it_is_for_and_no_more() {
    let account = pretend_account("agent-stays-away");
    let dir = tempfile::tempdir().unwrap();
    let server = serve(&account, dir.path(), &tokens(dir.path()), "127.0.0.1:0");
    let url = &server.url;
    let status = |token, method, path, body| asked(url, token, method, path, body).status;
    let silence = "{\"clusters\": [\"dev\"], \"secs\": 600}";
    for (token, looks, silences, acts) in [(VIEW, 200, 403, 403), (SILENCE, 200, 200, 403), (ACT, 200, 200, 200)] {
        for path in ["/v1/hosts", "/v1/cases", "/v1/journal", "/v1/set-aside", "/v1/alerts", "/v1/silences", "/metrics"]
        {
            assert_eq!(status(token, "GET", path, ""), looks, "{path}");
        }
        assert_eq!(status(token, "POST", "/v1/silences", silence), silences);
        assert_eq!(status(token, "POST", "/v1/pause", "{}"), acts);
        assert_eq!(status(token, "POST", "/v1/resume", "{}"), acts);
        assert_eq!(status(token, "POST", "/v1/protections", "{\"subject\": \"i-0a\"}"), acts);
        assert_eq!(status(token, "DELETE", "/v1/protections?subject=i-0a", ""), acts);
        let of_case = status(token, "POST", "/v1/cases/99/veto", "{}");
        assert_eq!(of_case, if acts == 200 { 409 } else { 403 });
    }
    assert!(journal(dir.path()).contains("act-holder asked to pause everything"), "the token says who asks");
    let named = asked(url, ACT, "POST", "/v1/pause", "{\"who\": \"somebody else\"}");
    assert_eq!(named.status, 400, "{}", named.body);
}

#[test]
fn without_a_token_that_is_known_nothing_is_told() {
    let account = pretend_account("agent-stays-away");
    let dir = tempfile::tempdir().unwrap();
    let server = serve(&account, dir.path(), &tokens(dir.path()), "127.0.0.1:0");
    let url = &server.url;
    for path in ["/v1/hosts", "/v1/cases", "/v1/journal", "/metrics"] {
        assert_eq!(get(&format!("{url}{path}")).status, 401, "{path}");
    }
    assert_eq!(asked(url, "wrong-wrong-wrong-wrong", "GET", "/v1/hosts", "").status, 401);
    assert_eq!(request("POST", &format!("{url}/v1/pause"), &[JSON], "{}").status, 401);
    let health = get(&format!("{url}/healthz"));
    assert!(matches!(health.status, 200 | 503) && !health.body.contains("prod-a"), "{}", health.body);
    let ran = run(&["hosts", "--server", url]).exits(2);
    assert!(ran.err.contains("MUSTER_TOKEN"), "{}", ran.err);
    let told: program::Ran = muster(&["hosts", "--server", url]).env("MUSTER_TOKEN", VIEW).output().unwrap().into();
    told.exits(0);
    run(&["hosts", "--server", url, "--token-file", dir.path().join("view").to_str().unwrap()]).exits(0);
}

#[test]
fn whoever_guesses_tokens_is_stopped() {
    let account = pretend_account("agent-stays-away");
    let dir = tempfile::tempdir().unwrap();
    let server = serve(&account, dir.path(), &tokens(dir.path()), "127.0.0.1:0");
    let statuses: Vec<u16> = (0..12)
        .map(|number| asked(&server.url, &format!("guess-guess-{number}"), "GET", "/v1/hosts", "").status)
        .collect();
    assert_eq!(statuses[..10], [401; 10]);
    assert_eq!(statuses[10..], [429, 429]);
    assert_eq!(asked(&server.url, ACT, "GET", "/v1/hosts", "").status, 429, "not even a good one, for a minute");
}

#[test]
fn a_page_in_somebodys_browser_can_ask_for_nothing() {
    let account = pretend_account("agent-stays-away");
    let dir = tempfile::tempdir().unwrap();
    let server = serve(&account, dir.path(), "", "127.0.0.1:0");
    let url = format!("{}/v1/pause", server.url);
    let ask = |headers: &[(&str, &str)]| request("POST", &url, headers, "{}").status;
    assert_eq!(ask(&[JSON, ("origin", "https://evil.example")]), 403);
    assert_eq!(ask(&[JSON, ("origin", "null")]), 403);
    assert_eq!(ask(&[JSON, ("sec-fetch-site", "cross-site")]), 403);
    for form in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        assert_eq!(ask(&[("content-type", form)]), 415, "{form}");
    }
    assert_eq!(ask(&[]), 415);
    assert_eq!(ask(&[JSON, ("host", "evil.example")]), 421);
    assert_eq!(ask(&[JSON, ("x-forwarded-for", "203.0.113.9")]), 403, "a proxy passes on what comes from anywhere");
    let delete = format!("{}/v1/protections?subject=i-0a", server.url);
    assert_eq!(request("DELETE", &delete, &[("origin", "https://evil.example")], "").status, 403);
    assert!(!journal(dir.path()).contains("asked to"), "nothing of it has reached the loop");
    assert_eq!(ask(&[JSON, ("origin", &server.url)]), 200, "a page of muster itself may");
}

#[test]
fn requests_that_make_no_sense_are_refused_in_a_sentence() {
    let account = pretend_account("agent-stays-away");
    let dir = tempfile::tempdir().unwrap();
    let server = serve(&account, dir.path(), "", "127.0.0.1:0");
    let huge = format!("{{\"why\": \"{}\"}}", "x".repeat(100_000));
    let long = format!("{{\"why\": \"{}\"}}", "x".repeat(501));
    for (path, body, status, says) in [
        ("/v1/pause", "{", 400, "makes no sense"),
        ("/v1/pause", "[]", 400, "makes no sense"),
        ("/v1/pause", "{\"clutser\": \"a\"}", 400, "clutser"),
        ("/v1/pause", "{\"cluster\": \"\"}", 400, "leave it out"),
        ("/v1/pause", "{\"cluster\": \"nobody\"}", 409, "no cluster called nobody"),
        ("/v1/pause", "{\"secs\": 0}", 400, "between 1"),
        ("/v1/pause", "{\"secs\": 99999999}", 400, "a year"),
        ("/v1/resume", "{\"secs\": 1}", 400, "belongs to a pause"),
        ("/v1/pause", long.as_str(), 400, "500 characters"),
        ("/v1/pause", huge.as_str(), 413, ""),
        ("/v1/cases/x/veto", "{}", 400, "no number of a case"),
        ("/v1/cases/1/delete", "{}", 404, "approve, veto, hold or retry"),
        ("/v1/cases/1/veto", "{\"secs\": 5}", 400, "belongs to hold"),
        ("/v1/protections", "{}", 400, "subject"),
        ("/v1/protections", "{\"subject\": \"a b\"}", 400, "subject"),
        ("/v1/silences", "{\"secs\": 5}", 400, "60 seconds"),
        ("/v1/silences", "{\"secs\": 60, \"clusters\": [\"a.b\"]}", 400, "fits no cluster"),
        ("/v1/silences", "{\"secs\": 60, \"troubles\": [\"agent\"]}", 400, "agent-away"),
    ] {
        let answered = request("POST", &format!("{}{path}", server.url), &[JSON], body);
        assert_eq!(answered.status, status, "{path} {body:.60} {}", answered.body);
        assert!(answered.body.contains(says), "{path} {body:.60} {}", answered.body);
    }
    let hostile = "{\"why\": \"\\u001b[2Jgone\", \"who\": \"eve\\nroot\"}";
    assert_eq!(request("POST", &format!("{}/v1/pause", server.url), &[JSON], hostile).status, 200);
    let record = journal(dir.path());
    assert!(!record.contains("\u{1b}[2J") && record.contains("gone"), "{record}");
}

#[test]
fn over_tls_a_token_is_all_it_needs_and_no_secret_is_told_by_anything() {
    let account = pretend_account("agent-stays-away");
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let http = format!("[http]\ncert_file = \"{}\"\nkey_file = \"{}\"\n", cert.display(), key.display());
    let config = format!("{http}{}", tokens(dir.path()));
    // Not a loopback address: everybody who can reach this machine can knock.
    let server = serve(&account, dir.path(), &config, "0.0.0.0:0");
    let port = server.url.strip_prefix("https://0.0.0.0:").unwrap();
    let url = format!("https://127.0.0.1:{port}");
    let ask = |args: &[&str], token: &str| -> program::Ran {
        let args = [args, &["--server", &url, "--ca-file", cert.to_str().unwrap()]].concat();
        muster(&args).env("MUSTER_TOKEN", token).output().unwrap().into()
    };
    ask(&["hosts"], VIEW).exits(0);
    assert!(ask(&["pause"], VIEW).exits(2).err.contains("the role of `view-holder` is view"));
    ask(&["pause", "--why", "migration"], ACT).exits(0);
    assert!(journal(dir.path()).contains("act-holder asked to pause everything"));
    let unbelieved: program::Ran =
        muster(&["hosts", "--server", &url]).env("MUSTER_TOKEN", VIEW).output().unwrap().into();
    assert!(unbelieved.exits(2).err.contains("could not reach"), "a certificate that nobody vouches for");
    assert!(program::try_request("GET", &format!("http://127.0.0.1:{port}/healthz"), &[], "").is_err(), "TLS only");
    let everything = run(&["journal", "--output", "json", "--data-dir", dir.path().join("data").to_str().unwrap()]).out;
    for token in [ACT, SILENCE, VIEW] {
        assert!(!everything.contains(token), "a token is in the journal");
    }
}

#[test]
fn a_certificate_or_a_token_that_cannot_be_used_stops_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let start = |text: &str| {
        let config = dir.path().join("muster.toml");
        std::fs::write(&config, text).unwrap();
        let data = dir.path().join("data").display().to_string();
        run(&["serve", "--listen", "127.0.0.1:0", "--config", config.to_str().unwrap(), "--data-dir", &data]).exits(2)
    };
    let ran = start("[http]\ncert_file = \"/nowhere/cert.pem\"\nkey_file = \"/nowhere/key.pem\"\n");
    assert!(ran.err.contains("/nowhere/cert.pem"), "{}", ran.err);
    let token = "[operators]\ntokens = [{ name = \"a\", role = \"act\", secret = \"env:MUSTER_NOBODY_SETS_THIS\" }]\n";
    let ran = start(token);
    assert!(ran.err.contains("`a` in [operators]") && ran.err.contains("MUSTER_NOBODY_SETS_THIS"), "{}", ran.err);
    let short = dir.path().join("short");
    std::fs::write(&short, "hunter2").unwrap();
    let ran = start(&format!(
        "[operators]\ntokens = [{{ name = \"a\", role = \"act\", secret = \"file:{}\" }}]\n",
        short.display()
    ));
    assert!(ran.err.contains("easily guessed") && !ran.err.contains("hunter2"), "{}", ran.err);
}
