"""ModelDeployment: one engine serving one model as a Deployment, with everything around it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components import network_policy, pods
from components.pod_volumes import config_map_name
from components.resolved import Workload
from components.serving_objects import budget_spec, pod_monitor_spec, service_metadata, service_spec
from components.spec import Manifest


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelDeploymentArgs:
    """Arguments of ModelDeployment."""

    workload: Workload
    """The resolved workload."""
    namespace: pulumi.Input[str] | None = None
    """The namespace as an output of what creates it; the workload's own name for it when left out."""
    after: Sequence[pulumi.Resource] = ()
    """What must be there before the pods start: filled volumes, Secrets, node groups."""


class ModelDeployment(pulumi.ComponentResource):
    """A Deployment with its Service, ServiceAccount, PodDisruptionBudget and NetworkPolicy, and a PodMonitor where asked for."""

    url: pulumi.Output[str]
    """Base URL of the OpenAI-compatible API inside the cluster."""
    service_name: pulumi.Output[str]
    """Name of the Service."""

    def __init__(self, name: str, args: ModelDeploymentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("llm-serving:index:ModelDeployment", name, None, opts)
        workload, selector = args.workload, pods.selector(args.workload)
        child = pulumi.ResourceOptions(parent=self)
        metadata: Manifest = {
            "name": workload.name,
            "namespace": args.namespace or workload.namespace,
            "labels": pods.labels(workload),
        }
        account = k8s.core.v1.ServiceAccount(
            name,
            metadata=pods.account_metadata(workload, metadata),
            automount_service_account_token=False,
            opts=child,
        )
        service = k8s.core.v1.Service(
            name, metadata=service_metadata(metadata), spec=service_spec(workload, selector), opts=child
        )
        k8s.networking.v1.NetworkPolicy(
            name, metadata=metadata, spec=network_policy.workload_policy(workload, selector), opts=child
        )
        k8s.policy.v1.PodDisruptionBudget(name, metadata=metadata, spec=budget_spec(selector), opts=child)
        if workload.metrics == "podMonitor":
            k8s.apiextensions.CustomResource(
                name,
                api_version="monitoring.coreos.com/v1",
                kind="PodMonitor",
                metadata=metadata,
                spec=pod_monitor_spec(workload, selector),
                opts=child,
            )
        files = workload.engine.files(workload.launch)
        if files:
            k8s.core.v1.ConfigMap(
                name,
                metadata={**metadata, "name": config_map_name(workload)},
                data=files,
                immutable=True,
                opts=child,
            )
        timeout = f"{workload.startup.rollout_timeout}s"
        k8s.apps.v1.Deployment(
            name,
            metadata=metadata,
            spec=deployment_spec(workload),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[account, *args.after],
                custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout),
            ),
        )
        self.service_name = service.metadata.name
        self.url = pulumi.Output.concat(
            "http://", service.metadata.name, ".", workload.namespace, ".svc:", str(workload.service_port), "/v1"
        )
        self.register_outputs({"url": self.url, "service_name": self.service_name})


def deployment_spec(workload: Workload) -> Manifest:
    """Spec of the Deployment: replaced in place by default, so that an update needs no spare GPUs."""
    return {
        "replicas": workload.replicas,
        "selector": {"matchLabels": pods.selector(workload)},
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": workload.max_surge, "maxUnavailable": workload.max_unavailable},
        },
        "progressDeadlineSeconds": workload.startup.progress_deadline,
        "revisionHistoryLimit": 5,
        "template": pods.pod_template(workload),
    }
