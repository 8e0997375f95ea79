#!/usr/bin/env python3
"""Asks nine queries: muster beside DuckDB, Polars and chDB, in one run, answers compared first.

Performance records of six hours (200,000 tasks, 500 hosts, 48 families, a line of a log in each, 27 columns). muster answers
out of its own store, and out of the same Parquet file as the others (zstd-1, 48 row groups, written by DuckDB). Each engine
is one process that lives as long as the run, with two threads; they take turns in rotating order, and the figure is the
median of CPU time (user and system, all threads) of a query.

    PYTHON bench/query.py --bench target/release/examples/bench_queries [--muster target/release/muster]
        [--records 1000000] [--rounds 5] [--dir DIR]

PYTHON needs duckdb, polars and chdb. q4b is by a sketch in the engines that have one, and not compared; muster's is exact. Exit 1 when answers
differ or a bar is missed (geometric mean of muster's time by the best peer's 0.8 on its own store, 1.1 on their file; a query
of ten commands planned in 1 ms; the first rows of a running query in 50 ms; `muster query` on an existing store in 100 ms), 2 when it could not measure.
"""

import argparse
import json
import math
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

NEEDLE_ROW = 500

# Each: the query of muster, then SQL, of which {t} is the table; ClickHouse has words of its own for some.
QUERIES = {
    "q1": (
        'filter Type = "Task" | stats avg(CpuUtilized) as a, max(MemoryUtilized) as m, count(*) as n by ClusterName, TaskDefinitionFamily',
        "select ClusterName, TaskDefinitionFamily, avg(CpuUtilized) a, max(MemoryUtilized) m, count(*) n from {t} where Type = 'Task' group by 1, 2",
        {},
    ),
    "q2": (
        'filter Type = "Task" and TaskDefinitionFamily = "service-07" | stats avg(CpuUtilized) as a, pct(CpuUtilized, 95) as p by bin(5m) as b',
        "select {bin} b, avg(CpuUtilized) a, {pct95} p from {t} where Type = 'Task' and TaskDefinitionFamily = 'service-07' group by 1",
        {},
    ),
    "q3": (
        "stats max(CpuUtilized) as c, avg(MemoryUtilized) as m by TaskId | sort c desc, TaskId asc | limit 20",
        "select TaskId, max(CpuUtilized) c, avg(MemoryUtilized) m from {t} group by 1 order by c desc, TaskId limit 20",
        {},
    ),
    "q4a": (
        "stats pct(CpuUtilized, 50) as p, pct(CpuUtilized, 95) as q, pct(CpuUtilized, 99) as r by EC2InstanceId",
        "select EC2InstanceId, {pct50} p, {pct95} q, {pct99} r from {t} group by 1",
        {},
    ),
    "q4b": (
        "stats pct(CpuUtilized, 50) as p, pct(CpuUtilized, 95) as q, pct(CpuUtilized, 99) as r by EC2InstanceId",
        "select EC2InstanceId, {sketch50} p, {sketch95} q, {sketch99} r from {t} group by 1",
        {"sketched": True},
    ),
    "q5": (
        'parse Image /service-(?<s>[0-9]+):(?<v>[0-9]+[.][0-9]+)/ | stats count(*) as n, count_distinct(TaskId) as d by v',
        "select {version} v, count(*) n, {distinct}TaskId) d from {t} group by 1",
        {},
    ),
    "q6": (
        'filter TaskId = "{needle}" | sort @timestamp desc | limit 100 | display @timestamp, CpuUtilized, MemoryUtilized',
        'select "@timestamp", CpuUtilized, MemoryUtilized from {t} where TaskId = \'{needle}\' order by "@timestamp" desc limit 100',
        {},
    ),
    "q7": (
        "filter log like /level=error.*code=5[0-9]+/ | parse log /code=(?<code>[0-9]+) took=(?<took>[0-9]+)ms/ "
        "| stats count(*) as n, avg(took) as a by bin(5m) as b, code",
        "select {bin} b, {code} code, count(*) n, avg({took}) a from {t} where {error} group by 1, 2",
        {},
    ),
    "q8": ("sort @timestamp desc | limit 1000 | display {columns}", 'select {quoted} from {t} order by "@timestamp" desc limit 1000', {}),
}

WORDS = {
    "duckdb": {
        "bin": '(epoch_ms("@timestamp") // 300000 * 300000)',
        "pct": "quantile_cont(CpuUtilized, {})",
        "sketch": "approx_quantile(CpuUtilized, {})",
        "version": "regexp_extract(Image, 'service-[0-9]+:([0-9]+[.][0-9]+)', 1)",
        "distinct": "count(distinct ",
        "error": "regexp_matches(log, 'level=error.*code=5[0-9]+')",
        "code": "regexp_extract(log, 'code=([0-9]+) took=([0-9]+)ms', 1)",
        "took": "cast(regexp_extract(log, 'code=([0-9]+) took=([0-9]+)ms', 2) as bigint)",
    },
    "chdb": {
        "bin": 'intDiv(toUnixTimestamp64Milli("@timestamp"), 300000) * 300000',
        "pct": "quantileExactInclusive({})(CpuUtilized)",
        "sketch": "quantileTDigest({})(CpuUtilized)",
        "version": "extract(Image, 'service-[0-9]+:([0-9]+[.][0-9]+)')",
        "distinct": "uniqExact(",
        "error": "match(log, 'level=error.*code=5[0-9]+')",
        "code": "extract(log, 'code=([0-9]+) took=[0-9]+ms')",
        "took": "toInt64OrNull(extract(log, 'code=[0-9]+ took=([0-9]+)ms'))",
    },
}


def sql(engine, name, table, facts):
    """A query in an engine's words."""
    words = dict(WORDS[engine])
    for kind in ("pct", "sketch"):
        form = words.pop(kind)
        words |= {f"{kind}{rank}": form.format(rank / 100) for rank in (50, 95, 99)}
    return QUERIES[name][1].format(t=table, **words, **facts)


def serve_duckdb(path, facts):
    import duckdb

    connection = duckdb.connect(config={"threads": 2})
    connection.execute("set timezone = 'UTC'")
    return lambda name: connection.execute(sql("duckdb", name, f"read_parquet('{path}')", facts)).fetchall()


def serve_chdb(path, facts):
    from chdb.session import Session

    session = Session()

    def answer(name):
        text = sql("chdb", name, f"file('{path}', Parquet)", facts) + " settings max_threads = 2, session_timezone = 'UTC'"
        told = str(session.query(text, "JSONCompactEachRow"))
        return [json.loads(line) for line in told.splitlines() if line]

    return answer


def serve_polars(path, facts):
    import polars as pl

    table = pl.scan_parquet(path)
    bins = (pl.col("@timestamp").dt.epoch("ms") // 300_000 * 300_000).alias("b")
    cpu = pl.col("CpuUtilized")
    ranks = [cpu.quantile(rank / 100, interpolation="linear").alias(name) for rank, name in ((50, "p"), (95, "q"), (99, "r"))]
    task = pl.col("Type") == "Task"
    code = pl.col("log").str.extract("code=([0-9]+) took=([0-9]+)ms", 1).alias("code")
    took = pl.col("log").str.extract("code=([0-9]+) took=([0-9]+)ms", 2).cast(pl.Int64).alias("took")
    frames = {
        "q1": table.filter(task).group_by("ClusterName", "TaskDefinitionFamily").agg(cpu.mean().alias("a"), pl.col("MemoryUtilized").max().alias("m"), pl.len().alias("n")),
        "q2": table.filter(task & (pl.col("TaskDefinitionFamily") == "service-07")).group_by(bins).agg(cpu.mean().alias("a"), ranks[1].alias("p")),
        "q3": table.group_by("TaskId").agg(cpu.max().alias("c"), pl.col("MemoryUtilized").mean().alias("m")).sort(["c", "TaskId"], descending=[True, False]).limit(20),
        "q4a": table.group_by("EC2InstanceId").agg(*ranks),
        "q5": table.group_by(pl.col("Image").str.extract("service-[0-9]+:([0-9]+[.][0-9]+)", 1).alias("v")).agg(pl.len().alias("n"), pl.col("TaskId").n_unique().alias("d")),
        "q6": table.filter(pl.col("TaskId") == facts["needle"]).sort("@timestamp", descending=True).limit(100).select("@timestamp", "CpuUtilized", "MemoryUtilized"),
        "q7": table.filter(pl.col("log").str.contains("level=error.*code=5[0-9]+")).select(bins, code, took).group_by("b", "code").agg(pl.len().alias("n"), pl.col("took").mean().alias("a")),
        "q8": table.sort("@timestamp", descending=True).limit(1000).select(facts["names"]),
    }

    def answer(name):
        return frames[name].collect().rows() if name in frames else None

    return answer


def child(engine, path, facts):
    """An engine in a process of its own: names in, rows and CPU milliseconds out."""
    answer = {"duckdb": serve_duckdb, "polars": serve_polars, "chdb": serve_chdb}[engine](path, facts)
    out = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        began, used = time.perf_counter(), time.process_time()
        rows = answer(line.strip())
        told = {"cpu_ms": (time.process_time() - used) * 1e3, "wall_ms": (time.perf_counter() - began) * 1e3, "rows": rows}
        print(json.dumps(told, default=str), file=out, flush=True)


class Engine:
    """A running engine."""

    def __init__(self, command, speaks):
        self.speaks = speaks
        self.process = subprocess.Popen([str(it) for it in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, "POLARS_MAX_THREADS": "2"})

    def tell(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"query: an engine has ended: {self.process.args[:3]}")
        return json.loads(line)

    def ask(self, name):
        return self.say(self.speaks(name))

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.tell()

    def peak_mb(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1e3


def text_of(name, facts):
    return QUERIES[name][0].replace("{needle}", facts["needle"]).replace("{columns}", facts["columns"])


def millis(value):
    """A time, however an engine writes it, in milliseconds since 1970."""
    if isinstance(value, (int, float)):
        return int(value)
    import datetime

    text = str(value).replace("T", " ")
    return round(datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.timezone.utc).timestamp() * 1000)


def plain(value):
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            try:
                return float(millis(value))
            except ValueError:
                return value
    return float(value) if isinstance(value, (int, float)) else value


def table_of(rows, names):
    """Rows of values that can be compared, in an order that does not hang on digits."""
    made = [tuple(plain(row.get(name) if isinstance(row, dict) else row[at]) for at, name in enumerate(names)) for row in rows]
    return sorted(made, key=lambda row: tuple(f"{it:.3f}" if isinstance(it, float) else str(it) for it in row))


def columns_of(name, facts):
    return {
        "q1": ["ClusterName", "TaskDefinitionFamily", "a", "m", "n"], "q2": ["b", "a", "p"], "q3": ["TaskId", "c", "m"],
        "q4a": ["EC2InstanceId", "p", "q", "r"], "q4b": ["EC2InstanceId", "p", "q", "r"], "q5": ["v", "n", "d"],
        "q6": ["@timestamp", "CpuUtilized", "MemoryUtilized"], "q7": ["b", "code", "n", "a"], "q8": facts["names"],
    }[name]


def same(one, other):
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return one == other


def agree(name, found, wanted, facts):
    # A sketch has an error of its own; muster's exact answer is compared as q4a.
    if QUERIES[name][2].get("sketched"):
        return len(found) == len(wanted)
    one, other = table_of(found, columns_of(name, facts)), table_of(wanted, columns_of(name, facts))
    return len(one) == len(other) and all(same(a, b) for left, right in zip(one, other) for a, b in zip(left, right))


def geomean(ratios):
    return math.exp(sum(math.log(it) for it in ratios) / len(ratios))


def start_ms(muster, store):
    """How long `muster query` takes on an existing store, from its start to its end."""
    took = []
    for _ in range(7):
        began = time.perf_counter()
        subprocess.run([muster, "query", "fields @timestamp | limit any 1", "--store", store, "--output", "json"], check=True, stdout=subprocess.DEVNULL)
        took.append((time.perf_counter() - began) * 1e3)
    return statistics.median(took)


TEN = ('filter Type = "Task" | fields CpuUtilized / CpuReserved * 100 as share | filter share > 1 | parse Image "*:*" as image, tag | filter tag like /1/ '
       "| fields toupper(ClusterName) as c | stats avg(share) as a, max(MemoryUtilized) as m by c, bin(5m) as b | filter m > 3 | sort a desc | limit 10")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bench", required=True)
    parser.add_argument("--muster", default=None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--only", default=None, help="names of queries, by commas")
    parser.add_argument("--dir", default=None, help="kept, and used again by the next run")
    args = parser.parse_args()
    try:
        import chdb
        import duckdb
        import polars
    except ImportError as error:
        print(f"query: {error}", file=sys.stderr)
        return 2
    work = pathlib.Path(args.dir or tempfile.mkdtemp(prefix="query-"))
    work.mkdir(parents=True, exist_ok=True)
    corpus, store, foreign = work / "corpus.ndjson", work / "store", work / "foreign.parquet"
    if not foreign.exists():
        subprocess.run([args.bench, "corpus", corpus, str(args.records)], check=True)
        duckdb.sql(f"copy (select make_timestamp_ms(Timestamp) as \"@timestamp\", * from read_json_auto('{corpus}', format='newline_delimited')) "
                   f"to '{foreign}' (format parquet, compression zstd, compression_level 1, row_group_size {max(args.records // 48, 2048)})")
    if not store.exists():
        subprocess.run([args.bench, "store", corpus, store], check=True)
    if corpus.exists():
        corpus.unlink()
    described = duckdb.sql(f"select * from read_parquet('{foreign}') limit 0").columns
    names = [name for name in described if name not in ("@timestamp", "AccountID", "Version")]
    facts = {
        "needle": duckdb.sql(f"select TaskId from read_parquet('{foreign}') limit 1 offset {NEEDLE_ROW}").fetchall()[0][0],
        "columns": ", ".join(names), "quoted": ", ".join(f'"{name}"' for name in names), "names": names,
    }
    own_bytes = sum(it.stat().st_size for it in store.rglob("*.parquet"))
    print(f"records: {args.records}; duckdb {duckdb.__version__}, polars {polars.__version__}, chdb {chdb.__version__}, {os.cpu_count()} cores, "
          f"load {os.getloadavg()[0]:.1f}; bytes a record: foreign {foreign.stat().st_size / args.records:.0f}, own {own_bytes / args.records:.0f}")
    ours = lambda name: json.dumps({"text": text_of(name, facts)})
    engines = {engine: Engine([sys.executable, __file__, "child", engine, foreign, json.dumps(facts)], str) for engine in ("duckdb", "polars", "chdb")}
    engines["muster store"] = Engine([args.bench, "answer", store], ours)
    engines["muster foreign"] = Engine([args.bench, "answer", foreign], ours)
    for engine in ("muster store", "muster foreign"):
        engines[engine].tell()
    chosen = args.only.split(",") if args.only else list(QUERIES)
    good = True
    for name in chosen:
        answers = {engine: running.ask(name).get("rows") for engine, running in engines.items()}
        for engine, rows in answers.items():
            if rows is not None and not agree(name, rows, answers["duckdb"], facts):
                good = False
                print(f"{name}: {engine} differs from duckdb: {rows[:2]} and {answers['duckdb'][:2]}, {len(rows)} and {len(answers['duckdb'])} rows")
    print("answers:", "equal" if good else "NOT equal")
    cpu = {name: {engine: [] for engine in engines} for name in chosen}
    order = list(engines)
    for number in range(args.rounds):
        for name in chosen:
            turn = number % len(order)
            for engine in order[turn:] + order[:turn]:
                told = engines[engine].ask(name)
                if told.get("rows") is not None:
                    cpu[name][engine].append(told["cpu_ms"])
    print("| CPU ms | " + " | ".join(order) + " | best peer | store/best | foreign/best |")
    print("|---" * (len(order) + 4) + "|")
    ratios = {"muster store": [], "muster foreign": []}
    for name in chosen:
        median = {engine: statistics.median(all_of) for engine, all_of in cpu[name].items() if all_of}
        best = min(("duckdb", "polars", "chdb"), key=lambda engine: median.get(engine, math.inf))
        for engine, all_of in ratios.items():
            all_of.append(median[engine] / median[best])
        cells = [f"{median[engine]:.1f}" if engine in median else "-" for engine in order]
        print(f"| {name} | " + " | ".join(cells) + f" | {best} | {ratios['muster store'][-1]:.2f} | {ratios['muster foreign'][-1]:.2f} |")
    own, other = geomean(ratios["muster store"]), geomean(ratios["muster foreign"])
    print(f"geometric mean by the best peer: own store {own:.2f} (bar 0.8, aim 0.35), their file {other:.2f} (bar 1.1, aim 0.9)")
    print("memory, MB: " + ", ".join(f"{engine} {running.peak_mb():.0f}" for engine, running in engines.items()))
    plan = json.dumps({"text": TEN, "plan": True})
    planned = statistics.median([engines["muster store"].say(plan)["wall_ms"] for _ in range(51)][1:])
    print(f"parse and plan of ten commands: {planned:.2f} ms (bar 1)")
    asked = {name: json.dumps({"text": text_of(name, facts), "first": True}) for name in chosen}
    first = {name: statistics.median(engines["muster store"].say(text)["first_ms"] for _ in range(5)) for name, text in asked.items()}
    print("first rows of a running query, ms (bar 50): " + ", ".join(f"{name} {ms:.0f}" for name, ms in first.items()))
    good = good and own <= 0.8 and other <= 1.1 and planned <= 1 and max(first.values()) <= 50
    if args.muster:
        started = start_ms(args.muster, store)
        print(f"`muster query` on an existing store: {started:.0f} ms (bar 100)")
        good = good and started <= 100
    for running in engines.values():
        running.process.stdin.close()
    if not args.dir:
        shutil.rmtree(work)
    return 0 if good else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        child(sys.argv[2], sys.argv[3], json.loads(sys.argv[4]))
    else:
        sys.exit(main())
