"""Custom resources against the schemas of their CustomResourceDefinitions, as the API server validates them and stricter.

Defaults are filled first, as the API server does; then unknown fields are errors, where it would drop them without a word. What the
schemas of the folder of reference facts need besides: PROVENANCE.md there. CEL rules (x-kubernetes-validations) and webhooks are left out.
"""

import copy
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.protocols import Validator

ROOT = Path(__file__).resolve().parent.parent
_OPEN = ("additionalProperties", "x-kubernetes-preserve-unknown-fields")
_ANY_OF = ("anyOf", "oneOf", "allOf", "not")
_RESOURCE = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}


def errors(manifest: dict[str, Any]) -> list[str]:
    """What is wrong with a custom resource, as `path: message`; skips the test where the reference facts are absent."""
    group, _, version = manifest["apiVersion"].rpartition("/")
    plain, validator = _schema(group, version, manifest["kind"])
    filled = _filled(copy.deepcopy(manifest), plain)
    return [f"{one.json_path}: {one.message}" for one in validator.iter_errors(filled)]


@cache
def _schema(group: str, version: str, kind: str) -> tuple[dict[str, Any], Validator]:
    folder = Path(os.environ.get("LLM_SERVING_SHARED") or ROOT.parent / "shared") / "crds"
    if not folder.is_dir():
        pytest.skip(f"no CustomResourceDefinitions at {folder}: put them there or set LLM_SERVING_SHARED")
    for path in sorted(folder.glob(f"*/{kind}_*.yaml")):
        found = yaml.load(path.read_text("utf-8"), yaml.CSafeLoader)["spec"]
        if found["group"] != group:
            continue
        for one in found["versions"]:
            if one["name"] == version and one["served"]:
                plain = one["schema"]["openAPIV3Schema"]
                return plain, Draft202012Validator(_strict(plain, root=True), format_checker=FormatChecker())
    raise LookupError(f"no definition of {kind} in {group}/{version} below {folder}")


def _filled(value: Any, schema: dict[str, Any]) -> Any:
    """The value with the schema's defaults, from the outside in."""
    if isinstance(value, dict):
        for key, one in schema.get("properties", {}).items():
            if key not in value and "default" in one:
                value[key] = copy.deepcopy(one["default"])
            if key in value:
                value[key] = _filled(value[key], one)
        if isinstance(more := schema.get("additionalProperties"), dict):
            for key in value.keys() - schema.get("properties", {}).keys():
                value[key] = _filled(value[key], more)
    elif isinstance(value, list) and isinstance(items := schema.get("items"), dict):
        value[:] = [_filled(one, items) for one in value]
    return value


def _strict(schema: dict[str, Any], *, root: bool = False, close: bool = True) -> dict[str, Any]:
    """An OpenAPI v3 structural schema as JSON Schema, every object that lists its fields closed."""
    found = {
        key: value for key, value in schema.items() if not key.startswith(("x-", "description", "default", "example"))
    }
    for key in ("properties", "patternProperties"):
        if key in found:
            found[key] = {name: _strict(one, close=close) for name, one in found[key].items()}
    if isinstance(found.get("items"), dict):
        found["items"] = _strict(found["items"], close=close)
    if isinstance(found.get("additionalProperties"), dict):
        found["additionalProperties"] = _strict(found["additionalProperties"], close=close)
    for key in _ANY_OF:
        if isinstance(found.get(key), list):
            found[key] = [_strict(one, close=False) for one in found[key]]
        elif isinstance(found.get(key), dict):
            found[key] = _strict(found[key], close=False)
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(found.get(exclusive), bool) and found.pop(exclusive):
            found[exclusive] = found.pop(bound)
    if "(?i)" in found.get("pattern", ""):
        found["pattern"] = "(?i)" + found["pattern"].replace("(?i)", "")
    if schema.get("x-kubernetes-int-or-string"):
        found.pop("type", None)
        found["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    if root or schema.get("x-kubernetes-embedded-resource"):
        found["properties"] = {**_RESOURCE, **found.get("properties", {})}
        if root:
            found["properties"]["metadata"] = _RESOURCE["metadata"]
    if close and found.get("properties") and not any(key in schema for key in _OPEN):
        found["additionalProperties"] = False
    if found.pop("nullable", False) and "type" in found:
        found["type"] = [found["type"], "null"]
    return found
