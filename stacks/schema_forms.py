"""Makes a generated JSON Schema kind to editors: sections with several forms say what is wrong with the form that is meant. Pure.

A plain `oneOf` makes an editor report that no form fits. Here each form hangs on its tag, so that a wrong key is reported where it is.
"""

from collections.abc import Mapping
from typing import Any

from stacks.words import PATTERNS

_REFERENCE = "#/$defs/"


def friendly(value: Any, definitions: Mapping[str, Any]) -> Any:
    """The schema with unions by tag, patterns in words, and without the titles and defaults that say nothing."""
    if isinstance(value, list):
        return [friendly(one, definitions) for one in value]
    if not isinstance(value, dict):
        return value
    found = {
        key: {name: friendly(one, definitions) for name, one in below.items()}
        if key in ("properties", "patternProperties", "$defs")
        else friendly(below, definitions)
        for key, below in value.items()
        if not (key in ("title", "discriminator") or (key == "default" and (below is None or isinstance(below, dict))))
    }
    if words := PATTERNS.get(found.get("pattern", "")):
        found["patternErrorMessage"] = f"expected {words}"
    if "patternProperties" in found:
        found.setdefault("additionalProperties", False)
    forms = found.get("oneOf")
    if isinstance(forms, list) and all(set(one) == {"$ref"} for one in forms):
        del found["oneOf"]
        found |= _by_tag([one["$ref"] for one in forms], definitions)
    return found


def _by_tag(references: list[str], definitions: Mapping[str, Any]) -> dict[str, Any]:
    forms = {one: definitions[one.removeprefix(_REFERENCE)] for one in references}
    key = _tag_key(list(forms.values()))
    conditions: dict[str, dict[str, Any]] = {}
    tags, alternatives, others = [], [], []
    for reference, form in forms.items():
        tag = form["properties"].get(key, {}).get("const") if key else None
        if tag is not None:
            tags.append(tag)
            conditions[reference] = {"properties": {key: {"const": tag}}}
            if key in form["required"]:
                conditions[reference]["required"] = [key]
        else:
            own = next(name for name in form["required"] if name != key)
            alternatives.append({"required": [own]})
            conditions[reference] = {"required": [own]}
            others.append(reference)
    base: dict[str, Any] = {"type": "object"}
    if key:
        words = " or ".join(str(tag) for tag in tags)
        base["properties"] = {key: {"enum": tags, "description": f"The form of this section: {words}."}}
        if all(key in form["required"] for reference, form in forms.items() if reference not in others):
            base |= {"anyOf": [{"required": [key]}, *alternatives]} if others else {"required": [key]}
    else:  # told apart by a key of their own: the first form is meant when no other's is there
        conditions[others[0]] = {"not": {"anyOf": alternatives[1:]}}
    return {**base, "allOf": [{"if": conditions[one], "then": {"$ref": one}} for one in references]}


def _tag_key(forms: list[Mapping[str, Any]]) -> str | None:
    """The key that has another constant in each form that has it, and is in two of them or more."""
    for name in forms[0]["properties"]:
        values = [form["properties"][name]["const"] for form in forms if "const" in form["properties"].get(name, {})]
        if len(values) > 1 and len(set(values)) == len(values):
            return name
    return None
