"""COS: what the node groups cost, and what of it nobody uses."""

from collections.abc import Iterator

from components.infrastructure import NodeGroup
from components.resolved_kserve import InferenceServiceSettings
from preflight.placement_nodes import Demand, demands, setting
from preflight.placement_packing import enough
from preflight.rule import Facts, Finding, Path, Remedy, Rule
from stacks.totals import totals

_CEILING: Path = ("cost", "maxUsdPerHour")


def _unknown(facts: Facts) -> Iterator[Finding]:
    for group in facts.stack.node_groups.values():
        if not group.created or group.usd_per_hour is not None or not group.instance_types:
            continue
        kind = "spot" if group.eks and group.eks.spot else "onDemand"
        yield Finding(
            path=("nodeGroups", group.name, "instanceTypes"),
            message=f"the price of {group.name} is unknown ({group.price_basis}), so it is missing from the stack's cost",
            remedies=(
                Remedy(text=f"give it in catalog.prices.{group.instance_type_names[0]}.{kind} (US dollars per hour)"),
            ),
        )


def _ceiling(facts: Facts) -> Iterator[Finding]:
    most = facts.stack.max_usd_per_hour
    if most is None:
        return
    sums = totals(facts.stack)
    cost = sums.usd_per_hour.most
    if cost is None:
        yield Finding(
            path=_CEILING,
            message=(
                f"the ceiling of {_usd(most)} can't be checked, since the price of {', '.join(sums.unpriced)} is "
                "unknown"
            ),
            severity="warning",
        )
    elif cost > most:
        parts = ", ".join(
            f"{one.name} {one.max_nodes} x {_usd(one.usd_per_hour or 0)}"
            for one in facts.stack.node_groups.values()
            if one.created
        )
        yield Finding(
            path=_CEILING,
            message=f"at their largest the node groups cost {_usd(cost)}, and the ceiling is {_usd(most)}: {parts}",
            remedies=(*_smaller(facts, cost - most), setting(_CEILING, _up(cost))),
        )


def _smaller(facts: Facts, over: float) -> Iterator[Remedy]:
    """One group with fewer nodes at most; the trial shows whether its pods still fit."""
    for group in facts.stack.node_groups.values():
        if group.created and group.usd_per_hour:
            nodes = group.max_nodes - int(-(-over // group.usd_per_hour))
            if nodes >= max(group.min_nodes, 1):
                yield setting(("nodeGroups", group.name, "maxSize"), nodes)


def _idle(facts: Facts) -> Iterator[Finding]:
    asked = {demand.group.name: demand for demand in demands(facts)}
    for group in facts.stack.node_groups.values():
        if not group.created or not group.units_per_node:
            continue
        demand = asked.get(group.name)
        pods, fewest, used = _needs(demand)
        # What an autoscaler may ask for isn't idle for good.
        used += _kept_for_scaling(demand)
        nodes = max(group.min_nodes, fewest)
        idle = nodes * group.units_per_node - used
        if nodes > group.max_nodes or idle <= 0:
            continue
        whole = group.usd_per_hour
        price = "" if whole is None else f", {_usd(whole * idle / group.units_per_node)}"
        remedies = [Remedy(text="use a smaller instance type, or give the pods more GPUs or replicas")]
        if group.eks and group.min_nodes > fewest:
            remedies.insert(0, _lower(group, fewest))
        yield Finding(
            path=("nodeGroups", group.name, "minSize"),
            message=(
                f"{idle} of {nodes * group.units_per_node} GPUs of {group.name} on {nodes} node{'' if nodes == 1 else 's'} serve none "
                f"of its {pods} pods{price}"
            ),
            remedies=tuple(remedies),
        )


def _kept_for_scaling(demand: Demand | None) -> int:
    """GPUs of the copies that autoscalers of InferenceServices may add."""
    found = 0
    for one in demand.workloads if demand else ():
        if isinstance(one.settings, InferenceServiceSettings) and one.settings.autoscaling:
            found += (one.settings.autoscaling.max_replicas - one.replicas) * one.group_size * one.resources.gpus
    return found


def _needs(demand: Demand | None) -> tuple[int, int, int]:
    """Pods, nodes that hold them, and the GPUs that they use."""
    if demand is None:
        return 0, 0, 0
    pods = demand.counts
    return (
        sum(pods.values()),
        enough(demand.most, pods) if pods else 0,
        sum(one[0] * count for one, count in pods.items()),
    )


def _lower(group: NodeGroup, nodes: int) -> Remedy:
    path: Path = ("nodeGroups", group.name, "minSize")
    return Remedy(text=f"set {'.'.join(map(str, path))}: {nodes}", changes=((path, nodes),))


def _usd(amount: float) -> str:
    return f"${amount:,.2f}/h"


def _up(amount: float) -> float:
    """Rounded up to whole dollars, as a person would set a ceiling."""
    return float(-(-amount // 1))


RULES = (
    Rule(
        code="COS001",
        severity="warning",
        title="Prices are known",
        why="An unknown price is left out of the sums and never taken for zero. The price table has on-demand "
        "prices of some regions with their date; "
        "spot prices change by the hour.",
        check=_unknown,
    ),
    Rule(
        code="COS002",
        severity="error",
        title="The stack stays below its ceiling",
        why=(
            "cost.maxUsdPerHour bounds what all node groups of the stack cost at their largest. A warning where a "
            "price is unknown."
        ),
        check=_ceiling,
    ),
    Rule(
        code="COS003",
        severity="notice",
        title="GPUs that run are used",
        why="Nodes below minSize never stop, and GPUs beside the pods on a node are paid too.",
        check=_idle,
    ),
)
