"""What speculative decoding and LoRA add on each GPU, from shapes alone: none of it was measured. Pure.

Draft models: vllm/config/speculative.py (one pipeline stage, tensor parallelism 1 or the model's own) and v1/worker of 0.33.0;
LoRA buffers: vllm/lora/layers/*.py `create_lora_weights` of 0.33.0 (one pair of matrices for each adapter slot and linear layer).
"""

from dataclasses import replace

from catalog.architecture import DTYPE_BYTES, Architecture
from components.engines.base import Referenced
from components.engines.vllm_kv import kv_layout
from components.engines.vllm_memory_types import Extras
from components.engines.vllm_options import VllmOptions
from components.engines.vllm_overhead import release
from components.engines.vllm_speculative import DraftModelSpeculation, EagleSpeculation, MtpSpeculation
from components.engines.vllm_weights import (
    Parallelism,
    Stage,
    effective_dtype,
    online_quantization,
    stage_weights_bytes,
)
from components.spec import GIB

DEFAULT_LORA_RANK = 16
"""Default of --max-lora-rank in 0.29, 0.32 and 0.33 (option tables)."""


def extras(options: VllmOptions, version: str, target: Architecture, draft: Referenced | None, *, bf16: bool) -> Extras:
    """Weights of a draft and of LoRA slots on the fullest GPU, and the draft's KV cache for each token.

    `draft`: what is known of the model that proposes. Raises ValueError for a KV-cache type without a known size.
    """
    found = _draft(options, release(version), target, draft, bf16=bf16)
    if not options.enable_lora:
        return found
    return replace(
        found, weights_gib=found.weights_gib + lora_slots_bytes(options, target) / GIB, names=(*found.names, "LoRA")
    )


def _draft(
    options: VllmOptions, version: tuple[int, ...], target: Architecture, draft: Referenced | None, *, bf16: bool
) -> Extras:
    config = options.speculative_config
    if not isinstance(config, DraftModelSpeculation | EagleSpeculation | MtpSpeculation):
        return Extras(names=("speculative decoding",) if config else ())
    tensor = config.draft_tensor_parallel_size or options.tensor_parallel_size
    dtype = effective_dtype(options.dtype or "auto", target.torch_dtype, bf16=bf16)
    ranks = Parallelism(tensor=tensor, expert=bool(options.enable_expert_parallel))
    kv_dtype = config.kv_cache_dtype or options.kv_cache_dtype or "auto"
    if config.model is None:
        layers = target.mtp_layers
        quantization = target.quantization or online_quantization(options.quantization)
        stage = Stage(layers=layers, first=False, last=False)
        # Each layer first joins the token's embedding with the hidden state: a projection from twice the hidden size.
        joined = layers * 2 * target.hidden_size**2 * DTYPE_BYTES[dtype]
        weights = stage_weights_bytes(target, stage, ranks, quantization, dtype, version) + joined
        return Extras(
            weights_gib=weights / GIB,
            kv_bytes_per_token=_kv_bytes(target, layers, tensor, kv_dtype, dtype),
            names=("multi-token prediction" if layers else "multi-token-prediction layers of unknown size",),
        )
    shape, size = (draft.architecture, draft.weights_size) if draft else (None, None)
    if shape is None and size is None:
        return Extras(
            kv_bytes_per_token=_kv_bytes(target, 1, tensor, kv_dtype, dtype), names=("a draft of unknown size",)
        )
    if shape is None:
        # A head such as EAGLE's has one layer of the model's own shape.
        return Extras(
            weights_gib=(size or 0) / tensor / GIB,
            kv_bytes_per_token=_kv_bytes(target, 1, tensor, kv_dtype, dtype),
            names=("a draft model",),
        )
    quantization = shape.quantization or online_quantization(config.quantization)
    whole = Stage(layers=shape.num_hidden_layers, first=True, last=True)
    return Extras(
        weights_gib=stage_weights_bytes(shape, whole, ranks, quantization, dtype, version) / GIB,
        kv_bytes_per_token=_kv_bytes(shape, shape.num_hidden_layers, tensor, kv_dtype, dtype),
        names=("a draft model",),
    )


def _kv_bytes(shape: Architecture, layers: int, tensor: int, kv_dtype: str, dtype: str) -> int:
    if not layers:
        return 0
    layout = kv_layout(
        shape, layers=layers, tensor=tensor, kv_cache_dtype=kv_dtype, dtype=dtype, batched_tokens=0, hopper=False
    )
    return layout.bytes_per_token


def lora_slots_bytes(options: VllmOptions, shape: Architecture) -> float:
    """Bytes of the LoRA buffers on one GPU: `maxLoras` slots of `maxLoraRank` for every linear layer, embedding and output layer.

    Of a pair of matrices, tensor parallelism divides the one at the divided side of the layer, with fullyShardedLoras both.
    """
    tensor = options.tensor_parallel_size
    inward = tensor if options.fully_sharded_loras else 1
    stages = options.pipeline_parallel_size
    rank = options.max_lora_rank or DEFAULT_LORA_RANK
    elements = rank * _lora_width(shape, tensor, inward) / stages
    elements += rank * (2 * shape.hidden_size + 2 * shape.vocab_size)
    width = 2 if options.lora_dtype in (None, "auto", "float16", "bfloat16") else 4
    return (options.max_loras or 1) * elements * width


def lora_adapter_bytes(options: VllmOptions, shape: Architecture) -> float:
    """Bytes of one adapter of `maxLoraRank` in host memory, as each rank keeps it, whole."""
    return (options.max_lora_rank or DEFAULT_LORA_RANK) * _lora_width(shape, 1, 1) * 2


def _lora_width(shape: Architecture, tensor: int, inward: int) -> float:
    """Of all layers: the widths of both sides of every linear layer, as one GPU holds them."""
    hidden, heads = shape.hidden_size, shape.num_attention_heads * shape.head_dim
    kv = shape.num_key_value_heads * shape.head_dim
    attention = 3 * hidden / inward + (heads + 2 * kv) / tensor + heads / tensor + hidden / inward
    moe = shape.expert_layers
    dense = shape.feed_forward_layers - moe
    up = shape.mlp_matrices - 1

    def mlp(width: int) -> float:
        return up * (hidden / inward + width / tensor) + width / tensor + hidden / inward

    found = shape.kv_layers * attention + dense * mlp(shape.intermediate_size or 0)
    if moe:
        experts = (shape.num_experts or 0) * mlp(shape.moe_intermediate_size or 0)
        found += moe * (experts + mlp(shape.shared_expert_intermediate_size))
    return found
