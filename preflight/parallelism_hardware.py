"""PAR003, PAR008, PAR010, PAR011: ranks against nodes and links."""

from collections.abc import Iterator

from catalog.gpus import gpus
from components.resolved import Workload
from preflight.engine_facts import Tables, engine_path, without
from preflight.multi_node import spanning
from preflight.parallelism_shape import other_sizes, size_key, size_path
from preflight.rule import Facts, Finding, Path, Remedy, Rule, workload_path


def _world_size(facts: Facts) -> Iterator[Finding]:
    shared = Tables(facts)
    for workload in facts.workloads:
        size, node = workload.parallelism, workload.node_group
        if node.units_per_node and workload.resources.gpus > node.units_per_node:
            unit = "GPUs" if node.sharing is None else "GPU shares"
            group = f", divided by {workload.group_size} pods" if workload.group_size > 1 else ""
            yield Finding(
                path=workload_path(workload, "size") if _gives_pods(workload) else _largest(workload),
                message=(
                    f"a pod needs {workload.resources.gpus} GPUs (tensor {size.tensor} x pipeline {size.pipeline} x data "
                    f"{size.data}{group}) and a node of {node.name} has {node.units_per_node} {unit}: the pod would stay Pending"
                ),
                remedies=(
                    *_more_pods(workload),
                    *(() if size.tensor == max(size.tensor, size.pipeline, size.data) else _smaller(workload)),
                    *other_sizes(workload),
                    *_smaller(workload),
                    *spanning(workload, facts),
                    Remedy(text=f"use a node group whose nodes have at least {workload.resources.gpus} GPUs"),
                ),
            )
        for extra in shared.extras(workload):
            if extra.listed == "--prefill-context-parallel-size" and extra.values and extra.values[0] != "1":
                yield Finding(
                    path=engine_path(workload, "extraArgs", extra.index),
                    message=f"{extra.name} {extra.values[0]} multiplies the {size.ranks} ranks, and the pod gets "
                    f"only {workload.resources.gpus} GPUs",
                    remedies=(Remedy(text=f"remove {extra.name} from extraArgs", changes=(without(workload, extra),)),),
                )


def _more_pods(workload: Workload) -> Iterator[Remedy]:
    """As many pods as the ranks need nodes, where the stack file gives fewer."""
    if _gives_pods(workload):
        path = workload_path(workload, "size")
        yield Remedy(text="remove size: it follows from the ranks and the nodes", changes=((path, None),))


def _gives_pods(workload: Workload) -> bool:
    """The stack file says how many pods a copy has: without `size` they are enough."""
    return workload.kind == "LeaderWorkerSet"


def _largest(workload: Workload) -> Path:
    sizes = _sizes(workload)
    return size_path(workload, max(sizes, key=lambda axis: sizes[axis]))


def _sizes(workload: Workload) -> dict[str, int]:
    """The sizes whose product is the number of ranks, by axis, for those that the engine has."""
    size = workload.parallelism
    axes = {"tensor": size.tensor, "pipeline": size.pipeline, "data": size.data}
    return {axis: count for axis, count in axes.items() if axis in workload.engine.PARALLEL_KEYS}


def _smaller(workload: Workload) -> Iterator[Remedy]:
    """Fewer pipeline stages or fewer copies, the most that the nodes of a copy still have room for."""
    size, units = workload.parallelism, workload.node_group.units_per_node * workload.group_size
    for axis, now in (("data", size.data), ("pipeline", size.pipeline)):
        room = units // (size.ranks // now)
        if 1 <= room < now:
            path = size_path(workload, axis)
            yield Remedy(text=f"set {path[-1]}: {room}", changes=((path, room),))


def _shared_gpus(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        node, ranks = workload.node_group, workload.parallelism.ranks
        sharing = node.sharing
        # A single MIG slice on each of several GPUs works like several smaller GPUs.
        if sharing is None or ranks == 1 or (sharing.way == "mig" and sharing.units == 1):
            continue
        if sharing.way == "mig":
            what = "MIG slices, which may lie on the same GPU and have no peer-to-peer link, so NCCL can't connect the ranks"
        else:
            what = f"{sharing.way} shares, and the device plugin refuses to give a pod more than one (UnexpectedAdmissionError)"
        one = tuple((size_path(workload, axis), 1) for axis, size in _sizes(workload).items() if size > 1)
        words = " and ".join(f"{path[-1]}: 1" for path, _ in one)
        yield Finding(
            path=_largest(workload),
            message=f"{ranks} ranks need {ranks} whole GPUs, and the nodes of {node.name} offer {what}",
            remedies=(
                Remedy(text=f"set {words}", changes=one),
                Remedy(text=f"use a node group without sharing, with at least {ranks} GPUs a node"),
            ),
        )


def _no_nvlink(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        gpu, size = workload.node_group.gpu, workload.parallelism.tensor
        if gpu is None or size == 1 or gpu.nvlink_gbs is not None or gpu.name not in gpus():
            continue
        yield Finding(
            path=size_path(workload),
            message=f"{size_key(workload)} {size} on {gpu.name} goes over PCIe: it has no NVLink, and every layer "
            "exchanges its results twice",
        )


def _copied_heads(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        shape, size = workload.model.architecture, workload.parallelism.tensor
        if shape is None or shape.mla or size <= shape.num_key_value_heads or size % shape.num_key_value_heads:
            continue
        if not workload.engine.COPIES_KV_HEADS:
            continue
        heads = shape.num_key_value_heads
        yield Finding(
            path=size_path(workload),
            message=(
                f"{workload.model.id} has {heads} key-value heads: with {size_key(workload)} {size} each is kept "
                f"{size // heads} times, so the "
                f"KV cache of a token takes as much on each GPU as with {size_key(workload)} {heads}"
            ),
        )


RULES = (
    Rule(
        code="PAR003",
        severity="error",
        title="All ranks of a pod fit on one node",
        why="A pod runs on one node; several pods share the ranks of a copy only in a LeaderWorkerSet or in Ray. vLLM would exit with "
        '"World size (..) is larger than the number of available GPUs (..)" (config/parallel.py), and the scheduler never places the pod.',
        check=_world_size,
    ),
    Rule(
        code="PAR008",
        severity="error",
        title="Several ranks need several whole GPUs",
        why="The device plugin is installed with failRequestsGreaterThanOne, since two shares can be the same GPU "
        "(https://github.com/NVIDIA/k8s-device-plugin#shared-access-to-gpus); between MIG instances there is no peer-to-peer "
        "(https://docs.nvidia.com/datacenter/tesla/mig-user-guide/deployment-considerations.html).",
        check=_shared_gpus,
    ),
    Rule(
        code="PAR010",
        severity="notice",
        title="Tensor parallelism goes over NVLink",
        why="It works over PCIe, slower: two all-reduce operations a layer (vLLM then also disables its custom "
        "all-reduce above two GPUs, "
        "distributed/device_communicators/custom_all_reduce.py). Which GPUs have NVLink: catalog/data/gpus.json.",
        check=_no_nvlink,
    ),
    Rule(
        code="PAR011",
        severity="notice",
        title="Tensor parallelism beyond the KV heads saves no KV cache",
        why="vLLM copies KV heads when there are more ranks than heads (layers/linear.py, QKVParallelLinear): it "
        "runs, with more KV cache in all.",
        check=_copied_heads,
    ),
)
