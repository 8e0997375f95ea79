"""The page that says what is guarded, and what Rust itself guards."""

import re

import pytest

from repository import ROOT, named, short, text, without_comments

PAGE = ROOT / "docs" / "guide" / "security.md"
# The only unsafe code there is: what the C library's allocator is told at the start, and wide registers of processors.
UNSAFE = ["crates/fleet/src/observation/decode/scan/wide.rs", "crates/muster/src/main.rs"]
CRATES = sorted(path.parent.name for path in (ROOT / "crates").glob("*/Cargo.toml"))


def test_every_proof_that_the_page_names_is_a_test():
    sources = [text(path) for path in named(".rs", ".py")]
    tests = set(re.findall(r"#\[(?:tokio::)?test[^\]]*\]\s+(?:async )?fn (\w+)", "\n".join(sources)))
    tests |= set(re.findall(r"^def (test_\w+)", "\n".join(sources), flags=re.MULTILINE))
    proofs = set(re.findall(r"`([a-z0-9]+(?:_[a-z0-9]+){3,})`", text(PAGE))) - {"muster_observed_only_accounts"}
    assert len(proofs) > 50
    assert not proofs - tests, f"no test is called so: {sorted(proofs - tests)}"


@pytest.mark.parametrize("crate", CRATES)
def test_unsafe_code_is_forbidden_wherever_there_is_none(crate):
    roots = [path for path in (ROOT / "crates" / crate / "src").glob("*.rs") if path.name in ("lib.rs", "main.rs")]
    for root in roots:
        has_some = short(root) in ("crates/fleet/src/lib.rs", "crates/muster/src/main.rs")
        assert ("#![forbid(unsafe_code)]" in text(root)) != has_some, short(root)


def test_unsafe_code_stands_in_two_files():
    unsafe = re.compile(r"\bunsafe\s*(\{|fn|impl|trait|extern)|allow\(unsafe_code\)")
    found = [short(path) for path in named(".rs") if unsafe.search(without_comments(text(path)))]
    assert found == UNSAFE
