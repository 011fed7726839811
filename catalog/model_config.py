"""Reads a Hugging Face config.json into an `Architecture`.

Key names: the configuration classes of transformers (https://github.com/huggingface/transformers, src/transformers/models/*).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from catalog.architecture import Architecture, Dtype, Quantization
from catalog.model_layers import layer_kinds, need, vision_parameters
from catalog.model_quantization import quantization_from_config
from catalog.parameters import total

Config = Mapping[str, Any]

_ALWAYS_TIED = ("gemma", "gemma2", "gemma3", "gemma3_text", "gemma4", "gemma4_text", "cohere", "cohere2")
"""Model types whose configuration class ties the embeddings when config.json doesn't say (transformers)."""


def from_config_json(config: Config, *, name: str, params: int | None = None) -> Architecture:
    """The architecture that a config.json describes; multimodal files are read through their `text_config`.

    `name`: how messages call the model; also its Hugging Face id. `params`: all parameters, when the model card gives them;
    else they are computed from the shape, without vision and audio towers.
    Raises ValueError that names the missing key.
    """
    text = config.get("text_config") or config.get("llm_config") or config
    _refuse_unknown(text, name)
    heads = need(text, name, "num_attention_heads")
    hidden = need(text, name, "hidden_size")
    model_type = text.get("model_type") or config.get("model_type")
    shape: dict[str, Any] = {
        "num_key_value_heads": text.get("num_key_value_heads") or heads,
        "head_dim": text.get("head_dim") or hidden // heads,
        **_feed_forward(text, name, model_type),
        **_latent_attention(text),
        **layer_kinds(text, name, model_type),
    }
    arch = Architecture(
        name=name,
        hf_id=name,
        model_type=model_type,
        hidden_size=hidden,
        num_hidden_layers=need(text, name, "num_hidden_layers"),
        num_attention_heads=heads,
        vocab_size=need(text, name, "vocab_size"),
        max_position_embeddings=need(text, name, "max_position_embeddings"),
        tie_word_embeddings=_tied(config, text, model_type),
        torch_dtype=_dtype(config, text),
        params=params or 0,
        mtp_layers=text.get("num_nextn_predict_layers") or text.get("mtp_num_hidden_layers") or 0,
        source="config.json",
        **shape,
    )
    arch = replace(arch, quantization=_quantization(config, text, arch, name))
    try:
        hash(arch)
    except TypeError:
        raise ValueError(f"{name}: config.json has a list or a mapping where one value belongs") from None
    if params is None:
        arch = replace(arch, vision_params=vision_parameters(config.get("vision_config"), hidden))
        return replace(arch, params=total(arch))
    # What the language model's shape doesn't explain is loaded all the same; in a multimodal file it is the vision tower.
    rest = max(params - total(arch), 0)
    return replace(arch, vision_params=rest) if config.get("vision_config") else replace(arch, other_params=rest)


_UNKNOWN_LAYOUTS = {
    "compress_ratios": "compressed KV cache (DeepSeek-V4)",
    "linear_attn_config": "Kimi Delta Attention",
    "layers_block_type": "Mamba blocks in a list",
    "block_configs": "layers of different widths (Puzzle)",
    "num_kv_shared_layers": "KV cache shared between layers",
    "hybrid_layer_pattern": "layers of different attention widths",
    "attention_other_setting": "layers of different attention widths",
    "moe_latent_size": "experts in a latent space",
    "hidden_size_per_layer_input": "per-layer embeddings",
}
"""Keys of config.json that change the memory layout in a way that isn't modelled: refused rather than guessed."""


def _refuse_unknown(text: Config, name: str) -> None:
    for key, meaning in _UNKNOWN_LAYOUTS.items():
        if text.get(key):
            raise ValueError(f"config.json of {name}: {key} means {meaning}, whose memory isn't known here")
    if text.get("model_type") == "nemotron_h" and "hybrid_override_pattern" not in text:
        raise ValueError(f"config.json of {name}: hybrid_override_pattern is missing; nemotron_h needs it")


def _quantization(config: Config, text: Config, arch: Architecture, name: str) -> Quantization | None:
    attention, linear = arch.kv_layers, arch.linear_attention.layers if arch.linear_attention else 0
    layers = {
        "attention": attention,
        "attention_output": attention,
        "attention_replicated": attention,
        "linear_attention": linear,
        "mlp": arch.feed_forward_layers - arch.expert_layers,
        "shared_experts": arch.expert_layers,
    }
    try:
        return quantization_from_config(
            config.get("quantization_config") or text.get("quantization_config"),
            {part: count for part, count in layers.items() if count},
        )
    except ValueError as error:
        raise ValueError(f"config.json of {name}: {error}") from None


def _tied(config: Config, text: Config, model_type: str | None) -> bool:
    for source in (text, config):
        if isinstance(tied := source.get("tie_word_embeddings"), bool):
            return tied
    return model_type in _ALWAYS_TIED


def _dtype(config: Config, text: Config) -> Dtype:
    for source in (text, config):
        value = source.get("torch_dtype") or source.get("dtype")
        if value in ("bfloat16", "float16", "float32"):
            return cast(Dtype, value)
    return "bfloat16"


def _feed_forward(text: Config, name: str, model_type: str | None) -> dict[str, Any]:
    """The dense MLP and the mixture of experts."""
    intermediate = text.get("intermediate_size")
    experts = text.get("num_local_experts") or text.get("num_experts") or text.get("n_routed_experts") or 0
    matrices = 2 if model_type in ("phi", "gpt2", "gpt_neox", "nemotron", "nemotron_h") else 3
    if not experts or experts == 1:
        return {"intermediate_size": intermediate or need(text, name, "intermediate_size"), "mlp_matrices": matrices}
    layers = need(text, name, "num_hidden_layers")
    width = text.get("moe_intermediate_size") or text.get("expert_ffn_hidden_size") or intermediate
    if not width:
        raise ValueError(f"config.json of {name}: moe_intermediate_size is missing; a positive whole number is needed")
    shared = text.get("shared_expert_intermediate_size") or text.get("moe_shared_expert_intermediate_size") or 0
    if not shared:
        shared = (text.get("n_shared_experts") or text.get("num_shared_experts") or 0) * width
    dense_width = intermediate
    step = text.get("interleave_moe_layer_step") or text.get("decoder_sparse_step") or text.get("moe_layer_freq") or 1
    if model_type in ("llama4", "llama4_text"):
        shared, dense_width = width, text.get("intermediate_size_mlp")
    if text.get("enable_moe_block"):  # Gemma 4 runs a dense MLP beside the experts in every layer
        shared = intermediate or 0
    first_dense = text.get("first_k_dense_replace") or 0
    moe_layers = None
    if isinstance(step, Sequence):
        moe_layers = sum(1 for flag in step if flag)
    elif step > 1:
        moe_layers = layers // step
    if dense := text.get("mlp_only_layers"):
        moe_layers = (layers if moe_layers is None else moe_layers) - len(dense)
    all_experts = not first_dense and moe_layers in (None, layers) and "hybrid_override_pattern" not in text
    return {
        "intermediate_size": None if all_experts else dense_width,
        "mlp_matrices": matrices,
        "num_experts": experts,
        "num_experts_per_tok": text.get("num_experts_per_tok") or text.get("top_k_experts") or text.get("moe_topk"),
        "moe_intermediate_size": width,
        "shared_expert_intermediate_size": shared,
        "first_k_dense_replace": first_dense,
        "moe_layers": moe_layers,
    }


def _latent_attention(text: Config) -> dict[str, Any]:
    if not text.get("kv_lora_rank"):
        return {}
    keys = (
        "kv_lora_rank",
        "q_lora_rank",
        "qk_rope_head_dim",
        "qk_nope_head_dim",
        "v_head_dim",
        "index_n_heads",
        "index_head_dim",
    )
    types = text.get("indexer_types")
    return {**{key: text.get(key) for key in keys}, "index_layers": types.count("full") if types else None}
