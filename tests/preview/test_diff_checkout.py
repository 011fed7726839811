"""The export of a commit, and how the two plans are made. The programs here are stand-ins that print a plan."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from preview import checkout
from preview.checkout import CheckoutError, against_commit

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not on PATH")

PROGRAM = """\
import json, os, pathlib, sys
stack, folder = sys.argv[2], pathlib.Path(sys.argv[sys.argv.index("--cwd") + 1])
text = (folder / f"Pulumi.{stack}.yaml").read_text()
inputs = {"text": text, "tag": "TAG", "files": sorted(p.name for p in folder.iterdir() if p.name != "__pycache__")}
node = {"type": "a:b:C", "name": "x", "urn": "urn:pulumi:dev::p::a:b:C::x", "inputs": inputs, "children": []}
print(json.dumps({"problems": [], "resources": [node], "environment": dict(os.environ)}))
"""


def git(cwd: Path, *words: str) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    run = subprocess.run(
        ["git", *identity, *words], cwd=cwd, env=environment, capture_output=True, text=True, check=True
    )
    return run.stdout.strip()


def commit(folder: Path) -> str:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "one")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture(autouse=True)
def no_git_of_a_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("GIT_"):
            monkeypatch.delenv(name)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project in a folder of a repository, with one commit."""
    folder = tmp_path / "repository" / "infra"
    folder.mkdir(parents=True)
    git(folder.parent, "init", "--quiet")
    (folder.parent / "other.txt").write_text("not of the project\n")
    (folder / "cli.py").write_text(PROGRAM)
    (folder / "Pulumi.dev.yaml").write_text("old")
    commit(folder)
    return folder


def inputs(folder: Path, ref: str = "HEAD", stack: str = "dev") -> list[tuple[str, object, object]]:
    found = against_commit(stack, ref, folder)
    assert found.changes is not None, found.notes
    return [(one.text, one.old, one.new) for change in found.changes for one in change.properties]


def test_both_sides_run_their_own_program_and_only_the_projects_folder_is_exported(project: Path) -> None:
    (project / "Pulumi.dev.yaml").write_text("new")
    (project / "cli.py").write_text(PROGRAM.replace("TAG", "later"))
    (project / "untracked.txt").write_text("x")
    assert inputs(project) == [
        ("files", ["Pulumi.dev.yaml", "cli.py"], ["Pulumi.dev.yaml", "cli.py", "untracked.txt"]),
        ("tag", "TAG", "later"),
        ("text", "old", "new"),
    ]


def test_a_stack_can_be_named_by_its_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "cli.py").write_text(PROGRAM.replace("sys.argv[2]", "sys.argv[2].split('.')[-2]"))
    commit(project)
    (project / "Pulumi.dev.yaml").write_text("new")
    expected = [("text", "old", "new")]
    assert inputs(project, stack="Pulumi.dev.yaml") == expected
    assert inputs(project, stack=str(project / "Pulumi.dev.yaml")) == expected
    assert against_commit("Pulumi.dev.yaml", "HEAD", project).stack == "dev"
    with pytest.raises(CheckoutError, match="outside the project's folder"):
        against_commit("../Pulumi.dev.yaml", "HEAD", project)


def test_any_name_of_a_commit_will_do(project: Path) -> None:
    first = git(project, "rev-parse", "HEAD")
    git(project, "tag", "v1")
    (project / "Pulumi.dev.yaml").write_text("new")
    commit(project)
    for ref in (first, first[:8], "v1", "HEAD~1"):
        assert inputs(project, ref) == [("text", "old", "new")]
    assert against_commit("dev", "v1", project).against == f"v1 ({first[:12]})"
    assert against_commit("dev", first, project).against == first


def test_a_folder_that_the_commit_does_not_have_is_a_new_stack(project: Path) -> None:
    moved = project.rename(project.with_name("elsewhere"))
    found = against_commit("dev", "HEAD", moved)
    assert found.counts == {"add": 1}
    assert "has no stack dev" in found.notes[0]


def test_neither_side_gets_credentials_or_the_users_home(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "AWS_SECRET_ACCESS_KEY",
        "AWS_PROFILE",
        "KUBECONFIG",
        "PULUMI_ACCESS_TOKEN",
        "HF_TOKEN",
        "GITHUB_TOKEN",
    ):
        monkeypatch.setenv(name, "canary")
    plan, why = checkout._plan("dev", project, project)
    assert plan is not None, why
    assert "canary" not in json.dumps(plan)
    assert plan["environment"]["HOME"] != os.environ.get("HOME")


def test_a_link_out_of_the_tree_is_left_out(project: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("x")
    (project / "outside").symlink_to(tmp_path / "secret.txt")
    (project / "inside").symlink_to("Pulumi.dev.yaml")
    with checkout._exported(commit(project), project) as folder:
        assert sorted(path.name for path in folder.iterdir()) == ["Pulumi.dev.yaml", "cli.py", "inside"]
        kept = folder
    assert not kept.exists()


def test_the_work_tree_and_the_index_stay_as_they_are(project: Path) -> None:
    (project / "Pulumi.dev.yaml").write_text("new")
    (project / "staged.txt").write_text("x")
    git(project, "add", "staged.txt")
    before = git(project, "status", "--porcelain=v2")
    against_commit("dev", "HEAD", project)
    assert git(project, "status", "--porcelain=v2") == before


def test_a_program_that_fails_says_why_and_todays_takes_over(project: Path) -> None:
    original = (project / "cli.py").read_text()
    (project / "cli.py").write_text("import sys\nsys.exit('needs pulumi 9')\n")
    commit(project)
    (project / "cli.py").write_text(original)
    found = against_commit("dev", "HEAD", project)
    # Today's own program reads the stand-in's stack file and finds that it is none.
    assert "(needs pulumi 9): its stack file was read by today's program" in found.notes[0]
    assert "the stack has 1 error" in found.notes[0]
    assert (found.changes, found.failed) == (None, False)


def test_a_program_that_does_not_run_after_the_change_fails(project: Path) -> None:
    (project / "cli.py").write_text("import sys\nsys.exit('syntax')\n")
    found = against_commit("dev", "HEAD", project)
    assert found.failed
    assert "the program doesn't run: syntax" in found.notes


def test_no_module_of_the_commit_takes_part_in_a_fallback(project: Path, tmp_path: Path) -> None:
    (project / "stacks").mkdir()
    (project / "stacks" / "loader.py").write_text("raise SystemExit('shadowed')\n")
    (project / "__main__.py").write_text("today\n")
    copy = tmp_path / "copy"
    shutil.copytree(project, copy)
    (copy / "__main__.py").write_text("then\n")
    checkout._with_todays_program(copy, project)
    assert [path.relative_to(copy).as_posix() for path in copy.rglob("*.py")] == ["__main__.py"]
    assert (copy / "__main__.py").read_text() == "today\n"


@pytest.mark.parametrize("ref", ["nothing", "--help", "HEAD:infra", ""])
def test_what_is_no_commit_is_refused(project: Path, ref: str) -> None:
    with pytest.raises(CheckoutError, match="no commit of this repository"):
        against_commit("dev", ref, project)


def test_a_folder_without_git_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckoutError, match="in no git repository"):
        against_commit("dev", "HEAD", tmp_path)


def test_a_machine_without_git_is_told_so(project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CheckoutError, match="git is not on PATH"):
        against_commit("dev", "HEAD", project)
