"""What vLLM's parser leaves to the engine, read from a wheel: keys of JSON options, names, connectors, metrics."""

import ast
import re
from typing import Any

from catalog.wheel_fields import FieldReader
from catalog.wheel_source import WheelSource

_METRIC = re.compile(r'"(vllm:[a-z0-9_]+)"')
_NAMES = {
    "--tool-call-parser": ("tool_parsers/__init__.py", "_TOOL_PARSERS_TO_REGISTER"),
    "--reasoning-parser": ("reasoning/__init__.py", "_REASONING_PARSERS_TO_REGISTER"),
    "--load-format": ("model_executor/model_loader/__init__.py", "_LOAD_FORMAT_TO_MODEL_LOADER"),
}
"""Options whose values are the keys of a dictionary: file and name."""
_JSON = ("speculative_config", "kv_transfer_config", "compilation_config", "structured_outputs_config", "eplb_config")


def details(source: WheelSource, fields: FieldReader) -> dict[str, Any]:
    """What the parser leaves to the engine: keys of JSON options with their choices, names, connectors and metrics."""
    config = source.find("class VllmConfig")
    parallel = fields.kwargs(source.find("class ParallelConfig"), "ParallelConfig")
    nested = {**fields.kwargs(config, "VllmConfig"), "eplb_config": parallel["eplb_config"]}
    kinds = {key: one.fields for key, one in nested.items() if one.fields and key in _JSON}
    factory = source.text("vllm/distributed/kv_transfer/kv_connector/factory.py")
    return {
        "keys": {
            f"--{key.replace('_', '-')}": {
                name: fields.choices(where, node)
                for name, (where, node) in sorted(fields.fields(*kind.split(":")).items())
            }
            for key, kind in sorted(kinds.items())
        },
        "names": {option: _keys(source.text(f"vllm/{file}"), name) for option, (file, name) in sorted(_NAMES.items())},
        "connectors": sorted(re.findall(r'register_connector\(\s*"(\w+)"', factory)),
        "metrics": sorted({name for file in source.modules() for name in _METRIC.findall(source.text(file))}),
    }


def _keys(text: str, name: str) -> list[str]:
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Assign | ast.AnnAssign) or not isinstance(node.value, ast.Dict):
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        if isinstance(target, ast.Name) and target.id == name:
            return sorted(str(key.value) for key in node.value.keys if isinstance(key, ast.Constant))
    raise ValueError(f"no dictionary {name} in the wheel")
