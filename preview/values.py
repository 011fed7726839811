"""Property values as the preview hands them on: plain Python values and two markers.

Pulumi sends properties as a protobuf `Struct`, which has only doubles, unordered maps and reserved
signatures for what JSON can't say. `decode` turns that into Python values that are the same on every
run: integral doubles become ints, maps are sorted by key, unknowns become `UNKNOWN` and secrets `Secret`.

The signatures are part of Pulumi's wire protocol (sdk/python/lib/pulumi/runtime/rpc.py and known_types.py of
pulumi 3.272.0, read 22 Nov 2026); a test compares them with the installed SDK.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import Any, Final

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE: Final = "1b47061264138c4ac30d75fd1eb44270"
RESOURCE_SIGNATURE: Final = "5cf8f73096256a8f31e491e813e4eb8e"
UNKNOWN_SENTINEL: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

# Doubles hold every integer up to 2**53; beyond 2**63 no Kubernetes or AWS field is an integer.
_LARGEST_INTEGER: Final = 2.0**63


class Unknown(enum.Enum):
    """A value that exists only after the deployment; `UNKNOWN` is the only one."""

    UNKNOWN = "<computed>"

    def __repr__(self) -> str:
        return self.value

    __str__ = __repr__


UNKNOWN: Final = Unknown.UNKNOWN


class Secret:
    """A value that Pulumi marks as secret. No text form of it contains the value; `reveal` returns it."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    def reveal(self) -> Any:
        """The value itself. Never print, log or write it."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "<secret>"

    __str__ = __repr__

    def __reduce__(self) -> Any:
        raise TypeError("a secret value can't be pickled")

    def __deepcopy__(self, memo: Any) -> Secret:
        return self


def decode_struct(struct: Any) -> dict[str, Any]:
    """The properties of a protobuf `Struct` as a dict sorted by key, with nulls kept."""
    return {key: decode(value) for key, value in sorted(struct.fields.items())}


def decode(value: Any) -> Any:
    """One protobuf `Value` as a Python value; see the module's description."""
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        text = value.string_value
        return UNKNOWN if text == UNKNOWN_SENTINEL else text
    if kind == "struct_value":
        found = {key: decode(item) for key, item in sorted(value.struct_value.fields.items())}
        return _unsigned(found) if SIGNATURE in found else found
    if kind == "list_value":
        return [decode(item) for item in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() and abs(number) < _LARGEST_INTEGER else number
    if kind == "bool_value":
        return value.bool_value
    return None


def _unsigned(signed: dict[str, Any]) -> Any:
    """The meaning of a map with a signature."""
    signature = signed[SIGNATURE]
    if signature == SECRET_SIGNATURE:
        inner = signed.get("value")
        return inner if inner is UNKNOWN else Secret(inner)
    if signature == RESOURCE_SIGNATURE:
        return signed["urn"]
    # Assets and archives: the reference (path, text or uri) is what a reader wants to see.
    return {key: item for key, item in signed.items() if key != SIGNATURE}


def plain(value: Any) -> Any:
    """The value with every marker replaced by its text (`<computed>`, `<secret>`), ready for JSON."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (Secret, Unknown)):
        return str(value)
    return value


def walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each scalar, marker and empty container below `value` with its property path (`spec.ports[0].name`)."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from walk(item, join_path(path, str(key)))
    elif isinstance(value, (list, tuple)) and value:
        for index, item in enumerate(value):
            yield from walk(item, f"{path}[{index}]")
    else:
        yield path, value


def join_path(parent: str, key: str) -> str:
    """A property path in Pulumi's own notation: keys with a dot are quoted (`labels["app.kubernetes.io/name"]`)."""
    if "." in key or "[" in key or '"' in key or not key:
        escaped = key.replace("\\", "\\\\").replace('"', '\\"')
        return f'{parent}["{escaped}"]'
    return f"{parent}.{key}" if parent else key


def secret_texts(value: Any) -> Iterator[str]:
    """The strings inside the secrets of a value, so that they can be removed from messages."""
    for _, item in walk(value):
        if isinstance(item, Secret):
            yield from (text for _, text in walk(item.reveal()) if isinstance(text, str) and text)
