"""What the program says when the engine's configuration is wrong."""

import json
from typing import Any

import pytest
import yaml

from preview.run import ProgramError, run
from tests.programs import ROOT


def engine_config(change: Any = None) -> dict[str, str]:
    stack = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())["config"]["llm-serving:stack"]
    if change:
        change(stack)
    return {"llm-serving:stack": json.dumps(stack)}


def started(config: dict[str, str], stack: str = "local") -> Any:
    return run(ROOT / "__main__.py", project="llm-serving", stack=stack, config=config)


def test_a_mistake_that_only_the_engine_has_is_told_without_a_line() -> None:
    def misspelt(stack: dict[str, Any]) -> None:
        stack["workloads"]["chat"]["engine"]["maxModelLn"] = 1

    with pytest.raises(ProgramError) as caught:
        started(engine_config(misspelt))
    expected = "workloads.chat.engine.maxModelLn: unknown key; did you mean maxModelLen?"
    assert expected in str(caught.value)
    assert "Pulumi.local.yaml:" not in str(caught.value)


def test_a_broken_rule_stops_the_program_with_its_place_in_the_file() -> None:
    def too_wide(stack: dict[str, Any]) -> None:
        stack["workloads"]["chat"]["engine"]["tensorParallelSize"] = 2

    with pytest.raises(ProgramError) as caught:
        started(engine_config(too_wide))
    assert "PAR003" in str(caught.value)


def test_warnings_go_to_the_engines_log() -> None:
    def branch(stack: dict[str, Any]) -> None:
        stack["models"]["qwen3-06b"]["revision"] = "main"

    messages = [one.message for one in started(engine_config(branch)).logs]
    assert any("SEC003" in message for message in messages)


def test_a_missing_stack_is_told_in_one_line() -> None:
    with pytest.raises(ProgramError, match="llm-serving:stack"):
        started({})


def test_a_secret_inside_the_stack_is_refused() -> None:
    config = engine_config()
    with pytest.raises(ProgramError, match="holds a secret"):
        run(ROOT / "__main__.py", project="llm-serving", stack="local", config=config, config_secret_keys=[*config])
