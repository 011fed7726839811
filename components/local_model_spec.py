"""KServe's node-local copies of models: which nodes keep which weights, and the objects that say so. Pure.

A LocalModelCache makes KServe's agent on every node of a LocalModelNodeGroup start a Job that downloads the weights to /models of that
node. A service whose storageUri is the cache's then mounts them from a PersistentVolumeClaim, which KServe makes beside it, instead of
copying them for each pod (kserve 1fb7810 (v0.20.0), pkg/controller/v1alpha1/localmodel and localmodelnode,
pkg/webhook/admission/pod/storage_initializer_injector.go, read 2026-11-23).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from components import kserve_spec
from components.infrastructure import NodeGroup
from components.kserve_spec import scoped
from components.pods import PART_OF, container_security
from components.resolved import Stack, TokenSource, Workload
from components.resolved_kserve import LOCAL_MODELS_FOLDER
from components.spec import GIB, Manifest, mebibytes

JOB_NAMESPACE = "kserve-localmodel-jobs"
"""Of the Jobs that download (kserve.localmodel.jobNamespace, the charts' default); no chart creates it."""
_STORAGE_CLASS = "llm-serving-local-models"
"""A name that volume and claim share; there is no such class, so nothing else is made for them."""
_AGENT_USER = 65532
"""Of the agent's image (localmodel-agent.Dockerfile: distroless nonroot), which must be able to remove what the Jobs wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalModel:
    """One model with the nodes that keep it."""

    model: str
    """Its name in the stack file."""
    name: str
    """Of the LocalModelCache, which belongs to no namespace."""
    source_uri: str
    size: int
    """Bytes."""
    groups: tuple[str, ...]
    """Names of the node groups."""
    secret: str | None
    """Secret with the credentials of the download, in the Jobs' namespace."""


def local_models(stack: Stack) -> tuple[LocalModel, ...]:
    """The models that nodes keep, for those workloads that use them. A size that nobody knows is 0: rule KSV042 asks for it."""
    found: dict[str, list[Workload]] = {}
    for one in stack.workloads.values():
        if one.cached:
            found.setdefault(one.model.name, []).append(one)
    return tuple(_local_model(name, users, stack.token) for name, users in found.items())


def _local_model(name: str, users: list[Workload], token: TokenSource | None) -> LocalModel:
    first = users[0]
    # A model that is open to everybody needs no token.
    hub = token.secret_name if token and first.model.gated is not False else None
    secrets = (getattr(one.settings, "storage_secret", None) for one in users)
    return LocalModel(
        model=name,
        name=kserve_spec.cache_name(first),
        source_uri=kserve_spec.storage_uri(first),
        size=first.model.weights_size or 0,
        groups=tuple(dict.fromkeys(one.node_group.name for one in users)),
        secret=hub if first.model.storage_uri is None else next(filter(None, secrets), None),
    )


def kept(found: Iterable[LocalModel], group: str) -> int:
    """Bytes of all copies on each node of a group."""
    return sum(one.size for one in found if group in one.groups)


def node_group_spec(group: NodeGroup, size: int) -> Manifest:
    """Spec of the LocalModelNodeGroup: volumes on the node's own disk, where the group's labels say. KServe compares the node's labels
    with them to find its nodes. The agent's folder is fixed in its chart, and must be this one."""
    limit = f"{-(-max(size, 1) // GIB)}Gi"
    shared: Manifest = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": _STORAGE_CLASS,
        "volumeMode": "Filesystem",
    }
    terms = [{"key": key, "operator": "In", "values": [value]} for key, value in sorted(group.node_selector.items())]
    return {
        "storageLimit": limit,
        "persistentVolumeSpec": {
            **shared,
            "capacity": {"storage": limit},
            "hostPath": {"path": LOCAL_MODELS_FOLDER, "type": "Directory"},
            "persistentVolumeReclaimPolicy": "Retain",
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": terms}]}},
        },
        "persistentVolumeClaimSpec": {**shared, "resources": {"requests": {"storage": limit}}},
    }


def cache_spec(found: LocalModel, namespace: str) -> Manifest:
    """Spec of the LocalModelCache."""
    return {
        "sourceModelUri": found.source_uri,
        "modelSize": mebibytes(-(-max(found.size, 1) // 1024**2) * 1024**2),
        "nodeGroups": [scoped(namespace, one) for one in found.groups],
        **({"serviceAccountName": found.name} if found.secret else {}),
    }


def storage_container_spec(version: str, memory: str) -> Manifest:
    """Spec of the ClusterStorageContainer for the Jobs, which KServe starts without any security context or memory of their own."""
    security = {key: value for key, value in container_security().items() if key != "readOnlyRootFilesystem"}
    return {
        "container": {
            "name": "storage-initializer",
            "image": f"kserve/storage-initializer:{version}",
            "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": memory}},
            "securityContext": {
                **security,
                "runAsNonRoot": True,
                "runAsUser": _AGENT_USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "env": [{"name": "HOME", "value": "/tmp"}],
            "terminationMessagePolicy": "FallbackToLogsOnError",
        },
        "supportedUriFormats": [{"prefix": "hf://"}, {"prefix": "s3://"}],
        "workloadType": "localModelDownloadJob",
    }


def labels(component: str) -> dict[str, str]:
    """Labels of the objects."""
    return {
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/part-of": PART_OF,
        "app.kubernetes.io/managed-by": "pulumi",
    }
