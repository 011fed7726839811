"""`platform.efaDevicePlugin`: AWS's device plugin for Elastic Fabric Adapters."""

from components.resolved_operator import Chart, Operator
from components.spec import DnsLabel
from stacks.platform_operator import ChartVersion, OperatorSpec


class EfaDevicePlugin(OperatorSpec):
    """AWS's EFA device plugin: without it nodes offer no vpc.amazonaws.com/efa.

    Chart: aws/eks-charts 5239609 (2026-08-03), stable/aws-efa-k8s-device-plugin.
    """

    version: ChartVersion = "0.5.30"
    """Version of the chart."""
    repository: str = "https://aws.github.io/eks-charts"
    """Chart repository; an air-gapped mirror can replace it (https:// or oci://)."""
    namespace: DnsLabel = "kube-system"
    """Namespace of the plugin's pods, which mount folders of the host."""

    def operator(self, name: str) -> Operator:
        """The chart, tolerating the taint of GPU nodes."""
        values = {"tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]}
        chart = Chart(
            name="aws-efa-k8s-device-plugin",
            chart="aws-efa-k8s-device-plugin",
            version=f"v{self.version}",
            repository=self.repository,
            namespace=self.namespace,
            values=values,
        )
        return Operator(
            name=name, version=self.version, namespace=self.namespace, charts=(chart,) if self.install else ()
        )
