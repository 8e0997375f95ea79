"""Records and queries drawn from a seed, for `test_duckdb.py`.

Records are JSON with fields that are sometimes absent, sometimes null and sometimes of another kind, and now and then a line
that is no JSON. Numbers behind the point are eighths, so that a sum is the same in whatever order it is made.
"""

import json
import random

from two_languages import (
    Expr,
    Query,
    among,
    arithmetic,
    bucket,
    call,
    choice,
    compare,
    constant,
    first_present,
    joined,
    like,
    negation,
)

START_MS = 1_791_201_600_000
HOURS_MS = 3 * 3_600_000

LEVELS = ["INFO", "WARN", "ERROR"]
DOCKS = ["north", "south", "Süd", "東", "dock seven", "it's", 'say "go"', "back\\slash", " pad ", ""]
CODES = [200, 404, 500, "200", "x", "7a", "0404", None]
NUMBERS = ["12", "1.5", "-3", "007", "7", "+4", ".5", "1e3", " ", "b c", "7a", "-", ""]

# Name, kind, type in DuckDB. A field of two kinds has two columns there.
COLUMNS = [
    ("level", "text", "varchar"),
    ("dock", "text", "varchar"),
    ("took", "number", "double"),
    ("load", "number", "double"),
    ("on", "truth", "boolean"),
    ("num", "text", "varchar"),
    ("net.rx", "number", "double"),
    ("say", "text", "varchar"),
    ("code", "any", "double"),
]


def record(rng: random.Random) -> tuple[str, dict]:
    """A message, and the values of its fields."""
    if rng.random() < 0.05:
        return rng.choice(["gate open", "took=7 by mia", '{"broken":', "é 7 \"x\"", "[1,2]"]), {}
    values = {}

    def maybe(share: float, name: str, draw) -> None:
        if rng.random() < share:
            values[name] = draw()

    maybe(0.9, "level", lambda: rng.choice(LEVELS))
    maybe(0.8, "dock", lambda: rng.choice(DOCKS))
    maybe(0.85, "took", lambda: rng.choice([rng.randint(-50, 4_000), rng.randint(-3, 9)]))
    maybe(0.75, "load", lambda: rng.choice([rng.randint(-24, 72) / 8, float(rng.randint(-3, 9)), rng.randint(0, 5)]))
    maybe(0.5, "on", lambda: rng.random() < 0.5)
    maybe(0.7, "num", lambda: rng.choice(NUMBERS))
    maybe(0.6, "net", lambda: {"rx": rng.randint(0, 9), "name": rng.choice(LEVELS)})
    maybe(0.7, "say", lambda: rng.choice([f"user={rng.choice(['mia', 'zoë', 'leo'])} took={rng.randint(1, 40)} ms", "gate [open] now", ""]))
    maybe(0.8, "code", lambda: rng.choice(CODES))
    separators = rng.choice([(",", ":"), (", ", ": ")])
    return json.dumps(values, ensure_ascii=False, separators=separators), values


def records(rng: random.Random, count: int) -> list[dict]:
    """Records in the order of their times, no two of which are the same."""
    times = sorted(rng.sample(range(HOURS_MS), count))
    drawn = []
    for offset in times:
        message, values = record(rng)
        drawn.append({"timestamp_ms": START_MS + offset, "stream": rng.choice(["a/1", "b/2"]), "message": message, "values": values})
    return drawn


def row(one: dict) -> list:
    """A record as a row of the table `records`: its time, stream and message, then its fields."""
    values = dict(one["values"]) | {"net.rx": one["values"].get("net", {}).get("rx")}
    code = values.get("code")
    values["code"] = None if isinstance(code, str) else code
    return [one["timestamp_ms"], one["stream"], one["message"], *(values.get(name) for name, *_ in COLUMNS), code if isinstance(code, str) else None]


TABLE = "create table records (ts bigint, stream varchar, message varchar, {}, \"code.words\" varchar)".format(
    ", ".join(f'"{name}" {kind}' for name, _, kind in COLUMNS)
)


def scope() -> dict[str, Expr]:
    # Texts of `say` have digits inside, whose natural order SQL has not.
    fields = {
        name: Expr(name, kind, f'"{name}"', f'"{name}.words"' if kind == "any" else "null", sorts=name != "say")
        for name, kind, _ in COLUMNS
    }
    return fields | {
        "@timestamp": Expr("@timestamp", "time", "ts"),
        "@logStream": Expr("@logStream", "text", "stream", sorts=False),
        "@message": Expr("@message", "text", "message", sorts=False),
        # No record has it.
        "nosuch": Expr("nosuch", "text", "cast(null as varchar)"),
    }


BUCKETS = [("bin", 300_000, "5m"), ("bin", 30_000, "30s"), ("bin", 3_600_000, "1h"), ("datefloor", 600_000, "10m"), ("dateceil", 900_000, "15m")]
CONSTANTS = [0, 1, 45, 200, 5.5, -3, 2.5, 7, 404, "north", "ERROR", "200", "12", "x", "", "Süd", "1e3", "it's", 'say "go"', "back\\slash", "007"]
PARTS = [("o", False), ("ERR", False), ("'", False), ("", False), ("^.o", True), (r"\d+", True), ("(?i)warn", True), ("^(a|b)?[a-z ]+$", True), ("ü", True), (r"[^\w\s]", True)]


class Drawer:
    """Draws expressions over the fields that a query has at this point."""

    def __init__(self, rng: random.Random, query: Query) -> None:
        self.rng, self.query = rng, query

    def field(self, *kinds: str) -> Expr:
        # What differs in its last bit is shown, but nothing is decided by it.
        decided = [it for it in self.query.scope.values() if it.sorts or it.kind != "number"]
        all_fields = [it for it in decided if not kinds or it.kind in kinds]
        return self.rng.choice(all_fields) if all_fields else constant(self.rng.choice([1, 2.5]))

    def constant(self) -> Expr:
        return constant(self.rng.choice(CONSTANTS))

    def number(self, depth: int) -> Expr:
        rng = self.rng
        if depth == 0:
            return constant(rng.choice([1, 2.5, 0, 10, 3])) if rng.random() < 0.25 else self.field("number", "text", "any", "truth")
        one = self.number(depth - 1)
        match rng.randrange(10):
            case 0 | 1 | 2 | 3:
                # No power: what a computed one is to the last bit is left to the library.
                return arithmetic(one, rng.choice("+-*/%"), self.number(depth - 1))
            case 4:
                name, sql = rng.choice([("abs", "abs({})"), ("ceil", "ceil({})"), ("floor", "floor({})"), ("toInt", "trunc({})")])
                return call(name, "number", sql.format(one.number), one)
            case 5:
                of = self.field("text")
                return call("strlen", "number", f"cast(length({of.printed}) as double)", of)
            case 6:
                return choice(self.condition(depth - 1), one, self.number(depth - 1))
            case 7:
                return first_present(one, self.number(depth - 1))
            case 8:
                other = self.number(depth - 1)
                name = rng.choice(["greatest", "least"])
                both = f"case when {one.number} is not null and {other.number} is not null then {name}({one.number}, {other.number}) end"
                return call(name, "number", both, one, other)
            case _:
                return call("toNumber", "number", one.number, one)

    def words(self) -> Expr:
        rng = self.rng
        of = self.field("text")
        match rng.randrange(8):
            case 0:
                name, sql = rng.choice([("toupper", "upper({})"), ("tolower", "lower({})"), ("trim", "trim({})"), ("ltrim", "ltrim({})")])
                return call(name, "text", sql.format(of.printed), of, sorts=of.sorts)
            case 1:
                other = self.field("text", "number", "any", "truth")
                return call("concat", "text", f"({of.printed} || '-' || {other.printed})", of, constant("-"), other, sorts=False)
            case 2:
                start, count = rng.randint(0, 3), rng.randint(1, 4)
                return call("substr", "text", f"substring({of.printed}, {start + 1}, {count})", of, constant(start), constant(count), sorts=False)
            case 3:
                return call("replace", "text", f"replace({of.printed}, 'o', 'é')", of, constant("o"), constant("é"), sorts=of.sorts)
            case 4:
                return choice(self.condition(1), of, self.field("text"))
            case 5:
                return first_present(of, self.field("text", "number"))
            case _:
                return of

    def condition(self, depth: int) -> Expr:
        rng = self.rng
        operator = rng.choice(["=", "!=", "<", "<=", ">", ">="])
        match rng.randrange(8 if depth == 0 else 13):
            case 0 | 1:
                of = self.field("number", "text", "any", "truth")
                return compare(of, operator, self.constant())
            case 2:
                # A time and a text are not compared: texts of times are read in ways that SQL has not.
                kinds = ["number", "text", "any"]
                return compare(self.field(*kinds), operator, self.field(*kinds))
            case 3:
                part, regex = rng.choice(PARTS)
                return like(self.field("text", "any", "number"), part, regex, rng.random() < 0.4)
            case 4:
                return among(self.field("text", "any", "number"), [self.constant() for _ in range(rng.randint(1, 4))], rng.random() < 0.4)
            case 5:
                of = self.field()
                blank = {"ispresent": of.present, "isempty": f"(not {of.present} or {of.printed} = '')", "isblank": f"(not {of.present} or trim({of.printed}) = '')",
                         "isNumeric": f"({of.number} is not null)"}
                name = rng.choice(list(blank))
                return call(name, "truth", f"coalesce({blank[name]}, false)", of)
            case 6:
                of, part = self.field("text"), constant(rng.choice(["o", "n", "s", "7", ""]))
                name, sql = rng.choice([("strcontains", "contains"), ("startsWith", "starts_with"), ("endsWith", "ends_with")])
                return call(name, "truth", f"coalesce({sql}({of.printed}, {part.sql}), false)", of, part)
            case 7:
                if "@timestamp" in self.query.scope and rng.random() < 0.3:
                    return compare(self.query.scope["@timestamp"], operator, constant(START_MS + rng.randrange(HOURS_MS)))
                return compare(self.number(min(depth, 1)), operator, constant(rng.choice([0, 1, 45, 2.5, -3])))
            case 8 | 9:
                return negation(self.condition(depth - 1))
            case 10:
                return joined(self.condition(depth - 1), "and", self.condition(depth - 1))
            case 11:
                return joined(self.condition(depth - 1), "or", self.condition(depth - 1))
            case _:
                return self.field("truth", "number")

    def aggregate(self) -> Expr:
        rng = self.rng
        match rng.randrange(11):
            case 0:
                return Expr("count(*)", "number", "cast(count(*) as double)")
            case 1:
                of = self.field()
                return call("count", "number", f"cast(count(*) filter (where {of.present}) as double)", of)
            case 2:
                of = self.field("text", "number", "any", "truth")
                return call("count_distinct", "number", f"cast(count(distinct {of.printed}) as double)", of)
            case 3 | 4:
                of, name = self.number(1), rng.choice(["sum", "avg"])
                return call(name, "number", f"{name}({of.number})", of, sorts=of.exact, exact=name == "sum")
            case 5:
                of, name = self.field("number"), rng.choice(["min", "max"])
                return call(name, "number", f"{name}({of.number})", of)
            case 6:
                of, rank = self.field("number", "text", "any"), rng.choice([0, 25, 50, 90, 95, 99, 99.9, 100])
                return call("pct", "number", f"quantile_cont({of.number}, {rank / 100!r})", of, constant(rank), sorts=False, exact=False)
            case 7:
                of = self.field("number", "text")
                name, sql = rng.choice([("stddev", "stddev_pop"), ("variance", "var_pop")])
                return call(name, "number", f"{sql}({of.number})", of, sorts=False, exact=False)
            case 8 if "@timestamp" in self.query.scope:
                of = self.field("number", "text")
                name, sql = rng.choice([("earliest", "arg_min"), ("latest", "arg_max")])
                return call(name, of.kind, f"{sql}({of.sql}, ts)", of, sorts=of.sorts)
            case 9 if "@timestamp" in self.query.scope:
                of = self.query.scope[rng.choice(["level", "dock", "took", "load"])]
                name, sql = rng.choice([("sortsFirst", "min"), ("sortsLast", "max")])
                return call(name, of.kind, f"{sql}({of.sql})", of)
            case _:
                return arithmetic(self.plain_aggregate(), rng.choice("+-*/"), self.plain_aggregate())

    def plain_aggregate(self) -> Expr:
        name, of = self.rng.choice(["sum", "min", "max", "avg"]), self.field("number")
        return call(name, "number", f"{name}({of.number})", of, sorts=of.exact, exact=name != "avg")


def prepare(rng: random.Random, query: Query) -> None:
    """Some commands that leave records records."""
    for _ in range(rng.choices([0, 1, 2, 3, 6], [1, 4, 4, 2, 1])[0]):
        drawer = Drawer(rng, query)
        match rng.randrange(8):
            case 0 | 1 | 2:
                query.filter(drawer.condition(2))
            case 3:
                query.fields(query.fresh("x"), drawer.number(2))
            case 4:
                query.fields(query.fresh("w"), drawer.words())
            case 5:
                query.fields(query.fresh("c"), drawer.condition(1))
            case 6:
                one, other = query.fresh("g"), query.fresh("h")
                typed, pattern, names, of = rng.choice([
                    ('"user=* took=* "', r"(?s)user=(.*?) took=(.*?) ", [one, other], "say"),
                    ('"[*]*"', r"(?s)\[(.*?)\](.*)", [one, other], "say"),
                    ('"*o*"', r"(?s)^(.*?)o(.*)", [one, other], "dock"),
                    ('"*"', "(?s)^(.*)", [one], rng.choice(["dock", "took", "nosuch"])),
                    ('"\\"took\\":*,"', r'(?s)"took":(.*?),', [one], "@message"),
                ])
                if of in query.scope:
                    query.parse(query.scope[of], typed, pattern, names, False)
            case _:
                one, other = query.fresh("p"), query.fresh("r")
                pattern, names, of = rng.choice([
                    (r"user=([^ ]+) took=(\d+)", [one, other], "say"), (r"^([a-z]+)", [one], "dock"), (r"(\d+)$", [one], "num"), ("^([a-z]*)", [one], "level"),
                    (r'"level": ?"([A-Z])([A-Z]+)"', [one, other], "@message"),
                ])
                if of in query.scope:
                    typed = pattern
                    for name in names:
                        typed = typed.replace("(", f"\0?<{name}>", 1)
                    query.parse(query.scope[of], "/" + typed.replace("\0", "(") + "/", pattern, names, True)


def group(rng: random.Random, query: Query, often: bool) -> None:
    """`stats`, several times."""
    drawer = Drawer(rng, query)
    by = []
    for position in range(rng.choice([0, 1, 1, 2, 3]) if often else rng.choice([0, 1])):
        key = drawer.field("text", "number", "any", "truth")
        if "@timestamp" in query.scope and rng.random() < 0.3:
            key = bucket(*rng.choice(BUCKETS))
        elif rng.random() < 0.2:
            key = rng.choice([drawer.words, lambda: drawer.condition(1), lambda: drawer.number(1)])()
        if key.text not in [of.text for _, of in by]:
            by.append((f"k{position}_{len(query.tables)}", key))
    items = [(f"s{position}_{len(query.tables)}", drawer.aggregate()) for position in range(rng.randint(1, 4))]
    items.append((f"n_{len(query.tables)}", Expr("count(*)", "number", "cast(count(*) as double)")))
    query.stats(items, by)
    exact = [name for name, of in query.scope.items() if of.sorts and of.kind == "number"]
    if exact and rng.random() < 0.3:
        query.filter(compare(query.scope[rng.choice(exact)], rng.choice([">", "!=", "<="]), constant(rng.choice([0, 1, 3]))))


def draw(rng: random.Random) -> tuple[Query, int, int]:
    """A query, and the time that it is asked about."""
    query = Query(scope())
    from_ms, to_ms = START_MS, START_MS + HOURS_MS
    if rng.random() < 0.3:
        from_ms += rng.randrange(HOURS_MS // 2)
        to_ms -= rng.randrange(HOURS_MS // 2)
    query.within(from_ms, to_ms)
    prepare(rng, query)
    if rng.random() < 0.55:
        for step in range(rng.choices([1, 2, 3], [7, 2, 1])[0]):
            group(rng, query, step == 0)
        sortable = [name for name, of in query.scope.items() if of.sorts and name not in query.keys]
        if sortable and all(query.scope[name].sorts for name in query.keys) and rng.random() < 0.7:
            first = rng.sample(sortable, min(len(sortable), rng.randint(0, 2)))
            rest = rng.sample(query.keys, len(query.keys))
            if first + rest:
                query.sort([(name, rng.choice([None, True, False])) for name in first + rest])
                if rng.random() < 0.5:
                    query.limit(rng.randint(1, 20), rng.choice(["limit", "limit", "tail"]))
        return query, from_ms, to_ms
    names = [name for name in query.scope if name != "nosuch"]
    if rng.random() < 0.6:
        sortable = [name for name in query.scope if query.scope[name].sorts]
        query.sort([(name, rng.choice([None, True, False])) for name in rng.sample(sortable, rng.randint(1, 3))])
    match rng.randrange(4):
        case 0:
            query.limit(rng.randint(1, 60), rng.choice(["limit", "head", "tail"]))
            query.display(rng.sample(names, rng.randint(1, 5)))
        case 1:
            query.display(["@timestamp", *rng.sample(names, rng.randint(1, 3))][: rng.randint(1, 4)])
        # Without `fields` time and message are shown as well.
        case 2 if any(text.startswith("fields") for text in query.texts):
            query.dedup(rng.sample([name for name in names if query.scope[name].kind != "time"], rng.randint(1, 2)))
            if rng.random() < 0.5:
                query.limit(rng.randint(1, 20), "limit")
        case _:
            query.display(rng.sample(names, rng.randint(1, 4)))
            if rng.random() < 0.5:
                query.limit(rng.randint(1, 60), "limit")
    return query, from_ms, to_ms
