"""Spec of KServe's LLMInferenceService: the pod of components/pods.py as the template that KServe merges over its own preset. Pure.

KServe merges `kserve-config-llm-template` and the service's spec with a strategic merge patch: lists by their merge keys, everything else
field by field (pkg/controller/v1alpha2/llmisvc/config_merge.go, mergeSpecs; kserve 1fb7810 (v0.20.0), read 2026-11-22). So every field of
the preset that would change our pod is set here: a preStop of another kind would stay beside ours, and the API server takes one only.
"""

from dataclasses import replace
from typing import Any

from components import kserve_prefill_spec, kserve_spec, leader_worker_set_spec, pods
from components.pods import Role
from components.resolved import Workload
from components.resolved_kserve import LlmInferenceServiceSettings, splits
from components.spec import Manifest, mebibytes

CONTAINER = "main"
"""The name by which KServe finds the model server's container."""
PIPELINE_PRESET = "kserve-config-llm-worker-pipeline-parallel"
"""What the controller merges into services whose copies span nodes by pipeline parallelism; no chart of v0.20.0 brings it, and without it
the service stays at ConfigNotFound (config_merge.go: configWorkerPipelineParallelNameSuffix, getConfig). It may be empty."""
_SELECTED_BY = frozenset(
    {
        "app.kubernetes.io/name",
        "app.kubernetes.io/component",
        "app.kubernetes.io/part-of",
        "kserve.io/component",
        "llm-d.ai/role",
    }
)
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def llm_inference_service_spec(workload: Workload) -> Manifest:
    """Spec of the LLMInferenceService."""
    settings: LlmInferenceServiceSettings = workload.settings
    spans = workload.group_size > 1
    leader = leader_worker_set_spec.role(workload, leads=True) if spans else Role()
    split = splits(workload)
    return {
        "model": {"uri": kserve_spec.storage_uri(workload), "name": workload.launch.served_name},
        **_pods(workload, _decode(workload) if split else _template(workload, leader, selector(workload))),
        **({"worker": _worker(workload)} if spans else {}),
        **({"prefill": _prefill(workload)} if split else {}),
        **_router(settings),
    }


def selector(workload: Workload) -> dict[str, str]:
    """Labels of ours on the pods with an engine: the scheduler's pods don't have them."""
    return {"app.kubernetes.io/instance": workload.name, "app.kubernetes.io/managed-by": "pulumi"}


def with_scheduler(workload: Workload) -> Workload:
    """The workload with its scheduler among its callers: it reads the engines' metrics (scheduler.go, SchedulerLabels)."""
    settings: LlmInferenceServiceSettings = workload.settings
    everybody: dict[str, Any] = {"podSelector": {}}
    if settings.router is None or not settings.router.scheduler or everybody in workload.allow_from:
        return workload
    labels = {
        "app.kubernetes.io/name": workload.name,
        "app.kubernetes.io/component": "llminferenceservice-router-scheduler",
        "app.kubernetes.io/part-of": "llminferenceservice",
    }
    return replace(workload, allow_from=(*workload.allow_from, {"podSelector": {"matchLabels": labels}}))


def budgets(workload: Workload) -> dict[str, dict[str, str]]:
    """Labels of the pods of each PodDisruptionBudget, by what its name ends with."""
    every = selector(workload)
    return kserve_prefill_spec.selectors(every) if splits(workload) else {"": every}


def servers(workload: Workload) -> dict[str, str]:
    """Labels of the pods that answer HTTP: workers of a group don't have the last one."""
    return {**selector(workload), "kserve.io/component": "workload"}


def annotations(workload: Workload) -> dict[str, str]:
    """Annotations of the LLMInferenceService: credentials, and what Pulumi waits for."""
    settings: LlmInferenceServiceSettings = workload.settings
    secret = {"serving.kserve.io/secretName": settings.storage_secret} if settings.storage_secret else {}
    return {**secret, **kserve_spec.node_group(workload), "pulumi.com/waitFor": "condition=Ready"}


def _more_labels(workload: Workload) -> dict[str, str]:
    """The stack's own labels but those that the controller selects its pods by: a service may only replace them in the template."""
    return {key: value for key, value in workload.labels.items() if key not in _SELECTED_BY}


def _parallelism(workload: Workload) -> Manifest:
    """Sizes above 1; of a copy that spans nodes `pipeline` is also the number of its pods (ParallelismSpec.GetSize)."""
    size = workload.parallelism
    found = {name: count for name, count in (("tensor", size.tensor), ("pipeline", size.pipeline)) if count > 1}
    return {"parallelism": found} if found else {}


def _pods(workload: Workload, template: Manifest) -> Manifest:
    """One set of alike pods."""
    annotations = pods.annotations(workload)
    return {
        "replicas": workload.replicas,
        "labels": {**_more_labels(workload), **selector(workload)},
        **({"annotations": annotations} if annotations else {}),
        **_parallelism(workload),
        "template": template,
    }


def _worker(workload: Workload) -> Manifest:
    return _template(workload, leader_worker_set_spec.role(workload, leads=False), selector(workload))


def _decode(workload: Workload) -> Manifest:
    """The pods that answer, where others prefill."""
    alike, _ = kserve_prefill_spec.selectors(selector(workload)).values()
    pod = _template(kserve_prefill_spec.decoder(workload), kserve_prefill_spec.DECODE, alike)
    return {**pod, "initContainers": [kserve_prefill_spec.sidecar(workload), *pod.get("initContainers", ())]}


def _prefill(workload: Workload) -> Manifest:
    _, alike = kserve_prefill_spec.selectors(selector(workload)).values()
    prefiller = kserve_prefill_spec.prefiller(workload)
    return _pods(prefiller, _template(prefiller, kserve_prefill_spec.PREFILL, alike))


def _template(workload: Workload, role: Role, alike: dict[str, str]) -> dict[str, Any]:
    """The whole pod; `alike` are labels of the pods among which copies are spread."""
    pod = kserve_spec.pod_spec(workload, replace(role, container=CONTAINER))
    container = pod["containers"][0]
    seconds = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    container["lifecycle"] = {"preStop": {"exec": {"command": ["/bin/sleep", str(seconds)]}}}
    for probe in _PROBES:
        if probe in container:
            container[probe]["httpGet"]["scheme"] = "HTTP"
    if kserve_spec.storage_uri(workload).startswith(("s3://", "hf://")) and not workload.cached:
        pod["initContainers"] = [_initializer(workload)]
    for constraint in pod.get("topologySpreadConstraints", ()):
        constraint["labelSelector"] = {"matchLabels": alike}
    return pod


def _initializer(workload: Workload) -> dict[str, Any]:
    """Our part of the init container that copies the weights. This controller, unlike InferenceService's, gives it no security context, and
    1Gi of memory whatever the chart's values say; it takes both from here (workload_storage.go, attachStorageInitializer;
    charts/kserve-resources/files/common/configmap-patch.yaml). It runs before the engine, so the engine's share costs nothing more.
    """
    pod = workload.resources
    share = {"cpu": pods.cpu(pod.cpu_millis), "memory": mebibytes(pod.memory)}
    security = {key: value for key, value in pods.container_security().items() if key != "readOnlyRootFilesystem"}
    return {"name": "storage-initializer", "resources": {"limits": share}, "securityContext": security}


def _router(settings: LlmInferenceServiceSettings) -> Manifest:
    router = settings.router
    if router is None:
        return {}
    gateway = {"name": router.gateway_name, "namespace": router.gateway_namespace}
    scheduler = {"scheduler": {}} if router.scheduler else {}
    return {"router": {"route": {}, "gateway": {"refs": [gateway]}, **scheduler}}
