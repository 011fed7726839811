"""Counts a model's parameters by part, from its shape. Norms and biases are left out except where noted: under 0.1 %."""

from collections.abc import Mapping

from catalog.architecture import Architecture, LinearAttention, Quantization

PARTS = (
    "embedding", "lm_head", "attention", "attention_output", "attention_replicated", "linear_attention", "mlp", "experts",
    "shared_experts", "router", "norm", "vision", "other",
)  # fmt: skip
"""Names of the parts. `attention`: query, key and value projections. `attention_replicated`: what every tensor-parallel rank
holds whole (MLA down-projections, sparse indexer)."""


def parts(arch: Architecture) -> Mapping[str, int]:
    """Parameters of each part of the whole model, by name in `PARTS`."""
    hidden, vocab = arch.hidden_size, arch.vocab_size
    moe = arch.expert_layers
    dense = arch.feed_forward_layers - moe
    expert = arch.mlp_matrices * hidden * (arch.moe_intermediate_size or 0)
    inward, outward, replicated = _attention(arch)
    return {
        "embedding": hidden * vocab,
        "lm_head": 0 if arch.tie_word_embeddings else hidden * vocab,
        "attention": inward,
        "attention_output": outward,
        "attention_replicated": replicated,
        "linear_attention": _linear_attention(arch.linear_attention, hidden) if arch.linear_attention else 0,
        "mlp": dense * arch.mlp_matrices * hidden * (arch.intermediate_size or 0),
        "experts": moe * (arch.num_experts or 0) * expert,
        "shared_experts": moe * arch.mlp_matrices * hidden * arch.shared_expert_intermediate_size,
        "router": moe * hidden * (arch.num_experts or 0),
        "norm": hidden * (2 * arch.num_hidden_layers + 1),
        "vision": arch.vision_params,
        "other": arch.other_params,
    }


def total(arch: Architecture) -> int:
    """All parameters that an engine loads, computed from the shape."""
    return sum(parts(arch).values())


def _attention(arch: Architecture) -> tuple[int, int, int]:
    """Attention parameters of all layers: projections in, output projection, and what every rank holds whole."""
    hidden, heads, layers = arch.hidden_size, arch.num_attention_heads, arch.kv_layers
    if arch.kv_lora_rank is not None:
        rope, nope, value = arch.qk_rope_head_dim or 0, arch.qk_nope_head_dim or 0, arch.v_head_dim or 0
        query_in = arch.q_lora_rank or hidden
        split = query_in * heads * (nope + rope) + arch.kv_lora_rank * heads * (nope + value)
        whole = layers * hidden * (arch.kv_lora_rank + rope + (arch.q_lora_rank or 0))
        if arch.index_n_heads and arch.index_head_dim:
            indexer = query_in * arch.index_n_heads * arch.index_head_dim
            indexer += hidden * (arch.index_head_dim + arch.index_n_heads)
            whole += indexer * (layers if arch.index_layers is None else arch.index_layers)
        return layers * split, layers * heads * value * hidden, whole
    sliding_heads = arch.sliding_key_value_heads or arch.num_key_value_heads
    sliding_dim = arch.sliding_head_dim or arch.head_dim
    full = layers - arch.sliding_layers
    query = 2 if arch.attention_output_gate else 1
    kv = 1 if arch.keys_are_values else 2
    split = full * arch.head_dim * (heads * query + kv * arch.num_key_value_heads)
    split += arch.sliding_layers * sliding_dim * (heads * query + 2 * sliding_heads)
    return split * hidden, (full * arch.head_dim + arch.sliding_layers * sliding_dim) * heads * hidden, 0


def _linear_attention(linear: LinearAttention, hidden: int) -> int:
    keys, values = linear.key_heads * linear.key_dim, linear.value_heads * linear.value_dim
    if linear.kind == "mamba2":
        projections = hidden * (2 * values + 2 * keys + linear.value_heads) + values * hidden
        return linear.layers * (projections + (values + 2 * keys) * (linear.conv_kernel + 1))
    projections = hidden * (2 * keys + 2 * values + 2 * linear.value_heads) + values * hidden
    return linear.layers * (projections + (2 * keys + values) * linear.conv_kernel)


def part_bytes(part: str, count: float, quantization: Quantization | None, dtype_bytes: int) -> float:
    """Bytes that `count` parameters of a part take, in the checkpoint's quantization or the model's dtype."""
    share = quantization.quantized_share(part) if quantization else 0.0
    if quantization is None or not share:
        return count * dtype_bytes
    return count * (share * quantization.bits_per_weight / 8 + (1 - share) * dtype_bytes)
