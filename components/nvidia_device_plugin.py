"""NVIDIA's device plugin, which offers the GPUs of a node to pods, as the official chart's Helm release."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components.device_plugin_values import device_plugin_values
from components.infrastructure import NodeGroup
from components.resolved import DevicePlugin

RELEASE_NAME = "nvidia-device-plugin"
"""Name of the Helm release and of the chart."""
# DaemonSets become ready once two small images are pulled; a node that is just joining may need several minutes more.
_TIMEOUT_SECONDS = 600


@dataclass(frozen=True, kw_only=True, eq=False)
class NvidiaDevicePluginArgs:
    """What NvidiaDevicePlugin needs."""

    plugin: DevicePlugin
    """Chart version, repository (https:// or oci://) and namespace."""
    groups: Sequence[NodeGroup]
    """The GPU node groups of the cluster: their taints are tolerated, and each shares its GPUs as it says."""


class NvidiaDevicePlugin(pulumi.ComponentResource):
    """The device plugin and GPU feature discovery on every node that has the label nvidia.com/gpu.present=true.

    Nodes with a plugin of their own (llm-serving/device-plugin=bundled, Bottlerocket) are left alone. Use
    `needs_device_plugin` of components.device_plugin_values to know whether a stack needs it at all. One per cluster:
    the release's name is fixed. Its pods are privileged and mount host paths, so its namespace can't be "restricted".

    A failed first installation is removed, a failed upgrade is rolled back (`atomic`), so that the next update starts
    from a release that works.

    Raises ValueError when two groups name different sharing configurations alike.
    """

    release_name: pulumi.Output[str]
    """Name of the Helm release."""
    namespace: pulumi.Output[str]
    """Namespace of the release, created with it when missing."""

    release: k8s.helm.v3.Release
    """The release itself, for what must wait for GPUs to be offered."""

    def __init__(self, name: str, args: NvidiaDevicePluginArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("llm-serving:index:NvidiaDevicePlugin", name, None, opts)
        plugin = args.plugin
        oci = plugin.repository.startswith("oci://")
        self.release = k8s.helm.v3.Release(
            name,
            name=RELEASE_NAME,
            chart=f"{plugin.repository.rstrip('/')}/{RELEASE_NAME}" if oci else RELEASE_NAME,
            version=plugin.version,
            repository_opts=None if oci else k8s.helm.v3.RepositoryOptsArgs(repo=plugin.repository),
            namespace=plugin.namespace,
            create_namespace=True,
            atomic=True,
            timeout=_TIMEOUT_SECONDS,
            values=device_plugin_values(args.groups),
            # The release's name is fixed, and so are its cluster roles: the old one has to go first.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        self.release_name = pulumi.Output.from_input(RELEASE_NAME)
        self.namespace = pulumi.Output.from_input(plugin.namespace)
        self.register_outputs({"release_name": self.release_name, "namespace": self.namespace})
