"""The workflow of pull requests: who may do what, and its scripts run with stand-ins for their tools."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.programs import ROOT

needs_tools = pytest.mark.skipif(
    not (shutil.which("bash") and shutil.which("jq")),
    reason="bash or jq is not on PATH: the steps are scripts for both",
)

GH = """\
#!/bin/bash
printf '%s\\n' "$*" >> "$LOG"
case "$*" in *--paginate*) cat "$EXISTING" ;; esac
"""
LAUNCHER = """\
#!/bin/bash
echo "$*" >> "$LOG"
case "$*" in
  "diff bad "*) exit 1 ;;
  "diff "*) echo "<!-- llm-serving preview: $2 -->" ;;
esac
"""


@cache
def jobs() -> dict[str, Any]:
    return yaml.safe_load((ROOT / ".github" / "workflows" / "preview.yml").read_text("utf-8"))["jobs"]


def uses(job: str) -> list[str]:
    return [step["uses"].partition("@")[0] for step in jobs()[job]["steps"] if "uses" in step]


def script(job: str) -> str:
    (found,) = [step["run"] for step in jobs()[job]["steps"] if "\n" in step.get("run", "")]
    return found


def test_the_job_that_runs_code_of_forks_has_no_secret_and_can_write_nothing() -> None:
    job = jobs()["compare"]
    assert job["permissions"] == {"contents": "read"}
    assert "environment" not in job
    assert "secrets." not in json.dumps(job)
    assert "github.token" not in json.dumps(job)


def test_the_job_that_writes_runs_nothing_of_the_pull_request() -> None:
    job = jobs()["comment"]
    assert job["permissions"] == {"pull-requests": "write"}
    assert uses("comment") == ["actions/download-artifact"]
    assert "head.repo.full_name == github.repository" in job["if"]


@pytest.mark.parametrize("name", ["pulumi-preview", "drift"])
def test_credentials_are_behind_an_environment_and_a_role(name: str) -> None:
    job = jobs()[name]
    assert job["environment"]
    assert job["permissions"] == {"contents": "read", "id-token": "write"}
    assert "vars.AWS_PREVIEW_ROLE_ARN != ''" in job["if"]
    assert name == "drift" or "head.repo.full_name == github.repository" in job["if"]


def test_no_checkout_keeps_the_token_and_no_script_holds_an_expression() -> None:
    for job in jobs().values():
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_drift_is_looked_for_with_a_refresh_that_expects_no_changes() -> None:
    (pulumi,) = [
        step["with"] for step in jobs()["drift"]["steps"] if step.get("uses", "").startswith("pulumi/actions@")
    ]
    assert (pulumi["command"], pulumi["refresh"], pulumi["expect-no-changes"]) == ("preview", True, True)


def tool(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def run(text: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text],
        cwd=cwd,
        env={"PATH": f"{cwd / 'bin'}{os.pathsep}{os.environ['PATH']}", "LOG": str(cwd / "log"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@needs_tools
def test_a_comment_is_updated_where_there_is_one_and_made_only_when_something_changes(tmp_path: Path) -> None:
    tool(tmp_path / "bin", "gh", GH)
    preview = tmp_path / "preview"
    preview.mkdir()
    for stack, second in (("dev", "### dev"), ("prod", "### prod"), ("local", "<!-- nothing changes -->")):
        (preview / f"{stack}.md").write_text(f"<!-- llm-serving preview: {stack} -->\n{second}\n")
    existing = tmp_path / "existing"
    bodies = {
        1: "Looks good",
        7: "<!-- llm-serving preview: dev -->\nold",
        9: "<!-- llm-serving preview: develop -->\nx",
    }
    existing.write_text("".join(json.dumps({"id": key, "body": body}) + "\n" for key, body in bodies.items()))
    result = run(
        script("comment"), tmp_path, COMMENTS="repos/o/r/issues/5/comments", COMMENT="c", EXISTING=str(existing)
    )
    assert (result.returncode, result.stderr) == (0, "")
    asked, *written = (tmp_path / "log").read_text().splitlines()
    assert "github-actions[bot]" in asked
    assert written == [
        "api --silent --method PATCH c/7 --field body=@preview/dev.md",
        "api --silent --method POST repos/o/r/issues/5/comments --field body=@preview/prod.md",
    ]


@needs_tools
def test_every_stack_is_compared_although_one_fails(tmp_path: Path) -> None:
    tool(tmp_path / ".venv" / "bin", "llm-serving", LAUNCHER)
    for stack in ("bad", "dev"):
        (tmp_path / f"Pulumi.{stack}.yaml").write_text("")
    summary = tmp_path / "summary"
    result = run(script("compare"), tmp_path, RUNNER_TEMP=str(tmp_path), GITHUB_STEP_SUMMARY=str(summary))
    assert result.returncode == 1
    assert (tmp_path / "log").read_text().splitlines() == [
        "check bad",
        "diff bad --against HEAD^1 --format markdown",
        "check dev",
        "diff dev --against HEAD^1 --format markdown",
    ]
    assert [path.name for path in (tmp_path / "preview").iterdir()] == ["dev.md"]
    assert summary.read_text() == "<!-- llm-serving preview: dev -->\n"
