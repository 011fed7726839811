"""docs/examples/Pulumi.vllm.yaml: the options that docs/engines.md explains, in one stack without errors."""

from tests.programs import ROOT
from tests.test_cli import cli

STACK = "docs/examples/Pulumi.vllm.yaml"


def test_the_example_has_no_error_and_says_what_was_not_measured() -> None:
    result = cli("check", STACK)
    assert result.returncode == 0, result.stdout
    assert "0 errors" in result.stdout
    assert "Extrapolated to vLLM 0.33, a draft model, LoRA" in cli("plan", STACK).stdout


def test_the_page_of_the_engines_names_the_example() -> None:
    assert "examples/Pulumi.vllm.yaml" in (ROOT / "docs/engines.md").read_text(encoding="utf-8")
