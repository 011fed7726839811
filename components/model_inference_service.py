"""ModelInferenceService: one engine serving one model as a KServe InferenceService, with everything around it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components import kserve_spec, network_policy, pods
from components.pod_volumes import config_map_name
from components.resolved import Workload
from components.service_address import service_name
from components.serving_objects import budget_spec, pod_monitor_spec
from components.spec import Manifest


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelInferenceServiceArgs:
    """Arguments of ModelInferenceService."""

    workload: Workload
    """The resolved workload, with `settings` of an InferenceService."""
    deployment_mode: str = "Standard"
    """KServe's deployment mode: Standard (a Deployment) or Knative."""
    namespace: pulumi.Input[str] | None = None
    """The namespace as an output of what creates it; the workload's own name for it when left out."""
    after: Sequence[pulumi.Resource] = ()
    """What must be there before the pods start: KServe, the runtime, filled volumes, Secrets, node groups."""


class ModelInferenceService(pulumi.ComponentResource):
    """An InferenceService with its ServiceAccount, PodDisruptionBudget and NetworkPolicy, and a PodMonitor where asked for.

    KServe makes the Deployment `<name>-predictor` and a Service of that name, which listens on port 80. Pulumi waits for the condition
    Ready as long as the start-up budget says; when it isn't reached, the conditions of the InferenceService and their reasons are in the
    error.
    """

    url: pulumi.Output[str]
    """Base URL of the OpenAI-compatible API inside the cluster."""
    service_name: pulumi.Output[str]
    """Name of KServe's Service."""

    def __init__(self, name: str, args: ModelInferenceServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("llm-serving:index:ModelInferenceService", name, None, opts)
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
            secrets=kserve_spec.account_secrets(workload) or None,
            opts=child,
        )
        policy = k8s.networking.v1.NetworkPolicy(
            name, metadata=metadata, spec=network_policy.workload_policy(workload, selector), opts=child
        )
        k8s.policy.v1.PodDisruptionBudget(name, metadata=metadata, spec=budget_spec(selector), opts=child)
        if workload.metrics == "podMonitor":
            k8s.apiextensions.CustomResource(
                f"{name}-metrics",
                api_version="monitoring.coreos.com/v1",
                kind="PodMonitor",
                metadata=metadata,
                spec=pod_monitor_spec(workload, selector),
                opts=child,
            )
        files = workload.engine.files(workload.launch)
        if files:
            k8s.core.v1.ConfigMap(
                name, metadata={**metadata, "name": config_map_name(workload)}, data=files, immutable=True, opts=child
            )
        timeout = f"{kserve_spec.ready_timeout(workload)}s"
        k8s.apiextensions.CustomResource(
            name,
            api_version="serving.kserve.io/v1beta1",
            kind="InferenceService",
            metadata={
                **metadata,
                "labels": kserve_spec.labels(workload),
                "annotations": kserve_spec.annotations(workload, args.deployment_mode),
            },
            spec=kserve_spec.inference_service_spec(workload),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[account, policy, *args.after],
                custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout),
            ),
        )
        self.service_name = pulumi.Output.from_input(service_name(workload))
        self.url = pulumi.Output.concat("http://", self.service_name, ".", workload.namespace, ".svc/v1")
        self.register_outputs({"url": self.url, "service_name": self.service_name})
