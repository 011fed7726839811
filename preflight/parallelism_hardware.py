"""PAR003, PAR008, PAR010, PAR011: ranks against nodes and links."""

from collections.abc import Iterator

from catalog.gpus import gpus
from components.resolved import Workload
from preflight.engine_facts import Tables, engine_path, without
from preflight.parallelism_shape import other_sizes
from preflight.rule import Facts, Finding, Path, Remedy, Rule, workload_path


def _world_size(facts: Facts) -> Iterator[Finding]:
    shared = Tables(facts)
    for workload in facts.workloads:
        size, node = workload.parallelism, workload.node_group
        if node.units_per_node and size.ranks > node.units_per_node:
            unit = "GPUs" if node.sharing is None else "GPU shares"
            yield Finding(
                path=_largest(workload),
                message=(
                    f"a pod needs {size.ranks} GPUs (tensor {size.tensor} x pipeline {size.pipeline} x data {size.data}) and a node of "
                    f"{node.name} has {node.units_per_node} {unit}: the pod would stay Pending"
                ),
                remedies=(
                    *(() if size.tensor == max(size.tensor, size.pipeline, size.data) else _smaller(workload)),
                    *other_sizes(workload),
                    *_smaller(workload),
                    Remedy(text=f"use a node group whose nodes have at least {size.ranks} GPUs"),
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


def _largest(workload: Workload) -> Path:
    size = workload.parallelism
    keys = {"tensorParallelSize": size.tensor, "pipelineParallelSize": size.pipeline, "dataParallelSize": size.data}
    return workload_path(workload, "engine", max(keys, key=lambda key: keys[key]))


def _smaller(workload: Workload) -> Iterator[Remedy]:
    """Fewer pipeline stages or fewer copies, the most that the node still has room for."""
    size, units = workload.parallelism, workload.node_group.units_per_node
    for key, now in (("dataParallelSize", size.data), ("pipelineParallelSize", size.pipeline)):
        room = units // (size.ranks // now)
        if 1 <= room < now:
            yield Remedy(text=f"set {key}: {room}", changes=((engine_path(workload, key), room),))


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
        one = tuple(
            (engine_path(workload, key), 1)
            for key, size in (
                ("tensorParallelSize", workload.parallelism.tensor),
                ("pipelineParallelSize", workload.parallelism.pipeline),
                ("dataParallelSize", workload.parallelism.data),
            )
            if size > 1
        )
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
            path=workload_path(workload, "engine", "tensorParallelSize"),
            message=f"tensorParallelSize {size} on {gpu.name} goes over PCIe: it has no NVLink, and every layer "
            "exchanges its results twice",
        )


def _copied_heads(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        shape, size = workload.model.architecture, workload.parallelism.tensor
        if shape is None or shape.mla or size <= shape.num_key_value_heads or size % shape.num_key_value_heads:
            continue
        heads = shape.num_key_value_heads
        yield Finding(
            path=workload_path(workload, "engine", "tensorParallelSize"),
            message=(
                f"{workload.model.id} has {heads} key-value heads: with tensorParallelSize {size} each is kept "
                f"{size // heads} times, so the "
                f"KV cache of a token takes as much on each GPU as with tensorParallelSize {heads}"
            ),
        )


RULES = (
    Rule(
        code="PAR003",
        severity="error",
        title="All ranks of a pod fit on one node",
        why='A pod runs on one node. vLLM would exit with "World size (..) is larger than the number of available GPUs (..)" '
        "(config/parallel.py), and the scheduler never places the pod.",
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
