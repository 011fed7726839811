"""The init container that waits until a node has its copy of a model. Pure.

KServe mounts the folder whether or not the download has ended. An engine that finds a part of the files mostly ends with an error, but vLLM
looks for weights that were never loaded only where the checkpoint isn't quantized (vllm 0.33.0, default_loader.py, load_weights, read
2026-11-23): without waiting it could answer with the rest left as it was.
"""

import hashlib
from typing import Any

from components import pods
from components.resolved import Workload
from components.spec import MIB, mebibytes

# Both downloads rename a file when it is whole: huggingface_hub from *.incomplete, boto3 from a name with a random suffix.
_SCRIPT = """
import glob, json, os, sys, time
def whole(root):
    if not os.path.exists(f"{root}/config.json") or glob.glob(f"{root}/.cache/**/*.incomplete", recursive=True):
        return False
    listed = glob.glob(f"{root}/*.index.json")
    files = {one for path in listed for one in json.load(open(path))["weight_map"].values()}
    found = files or glob.glob(f"{root}/*.safetensors") + glob.glob(f"{root}/*.bin")
    return bool(found) and all(os.path.exists(os.path.join(root, one)) for one in found)
while not whole(sys.argv[1]):
    print("the node has no whole copy of the model yet", flush=True)
    time.sleep(10)
"""
_VOLUME = "kserve-pvc-source"
"""KServe's own name for the volume: it keeps one that is there already (kserve 1fb7810 (v0.20.0), pkg/utils/storage.go, AddModelMount)."""
_PATH = "/mnt/models"
_CPU, _MEMORY, _DISK = 100, 256 * MIB, 64 * MIB


def with_wait(pod: dict[str, Any], workload: Workload, claim: str, source: str) -> dict[str, Any]:
    """The pod with that container, in the engine's own image, which the node has to pull anyway and which has Python."""
    folder = f"models/{hashlib.sha256(source.encode()).hexdigest()[:16]}/"
    fixed = {"memory": mebibytes(_MEMORY), "ephemeral-storage": mebibytes(_DISK)}
    waiting = {
        "name": "wait-for-model",
        "image": workload.engine.image_reference(),
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", _SCRIPT, _PATH],
        "resources": {"requests": {"cpu": pods.cpu(_CPU), **fixed}, "limits": fixed},
        "securityContext": pods.container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": _VOLUME, "mountPath": _PATH, "subPath": folder, "readOnly": True}],
    }
    volume = {"name": _VOLUME, "persistentVolumeClaim": {"claimName": claim}}
    return {**pod, "initContainers": [waiting], "volumes": [*pod["volumes"], volume]}
