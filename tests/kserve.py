"""What KServe makes of an InferenceService and its runtime in the deployment mode Standard, as in kserve/kserve 1fb7810 (v0.20.0).

pkg/controller/v1beta1/inferenceservice: utils/utils.go (MergeRuntimeContainers, MergePodSpec), components/predictor.go (buildPodSpec,
buildObjectMeta), reconcilers/deployment/deployment_reconciler.go, reconcilers/service/service_reconciler.go;
pkg/utils/storage.go and pkg/webhook/admission/pod/storage_initializer_injector.go (what the webhook adds to pods);
charts/kserve-resources (the storage initializer's resources and security). The merge keys of lists: patchMergeKey in k8s.io/api/core/v1
types.go. The annotations that KServe keeps from pods and those of its own webhooks are left out.
"""

import copy
import json
from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]
CONTAINER = "kserve-container"
MODELS = "/mnt/models"
SOURCE = "internal.serving.kserve.io/storage-initializer-sourceuri"
INITIALIZER: Object = {
    "name": "storage-initializer",
    "image": "kserve/storage-initializer:v0.20.0",
    "imagePullPolicy": "IfNotPresent",
    "terminationMessagePolicy": "FallbackToLogsOnError",
    "resources": {"requests": {"cpu": "100m", "memory": "100Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
    },
}
"""The controller's container under the chart's ClusterStorageContainer `default`."""
_OF_RUNTIME = ("nodeSelector", "affinity", "tolerations", "volumes", "imagePullSecrets", "schedulerName")
_MERGE_KEYS = {
    "env": "name",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "containers": "name",
    "ports": "containerPort",
    "topologySpreadConstraints": "topologyKey",
    "volumeMounts": "mountPath",
    "volumes": "name",
}


def deployment(service: Object, runtime: Object) -> Object:
    """The predictor's Deployment, before the API server and the webhook of pods fill it up. Raises ValueError for a service that KServe
    reports as invalid."""
    metadata, predictor = service["metadata"], service["spec"]["predictor"]
    name = f"{metadata['name']}-predictor"
    given = metadata.get("annotations", {})
    pod_metadata = {
        "labels": {
            **metadata.get("labels", {}),
            **predictor.get("labels", {}),
            "serving.kserve.io/inferenceservice": metadata["name"],
            "component": "predictor",
            "app": f"isvc.{name}",
        },
        "annotations": {
            **given,
            SOURCE: predictor["model"]["storageUri"],
            **predictor.get("annotations", {}),
        },
    }
    spec: Object = {
        "selector": {"matchLabels": {"app": f"isvc.{name}"}},
        "template": {"metadata": pod_metadata, "spec": _pod_spec(service, runtime)},
    }
    if "deploymentStrategy" in predictor:
        spec["strategy"] = predictor["deploymentStrategy"]
    else:
        spec["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
        spec |= {"revisionHistoryLimit": 10, "progressDeadlineSeconds": 600}
    if given.get("serving.kserve.io/autoscalerClass") == "none":
        spec["replicas"] = predictor["minReplicas"]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": metadata["namespace"], **pod_metadata},
        "spec": spec,
    }


def service(given: Object) -> Object:
    """The Service in front of the Deployment."""
    (first, *more) = given["spec"]["template"]["spec"]["containers"][0]["ports"]
    assert not more
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {key: given["metadata"][key] for key in ("name", "namespace")},
        "spec": {
            "selector": given["spec"]["selector"]["matchLabels"],
            "ports": [
                {
                    "name": first["name"],
                    "port": 80,
                    "targetPort": first["containerPort"],
                    "protocol": first["protocol"],
                }
            ],
        },
    }


def with_storage(given: Object) -> Object:
    """The Deployment with what the webhook adds to each of its pods: the weights at /mnt/models."""
    found = copy.deepcopy(given)
    template = found["spec"]["template"]
    pod, uri = template["spec"], template["metadata"]["annotations"][SOURCE]
    if uri.startswith("pvc://"):
        claim, _, path = uri.removeprefix("pvc://").partition("/")
        volume: Object = {"name": "kserve-pvc-source", "persistentVolumeClaim": {"claimName": claim}}
        mount: Object = {"name": volume["name"], "mountPath": MODELS, **({"subPath": path} if path else {})}
    else:
        volume = {"name": "kserve-provision-location", "emptyDir": {}}
        mount = {"name": volume["name"], "mountPath": MODELS}
        initializer = {**copy.deepcopy(INITIALIZER), "args": [uri, MODELS], "volumeMounts": [mount]}
        pod["initContainers"] = [*pod.get("initContainers", []), initializer]
    pod["containers"][0].setdefault("volumeMounts", []).append({**mount, "readOnly": True})
    if volume["name"] not in {one["name"] for one in pod.setdefault("volumes", [])}:
        pod["volumes"].append(volume)
    return found


def strategic(base: Any, patch: Any, key: str = "") -> Any:
    """A strategic merge patch of a pod or a container: mappings key by key, lists with a merge key by that, all others replaced."""
    if isinstance(base, Mapping) and isinstance(patch, Mapping):
        names = [*base, *(one for one in patch if one not in base)]
        return {
            name: strategic(base[name], patch[name], name)
            if name in base and name in patch
            else copy.deepcopy(patch.get(name, base.get(name)))
            for name in names
        }
    if isinstance(base, list) and isinstance(patch, list) and key in _MERGE_KEYS:
        by = _MERGE_KEYS[key]
        found = {one[by]: one for one in base}
        for one in patch:
            found[one[by]] = strategic(found[one[by]], one) if one[by] in found else one
        return copy.deepcopy(list(found.values()))
    return copy.deepcopy(patch)


def _pod_spec(service: Object, runtime: Object) -> Object:
    predictor, spec = service["spec"]["predictor"], runtime["spec"]
    model = predictor["model"]
    base = next((one for one in spec["containers"] if one["name"] == CONTAINER), None)
    if base is None:
        raise ValueError(f"failed to find {CONTAINER} in ServingRuntime containers")
    labels = {(one["name"], one.get("version")) for one in spec["supportedModelFormats"]}
    wanted = model["modelFormat"]
    if "version" in wanted and (wanted["name"], wanted["version"]) not in labels:
        raise ValueError(f"specified runtime {model['runtime']} does not support specified framework/version")
    if wanted["name"] not in {name for name, _ in labels}:
        raise ValueError(f"specified runtime {model['runtime']} does not support specified framework/version")
    if "name" in model:
        raise ValueError("the 'name' field is not allowed in standard predictor")
    mine = {key: value for key, value in model.items() if key not in ("modelFormat", "runtime", "storageUri")}
    container = strategic(base, mine)
    container["args"] = [*base.get("args", []), *mine.get("args", [])]
    if "{{" in json.dumps(container):
        raise ValueError("KServe would run this container through a Go template")
    container.setdefault("env", []).append({"name": "INFERENCE_SERVICE_NAME", "value": service["metadata"]["name"]})
    kept = {key: spec[key] for key in _OF_RUNTIME if key in spec}
    pod = strategic(kept, {key: value for key, value in predictor.items() if key not in _EXTENSION})
    return {**pod, "containers": [container]}


_EXTENSION = frozenset(
    {
        "annotations",
        "autoScaling",
        "canaryTrafficPercent",
        "containerConcurrency",
        "deploymentStrategy",
        "labels",
        "maxReplicas",
        "minReplicas",
        "model",
        "scaleMetric",
        "scaleTarget",
        "timeout",
    }
)
"""Keys of a predictor that aren't a pod's (ComponentExtensionSpec in pkg/apis/serving/v1beta1/component.go, and the model)."""
