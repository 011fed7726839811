"""MEM001, MEM002, MEM003, MEM006: weights, overhead and the KV cache of one request in the memory of one GPU."""

from collections.abc import Iterator

from preflight.memory_floor import floors
from preflight.memory_remedies import larger_share, more_gpus, online_quantization, shorter_context, smaller_model
from preflight.memory_room import device, rooms
from preflight.parallelism_shape import size_path
from preflight.rule import Facts, Finding, Remedy, Rule, workload_path

_ROOMY = 0.7
"""Share of the usable memory up to which what is surely needed leaves room for the rest. A choice of ours."""


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
    for workload, floor in floors(facts):
        if floor.weights < floor.usable:
            continue
        yield Finding(
            path=size_path(workload),
            message=(
                f"{workload.model.id} doesn't fit on {device(workload)}: each of {workload.parallelism.ranks} GPUs "
                f"holds at least {floor.weights:.1f} GiB of weights, and {workload.engine.name} may use {floor.usable:.1f} of "
                f"{floor.total:.1f} GiB"
            ),
            remedies=(*more_gpus(workload), smaller_model()),
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
    for workload, floor in floors(facts):
        if floor.weights >= floor.usable or floor.weights + floor.kv < floor.usable:
            continue
        yield Finding(
            path=workload_path(workload, "engine"),
            message=(
                f"the KV cache can't hold one request of the greatest length: it needs {floor.kv:.2f} GiB on each GPU, and beside "
                f"{floor.weights:.1f} GiB of weights at most {floor.usable - floor.weights:.2f} GiB are left"
            ),
            remedies=(*more_gpus(workload), smaller_model(), Remedy(text="allow shorter requests")),
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
    for workload, floor in floors(facts):
        if floor.weights + floor.kv >= floor.usable:
            continue
        engine = workload.engine
        yield Finding(
            path=workload_path(workload, "engine"),
            message=(
                f"there is no estimate for the memory of {workload.model.id} with these options of {engine.name} {engine.version}; at "
                f"least {floor.weights + floor.kv:.1f} of {floor.usable:.1f} GiB are needed on each GPU"
            ),
            remedies=(Remedy(text=f"try it, and allow this rule with what {engine.name} logged"),),
            severity="notice" if floor.weights + floor.kv < _ROOMY * floor.usable else None,
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
        title="Weights and overhead fit in the GPU memory that the engine may use",
        why='vLLM exits with "CUDA out of memory" while loading, or with "No available memory for the cache blocks" '
        "(v1/worker/gpu_worker.py, v1/core/kv_cache_utils.py). How the numbers come about: docs/memory.md. For engines without an "
        "estimate only the weights count, each rank with its even share: no engine needs less.",
        check=_weights,
    ),
    Rule(
        code="MEM003",
        severity="error",
        title="The KV cache holds one request of the greatest length",
        why='vLLM exits with "To serve at least one request with the model\'s max seq len ..." (v1/core/kv_cache_utils.py), TGI with '
        '"Not enough memory to handle `max_total_tokens=..`" (backends/v3/src/lib.rs).',
        check=_context,
    ),
    Rule(
        code="MEM006",
        severity="warning",
        title="The memory estimate decides",
        why="Outside the measured GPUs and versions the estimate is a range; where the limit lies inside it, or where there is no "
        "estimate at all, neither yes nor no would be honest.",
        check=_undecided,
    ),
)
