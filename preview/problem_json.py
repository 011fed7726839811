"""A problem as JSON-ready data."""

from typing import Any

from stacks.problem import Problem


def problem_json(problem: Problem) -> dict[str, Any]:
    """One problem as JSON-ready data."""
    return {
        "code": problem.code,
        "severity": problem.severity,
        "path": list(problem.path),
        "message": problem.message,
        "remedy": problem.remedy,
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
    }
