"""Namespaces where a policy can't hold, each with its reason. A stack adds its own with the setting `exemptNamespaces`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """One policy that doesn't hold in one namespace."""

    policy: str
    namespace: str
    reason: str


EXCEPTIONS = (
    Exemption(
        policy="pod-security-restricted",
        namespace="kube-system",
        reason="the cluster's own node agents (CNI, CSI drivers, kube-proxy) mount host paths",
    ),
    Exemption(
        policy="pod-security-restricted",
        namespace="nvidia-device-plugin",
        reason="the device plugin is privileged: it mounts the kubelet's device-plugin folder of the host",
    ),
    Exemption(
        policy="pod-security-restricted",
        namespace="lws-system",
        reason="Helm makes the namespace without labels; the controller's pod keeps to the standard by the chart's values",
    ),
    Exemption(
        policy="pod-security-restricted",
        namespace="kuberay-system",
        reason="Helm makes the namespace without labels; only the KubeRay operator runs there",
    ),
    Exemption(
        policy="pod-security-restricted",
        namespace="kserve",
        reason="Helm makes the namespace without labels; only the KServe controllers run there",
    ),
    Exemption(
        policy="pod-security-restricted",
        namespace="cert-manager",
        reason="Helm makes the namespace without labels; only the cert-manager controllers run there",
    ),
    Exemption(
        policy="pod-security-restricted",
        namespace="gpu-operator",
        reason="the driver, toolkit and device plugin of NVIDIA's GPU Operator change the host",
    ),
)
