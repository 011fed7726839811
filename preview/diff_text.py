"""A comparison for a terminal or a log."""

from __future__ import annotations

from collections.abc import Iterable

from preview.diff import StackDiff
from preview.diff_words import cost_line, counts_line, moved, problem_text, property_line, title

HEADINGS = {"data-loss": "DATA LOSS", "blocked": "BLOCKED", "warning": "WARNING"}


def text(diff: StackDiff) -> str:
    """The whole comparison: what is dangerous first, the resources last."""
    lines = [f"Stack {diff.stack} against {diff.against}: {counts_line(diff)}; {cost_line(diff)}"]
    lines += [f"Note: {note}" for note in diff.notes]
    for one in diff.storage:
        lines += ["", f"{HEADINGS[one.level]}: {one.text}"]
    summary = diff.summary
    lines += _section("New problems", [problem_text(one) for one in summary.new_problems])
    lines += _section("Cured problems", [problem_text(one) for one in summary.cured_problems])
    lines += _section("Restarts", [one.text for one in diff.restarts])
    workloads = [f"{name}: added" for name in summary.added] + [f"{name}: removed" for name in summary.removed]
    lines += _section("Workloads", workloads)
    shown = {*summary.added, *summary.removed}
    lines += _section(
        "Fit and headroom",
        [f"{one.name}: {one.label}: {moved(one)}" for one in summary.fit if one.name not in shown],
    )
    lines += _section(
        "Cost (US dollars per hour)", [f"{one.label}: {moved(one)}" for one in summary.cost if one.old != one.new]
    )
    resources = []
    for change in diff.changes or ():
        resources.append(title(change))
        resources += [f"    {property_line(one)}" for one in change.properties]
    return "\n".join([*lines, *_section("Resources", resources)]) + "\n"


def _section(heading: str, lines: Iterable[str]) -> list[str]:
    listed = [f"  {line}" for line in lines]
    return ["", heading, *listed] if listed else []
