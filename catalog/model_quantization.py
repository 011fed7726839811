"""Reads the `quantization_config` of a config.json.

Formats: https://github.com/vllm-project/vllm, vllm/model_executor/layers/quantization (0.33.0).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from catalog.architecture import Quantization

_LAYER = re.compile(r"layers\.(\d+)\.")
_KEPT = ("embedding", "lm_head", "router", "norm", "vision", "other")
"""Parts that no known quantization tool converts by default."""
_MODULES = {
    "attention": ("q_proj", "k_proj", "v_proj", "qkv_proj", "q_b_proj", "kv_b_proj"),
    "attention_output": ("o_proj",),
    "attention_replicated": ("q_a_proj", "kv_a_proj_with_mqa", "fused_qkv_a_proj"),
    "linear_attention": ("linear_attn", "mixer.in_proj", "mixer.out_proj"),
    "mlp": ("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj", "mlp.gate_up_proj"),
    "shared_experts": ("shared_expert", "shared_experts"),
}
"""Names of the modules that make up a part, as they appear in lists of excluded modules."""


def quantization_from_config(
    config: Mapping[str, Any] | None, layers: Mapping[str, int] | None = None
) -> Quantization | None:
    """What `quantization_config` says, or None when the checkpoint isn't quantized.

    `layers`: how many layers have each part, to tell which share of a part a list of single excluded layers keeps.
    A method that isn't known is kept by name with the bits that the config gives. Raises ValueError when it gives none, or when
    layers have different formats.
    """
    if not config:
        return None
    method = str(config.get("quant_method") or config.get("method") or "").lower().replace("_", "-")
    quantization = _format(method, config)
    whole, share = _excluded(config, layers or {})
    kept = _KEPT if method != "mxfp4" else (*_KEPT, *(part for part in _MODULES if part != "linear_attention"))
    return replace(
        quantization,
        unquantized=tuple(dict.fromkeys((*kept, *whole))),
        unquantized_share=tuple((part, value) for part, value in share.items() if part not in kept),
    )


def _format(method: str, config: Mapping[str, Any]) -> Quantization:
    if method in ("awq", "gptq", "auto-round", "awq-marlin", "gptq-marlin"):
        bits = config.get("bits") or config.get("w_bit")
        if not isinstance(bits, int):
            raise ValueError(f"quantization_config ({method}): bits is missing")
        zero = config.get("zero_point", not config.get("sym", True))
        group = config.get("group_size", config.get("q_group_size", 128))
        return Quantization(method=method, bits=bits, group_size=_group(group), zero_points=bool(zero))
    if method in ("fp8", "fbgemm-fp8"):
        block = config.get("weight_block_size")
        size = block[0] if isinstance(block, Sequence) and block else None
        return Quantization(method="fp8", bits=8, group_size=size, block=size is not None, scale_bits=32)
    if method == "mxfp4":
        return Quantization(method="mxfp4", bits=4, group_size=32, scale_bits=8)
    if method == "modelopt":
        algorithm = str(config.get("quant_algo") or (config.get("quantization") or {}).get("quant_algo")).upper()
        if algorithm == "NVFP4":
            return Quantization(method="modelopt", bits=4, group_size=16, scale_bits=8)
        if algorithm == "FP8":
            return Quantization(method="modelopt", bits=8)
        raise ValueError(f"quantization_config (modelopt): the size of quant_algo {algorithm} isn't known here")
    if method == "compressed-tensors":
        return _compressed_tensors(config)
    bits = config.get("bits") or config.get("weight_bits")
    if not isinstance(bits, int):
        raise ValueError(f"quantization_config: method {method or 'missing'} isn't known and it gives no bits")
    return Quantization(method=method, bits=bits, group_size=_group(config.get("group_size")))


def _group(size: object) -> int | None:
    return size if isinstance(size, int) and size > 0 else None


def _compressed_tensors(config: Mapping[str, Any]) -> Quantization:
    groups = [group["weights"] for group in (config.get("config_groups") or {}).values() if group.get("weights")]
    if not groups or not isinstance(groups[0].get("num_bits"), int):
        raise ValueError("quantization_config (compressed-tensors): config_groups.*.weights.num_bits is missing")
    weights, bits = groups[0], groups[0]["num_bits"]
    if any(group.get("num_bits") != bits for group in groups):
        raise ValueError("quantization_config (compressed-tensors): layers of different num_bits aren't known here")
    block = weights.get("block_structure")
    if weights.get("strategy") == "block" and isinstance(block, Sequence) and block:
        return Quantization(method="compressed-tensors", bits=bits, group_size=int(block[0]), block=True, scale_bits=32)
    small_float = weights.get("type") == "float" and bits == 4
    return Quantization(
        method="compressed-tensors",
        bits=bits,
        group_size=_group(weights.get("group_size")),
        scale_bits=8 if small_float else 16,
        zero_points=weights.get("symmetric") is False,
    )


def _excluded(config: Mapping[str, Any], layers: Mapping[str, int]) -> tuple[list[str], dict[str, float]]:
    """Parts that the list of excluded modules keeps in the model's dtype: as a whole, and by their share of layers."""
    found: dict[str, set[str]] = {}
    for key in ("ignore", "modules_to_not_convert", "ignored_layers", "exclude_modules"):
        for item in config.get(key) or ():
            entry = str(item).lower()
            number = _LAYER.search(entry)
            for part in _parts_of(entry):
                found.setdefault(part, set()).add(number[1] if number else "*")
    shares = {part: 1.0 if "*" in seen else len(seen) / layers.get(part, len(seen)) for part, seen in found.items()}
    return [part for part, share in shares.items() if share >= 1], {p: round(s, 4) for p, s in shares.items() if s < 1}


def _parts_of(entry: str) -> tuple[str, ...]:
    """Parts that one entry names: whole blocks such as `self_attn*`, or single projections."""
    plain = entry.removeprefix("re:").replace("\\", "").rstrip(".*$")
    if plain.endswith("self_attn"):
        return ("attention", "attention_output", "attention_replicated")
    if "(gate|up|gate_up|down)_proj" in plain and "expert" not in plain:
        return ("mlp",)
    if plain.endswith(("shared_expert_gate", "mlp.gate", "conv1d")):
        return ()
    found = []
    for part, names in _MODULES.items():
        if any(
            plain.endswith(name)
            or (name in ("linear_attn", "shared_expert", "shared_experts") and f".{name}." in f".{plain}.")
            for name in names
        ):
            found.append(part)
    if "expert" in plain:
        found = [part for part in found if part == "shared_experts"]
    return tuple(found)
