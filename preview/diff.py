"""What a change does to a stack: two plans compared. Pure: both come as the JSON of `llm-serving plan`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from preview.diff_resources import Action, Change, compare, flat
from preview.diff_restarts import Restart, restarts
from preview.diff_storage import StorageEffect, storage_effects
from preview.diff_summary import Summary, summarize

ACTIONS: Final[Mapping[Action, str]] = {"add": "added", "change": "changed", "replace": "replaced", "remove": "removed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two plans."""

    plan: Mapping[str, Any] | None
    """JSON of `llm-serving plan`; None where there is none: the stack isn't there, or nothing is known of it."""
    missing: bool = False
    """The stack isn't there, so there is nothing: other than an unknown side."""
    note: str = ""
    """What a reader must know of how the plan came about."""

    @property
    def failed(self) -> bool:
        """Whether the stack has errors, or no plan at all."""
        problems = (self.plan or {}).get("problems", ())
        return self.plan is None or any(one.get("severity") == "error" for one in problems)

    @property
    def tree(self) -> list[Mapping[str, Any]] | None:
        """The resources; None where they are unknown."""
        if self.missing:
            return []
        return None if self.plan is None else self.plan.get("resources")


@dataclass(frozen=True, slots=True, kw_only=True)
class StackDiff:
    """A stack before and after a change."""

    stack: str
    against: str
    notes: tuple[str, ...]
    failed: bool
    """The stack after the change has errors."""
    changes: tuple[Change, ...] | None
    """None where the resources of one side are unknown."""
    storage: tuple[StorageEffect, ...]
    restarts: tuple[Restart, ...]
    summary: Summary

    @property
    def counts(self) -> dict[Action, int]:
        """Resources by action; actions without any are left out."""
        counted = Counter(one.action for one in self.changes or ())
        return {action: counted[action] for action in ACTIONS if counted[action]}

    @property
    def differs(self) -> bool:
        """Whether there is anything to tell."""
        summary = self.summary
        moved = summary.fit or any(one.old != one.new for one in summary.cost)
        return bool(self.changes != () or moved or summary.new_problems or summary.cured_problems or self.notes)

    @property
    def data_loss(self) -> tuple[StorageEffect, ...]:
        """What deletes data or leaves it behind."""
        return tuple(one for one in self.storage if one.level == "data-loss")

    def as_json(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return {
            "stack": self.stack,
            "against": self.against,
            "notes": list(self.notes),
            "failed": self.failed,
            "differs": self.differs,
            "counts": self.counts,
            "storage": [one.as_json() for one in self.storage],
            "restarts": [one.as_json() for one in self.restarts],
            "resources": None if self.changes is None else [one.as_json() for one in self.changes],
            **self.summary.as_json(),
        }


def diff(stack: str, against: str, before: Side, after: Side) -> StackDiff:
    """Compare the two sides of a stack. `against` names the one before."""
    notes = [note for note in (before.note, after.note) if note]
    old_tree, new_tree = before.tree, after.tree
    changes: tuple[Change, ...] | None = None
    storage: tuple[StorageEffect, ...] = ()
    restarting: tuple[Restart, ...] = ()
    if old_tree is None or new_tree is None:
        which = "after" if new_tree is None else "before"
        notes.append(f"the resources {which} the change are unknown, so they aren't compared")
    else:
        old, new = flat(old_tree), flat(new_tree)
        changes = tuple(compare(old, new))
        groups = {one["workload"]: one["node_group"] for one in (before.plan or {}).get("placement", ())}
        storage = tuple(storage_effects(changes, old, new))
        restarting = tuple(restarts(changes, old, new, groups))
    known = before.plan if not before.missing else {}
    return StackDiff(
        stack=stack,
        against=against,
        notes=tuple(notes),
        failed=after.failed,
        changes=changes,
        storage=storage,
        restarts=restarting,
        summary=summarize(known, after.plan or {}),
    )
