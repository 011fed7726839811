"""`platform.certManager` and `platform.kserve`: KServe's controllers and what they need."""

from typing import Annotated, Any, Literal

from pydantic import Field

from components.resolved_operator import Chart, Operator
from components.spec import DnsLabel, Quantity
from stacks.platform_operator import OperatorSpec

TaggedVersion = Annotated[str, Field(pattern=r"^v[0-9]+\.[0-9]+\.[0-9]+$")]


class CertManager(OperatorSpec):
    """cert-manager, which makes the certificates of KServe's webhooks.

    Chart and values: cert-manager v1.17.0, the version that KServe v0.20.0 is tested with (kserve-deps.env of that tag), read 2026-11-22.
    """

    version: TaggedVersion = "v1.17.0"
    """Version of the chart and of cert-manager."""
    repository: str = "oci://quay.io/jetstack/charts"
    """Chart repository; an air-gapped mirror can replace it (https:// or oci://)."""
    namespace: DnsLabel = "cert-manager"
    """Namespace of cert-manager, created by the chart release."""

    def operator(self, name: str) -> Operator:
        """The chart with its CRDs, which stay when the release goes."""
        chart = Chart(
            name="cert-manager",
            chart="cert-manager",
            version=self.version,
            repository=self.repository,
            namespace=self.namespace,
            values={"crds": {"enabled": True, "keep": True}},
        )
        return Operator(
            name=name, version=self.version, namespace=self.namespace, charts=(chart,) if self.install else ()
        )


class KServe(OperatorSpec):
    """KServe's controller, which runs workloads of kind InferenceService.

    Charts and values: kserve/kserve v0.20.0, charts/kserve-crd and charts/kserve-resources, read 2026-11-22.
    """

    version: TaggedVersion = "v0.20.0"
    """Version of the charts and of KServe."""
    repository: str = "oci://ghcr.io/kserve/charts"
    """Chart repository; an air-gapped mirror can replace it (https:// or oci://)."""
    namespace: DnsLabel = "kserve"
    """Namespace of the controller, created by the chart release."""
    deployment_mode: Literal["Standard", "Knative"] = "Standard"
    """How InferenceServices run: Standard makes Deployments; Knative, the chart's own default, makes Knative Services and needs Knative."""
    cluster_serving_runtimes: bool = False
    """Runtimes for all namespaces (ClusterServingRuntime) instead of the stack's own (ServingRuntime)."""
    llm_inference_services: bool = False
    """The controller of LLMInferenceServices too, with its presets."""
    gateway_api: bool = False
    """The cluster has the Gateway API's CRDs and a gateway controller, which routers of LLMInferenceServices need; this stack installs
    neither."""
    keda: bool = False
    """The cluster has KEDA, which autoscaling by a Prometheus query needs; this stack doesn't install it."""
    local_models: bool = False
    """Keep copies of models on the nodes' own disks, for models with localModelCache: KServe's controller and agent for that."""
    storage_initializer_memory: Quantity = "16Gi"
    """Most memory of the init container that copies the weights of InferenceServices. The chart's own 1Gi ends larger copies with
    OOMKilled; 16Gi was enough for 40 GB of weights (kserve/kserve issues 5162 and 5326, read 2026-11-22)."""

    def operator(self, name: str) -> Operator:
        """CRDs, then the controller, which answers requests inside the cluster only: it makes no Ingress."""
        values = {
            "kserve": {
                "version": self.version,
                "controller": {"deploymentMode": self.deployment_mode, "gateway": {"disableIngressCreation": True}},
                "storage": {"resources": self._storage_initializer()},
                **({"localmodel": {"enabled": True}} if self.local_models else {}),
            }
        }
        local = self.local_models
        charts = (
            self._chart("kserve-crd", "kserve-crd", crds=True),
            # The webhook of InferenceServices asks for caches as soon as they are switched on.
            *([self._chart("kserve-localmodel-crd", "kserve-localmodel-crd", crds=True)] if local else ()),
            self._chart("kserve", "kserve-resources", values),
            *(self._llm_charts() if self.llm_inference_services else ()),
            *([self._local_model_chart()] if local else ()),
        )
        return Operator(
            name=name,
            version=self.version,
            namespace=self.namespace,
            charts=charts if self.install else (),
            needs=("certManager",),
            settings={
                "deploymentMode": self.deployment_mode,
                "clusterServingRuntimes": str(self.cluster_serving_runtimes).lower(),
                "llmInferenceServices": str(self.llm_inference_services).lower(),
                "gatewayApi": str(self.gateway_api).lower(),
                "keda": str(self.keda).lower(),
                "localModels": str(self.local_models).lower(),
                "storageInitializerMemory": self.storage_initializer_memory,
            },
        )

    def _llm_charts(self) -> tuple[Chart, ...]:
        """CRDs, controller, and the presets that it merges into every LLMInferenceService. What both controllers share is the first one's
        (hack/setup/common.sh of v0.20.0, determine_shared_resources_helm); the chart brings the CRDs of the inference extension."""
        shared = {"version": self.version, "createSharedResources": False}
        presets = {"version": self.version, "llmisvcConfigs": {"enabled": True}}
        return (
            self._chart("kserve-llmisvc-crd", "kserve-llmisvc-crd", crds=True),
            self._chart("kserve-llmisvc", "kserve-llmisvc-resources", {"kserve": shared}),
            self._chart("kserve-presets", "kserve-runtime-configs", {"kserve": presets}),
        )

    def _local_model_chart(self) -> Chart:
        """The controller, and its agent, which must run on the GPU nodes whatever their taints."""
        agent = {"controller": {"tolerations": [{"operator": "Exists"}]}}
        values = {"version": self.version, "createSharedResources": False, "localmodelnode": agent}
        return self._chart("kserve-localmodel", "kserve-localmodel-resources", {"kserve": values})

    def _chart(self, name: str, chart: str, values: dict[str, Any] | None = None, crds: bool = False) -> Chart:
        return Chart(
            name=name,
            chart=chart,
            version=self.version,
            repository=self.repository,
            namespace=self.namespace,
            values=values or {},
            crds=crds,
        )

    def _storage_initializer(self) -> dict[str, dict[str, str]]:
        """Its requests stay the chart's own: the engine's container asks for more, and Kubernetes takes the larger of both."""
        return {
            "requests": {"cpu": "100m", "memory": "100Mi"},
            "limits": {"cpu": "1", "memory": self.storage_initializer_memory},
        }
