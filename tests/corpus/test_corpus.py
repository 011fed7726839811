"""Stacks that are documented to run stay free of errors; documented failures are refused with the right code. README.md has the format."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from preflight.check import check
from stacks.loader import load_file
from stacks.problem import Problem
from stacks.resolve import resolve

FOLDER = Path(__file__).parent
RUNS = sorted((FOLDER / "runs").glob("*.yaml"))
FAILS = sorted((FOLDER / "fails").glob("*.yaml"))
KINDS = frozenset(
    {
        "issue",
        "measured log",
        "recipe",
        "vendor catalogue",
        "cloud tutorial",
        "tutorial",
        "documentation",
        "engine code",
        "advisory",
    }
)
WARNINGS = frozenset({"ENG012", "POD010", "SEC004", "ROL003", "SEC006", "SEC007", "VER002"})
"""Codes that are, or may be, warnings by design: the pod starts, and something else is wrong."""
_HEADER = re.compile(r"# (source|kind|says|message|expressed|read|expect): (.+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The comments at the top of a file."""

    sources: tuple[str, ...]
    kind: str
    says: str
    read: str
    expect: tuple[frozenset[str], ...]
    """Each code that must be reported; of several alternatives in one entry, one must be."""


def header(path: Path) -> Header:
    """The header, read line by line until the first line that is no comment."""
    found: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        match = _HEADER.fullmatch(line)
        assert match, f"{path.name}: {line!r} is no header line"
        found.setdefault(match[1], []).append(match[2])
    codes = [entry.strip() for entry in ",".join(found.get("expect", [])).split(",") if entry.strip()]
    return Header(
        sources=tuple(found["source"]),
        kind=found["kind"][0],
        says=found["says"][0],
        read=found["read"][0],
        expect=tuple(frozenset(entry.split("|")) for entry in codes),
    )


def problems(path: Path) -> list[Problem]:
    """What `llm-serving check` reports for a file."""
    loaded = load_file(path)
    if loaded.inputs is None:
        return loaded.problems
    return loaded.problems + loaded.located(check(loaded.inputs, resolve(loaded.inputs)))


def shown(found: list[Problem]) -> str:
    """One line a problem."""
    return "\n".join(f"{one.severity} {one.code} {one.path}: {one.message}" for one in found) or "no problem"


def named(path: Path) -> str:
    """The test's id."""
    return path.stem


@pytest.mark.parametrize("path", RUNS, ids=named)
def test_a_stack_that_is_documented_to_run_has_no_error(path: Path) -> None:
    errors = [one for one in problems(path) if one.severity == "error"]
    assert not errors, f"{header(path).says}\n{shown(errors)}"


@pytest.mark.parametrize("path", FAILS, ids=named)
def test_a_documented_failure_is_refused_with_its_code(path: Path) -> None:
    found = problems(path)
    expected = header(path)
    for codes in expected.expect:
        hits = [one for one in found if one.code in codes and (one.severity == "error" or one.code in WARNINGS)]
        assert hits, f"{expected.says}\nexpected {' or '.join(sorted(codes))}, reported:\n{shown(found)}"
        for hit in hits:
            assert len(hit.message) > 10, f"{hit.code} says too little: {hit.message!r}"
            assert hit.path, f"{hit.code} names no key"
            assert hit.line, f"{hit.code} at {hit.path} has no place in the file"


@pytest.mark.parametrize("path", RUNS + FAILS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_file_says_where_it_comes_from(path: Path) -> None:
    told = header(path)
    assert told.kind in KINDS
    assert told.says
    assert told.read
    assert all(source.startswith(("https://", "the measured table")) for source in told.sources)
    if path.parent.name == "fails":
        assert told.expect, "a failure names the codes that it expects"
        assert all(re.fullmatch(r"[A-Z]{3}[0-9]{3}", code) for codes in told.expect for code in codes)
    else:
        assert not told.expect


def test_the_corpora_are_as_large_as_promised() -> None:
    assert len(RUNS) >= 44
    assert len(FAILS) >= 66


def test_the_readme_counts_what_is_there() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    entries = Counter(" or ".join(sorted(codes)) for path in FAILS for codes in header(path).expect)
    assert dict(re.findall(r"^\| ([A-Z]{3}[0-9]{3}[^|]*?) \| ([0-9]+) \|$", text, re.MULTILINE)) == {
        code: str(number) for code, number in entries.items()
    }
    kinds = {kind: tuple(sum(header(path).kind == kind for path in one) for one in (RUNS, FAILS)) for kind in KINDS}
    counted = {
        kind: (int(runs), int(fails))
        for kind, runs, fails in re.findall(r"^\| ([a-z ]+) \| ([0-9]+) \| ([0-9]+) \|$", text, re.MULTILINE)
    }
    assert counted == kinds
