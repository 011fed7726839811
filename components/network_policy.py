"""NetworkPolicies: who may call a workload, and what its pods may reach. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from components.resolved import Workload
from components.spec import Manifest

_PRIVATE_V4 = ("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
"""RFC 1918, RFC 6598 and link-local (the instance metadata service): never an internet address."""
_PRIVATE_V6 = ("fc00::/7", "fe80::/10")


def workload_policy(workload: Workload, selector: dict[str, str]) -> Manifest:
    """Spec of a workload's policy: `allowFrom` in; DNS out, and HTTPS to the internet where its pods download.

    Pods of a copy that spans several reach each other on all ports: NCCL and PyTorch choose theirs at start. So do those that prefill
    and those that decode: UCX, which moves the KV cache, takes any port (PORT_RANGE is 0, so that the system selects, in openucx/ucx
    src/uct/tcp/tcp_iface.c, read 2026-11-23).
    """
    together = workload.group_size > 1 or workload.prefill_replicas
    peers = [{"podSelector": {"matchLabels": selector}}] if together else []
    return {
        "podSelector": {"matchLabels": selector},
        "policyTypes": ["Ingress", "Egress"],
        **_ingress(workload, peers),
        "egress": [dns(), *({"to": [one]} for one in peers), *outside(workload)],
    }


def download_policy(selector: dict[str, str]) -> Manifest:
    """Spec of the policy of download Jobs: nobody in; DNS and HTTPS to the internet out."""
    return {
        "podSelector": {"matchLabels": selector},
        "policyTypes": ["Ingress", "Egress"],
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


def outside(workload: Workload) -> list[dict[str, Any]]:
    """HTTPS to the Hub or S3 (and to STS, for a role by IRSA), and the Pod Identity agent of the node."""
    role = workload.aws_role
    bucket = (workload.model.storage_uri or "").startswith("s3://") and not workload.cached
    outside = workload.downloads or bucket or role
    agent = role is not None and role.via == "pod-identity"
    return [*([internet_https()] if outside else []), *([_pod_identity_agent()] if agent else [])]


def _pod_identity_agent() -> dict[str, Any]:
    """https://docs.aws.amazon.com/eks/latest/userguide/pod-id-agent-setup.html (read 2026-11-22)."""
    addresses = ("169.254.170.23/32", "fd00:ec2::23/128")
    return {"to": [{"ipBlock": {"cidr": one}} for one in addresses], "ports": [{"protocol": "TCP", "port": 80}]}


def _ingress(workload: Workload, peers: Sequence[Mapping[str, Any]]) -> Manifest:
    callers = {
        "from": [dict(peer) for peer in workload.allow_from],
        "ports": [{"protocol": "TCP", "port": workload.engine.PORT}],
    }
    rules = [*([callers] if workload.allow_from else []), *({"from": [one]} for one in peers)]
    # The API server drops an empty list, so that each apply of one would be a change.
    return {"ingress": rules} if rules else {}
