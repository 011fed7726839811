"""The words that the text and the Markdown of a comparison share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from preview.diff import ACTIONS, StackDiff
from preview.diff_resources import Change
from preview.diff_summary import Shift
from preview.diff_values import ABSENT, PropertyChange
from preview.report_text import dollars
from preview.tree import short_type
from stacks.problem import Problem

SIGNS = {"add": "+", "change": "~", "replace": "+-", "remove": "-"}
_LONGEST = 120


def counts_line(diff: StackDiff) -> str:
    """`2 added, 1 replaced`, or that nothing is."""
    if diff.changes is None:
        return "resources not compared"
    return ", ".join(f"{count} {ACTIONS[action]}" for action, count in diff.counts.items()) or "no resource changes"


def cost_line(diff: StackDiff) -> str:
    """The stack's cost at its largest, before and after."""
    shift = diff.summary.most
    if shift.old == shift.new:
        return f"cost at most {dollars(shift.new)} an hour, as before"
    return f"cost at most {moved(shift)} an hour"


def moved(shift: Shift) -> str:
    """`old -> new`, dollars with their difference."""
    if shift.key not in ("least", "most", "workload"):
        return f"{_number(shift.old)} -> {_number(shift.new)}"
    if shift.key == "workload" and shift.new is None and shift.old is not None:
        return f"{dollars(shift.old)} -> none, or unknown"
    delta = ""
    if shift.old is not None and shift.new is not None:
        change = shift.new - shift.old
        delta = f" ({'+' if change >= 0 else '-'}{dollars(abs(change))})"
    return f"{dollars(shift.old)} -> {dollars(shift.new)}{delta}"


def title(change: Change) -> str:
    """`+- kubernetes:batch/v1:Job weights-mistral (replaced because of spec)`."""
    one = change.resource
    notes = []
    if change.forced_by:
        notes.append(f"replaced because of {', '.join(change.forced_by)}")
    if change.renamed_from:
        notes.append(f"known as {change.renamed_from.rpartition('::')[2]} before: an alias keeps it")
    if change.provider_decides:
        notes.append("whether this replaces it is up to the provider")
    told = f" ({'; '.join(notes)})" if notes else ""
    return f"{SIGNS[change.action]} {short_type(one.type)} {one.name}{told}"


def property_line(change: PropertyChange) -> str:
    """`~ spec.replicas: 1 -> 2`."""
    if change.old is ABSENT:
        return f"+ {change.text}: {value(change.new)}"
    if change.new is ABSENT:
        return f"- {change.text}: {value(change.old)}"
    return f"~ {change.text}: {value(change.old)} -> {value(change.new)}"


def value(given: Any) -> str:
    """A value on one line; markers such as `<computed>` without quotes."""
    if given in ("<computed>", "<secret>"):
        return str(given)
    text = json.dumps(given, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def problem_text(given: Mapping[str, Any]) -> str:
    """A problem from a plan's JSON, which may be an older program's."""
    problem = Problem(
        code=str(given.get("code", "")),
        severity=given.get("severity", "error"),
        path=tuple(given.get("path", ())),
        message=str(given.get("message", "")),
        remedy=str(given.get("remedy", "")),
        line=given.get("line"),
        column=given.get("column"),
        file=str(given.get("file", "")),
    )
    return f"{problem.severity} {problem.code} {problem.text()}"


def _number(given: Any) -> str:
    if given is None:
        return "unknown"
    if isinstance(given, float):
        return f"{given:,.2f}".removesuffix(".00")
    return f"{given:,}" if isinstance(given, int) else str(given)
