"""Node objects as a stack's node groups would bring them: what they offer, their labels and their taints. Pure."""

from collections.abc import Iterator

from components.efa import HUGE_PAGES
from components.efa import RESOURCE as EFA
from components.infrastructure import Allocatable, NodeGroup
from components.resolved import Stack
from components.spec import GIB
from tests.cluster.client import Object

REGION, DEFAULT_ZONE = "simulated-1", "simulated-1a"
PLENTY = Allocatable(cpu_millis=192_000, memory=2048 * GIB, ephemeral_storage=4096 * GIB)
"""What a node offers of a resource that the stack file leaves unknown."""
_MOST_PODS = 110
"""The kubelet's default, for nodes whose instance type is unknown."""


def system_node(name: str = "system-0") -> Object:
    """A node without GPUs and taints, as every cluster has for everything else."""
    resources = {"cpu": "15890m", "memory": f"{58 * GIB}", "ephemeral-storage": f"{80 * GIB}", "pods": str(_MOST_PODS)}
    found = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/region": REGION,
        "topology.kubernetes.io/zone": DEFAULT_ZONE,
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": found},
        "status": {"capacity": resources, "allocatable": resources},
    }


def stack_nodes(stack: Stack) -> list[Object]:
    """All nodes of all groups of a stack, each group at its largest, and one without GPUs."""
    return [system_node(), *(node for group in stack.node_groups.values() for node in group_nodes(group))]


def group_nodes(group: NodeGroup, count: int | None = None, *, offers: Allocatable | None = None) -> Iterator[Object]:
    """`count` nodes of a group, or as many as it can have, spread over its zones.

    `offers` replaces what a node offers, which is the catalogue's cautious figure (`allocatable`).
    """
    zones = group.zones or (DEFAULT_ZONE,)
    for index in range(group.max_nodes if count is None else count):
        yield node(group, f"{group.name}-{index}", zones[index % len(zones)], offers or group.allocatable)


def node(group: NodeGroup, name: str, zone: str, offers: Allocatable) -> Object:
    """One node of a group."""
    types = group.instance_types
    resources = {
        "cpu": f"{_or(offers.cpu_millis, PLENTY.cpu_millis)}m",
        "memory": str(_or(offers.memory, PLENTY.memory)),
        "ephemeral-storage": str(_or(offers.ephemeral_storage, PLENTY.ephemeral_storage)),
        "pods": str(min((one.max_pods for one in types), default=_MOST_PODS)),
        **({group.gpu_resource: str(group.units_per_node)} if group.units_per_node else {}),
        **({EFA: str(group.efa_interfaces), "hugepages-2Mi": f"{HUGE_PAGES * 2}Mi"} if group.efa_interfaces else {}),
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels(group, name, zone)},
        "spec": {"taints": taints(group)},
        "status": {"capacity": resources, "allocatable": resources},
    }


def labels(group: NodeGroup, name: str, zone: str) -> dict[str, str]:
    """The group's own labels, those of every kubelet and cloud, and those of GPU feature discovery."""
    types = group.instance_types
    found = {
        **group.labels,
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": types[0].arch if types else "amd64",
        "topology.kubernetes.io/region": zone[:-1] if group.zones else REGION,
        "topology.kubernetes.io/zone": zone,
    }
    if group.instance_type_names:
        found["node.kubernetes.io/instance-type"] = group.instance_type_names[0]
    return {**found, **gpu_labels(group)}


def taints(group: NodeGroup) -> list[dict[str, str]]:
    """The group's own taints; for nodes that somebody else makes, those that the stack file has tolerations for."""
    if group.eks:
        return [{"key": one.key, "value": one.value, "effect": one.effect} for one in group.taints]
    return [
        {"key": one["key"], "value": one.get("value") or "present", "effect": one["effect"]}
        for one in group.tolerations
        if one.get("key") and one.get("effect")
    ]


def gpu_labels(group: NodeGroup) -> dict[str, str]:
    """Labels that GPU feature discovery writes, for a GPU whose label the catalogue knows.

    https://github.com/NVIDIA/k8s-device-plugin, docs/gpu-feature-discovery/README.md: shared GPUs have the suffix -SHARED.
    """
    if group.gpu is None or not group.gpu.gfd_product:
        return {}
    sharing = group.sharing
    shared = sharing is not None and sharing.way != "mig"
    suffix = "-SHARED" if shared else f"-MIG-{sharing.mig_profile}" if sharing and sharing.mig_profile else ""
    return {
        "nvidia.com/gpu.present": "true",
        "nvidia.com/gpu.product": f"{group.gpu.gfd_product}{suffix}",
        "nvidia.com/gpu.count": str(group.units_per_node if sharing and not shared else group.gpus_per_node),
        "nvidia.com/gpu.replicas": str(sharing.units if sharing and shared else 1),
        "nvidia.com/gpu.memory": str(group.gpu.label_mib or group.gpu.memory_mib),
        **({"nvidia.com/mig.strategy": "single"} if sharing and not shared else {}),
    }


def _or(known: int | None, other: int | None) -> int:
    found = other if known is None else known
    assert found is not None
    return found
