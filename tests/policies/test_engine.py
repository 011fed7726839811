"""The pack under the real engine: `pulumi preview --policy-pack policies`."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from policies.view import UNKNOWN
from tests.policies.cases import ENGINE
from tests.policies.stack import changed, sentinels

PACK = Path(__file__).resolve().parents[2] / "policies"

# The objects are registered as components: the engine shows those to policies too, and they need neither the Kubernetes
# provider nor a cluster. Policies on single resources see the inputs, those on the stack the outputs.
PROGRAM = """
import json
import pathlib

import pulumi

for one in json.loads(pathlib.Path("objects.json").read_text("utf-8")):
    options = pulumi.ResourceOptions(protect=one["protect"])
    pulumi.ComponentResource(one["type"], one["name"], one["props"], options).register_outputs(one["props"])
"""

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(
        not (PACK / ".venv" / "bin" / "python").exists(),
        reason="the policy pack's own environment isn't there: run `make policies`",
    ),
]


def preview(folder: Path, *changes: Any, config: dict[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
    """`pulumi preview` of hand-written objects with the pack, on a backend in the folder."""
    resources = [one for one in changed(*changes).values() if one.type.startswith("kubernetes:")]
    listed = [
        {"type": one.type, "name": one.name, "props": sentinels(one.props.value), "protect": one.protect}
        for one in resources
    ]
    (folder / "objects.json").write_text(json.dumps(listed), "utf-8")
    (folder / "__main__.py").write_text(PROGRAM, "utf-8")
    runtime = {"name": "python", "options": {"toolchain": "pip", "virtualenv": sys.prefix}}
    (folder / "Pulumi.yaml").write_text(json.dumps({"name": "lab", "runtime": runtime}), "utf-8")
    (folder / "state").mkdir()
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")},
        "PULUMI_HOME": str(folder / "home"),
        "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "not a secret",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    arguments = ["--policy-pack", str(PACK)]
    if config is not None:
        (folder / "policies.json").write_text(json.dumps(config), "utf-8")
        arguments += ["--policy-pack-config", str(folder / "policies.json")]
    shared: dict[str, Any] = {"cwd": folder, "env": environment, "capture_output": True, "text": True, "timeout": 300}
    subprocess.run(["pulumi", "stack", "init", "test", "--non-interactive"], check=True, **shared)
    return subprocess.run(["pulumi", "preview", "--non-interactive", *arguments], check=False, **shared)


def test_objects_that_keep_the_policies_pass(tmp_path: Path) -> None:
    run = preview(tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "llm-serving@v0.1.0" in run.stdout
    assert "[mandatory]" not in run.stdout


def test_a_violation_fails_the_preview(tmp_path: Path) -> None:
    run = preview(tmp_path, ("Deployment", (*ENGINE, "image"), "vllm/vllm-openai:latest"))
    assert run.returncode != 0
    assert "images-pinned" in run.stdout
    assert "vllm/vllm-openai:latest moves" in run.stdout


def test_a_stack_policy_sees_all_objects(tmp_path: Path) -> None:
    run = preview(tmp_path, ("NetworkPolicy", ("spec", "podSelector"), {"matchLabels": {"app": "other"}}))
    assert run.returncode != 0
    assert "gpu-workloads-isolated" in run.stdout


def test_a_level_can_be_lowered_in_the_configuration(tmp_path: Path) -> None:
    changes = ("Deployment", (*ENGINE, "image"), "vllm/vllm-openai:latest")
    run = preview(tmp_path, changes, config={"images-pinned": "advisory"})
    assert run.returncode == 0, run.stdout + run.stderr
    assert "vllm/vllm-openai:latest moves" in run.stdout


def test_an_unknown_value_is_named_and_fails_nothing(tmp_path: Path) -> None:
    run = preview(tmp_path, ("Deployment", (*ENGINE, "image"), UNKNOWN))
    assert run.returncode == 0, run.stdout + run.stderr
    assert "containers[0].image can't be known during preview" in run.stdout
