"""Ray's own models over Serve configurations: run by the Python of tests/ray/.venv, without vLLM and without a cluster.

Reads a JSON list of `serveConfigV2` texts, writes a JSON list with what is wrong with each. Ray's schemas let unknown keys pass in most
places: those are looked for here.
"""

import ast
import inspect
import json
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from ray import serve
from ray.llm._internal.common.placement import PlacementGroupConfig
from ray.llm._internal.serve.core.configs.llm_config import LLMConfig
from ray.serve.config import AutoscalingConfig
from ray.serve.schema import HTTPOptionsSchema, ServeApplicationSchema, ServeDeploySchema

DEPLOYMENT = frozenset(inspect.signature(serve.deployment).parameters) - {"_func_or_class"}
_BUILDER = Path(inspect.getfile(LLMConfig)).parents[1] / "ingress" / "builder.py"


def problems(text: str) -> Iterator[str]:
    """What is wrong with one configuration."""
    config = yaml.safe_load(text)
    try:
        ServeDeploySchema.model_validate(config)
    except ValueError as error:
        yield str(error)
    yield from _unknown("config", config, _fields(ServeDeploySchema))
    yield from _unknown("http_options", config.get("http_options", {}), _fields(HTTPOptionsSchema))
    for application in config["applications"]:
        yield from _unknown("application", application, _fields(ServeApplicationSchema))
        arguments = application.get("args", {})
        yield from _unknown("args", arguments, _serving_args())
        yield from _deployment("ingress_deployment_config", arguments.get("ingress_deployment_config", {}))
        for one in arguments["llm_configs"]:
            yield from _model(one)


def _model(config: dict[str, Any]) -> Iterator[str]:
    try:
        LLMConfig.model_validate(config)
        PlacementGroupConfig.model_validate(config["placement_group_config"])
    except ValueError as error:
        yield str(error)
    yield from _deployment("deployment_config", config["deployment_config"])


def _deployment(where: str, options: dict[str, Any]) -> Iterator[str]:
    yield from _unknown(where, options, DEPLOYMENT)
    scaling = options.get("autoscaling_config", {})
    yield from _unknown(f"{where}.autoscaling_config", scaling, _fields(AutoscalingConfig))
    if "num_replicas" in options and scaling:
        yield f"{where}: num_replicas and autoscaling_config"
    try:
        AutoscalingConfig.model_validate(scaling)
        # The decorator checks what the schemas leave open.
        serve.deployment(**options)(type("Empty", (), {}))
    except (TypeError, ValueError) as error:
        yield f"{where}: {error}"


def _unknown(where: str, given: dict[str, Any], known: frozenset[str]) -> Iterator[str]:
    yield from (f"{where}: unknown key {key}" for key in sorted(given.keys() - known))


def _fields(model: type[BaseModel]) -> frozenset[str]:
    return frozenset(model.model_fields)


def _serving_args() -> frozenset[str]:
    """Fields of LLMServingArgs, whose module can't be imported without vLLM."""
    tree = ast.parse(_BUILDER.read_text("utf-8"))
    (node,) = (one for one in tree.body if isinstance(one, ast.ClassDef) and one.name == "LLMServingArgs")
    return frozenset(
        one.target.id for one in node.body if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
    )


if __name__ == "__main__":
    answers = [list(problems(text)) for text in json.load(sys.stdin)]
    sys.stdout.write(f"{version('ray')}\n{json.dumps(answers)}\n")
