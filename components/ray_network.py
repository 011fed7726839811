"""NetworkPolicies of a Ray cluster: its pods talk among themselves; the dashboard is for the operator alone. Pure."""

from collections.abc import Sequence
from typing import Any

from components.network_policy import dns, internet_https, outside
from components.ray_pods import CLUSTER_LABEL, DASHBOARD_PORT, METRICS_PORT, head_labels
from components.ray_serve_config import PORT
from components.resolved import Workload
from components.spec import Manifest


def cluster_policy(models: Sequence[Workload]) -> Manifest:
    """Spec of the policy of all pods: everything within the cluster; `allowFrom` of any of its models reaches the API and the metrics."""
    peers = {repr(peer): dict(peer) for one in models for peer in one.allow_from}
    ours = {"podSelector": {"matchLabels": {CLUSTER_LABEL: models[0].name}}}
    lora = [internet_https()] if any(one.settings.lora for one in models) else []
    reached = [rule for one in models for rule in outside(one)] + lora
    return {
        "podSelector": ours["podSelector"],
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            {"from": [ours]},
            *([{"from": list(peers.values()), "ports": [_tcp(PORT), _tcp(METRICS_PORT)]}] if peers else []),
        ],
        "egress": [dns(), {"to": [ours]}, *(rule for index, rule in enumerate(reached) if rule not in reached[:index])],
    }


def head_policy(models: Sequence[Workload], operator_namespace: str, *, autoscales: bool) -> Manifest:
    """Spec of the head's policy: the operator submits the Serve configuration and asks for Serve's health."""
    operator = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": operator_namespace}}}
    redis = models[0].settings.cluster.redis
    egress: list[dict[str, Any]] = [
        # The API server has no label to select it by; 6443 is its own port, 443 that of managed clusters.
        *([{"ports": [_tcp(443), _tcp(6443)]}] if autoscales else []),
        *([{"ports": [_tcp(redis.port)]}] if redis else []),
    ]
    return {
        "podSelector": {"matchLabels": {key: head_labels(models[0])[key] for key in (CLUSTER_LABEL, _COMPONENT)}},
        "policyTypes": ["Ingress", *(["Egress"] if egress else [])],
        "ingress": [{"from": [operator], "ports": [_tcp(DASHBOARD_PORT), _tcp(PORT)]}],
        **({"egress": egress} if egress else {}),
    }


_COMPONENT = "app.kubernetes.io/component"


def _tcp(port: int) -> dict[str, Any]:
    return {"protocol": "TCP", "port": port}
