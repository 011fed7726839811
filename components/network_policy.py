"""NetworkPolicies: who may call a workload, and what its pods may reach. Pure."""

from typing import Any

from components.resolved import Workload
from components.spec import Manifest

_PRIVATE_V4 = ("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
"""RFC 1918, RFC 6598 and link-local (the instance metadata service): never an internet address."""
_PRIVATE_V6 = ("fc00::/7", "fe80::/10")


def workload_policy(workload: Workload, selector: dict[str, str]) -> Manifest:
    """Spec of a workload's policy: `allowFrom` in; DNS out, and HTTPS to the internet where its pods download."""
    return {
        "podSelector": {"matchLabels": selector},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": _ingress(workload),
        "egress": [dns(), *([] if workload.volume else [internet_https()])],
    }


def download_policy(selector: dict[str, str]) -> Manifest:
    """Spec of the policy of download Jobs: nobody in; DNS and HTTPS to the internet out."""
    return {
        "podSelector": {"matchLabels": selector},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [],
        "egress": [dns(), internet_https()],
    }


def dns() -> dict[str, Any]:
    """Egress to the cluster's DNS."""
    return {
        "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}],
        "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
    }


def internet_https() -> dict[str, Any]:
    """Egress to TCP 443 of every address that isn't private or link-local."""
    return {
        "to": [
            {"ipBlock": {"cidr": "0.0.0.0/0", "except": list(_PRIVATE_V4)}},
            {"ipBlock": {"cidr": "::/0", "except": list(_PRIVATE_V6)}},
        ],
        "ports": [{"protocol": "TCP", "port": 443}],
    }


def _ingress(workload: Workload) -> list[dict[str, Any]]:
    if not workload.allow_from:
        return []
    return [
        {
            "from": [dict(peer) for peer in workload.allow_from],
            "ports": [{"protocol": "TCP", "port": workload.engine.PORT}],
        }
    ]
