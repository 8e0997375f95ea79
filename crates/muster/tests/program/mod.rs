//! The program as a shell would run it.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdout, Command, Output, Stdio},
};

/// `muster` with arguments, without the environment of whoever runs the tests.
pub(crate) fn muster(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.args(args).stdin(Stdio::null());
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_") || name.starts_with("MUSTER_")) {
        command.env_remove(name);
    }
    // Nothing on this machine may lend its credentials to a test.
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", "/nonexistent").env("AWS_CONFIG_FILE", "/nonexistent");
    command.env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent");
    command
}

/// The same with what any AWS tool needs to talk to a pretend account.
pub(crate) fn muster_at(endpoint: &str, args: &[&str]) -> Command {
    let mut command = muster(args);
    command
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_ACCESS_KEY_ID", "AKIAPRETEND")
        .env("AWS_SECRET_ACCESS_KEY", "pretend")
        .env("AWS_REGION", "eu-central-1");
    command
}

/// Runs it to its end.
pub(crate) fn run(args: &[&str]) -> Ran {
    muster(args).output().unwrap().into()
}

/// Runs it to its end with this on standard input.
pub(crate) fn run_with_input(args: &[&str], input: &[u8]) -> Ran {
    let mut child = muster(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // A program that refuses its input early is what some tests are about.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output.into()
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// Insists on the exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code\nstdout: {}\nstderr: {}", self.out, self.err);
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

/// A running server; killed when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) url: String,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    /// Starts it and waits for its first line, `listening on URL`.
    #[track_caller]
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let url =
            line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("first line: {line:?}")).to_owned();
        Self { child, url, stdout }
    }

    /// Sends a signal by its name, `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Waits for the end; gives the exit code, `None` when a signal ended it.
    pub(crate) fn wait(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process that a test started.
pub(crate) fn signal(pid: u32, name: &str) {
    assert!(Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().unwrap().success());
}

/// The recorded events of a scenario.
pub(crate) fn recording(dir: &Path, scenario: &str, lasting: &str) -> String {
    let file = dir.join(format!("{scenario}.ndjson")).display().to_string();
    run(&["simulate", "--scenario", scenario, "--seed", "3", "--record", &file, "--for", lasting]).exits(0);
    file
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answered {
    /// The body as JSON, insisting on 200.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        assert_eq!(self.status, 200, "{}", self.body);
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// `GET url`.
pub(crate) fn get(url: &str) -> Answered {
    request("GET", url, &[], "")
}

/// `POST url` with a body.
pub(crate) fn post(url: &str, body: &str) -> Answered {
    request("POST", url, &[], body)
}

/// A request with further headers.
pub(crate) fn request(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Answered {
    try_request(method, url, headers, body).unwrap_or_else(|error| panic!("{method} {url}: {error}"))
}

/// The same for servers that may be gone.
pub(crate) fn try_request(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> std::io::Result<Answered> {
    use std::io::Read as _;
    let rest = url.strip_prefix("http://").unwrap();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = if path.is_empty() { "/" } else { path };
    let mut stream = std::net::TcpStream::connect(authority)?;
    stream.set_read_timeout(Some(std::time::Duration::from_secs(30)))?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| *name == "host") {
        head += &format!("host: {authority}\r\n");
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes())?;
    let mut answer = String::new();
    // The simulator hangs up at once; what was read by then is the answer.
    match stream.read_to_string(&mut answer) {
        Err(error) if answer.is_empty() => return Err(error),
        _ => {}
    }
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let status = head.get(9..12).and_then(|status| status.parse().ok()).ok_or(std::io::ErrorKind::InvalidData)?;
    Ok(Answered { status, body: body.to_owned() })
}

/// Asks again and again until the answer is there; gives up after a minute.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = std::time::Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(60), "waited a minute for {what}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// A pretend account in which time stands still until it is moved.
pub(crate) fn pretend_account(scenario: &str) -> Running {
    Running::start(muster(&[
        "simulate",
        "--listen",
        "127.0.0.1:0",
        "--scenario",
        scenario,
        "--seed",
        "3",
        "--speed",
        "0",
    ]))
}
