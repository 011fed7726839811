"""What one pod requests, how long it may take to start, and how it stops. Pure."""

from components.engines.base import Parallelism
from components.infrastructure import NodeGroup, Volume
from components.resolved import DrainTimes, Model, PodResources, Startup
from components.spec import GIB, MIB, to_bytes, to_millis
from stacks.resolve_models import HUB_MIBPS, S3_MIBPS
from stacks.workloads import Drain, Resources

# vLLM's message queues in /dev/shm: 16 MiB x 10 chunks to broadcast and 24 MiB x 10 chunks for each worker's answers, and since
# 2026-07 it refuses to start with less (https://github.com/vllm-project/vllm/pull/50606, read 2026-11-22).
BROADCAST_QUEUE, RESPONSE_QUEUE = 160 * MIB, 240 * MIB
_SHM_ONE_RANK, _SHM_BASE, _SHM_PER_RANK = GIB, 2 * GIB, GIB
# Engineering margins of ours, no measurement: host memory of the API server, and of each worker (CUDA context, pinned buffers).
_HOST_BASE, _HOST_PER_RANK = 4 * GIB, 6 * GIB
_CPU_PER_GPU = 4000
_CPU_SHARE = 0.75
"""Share of a node's allocatable CPU that pods ask for, by their GPUs; the rest is for DaemonSets."""
_TMP, _CACHE, _LOGS = 4 * GIB, 10 * GIB, GIB
_DOWNLOAD_FACTOR = 1.05
# Start-up steps in seconds, cautious. Seen: torch.compile 34 s and engine start 48 s on an A10G, 8B load 31 s on H100,
# a whole Llama-4-Scout start about 600 s (peers.md section 4; llm-d-benchmark issue 83).
_PROCESS, _COMPILE, _GRAPHS, _LOAD_FACTOR, _LOAD_LEAST = 120, 240, 60, 1.5, 30
# EC2 and EKS start a GPU node in 2-3 minutes (peers.md section 4); a 10-30 GB image needs minutes at gp3 speed.
_NODE_START, _PULL, _MARGIN = 300, 600, 120
_GRACE_MARGIN = 15


def resources(
    spec: Resources,
    ranks: int,
    nodes: NodeGroup,
    model: Model,
    offload: int,
    *,
    shared: int,
    downloads: bool,
) -> PodResources:
    """Requests of the engine container: what the stack file says, else a share of the node by GPUs and ranks.

    `offload` and `shared`: bytes that the engine's options keep in the pod's memory, and in /dev/shm.
    """
    queues = _SHM_ONE_RANK if ranks == 1 else _SHM_BASE + _SHM_PER_RANK * ranks
    shm = to_bytes(spec.shm) if spec.shm else queues + shared
    cache = _CACHE + (int((model.weights_size or 0) * _DOWNLOAD_FACTOR) if downloads else 0)
    ephemeral = to_bytes(spec.ephemeral_storage) if spec.ephemeral_storage else cache + _TMP + _LOGS
    return PodResources(
        gpus=ranks,
        cpu_millis=to_millis(spec.cpu) if spec.cpu else _cpu(ranks, nodes),
        memory=to_bytes(spec.memory) if spec.memory else _HOST_BASE + _HOST_PER_RANK * ranks + shm + offload,
        shm=shm,
        cache=cache,
        tmp=_TMP,
        ephemeral_storage=ephemeral,
    )


def least_shm(parallelism: Parallelism, pods: int = 1) -> int:
    """Bytes of /dev/shm that the queues between the ranks of one of `pods` pods take; nothing is shared by a single rank.

    Every data-parallel engine has its own executor with one broadcast queue and one response queue for each of its workers, even
    with a single worker (vllm 0.33.0: config/parallel.py line 1054, v1/executor/multiproc_executor.py lines 178 and 725).
    """
    if parallelism.ranks == 1:
        return 0
    return -(-parallelism.data // pods) * BROADCAST_QUEUE + RESPONSE_QUEUE * -(-parallelism.ranks // pods)


def _cpu(ranks: int, nodes: NodeGroup) -> int:
    wanted = _CPU_PER_GPU * ranks
    if nodes.allocatable.cpu_millis is None or not nodes.units_per_node:
        return wanted
    share = nodes.allocatable.cpu_millis * _CPU_SHARE * ranks / nodes.units_per_node
    return max(500, min(wanted, int(share // 100) * 100))


def read_rate(model: Model, volume: Volume | None) -> tuple[int, str]:
    """At how many MiB/s a pod reads the weights, cautious, and where that is from."""
    if volume is not None:
        return volume.throughput_mibps, volume.throughput_basis
    if model.storage_uri and model.storage_uri.startswith("s3://"):
        return S3_MIBPS, "S3, cautious assumption"
    return HUB_MIBPS, "image registry, as from the Hugging Face Hub" if model.storage_uri else "Hugging Face Hub"


def startup(
    model: Model,
    volume: Volume | None,
    nodes: NodeGroup,
    drain: DrainTimes,
    *,
    replicas: int,
    max_unavailable: int,
    eager: bool,
    given: int | None,
    group_size: int = 1,
) -> Startup:
    """Deadlines from the bytes: probe < progress deadline < Pulumi's time-out for the whole rollout.

    A pod that is one of `group_size` waits for the others, whose nodes may still have to start and to pull the image.
    """
    rate, basis = read_rate(model, volume)
    load = max(_LOAD_LEAST, round((model.weights_size or 0) / (rate * MIB) * _LOAD_FACTOR))
    compile_, graphs = (0, 0) if eager else (_COMPILE, _GRAPHS)
    node = _NODE_START if nodes.max_nodes > nodes.min_nodes else 0
    join = node + _PULL if group_size > 1 else 0
    computed = _PROCESS + join + load + compile_ + graphs
    budget = computed if given is None else given
    # The other pods of a group stop only after the one that serves.
    progress = node + _PULL + drain.grace * min(group_size, 2) + budget + _MARGIN
    rounds = -(-max(replicas, 1) // max(max_unavailable, 1))
    return Startup(
        load=load,
        compile=compile_,
        graphs=graphs,
        node=node,
        pull=_PULL,
        join=join,
        computed=computed,
        budget=budget,
        progress_deadline=progress,
        rollout_timeout=rounds * progress,
        basis="startupTimeoutSeconds in the stack file" if given is not None else f"{rate} MiB/s: {basis}",
    )


def drain_times(spec: Drain, *, drains: bool) -> DrainTimes:
    """preStop, then the engine's own shutdown time, then a margin before SIGKILL.

    An engine that doesn't drain gets SIGTERM only when the time for running requests is over.
    """
    wait, shutdown = spec.pre_stop_seconds, spec.shutdown_timeout_seconds
    return DrainTimes(
        pre_stop=wait if drains else wait + shutdown,
        shutdown=shutdown if drains else 0,
        grace=wait + shutdown + _GRACE_MARGIN,
    )
