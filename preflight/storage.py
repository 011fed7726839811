"""VOL: claims against the pods that mount them and the weights that they hold."""

from collections.abc import Iterator

from components.infrastructure import Volume
from components.resolved import Stack, Workload
from components.spec import GIB, mebibytes
from preflight.rule import Facts, Finding, Remedy, Rule

_SPARE = 1.02
"""Room for tokenizer files and file system overhead beside the weights."""


def _access_mode(facts: Facts) -> Iterator[Finding]:
    for volume in facts.stack.volumes.values():
        readers = _readers(facts.stack, volume)
        if volume.access_mode != "ReadWriteOnce" or not readers or _one_node(readers):
            continue
        pods = ", ".join(f"{one.name}: {one.replicas} pods on up to {one.node_group.max_nodes} nodes" for one in readers)
        yield Finding(
            path=("volumes", volume.name, "accessMode" if volume.storage != "ebs" else "storage"),
            message=f"{volume.storage} volume {volume.name} is ReadWriteOnce: it attaches to one node, and its pods may land on several ({pods})",
            remedies=(
                Remedy(text="use storage: efs or fsx, which every node can mount"),
                Remedy(text="let all its pods run on one node"),
            ),
        )


def _single_pod(facts: Facts) -> Iterator[Finding]:
    for volume in facts.stack.volumes.values():
        pods = sum(one.replicas + one.max_surge for one in _readers(facts.stack, volume))
        if volume.access_mode == "ReadWriteOncePod" and pods > 1:
            yield Finding(
                path=("volumes", volume.name, "accessMode"),
                message=f"volume {volume.name} is ReadWriteOncePod and {pods} pods would mount it at the same time: all but one stay Pending",
                remedies=(
                    Remedy(
                        text=f"set volumes.{volume.name}.accessMode: ReadWriteMany",
                        changes=((("volumes", volume.name, "accessMode"), "ReadWriteMany"),),
                    ),
                ),
            )


def _size(facts: Facts) -> Iterator[Finding]:
    for volume in facts.stack.volumes.values():
        need = int(volume.weights_size * _SPARE)
        # EFS ignores the size of a claim (https://github.com/kubernetes-sigs/aws-efs-csi-driver, README).
        if volume.size is None or volume.storage == "efs" or need <= volume.size:
            continue
        rounded = f"{-(-need // (10 * GIB)) * 10}Gi"
        yield Finding(
            path=("volumes", volume.name, "size"),
            message=f"volume {volume.name} has {mebibytes(volume.size)} and its models weigh {mebibytes(need)}",
            remedies=(
                Remedy(
                    text=f"set volumes.{volume.name}.size: {rounded}",
                    changes=((("volumes", volume.name, "size"), rounded),),
                ),
            ),
        )


def _readers(stack: Stack, volume: Volume) -> list[Workload]:
    return [one for one in stack.workloads.values() if one.volume is not None and one.volume.name == volume.name]


def _one_node(readers: list[Workload]) -> bool:
    """All pods can only land on the same node: one pod in all, or one group that never has more than one node."""
    groups = {one.node_group.name: one.node_group for one in readers}
    if sum(one.replicas + one.max_surge for one in readers) <= 1:
        return True
    return len(groups) == 1 and next(iter(groups.values())).max_nodes == 1


RULES = (
    Rule(
        code="VOL001",
        severity="error",
        title="ReadWriteOnce volumes are read from one node",
        why='The second node\'s pod stays in ContainerCreating: "Multi-Attach error for volume" '
        "(https://kubernetes.io/docs/concepts/storage/persistent-volumes/#access-modes).",
        check=_access_mode,
    ),
    Rule(
        code="VOL002",
        severity="error",
        title="ReadWriteOncePod volumes are read by one pod",
        why="The scheduler refuses a second pod (https://kubernetes.io/docs/concepts/storage/persistent-volumes/#access-modes).",
        check=_single_pod,
    ),
    Rule(
        code="VOL003",
        severity="error",
        title="A claim holds the weights of its models",
        why="The download Job runs out of disk space.",
        check=_size,
    ),
)
