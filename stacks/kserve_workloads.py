"""Workloads that KServe runs: InferenceService."""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from components.resolved_kserve import InferenceServiceSettings, KserveAutoscaling, PrometheusTrigger
from components.spec import ObjectName, Quantity, Spec
from stacks.workloads import Workload


class PrometheusScaling(Spec):
    """A Prometheus query by which KEDA scales."""

    server_address: Annotated[str, Field(pattern=r"^https?://")]
    """URL of Prometheus, for example http://prometheus-operated.monitoring:9090."""
    query: Annotated[str, Field(min_length=1)]
    """PromQL whose result is divided among the replicas, for example sum(vllm:num_requests_waiting{namespace="ml-serving"})."""
    target: Quantity
    """Result for each replica above which one more is started."""


class Autoscaling(Spec):
    """Scaling by a HorizontalPodAutoscaler (scaleMetric) or by KEDA (prometheus)."""

    min_replicas: Annotated[int, Field(ge=0, le=1000)] = 1
    """Fewest copies; 0 needs KEDA."""
    max_replicas: Annotated[int, Field(ge=1, le=1000)]
    """Most copies."""
    scale_metric: Literal["cpu", "memory", "concurrency", "rps"] | None = None
    """What is measured. CPU says little about a GPU server; concurrency and rps exist in the deployment mode Knative only."""
    scale_target: Annotated[int, Field(ge=1, le=100)] | None = None
    """Target of scaleMetric: percent of the request for cpu and memory. KServe refuses more than 100 for every metric."""
    prometheus: PrometheusScaling | None = None
    """Scale by a Prometheus query instead, with KEDA."""

    @model_validator(mode="after")
    def _consistent(self) -> "Autoscaling":
        if self.max_replicas < self.min_replicas:
            raise PydanticCustomError(
                "autoscaling",
                "maxReplicas {most} is below minReplicas {least}",
                {"most": self.max_replicas, "least": self.min_replicas},
            )
        if (self.scale_metric is None) == (self.prometheus is None):
            raise PydanticCustomError("autoscaling", "needs scaleMetric with scaleTarget, or prometheus")
        if (self.scale_metric is None) != (self.scale_target is None):
            raise PydanticCustomError("autoscaling", "scaleMetric and scaleTarget go together")
        return self


class InferenceServiceWorkload(Workload):
    """A KServe InferenceService: its predictor runs the engine, from a runtime that services of the same engine and version share. A copy
    that outgrows a node spans two, by `workerSpec`."""

    kind: Literal["InferenceService"]
    """A KServe InferenceService (platform.kserve)."""
    runtime: ObjectName | None = None
    """Name of the ServingRuntime that this stack makes for it; from the engine and its version when left out."""
    autoscaling: Autoscaling | None = None
    """Scale between two numbers of replicas, from minReplicas on; `replicas` is then left out."""
    canary_traffic_percent: Annotated[int, Field(ge=0, le=100)] | None = None
    """Share of the requests that the newest revision gets; in the deployment mode Knative only."""
    container_concurrency: Annotated[int, Field(ge=0)] | None = None
    """Most requests of one pod at a time; in the deployment mode Knative only."""
    timeout_seconds: Annotated[int, Field(ge=1)] | None = None
    """Time of one request; in the deployment mode Knative only."""
    storage_secret: ObjectName | None = None
    """Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for weights in S3, where awsRole can't be used."""

    @model_validator(mode="after")
    def _one_number_of_replicas(self) -> "InferenceServiceWorkload":
        if self.autoscaling is None:
            return self
        if "replicas" in self.model_fields_set:
            raise PydanticCustomError(
                "autoscaling", "takes replicas or autoscaling, not both: KServe starts minReplicas copies"
            )
        found = self.model_copy(update={"replicas": self.autoscaling.min_replicas})
        found.model_fields_set.discard("replicas")  # nobody wrote it
        return found


def settings(spec: InferenceServiceWorkload, *, has_worker: bool) -> InferenceServiceSettings:
    """What the component needs besides what every workload has."""
    return InferenceServiceSettings(
        runtime=spec.runtime or runtime_name(spec, has_worker=has_worker),
        autoscaling=_autoscaling(spec.autoscaling) if spec.autoscaling else None,
        canary_traffic_percent=spec.canary_traffic_percent,
        container_concurrency=spec.container_concurrency,
        timeout_seconds=spec.timeout_seconds,
        storage_secret=spec.storage_secret,
    )


def runtime_name(spec: InferenceServiceWorkload, *, has_worker: bool) -> str:
    """Name of the runtime for an engine at a version, such as vllm-0-33-0.

    One with a worker has a name of its own: KServe's webhook refuses to take `workerSpec` out of a runtime that has it
    (pkg/webhook/admission/servingruntime, validateMultiNodeSpec; kserve 1fb7810 (v0.20.0), read 2026-11-23).
    """
    name = f"{spec.engine.name}-{spec.engine.version}".lower().replace(".", "-").replace("_", "-").replace("+", "-")
    return f"{name}-worker" if has_worker else name


def _autoscaling(spec: Autoscaling) -> KserveAutoscaling:
    query = spec.prometheus
    return KserveAutoscaling(
        min_replicas=spec.min_replicas,
        max_replicas=spec.max_replicas,
        metric=spec.scale_metric,
        target=spec.scale_target,
        prometheus=PrometheusTrigger(server_address=query.server_address, query=query.query, target=query.target)
        if query
        else None,
    )
