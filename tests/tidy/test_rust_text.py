"""Rust files: each is compiled, can be read at one sitting, and holds nothing unfinished."""

import re
from pathlib import Path

import pytest

from repository import named, short, text, without_comments

LINES_MAX = 700

# Words that say nothing of what a thing is for.
EMPTY_WORDS = ("manager", "handler", "helper", "util", "utils", "common")

# Written in pieces, so that this file does not find itself.
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME)\b|\b(unimple" r"mented|to" r"do)!|#\[ig" r"nore")


def rust_files() -> list[Path]:
    return [path for path in named(".rs") if "target" not in path.parts]


def module_files(path: Path) -> set[Path]:
    """The files that the `mod NAME;` lines of a file declare, also inside inline modules, and by `#[path]`."""
    rust = without_comments(text(path))
    own = path.parent if path.stem in ("lib", "main", "mod") or is_root(path) else path.parent / path.stem
    declared = set()
    for attribute, name in re.findall(r'(?:#\[path\s*=\s*"([^"]+)"\]\s*)?\bmod\s+(\w+)\s*;', rust):
        if attribute:
            declared.add((path.parent / attribute).resolve())
            continue
        folders = [own] + [own / inline for inline in re.findall(r"\bmod\s+(\w+)\s*\{", rust)]
        for folder in folders:
            declared |= {folder / f"{name}.rs", folder / name / "mod.rs"}
    for included in re.findall(r'include!\("([^"]+\.rs)"\)', rust):
        declared.add((path.parent / included).resolve())
    return declared


def is_root(path: Path) -> bool:
    """A file that Cargo compiles by itself."""
    crate = next((folder for folder in path.parents if (folder / "Cargo.toml").is_file()), None)
    if crate is None:
        return False
    inside = path.relative_to(crate)
    if inside.parts in (("src", "lib.rs"), ("src", "main.rs"), ("build.rs",)):
        return True
    if inside.parts[0] in ("tests", "benches", "examples") or inside.parts[:2] == ("src", "bin"):
        depth = 3 if inside.parts[:2] == ("src", "bin") else 2
        return len(inside.parts) == depth or (len(inside.parts) == depth + 1 and inside.name == "main.rs")
    return f'path = "{inside}"' in text(crate / "Cargo.toml")


def test_every_rust_file_is_declared_by_a_mod_line():
    present = set(rust_files())
    reached = {path for path in present if is_root(path)}
    waiting = list(reached)
    while waiting:
        for declared in module_files(waiting.pop()) & present - reached:
            reached.add(declared)
            waiting.append(declared)
    orphans = sorted(short(path) for path in present - reached)
    assert not orphans, f"no mod line leads to these files, so nothing in them is compiled: {orphans}"


def test_the_search_for_orphans_would_find_one(tmp_path, monkeypatch):
    import test_rust_text

    (tmp_path / "Cargo.toml").write_text("[package]\n")
    (tmp_path / "src" / "near").mkdir(parents=True)
    for name, body in {"lib.rs": "mod near;", "near.rs": "mod far;", "near/far.rs": "", "near/lost.rs": "", "lost.rs": ""}.items():
        (tmp_path / "src" / name).write_text(body)
    found = sorted(tmp_path.rglob("*.rs"))
    monkeypatch.setattr(test_rust_text, "rust_files", lambda: found)
    monkeypatch.setattr(test_rust_text, "short", lambda path: str(path.relative_to(tmp_path)))
    with pytest.raises(AssertionError, match=r"\['src/lost.rs', 'src/near/lost.rs'\]"):
        test_every_rust_file_is_declared_by_a_mod_line()


def test_no_file_is_longer_than_one_sitting():
    long = {short(path): text(path).count("\n") for path in rust_files() + named(".py")}
    assert not {name: lines for name, lines in long.items() if lines > LINES_MAX}


def test_nothing_is_left_unfinished():
    unfinished = [
        f"{short(path)}:{number}: {line.strip()}"
        for path in named(".rs", ".py", ".sh", ".toml", ".md", ".yaml", ".yml", ".html", "Makefile")
        for number, line in enumerate(text(path).splitlines(), 1)
        if UNFINISHED.search(line)
    ]
    assert not unfinished


def test_names_say_what_a_thing_is_for():
    empty = [
        f"file {short(path)}"
        for path in rust_files() + named(".py")
        if set(re.split(r"[_/.]", short(path).removeprefix("crates/"))) & set(EMPTY_WORDS)
    ]
    defined = re.compile(r"\b(?:struct|enum|trait|type|fn|mod|union|class|def)\s+(\w+)")
    for path in rust_files() + named(".py"):
        for name in defined.findall(without_comments(text(path)) if path.suffix == ".rs" else text(path)):
            words = {word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+", name)}
            # A test's name is a sentence, and sentences may say "common".
            if len(words) < 5 and words & set(EMPTY_WORDS):
                empty.append(f"{name} in {short(path)}")
    assert not empty, f"name these by what they do or are: {empty}"


def test_test_names_are_sentences():
    single = []
    for path in rust_files():
        for attribute, name in re.findall(r"#\[((?:tokio::)?test)[^\]]*\]\s*(?:#\[[^\]]*\]\s*)*(?:async\s+)?fn\s+(\w+)", text(path)):
            if name.count("_") < 2:
                single.append(f"{short(path)}: {name} ({attribute})")
    assert not single, f"say in the name what holds: {single}"
