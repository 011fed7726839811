"""GPUs and dollars of a whole stack. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from components.infrastructure import NodeGroup
from components.resolved import Stack, Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """US dollars per hour at the fewest and at the most nodes; None where a price is unknown."""

    least: float | None
    most: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Sums over the node groups that the stack creates, and the GPUs that its workloads request."""

    gpus_requested: int
    nodes: tuple[int, int]
    usd_per_hour: Range
    unpriced: tuple[str, ...]
    """Node groups without a price: they are missing from the sums."""

    def as_output(self) -> dict[str, Any]:
        """As a Pulumi output."""
        return {
            "gpusRequested": self.gpus_requested,
            "nodesMin": self.nodes[0],
            "nodesMax": self.nodes[1],
            "usdPerHourMin": self.usd_per_hour.least,
            "usdPerHourMax": self.usd_per_hour.most,
            "unpricedNodeGroups": list(self.unpriced),
        }


def totals(stack: Stack) -> Totals:
    """The stack's sums. A sum with an unknown price in it is unknown, never too low."""
    groups = [group for group in stack.node_groups.values() if group.created]
    unpriced = tuple(group.name for group in groups if group.usd_per_hour is None)
    costs = [group_cost(group) for group in groups]
    return Totals(
        gpus_requested=sum(one.gpus for one in stack.workloads.values()),
        nodes=(sum(group.min_nodes for group in groups), sum(group.max_nodes for group in groups)),
        usd_per_hour=Range(
            least=None if unpriced else round(sum(cost.least or 0 for cost in costs), 4),
            most=None if unpriced else round(sum(cost.most or 0 for cost in costs), 4),
        ),
        unpriced=unpriced,
    )


def group_cost(group: NodeGroup) -> Range:
    """Dollars per hour of a group at its smallest and largest."""
    if group.usd_per_hour is None:
        return Range(least=None, most=None)
    return Range(least=group.usd_per_hour * group.min_nodes, most=group.usd_per_hour * group.max_nodes)


def hourly(usd_per_node: float | None, nodes: int | None) -> float | None:
    """Dollars per hour of a number of nodes; None where the price or the number is unknown."""
    return None if usd_per_node is None or nodes is None else usd_per_node * nodes


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """US dollars per hour with the fewest nodes, with those that run now, and with the most; None where unknown."""

    least: float | None
    now: float | None
    most: float | None

    def share(self, part: float) -> "Scale":
        """A part of it."""
        least, now, most = (None if one is None else one * part for one in (self.least, self.now, self.most))
        return Scale(least=least, now=now, most=most)


def group_scale(group: NodeGroup, nodes: int | None, usd_per_node: float | None) -> Scale:
    """A node group at a price of one node; `nodes` run now."""
    least, now, most = (hourly(usd_per_node, count) for count in (group.min_nodes, nodes, group.max_nodes))
    return Scale(least=least, now=now, most=most)


def summed(parts: Sequence[Scale]) -> Scale:
    """Their sum; what is unknown in one part is unknown in the sum."""
    least, now, most = (
        (
            None if None in column else sum(one for one in column if one is not None)
            for column in zip(*((one.least, one.now, one.most) for one in parts), strict=True)
        )
        if parts
        else (0.0, 0.0, 0.0)
    )
    return Scale(least=least, now=now, most=most)


def workload_scale(workload: Workload, together: Sequence[Workload], group: Scale) -> Scale:
    """A workload's part of the nodes: idle GPUs are shared out by the GPUs that each workload of the group requests.

    Nodes that this stack doesn't create may serve others too: there it is the workload's own GPUs at every scale.
    """
    own = workload.gpus
    if not workload.node_group.created:
        cost = workload_cost(workload)
        return Scale(least=cost, now=cost, most=cost)
    every = sum(one.gpus for one in together)
    return group.share(own / every if every else 0.0)


def idle_gpus(group: NodeGroup, nodes: int | None, together: Sequence[Workload]) -> int | None:
    """GPU units of running nodes that no pod requests; None where the nodes are unknown or may serve others than this stack."""
    if nodes is None or not group.created:
        return None
    used = sum(one.gpus for one in together)
    return max(0, nodes * group.units_per_node - used)


def workload_cost(workload: Workload) -> float | None:
    """Dollars per hour of the GPUs that a workload holds: its share of its nodes."""
    group = workload.node_group
    if group.usd_per_hour is None or not group.units_per_node:
        return None
    return group.usd_per_hour * workload.gpus / group.units_per_node
