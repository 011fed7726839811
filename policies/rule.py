"""What a policy is, before pulumi-policy knows of it: a name, words, a level, settings, and a pure check. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from policies.exceptions import EXCEPTIONS
from policies.objects import Resource
from policies.view import UnknownValueRead

Level = Literal["mandatory", "advisory"]
Severity = Literal["low", "medium", "high", "critical"]
Settings = Mapping[str, Any]
EXEMPT_NAMESPACES = "exemptNamespaces"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A violation, or (`undecided`) a value that isn't known yet and would decide."""

    message: str = ""
    undecided: str = ""
    """Property path of the unknown value."""
    urn: str = ""
    """The resource, where a check looks at many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A policy. Exactly one of `check` (one resource) and `check_stack` (all of them) is given."""

    name: str
    level: Level
    severity: Severity
    title: str
    """What must hold, one line."""
    why: str
    """What happens otherwise, and the source."""
    remedy: str
    codes: tuple[str, ...] = ()
    """Preflight rules that say the same of a stack file."""
    namespaced: bool = False
    """The setting `exemptNamespaces` and the table of exceptions hold for it."""
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """JSON Schema of each setting, with its default."""
    check: Callable[[Resource, Settings], Iterable[Finding]] | None = None
    check_stack: Callable[[Sequence[Resource], Settings], Iterable[Finding]] | None = None

    def schema(self) -> dict[str, dict[str, Any]]:
        """JSON Schema of everything that can be set."""
        exempt = {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "Namespaces that this policy leaves alone.",
        }
        return {
            **{key: dict(value) for key, value in self.settings.items()},
            **({EXEMPT_NAMESPACES: exempt} if self.namespaced else {}),
        }


def judge(rule: Rule, resource: Resource, config: Settings | None = None) -> list[Finding]:
    """What a policy on single resources finds."""
    if rule.check is None:
        return []
    settings = _settings(rule, config)
    return _not_exempt(rule, settings, list(decide(rule.check(resource, settings))), lambda _: resource)


def judge_stack(rule: Rule, resources: Sequence[Resource], config: Settings | None = None) -> list[Finding]:
    """What a policy on the whole stack finds."""
    if rule.check_stack is None:
        return []
    settings, by_urn = _settings(rule, config), {one.urn: one for one in resources}
    return _not_exempt(rule, settings, list(decide(rule.check_stack(resources, settings))), by_urn.get)


def decide(*parts: Iterable[Finding], urn: str = "") -> Iterator[Finding]:
    """The findings of each part; a part that needs an unknown value ends there, as undecided, and the next one begins."""
    for part in parts:
        try:
            yield from part
        except UnknownValueRead as unknown:
            yield Finding(undecided=unknown.path, urn=urn)


def _settings(rule: Rule, config: Settings | None) -> Settings:
    given = {key: value for key, value in (config or {}).items() if value is not None}
    return {**{key: value.get("default") for key, value in rule.schema().items()}, **given}


def _not_exempt(
    rule: Rule, settings: Settings, found: list[Finding], resource_of: Callable[[str], Resource | None]
) -> list[Finding]:
    exempt = {*settings.get(EXEMPT_NAMESPACES, ()), *(one.namespace for one in EXCEPTIONS if one.policy == rule.name)}
    if not found or not rule.namespaced or not exempt:
        return found
    kept: dict[Finding, None] = {}
    for finding in found:
        resource = resource_of(finding.urn)
        if resource is None:
            kept[finding] = None
            continue
        try:
            if resource.namespace() not in exempt:
                kept[finding] = None
        except UnknownValueRead as unknown:
            kept[Finding(undecided=unknown.path, urn=finding.urn)] = None
    return list(kept)
