"""A test on the engine that can't run says why, and fails where it must run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.required import PROVIDER, REQUIRE, missing
from tests.programs import ROOT


def executable(folder: Path, name: str) -> None:
    (folder / name).write_text("#!/bin/sh\n", "utf-8")
    (folder / name).chmod(0o755)


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
    assert missing() == "the Pulumi CLI (`pulumi`) is not on PATH"
    executable(tmp_path, "pulumi")
    reason = missing()
    assert reason
    remedy = "pulumi plugin install resource kubernetes 4."
    assert remedy in reason
    version = reason.rpartition(" ")[2].strip("`")
    plugin = tmp_path / "plugins" / f"resource-kubernetes-v{version}"
    plugin.mkdir(parents=True)
    assert missing() is None
    plugin.rmdir()
    executable(tmp_path, PROVIDER)
    assert missing() is None


@pytest.mark.parametrize(("required", "code", "outcome"), [("0", 0, "SKIPPED"), ("1", 1, "ERROR")])
@pytest.mark.parametrize("present", [[], ["pulumi"]], ids=["no CLI", "no provider"])
def test_a_skip_has_a_reason_and_fails_where_the_engine_is_required(
    tmp_path: Path, present: list[str], required: str, code: int, outcome: str
) -> None:
    for name in present:
        executable(tmp_path, name)
    environment = {**os.environ, "PATH": str(tmp_path), "PULUMI_HOME": str(tmp_path), REQUIRE: required}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/engine/test_parity.py"]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == code, run.stdout
    reason = "the Kubernetes provider" if present else "the Pulumi CLI (`pulumi`) is not on PATH"
    (first, *_) = [line for line in run.stdout.splitlines() if line.startswith(outcome)]
    assert "tests/engine/test_parity.py" in first
    assert reason in run.stdout
    assert "passed" not in run.stdout
