"""What KServe makes of a LocalModelCache and of a service that matches it, as in kserve/kserve 1fb7810 (v0.20.0).

pkg/apis/serving/v1beta1/inference_service_defaults.go (setLocalModelLabel), pkg/apis/serving/v1alpha1 (GetStorageKey, MatchStorageURI),
pkg/webhook/admission/pod/storage_initializer_injector.go (InjectStorageInitializer), pkg/controller/v1alpha1/localmodel/reconcilers
(ReconcileForIsvcs, the download's volume) and pkg/controller/v1alpha1/localmodelnode/controller.go (launchJob).
"""

import copy
import hashlib
from typing import Any

from tests import kserve

Object = dict[str, Any]
JOBS = "kserve-localmodel-jobs"
_LABEL = "internal.serving.kserve.io/localmodel"
_SOURCE = "internal.serving.kserve.io/localmodel-sourceuri"
_CLAIM = "internal.serving.kserve.io/localmodel-pvc-name"
_GROUP = "serving.kserve.io/nodegroup"


def admitted(service: Object, caches: list[Object]) -> Object:
    """The service as KServe's defaulting webhook leaves it."""
    found = copy.deepcopy(service)
    metadata, uri = found["metadata"], found["spec"]["predictor"]["model"]["storageUri"]
    group = metadata["annotations"].get(_GROUP)
    for cache in caches:
        spec = cache["spec"]
        matches = uri == spec["sourceModelUri"] or uri.startswith(f"{spec['sourceModelUri'].rstrip('/')}/")
        if matches and (group is None or group in spec["nodeGroups"]):
            name = cache["metadata"]["name"]
            metadata["labels"][_LABEL] = name
            metadata["annotations"] |= {
                _SOURCE: spec["sourceModelUri"],
                _CLAIM: f"{name}-{group or spec['nodeGroups'][0]}",
            }
            return found
    return found


def with_storage(deployment: Object) -> Object:
    """The Deployment with what the webhook of pods adds: the claim of the copy, where the service matches a cache."""
    found = copy.deepcopy(deployment)
    metadata = found["spec"]["template"]["metadata"]
    if _LABEL in metadata["labels"]:
        annotations = metadata["annotations"]
        inside = annotations[kserve.SOURCE].removeprefix(annotations[_SOURCE])
        folder = f"models/{key(annotations[_SOURCE])}{inside if inside.startswith('/') else '/' + inside}"
        annotations[kserve.SOURCE] = f"pvc://{annotations[_CLAIM]}/{folder}"
    return kserve.with_storage(found)


def key(uri: str) -> str:
    """Folder of a source on the node."""
    return hashlib.sha256(uri.encode()).hexdigest()[:16]


def volumes(cache: Object, group: Object, namespace: str) -> list[Object]:
    """PersistentVolumes and claims of the download and of the services in a namespace."""
    claim = f"{cache['metadata']['name']}-{group['metadata']['name']}"
    found: list[Object] = []
    for volume, place in ((f"{claim}-download", JOBS), (f"{claim}-{namespace}", namespace)):
        spec = group["spec"]
        found += [
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": volume},
                "spec": spec["persistentVolumeSpec"],
            },
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": claim, "namespace": place},
                "spec": {**spec["persistentVolumeClaimSpec"], "volumeName": volume},
            },
        ]
    return found


def job(cache: Object, group: Object, container: Object, node: str) -> Object:
    """The Job that downloads to one node; `container` is the ClusterStorageContainer."""
    uri, name = cache["spec"]["sourceModelUri"], cache["metadata"]["name"]
    mount = {"mountPath": "/mnt/models", "name": "kserve-pvc-source", "subPath": f"models/{key(uri)}"}
    claim = {"claimName": f"{name}-{group['metadata']['name']}"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"{name}-{node}"[:58], "namespace": JOBS, "labels": {"model": name, "node": node}},
        "spec": {
            "ttlSecondsAfterFinished": 3600,
            "template": {
                "spec": {
                    "nodeSelector": {"kubernetes.io/hostname": node},
                    "containers": [
                        {**container["spec"]["container"], "args": [uri, "/mnt/models"], "volumeMounts": [mount]}
                    ],
                    "restartPolicy": "Never",
                    "volumes": [{"name": "kserve-pvc-source", "persistentVolumeClaim": claim}],
                    "securityContext": {"fsGroup": 1000},
                }
            },
        },
    }
