"""POD: pods against the nodes of their group."""

import difflib
from collections.abc import Iterator

from catalog.gpus import gpus
from catalog.instances import instances
from components.infrastructure import NodeGroup
from components.pods import cpu
from components.resolved import Workload
from components.spec import GIB, mebibytes
from preflight.rule import Facts, Finding, Remedy, Rule, workload_path
from stacks.overrides import gpu_rows, instance_rows

_IMAGE = 30 * GIB
"""Disk that the unpacked engine image takes beside emptyDirs: images are 10-30 GB (facts.md section 10)."""


def _hardware(facts: Facts) -> Iterator[Finding]:
    catalog = facts.inputs.config.catalog
    types = sorted(instances(instance_rows(catalog)))
    for group in facts.stack.node_groups.values():
        known = {one.name for one in group.instance_types}
        for index, name in enumerate(group.instance_type_names):
            if name in known:
                continue
            key: tuple[str | int, ...] = ("instanceTypes", index) if group.eks else ("instanceType",)
            yield Finding(
                path=("nodeGroups", group.name, *key),
                message=f"EC2 instance type {name} isn't in the catalogue of GPU instance types{_nearest(name, types)}",
                remedies=(Remedy(text=f"if it is right, describe it in catalog.instanceTypes.{name}"),),
            )
        if group.gpu is None and group.gpu_name:
            names = sorted(gpus(gpu_rows(catalog)))
            yield Finding(
                path=("nodeGroups", group.name, "gpu"),
                message=f"GPU {group.gpu_name} isn't in the catalogue{_nearest(group.gpu_name, names)}",
                remedies=(Remedy(text=f"if it is right, describe it in catalog.gpus.{group.gpu_name}"),),
            )


def _same_gpus(facts: Facts) -> Iterator[Finding]:
    for group in facts.stack.node_groups.values():
        kinds = {(one.gpu, one.gpu_count) for one in group.instance_types}
        if len(kinds) > 1:
            listed = ", ".join(f"{one.name} has {one.gpu_count} x {one.gpu}" for one in group.instance_types)
            yield Finding(
                path=("nodeGroups", group.name, "instanceTypes"),
                message=f"instance types of one group must have the same GPUs, or pods fit on some nodes only: {listed}",
                remedies=(Remedy(text="make a node group for each kind of GPU"),),
            )


def _cpu(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        have, want = workload.node_group.allocatable.cpu_millis, workload.resources.cpu_millis
        if have is not None and want > have:
            path = workload_path(workload, "resources", "cpu")
            yield Finding(
                path=path,
                message=f"a pod requests {cpu(want)} CPU and a node of {workload.node_group.name} offers {cpu(have)}",
                remedies=(_set(path, cpu(int(have * 0.9 // 100) * 100)), Remedy(text="use a larger instance type")),
            )


def _memory(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        have, want = workload.node_group.allocatable.memory, workload.resources.memory
        if have is not None and want > have:
            path = workload_path(workload, "resources", "memory")
            yield Finding(
                path=path,
                message=(
                    f"a pod requests {mebibytes(want)} memory ({mebibytes(workload.resources.shm)} of it for /dev/shm) and a node of "
                    f"{workload.node_group.name} offers {mebibytes(have)}"
                ),
                remedies=(
                    *_lower_memory(workload, path, have),
                    Remedy(text="use an instance type with more memory"),
                ),
            )


def _lower_memory(workload: Workload, path: tuple[str | int, ...], have: int) -> tuple[Remedy, ...]:
    most = int(have * 0.9)
    return (_set(path, mebibytes(most)),) if most > workload.resources.shm + 4 * GIB else ()


def _ephemeral(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        have, want = workload.node_group.allocatable.ephemeral_storage, workload.resources.ephemeral_storage
        if have is None or want + _IMAGE <= have:
            continue
        bigger = -(-(want + _IMAGE + GIB) * 10 // (9 * GIB)) + 30
        group = workload.node_group
        remedies = (_set(("nodeGroups", group.name, "diskSize"), f"{bigger}Gi"),) if group.eks and group.created else ()
        yield Finding(
            path=workload_path(workload, "resources", "ephemeralStorage"),
            message=(
                f"a pod needs {mebibytes(want)} ephemeral storage beside an image of up to {mebibytes(_IMAGE)}, and a node of {group.name} "
                f"offers {mebibytes(have)}"
            ),
            remedies=(*remedies, Remedy(text="keep the weights on a volume (models.*.volume) instead of in the pod")),
        )


def _capacity(facts: Facts) -> Iterator[Finding]:
    by_group: dict[str, list[Workload]] = {}
    for workload in facts.workloads:
        by_group.setdefault(workload.node_group.name, []).append(workload)
    for name, workloads in by_group.items():
        group = facts.stack.node_groups[name]
        needed = nodes_needed(group, workloads)
        if needed is None or needed <= group.max_nodes:
            continue
        gpus_needed = sum(one.replicas * one.resources.gpus for one in workloads)
        key = "maxSize" if group.eks else "nodes"
        remedy = _set(("nodeGroups", name, key), needed) if group.eks else Remedy(text=f"add nodes: {needed} are needed")
        for workload in workloads:
            yield Finding(
                path=workload_path(workload, "replicas"),
                message=(
                    f"{gpus_needed} GPUs are requested on {name} ({', '.join(f'{w.name}: {w.replicas} x {w.resources.gpus}' for w in workloads)}), which "
                    f"takes {needed} nodes of {group.units_per_node}; {key} is {group.max_nodes}"
                ),
                remedies=(remedy,),
            )
            break


def nodes_needed(group: NodeGroup, workloads: list[Workload]) -> int | None:
    """Fewest nodes that hold all pods by GPU count alone (first fit, largest pods first); None where a pod fits on no node."""
    size = group.units_per_node
    pods = sorted((one.resources.gpus for one in workloads for _ in range(one.replicas)), reverse=True)
    if not size or (pods and pods[0] > size):
        return None
    free: list[int] = []
    for pod in pods:
        for index, room in enumerate(free):
            if room >= pod:
                free[index] -= pod
                break
        else:
            free.append(size - pod)
    return len(free)


def _unknown_nodes(facts: Facts) -> Iterator[Finding]:
    used = {workload.node_group.name for workload in facts.workloads}
    for group in facts.stack.node_groups.values():
        if group.eks or group.name not in used or group.instance_types:
            continue
        missing = [
            key
            for key, value in (("cpu", group.allocatable.cpu_millis), ("memory", group.allocatable.memory))
            if value is None
        ]
        if missing:
            yield Finding(
                path=("nodeGroups", group.name),
                message=f"{' and '.join(missing)} of the nodes of {group.name} are unknown, so pods can't be checked against them",
                remedies=(Remedy(text=f"set {' and '.join(missing)} from `kubectl describe node` (Allocatable)"),),
            )


def _set(path: tuple[str | int, ...], value: object) -> Remedy:
    return Remedy(text=f"set {'.'.join(str(key) for key in path)}: {value}", changes=((path, value),))


def _nearest(name: str, names: list[str]) -> str:
    found = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {found[0]}?" if found else ""


RULES = (
    Rule(
        code="POD001",
        severity="error",
        title="Instance types and GPUs are known",
        why="Without the hardware's facts no pod can be checked against its node.",
        check=_hardware,
    ),
    Rule(
        code="POD002",
        severity="error",
        title="All instance types of a group have the same GPUs",
        why="The group's pods must fit on whichever type starts.",
        check=_same_gpus,
    ),
    Rule(
        code="POD003",
        severity="error",
        title="A pod's CPU request fits on a node",
        why="Otherwise the pod stays Pending: Insufficient cpu.",
        check=_cpu,
    ),
    Rule(
        code="POD004",
        severity="error",
        title="A pod's memory request fits on a node",
        why="Otherwise the pod stays Pending: Insufficient memory.",
        check=_memory,
    ),
    Rule(
        code="POD005",
        severity="error",
        title="A pod's ephemeral storage fits on a node beside the image",
        why="Otherwise the pod stays Pending, or is evicted when the disk fills.",
        check=_ephemeral,
    ),
    Rule(
        code="POD006",
        severity="error",
        title="The group can grow to enough nodes for all replicas",
        why="Otherwise some pods stay Pending for ever: Insufficient nvidia.com/gpu.",
        check=_capacity,
    ),
    Rule(
        code="POD007",
        severity="warning",
        title="CPU and memory of existing nodes are known",
        why="What can't be decided is said, not guessed.",
        check=_unknown_nodes,
    ),
)
