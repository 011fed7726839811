"""Bytes of weights that one vLLM rank holds.

Sharding rules: vLLM 0.19-0.33, vllm/model_executor/layers/{linear,vocab_parallel_embedding,fused_moe/config,attention/mla_attention}.py,
distributed/utils.py (`get_pp_indices`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from catalog.architecture import DTYPE_BYTES, Architecture, Quantization
from catalog.parameters import part_bytes, parts

VOCAB_PADDING = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallelism:
    """Ranks that share one model: sizes are at least 1. Experts are spread over tensor x data ranks, with or without `expert`."""

    tensor: int = 1
    pipeline: int = 1
    data: int = 1
    expert: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One pipeline stage: its number of layers and whether it has the embedding and the output head."""

    layers: int
    first: bool
    last: bool


def padded_vocab(vocab_size: int) -> int:
    """The vocabulary as vLLM allocates it: rounded up to a multiple of 64 before it is split over the ranks."""
    return -(-vocab_size // VOCAB_PADDING) * VOCAB_PADDING


def pipeline_stages(layers: int, size: int) -> tuple[Stage, ...]:
    """How vLLM divides layers over pipeline ranks: the remainder goes to the stages before the last one, backwards."""
    counts = [layers // size] * size
    for i in range(2, layers % size + 2):
        counts[-i] += 1
    return tuple(Stage(layers=count, first=i == 0, last=i == size - 1) for i, count in enumerate(counts))


def stage_weights_bytes(
    arch: Architecture, stage: Stage, parallel: Parallelism, quantization: Quantization | None, dtype: str
) -> float:
    """Bytes of the weights on one rank of a pipeline stage, as `Model loading took` reports them."""
    width = DTYPE_BYTES[dtype]
    share = stage.layers / arch.num_hidden_layers
    counts = _rank_parts(arch, parallel)
    layered = sum(
        part_bytes(part, count, quantization, width)
        for part, count in counts.items()
        if part not in ("embedding", "lm_head", "vision", "other")
    )
    total = layered * share
    if stage.first or (stage.last and arch.tie_word_embeddings):
        total += part_bytes("embedding", counts["embedding"], quantization, width)
    if stage.last:
        total += part_bytes("lm_head", counts["lm_head"], quantization, width)
    if stage.first:
        total += part_bytes("vision", counts["vision"], quantization, width)
        total += part_bytes("other", counts["other"], quantization, width)
    return total + _resident_buffers(arch, stage, parallel, width)


def _rank_parts(arch: Architecture, parallel: Parallelism) -> Mapping[str, float]:
    """Parameters of each part on one tensor-parallel rank, all layers together."""
    tensor = parallel.tensor
    whole = parts(arch)
    vocab = padded_vocab(arch.vocab_size) / arch.vocab_size / tensor
    expert_ranks = tensor * parallel.data
    experts = whole["experts"]
    if parallel.expert and arch.num_experts:
        on_rank = -(-arch.num_experts // expert_ranks)
        expert_share = on_rank / arch.num_experts
    else:
        expert_share = 1 / expert_ranks
    return {
        "embedding": whole["embedding"] * vocab,
        "lm_head": whole["lm_head"] * vocab,
        "attention": _attention_on_rank(arch, whole["attention"], tensor),
        "attention_output": whole["attention_output"] / tensor,
        "attention_replicated": whole["attention_replicated"],
        "linear_attention": whole["linear_attention"] / tensor,
        "mlp": whole["mlp"] / tensor,
        "experts": experts * expert_share,
        "shared_experts": whole["shared_experts"] / tensor,
        "router": whole["router"],
        "norm": whole["norm"],
        "vision": whole["vision"] / tensor,
        "other": whole["other"],
    }


def _attention_on_rank(arch: Architecture, whole: int, tensor: int) -> float:
    """Attention weights divide by the ranks, except that a rank never holds less than one KV head."""
    if arch.mla or tensor <= arch.num_key_value_heads:
        return whole / tensor
    sliding_heads = arch.sliding_key_value_heads or arch.num_key_value_heads
    sliding_dim = arch.sliding_head_dim or arch.head_dim
    full = arch.kv_layers - arch.sliding_layers
    kv = 1 if arch.keys_are_values else 2
    extra = full * kv * arch.head_dim * (1 - arch.num_key_value_heads / tensor)
    extra += arch.sliding_layers * 2 * sliding_dim * max(0.0, 1 - sliding_heads / tensor)
    return whole / tensor + extra * arch.hidden_size


def _resident_buffers(arch: Architecture, stage: Stage, parallel: Parallelism, width: int) -> float:
    """What loading allocates beside the parameters: the rotary table, and MLA's absorbed projections in the model's dtype."""
    rotary = arch.qk_rope_head_dim if arch.mla else arch.rotary_dim or arch.head_dim
    table = arch.max_position_embeddings * (rotary or 0) * width if arch.kv_layers else 0
    if not arch.mla or arch.kv_lora_rank is None:
        return table
    heads = arch.num_attention_heads / parallel.tensor
    absorbed = heads * arch.kv_lora_rank * ((arch.qk_nope_head_dim or 0) + (arch.v_head_dim or 0)) * width
    return table + stage.layers * absorbed
