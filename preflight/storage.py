"""VOL: claims against the pods that mount them and the weights that they hold."""

from collections.abc import Iterator, Mapping

from components.infrastructure import Volume
from components.resolved import Stack, Workload
from components.spec import GIB, mebibytes
from preflight.placement_nodes import demands, setting, surge_copies
from preflight.rule import Facts, Finding, Path, Remedy, Rule, workload_path

_SPARE = 1.02
"""Room for tokenizer files and file system overhead beside the weights."""
_SLOW_SECONDS = 15 * 60


def _access_mode(facts: Facts) -> Iterator[Finding]:
    readers = _readers(facts.stack)
    for volume in facts.stack.volumes.values():
        mounting = readers.get(volume.name, [])
        groups = {one.node_group.name: one.node_group for one in mounting}
        nodes = sum(group.max_nodes for group in groups.values())
        if volume.access_mode != "ReadWriteOnce" or nodes <= 1:
            continue
        pods = sum(_pods(one) for one in mounting)
        key = "storage" if volume.storage == "ebs" else "accessMode"
        path: Path = ("volumes", volume.name, key)
        if pods > 1:
            listed = ", ".join(f"{one.name}: {_pods_text(one)}" for one in mounting)
            yield Finding(
                path=path,
                message=(
                    f"{volume.storage} volume {volume.name} is ReadWriteOnce: it attaches to one node, and its "
                    f"{pods} pods ({listed}) may land on "
                    f"any of {nodes} nodes"
                ),
                remedies=(*_one_node(facts, mounting), *_one_pod(mounting), _SHARED),
            )
        elif pods == 1 and volume.downloads:
            yield Finding(
                path=path,
                message=(
                    f"{volume.storage} volume {volume.name} is ReadWriteOnce and filled by a Job: the first start "
                    "works, but at a later revision the "
                    f"Job may start on another of {nodes} nodes than the running pod, and then never gets the volume"
                ),
                remedies=(*_one_node(facts, mounting), _SHARED),
                severity="warning",
            )


_SHARED = Remedy(text="use storage: efs or fsx, which every node can mount")


def _one_node(facts: Facts, mounting: list[Workload]) -> Iterator[Remedy]:
    """A group of one node, where that is enough for everything on it."""
    names = {one.node_group.name for one in mounting}
    for demand in demands(facts):
        group = demand.group
        alone = (
            names == {group.name}
            and group.created
            and group.eks
            and group.eks.desired_size <= 1
            and group.min_nodes <= 1
        )
        if alone and len(demand.counts) == 1:
            ((request, count),) = demand.counts.items()
            if all(count * want <= have for want, have in zip(request, demand.sure, strict=True)):
                yield setting(("nodeGroups", group.name, "maxSize"), 1, ", which holds all its pods")


def _one_pod(mounting: list[Workload]) -> Iterator[Remedy]:
    if len(mounting) != 1:
        return
    (only,) = mounting
    if only.pods == 1 and only.max_surge:
        yield setting(workload_path(only, "rollout"), "in-place", ", so that the old pod goes first")


def _single_pod(facts: Facts) -> Iterator[Finding]:
    readers = _readers(facts.stack)
    for volume in facts.stack.volumes.values():
        if volume.access_mode != "ReadWriteOncePod":
            continue
        mounting = readers.get(volume.name, [])
        pods = sum(_pods(one) for one in mounting)
        path: Path = ("volumes", volume.name, "accessMode")
        shared = setting(path, "ReadWriteMany", ", where the storage class can")
        if pods > 1:
            yield Finding(
                path=path,
                message=(
                    f"volume {volume.name} is ReadWriteOncePod and {pods} pods would mount it at the same time: all "
                    "but one stay Pending"
                ),
                remedies=(*_one_pod(mounting), shared),
            )
        elif pods == 1 and volume.downloads:
            yield Finding(
                path=path,
                message=(
                    f"volume {volume.name} is ReadWriteOncePod and filled by a Job: the first start works, but at a "
                    "later revision the Job waits for "
                    "the running pod, which is replaced only after the Job"
                ),
                remedies=(shared,),
                severity="warning",
            )


def _size(facts: Facts) -> Iterator[Finding]:
    for volume in facts.stack.volumes.values():
        need = int(volume.weights_size * _SPARE)
        # EFS ignores the size of a claim (https://github.com/kubernetes-sigs/aws-efs-csi-driver, README).
        if volume.size is None or volume.storage == "efs" or need <= volume.size:
            continue
        path: Path = ("volumes", volume.name, "size")
        enlarge = Remedy(text=f"enlarge the claim to {_rounded(need, 10)} and give its new size here")
        yield Finding(
            path=path,
            message=f"volume {volume.name} has {mebibytes(volume.size)} and its models weigh {mebibytes(need)}",
            remedies=(
                setting(path, _fsx(need) if volume.storage == "fsx" else _rounded(need, 10))
                if volume.created
                else enlarge,
            ),
        )


def _rounded(size: int, step: int) -> str:
    return f"{-(-size // (step * GIB)) * step}Gi"


def _fsx(size: int) -> str:
    return "1200Gi" if size <= 1200 * GIB else _rounded(size, 2400)


def _read_only(facts: Facts) -> Iterator[Finding]:
    for volume in facts.stack.volumes.values():
        if volume.access_mode == "ReadOnlyMany" and volume.downloads:
            path: Path = ("volumes", volume.name, "accessMode")
            yield Finding(
                path=path,
                message=(
                    f"volume {volume.name} is ReadOnlyMany, and {len(volume.downloads)} download Job(s) must write "
                    "to it"
                ),
                remedies=(setting(path, "ReadWriteMany"),),
            )


def _slow(facts: Facts) -> Iterator[Finding]:
    readers = _readers(facts.stack)
    for volume in facts.stack.volumes.values():
        slowest = max(readers.get(volume.name, []), key=lambda one: one.startup.load, default=None)
        if slowest is None or slowest.startup.load <= _SLOW_SECONDS:
            continue
        size = mebibytes(slowest.model.weights_size or 0)
        path: Path = ("volumes", volume.name, "throughputMiBps")
        yield Finding(
            path=path,
            message=(
                f"each start of {slowest.name} may take {slowest.startup.load // 60} minutes to read {size} at "
                f"{volume.throughput_mibps} MiB/s "
                f"({volume.throughput_basis})"
            ),
            remedies=(
                Remedy(text=f"measure the rate and set volumes.{volume.name}.throughputMiBps, or use faster storage"),
            ),
        )


def _readers(stack: Stack) -> Mapping[str, list[Workload]]:
    found: dict[str, list[Workload]] = {}
    for one in stack.workloads.values():
        if one.volume is not None and _pods(one):
            found.setdefault(one.volume.name, []).append(one)
    return found


def _pods(workload: Workload) -> int:
    """Pods that exist at the same time at most."""
    return (workload.copies + surge_copies(workload)) * workload.group_size if workload.replicas else 0


def _pods_text(workload: Workload) -> str:
    surge = f" + {surge_copies(workload) * workload.group_size} while it rolls out" if workload.max_surge else ""
    return f"{workload.pods}{surge}"


def zonal(volume: Volume) -> bool:
    """Only nodes of its own zone can attach it: EBS always, other volumes where the stack file names a zone."""
    return volume.storage == "ebs" or (volume.zone is not None and volume.storage != "fsx")


RULES = (
    Rule(
        code="VOL001",
        severity="error",
        title="ReadWriteOnce volumes are read from one node",
        why='The second node\'s pod stays in ContainerCreating: "Multi-Attach error for volume" '
        "(https://kubernetes.io/docs/concepts/storage/persistent-volumes/#access-modes; "
        "https://github.com/vllm-project/production-stack/issues/107). "
        "Fine with one pod replaced in place, or where there is only one node. A warning where only the download "
        "of a later revision collides.",
        check=_access_mode,
    ),
    Rule(
        code="VOL002",
        severity="error",
        title="ReadWriteOncePod volumes are read by one pod",
        why="The scheduler refuses a second pod "
        "(https://kubernetes.io/docs/concepts/storage/persistent-volumes/#access-modes). A warning where "
        "only the download of a later revision collides.",
        check=_single_pod,
    ),
    Rule(
        code="VOL003",
        severity="error",
        title="A claim holds the weights of its models",
        why="The download Job runs out of disk space.",
        check=_size,
    ),
    Rule(
        code="VOL006",
        severity="error",
        title="Volumes that a download fills can be written",
        why="A ReadOnlyMany volume is mounted read-only "
        "(https://kubernetes.io/docs/concepts/storage/persistent-volumes/#access-modes), so the "
        "download Job fails and the pods never start.",
        check=_read_only,
    ),
    Rule(
        code="VOL007",
        severity="notice",
        title="Weights are read within a quarter of an hour",
        why="Every start, and so every scale-up and every replaced node, waits for it.",
        check=_slow,
    ),
)
