"""Tries a change of the stack file: what comes out, and whether any rule objects. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from catalog.gpus import Gpu
from components.infrastructure import NodeGroup
from components.resolved import Stack, Workload
from preflight.check import Neighbours, changed_inputs, findings, only
from preflight.placement_nodes import nodes_now
from preflight.rule import Facts, Path, Remedy
from stacks.resolve import Inputs, resolve
from stacks.totals import hourly

Changes = tuple[tuple[Path, Any], ...]
LEAST_REQUESTS = 4.0
"""Full-length requests that a workload still holds at once after a saving: twice what MEM005 asks for."""
LEAST_SHARE = 1 / 3
"""Of its concurrency, and of its GPUs' memory bandwidth, that a workload keeps after a saving. A choice of ours: halving the GPUs of a
copy leaves a little less than half of the concurrency, since each then holds twice the weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """What a suggestion is worth; before and after where it says so."""

    usd_per_hour: float = 0.0
    """US dollars per hour that the running nodes cost less."""
    gpus: int = 0
    """GPUs that become free."""
    requests: tuple[float, float] | None = None
    """Requests of full length that all copies hold at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """An improvement in words with its numbers, and the changes to the stack file that it means, as in `Remedy.changes`."""

    text: str
    changes: Changes
    gain: Gain

    def as_json(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return {
            "text": self.text,
            "changes": [{"path": list(path), "value": value} for path, value in self.changes],
            "gain": {
                "usdPerHour": round(self.gain.usd_per_hour, 4),
                "gpus": self.gain.gpus,
                "requests": None if self.gain.requests is None else [round(one, 1) for one in self.gain.requests],
            },
        }


class Trials:
    """Candidates are tried on copies of a stack file that hold only the workloads which they can affect."""

    def __init__(self, inputs: Inputs, stack: Stack) -> None:
        self.inputs = inputs
        self.stack = stack
        self.facts = Facts(stack=stack, inputs=inputs)
        self._near = Neighbours(inputs.config)
        self._before: dict[frozenset[str], frozenset[tuple[str, Path]]] = {}

    def tried(self, workload: Workload, changes: Changes) -> Stack | None:
        """The resolved stack with the changes; None where it is no valid file, or has an error or warning that wasn't there."""
        near = self._near.of(("workloads", workload.name))
        kept = only(self.inputs, near)
        changed = changed_inputs(kept, Remedy(text="", changes=changes))
        if changed is None:
            return None
        if near not in self._before:
            self._before[near] = _objections(Facts(stack=resolve(kept), inputs=kept))
        after = Facts(stack=resolve(changed), inputs=changed)
        return after.stack if _objections(after) <= self._before[near] else None


def _objections(facts: Facts) -> frozenset[tuple[str, Path]]:
    return frozenset(
        (rule.code, one.path) for rule, one in findings(facts) if (one.severity or rule.severity) != "notice"
    )


def together(stack: Stack, group: NodeGroup) -> list[Workload]:
    """The workloads of a node group."""
    return [one for one in stack.workloads.values() if one.node_group.name == group.name]


def running(stack: Stack, name: str) -> tuple[int | None, float | None]:
    """Nodes of a group that run, and what they cost; None where unknown."""
    group = stack.node_groups[name]
    nodes = nodes_now(group, together(stack, group))
    return nodes, hourly(group.usd_per_hour, nodes)


def requests(workload: Workload, replicas: int | None = None) -> float:
    """Full-length requests that all copies hold at once; maxNumSeqs bounds each copy."""
    memory = workload.memory
    count = workload.replicas if replicas is None else replicas
    return 0.0 if memory is None else min(memory.max_concurrency, memory.max_num_seqs) * count


def still_good(before: Workload, after: Workload) -> bool:
    """Enough of its concurrency and of its memory bandwidth is left."""
    was, now = requests(before, 1), requests(after, 1)
    share = bandwidth_share(
        (before.node_group.gpu, before.parallelism.ranks), (after.node_group.gpu, after.parallelism.ranks)
    )
    return now >= min(was, max(LEAST_REQUESTS, was * LEAST_SHARE)) and share is not None and share >= LEAST_SHARE


def bandwidth_share(before: tuple[Gpu | None, int], after: tuple[Gpu | None, int]) -> float | None:
    """Memory bandwidth of one copy's GPUs after a change, as a share of what it was; None where unknown."""
    was, now = (gpu.bandwidth_gbs * ranks if gpu and gpu.bandwidth_gbs else None for gpu, ranks in (before, after))
    return None if was is None or now is None else now / was


def worded(before: Workload, after: Workload) -> str:
    """Concurrency before and after, for a message."""
    memory = after.memory
    length = "" if memory is None else f" of {memory.max_model_len:,} tokens"
    was, now = f"{requests(before):.0f}", f"{requests(after):.0f}"
    copies = "the copy holds" if after.replicas == 1 else f"the {after.replicas} copies together hold"
    return f"{copies} about {now} requests{length} at once" + (", as before" if was == now else f" instead of {was}")


def usd(amount: float) -> str:
    """Dollars per hour."""
    return f"${amount:,.2f}/h"


def named(changes: Sequence[tuple[Path, Any]]) -> str:
    """`set a.b: 1, c.d: 2`."""
    return "set " + ", ".join(
        f"{'.'.join(str(key) for key in path)}: {'[' + ', '.join(value) + ']' if isinstance(value, list) else value}"
        for path, value in changes
    )
