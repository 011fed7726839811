"""docs/examples/Pulumi.kserve-prefill.yaml: prompts are read on copies of their own, without errors."""

from tests.test_cli import cli

STACK = "docs/examples/Pulumi.kserve-prefill.yaml"


def test_the_example_counts_both_kinds_of_copies_and_keeps_some_of_each() -> None:
    result = cli("check", STACK)
    assert result.returncode == 0, result.stdout
    assert "0 errors" in result.stdout
    plan = cli("plan", STACK).stdout
    (placed,) = [line for line in plan.splitlines() if "g6e.2xlarge)" in line]
    assert placed.split()[:2] == ["chat", "4"]
    assert "4 of 5 nodes" in placed
    assert plan.count("v1alpha2:LLMInferenceService ") == 1
    assert [line.split()[-1] for line in plan.splitlines() if "PodDisruptionBudget" in line] == [
        "chat",
        "chat-kserve-prefill",
    ]
