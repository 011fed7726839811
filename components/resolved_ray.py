"""What only workloads on Ray need, resolved. Sizes are bytes, CPU is thousandths of a core, times are seconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from components.resolved import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class RayHead:
    """The pod that runs the cluster's control store, the dashboard and Serve's controller; it has no GPU."""

    cpu_millis: int
    memory: int
    object_store: int
    """Its share of the memory for Ray's object store, in /dev/shm."""
    ephemeral_storage: int
    node_selector: Mapping[str, str]
    tolerations: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisStore:
    """External Redis that keeps the cluster's state while the head restarts."""

    address: str
    port: int
    username: tuple[str, str] | None
    """Name and key of a Secret."""
    password: tuple[str, str] | None
    external_storage_namespace: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncrementalUpgrade:
    """How traffic moves to the new cluster."""

    gateway_class_name: str
    step_size_percent: int
    interval_seconds: int
    max_surge_percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RayCluster:
    """One Ray cluster: everything but its worker groups."""

    version: str
    image: str
    """Of head, workers and autoscaler."""
    head: RayHead
    redis: RedisStore | None
    upgrade_strategy: str
    """NewCluster, NewClusterWithIncrementalUpgrade or None for a RayService; Recreate or None for a RayCluster."""
    incremental: IncrementalUpgrade | None
    idle_timeout_seconds: int
    upscaling_mode: str
    deletion_delay_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RayAutoscaling:
    """Copies of a model by load: Ray Serve decides, Ray's autoscaler adds and removes worker pods."""

    min_replicas: int
    max_replicas: int
    target_ongoing_requests: float
    options: Mapping[str, Any] = field(default_factory=dict)
    """More keys of Serve's AutoscalingConfig."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RayModel:
    """One model on Ray: `Workload.settings`."""

    cluster: RayCluster | None
    """None where the model joins the service of another workload."""
    joins: str | None
    """The workload whose service it joins."""
    autoscaling: RayAutoscaling | None
    object_store: int
    """Of each worker pod, in /dev/shm."""
    engine_kwargs: Mapping[str, Any]
    """More engine arguments, as the stack file has them."""
    lora: Mapping[str, Any]
    """Ray's lora_config; empty where adapters are not loaded by Ray."""
    max_ongoing_requests: int | None
    """Requests that one copy takes at the same time; Ray's default when None."""


def host(workload: Workload) -> str:
    """Name of the workload whose objects run this one: its own, unless it joins another one's service."""
    joins = workload.settings.joins if isinstance(workload.settings, RayModel) else None
    return joins or workload.name


def upgrade_strategy(workload: Workload, workloads: Mapping[str, Workload]) -> str | None:
    """What an update of the workload's Ray cluster does; None for a workload that isn't on Ray."""
    own = workloads.get(host(workload))
    ray = own.settings.cluster if own is not None and isinstance(own.settings, RayModel) else None
    return ray.upgrade_strategy if ray else None


def updates_beside(workload: Workload, workloads: Mapping[str, Workload]) -> bool:
    """An update of its pods starts others before it stops any."""
    return bool(workload.max_surge) or (upgrade_strategy(workload, workloads) or "").startswith("NewCluster")


def members(workload: Workload, workloads: Mapping[str, Workload]) -> tuple[Workload, ...]:
    """A workload and those that join it, in the order of the stack file."""
    return (workload, *(one for one in workloads.values() if one is not workload and host(one) == workload.name))
