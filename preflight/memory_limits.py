"""MEM004, MEM011: memory beside vLLM's budget, and a KV cache of a given size."""

from collections.abc import Iterator

from components.engines.vllm_engine import VllmEngine
from preflight.memory_remedies import more_gpus, shorter_context, smaller_model
from preflight.memory_room import device, rooms
from preflight.rule import Facts, Finding, Remedy, Rule, workload_path

GIB = 1024**3


def _warm_up(facts: Facts) -> Iterator[Finding]:
    for workload, room in rooms(facts):
        memory = room.memory
        if memory.warmup_ok or room.verdict(0) is False:
            continue
        utilization = memory.budget_gib / memory.total_gib
        keys = {key: workload_path(workload, "engine", key) for key in ("gpuMemoryUtilization", "maxNumSeqs")}
        yield Finding(
            path=keys["gpuMemoryUtilization"],
            message=(
                f"vLLM will run out of memory after it made the KV cache: utilization {utilization:.2f} leaves "
                f"{memory.total_gib - memory.budget_gib:.1f} of {memory.total_gib:.1f} GiB, less than the CUDA context and the warm-up "
                f"of the sampler with {memory.max_num_seqs} sequences need"
            ),
            remedies=(
                *(
                    Remedy(
                        text=f"set gpuMemoryUtilization: {share:.2f}", changes=((keys["gpuMemoryUtilization"], share),)
                    )
                    for share in (0.92, 0.90, 0.88, 0.85)
                    if share < utilization - 0.005
                ),
                *(
                    Remedy(text=f"set maxNumSeqs: {count}", changes=((keys["maxNumSeqs"], count),))
                    for count in (512, 256, 128, 64)
                    if count < memory.max_num_seqs
                ),
            ),
        )


def _fixed_cache(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        memory, engine = workload.memory, workload.engine
        if memory is None or not isinstance(engine, VllmEngine) or not engine.kv_cache_memory_bytes:
            continue
        used = memory.weights_gib + memory.non_torch_gib + memory.activation_gib + memory.cudagraph_gib
        left, wanted = memory.total_gib - used, engine.kv_cache_memory_bytes / GIB
        path = workload_path(workload, "engine", "kvCacheMemoryBytes")
        if wanted > left:
            taken = f"{used:.1f} of {memory.total_gib:.1f} GiB of {device(workload)}"
            problem = f"weights and overhead take {taken}, so {max(left, 0):.1f} GiB are left"
        elif memory.kv_needed_gib > wanted and engine.max_model_len != "auto":
            problem = f"one request of {memory.max_model_len:,} tokens needs {memory.kv_needed_gib:.2f} GiB"
        else:
            continue
        room = int((left - 0.5) * 4) * GIB // 4
        fitting = (Remedy(text=f"set kvCacheMemoryBytes: {room}", changes=((path, room),)),) if room > 0 else ()
        yield Finding(
            path=path,
            message=f"kvCacheMemoryBytes asks for {wanted:.2f} GiB of KV cache on each GPU, but {problem}",
            remedies=(
                *fitting,
                Remedy(text="remove kvCacheMemoryBytes: vLLM then measures what is left", changes=((path, None),)),
                *shorter_context(workload),
                *more_gpus(workload),
                smaller_model(),
            ),
        )


RULES = (
    Rule(
        code="MEM004",
        severity="error",
        title="Memory outside vLLM's budget is enough for the CUDA context and the sampler's warm-up",
        why="KV cache sizing succeeds, then the sampler's dummy run of maxNumSeqs rows of logits runs out of memory "
        "(v1/worker/gpu_worker.py, compile_or_warm_up_model; seen with gpt-oss-20b on H100, vLLM 0.19.0, utilization 0.95 and "
        "1024 sequences: https://github.com/jgchn/llm-d-planner, accuracy/results/v0.19.0). From 0.28 vLLM counts most of it itself.",
        check=_warm_up,
    ),
    Rule(
        code="MEM011",
        severity="error",
        title="kvCacheMemoryBytes fits, and holds one request",
        why="With --kv-cache-memory-bytes vLLM skips its own measurement and ignores --gpu-memory-utilization "
        "(v1/worker/gpu_worker.py, "
        "determine_available_memory): too much ends in CUDA out of memory, too little in the same error as MEM003.",
        check=_fixed_cache,
    ),
)
