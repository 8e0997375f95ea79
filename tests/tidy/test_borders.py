"""What a crate may not depend on. Cargo would let it; the design does not."""

import re

import pytest

try:
    import tomllib
except ModuleNotFoundError:
    import tomli as tomllib

from repository import ROOT, named, short, text, without_comments

# Crate: what may not stand in its Cargo.toml, and why.
FORBIDDEN = {
    "fleet": (r"tokio.*|aws.*|rand.*|engine|wire|simulator|muster|hyper.*|reqwest|rusqlite|getrandom|fastrand|uuid", "the core is pure"),
    "engine": (r"aws.*|wire|simulator|muster|axum|hyper.*", "the engine knows the cloud by its port only"),
    "insights": (
        r"tokio.*|datafusion.*|arrow.*|parquet.*|aws.*|hyper.*|rusqlite|rand.*|getrandom|fastrand|fleet|engine|wire|simulator|muster",
        "whoever only reads the language does not wait for an engine to compile",
    ),
    "telemetry": (
        r"datafusion.*|aws.*|engine|wire|simulator|muster|query|axum|hyper.*|rusqlite",
        "whoever only keeps records does not wait for a query engine to compile",
    ),
    "query": (r"aws.*|fleet|engine|wire|simulator|muster|axum|hyper.*|rusqlite", "an engine over records, whoever asks"),
    "wire": (r"tokio|aws.*|fleet|engine|simulator|muster", "framing is bytes in, bytes out"),
    "simulator": (r"fleet|aws.*|muster", "the pretend AWS must not share beliefs with the judge of it"),
    "aws": (r"simulator|muster|axum|rusqlite|aws-sdk-(ec2|ssm)", "the real cloud, and only what compiles in reasonable time"),
}

# Crates whose code is a function of its arguments.
PURE = ("crates/fleet/src/", "crates/insights/src/")

# What reads a clock, chance, the environment, the disk or a socket, or lets a hash decide an order.
IMPURE = re.compile(
    r"Timestamp::now|Zoned::now|SystemTime::now|Instant::now|std::env\b|env::var|std::fs\b|std::net\b|std::process\b|thread::sleep"
    r"|std::time::(Instant|SystemTime)|\bRandomState\b|std::collections::Hash(Map|Set)|thread_rng|std::thread::spawn"
)


@pytest.mark.parametrize("crate", FORBIDDEN)
def test_a_crate_does_not_depend_on_what_it_must_not(crate):
    pattern, reason = FORBIDDEN[crate]
    manifest = tomllib.loads(text(ROOT / "crates" / crate / "Cargo.toml"))
    found = [
        name
        for section in ("dependencies", "build-dependencies")
        for name in manifest.get(section, {})
        if re.fullmatch(pattern, name)
    ]
    # In tests the core may be fed at random; nothing else is let in.
    found += [name for name in manifest.get("dev-dependencies", {}) if re.fullmatch(pattern, name) and crate in ("fleet", "simulator")]
    assert not found, f"{crate} depends on {found}: {reason}"


def test_datafusion_is_linked_by_one_crate_alone():
    found = [
        f"{short(manifest)}: {name}"
        for manifest in sorted((ROOT / "crates").glob("*/Cargo.toml"))
        for name in tomllib.loads(text(manifest)).get("dependencies", {})
        if name.startswith("datafusion") and manifest.parent.name != "query"
    ]
    assert not found


def code_of(path) -> str:
    """A file's code without its tests, which stand at its end."""
    return without_comments(re.split(r"#\[cfg\(test\)\]\s*(?:pub(?:\([^)]*\))?\s+)?mod\s+\w+\s*\{", text(path))[0])


def test_what_is_pure_reads_no_clock_no_chance_and_no_environment():
    found = [
        f"{short(path)}: {match.group()}"
        for path in named(".rs")
        if short(path).startswith(PURE)
        for match in IMPURE.finditer(code_of(path))
    ]
    assert not found


def test_the_core_is_not_async():
    found = [
        short(path)
        for path in named(".rs")
        if short(path).startswith(PURE) and re.search(r"\basync\s+(fn|move|\{)|\.await\b", code_of(path))
    ]
    assert not found


def test_every_crate_takes_the_lints_of_the_workspace():
    for manifest in sorted((ROOT / "crates").glob("*/Cargo.toml")):
        assert tomllib.loads(text(manifest)).get("lints") == {"workspace": True}, short(manifest)
