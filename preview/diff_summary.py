"""Fit, headroom, cost and problems before and after a change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

FIT_KEYS: Final = {
    "model": "model",
    "engine": "engine",
    "gpus": "GPUs",
    "weights_gib": "weights GiB per GPU",
    "kv_gib": "KV cache GiB per GPU",
    "max_model_len": "context, tokens",
    "concurrency": "concurrency at full context",
}
"""What of a workload's fit is compared, and its heading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """One number or word that moved; None is unknown, or absent where the workload isn't there."""

    name: str
    key: str
    label: str
    old: Any
    new: Any

    def as_json(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return {"name": self.name, "key": self.key, "old": self.old, "new": self.new}


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What moved. `added` and `removed` are workloads."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    fit: tuple[Shift, ...]
    cost: tuple[Shift, ...]
    """Whole stack first (`least`, `most`), then workloads, in US dollars per hour."""
    new_problems: tuple[Mapping[str, Any], ...]
    cured_problems: tuple[Mapping[str, Any], ...]

    @property
    def most(self) -> Shift:
        """The stack's cost at its largest, moved or not."""
        return next(one for one in self.cost if one.key == "most")

    def as_json(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return {
            "workloadsAdded": list(self.added),
            "workloadsRemoved": list(self.removed),
            "fit": [one.as_json() for one in self.fit],
            "costUsdPerHour": [one.as_json() for one in self.cost],
            "newProblems": [dict(one) for one in self.new_problems],
            "curedProblems": [dict(one) for one in self.cured_problems],
        }


def summarize(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> Summary:
    """Compare two plans; `before` is None where nothing is known of it. A number that was not known counts as moved."""
    old, new = before or {}, after
    fits = [{one["workload"]: one for one in plan.get("fit", ())} for plan in (old, new)]
    rows = [
        Shift(name=name, key=key, label=label, old=pair[0], new=pair[1])
        for name in sorted({*fits[0], *fits[1]})
        for key, label in FIT_KEYS.items()
        if (pair := [side.get(name, {}).get(key) for side in fits])[0] != pair[1]
    ]
    return Summary(
        added=tuple(sorted(fits[1].keys() - fits[0].keys())) if before is not None else (),
        removed=tuple(sorted(fits[0].keys() - fits[1].keys())) if "fit" in new else (),
        fit=tuple(rows) if before is not None and "fit" in new else (),
        cost=tuple(_cost(old, new)),
        new_problems=_only_in(new, old) if before is not None else tuple(new.get("problems", ())),
        cured_problems=_only_in(old, new),
    )


def _cost(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterable[Shift]:
    costs = [plan.get("cost", {}) for plan in (old, new)]
    totals = [cost.get("totals", {}) for cost in costs]
    for key, field, label in (("least", "usdPerHourMin", "fewest nodes"), ("most", "usdPerHourMax", "most nodes")):
        yield Shift(name="", key=key, label=label, old=totals[0].get(field), new=totals[1].get(field))
    each = [cost.get("workloadUsdPerHour", {}) for cost in costs]
    for name in sorted({*each[0], *each[1]}):
        pair = [side.get(name) for side in each]
        if pair[0] != pair[1]:
            yield Shift(name=name, key="workload", label=f"workload {name}", old=pair[0], new=pair[1])


def _only_in(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Problems of `one` that `other` doesn't have, by code and path: the words may differ."""
    there = {_identity(problem) for problem in other.get("problems", ())}
    return tuple(problem for problem in one.get("problems", ()) if _identity(problem) not in there)


def _identity(problem: Mapping[str, Any]) -> tuple[Any, ...]:
    return problem.get("code"), problem.get("severity"), tuple(problem.get("path", ()))
