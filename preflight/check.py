"""Runs the rules over a stack, honours `allow`, and prints only remedies that were tried out. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
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
_MOST_RESOLVED = 3000
"""Workloads that trying remedies resolves at most; rules broken beyond that are printed without one."""


def check(inputs: Inputs, stack: Stack) -> list[Problem]:
    """Every broken rule, worst first, each with the first remedy that cures it."""
    trials = _Trials(inputs)
    problems = []
    for rule, finding in _findings(Facts(stack=stack, inputs=inputs)):
        problems.append(
            Problem(
                code=rule.code,
                severity=finding.severity or rule.severity,
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
    """Tries remedies on a copy of the stack file that holds only the workloads that can be affected."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self._before: dict[frozenset[str], frozenset[tuple[str, Path]]] = {}
        self._left = _MOST_RESOLVED

    def best(self, rule: Rule, finding: Finding) -> str | None:
        """The text of the first remedy that holds."""
        for remedy in finding.remedies:
            if not remedy.changes or self._cures(rule, finding, remedy):
                return remedy.text
        return None

    def _cures(self, rule: Rule, finding: Finding, remedy: Remedy) -> bool:
        near = neighbours(self._inputs.config, finding.path)
        self._left -= len(near) + 1
        if self._left < 0:
            return False
        changed = changed_inputs(_only(self._inputs, near), remedy)
        if changed is None:
            return False
        after = Facts(stack=resolve(changed), inputs=changed)
        if any(one.path == finding.path for _, one in _findings(after, (rule,))):
            return False
        if near not in self._before:
            before = _only(self._inputs, near)
            self._before[near] = _errors(Facts(stack=resolve(before), inputs=before))
        return _errors(after) <= self._before[near]


def neighbours(config: StackConfig, path: Path) -> frozenset[str]:
    """Workloads that a change at `path` can affect: those on the same nodes or with the same volume."""
    every = config.workloads
    section, name = (path[0], str(path[1])) if len(path) > 1 else ("", "")
    volume = {key: model.volume for key, model in config.models.items()}
    if section == "workloads" and name in every:
        group, weights = every[name].node_group, volume.get(every[name].model)
        return frozenset(
            key
            for key, one in every.items()
            if key == name or one.node_group == group or (weights and volume.get(one.model) == weights)
        )
    chosen = {
        "nodeGroups": lambda one: one.node_group == name,
        "volumes": lambda one: volume.get(one.model) == name,
        "models": lambda one: one.model == name,
    }.get(str(section))
    return frozenset(key for key, one in every.items() if chosen is None or chosen(one))


def _only(inputs: Inputs, names: frozenset[str]) -> Inputs:
    kept = {name: one for name, one in inputs.config.workloads.items() if name in names}
    return replace(inputs, config=inputs.config.model_copy(update={"workloads": kept}))


def _errors(facts: Facts) -> frozenset[tuple[str, Path]]:
    return frozenset(
        (rule.code, one.path) for rule, one in _findings(facts) if (one.severity or rule.severity) == "error"
    )


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
    return replace(inputs, config=config)


def _set(data: Any, path: Path, value: Any) -> None:
    *parents, last = path
    for key in parents:
        data = data[key] if isinstance(data, list) else data.setdefault(key, {})
    if value is None:
        data.pop(last, None)
    else:
        data[last] = value
