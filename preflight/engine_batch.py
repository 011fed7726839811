"""ENG007, ENG008: tokens of one scheduler step against sequences and context length."""

from collections.abc import Iterator

from preflight.engine_facts import Tables, engine_path, vllm_engines
from preflight.rule import Facts, Finding, Remedy, Rule


def _sequences(facts: Facts) -> Iterator[Finding]:
    shared = Tables(facts)
    for workload, engine in vllm_engines(facts):
        seqs, tokens = engine.max_num_seqs, engine.max_num_batched_tokens
        if seqs is None:
            continue  # vLLM then takes no more sequences than tokens
        origin = "maxNumBatchedTokens"
        if tokens is None:
            doubled = any(extra.listed == "--performance-mode" for extra in shared.extras(workload))
            if workload.memory is None or doubled:
                continue
            tokens, origin = (
                workload.memory.max_num_batched_tokens,
                f"vLLM's default on {workload.node_group.gpu_name}, ",
            )
        if tokens >= seqs:
            continue
        keys = engine_path(workload, "maxNumBatchedTokens"), engine_path(workload, "maxNumSeqs")
        yield Finding(
            path=keys[0] if engine.max_num_batched_tokens else keys[1],
            message=f"maxNumSeqs {seqs} is more than {origin} {tokens}: every running sequence needs a token in each step",
            remedies=(
                Remedy(text=f"set maxNumBatchedTokens: {max(seqs, 2048)}", changes=((keys[0], max(seqs, 2048)),)),
                Remedy(text=f"set maxNumSeqs: {tokens}", changes=((keys[1], tokens),)),
            ),
        )


def _whole_prompts(facts: Facts) -> Iterator[Finding]:
    for workload, engine in vllm_engines(facts):
        tokens, shape = engine.max_num_batched_tokens, workload.model.architecture
        if engine.enable_chunked_prefill is not False or tokens is None:
            continue  # without a value vLLM raises the default to the context length
        length = (
            engine.max_model_len
            if isinstance(engine.max_model_len, int)
            else (shape.max_position_embeddings if shape else None)
        )
        if length is None or tokens >= length or engine.max_model_len == "auto":
            continue
        path = engine_path(workload, "maxNumBatchedTokens")
        yield Finding(
            path=path,
            message=f"without chunked prefill a prompt runs in one step: maxNumBatchedTokens {tokens} is less than "
            f"the context of {length} tokens",
            remedies=(
                Remedy(text=f"set maxNumBatchedTokens: {length}", changes=((path, length),)),
                Remedy(
                    text="remove enableChunkedPrefill", changes=((engine_path(workload, "enableChunkedPrefill"), None),)
                ),
            ),
        )


RULES = (
    Rule(
        code="ENG007",
        severity="error",
        title="A scheduler step has a token for every sequence",
        why='vLLM exits with "max_num_batched_tokens (..) must be greater than or equal to max_num_seqs (..)" (config/scheduler.py, '
        "verify_max_model_len). Defaults: engine/arg_utils.py, get_batch_defaults.",
        check=_sequences,
    ),
    Rule(
        code="ENG008",
        severity="error",
        title="Without chunked prefill a step holds a whole prompt",
        why='vLLM exits with "max_num_batched_tokens (..) is smaller than max_model_len (..)" (config/scheduler.py, '
        "verify_max_model_len).",
        check=_whole_prompts,
    ),
)
