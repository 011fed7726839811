"""Workloads of kind RayService and RayCluster: models on Ray, through KubeRay."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError

from components.spec import DnsLabel, Quantity, Seconds, Spec
from stacks.ray_cluster import RayClusterSection, RayServiceSection
from stacks.workloads import Workload

EngineArgument = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class RayAutoscaling(Spec):
    """Copies by load. Ray Serve decides, and Ray's autoscaler adds and removes worker pods."""

    min_replicas: Annotated[int, Field(ge=1, le=1000)]
    """Copies at least; Serve's proxies run beside them, so that there is always one."""
    max_replicas: Annotated[int, Field(ge=1, le=1000)]
    """Copies at most."""
    target_ongoing_requests: Annotated[float, Field(gt=0)]
    """Requests that each copy should have at the same time. Ray Serve LLM's own default would never add a copy."""
    upscale_delay_seconds: Seconds | None = None
    """How long load must be high before a copy is added; 30 when left out."""
    downscale_delay_seconds: Seconds | None = None
    """How long load must be low before a copy is removed; 600 when left out."""

    @model_validator(mode="after")
    def _ordered(self) -> "RayAutoscaling":
        if self.max_replicas < self.min_replicas:
            raise PydanticCustomError(
                "ray",
                "maxReplicas {most} is below minReplicas {least}",
                {"most": self.max_replicas, "least": self.min_replicas},
            )
        return self


class RayLora(Spec):
    """LoRA adapters that Ray Serve loads when a request names one; needs engine.enableLora."""

    dynamic_lora_loading_path: Annotated[str, Field(pattern=r"^(s3|gs|abfss|azure)://.+")]
    """Folder of the adapters, one sub-folder each."""
    max_num_adapters_per_replica: Annotated[int, Field(ge=1)] = 16
    """Adapters that each copy keeps."""
    download_timeout_seconds: Annotated[int, Field(ge=1)] = 30
    """Time for one download."""
    max_download_tries: Annotated[int, Field(ge=1)] = 3
    """Tries of each download."""


class RayModelKeys(Workload):
    """What every model on Ray has."""

    object_store_memory: Quantity = "4Gi"
    """Memory of each worker pod for Ray's object store, in /dev/shm. Ray's own default, 30 percent of the memory, would not fit there."""

    @model_validator(mode="after")
    def _no_surge(self) -> "RayModelKeys":
        if self.rollout == "surge":
            raise PydanticCustomError(
                "ray", "rollout: surge is not for Ray; ray.upgradeStrategy says what an update does"
            )
        return self


class RayServiceWorkload(RayModelKeys):
    """A RayService: models behind one OpenAI-compatible endpoint, whose copies may span nodes."""

    kind: Literal["RayService"]
    """A RayService of KubeRay (platform.kuberay)."""
    ray: RayServiceSection | None = None
    """The Ray cluster of the service."""
    ray_service: DnsLabel | None = None
    """Instead of `ray`: another RayService workload, whose service this model joins with a worker group of its own."""
    autoscaling: RayAutoscaling | None = None
    """Copies by load; always `replicas` copies when left out."""
    max_ongoing_requests: Annotated[int, Field(ge=1)] | None = None
    """Requests that one copy takes at the same time; unlimited when left out, as vLLM queues them itself."""
    engine_kwargs: dict[EngineArgument, JsonValue] = Field(default_factory=dict)
    """More engine arguments, under vLLM's Python names such as mm_processor_cache_gb; instead of engine.extraArgs."""
    lora: RayLora | None = None
    """LoRA adapters by request."""

    @model_validator(mode="after")
    def _one_cluster(self) -> "RayServiceWorkload":
        if (self.ray is None) == (self.ray_service is None):
            raise PydanticCustomError(
                "ray", "needs either ray (a service of its own) or rayService (to join another one)"
            )
        if self.ray_service and {"service_port", "metrics"} & self.model_fields_set:
            raise PydanticCustomError(
                "ray", "with rayService, servicePort and metrics are those of the service's own workload"
            )
        if self.autoscaling and not self.autoscaling.min_replicas <= self.replicas <= self.autoscaling.max_replicas:
            raise PydanticCustomError(
                "ray",
                "replicas {replicas}, the copies at the start, must be from minReplicas {least} to maxReplicas {most}",
                {
                    "replicas": self.replicas,
                    "least": self.autoscaling.min_replicas,
                    "most": self.autoscaling.max_replicas,
                },
            )
        return self


class RayClusterWorkload(RayModelKeys):
    """A RayCluster with worker pods that fit the model, without a Serve configuration: for `serve deploy` or jobs."""

    kind: Literal["RayCluster"]
    """A RayCluster of KubeRay (platform.kuberay)."""
    ray: RayClusterSection
    """The Ray cluster."""
