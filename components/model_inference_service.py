"""ModelInferenceService: one engine serving one model as a KServe InferenceService, with everything around it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components import kserve_spec, kserve_worker, pods
from components.resolved import Workload
from components.service_address import service_name
from components.surroundings import surround


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

    KServe makes the Deployment `<name>-predictor` and a Service of that name, which listens on port 80, and where a copy spans two nodes
    the Deployment `<name>-predictor-worker`. Pulumi waits for the condition
    Ready as long as the start-up budget says, and shows KServe's warning events meanwhile; the reason of a pod that fails is in the
    InferenceService's `status.modelStatus.lastFailureInfo`.
    """

    url: pulumi.Output[str]
    """Base URL of the OpenAI-compatible API inside the cluster."""
    service_name: pulumi.Output[str]
    """Name of KServe's Service."""

    def __init__(self, name: str, args: ModelInferenceServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("llm-serving:index:ModelInferenceService", name, None, opts)
        workload, secrets = args.workload, kserve_spec.account_secrets(args.workload)
        around = surround(
            name,
            workload,
            parent=self,
            namespace=args.namespace,
            monitored={**pods.selector(workload), **kserve_worker.servers(workload)},
            secrets=secrets,
        )
        timeout = f"{kserve_spec.ready_timeout(workload)}s"
        k8s.apiextensions.CustomResource(
            name,
            api_version="serving.kserve.io/v1beta1",
            kind="InferenceService",
            metadata={
                **around.metadata,
                "labels": kserve_spec.labels(workload),
                "annotations": kserve_spec.annotations(workload, args.deployment_mode),
            },
            spec=kserve_spec.inference_service_spec(workload),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*around.needed, *args.after],
                custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout),
            ),
        )
        self.service_name = pulumi.Output.from_input(service_name(workload))
        self.url = pulumi.Output.concat(
            "http://", self.service_name, ".", workload.namespace, ".svc", workload.engine.API_PATH
        )
        self.register_outputs({"url": self.url, "service_name": self.service_name})
