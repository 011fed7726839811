"""Reads the `quantization_config` of a config.json.

Formats: https://github.com/vllm-project/vllm, vllm/model_executor/layers/quantization (0.33.0).
"""

import re
from collections.abc import Mapping, Sequence
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


def quantization_from_config(config: Mapping[str, Any] | None) -> Quantization | None:
    """What `quantization_config` says, or None when the checkpoint isn't quantized.

    A method that isn't known is kept by name with the bits that the config gives. Raises ValueError when it gives none.
    """
    if not config:
        return None
    method = str(config.get("quant_method") or config.get("method") or "").lower().replace("_", "-")
    kept = (*_KEPT, *_ignored(config))
    if method in ("awq", "gptq", "auto-round", "awq-marlin", "gptq-marlin"):
        bits = config.get("bits") or config.get("w_bit")
        if not isinstance(bits, int):
            raise ValueError(f"quantization_config ({method}): bits is missing")
        group = config.get("group_size", config.get("q_group_size", 128))
        zero = config.get("zero_point", not config.get("sym", True))
        return Quantization(
            method=method, bits=bits, group_size=group if group and group > 0 else None, zero_points=bool(zero), unquantized=kept
        )
    if method in ("fp8", "fbgemm-fp8", "deepseek-v4-fp8"):
        block = config.get("weight_block_size")
        size = block[0] if isinstance(block, Sequence) and block else None
        return Quantization(method="fp8", bits=8, group_size=size, block=size is not None, scale_bits=32, unquantized=kept)
    if method == "mxfp4":
        attention = ("attention", "attention_output", "attention_replicated", "mlp", "shared_experts")
        return Quantization(method="mxfp4", bits=4, group_size=32, scale_bits=8, unquantized=tuple(dict.fromkeys((*kept, *attention))))
    if method == "modelopt":
        algorithm = str(config.get("quant_algo") or (config.get("quantization") or {}).get("quant_algo") or "FP8").upper()
        if "NVFP4" in algorithm or "FP4" in algorithm:
            return Quantization(method="modelopt", bits=4, group_size=16, scale_bits=8, unquantized=kept)
        return Quantization(method="modelopt", bits=8, unquantized=kept)
    if method == "compressed-tensors":
        return _compressed_tensors(config, kept)
    bits = config.get("bits") or config.get("weight_bits")
    if not isinstance(bits, int):
        raise ValueError(f"quantization_config: method {method or 'missing'} isn't known and it gives no bits")
    return Quantization(method=method, bits=bits, group_size=config.get("group_size"), unquantized=kept)


def _compressed_tensors(config: Mapping[str, Any], kept: tuple[str, ...]) -> Quantization:
    groups = config.get("config_groups") or {}
    weights = next((group.get("weights") for group in groups.values() if group.get("weights")), None)
    if not weights or not isinstance(weights.get("num_bits"), int):
        raise ValueError("quantization_config (compressed-tensors): config_groups.*.weights.num_bits is missing")
    bits, group = weights["num_bits"], weights.get("group_size")
    block = weights.get("block_structure")
    if isinstance(block, Sequence) and block and weights.get("strategy") == "block":
        return Quantization(method="compressed-tensors", bits=bits, group_size=block[0], block=True, scale_bits=32, unquantized=kept)
    small_float = weights.get("type") == "float" and bits == 4
    return Quantization(
        method="compressed-tensors",
        bits=bits,
        group_size=group if group and group > 0 else None,
        scale_bits=8 if small_float else 16,
        zero_points=weights.get("symmetric") is False,
        unquantized=kept,
    )


def _ignored(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Parts that the list of excluded modules keeps in the model's dtype.

    An entry for one layer counts for its part when at least half of the layers that the list names have such an entry.
    """
    entries: list[str] = []
    for key in ("ignore", "modules_to_not_convert", "ignored_layers", "exclude_modules"):
        entries.extend(str(item).lower() for item in config.get(key) or ())
    layers = {part: set() for part in _MODULES}  # type: dict[str, set[str]]
    seen = set()
    for entry in entries:
        number = _LAYER.search(entry)
        if number:
            seen.add(number[1])
        for part in _parts_of(entry):
            layers[part].add(number[1] if number else "*")
    return tuple(part for part, found in layers.items() if "*" in found or (found and len(found) * 2 >= len(seen)))


def _parts_of(entry: str) -> tuple[str, ...]:
    """Parts that one entry names: whole blocks such as `self_attn*`, or single projections."""
    plain = entry.removeprefix("re:").replace("\\", "").rstrip(".*$")
    if plain.endswith("self_attn"):
        return ("attention", "attention_output", "attention_replicated")
    if "(gate|up|gate_up|down)_proj" in plain and "expert" not in plain:
        return ("mlp",)
    if plain.endswith(("shared_expert_gate", "mlp.gate")):
        return ()
    found = []
    for part, names in _MODULES.items():
        if any(plain.endswith(name) or (name in ("linear_attn", "shared_expert", "shared_experts") and f".{name}." in f".{plain}.") for name in names):
            found.append(part)
    if "expert" in plain:
        found = [part for part in found if part == "shared_experts"]
    return tuple(found)
