"""ENG034, ENG041, ENG047, ENG049: KV-cache connectors, offloading to host memory, sleep mode."""

from collections.abc import Iterator, Mapping
from typing import Any

from components.engines.vllm import Vllm
from components.engines.vllm_kv_transfer import connectors
from components.resolved import Workload
from components.resolved_kserve import splits
from components.spec import GIB, mebibytes
from preflight.engine_facts import engine_path, vllm_workloads
from preflight.rule import Facts, Finding, Remedy, Rule, workload_path
from stacks.resolve_pods import least_shm

_NEEDS: Mapping[str, str] = {"OffloadingConnector": "cpu_bytes_to_use", "HiSparseConnector": "host_pool_gib"}
_SLEEPLESS = (
    "NixlConnector", "NixlPullConnector", "NixlPushConnector", "MoRIIOConnector", "MooncakeStoreConnector",
)  # fmt: skip
"""Connectors with supports_sleep_mode() False in 0.33.0 (kv_connector/v1); 0.29.0 and 0.32.0 don't ask them."""
_PEERS = ("Nixl", "Mooncake", "MoRIIO")
"""Beginnings of the names of connectors between instances."""
_FLAGS = 2**20


def _connector(facts: Facts) -> Iterator[Finding]:
    for workload, engine in vllm_workloads(facts):
        config, section = engine.kv_transfer_config, "kvTransferConfig"
        if config is None:
            continue
        role = engine_path(workload, section, "kvRole")
        if config.kv_role is None and engine.kv_offloading_size is None:
            yield Finding(
                path=role,
                message=f"{config.kv_connector} has no kvRole, and vLLM needs one of kv_producer, kv_consumer, kv_both",
                remedies=(Remedy(text="set kvRole: kv_both", changes=((role, "kv_both"),)),),
            )
        if engine.kv_offloading_size is not None:
            path = engine_path(workload, "kvOffloadingSize")
            yield Finding(
                path=path,
                message=f"kvOffloadingSize replaces the connector {config.kv_connector} of kvTransferConfig by its own, unasked",
                remedies=(Remedy(text="remove kvOffloadingSize", changes=((path, None),)),),
            )
        yield from _settings(workload, engine)


def _settings(workload: Workload, engine: Vllm) -> Iterator[Finding]:
    found = list(connectors(engine.kv_transfer_config))
    path = engine_path(workload, "kvTransferConfig", "kvConnectorExtraConfig")
    if not found:
        yield Finding(
            path=path,
            message="MultiConnector has no connectors: they stand as a list under connectors in kvConnectorExtraConfig",
            remedies=(Remedy(text="name at least one, as {kv_connector: ..., kv_role: ...}"),),
        )
    for name, extra in found:
        key = _NEEDS.get(name)
        if key and not extra.get(key) and engine.kv_offloading_size is None:
            yield Finding(
                path=path,
                message=f"{name} needs {key} in kvConnectorExtraConfig: how much host memory it may use",
                remedies=(Remedy(text=f"set {key}, or use kvOffloadingSize instead of kvTransferConfig"),),
            )
        elif name == "LMCacheConnectorV1" and not _lmcache_size(workload, extra):
            yield Finding(
                path=path,
                message="the host memory of LMCache isn't known, so the pod's memory doesn't count it",
                remedies=(Remedy(text="set lmcache.max_local_cpu_size in kvConnectorExtraConfig (GiB of each rank)"),),
                severity="warning",
            )


def _lmcache_size(workload: Workload, extra: Mapping[str, Any]) -> bool:
    return "lmcache.max_local_cpu_size" in extra or workload.env.get("LMCACHE_LOCAL_CPU", "").lower() == "false"


def _sleep(facts: Facts) -> Iterator[Finding]:
    for workload, engine in vllm_workloads(facts):
        if not engine.enable_sleep_mode:
            continue
        path = engine_path(workload, "enableSleepMode")
        refusing = [name for name, _ in connectors(engine.kv_transfer_config) if name in _SLEEPLESS]
        if refusing and not engine.version.startswith(("0.29.", "0.32.")):
            yield Finding(
                path=path,
                message=f"{refusing[0]} can't follow the KV cache through sleep mode",
                remedies=(Remedy(text="remove enableSleepMode", changes=((path, None),)),),
            )
        elif workload.env.get("VLLM_SERVER_DEV_MODE") != "1":
            env = workload_path(workload, "env", "VLLM_SERVER_DEV_MODE")
            yield Finding(
                path=path,
                message="vLLM has the paths /sleep and /wake_up only in developer mode, which opens other paths to every caller too",
                remedies=(Remedy(text='set env VLLM_SERVER_DEV_MODE: "1"', changes=((env, "1"),)),),
                severity="notice",
            )


def _helpers(facts: Facts) -> Iterator[Finding]:
    for workload, engine in vllm_workloads(facts):
        path = engine_path(workload, "kvOffloadingBackend")
        if engine.kv_offloading_backend == "lmcache" and engine.kv_offloading_size is not None:
            yield Finding(
                path=path,
                message="kvOffloadingBackend lmcache connects to an LMCache server at localhost:5555, and the pod has none",
                remedies=(
                    Remedy(text="remove kvOffloadingBackend: vLLM keeps the cache itself", changes=((path, None),)),
                ),
            )
        peers = [name for name, _ in connectors(engine.kv_transfer_config) if name.startswith(_PEERS)]
        if peers and not splits(workload):
            yield Finding(
                path=engine_path(workload, "kvTransferConfig", "kvConnector"),
                message=f"{peers[0]} exchanges KV cache with other pods on ports of its own, and the NetworkPolicy of {workload.name} lets "
                f"callers reach port {engine.PORT} only",
                remedies=(Remedy(text="add a NetworkPolicy of your own that opens the ports between these pods"),),
                severity="warning",
            )
        backend = engine_path(workload, "dataParallelBackend")
        if engine.data_parallel_backend == "ray" and workload.kind != "RayService":
            yield Finding(
                path=backend,
                message=f"dataParallelBackend ray needs a Ray cluster, and a pod of a {workload.kind} isn't part of one",
                remedies=(Remedy(text="remove dataParallelBackend", changes=((backend, None),)),),
            )


def _room(facts: Facts) -> Iterator[Finding]:
    for workload, engine in vllm_workloads(facts):
        shared = engine.shared_memory_bytes() // workload.group_size
        need = shared + least_shm(workload.parallelism, workload.group_size)
        if not shared or workload.resources.shm >= need + _FLAGS:
            continue
        shm = mebibytes(-(-(need + _FLAGS) // GIB) * GIB)
        path = workload_path(workload, "resources", "shm")
        yield Finding(
            path=path,
            message=f"offloaded KV cache of {mebibytes(shared)} lies in /dev/shm, which has {mebibytes(workload.resources.shm)}",
            remedies=(
                Remedy(text=f"set shm: {shm}", changes=((path, shm),)),
                Remedy(text="leave resources.shm and resources.memory out, and they are computed"),
            ),
        )


RULES = (
    Rule(
        code="ENG034",
        severity="error",
        title="A KV connector has its role and its settings",
        why='vLLM exits with "Please specify kv_role when kv_connector is set" (config/kv_transfer.py) or "cpu_bytes_to_use must be '
        'specified in kv_connector_extra_config" (v1/kv_offload/cpu/spec.py); kv_offloading_size overwrites the connector '
        "(config/vllm.py, _post_init_kv_transfer_config).",
        check=_connector,
    ),
    Rule(
        code="ENG041",
        severity="error",
        title="Sleep mode works with the KV connector, and can be asked for",
        why='vLLM 0.33 exits with ".. does not support sleep mode" (config/vllm.py, _verify_kv_transfer_compat); the paths exist '
        "with VLLM_SERVER_DEV_MODE=1 only.",
        check=_sleep,
    ),
    Rule(
        code="ENG047",
        severity="error",
        title="What vLLM connects to is there, and can be reached",
        why="LMCacheMPConnector falls back to tcp://localhost:5555 (config/vllm.py, _post_init_kv_transfer_config); the Ray backend "
        "looks for a running Ray cluster.",
        check=_helpers,
    ),
    Rule(
        code="ENG049",
        severity="error",
        title="/dev/shm holds the offloaded KV cache",
        why="OffloadingConnector keeps it in a file there and checks the free space at start, in 0.29 it gets SIGBUS "
        "(v1/kv_offload/cpu/shared_offload_region.py).",
        check=_room,
    ),
)
