"""GPUs and dollars of a whole stack. Pure."""

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
        gpus_requested=sum(one.replicas * one.resources.gpus for one in stack.workloads.values()),
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


def workload_cost(workload: Workload) -> float | None:
    """Dollars per hour of the GPUs that a workload holds: its share of its nodes."""
    group = workload.node_group
    if group.usd_per_hour is None or not group.units_per_node:
        return None
    return group.usd_per_hour * workload.replicas * workload.resources.gpus / group.units_per_node
