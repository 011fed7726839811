"""POD: all pods of a group against all its nodes."""

from collections.abc import Iterable, Iterator

from components.resolved import Workload
from preflight.placement_nodes import GPU, Demand, amount, demands, fits, more_nodes, setting, unlucky
from preflight.placement_packing import Vector, at_least, enough, impossible, packs
from preflight.rule import Facts, Finding, Remedy, Rule, copies_path, workload_path


def _gpus(facts: Facts) -> Iterator[Finding]:
    for demand in demands(facts):
        if _short_of_gpus(demand):
            units, nodes = demand.group.units_per_node, demand.group.max_nodes
            pods = _gpu_pods(demand)
            asked = sum(size[0] * count for size, count in pods.items())
            need = _fewest((units,), pods)
            biggest = _biggest(demand)
            yield Finding(
                path=copies_path(biggest),
                message=(
                    f"pods on {demand.group.name} request {asked} {GPU} ({_listed(demand)}), which takes {need} "
                    f"nodes of {units}; "
                    f"it has at most {nodes}"
                ),
                remedies=(more_nodes(demand.group, need), *_fewer_replicas(demand, biggest)),
            )


def _resources(facts: Facts) -> Iterator[Finding]:
    for demand in demands(facts):
        if _short_of_gpus(demand) or not demand.impossible():
            continue
        pods, nodes = dict(demand.counts), demand.group.max_nodes
        short = [
            (axis, index)
            for index, axis in enumerate(demand.axes)
            if at_least((demand.most[index],), _on_axis(pods, index)) > nodes
        ]
        need = _fewest(demand.most, pods)
        biggest = _biggest(demand)
        where = (
            f"for their {short[0][0]}: a node of {demand.group.name} offers at most "
            f"{amount(short[0][0], demand.most[short[0][1]])}"
            if short
            else f"since {', '.join(demand.axes[:4])} of a node never suit at once"
        )
        yield Finding(
            path=copies_path(biggest),
            message=f"all pods ({_listed(demand, short)}) take {need} nodes {where}; there are at most {nodes} nodes",
            remedies=(more_nodes(demand.group, need), *_fewer_replicas(demand, biggest)),
        )


def _order(facts: Facts) -> Iterator[Finding]:
    for demand in demands(facts):
        if not demand.impossible():
            yield from _unlucky(demand)


def _unlucky(demand: Demand) -> Iterator[Finding]:
    nodes, surging = demand.group.max_nodes, demand.surging()
    # More pods never block fewer nodes: if one more of each fits, so does one more of any.
    if _unlucky_pods(demand, surging) is None:
        return
    rollouts = surging.items() if len(surging) <= _MOST_ROLLOUTS else ()
    for extra, surge in ((), None), *(((one,), workload) for one, workload in rollouts):
        found = None if demand.impossible(extra) else _unlucky_pods(demand, extra)
        if found is None:
            continue
        request, enough_nodes = found
        running = [one for one in demand.workloads if one.replicas]
        workload = next((one for one in running if demand.request(one) == request), running[0])
        when = f" while {surge.name} rolls out" if surge else ""
        if packs(demand.sure, nodes, dict(_sure_pods(demand, extra))) is True:
            why = (
                f"only if they are packed well: in another order a pod of {workload.name} "
                f"({_size(demand, workload)}) may find no node "
                "with enough room, since the scheduler spreads pods and never moves them"
            )
        else:
            why = (
                "only if the nodes offer more than they surely do, or DaemonSets take less than is kept for them "
                f"({', '.join(amount(axis, low) for axis, low in zip(demand.axes, demand.sure, strict=True))} of "
                f"{', '.join(demand.axes)} on a node are sure)"
            )
        yield Finding(
            path=workload_path(workload, "nodeGroup"),
            message=f"the pods of {demand.group.name} ({_listed(demand)}) fit on its {nodes} nodes{when} {why}",
            remedies=(
                more_nodes(demand.group, enough_nodes, ", with which any order works"),
                Remedy(text="give pods of each size a node group of their own"),
            ),
        )
        return


def _unlucky_pods(demand: Demand, extra: Iterable[Vector]) -> tuple[Vector, int] | None:
    return unlucky(demand.sure, demand.group.max_nodes, _sure_pods(demand, extra))


def _sure_pods(demand: Demand, extra: Iterable[Vector]) -> frozenset[tuple[Vector, int]]:
    """Pods that fit on a node for certain; the others have a warning of their own."""
    return frozenset((one, count) for one, count in demand.pods(extra) if fits(one, demand.sure))


def _gpu_pods(demand: Demand) -> dict[Vector, int]:
    return _on_axis(dict(demand.counts), demand.axes.index(GPU))


def _on_axis(pods: dict[Vector, int], index: int) -> dict[Vector, int]:
    found: dict[Vector, int] = {}
    for request, count in pods.items():
        if request[index]:
            found[(request[index],)] = found.get((request[index],), 0) + count
    return found


def _short_of_gpus(demand: Demand) -> bool:
    return impossible((demand.group.units_per_node,), demand.group.max_nodes, _gpu_pods(demand))


def _fewest(capacity: Vector, pods: dict[Vector, int]) -> int:
    """Fewest nodes for which a packing is known; between bound and first fit each number is tried."""
    low, high = at_least(capacity, pods), enough(capacity, pods)
    return next((nodes for nodes in range(low, min(high, low + 8)) if packs(capacity, nodes, pods)), high)


def _fewer_replicas(demand: Demand, workload: Workload) -> Iterator[Remedy]:
    """The most replicas of the workload with the most GPUs that the nodes hold beside the others."""
    others, own = dict(demand.counts), demand.request(workload)
    low, high = 0, workload.replicas
    while low < high - 1:
        middle = (low + high) // 2
        pods = {**others, own: others[own] - (workload.replicas - middle) * workload.group_size}
        if packs(demand.most, demand.group.max_nodes, {one: count for one, count in pods.items() if count}):
            low = middle
        else:
            high = middle
    if low:
        yield setting(copies_path(workload), low)


def _biggest(demand: Demand) -> Workload:
    candidates = [one for one in demand.workloads if one.replicas and fits(demand.request(one), demand.most)]
    return max(candidates, key=lambda one: one.gpus)


_MOST_LISTED, _MOST_ROLLOUTS = 5, 16


def _listed(demand: Demand, short: list[tuple[str, int]] | None = None) -> str:
    axis, index = (short or [(GPU, demand.axes.index(GPU))])[0]
    there = [one for one in demand.workloads if one.replicas]
    listed = [f"{one.name}: {one.pods} x {amount(axis, demand.request(one)[index])}" for one in there[:_MOST_LISTED]]
    return ", ".join(
        [*listed, *([f"and {len(there) - _MOST_LISTED} more workloads"] if len(there) > _MOST_LISTED else [])]
    )


def _size(demand: Demand, workload: Workload) -> str:
    pairs = zip(demand.axes[:3], demand.request(workload), strict=False)
    return ", ".join(f"{amount(axis, value)} {axis}" for axis, value in pairs)


_SCHEDULER = "https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/"

RULES = (
    Rule(
        code="POD006",
        severity="error",
        title="The group can grow to enough nodes for the GPUs of all replicas",
        why="No placement exists, so some pods stay Pending for ever: Insufficient nvidia.com/gpu "
        f"({_SCHEDULER}). Pods of other stacks on the same nodes aren't known here.",
        check=_gpus,
    ),
    Rule(
        code="POD013",
        severity="warning",
        title="All pods fit in whatever order they are created",
        why="The scheduler places one pod at a time, prefers the emptiest node and never moves a running pod "
        "(https://kubernetes.io/docs/reference/scheduling/config/, NodeResourcesFit): small pods spread over the "
        "nodes can leave no "
        "whole node for a large one. Silence is proved for every order and placement, with room for DaemonSets; "
        "this warning is not a "
        "proof that it will happen.",
        check=_order,
    ),
    Rule(
        code="POD014",
        severity="error",
        title="All nodes together hold the CPU, memory and ephemeral storage of all replicas",
        why=f"No placement exists even on nodes without DaemonSets, so some pods stay Pending for ever ({_SCHEDULER}).",
        check=_resources,
    ),
)
