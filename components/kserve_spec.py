"""Specs of KServe's ServingRuntime and InferenceService: the pod of components/pods.py, in two parts that KServe merges. Pure.

The runtime holds what every service of one engine and version shares: image, command, port, probes and the container's security. The
service holds the rest: arguments, environment, resources, start-up time, drain and placement. The worker of a copy that spans nodes has
a part in both, too. KServe merges the two containers with a
strategic merge patch and appends the service's arguments to the runtime's; of the runtime's pod it takes placement and volumes only
(pkg/controller/v1beta1/inferenceservice/utils/utils.go, MergeRuntimeContainers and MergePodSpec, kserve 1fb7810 (v0.20.0), read
2026-11-23).
"""

import hashlib
from dataclasses import replace
from typing import Any

from components import kserve_worker, pods
from components.local_model_wait import with_wait
from components.pods import Role
from components.resolved import Workload
from components.resolved_kserve import InferenceServiceSettings, KserveAutoscaling, has_worker
from components.spec import Manifest

CONTAINER = "kserve-container"
"""The name by which KServe finds the model server's container."""
_PROBES = ("readinessProbe", "livenessProbe")
_RUNTIME_KEYS = (
    "name",
    "image",
    "imagePullPolicy",
    "command",
    "ports",
    *_PROBES,
    "securityContext",
    "terminationMessagePolicy",
)
_RUNTIME_ONLY = frozenset(_RUNTIME_KEYS) - {"securityContext"}
"""The service says its security once more: whoever looks at it alone, as policies do, sees that it keeps to "restricted"."""


_LONGEST_NAME = 63


def storage_uri(workload: Workload) -> str:
    """Where KServe gets the weights: the claim of the volume, the model's own storageUri, or the Hugging Face Hub."""
    model = workload.model
    if workload.volume is not None:
        return f"pvc://{workload.volume.claim_name}/{model.path}"
    return model.storage_uri or f"hf://{model.id}:{model.revision}"


def runtime_spec(workload: Workload) -> Manifest:
    """Spec of the ServingRuntime that the workload's engine, version and image need."""
    leader = _leader(workload)
    for name in _PROBES:
        leader["containers"][0][name]["httpGet"]["path"] = workload.engine.HEALTH_PATH
    return {
        "supportedModelFormats": [{"name": workload.engine.name, "version": "1", "autoSelect": False}],
        "containers": [_of_runtime(leader)],
        **(_runtime_for_two(workload) if has_worker(workload) else {}),
    }


def inference_service_spec(workload: Workload) -> Manifest:
    """Spec of the InferenceService."""
    pod = _leader(workload)
    container = pod.pop("containers")[0]
    settings: InferenceServiceSettings = workload.settings
    template = pods.pod_template(workload)["metadata"]
    # A path that names the model can't be the runtime's.
    mine = () if workload.engine.health_path(workload.launch) == workload.engine.HEALTH_PATH else _PROBES
    if has_worker(workload):
        template.pop("annotations", None)  # the worker would get them too: _runtime_for_two
    optional = {
        "canaryTrafficPercent": settings.canary_traffic_percent,
        "containerConcurrency": settings.container_concurrency,
        "timeout": settings.timeout_seconds,
    }
    return {
        "predictor": {
            **_replicas(workload, settings.autoscaling),
            **{key: value for key, value in optional.items() if value is not None},
            "deploymentStrategy": _strategy(workload, settings.autoscaling),
            **template,
            **pod,
            "model": {
                "modelFormat": {"name": workload.engine.name, "version": "1"},
                "runtime": settings.runtime,
                "storageUri": storage_uri(workload),
                **{key: value for key, value in container.items() if key not in _RUNTIME_ONLY or key in mine},
            },
            **({"workerSpec": _worker_spec(workload)} if has_worker(workload) else {}),
        }
    }


def annotations(workload: Workload, deployment_mode: str) -> dict[str, str]:
    """Annotations of the InferenceService: mode and autoscaler, instead of KServe's own defaults, and what Pulumi waits for."""
    settings: InferenceServiceSettings = workload.settings
    scaling = settings.autoscaling
    autoscaler = "none" if scaling is None else ("keda" if scaling.prometheus else "hpa")
    secret = {"serving.kserve.io/secretName": settings.storage_secret} if settings.storage_secret else {}
    standard = {"serving.kserve.io/autoscalerClass": autoscaler} if deployment_mode == "Standard" else {}
    return {
        "serving.kserve.io/deploymentMode": deployment_mode,
        **standard,
        **secret,
        **node_group(workload),
        **kserve_worker.annotations(workload),
        "pulumi.com/waitFor": "condition=Ready",
    }


def node_group(workload: Workload) -> dict[str, str]:
    """The annotation that picks the nodes' copies, or the one that keeps away those that other stacks make of the same source
    (constants.go, NodeGroupAnnotationKey and DisableLocalModelKey)."""
    if not workload.cached:
        return {"serving.kserve.io/disable-localmodel": "true"}
    return {"serving.kserve.io/nodegroup": scoped(workload.namespace, workload.node_group.name)}


def cache_name(workload: Workload) -> str:
    """Name of the LocalModelCache of its weights. Another source gets another name: an object's can't be changed."""
    source = hashlib.sha256(storage_uri(workload).encode()).hexdigest()[:8]
    return scoped(workload.namespace, f"{workload.model.name}-{source}")


def scoped(namespace: str, name: str) -> str:
    """A name for an object without namespace: other stacks of the cluster have models and node groups of the same names."""
    full = f"{namespace}-{name}"
    if len(full) <= _LONGEST_NAME:
        return full
    return f"{full[: _LONGEST_NAME - 9].rstrip('-')}-{hashlib.sha256(full.encode()).hexdigest()[:8]}"


def labels(workload: Workload) -> dict[str, str]:
    """Labels of the InferenceService: reached inside the cluster only."""
    return {**pods.labels(workload), "networking.kserve.io/visibility": "cluster-local"}


def account_secrets(workload: Workload) -> list[dict[str, str]]:
    """Secrets whose credentials KServe's storage initializer gets: that of the Hub's token, where it downloads from there."""
    return [{"name": workload.token_secret[0]}] if workload.token_secret else []


def ready_timeout(workload: Workload) -> int:
    """Seconds until the service must be ready: the rollout, with the copy of the weights before each container starts."""
    copies = 0 if workload.volume else workload.startup.load
    rounds = -(-max(workload.copies, 1) // max(workload.max_unavailable, 1))
    return workload.startup.rollout_timeout + rounds * copies


def pod_spec(workload: Workload, role: Role) -> dict[str, Any]:
    """The pod without what KServe adds: it mounts the weights itself, and its own init container downloads them.

    Adapters and draft models from the Hub are still the engine's to fetch.
    """
    fetches = bool(workload.launch.revisions)
    mine = replace(
        workload,
        volume=workload.volume if workload.referenced else None,
        downloads=fetches,
        token_secret=workload.token_secret if fetches else None,
        # Copies that an autoscaler adds are spread as well.
        replicas=_most_replicas(workload),
    )
    pod = pods.pod_spec(mine, role)
    if not workload.cached:
        return pod
    claim = f"{cache_name(workload)}-{scoped(workload.namespace, workload.node_group.name)}"
    return with_wait(pod, workload, claim, storage_uri(workload))


def _most_replicas(workload: Workload) -> int:
    scaling = getattr(workload.settings, "autoscaling", None)
    return workload.replicas if scaling is None else scaling.max_replicas


def _leader(workload: Workload) -> dict[str, Any]:
    role = kserve_worker.role(workload, leads=True) if has_worker(workload) else Role()
    return pod_spec(workload, replace(role, container=CONTAINER))


def _worker(workload: Workload) -> dict[str, Any]:
    role = kserve_worker.role(workload, leads=False)
    pod = pod_spec(workload, replace(role, container=kserve_worker.CONTAINER))
    pod["containers"][0].update(kserve_worker.probes(workload))
    return pod


def _worker_spec(workload: Workload) -> Manifest:
    """The worker's part of the service: the whole pod of it but what the runtime holds, and the sizes by which KServe counts."""
    pod = _worker(workload)
    (container,) = pod.pop("containers")
    mine = {key: value for key, value in container.items() if key == "name" or key not in _RUNTIME_ONLY}
    return {**kserve_worker.sizes(workload), **pod, "containers": [mine]}


def _runtime_for_two(workload: Workload) -> Manifest:
    """What the runtime has besides for a leader with a worker. Annotations of its pods are the leader's alone, and those of a service's
    predictor both pods get (predictor.go, buildObjectMeta and reconcileWorker)."""
    annotations = pods.annotations(workload)
    return {
        **({"annotations": annotations} if annotations else {}),
        "workerSpec": {"containers": [_of_runtime(_worker(workload))]},
    }


def _of_runtime(pod: dict[str, Any]) -> Manifest:
    (container,) = pod["containers"]
    return {key: container[key] for key in _RUNTIME_KEYS if key in container}


def _strategy(workload: Workload, scaling: KserveAutoscaling | None) -> Manifest:
    """In place by default: KServe's own 25 % waits for a spare GPU for ever.

    KServe's Ready is the Deployment's Available, which is true with `replicas - maxUnavailable` pods (PropagateRawStatus in
    pkg/apis/serving/v1beta1/inference_service_status.go, v0.20.0): of a single replica, with none. Recreate asks for all.
    """
    if scaling is None and workload.replicas == 1 and workload.max_surge == 0:
        return {"type": "Recreate"}
    limits = {"maxSurge": workload.max_surge, "maxUnavailable": workload.max_unavailable}
    return {"type": "RollingUpdate", "rollingUpdate": limits}


def _replicas(workload: Workload, scaling: KserveAutoscaling | None) -> Manifest:
    if scaling is None:
        return {"minReplicas": workload.replicas, "maxReplicas": max(workload.replicas, 1)}
    limits = {"minReplicas": scaling.min_replicas, "maxReplicas": scaling.max_replicas}
    if scaling.prometheus is None:
        return {**limits, "scaleMetric": scaling.metric, "scaleTarget": scaling.target}
    trigger = scaling.prometheus
    metric = {
        "type": "External",
        "external": {
            "metric": {"backend": "prometheus", "serverAddress": trigger.server_address, "query": trigger.query},
            # KServe checks both: the webhook wants `value`, and `averageValue` for this type.
            "target": {"type": "AverageValue", "averageValue": trigger.target, "value": trigger.target},
        },
    }
    return {**limits, "autoScaling": {"metrics": [metric]}}
