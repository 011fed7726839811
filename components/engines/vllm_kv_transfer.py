"""vLLM's --kv-transfer-config, and the host memory that its connectors take. Pure.

Connectors: distributed/kv_transfer/kv_connector/factory.py; sizes: v1/kv_offload/cpu/spec.py and shared_offload_region.py,
simple_cpu_offload_connector.py, config/kv_transfer.py and config/vllm.py (`_post_init_kv_transfer_config`) of 0.29.0, 0.32.0 and 0.33.0.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from components.engines.vllm_json import JsonOption
from components.spec import GIB

SIMPLE_DEFAULT_BYTES = 8 * GIB
"""DEFAULT_CPU_CAPACITY_BYTES in simple_cpu_offload_connector.py."""


class KvTransferConfig(JsonOption):
    """A connector that moves KV cache to host memory, to a store, or to other instances."""

    kv_connector: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]
    """Name of the connector: LMCacheConnectorV1, NixlConnector, OffloadingConnector, MultiConnector and others."""
    kv_role: Literal["kv_producer", "kv_consumer", "kv_both"] | None = None
    """Whether this workload produces KV cache, takes it, or both; vLLM needs it with every connector."""
    kv_connector_extra_config: dict[str, JsonValue] | None = None
    """The connector's own settings, under its own names; sizes are in its own units."""
    kv_buffer_device: Literal["cuda", "cpu"] | None = None
    """Memory for the connector's buffer; cuda when left out."""
    kv_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Port of the connector; 14579 when left out."""
    kv_load_failure_policy: Literal["recompute", "fail"] | None = None
    """What happens to a request whose KV cache can't be loaded; fail when left out."""
    kv_connector_module_path: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.]+$")] | None = None
    """Python module of a connector that isn't part of vLLM."""
    engine_id: str | None = None
    """Name of this instance among the connector's peers; random when left out."""
    enable_permute_local_kv: bool | None = None
    """Change the layout of received KV cache from HND to NHD; experimental."""


def connectors(config: KvTransferConfig | None) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each connector with its settings; those inside a MultiConnector one by one."""
    if config is None:
        return
    extra = config.kv_connector_extra_config or {}
    if config.kv_connector != "MultiConnector":
        yield config.kv_connector, extra
        return
    children = extra.get("connectors")
    for child in children if isinstance(children, list) else ():
        if isinstance(child, Mapping):
            settings = child.get("kv_connector_extra_config")
            yield str(child.get("kv_connector")), settings if isinstance(settings, Mapping) else {}


def host_bytes(config: KvTransferConfig | None, *, workers: int, engines: int) -> tuple[int, int]:
    """Host memory of the connectors in one pod: in /dev/shm, and elsewhere.

    `workers`: ranks of one engine. `engines`: data-parallel engines, each with memory of its own.
    """
    shared = other = 0
    for name, extra in connectors(config):
        if name == "OffloadingConnector":
            shared += _number(extra.get("cpu_bytes_to_use"), 0)
        elif name == "SimpleCPUOffloadConnector":
            each = _number(extra.get("cpu_bytes_to_use_per_rank"), 0)
            other += each * workers if each else _number(extra.get("cpu_bytes_to_use"), SIMPLE_DEFAULT_BYTES)
        elif name == "HiSparseConnector":
            shared += _number(extra.get("host_pool_gib"), 0, GIB)
        elif name == "LMCacheConnectorV1":
            other += _number(extra.get("lmcache.max_local_cpu_size"), 0, GIB) * workers
    return shared * engines, other * engines


def _number(value: Any, default: int, unit: int = 1) -> int:
    try:
        return default if value is None or isinstance(value, bool) else int(float(value) * unit)
    except (TypeError, ValueError):
        return default
