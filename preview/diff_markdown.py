"""A comparison as one comment of a pull request, in GitHub-flavoured Markdown.

The first line is a marker that a later run finds its comment by. GitHub takes at most 65,536 characters; the list of
properties is cut before that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from preview.diff import ACTIONS, StackDiff
from preview.diff_words import cost_line, counts_line, moved, problem_text, property_line, title

LONGEST = 60_000
UNCHANGED = "<!-- nothing changes -->"
"""The second line, when there is nothing to tell: then the workflow makes no new comment."""
_ALERTS = {"data-loss": ("CAUTION", "DATA LOSS"), "blocked": ("WARNING", "Blocked"), "warning": ("WARNING", "Mind")}


def marker(stack: str) -> str:
    """The hidden first line."""
    return f"<!-- llm-serving preview: {stack.replace('--', '-')} -->"


def markdown(diff: StackDiff) -> str:
    """The comment: what is dangerous first, the properties folded at the end."""
    lines = [
        marker(diff.stack),
        *([] if diff.differs else [UNCHANGED]),
        f"### `{diff.stack}`: {counts_line(diff)}; {_plain(cost_line(diff))}",
        "",
        f"Compared with {_plain(diff.against)}, without credentials or a cluster: drift is not seen here.",
    ]
    for note in diff.notes:
        lines += ["", f"_{_plain(note)}_"]
    for one in diff.storage:
        kind, word = _ALERTS[one.level]
        lines += ["", f"> [!{kind}]", f"> **{word}**: {_plain(one.text)}"]
    if diff.restarts:
        lines += ["", "**Restarts**", "", *(f"- {_plain(one.text)}" for one in diff.restarts)]
    summary = diff.summary
    for heading, problems in (("New problems", summary.new_problems), ("Cured problems", summary.cured_problems)):
        if problems:
            lines += ["", f"**{heading}**", "", *(f"- {_plain(problem_text(one))}" for one in problems)]
    lines += _workloads(diff)
    costs = [(one.label, moved(one)) for one in summary.cost if one.old != one.new]
    lines += _table("Cost, US dollars per hour", ("", "before -> after"), costs)
    return _with_resources(lines, diff)


def _workloads(diff: StackDiff) -> list[str]:
    summary = diff.summary
    rows = [(name, "added", "") for name in summary.added] + [(name, "removed", "") for name in summary.removed]
    shown = {*summary.added, *summary.removed}
    rows += [(one.name, one.label, moved(one)) for one in summary.fit if one.name not in shown]
    return _table("Fit and headroom", ("workload", "", "before -> after"), rows)


def _with_resources(lines: list[str], diff: StackDiff) -> str:
    again = f"run `llm-serving diff {diff.stack} --against {diff.against}`"
    lines = _fitting(lines, LONGEST * 3 // 4, again)
    if not diff.changes:
        return "\n".join(lines) + "\n"
    body: list[str] = []
    for change in diff.changes:
        body.append(title(change))
        body += [f"    {property_line(one)}" for one in change.properties]
    count = ", ".join(f"{number} {ACTIONS[action]}" for action, number in diff.counts.items())
    fence = "`" * (3 + max((len(line) - len(line.lstrip("`")) for line in body), default=0))
    lines += ["", f"<details><summary>Resources: {count}</summary>", "", f"{fence}text"]
    closing = [fence, "", "</details>"]
    room = LONGEST - len("\n".join([*lines, *closing])) - 2
    return "\n".join([*lines, *_fitting(body, room, again), *closing]) + "\n"


def _fitting(lines: list[str], room: int, again: str) -> list[str]:
    """As many whole lines as fit, and how to see the others."""
    if len("\n".join(lines)) <= room:
        return list(lines)
    room -= len(again) + 40
    kept: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    return [*kept, f"... {len(lines) - len(kept)} more lines: {again}"]


def _table(heading: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    listed = [f"| {' | '.join(_plain(cell) for cell in row)} |" for row in rows]
    if not listed:
        return []
    return ["", f"**{heading}**", "", f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *listed]


def _plain(text: str) -> str:
    """Text that stands for itself: no HTML, no mention, no table cell's end."""
    return text.replace("<", "&lt;").replace("@", "&#64;").replace("|", "\\|").replace("\n", " ")
