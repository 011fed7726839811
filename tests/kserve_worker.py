"""What KServe makes of an InferenceService with `workerSpec` and its runtime, as in kserve/kserve aaac4e2 of 2026-08-21.

pkg/controller/v1beta1/inferenceservice: components/predictor.go (reconcileWorker, multiNodeProcess, computeRayNodeAndGPUs),
reconcilers/deployment/deployment_reconciler.go (createRawDeployment, createRawWorkerDeployment, addGPUResourceToDeployment),
reconcilers/service/service_reconciler.go; pkg/constants; pkg/apis/serving/v1beta1/inference_service_validation.go
(validateMultiNodeVariables) and pkg/webhook/admission/servingruntime. 1fb7810 (v0.20.0) has the same. Both delete the worker again:
kserve#6113.
"""

import copy
import json
import math
from typing import Any

from tests import kserve

Object = dict[str, Any]
WORKER = "worker-container"
GPU = "nvidia.com/gpu"
_KNOWN = {"cpu", "memory", "storage", "ephemeral-storage", GPU, "amd.com/gpu", "intel.com/gpu", "habana.ai/gaudi"}


def deployments(service: Object, runtime: Object, generation: int = 1) -> tuple[Object, Object]:
    """Leader's and worker's Deployment, with what the webhook of pods adds. Raises ValueError for what KServe's webhooks refuse."""
    _validate(service, runtime)
    leader, worker = _leader(service, runtime), _worker(service, runtime)
    size = {**runtime["spec"]["workerSpec"], **service["spec"]["predictor"]["workerSpec"]}
    tensor, pipeline = size.get("tensorParallelSize", 1), size.get("pipelineParallelSize", 1)
    nodes, gpus = _nodes(_container(leader), _container(worker), tensor * pipeline)
    name = service["metadata"]["name"]
    counted = {
        "PIPELINE_PARALLEL_SIZE": str(pipeline),
        "TENSOR_PARALLEL_SIZE": str(tensor),
        "RAY_NODE_COUNT": str(nodes),
    }
    _set(leader, {**counted, "REQUEST_GPU_COUNT": str(gpus[0]), "MODEL_NAME": name, "MODEL_DIR": kserve.MODELS})
    found = {"ISVC_NAME": name, "HEAD_SVC": f"{name.removesuffix('-predictor')}-head-{generation}"}
    _set(worker, {**counted, "REQUEST_GPU_COUNT": str(gpus[1]), **found, "WORKER_SVC": f"{name}-workers-{generation}"})
    worker["spec"]["replicas"] = nodes - 1
    for one, count in zip((leader, worker), gpus, strict=True):
        for labels in (one["metadata"]["labels"], one["spec"]["template"]["metadata"]["labels"]):
            labels["isvc.generation"] = str(generation)
        for part in ("requests", "limits"):
            _container(one)["resources"][part][GPU] = str(count)
    return kserve.with_storage(leader), kserve.with_storage(worker)


def services(service: Object, leader: Object, generation: int = 1) -> list[Object]:
    """The Service for clients, and the headless one by which the worker finds its leader."""
    client, name = kserve.service(leader), leader["metadata"]["name"]
    head = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": f"{name.removesuffix('-predictor')}-head-{generation}",
            "namespace": service["metadata"]["namespace"],
        },
        "spec": {
            "selector": {"app": f"isvc.{name}", "isvc.generation": str(generation)},
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
        },
    }
    return [client, head]


def _validate(service: Object, runtime: Object) -> None:
    annotations, predictor = service["metadata"].get("annotations", {}), service["spec"]["predictor"]
    protocol = predictor["model"]["storageUri"].partition("://")[0]
    if protocol not in ("pvc", "oci"):
        raise ValueError(f"Multinode only supports 'pvc' and 'oci' Storage Protocol({protocol})")
    scaler = annotations.get("serving.kserve.io/autoscalerClass")
    if scaler != "none":
        raise ValueError(f"Multinode only supports 'none' autoscaler({scaler})")
    known = _KNOWN | set(json.loads(annotations.get("serving.kserve.io/gpu-resource-types", "[]")))
    for container in (predictor["model"], *predictor["workerSpec"]["containers"], *runtime["spec"]["containers"]):
        asked = container.get("resources", {})
        if unknown := {name for part in ("limits", "requests") for name in asked.get(part, {})} - known:
            raise ValueError(f"the InferenceService is invalid: unknown GPU resource type, {unknown}")
        if {"PIPELINE_PARALLEL_SIZE", "TENSOR_PARALLEL_SIZE"} & {one["name"] for one in container.get("env", ())}:
            raise ValueError("setting PIPELINE_PARALLEL_SIZE in environment variables is not allowed")
    if len(runtime["spec"].get("workerSpec", {}).get("containers", ())) != 1:
        raise ValueError("No workerSpec container configuration found in selected serving runtime")


def _leader(service: Object, runtime: Object) -> Object:
    plain = copy.deepcopy(service)
    del plain["spec"]["predictor"]["workerSpec"]
    made = kserve.deployment(plain, runtime)
    for metadata in (made["metadata"], made["spec"]["template"]["metadata"]):
        metadata["annotations"] = {**runtime["spec"].get("annotations", {}), **metadata["annotations"]}
    return made


def _worker(service: Object, runtime: Object) -> Object:
    """`kserve.deployment` of the worker's parts under the names that it knows, renamed."""
    predictor = service["spec"]["predictor"]
    shared, mine = runtime["spec"]["workerSpec"], copy.deepcopy(predictor["workerSpec"])
    (container,) = mine.pop("containers")
    (base,) = shared["containers"]
    if (base["name"], container["name"]) != (WORKER, WORKER):
        raise ValueError(f"failed to find {WORKER} in ServingRuntime containers")
    kept = {
        key: predictor[key]
        for key in ("labels", "annotations", "deploymentStrategy", "minReplicas")
        if key in predictor
    }
    pod = {key: value for key, value in mine.items() if key not in ("pipelineParallelSize", "tensorParallelSize")}
    model = {key: predictor["model"][key] for key in ("modelFormat", "runtime", "storageUri")}
    own = {key: value for key, value in container.items() if key != "name"}
    stand_in = {**service, "spec": {"predictor": {**kept, **pod, "model": {**model, **own}}}}
    formats = runtime["spec"]["supportedModelFormats"]
    of_runtime = {"spec": {"supportedModelFormats": formats, "containers": [{**base, "name": kserve.CONTAINER}]}}
    made = kserve.deployment(copy.deepcopy(stand_in), of_runtime)
    merged, name = _container(made), f"{service['metadata']['name']}-predictor-worker"
    merged["name"] = WORKER
    merged["env"] = [one for one in merged["env"] if one["name"] != "INFERENCE_SERVICE_NAME"]
    made["metadata"]["name"] = name
    for labels in (made["metadata"]["labels"], made["spec"]["template"]["metadata"]["labels"]):
        labels["app"] = f"isvc.{name}"
    made["spec"]["selector"] = {"matchLabels": {"app": f"isvc.{name}"}}
    if made["spec"]["strategy"]["type"] == "RollingUpdate":
        made["spec"]["strategy"]["rollingUpdate"] = {"maxSurge": "100%", "maxUnavailable": "0%"}
    return made


def _nodes(leader: Object, worker: Object, total: int) -> tuple[int, tuple[int, int]]:
    """Pods, and the GPUs of the leader and of each worker."""
    have, each = (int(one["resources"]["requests"].get(GPU, 0)) for one in (leader, worker))
    assert have > 0, "no GPU of our containers is left for KServe to guess"
    assert each > 0
    nodes = 1 if math.ceil(total / have) == 1 else math.ceil(total / each)
    if nodes == 1:
        return 1, (total, 0)
    if total > have + each * (nodes - 1):
        raise ValueError(f"the total required number of GPUs({total}) is less than the number of GPUs assigned")
    return nodes, (have, each)


def _container(deployment: Object) -> Object:
    (found,) = deployment["spec"]["template"]["spec"]["containers"]
    return found


def _set(deployment: Object, values: dict[str, str]) -> None:
    env = _container(deployment)["env"]
    for name, value in values.items():
        for one in env:
            if one["name"] == name:
                one["value"] = value
                break
        else:
            env.append({"name": name, "value": value})
