"""Workloads of kind LLMInferenceService: KServe's own kind for language models."""

from typing import Annotated, Literal

from pydantic import Field

from components.resolved_kserve import LlmInferenceServiceSettings
from components.resolved_kserve import Router as ResolvedRouter
from components.spec import DnsLabel, ObjectName, Spec
from stacks.workloads import Workload


class GatewayReference(Spec):
    """An existing Gateway of the Gateway API."""

    name: ObjectName
    """Its name."""
    namespace: DnsLabel
    """Its namespace."""


class Router(Spec):
    """Requests from a Gateway, by a route that KServe makes: /<namespace>/<name>/v1/... and the model's name in a header."""

    gateway: GatewayReference
    """The Gateway to attach the route to."""
    scheduler: bool = False
    """Choose the replica of each request by its load and its cached prefixes (an InferencePool with an endpoint picker), instead of by
    the Service. The Gateway must support InferencePools."""


class Prefill(Spec):
    """Copies that only read prompts. They have the engine, the size and the node group of the others, and hand the KV cache over."""

    replicas: Annotated[int, Field(ge=1, le=1000)]
    """How many, besides the workload's own `replicas`, which then answer; none while those are 0."""


class LlmInferenceServiceWorkload(Workload):
    """A KServe LLMInferenceService: each copy is one pod, or a group of pods on several nodes by pipeline parallelism."""

    kind: Literal["LLMInferenceService"]
    """A KServe LLMInferenceService (platform.kserve with llmInferenceServices)."""
    router: Router | None = None
    """How requests come from outside; inside the cluster only when left out."""
    prefill: Prefill | None = None
    """Read prompts on copies of their own, for requests through the router with its scheduler: a long prompt then doesn't hold up the
    answers to others. Every copy does both when left out. KServe can't add or remove it later under the same name."""
    storage_secret: ObjectName | None = None
    """Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for weights in S3, where awsRole can't be used."""


def settings(spec: LlmInferenceServiceWorkload) -> LlmInferenceServiceSettings:
    """What the component needs besides what every workload has."""
    router = spec.router
    return LlmInferenceServiceSettings(
        router=ResolvedRouter(
            gateway_name=router.gateway.name, gateway_namespace=router.gateway.namespace, scheduler=router.scheduler
        )
        if router
        else None,
        storage_secret=spec.storage_secret,
    )
