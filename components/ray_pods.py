"""Pods of a Ray cluster, as KubeRay's operator takes them: it adds the `ray start` command, probes, an init container and, with
autoscaling, a sidecar. Pure.

What it adds: ray-project/kuberay 59d663a (v1.7.0), ray-operator/controllers/ray/common/pod.go, read 2026-11-22. The init container has the
security context and the volumes of the Ray container; the sidecar has what autoscalerOptions says.
"""

from typing import Any

from components import efa, pods
from components.pod_volumes import CACHE_DIR, TMP_DIR
from components.ray_serve_config import PORT, start_timeouts
from components.resolved import Workload
from components.resolved_ray import RayCluster
from components.spec import GIB, MIB, mebibytes

# `useradd ray --uid 1000 --gid 100` in docker/base-deps/Dockerfile of ray-project/ray 00c1d51.
USER, GROUP = 1000, 100
CLUSTER_LABEL = "llm-serving/ray-cluster"
"""Label of all pods of one cluster; KubeRay's own has a name that changes with each upgrade of a service."""
GCS_PORT, DASHBOARD_PORT, METRICS_PORT = 6379, 8265, 8080
WORKER_CONTAINER, HEAD_CONTAINER = "ray-worker", "ray-head"
LOGS_DIR = "/tmp/ray"
_HEAD_SHM_MARGIN, _CACHE, _LOGS = 64 * MIB, 2 * GIB, 4 * GIB


def worker_template(workload: Workload, cluster: RayCluster, name: str) -> dict[str, Any]:
    """Pods of the worker group of one model. `name`: of the cluster's own workload."""
    drain = workload.drain
    # Ray stops replicas at once when their node goes: running requests get their time before that.
    role = pods.Role(
        container=WORKER_CONTAINER,
        serves=False,
        spread=workload.group_size == 1,
        pre_stop=drain.pre_stop + drain.shutdown,
        env=tuple({"name": name, "value": value} for name, value in efa.environment(workload).items()),
        devices=efa.devices(workload),
    )
    template = pods.pod_template(workload, role)
    engine = template["spec"]["containers"][0]
    kept = {key: value for key, value in engine.items() if key not in ("command", "args")}
    container = {
        **kept,
        "image": cluster.image,
        "env": _environment(engine["env"], workload),
        "ports": [_port("serve", PORT), _port("metrics", METRICS_PORT)],
    }
    metadata = {"labels": {**template["metadata"]["labels"], CLUSTER_LABEL: name}, **_scrape(workload)}
    security = {**template["spec"]["securityContext"], **_user()}
    return {"metadata": metadata, "spec": {**template["spec"], "securityContext": security, "containers": [container]}}


def head_template(workload: Workload, cluster: RayCluster, *, autoscales: bool) -> dict[str, Any]:
    """The head pod: no GPU, no replicas, no weights."""
    head = cluster.head
    arch = workload.node_group.gpu.node_arch if workload.node_group.gpu else "amd64"
    resources = {"memory": mebibytes(head.memory), "ephemeral-storage": mebibytes(head.ephemeral_storage)}
    container = {
        "name": HEAD_CONTAINER,
        "image": cluster.image,
        "imagePullPolicy": "IfNotPresent",
        "env": _environment(_head_environment(workload), workload),
        "ports": [
            _port("gcs-server", GCS_PORT),
            _port("dashboard", DASHBOARD_PORT),
            _port("serve", PORT),
            _port("metrics", METRICS_PORT),
        ],
        "resources": {"requests": {"cpu": pods.cpu(head.cpu_millis), **resources}, "limits": resources},
        "securityContext": pods.container_security(),
        "lifecycle": {"preStop": {"sleep": {"seconds": workload.drain.pre_stop}}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "shm", "mountPath": "/dev/shm"},
            {"name": "cache", "mountPath": CACHE_DIR},
            {"name": "tmp", "mountPath": TMP_DIR},
            {"name": "ray-logs", "mountPath": LOGS_DIR},
        ],
    }
    spec = {
        "serviceAccountName": head_account(workload),
        # Only the autoscaler calls the Kubernetes API.
        "automountServiceAccountToken": autoscales,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": workload.drain.grace,
        **pods.placement({"kubernetes.io/arch": arch, **head.node_selector}, head.tolerations),
        "securityContext": {**pods.pod_security(USER), **_user()},
        "containers": [container],
        "volumes": [
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": mebibytes(head_shm(cluster))}},
            {"name": "cache", "emptyDir": {"sizeLimit": mebibytes(_CACHE)}},
            {"name": "tmp", "emptyDir": {"sizeLimit": mebibytes(_LOGS)}},
            # KubeRay mounts a volume of this name into the autoscaler too (pod.go, RayLogVolumeName).
            {"name": "ray-logs", "emptyDir": {"sizeLimit": mebibytes(_LOGS)}},
        ],
        **({"priorityClassName": workload.priority_class_name} if workload.priority_class_name else {}),
    }
    return {"metadata": {"labels": head_labels(workload), **_scrape(workload)}, "spec": spec}


def autoscaler_sidecar() -> dict[str, Any]:
    """What makes KubeRay's autoscaler container fit for Pod Security "restricted"; KubeRay mounts `ray-logs` itself."""
    return {
        "securityContext": pods.container_security(),
        "env": [{"name": name, "value": value} for name, value in sorted(pods.cache_environment(CACHE_DIR).items())],
        "volumeMounts": [{"name": "cache", "mountPath": CACHE_DIR}, {"name": "tmp", "mountPath": TMP_DIR}],
        "resources": {
            "requests": {"cpu": "500m", "memory": "512Mi", "ephemeral-storage": "1Gi"},
            "limits": {"memory": "512Mi", "ephemeral-storage": "1Gi"},
        },
    }


def head_labels(workload: Workload) -> dict[str, str]:
    """Labels of the head pod: not those that pick the workload's worker pods."""
    return {
        **pods.labels(workload),
        "app.kubernetes.io/name": "ray",
        "app.kubernetes.io/component": "ray-head",
        CLUSTER_LABEL: workload.name,
    }


def head_account(workload: Workload) -> str:
    """Name of the head's ServiceAccount, to which KubeRay binds the autoscaler's role."""
    return f"{workload.name}-head"


def head_shm(cluster: RayCluster) -> int:
    """Bytes of the head's /dev/shm: a little more than the object store, which Ray refuses to start in less."""
    return cluster.head.object_store + _HEAD_SHM_MARGIN


def _head_environment(workload: Workload) -> list[dict[str, Any]]:
    values = {
        **pods.cache_environment(CACHE_DIR),
        **workload.engine.environment(workload.launch),
        **({"HF_HUB_OFFLINE": "1"} if workload.volume else {}),
    }
    return [{"name": name, "value": values[name]} for name in sorted(values)]


def _environment(given: list[dict[str, Any]], workload: Workload) -> list[dict[str, Any]]:
    """Sorted, with Ray's usage statistics off and its logs kept small; what the stack file sets wins."""
    own = {
        "RAY_USAGE_STATS_ENABLED": "0",
        # A file of 512 MiB and five older ones for each process by default (ray/_private/ray_constants.py).
        "RAY_ROTATION_MAX_BYTES": str(32 * MIB),
        "RAY_ROTATION_BACKUP_COUNT": "2",
    }
    # Times that follow from the model are in the Serve configuration, where a change needs no new cluster.
    kept = [one for one in given if one["name"] not in start_timeouts(workload) or one["name"] in workload.env]
    names = {one["name"] for one in kept}
    added = [{"name": name, "value": value} for name, value in own.items() if name not in names]
    return sorted([*kept, *added], key=lambda one: (one["name"] == "HF_TOKEN", one["name"]))


def _scrape(workload: Workload) -> dict[str, Any]:
    if workload.metrics != "annotations":
        return {}
    return {
        "annotations": {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": str(METRICS_PORT),
            "prometheus.io/path": "/metrics",
        }
    }


def _user() -> dict[str, int]:
    return {"runAsUser": USER, "runAsGroup": GROUP, "fsGroup": GROUP}


def _port(name: str, port: int) -> dict[str, Any]:
    return {"name": name, "containerPort": port, "protocol": "TCP"}
