//! The script for Linux hosts, run by a shell beside pretend programs: what it restarts, and what its end says.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop at its line")]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Command, Stdio},
};

const SCRIPT: &str = include_str!("../src/act/scripts/linux.sh");

/// A folder of programs that note how they are called and answer as they are told to.
struct Host {
    folder: tempfile::TempDir,
}

impl Host {
    /// With these programs, each a line of shell.
    fn with(programs: &[(&str, &str)]) -> Self {
        let host = Self { folder: tempfile::tempdir().unwrap() };
        // What the script needs of a system, and a sleep that does not.
        for (name, body) in [("sleep", "exit 0"), ("timeout", "shift; exec \"$@\"")].iter().chain(programs) {
            let path = host.folder.path().join(name);
            let noted = format!("#!/bin/sh\necho \"{name} $*\" >> \"{}\"\n{body}\n", host.notes().display());
            fs::write(&path, noted).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        for name in ["sh", "tail", "head", "cat"] {
            let real = ["/bin", "/usr/bin"].iter().map(|folder| format!("{folder}/{name}"));
            let real = real.into_iter().find(|path| PathBuf::from(path).exists()).unwrap();
            std::os::unix::fs::symlink(real, host.folder.path().join(name)).unwrap();
        }
        host
    }

    fn notes(&self) -> PathBuf {
        self.folder.path().join("notes")
    }

    /// Runs an action; returns exit code, output, and the calls that changed something.
    fn run(&self, action: &str) -> (i32, String, Vec<String>) {
        // The machine that runs the test has programs of its own, which are none of the host's.
        let script = SCRIPT.replace("PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n", "");
        assert_ne!(script, SCRIPT);
        let done = Command::new("/bin/sh")
            .args(["-c", &format!("action={action}\n{script}")])
            .env_clear()
            .env("PATH", self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let notes = fs::read_to_string(self.notes()).unwrap_or_default();
        let changing = ["restart", "start ", "stop ", "shutdown"];
        let changes = notes.lines().filter(|line| changing.iter().any(|word| line.contains(word)));
        let changes = changes.map(str::to_owned).collect();
        let output = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
        (done.status.code().unwrap(), output, changes)
    }
}

/// systemd with these units, all active.
fn systemd(units: &str) -> (&'static str, String) {
    let known =
        format!("case \"$1 $2\" in \"cat \"*) case \"$2\" in {units}) exit 0;; *) exit 1;; esac;; esac; exit 0");
    ("systemctl", known)
}

#[test]
fn under_systemd_the_agents_unit_is_restarted_and_docker_is_left_alone() {
    for (units, unit) in [("ecs.service|docker.service", "ecs"), ("amazon-ecs.service|docker.service", "amazon-ecs")] {
        let (name, systemctl) = systemd(units);
        let (code, output, changes) = Host::with(&[(name, &systemctl), ("curl", "exit 0")]).run("restart-agent");
        assert_eq!((code, changes), (0, vec![format!("systemctl restart {unit}")]), "{output}");
        assert!(output.contains("the agent answers"), "{output}");
    }
}

#[test]
fn a_runtime_that_does_not_run_is_started_before_the_agent() {
    let systemctl = "case \"$1\" in cat) exit 0;; is-active) exit 3;; esac; exit 0";
    let (code, _, changes) = Host::with(&[("systemctl", systemctl), ("curl", "exit 0")]).run("restart-agent");
    assert_eq!((code, changes), (0, vec!["systemctl start docker".to_owned(), "systemctl restart ecs".to_owned()]));
}

#[test]
fn under_upstart_the_job_is_stopped_and_started() {
    let host = Host::with(&[("initctl", "exit 0"), ("curl", "exit 0")]);
    let (code, output, changes) = host.run("restart-agent");
    assert_eq!((code, changes), (0, vec!["initctl stop ecs".to_owned(), "initctl start ecs".to_owned()]), "{output}");
}

#[test]
fn an_agent_that_was_started_by_hand_is_restarted_by_docker() {
    let (code, output, changes) = Host::with(&[("docker", "exit 0"), ("curl", "exit 0")]).run("restart-agent");
    assert_eq!(code, 0, "{output}");
    assert!(changes.contains(&"docker restart ecs-agent".to_owned()), "{changes:?}");
}

#[test]
fn an_agent_that_does_not_answer_after_its_restart_is_told_with_its_last_words() {
    let (name, systemctl) = systemd("ecs.service");
    let journal = "echo 'cannot reach the control plane'";
    let host = Host::with(&[(name, &systemctl), ("curl", "exit 7"), ("journalctl", journal)]);
    let (code, output, _) = host.run("restart-agent");
    assert_eq!(code, 1, "{output}");
    assert!(output.contains("cannot reach the control plane"), "{output}");
    assert!(output.trim_end().ends_with("does not answer on the host after its restart"), "{output}");
}

#[test]
fn a_restart_that_fails_and_a_host_without_an_agent_are_told_apart() {
    let fails = "case \"$1\" in restart) exit 1;; esac; exit 0";
    let (code, output, _) = Host::with(&[("systemctl", fails), ("curl", "exit 0")]).run("restart-agent");
    assert_eq!(code, 2, "{output}");
    let (code, output, changes) = Host::with(&[("curl", "exit 0")]).run("restart-agent");
    assert_eq!((code, changes), (3, Vec::new()), "{output}");
    assert_eq!(Host::with(&[]).run("restart-runtime").0, 3);
}

#[test]
fn a_runtime_that_still_hangs_after_its_restart_is_unhealed() {
    let (name, systemctl) = systemd("docker.service|ecs.service");
    let host = Host::with(&[(name, &systemctl), ("docker", "exit 1"), ("curl", "exit 0")]);
    let (code, output, changes) = host.run("restart-runtime");
    assert_eq!((code, changes), (1, vec!["systemctl restart docker".to_owned()]), "{output}");
    assert!(output.contains("does not answer"), "{output}");
    let host = Host::with(&[(name, &systemctl), ("docker", "exit 0"), ("curl", "exit 0")]);
    assert_eq!(host.run("restart-runtime").0, 0);
}

#[test]
fn a_reboot_leaves_time_to_tell_of_it() {
    let (code, output, changes) = Host::with(&[("shutdown", "exit 0")]).run("reboot");
    assert_eq!(code, 0, "{output}");
    assert!(changes[0].starts_with("shutdown -r +1"), "{changes:?}");
}

#[test]
fn evidence_comes_in_parts_and_restarts_nothing() {
    let (name, systemctl) = systemd("ecs.service");
    let docker = "echo 'CONTAINER ID'";
    let host = Host::with(&[(name, &systemctl), ("journalctl", "echo started"), ("docker", docker)]);
    let (_, output, changes) = host.run("save-evidence");
    assert!(changes.is_empty(), "{changes:?}");
    for part in ["agent log", "init log", "journal of the agent", "docker state"] {
        assert!(output.contains(&format!("=== muster: {part} ===")), "{output}");
    }
    assert!(output.contains("started") && output.contains("CONTAINER ID"), "{output}");
}

#[test]
fn evidence_of_a_talkative_host_fits_into_what_ssm_keeps() {
    let (name, systemctl) = systemd("ecs.service");
    let floods =
        "i=0; while [ $i -lt 2000 ]; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; i=$((i+1)); done";
    let host = Host::with(&[(name, &systemctl), ("journalctl", floods), ("docker", floods)]);
    let (_, output, _) = host.run("save-evidence");
    assert!(output.len() < 24_000, "{}", output.len());
    assert!(output.contains("=== muster: machine state ==="));
}

#[test]
fn an_action_that_is_not_known_does_nothing() {
    let (name, systemctl) = systemd("ecs.service");
    let (code, _, changes) = Host::with(&[(name, &systemctl)]).run("'format the disk'");
    assert_eq!((code, changes), (3, Vec::new()));
}
