"""docs/examples/Pulumi.engines.yaml: one workload for each engine, and a check without errors."""

import yaml

from tests.programs import ROOT
from tests.test_cli import cli

STACK = "docs/examples/Pulumi.engines.yaml"


def test_the_example_has_a_workload_on_each_engine_and_no_error() -> None:
    result = cli("check", STACK)
    assert result.returncode == 0, result.stdout
    assert "0 errors" in result.stdout
    stack = yaml.safe_load((ROOT / STACK).read_text(encoding="utf-8"))["config"]["llm-serving:stack"]
    engines = sorted(workload["engine"]["name"] for workload in stack["workloads"].values())
    assert engines == ["sglang", "tensorrt-llm", "tgi", "vllm"]
