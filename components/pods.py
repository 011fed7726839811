"""The one pod builder: a resolved workload to the camelCase PodSpec that every kind of workload wraps. Pure."""

import hashlib
import json
from typing import Any

from components.resolved import Workload
from components.spec import mebibytes

MODEL_CONTAINER = "engine"
PORT_NAME = "http"
PART_OF = "llm-serving"
CACHE_DIR, TMP_DIR = "/cache", "/tmp"
_PROBE_PERIOD = 10


def labels(workload: Workload) -> dict[str, str]:
    """Labels of every object of a workload, and of its pods."""
    return {
        **workload.labels,
        **selector(workload),
        "app.kubernetes.io/component": "model-server",
        "app.kubernetes.io/part-of": PART_OF,
        "app.kubernetes.io/managed-by": "pulumi",
    }


def selector(workload: Workload) -> dict[str, str]:
    """Labels that pick a workload's pods; they never change while it lives."""
    return {"app.kubernetes.io/name": workload.engine.name, "app.kubernetes.io/instance": workload.name}


def annotations(workload: Workload) -> dict[str, str]:
    """Annotations of the pods: where Prometheus scrapes, when the stack asks for that way."""
    if workload.metrics != "annotations":
        return {}
    return {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(workload.engine.PORT),
        "prometheus.io/path": workload.engine.METRICS_PATH,
    }


def pod_template(workload: Workload) -> dict[str, Any]:
    """Metadata and spec of the pods."""
    metadata: dict[str, Any] = {"labels": labels(workload)}
    if extra := annotations(workload):
        metadata["annotations"] = extra
    return {"metadata": metadata, "spec": pod_spec(workload)}


def pod_spec(workload: Workload) -> dict[str, Any]:
    """The whole pod: Pod Security "restricted", read-only root, GPUs, probes, drain and placement."""
    spec: dict[str, Any] = {
        "serviceAccountName": workload.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": workload.drain.grace,
        "nodeSelector": dict(workload.node_group.node_selector),
        "tolerations": [dict(one) for one in workload.node_group.tolerations],
        "securityContext": pod_security(workload.engine.USER),
        "containers": [_container(workload)],
        "volumes": _volumes(workload),
    }
    if workload.replicas > 1:
        spec["topologySpreadConstraints"] = [
            _spread("topology.kubernetes.io/zone", workload),
            _spread("kubernetes.io/hostname", workload),
        ]
    if workload.priority_class_name:
        spec["priorityClassName"] = workload.priority_class_name
    return spec


def pod_security(user: int) -> dict[str, Any]:
    """Pod-level security context without root; mounted volumes become the group's without a walk over every file each time."""
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security() -> dict[str, Any]:
    """Container-level security context of Pod Security "restricted", with a read-only root file system."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def cache_environment(cache_dir: str) -> dict[str, str]:
    """Home and caches in a writable folder, for user ids that the image's passwd file may lack."""
    return {
        "HOME": f"{cache_dir}/home",
        "USER": PART_OF,
        "LOGNAME": PART_OF,
        "XDG_CACHE_HOME": f"{cache_dir}/xdg",
        "XDG_CONFIG_HOME": f"{cache_dir}/config",
        "HF_HOME": f"{cache_dir}/huggingface",
        "TMPDIR": TMP_DIR,
    }


def environment(workload: Workload) -> list[dict[str, Any]]:
    """Environment of the engine, sorted by name; what the stack file sets wins."""
    values = {
        **cache_environment(workload.launch.cache_dir),
        **workload.engine.environment(workload.launch),
        **({"HF_HUB_OFFLINE": "1"} if workload.volume else {}),
        **workload.env,
    }
    found: list[dict[str, Any]] = [{"name": name, "value": values[name]} for name in sorted(values)]
    if workload.token_secret:
        found.append(token_variable(*workload.token_secret))
    return found


def token_variable(secret: str, key: str) -> dict[str, Any]:
    """HF_TOKEN from a Secret."""
    return {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def _container(workload: Workload) -> dict[str, Any]:
    engine = workload.engine
    return {
        "name": MODEL_CONTAINER,
        "image": engine.image_reference(),
        "imagePullPolicy": "IfNotPresent",
        **({"command": list(engine.COMMAND)} if engine.COMMAND else {}),
        "args": list(workload.args),
        "env": environment(workload),
        "ports": [{"name": PORT_NAME, "containerPort": engine.PORT, "protocol": "TCP"}],
        "resources": container_resources(workload),
        "securityContext": container_security(),
        "startupProbe": {
            **_probe(workload, period=_PROBE_PERIOD, timeout=5),
            "failureThreshold": -(-workload.startup.budget // _PROBE_PERIOD),
        },
        "readinessProbe": {**_probe(workload, period=5, timeout=5), "failureThreshold": 3},
        # Lenient: a long prefill must not get the pod killed.
        "livenessProbe": {**_probe(workload, period=20, timeout=10), "failureThreshold": 6},
        "lifecycle": {"preStop": {"sleep": {"seconds": workload.drain.pre_stop}}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": _mounts(workload),
    }


def container_resources(workload: Workload) -> dict[str, Any]:
    """Requests and limits; no CPU limit, because it would throttle tokenizers."""
    pod = workload.resources
    fixed = {
        "memory": mebibytes(pod.memory),
        "ephemeral-storage": mebibytes(pod.ephemeral_storage),
        workload.node_group.gpu_resource: str(pod.gpus),
    }
    return {"requests": {"cpu": cpu(pod.cpu_millis), **fixed}, "limits": dict(fixed)}


def cpu(millis: int) -> str:
    """Thousandths of a core as a quantity."""
    return str(millis // 1000) if millis % 1000 == 0 else f"{millis}m"


def _probe(workload: Workload, *, period: int, timeout: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": workload.engine.HEALTH_PATH, "port": PORT_NAME},
        "periodSeconds": period,
        "timeoutSeconds": timeout,
    }


def config_map_name(workload: Workload) -> str | None:
    """Name of the ConfigMap with the engine's files, with a hash of their content; None where it has no files."""
    files = workload.engine.files(workload.launch)
    if not files:
        return None
    return f"{workload.name}-{hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:10]}"


def _mounts(workload: Workload) -> list[dict[str, Any]]:
    weights = {"name": "weights", "mountPath": workload.engine.WEIGHTS_PATH, "readOnly": True}
    files = {"name": "files", "mountPath": workload.launch.files_dir, "readOnly": True}
    return [
        *([weights] if workload.volume else []),
        *([files] if config_map_name(workload) else []),
        {"name": "shm", "mountPath": "/dev/shm"},
        {"name": "cache", "mountPath": CACHE_DIR},
        *(
            {"name": "cache", "mountPath": path, "subPath": path.strip("/").replace("/", "-")}
            for path in workload.engine.WRITABLE_PATHS
        ),
        {"name": "tmp", "mountPath": TMP_DIR},
    ]


def _volumes(workload: Workload) -> list[dict[str, Any]]:
    pod = workload.resources
    found: list[dict[str, Any]] = []
    if workload.volume:
        claim = {"claimName": workload.volume.claim_name, "readOnly": True}
        found.append({"name": "weights", "persistentVolumeClaim": claim})
    if name := config_map_name(workload):
        found.append({"name": "files", "configMap": {"name": name}})
    return [
        *found,
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": mebibytes(pod.shm)}},
        {"name": "cache", "emptyDir": {"sizeLimit": mebibytes(pod.cache)}},
        {"name": "tmp", "emptyDir": {"sizeLimit": mebibytes(pod.tmp)}},
    ]


def _spread(key: str, workload: Workload) -> dict[str, Any]:
    return {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector(workload)},
    }
