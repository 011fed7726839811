"""What KServe makes of an LLMInferenceService, as in kserve/kserve 1fb7810 (v0.20.0).

config/llmisvcconfig: config-llm-template.yaml, config-llm-decode-template.yaml, config-llm-prefill-template.yaml (the presets);
pkg/controller/v1alpha2/llmisvc: config_merge.go (mergeSpecs), workload_single_node.go (expectedSingleNodeMainDeployment,
expectedPrefillMainDeployment), workload_multi_node.go (expectedMainMultiNodeLWS), workload_storage.go (attachModelArtifacts), workload.go
(reconcileWorkloadService).
"""

import copy
from typing import Any

from tests.kserve import MODELS, strategic

Object = dict[str, Any]


def _main(port: int) -> Object:
    """The engine's container in the presets, without its start script."""
    probe = {"httpGet": {"path": "/health", "port": port, "scheme": "HTTP"}, "timeoutSeconds": 1}
    return {
        "name": "main",
        "image": "ghcr.io/llm-d/llm-d-cuda:v0.8.0",
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"containerPort": port, "protocol": "TCP"}],
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
        "livenessProbe": {**probe, "periodSeconds": 10, "failureThreshold": 10},
        "readinessProbe": {**probe, "periodSeconds": 1, "failureThreshold": 2},
        "startupProbe": {**probe, "periodSeconds": 10, "failureThreshold": 60},
        "volumeMounts": [
            {"mountPath": "/home", "name": "home"},
            {"mountPath": "/tmp", "name": "tmp-dir"},
            {"mountPath": "/dev/shm", "name": "dshm"},
            {"mountPath": "/models", "name": "model-cache"},
            {"mountPath": "/var/run/kserve/tls", "name": "tls-certs", "readOnly": True},
        ],
    }


_VOLUMES: list[Object] = [
    {"name": "home", "emptyDir": {}},
    {"name": "dshm", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}},
    {"name": "model-cache", "emptyDir": {}},
    {"name": "tmp-dir", "emptyDir": {}},
    {"name": "tls-certs", "secret": {"secretName": "chat-kserve-self-signed-certs"}},
]
PRESET: Object = {
    "annotations": {"serving.kserve.io/model-based-routing-enabled": "true"},
    "template": {
        "containers": [_main(8000)],
        "terminationGracePeriodSeconds": 60,
        "volumes": _VOLUMES,
    },
}
"""kserve-config-llm-template; inside `prefill`, config-llm-prefill-template."""
_SIDECAR_PROBE: Object = {
    "httpGet": {"path": "/health", "port": 8000, "scheme": "HTTP"},
    "initialDelaySeconds": 10,
    "periodSeconds": 10,
}
DECODE_PRESET: Object = {
    "annotations": PRESET["annotations"],
    "template": {
        **PRESET["template"],
        "containers": [_main(8001)],
        "initContainers": [
            {
                "name": "llm-d-routing-sidecar",
                "imagePullPolicy": "IfNotPresent",
                "image": "ghcr.io/llm-d/llm-d-router-disagg-sidecar:v0.9.0",
                "restartPolicy": "Always",
                "ports": [{"containerPort": 8000, "protocol": "TCP"}],
                "resources": {},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": False,
                    "runAsNonRoot": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "livenessProbe": {**_SIDECAR_PROBE, "timeoutSeconds": 10, "failureThreshold": 3},
                "readinessProbe": {**_SIDECAR_PROBE, "timeoutSeconds": 5, "failureThreshold": 10},
                "command": [
                    "/app/pd-sidecar",
                    "--port=8000",
                    "--vllm-port=8001",
                    "--kv-connector=nixlv2",
                    "--enable-ssrf-protection=true",
                    "--pool-group=inference.networking.x-k8s.io",
                    "--inference-pool=ml-serving/chat-inference-pool",
                    "--secure-proxy=false",
                    "",
                    "",
                    "",
                ],
                "volumeMounts": [{"mountPath": "/var/run/kserve/tls", "name": "tls-certs", "readOnly": True}],
                "env": [
                    {
                        "name": "INFERENCE_POOL_NAMESPACE",
                        "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}},
                    },
                    {
                        "name": "SSL_CERT_DIR",
                        "value": "/var/run/kserve/tls:/var/run/secrets/kubernetes.io/serviceaccount:/etc/pki/tls/certs",
                    },
                ],
            }
        ],
    },
}
"""kserve-config-llm-decode-template."""


def deployment(given: Object) -> Object:
    """The Deployment of a service whose copies are one pod each; of those that decode, where others prefill."""
    split = "prefill" in given["spec"]
    spec = strategic(DECODE_PRESET if split else PRESET, given["spec"])
    made = _deployment(given, spec, "-kserve", "llminferenceservice-workload", "decode" if split else "both")
    for container in made["spec"]["template"]["spec"].get("initContainers", ()):
        if container["name"] == "llm-d-routing-sidecar":
            pool = {"name": "INFERENCE_POOL_NAME", "value": f"{given['metadata']['name']}-inference-pool"}
            container["env"] = [*container["env"], *([pool] if "router" in spec else [])]
    return made


def prefill(given: Object) -> Object:
    """The second Deployment, where some copies only prefill."""
    spec = strategic(PRESET, given["spec"]["prefill"])
    return _deployment(given, spec, "-kserve-prefill", "llminferenceservice-workload-prefill", "prefill")


def _deployment(given: Object, spec: Object, suffix: str, component: str, role: str) -> Object:
    name = given["metadata"]["name"]
    labels = {
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/part-of": "llminferenceservice",
        "kserve.io/component": "workload",
        "llm-d.ai/role": role,
    }
    # One map in the controller's memory: what it adds for the template is in the selector too.
    labels |= spec["labels"]
    # The router's own annotation is left out (AnnotationModelBasedRoutingEnabled).
    annotations = {key: value for key, value in spec["annotations"].items() if key not in PRESET["annotations"]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"{name}{suffix}", "namespace": given["metadata"]["namespace"], "labels": labels},
        "spec": {
            "replicas": spec["replicas"],
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": annotations},
                "spec": _with_storage(spec["template"], given["spec"]["model"]["uri"]),
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
        if "initContainers" in pod:
            pod["initContainers"], _ = _parted(pod["initContainers"])
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
        # Taken out of the template and appended after the others (extractAndStripStorageInitializer, attachStorageInitializer).
        others, own = _parted(pod["initContainers"])
        pod["initContainers"] = [*others, *(strategic(initializer, one) for one in own)]
    container["volumeMounts"] = [*container["volumeMounts"], {**mount, "readOnly": True}]
    pod["volumes"] = [*pod["volumes"], volume]
    return pod


def _parted(containers: list[Object]) -> tuple[list[Object], list[Object]]:
    """The others, and the storage initializer."""
    others = [one for one in containers if one["name"] != "storage-initializer"]
    return others, [one for one in containers if one["name"] == "storage-initializer"]
