"""The shape of a language model: what a Hugging Face config.json says, in one frozen record."""

from dataclasses import dataclass
from typing import Literal

Dtype = Literal["bfloat16", "float16", "float32"]
DTYPE_BYTES: dict[str, int] = {"bfloat16": 2, "float16": 2, "float32": 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """How a checkpoint stores its weights.

    `method`: the `quant_method` of config.json (awq, gptq, fp8, compressed-tensors, modelopt, mxfp4, nvfp4, ...).
    `bits`: bits of one stored weight. `group_size`: weights that share one scale (None: one scale per output channel or
    tensor, which is too little to count). `block`: the scale covers a square of `group_size` x `group_size` weights.
    `scale_bits`: bits of one scale. `zero_points`: each group also stores a zero point of `bits` bits (AWQ, asymmetric GPTQ).
    `unquantized`: the parts that stay in the model's dtype; names as in `catalog.parameters`.
    """

    method: str
    bits: int
    group_size: int | None = None
    block: bool = False
    scale_bits: int = 16
    zero_points: bool = False
    unquantized: tuple[str, ...] = ()
    unquantized_share: tuple[tuple[str, float], ...] = ()
    """Parts of which a share of the layers stays unquantized."""

    def quantized_share(self, part: str) -> float:
        """The share of a part's weights that is stored quantized, from 0 to 1."""
        return 0.0 if part in self.unquantized else 1 - dict(self.unquantized_share).get(part, 0.0)

    @property
    def bits_per_weight(self) -> float:
        """Stored bits per weight, scales and zero points included."""
        if self.group_size is None:
            return float(self.bits)
        shared = self.group_size**2 if self.block else self.group_size
        return self.bits + (self.scale_bits + (self.bits if self.zero_points else 0)) / shared


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearAttention:
    """Layers that keep a state of fixed size per request instead of keys and values: Gated DeltaNet and Mamba2.

    For Mamba2, `key_heads` is `n_groups`, `key_dim` the state size, `value_heads` the number of heads.
    """

    kind: Literal["gated_delta_net", "mamba2"]
    layers: int
    key_heads: int
    key_dim: int
    value_heads: int
    value_dim: int
    conv_kernel: int
    state_dtype: Dtype = "bfloat16"


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One model. Counts are whole numbers; sizes are in elements unless the name says bytes.

    A row of `catalog/data/models.json`, or a config.json read by `catalog.models.from_config_json`. Fields keep the names of
    config.json where it has one. None: the model has no such part. `gated` None: unknown.
    """

    name: str
    hf_id: str
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    vocab_size: int
    max_position_embeddings: int
    params: int
    torch_dtype: Dtype
    model_type: str | None = None
    tie_word_embeddings: bool = False
    gated: bool | None = None
    intermediate_size: int | None = None
    """Width of the dense MLP; None when every layer is a mixture of experts."""
    mlp_matrices: int = 3
    """Matrices of one MLP: 3 with a gate (gate, up, down), 2 without."""
    attention_layers: int | None = None
    """Layers with keys and values; None: all layers less the linear-attention ones."""
    mlp_layers: int | None = None
    """Layers with an MLP or experts; None: all. Nemotron-H style models interleave them with the others."""
    attention_output_gate: bool = False
    """The query projection is doubled for an output gate (Qwen3-Next, Qwen3.5)."""
    # Mixture of experts
    num_experts: int | None = None
    num_experts_per_tok: int | None = None
    moe_intermediate_size: int | None = None
    shared_expert_intermediate_size: int = 0
    """Width of all shared experts of one layer together."""
    first_k_dense_replace: int = 0
    moe_layers: int | None = None
    """Layers with experts; None: every MLP layer after `first_k_dense_replace`."""
    # Multi-head latent attention and its sparse indexer
    kv_lora_rank: int | None = None
    q_lora_rank: int | None = None
    qk_rope_head_dim: int | None = None
    qk_nope_head_dim: int | None = None
    v_head_dim: int | None = None
    index_n_heads: int | None = None
    index_head_dim: int | None = None
    index_layers: int | None = None
    """Layers with an indexer of their own; None: all (GLM-5.2 shares one between layers)."""
    # Sliding-window (or chunked local) layers
    sliding_window: int | None = None
    sliding_layers: int = 0
    sliding_chunked: bool = False
    """Chunked local attention (Llama 4) instead of a sliding window."""
    sliding_head_dim: int | None = None
    sliding_key_value_heads: int | None = None
    """Head size and KV heads of the sliding layers where they differ from the full-attention ones (Gemma 4)."""
    keys_are_values: bool = False
    """The full-attention layers have no value projection (Gemma 4); keys and values are still cached separately."""
    rotary_dim: int | None = None
    """Width of the rotary embedding; None: the head size."""
    linear_attention: LinearAttention | None = None
    # Parts beside the language model
    vision_params: int = 0
    vision_replicated: bool = False
    """vLLM holds the vision tower whole on every tensor-parallel rank (Pixtral); else it divides it."""
    other_params: int = 0
    """Loaded parameters that fit nowhere else (per-layer embeddings, extra projections)."""
    mtp_layers: int = 0
    """Multi-token-prediction layers in the checkpoint; not loaded without speculative decoding, not in `params`."""
    quantization: Quantization | None = None
    weights_bytes: int | None = None
    """Published size of the checkpoint's weight files, where a source gives it."""
    base: str | None = None
    source: str | None = None
    date: str | None = None
    confidence: str | None = None

    @property
    def mla(self) -> bool:
        """Whether keys and values are cached as one latent vector that every tensor-parallel rank holds whole."""
        return self.kv_lora_rank is not None

    @property
    def kv_layers(self) -> int:
        """Layers with a KV cache, sliding ones included."""
        if self.attention_layers is not None:
            return self.attention_layers
        return self.num_hidden_layers - (self.linear_attention.layers if self.linear_attention else 0)

    @property
    def feed_forward_layers(self) -> int:
        """Layers with a dense MLP or experts."""
        return self.num_hidden_layers if self.mlp_layers is None else self.mlp_layers

    @property
    def expert_layers(self) -> int:
        """Layers whose feed-forward part is a mixture of experts."""
        if not self.num_experts:
            return 0
        return self.feed_forward_layers - self.first_k_dense_replace if self.moe_layers is None else self.moe_layers
