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
_MOST_FOR_NOTICES = 50
"""Workloads that trying the remedy of a mere notice resolves at most."""
_MOST_RESOLVED = 3000
"""Workloads that trying remedies resolves at most; rules broken beyond that are printed without one."""


def check(inputs: Inputs, stack: Stack) -> list[Problem]:
    """Every broken rule, worst first, each with the first remedy that cures it."""
    trials = _Trials(inputs)
    problems = []
    found = list(findings(Facts(stack=stack, inputs=inputs)))
    # Remedies of errors are tried first: what can be tried is bounded.
    for rule, finding in sorted(found, key=lambda one: _ORDER[one[1].severity or one[0].severity]):
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


def findings(facts: Facts, rules: Iterable[Rule] = RULES) -> Iterator[tuple[Rule, Finding]]:
    """Broken rules that the stack file doesn't allow."""
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
        self._near = Neighbours(inputs.config)
        self._before: dict[frozenset[str], frozenset[tuple[str, Path]]] = {}
        self._left = _MOST_RESOLVED

    def best(self, rule: Rule, finding: Finding) -> str | None:
        """The text of the first remedy that holds."""
        for remedy in finding.remedies:
            if not remedy.changes or self._cures(rule, finding, remedy):
                return remedy.text
        return None

    def _cures(self, rule: Rule, finding: Finding, remedy: Remedy) -> bool:
        if self._left <= 0:
            return False
        near = self._near.of(finding.path)
        if len(near) > _MOST_FOR_NOTICES and (finding.severity or rule.severity) == "notice":
            return False
        self._left -= len(near) + 1
        changed = changed_inputs(only(self._inputs, near), remedy)
        if changed is None:
            return False
        after = Facts(stack=resolve(changed), inputs=changed)
        if any(_place(one) == _place(finding) for _, one in findings(after, (rule,))):
            return False
        if near not in self._before:
            before = only(self._inputs, near)
            self._before[near] = _errors(Facts(stack=resolve(before), inputs=before))
        return _errors(after) <= self._before[near]


class Neighbours:
    """Workloads that a change somewhere can affect: those on the same nodes, with the same volume, or with the same model."""

    def __init__(self, config: StackConfig) -> None:
        self._workloads = config.workloads
        self._volume = {key: model.volume for key, model in config.models.items()}
        self._every = frozenset(config.workloads)
        found: dict[tuple[str, str | None], set[str]] = {}
        for name, one in config.workloads.items():
            for key in (("nodeGroups", one.node_group), ("volumes", self._volume[one.model]), ("models", one.model)):
                found.setdefault(key, set()).add(name)
        self._found = {key: frozenset(names) for key, names in found.items()}
        self._joined: dict[tuple[str, str | None], frozenset[str]] = {}

    def of(self, path: Path) -> frozenset[str]:
        """Those that a change at `path` can affect."""
        section, name = (str(path[0]), str(path[1])) if len(path) > 1 else ("", "")
        if section == "workloads" and name in self._workloads:
            one = self._workloads[name]
            group, volume = one.node_group, self._volume[one.model]
            if (group, volume) not in self._joined:
                beside = self._found[("volumes", volume)] if volume else frozenset({name})
                self._joined[group, volume] = self._found[("nodeGroups", group)] | beside
            return self._joined[group, volume]
        if section in ("nodeGroups", "volumes", "models"):
            return self._found.get((section, name), frozenset())
        return self._every


def only(inputs: Inputs, names: frozenset[str]) -> Inputs:
    """The same stack file with some of its workloads."""
    kept = {name: one for name, one in inputs.config.workloads.items() if name in names}
    return replace(inputs, config=inputs.config.model_copy(update={"workloads": kept}))


def _errors(facts: Facts) -> frozenset[tuple[str, Path]]:
    return frozenset(
        (rule.code, _place(one)) for rule, one in findings(facts) if (one.severity or rule.severity) == "error"
    )


def _place(finding: Finding) -> Path:
    """The path of a finding; in a list that a remedy shortens, what is said there instead of where it is now."""
    return (*finding.path[:-1], finding.message) if "extraArgs" in finding.path[-2:-1] else finding.path


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
