"""The report's costs: node groups and workloads with the fewest nodes, with those that run now, and with the most. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.infrastructure import NodeGroup
from components.resolved import Stack, Workload
from stacks.totals import Scale, group_scale, hourly, idle_gpus, summed, workload_scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Dollars per hour of a node group; None where unknown."""

    node_group: str
    nodes: tuple[int, int | None, int]
    """Fewest, now, most."""
    usd: Scale
    other_capacity: str | None
    """`spot` or `on-demand`, the one that isn't bought, where its price is known."""
    other_usd: Scale | None
    idle_gpus: int | None
    """GPU units of the nodes that run which no pod requests; None where the nodes may serve others too."""
    gpus: int | None
    """GPU units of the nodes that run."""
    idle_usd: float | None
    basis: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadCost:
    """A workload's part of its nodes in dollars per hour, idle GPUs shared out."""

    workload: str
    gpus: int
    usd: Scale
    other_capacity: str | None
    other_usd: Scale | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """All of a stack's costs."""

    groups: tuple[Cost, ...]
    workloads: tuple[WorkloadCost, ...]
    own: Scale
    """All node groups that the stack creates."""
    idle_usd: float | None
    """Idle GPUs of those."""


def costs(stack: Stack, by_group: Mapping[str, Sequence[Workload]], now: Mapping[str, int | None]) -> Costs:
    """`now`: nodes of each group that run."""
    groups = {name: _cost(group, by_group.get(name, ()), now.get(name)) for name, group in stack.node_groups.items()}
    own = [groups[name] for name, group in stack.node_groups.items() if group.created]
    idle = [one.idle_usd for one in own]
    return Costs(
        groups=tuple(groups.values()),
        workloads=tuple(
            _workload(one, by_group[one.node_group.name], groups[one.node_group.name])
            for one in stack.workloads.values()
        ),
        own=summed([one.usd for one in own]),
        idle_usd=None if None in idle else sum(one for one in idle if one is not None),
    )


def _cost(group: NodeGroup, workloads: Sequence[Workload], nodes: int | None) -> Cost:
    idle, other = idle_gpus(group, nodes, workloads), group.other_price
    if idle == 0:
        idle_usd: float | None = 0.0
    else:
        price = hourly(group.usd_per_hour, idle)
        idle_usd = None if price is None or not group.units_per_node else price / group.units_per_node
    return Cost(
        node_group=group.name,
        nodes=(group.min_nodes, nodes, group.max_nodes),
        usd=group_scale(group, nodes, group.usd_per_hour),
        other_capacity=other.capacity if other else None,
        other_usd=group_scale(group, nodes, other.usd_per_hour) if other else None,
        idle_gpus=idle,
        gpus=None if nodes is None else nodes * group.units_per_node,
        idle_usd=idle_usd,
        basis=group.price_basis + ("" if group.created else "; not created by this stack"),
        source=group.price_source,
    )


def _workload(workload: Workload, together: Sequence[Workload], group: Cost) -> WorkloadCost:
    other = group.other_usd
    return WorkloadCost(
        workload=workload.name,
        gpus=workload.gpus,
        usd=workload_scale(workload, together, group.usd),
        other_capacity=group.other_capacity,
        other_usd=None if other is None else workload_scale(workload, together, other),
    )


def group_rows(report: Costs) -> list[tuple[str, ...]]:
    """Rows of the table of node groups, and one more where the price of the other capacity is known."""
    rows = []
    for one in report.groups:
        nodes = "/".join("unknown" if count is None else str(count) for count in one.nodes)
        idle = "unknown" if one.idle_gpus is None else f"{one.idle_gpus} of {one.gpus}"
        rows.append((one.node_group, nodes, *scale(one.usd), idle, dollars(one.idle_usd)))
        if one.other_usd:
            rows.append((f"{one.node_group}, if {one.other_capacity}", nodes, *scale(one.other_usd), idle, ""))
    return rows


def workload_rows(report: Costs) -> list[tuple[str, ...]]:
    """Rows of the table of workloads, likewise."""
    rows = []
    for one in report.workloads:
        rows.append((one.workload, str(one.gpus), *scale(one.usd)))
        if one.other_usd:
            rows.append((f"{one.workload}, if {one.other_capacity}", str(one.gpus), *scale(one.other_usd)))
    return rows


def price_lines(report: Costs) -> list[str]:
    """What each price is, of which day, and from where."""
    return [
        f"{one.node_group}: {one.basis}" + (f"; source: {one.source}" if one.source else "") for one in report.groups
    ]


def scale(one: Scale) -> tuple[str, str, str]:
    """Three cells."""
    return dollars(one.least), dollars(one.now), dollars(one.most)


def dollars(value: float | None) -> str:
    """Dollars per hour, or unknown."""
    return "unknown" if value is None else f"${value:,.2f}"


GROUP_COLUMNS = ("node group", "nodes min/now/max", "at min", "now", "at max", "idle GPUs", "idle now")
WORKLOAD_COLUMNS = ("workload", "GPUs", "at min", "now", "at max")
