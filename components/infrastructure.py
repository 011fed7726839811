"""Resolved node groups and volumes: what pods are placed on and mount, computed once by `stacks/resolve.py`.

Sizes are bytes, CPU is thousandths of a core, times are seconds unless a name says otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from catalog.gpus import Gpu
from catalog.instances import InstanceType
from catalog.prices import Price


@dataclass(frozen=True, slots=True, kw_only=True)
class Taint:
    """A node taint; `effect` in Kubernetes' spelling."""

    key: str
    value: str
    effect: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedGpu:
    """How one physical GPU is offered to several pods."""

    way: str
    """time-slicing, mps or mig."""
    units: int
    """Schedulable units of one physical GPU."""
    mig_profile: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocatable:
    """What pods can request on one node, after the system's reservation; None where unknown."""

    cpu_millis: int | None
    memory: int | None
    ephemeral_storage: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EksNodes:
    """What only a managed node group of EKS has."""

    subnet_ids: tuple[str, ...]
    desired_size: int
    spot: bool
    ami_type: str
    release_version: str | None
    disk_gib: int
    disk_throughput_mibps: int
    disk_iops: int
    kms_key_arn: str | None
    node_repair: bool
    max_unavailable: int
    role_arn: str | None
    tags: Mapping[str, str]
    placement_group: str | None = None
    """An existing one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroup:
    """Nodes with the same GPUs: labels and taint, and from the same facts the selector and tolerations of their pods."""

    name: str
    eks: EksNodes | None
    """None where somebody else makes the nodes."""
    created: bool
    """This stack creates it; false for existing pools and for groups of a referenced stack."""
    instance_type_names: tuple[str, ...]
    instance_types: tuple[InstanceType, ...]
    """Those of the names that the catalogue knows."""
    gpu_name: str | None
    gpu: Gpu | None
    """None where the catalogue doesn't know it."""
    gpus_per_node: int
    sharing: SharedGpu | None
    gpu_resource: str
    """The extended resource that pods request."""
    min_nodes: int
    max_nodes: int
    labels: Mapping[str, str]
    taints: tuple[Taint, ...]
    node_selector: Mapping[str, str]
    tolerations: tuple[Mapping[str, str], ...]
    allocatable: Allocatable
    """A cautious figure: what every node has at least, before DaemonSets."""
    zones: tuple[str, ...] | None
    usd_per_hour: float | None
    """Of one node; None where unknown."""
    price_basis: str
    price_source: str = ""
    """Where the price comes from; empty where it is unknown."""
    other_price: Price | None = None
    """Of one node at the capacity that isn't bought: spot for an on-demand group, and the reverse; None where unknown."""
    efa_interfaces: int = 0
    """Elastic Fabric Adapter interfaces of one node that pods can have; 0 where the stack doesn't ask for any."""
    caches_models: bool = False
    """KServe keeps copies of models on the nodes' disks."""
    at_most: Allocatable | None = None
    """What no node can exceed, where that is more than `allocatable`: pods above it never start, pods between the two may."""

    @property
    def upper_allocatable(self) -> Allocatable:
        """`at_most`, or `allocatable` where that is exact."""
        return self.at_most or self.allocatable

    @property
    def units_per_node(self) -> int:
        """GPU units that pods can request on one node."""
        return self.gpus_per_node * (self.sharing.units if self.sharing else 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageClass:
    """A StorageClass that a volume brings along."""

    name: str
    provisioner: str
    parameters: Mapping[str, str]
    volume_binding_mode: str
    mount_options: tuple[str, ...] = ()
    zone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A Job that fills a volume with one model at one revision."""

    name: str
    model: str
    repository: str
    revision: str
    path: str
    """Folder inside the volume."""
    size: int
    deadline: int
    image: str
    gated: bool
    node_selector: Mapping[str, str]
    tolerations: tuple[Mapping[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A claim for model weights, and who reads it."""

    name: str
    storage: str
    claim_name: str
    created: bool
    storage_class_name: str | None
    storage_class: StorageClass | None
    access_mode: str
    size: int | None
    protect: bool
    throughput_mibps: int
    throughput_basis: str
    zone: str | None
    downloads: tuple[Download, ...]
    weights_size: int
    """Bytes of all models that name it."""
