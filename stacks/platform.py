"""The `platform` section: cluster add-ons, as official charts."""

from pydantic.alias_generators import to_camel

from components.resolved_operator import Operator
from components.spec import DnsLabel, Spec
from stacks.platform_efa import EfaDevicePlugin
from stacks.platform_kserve import CertManager, KServe
from stacks.platform_kuberay import KubeRayOperator
from stacks.platform_lws import LeaderWorkerSetOperator
from stacks.platform_operator import ChartVersion, OperatorSpec


class NvidiaDevicePlugin(Spec):
    """NVIDIA's device plugin chart, with GPU feature discovery: without it nodes offer no GPUs (Bottlerocket has its own)."""

    version: ChartVersion = "0.20.0"
    """Version of the chart."""
    repository: str = "https://nvidia.github.io/k8s-device-plugin"
    """Chart repository; an air-gapped mirror can replace it (https:// or oci://)."""
    namespace: DnsLabel = "nvidia-device-plugin"
    """Namespace of the plugin's privileged pods, created by the chart release."""


class Platform(Spec):
    """Cluster add-ons that this stack installs, as official charts."""

    nvidia_device_plugin: NvidiaDevicePlugin | None = None
    """Install NVIDIA's device plugin; leave it out where the cluster has one."""
    leader_worker_set: LeaderWorkerSetOperator | None = None
    """The controller of LeaderWorkerSets, which such workloads need."""
    efa_device_plugin: EfaDevicePlugin | None = None
    """AWS's EFA device plugin, which nodes with efa need."""
    cert_manager: CertManager | None = None
    """cert-manager, which KServe needs."""
    kserve: KServe | None = None
    """KServe, which workloads of kind InferenceService need."""
    kuberay: KubeRayOperator | None = None
    """The KubeRay operator, which workloads of kind RayService and RayCluster need."""
    model_download_image: str = "vllm/vllm-openai:v0.33.0"
    """Image of the download Jobs: it must have python3 and huggingface_hub, as every vLLM image has."""

    def operators(self) -> dict[str, Operator]:
        """The operators by their key, in the order of the class."""
        given = {to_camel(field): getattr(self, field) for field in type(self).model_fields}
        return {name: spec.operator(name) for name, spec in given.items() if isinstance(spec, OperatorSpec)}
