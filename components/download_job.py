"""The Job that fills a volume with one model at one revision. Pure."""

import textwrap
from typing import Any

from components import pods
from components.infrastructure import Download
from components.spec import GIB, Manifest, mebibytes

WEIGHTS_DIR = "/models"
USER = 2000
"""Owner of the files; the user of the vLLM image."""
_MEMORY, _SCRATCH = 8 * GIB, 4 * GIB

# snapshot_download resumes what a killed Job left and checks what is there against the commit's list of files; the marker is written
# last, so that a second run ends at once and a half-filled folder is never taken for a whole one.
SCRIPT = textwrap.dedent(
    """
    import hashlib, os, pathlib, sys
    from huggingface_hub import HfApi, snapshot_download

    repository, revision, folder = sys.argv[1:4]
    target = pathlib.Path(folder)
    marker = target / ".llm-serving-complete"
    stamp = f"{repository}@{revision}\\n"
    if marker.exists() and marker.read_text() == stamp:
        print(f"{target} holds {stamp.strip()} already")
        sys.exit(0)
    info = HfApi().model_info(repository, revision=revision, files_metadata=True)
    weights = [one.rfilename for one in info.siblings]
    safetensors = any(name.endswith(".safetensors") for name in weights)
    skip = ["original/*", "*.pth", "*.onnx", "*.gguf", "consolidated*.safetensors"]
    if safetensors:
        skip.append("*.bin")
    if all(name.startswith("consolidated") for name in weights if name.endswith(".safetensors")):
        skip.remove("consolidated*.safetensors")
    snapshot_download(repository, revision=revision, local_dir=target, ignore_patterns=skip, max_workers=8)
    for one in info.siblings:
        path = target / one.rfilename
        if not path.exists():
            continue
        if one.size is not None and path.stat().st_size != one.size:
            path.unlink()
            sys.exit(f"{path}: size differs from the Hub's {one.size}; removed, run again")
        if one.lfs:
            with path.open("rb") as data:
                digest = hashlib.file_digest(data, "sha256").hexdigest()
            if digest != one.lfs.sha256:
                path.unlink()
                sys.exit(f"{path}: sha256 {digest} differs from the Hub's {one.lfs.sha256}; removed, run again")
    if not any(target.glob("**/*.safetensors")) and not any(target.glob("**/*.bin")):
        sys.exit(f"{repository}@{revision} has no weights in safetensors or bin format")
    marker.write_text(stamp)
    print(f"{target} holds {stamp.strip()}")
    """
).strip()


def job_labels(download: Download) -> dict[str, str]:
    """Labels of the Job and its pod."""
    return {
        "app.kubernetes.io/name": "model-download",
        "app.kubernetes.io/instance": download.name,
        "app.kubernetes.io/component": "model-download",
        "app.kubernetes.io/part-of": pods.PART_OF,
        "app.kubernetes.io/managed-by": "pulumi",
    }


def job_spec(download: Download, claim_name: Any, token: tuple[str, str] | None) -> Manifest:
    """Spec of the Job: retried, and given up after a deadline that follows from the bytes."""
    return {
        "backoffLimit": 6,
        "activeDeadlineSeconds": download.deadline,
        "template": {
            "metadata": {"labels": job_labels(download)},
            "spec": {
                "restartPolicy": "OnFailure",
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                **pods.placement(download.node_selector, download.tolerations),
                "securityContext": pods.pod_security(USER),
                "containers": [_container(download, token)],
                "volumes": [
                    {"name": "weights", "persistentVolumeClaim": {"claimName": claim_name}},
                    {"name": "scratch", "emptyDir": {"sizeLimit": mebibytes(_SCRATCH)}},
                ],
            },
        },
    }


def _container(download: Download, token: tuple[str, str] | None) -> dict[str, Any]:
    values = {**pods.cache_environment("/scratch"), "HF_XET_HIGH_PERFORMANCE": "1", "TMPDIR": "/scratch"}
    fixed = {"memory": mebibytes(_MEMORY), "ephemeral-storage": mebibytes(_SCRATCH + GIB)}
    return {
        "name": "download",
        "image": download.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", SCRIPT],
        "args": [download.repository, download.revision, f"{WEIGHTS_DIR}/{download.path}"],
        "env": [
            *({"name": name, "value": values[name]} for name in sorted(values)),
            *([pods.token_variable(*token)] if token else []),
        ],
        "resources": {"requests": {"cpu": "1", **fixed}, "limits": fixed},
        "securityContext": pods.container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "weights", "mountPath": WEIGHTS_DIR},
            {"name": "scratch", "mountPath": "/scratch"},
        ],
    }
