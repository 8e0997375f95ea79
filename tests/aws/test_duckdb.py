"""Queries of the Logs Insights language beside DuckDB: a thousand drawn ones, over drawn records, give the same rows.

muster answers each twice, out of a store (files and memory) and out of lines; DuckDB answers the translation of
`two_languages.py` over the same values. Rows must be equal, numbers to 1e-9 of their size, in order where the query has one.

    MUSTER_DUCKDB_SEED=7 MUSTER_DUCKDB_QUERIES=1000     draw other ones, or more

What `drawn.py` avoids, and why:

- whole numbers beyond 2^53, which the language sees as texts, and SQL does not;
- `^`, `log`, `sqrt` and `haversine`, whose last bit is a library's own;
- the natural order of texts with digits inside, `min` and `max` of texts, `values`, `topk`: SQL has no such order, and no one
  says in which order lists are. `crates/query/tests/random.rs` holds them against the language's own evaluator;
- comparing a time with a text, which the language leaves open;
- order, or a limit, after `stats` without a sort by all of its keys, or by what differs in its last bit (sums of quotients,
  percentiles, deviations): which rows come first is then open;
- groups of a regular expression that may take no part: null here, an empty text there;
- white space other than blanks, and letters that change their number when they change their case;
- commands that SQL has not: `pattern`, `diff`, `unnest`, `parse` as logfmt, CSV and XML, `fillmissing` and their like.
"""

import json
import math
import os
import random
import subprocess

import drawn
import duckdb
import pytest
from conftest import example
from two_languages import MACROS

SEED = int(os.environ.get("MUSTER_DUCKDB_SEED", "5"))
QUERIES = int(os.environ.get("MUSTER_DUCKDB_QUERIES", "1000"))
# Each set of records is asked so many queries.
PER_SET = 125


def same(one, other) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)


def alike(found: dict, wanted: dict) -> bool:
    return found.keys() == wanted.keys() and all(same(value, wanted[name]) for name, value in found.items())


class Peer:
    """DuckDB with the drawn records as one table."""

    def __init__(self, records: list[dict]) -> None:
        self.connection = duckdb.connect(config={"threads": 1})
        self.connection.execute(MACROS)
        self.connection.execute(drawn.TABLE)
        rows = [drawn.row(record) for record in records]
        if rows:
            self.connection.executemany(f"insert into records values ({', '.join('?' * len(rows[0]))})", rows)

    def rows(self, query) -> list[dict]:
        found = []
        for row in self.connection.execute(query.sql).fetchall():
            pairs = {}
            for at, name in enumerate(query.shown):
                number, words = row[2 * at : 2 * at + 2]
                value = words if number is None else number
                if value is not None:
                    pairs[name] = value
            found.append(pairs)
        return found


def in_order(rows: list[dict], query) -> list[dict]:
    """Groups in no order of their own are put into one, by their keys."""
    if query.order:
        return rows
    return sorted(rows, key=lambda row: [str(row.get(name)) for name in query.keys])


def differing(found, query, wanted: list[dict]) -> str | None:
    """What is wrong with an answer."""
    if isinstance(found, str):
        return found
    found, wanted = in_order(found, query), in_order(wanted, query)
    if len(found) != len(wanted):
        return f"{len(found)} rows, not {len(wanted)}"
    pairs = [(one, other) for one, other in zip(found, wanted) if not alike(one, other)]
    return f"{pairs[0][0]}\n  instead of {pairs[0][1]}" if pairs else None


def test_a_thousand_drawn_queries_give_the_rows_of_duckdb(tmp_path):
    print(f"MUSTER_DUCKDB_SEED={SEED} MUSTER_DUCKDB_QUERIES={QUERIES}")
    rng = random.Random(SEED)
    program = example("query", "answers")
    faults, with_rows = [], 0
    for number in range(0, QUERIES, PER_SET):
        records = drawn.records(rng, rng.choice([1, 40, 150, 400]))
        lines, store = tmp_path / f"{number}.ndjson", tmp_path / f"store-{number}"
        lines.write_text("".join(json.dumps({k: v for k, v in it.items() if k != "values"}) + "\n" for it in records))
        queries = [drawn.draw(rng) for _ in range(min(PER_SET, QUERIES - number))]
        asked, answered = tmp_path / f"{number}.asked", tmp_path / f"{number}.answered"
        asked.write_text("".join(json.dumps({"text": it.text, "from_ms": since, "to_ms": until}) + "\n" for it, since, until in queries))
        with asked.open() as questions, answered.open("w") as out:
            running = subprocess.Popen([program, lines, store], stdin=questions, stdout=out)
        peer = Peer(records)
        wanted = [peer.rows(query) for query, *_ in queries]
        assert running.wait() == 0
        answers = [json.loads(line) for line in answered.read_text().splitlines()]
        assert len(answers) == len(queries)
        for (query, *_), rows, answer in zip(queries, wanted, answers):
            with_rows += bool(rows)
            for place, found in answer.items():
                fault = differing(found, query, rows)
                if fault:
                    faults.append(f"{place}: {query.text}\n  {fault}\n  {query.sql}\n")
    shown = "\n".join(faults[:6])
    if faults:
        pytest.fail(f"{len(faults)} of {2 * QUERIES} answers differ, seed {SEED}:\n{shown}", pytrace=False)
    # Queries that find nothing would prove little.
    assert with_rows * 2 > QUERIES, f"{with_rows} of {QUERIES} queries gave rows"


def test_the_command_reads_a_file_as_duckdb_does(muster, tmp_path):
    """`muster query` on NDJSON, and DuckDB's own reader of JSON on the same file."""
    rng = random.Random(SEED)
    lines = tmp_path / "records.ndjson"
    with lines.open("w") as out:
        for number in range(300):
            values = {"Timestamp": drawn.START_MS + number * 7_000, "level": rng.choice(drawn.LEVELS), "took": rng.randint(-50, 4_000)}
            out.write(json.dumps(values | ({"dock": rng.choice(drawn.DOCKS)} if rng.random() < 0.7 else {})) + "\n")
    table = f"read_json('{lines}', format = 'newline_delimited')"
    for text, sql in [
        ("stats count(*) as n, sum(took) as s by level | sort level", f"select level, count(*) n, sum(took)::double s from {table} group by 1 order by 1"),
        ("filter dock like /o/ and took > 100 | stats avg(took) as a, pct(took, 90) as p by dock | sort dock",
         f"select dock, avg(took) a, quantile_cont(took, 0.9) p from {table} where dock like '%o%' and took > 100 group by 1 order by 1"),
        ("filter not (dock = \"north\") | sort took desc, @timestamp asc | limit 20 | display took, level",
         f"select took, level from {table} where dock is distinct from 'north' order by took desc, Timestamp limit 20"),
        ("stats count(*) as n by bin(5m) as b | stats max(n) as m, count(*) as c",
         f"select max(n) m, count(*) c from (select count(*) n from {table} group by Timestamp // 300000)"),
    ]:
        done = subprocess.run([muster, "query", text, lines, "--output", "json"], capture_output=True, text=True, check=True, timeout=60)
        relation = duckdb.sql(sql)
        wanted = [dict(zip(relation.columns, row)) for row in relation.fetchall()]
        found = json.loads(done.stdout)
        assert len(found) == len(wanted) and all(alike(one, other) for one, other in zip(found, wanted)), f"{text}: {found}, not {wanted}"
