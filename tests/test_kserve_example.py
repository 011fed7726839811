"""docs/examples/Pulumi.kserve.yaml: two services that share a runtime, without errors."""

import yaml

from tests.programs import ROOT
from tests.test_cli import cli

STACK = "docs/examples/Pulumi.kserve.yaml"


def test_the_example_has_no_error_and_its_services_share_one_runtime() -> None:
    result = cli("check", STACK)
    assert result.returncode == 0, result.stdout
    assert "0 errors" in result.stdout
    stack = yaml.safe_load((ROOT / STACK).read_text(encoding="utf-8"))["config"]["llm-serving:stack"]
    assert [one["kind"] for one in stack["workloads"].values()] == ["InferenceService", "InferenceService"]
    plan = cli("plan", STACK).stdout
    assert plan.count("v1alpha1:ServingRuntime") == 1
    assert plan.count("v1beta1:InferenceService") == 2


def test_the_example_reads_from_a_volume_and_from_s3() -> None:
    models = yaml.safe_load((ROOT / STACK).read_text(encoding="utf-8"))["config"]["llm-serving:stack"]["models"]
    assert sorted(key for one in models.values() for key in one if key in ("volume", "storageUri")) == [
        "storageUri",
        "volume",
    ]
