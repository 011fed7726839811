"""Fields of TensorRT-LLM's backend options (`TorchLlmArgs`) by version, with those of its nested classes.

Data and source: data/tensorrt-llm_fields_<version>.json.
"""

from collections.abc import Mapping
from functools import cache

from catalog import rows
from catalog.options import Overrides

_PREFIX = "tensorrt-llm_fields_"
TOP = "TorchLlmArgs"
"""The name that `fields` has the outermost class under; nested ones are under their field."""


def fields(version: str, overrides: Overrides | None = None) -> Mapping[str, frozenset[str]] | None:
    """Names of the fields of each class; None for a version whose fields aren't known.

    A version that the stack describes as `like` another has that one's fields.
    """
    base = (overrides or {}).get(version, {}).get("like") or version
    return _known(base) if f"{_PREFIX}{base}.json" in rows.files(f"{_PREFIX}*.json") else None


@cache
def _known(version: str) -> Mapping[str, frozenset[str]]:
    table = rows.load(f"{_PREFIX}{version}.json")["rows"]
    return {name: frozenset(names) for name, names in table.items()}
