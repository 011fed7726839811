"""Kubernetes kinds: which resource types are objects, and in which order they are created.

The order is Helm's `InstallOrder` (helm/helm pkg/release/util/kind_sorter.go, read 22 Nov 2026), with three changes:
PodDisruptionBudgets and NetworkPolicies keep their early place, Jobs come before the other workloads (a model is
downloaded before it is served), and kinds that Helm doesn't know (custom resources) come before the webhooks.
"""

from __future__ import annotations

from typing import Any, Final

from preview.registered import Registered

_ORDER: Final = (
    ("PriorityClass", "RuntimeClass", "Namespace"),
    ("CustomResourceDefinition",),
    ("NetworkPolicy", "ResourceQuota", "LimitRange", "PodDisruptionBudget"),
    ("ServiceAccount",),
    ("Secret",),
    ("ConfigMap",),
    ("StorageClass",),
    ("PersistentVolume",),
    ("PersistentVolumeClaim",),
    ("ClusterRole", "Role"),
    ("ClusterRoleBinding", "RoleBinding"),
    ("Service",),
    ("Job",),
    ("DaemonSet",),
    ("Pod", "ReplicationController", "ReplicaSet"),
    ("Deployment",),
    ("HorizontalPodAutoscaler",),
    ("StatefulSet",),
    ("CronJob",),
    ("IngressClass", "Ingress"),
    ("APIService",),
    ("*",),
    ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"),
)
_RANKS: Final = {kind: rank for rank, kinds in enumerate(_ORDER, start=1) for kind in kinds}

# Types of the provider that are something else than one object.
_NOT_OBJECTS: Final = ("kubernetes:helm.sh/", "kubernetes:yaml", "kubernetes:kustomize")


def kind_rank(kind: str) -> int:
    """The place of a kind in the order of creation, from 1; custom resources share one."""
    return _RANKS.get(kind, _RANKS["*"])


def api_version_and_kind(resource: Registered) -> tuple[str, str]:
    """From the inputs, or else from the type token (`kubernetes:core/v1:Service` is v1, Service)."""
    module, _, kind = resource.type.removeprefix("kubernetes:").rpartition(":")
    version = module.removeprefix("core/")
    return _text(resource.inputs.get("apiVersion")) or version, _text(resource.inputs.get("kind")) or kind


def is_kubernetes_object(resource: Registered) -> bool:
    """Whether the resource is one Kubernetes object that the program creates (not read, not a patch of another's)."""
    return (
        resource.custom
        and not resource.read_id
        and resource.package == "kubernetes"
        and not resource.type.startswith(_NOT_OBJECTS)
        and not is_patch(resource)
    )


def is_patch(resource: Registered) -> bool:
    """Whether the resource changes an object that something else owns (`DeploymentPatch`)."""
    token_kind = resource.type.rpartition(":")[2]
    return resource.package == "kubernetes" and token_kind == f"{resource.inputs.get('kind')}Patch"


def is_helm_release(resource: Registered) -> bool:
    """Whether the resource is a Helm release."""
    return resource.type == "kubernetes:helm.sh/v3:Release" and not resource.read_id


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
