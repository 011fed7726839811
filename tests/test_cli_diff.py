"""`llm-serving diff` in a git repository of its own: a copy of this tree, one commit, and a change on top."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from preview.checkout import against_commit
from tests.programs import ROOT

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not on PATH")

VOLUME = "{storage: efs, fileSystemId: fs-0123456789abcdef0, size: 50Gi}"
LEFT_OUT = {".git", ".github", ".venv", "tests", "docs", "benchmarks", "build", "dist"}
BROKEN_PROGRAM = 'raise ImportError("no module named tomorrow")\n'


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"PYTHONPATH": str(cwd), "NO_COLOR": ""}
    return subprocess.run(
        [sys.executable, "-m", "cli", *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def git(cwd: Path, *words: str) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
    command = ["git", *identity, "-c", "init.defaultBranch=main", *words]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.fixture(autouse=True)
def no_git_of_a_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("GIT_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program and its stack files in a repository with one commit."""
    folder = tmp_path_factory.mktemp("repository") / "project"

    def left_out(_: str, names: list[str]) -> set[str]:
        return {name for name in names if name in LEFT_OUT or name.startswith((".pytest", ".ruff"))}

    shutil.copytree(ROOT, folder, ignore=left_out)
    (folder / ".gitignore").write_text("__pycache__/\n")
    # A stack with a volume that needs no AWS SDK, which takes seconds to load.
    lab = (folder / "Pulumi.local.yaml").read_text()
    lab = lab.replace("    models:\n", f"    volumes:\n      weights: {VOLUME}\n    models:\n")
    lab = lab.replace("        revision:", "        volume: weights\n        revision:")
    (folder / "Pulumi.lab.yaml").write_text(lab)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "before")
    return folder


@pytest.fixture
def repository(committed: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    shutil.copytree(committed, folder)
    return folder


def edit(repository: Path, old: str, new: str, name: str = "Pulumi.dev.yaml") -> None:
    path = repository / name
    text = path.read_text()
    assert text.count(old) == 1, f"{name} has {old!r} {text.count(old)} times"
    path.write_text(text.replace(old, new))


def compared(repository: Path, stack: str) -> dict[str, Any]:
    """What `llm-serving diff --format json` prints, without starting an interpreter for the command itself."""
    found = against_commit(stack, "HEAD", repository)
    assert not found.failed, found.as_json()
    return json.loads(json.dumps(found.as_json()))


def by_name(found: dict[str, Any], action: str) -> set[str]:
    return {f"{one['type'].rpartition(':')[2]} {one['name']}" for one in found["resources"] if one["action"] == action}


def test_another_image_restarts_the_pods_and_nothing_else(repository: Path) -> None:
    edit(repository, "maxModelLen: 8192", "maxModelLen: 8192, image: example.com/vllm:v2", "Pulumi.local.yaml")
    result = run("diff", "local", "--against", "HEAD", "--format", "json", cwd=repository)
    assert (result.returncode, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert found["counts"] == {"change": 1}
    (change,) = found["resources"]
    paths = [one["path"] for one in change["properties"]]
    assert "spec.template.spec.containers.engine.image" in paths
    assert [(one["what"], one["name"]) for one in found["restarts"]] == [("pods", "chat")]
    assert found["storage"] == []


def test_another_file_system_is_told_with_what_becomes_of_the_claim(repository: Path) -> None:
    edit(repository, "fs-0123456789abcdef0", "fs-0fedcba9876543210", "Pulumi.lab.yaml")
    found = compared(repository, "lab")
    assert "StorageClass weights" in by_name(found, "replace")
    claim_replaced = "PersistentVolumeClaim weights" in by_name(found, "replace")
    levels = {one["level"] for one in found["storage"] if one["name"] == "weights"}
    assert levels
    assert claim_replaced == ("data-loss" in levels)
    assert any("fs-0fedcba9876543210" in one["text"] or "claim is empty" in one["text"] for one in found["storage"])


def test_other_storage_and_other_nodes_are_shouted_in_the_comment(repository: Path) -> None:
    edit(repository, VOLUME, "{storage: ebs, size: 50Gi}")
    edit(repository, "[g6.2xlarge]", "[g6.4xlarge]")
    result = run("diff", "dev", "--against", "HEAD", "--format", "markdown", cwd=repository)
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "<!-- llm-serving preview: dev -->"
    headline = re.search(r"cost at most \$([\d.]+) -> \$([\d.]+) \(\+\$[\d.]+\) an hour", lines[1])
    assert headline
    assert float(headline[2]) > float(headline[1]) > 0
    assert lines.index("> [!CAUTION]") < lines.index("**Restarts**")
    assert "**DATA LOSS**: PersistentVolumeClaim weights is deleted and made anew" in result.stdout
    assert "is protected: `pulumi up` stops" in result.stdout
    assert "node group l4 is made anew, then the old one deleted" in result.stdout
    assert "pods of chat restart with them" in result.stdout


def test_a_removed_workload_is_removed_with_all_it_has(repository: Path) -> None:
    path = repository / "Pulumi.local.yaml"
    text = path.read_text()
    path.write_text(text[: text.index("    workloads:")])
    found = compared(repository, "local")
    assert {"Deployment chat", "Service chat", "ModelDeployment chat"} <= by_name(found, "remove")
    assert found["workloadsRemoved"] == ["chat"]
    assert "stops for good" in found["restarts"][0]["text"]


def test_a_stack_with_errors_after_the_change_exits_with_1(repository: Path) -> None:
    edit(repository, "maxModelLen: 8192", "maxModelLn: 8192", "Pulumi.local.yaml")
    result = run("diff", "local", "--against", "HEAD", cwd=repository)
    assert result.returncode == 1
    assert "unknown key; did you mean maxModelLen?" in result.stdout
    assert "New problems" in result.stdout


def test_a_new_stack_is_added_whole_and_the_work_tree_stays_as_it_is(repository: Path) -> None:
    shutil.copy(repository / "Pulumi.local.yaml", repository / "Pulumi.new.yaml")
    (repository / "notes.txt").write_text("staged\n")
    git(repository, "add", "notes.txt")
    before = git(repository, "status", "--porcelain")
    found = compared(repository, "new")
    assert set(found["counts"]) == {"add"}
    assert "has no stack new: everything is added" in found["notes"][0]
    assert git(repository, "status", "--porcelain") == before == "A  notes.txt\n?? Pulumi.new.yaml\n"
    assert git(repository, "stash", "list") == ""


def test_a_changed_component_is_seen_although_no_stack_file_changed(repository: Path) -> None:
    edit(repository, '"revisionHistoryLimit": 5,', '"revisionHistoryLimit": 7,', "components/model_deployment.py")
    found = compared(repository, "local")
    (change,) = found["resources"]
    assert change["properties"] == [{"path": "spec.revisionHistoryLimit", "old": 5, "new": 7}]


def test_a_program_that_cannot_run_here_is_replaced_by_todays(repository: Path) -> None:
    original = (repository / "cli.py").read_text()
    (repository / "cli.py").write_text(BROKEN_PROGRAM)
    git(repository, "commit", "--quiet", "--all", "--message", "needs another environment")
    (repository / "cli.py").write_text(original)
    found = compared(repository, "local")
    assert found["resources"] == []
    assert "can't run here (ImportError: no module named tomorrow)" in found["notes"][0]
    assert "was read by today's program" in found["notes"][0]


def test_an_unknown_commit_exits_with_2(committed: Path) -> None:
    result = run("diff", "dev", "--against", "no-such-branch", cwd=committed)
    assert (result.returncode, result.stdout) == (2, "")
    assert "no-such-branch is no commit of this repository" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_other_commit_is_named_or_click_says_so(committed: Path) -> None:
    result = run("diff", "dev", cwd=committed)
    assert result.returncode == 2
    assert "--against" in result.stderr
