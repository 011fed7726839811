"""Copies that only prefill: how many, what vLLM is told on each side, and the memory of the container between them. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from components.engines.base import Launch
from components.engines.union import AnyEngine
from components.engines.vllm import Vllm
from components.engines.vllm_kv_transfer import KvTransferConfig
from components.kserve_prefill_spec import ENGINE_PORT, SIDECAR_MEMORY
from stacks.llm_inference_service import LlmInferenceServiceWorkload
from stacks.workloads import Workload


def replicas(spec: Workload) -> int:
    """Copies that only prefill: none where none answers."""
    prefill = spec.prefill if isinstance(spec, LlmInferenceServiceWorkload) else None
    return prefill.replicas if prefill and spec.replicas else 0


def engine(spec: Workload) -> AnyEngine:
    """The engine of the copies that answer, told to take KV cache from others where there are any for that."""
    return _told(spec.engine, "kv_consumer") if _splits(spec) else spec.engine


def engine_port(spec: Workload) -> int | None:
    """Where the engine of those copies listens, if not at its own port."""
    return ENGINE_PORT if _splits(spec) else None


def host_memory(spec: Workload) -> int:
    """Bytes of each pod's memory for the container between the two."""
    return SIDECAR_MEMORY if _splits(spec) else 0


def settings(found: Any, spec: Workload, launch: Launch, tables: Mapping[str, Any] | None) -> Any:
    """The kind's settings with the command line of the copies that prefill."""
    if not _splits(spec):
        return found
    args = _told(spec.engine, "kv_producer").args(replace(launch, port=None), tables)
    return replace(found, prefill_args=tuple(args))


def _splits(spec: Workload) -> bool:
    return isinstance(spec, LlmInferenceServiceWorkload) and spec.prefill is not None


def _told(given: AnyEngine, role: str) -> AnyEngine:
    """With a role of its own for each side: `kv_both` is deprecated for this connector (vllm 0.32.0,
    distributed/kv_transfer/kv_connector/v1/nixl/connector.py, read 2026-11-23). Another engine stays as it is: rule KSV021 refuses it.
    """
    if not isinstance(given, Vllm):
        return given
    config = KvTransferConfig.model_validate({"kv_connector": "NixlConnector", "kv_role": role}, by_name=True)
    return given.model_copy(update={"kv_transfer_config": config})
