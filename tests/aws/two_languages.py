"""Expressions and commands of the Logs Insights language, each with the SQL of DuckDB that means the same.

An `Expr` holds both texts. A value of the language is a number, a text, a time, true or false, or, of a field that has
several kinds, a number or a text (`any`, two columns in SQL). A `Query` is a chain of commands: in the language joined by
`|`, in SQL one common table expression after another. Conditions are two-valued: what SQL leaves null is false here, since
the language has no third answer.
"""

from dataclasses import dataclass, field, replace

# What the language calls a number when it sees a text, and how it prints one.
MACROS = """
create macro num(t) as case when regexp_full_match(t, '[-+]?([0-9]+([.][0-9]+)?|[.][0-9]+)([eE][-+]?[0-9]+)?')
  then try_cast(ltrim(t, '+') as double) end;
create macro fin(x) as case when isfinite(x) then x end;
create macro shown(n) as case when n = trunc(n) then cast(cast(n as bigint) as varchar)
  when rtrim(printf('%.4f', n), '0') in ('-0.', '0.') then '0'
  else rtrim(rtrim(printf('%.4f', n), '0'), '.') end;
create macro moment(ms) as strftime(make_timestamp_ms(ms), '%Y-%m-%d %H:%M:%S.%g');
"""


def quoted(text: str) -> str:
    """A text of the language."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def literal(text: str) -> str:
    """A text of SQL."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True)
class Expr:
    """An expression in both languages."""

    text: str
    # number, text, any, time or truth
    kind: str
    # Of kind `any` the number; null where the value is a text.
    sql: str
    # Of kind `any` the text.
    words: str = "null"
    # Whether SQL has its natural order too, and the same value to the last bit.
    sorts: bool = True
    # Whether sums of it are the same in any order.
    exact: bool = True

    @property
    def number(self) -> str:
        match self.kind:
            case "text":
                return f"num({self.sql})"
            case "any":
                return f"coalesce({self.sql}, num({self.words}))"
            case "number":
                return self.sql
            case _:
                return f"cast({self.sql} as double)"

    @property
    def printed(self) -> str:
        match self.kind:
            case "text":
                return self.sql
            case "any":
                return f"coalesce(shown({self.sql}), {self.words})"
            case "number":
                return f"shown({self.sql})"
            case "time":
                return f"moment({self.sql})"
            case _:
                return f"cast(cast({self.sql} as integer) as varchar)"

    @property
    def present(self) -> str:
        return f"({self.sql} is not null or {self.words} is not null)" if self.kind == "any" else f"({self.sql} is not null)"

    @property
    def holds(self) -> str:
        """As a condition: true or false, never null."""
        match self.kind:
            case "truth":
                return f"coalesce({self.sql}, false)"
            case "number":
                return f"coalesce({self.sql} <> 0, false)"
            case "time":
                return self.present
            case "text":
                return f"coalesce(lower({self.sql}) = 'true' or num({self.sql}) <> 0, false)"
            case _:
                return f"coalesce({self.sql} <> 0, lower({self.words}) = 'true' or num({self.words}) <> 0, false)"

    def _sides(self) -> tuple[str, str]:
        """The value where it is a number, and where it is a text."""
        match self.kind:
            case "text":
                return "cast(null as double)", self.sql
            case "any":
                return self.sql, self.words
            case _:
                return self.number, "cast(null as varchar)"


def constant(value) -> Expr:
    if isinstance(value, bool):
        return Expr(str(value).lower(), "truth", str(value).lower())
    if isinstance(value, str):
        return Expr(quoted(value), "text", literal(value))
    return Expr(repr(value), "number", f"cast({value!r} as double)")


def truth(text: str, sql: str) -> Expr:
    return Expr(text, "truth", f"coalesce({sql}, false)")


def compare(left: Expr, operator: str, right: Expr) -> Expr:
    text = f"{left.text} {operator} {right.text}"
    present = f"{left.present} and {right.present}"
    kinds = {left.kind, right.kind}
    if kinds == {"truth", "text"}:
        logical, words = (left, right) if left.kind == "truth" else (right, left)
        equal = f"coalesce(({words.sql} in ('true', '1') and {logical.sql}) or ({words.sql} in ('false', '0') and not {logical.sql}), false)"
        sql = {"=": equal, "<=": equal, ">=": equal, "!=": f"not {equal}"}.get(operator, "false")
        return truth(text, f"{present} and {sql}")
    (n1, t1), (n2, t2) = left._sides(), right._sides()
    if operator in ("=", "!="):
        equal = f"coalesce({n1} = {n2}, {t1} = {t2}, {n1} = num({t2}), num({t1}) = {n2}, false)"
        return truth(text, f"{present} and {equal if operator == '=' else 'not ' + equal}")
    both = f"case when num({t1}) is not null and num({t2}) is not null then num({t1}) {operator} num({t2}) else {t1} {operator} {t2} end"
    return truth(text, f"{present} and coalesce({n1} {operator} {n2}, {both}, {n1} {operator} num({t2}), num({t1}) {operator} {n2}, false)")


def arithmetic(left: Expr, operator: str, right: Expr) -> Expr:
    a, b = left.number, right.number
    sql = f"pow({a}, {b})" if operator == "^" else f"({a} {operator} {b})"
    if operator in "/%":
        sql = f"case when {b} <> 0 then {sql} end"
    exact = left.exact and right.exact and operator in "+-*"
    return Expr(f"({left.text} {operator} {right.text})", "number", f"fin({sql})", sorts=same_bits(left, right), exact=exact)


def same_bits(*values: Expr) -> bool:
    """Whether what is computed of values is the same to the last bit."""
    return all(it.sorts or it.kind != "number" for it in values)


def negation(of: Expr) -> Expr:
    return Expr(f"not ({of.text})", "truth", f"(not {of.holds})")


def joined(left: Expr, word: str, right: Expr) -> Expr:
    return Expr(f"({left.text} {word} {right.text})", "truth", f"({left.holds} {word} {right.holds})")


def like(of: Expr, pattern: str, regex: bool, negated: bool) -> Expr:
    found = f"regexp_matches({of.printed}, {literal(pattern)})" if regex else f"contains({of.printed}, {literal(pattern)})"
    typed = "/" + pattern.replace("/", "\\/") + "/" if regex else quoted(pattern)
    return truth(f"{of.text} {'not ' if negated else ''}like {typed}", f"not {found}" if negated else found)


def among(of: Expr, constants: list[Expr], negated: bool) -> Expr:
    any_equal = " or ".join(compare(of, "=", it).sql for it in constants)
    typed = f"{of.text} {'not ' if negated else ''}in [{', '.join(it.text for it in constants)}]"
    return truth(typed, f"{of.present} and {'not ' if negated else ''}({any_equal})")


def call(name: str, kind: str, sql: str, *arguments: Expr, sorts: bool | None = None, exact: bool = True) -> Expr:
    sorts = same_bits(*arguments) if sorts is None else sorts
    exact = exact and all(it.exact for it in arguments)
    return Expr(f"{name}({', '.join(it.text for it in arguments)})", kind, sql, sorts=sorts, exact=exact)


def choice(condition: Expr, yes: Expr, no: Expr) -> Expr:
    text = f"if({condition.text}, {yes.text}, {no.text})"
    exact = yes.exact and no.exact
    if yes.kind == no.kind and yes.kind in ("number", "text"):
        sql = f"case when {condition.holds} then {yes.sql} else {no.sql} end"
        return Expr(text, yes.kind, sql, sorts=yes.sorts and no.sorts, exact=exact)
    (n1, t1), (n2, t2) = yes._sides(), no._sides()
    pick = f"case when {condition.holds} then {{}} else {{}} end"
    return Expr(text, "any", pick.format(n1, n2), pick.format(t1, t2), sorts=False, exact=exact)


def first_present(one: Expr, other: Expr) -> Expr:
    text = f"coalesce({one.text}, {other.text})"
    if one.kind == other.kind and one.kind in ("number", "text", "truth"):
        exact = one.exact and other.exact
        return Expr(text, one.kind, f"coalesce({one.sql}, {other.sql})", sorts=one.sorts and other.sorts, exact=exact)
    return replace(choice(Expr("", "truth", one.present), one, other), text=text)


def bucket(name: str, millis: int, period: str) -> Expr:
    sql = f"(ts // {millis} * {millis})"
    return Expr(f"bin({period})" if name == "bin" else f"{name}(@timestamp, {period})", "time",
                f"((ts + {millis - 1}) // {millis} * {millis})" if name == "dateceil" else sql)


# A term of an order: SQL, and whether the greatest comes first.
Term = tuple[str, bool]


def order_terms(of: Expr, descending: bool) -> list[Term]:
    """Natural order: texts before numbers, equal numbers by their texts; what is absent comes last either way."""
    absent = (f"(not {of.present})", False)
    match of.kind:
        case "text" | "any":
            words = of.sql if of.kind == "text" else f"coalesce({of.words}, shown({of.sql}))"
            return [absent, (f"({of.number} is not null)", descending), (of.number, descending), (words, descending)]
        case _:
            return [absent, (of.sql, descending)]


def order_by(terms: list[Term], backwards: bool = False) -> str:
    if not terms:
        return ""
    return " order by " + ", ".join(f"{sql} {'desc' if descending != backwards else 'asc'}" for sql, descending in terms)


@dataclass
class Query:
    """Commands in both languages, one behind the other."""

    scope: dict[str, Expr]
    texts: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    # Newest first, until something else is said; no order at all after `stats`.
    order: list[Term] = field(default_factory=lambda: [("ts", True)])
    shown: list[str] = field(default_factory=list)
    # What tells one row from another; empty while rows are records.
    keys: list[str] = field(default_factory=list)

    @property
    def _last(self) -> str:
        return f"q{len(self.tables) - 1}" if self.tables else "records"

    def _step(self, text: str, sql: str) -> None:
        self.texts.append(text)
        self.tables.append(f"q{len(self.tables)} as ({sql})")

    def fresh(self, letter: str) -> str:
        return f"{letter}{len(self.tables)}"

    def within(self, from_ms: int, to_ms: int) -> None:
        """The time that the request asks about."""
        self.tables.append(f"q0 as (select * from records where ts between {from_ms} and {to_ms})")

    def filter(self, condition: Expr) -> None:
        self._step(f"filter {condition.text}", f"select * from {self._last} where {condition.holds}")

    def _columns(self, name: str, of: Expr) -> str:
        more = f', {of.words} as "{name}.words"' if of.kind == "any" else ""
        return f'{of.sql} as "{name}"{more}'

    def _define(self, name: str, of: Expr) -> None:
        self.scope[name] = Expr(name, of.kind, f'"{name}"', f'"{name}.words"' if of.kind == "any" else "null", of.sorts, of.exact)

    def fields(self, name: str, of: Expr) -> None:
        self._step(f"fields {of.text} as {name}", f"select *, {self._columns(name, of)} from {self._last}")
        self._define(name, of)
        self.shown.append(name)

    def parse(self, of: Expr, typed: str, pattern: str, names: list[str], regex: bool) -> None:
        """`pattern` is the regular expression with a group for each name, `typed` what the language has instead."""
        group = "case when regexp_matches({0}, {1}) then regexp_extract({0}, {1}, {2}) end"
        columns = [f'{group.format(of.printed, literal(pattern), at + 1)} as "{name}"' for at, name in enumerate(names)]
        named = "" if regex else " as " + ", ".join(names)
        self._step(f"parse {of.text} {typed}{named}", f"select *, {', '.join(columns)} from {self._last}")
        for name in names:
            self._define(name, Expr(name, "text", "", sorts=False))
        self.shown += names

    def stats(self, items: list[tuple[str, Expr]], by: list[tuple[str, Expr]]) -> None:
        keys = [(name, of, grouped(of)) for name, of in by]
        text = "stats " + ", ".join(f"{of.text} as {name}" for name, of in items)
        if by:
            text += " by " + ", ".join(f"{of.text} as {name}" for name, of in by)
        columns = [self._columns(name, key) for name, _, key in keys] + [self._columns(name, of) for name, of in items]
        places = sum(2 if key.kind == "any" else 1 for _, _, key in keys)
        # Without groups there is no row of no rows.
        tail = " group by " + ", ".join(str(at + 1) for at in range(places)) if keys else " having count(*) > 0"
        self._step(text, f"select {', '.join(columns)} from {self._last}{tail}")
        self.scope, self.order, self.shown = {}, [], []
        self.keys = [name for name, *_ in keys]
        for name, of in [(name, key) for name, _, key in keys] + items:
            self._define(name, of)
            self.shown.append(name)

    def sort(self, keys: list[tuple[str, bool | None]]) -> None:
        word = {None: "", True: " desc", False: " asc"}
        self.texts.append("sort " + ", ".join(self.scope[name].text + word[way] for name, way in keys))
        self.order = [term for name, way in keys for term in order_terms(self.scope[name], bool(way))] + self.order

    def limit(self, rows: int, word: str) -> None:
        self._step(f"{word} {rows}", f"select * from {self._last}{order_by(self.order, word == 'tail')} limit {rows}")

    def dedup(self, names: list[str]) -> None:
        keys = [self.scope[name] for name in names]
        numbered = f"row_number() over (partition by {', '.join(it.printed for it in keys)}{order_by(self.order)})"
        kept = " or ".join([f"not {it.present}" for it in keys] + [f"{numbered} = 1"])
        self._step(f"dedup {', '.join(it.text for it in keys)}", f"select * from {self._last} qualify {kept}")

    def display(self, names: list[str]) -> None:
        self.texts.append("display " + ", ".join(self.scope[name].text for name in names))
        self.shown = [self.scope[name].text for name in names]
        self.scope |= {self.scope[name].text: self.scope[name] for name in names}

    @property
    def text(self) -> str:
        return " | ".join(self.texts)

    @property
    def sql(self) -> str:
        """Two columns for each that is shown: a number or a text, and whichever is null."""
        columns = []
        for name in self.shown:
            of = self.scope[name]
            number, words = of._sides() if of.kind != "time" else ("null", of.printed)
            columns += [number, words]
        return f"with {', '.join(self.tables)} select {', '.join(columns)} from {self._last}{order_by(self.order)}"


def grouped(of: Expr) -> Expr:
    """The one of all values that print alike."""
    if of.kind == "number":
        return replace(of, sql=f"num(shown({of.sql}))")
    if of.kind == "any":
        words = of.printed
        is_number = f"shown(num({words})) = {words}"
        return replace(of, sql=f"case when {is_number} then num({words}) end", words=f"case when not coalesce({is_number}, false) then {words} end")
    return of
