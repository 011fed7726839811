"""Where the values of a stack come from, so that problems get file, line and column. Pure."""

from dataclasses import dataclass, replace
from typing import Any

from stacks.composer import Mistake
from stacks.messages import Found
from stacks.positions import Document
from stacks.problem import Path, Problem
from stacks.secret_values import looks_secret

_ABSENT = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A stack file that holds the stack, or that may have the same values as the engine's configuration."""

    file: str = ""
    """Name of the stack file; empty where there is none."""
    document: Document | None = None
    prefix: Path = ()
    """Path of the stack in the document."""
    engine_value: Any = _ABSENT
    """The stack as the engine gave it, where that is the truth and the file only a hint."""

    def located(self, problem: Problem, *, at_key: bool = False) -> Problem:
        """The problem with the place of its path, which starts below `llm-serving:stack`."""
        if not self.document or not self.file or not self._is_same(problem.path):
            return problem
        return self._at((*self.prefix, *problem.path), problem, at_key)

    def below_stack(self, one: Found) -> Problem:
        """A mistake whose path starts below `llm-serving:stack`."""
        return _hidden(self.located(_problem(one, one.path), at_key=one.at_key))

    def in_file(self, one: Found) -> Problem:
        """A mistake whose path starts at the top of the file."""
        return _hidden(self._at(one.path, _problem(one, self._shortened(one.path)), one.at_key))

    def mistake(self, one: Mistake) -> Problem:
        """A mistake in the YAML, which has a place of its own."""
        return _hidden(
            Problem(
                code=one.code,
                severity="error",
                path=self._shortened(one.path),
                message=one.message,
                file=self.file,
                line=one.place.line,
                column=one.place.column,
            )
        )

    def _shortened(self, path: Path) -> Path:
        size = len(self.prefix)
        return path[size:] if size and len(path) > size and path[:size] == self.prefix else path

    def _at(self, path: Path, problem: Problem, at_key: bool) -> Problem:
        place = self.document.best_place(path, key=at_key) if self.document else None
        if place is None:
            return replace(problem, file=self.file)
        return replace(problem, file=self.file, line=place.line, column=place.column)

    def _is_same(self, path: Path) -> bool:
        """The file has the same value as the engine; for what both lack, the same around it."""
        if self.engine_value is _ABSENT:
            return True
        assert self.document is not None
        here, there = self.engine_value, self.document.data
        for key in self.prefix:
            there = _step(there, key)
        for key in path:
            below = _step(here, key), _step(there, key)
            if below == (_ABSENT, _ABSENT):
                break
            here, there = below
        return here == there


def _problem(one: Found, path: Path) -> Problem:
    return Problem(code=one.code, severity=one.severity, path=path, message=one.message, remedy=one.remedy)


def _hidden(problem: Problem) -> Problem:
    """Without secrets that were written as keys."""
    path = tuple("[secret]" if isinstance(key, str) and looks_secret(key) else key for key in problem.path)
    return replace(problem, path=path)


def _step(value: Any, key: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(key, _ABSENT)
    if isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value):
        return value[key]
    return _ABSENT
