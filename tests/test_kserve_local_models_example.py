"""docs/examples/Pulumi.kserve-local-models.yaml: one model on the disks of its nodes, without errors."""

from tests.test_cli import cli

STACK = "docs/examples/Pulumi.kserve-local-models.yaml"


def test_the_example_has_no_error_and_makes_one_cache() -> None:
    result = cli("check", STACK)
    assert result.returncode == 0, result.stdout
    assert "0 errors" in result.stdout
    plan = cli("plan", STACK).stdout
    assert plan.count("v1alpha1:LocalModelCache") == 1
    assert plan.count("v1alpha1:LocalModelNodeGroup") == 1
    assert plan.count("v1alpha1:ClusterStorageContainer") == 1
