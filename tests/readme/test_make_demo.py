"""`make demo`, as the README has it, with the program that the tests have built anyway."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def demo(*arguments: str, seconds: float, interrupt: bool = False) -> tuple[int, str]:
    """Runs it to its end, or until `seconds` have passed and Ctrl-C is pressed."""
    process = subprocess.Popen(
        ["make", "demo", "MUSTER_PROFILE=dev", f"DEMO_ARGS={' '.join(arguments)}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        out, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        # A terminal sends Ctrl-C to everything in the foreground.
        os.killpg(process.pid, signal.SIGINT if interrupt else signal.SIGKILL)
        out, _ = process.communicate(timeout=60)
        if not interrupt:
            pytest.fail(f"not over after {seconds} s:\n{out[-4000:]}")
    return process.returncode, out


def test_make_demo_shows_a_lost_agent_its_case_and_how_muster_mends_it():
    code, out = demo("--plain", "--speed", "600", seconds=900)
    assert code == 0, out[-4000:]
    for word in ("prod-a", "Routine: nothing is raised", "agent-lost", "muster will restart", "then it is done", "is closed after", "starts in dry run"):
        assert re.search(word, out), f"{word!r} is missing from:\n{out[-6000:]}"
    assert "\x1b[" not in out.split("building muster", 1)[-1].replace("\x1b[K", ""), "no colour into a pipe"


def test_ctrl_c_stops_the_demo_cleanly():
    _code, out = demo("--plain", "--keep-going", seconds=20, interrupt=True)
    assert "panicked" not in out and "stopped." in out, out[-2000:]
