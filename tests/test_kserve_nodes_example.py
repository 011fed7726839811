"""docs/examples/Pulumi.kserve-nodes.yaml: an InferenceService that spans two nodes, without errors."""

from tests.test_cli import cli

STACK = "docs/examples/Pulumi.kserve-nodes.yaml"


def test_the_example_has_no_error_and_is_two_pods_on_two_nodes() -> None:
    result = cli("check", STACK)
    assert result.returncode == 0, result.stdout
    assert "0 errors" in result.stdout
    assert ", warning]" not in result.stdout
    plan = cli("plan", STACK).stdout
    assert "vllm-0-33-0-worker" in plan
    assert "chat      2     h100 (p5.48xlarge)  8 GPU" in plan
    assert "port-forward service/chat-predictor 8000:80" in plan
