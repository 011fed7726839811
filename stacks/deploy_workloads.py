"""Which component runs each kind of workload."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pulumi

from components.resolved import Stack, Workload
from components.resolved_ray import members


class Served(Protocol):
    """A component that serves a model."""

    url: pulumi.Output[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Place:
    """What a workload's component needs besides the workload."""

    stack: Stack
    namespace: pulumi.Input[str]
    after: Sequence[pulumi.Resource]
    """What must be there before the pods start."""
    runtimes: Mapping[str, pulumi.Resource]
    """KServe's runtimes by name."""
    presets: Sequence[pulumi.Resource]
    """What KServe merges into LLMInferenceServices and its own charts lack."""
    options: pulumi.ResourceOptions
    """The explicit providers."""


def _deployment(workload: Workload, place: Place) -> Served:
    from components.model_deployment import ModelDeployment, ModelDeploymentArgs

    arguments = ModelDeploymentArgs(workload=workload, namespace=place.namespace, after=place.after)
    return ModelDeployment(workload.name, arguments, place.options)


def _leader_worker_set(workload: Workload, place: Place) -> Served:
    from components.leader_worker_set import ModelLeaderWorkerSet, ModelLeaderWorkerSetArgs

    arguments = ModelLeaderWorkerSetArgs(workload=workload, namespace=place.namespace, after=place.after)
    return ModelLeaderWorkerSet(workload.name, arguments, place.options)


def _inference_service(workload: Workload, place: Place) -> Served:
    from components.model_inference_service import ModelInferenceService, ModelInferenceServiceArgs

    kserve = place.stack.operators["kserve"]
    arguments = ModelInferenceServiceArgs(
        workload=workload,
        deployment_mode=kserve.settings["deploymentMode"],
        namespace=place.namespace,
        after=[*place.after, place.runtimes[workload.settings.runtime]],
    )
    return ModelInferenceService(workload.name, arguments, place.options)


def _llm_inference_service(workload: Workload, place: Place) -> Served:
    from components.model_llm_inference_service import ModelLlmInferenceService, ModelLlmInferenceServiceArgs

    after = [*place.after, *place.presets]
    arguments = ModelLlmInferenceServiceArgs(workload=workload, namespace=place.namespace, after=after)
    return ModelLlmInferenceService(workload.name, arguments, place.options)


def _ray_service(workload: Workload, place: Place) -> Served:
    from components.kuberay import ModelRayService, RayArgs

    arguments = RayArgs(
        models=members(workload, place.stack.workloads),
        operator_namespace=_operator_namespace(place.stack),
        namespace=place.namespace,
        after=place.after,
    )
    return ModelRayService(workload.name, arguments, place.options)


def _ray_cluster(workload: Workload, place: Place) -> Served:
    from components.kuberay import RayArgs, RayModelCluster

    arguments = RayArgs(
        models=(workload,),
        operator_namespace=_operator_namespace(place.stack),
        namespace=place.namespace,
        after=place.after,
    )
    return RayModelCluster(workload.name, arguments, place.options)


def _operator_namespace(stack: Stack) -> str:
    return stack.operators["kuberay"].namespace


KINDS: Mapping[str, Callable[[Workload, Place], Served]] = {
    "Deployment": _deployment,
    "InferenceService": _inference_service,
    "LLMInferenceService": _llm_inference_service,
    "RayService": _ray_service,
    "RayCluster": _ray_cluster,
    "LeaderWorkerSet": _leader_worker_set,
}
