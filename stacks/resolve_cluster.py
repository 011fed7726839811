"""The cluster, its token and its callers as the resolved stack has them. Pure."""

from typing import Any

from components.resolved import Cluster, DevicePlugin, TokenSource
from stacks.config import ConfigTokenSecret, EksCluster, KubeconfigCluster, StackConfig
from stacks.workloads import Peer

TOKEN_SECRET = "hugging-face-token"
"""Name of the Secret that we create from a Pulumi configuration secret."""


def peers(spec: list[Peer] | None) -> tuple[dict[str, Any], ...]:
    """NetworkPolicy peers of `allowFrom`; the pods of the same namespace where it is left out."""
    return ({"podSelector": {}},) if spec is None else tuple(_peer(one) for one in spec)


def _peer(spec: Peer) -> dict[str, Any]:
    if spec.cidr:
        return {"ipBlock": {"cidr": spec.cidr}}
    peer: dict[str, Any] = {}
    if spec.namespace:
        peer["namespaceSelector"] = {"matchLabels": {"kubernetes.io/metadata.name": spec.namespace}}
    elif spec.namespace_labels:
        peer["namespaceSelector"] = {"matchLabels": dict(spec.namespace_labels)}
    if spec.pod_labels:
        peer["podSelector"] = {"matchLabels": dict(spec.pod_labels)}
    return peer


def token(config: StackConfig) -> TokenSource | None:
    """Where the Hugging Face token is."""
    given = config.hugging_face_token
    if given is None:
        return None
    if isinstance(given, ConfigTokenSecret):
        return TokenSource(secret_name=TOKEN_SECRET, key="HF_TOKEN", config_secret=given.config_secret)
    return TokenSource(secret_name=given.secret_name, key=given.key)


def cluster(config: StackConfig, infrastructure: StackConfig | None, region: str | None) -> Cluster:
    """The cluster of this stack, or of the stack that it refers to."""
    here = config.cluster
    there = infrastructure.cluster if infrastructure else here
    reference = None if isinstance(here, EksCluster | KubeconfigCluster) else here.stack_reference
    if isinstance(there, EksCluster):
        return Cluster(
            provider="eks",
            name=there.name,
            kubernetes_version=there.kubernetes_version,
            region=region,
            stack_reference=reference,
        )
    if isinstance(there, KubeconfigCluster):
        return Cluster(
            provider="kubeconfig",
            name=there.context,
            kubernetes_version=there.kubernetes_version,
            region=region,
            kubeconfig=there.kubeconfig,
            stack_reference=reference,
        )
    raise ValueError(f"{there.stack_file} refers to yet another stack: name the stack that owns the cluster")


def device_plugin(config: StackConfig) -> DevicePlugin | None:
    """The device plugin's chart, where this stack installs it."""
    given = config.platform.nvidia_device_plugin
    if given is None:
        return None
    return DevicePlugin(version=given.version, repository=given.repository, namespace=given.namespace)
