"""The commands that the README and the guide tell people to type, and which of them are run here.

A fenced `sh` block is a sequence of commands. The blocks of a page are run in order in one empty folder, as a reader
would type them, against the simulator (or moto, where a page needs services that the simulator does not have).

* A line that ends in `# exit 1` is expected to end so; every other line must succeed.
* `muster serve`, `muster simulate` and `muster demo` go on running in the background until the end of the page, as in a terminal of
  their own. The port that they name is replaced by a free one, here and in the lines that follow.
* The lines of `RUN_ELSEWHERE` build and test the whole project: they have their own proof, and are not run again here.
"""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Command: the file that runs it, and the words in that file that prove it.
RUN_ELSEWHERE = {
    "make test": (".ci/run", "\nmake test\n"),
    "make demo": ("tests/readme/test_make_demo.py", '"make", "demo"'),
}

# Pages whose commands need more of AWS than the simulator pretends.
AGAINST_MOTO = {"docs/guide/deploy.md", "docs/guide/permissions.md"}


def pages() -> list[Path]:
    """The README and the pages of the guide that hold commands."""
    candidates = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs" / "guide").glob("*.md"))]
    return [page for page in candidates if steps(page)]


def steps(page: Path) -> list[str]:
    """The commands of a page in order, continued lines put together, without those that are run elsewhere."""
    found = []
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL):
        joined = re.sub(r"\\\n\s*", "", block)
        for line in joined.splitlines():
            command = line.strip()
            if command and not command.startswith("#") and re.sub(r"\s+#.*", "", command) not in RUN_ELSEWHERE:
                found.append(command)
    return found


def configurations(page: Path) -> list[str]:
    """The `toml` blocks of a page: each is a configuration of its own."""
    text = page.read_text(encoding="utf-8")
    return re.findall(r"^```toml\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def expected_exit(command: str) -> int:
    told = re.search(r"#.*\bexit (\d+)", command)
    return int(told.group(1)) if told else 0
