"""Suggestions for a node group: a cheaper instance type on which all of its workloads still run. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from catalog.gpus import Gpu, gpus
from catalog.instances import InstanceType, instances
from catalog.prices import price
from components.infrastructure import NodeGroup
from components.resolved import Workload
from preflight.engine_facts import engine_path
from preflight.suggestions_engine import smaller_sizes
from preflight.suggestions_trial import (
    LEAST_SHARE,
    Changes,
    Gain,
    Suggestion,
    Trials,
    bandwidth_share,
    named,
    requests,
    running,
    still_good,
    together,
    usd,
    worded,
)
from stacks.overrides import gpu_rows, instance_rows, price_rows

_MOST_TRIED = 8
"""Candidates whose memory and price look right that are tried out, cheapest first."""
_LEAST_SAVING = 0.1
"""Share of the running nodes' cost that must be saved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    type: InstanceType
    gpu: Gpu
    nodes: int
    """At least."""
    usd: float
    """Per hour, of that many nodes."""
    tensor: int | None
    """Another tensor-parallel size for the group's only workload."""


def cheaper_nodes(trials: Trials, workload: Workload) -> Iterator[Suggestion]:
    """The cheapest type with a known on-demand price; said once a group, at its first workload."""
    group = workload.node_group
    others = together(trials.stack, group)
    nodes, cost = running(trials.stack, group.name)
    fixed = not group.created or group.eks is None or group.eks.spot or group.sharing or not group.instance_types
    if fixed or others[0].name != workload.name or not nodes or not cost or any(one.memory is None for one in others):
        return
    for candidate in _candidates(trials, group, others, cost)[:_MOST_TRIED]:
        found = _tried(trials, workload, others, candidate, nodes, cost)
        if found:
            yield found
            return


def _tried(
    trials: Trials, workload: Workload, others: list[Workload], candidate: _Candidate, nodes: int, cost: float
) -> Suggestion | None:
    group = workload.node_group
    tensor: Changes = (
        ((engine_path(workload, "tensorParallelSize"), candidate.tensor),) if candidate.tensor is not None else ()
    )
    changes: Changes = (
        (("nodeGroups", group.name, "instanceTypes"), [candidate.type.name]),
        *_sizes(group, nodes, candidate.nodes),
        *tensor,
    )
    after = trials.tried(workload, changes)
    if after is None or not all(still_good(one, after.workloads[one.name]) for one in others):
        return None
    _, cost_now = running(after, group.name)
    most, most_now = (one.node_groups[group.name].max_nodes for one in (trials.stack, after))
    per_node, per_node_now = (one.node_groups[group.name].usd_per_hour for one in (trials.stack, after))
    if cost_now is None or per_node is None or per_node_now is None or cost_now > (1 - _LEAST_SAVING) * cost:
        return None
    if per_node_now * most_now > per_node * most:
        return None
    now = after.workloads[workload.name]
    share = bandwidth_share((group.gpu, workload.parallelism.ranks), (now.node_group.gpu, now.parallelism.ranks))
    speed = (
        ""
        if share is None or share > 0.995
        else f"; a copy has {share:.0%} of the memory bandwidth, which sets its speed"
    )
    if group.instance_types[0].nvlink and not candidate.type.nvlink and now.parallelism.tensor > 1:
        speed += "; its GPUs have no NVLink"
    cpu, cpu_now = workload.resources.cpu_millis / 1000, now.resources.cpu_millis / 1000
    if cpu_now < cpu:
        speed += f"; a pod requests {cpu_now:g} CPU instead of {cpu:g}"
    count = sum(one.copies for one in others)
    pods = f"{count} pod{'' if count == 1 else 's'} on {candidate.gpu.name} instead of {group.gpu_name}"
    if candidate.gpu.name == group.gpu_name:
        pods = f"{count} pod{'' if count == 1 else 's'}"
    return Suggestion(
        text=f"{named(changes)}: {pods} for {usd(cost_now)} instead of {usd(cost)}; {worded(workload, now)}{speed}. "
        "EKS replaces the node group; the zones of its subnets must offer the type",
        changes=changes,
        gain=Gain(usd_per_hour=cost - cost_now, requests=(requests(workload), requests(now))),
    )


def _candidates(trials: Trials, group: NodeGroup, others: list[Workload], cost: float) -> list[_Candidate]:
    """Types that could be cheaper and have the memory, cheapest first."""
    rows, region = trials.inputs.config.catalog, trials.inputs.region
    prices, cards = price_rows(rows), gpus(gpu_rows(rows))
    arch = group.instance_types[0].arch
    sizes: list[int | None] = [None, *(smaller_sizes(others[0]) if len(others) == 1 else [])]
    found = []
    for one in instances(instance_rows(rows)).values():
        known = price(one.name, "on-demand", region, prices) if region else None
        gpu = cards.get(one.gpu)
        if known is None or gpu is None or one.fractional or one.arch != arch or one.name in group.instance_type_names:
            continue
        for tensor in sizes:
            nodes = _nodes(one, others, tensor)
            if nodes and known.usd_per_hour * nodes < cost and all(_holds(pod, gpu, tensor) for pod in others):
                found.append(_Candidate(type=one, gpu=gpu, nodes=nodes, usd=known.usd_per_hour * nodes, tensor=tensor))
    return sorted(found, key=lambda one: (one.usd, one.type.name, -(one.tensor or 1000)))


def _ranks(workload: Workload, tensor: int | None) -> int:
    now = workload.parallelism
    return now.ranks if tensor is None else now.ranks // now.tensor * tensor


def _nodes(one: InstanceType, others: list[Workload], tensor: int | None) -> int:
    """Nodes that the pods' GPUs take when each size of pod is packed by itself; 0 where one doesn't fit."""
    largest = max((_ranks(pod, tensor) for pod in others), default=0)
    if not largest or largest > one.gpu_count:
        return 0
    if len(others) == 1:
        return -(-others[0].copies // (one.gpu_count // largest))
    return -(-sum(_ranks(pod, tensor) * pod.copies for pod in others) // one.gpu_count)


def _holds(workload: Workload, gpu: Gpu, tensor: int | None) -> bool:
    """Concurrency and bandwidth are enough by the memory estimate alone: cheaper than running every rule."""
    engine, shape, before = workload.engine, workload.model.architecture, workload.memory
    if shape is None or before is None:
        return False
    share = bandwidth_share((workload.node_group.gpu, workload.parallelism.ranks), (gpu, _ranks(workload, tensor)))
    if share is None or share < LEAST_SHARE:
        return False
    changed = engine if tensor is None else engine.model_copy(update={"tensor_parallel_size": tensor})
    try:
        memory = changed.memory(shape, gpu, None, workload.referenced)
    except ValueError:  # options without constants for this GPU
        return False
    return memory is not None and memory.fits_context and memory.max_concurrency >= before.max_concurrency * LEAST_SHARE


def _sizes(group: NodeGroup, nodes: int, nodes_now: int) -> Changes:
    """The group's sizes for another number of nodes, in proportion."""
    if group.eks is None or nodes == nodes_now:
        return ()
    most = max(1, -(-group.max_nodes * nodes_now // nodes))
    wanted = {"minSize": -(-group.min_nodes * nodes_now // nodes), "maxSize": most}
    if group.eks.desired_size != group.min_nodes:
        wanted["desiredSize"] = -(-group.eks.desired_size * nodes_now // nodes)
    now = {"minSize": group.min_nodes, "maxSize": group.max_nodes, "desiredSize": group.eks.desired_size}
    return tuple(
        (("nodeGroups", group.name, key), min(value, most)) for key, value in wanted.items() if value != now[key]
    )
