"""Node groups: from the stack file and the catalogue to hardware, labels, taints and prices. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from catalog.gpus import Gpu
from catalog.instances import InstanceType
from catalog.prices import Price, price
from components.device_plugin_values import CONFIG_LABEL, PLUGIN_LABEL, PRESENT_LABEL
from components.efa import HUGE_PAGE_BYTES
from components.infrastructure import Allocatable, EksNodes, NodeGroup, SharedGpu, Taint
from components.spec import GIB, MIB, to_bytes, to_millis
from stacks.node_groups import EksNodeGroup, ExistingNodeGroup, Sharing

GROUP_LABEL = "llm-serving/node-group"
"""Set on the nodes of a group and selected by its pods: works without GPU feature discovery."""
AUTOSCALER_LABEL = "k8s.amazonaws.com/accelerator"
"""Tells Cluster Autoscaler that a new node's GPUs are still to come, so that it doesn't start another one meanwhile."""
GPU_TAINT = Taint(key="nvidia.com/gpu", value="present", effect="NoSchedule")
GPU_RESOURCE = "nvidia.com/gpu"

_AMI_TYPES = {
    ("al2023", "amd64"): "AL2023_x86_64_NVIDIA",
    ("al2023", "arm64"): "AL2023_ARM_64_NVIDIA",
    ("bottlerocket", "amd64"): "BOTTLEROCKET_x86_64_NVIDIA",
    ("bottlerocket", "arm64"): "BOTTLEROCKET_ARM_64_NVIDIA",
}
# The disk's file system, then the kubelet's default nodefs eviction threshold, then nodeadm's reservation:
# https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/ (10 %, read 2026-11-22).
_FILE_SYSTEM_SHARE, _EVICTION_SHARE, _RESERVED_DISK = 0.98, 0.90, GIB
# The kubelet keeps back 255 MiB (and 11 MiB more for each possible pod) and evicts below 100 MiB: catalog/data/instances.json, notes.
_LEAST_RESERVED_MEMORY = (255 + 100) * MIB


def eks_group(
    name: str,
    spec: EksNodeGroup,
    *,
    gpus: Mapping[str, Gpu],
    types: Mapping[str, InstanceType],
    prices: Mapping[str, Mapping[str, object]],
    region: str | None,
    created: bool,
) -> NodeGroup:
    """A managed node group; unknown instance types are left out of `instance_types` (a rule reports them)."""
    known = tuple(types[one] for one in spec.instance_types if one in types)
    arch = known[0].arch if known else "amd64"
    sharing = shared(spec.sharing)
    bundled = spec.ami == "bottlerocket"
    labels = {
        **spec.labels,
        GROUP_LABEL: name,
        PRESENT_LABEL: "true",
        **({AUTOSCALER_LABEL: known[0].gpu.lower()} if known else {}),
        **({PLUGIN_LABEL: "bundled"} if bundled else {}),
        **({CONFIG_LABEL: _config_name(sharing)} if sharing and not bundled else {}),
    }
    taints = (GPU_TAINT, *(Taint(key=one.key, value=one.value, effect=one.effect) for one in spec.taints))
    usd, basis, source = _price(spec.instance_types, spec.capacity, region, prices)
    return NodeGroup(
        name=name,
        eks=EksNodes(
            subnet_ids=tuple(spec.subnet_ids),
            desired_size=spec.min_size if spec.desired_size is None else spec.desired_size,
            spot=spec.capacity == "spot",
            ami_type=_AMI_TYPES[spec.ami, arch],
            release_version=spec.release_version,
            disk_gib=-(-to_bytes(spec.disk_size) // GIB),
            disk_throughput_mibps=spec.disk_throughput_mi_bps,
            disk_iops=spec.disk_iops,
            kms_key_arn=spec.kms_key_arn,
            node_repair=spec.node_repair,
            max_unavailable=spec.max_unavailable,
            role_arn=spec.role_arn,
            tags=spec.tags,
            placement_group=spec.placement_group,
        ),
        created=created,
        instance_type_names=tuple(spec.instance_types),
        instance_types=known,
        gpu_name=known[0].gpu if known else None,
        gpu=min((gpus[one.gpu] for one in known if one.gpu in gpus), key=lambda gpu: gpu.cuda_total_gib, default=None),
        gpus_per_node=min((one.gpu_count for one in known), default=0),
        sharing=sharing,
        gpu_resource=GPU_RESOURCE,
        efa_interfaces=_efa(spec.efa, known),
        min_nodes=spec.min_size,
        max_nodes=spec.max_size,
        labels=labels,
        taints=taints,
        node_selector={GROUP_LABEL: name},
        tolerations=tuple(toleration(one) for one in taints),
        allocatable=_without_huge_pages(_eks_allocatable(known, to_bytes(spec.disk_size)), spec.efa),
        at_most=_without_huge_pages(_eks_at_most(known, to_bytes(spec.disk_size)), spec.efa),
        zones=tuple(spec.zones) if spec.zones else None,
        usd_per_hour=usd,
        price_basis=basis,
        price_source=source,
        other_price=_dearest(spec.instance_types, "on-demand" if spec.capacity == "spot" else "spot", region, prices),
    )


def existing_group(
    name: str,
    spec: ExistingNodeGroup,
    *,
    gpus: Mapping[str, Gpu],
    types: Mapping[str, InstanceType],
    prices: Mapping[str, Mapping[str, object]],
    region: str | None,
) -> NodeGroup:
    """Nodes that exist already; what the stack file doesn't say stays unknown."""
    known = types.get(spec.instance_type) if spec.instance_type else None
    gpu_name = spec.gpu or (known.gpu if known else None)
    if spec.usd_per_hour is not None:
        usd, basis, source = spec.usd_per_hour, "usdPerHour in the stack file", "the stack"
    elif spec.instance_type:
        usd, basis, source = _price([spec.instance_type], "on-demand", region, prices)
    else:
        usd, basis, source = None, "no usdPerHour in the stack file", ""
    return NodeGroup(
        name=name,
        eks=None,
        created=False,
        instance_type_names=(spec.instance_type,) if spec.instance_type else (),
        instance_types=(known,) if known else (),
        gpu_name=gpu_name,
        gpu=gpus.get(gpu_name) if gpu_name else None,
        gpus_per_node=spec.gpus_per_node or (known.gpu_count if known else 0),
        sharing=shared(spec.sharing),
        gpu_resource=GPU_RESOURCE,
        efa_interfaces=_efa(spec.efa, (known,) if known else ()),
        min_nodes=spec.nodes,
        max_nodes=spec.nodes,
        labels=spec.node_selector,
        taints=(),
        node_selector=spec.node_selector,
        tolerations=tuple(one.model_dump(exclude_none=True) for one in spec.tolerations),
        allocatable=Allocatable(
            cpu_millis=to_millis(spec.cpu) if spec.cpu else (known.allocatable_cpu_millis if known else None),
            memory=to_bytes(spec.memory) if spec.memory else (known.allocatable_memory_mib * MIB if known else None),
            ephemeral_storage=to_bytes(spec.ephemeral_storage) if spec.ephemeral_storage else None,
        ),
        at_most=_existing_at_most(spec, known),
        zones=tuple(spec.zones) if spec.zones else None,
        usd_per_hour=usd,
        price_basis=basis,
        price_source=source,
    )


def _efa(wanted: bool, types: Sequence[InstanceType]) -> int:
    """Interfaces of one node, those of the type with the fewest."""
    return min((one.efa_interfaces for one in types), default=0) if wanted else 0


def shared(spec: Sharing | None) -> SharedGpu | None:
    """The sharing of each GPU, if any."""
    if spec is None:
        return None
    if spec.mig:
        return SharedGpu(way="mig", units=spec.mig.slices, mig_profile=spec.mig.profile)
    way = ("time-slicing", spec.time_slicing) if spec.time_slicing else ("mps", spec.mps)
    return SharedGpu(way=way[0], units=way[1].replicas if way[1] else 1)


def _config_name(sharing: SharedGpu) -> str:
    return f"{sharing.way}-{sharing.mig_profile or sharing.units}"


def toleration(taint: Taint) -> Mapping[str, str]:
    """What its pods tolerate."""
    return {"key": taint.key, "operator": "Equal", "value": taint.value, "effect": taint.effect}


def _eks_allocatable(types: Sequence[InstanceType], disk: int) -> Allocatable:
    return Allocatable(
        cpu_millis=min((one.allocatable_cpu_millis for one in types), default=None),
        memory=min((one.allocatable_memory_mib * MIB for one in types), default=None),
        ephemeral_storage=int(disk * _FILE_SYSTEM_SHARE * _EVICTION_SHARE) - _RESERVED_DISK,
    )


def _eks_at_most(types: Sequence[InstanceType], disk: int) -> Allocatable:
    return Allocatable(
        cpu_millis=max((one.allocatable_cpu_millis for one in types), default=None),
        memory=max((_most_memory(one) for one in types), default=None),
        ephemeral_storage=int(disk * _EVICTION_SHARE),
    )


def _without_huge_pages(offered: Allocatable, efa: bool) -> Allocatable:
    """Memory that is set aside as huge pages isn't there for anything else."""
    if not efa or offered.memory is None:
        return offered
    return replace(offered, memory=offered.memory - HUGE_PAGE_BYTES)


def _existing_at_most(spec: ExistingNodeGroup, known: InstanceType | None) -> Allocatable | None:
    if known is None or spec.memory:
        return None
    return Allocatable(
        cpu_millis=to_millis(spec.cpu) if spec.cpu else known.allocatable_cpu_millis,
        memory=_most_memory(known),
        ephemeral_storage=to_bytes(spec.ephemeral_storage) if spec.ephemeral_storage else None,
    )


def _most_memory(one: InstanceType) -> int:
    """The nominal size less what the kubelet keeps back for itself and for eviction: real nodes have less, by the firmware's share."""
    return int(one.memory_gib * GIB) - _LEAST_RESERVED_MEMORY


def _price(
    types: Sequence[str], capacity: str, region: str | None, prices: Mapping[str, Mapping[str, object]]
) -> tuple[float | None, str, str]:
    """Dollars, what they hold for, and their source."""
    if region is None:
        return None, "no aws:region, so no price table", ""
    dearest = _dearest(types, capacity, region, prices)
    if dearest is None:
        missing = ", ".join(name for name in types if price(name, capacity, region, prices) is None)
        return None, f"no {capacity} price of {missing} in {region}", ""
    return dearest.usd_per_hour, f"{capacity}, {region}, {dearest.date or dearest.source}", dearest.source


def _dearest(
    types: Sequence[str], capacity: str, region: str | None, prices: Mapping[str, Mapping[str, object]]
) -> Price | None:
    """The dearest of the types, since any of them may be started; unknown when any of them is."""
    found = [price(one, capacity, region, prices) for one in types] if region else []
    known = [one for one in found if one is not None]
    return max(known, key=lambda one: one.usd_per_hour) if known and len(known) == len(types) else None
