"""What only KServe's kinds need of a resolved workload. Pure."""

from dataclasses import dataclass

from components.resolved import Workload

WEIGHTS_PATH = "/mnt/models"
"""Where KServe puts what `storageUri` names (kserve pkg/constants, DefaultModelLocalMountPath, 1fb7810 (v0.20.0), read 2026-11-23)."""
LOCAL_MODELS_FOLDER = "/models"
"""Of a node whose disk keeps models: what the chart of KServe's agent mounts (charts/kserve-localmodel-resources/files/resources.yaml,
v0.20.0, read 2026-11-23)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusTrigger:
    """A Prometheus query that KEDA scales by."""

    server_address: str
    query: str
    target: str
    """Value of the query for each replica."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KserveAutoscaling:
    """Scaling between two numbers of replicas, by the HorizontalPodAutoscaler or by KEDA."""

    min_replicas: int
    max_replicas: int
    metric: str | None
    target: int | None
    prometheus: PrometheusTrigger | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceServiceSettings:
    """Settings of an InferenceService."""

    runtime: str
    """Name of the runtime that it uses."""
    autoscaling: KserveAutoscaling | None
    canary_traffic_percent: int | None
    container_concurrency: int | None
    timeout_seconds: int | None
    storage_secret: str | None
    """Secret with the credentials of an S3 storageUri, in the form that KServe wants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """How requests reach an LLMInferenceService from a gateway."""

    gateway_name: str
    gateway_namespace: str
    scheduler: bool
    """The endpoint picker chooses the replica of each request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmInferenceServiceSettings:
    """Settings of an LLMInferenceService."""

    router: Router | None
    storage_secret: str | None
    """Secret with the credentials of an S3 storageUri, in the form that KServe wants."""
    prefill_args: tuple[str, ...] | None = None
    """Command line of the pods that only prefill; None where every pod prefills and decodes."""


def runtimes(workloads: tuple[Workload, ...]) -> dict[str, Workload]:
    """The runtimes of a stack by name, each with a workload that uses it; preflight refuses two that differ under one name."""
    found: dict[str, Workload] = {}
    for one in workloads:
        if isinstance(one.settings, InferenceServiceSettings):
            found.setdefault(one.settings.runtime, one)
    return found


def splits(workload: Workload) -> bool:
    """It is an LLMInferenceService, some of whose copies only prefill."""
    settings = workload.settings
    return isinstance(settings, LlmInferenceServiceSettings) and settings.prefill_args is not None


def spans_nodes(workload: Workload) -> bool:
    """It is an LLMInferenceService whose copies have several pods."""
    return isinstance(workload.settings, LlmInferenceServiceSettings) and workload.group_size > 1


def has_worker(workload: Workload) -> bool:
    """It is an InferenceService whose copy has a second pod."""
    return isinstance(workload.settings, InferenceServiceSettings) and workload.group_size > 1
