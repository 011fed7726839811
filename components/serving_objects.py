"""What stands around the pods of every kind of workload: Service, PodDisruptionBudget, PodMonitor. Pure."""

from components import pods
from components.resolved import Workload
from components.spec import Manifest

Selector = dict[str, str]


def service_metadata(metadata: Manifest) -> Manifest:
    """Metadata of the Service. Pulumi would wait ten minutes for its endpoints, and a large model needs longer: the pods are awaited."""
    return {**metadata, "annotations": {"pulumi.com/skipAwait": "true"}}


def service_spec(workload: Workload, selector: Selector) -> Manifest:
    """Spec of the Service: the API, and the same container port once more under the name `metrics` for monitors."""
    return {
        "type": "ClusterIP",
        "selector": selector,
        "ports": [
            {"name": pods.PORT_NAME, "port": workload.service_port, "targetPort": pods.PORT_NAME, "protocol": "TCP"},
            {"name": "metrics", "port": metrics_port(workload), "targetPort": pods.PORT_NAME, "protocol": "TCP"},
        ],
    }


def metrics_port(workload: Workload) -> int:
    """Service port of the metrics: 9090, or the next one when the API has that."""
    return 9090 if workload.service_port != 9090 else 9091


def budget_spec(selector: Selector, least: int | None = None) -> Manifest:
    """Spec of the PodDisruptionBudget: drains take one pod at a time, or leave `least`; one that never became ready blocks nothing."""
    return {
        **({"maxUnavailable": 1} if least is None else {"minAvailable": least}),
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": selector},
    }


def pod_monitor_spec(workload: Workload, selector: Selector) -> Manifest:
    """Spec of the prometheus-operator PodMonitor."""
    return {
        "selector": {"matchLabels": selector},
        "podMetricsEndpoints": [{"port": pods.PORT_NAME, "path": workload.engine.METRICS_PATH, "interval": "15s"}],
    }
