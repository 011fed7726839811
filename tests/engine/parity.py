"""The in-process preview beside the engine's: both as plain data with the same marks for what is unknown or secret."""

from collections.abc import Mapping
from typing import Any

from pulumi.automation.events import StepEventMetadata

from preview.registered import STACK_TYPE, Registered
from preview.run import Run, run
from preview.values import SECRET_SIGNATURE, SIGNATURE, UNKNOWN_SENTINEL, plain
from tests.engine.project import PROJECT, ROOT, Project

_MARKS = {UNKNOWN_SENTINEL: "<computed>", "[secret]": "<secret>"}


def in_process(project: Project) -> Run:
    """What `llm-serving plan` makes of the project's stack."""
    values, secrets = project.loaded().engine_config()
    return run(
        ROOT / "__main__.py",
        project=PROJECT,
        stack=project.stack.name,
        config=values,
        config_secret_keys=secrets,
    )


def registered(found: Registered) -> dict[str, Any]:
    """A resource of the in-process preview."""
    inputs = plain(found.inputs)
    if found.type == "kubernetes:core/v1:Secret":
        # The provider hands on the texts as `data`, and hides the names of the keys too.
        assert set(inputs.pop("stringData").values()) == {"<secret>"}
        inputs["data"] = {SIGNATURE: SECRET_SIGNATURE, "ciphertext": "<secret>"}
    return {
        "type": found.type,
        "parent": found.parent,
        "custom": found.custom,
        "protect": found.protect,
        "provider": found.provider,
        "inputs": inputs,
    }


def previewed(step: StepEventMetadata) -> dict[str, Any]:
    """A resource of the engine's preview."""
    assert step.new is not None
    return {
        "type": step.type,
        "parent": "" if f"::{STACK_TYPE}::" in (step.new.parent or "") else step.new.parent,
        "custom": bool(step.new.custom),
        "protect": bool(step.new.protect),
        # A reference is <URN>::<id>.
        "provider": (step.new.provider or "").rpartition("::")[0],
        "inputs": _marked(step.new.inputs or {}),
    }


def seconds(duration: str) -> float:
    """A Go duration of whole minutes or seconds, as the program writes them."""
    return float(duration[:-1]) * {"s": 1, "m": 60}[duration[-1]]


def _marked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _marked(item) for key, item in sorted(value.items())}
    if isinstance(value, list):
        return [_marked(item) for item in value]
    return _MARKS.get(value, value) if isinstance(value, str) else value
