"""Which kinds of layers a config.json describes, and how large its vision tower is."""

from collections.abc import Mapping, Sequence
from typing import Any

from catalog.architecture import LinearAttention

Config = Mapping[str, Any]


def need(text: Config, name: str, key: str) -> int:
    """A positive whole number of config.json. Raises ValueError that names the key."""
    value = text.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        found = "is missing" if value is None else f"is {value!r}"
        raise ValueError(f"config.json of {name}: {key} {found}; a positive whole number is needed")
    return value


def vision_parameters(vision: Config | None, text_hidden: int) -> int:
    """Parameters of a vision transformer and its projector: 0 without one, or when the config has other keys.

    Attention and MLP of each layer, patch embedding, and a merger of `spatial_merge_size` squared patches to the text width.
    """
    if not vision:
        return 0
    hidden = vision.get("hidden_size") or vision.get("vt_hidden_size")
    layers = vision.get("depth") or vision.get("num_hidden_layers") or vision.get("vt_num_hidden_layers")
    width = vision.get("intermediate_size") or vision.get("vt_intermediate_size")
    if not (hidden and layers and width):
        return 0
    gemma4 = str(vision.get("model_type")).startswith("gemma4")
    matrices = 3 if gemma4 or vision.get("hidden_act") == "silu" else 2
    patch = (vision.get("patch_size") or 16) ** 2 * 3 * (vision.get("temporal_patch_size") or 1) * hidden
    merged = hidden * (vision.get("spatial_merge_size") or 1) ** 2
    mergers = 1 + len(vision.get("deepstack_visual_indexes") or ())
    out = vision.get("out_hidden_size") or text_hidden
    return layers * (4 * hidden**2 + matrices * hidden * width) + patch + mergers * (merged**2 + merged * out)


def layer_kinds(text: Config, name: str, model_type: str | None) -> dict[str, Any]:
    """Which layers slide, which keep a fixed-size state, which have no attention."""
    layers = need(text, name, "num_hidden_layers")
    if pattern := text.get("hybrid_override_pattern"):
        return _nemotron_h(text, name, pattern)
    types: Sequence[str] = text.get("layer_types") or ()
    if text.get("num_global_key_value_heads"):
        return _gemma4(text, name, types)
    linear = sum(kind == "linear_attention" for kind in types)
    if not types and (interval := text.get("full_attention_interval")):
        linear = layers - layers // interval
    if linear and "linear_num_value_heads" in text:
        state = LinearAttention(
            kind="gated_delta_net",
            layers=linear,
            key_heads=need(text, name, "linear_num_key_heads"),
            key_dim=need(text, name, "linear_key_head_dim"),
            value_heads=need(text, name, "linear_num_value_heads"),
            value_dim=need(text, name, "linear_value_head_dim"),
            conv_kernel=need(text, name, "linear_conv_kernel_dim"),
            state_dtype=text.get("mamba_ssm_dtype") or "bfloat16",
        )
        return {"linear_attention": state, "attention_output_gate": text.get("attn_output_gate", True)}
    if linear:
        raise ValueError(
            f"config.json of {name}: layer_types has linear_attention of a kind that isn't known (model_type {model_type})"
        )
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
        key_heads=need(text, name, "n_groups"),
        key_dim=need(text, name, "ssm_state_size"),
        value_heads=need(text, name, "mamba_num_heads"),
        value_dim=need(text, name, "mamba_head_dim"),
        conv_kernel=need(text, name, "conv_kernel"),
        state_dtype=text.get("mamba_ssm_cache_dtype") or "float32",
    )
    experts = pattern.count("E")
    dense = pattern.count("-")
    return {
        "linear_attention": mamba,
        "attention_layers": pattern.count("*"),
        "mlp_layers": experts + dense,
        "intermediate_size": text.get("intermediate_size") if dense else None,
        **({"moe_layers": experts} if experts else {}),
    }


def _gemma4(text: Config, name: str, types: Sequence[str]) -> dict[str, Any]:
    """Full-attention layers have fewer, wider heads than the sliding ones, and may take their values from the keys."""
    return {
        "sliding_window": need(text, name, "sliding_window"),
        "sliding_layers": sum(kind == "sliding_attention" for kind in types),
        "num_key_value_heads": need(text, name, "num_global_key_value_heads"),
        "head_dim": need(text, name, "global_head_dim"),
        "sliding_key_value_heads": need(text, name, "num_key_value_heads"),
        "sliding_head_dim": need(text, name, "head_dim"),
        "keys_are_values": bool(text.get("attention_k_eq_v")),
    }
