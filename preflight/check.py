"""Runs the rules over a stack, honours `allow`, and prints only remedies that were tried out. Pure."""

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import ValidationError

from components.resolved import Stack
from preflight.registry import RULES
from preflight.rule import Facts, Finding, Path, Remedy, Rule
from stacks.config import StackConfig
from stacks.problem import Problem
from stacks.references import reference_errors
from stacks.resolve import Inputs, resolve

_ORDER = {"error": 0, "warning": 1, "notice": 2}
_MOST_TRIALS = 60
"""Remedies that one check tries at most; more broken rules than that are printed without."""


def check(inputs: Inputs, stack: Stack) -> list[Problem]:
    """Every broken rule, worst first, each with the first remedy that cures it."""
    trials = _Trials(inputs)
    problems = []
    for rule, finding in _findings(Facts(stack=stack, inputs=inputs)):
        problems.append(
            Problem(
                code=rule.code,
                severity=rule.severity,
                path=finding.path,
                message=finding.message,
                remedy=trials.best(rule, finding) or "",
            )
        )
    return sorted(problems, key=lambda one: (_ORDER[one.severity], [str(key) for key in one.path], one.code))


def _findings(facts: Facts, rules: Iterable[Rule] = RULES) -> Iterator[tuple[Rule, Finding]]:
    for rule in rules:
        for finding in rule.check(facts):
            if not _allowed(facts.stack, rule.code, finding.path):
                yield rule, finding


def _allowed(stack: Stack, code: str, path: Path) -> bool:
    if len(path) < 2 or path[0] != "workloads":
        return False
    workload = stack.workloads.get(str(path[1]))
    return workload is not None and code in workload.allowed


class _Trials:
    """Tries remedies on a copy of the stack file."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self._errors: frozenset[tuple[str, Path]] | None = None
        self._left = _MOST_TRIALS

    def best(self, rule: Rule, finding: Finding) -> str | None:
        """The text of the first remedy that holds."""
        for remedy in finding.remedies:
            if not remedy.changes or self._cures(rule, finding, remedy):
                return remedy.text
        return None

    def _cures(self, rule: Rule, finding: Finding, remedy: Remedy) -> bool:
        if self._left == 0:
            return False
        self._left -= 1
        changed = changed_inputs(self._inputs, remedy)
        if changed is None:
            return False
        after = Facts(stack=resolve(changed), inputs=changed)
        if any(one.path == finding.path for other, one in _findings(after, (rule,)) if other is rule):
            return False
        return _errors(after) <= self._before()

    def _before(self) -> frozenset[tuple[str, Path]]:
        if self._errors is None:
            self._errors = _errors(Facts(stack=resolve(self._inputs), inputs=self._inputs))
        return self._errors


def _errors(facts: Facts) -> frozenset[tuple[str, Path]]:
    return frozenset((rule.code, one.path) for rule, one in _findings(facts) if rule.severity == "error")


def changed_inputs(inputs: Inputs, remedy: Remedy) -> Inputs | None:
    """The stack with a remedy's changes, or None where that isn't a valid stack file."""
    data = inputs.config.model_dump(mode="json", by_alias=True, exclude_unset=True)
    for path, value in remedy.changes:
        _set(data, path, value)
    try:
        config = StackConfig.model_validate(data, by_alias=True, by_name=False)
    except ValidationError:
        return None
    if reference_errors(config, inputs.infrastructure):
        return None
    return Inputs(
        config=config,
        name=inputs.name,
        region=inputs.region,
        config_files=inputs.config_files,
        infrastructure=inputs.infrastructure,
    )


def _set(data: Any, path: Path, value: Any) -> None:
    *parents, last = path
    for key in parents:
        data = data[key] if isinstance(data, list) else data.setdefault(key, {})
    if value is None:
        data.pop(last, None)
    else:
        data[last] = value
