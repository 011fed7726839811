"""The `ray` section of a workload: the Ray cluster around its worker pods."""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from components.spec import LabelKey, LabelValue, ObjectName, Port, Quantity, Seconds, Spec
from stacks.node_groups import Toleration

_Percent = Annotated[int, Field(ge=1, le=100)]


class SecretKey(Spec):
    """One value of a Kubernetes Secret of the stack's namespace."""

    secret_name: ObjectName
    """Name of the Secret."""
    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
    """Key inside the Secret."""


class Redis(Spec):
    """An external Redis that keeps the cluster's state: workers go on serving while the head restarts."""

    address: Annotated[str, Field(pattern=r"^[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$", max_length=253)]
    """Host name or IPv4 address, without scheme and port."""
    port: Port = 6379
    """TCP port."""
    username: SecretKey | None = None
    """Where the user name is; Redis' default user when left out."""
    password: SecretKey | None = None
    """Where the password is."""
    external_storage_namespace: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")] | None = None
    """Prefix of the cluster's keys; KubeRay's own, different for each cluster, when left out."""


class Head(Spec):
    """The head pod: control store, dashboard and Serve's controller. It gets no GPU and runs no replicas."""

    cpu: Quantity = "2"
    """CPU request."""
    memory: Quantity = "8Gi"
    """Memory request and limit, the object store included."""
    object_store_memory: Quantity = "1Gi"
    """Of that, for Ray's object store in /dev/shm."""
    ephemeral_storage: Quantity = "12Gi"
    """Ephemeral storage request and limit, logs included."""
    node_selector: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    """Nodes that it may run on, besides those of the workers' CPU architecture; any without taints when left out."""
    tolerations: list[Toleration] = Field(default_factory=list)
    """Taints that it accepts."""


class Incremental(Spec):
    """How traffic moves to the new cluster in steps, through a Gateway of the Gateway API."""

    gateway_class_name: ObjectName
    """An existing GatewayClass."""
    step_size_percent: _Percent = 20
    """Share of the traffic that moves at each step."""
    interval_seconds: Annotated[int, Field(ge=1, le=86400)] = 60
    """Time between steps."""
    max_surge_percent: _Percent = 100
    """Capacity of the new cluster beyond what it has to serve already; 100 needs a whole second set of GPUs."""


class RaySection(Spec):
    """What head and worker groups share."""

    upgrade_strategy: str
    """What a change of the pods means."""
    version: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")]
    """Release of Ray; it decides the image, and with it the release of vLLM."""
    head: Head = Head()
    """The head pod."""
    redis: Redis | None = None
    """Keep the cluster's state in Redis; without it a new head starts with an empty cluster, and everything stops."""
    idle_timeout_seconds: Seconds = 300
    """How long a worker pod without work stays, where the autoscaler runs."""
    upscaling_mode: Literal["Default", "Conservative", "Aggressive"] = "Default"
    """How quickly the autoscaler asks for pods, where it runs."""


class RayServiceSection(RaySection):
    """The Ray cluster of a RayService."""

    upgrade_strategy: Literal["NewCluster", "NewClusterWithIncrementalUpgrade", "None"] = "NewCluster"
    """What a change of the pods means: a whole second cluster that takes over when it is ready (twice the GPUs), the same in steps,
    or nothing until the RayCluster is deleted by hand. Changes of the Serve configuration alone never need a new cluster."""
    incremental: Incremental | None = None
    """Steps of NewClusterWithIncrementalUpgrade."""
    deletion_delay_seconds: Seconds = 60
    """How long the old cluster stays after traffic has moved."""

    @model_validator(mode="after")
    def _steps(self) -> "RayServiceSection":
        gradual = self.upgrade_strategy == "NewClusterWithIncrementalUpgrade"
        if gradual and self.incremental is None:
            raise PydanticCustomError(
                "ray", "NewClusterWithIncrementalUpgrade needs incremental: {gatewayClassName: ...}"
            )
        if not gradual and self.incremental is not None:
            raise PydanticCustomError("ray", "incremental is for upgradeStrategy: NewClusterWithIncrementalUpgrade")
        if self.incremental and self.incremental.step_size_percent > self.incremental.max_surge_percent:
            raise PydanticCustomError("ray", "incremental.stepSizePercent must not exceed maxSurgePercent")
        return self


class RayClusterSection(RaySection):
    """A Ray cluster without a service."""

    upgrade_strategy: Literal["Recreate", "None"] = "Recreate"
    """What a change of the pods means: all pods go and come again, or nothing until they are deleted by hand."""
