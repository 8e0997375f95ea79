//! What `muster serve` finds reaches people: a page for the trouble, and one when it is over.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod program;

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::mpsc,
    time::Duration,
};

use program::{Running, get, muster_at, post, pretend_account, run, until};

/// Takes every POST with 204, and hands over its text.
fn sink() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook/canary-path", listener.local_addr().unwrap());
    let (sender, heard) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut got, mut buffer) = (String::new(), [0; 65536]);
            loop {
                let read = stream.read(&mut buffer).unwrap();
                got.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
                let length = got.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
                let body = got.split_once("\r\n\r\n").map(|(_, body)| body.len());
                if read == 0 || (length.is_some() && body >= length) {
                    break;
                }
            }
            stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").unwrap();
            // A test that has ended listens no more.
            let _ = sender.send(got);
        }
    });
    (url, heard)
}

#[test]
fn a_lost_agent_is_paged_once_and_resolved_once_and_no_secret_is_told_by_anything() {
    let account = pretend_account("agent-stays-away");
    let dir = tempfile::tempdir().unwrap();
    let (url, heard) = sink();
    let (hook, key) = (dir.path().join("hook"), dir.path().join("key"));
    std::fs::write(&hook, &url).unwrap();
    std::fs::write(&key, "canary-key").unwrap();
    let config = dir.path().join("muster.toml");
    let text = format!(
        "[clusters]\nall = true\n[sweep]\nevery_secs = 10\n\
         [policy]\nmode = \"act\"\ngrace_secs = 1\nact_after_secs = 2\nfail_after = 1\n[protect]\nlaunch_secs = 0\n\
         [notices]\nwait_secs = 0\ninterval_secs = 1\nroutes = [{{ receivers = [\"team\"] }}]\n\
         [[receiver]]\nname = \"team\"\nkind = \"webhook\"\nurl = \"file:{}\"\nsecrets = [\"file:{}\"]\n\
         allow_http = true\nallow_private = true\n",
        hook.display(),
        key.display()
    );
    std::fs::write(&config, text).unwrap();
    let data = dir.path().join("data").display().to_string();
    let queue = format!("{}/210987654321/muster-events", account.url);
    let config = config.display().to_string();
    let args = ["serve", "--listen", "127.0.0.1:0", "--config", &config, "--data-dir", &data, "--queue-url", &queue];
    let muster = Running::start(muster_at(&account.url, &args));
    until("the first sweep", || {
        let roll = get(&format!("{}/v1/hosts", muster.url)).json();
        roll["clusters"][0]["hosts"].as_array().filter(|hosts| hosts.len() == 12).map(|_| ())
    });
    assert_eq!(post(&format!("{}/_muster/do", account.url), "do = \"agent-stop\"\nhost = \"prod-a/2\"\n").status, 200);
    assert_eq!(post(&format!("{}/_muster/advance?secs=150", account.url), "").status, 200);

    let mut pages: Vec<serde_json::Value> = Vec::new();
    until("the page and its end", || {
        assert_eq!(post(&format!("{}/_muster/advance?secs=1", account.url), "").status, 200);
        while let Ok(request) = heard.recv_timeout(Duration::from_millis(1)) {
            let (head, body) = request.split_once("\r\n\r\n").unwrap();
            assert!(head.contains("x-signature: v1=") && head.contains("x-event-id: "), "{head}");
            pages.push(serde_json::from_str(body).unwrap());
        }
        pages.iter().any(|page| page["kind"] == "resolved").then_some(())
    });
    let of = |kind: &str| pages.iter().filter(|page| page["kind"] == kind).collect::<Vec<_>>();
    assert_eq!((of("firing").len(), of("resolved").len()), (1, 1), "{pages:#?}");
    assert_eq!(of("firing")[0]["trouble"], "agent-away");
    assert_eq!(of("firing")[0]["key"], of("resolved")[0]["key"]);
    assert!(of("resolved")[0]["repaired_after_secs"].is_number(), "{pages:#?}");

    let figures = until("the figures", || {
        let figures = get(&format!("{}/metrics", muster.url)).body;
        figures.contains("muster_pages_total{receiver=\"team\",result=\"delivered\"}").then_some(figures)
    });
    muster.signal("TERM");
    assert_eq!(muster.wait(), Some(0));
    let journal = run(&["journal", "--output", "json", "--data-dir", &data]).exits(0).out;
    assert!(journal.contains("\"paged\"") && !journal.contains("canary") && !figures.contains("canary"), "{journal}");
    run(&["journal", "verify", "--replay", "--data-dir", &data]).exits(0);
}
