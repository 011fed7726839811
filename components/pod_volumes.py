"""What an engine's container mounts: weights, configuration files, and the emptyDirs that it writes to. Pure."""

import hashlib
import json
from typing import Any

from components.resolved import Workload
from components.spec import mebibytes

CACHE_DIR, TMP_DIR = "/cache", "/tmp"


def config_map_name(workload: Workload) -> str | None:
    """Name of the ConfigMap with the engine's files, with a hash of their content; None where it has no files."""
    files = workload.engine.files(workload.launch)
    if not files:
        return None
    return f"{workload.name}-{hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:10]}"


def mounts(workload: Workload) -> list[dict[str, Any]]:
    """The container's volumeMounts."""
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


def volumes(workload: Workload) -> list[dict[str, Any]]:
    """The pod's volumes."""
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
