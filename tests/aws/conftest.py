"""What the tests of this folder share: the pretend account, the program, and patience with a bound."""

import json
import os
import subprocess
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import REGION, Harness

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def _account():
    harness = Harness().start()
    yield harness
    harness.stop()


@pytest.fixture
def aws(_account):
    """An empty account behind a real endpoint on loopback."""
    _account.reset()
    yield _account
    _account.clear_faults()


@pytest.fixture(scope="session")
def muster() -> str:
    """The program: `MUSTER_BIN`, or what `cargo build -p muster` left."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    program = Path(os.environ.get("MUSTER_BIN", target / "debug" / "muster"))
    if not program.is_file():
        pytest.fail(f"{program} does not exist: run `cargo build -p muster`, or set MUSTER_BIN")
    return str(program)


def example(package: str, name: str) -> str:
    """A program of `examples/`: the one beside `MUSTER_BIN`, which the build of all tests has left there, or one that is built now."""
    if "MUSTER_BIN" in os.environ:
        beside = Path(os.environ["MUSTER_BIN"]).parent / "examples" / name
        if beside.is_file():
            return str(beside)
    built = subprocess.run(
        ["cargo", "build", "-p", package, "--example", name, "--message-format", "json"],
        cwd=ROOT,
        env=os.environ.copy(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    messages = [json.loads(line) for line in built.stdout.splitlines() if line.startswith("{")]
    programs = [message["executable"] for message in messages if message.get("executable")]
    assert programs, built.stdout[-2000:]
    return programs[-1]


def environment(endpoint: str, **more: str) -> dict[str, str]:
    """The environment of a program that is to see this account and nothing of the machine's own AWS settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MUSTER_"))}
    return kept | {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        **more,
    }


@dataclass
class Scan:
    """What a scan printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def roll(self) -> dict:
        return json.loads(self.out)

    @property
    def hosts(self) -> list[dict]:
        return [host for cluster in self.roll["clusters"] for host in cluster["hosts"]]

    def by_arn(self) -> dict[str, dict]:
        return {host["arn"]: host for host in self.hosts}


@pytest.fixture
def scan(aws, muster, tmp_path):
    """Runs `muster scan` against the account, in an empty directory."""

    def run(*arguments: str, timeout: float = 120, **more: str) -> Scan:
        done = subprocess.run(
            [muster, "scan", *arguments],
            cwd=tmp_path,
            env=environment(aws.endpoint, **more),
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        return Scan(done.returncode, done.stdout, done.stderr)

    return run


class Served:
    """A running `muster serve`."""

    def __init__(self, process: subprocess.Popen, log: Path) -> None:
        self.process = process
        self.log = log
        self.address = ""

    def wait_for_address(self, timeout_secs: float) -> None:
        line = first_line(self.process, timeout_secs)
        if not line.startswith("listening on http://"):
            pytest.fail(f"first line of `muster serve` was {line!r}; its log:\n{self.log.read_text()}")
        self.address = line.split()[-1]

    def text(self, path: str) -> str:
        with urllib.request.urlopen(self.address + path, timeout=10) as answer:
            return answer.read().decode()

    def get(self, path: str):
        return json.loads(self.text(path))

    def figure(self, name: str) -> float:
        """The sum of a metric over its labels; 0 where it is not there yet."""
        lines = [line for line in self.text("/metrics").splitlines() if line.startswith(name)]
        exact = [line for line in lines if line[len(name)] in " {"]
        return sum(float(line.rpartition(" ")[2]) for line in exact)

    def until(self, what: str, true_of, timeout_secs: float = 30):
        """Asks again until something is true and returns it; fails with the program's log after `timeout_secs`."""
        deadline = time.monotonic() + timeout_secs
        while True:
            found = true_of()
            if found:
                return found
            if self.process.poll() is not None:
                pytest.fail(f"muster ended with {self.process.returncode} before {what}; its log:\n{self.log.read_text()}")
            if time.monotonic() > deadline:
                pytest.fail(f"not within {timeout_secs} s: {what}; the log of muster:\n{self.log.read_text()[-6000:]}")
            time.sleep(0.1)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=30)


def first_line(process: subprocess.Popen, timeout_secs: float) -> str:
    """The first line a process prints; empty if it prints none in time."""
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.append(process.stdout.readline()), daemon=True)
    reader.start()
    reader.join(timeout_secs)
    return lines[0].strip() if lines else ""


@pytest.fixture
def serve(aws, muster, tmp_path):
    """Starts `muster serve` with a configuration; stops what is left of it at the end."""
    started: list[Served] = []

    def run(config: str, *arguments: str, **more: str) -> Served:
        (tmp_path / "muster.toml").write_text(config)
        log = tmp_path / f"serve-{len(started)}.log"
        process = subprocess.Popen(
            [muster, "serve", "--listen", "127.0.0.1:0", "--config", "muster.toml", *arguments],
            cwd=tmp_path,
            env=environment(aws.endpoint, **more),
            stdout=subprocess.PIPE,
            stderr=log.open("w"),
            text=True,
        )
        served = Served(process, log)
        started.append(served)
        served.wait_for_address(60)
        return served

    yield run
    for served in started:
        if served.process.poll() is None:
            served.process.kill()
            served.process.wait(timeout=10)
        served.process.stdout.close()
