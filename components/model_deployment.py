"""ModelDeployment: one engine serving one model as a Deployment, with everything around it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components import pods
from components.resolved import Workload
from components.serving_objects import service_metadata, service_spec
from components.spec import Manifest
from components.surroundings import surround


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
        around = surround(name, workload, parent=self, namespace=args.namespace)
        service = k8s.core.v1.Service(
            name,
            metadata=service_metadata(around.metadata),
            spec=service_spec(workload, selector),
            opts=pulumi.ResourceOptions(parent=self),
        )
        timeout = f"{workload.startup.rollout_timeout}s"
        k8s.apps.v1.Deployment(
            name,
            metadata=around.metadata,
            spec=deployment_spec(workload),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*around.needed, *args.after],
                custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout),
            ),
        )
        self.service_name = service.metadata.name
        self.url = pulumi.Output.concat(
            "http://",
            service.metadata.name,
            ".",
            workload.namespace,
            ".svc:",
            str(workload.service_port),
            workload.engine.API_PATH,
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
