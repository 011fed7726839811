"""Prints plans and problems. What loads slowly is imported where it is used."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from preflight.rule import Rule
    from preview.report import Report
    from preview.run import Run
    from stacks.problem import Problem


def progress(text: str) -> Any:
    """A spinner on a terminal, nothing in a pipe or a log."""
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status(text)


def console() -> Console:
    """Where reports are printed."""
    from rich.console import Console

    # In a pipe nothing is wrapped or coloured: what is printed is the same everywhere.
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 400)


def print_report(summary: Report, run: Run | None, style: str) -> None:
    """The whole plan as text, json or markdown."""
    from preview.tree import tree, tree_json

    lines = None if run is None else tree(run.resources)
    if style == "json":
        print_json({**summary.as_json(), "resources": None if run is None else tree_json(run.resources)})
    elif style == "markdown":
        from preview.report_markdown import markdown

        print(markdown(summary, lines), end="")
    else:
        from preview.report_text import print_report as text

        text(console(), summary, lines)


def print_problems(problems: Sequence[Problem], style: str) -> None:
    """Problems alone, as text, json or markdown."""
    if style == "json":
        print_json({"problems": [one.as_json() for one in problems]})
        return
    for one in problems:
        print(f"- {one.full_text()}" if style == "markdown" else one.full_text())


def print_rules(rules: Sequence[Rule], style: str) -> None:
    """What every rule makes sure of, as text, json or markdown."""
    if style == "json":
        print_json([{"code": one.code, "severity": one.severity, "title": one.title, "why": one.why} for one in rules])
    elif style == "markdown":
        from preflight.docs import markdown

        print(markdown(rules), end="")
    else:
        for one in rules:
            print(f"{one.code}  {one.severity:<8} {one.title}")


def print_json(value: Any) -> None:
    """JSON for people and programs: indented, in the order of the data."""
    print(json.dumps(value, indent=2, ensure_ascii=False))
