"""MEM001, MEM002, MEM003, MEM006: weights, overhead and the KV cache of one request in the memory of one GPU."""

from collections.abc import Iterator

from components.engines.vllm import Vllm
from preflight.memory_remedies import larger_share, more_gpus, online_quantization, shorter_context, smaller_model
from preflight.memory_room import device, rooms
from preflight.rule import Facts, Finding, Remedy, Rule, workload_path


def _architecture(facts: Facts) -> Iterator[Finding]:
    used = {workload.model.name for workload in facts.workloads}
    for model in facts.stack.models.values():
        if model.architecture is None and model.name in used:
            yield Finding(
                path=("models", model.name, "id"),
                message=f"the architecture of {model.id} isn't in the catalogue, so nothing can be said about its memory",
                remedies=(
                    Remedy(
                        text="save the model's config.json in the project and set "
                        f"models.{model.name}.config to its path, or set models.{model.name}.architecture to a row of the same shape"
                    ),
                ),
            )


def _weights(facts: Facts) -> Iterator[Finding]:
    for workload, room in rooms(facts):
        if room.verdict(0) is not False:
            continue
        memory = room.memory
        yield Finding(
            path=workload_path(workload, "engine", "tensorParallelSize"),
            message=(
                f"{workload.model.id} doesn't fit on {device(workload)}: each of {workload.parallelism.ranks} GPUs "
                f"holds {memory.weights_gib:.1f} GiB "
                f"of weights and {room.overhead:.1f} GiB of overhead, and vLLM may use {memory.budget_gib:.1f} of "
                f"{memory.total_gib:.1f} GiB"
            ),
            remedies=(*more_gpus(workload), *larger_share(workload), *online_quantization(workload), smaller_model()),
        )


def _context(facts: Facts) -> Iterator[Finding]:
    for workload, room in rooms(facts):
        memory = room.memory
        if room.verdict(0) is False or room.verdict(memory.kv_needed_gib) is not False:
            continue
        if getattr(workload.engine, "max_model_len", None) == "auto" and memory.largest_max_model_len > 0:
            continue
        yield Finding(
            path=workload_path(workload, "engine", "maxModelLen"),
            message=(
                f"the KV cache can't hold one request of {memory.max_model_len:,} tokens: it needs "
                f"{memory.kv_needed_gib:.2f} GiB on each GPU and "
                f"{max(room.kv, 0):.2f} GiB are left, enough for {memory.largest_max_model_len:,} tokens"
            ),
            remedies=(
                *shorter_context(workload),
                *larger_share(workload),
                *more_gpus(workload),
                *online_quantization(workload),
                smaller_model(),
            ),
        )


def _undecided(facts: Facts) -> Iterator[Finding]:
    for workload, room in rooms(facts):
        memory = room.memory
        needed = 0.0 if getattr(workload.engine, "max_model_len", None) == "auto" else memory.kv_needed_gib
        if room.verdict(0) is False or room.verdict(needed) is not None:
            continue
        yield Finding(
            path=workload_path(workload, "engine", "maxModelLen"),
            message=(
                f"whether {workload.model.id} fits can't be decided: {needed:.1f} GiB of KV cache are needed on each GPU, and between "
                f"{max(room.low, 0):.1f} and {room.high:.1f} GiB are left ({memory.basis})"
            ),
            remedies=(Remedy(text="try it, and allow this rule with what vLLM logged, or leave more room"),),
        )
    for workload in facts.workloads:
        known = workload.model.architecture is not None and workload.node_group.gpu is not None
        if known and workload.memory is None and isinstance(workload.engine, Vllm):
            yield Finding(
                path=workload_path(workload, "engine"),
                message=f"the memory of {workload.model.id} can't be estimated with these options of vLLM {workload.engine.version}",
                remedies=(Remedy(text="try it, and allow this rule with what vLLM logged"),),
            )


RULES = (
    Rule(
        code="MEM001",
        severity="error",
        title="The model's architecture is known",
        why="Every memory verdict starts from the shape of the model; a guess would be worse than none.",
        check=_architecture,
    ),
    Rule(
        code="MEM002",
        severity="error",
        title="Weights and overhead fit in the GPU memory that vLLM may use",
        why='vLLM exits with "CUDA out of memory" while loading, or with "No available memory for the cache blocks" '
        "(v1/worker/gpu_worker.py, v1/core/kv_cache_utils.py). How the numbers come about: docs/memory.md.",
        check=_weights,
    ),
    Rule(
        code="MEM003",
        severity="error",
        title="The KV cache holds one request of maxModelLen",
        why='vLLM exits with "To serve at least one request with the model\'s max seq len ..." (v1/core/kv_cache_utils.py).',
        check=_context,
    ),
    Rule(
        code="MEM006",
        severity="warning",
        title="The memory estimate decides",
        why="Outside the measured GPUs and versions the estimate is a range; where the limit lies inside it, neither "
        "yes nor no would be honest.",
        check=_undecided,
    ),
)
