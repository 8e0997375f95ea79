"""Documents: links lead somewhere, commands are run by a test, and nothing is said twice about the same file."""

import json
import re
import sys

import pytest

from repository import ROOT, fenced_blocks, files, named, short, text

sys.path.insert(0, str(ROOT / "tests" / "readme"))
import commands

# What a fenced block may hold. `sh` is run; everything else is shown.
SHOWN = {"text", "toml", "json", "rust", "yaml"}


def documents():
    return [path for path in named(".md")]


def anchors(path) -> set[str]:
    """The anchors of a page's headings."""
    found = set()
    for heading in re.findall(r"^#{1,6} +(.+?) *$", re.sub(r"^```.*?^```", "", text(path), flags=re.M | re.S), flags=re.M):
        words = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower())
        found.add(words.replace(" ", "-"))
    return found


def test_relative_links_lead_to_files_and_headings():
    dead = []
    for path in documents():
        prose = re.sub(r"^```.*?^```", "", text(path), flags=re.M | re.S)
        for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", prose):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            there = (path.parent / name).resolve() if name else path
            if not there.exists():
                dead.append(f"{short(path)}: {target}")
            elif anchor and there.suffix == ".md" and anchor not in anchors(there):
                dead.append(f"{short(path)}: {target} (no such heading)")
    assert not dead


def test_files_named_in_backticks_exist():
    dead = []
    for path in documents():
        for name in re.findall(r"`((?:crates|docs|deploy|scripts|tests|bench|\.ci)/[\w./-]+)`", text(path)):
            if not (ROOT / name).exists():
                dead.append(f"{short(path)}: {name}")
    assert not dead


def test_fenced_blocks_say_what_they_hold():
    odd = [
        f"{short(path)}:{line}: ```{language}"
        for path in documents()
        for line, language, _ in fenced_blocks(text(path))
        if language != "sh" and language not in SHOWN
    ]
    assert not odd, f"`sh` for commands, which are run; one of {sorted(SHOWN)} for what is shown: {odd}"


def test_commands_stand_in_sh_blocks_and_nowhere_else():
    """A command in a block that nobody runs is how a README grows old."""
    strays = [
        f"{short(path)}:{line}: {first}"
        for path in documents()
        for line, language, body in fenced_blocks(text(path))
        if language != "sh"
        for first in body.splitlines()[:1]
        if re.match(r"\$ |(muster|make|cargo|aws|curl|docker|pip|sudo) ", first)
    ]
    assert not strays


def test_every_page_with_commands_is_run_by_the_readme_tests():
    with_commands = {path for path in documents() if any(language == "sh" for _, language, _ in fenced_blocks(text(path)))}
    assert with_commands == set(commands.pages()) | {path for path in with_commands if not commands.steps(path)}
    assert ROOT / "README.md" in with_commands


@pytest.mark.parametrize("command", sorted(commands.RUN_ELSEWHERE))
def test_commands_run_elsewhere_are_really_run_there(command):
    where, proof = commands.RUN_ELSEWHERE[command]
    assert proof in text(ROOT / where), f"{where} does not run `{command}`"


def test_decisions_are_numbered_without_gaps_and_have_their_three_parts():
    decisions = sorted(path for path in documents() if short(path).startswith("docs/decisions/") and path.name[0].isdigit())
    assert decisions
    assert [int(path.name[:4]) for path in decisions] == list(range(1, len(decisions) + 1))
    for path in decisions:
        for part in ("## Context", "## Choice", "## Cost"):
            assert part in text(path), f"{short(path)} lacks {part}"


def test_json_documents_parse():
    for path in files():
        if path.suffix == ".json":
            json.loads(text(path))


def test_nothing_names_a_machine_of_its_authors():
    """Paths of somebody's home, and addresses of package registries, are no use to anybody else."""
    private = re.compile(r"/(?:root|home/\w+|Users/\w+|work)/(?!\.\.)[\w.]|(?:pypi|crates|npmjs)\.(?:org|io)/|deb\.debian\.org")
    lock = {"Cargo.lock", "package-lock.json", "requirements.txt"}
    found = [
        f"{short(path)}:{number}: {line.strip()[:100]}"
        for path in named(".rs", ".py", ".sh", ".toml", ".md", ".yaml", ".yml", ".txt", ".json", "Makefile")
        if path.name not in lock and path.name != "test_markdown.py"
        for number, line in enumerate(text(path).splitlines(), 1)
        if private.search(line)
    ]
    assert not found
