"""Every mutant still applies to the tree, is described, and stands in the table: a patch that has rotted proves nothing."""

import os
import re
import subprocess

import pytest
from repository import ROOT, named, short, text

PATCHES = [path for path in named(".patch") if path.parent == ROOT / "mutants"]
README = ROOT / "mutants/README.md"


def header(path) -> dict[str, str]:
    lines = text(path).split("\ndiff --git ", 1)[0].splitlines()
    return dict(line.split(": ", 1) for line in lines if ": " in line)


@pytest.mark.parametrize("path", PATCHES, ids=short)
def test_a_mutant_applies_to_the_tree(path):
    git = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    tried = subprocess.run(["git", "apply", "--check", str(path)], cwd=ROOT, env=git, capture_output=True, text=True)
    assert tried.returncode == 0, f"{tried.stderr}\nmake its bug again in the code as it is now: mutants/README.md says how"


@pytest.mark.parametrize("path", PATCHES, ids=short)
def test_a_mutant_says_what_it_does_and_who_is_to_catch_it(path):
    said = header(path)
    assert {"Mutant", "Does", "Where", "Expected", "Swarm"} <= said.keys()
    assert re.fullmatch(r"M([1-9]|1[0-9]|2[0-5])", said["Mutant"])
    assert path.name.startswith(f"m{int(said['Mutant'][1:]):02}")
    assert said["Swarm"] == "yes" or said["Swarm"].startswith("no: ") and "Tests" in said


def test_a_mutant_changes_the_product_and_no_test():
    for path in PATCHES:
        for changed in re.findall(r"^\+\+\+ b/(\S+)", text(path), flags=re.MULTILINE):
            assert re.match(r"crates/(fleet|engine|aws|muster)/src/", changed), f"{short(path)} changes {changed}"


def test_every_mutant_of_the_catalogue_is_there_and_in_the_table():
    there = {header(path)["Mutant"] for path in PATCHES}
    assert there == {f"M{number}" for number in range(1, 26)}
    missing = [path.stem for path in PATCHES if f"| {path.stem} |" not in text(README)]
    assert not missing, f"make mutants ONLY=... MUTANTS_ARGS=--write for {missing}"
