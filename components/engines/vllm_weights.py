"""Bytes of weights that one vLLM rank holds.

Sharding rules: vLLM 0.19-0.33, vllm/model_executor/layers/{linear,vocab_parallel_embedding,fused_moe/config,attention/mla_attention}.py,
distributed/utils.py (`get_pp_indices`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from catalog.architecture import DTYPE_BYTES, Architecture, Quantization
from catalog.parameters import part_bytes, parts

VOCAB_PADDING = 64
ONLINE_BITS: Mapping[str, int] = {
    "fp8": 8, "fp8_per_tensor": 8, "fp8_per_block": 8, "fp8_per_channel": 8, "int8_per_channel_weight_only": 8,
    "mxfp8": 8, "experts_int8": 8, "nvfp4_per_token": 4,
}  # fmt: skip
"""Bits per weight of the online quantizations of an unquantized checkpoint (--quantization, vLLM 0.33.0)."""


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


def effective_dtype(wanted: str, stored: str, *, bf16: bool) -> str:
    """The dtype of what isn't quantized: bfloat16, float16 or float32.

    `auto` takes the checkpoint's, bfloat16 for a float32 checkpoint, float16 where the GPU has no bfloat16 (config/model.py).
    """
    if wanted != "auto":
        return {"half": "float16", "float": "float32"}.get(wanted, wanted)
    stored = "bfloat16" if stored == "float32" else stored
    return "float16" if stored == "bfloat16" and not bf16 else stored


def online_quantization(flag: str | None) -> Quantization | None:
    """How vLLM stores the linear layers of an unquantized checkpoint under `--quantization`; None when it doesn't convert them."""
    if flag is None or flag not in ONLINE_BITS:
        return None
    return Quantization(
        method=flag, bits=ONLINE_BITS[flag], unquantized=("embedding", "lm_head", "router", "norm", "vision", "other")
    )


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
    arch: Architecture,
    stage: Stage,
    parallel: Parallelism,
    quantization: Quantization | None,
    dtype: str,
    version: tuple[int, ...],
) -> float:
    """Bytes of the weights on one rank of a pipeline stage, as `Model loading took` reports them."""
    width = DTYPE_BYTES[dtype]
    share = stage.layers / arch.num_hidden_layers
    counts = dict(_rank_parts(arch, parallel))
    counts["experts"] *= _expert_padding(arch, parallel, quantization, version)
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
        "vision": whole["vision"] / (1 if arch.vision_replicated else tensor),
        "other": whole["other"],
    }


def _expert_padding(
    arch: Architecture, parallel: Parallelism, quantization: Quantization | None, version: tuple[int, ...]
) -> float:
    """How much larger the kernels' layout of the expert weights is than the checkpoint's.

    MXFP4: hidden size to a multiple of 256, width on the rank to 128 (fused_moe/oracle/mxfp4.py). FP8 without a gate: width to
    128, from 0.18 (quantization/utils/flashinfer_utils.py). Others: no padding.
    """
    if quantization is None or not arch.moe_intermediate_size or not quantization.quantized_share("experts"):
        return 1.0
    width = arch.moe_intermediate_size / (1 if parallel.expert else parallel.tensor * parallel.data)
    if quantization.method == "mxfp4":
        return _rounded(arch.hidden_size, 256) * _rounded(width, 128)
    if quantization.bits == 8 and arch.mlp_matrices == 2 and version >= (0, 18):
        return _rounded(width, 128)
    return 1.0


def _rounded(size: float, multiple: int) -> float:
    return -(-size // multiple) * multiple / size


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


def allowed_tensor_parallel(arch: Architecture, limit: int) -> tuple[int, ...]:
    """Tensor-parallel sizes up to `limit` that vLLM accepts for the model.

    Attention heads, MLP widths and the padded vocabulary must divide; KV heads divide, or are replicated a whole number of times
    (vLLM config/model.py, layers/linear.py, layers/vocab_parallel_embedding.py). Experts count with their whole width: expert
    parallelism lifts that.
    """
    return tuple(size for size in range(1, limit + 1) if _divides(arch, size))


def _divides(arch: Architecture, size: int) -> bool:
    widths = [arch.num_attention_heads, padded_vocab(arch.vocab_size)]
    widths += [width for width in (arch.intermediate_size, arch.moe_intermediate_size) if width]
    if linear := arch.linear_attention:
        widths += [linear.key_heads, linear.value_heads]
    if any(width % size for width in widths):
        return False
    heads = (arch.num_key_value_heads, arch.sliding_key_value_heads)
    return arch.mla or all(not (kv % size if kv >= size else size % kv) for kv in heads if kv)
