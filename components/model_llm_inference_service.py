"""ModelLlmInferenceService: one engine serving one model as a KServe LLMInferenceService, with everything around it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components import kserve_llm_spec, kserve_spec
from components.resolved import Workload
from components.service_address import service_name, service_port
from components.surroundings import surround


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelLlmInferenceServiceArgs:
    """Arguments of ModelLlmInferenceService."""

    workload: Workload
    """The resolved workload, with `settings` of an LLMInferenceService."""
    namespace: pulumi.Input[str] | None = None
    """The namespace as an output of what creates it; the workload's own name for it when left out."""
    after: Sequence[pulumi.Resource] = ()
    """What must be there before the pods start: KServe and its presets, filled volumes, Secrets, node groups."""


class ModelLlmInferenceService(pulumi.ComponentResource):
    """An LLMInferenceService with its ServiceAccount, PodDisruptionBudget and NetworkPolicy, and a PodMonitor where asked for.

    KServe makes the Deployment `<name>-kserve`, or the LeaderWorkerSet `<name>-kserve-mn` where a copy has several pods, and the Service
    `<name>-kserve-workload-svc` on port 8000. Copies that only prefill are a second Deployment, `<name>-kserve-prefill`, with a
    PodDisruptionBudget of its own; the Service reaches both, and only the router's scheduler splits requests among them. Pulumi waits for
    the condition Ready as long as the start-up budget says, at the first start: the controller of v0.20.0 writes no
    `status.observedGeneration`, so that an update finds the Ready of before and isn't waited for
    (pulumi-kubernetes provider/pkg/await/condition/kubectl.go).
    """

    url: pulumi.Output[str]
    """Base URL of the OpenAI-compatible API inside the cluster."""
    service_name: pulumi.Output[str]
    """Name of KServe's Service."""

    def __init__(
        self, name: str, args: ModelLlmInferenceServiceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("llm-serving:index:ModelLlmInferenceService", name, None, opts)
        workload = args.workload
        around = surround(
            name,
            kserve_llm_spec.with_scheduler(workload),
            parent=self,
            namespace=args.namespace,
            selector=kserve_llm_spec.selector(workload),
            monitored=kserve_llm_spec.servers(workload),
            secrets=kserve_spec.account_secrets(workload),
            budgets=kserve_llm_spec.budgets(workload),
        )
        timeout = f"{kserve_spec.ready_timeout(workload)}s"
        k8s.apiextensions.CustomResource(
            name,
            api_version="serving.kserve.io/v1alpha2",
            kind="LLMInferenceService",
            metadata={**around.metadata, "annotations": kserve_llm_spec.annotations(workload)},
            spec=kserve_llm_spec.llm_inference_service_spec(workload),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*around.needed, *args.after],
                custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout),
            ),
        )
        self.service_name = pulumi.Output.from_input(service_name(workload))
        self.url = pulumi.Output.concat(
            "http://", self.service_name, ".", workload.namespace, ".svc:", str(service_port(workload)), "/v1"
        )
        self.register_outputs({"url": self.url, "service_name": self.service_name})
