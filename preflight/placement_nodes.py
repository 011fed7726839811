"""What the pods of each node group ask for, and what its nodes offer them: computed once for a group, read by several rules. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from components.infrastructure import NodeGroup
from components.pods import cpu
from components.resolved import Workload
from components.spec import GIB, mebibytes
from preflight.placement_packing import Vector, always_fits, enough, impossible, nodes_for_any_order
from preflight.rule import Facts, Path, Remedy

DAEMON_SETS_CPU, DAEMON_SETS_MEMORY, DAEMON_SETS_PODS = 500, GIB, 10
"""Left free on each node for DaemonSets, of which the catalogue's allocatable amounts know nothing: thousandths of a core, bytes, pods.

A margin of ours, no measurement: aws-node requests 25m (amazon-vpc-cni-k8s b521883, charts/aws-vpc-cni/values.yaml), kube-proxy
100m, CSI node pods, node-feature-discovery's worker and log or metrics agents come on top; the device plugin requests nothing.
"""
_MOST_PODS = 250
"""With prefix delegation: https://docs.aws.amazon.com/eks/latest/userguide/cni-increase-ip-addresses.html"""
GPU, CPU, MEMORY, STORAGE, PODS = "GPUs", "CPU", "memory", "ephemeral storage", "pods"


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """The pods of one node group against its nodes. Resources whose amount on the nodes is unknown are left out."""

    group: NodeGroup
    workloads: tuple[Workload, ...]
    axes: tuple[str, ...]
    sure: Vector
    """What a node offers at least, after DaemonSets."""
    most: Vector
    """What no node exceeds, even without DaemonSets."""

    requests: Mapping[str, Vector]
    """What one pod asks for, by workload."""
    counts: Mapping[Vector, int]
    """Requests with the number of pods, of workloads whose pod may fit on a node at all."""

    def request(self, workload: Workload) -> Vector:
        """What one pod asks for."""
        return self.requests[workload.name]

    def pods(self, extra: Iterable[Vector] = ()) -> frozenset[tuple[Vector, int]]:
        """`counts`, and the pods of one copy more of each extra request."""
        more = {one: self._copy(one) for one in extra}
        return frozenset((one, self.counts.get(one, 0) + more.get(one, 0)) for one in {**self.counts, **more})

    def _copy(self, request: Vector) -> int:
        same = (one.group_size for one in self.workloads if one.max_surge and self.request(one) == request)
        return max(same, default=1)

    def surging(self) -> dict[Vector, Workload]:
        """A workload for each request that a rollout starts one copy more of."""
        return {
            self.request(one): one
            for one in self.workloads
            if one.max_surge and one.replicas and fits(self.request(one), self.most)
        }

    def impossible(self, extra: Iterable[Vector] = ()) -> bool:
        """It is proved that no placement of all pods exists on the group's most nodes."""
        return _impossible(self.most, self.group.max_nodes, self.pods(extra))


def fits(request: Vector, capacity: Vector) -> bool:
    """One pod fits on an empty node."""
    return all(want <= have for want, have in zip(request, capacity, strict=True))


def surge_copies(workload: Workload) -> int:
    """Copies more at most while a rollout goes on: those that only prefill have a rollout of their own."""
    return workload.max_surge * (2 if workload.prefill_replicas else 1)


def demands(facts: Facts) -> list[Demand]:
    """One for each node group that has workloads and offers GPUs."""
    by_group: dict[str, list[Workload]] = {}
    for workload in facts.workloads:
        by_group.setdefault(workload.node_group.name, []).append(workload)
    groups = facts.stack.node_groups
    return [_demand(groups[name], found) for name, found in by_group.items() if groups[name].units_per_node]


def _demand(group: NodeGroup, workloads: Sequence[Workload]) -> Demand:
    low, high = group.allocatable, group.upper_allocatable
    max_pods = min((one.max_pods for one in group.instance_types), default=None)
    known = {
        GPU: (group.units_per_node, group.units_per_node),
        CPU: _less(low.cpu_millis, high.cpu_millis, DAEMON_SETS_CPU),
        MEMORY: _less(low.memory, high.memory, DAEMON_SETS_MEMORY),
        STORAGE: _less(low.ephemeral_storage, high.ephemeral_storage, 0),
        PODS: _less(max_pods, _MOST_PODS, DAEMON_SETS_PODS),
    }
    found = {axis: pair for axis, pair in known.items() if pair is not None}
    most = tuple(high for _, high in found.values())
    requests = {one.name: _request(one, found) for one in workloads}
    counts: Counter[Vector] = Counter()
    for one in workloads:
        if one.replicas and fits(requests[one.name], most):
            counts[requests[one.name]] += one.pods
    return Demand(
        group=group,
        workloads=tuple(workloads),
        axes=tuple(found),
        sure=tuple(low for low, _ in found.values()),
        most=most,
        requests=requests,
        counts=counts,
    )


def _request(workload: Workload, axes: Iterable[str]) -> Vector:
    pod = workload.resources
    amounts = {GPU: pod.gpus, CPU: pod.cpu_millis, MEMORY: pod.memory, STORAGE: pod.ephemeral_storage, PODS: 1}
    return tuple(amounts[axis] for axis in axes)


def _less(low: int | None, high: int | None, kept: int) -> tuple[int, int] | None:
    return None if low is None or high is None else (low - kept, high)


def nodes_needed(group: NodeGroup, workloads: Sequence[Workload]) -> int | None:
    """Nodes on which a placement of all pods is known; None where a pod fits on no node."""
    demand = _demand(group, workloads)
    fitting = all(fits(demand.request(one), demand.most) for one in workloads if one.replicas)
    return _enough(demand.most, demand.pods()) if fitting and group.units_per_node else None


def nodes_now(group: NodeGroup, workloads: Sequence[Workload]) -> int | None:
    """Nodes that run: what the pods need, or the group's desired size where that is more; None where a pod fits on no node."""
    needed = nodes_needed(group, workloads)
    if needed is None:
        return None
    return min(group.max_nodes, max(needed, group.eks.desired_size if group.eks else group.min_nodes))


# Several rules, and the trials of their remedies, ask the same.
@lru_cache(maxsize=4096)
def _impossible(capacity: Vector, nodes: int, pods: frozenset[tuple[Vector, int]]) -> bool:
    return impossible(capacity, nodes, dict(pods))


@lru_cache(maxsize=4096)
def _enough(capacity: Vector, pods: frozenset[tuple[Vector, int]]) -> int:
    return enough(capacity, dict(pods)) if pods else 0


@lru_cache(maxsize=4096)
def unlucky(capacity: Vector, nodes: int, pods: frozenset[tuple[Vector, int]]) -> tuple[Vector, int] | None:
    """A request that may find no room although all pods would fit, and the number of nodes with which none would; else None."""
    counts: Mapping[Vector, int] = dict(pods)
    found = always_fits(capacity, nodes, counts) if counts else None
    return None if found is None else (found, nodes_for_any_order(capacity, counts))


def amount(axis: str, value: int) -> str:
    """An amount of a resource in its usual unit."""
    if axis == CPU:
        return cpu(value)
    return mebibytes(value) if axis in (MEMORY, STORAGE) else str(value)


def more_nodes(group: NodeGroup, nodes: int, why: str = "") -> Remedy:
    """A larger group, or the number of nodes that somebody else has to add."""
    if group.eks and group.created:
        return setting(("nodeGroups", group.name, "maxSize"), nodes, why)
    return Remedy(text=f"bring {group.name} to {nodes} nodes{why}")


def setting(path: Path, value: object, why: str = "") -> Remedy:
    """A remedy that sets one key."""
    return Remedy(text=f"set {'.'.join(str(key) for key in path)}: {value}{why}", changes=((path, value),))
