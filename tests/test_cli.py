"""The command line as a user meets it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import ROOT, STACKS

SMALL = """\
config:
  llm-serving:stack:
    cluster: {provider: kubeconfig, context: lab}
    nodeGroups:
      lab: {provisioner: existing, gpu: L4, gpusPerNode: 1, nodes: 1, nodeSelector: {pool: lab}, cpu: "8", memory: 32Gi}
    models:
      mistral: {id: mistralai/Mistral-7B-Instruct-v0.3, revision: c170c708c41dac9275d15a8fff4eca08d52bab71}
    workloads:
      chat:
        kind: Deployment
        model: mistral
        nodeGroup: lab
        engine: {name: vllm, version: 0.33.0, maxModelLn: 8192}
"""


def cli(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": ""}
    command = [sys.executable, "-m", "cli", *words]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("stack", STACKS)
def test_check_passes_on_every_stack(stack: str) -> None:
    result = cli("check", stack)
    assert (result.returncode, result.stderr) == (0, "")
    assert f"{stack}: 0 errors" in result.stdout


def test_a_misspelt_key_has_a_place_and_a_suggestion(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.small.yaml").write_text(SMALL)
    result = cli("check", "small", cwd=tmp_path)
    assert result.returncode == 1
    expected = "Pulumi.small.yaml:13:47: workloads.chat.engine.maxModelLn: unknown key; did you mean maxModelLen?"
    assert expected in result.stdout.splitlines()


def test_a_missing_stack_is_told_with_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.small.yaml").write_text(SMALL)
    result = cli("plan", "big", cwd=tmp_path)
    assert result.returncode == 1
    assert "Pulumi.big.yaml" in result.stdout
    assert "small" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


@pytest.mark.parametrize("words", [["chek", "dev"], ["check"], ["render", "dev"], ["plan", "dev", "--format", "yaml"]])
def test_wrong_usage_exits_with_2(words: list[str]) -> None:
    result = cli(*words)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


def test_the_plan_says_what_a_reviewer_wants_to_know() -> None:
    result = cli("plan", "dev")
    assert result.returncode == 0, result.stdout + result.stderr
    for words in ("Problems", "Fit (GiB on each GPU)", "Placement", "Cost", "Resources", "curl", "\x1b"):
        assert (words in result.stdout) is (words != "\x1b")
    assert "mistralai/Mistral-7B-Instruct-v0.3" in result.stdout
    assert "$0.98 at max" in result.stdout


def test_two_plans_are_the_same_byte_for_byte() -> None:
    assert cli("plan", "dev").stdout == cli("plan", "dev").stdout


def test_the_plan_as_json() -> None:
    plan = json.loads(cli("plan", "dev", "--format", "json").stdout)
    assert plan["fit"][0]["workload"] == "chat"
    assert plan["cost"]["totals"]["usdPerHourMax"] == pytest.approx(0.9776)
    assert plan["resources"]


def test_the_plan_as_markdown() -> None:
    text = cli("plan", "dev", "--format", "markdown").stdout
    assert "| workload | GPUs |" in text
    assert "<details><summary>Resources</summary>" in text


def test_a_plan_with_errors_has_the_fit_but_no_resources(tmp_path: Path) -> None:
    text = SMALL.replace("maxModelLn: 8192", "tensorParallelSize: 2")
    (tmp_path / "Pulumi.small.yaml").write_text(text)
    result = cli("plan", "small", cwd=tmp_path)
    assert result.returncode == 1
    assert "PAR003" in result.stdout
    assert "Fit" in result.stdout
    assert "\nResources" not in result.stdout


def test_render_writes_files_and_refuses_a_folder_with_other_files(tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = cli("render", "local", "-o", str(out))
    assert result.returncode == 0, result.stderr
    assert "manifests/01-namespace-ml-serving.yaml" in result.stdout
    assert (out / "manifests" / "01-namespace-ml-serving.yaml").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    assert cli("render", "local", "-o", str(tmp_path / "mine")).returncode == 2
    assert (tmp_path / "mine" / "notes.txt").read_text() == "mine"


def test_rules_are_listed() -> None:
    assert "MEM003" in cli("rules").stdout
    codes = [rule["code"] for rule in json.loads(cli("rules", "--format", "json").stdout)]
    assert codes == sorted(codes)


def test_the_schema_is_json() -> None:
    assert json.loads(cli("schema").stdout)["$schema"]


def test_check_loads_no_pulumi() -> None:
    code = (
        "import sys; sys.argv = ['llm-serving', 'check', 'dev']\n"
        "import cli\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "print([name for name in sys.modules if name.split('.')[0].startswith('pulumi')])"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


def test_a_tgi_workload_is_printed_for_vllm() -> None:
    result = cli("migrate-engine", "prod", "tgi-mistral")
    assert (result.returncode, result.stderr) == (0, "")
    assert "  name: vllm\n" in result.stdout
    assert "  tensorParallelSize: 2\n  maxModelLen: 8192\n" in result.stdout
    assert "# - maxInputTokens 4096:" in result.stdout


def test_a_workload_that_is_not_on_tgi_is_not_migrated() -> None:
    result = cli("migrate-engine", "prod", "vllm-llama")
    assert (result.returncode, result.stdout) == (2, "")
    assert "vllm-llama runs on vllm" in result.stderr
