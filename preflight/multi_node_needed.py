"""PAR015: a copy that spans nodes although one node holds it."""

from collections.abc import Iterator
from dataclasses import replace

from catalog.mig import slice_gib
from components.engines.vllm_memory import MemoryEstimate
from components.resolved import Workload
from components.resolved_kserve import has_worker
from preflight.parallelism_shape import fits, size_path
from preflight.rule import Facts, Finding, Path, Remedy, Rule, workload_path

_OWN_KEYS = ("size", "startupPolicy", "restartPolicy", "exclusiveTopology")
"""Of a LeaderWorkerSet alone."""


def _one_node(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        found = _largest_inside(workload) if workload.group_size > 1 and workload.memory is not None else None
        if found is None:
            continue
        tensor, memory = found
        assert workload.memory is not None
        now, gpus = workload.memory, workload.parallelism.ranks
        yield Finding(
            path=size_path(workload, "pipeline" if workload.parallelism.pipeline > 1 else "tensor"),
            message=(
                f"one node of {workload.node_group.name} holds a copy: with {tensor} GPUs it has room for about "
                f"{memory.max_concurrency:.0f} requests of {memory.max_model_len:,} tokens at once, with {gpus} GPUs on "
                f"{workload.group_size} nodes for {now.max_concurrency:.0f}; copies of one node need no network between nodes, and lose "
                "less when a node goes"
            ),
            remedies=tuple(_alone(workload, tensor)),
        )


def _largest_inside(workload: Workload) -> tuple[int, MemoryEstimate] | None:
    """The largest tensor-parallel size inside a node with which a copy fits for certain, and its estimate."""
    shape, gpu, group = workload.model.architecture, workload.node_group.gpu, workload.node_group
    keys = workload.engine.PARALLEL_KEYS
    fields = {axis: _field(workload, axis) for axis in ("tensor", "pipeline", "data") if axis in keys}
    if shape is None or gpu is None or "tensor" not in fields:
        return None
    total = slice_gib(gpu, group.sharing.mig_profile) if group.sharing and group.sharing.mig_profile else None
    for tensor in range(group.units_per_node, 0, -1):
        if not fits(shape, replace(workload.parallelism, tensor=tensor, pipeline=1, data=1), workload.engine):
            continue
        sizes = {name: tensor if axis == "tensor" else 1 for axis, name in fields.items()}
        memory = workload.engine.model_copy(update=sizes).memory(shape, gpu, total, workload.referenced)
        if memory is None:
            return None
        if memory.fits_context and memory.warmup_ok and memory.kv_gib_low >= memory.kv_needed_gib:
            return tensor, memory
    return None


def _field(workload: Workload, axis: str) -> str:
    key = workload.engine.PARALLEL_KEYS[axis]
    return next(name for name in type(workload.engine).model_fields if workload.engine.key_name(name) == key)


def _alone(workload: Workload, tensor: int) -> Iterator[Remedy]:
    """The same nodes with a copy on each."""
    sizes: dict[Path, int] = {
        size_path(workload, axis): tensor if axis == "tensor" else 1
        for axis in ("tensor", "pipeline", "data")
        if axis in workload.engine.PARALLEL_KEYS
    }
    changed = {path: value for path, value in sizes.items() if value > 1 or path in _given(workload)}
    words = ", ".join(f"{path[-1]}: {value}" for path, value in changed.items())
    kind, replicas = workload_path(workload, "kind"), workload_path(workload, "replicas")
    copies = workload.replicas * workload.group_size
    if has_worker(workload):
        yield Remedy(text=f"set {words}, replicas: {copies}", changes=((replicas, copies), *changed.items()))
        return
    if workload.kind != "LeaderWorkerSet":
        yield Remedy(text=f"use kind: Deployment with {words}")
        return
    dropped = tuple((workload_path(workload, key), None) for key in _OWN_KEYS)
    yield Remedy(
        text=f"set kind: Deployment, {words}, replicas: {copies}",
        changes=((kind, "Deployment"), (replicas, copies), *changed.items(), *dropped),
    )


def _given(workload: Workload) -> set[Path]:
    size, keys = workload.parallelism, workload.engine.PARALLEL_KEYS
    axes = {"tensor": size.tensor, "pipeline": size.pipeline, "data": size.data}
    return {size_path(workload, axis) for axis, count in axes.items() if axis in keys and count > 1}


RULES = (
    Rule(
        code="PAR015",
        severity="notice",
        title="Copies span nodes only where one node can't hold them",
        why="Between nodes a pipeline stage waits for the one before, and the loss of any node stops the whole copy. Computed with the "
        "memory estimate of the same model on one node; its lower bound must hold one request of maxModelLen.",
        check=_one_node,
    ),
)
