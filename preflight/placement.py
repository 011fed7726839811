"""POD: one pod against one node of its group."""

from collections.abc import Iterator

from components.pods import cpu
from components.resolved import Workload
from components.spec import GIB, mebibytes
from preflight.placement_nodes import DAEMON_SETS_CPU, DAEMON_SETS_MEMORY, setting
from preflight.rule import Facts, Finding, Remedy, Rule, workload_path

_IMAGE_LEAST, _IMAGE_MOST = 10 * GIB, 30 * GIB
"""Disk that an unpacked engine image takes beside emptyDirs (facts: images are 10-30 GB)."""
_LEAST_HOST_MEMORY = 2 * GIB
"""Beside /dev/shm; a remedy never goes below."""


def _cpu(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        group, want = workload.node_group, workload.resources.cpu_millis
        sure, most = group.allocatable.cpu_millis, group.upper_allocatable.cpu_millis
        if sure is None or most is None or want <= sure - DAEMON_SETS_CPU:
            continue
        path = workload_path(workload, "resources", "cpu")
        less = (sure - DAEMON_SETS_CPU) // 100 * 100
        yield Finding(
            path=path,
            message=(
                f"a pod requests {cpu(want)} CPU and a node of {group.name} offers "
                f"{_offers(cpu(sure), cpu(most), want > most, _CPU_KEPT)}"
            ),
            remedies=(*([setting(path, cpu(less))] if less > 0 else []), Remedy(text="use a larger instance type")),
            severity=None if want > most else "warning",
        )


def _memory(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        group, pod = workload.node_group, workload.resources
        sure, most = group.allocatable.memory, group.upper_allocatable.memory
        if sure is None or most is None or pod.memory <= sure - DAEMON_SETS_MEMORY:
            continue
        path = workload_path(workload, "resources", "memory")
        less = (sure - DAEMON_SETS_MEMORY) // GIB * GIB
        fewer = [setting(path, mebibytes(less))] if less >= pod.shm + _LEAST_HOST_MEMORY else []
        offers = _offers(mebibytes(sure), mebibytes(most), pod.memory > most, _MEMORY_KEPT)
        yield Finding(
            path=path,
            message=(
                f"a pod requests {mebibytes(pod.memory)} memory ({mebibytes(pod.shm)} of it for /dev/shm) and a "
                f"node of {group.name} offers {offers}"
            ),
            remedies=(*fewer, Remedy(text="use an instance type with more memory")),
            severity=None if pod.memory > most else "warning",
        )


_CPU_KEPT, _MEMORY_KEPT = cpu(DAEMON_SETS_CPU), mebibytes(DAEMON_SETS_MEMORY)


def _offers(sure: str, most: str, never: bool, kept: str) -> str:
    if never:
        return f"at most {most}"
    known = sure if sure == most else f"between {sure} and {most}"
    return f"{known}, of which about {kept} is for DaemonSets: it may not start"


def _ephemeral(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        group, want = workload.node_group, workload.resources.ephemeral_storage
        sure, most = group.allocatable.ephemeral_storage, group.upper_allocatable.ephemeral_storage
        if sure is None or most is None or want + _IMAGE_MOST <= sure:
            continue
        # Weights that the pod downloads fill its disk for certain; other emptyDirs may stay half empty.
        filled = (workload.model.weights_size or 0) if workload.downloads else 0
        never = want > most or filled + _IMAGE_LEAST > most
        yield Finding(
            path=workload_path(workload, "resources", "ephemeralStorage"),
            message=(
                f"a pod needs {mebibytes(want)} ephemeral storage beside an image of {mebibytes(_IMAGE_LEAST)} to "
                f"{mebibytes(_IMAGE_MOST)}, and "
                f"a node of {group.name} offers {mebibytes(most if never else sure)}"
                + ("" if never else ": when the disk fills, the pod is evicted")
            ),
            remedies=(
                *_larger_disk(workload),
                Remedy(text="keep the weights on a volume (models.*.volume) instead of in the pod"),
            ),
            severity=None if never else "warning",
        )


def _larger_disk(workload: Workload) -> Iterator[Remedy]:
    group = workload.node_group
    if group.eks and group.created and group.allocatable.ephemeral_storage:
        missing = workload.resources.ephemeral_storage + _IMAGE_MOST - group.allocatable.ephemeral_storage
        # 1.15: file system and eviction threshold take 12 % of what is added.
        size = -(-(group.eks.disk_gib + missing * 1.15 / GIB) // 10) * 10
        yield setting(("nodeGroups", group.name, "diskSize"), f"{int(size)}Gi")


_KARPENTER = (
    "What EC2 nodes offer is Karpenter's cautious estimate (catalog/data/instances.json); between it and the "
    "nominal size, and within the "
    "share of DaemonSets, the verdict is a warning."
)

RULES = (
    Rule(
        code="POD003",
        severity="error",
        title="A pod's CPU request fits on a node",
        why=f"Otherwise the pod stays Pending: Insufficient cpu. {_KARPENTER}",
        check=_cpu,
    ),
    Rule(
        code="POD004",
        severity="error",
        title="A pod's memory request fits on a node",
        why=f"Otherwise the pod stays Pending: Insufficient memory. {_KARPENTER}",
        check=_memory,
    ),
    Rule(
        code="POD005",
        severity="error",
        title="A pod's ephemeral storage fits on a node beside the image",
        why="Requests above what a node offers stay Pending; a disk that fills up evicts the pod "
        "(https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/). A warning where it "
        "depends on the image's size.",
        check=_ephemeral,
    ),
)
