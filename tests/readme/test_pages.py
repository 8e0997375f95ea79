"""Types what the README and the guide tell people to type, in their order, and looks whether it does what they say."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "aws"))
from commands import AGAINST_MOTO, ROOT, configurations, expected_exit, pages, steps

RUNS_ON = re.compile(r"^muster (serve|simulate|demo)\b(?!.*--(record|list)\b)")
COMMAND_SECS_MAX = 60


@pytest.fixture
def terminal(tmp_path):
    """A shell in an empty folder where `muster` is the one that was built."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    program = Path(os.environ.get("MUSTER_BIN", target / "debug" / "muster"))
    assert program.is_file(), f"{program} does not exist: run `cargo build -p muster`, or set MUSTER_BIN"
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "muster").symlink_to(program)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "deploy").symlink_to(ROOT / "deploy")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MUSTER_"))}
    path = f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = kept | {"PATH": path, "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull, "AWS_PAGER": ""}
    shell = Terminal(folder, environment)
    yield shell
    shell.close()


class Terminal:
    """One bash that keeps its variables from command to command, and what it started in the background."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment
        self.exports: list[str] = []
        self.ports: dict[str, str] = {}
        self.background: list[subprocess.Popen] = []

    def type(self, command: str) -> None:
        for named, taken in self.ports.items():
            command = command.replace(named, taken)
        if command.startswith("export "):
            self.exports.append(command)
        elif RUNS_ON.match(command):
            self.start(command)
        else:
            self.run(command)

    def run(self, command: str) -> None:
        done = subprocess.run(
            ["bash", "-c", "\n".join(["set -o pipefail", *self.exports, command])],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECS_MAX,
        )
        assert done.returncode == expected_exit(command), f"$ {command}\nexit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"

    def start(self, command: str) -> None:
        named = re.search(r"--listen (\S+)", command)
        assert named, f"say where it listens, so that a test can give it a free port: {command}"
        out = self.folder / f"background-{len(self.background)}.txt"
        process = subprocess.Popen(
            ["bash", "-c", "\n".join([*self.exports, "exec " + command.replace(named.group(1), "127.0.0.1:0")])],
            cwd=self.folder,
            env=self.environment,
            stdout=out.open("w"),
            stderr=subprocess.STDOUT,
        )
        self.background.append(process)
        deadline = time.monotonic() + 60
        while not (address := re.search(r"^listening on http://(\S+)$", out.read_text(), flags=re.MULTILINE)):
            assert process.poll() is None and time.monotonic() < deadline, f"$ {command}\n{out.read_text()}"
            time.sleep(0.05)
        self.ports[named.group(1)] = address.group(1)

    def close(self) -> None:
        for process in reversed(self.background):
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=10)


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_do_what_it_says(page, terminal):
    if str(page.relative_to(ROOT)) in AGAINST_MOTO:
        from harness import REGION, Harness

        moto = Harness().start()
        moto.add_cluster("prod-a", tags={"ecs-agent-monitoring": "enabled"})
        moto.add_hosts("prod-a", 3)
        terminal.exports.append(
            f"export AWS_ENDPOINT_URL={moto.endpoint} AWS_REGION={REGION} AWS_DEFAULT_REGION={REGION} AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing"
        )
    for command in steps(page):
        terminal.type(command)


def test_the_configurations_in_the_pages_have_no_mistakes(terminal):
    checked = 0
    for page in [ROOT / "README.md", *sorted((ROOT / "docs" / "guide").glob("*.md"))]:
        for text in configurations(page):
            (terminal.folder / "shown.toml").write_text(text, encoding="utf-8")
            terminal.type("muster config check --config shown.toml")
            checked += 1
    assert checked >= 6


def test_the_readme_has_commands_to_run():
    assert ROOT / "README.md" in pages()
    assert len(steps(ROOT / "README.md")) >= 10
