"""The `nodeGroups` section: GPU nodes that we create on EKS, and GPU nodes that some other tool already runs."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from components.spec import GpuCount, LabelKey, Labels, LabelValue, Quantity, Spec, to_bytes
from stacks.gp3 import check_throughput


class Taint(Spec):
    """A Kubernetes node taint, besides the GPU taint that every group gets."""

    key: Annotated[LabelKey, Field(max_length=63)]
    """At most 63 characters, the limit of EKS."""
    value: LabelValue = ""
    """Value of the taint; none when left out."""
    effect: Literal["NoSchedule", "NoExecute", "PreferNoSchedule"]
    """What happens to pods that don't tolerate it."""


class Toleration(Spec):
    """A Kubernetes toleration: a taint that pods accept."""

    key: LabelKey | None = None
    """Key of the taint that it matches; every key when left out, with operator Exists."""
    operator: Literal["Equal", "Exists"] = "Equal"
    """Equal compares the value, Exists ignores it."""
    value: LabelValue | None = None
    """Value of the taint that it matches."""
    effect: Literal["NoSchedule", "NoExecute", "PreferNoSchedule"] | None = None
    """Effect of the taint that it matches; every effect when left out."""

    @model_validator(mode="after")
    def _consistent(self) -> "Toleration":
        if self.operator == "Exists" and self.value is not None:
            raise PydanticCustomError("toleration", "operator Exists takes no value")
        if self.operator == "Equal" and self.key is None:
            raise PydanticCustomError("toleration", "operator Equal needs a key")
        return self


class TimeSlicing(Spec):
    """Several pods take turns on one GPU, without memory isolation (device plugin `sharing.timeSlicing`)."""

    replicas: Annotated[int, Field(ge=2, le=48)]
    """Pods that may share one GPU."""


class Mps(Spec):
    """Several pods share one GPU through CUDA MPS, memory split equally (device plugin `sharing.mps`)."""

    replicas: Annotated[int, Field(ge=2, le=48)]
    """Equal shares of one GPU."""


class Mig(Spec):
    """Each GPU is cut into equal hardware slices (device plugin `migStrategy: single`); the nodes must have MIG set up."""

    profile: Annotated[str, Field(pattern=r"^[1-7]g\.[0-9]+gb$", examples=["1g.10gb", "3g.40gb"])]
    """The MIG profile of every slice, as nvidia-smi names it."""
    slices: Annotated[int, Field(ge=1, le=7)]
    """Slices of that profile on one GPU."""


class Sharing(Spec):
    """How the GPUs of a group are shared between pods: exactly one of the three ways."""

    time_slicing: TimeSlicing | None = None
    """Pods take turns on a GPU."""
    mps: Mps | None = None
    """Pods share a GPU at the same time, its memory split equally."""
    mig: Mig | None = None
    """GPUs are cut into hardware slices."""

    @model_validator(mode="after")
    def _exactly_one(self) -> "Sharing":
        if sum(way is not None for way in (self.time_slicing, self.mps, self.mig)) != 1:
            raise PydanticCustomError("sharing", "needs exactly one of timeSlicing, mps, mig")
        return self


class _NodeGroup(Spec):
    sharing: Sharing | None = None
    """Share each GPU between several pods; leave out to give whole GPUs."""
    efa: bool = False
    """Elastic Fabric Adapter for copies of a model that span nodes: their pods request all interfaces of the instance type. On `existing`
    nodes the interfaces, 5128 huge pages of 2 MiB and the EFA device plugin must be there."""
    zones: list[str] | None = None
    """Availability zones that the nodes are in; unknown when left out, and then zone rules say so."""


class EksNodeGroup(_NodeGroup):
    """A managed node group that this stack creates on an EKS cluster."""

    provisioner: Literal["eks"] = "eks"
    """Who makes the nodes; `eks` when left out."""
    instance_types: Annotated[list[str], Field(min_length=1, max_length=20)]
    """EC2 instance types, all with the same GPU model and number of GPUs."""
    subnet_ids: Annotated[list[Annotated[str, Field(pattern=r"^subnet-[0-9a-z-]+$")]], Field(min_length=1)]
    """Subnets that nodes start in."""
    min_size: Annotated[int, Field(ge=0, le=1000)] = 0
    """Fewest nodes."""
    max_size: Annotated[int, Field(ge=1, le=1000)]
    """Most nodes."""
    desired_size: Annotated[int, Field(ge=0, le=1000)] | None = None
    """Nodes at creation; minSize when left out. Later changes belong to the autoscaler and are ignored."""
    capacity: Literal["on-demand", "spot"] = "on-demand"
    """What EC2 capacity is bought."""
    ami: Literal["al2023", "bottlerocket"] = "al2023"
    """The EKS NVIDIA image family. Bottlerocket has the device plugin built in."""
    release_version: str | None = None
    """The AMI release to pin, for example `1.34.2-20261112`; the newest for the cluster when left out."""
    disk_size: Quantity = "200Gi"
    """Encrypted gp3 root volume of each node: images, emptyDirs and logs. At least 200Gi."""
    disk_throughput_mi_bps: Annotated[int, Field(ge=125, le=2000)] = 250
    """Throughput of the root volume in MiB/s."""
    disk_iops: Annotated[int, Field(ge=3000, le=80000)] = 4000
    """IOPS of the root volume."""
    kms_key_arn: str | None = None
    """KMS key for the root volume; the account's default EBS key when left out."""
    node_repair: bool = True
    """Let EKS replace or reboot nodes whose GPU is unhealthy."""
    max_unavailable: Annotated[int, Field(ge=1, le=100)] = 1
    """Nodes that an update of the group may take down at once."""
    placement_group: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=255)] | None = None
    """An existing placement group; with efa one with strategy cluster is created when left out."""
    role_arn: str | None = None
    """An existing IAM role for the nodes; one is created when left out."""
    labels: Labels = Field(default_factory=dict)
    """More node labels."""
    taints: list[Taint] = Field(default_factory=list)
    """More node taints; pods of this stack tolerate them."""
    tags: dict[str, str] = Field(default_factory=dict)
    """AWS tags of the group, its instances and their volumes."""

    @model_validator(mode="after")
    def _sizes(self) -> "EksNodeGroup":
        if self.min_size > self.max_size:
            raise PydanticCustomError(
                "sizes", "minSize {low} is more than maxSize {high}", {"low": self.min_size, "high": self.max_size}
            )
        if self.desired_size is not None and not self.min_size <= self.desired_size <= self.max_size:
            raise PydanticCustomError(
                "sizes",
                "desiredSize {size} must lie between minSize {low} and maxSize {high}",
                {"size": self.desired_size, "low": self.min_size, "high": self.max_size},
            )
        check_throughput(self.disk_throughput_mi_bps, self.disk_iops, "diskIops")
        if to_bytes(self.disk_size) < to_bytes("200Gi"):
            raise PydanticCustomError(
                "disk",
                "diskSize {size} is too small: engine images unpack to tens of GiB and emptyDirs share the disk; use 200Gi or more",
                {"size": self.disk_size},
            )
        return self


class ExistingNodeGroup(_NodeGroup):
    """GPU nodes that exist already, on any Kubernetes; nothing is created for them."""

    provisioner: Literal["existing"]
    """Somebody else makes the nodes."""
    gpu: str | None = None
    """GPU model, a name from the catalogue such as `H100-80GB`. Not needed with instanceType."""
    gpus_per_node: GpuCount | None = None
    """Whole GPUs in each node. Not needed with instanceType."""
    instance_type: str | None = None
    """EC2 instance type of the nodes, which says GPU, CPU and memory at once."""
    nodes: Annotated[int, Field(ge=1, le=10000)]
    """How many such nodes there are."""
    node_selector: Annotated[Labels, Field(min_length=1)]
    """Labels that these nodes, and no others, carry."""
    tolerations: list[Toleration] = Field(
        default_factory=lambda: [Toleration(key="nvidia.com/gpu", operator="Exists", effect="NoSchedule")]
    )
    """What pods must tolerate to land there; the usual GPU taint when left out."""
    cpu: Quantity | None = None
    """Allocatable CPU of each node (`kubectl describe node`)."""
    memory: Quantity | None = None
    """Allocatable memory of each node."""
    ephemeral_storage: Quantity | None = None
    """Allocatable ephemeral storage of each node."""
    usd_per_hour: Annotated[float, Field(gt=0)] | None = None
    """What one node costs; unknown when left out, unless instanceType has a price."""

    @model_validator(mode="after")
    def _hardware(self) -> "ExistingNodeGroup":
        if self.instance_type is None and (self.gpu is None or self.gpus_per_node is None):
            raise PydanticCustomError("hardware", "needs gpu and gpusPerNode, or instanceType")
        return self


def _provisioner(value: Any) -> str:
    return value.get("provisioner", "eks") if isinstance(value, dict) else getattr(value, "provisioner", "eks")


NodeGroup = Annotated[
    Annotated[EksNodeGroup, Tag("eks")] | Annotated[ExistingNodeGroup, Tag("existing")], Discriminator(_provisioner)
]
