"""POD: the hardware of a node group is known, and all of it is alike."""

import difflib
import re
from collections.abc import Iterator

from catalog.gpus import gpus
from catalog.instances import instances
from components.infrastructure import NodeGroup
from preflight.rule import Facts, Finding, Path, Remedy, Rule
from stacks.overrides import gpu_rows, instance_rows


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
                path=("nodeGroups", group.name, "instanceTypes" if group.eks else "gpu"),
                message=f"GPU {group.gpu_name} isn't in the catalogue{_nearest(group.gpu_name, names)}",
                remedies=(Remedy(text=f"if it is right, describe it in catalog.gpus.{group.gpu_name}"),),
            )


def _same_gpus(facts: Facts) -> Iterator[Finding]:
    for group in facts.stack.node_groups.values():
        types = group.instance_types
        path: Path = ("nodeGroups", group.name, "instanceTypes")
        kinds = {(one.gpu, one.gpu_count) for one in types}
        if len(kinds) > 1:
            listed = ", ".join(f"{one.name} has {one.gpu_count} x {one.gpu}" for one in types)
            yield Finding(
                path=path,
                message=f"instance types of one group must have the same GPUs, or pods fit on some nodes only: {listed}",
                remedies=_alike(group, path),
            )
        elif len({one.arch for one in types}) > 1:
            listed = ", ".join(f"{one.name} is {one.arch}" for one in types)
            yield Finding(
                path=path,
                message=f"instance types of one group share one machine image, which has one CPU architecture: {listed}",
                remedies=_alike(group, path),
            )


def _alike(group: NodeGroup, path: Path) -> tuple[Remedy, ...]:
    first = group.instance_types[0]
    same = [
        one.name
        for one in group.instance_types
        if (one.gpu, one.gpu_count, one.arch) == (first.gpu, first.gpu_count, first.arch)
    ]
    text = f"keep {', '.join(same)} here and make a node group for each other kind"
    return (Remedy(text=text, changes=((path, same),)),)


def _fractional(facts: Facts) -> Iterator[Finding]:
    for group in facts.stack.node_groups.values():
        for index, one in enumerate(group.instance_types):
            if one.fractional:
                key: tuple[str | int, ...] = ("instanceTypes", index) if group.eks else ("instanceType",)
                yield Finding(
                    path=("nodeGroups", group.name, *key),
                    message=(
                        f"{one.name} has a slice of an {one.gpu}, which no device plugin offers as {group.gpu_resource}"
                    ),
                    remedies=(Remedy(text="use an instance type with whole GPUs"),),
                )


def _product_label(facts: Facts) -> Iterator[Finding]:
    others = {
        gpu.gfd_product: gpu.name for gpu in gpus(gpu_rows(facts.inputs.config.catalog)).values() if gpu.gfd_product
    }
    for group in facts.stack.node_groups.values():
        value = group.node_selector.get(_PRODUCT)
        right = group.gpu.gfd_product if group.gpu else None
        if value is None or right is None or _SUFFIX.sub("", value) == right:
            continue
        path: Path = ("nodeGroups", group.name, "nodeSelector", _PRODUCT)
        other = others.get(_SUFFIX.sub("", value))
        certain = other is not None or bool(group.instance_types)
        whose = f"the label of {other}" if other else "no label of a GPU in the catalogue"
        suffix = "".join(_SUFFIX.findall(value))
        yield Finding(
            path=path,
            message=(
                f"{value} is {whose}, and GPU feature discovery labels nodes with {group.gpu_name} {right}{suffix}: "
                "no node matches, and all "
                "pods stay Pending" + ("" if certain else ", unless these nodes have another model of that GPU")
            ),
            remedies=(
                Remedy(text=f"set {_PRODUCT}: {right}{suffix}", changes=((path, f"{right}{suffix}"),)),
                Remedy(text="look at `kubectl get nodes -L nvidia.com/gpu.product`"),
            ),
            severity=None if certain else "warning",
        )


_PRODUCT = "nvidia.com/gpu.product"
_SUFFIX = re.compile(r"-SHARED$|-MIG-[\w.]+$")
"""What GPU feature discovery appends for shared and for partitioned GPUs."""


def _unknown_nodes(facts: Facts) -> Iterator[Finding]:
    used = {workload.node_group.name for workload in facts.workloads}
    for group in facts.stack.node_groups.values():
        if group.eks or group.name not in used or (group.instance_type_names and not group.instance_types):
            continue
        offered = (("cpu", group.allocatable.cpu_millis), ("memory", group.allocatable.memory))
        missing = [key for key, value in offered if value is None]
        if missing:
            yield Finding(
                path=("nodeGroups", group.name),
                message=(
                    f"{' and '.join(missing)} of the nodes of {group.name} are unknown, so pods can't be checked "
                    "against them"
                ),
                remedies=(Remedy(text=f"set {' and '.join(missing)} from `kubectl describe node` (Allocatable)"),),
            )


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
        title="All instance types of a group have the same GPUs and CPU architecture",
        why="The group's pods must fit on whichever type starts, and one amiType has one architecture "
        "(https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateNodegroup.html).",
        check=_same_gpus,
    ),
    Rule(
        code="POD007",
        severity="warning",
        title="CPU and memory of existing nodes are known",
        why="What can't be decided is said, not guessed.",
        check=_unknown_nodes,
    ),
    Rule(
        code="POD012",
        severity="error",
        title="Instance types have whole GPUs",
        why="g6f and gr6f have a slice of a GPU behind the GRID driver; the NVIDIA device plugin offers whole GPUs "
        "or MIG slices "
        "(catalog/data/instances.json, notes).",
        check=_fractional,
    ),
    Rule(
        code="POD015",
        severity="error",
        title="A node selector by GPU product has the label that the nodes get",
        why="GPU feature discovery writes nvidia-smi's name with hyphens, for example NVIDIA-H100-80GB-HBM3, and "
        "only where it is installed "
        "(https://github.com/NVIDIA/k8s-device-plugin, README of GPU feature discovery; values: "
        "catalog/data/gpus.json). A warning where the "
        "label may belong to a model that the catalogue lacks.",
        check=_product_label,
    ),
)
