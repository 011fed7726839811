"""`platform.leaderWorkerSet`: the lws controller, which runs workloads of kind LeaderWorkerSet."""

from components.resolved_operator import Chart, Operator
from components.spec import DnsLabel
from stacks.platform_operator import ChartVersion, OperatorSpec


class LeaderWorkerSetOperator(OperatorSpec):
    """The LeaderWorkerSet controller (kubernetes-sigs/lws); its one chart brings the CRDs in its crds/ folder.

    Chart and values: kubernetes-sigs/lws 2161f38 (v0.10.0), charts/lws and site/content/en/docs/installation/_index.md, read 2026-11-22.
    """

    version: ChartVersion = "0.10.0"
    """Version of the chart and of the controller. Helm leaves CRDs as they are at an upgrade: apply the new chart's crds/ folder first."""
    repository: str = "oci://registry.k8s.io/lws/charts"
    """Chart repository; an air-gapped mirror can replace it (https:// or oci://)."""
    image: str = "registry.k8s.io/lws/lws"
    """Image of the controller, without tag."""
    namespace: DnsLabel = "lws-system"
    """Namespace of the controller, created by the chart release."""

    def operator(self, name: str) -> Operator:
        """The chart, with a pod that keeps to "restricted"; its webhooks make their own certificates, so cert-manager isn't needed."""
        values = {
            "image": {"manager": {"repository": self.image, "tag": f"v{self.version}", "pullPolicy": "IfNotPresent"}},
            "podSecurityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        }
        chart = Chart(
            name="lws",
            chart="lws",
            version=self.version,
            repository=self.repository,
            namespace=self.namespace,
            values=values,
        )
        return Operator(
            name=name, version=self.version, namespace=self.namespace, charts=(chart,) if self.install else ()
        )
