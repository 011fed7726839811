"""`llm-serving status` with a stand-in for kubectl; on a real API server: tests/cluster/test_status.py."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli import app
from tests.programs import ROOT

KUBECTL = f"""#!{sys.executable}
import os, sys
open(os.environ["LOG"], "a").write(" ".join(sys.argv[1:]) + "\\n")
print(os.environ["CONTEXT"] if "current-context" in sys.argv else os.environ["ANSWER"])
print("warning\\n" + os.environ.get("TROUBLE", ""), file=sys.stderr)
sys.exit(bool(os.environ.get("TROUBLE")))
"""
FILE = ROOT / "docs" / "examples" / "Pulumi.kserve.yaml"


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-in on PATH; its log."""
    (tmp_path / "kubectl").write_text(KUBECTL)
    (tmp_path / "kubectl").chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), "/usr/bin", "/bin"]))
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    monkeypatch.setenv("CONTEXT", "arn:aws:eks:us-east-1:123456789012:cluster/ml-dev")
    return tmp_path / "log"


def status(monkeypatch: pytest.MonkeyPatch, *arguments: str, items: list[Any] = [], trouble: str = "") -> Result:  # noqa: B006
    monkeypatch.setenv("ANSWER", json.dumps({"items": items}))
    monkeypatch.setenv("TROUBLE", trouble)
    return CliRunner().invoke(app, ["status", str(FILE), *arguments])


def ready(workload: str, number: int) -> dict[str, Any]:
    labels = {"app.kubernetes.io/instance": workload, "app.kubernetes.io/managed-by": "pulumi"}
    metadata = {"name": f"{workload}-{number}", "labels": labels}
    return {"kind": "Pod", "metadata": metadata, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}


def test_one_question_is_asked_for_the_kinds_of_the_stack(monkeypatch: pytest.MonkeyPatch, kubectl: Path) -> None:
    result = status(monkeypatch, "--context", "dev", items=[])
    assert result.exit_code == 1
    assert kubectl.read_text().splitlines() == [
        "--context=dev --namespace ml-serving get pods,events,deployments.apps,inferenceservices.serving.kserve.io "
        "--output json"
    ]


def test_what_is_ready_is_fine(monkeypatch: pytest.MonkeyPatch, kubectl: Path) -> None:
    result = status(monkeypatch, items=[ready("llama-chat", 0), ready("llama-chat", 1), ready("mistral-chat", 0)])
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "llama-chat (InferenceService): 2 of 2 pods ready",
        "mistral-chat (InferenceService): 1 of 1 pods ready",
    ]


def test_what_is_missing_fails_with_its_reasons_below(monkeypatch: pytest.MonkeyPatch, kubectl: Path) -> None:
    result = status(monkeypatch, items=[ready("llama-chat", 0), ready("llama-chat", 1)])
    assert result.exit_code == 1
    assert result.output.splitlines()[1:] == [
        "mistral-chat (InferenceService): 0 of 1 pods ready",
        "  the namespace has nothing of mistral-chat: it isn't deployed, or what comes before it failed",
    ]


def test_another_cluster_than_the_stacks_is_not_asked(monkeypatch: pytest.MonkeyPatch, kubectl: Path) -> None:
    monkeypatch.setenv("CONTEXT", "kind-laptop")
    result = status(monkeypatch)
    assert result.exit_code == 2
    assert "kubectl's current context is kind-laptop" in result.stderr
    assert "aws eks update-kubeconfig --region us-east-1 --name ml-dev" in result.stderr
    assert kubectl.read_text().splitlines() == ["config current-context"]


def test_a_cluster_that_refuses_is_quoted(monkeypatch: pytest.MonkeyPatch, kubectl: Path) -> None:
    result = status(monkeypatch, trouble='error: context "dev" does not exist')
    assert result.exit_code == 2
    assert 'ml-dev, namespace ml-serving: error: context "dev" does not exist' in result.stderr


def test_without_kubectl_the_error_says_where_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = status(monkeypatch)
    assert result.exit_code == 2
    assert "kubectl isn't on PATH; install it" in result.stderr


def test_a_file_with_errors_is_not_taken_to_the_cluster(kubectl: Path) -> None:
    result = CliRunner().invoke(app, ["status", str(ROOT / "docs" / "examples" / "Pulumi.mistakes.yaml")])
    assert result.exit_code == 1
    assert not kubectl.exists()
