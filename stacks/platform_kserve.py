"""`platform.certManager` and `platform.kserve`: KServe's controllers and what they need."""

from typing import Annotated, Literal

from pydantic import Field

from components.resolved import Chart, Operator
from components.spec import DnsLabel
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

    def operator(self, name: str) -> Operator:
        """CRDs, then the controller, which answers requests inside the cluster only: it makes no Ingress."""
        values = {
            "kserve": {
                "version": self.version,
                "controller": {"deploymentMode": self.deployment_mode, "gateway": {"disableIngressCreation": True}},
            }
        }
        common = {"version": self.version, "repository": self.repository, "namespace": self.namespace}
        charts = (
            Chart(name="kserve-crd", chart="kserve-crd", values={}, crds=True, **common),
            Chart(name="kserve", chart="kserve-resources", values=values, **common),
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
            },
        )
