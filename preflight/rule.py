"""What a rule is: a stable code, a severity, words for the documentation, and a pure check over the resolved stack."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from components.resolved import Stack, Workload
from stacks.resolve import Inputs

Severity = Literal["error", "warning", "notice"]
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """One way out, in words, with the changes to the stack file that it means.

    `changes` are pairs of a path and its new value (None removes the key). They are tried out: a remedy that doesn't cure the problem,
    or brings a new error, is not printed. A remedy without changes is advice that the stack file can't express.
    """

    text: str
    changes: tuple[tuple[Path, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One place where a rule is broken: the numbers, and remedies from best to worst."""

    path: Path
    message: str
    remedies: tuple[Remedy, ...] = ()
    severity: Severity | None = None
    """Where this place is graver or milder than the rule's own severity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What rules look at."""

    stack: Stack
    inputs: Inputs

    @property
    def workloads(self) -> Iterable[Workload]:
        """All workloads, in the order of the file."""
        return self.stack.workloads.values()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule with its documentation."""

    code: str
    """Family of three letters and three digits; never reused."""
    severity: Severity
    title: str
    """What must hold, one line."""
    why: str
    """What happens at run time when it doesn't, and the source of the rule."""
    check: Callable[[Facts], Iterable[Finding]]


def copies_path(workload: Workload) -> Path:
    """Path of the key that says how many copies a workload has."""
    kserve = workload.kind == "InferenceService" and workload.settings.autoscaling is not None
    return workload_path(workload, *(("autoscaling", "minReplicas") if kserve else ("replicas",)))


def workload_path(workload: Workload, *keys: str | int) -> Path:
    """Path of a key of a workload."""
    return ("workloads", workload.name, *keys)
