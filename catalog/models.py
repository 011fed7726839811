"""The model table: architectures by name, and the size of their weights.

Data: `catalog/data/models.json`, one row a line, each with its source. A row with `base` takes the shape of that row and differs in
its Hugging Face id and quantization (AWQ, GPTQ, FP8 checkpoints).
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from catalog.architecture import DTYPE_BYTES, Architecture, LinearAttention, Quantization
from catalog.model_config import from_config_json
from catalog.parameters import part_bytes, parts, total

__all__ = ["Architecture", "LinearAttention", "Quantization", "find", "from_config_json", "models", "weights_bytes"]

_FIELDS = frozenset(field.name for field in fields(Architecture))


def models(overrides: Mapping[str, Architecture] | None = None) -> Mapping[str, Architecture]:
    """Every known architecture by its short name; a stack's `overrides` replace or extend the table."""
    return MappingProxyType({**_table(), **overrides}) if overrides else _table()


def find(hf_id: str, overrides: Mapping[str, Architecture] | None = None) -> Architecture | None:
    """The architecture of a Hugging Face repository, compared without regard to case; None when the table lacks it."""
    wanted = hf_id.casefold()
    if overrides:
        for arch in overrides.values():
            if arch.hf_id.casefold() == wanted:
                return arch
    return _by_id().get(wanted)


def weights_bytes(arch: Architecture, quantization: Quantization | None = None, dtype: str | None = None) -> int:
    """Bytes of the weights as stored: the published size where it is known, else computed from the shape.

    `quantization`: instead of the checkpoint's own. `dtype`: of what stays unquantized, default the checkpoint's; one of
    bfloat16, float16, float32. Raises ValueError on another dtype.
    """
    if dtype is not None and dtype not in DTYPE_BYTES:
        raise ValueError(f"dtype {dtype!r} isn't known: use one of {', '.join(DTYPE_BYTES)}")
    if quantization is None and dtype is None and arch.weights_bytes is not None:
        return arch.weights_bytes
    width = DTYPE_BYTES[dtype or arch.torch_dtype]
    stored = quantization or arch.quantization
    return round(sum(part_bytes(part, count, stored, width) for part, count in parts(arch).items()))


@cache
def _table() -> Mapping[str, Architecture]:
    rows = json.loads((files("catalog") / "data" / "models.json").read_text(encoding="utf-8"))["models"]
    raw: dict[str, dict[str, Any]] = {}
    for row in rows:
        merged = {**raw[row["base"]], **row} if "base" in row else row
        raw[row["name"]] = merged
    return MappingProxyType({name: from_row(row) for name, row in raw.items()})


@cache
def _by_id() -> Mapping[str, Architecture]:
    return {arch.hf_id.casefold(): arch for arch in _table().values()}


def from_row(row: Mapping[str, Any]) -> Architecture:
    """An architecture from one row of the table or from a stack's inline fields.

    Raises ValueError that names an unknown or missing field.
    """
    if unknown := sorted(row.keys() - _FIELDS):
        raise ValueError(f"architecture {row.get('name', '?')}: unknown field {unknown[0]}; allowed: {', '.join(sorted(_FIELDS))}")
    values = dict(row)
    if quantization := values.get("quantization"):
        values["quantization"] = Quantization(**{**quantization, "unquantized": tuple(quantization.get("unquantized", ()))})
    if linear := values.get("linear_attention"):
        values["linear_attention"] = LinearAttention(**linear)
    values.setdefault("params", 0)
    try:
        arch = Architecture(**values)
    except TypeError as error:
        raise ValueError(f"architecture {row.get('name', '?')}: {error}") from None
    if arch.params:
        return arch
    from dataclasses import replace

    return replace(arch, params=total(arch))
