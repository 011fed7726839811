"""ModelRayService and RayModelCluster: models on Ray, as KubeRay's objects with everything around them."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components import pods, ray_network
from components.pod_volumes import config_map_name
from components.ray_cluster_spec import (
    autoscaled,
    ray_cluster_spec,
    ray_service_spec,
    ready_seconds,
    worker_budget_spec,
)
from components.ray_pods import CLUSTER_LABEL, head_account, head_labels
from components.ray_serve_config import PORT
from components.resolved import Workload
from components.service_address import service_name
from components.spec import Manifest


@dataclass(frozen=True, kw_only=True, eq=False)
class RayArgs:
    """Arguments of ModelRayService and RayModelCluster."""

    models: Sequence[Workload]
    """The resolved workloads, with `settings` of Ray: the cluster's own first, then those that join it."""
    operator_namespace: str
    """Namespace of the KubeRay operator, which reaches the dashboard."""
    namespace: pulumi.Input[str] | None = None
    """The namespace as an output of what creates it; the workload's own name for it when left out."""
    after: Sequence[pulumi.Resource] = ()
    """What must be there before the pods start: the operator, filled volumes, Secrets, node groups."""


class ModelRayService(pulumi.ComponentResource):
    """A RayService with ServiceAccounts, PodDisruptionBudgets and NetworkPolicies, and a PodMonitor where asked for.

    KubeRay makes the Service of the API, `<name>-serve-svc`, and the Secret with the cluster's token.
    """

    url: pulumi.Output[str]
    """Base URL of the OpenAI-compatible API inside the cluster."""
    service_name: pulumi.Output[str]
    """Name of the Service."""

    def __init__(self, name: str, args: RayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("llm-serving:index:ModelRayService", name, None, opts)
        own = args.models[0]
        needed = _surroundings(name, args, self)
        timeout = f"{ready_seconds(args.models)}s"
        k8s.apiextensions.CustomResource(
            name,
            api_version="ray.io/v1",
            kind="RayService",
            metadata={
                **_metadata(own, args),
                # Ready: some proxy answers (ray-operator/apis/ray/v1/rayservice_types.go, RayServiceReady).
                "annotations": {"pulumi.com/waitFor": "condition=Ready"},
            },
            spec=ray_service_spec(args.models),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*needed, *args.after],
                custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout),
            ),
        )
        service = service_name(own)
        self.service_name = pulumi.Output.from_input(service)
        self.url = pulumi.Output.from_input(f"http://{service}.{own.namespace}.svc:{own.service_port}/v1")
        self.register_outputs({"url": self.url, "service_name": self.service_name})


class RayModelCluster(pulumi.ComponentResource):
    """A RayCluster with ServiceAccounts, PodDisruptionBudget and NetworkPolicies, and a PodMonitor where asked for.

    Nothing serves until somebody runs `serve deploy`; the Service `<name>-serve-svc` is there from the start.
    """

    url: pulumi.Output[str]
    """Base URL of what `serve deploy` serves, inside the cluster."""
    service_name: pulumi.Output[str]
    """Name of the Service."""

    def __init__(self, name: str, args: RayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("llm-serving:index:RayModelCluster", name, None, opts)
        own = args.models[0]
        needed = _surroundings(name, args, self)
        timeout = f"{ready_seconds(args.models)}s"
        k8s.apiextensions.CustomResource(
            name,
            api_version="ray.io/v1",
            kind="RayCluster",
            metadata={
                **_metadata(own, args),
                "annotations": {
                    "pulumi.com/waitFor": "condition=RayClusterProvisioned",
                    "ray.io/enable-serve-service": "true",
                },
            },
            spec=ray_cluster_spec(args.models),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*needed, *args.after],
                custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout),
            ),
        )
        service = service_name(own)
        self.service_name = pulumi.Output.from_input(service)
        self.url = pulumi.Output.from_input(f"http://{service}.{own.namespace}.svc:{PORT}/v1")
        self.register_outputs({"url": self.url, "service_name": self.service_name})


def _metadata(workload: Workload, args: RayArgs) -> Manifest:
    """Name, namespace and labels of an object of one model."""
    return {"name": workload.name, "namespace": args.namespace or workload.namespace, "labels": pods.labels(workload)}


def _surroundings(name: str, args: RayArgs, parent: pulumi.Resource) -> list[pulumi.Resource]:
    """ServiceAccounts, PodDisruptionBudgets, NetworkPolicies, configuration files and monitors; returns what pods need first."""
    own, child = args.models[0], pulumi.ResourceOptions(parent=parent)
    needed: list[pulumi.Resource] = []
    for workload in args.models:
        here, key = _metadata(workload, args), name if workload is own else workload.name
        account = pods.account_metadata(workload, here)
        needed.append(
            k8s.core.v1.ServiceAccount(key, metadata=account, automount_service_account_token=False, opts=child)
        )
        k8s.policy.v1.PodDisruptionBudget(key, metadata=here, spec=worker_budget_spec(workload), opts=child)
        if files := workload.engine.files(workload.launch):
            needed.append(
                k8s.core.v1.ConfigMap(
                    key,
                    metadata={**here, "name": config_map_name(workload)},
                    data=files,
                    immutable=True,
                    opts=child,
                )
            )
    head: Manifest = {**_metadata(own, args), "name": head_account(own), "labels": head_labels(own)}
    needed.append(
        k8s.core.v1.ServiceAccount(f"{name}-head", metadata=head, automount_service_account_token=False, opts=child)
    )
    policies = {
        name: (_metadata(own, args), ray_network.cluster_policy(args.models)),
        f"{name}-head": (
            head,
            ray_network.head_policy(args.models, args.operator_namespace, autoscales=autoscaled(args.models)),
        ),
    }
    for key, (here, spec) in policies.items():
        needed.append(k8s.networking.v1.NetworkPolicy(key, metadata=here, spec=spec, opts=child))
    if own.metrics == "podMonitor":
        k8s.apiextensions.CustomResource(
            f"{name}-metrics",
            api_version="monitoring.coreos.com/v1",
            kind="PodMonitor",
            metadata=_metadata(own, args),
            spec=pod_monitor_spec(own),
            opts=child,
        )
    return needed


def pod_monitor_spec(own: Workload) -> Manifest:
    """Spec of the PodMonitor: Ray, Serve and vLLM metrics of head and workers, all at the port that KubeRay names `metrics`."""
    return {
        "selector": {"matchLabels": {CLUSTER_LABEL: own.name}},
        "podMetricsEndpoints": [{"port": "metrics", "path": "/metrics", "interval": "15s"}],
    }
