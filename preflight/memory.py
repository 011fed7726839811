"""MEM: the model, its KV cache and the engine's overhead in the memory of one GPU."""

from collections.abc import Iterator

from components.engines.vllm import DEFAULT_UTILIZATION
from components.resolved import Workload
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
    for workload in facts.workloads:
        memory = workload.memory
        if memory is None or memory.fits_weights:
            continue
        overhead = memory.non_torch_gib + memory.activation_gib + memory.cudagraph_gib
        gpu = workload.node_group.gpu_name
        yield Finding(
            path=workload_path(workload, "engine", "tensorParallelSize"),
            message=(
                f"{workload.model.id} doesn't fit on {gpu}: each of {workload.parallelism.ranks} GPUs holds {memory.weights_gib:.1f} GiB of "
                f"weights and {overhead:.1f} GiB of overhead, and vLLM may use {memory.budget_gib:.1f} of {memory.total_gib:.1f} GiB"
            ),
            remedies=(*_more_gpus(workload), *_utilization(workload), _smaller_model()),
        )


def _context(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        memory = workload.memory
        if memory is None or not memory.fits_weights or memory.fits_context:
            continue
        if getattr(workload.engine, "max_model_len", None) == "auto" and memory.largest_max_model_len > 0:
            continue
        path = workload_path(workload, "engine", "maxModelLen")
        yield Finding(
            path=path,
            message=(
                f"the KV cache can't hold one request of {memory.max_model_len:,} tokens: it needs {memory.kv_needed_gib:.2f} GiB on each GPU and "
                f"{max(memory.kv_gib, 0):.2f} GiB are left, enough for {memory.largest_max_model_len:,} tokens"
            ),
            remedies=(
                *_shorter_context(workload),
                *_utilization(workload),
                *_more_gpus(workload),
                _smaller_model(),
            ),
        )


def _warm_up(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        memory = workload.memory
        if memory is None or memory.warmup_ok or not memory.fits_weights:
            continue
        utilization = memory.budget_gib / memory.total_gib
        lower = (
            Remedy(
                text=f"set gpuMemoryUtilization: {value:.2f}",
                changes=((workload_path(workload, "engine", "gpuMemoryUtilization"), value),),
            )
            for value in (0.92, 0.90, 0.88, 0.85)
            if value < utilization - 0.005
        )
        fewer = (
            Remedy(
                text=f"set maxNumSeqs: {count}",
                changes=((workload_path(workload, "engine", "maxNumSeqs"), count),),
            )
            for count in (512, 256, 128)
            if count < memory.max_num_seqs
        )
        yield Finding(
            path=workload_path(workload, "engine", "gpuMemoryUtilization"),
            message=(
                f"vLLM will run out of memory warming up the sampler: at utilization {utilization:.2f} only "
                f"{memory.total_gib - memory.budget_gib:.1f} GiB stay free, and {memory.max_num_seqs} sequences of logits need more"
            ),
            remedies=(*lower, *fewer),
        )


def _more_gpus(workload: Workload) -> tuple[Remedy, ...]:
    now = workload.parallelism.tensor
    rest = workload.parallelism.ranks // now
    limit = workload.node_group.units_per_node // rest
    return tuple(
        Remedy(
            text=f"set tensorParallelSize: {size}",
            changes=((workload_path(workload, "engine", "tensorParallelSize"), size),),
        )
        for size in (2, 4, 8, 16)
        if now < size <= limit
    )


def _utilization(workload: Workload) -> tuple[Remedy, ...]:
    now = getattr(workload.engine, "gpu_memory_utilization", None) or DEFAULT_UTILIZATION
    return tuple(
        Remedy(
            text=f"set gpuMemoryUtilization: {value:.2f}",
            changes=((workload_path(workload, "engine", "gpuMemoryUtilization"), value),),
        )
        for value in (0.92, 0.95)
        if now < value
    )


def _shorter_context(workload: Workload) -> tuple[Remedy, ...]:
    if workload.memory is None:
        return ()
    largest = workload.memory.largest_max_model_len // 256 * 256
    if largest < 512:
        return ()
    return (
        Remedy(
            text=f"set maxModelLen: {largest}",
            changes=((workload_path(workload, "engine", "maxModelLen"), largest),),
        ),
    )


def _smaller_model() -> Remedy:
    return Remedy(text="use GPUs with more memory, or a quantized checkpoint of the model")


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
        "(vllm/v1/worker/gpu_worker.py).",
        check=_weights,
    ),
    Rule(
        code="MEM003",
        severity="error",
        title="The KV cache holds one request of maxModelLen",
        why='vLLM exits with "To serve at least one request with the model\'s max seq len ..." (vllm/v1/core/kv_cache_utils.py).',
        check=_context,
    ),
    Rule(
        code="MEM004",
        severity="error",
        title="Memory outside vLLM's budget is enough to warm up the sampler",
        why="KV cache sizing succeeds, then the sampler's dummy run of maxNumSeqs rows of logits runs out of memory "
        "(measured: gpt-oss-20b on H100 at utilization 0.95 and 1024 sequences).",
        check=_warm_up,
    ),
)
