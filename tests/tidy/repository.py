"""The repository's own text: which files there are, and what is in them."""

import re
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@cache
def files() -> tuple[Path, ...]:
    """Every file that is committed or about to be: what git tracks, and what it does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    return tuple(sorted(ROOT / name for name in set(listed.split("\0")) if name and (ROOT / name).is_file()))


def named(*suffixes: str) -> list[Path]:
    """The files that end so, `.rs` or `README.md`."""
    return [path for path in files() if path.name.endswith(suffixes)]


@cache
def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def without_comments(rust: str) -> str:
    """Rust without comments, strings kept. Good enough to look for names in."""
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", rust, flags=re.DOTALL)


def fenced_blocks(markdown: str) -> list[tuple[int, str, str]]:
    """Line number, language and body of each fenced block."""
    found = []
    for match in re.finditer(r"^```([^\n]*)\n(.*?)^```\s*$", markdown, flags=re.MULTILINE | re.DOTALL):
        found.append((markdown.count("\n", 0, match.start()) + 1, match.group(1).strip(), match.group(2)))
    return found
