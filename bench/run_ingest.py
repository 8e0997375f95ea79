#!/usr/bin/env python3
"""Measures decode + match + apply of ECS events against quamina (matching alone) and a Python json loop.

Every contender stays in a process of its own, pinned to one CPU. One warm round each, then ROUNDS rounds in rotating
order (ABCD, BCDA, ...), one contender at a time. CPU time (user and system) that the contender's process
read off its own clock around the round is the figure;
the ratio of medians of one run is the result. Run again when a spread is over 25 %.

    bench/run_ingest.py [--rounds 5] [--events 100000] [--cpu 1] [--ingest target/release/ingest]

Prints a table row block for bench/RESULTS.md. Exit 1 when contenders disagree on the number of matches, or when a bar
of the goal (1.2 times quamina, 10 times Python) is missed; 2 when it could not measure.
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
BARS = [("quamina", 1.2, 1.7), ("python json", 10.0, 20.0)]


class Contender:
    """A process that runs one round for every line it is sent."""

    def __init__(self, name, command, cpu):
        self.name, self.rounds = name, []
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {cpu}),
        )

    def round(self, warm=False):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"run_ingest: {self.name} ended before its round did (exit {self.process.wait()})")
        figures = json.loads(line)
        if not warm:
            self.rounds.append(figures)
        return figures

    def median(self, figure):
        return statistics.median(each[figure] for each in self.rounds)

    def spread(self):
        """Inter-quartile range of CPU time over its median."""
        first, _, third = statistics.quantiles([each["cpu_secs"] for each in self.rounds], n=4)
        return (third - first) / self.median("cpu_secs")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="measured rounds of each contender, at least 5")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--cpu", type=int, default=max(os.sched_getaffinity(0)), help="the CPU all contenders share")
    target = os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target")
    parser.add_argument("--ingest", default=str(pathlib.Path(target) / "release" / "ingest"))
    arguments = parser.parse_args()
    arguments.rounds = max(5, arguments.rounds)
    if not pathlib.Path(arguments.ingest).exists():
        print(f"run_ingest: no {arguments.ingest}; build it: cargo build --profile bench -p peers", file=sys.stderr)
        return 2

    with tempfile.TemporaryDirectory() as directory:
        corpus = str(pathlib.Path(directory) / "corpus.ndjson")
        subprocess.run([arguments.ingest, "corpus", corpus, str(arguments.events)], check=True)
        contenders = [
            Contender("muster decode + match + apply", [arguments.ingest, "ours", corpus], arguments.cpu),
            Contender("quamina", [arguments.ingest, "quamina", corpus], arguments.cpu),
            Contender("muster decode + match", [arguments.ingest, "decode-only", corpus], arguments.cpu),
            Contender("python json", [sys.executable, str(HERE / "ingest.py"), corpus], arguments.cpu),
        ]
        matches = {each.name: each.round(warm=True)["matches"] for each in contenders}
        load_before = os.getloadavg()[0]
        for number in range(arguments.rounds):
            turn = number % len(contenders)
            for each in contenders[turn:] + contenders[:turn]:
                each.round()
        for each in contenders:
            each.close()

    if len(set(matches.values())) != 1 or any(r["matches"] != matches[c.name] for c in contenders for r in c.rounds):
        print(f"run_ingest: the contenders disagree on the matches: {matches}", file=sys.stderr)
        return 1

    ours = contenders[0]
    mean_bytes = ours.rounds[0]["bytes"] / arguments.events
    print(
        f"{arguments.events} events, mean {mean_bytes:.0f} B, {matches[ours.name]} matches found by each; "
        f"{arguments.rounds} rounds, CPU {arguments.cpu}, load {load_before:.1f} to {os.getloadavg()[0]:.1f}, "
        f"Python {platform.python_version()}, quamina 0.7\n"
    )
    print("| contender | events/CPU-s | MB/CPU-s | CPU s | wall s | spread | max RSS MB |")
    print("|---|---|---|---|---|---|---|")
    for each in contenders:
        cpu = each.median("cpu_secs")
        print(
            f"| {each.name} | {arguments.events / cpu:,.0f} | {each.rounds[0]['bytes'] / cpu / 1e6:,.0f} | {cpu:.3f} "
            f"| {each.median('wall_secs'):.3f} | {each.spread():.0%} | {each.median('peak_rss_bytes') / 1e6:.0f} |"
        )
    print("\n| ratio of medians | measured | bar | aim |\n|---|---|---|---|")
    missed = False
    for name, bar, aim in BARS:
        peer = next(each for each in contenders if each.name == name)
        ratio = peer.median("cpu_secs") / ours.median("cpu_secs")
        missed |= ratio < bar
        print(f"| muster (with apply) / {name} | {ratio:.2f} | {bar} | {aim} |")
    noisy = [each.name for each in contenders if each.spread() > 0.25]
    if noisy:
        print(f"\nspread over 25 % in {', '.join(noisy)}: run again", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
