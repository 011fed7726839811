"""StackConfig: everything that `llm-serving:stack` may hold. Single-field rules only; rules across sections are in preflight."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from components.spec import DnsLabel, LabelValue, ObjectName, Quantity, Spec
from stacks.kinds import AnyWorkload
from stacks.models import ArchitectureOverride, Model
from stacks.node_groups import NodeGroup
from stacks.platform import Platform
from stacks.volumes import Volume


class Namespace(Spec):
    """The namespace of everything namespaced."""

    name: DnsLabel = "ml-serving"
    """Its name."""
    create: bool = True
    """Create it, with Pod Security "restricted" enforced; false adopts an existing one."""


class EksCluster(Spec):
    """An EKS cluster of the account and region that `aws:` configures."""

    provider: Literal["eks"]
    """An EKS cluster."""
    name: Annotated[str, Field(pattern=r"^[0-9A-Za-z][A-Za-z0-9_-]*$", max_length=100)]
    """Name of the cluster in EKS."""
    kubernetes_version: Annotated[str, Field(pattern=r"^1\.[0-9]{2}$")] | None = None
    """Kubernetes minor version of the cluster, for example "1.34"; rules that depend on it say when it is unknown."""


class KubeconfigCluster(Spec):
    """Any cluster that a kubeconfig context reaches."""

    provider: Literal["kubeconfig"]
    """A cluster that a kubeconfig reaches."""
    context: Annotated[str, Field(min_length=1)]
    """The context's name: never the current one by accident."""
    kubeconfig: str | None = None
    """Path of the kubeconfig file; $KUBECONFIG or ~/.kube/config when left out."""
    kubernetes_version: Annotated[str, Field(pattern=r"^1\.[0-9]{2}$")] | None = None
    """Kubernetes minor version of the cluster, for example "1.34"; rules that depend on it say when it is unknown."""


class ReferencedCluster(Spec):
    """Node groups and volumes belong to another stack of this program, which is deployed on its own."""

    stack_reference: Annotated[str, Field(pattern=r"^[^/\s]+/[^/\s]+/[^/\s]+$")]
    """organization/project/stack of that stack."""
    stack_file: Annotated[str, Field(pattern=r"^[^/\\]+\.ya?ml$")]
    """Its stack file beside this one: its cluster, node groups and volumes feed the checks offline."""


def _cluster_kind(value: Any) -> str | None:
    if isinstance(value, dict):
        return "stackReference" if "stackReference" in value or "stack_reference" in value else value.get("provider")
    return getattr(value, "provider", "stackReference")


Cluster = Annotated[
    Annotated[EksCluster, Tag("eks")]
    | Annotated[KubeconfigCluster, Tag("kubeconfig")]
    | Annotated[ReferencedCluster, Tag("stackReference")],
    Discriminator(_cluster_kind),
]


class ExistingTokenSecret(Spec):
    """A Kubernetes Secret of the stack's namespace that holds the token."""

    secret_name: ObjectName
    """Name of the Secret."""
    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")] = "token"
    """Key of the token inside the Secret."""


class ConfigTokenSecret(Spec):
    """A Pulumi configuration secret (`pulumi config set --secret llm-serving:hfToken`), from which we create the Kubernetes Secret."""

    config_secret: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$")]
    """Its key, without the `llm-serving:` in front."""


def _token_kind(value: Any) -> str:
    keys = value if isinstance(value, dict) else getattr(value, "__dict__", {})
    return "configSecret" if "configSecret" in keys or "config_secret" in keys else "secretName"


HuggingFaceToken = Annotated[
    Annotated[ExistingTokenSecret, Tag("secretName")] | Annotated[ConfigTokenSecret, Tag("configSecret")],
    Discriminator(_token_kind),
]


class GpuOverride(Spec):
    """A GPU that the catalogue lacks (all facts), or facts that it has wrong (only those)."""

    architecture: str | None = None
    """NVIDIA architecture, for example hopper."""
    compute_capability: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+$")] | None = None
    """CUDA compute capability in quotes, for example "9.0"."""
    memory_mib: Annotated[int, Field(ge=1024)] | None = None
    """Memory as the hardware reports it, in MiB."""
    cuda_total_gib: Annotated[float, Field(gt=1)] | None = None
    """`torch.cuda.mem_get_info()[1]` in GiB: what engines see."""
    bf16: bool | None = None
    """It computes in bfloat16; from the compute capability when left out."""
    fp8_native: bool | None = None
    """It computes in FP8; from the compute capability when left out."""
    gfd_product: LabelValue | None = None
    """Value of the node label nvidia.com/gpu.product, which GPU feature discovery sets."""
    node_arch: Literal["amd64", "arm64"] | None = None
    """CPU architecture of the nodes that have it; amd64 when left out."""


class InstanceTypeOverride(Spec):
    """An EC2 instance type that the catalogue lacks (all facts), or facts that it has wrong (only those)."""

    gpu: str | None = None
    """GPU model, a name from the GPU table."""
    gpu_count: Annotated[int, Field(ge=1)] | None = None
    """GPUs of one instance."""
    vcpu: Annotated[int, Field(ge=1)] | None = None
    """Virtual CPUs of one instance."""
    memory_gib: Annotated[float, Field(gt=0)] | None = None
    """Memory of one instance in GiB."""
    allocatable_cpu: Quantity | None = None
    """CPU that pods may request on a node of this type (`kubectl describe node`)."""
    allocatable_memory: Quantity | None = None
    """Memory that pods may request on a node of this type."""
    local_nvme_gb: Annotated[int, Field(ge=0)] | None = None
    """Local NVMe disks together, in GB; 0 for none."""
    network_gbps: Annotated[float, Field(gt=0)] | None = None
    """Network bandwidth in Gbit/s."""
    efa_interfaces: Annotated[int, Field(ge=0)] | None = None
    """Elastic Fabric Adapter interfaces; 0 for none."""
    nvlink: bool | None = None
    """NVLink connects its GPUs."""
    arch: Literal["amd64", "arm64"] | None = None
    """CPU architecture."""


class PriceOverride(Spec):
    """What you pay for an instance type, in US dollars per hour."""

    on_demand: Annotated[float, Field(gt=0)] | None = None
    """US dollars per hour of an on-demand instance."""
    spot: Annotated[float, Field(gt=0)] | None = None
    """US dollars per hour of a spot instance."""


OptionName = Annotated[str, Field(pattern=r"^--[a-z0-9-]+$")]


class EngineOption(Spec):
    """An option as the engine's argument parser has it."""

    nargs: Literal[0, "+", "*", "?"] | None = None
    """0 for a flag without a value; left out for one value."""
    choices: list[str] | None = None
    """The values that it takes; left out for any."""
    type: Literal["str", "int", "float"] = "str"
    """What the parser turns each value into."""


class EngineVersionOverride(Spec):
    """The option table of an engine version that the catalogue lacks: like another version, with differences."""

    like: str
    """A version that the catalogue has."""
    add: dict[OptionName, EngineOption] = Field(default_factory=dict)
    """Options that the other version lacks."""
    remove: list[OptionName] = Field(default_factory=list)
    """Options that only the other version has."""


class Catalog(Spec):
    """Facts of your own: rows that extend or correct the built-in tables."""

    gpus: dict[str, GpuOverride] = Field(default_factory=dict)
    """GPUs by name."""
    instance_types: dict[str, InstanceTypeOverride] = Field(default_factory=dict)
    """EC2 instance types by name."""
    prices: dict[str, PriceOverride] = Field(default_factory=dict)
    """By instance type, for the stack's own region."""
    models: dict[str, ArchitectureOverride] = Field(default_factory=dict)
    """Model architectures by name."""
    engine_versions: dict[str, dict[str, EngineVersionOverride]] = Field(default_factory=dict)
    """Releases by engine (as in `engine.name`) and version."""


class Cost(Spec):
    """What the stack may cost."""

    max_usd_per_hour: Annotated[float, Field(gt=0)] | None = None
    """Ceiling in US dollars per hour for all node groups of this stack together at their largest; no ceiling when left out."""


class StackConfig(Spec):
    """One stack of llm-serving. Every section but the cluster is optional."""

    namespace: Namespace = Namespace()
    """The namespace of everything namespaced."""
    cluster: Cluster
    """The cluster that everything runs on."""
    hugging_face_token: HuggingFaceToken | None = None
    """Where the Hugging Face token is; gated models need it. Never the token itself."""
    platform: Platform = Platform()
    """Cluster add-ons that this stack installs, as official charts."""
    node_groups: dict[DnsLabel, NodeGroup] = Field(default_factory=dict)
    """GPU nodes by name: those that this stack creates on EKS, and those that exist already."""
    volumes: dict[DnsLabel, Volume] = Field(default_factory=dict)
    """Volumes for model weights by name."""
    models: dict[DnsLabel, Model] = Field(default_factory=dict)
    """Models by name."""
    workloads: dict[DnsLabel, AnyWorkload] = Field(default_factory=dict)
    """Inference servers by name."""
    catalog: Catalog = Catalog()
    """Facts of your own: rows that extend or correct the built-in tables."""
    cost: Cost = Cost()
    """What the stack may cost."""
