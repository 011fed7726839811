"""The `platform` section: cluster add-ons, as official charts."""

from abc import abstractmethod
from typing import Annotated

from pydantic import Field
from pydantic.alias_generators import to_camel

from components.resolved import Operator
from components.spec import DnsLabel, Spec

ChartVersion = Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")]


class NvidiaDevicePlugin(Spec):
    """NVIDIA's device plugin chart, with GPU feature discovery: without it nodes offer no GPUs (Bottlerocket has its own)."""

    version: ChartVersion = "0.20.0"
    """Version of the chart."""
    repository: str = "https://nvidia.github.io/k8s-device-plugin"
    """Chart repository; an air-gapped mirror can replace it (https:// or oci://)."""
    namespace: DnsLabel = "nvidia-device-plugin"
    """Namespace of the plugin's privileged pods, created by the chart release."""


class OperatorSpec(Spec):
    """A controller that some kinds of workload need."""

    install: bool = True
    """Install its charts; false adopts the installation that the cluster has, which must be of this version."""
    namespace: DnsLabel
    """Namespace of the controller, created by the chart release."""

    @abstractmethod
    def operator(self, name: str) -> Operator:
        """Its charts with their values, in order of installation; none where it isn't installed."""


class Platform(Spec):
    """Cluster add-ons that this stack installs, as official charts."""

    nvidia_device_plugin: NvidiaDevicePlugin | None = None
    """Install NVIDIA's device plugin; leave it out where the cluster has one."""
    model_download_image: str = "vllm/vllm-openai:v0.33.0"
    """Image of the download Jobs: it must have python3 and huggingface_hub, as every vLLM image has."""

    def operators(self) -> dict[str, Operator]:
        """The operators by their key, in the order of the class."""
        given = {to_camel(field): getattr(self, field) for field in type(self).model_fields}
        return {name: spec.operator(name) for name, spec in given.items() if isinstance(spec, OperatorSpec)}
