"""A hand-written stack that keeps every policy, and changes to it."""

import copy
from typing import Any, Final

from policies.objects import Resource
from policies.view import UNKNOWN, View
from preview.values import UNKNOWN_SENTINEL

REMOVE: Final = object()
NAMESPACE = "lab"
REGION = "us-east-1"
Path = tuple[str | int, ...]

_LABELS = {"app": "chat"}
_DRAIN = {"preStop": {"exec": {"command": ["sh", "-c", "sleep 15"]}}}
CONTAINER: dict[str, Any] = {
    "name": "engine",
    "image": "vllm/vllm-openai:v0.33.0",
    "command": ["vllm", "serve"],
    "args": ["/models/llama", "--tensor-parallel-size", "4", "--shutdown-timeout", "60"],
    "env": [
        {"name": "HF_HUB_OFFLINE", "value": "1"},
        {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hf-token", "key": "token"}}},
    ],
    "ports": [{"name": "http", "containerPort": 8000}],
    "resources": {
        "requests": {"cpu": "8", "memory": "64Gi"},
        "limits": {"memory": "64Gi", "nvidia.com/gpu": 4},
    },
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    },
    "startupProbe": {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 10, "failureThreshold": 90},
    "livenessProbe": {"httpGet": {"path": "/health", "port": "http"}},
    "lifecycle": _DRAIN,
    "volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}, {"name": "weights", "mountPath": "/models"}],
}
_POD: dict[str, Any] = {
    "metadata": {"labels": _LABELS},
    "spec": {
        "terminationGracePeriodSeconds": 90,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 2000, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [CONTAINER],
        "volumes": [
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "8Gi"}},
            {"name": "weights", "persistentVolumeClaim": {"claimName": "weights", "readOnly": True}},
        ],
    },
}
_META = {"name": "chat", "namespace": NAMESPACE}
_OBJECTS: dict[str, tuple[str, dict[str, Any]]] = {
    "Deployment": (
        "kubernetes:apps/v1:Deployment",
        {
            "metadata": _META,
            "spec": {
                "replicas": 2,
                "progressDeadlineSeconds": 1800,
                "selector": {"matchLabels": _LABELS},
                "strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
                "template": _POD,
            },
        },
    ),
    "Service": (
        "kubernetes:core/v1:Service",
        {"metadata": _META, "spec": {"selector": _LABELS, "ports": [{"port": 80}]}},
    ),
    "NetworkPolicy": (
        "kubernetes:networking.k8s.io/v1:NetworkPolicy",
        {
            "metadata": _META,
            "spec": {
                "podSelector": {"matchLabels": _LABELS},
                "policyTypes": ["Ingress"],
                "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}],
            },
        },
    ),
    "PodDisruptionBudget": (
        "kubernetes:policy/v1:PodDisruptionBudget",
        {"metadata": _META, "spec": {"maxUnavailable": 1, "selector": {"matchLabels": _LABELS}}},
    ),
    "HorizontalPodAutoscaler": (
        "kubernetes:autoscaling/v2:HorizontalPodAutoscaler",
        {"metadata": _META, "spec": {"minReplicas": 2, "maxReplicas": 4}},
    ),
    "PersistentVolumeClaim": (
        "kubernetes:core/v1:PersistentVolumeClaim",
        {"metadata": {"name": "weights", "namespace": NAMESPACE}, "spec": {"accessModes": ["ReadWriteMany"]}},
    ),
    "ConfigMap": ("kubernetes:core/v1:ConfigMap", {"metadata": _META, "data": {"LOG_LEVEL": "info"}}),
    "LaunchTemplate": (
        "aws:ec2/launchTemplate:LaunchTemplate",
        {
            "metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 1},
            "blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": {"encrypted": "true"}}],
        },
    ),
    "NodeGroup": (
        "aws:eks/nodeGroup:NodeGroup",
        {
            "amiType": "AL2023_x86_64_NVIDIA",
            "instanceTypes": ["p4de.24xlarge"],
            "capacityType": "ON_DEMAND",
            "launchTemplate": {"id": "lt-0123", "version": "1"},
            "scalingConfig": {"minSize": 0, "maxSize": 2},
        },
    ),
}


def changed(*changes: tuple[str, Path, Any], without: str = "") -> dict[str, Resource]:
    """The stack by short name, after changes: (name, path below the properties or ("protect",), new value or REMOVE)."""
    objects = {name: (token, copy.deepcopy(props)) for name, (token, props) in _OBJECTS.items() if name != without}
    protect, regions = {"PersistentVolumeClaim"}, {"NodeGroup": REGION, "LaunchTemplate": REGION}
    for name, path, value in changes:
        if path == ("protect",):
            protect -= {name}
        elif path == ("provider", "region"):
            regions[name] = value
        else:
            put(objects[name][1], path, value)
    return {
        name: Resource(
            urn=f"urn:pulumi:test::lab::{token}::{name}",
            type=token,
            name=name,
            props=View(props),
            protect=name in protect,
            region=regions.get(name),
        )
        for name, (token, props) in objects.items()
    }


def put(target: Any, path: Path, value: Any) -> None:
    """Set, append (an index one past the end) or REMOVE what is at a path; maps on the way are made."""
    *way, last = path
    for key in way:
        target = target[key] if isinstance(target, list) else target.setdefault(key, {})
    if value is REMOVE:
        del target[last]
    elif isinstance(target, list) and last == len(target):
        target.append(value)
    else:
        target[last] = value


def sentinels(value: Any) -> Any:
    """The value as Pulumi sends it: unknowns as their sentinel."""
    if value is UNKNOWN:
        return UNKNOWN_SENTINEL
    if isinstance(value, dict):
        return {key: sentinels(item) for key, item in value.items()}
    return [sentinels(item) for item in value] if isinstance(value, list) else value
