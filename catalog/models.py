"""The model table: architectures by name, and the size of their weights.

Data: `catalog/data/models.json`, one row a line, each with its source. A row with `base` takes the shape of that row and differs in
its Hugging Face id and quantization (AWQ, GPTQ, FP8 checkpoints).
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache
from types import MappingProxyType
from typing import Any

from catalog.architecture import DTYPE_BYTES, Architecture, LinearAttention, Quantization
from catalog.model_config import from_config_json
from catalog.parameters import part_bytes, parts, total
from catalog.rows import Row, load

__all__ = ["Architecture", "LinearAttention", "Quantization", "find", "from_config_json", "models", "weights_bytes"]

Overrides = Mapping[str, Architecture | Row]

_FIELDS = frozenset(field.name for field in fields(Architecture))


def models(overrides: Overrides | None = None) -> Mapping[str, Architecture]:
    """Every known architecture by its short name; a stack's `overrides` replace or extend the table.

    An override is an `Architecture`, or a mapping of fields: with `base` it takes the shape of that row, with the name of a
    shipped row it patches it, else it is a complete new row. Raises ValueError that names the row and the field.
    """
    return _with(overrides) if overrides else _table()


def _with(overrides: Overrides) -> Mapping[str, Architecture]:
    return MappingProxyType({**_table(), **{name: _override(name, row) for name, row in overrides.items()}})


def find(hf_id: str, overrides: Overrides | None = None) -> Architecture | None:
    """The architecture of a Hugging Face repository, compared without regard to case; None when the table lacks it."""
    wanted = hf_id.casefold()
    for name, row in (overrides or {}).items():
        arch = _override(name, row)
        if arch.hf_id.casefold() == wanted:
            return arch
    shipped = _names().get(wanted)
    return None if shipped is None or (overrides and shipped in overrides) else _shipped(shipped)


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
    return MappingProxyType({name: _shipped(name) for name in _rows()})


@cache
def _shipped(name: str) -> Architecture:
    return from_row(_rows()[name])


@cache
def _rows() -> Mapping[str, Row]:
    rows: dict[str, Row] = {}
    for row in load("models.json")["models"]:
        rows[row["name"]] = {**rows[row["base"]], **row} if "base" in row else row
    return rows


@cache
def _names() -> Mapping[str, str]:
    return {row["hf_id"].casefold(): name for name, row in _rows().items()}


def _override(name: str, row: Architecture | Row) -> Architecture:
    if isinstance(row, Architecture):
        return row
    base = row.get("base", name)
    if base not in _rows() and "base" in row:
        raise ValueError(f"architecture {name}: base {base!r} isn't in the table")
    own = {"params", "source", "date", "confidence"} | ({"hf_id"} if base != name else set())
    shape = {key: value for key, value in _rows().get(base, {}).items() if key not in own}
    return from_row({"hf_id": name, **shape, **row, "name": name})


def from_row(row: Row) -> Architecture:
    """An architecture from one row of the table or from a stack's inline fields.

    Raises ValueError that names an unknown or missing field.
    """
    place = f"architecture {row.get('name', '?')}"
    if unknown := sorted(row.keys() - _FIELDS):
        raise ValueError(f"{place}: {unknown[0]} is not a field; the fields are {', '.join(sorted(_FIELDS))}")
    values = {"hf_id": row.get("name"), **row}
    values.setdefault("params", 0)
    try:
        if quantization := values.get("quantization"):
            values["quantization"] = _quantization(quantization)
        if linear := values.get("linear_attention"):
            values["linear_attention"] = linear if isinstance(linear, LinearAttention) else LinearAttention(**linear)
        arch = Architecture(**values)
    except TypeError as error:
        raise ValueError(f"{place}: {str(error).partition('() ')[2]}") from None
    return arch if arch.params else replace(arch, params=total(arch))


def _quantization(value: Quantization | Row) -> Quantization:
    if isinstance(value, Quantization):
        return value
    fields_of: dict[str, Any] = dict(value)
    fields_of["unquantized"] = tuple(value.get("unquantized", ()))
    fields_of["unquantized_share"] = tuple(dict(value.get("unquantized_share", {})).items())
    return Quantization(**fields_of)
