"""The resolved workloads and the whole resolved stack, computed once by `stacks/resolve.py` and only read afterwards.

Sizes are bytes, CPU is thousandths of a core, times are seconds unless a name says otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from catalog.models import Architecture
from components.engines.base import Engine, Launch, Parallelism, Referenced
from components.engines.vllm_memory import MemoryEstimate
from components.infrastructure import NodeGroup, Volume
from components.resolved_operator import Operator


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """Weights at a revision, with their architecture."""

    name: str
    id: str
    revision: str
    architecture: Architecture | None
    """None where the catalogue doesn't know it and the stack doesn't say."""
    quantization: str
    """The checkpoint's method, or "none"."""
    weights_size: int | None
    gated: bool | None
    volume: str | None
    path: str | None
    """Folder inside the volume."""
    local_cache: bool = False
    """KServe keeps a copy on the disks of the nodes that serve it."""
    storage_uri: str | None = None
    """Folder in S3 that the engine reads; there is no volume then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsRole:
    """An IAM role that pods take on through their ServiceAccount."""

    arn: str
    via: str
    """pod-identity, or irsa."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodResources:
    """Requests of the engine container; memory and ephemeral storage are limits too."""

    gpus: int
    cpu_millis: int
    memory: int
    shm: int
    cache: int
    """emptyDir for compiled kernels, and for the weights where there is no volume."""
    tmp: int
    ephemeral_storage: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Startup:
    """Seconds that each step of a start may take, and the deadlines that follow."""

    load: int
    compile: int
    graphs: int
    node: int
    pull: int
    join: int = 0
    """Waiting for the other pods of a copy that spans several."""
    computed: int
    """Process start + join + load + compile + graphs, whatever the stack file says."""
    budget: int
    """From container start to ready: the startup probe's time; `computed` unless the stack file gives another."""
    progress_deadline: int
    rollout_timeout: int
    """For the whole rollout: Pulumi's custom timeout."""
    basis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainTimes:
    """preStop wait + engine shutdown < grace."""

    pre_stop: int
    shutdown: int
    grace: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One engine serving one model: everything that its pods, its checks and its report need."""

    name: str
    namespace: str
    kind: str
    engine: Engine
    launch: Launch
    args: tuple[str, ...]
    parallelism: Parallelism
    model: Model
    node_group: NodeGroup
    volume: Volume | None
    replicas: int
    """Copies of the model that answer requests."""
    prefill_replicas: int = 0
    """Copies more that only read prompts, for those that answer; 0 where every copy does both."""
    group_size: int = 1
    """Pods of one copy: more than one where it spans nodes."""
    max_surge: int
    """Copies more, while a rollout goes on."""
    max_unavailable: int
    resources: PodResources
    """Of one pod."""
    startup: Startup
    drain: DrainTimes
    env: Mapping[str, str]
    token_secret: tuple[str, str] | None
    """Name and key of the Secret with the Hugging Face token, where the pod downloads."""
    allow_from: tuple[Mapping[str, Any], ...]
    """NetworkPolicy peers that may call it."""
    service_port: int
    metrics: str
    labels: Mapping[str, str]
    priority_class_name: str | None
    memory: MemoryEstimate | None
    """None where the GPU or the architecture is unknown."""
    allowed: Mapping[str, str]
    """Rule codes that the stack allows for this workload, and why."""
    settings: Any = None
    """What only its kind needs, from the kind's own module."""
    downloads: bool = False
    """Its pods fetch weights from the Hugging Face Hub when they start."""
    cached: bool = False
    """KServe mounts the weights from the node's disk."""
    aws_role: AwsRole | None = None
    referenced: Mapping[str, Referenced] = field(default_factory=dict)
    """What is known of the models that the engine's options refer to, by name."""

    @property
    def replace_seconds(self) -> int:
        """From the end of a copy's service to its next beginning; the other pods of a group stop only after the one that serves."""
        return self.drain.grace * min(self.group_size, 2) + self.startup.budget

    @property
    def copies(self) -> int:
        """Copies of the model, whatever they do."""
        return self.replicas + self.prefill_replicas

    @property
    def pods(self) -> int:
        """Pods of all copies."""
        return self.copies * self.group_size

    @property
    def gpus(self) -> int:
        """GPU units of all pods."""
        return self.pods * self.resources.gpus


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Where the stack goes."""

    provider: str
    """eks, kubeconfig, or stackReference."""
    name: str
    kubernetes_version: str | None
    region: str | None
    kubeconfig: str | None = None
    stack_reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePlugin:
    """The device plugin chart release."""

    version: str
    repository: str
    namespace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSource:
    """The Hugging Face token's Secret; `config_secret` where this stack creates it from a Pulumi secret."""

    secret_name: str
    key: str
    config_secret: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The whole resolved stack."""

    name: str
    namespace: str
    create_namespace: bool
    cluster: Cluster
    token: TokenSource | None
    device_plugin: DevicePlugin | None
    node_groups: Mapping[str, NodeGroup]
    volumes: Mapping[str, Volume]
    models: Mapping[str, Model]
    workloads: Mapping[str, Workload]
    option_rows: Mapping[str, Mapping[str, Any]]
    """Option tables that the stack file adds to the catalogue, by engine and version."""
    max_usd_per_hour: float | None = None
    """Ceiling for the cost of all node groups at their largest."""
    operators: Mapping[str, Operator] = field(default_factory=dict)
    """By key of the platform section."""
    referenced_device_plugin: bool = False
    """The stack that `cluster.stackReference` names installs the device plugin."""
