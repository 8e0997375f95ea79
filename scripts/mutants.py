#!/usr/bin/env python3
"""Proves that the judges and tests of muster see what they are there for: every mutant in mutants/ puts one bug into
the product, and somebody has to catch it.

For each mutant: a copy of the tree gets its patch, the swarm is built from it and lives seeds until one fails or its CPU
time is over; where the swarm cannot see the bug by its nature, or did not, the tests that the mutant names are run. Before
that, the same swarm and the same tests must pass without any mutant, and a seed that catches a mutant must pass without
it. Ends with 1 when a mutant survives. The tree that it is started from is left alone.

    scripts/mutants.py                  all of them
    scripts/mutants.py --only m04       those whose names begin so; several with commas
    scripts/mutants.py --report         what the last runs have found, without running anything
"""

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "muster"
TREE = CACHE / "mutants-tree"
TARGET = CACHE / "target-mutants"
RESULTS = CACHE / "mutants-results.json"
SWARM = TARGET / "swarm" / "examples" / "swarm"
UNMUTATED = TARGET / "swarm-unmutated"
README = ROOT / "mutants" / "README.md"
BEGINS, ENDS = "<!-- results: written by scripts/mutants.py --write -->", "<!-- end of results -->"

# A test that a mutant keeps from ending is a test that failed.
NEXTEST = """[profile.default]
slow-timeout = { period = "60s", terminate-after = 2 }
fail-fast = false
"""


class Mutant:
    """One file of mutants/: a header of `Name: value` lines, then a unified diff."""

    def __init__(self, path: Path):
        self.path = path
        self.name = path.stem
        header = path.read_text(encoding="utf-8").split("\ndiff --git ", 1)[0]
        self.header = dict(line.split(": ", 1) for line in header.splitlines() if ": " in line)
        self.number = self.header["Mutant"]
        self.does = self.header["Does"]
        self.swarm = self.header["Swarm"] == "yes"
        self.tests = self.header.get("Tests", "").split()


def mutants() -> list[Mutant]:
    return [Mutant(path) for path in sorted((ROOT / "mutants").glob("*.patch"))]


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MUSTER_SWARM", "GIT_"))}
    tools = CACHE / "venv" / "bin"
    kept.update(
        CARGO_TARGET_DIR=str(TARGET),
        # A mutant changes a few functions: only those are compiled anew, in code that is a little slower.
        CARGO_INCREMENTAL="1",
        CARGO_TERM_COLOR="never",
        GIT_CEILING_DIRECTORIES=str(TREE.parent),
        PATH=f"{kept.get('PATH', '')}:{tools}",
    )
    return kept


def copy_tree() -> None:
    """Makes the copy like the tree, once: what is edited during a run changes nothing in it. Files that are alike keep their time, so that cargo builds only what has changed."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, check=True, text=True,
    ).stdout  # fmt: skip
    wanted = {name for name in listed.split("\0") if name and (ROOT / name).is_file()}
    for name in wanted:
        bytes_, to = (ROOT / name).read_bytes(), TREE / name
        if not to.is_file() or to.read_bytes() != bytes_:
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(bytes_)
    for path in [path for path in TREE.rglob("*") if path.is_file()]:
        if str(path.relative_to(TREE)) not in wanted:
            path.unlink()


def apply(mutant: Mutant, *how: str) -> None:
    subprocess.run(["git", "apply", *how, str(mutant.path)], cwd=TREE, env=environment(), check=True)


def build_swarm() -> None:
    command = ["cargo", "build", "--quiet", "-p", "simulator", "--profile", "swarm", "--example", "swarm"]
    subprocess.run(command, cwd=TREE, env=environment(), check=True)


def measured(command: list[str], env: dict[str, str], limit_secs: int | None = None) -> tuple[int, str, float]:
    """Runs a command: how it ended, what it said, and the CPU time that it and its children took, in seconds."""

    def limit() -> None:
        if limit_secs:
            resource.setrlimit(resource.RLIMIT_CPU, (limit_secs, limit_secs + 5))

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run(
        command, cwd=TREE, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=limit
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return ended.returncode, ended.stdout, cpu


def live_seeds(cpu_secs: int) -> dict:
    """The swarm of the mutated tree until its first failure."""
    env = environment() | {"MUSTER_SWARM_UNTIL_FAILURE": "1", "MUSTER_SWARM_SEEDS": "1000000"}
    _, said, cpu = measured([str(SWARM)], env, cpu_secs)
    stopped = re.search(r"^stopped at seed (\d+), the first that failed, after (\d+) seeds", said, flags=re.MULTILINE)
    if not stopped:
        done = re.findall(r"^(\d+) seeds after", said, flags=re.MULTILINE)
        return {"caught": False, "seeds": int(done[-1]) if done else 0, "cpu_secs": cpu}
    seed, seeds = int(stopped[1]), int(stopped[2])
    what = re.findall(rf"^seed {seed}(?: fails again \(.*?\))?: (.*)$", said, flags=re.MULTILINE)
    judges = [judge for judge in dict.fromkeys(text.split(" ", 1)[0] for text in what)]
    # A seed that fails without the mutant says nothing about it.
    again = environment() | {"MUSTER_SWARM_SEED": str(seed)}
    sound = measured([str(UNMUTATED)], again)[0] == 0
    return {"caught": sound, "unsound_seed": None if sound else seed, "seed": seed, "seeds": seeds, "cpu_secs": cpu,
            "by": judges, "what": what[0] if what else ""}  # fmt: skip


def run_tests(tests: list[str]) -> dict:
    """The tests of a mutant, and which of them fail."""
    config = TARGET / "mutants-nextest.toml"
    config.write_text(NEXTEST)
    command = ["cargo", "nextest", "run", *tests, "--config-file", str(config), "--no-tests", "fail"]
    built, said, _ = measured([*command, "--no-run"], environment())
    if built != 0:
        raise SystemExit(f"{' '.join(tests)}: the tests cannot be built:\n{said[-3000:]}")
    ended, said, cpu = measured(command, environment())
    failed = re.findall(r"^ *(?:FAIL|TIMEOUT|SIG[A-Z]+|ABORT)[^\[]*\[[^\]]*\] *(?:\([^)]*\) *)?(\S+ \S+)$", said, flags=re.MULTILINE)
    ran = re.search(r"(\d+)(?:/\d+)? tests? run", said)
    return {"caught": ended != 0, "by": list(dict.fromkeys(failed)), "cpu_secs": cpu, "ran": int(ran[1]) if ran else 0,
            "said": "" if ended == 0 or failed else said[-2000:]}  # fmt: skip


def judge(mutant: Mutant, cpu_secs: int) -> dict:
    """Looks who catches the mutant that has been applied."""
    result = {"mutant": mutant.number, "does": mutant.does, "date": time.strftime("%Y-%m-%d", time.gmtime())}
    if mutant.swarm:
        try:
            build_swarm()
        except subprocess.CalledProcessError:
            return result | {"caught": False, "broken": True}
        result["swarm"] = live_seeds(cpu_secs)
    if mutant.tests and not result.get("swarm", {}).get("caught"):
        result["tests"] = run_tests(mutant.tests)
    result["caught"] = any(result.get(ladder, {}).get("caught") for ladder in ("swarm", "tests"))
    return result


def baseline(chosen: list[Mutant], seeds: int) -> str:
    """Without any mutant, everything that is to catch one must be quiet. Returns what the swarm covered."""
    copy_tree()
    build_swarm()
    shutil.copy2(SWARM, UNMUTATED)
    ended, said, cpu = measured([str(UNMUTATED)], environment() | {"MUSTER_SWARM_SEEDS": str(seeds)})
    if ended != 0:
        raise SystemExit(f"the swarm fails without any mutant, so it proves nothing:\n{said[-4000:]}")
    print(f"without any mutant: {seeds} seeds, no violation, {cpu:.0f} s of CPU", flush=True)
    for tests in sorted({tuple(mutant.tests[: mutant.tests.index("-E")]) for mutant in chosen if mutant.tests}):
        result = run_tests(list(tests))
        if result["caught"]:
            raise SystemExit(f"{' '.join(tests)} fails without any mutant: {result['by']}{result['said']}")
        print(f"without any mutant: {result['ran']} tests of {' '.join(tests)} pass, {result['cpu_secs']:.0f} s of CPU", flush=True)
    return said[said.find("cells (stage x fault x outcome)") :].split("\nswarm at commit")[0]


def caught_by(result: dict) -> str:
    swarm, tests = result.get("swarm", {}), result.get("tests", {})
    if swarm.get("caught"):
        return ", ".join(swarm["by"])
    if tests.get("caught"):
        named = [test.split(" ", 1)[1].rsplit("::", 1)[-1].replace("_", " ") for test in tests["by"]]
        more = f" and {len(named) - 1} more" if len(named) > 1 else ""
        return f"test: {named[0]}{more}" if named else "the tests do not end well"
    if result.get("broken"):
        return "**does not build**"
    return "**SURVIVED**"


def table(results: dict[str, dict]) -> str:
    lines = ["| mutant | what it does | caught by | seeds | CPU s |", "|---|---|---|---|---|"]
    for name, result in sorted(results.items()):
        swarm, tests = result.get("swarm", {}), result.get("tests", {})
        seeds = swarm.get("seeds", "-")
        cpu = swarm.get("cpu_secs", 0) + tests.get("cpu_secs", 0)
        lines.append(f"| {name} | {result['does']} | {caught_by(result)} | {seeds} | {cpu:.0f} |")
    return "\n".join(lines)


def write(results: dict[str, dict], cells: str) -> None:
    text = README.read_text(encoding="utf-8")
    head, rest = text.split(BEGINS, 1)
    tail = rest.split(ENDS, 1)[1]
    dates = sorted({result["date"] for result in results.values()})
    caught = sum(result["caught"] for result in results.values())
    unknown = "".join(f"| {mutant.name} | {mutant.does} | **not run yet** | - | - |\n" for mutant in mutants() if mutant.name not in results)
    shown = cells.replace("\n  never ", "\n- never ").replace(" -> ", " → ")
    shown = shown.replace(" reached (", " reached (", 1).replace("\n-", "\n\n-", 1)
    body = (
        f"{BEGINS}\n\n{caught} of {len(mutants())} caught, on {os.cpu_count()} cores, {' to '.join(dict.fromkeys((dates[0], dates[-1])))}.\n\n"
        f"{table(results)}\n{unknown}\n### Cells that were never reached\n\nWithout a mutant, {shown}\n\n{ENDS}"
    )
    README.write_text(head + body + tail, encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description="Applies each mutant and looks who catches it.")
    parser.add_argument("--only", default="", help="names that begin so, several with commas")
    parser.add_argument("--cpu-secs", type=int, default=600, help="CPU time that the swarm has for a mutant")
    parser.add_argument("--seeds", type=int, default=0, help="seeds without any mutant; 400, or 60 with --only")
    parser.add_argument("--write", action="store_true", help="write the table into mutants/README.md")
    parser.add_argument("--report", action="store_true", help="show what the last runs have found, and run nothing")
    asked = parser.parse_args()
    os.chdir(ROOT)
    CACHE.mkdir(parents=True, exist_ok=True)
    saved = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {"mutants": {}, "cells": ""}
    known = {mutant.name for mutant in mutants()}
    saved["mutants"] = {name: result for name, result in saved["mutants"].items() if name in known}
    begins = tuple(name for name in asked.only.split(",") if name)
    chosen = [mutant for mutant in mutants() if not begins or mutant.name.startswith(begins)]
    if not chosen:
        raise SystemExit(f"no mutant begins with {asked.only}; there are {', '.join(sorted(known))}")
    survived = 0
    if asked.report:
        shown = saved["mutants"]
    else:
        TREE.mkdir(parents=True, exist_ok=True)
        TARGET.mkdir(parents=True, exist_ok=True)
        seeds = asked.seeds or (60 if begins else 400)
        cells = baseline(chosen, seeds)
        if seeds >= 400 or not saved["cells"]:
            saved["cells"] = cells
        shown = {}
        for mutant in chosen:
            print(f"{mutant.name}: {mutant.does}", flush=True)
            apply(mutant)
            result = judge(mutant, asked.cpu_secs)
            apply(mutant, "--reverse")
            shown[mutant.name] = saved["mutants"][mutant.name] = result
            swarm, tests = result.get("swarm", {}), result.get("tests", {})
            what = swarm.get("what") if swarm.get("caught") else tests.get("said", "")
            took = swarm.get("cpu_secs", 0) + tests.get("cpu_secs", 0)
            print(f"  {caught_by(result)} ({swarm.get('seeds', 0)} seeds, {took:.0f} s of CPU) {what}", flush=True)
            if swarm.get("unsound_seed"):
                print(f"  seed {swarm['unsound_seed']} fails without the mutant too", flush=True)
            survived += not result["caught"]
            RESULTS.write_text(json.dumps(saved, indent=1))
    print(f"\n{table(shown)}\n\n{saved['cells']}")
    if asked.write:
        write(saved["mutants"], saved["cells"])
    print(f"\n{len(shown) - sum(not result['caught'] for result in shown.values())} of {len(shown)} mutants caught")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
