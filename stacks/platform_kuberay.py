"""`platform.kuberay`: the KubeRay operator, which runs workloads of kind RayService and RayCluster."""

from typing import Annotated

from pydantic import Field

from components.resolved_operator import Chart, Operator
from components.spec import DnsLabel
from stacks.platform_operator import ChartVersion, OperatorSpec


class KubeRayOperator(OperatorSpec):
    """The KubeRay operator; its one chart brings the CRDs in its crds/ folder.

    Chart and values: ray-project/kuberay 59d663a (v1.7.0), helm-chart/kuberay-operator, read 2026-11-22.
    """

    version: ChartVersion = "1.7.0"
    """Version of the chart and of the operator. Helm leaves CRDs as they are at an upgrade: apply the new chart's crds/ folder first."""
    repository: str = "https://ray-project.github.io/kuberay-helm/"
    """Chart repository; an air-gapped mirror can replace it (https:// or oci://)."""
    image: str = "quay.io/kuberay/operator"
    """Image of the operator, without tag."""
    namespace: DnsLabel = "kuberay-system"
    """Namespace of the operator, created by the chart release. Only its pods may reach the dashboards."""
    watch_namespaces: Annotated[list[DnsLabel], Field(min_length=1)] | None = None
    """Namespaces whose Ray resources it looks after; all when left out."""

    def operator(self, name: str) -> Operator:
        """The chart: two operators would fight over the same objects, so that it is installed once for the cluster."""
        values = {
            "image": {"repository": self.image, "tag": f"v{self.version}"},
            **({"watchNamespace": list(self.watch_namespaces)} if self.watch_namespaces else {}),
        }
        chart = Chart(
            name="kuberay-operator",
            chart="kuberay-operator",
            version=self.version,
            repository=self.repository,
            namespace=self.namespace,
            values=values,
        )
        return Operator(
            name=name, version=self.version, namespace=self.namespace, charts=(chart,) if self.install else ()
        )
