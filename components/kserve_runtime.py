"""KServeRuntime: one engine at one version, which any number of InferenceServices share."""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components.kserve_spec import runtime_spec
from components.pods import PART_OF
from components.resolved import Workload
from components.spec import Manifest


@dataclass(frozen=True, kw_only=True, eq=False)
class KServeRuntimeArgs:
    """Arguments of KServeRuntime."""

    workload: Workload
    """A workload that uses it: its engine gives image, command, port and probes."""
    cluster_scoped: bool = False
    """A ClusterServingRuntime for all namespaces instead of a ServingRuntime."""
    namespace: pulumi.Input[str] | None = None
    """The namespace as an output of what creates it; the workload's own name for it when left out."""


class KServeRuntime(pulumi.ComponentResource):
    """A ServingRuntime or ClusterServingRuntime. Its name is fixed, so that services can name it; a change updates it in place, and KServe
    then restarts the pods of every service that uses it."""

    runtime: k8s.apiextensions.CustomResource
    """The runtime itself, for the services that must wait for it."""

    def __init__(self, name: str, args: KServeRuntimeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("llm-serving:index:KServeRuntime", name, None, opts)
        workload = args.workload
        metadata: Manifest = {
            "name": name,
            "labels": {
                "app.kubernetes.io/name": workload.engine.name,
                "app.kubernetes.io/instance": name,
                "app.kubernetes.io/component": "serving-runtime",
                "app.kubernetes.io/part-of": PART_OF,
                "app.kubernetes.io/managed-by": "pulumi",
            },
        }
        self.runtime = k8s.apiextensions.CustomResource(
            name,
            api_version="serving.kserve.io/v1alpha1",
            kind="ClusterServingRuntime" if args.cluster_scoped else "ServingRuntime",
            metadata=metadata
            if args.cluster_scoped
            else {**metadata, "namespace": args.namespace or workload.namespace},
            spec=runtime_spec(workload),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
