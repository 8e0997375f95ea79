"""Every invariant that the core names has a judge in the simulator, or a sentence saying who watches it instead."""

import re

from repository import ROOT, named, short, text

CATALOGUE = ROOT / "crates/fleet/src/invariant.rs"
JUDGES = ROOT / "crates/simulator/src/judges"
ID = re.compile(r"\bI([1-9][0-9]?)\b")


def ids(source: str) -> set[int]:
    return {int(number) for number in ID.findall(source)}


def reasoned(source: str) -> set[int]:
    """Ids whose line or doc comment says `no judge:` and a reason of at least four words."""
    found = set()
    for line in re.findall(r"[^\n]*\bno judge: *[^\n]+", source, flags=re.IGNORECASE):
        if len(line.split("judge:", 1)[-1].split()) >= 4:
            found |= ids(line)
    return found


def test_every_invariant_has_a_judge_or_a_stated_reason():
    catalogue = text(CATALOGUE)
    assert ids(catalogue), "the catalogue names no invariant"
    judged = set()
    for path in named(".rs"):
        if short(path).startswith(short(JUDGES)):
            judged |= ids(text(path))
    missing = sorted(ids(catalogue) - judged - reasoned(catalogue))
    assert not missing, (
        f"no judge in {short(JUDGES)} names I{missing}, and {short(CATALOGUE)} does not say why: write `I{missing[0]} no judge: REASON` there"
    )
