"""What every kind of workload has around its pods: ServiceAccount, NetworkPolicy, PodDisruptionBudget, files and monitor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components import network_policy, pods
from components.pod_volumes import config_map_name
from components.resolved import Workload
from components.serving_objects import Selector, budget_spec, pod_monitor_spec
from components.spec import Manifest


@dataclass(frozen=True, kw_only=True, eq=False)
class Surroundings:
    """The objects around a workload's pods."""

    metadata: Manifest
    """Name, namespace and labels that its objects share."""
    needed: list[pulumi.Resource]
    """What the pods need before they start."""


def surround(
    name: str,
    workload: Workload,
    *,
    parent: pulumi.Resource,
    namespace: pulumi.Input[str] | None,
    selector: Selector | None = None,
    monitored: Selector | None = None,
    secrets: Sequence[Manifest] = (),
    budgets: Mapping[str, Selector] | None = None,
) -> Surroundings:
    """Creates them as children of a component.

    `selector` picks the pods, by the workload's own labels when left out; `monitored` those of them that have metrics, all when left
    out; `secrets` are listed by the ServiceAccount; `budgets` are the pods of each PodDisruptionBudget by what its name ends with, one
    for all of them when left out: of pods that do different things each kind keeps some.
    """
    child, every = pulumi.ResourceOptions(parent=parent), selector or pods.selector(workload)
    metadata: Manifest = {
        "name": workload.name,
        "namespace": namespace or workload.namespace,
        "labels": pods.labels(workload),
    }
    needed: list[pulumi.Resource] = [
        k8s.core.v1.ServiceAccount(
            name,
            metadata=pods.account_metadata(workload, metadata),
            automount_service_account_token=False,
            secrets=list(secrets) or None,
            opts=child,
        ),
        k8s.networking.v1.NetworkPolicy(
            name, metadata=metadata, spec=network_policy.workload_policy(workload, every), opts=child
        ),
    ]
    for suffix, chosen in (budgets or {"": every}).items():
        own: Manifest = {**metadata, "name": f"{workload.name}{suffix}"}
        k8s.policy.v1.PodDisruptionBudget(f"{name}{suffix}", metadata=own, spec=budget_spec(chosen), opts=child)
    if workload.metrics == "podMonitor":
        k8s.apiextensions.CustomResource(
            f"{name}-metrics",
            api_version="monitoring.coreos.com/v1",
            kind="PodMonitor",
            metadata=metadata,
            spec=pod_monitor_spec(workload, monitored or every),
            opts=child,
        )
    if files := workload.engine.files(workload.launch):
        named: Manifest = {**metadata, "name": config_map_name(workload)}
        needed.append(k8s.core.v1.ConfigMap(name, metadata=named, data=files, immutable=True, opts=child))
    return Surroundings(metadata=metadata, needed=needed)
