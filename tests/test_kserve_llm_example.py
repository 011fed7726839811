"""docs/examples/Pulumi.kserve-llm.yaml: a copy that spans two nodes, behind a gateway, without errors."""

from tests.test_cli import cli

STACK = "docs/examples/Pulumi.kserve-llm.yaml"


def test_the_example_has_no_error_and_everything_that_its_kind_needs() -> None:
    result = cli("check", STACK)
    assert result.returncode == 0, result.stdout
    assert "0 errors" in result.stdout
    plan = cli("plan", STACK).stdout
    assert plan.count("v1alpha2:LLMInferenceService ") == 1
    assert plan.count("v1alpha2:LLMInferenceServiceConfig") == 1
    for release in ("kserve-kserve-llmisvc-crd (protected)", "kserve-kserve-llmisvc", "kserve-kserve-presets"):
        assert release in plan
    assert "port-forward service/chat-kserve-workload-svc 8000:8000" in plan
