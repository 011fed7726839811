"""ENG035, ENG042: context parallelism, and the balancing of experts."""

from collections.abc import Iterator

from components.engines.vllm import Vllm
from components.resolved import Workload
from preflight.engine_facts import engine_path, vllm_workloads
from preflight.rule import Facts, Finding, Remedy, Rule

_SIZES = (1, 2, 4, 8, 16)


def _context(facts: Facts) -> Iterator[Finding]:
    for workload, engine in vllm_workloads(facts):
        if (problem := _refused(workload, engine, engine.decode_context_parallel_size)) is None:
            continue
        path = engine_path(workload, "decodeContextParallelSize")
        now = engine.decode_context_parallel_size
        others = [size for size in _SIZES if size != now and _refused(workload, engine, size) is None]
        nearest = sorted(others, key=lambda size: abs(size - now))
        yield Finding(
            path=path,
            message=problem,
            remedies=tuple(
                Remedy(text=f"set decodeContextParallelSize: {size}", changes=((path, size),)) for size in nearest
            ),
        )


def _refused(workload: Workload, engine: Vllm, size: int) -> str | None:
    """Why vLLM refuses a decode context parallel size."""
    tensor, prefill, shape = (
        engine.tensor_parallel_size,
        engine.prefill_context_parallel_size,
        workload.model.architecture,
    )
    if prefill > 1 and size not in (1, prefill, tensor * prefill):
        return f"decodeContextParallelSize {size} must be 1, prefillContextParallelSize {prefill}, or both axes: {tensor * prefill}"
    if prefill == 1 and tensor % size:
        return f"tensorParallelSize {tensor} can't be divided by decodeContextParallelSize {size}"
    if size == 1 or shape is None or shape.mla:
        return None
    heads, queries = shape.num_key_value_heads, shape.num_attention_heads // shape.num_key_value_heads
    if size > tensor // heads or tensor <= heads:
        return (
            f"decodeContextParallelSize {size} shares copies of KV heads, and tensorParallelSize {tensor} makes "
            f"{max(1, tensor // heads)} of each of the {heads} of {workload.model.id}"
        )
    if queries % size:
        return f"the {queries} query heads of each KV head can't be divided by decodeContextParallelSize {size}"
    return None


def _prefill(facts: Facts) -> Iterator[Finding]:
    yield from _context(facts)
    for workload, engine in vllm_workloads(facts):
        old = engine.version.startswith("0.29.")
        if engine.prefill_context_parallel_size > 1 and engine.data_parallel_size > 1 and old:
            path = engine_path(workload, "prefillContextParallelSize")
            yield Finding(
                path=path,
                message=f"vLLM {engine.version} doesn't take prefillContextParallelSize with dataParallelSize",
                remedies=(Remedy(text="remove prefillContextParallelSize", changes=((path, None),)),),
            )


def _balancing(facts: Facts) -> Iterator[Finding]:
    for workload, engine in vllm_workloads(facts):
        config, path = engine.eplb_config, engine_path(workload, "enableEplb")
        redundant = (config.num_redundant_experts or 0) if config else 0
        if not engine.enable_eplb:
            if redundant:
                yield Finding(
                    path=engine_path(workload, "eplbConfig", "numRedundantExperts"),
                    message=f"numRedundantExperts {redundant} needs enableEplb",
                    remedies=(Remedy(text="set enableEplb: true", changes=((path, True),)),),
                )
            continue
        ranks = workload.parallelism
        spread = ranks.tensor * ranks.prefill_context * ranks.data
        experts = engine_path(workload, "enableExpertParallel")
        if not engine.enable_expert_parallel:
            yield Finding(
                path=path,
                message="enableEplb moves whole experts between GPUs and needs enableExpertParallel",
                remedies=(
                    Remedy(text="set enableExpertParallel: true", changes=((experts, True),)),
                    Remedy(text="remove enableEplb", changes=((path, None),)),
                ),
            )
        elif spread == 1:
            yield Finding(
                path=path,
                message="enableEplb needs several GPUs that share the experts, and there is 1",
                remedies=(Remedy(text="remove enableEplb", changes=((path, None),)),),
            )


RULES = (
    Rule(
        code="ENG035",
        severity="error",
        title="Context parallelism divides what it shares",
        why='vLLM exits with "Decode context parallelism for GQA/MQA requires .." (config/model.py, verify_with_parallel_config), '
        '"tp_size=.. must be divisible by dcp_size=.." or, in 0.29, "PCP does not support data parallelism yet" (config/parallel.py).',
        check=_prefill,
    ),
    Rule(
        code="ENG042",
        severity="error",
        title="Expert load balancing has experts to move",
        why='vLLM exits with "enable_expert_parallel must be True to use EPLB", "EPLB requires tensor, prefill-context, or data '
        'parallelism" or "num_redundant_experts is set to .. but EPLB is not enabled" (config/parallel.py).',
        check=_balancing,
    ),
)
