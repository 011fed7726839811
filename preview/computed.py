"""Marks what a provider may compute inside an object that the program gives in part.

A first preview gets back the inputs. A property that is missing at the top level is unknown to the SDK, but one that
is missing inside an object (`cluster.vpc_config.cluster_security_group_id`) would read as None and vanish. Which of
those the provider computes is known to the provider only, so each is unknown here. Fields that were given stay known.

Not for Kubernetes: its provider answers with the inputs as they are (provider.go, `Create`, read 22 Nov 2026), and
programs rely on `metadata` being known.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any, get_args, get_origin

from pulumi import _types
from pulumi.runtime import rpc

from preview.values import SIGNATURE, UNKNOWN_SENTINEL


def mark_computed(answer: Any, type_token: str) -> None:
    """Set every missing field of the objects in `answer`, a protobuf `Struct`, to unknown, by the SDK's types."""
    for name, declared in _output_types(type_token).items():
        if name in answer.fields:
            _mark(answer.fields[name], declared)


@functools.cache
def _output_types(type_token: str) -> dict[str, Any]:
    """Declared type by property of a resource class that the program has imported; {} for others."""
    package, _, rest = type_token.partition(":")
    module, _, _ = rest.rpartition(":")
    registered: Any = rpc.get_resource_module(package, module, "")
    info = getattr(registered, "mod_info", {})
    name = info.get("classes", {}).get(type_token)
    if name is None:
        return {}
    return _types.resource_types(getattr(importlib.import_module(info["fqn"]), name))


def _mark(value: Any, declared: Any) -> None:
    declared = _types.unwrap_type(declared)
    kind = value.WhichOneof("kind")
    if kind == "struct_value" and SIGNATURE not in value.struct_value.fields:
        fields = value.struct_value.fields
        if _types.is_output_type(declared):
            for name, inner in _types.output_type_types(declared).items():
                if name in fields:
                    _mark(fields[name], inner)
                else:
                    fields[name].string_value = UNKNOWN_SENTINEL
    elif kind == "list_value" and get_origin(declared) is not None:
        for item in value.list_value.values:
            _mark(item, get_args(declared)[0])
