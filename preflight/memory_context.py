"""MEM005, MEM010: context length against concurrency and against the model's own maximum."""

from collections.abc import Iterator

from components.resolved import Workload
from preflight.engine_facts import Tables, engine_path, vllm_engines
from preflight.rule import Facts, Finding, Remedy, Rule

_FEW = 2.0


def _concurrency(facts: Facts) -> Iterator[Finding]:
    for workload, engine in vllm_engines(facts):
        memory = workload.memory
        if memory is None or engine.max_model_len == "auto" or not memory.fits_context or memory.max_num_seqs == 1:
            continue
        if memory.max_concurrency >= _FEW:
            continue
        path = engine_path(workload, "maxModelLen")
        half = memory.largest_max_model_len // 2 // 256 * 256
        yield Finding(
            path=path,
            message=(
                f"the KV cache holds {memory.kv_tokens:,} tokens, {memory.max_concurrency:.1f} requests of "
                f"{memory.max_model_len:,}: with longer prompts "
                f"requests wait or are preempted long before maxNumSeqs {memory.max_num_seqs}"
            ),
            remedies=(
                *((Remedy(text=f"set maxModelLen: {half}", changes=((path, half),)),) if half >= 512 else ()),
                Remedy(text="set kvCacheDtype: fp8", changes=((engine_path(workload, "kvCacheDtype"), "fp8"),)),
            ),
        )


def _longest(facts: Facts) -> Iterator[Finding]:
    shared = Tables(facts)
    for workload, engine in vllm_engines(facts):
        shape, wanted = workload.model.architecture, engine.max_model_len
        if shape is None or not isinstance(wanted, int) or wanted <= shape.max_position_embeddings:
            continue
        if _allowed(workload) or any(extra.listed == "--hf-overrides" for extra in shared.extras(workload)):
            continue
        limit, path = shape.max_position_embeddings, engine_path(workload, "maxModelLen")
        yield Finding(
            path=path,
            message=f"maxModelLen {wanted:,} is more than the {limit:,} positions of {workload.model.id}",
            remedies=(
                Remedy(text=f"set maxModelLen: {limit}", changes=((path, limit),)),
                Remedy(
                    text="where the model card allows longer contexts, give its rope_parameters with --hf-overrides in extraArgs"
                ),
            ),
        )


def _allowed(workload: Workload) -> bool:
    return workload.env.get("VLLM_ALLOW_LONG_MAX_MODEL_LEN", "0").strip().lower() in ("1", "true")


RULES = (
    Rule(
        code="MEM005",
        severity="warning",
        title="The KV cache holds more than one full-length request",
        why='vLLM logs it as "Maximum concurrency for .. tokens per request" (v1/core/kv_cache_utils.py): below two, '
        "one long request keeps all "
        "others waiting.",
        check=_concurrency,
    ),
    Rule(
        code="MEM010",
        severity="error",
        title="maxModelLen lies within the model's own maximum",
        why='vLLM exits with "User-specified max_model_len (..) is greater than the derived max_model_len (..)", unless '
        "VLLM_ALLOW_LONG_MAX_MODEL_LEN=1 is set or --hf-overrides changes the model (config/model.py, _get_and_verify_max_len).",
        check=_longest,
    ),
)
