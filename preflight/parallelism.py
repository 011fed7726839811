"""PAR001-PAR006, PAR009: parallel sizes against the shape of the model."""

from collections.abc import Iterator

from components.resolved import Workload
from preflight import parallelism_hardware, parallelism_quantization
from preflight.parallelism_shape import (
    kv_heads_fit,
    other_sizes,
    padded_vocab,
    size_key,
    size_path,
    split_heads,
    split_widths,
    whole_experts,
)
from preflight.rule import Facts, Finding, Remedy, Rule, workload_path


def _heads(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        shape, size = workload.model.architecture, workload.parallelism.attention_tensor
        broken = [f"{count} {what}" for what, count in split_heads(shape).items() if count % size] if shape else []
        if broken:
            yield Finding(
                path=size_path(workload),
                message=f"{' and '.join(broken)} of {workload.model.id} can't be divided by {_ranks(workload)}",
                remedies=other_sizes(workload),
            )


def _ranks(workload: Workload) -> str:
    size, parallel = size_key(workload), workload.parallelism
    groups = parallel.attention_data
    return f"{size} {parallel.tensor}" + (f" / {groups} attention groups" if groups > 1 else "")


def _kv_heads(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        shape, copied = workload.model.architecture, workload.engine.COPIES_KV_HEADS
        size = workload.parallelism.attention_tensor
        if shape is None or shape.num_attention_heads % size or kv_heads_fit(shape, size, copied=copied):
            continue
        engine = workload.engine.name
        why = (
            f"one must divide the other, since {engine} either splits or copies KV heads"
            if copied
            else f"the size must divide the heads, since {engine} copies none"
        )
        yield Finding(
            path=size_path(workload),
            message=f"{shape.num_key_value_heads} key-value heads of {workload.model.id} and {_ranks(workload)}: {why}",
            remedies=other_sizes(workload),
        )


def _stages(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        shape, size = workload.model.architecture, workload.parallelism.pipeline
        if shape is None:
            continue
        layers = shape.num_hidden_layers
        if size > layers:
            path = size_path(workload, "pipeline")
            yield Finding(
                path=path,
                message=f"{workload.model.id} has {layers} layers, too few for {path[-1]} {size}",
                remedies=(Remedy(text=f"set {path[-1]}: {layers}", changes=((path, layers),)),),
            )
        if (given := workload.env.get("VLLM_PP_LAYER_PARTITION")) is None:
            continue
        parts = [int(part) if part.strip().isdigit() else -1 for part in given.split(",")]
        if len(parts) != size or sum(parts) != layers or min(parts) < 0:
            where = workload_path(workload, "env", "VLLM_PP_LAYER_PARTITION")
            yield Finding(
                path=where,
                message=f"VLLM_PP_LAYER_PARTITION {given!r} must be {size} whole numbers with sum {layers}, the "
                f"layers of {workload.model.id}",
                remedies=(Remedy(text="remove it: vLLM divides the layers by itself", changes=((where, None),)),),
            )


def _experts(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        shape = workload.model.architecture
        if shape is None or not workload.parallelism.expert or shape.num_experts:
            continue
        path, refused = size_path(workload, "expert"), workload.engine.REFUSES_EXPERTS
        effect = (
            f"{workload.engine.name} refuses {path[-1]} for such a model" if refused else f"{path[-1]} has no effect"
        )
        yield Finding(
            path=path,
            message=f"{workload.model.id} has no experts, and {effect}",
            remedies=(Remedy(text=f"remove {path[-1]}", changes=((path, None),)),),
            severity=None if refused else "notice",
        )


def _widths(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        shape = workload.model.architecture
        broken = [one for one in split_widths(shape, workload.parallelism) if one[1] % one[2]] if shape else []
        if not broken:
            continue
        yield Finding(
            path=size_path(workload),
            message="; ".join(
                f"{name} {width} of {workload.model.id} can't be divided by {ranks} ranks"
                for name, width, ranks in broken
            ),
            remedies=(
                *whole_experts(workload, broken),
                *other_sizes(workload),
            ),
        )


def _vocabulary(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        shape, size, multiple = (
            workload.model.architecture,
            workload.parallelism.tensor,
            workload.engine.VOCABULARY_MULTIPLE,
        )
        if shape is None or multiple is None or padded_vocab(shape, multiple) % size == 0:
            continue
        yield Finding(
            path=size_path(workload),
            message=f"the vocabulary of {workload.model.id}, {shape.vocab_size:,} tokens padded to {padded_vocab(shape, multiple):,} "
            f"(a multiple of {multiple}), can't be divided by {size_key(workload)} {size}",
            remedies=other_sizes(workload),
        )


RULES = (
    Rule(
        code="PAR001",
        severity="error",
        title="The tensor-parallel size divides the attention heads",
        why='vLLM exits with "Total number of attention heads (..) must be divisible by tensor parallel size (..)" (config/model.py, '
        "verify_with_parallel_config); heads of linear attention and Mamba layers are split the same way "
        "(layers/mamba/mamba_utils.py).",
        check=_heads,
    ),
    Rule(
        code="PAR002",
        severity="error",
        title="The tensor-parallel size divides the key-value heads, or they divide it",
        why="vLLM splits KV heads over the ranks, or copies each to several ranks; both need whole numbers "
        "(model_executor/layers/linear.py, QKVParallelLinear). TGI only splits them: `num_key_value_heads` must be divisible by "
        "`num_shards` (models/custom_modeling/flash_llama_modeling.py).",
        check=_kv_heads,
    ),
    Rule(
        code="PAR004",
        severity="error",
        title="Each pipeline stage has a layer",
        why="vLLM can't give a stage no layer (distributed/utils.py, get_pp_indices). Stages need not be equal: the "
        "remainder is spread.",
        check=_stages,
    ),
    Rule(
        code="PAR005",
        severity="error",
        title="Expert parallelism is for mixture-of-experts models",
        why='vLLM exits with "Number of experts in the model must be greater than 0 when expert parallelism is '
        'enabled" (config/model.py).',
        check=_experts,
    ),
    Rule(
        code="PAR006",
        severity="error",
        title="Tensor parallelism divides the widths of the feed-forward layers",
        why='vLLM exits with "AssertionError: .. is not divisible by .." (distributed/utils.py, divide; '
        "fused_moe/config.py, FusedMoEConfig).",
        check=_widths,
    ),
    Rule(
        code="PAR009",
        severity="error",
        title="The tensor-parallel size divides the padded vocabulary",
        why="Embedding and output head are padded to a multiple of 64 tokens and then split evenly "
        "(vLLM, layers/vocab_parallel_embedding.py, DEFAULT_VOCAB_PADDING_SIZE and divide). TGI loads the head whole where it "
        "doesn't divide (layers/tensor_parallel.py).",
        check=_vocabulary,
    ),
    *parallelism_hardware.RULES,
    *parallelism_quantization.RULES,
)
