"""Reads a Hugging Face config.json into an `Architecture`.

Key names: the configuration classes of transformers (https://github.com/huggingface/transformers, src/transformers/models/*).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from catalog.architecture import Architecture, Dtype, LinearAttention
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
    heads = _need(text, name, "num_attention_heads")
    hidden = _need(text, name, "hidden_size")
    model_type = text.get("model_type") or config.get("model_type")
    arch = Architecture(
        name=name,
        hf_id=name,
        model_type=model_type,
        hidden_size=hidden,
        num_hidden_layers=_need(text, name, "num_hidden_layers"),
        num_attention_heads=heads,
        num_key_value_heads=text.get("num_key_value_heads") or heads,
        head_dim=text.get("head_dim") or hidden // heads,
        vocab_size=_need(text, name, "vocab_size"),
        max_position_embeddings=_need(text, name, "max_position_embeddings"),
        tie_word_embeddings=_tied(config, text, model_type),
        torch_dtype=_dtype(config, text),
        params=params or 0,
        mtp_layers=text.get("num_nextn_predict_layers") or text.get("mtp_num_hidden_layers") or 0,
        quantization=quantization_from_config(config.get("quantization_config") or text.get("quantization_config")),
        source="config.json",
        **_feed_forward(text, name, model_type),
        **_latent_attention(text),
        **_layer_kinds(text, name, model_type),
    )
    if params is None:
        return replace(arch, params=total(arch))
    rest = params - total(arch)
    # What the shape doesn't explain is loaded all the same; a multimodal file's rest is its tower.
    multimodal = text is not config
    return replace(arch, vision_params=max(rest, 0)) if multimodal else replace(arch, other_params=max(rest, 0))


def _need(text: Config, name: str, key: str) -> int:
    value = text.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        found = "is missing" if value is None else f"is {value!r}"
        raise ValueError(f"config.json of {name}: {key} {found}; a positive whole number is needed")
    return value


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
        return {"intermediate_size": intermediate or _need(text, name, "intermediate_size"), "mlp_matrices": matrices}
    layers = _need(text, name, "num_hidden_layers")
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
    keys = ("kv_lora_rank", "q_lora_rank", "qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim")
    return {key: text.get(key) for key in (*keys, "index_n_heads", "index_head_dim")}


def _layer_kinds(text: Config, name: str, model_type: str | None) -> dict[str, Any]:
    """Which layers slide, which keep a fixed-size state, which have no attention."""
    layers = _need(text, name, "num_hidden_layers")
    if pattern := text.get("hybrid_override_pattern"):
        return _nemotron_h(text, name, pattern)
    types: Sequence[str] = text.get("layer_types") or ()
    linear = sum(kind == "linear_attention" for kind in types)
    if not types and (interval := text.get("full_attention_interval")):
        linear = layers - layers // interval
    if linear and "linear_num_value_heads" in text:
        state = LinearAttention(
            kind="gated_delta_net",
            layers=linear,
            key_heads=_need(text, name, "linear_num_key_heads"),
            key_dim=_need(text, name, "linear_key_head_dim"),
            value_heads=_need(text, name, "linear_num_value_heads"),
            value_dim=_need(text, name, "linear_value_head_dim"),
            conv_kernel=_need(text, name, "linear_conv_kernel_dim"),
            state_dtype=text.get("mamba_ssm_dtype") or "bfloat16",
        )
        return {"linear_attention": state, "attention_output_gate": text.get("attn_output_gate", True)}
    if linear:
        raise ValueError(f"config.json of {name}: layer_types has linear_attention of a kind that isn't known (model_type {model_type})")
    return _sliding(text, types, layers, model_type)


def _sliding(text: Config, types: Sequence[str], layers: int, model_type: str | None) -> dict[str, Any]:
    chunk = text.get("attention_chunk_size")
    window = text.get("sliding_window")
    if chunk and model_type in ("llama4", "llama4_text"):
        no_rope = text.get("no_rope_layers") or []
        step = text.get("no_rope_layer_interval") or 4
        full = sum(1 for flag in no_rope if not flag) if no_rope else layers // step
        return {"sliding_window": chunk, "sliding_layers": layers - full, "sliding_chunked": True}
    if not isinstance(window, int) or text.get("use_sliding_window") is False:
        return {}
    if types:
        sliding = sum(kind == "sliding_attention" for kind in types)
    elif pattern := text.get("sliding_window_pattern"):
        sliding = layers - layers // pattern
    elif model_type in ("gemma2", "gpt_oss"):
        sliding = (layers + 1) // 2
    elif model_type in ("gemma3", "gemma3_text"):
        sliding = layers - layers // 6
    else:
        sliding = layers
    return {"sliding_window": window, "sliding_layers": sliding} if sliding else {}


def _nemotron_h(text: Config, name: str, pattern: str) -> dict[str, Any]:
    mamba = LinearAttention(
        kind="mamba2",
        layers=pattern.count("M"),
        key_heads=_need(text, name, "n_groups"),
        key_dim=_need(text, name, "ssm_state_size"),
        value_heads=_need(text, name, "mamba_num_heads"),
        value_dim=_need(text, name, "mamba_head_dim"),
        conv_kernel=_need(text, name, "conv_kernel"),
        state_dtype=text.get("mamba_ssm_cache_dtype") or "float32",
    )
    experts = pattern.count("E")
    return {
        "linear_attention": mamba,
        "attention_layers": pattern.count("*"),
        "mlp_layers": experts + pattern.count("-"),
        **({"moe_layers": experts} if experts else {}),
    }
