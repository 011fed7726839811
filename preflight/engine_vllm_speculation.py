"""ENG036 to ENG040, ENG044, ENG045: speculative decoding."""

from collections.abc import Iterator

from components.engines.vllm import Vllm
from components.engines.vllm_speculative import (
    DraftModelSpeculation,
    EagleSpeculation,
    MtpSpeculation,
    NgramSpeculation,
    SuffixSpeculation,
    draft_model,
)
from components.resolved import Workload
from preflight.engine_facts import engine_path, vllm_workloads
from preflight.rule import Facts, Finding, Path, Remedy, Rule

_SECTION = "speculativeConfig"
_WITHOUT_PREDICTION = frozenset(
    {
        "llama", "mistral", "mixtral", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "gemma2", "gemma3", "gemma3_text", "phi", "phi3",
        "gpt_oss", "llama4_text", "cohere", "cohere2",
    }
)  # fmt: skip
"""Model types that `hf_config_override` in vllm/config/speculative.py of 0.33.0 doesn't turn into a prediction model."""
_WEIGHTS = (DraftModelSpeculation, EagleSpeculation, MtpSpeculation)


def _path(workload: Workload, key: str) -> Path:
    return engine_path(workload, _SECTION, key)


def _draft_ranks(facts: Facts) -> Iterator[Finding]:
    for workload, engine in vllm_workloads(facts):
        config = engine.speculative_config
        size = config.draft_tensor_parallel_size if isinstance(config, _WEIGHTS) else None
        if size in (None, 1, engine.tensor_parallel_size):
            continue
        path = _path(workload, "draftTensorParallelSize")
        yield Finding(
            path=path,
            message=f"draftTensorParallelSize {size} must be 1 or tensorParallelSize, which is {engine.tensor_parallel_size}",
            remedies=(Remedy(text="remove draftTensorParallelSize", changes=((path, None),)),),
        )


def _prediction(facts: Facts) -> Iterator[Finding]:
    for workload, engine in vllm_workloads(facts):
        config, shape = engine.speculative_config, workload.model.architecture
        if not isinstance(config, MtpSpeculation) or config.model is not None or shape is None:
            continue
        tokens, layers = config.num_speculative_tokens, shape.mtp_layers
        if not layers and shape.model_type in _WITHOUT_PREDICTION:
            path = engine_path(workload, _SECTION)
            yield Finding(
                path=_path(workload, "method"),
                message=f"{workload.model.id} has no multi-token-prediction layers",
                remedies=(
                    Remedy(
                        text="set speculativeConfig: {method: ngram, numSpeculativeTokens: 4}, which needs no weights",
                        changes=((path, {"method": "ngram", "numSpeculativeTokens": 4}),),
                    ),
                ),
            )
        elif layers and tokens > layers and tokens % layers:
            path = _path(workload, "numSpeculativeTokens")
            fit = tokens // layers * layers
            yield Finding(
                path=path,
                message=f"numSpeculativeTokens {tokens} isn't a multiple of the {layers} prediction layers of {workload.model.id}",
                remedies=(Remedy(text=f"set numSpeculativeTokens: {fit}", changes=((path, fit),)),),
            )


def _vocabulary(facts: Facts) -> Iterator[Finding]:
    for workload, engine in vllm_workloads(facts):
        config, shape = engine.speculative_config, workload.model.architecture
        if not isinstance(config, DraftModelSpeculation) or config.use_heterogeneous_vocab or shape is None:
            continue
        draft = workload.referenced[config.model].architecture
        if draft is None or draft.vocab_size == shape.vocab_size:
            continue
        path = _path(workload, "useHeterogeneousVocab")
        yield Finding(
            path=_path(workload, "model"),
            message=f"the draft {facts.stack.models[config.model].id} has {draft.vocab_size:,} tokens and {workload.model.id} "
            f"{shape.vocab_size:,}: a draft needs the same vocabulary",
            remedies=(
                Remedy(text="set useHeterogeneousVocab: true (slower)", changes=((path, True),)),
                Remedy(text="name a smaller model of the same family"),
            ),
        )


def _tokens(facts: Facts) -> Iterator[Finding]:
    for workload, engine in vllm_workloads(facts):
        config = engine.speculative_config
        if isinstance(config, NgramSpeculation):
            least, most = config.prompt_lookup_min, config.prompt_lookup_max
            if least and most and least > most:
                path = _path(workload, "promptLookupMin")
                yield Finding(
                    path=path,
                    message=f"promptLookupMin {least} is more than promptLookupMax {most}",
                    remedies=(Remedy(text=f"set promptLookupMin: {most}", changes=((path, most),)),),
                )
        if config is None or config.num_speculative_tokens is None:
            continue
        tokens = config.num_speculative_tokens
        if config.rejection_sample_method == "fly" and tokens < 2:
            path = _path(workload, "numSpeculativeTokens")
            yield Finding(
                path=path,
                message="rejectionSampleMethod fly needs at least 2 numSpeculativeTokens",
                remedies=(Remedy(text="set numSpeculativeTokens: 2", changes=((path, 2),)),),
            )
        memory = workload.memory
        step = engine.max_num_batched_tokens or (memory.max_num_batched_tokens if memory else None)
        seqs = engine.max_num_seqs or (memory.max_num_seqs if memory else None)
        if step is None or seqs is None:
            continue
        path = engine_path(workload, "maxNumBatchedTokens")
        if engine.enable_lora and step < seqs * (tokens + 1):
            yield Finding(
                path=path,
                message=f"with LoRA a step must hold {tokens} proposed tokens and one more for each of {seqs} sequences, "
                f"{seqs * (tokens + 1)} in all, and maxNumBatchedTokens is {step}",
                remedies=(
                    Remedy(
                        text=f"set maxNumBatchedTokens: {seqs * (tokens + 1)}", changes=((path, seqs * (tokens + 1)),)
                    ),
                ),
            )
        elif step <= tokens + 1 and not isinstance(config, NgramSpeculation | SuffixSpeculation):
            yield Finding(
                path=path,
                message=f"maxNumBatchedTokens {step} leaves no room for {tokens} proposed tokens",
                remedies=(Remedy(text="set maxNumBatchedTokens: 2048", changes=((path, 2048),)),),
            )


def _unknown_size(facts: Facts) -> Iterator[Finding]:
    for workload, engine in vllm_workloads(facts):
        name = draft_model(engine.speculative_config)
        known = workload.referenced.get(name) if name else None
        if name is None or known is None or known.architecture is not None or known.weights_size is not None:
            continue
        yield Finding(
            path=("models", name, "id"),
            message=f"the size of the draft {facts.stack.models[name].id} isn't known, so the memory estimate of {workload.name} "
            "lacks its weights",
            remedies=(Remedy(text="set weightsSize to the bytes of its weight files, for example 2Gi"),),
        )


def _image(facts: Facts) -> Iterator[Finding]:
    for workload, engine in vllm_workloads(facts):
        if isinstance(engine.speculative_config, SuffixSpeculation) and engine.image is None:
            yield Finding(
                path=_path(workload, "method"),
                message="suffix decoding needs the package arctic-inference, which vLLM doesn't install by itself",
                remedies=(Remedy(text="set image to one that has it (pip install arctic-inference==0.1.1)"),),
            )


def _stages(facts: Facts) -> Iterator[Finding]:
    for workload, engine in vllm_workloads(facts):
        config = engine.speculative_config
        if isinstance(config, EagleSpeculation) and config.method != "eagle" and _parallel(engine):
            path = engine_path(workload, "pipelineParallelSize")
            yield Finding(
                path=path,
                message=f"{config.method} reads hidden states of several layers, and with pipelineParallelSize "
                f"{engine.pipeline_parallel_size} only some models pass them on; the others are refused at start",
                remedies=(Remedy(text="use tensor parallelism alone, or try this model first"),),
            )


def _parallel(engine: Vllm) -> bool:
    return engine.pipeline_parallel_size > 1


RULES = (
    Rule(
        code="ENG036",
        severity="error",
        title="The draft's tensor parallelism is 1 or the model's",
        why='vLLM exits with "speculative_draft_tensor_parallel_size=.. cannot be other value than 1 or target model '
        'tensor_parallel_size" (config/speculative.py, _verify_and_get_draft_tp).',
        check=_draft_ranks,
    ),
    Rule(
        code="ENG037",
        severity="error",
        title="Multi-token prediction has layers for it",
        why='Without num_nextn_predict_layers in config.json vLLM exits with "Unsupported speculative method: mtp"; '
        '"num_speculative_tokens:.. must be divisible by n_predict=.." (config/speculative.py, __post_init__).',
        check=_prediction,
    ),
    Rule(
        code="ENG038",
        severity="error",
        title="A draft model has the model's vocabulary",
        why='vLLM exits with "Target and draft model should have the same vocabulary size" (config/speculative.py, '
        "verify_equal_vocab_size_if_draft_model).",
        check=_vocabulary,
    ),
    Rule(
        code="ENG039",
        severity="error",
        title="Numbers of proposed tokens fit the method and the step",
        why='vLLM exits with "prompt_lookup_min=.. must be <= prompt_lookup_max=..", "FLy requires num_speculative_tokens to be at '
        'least 2" (config/speculative.py), "does not have enough slots to schedule a token" (config/vllm.py), or with LoRA '
        '"Consider increasing max_num_batched_tokens or decreasing num_speculative_tokens" (engine/arg_utils.py).',
        check=_tokens,
    ),
    Rule(
        code="ENG040",
        severity="warning",
        title="The size of a draft's weights is known",
        why="A draft takes GPU memory beside the model, which the KV cache lacks; an estimate without it promises too much.",
        check=_unknown_size,
    ),
    Rule(
        code="ENG044",
        severity="warning",
        title="The image has what suffix decoding needs",
        why='vLLM exits with "Arctic Inference is required for suffix decoding" (config/speculative.py); no requirement or extra of the '
        "wheels names it (METADATA of 0.29.0, 0.32.0, 0.33.0).",
        check=_image,
    ),
    Rule(
        code="ENG045",
        severity="warning",
        title="Heads that read several layers run in one pipeline stage",
        why='vLLM 0.32 and 0.33 exit with ".. does not support eagle3 with pipeline parallelism" unless the model\'s class passes them '
        "on (v1/worker/gpu/spec_decode/eagle/eagle3_utils.py); 0.29 refuses dflash and dspark (v1/worker/gpu/model_runner.py).",
        check=_stages,
    ),
)
