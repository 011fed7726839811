"""Known vulnerabilities of engine versions. Source and date of each: data/advisories.json."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

from catalog import rows

Severity = Literal["critical", "high", "medium", "low"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")
"""Worst first; as the advisory rates it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisory:
    """One vulnerability and the range of versions that have it."""

    id: str
    """CVE number, or the PyPA advisory's where the page names no CVE."""
    first_affected: str | None
    """None: every earlier version."""
    first_fixed: str | None
    """The first release without it; None: not known."""
    severity: Severity
    published: str
    """ISO 8601."""
    summary: str
    needs: str
    """What a deployment must use to be exposed; empty: nothing special."""
    source: str
    last_affected: str | None = None
    """In place of `first_fixed`, where no page names a fixed release."""

    def affects(self, version: str) -> bool:
        """Whether a version is in the range. A version that isn't numbers with dots is in none."""
        number = _numbers(version)
        if number is None or (self.first_affected and number < _known(self.first_affected)):
            return False
        if self.first_fixed:
            return number < _known(self.first_fixed)
        return self.last_affected is not None and number <= _known(self.last_affected)


@cache
def advisories(engine: str) -> tuple[Advisory, ...]:
    """Every known advisory of an engine, in the order of the file."""
    return tuple(Advisory(**row) for row in rows.load("advisories.json")["rows"].get(engine, ()))


def affecting(engine: str, version: str) -> tuple[Advisory, ...]:
    """The advisories that hold for a version, worst first."""
    found = [one for one in advisories(engine) if one.affects(version)]
    return tuple(sorted(found, key=lambda one: (SEVERITIES.index(one.severity), one.id)))


def date() -> str:
    """The day on which the sources were read, ISO 8601."""
    return str(rows.load("advisories.json")["date"])


def _numbers(version: str) -> tuple[int, ...] | None:
    """`0.8.5.post1` -> (0, 8, 5): a post-release or local build has its release's faults; so has a release candidate, at worst."""
    match = re.match(r"v?(\d+(?:\.\d+)*)", version)
    if match is None:
        return None
    parts = tuple(int(part) for part in match.group(1).split("."))
    return parts + (0,) * (3 - len(parts))


def _known(version: str) -> tuple[int, ...]:
    numbers = _numbers(version)
    assert numbers is not None, version
    return numbers
