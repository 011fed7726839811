"""RAY012, RAY013: GPUs for a second cluster while a service is upgraded, and for all copies at the highest load."""

from collections import Counter
from collections.abc import Iterator, Mapping

from components.ray_serve_config import least_copies, most_copies
from components.resolved import Workload
from components.resolved_ray import RayModel, members
from preflight.placement_nodes import GPU, Demand, demands, fits, more_nodes, setting
from preflight.placement_packing import Vector, enough, impossible
from preflight.ray_releases import SERVICE, ray_workloads
from preflight.rule import Facts, Finding, Remedy, Rule, workload_path


def _upgrades(facts: Facts) -> Iterator[Finding]:
    for workload, settings in ray_workloads(facts):
        cluster = settings.cluster
        if workload.kind != SERVICE or cluster is None or cluster.upgrade_strategy == "None":
            continue
        share = cluster.incremental.max_surge_percent if cluster.incremental else 100
        models = members(workload, facts.stack.workloads)
        for demand in demands(facts):
            second = {one.name: -(-one.replicas * share // 100) for one in models if one in demand.workloads}
            counts = _counts(demand, {name: number + _now(demand, name) for name, number in second.items()})
            if not any(second.values()) or demand.impossible() or not _no_room(demand, counts):
                continue
            group, more = (
                demand.group,
                sum(second[one.name] * one.group_size * one.resources.gpus for one in models if one.name in second),
            )
            held = sum(one.gpus for one in demand.workloads)
            path = workload_path(workload, "ray", "upgradeStrategy")
            yield Finding(
                path=path,
                message=(
                    f"upgradeStrategy: {cluster.upgrade_strategy} starts a second Ray cluster with {more} {GPU} before the first goes, and "
                    f"{group.name} has no room for both: {held} of {group.max_nodes * group.units_per_node} {GPU} are taken at its "
                    f"{group.max_nodes} nodes"
                ),
                remedies=(
                    Remedy(
                        text=f"set {'.'.join(map(str, path))}: None; to bring in a change, delete the RayCluster by hand",
                        changes=((path, "None"), (workload_path(workload, "ray", "incremental"), None)),
                    ),
                    more_nodes(group, enough(demand.most, counts)),
                ),
            )


def _scale(facts: Facts) -> Iterator[Finding]:
    for demand in demands(facts):
        grown = {one.name: most_copies(one) for one, _ in ray_workloads(facts) if one in demand.workloads}
        counts = _counts(demand, grown)
        if demand.impossible() or not _no_room(demand, counts):
            continue
        group, nodes = demand.group, enough(demand.most, counts)
        for workload in demand.workloads:
            if not isinstance(workload.settings, RayModel) or most_copies(workload) <= workload.replicas:
                continue
            path = workload_path(workload, "autoscaling", "maxReplicas")
            gpus = most_copies(workload) * workload.group_size * workload.resources.gpus
            less = _most_that_fit(demand, workload, grown)
            yield Finding(
                path=path,
                message=(
                    f"{most_copies(workload)} copies of {workload.name} take {gpus} {GPU}, and with everything else on {group.name} that "
                    f"needs {nodes} nodes; it has {group.max_nodes} at most: copies beyond wait for GPUs and serve nothing"
                ),
                remedies=(more_nodes(group, nodes), *((setting(path, less),) if less else ())),
            )


def _most_that_fit(demand: Demand, workload: Workload, grown: Mapping[str, int]) -> int:
    for copies in range(most_copies(workload) - 1, max(workload.replicas, least_copies(workload)) - 1, -1):
        if not _no_room(demand, _counts(demand, {**grown, workload.name: copies})):
            return copies
    return 0


def _now(demand: Demand, name: str) -> int:
    return next(one.replicas for one in demand.workloads if one.name == name)


def _counts(demand: Demand, copies: Mapping[str, int]) -> dict[Vector, int]:
    """Pods by request, with another number of copies of some workloads."""
    found: Counter[Vector] = Counter()
    for one in demand.workloads:
        if number := copies.get(one.name, one.replicas):
            found[demand.request(one)] += number * one.group_size
    return dict(found)


def _no_room(demand: Demand, counts: Mapping[Vector, int]) -> bool:
    return all(fits(one, demand.most) for one in counts) and impossible(demand.most, demand.group.max_nodes, counts)


_KUBERAY = "ray-project/kuberay 59d663a (v1.7.0)"

RULES = (
    Rule(
        code="RAY012",
        severity="error",
        title="An upgrade of a RayService has room for the second cluster",
        why=f"KubeRay starts a whole new RayCluster and moves traffic when it is ready ({_KUBERAY}, "
        "ray-operator/apis/ray/v1/rayservice_types.go): without spare GPUs its pods stay Pending, and the update never ends.",
        check=_upgrades,
    ),
    Rule(
        code="RAY013",
        severity="warning",
        title="All copies fit on the nodes at the highest load",
        why="Ray Serve asks for replicas, Ray's autoscaler for pods, and pods without a node stay Pending.",
        check=_scale,
    ),
)
