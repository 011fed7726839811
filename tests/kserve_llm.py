"""What KServe makes of an LLMInferenceService, as in kserve/kserve 1fb7810 (v0.20.0).

config/llmisvcconfig/config-llm-template.yaml (the preset, without its start script) and pkg/controller/v1alpha2/llmisvc: config_merge.go
(mergeSpecs), workload_single_node.go (expectedSingleNodeMainDeployment), workload_multi_node.go (expectedMainMultiNodeLWS),
workload_storage.go (attachModelArtifacts), workload.go (reconcileWorkloadService).
"""

import copy
from typing import Any

from tests.kserve import MODELS, strategic

Object = dict[str, Any]
_PROBE: Object = {"httpGet": {"path": "/health", "port": 8000, "scheme": "HTTP"}, "timeoutSeconds": 1}
PRESET: Object = {
    "annotations": {"serving.kserve.io/model-based-routing-enabled": "true"},
    "template": {
        "containers": [
            {
                "name": "main",
                "image": "ghcr.io/llm-d/llm-d-cuda:v0.8.0",
                "imagePullPolicy": "IfNotPresent",
                "ports": [{"containerPort": 8000, "protocol": "TCP"}],
                "command": ["/bin/bash", "-c", "(start script)", "--"],
                "env": [
                    {"name": "HOME", "value": "/home"},
                    {"name": "VLLM_LOGGING_LEVEL", "value": "INFO"},
                    {"name": "HF_HUB_CACHE", "value": "/models"},
                ],
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": False,
                    "runAsNonRoot": True,
                    "capabilities": {"drop": ["ALL"]},
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "lifecycle": {"preStop": {"exec": {"command": ["/bin/sleep", "15"]}}},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "livenessProbe": {**_PROBE, "periodSeconds": 10, "failureThreshold": 10},
                "readinessProbe": {**_PROBE, "periodSeconds": 1, "failureThreshold": 2},
                "startupProbe": {**_PROBE, "periodSeconds": 10, "failureThreshold": 60},
                "volumeMounts": [
                    {"mountPath": "/home", "name": "home"},
                    {"mountPath": "/tmp", "name": "tmp-dir"},
                    {"mountPath": "/dev/shm", "name": "dshm"},
                    {"mountPath": "/models", "name": "model-cache"},
                    {"mountPath": "/var/run/kserve/tls", "name": "tls-certs", "readOnly": True},
                ],
            }
        ],
        "terminationGracePeriodSeconds": 60,
        "volumes": [
            {"name": "home", "emptyDir": {}},
            {"name": "dshm", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}},
            {"name": "model-cache", "emptyDir": {}},
            {"name": "tmp-dir", "emptyDir": {}},
            {"name": "tls-certs", "secret": {"secretName": "chat-kserve-self-signed-certs"}},
        ],
    },
}


def deployment(given: Object) -> Object:
    """The Deployment of a service whose copies are one pod each."""
    name, spec = given["metadata"]["name"], strategic(PRESET, given["spec"])
    labels = {
        "app.kubernetes.io/component": "llminferenceservice-workload",
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/part-of": "llminferenceservice",
        "kserve.io/component": "workload",
        "llm-d.ai/role": "both",
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"{name}-kserve", "namespace": given["metadata"]["namespace"], "labels": labels},
        "spec": {
            "replicas": spec["replicas"],
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": {**labels, **spec["labels"]}, "annotations": spec["annotations"]},
                "spec": _with_storage(spec["template"], spec["model"]["uri"]),
            },
        },
    }


def leader_worker_set(given: Object, preset: Object) -> Object:
    """The LeaderWorkerSet of a service whose copies have a pod for each pipeline stage; `preset` is what the stack gives KServe for it."""
    name, spec = given["metadata"]["name"], strategic(preset, given["spec"])
    worker = {
        "app.kubernetes.io/component": "llminferenceservice-workload-worker",
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/part-of": "llminferenceservice",
    }
    leader = {
        **worker,
        "app.kubernetes.io/component": "llminferenceservice-workload-leader",
        "kserve.io/component": "workload",
        "llm-d.ai/role": "both",
    }
    annotations = {"metadata": {"annotations": spec["annotations"]}} if "annotations" in spec else {"metadata": {}}
    pods = {
        key: {
            "metadata": {**annotations["metadata"], "labels": {**labels, **spec["labels"]}},
            "spec": _with_storage(spec[source], spec["model"]["uri"]),
        }
        for key, labels, source in (("leaderTemplate", leader, "template"), ("workerTemplate", worker, "worker"))
    }
    return {
        "apiVersion": "leaderworkerset.x-k8s.io/v1",
        "kind": "LeaderWorkerSet",
        "metadata": {"name": f"{name}-kserve-mn", "namespace": given["metadata"]["namespace"], "labels": worker},
        "spec": {
            "replicas": spec["replicas"],
            "leaderWorkerTemplate": {
                "size": spec["parallelism"]["pipeline"],
                "restartPolicy": "RecreateGroupOnPodRestart",
                **pods,
            },
            "rolloutStrategy": {"type": "RollingUpdate"},
            "startupPolicy": "LeaderCreated",
        },
    }


def service(given: Object) -> Object:
    """The Service in front of the pods that answer HTTP."""
    name = given["metadata"]["name"]
    labels = {"app.kubernetes.io/part-of": "llminferenceservice", "app.kubernetes.io/name": name}
    return {
        "metadata": {"name": f"{name}-kserve-workload-svc", "namespace": given["metadata"]["namespace"]},
        "spec": {
            "selector": {**labels, "kserve.io/component": "workload"},
            "ports": [{"name": "http", "port": 8000, "targetPort": 8000}],
        },
    }


def _with_storage(template: Object, uri: str) -> Object:
    pod = copy.deepcopy(template)
    (container,) = pod["containers"]
    if uri.startswith("pvc://"):
        claim, _, path = uri.removeprefix("pvc://").partition("/")
        volume: Object = {"name": "kserve-pvc-source", "persistentVolumeClaim": {"claimName": claim}}
        mount: Object = {"name": volume["name"], "mountPath": MODELS, "subPath": path}
        # A container of that name in the template would be dropped.
        pod["initContainers"] = [one for one in pod.get("initContainers", ()) if one["name"] != "storage-initializer"]
    else:
        volume = {"name": "kserve-provision-location", "emptyDir": {}}
        mount = {"name": volume["name"], "mountPath": MODELS}
        limits = {"cpu": "1", "memory": "1Gi"}
        initializer = {
            "name": "storage-initializer",
            "image": "kserve/storage-initializer:v0.20.0",
            "args": [uri, MODELS],
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "resources": {"requests": {"cpu": "100m", "memory": "100Mi"}, "limits": limits},
            "volumeMounts": [mount],
        }
        pod["initContainers"] = [strategic(initializer, one) for one in pod["initContainers"]]
    container["volumeMounts"] = [*container["volumeMounts"], {**mount, "readOnly": True}]
    pod["volumes"] = [*pod["volumes"], volume]
    return pod
