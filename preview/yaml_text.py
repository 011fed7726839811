"""YAML text for Kubernetes tools: block style, no aliases, the same bytes for the same value.

Maps are sorted by key except that what identifies an object or a list item comes first. Strings that any YAML
reader (YAML 1.1 or 1.2, as in PyYAML and Go's yaml) could take for something else are quoted. Multi-line strings
are literal blocks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from preview.values import Secret, Unknown

_FIRST_OF_OBJECT = ("apiVersion", "kind", "metadata", "spec")
_FIRST_OF_METADATA = ("name", "namespace")
_FIRST_OF_ITEM = ("name",)

# PyYAML follows YAML 1.1 closely and leaves `1e3`, `0o17` and `y` plain; Go's yaml reads those as numbers and a bool.
_LOOKS_LIKE_A_NUMBER = re.compile(r"[-+.0-9][-+.0-9_a-fA-FoOxX]*")
_ONE_LETTER_BOOLS = frozenset("yYnN")


def to_yaml(value: Any) -> str:
    """One YAML document. `UNKNOWN` and `Secret` become their quoted texts (`<computed>`, `<secret>`)."""
    return yaml.dump(
        _ordered(value),
        Dumper=_Dumper,
        default_flow_style=False,
        sort_keys=False,
        allow_unicode=True,
        width=4096,
    )


def _ordered(value: Any, first: tuple[str, ...] = ()) -> Any:
    if isinstance(value, Mapping):
        if "apiVersion" in value and "kind" in value:
            first = _FIRST_OF_OBJECT
        keys = [key for key in first if key in value]
        keys += [key for key in sorted(value) if key not in first]
        return {key: _ordered(value[key], _FIRST_OF_METADATA if key == "metadata" else ()) for key in keys}
    if isinstance(value, (list, tuple)):
        return [_ordered(item, _FIRST_OF_ITEM) for item in value]
    return value


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: Any, text: str) -> Any:
    style = None
    if "\n" in text:
        style = "|"
    elif text in _ONE_LETTER_BOOLS or _LOOKS_LIKE_A_NUMBER.fullmatch(text):
        style = "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _represent_marker(dumper: Any, marker: Secret | Unknown) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(marker), style="'")


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(Secret, _represent_marker)
_Dumper.add_representer(Unknown, _represent_marker)
