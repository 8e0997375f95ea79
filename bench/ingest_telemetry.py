#!/usr/bin/env python3
"""Takes a million performance records in: muster's store beside DuckDB and Polars, in one run.

Each contender reads the same file of lines and leaves zstd-1 Parquet; muster's store also writes each batch to its log and
flushes it before the next. Each runs ROUNDS times in a process of its own with two threads, in rotating order; CPU time (user
and system) of the process is the figure, medians are compared. Then DuckDB and Polars sum columns of all three results.

    PYTHON bench/ingest_telemetry.py --ingest target/release/examples/ingest_telemetry [--rounds 3] [--records 1000000]

PYTHON needs duckdb and polars. Exit 1 when sums differ or a bar is missed (1.5 times DuckDB's rows per CPU second, 0.9 of its
bytes a row, 150 MB), 2 when it could not measure.
"""

import argparse
import glob
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile

SUMS = ["CpuUtilized", "MemoryUtilized", "StorageWriteBytes", "NetworkRxBytes", "NetworkTxPackets"]

DUCKDB = """
import duckdb, sys
c = duckdb.connect(config={'threads': 2})
c.sql("copy (select * from read_json_auto('%s', format='newline_delimited')) to '%s' (format parquet, compression zstd, compression_level 1)")
"""
POLARS = """
import polars as pl
pl.scan_ndjson('%s').sink_parquet('%s', compression='zstd', compression_level=1)
"""


def measure(command, env=None):
    """CPU seconds, and the most memory in MB, of a command."""
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"ingest_telemetry: {command[0]} ended with {status}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e3, out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ingest", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--dir", default=None, help="on a disk, not in memory: the log is flushed there")
    args = parser.parse_args()
    try:
        import duckdb
        import polars
    except ImportError as error:
        print(f"ingest_telemetry: {error}", file=sys.stderr)
        return 2
    work = pathlib.Path(tempfile.mkdtemp(prefix="ingest-telemetry-", dir=args.dir))
    corpus = work / "corpus.ndjson"
    subprocess.run([args.ingest, "corpus", corpus, str(args.records)], check=True)
    print(f"records: {args.records}, {corpus.stat().st_size / args.records:.0f} bytes each; "
          f"duckdb {duckdb.__version__}, polars {polars.__version__}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    two = {**os.environ, "POLARS_MAX_THREADS": "2"}
    duck, pol, own, merged = work / "duck.parquet", work / "polars.parquet", work / "store", work / "merged"
    contenders = {
        "duckdb": ([sys.executable, "-c", DUCKDB % (corpus, duck)], duck),
        "polars": ([sys.executable, "-c", POLARS % (corpus, pol)], pol),
        "muster store": ([args.ingest, "store", corpus, own], own),
        "muster merged": ([args.ingest, "merged", corpus, merged], merged),
        "muster columns": ([args.ingest, "columns", corpus], None),
    }
    rounds = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(args.rounds):
        for name in names[number % len(names):] + names[: number % len(names)]:
            command, out = contenders[name]
            if out is not None and out.is_dir():
                shutil.rmtree(out)
            rounds[name].append(measure([str(it) for it in command], two)[:2])
    files = {
        "duckdb": [str(duck)],
        "polars": [str(pol)],
        "muster store": own_files(own),
        "muster merged": own_files(merged),
    }
    figures = {}
    print("| contender | rows/CPU-s | CPU s (each round) | bytes/row | max RSS MB | files |")
    print("|---|---|---|---|---|---|")
    for name in names:
        cpu = statistics.median(each[0] for each in rounds[name])
        memory = max(each[1] for each in rounds[name])
        size = sum(os.path.getsize(path) for path in files.get(name, [])) / args.records
        figures[name] = (args.records / cpu, size, memory)
        each = " ".join(f"{it[0]:.2f}" for it in rounds[name])
        print(f"| {name} | {args.records / cpu:,.0f} | {each} | {size:.2f} | {memory:.0f} | {len(files.get(name, []))} |")
    same = True
    sums = {}
    for name, paths in files.items():
        select = ", ".join(f'sum("{column}")' for column in SUMS)
        by_duckdb = duckdb.sql(f"select count(*), {select} from read_parquet({paths!r}, union_by_name=true)").fetchall()[0]
        frame = polars.concat([polars.scan_parquet(path) for path in paths], how="diagonal")
        by_polars = frame.select(polars.len(), *(polars.col(column).sum() for column in SUMS)).collect().row(0)
        sums[name] = (by_duckdb, by_polars)
        for found in (by_duckdb, by_polars):
            same &= all(abs(a - b) <= 1e-9 * abs(b) for a, b in zip(found, sums["duckdb"][0]))
    print("sums by duckdb and polars of all results:", "equal" if same else json.dumps(sums, default=str))
    rate, size = figures["muster store"][0] / figures["duckdb"][0], figures["muster store"][1] / figures["duckdb"][1]
    after = figures["muster merged"][0] / figures["duckdb"][0], figures["muster merged"][1] / figures["duckdb"][1]
    print(f"rows per CPU second: {rate:.2f} times DuckDB's (bar 1.5, aim 2.5); merged {after[0]:.2f}")
    print(f"bytes a row: {size:.2f} of DuckDB's (bar 0.9, aim 0.75); merged {after[1]:.2f}")
    print(f"memory: {figures['muster store'][2]:.0f} MB, merged {figures['muster merged'][2]:.0f} MB (bar 150)")
    shutil.rmtree(work)
    return 0 if same and rate >= 1.5 and size <= 0.9 and figures["muster store"][2] <= 150 else 1


def own_files(store):
    return sorted(glob.glob(f"{store}/groups/*/*/*.parquet"))


if __name__ == "__main__":
    sys.exit(main())
