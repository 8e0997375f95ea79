"""Every invariant that the core names has a judge in the simulator, or a sentence saying who watches it instead."""

import re

from repository import ROOT, named, short, text

CATALOGUE = ROOT / "crates/fleet/src/invariant.rs"
JUDGES = ROOT / "crates/simulator/src/judges"


def catalogue() -> dict[str, str]:
    """Id and `not_judged_because`, as written: `None`, `Some("...")`, or the name of a constant."""
    entries = re.findall(r'Invariant\s*\{\s*id:\s*"(I\d+)".*?not_judged_because:\s*(.*?),?\s*\}', text(CATALOGUE), flags=re.DOTALL)
    return dict(entries)


def test_the_catalogue_numbers_its_invariants_without_gaps():
    assert list(catalogue()) == [f"I{number}" for number in range(1, len(catalogue()) + 1)]
    assert len(catalogue()) >= 21


def test_every_invariant_has_a_judge_or_a_stated_reason():
    judged = set()
    for path in named(".rs"):
        if short(path).startswith(short(JUDGES)):
            judged |= set(re.findall(r"\bI[1-9][0-9]?\b", text(path)))
    missing = [name for name, reason in catalogue().items() if reason == "None" and name not in judged]
    assert not missing, f"no judge in {short(JUDGES)} names {missing}: write one, or say why not in {short(CATALOGUE)}"


def test_reasons_are_sentences():
    for name, reason in catalogue().items():
        if reason == "None":
            continue
        if not reason.startswith("Some"):
            (reason,) = re.findall(rf"const {reason}: Option<&str> = (.*?);\n", text(CATALOGUE), flags=re.DOTALL)
        assert len(reason.split()) >= 4, f"{name}: {reason}"
