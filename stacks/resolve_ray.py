"""The `ray` keys of a workload, resolved. Pure."""

from typing import Any

from catalog.ray import releases
from components.engines.base import Engine
from components.resolved_ray import (
    IncrementalUpgrade,
    RayAutoscaling,
    RayCluster,
    RayHead,
    RayModel,
    RedisStore,
)
from components.spec import to_bytes, to_millis
from stacks.ray_cluster import Incremental, RaySection, RayServiceSection, Redis, SecretKey
from stacks.ray_workloads import RayAutoscaling as AutoscalingSpec
from stacks.ray_workloads import RayClusterWorkload, RayLora, RayServiceWorkload

UNKNOWN_TAG = "unknown-ray-release"
"""Tag where the release isn't in the catalogue: rule RAY001 refuses it before it could be deployed."""


def settings(spec: RayServiceWorkload | RayClusterWorkload) -> RayModel:
    """What the components need besides what every workload has."""
    autoscaling = spec.autoscaling if isinstance(spec, RayServiceWorkload) else None
    return RayModel(
        cluster=_cluster(spec.ray, spec.engine) if spec.ray else None,
        joins=spec.ray_service if isinstance(spec, RayServiceWorkload) else None,
        autoscaling=_autoscaling(autoscaling) if autoscaling else None,
        object_store=to_bytes(spec.object_store_memory),
        engine_kwargs=dict(spec.engine_kwargs) if isinstance(spec, RayServiceWorkload) else {},
        lora=_lora(spec.lora) if isinstance(spec, RayServiceWorkload) and spec.lora else {},
        max_ongoing_requests=spec.max_ongoing_requests if isinstance(spec, RayServiceWorkload) else None,
    )


def image(version: str, engine: Engine) -> str:
    """The image of a Ray cluster: the official one of the release, or the engine's own `image` and `imageDigest`."""
    known = releases().get(version)
    official = known.image if known else f"rayproject/ray-llm:{UNKNOWN_TAG}"
    if engine.image is None:
        named = official
    else:
        named = (
            engine.image if ":" in engine.image.rsplit("/", 1)[-1] else f"{engine.image}:{official.rsplit(':', 1)[1]}"
        )
    return f"{named}@{engine.image_digest}" if engine.image_digest else named


def _cluster(ray: RaySection, engine: Engine) -> RayCluster:
    service = ray if isinstance(ray, RayServiceSection) else None
    return RayCluster(
        version=ray.version,
        image=image(ray.version, engine),
        head=RayHead(
            cpu_millis=to_millis(ray.head.cpu),
            memory=to_bytes(ray.head.memory),
            object_store=to_bytes(ray.head.object_store_memory),
            ephemeral_storage=to_bytes(ray.head.ephemeral_storage),
            node_selector=dict(ray.head.node_selector),
            tolerations=tuple(one.model_dump(by_alias=True, exclude_none=True) for one in ray.head.tolerations),
        ),
        redis=_redis(ray.redis) if ray.redis else None,
        upgrade_strategy=ray.upgrade_strategy,
        incremental=_incremental(service.incremental) if service and service.incremental else None,
        idle_timeout_seconds=ray.idle_timeout_seconds,
        upscaling_mode=ray.upscaling_mode,
        deletion_delay_seconds=service.deletion_delay_seconds if service else 0,
    )


def _redis(spec: Redis) -> RedisStore:
    return RedisStore(
        address=spec.address,
        port=spec.port,
        username=_secret(spec.username),
        password=_secret(spec.password),
        external_storage_namespace=spec.external_storage_namespace,
    )


def _secret(spec: SecretKey | None) -> tuple[str, str] | None:
    return (spec.secret_name, spec.key) if spec else None


def _incremental(spec: Incremental) -> IncrementalUpgrade:
    return IncrementalUpgrade(
        gateway_class_name=spec.gateway_class_name,
        step_size_percent=spec.step_size_percent,
        interval_seconds=spec.interval_seconds,
        max_surge_percent=spec.max_surge_percent,
    )


def _autoscaling(spec: AutoscalingSpec) -> RayAutoscaling:
    options = {"upscale_delay_s": spec.upscale_delay_seconds, "downscale_delay_s": spec.downscale_delay_seconds}
    return RayAutoscaling(
        min_replicas=spec.min_replicas,
        max_replicas=spec.max_replicas,
        target_ongoing_requests=spec.target_ongoing_requests,
        options={name: value for name, value in options.items() if value is not None},
    )


def _lora(spec: RayLora) -> dict[str, Any]:
    return {
        "dynamic_lora_loading_path": spec.dynamic_lora_loading_path,
        "max_num_adapters_per_replica": spec.max_num_adapters_per_replica,
        "download_timeout_s": spec.download_timeout_seconds,
        "max_download_tries": spec.max_download_tries,
    }
