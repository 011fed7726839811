"""What differs between the kinds of workload: the pods of one copy, and the settings of the kind's own. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from components.infrastructure import NodeGroup
from components.resolved import Model
from components.resolved_kserve import WEIGHTS_PATH
from components.spec import GIB, to_bytes
from stacks import kserve_workloads, leader_worker_set, llm_inference_service, resolve_ray
from stacks.ray_workloads import RayModelKeys
from stacks.workloads import Workload

# Raylet, agents, Serve's proxy and ingress replica, which imports vLLM: an engineering margin of ours, no measurement.
_RAY_PROCESSES = 4 * GIB

_KSERVE: frozenset[str] = frozenset({"InferenceService", "LLMInferenceService"})
MULTI_NODE: frozenset[str] = frozenset(
    {"InferenceService", "LeaderWorkerSet", "LLMInferenceService", "RayCluster", "RayService"}
)
"""Kinds whose copies may span several nodes, one pod on each."""

SETTINGS: Mapping[str, Callable[[Any], Any]] = {
    "LeaderWorkerSet": leader_worker_set.settings,
    "LLMInferenceService": llm_inference_service.settings,
    "RayCluster": resolve_ray.settings,
    "RayService": resolve_ray.settings,
}
"""Of kinds that have any: from the workload's section of the stack file to `Workload.settings`."""


def group_size(spec: Workload, ranks: int, nodes: NodeGroup) -> int:
    """Pods of one copy: as many as its ranks need nodes, or as the stack file says, where the kind can do that."""
    if (given := getattr(spec, "size", None)) is not None:
        return int(given)
    if spec.kind not in MULTI_NODE or not nodes.units_per_node:
        return 1
    return max(1, -(-ranks // nodes.units_per_node))


def mounts_copies(spec: Workload) -> bool:
    """Its kind can mount weights from the node's disk."""
    return spec.kind in _KSERVE


def cached(spec: Workload, model: Model) -> bool:
    """It mounts its weights from there."""
    return mounts_copies(spec) and model.local_cache and model.volume is None


def served_name(name: str, spec: Workload, model: Model) -> str:
    """The name that clients send: the model's in the stack file, and with KServe the service's, as in its own runtimes."""
    return name if spec.kind in _KSERVE else model.name


def weights_path(spec: Workload) -> str | None:
    """Folder of the weights where the kind itself puts them there; None where the pod does."""
    return WEIGHTS_PATH if spec.kind in _KSERVE else None


def settings(spec: Workload, group_size: int) -> Any:
    """What only this kind needs, where a copy has `group_size` pods."""
    if isinstance(spec, kserve_workloads.InferenceServiceWorkload):
        return kserve_workloads.settings(spec, has_worker=group_size > 1)
    return SETTINGS[spec.kind](spec) if spec.kind in SETTINGS else None


def host_memory(spec: Workload) -> int:
    """Bytes of each pod's memory for the kind's own processes, besides /dev/shm."""
    return _RAY_PROCESSES if isinstance(spec, RayModelKeys) else 0


def shared_memory(spec: Workload) -> int:
    """Bytes that the kind itself keeps in /dev/shm of each pod."""
    return to_bytes(spec.object_store_memory) if isinstance(spec, RayModelKeys) else 0
