"""KServePipelinePreset: what KServe's controller must find to run LLMInferenceServices on several nodes, and no chart brings."""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components.kserve_llm_spec import PIPELINE_PRESET
from components.pods import PART_OF


@dataclass(frozen=True, kw_only=True, eq=False)
class KServePipelinePresetArgs:
    """Arguments of KServePipelinePreset."""

    namespace: pulumi.Input[str]
    """Namespace of the services; the controller looks there before its own."""


class KServePipelinePreset(pulumi.ComponentResource):
    """An empty LLMInferenceServiceConfig: the services' own pod templates say everything."""

    preset: k8s.apiextensions.CustomResource
    """The object, for the services that must wait for it."""

    def __init__(self, name: str, args: KServePipelinePresetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("llm-serving:index:KServePipelinePreset", name, None, opts)
        self.preset = k8s.apiextensions.CustomResource(
            name,
            api_version="serving.kserve.io/v1alpha2",
            kind="LLMInferenceServiceConfig",
            metadata={
                "name": PIPELINE_PRESET,
                "namespace": args.namespace,
                "labels": {"app.kubernetes.io/part-of": PART_OF, "app.kubernetes.io/managed-by": "pulumi"},
            },
            spec={},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
