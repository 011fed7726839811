"""A stack with a protected claim and a secret token: what the state holds, and what `destroy` refuses."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cluster.control_plane import ControlPlane
    from tests.engine.project import Project, Run

pytestmark = pytest.mark.engine


@dataclass(frozen=True, kw_only=True)
class Lab:
    """The stack, deployed."""

    project: Project
    run: Run
    before: dict[str, dict[str, Any]]
    """What was in the cluster before."""


@pytest.fixture(scope="module")
def lab(cluster: ControlPlane, new_project: Callable[..., Project]) -> Lab:
    from pulumi.automation import ConfigValue

    from tests.engine.contents import contents
    from tests.engine.lab import STACK, STORAGE_CLASS, TOKEN, lab_stack

    cluster.apply([STORAGE_CLASS])
    project = new_project(STACK, cluster.kubeconfig, lab_stack())
    project.stack.set_config("llm-serving:hfToken", ConfigValue(TOKEN, secret=True))
    before = contents(cluster.client)
    return Lab(project=project, run=project.up(), before=before)


def test_the_token_reaches_the_cluster(lab: Lab, cluster: ControlPlane) -> None:
    from tests.engine.lab import NAMESPACE, TOKEN

    secret = cluster.client.get("v1", "Secret", "hugging-face-token", NAMESPACE)
    assert base64.b64decode(secret["data"]["HF_TOKEN"]).decode() == TOKEN


def test_the_claim_is_bound_and_its_job_complete_before_the_pods(lab: Lab, cluster: ControlPlane) -> None:
    from tests.engine.lab import CLAIM, NAMESPACE

    assert cluster.client.get("v1", "PersistentVolumeClaim", CLAIM, NAMESPACE)["status"]["phase"] == "Bound"
    (job,) = cluster.client.list("batch/v1", "Job", NAMESPACE)
    (deployment,) = cluster.client.list("apps/v1", "Deployment", NAMESPACE)
    assert job["status"]["succeeded"] == 1
    assert job["status"]["completionTime"] <= deployment["metadata"]["creationTimestamp"]


def test_the_state_has_the_token_only_encrypted(lab: Lab) -> None:
    (secret,) = [one for one in lab.project.resources() if one["type"] == "kubernetes:core/v1:Secret"]
    # The provider hands the text on as `data`.
    assert secret["inputs"]["data"].keys() == secret["outputs"]["data"].keys() >= {"ciphertext"}
    texts = {str(path): path.read_bytes() for path in _files(lab.project)}
    texts["the exported state"] = lab.project.exported().encode()
    # The search finds what is there.
    assert [name for name, text in texts.items() if b"hugging-face-token" in text]
    assert [name for name, text in texts.items() if any(form in text for form in _forms())] == []


def test_the_token_is_not_printed(lab: Lab) -> None:
    said = [lab.run.text, repr(lab.run.diagnostics)]
    said += [
        json.dumps([step.new.inputs, step.new.outputs])
        for steps in lab.run.steps.values()
        for step in steps
        if step.new
    ]
    assert any("hugging-face-token" in text for text in said)
    assert not [text for text in said if any(form.decode() in text for form in _forms())]


def test_the_state_has_the_dependencies_and_timeouts_that_the_preview_shows(lab: Lab) -> None:
    from tests.engine.parity import in_process, seconds

    state = {one["urn"]: one for one in lab.project.resources()}
    mine = in_process(lab.project).resources
    assert any(one.dependencies for one in mine)
    assert any(one.custom_timeouts for one in mine)
    for one in mine:
        found = state[one.urn]
        assert set(one.dependencies) == set(found.get("dependencies") or []), one.urn
        assert one.protect == found.get("protect", False), one.urn
        given = {key: seconds(value) for key, value in one.custom_timeouts.items()}
        kept = found.get("customTimeouts") or {}
        assert given == {key: value for key, value in kept.items() if value}, one.urn


def test_a_second_up_with_a_secret_and_a_finished_job_has_nothing_to_do(lab: Lab) -> None:
    assert lab.project.up(expect_no_changes=True).changed() == {}


def test_destroy_says_at_its_preview_that_the_claim_is_protected(lab: Lab, cluster: ControlPlane) -> None:
    from pulumi.automation import CommandError

    from tests.engine.contents import contents
    from tests.engine.lab import CLAIM

    before = contents(cluster.client)
    with pytest.raises(CommandError, match=rf"(?s)PersistentVolumeClaim::{CLAIM}.{{,80}}protect"):
        lab.project.preview_destroy()
    assert _uids(contents(cluster.client)) == _uids(before)


def test_destroy_without_a_preview_stops_at_the_protected_claim(lab: Lab, cluster: ControlPlane) -> None:
    from pulumi.automation import CommandError

    from tests.engine.contents import contents
    from tests.engine.lab import CLAIM, NAMESPACE

    before = _uids(contents(cluster.client))
    kept = [name for name in before if name.split()[0] == "PersistentVolume"]
    assert kept
    kept += [f"PersistentVolumeClaim {NAMESPACE}/{CLAIM}", f"Namespace /{NAMESPACE}"]
    with pytest.raises(CommandError, match=rf"(?s)PersistentVolumeClaim::{CLAIM}.{{,80}}protect"):
        lab.project.destroy()
    after = _uids(contents(cluster.client))
    assert {name: after.get(name) for name in kept} == {name: before[name] for name in kept}
    assert CLAIM in [one["urn"].split("::")[-1] for one in lab.project.resources()]


def test_destroy_leaves_nothing_once_the_stack_file_says_so(lab: Lab, cluster: ControlPlane) -> None:
    from tests.cluster.client import wait
    from tests.engine.contents import contents
    from tests.engine.lab import CLAIM

    lab.project.edit(lambda stack: stack["volumes"][CLAIM].update(protect=False))
    lab.project.up()
    lab.project.destroy()
    assert lab.project.resources() == []
    # The volume goes after its claim, by the storage driver.
    wait("the volume to be gone", lambda: contents(cluster.client).keys() <= lab.before.keys())
    assert contents(cluster.client).keys() == lab.before.keys()


def _files(project: Project) -> Iterator[Path]:
    for folder in (project.folder, project.backend):
        yield from (path for path in folder.rglob("*") if path.is_file() and ".venv" not in path.parts)


def _forms() -> list[bytes]:
    from tests.engine.lab import TOKEN

    return [TOKEN.encode(), base64.b64encode(TOKEN.encode()).rstrip(b"=")]


def _uids(objects: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: one["metadata"]["uid"] for name, one in objects.items()}
