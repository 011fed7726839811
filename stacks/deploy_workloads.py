"""Which component runs each kind of workload."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pulumi

from components.resolved import Stack, Workload


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
    options: pulumi.ResourceOptions
    """The explicit providers."""


def _deployment(workload: Workload, place: Place) -> Served:
    from components.model_deployment import ModelDeployment, ModelDeploymentArgs

    arguments = ModelDeploymentArgs(workload=workload, namespace=place.namespace, after=place.after)
    return ModelDeployment(workload.name, arguments, place.options)


KINDS: Mapping[str, Callable[[Workload, Place], Served]] = {
    "Deployment": _deployment,
}
