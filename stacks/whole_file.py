"""The JSON Schema of a whole stack file, for completion and documentation in editors. Pure.

Draft 7, which yaml-language-server knows best: there nothing beside a `$ref` counts, so descriptions stand around it.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from functools import cache
from typing import Any

from components.spec import Spec
from stacks.config import StackConfig
from stacks.file_sections import PROJECT, STACK_KEY
from stacks.schema_forms import friendly

_SECURE = {
    "type": "object",
    "description": "A value that `pulumi config set --secret` encrypted.",
    "properties": {"secure": {"type": "string", "description": "The encrypted value."}},
    "required": ["secure"],
    "additionalProperties": False,
}


def schema() -> dict[str, Any]:
    """The schema of a whole stack file: our key closed, other namespaces open, Pulumi's own keys named."""
    stack = StackConfig.model_json_schema(by_alias=True, mode="validation")
    definitions = stack.pop("$defs")
    for model in _models(Spec):
        found = stack if model is StackConfig else definitions.get(model.__name__)
        if found is not None:
            _describe(model, found)
    definitions = friendly({**definitions, "StackConfig": stack}, definitions)
    return _draft7(
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "title": "Stack file of llm-serving",
            "description": "Pulumi.<stack>.yaml: what one stack creates, and Pulumi's own settings.",
            "type": "object",
            "properties": {
                "config": {
                    "type": "object",
                    "description": "Configuration of the program and of providers, by namespace:name.",
                    "properties": {
                        STACK_KEY: {"$ref": "#/$defs/StackConfig", "description": "The stack."},
                        "stack": {"$ref": "#/$defs/StackConfig", "description": f"Short for {STACK_KEY}."},
                        "aws:region": {"type": "string", "description": "AWS region, and the region of prices."},
                    },
                    "patternProperties": {f"^({PROJECT}:)?(?!stack$)[^:]+$": _SECURE},
                    "propertyNames": {"pattern": "^[^:]+(:[^:]+|:config:[^:]+)?$"},
                    "additionalProperties": True,
                    "oneOf": [{"required": [STACK_KEY]}, {"required": ["stack"]}],
                },
                "encryptionsalt": {"type": "string", "description": "Written by Pulumi for passphrase encryption."},
                "secretsprovider": {"type": "string", "description": "Who encrypts secrets, such as awskms://..."},
                "encryptedkey": {"type": "string", "description": "Written by Pulumi for a cloud secrets provider."},
                "environment": {"type": ["array", "object"], "description": "Pulumi ESC environments to import."},
            },
            "required": ["config"],
            "additionalProperties": False,
            "definitions": definitions,
        }
    )


def _models(base: type[Spec]) -> Iterator[type[Spec]]:
    for model in base.__subclasses__():
        yield model
        yield from _models(model)


def _describe(model: type[Spec], found: dict[str, Any]) -> None:
    """Gives every property the docstring below its field. Reading source is slow, so the models don't do it themselves."""
    texts: dict[str, str] = {}
    for ancestor in reversed(model.__mro__):
        if issubclass(ancestor, Spec):
            texts |= _field_docstrings(ancestor)
    for name, field in model.model_fields.items():
        if name in texts:
            found["properties"][field.alias or name]["description"] = texts[name]


@cache
def _field_docstrings(model: type[Spec]) -> dict[str, str]:
    """The string literal right below each field of the class body, as PEP 258 has it."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(definition, ast.ClassDef)
    found = {}
    for field, below in zip(definition.body, definition.body[1:], strict=False):
        named = isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if named and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            found[field.target.id] = " ".join(str(below.value.value).split())
    return found


def _draft7(value: Any) -> Any:
    """pydantic's 2020-12 in Draft 7: `definitions`, and whatever stands beside a `$ref` around it."""
    if isinstance(value, list):
        return [_draft7(one) for one in value]
    if not isinstance(value, dict):
        return value
    found = {key: _draft7(one) for key, one in value.items()}
    if isinstance(reference := found.get("$ref"), str):
        found["$ref"] = reference.replace("#/$defs/", "#/definitions/")
        if len(found) > 1:
            found = {"allOf": [{"$ref": found.pop("$ref")}], **found}
    return found
